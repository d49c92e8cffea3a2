"""Means, clipping, and the exact-mean option."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava import Constant, Discrete, Exponential, Gamma, LogNormal, Normal, Uniform
from hrsnn_lava.distributions import Clip, sample_mean
from hrsnn_lava.errors import SpecError
from hrsnn_lava.seeding import generator

CASES = [
    (Constant(2.0), 0.0),
    (Gamma(3.0, 2.0), 2.0 / np.sqrt(3.0)),
    (LogNormal(2.0, 0.0), 0.0),
    (LogNormal(2.0, 0.5), 2.0 * np.sqrt(np.exp(0.25) - 1)),
    (Normal(2.0, 0.3), 0.3),
    (Uniform(1.0, 3.0), 2.0 / np.sqrt(12.0)),
    (Exponential(2.0), 2.0),
    (Discrete((1.0, 6.0), (0.8, 0.2)), 2.0),
    (Discrete((1.0, 2.0, 3.0)), np.sqrt(2 / 3)),
]


@pytest.mark.parametrize(("distribution", "sd"), CASES, ids=lambda c: type(c).__name__)
def test_mean_and_standard_deviation(distribution, sd):
    values = distribution.sample(generator(0, "test"), 200_000)
    assert distribution.mean == 2.0
    assert values.mean() == pytest.approx(2.0, rel=0.01)
    assert values.std() == pytest.approx(sd, rel=0.02, abs=1e-12)


def test_clip_and_exact_mean():
    values = Gamma(3.0, 2.0, Clip(1.0, 4.0)).sample(generator(0, "test"), 1000)
    assert (values.min(), values.max()) == (1.0, 4.0)
    exact = Gamma(3.0, 2.0, Clip(exact_mean=True)).sample(generator(0, "test"), 10)
    assert exact.mean() == pytest.approx(2.0, rel=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Gamma(0.0, 1.0),
        lambda: Gamma(1.0, -1.0),
        lambda: LogNormal(0.0, 1.0),
        lambda: LogNormal(1.0, -0.1),
        lambda: Normal(0.0, 0.0),
        lambda: Uniform(2.0, 1.0),
        lambda: Gamma(1.0, 1.0, Clip(2.0, 1.0)),
        lambda: Exponential(0.0),
        lambda: Discrete(()),
        lambda: Discrete((1.0, np.inf)),
        lambda: Discrete((1.0, 2.0), (1.0,)),
        lambda: Discrete((1.0, 2.0), (0.5, 0.6)),
        lambda: Discrete((1.0, 2.0), (1.5, -0.5)),
    ],
)
def test_impossible_parameters_are_refused(make):
    with pytest.raises(SpecError):
        make()


def test_streams_differ_by_seed_stage_and_trial():
    draws = {
        generator(seed, stage, trial).random()
        for seed in (0, 1)
        for stage in ("a", "b")
        for trial in (0, 1)
    }
    assert len(draws) == 8
    assert generator(0, "a").random() == generator(0, "a").random()


def test_the_mean_of_a_clipped_sample_takes_the_place_of_every_value():
    values = Gamma(0.5, 2.0, Clip(0.5, 3.0)).sample(generator(0, "test"), 1000)
    same = sample_mean(values)
    assert values.mean() != pytest.approx(2.0, rel=0.05)
    assert same.shape == (1000,)
    assert np.ptp(same) == 0
    assert same.mean() == pytest.approx(values.mean(), rel=1e-14)
    assert sample_mean(np.zeros(0)).size == 0
