"""Cycle covers: maximum matchings, budgets, and what is left where there is no perfect one."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching, structural_rank

from hrsnn_lava.compiler.pruning.budget import Costs
from hrsnn_lava.compiler.pruning.covers import (
    Covers,
    Graph,
    cycle_covers,
    matching,
    one_each,
    ranked,
    walked,
)
from hrsnn_lava.errors import SpecError


def graph(n: int, density: float, seed: int) -> tuple[Graph, Costs]:
    """A random graph without loops, whose senders differ in cost."""
    rng = np.random.default_rng(seed)
    table = rng.random((n, n)) < density
    np.fill_diagonal(table, False)
    pre, post = np.nonzero(table)
    each = rng.uniform(0.5, 2.0, n)
    return Graph(n, pre, post, rng.random(pre.size)), Costs(each[pre], each, 0.0)


def covered(g: Graph, costs: Costs, e: float, seed: int = 0) -> Covers:
    """The covers for e synapses a neuron."""
    budget = replace(costs, budget=e * float(costs.neuron.sum()))
    return cycle_covers(g, budget, np.random.default_rng(seed))


def table_of(g: Graph, keep: NDArray[Any]) -> sparse.csr_matrix:
    data = np.ones(int(keep.sum()))
    return sparse.csr_matrix((data, (g.pre[keep], g.post[keep])), shape=(g.n_neurons, g.n_neurons))


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 40), density=st.floats(0, 1), seed=st.integers(0, 2**20))
def test_a_matching_is_a_maximum_one(n: int, density: float, seed: int) -> None:
    g, _ = graph(n, density, seed)
    every = np.ones(g.pre.size, bool)
    edges = matching(g, every)
    assert np.unique(g.pre[edges]).size == np.unique(g.post[edges]).size == edges.size
    assert edges.size == (maximum_bipartite_matching(table_of(g, every)) >= 0).sum()


@pytest.mark.parametrize("seed", range(20))
def test_of_maximum_matchings_it_is_the_heaviest(seed: int) -> None:
    """Brute force over all permutations of five neurons."""
    g, _ = graph(5, 0.8, seed)
    weight = {(i, j): w for i, j, w in zip(g.pre, g.post, g.weight, strict=True)}
    best = (0, 0.0)
    for order in permutations(range(5)):
        pairs = [pair for pair in enumerate(order) if pair in weight]
        best = max(best, (len(pairs), sum(weight[pair] for pair in pairs)))
    edges = matching(g, np.ones(g.pre.size, bool))
    assert edges.size == best[0]
    assert g.weight[edges].sum() == pytest.approx(best[1])


@pytest.mark.parametrize("e", [0.5, 1.0, 2.0])
def test_the_rank_is_as_large_as_synapses_allow(e: float) -> None:
    """Structural rank of what is kept: min(synapses, N), of 200 graphs."""
    for seed in range(200):
        g, costs = graph(30, 0.4, seed)
        keep = covered(g, costs, e, seed).keep
        assert structural_rank(table_of(g, keep)) == min(int(keep.sum()), 30)
        spent, budget = costs.each[keep].sum(), e * costs.neuron.sum()
        assert budget - costs.neuron.max() <= spent <= budget * (1 + 1e-9)


def test_a_budget_of_one_cover_is_one_cover() -> None:
    """Whatever rounding does: the sum of all costs, in another order, is enough."""
    for seed in range(50):
        g, costs = graph(60, 0.3, seed)
        turned = replace(costs, neuron=costs.neuron[::-1])
        covers = covered(g, turned, 1.0)
        assert (covers.whole, covers.matched) == (1, (60,))
        assert np.bincount(g.pre[covers.keep]).tolist() == [1] * 60
        assert np.bincount(g.post[covers.keep]).tolist() == [1] * 60


@pytest.mark.parametrize("e", [0.3, 0.5, 1.2, 1.7, 3.4])
def test_the_budget_is_met_within_a_percent(e: float) -> None:
    g, costs = graph(400, 0.1, 3)
    spent = costs.each[covered(g, costs, e).keep].sum()
    assert 0.99 * e * costs.neuron.sum() <= spent <= e * costs.neuron.sum() * (1 + 1e-9)


def test_everything_is_kept_where_the_budget_allows_and_nothing_for_none() -> None:
    g, costs = graph(20, 0.3, 0)
    assert covered(g, costs, 100.0).keep.all()
    assert not covered(g, costs, 0.0).keep.any()


def test_sources_and_sinks_keep_a_synapse() -> None:
    """Three senders that nobody reaches share one receiver: a matching serves one of them."""
    pre, post = np.array([0, 1, 2, 3]), np.array([3, 3, 3, 0])
    g = Graph(4, pre, post, np.array([0.1, 0.9, 0.5, 0.3]))
    ones = Costs(np.ones(4), np.ones(4), 0.0)
    assert matching(g, np.ones(4, bool)).tolist() == [1, 3]  # the heaviest of the three
    covers = covered(g, ones, 1.0)
    assert (covers.matched[0], covers.added) == (2, 2)
    assert covers.keep.all()
    tight = covered(g, ones, 0.75)
    assert (tight.keep.sum(), tight.added) == (3, 1)


def test_parallel_synapses_are_one_pair() -> None:
    pre, post = np.array([0, 0, 1]), np.array([1, 1, 0])
    g = Graph(2, pre, post, np.array([0.2, 0.7, 0.5]))
    assert matching(g, np.ones(3, bool)).tolist() == [1, 2]


def test_chains_are_walked_from_their_start() -> None:
    """0 -> 1 -> 2 is a chain, 3 -> 4 -> 3 a cycle."""
    pre, post = np.array([0, 1, 3, 4]), np.array([1, 2, 4, 3])
    g = Graph(5, pre, post, np.ones(4))
    for seed in range(10):
        order = walked(g, np.arange(4), np.random.default_rng(seed)).tolist()
        at = order.index(0)
        assert order[at : at + 2] == [0, 1]
        assert sorted(order) == [0, 1, 2, 3]


def test_draws_differ_and_repeat() -> None:
    g, costs = graph(50, 0.5, 1)
    other = replace(g, weight=np.random.default_rng(9).random(g.weight.size))
    a, b = (covered(x, costs, 1.0).keep for x in (g, other))
    assert (a != b).any()
    np.testing.assert_array_equal(a, covered(g, costs, 1.0).keep)


@settings(max_examples=40, deadline=None)
@given(ends=st.lists(st.integers(0, 9), max_size=60), seed=st.integers(0, 99))
def test_every_neuron_has_its_turn(ends: list[int], seed: int) -> None:
    """Of any beginning, no neuron that has synapses left has two fewer than another."""
    neurons = np.array(ends, dtype=np.int64)
    order = one_each(neurons, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(ends)))
    whole = np.bincount(neurons, minlength=10)
    taken = np.zeros(10, dtype=np.int64)
    for edge in order.tolist():
        taken[neurons[edge]] += 1
        assert (taken >= np.minimum(whole, taken.max() - 1)).all()


@settings(max_examples=60, deadline=None)
@given(
    score=st.lists(st.sampled_from([0.0, 1e-300, 1.0, 1.0 + 1e-15, 7.0, 1e300]), max_size=30),
    seed=st.integers(0, 100),
)
def test_ranks_keep_the_order_of_scores_and_lie_where_matchings_stay_maximum(
    score: list[float], seed: int
) -> None:
    values, ties = np.array(score), np.random.default_rng(seed).random(len(score))
    weight = ranked(values, ties)
    assert ((weight > 0) & (weight < 1)).all()
    np.testing.assert_array_equal(np.argsort(weight), np.lexsort((ties, values)))
    assert np.unique(weight).size == len(score)


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(SpecError, match="must be finite"):
        ranked(np.array([1.0, np.nan]), np.zeros(2))


def test_covers_go_on_where_busy_neurons_break_one() -> None:
    g, costs = graph(60, 0.3, 1)
    each = np.where(np.arange(60) % 20 == 0, 30.0, costs.neuron)
    busy = Costs(each[g.pre], each, 0.0)
    found = covered(g, replace(busy, neuron=costs.neuron), 1.0)
    spent = float(busy.each[found.keep].sum())
    allowed = float(costs.neuron.sum())
    assert allowed - max(0.01 * allowed, float(busy.each.mean())) <= spent <= allowed * (1 + 1e-9)
