"""Time constants: what a step leaves, the time constant of a share, the factor of an input."""

from __future__ import annotations

import numpy as np

from hrsnn_lava.time_constants import membrane_gain, time_constant


def test_a_share_has_its_time_constant():
    shares = np.concatenate([[0.0, 1.0, 0.5, 0.9, 0.99], np.random.default_rng(0).random(1000)])
    left = np.exp(-1e-3 / time_constant(shares, 1e-3))
    assert left[0] == 0.0
    assert np.isinf(time_constant(1.0, 1e-3))
    assert np.abs(left - shares).max() <= 2.0**-53
    assert (left == shares)[2:5].all()
    assert (left == shares).mean() > 0.8


def test_the_gain_is_what_leaks_and_1_where_nothing_does():
    tau = np.array([1e-4, 0.02, 1e9, np.inf])
    gain = membrane_gain(tau, 1e-3)
    assert gain[:2].tolist() == (-np.expm1(-1e-3 / tau[:2])).tolist()
    assert gain[2] == -np.expm1(-1e-12)  # 1 - exp(-1e-12) would have four digits left
    assert gain[3] == 1.0
