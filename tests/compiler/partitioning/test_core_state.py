"""The counts that moves keep up to date equal those of a fresh count, whatever moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_strategies import learning_networks, networks

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.utilization import utilization
from hrsnn_lava.compiler.partitioning import core_state as kernels
from hrsnn_lava.compiler.partitioning import partition_cost as worth
from hrsnn_lava.compiler.partitioning import pricing
from hrsnn_lava.compiler.partitioning.hypergraph import HOP_WEIGHT, Hypergraph
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem
from hrsnn_lava.compiler.partitioning.refine import sweep
from hrsnn_lava.hardware_profiles import HardwareProfile

LOIHI = HardwareProfile.load("loihi1")
COLUMNS = ("neurons", "in_axons", "synapse_memory", "synapses", "out_axons")


def problem_of(network, seed, grouped=False, profile=LOIHI):
    """A problem with random rates, and the hypergraph; neurons joined by pairs if `grouped`."""
    links = Connectivity.of(network)
    rng = np.random.default_rng(seed)
    graph = Hypergraph.of(links, rng.random(links.n_neurons), 0.5)
    points = rng.normal(size=(links.n_neurons, 2))
    problem = PartitionProblem.of(links, profile, graph.rate, None, points)
    return (problem.contract(np.arange(links.n_neurons) // 2) if grouped else problem), graph


@settings(max_examples=40, deadline=None)
@given(
    network=st.one_of(networks(12, True), learning_networks(12)),
    seed=st.integers(0, 10**6),
    n_cores=st.integers(1, 5),
    grouped=st.booleans(),
)
def test_counts_after_moves_are_those_of_a_fresh_count(network, seed, n_cores, grouped) -> None:
    problem, graph = problem_of(network, seed, grouped)
    rng = np.random.default_rng(seed)
    caps = problem.caps(n_cores=n_cores)
    cores = rng.integers(0, n_cores, problem.n_vertices)
    state = kernels.new_state(problem.level, caps, cores, n_cores)
    for _ in range(10):
        v, target = int(rng.integers(problem.n_vertices)), int(rng.integers(n_cores))
        kernels.move(problem.level, caps, state, v, target)
    core_of = np.append(state.core_of[problem.member], n_cores - 1)[:-1]
    used = utilization(problem.links, core_of, LOIHI)
    k = used.n_cores
    width_is_the_same = used["neurons"].worst == problem.links.n_neurons
    for column, name in enumerate(COLUMNS):
        if name == "synapse_memory" and not width_is_the_same:
            assert (state.used[:k, column] >= used[name].used).all()
        else:
            np.testing.assert_array_equal(state.used[:k, column], used[name].used)
    np.testing.assert_array_equal(state.reach, used.reach)
    mask = np.full(n_cores, -1)
    cost = worth.cost_of(problem.level, state, HOP_WEIGHT, mask)
    assert cost == pytest.approx(graph.traffic(core_of)["cost"])


@settings(max_examples=40, deadline=None)
@given(
    network=st.one_of(networks(12, True), learning_networks(12)),
    seed=st.integers(0, 10**6),
    grouped=st.booleans(),
)
def test_a_scan_prices_every_move_exactly(network, seed, grouped) -> None:
    problem, _ = problem_of(network, seed, grouped)
    rng = np.random.default_rng(seed)
    n_cores = 4
    caps = problem.caps(n_cores=n_cores)._replace(count_lists=True)
    level = problem.level
    cores = rng.integers(0, n_cores, problem.n_vertices)
    state, work = kernels.new_state(level, caps, cores, n_cores), pricing.new_scan(n_cores)
    mask = np.full(n_cores, -1)
    v = int(rng.integers(problem.n_vertices))
    before = worth.cost_of(level, state, HOP_WEIGHT, mask)
    home, used = int(state.core_of[v]), state.used.copy()
    for target in set(range(n_cores)) - {home}:
        pricing.scan(level, caps, state, v, HOP_WEIGHT, work)
        here = work.here.copy()
        change = (1 + HOP_WEIGHT) * (here[0] - work.near[target]) + here[1] - work.home[target]
        slots, words = here[5] - work.slots[target], here[6] - work.words[target]
        out = pricing.out_overflow_change(
            level, caps._replace(most=np.array([1, 1, 1, 1, 1])), state, v, target, work.out
        )
        surplus = np.maximum(state.used[:, 4] - 1, 0).sum()
        kernels.move(level, caps, state, v, target)
        assert worth.cost_of(level, state, HOP_WEIGHT, mask) == pytest.approx(before + change)
        assert np.maximum(state.used[:, 4] - 1, 0).sum() - surplus == pytest.approx(out)
        assert state.used[target, 1] - used[target, 1] == slots
        assert state.used[target, 2] - used[target, 2] == words
        assert used[home, 1] - state.used[home, 1] == here[2]
        assert used[home, 2] - state.used[home, 2] == here[3]
        kernels.move(level, caps, state, v, home)
        np.testing.assert_array_equal(state.used, used)


@settings(max_examples=30, deadline=None)
@given(network=networks(12, True), seed=st.integers(0, 10**6), palette=st.sampled_from([0.0, 0.3]))
def test_without_heat_no_sweep_raises_cost_or_overflow(network, seed, palette) -> None:
    problem, _ = problem_of(network, seed)
    n_cores, level = 4, problem.level
    caps = problem.caps(n_cores=n_cores)
    caps = caps._replace(most=np.array([4, 6, 8, 20, 12]), count_lists=True, count_out=True)
    cores = np.random.default_rng(seed).integers(0, n_cores, problem.n_vertices)
    state, work = kernels.new_state(level, caps, cores, n_cores), pricing.new_scan(n_cores)
    mask, word = np.full(n_cores, -1), np.ones(1, dtype=np.uint64)
    price, rise = 1e4, np.zeros(problem.n_vertices)

    def value() -> float:
        cost = worth.cost_of(level, state, HOP_WEIGHT, mask)
        return cost + palette * worth.palette_of(state) + price * worth.overflow(state, caps)

    order = np.arange(problem.n_vertices)
    for _ in range(4):
        before = value()
        moved = sweep(level, caps, state, work, order, HOP_WEIGHT, palette, price, 0.0, word, rise)
        assert value() <= before + 1e-6
        if moved:
            assert value() < before


def test_palette_spread_is_the_squared_distance_to_the_mean_of_the_core() -> None:
    from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation

    network = QuantizedNetwork((QuantizedPopulation("a", 6, 10, 10, 10),))
    problem, _ = problem_of(network, 3)
    cores = np.array([0, 1, 0, 1, 1, 0])
    state = kernels.new_state(problem.level, problem.caps(), cores, 2)
    points = problem.coordinates
    expected = sum(
        ((points[cores == c] - points[cores == c].mean(axis=0)) ** 2).sum() for c in (0, 1)
    )
    assert worth.palette_of(state) == pytest.approx(expected)
