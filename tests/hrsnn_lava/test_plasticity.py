"""The float rule as data: checks, broadcasting, selection."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hrsnn_lava.plasticity import STDP


def test_scalars_and_arrays_give_one_value_per_synapse():
    rule = STDP(0.1, [0.1, 0.2, 0.3])
    assert rule.values("a_plus", 3).tolist() == [0.1, 0.1, 0.1]
    assert rule.values("a_minus", 3).tolist() == [0.1, 0.2, 0.3]
    assert np.all(np.isinf(rule.values("w_max", 3)))


def test_selection_goes_along_with_the_synapses():
    rule = STDP(0.1, [0.1, 0.2, 0.3], tau_plus=[0.01, 0.02, 0.03], w_max=1.0)
    kept = rule.select(np.array([True, False, True]))
    assert kept.a_plus == 0.1
    assert kept.w_max == 1.0
    assert kept.a_minus.tolist() == [0.1, 0.3]
    assert kept.tau_plus.tolist() == [0.01, 0.03]


@pytest.mark.parametrize(
    ("taus", "uniform"),
    [((0.02, 0.03), True), (([0.02, 0.02], 0.03), True), (([0.02, 0.021], 0.03), False)],
)
def test_traces_of_neurons_suffice_where_time_constants_are_equal(taus, uniform):
    assert STDP(0.1, 0.1, *taus).uniform_traces is uniform


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"a_plus": -0.1}, r"a_plus: smallest value -0.1; allowed: finite and >= 0"),
        ({"tau_minus": 0.0}, r"tau_minus: smallest value 0; allowed: finite and > 0"),
        ({"a_minus": [1.0, 2.0]}, r"a_minus: shape \(2,\); allowed: \(\) or \(3,\)"),
        ({"w_max": np.nan}, "w_max: smallest value nan"),
    ],
)
def test_wrong_parameters_are_named(fields, message):
    (problem,) = STDP(**({"a_plus": 0.1, "a_minus": 0.1} | fields)).problems("p", 3)
    assert re.search(message, str(problem))
