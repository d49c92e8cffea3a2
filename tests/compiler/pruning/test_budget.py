"""Budgets of synapses and of operations: they are spent, whatever single synapses cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.pruning.budget import Costs, fill
from hrsnn_lava.network import Network

SPENDING = ("activity", "balanced", "erdos_renyi", "magnitude", "random")


def costs_of(each: Any, budget: float) -> Costs:
    return Costs(np.asarray(each, float), np.asarray(each, float), budget)


def test_a_synapse_that_does_not_fit_is_passed_over_where_much_is_left() -> None:
    costs = costs_of([40.0, *[1.0] * 99], 50.0)
    keep = fill([*range(1, 21), 0, *range(21, 100)], costs)
    assert (keep[0], keep.sum()) == (False, 50)


def test_a_synapse_that_does_not_fit_ends_a_budget_that_is_met_but_for_one() -> None:
    assert fill([0, 1, 2, 3], costs_of([1.0, 1.5, 1.0, 1.0], 2.0)).tolist() == [True, *[False] * 3]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), share=st.floats(0.01, 1.0))
def test_what_is_left_is_less_than_the_next_synapse_or_a_rest(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    each = rng.lognormal(0.0, 2.0, 200)
    costs = costs_of(each, share * float(each.sum()))
    keep = fill(rng.permutation(200), costs)
    left = costs.allowed - float(each[keep].sum())
    assert left >= -1e-9
    assert left <= costs.rest or (each[~keep] > left).all()


@pytest.mark.parametrize("method", SPENDING)
@pytest.mark.parametrize("budget", [{"sops_per_spike": 1.0}, {"sop_ratio": 5.0}])
def test_neurons_that_fire_in_every_step_do_not_keep_a_budget_from_being_spent(
    balanced: Network, method: str, budget: dict[str, float]
) -> None:
    rates = np.random.default_rng(3).uniform(0.01, 0.03, balanced.n_neurons)
    rates[[5, 60, 95]] = 1.0  # such as a neuron that carries biases
    step = registry.load("pruning", method)(**budget)
    pruned, report = step.apply(balanced, Context(observed=Observed(rates), seed=2))
    spent, allowed = report["budget"]["spent"], report["budget"]["allowed"]
    rest = max(0.01 * allowed, rates[recurrent_edges(balanced).pre].mean())
    assert allowed - rest <= spent <= allowed * (1 + 1e-9)
    assert report["sop_after"] == pytest.approx(rates[recurrent_edges(pruned).pre].sum())
