"""Partitioners: legal or repaired, deterministic, and far better than neuron order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_strategies import learning_networks, networks
from partitioned import partition
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.core_filling import fill
from hrsnn_lava.compiler.analysis.occupancy.traffic import traffic
from hrsnn_lava.compiler.partitioning import metis, mtkahypar, search
from hrsnn_lava.compiler.partitioning.baselines import baselines
from hrsnn_lava.compiler.partitioning.first_fit import fill_fast
from hrsnn_lava.compiler.partitioning.hypergraph import HOP_WEIGHT, Hypergraph
from hrsnn_lava.compiler.partitioning.legality import is_legal, repair
from hrsnn_lava.compiler.partitioning.multilevel import Effort, multilevel
from hrsnn_lava.compiler.partitioning.palette_coordinates import palette_coordinates
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection

LOIHI = HardwareProfile.load("loihi1")


def limited(words: int | None = None, **values: int) -> HardwareProfile:
    """loihi1 with other limits of a core."""
    raw = LOIHI.to_dict()
    for name, value in values.items():
        raw["core"][name].update(value=value, evidence="chosen")
    if words is not None:
        raw["synapse_memory"]["words"].update(value=words, evidence="chosen")
    return HardwareProfile.from_dict(raw)


def communities(n: int, parts: int, inside: float, outside: float, seed: int = 0):
    """Shuffled communities with log-normal rates."""
    rng = np.random.default_rng(seed)
    member = rng.permutation(np.arange(n) * parts // n)
    chance = np.where(member[:, None] == member[None], inside, outside)
    weights = sparse.csr_matrix((rng.random((n, n)) < chance) * rng.integers(1, 128, (n, n)))
    network = QuantizedNetwork(
        (QuantizedPopulation("a", n, 742, 200, 1000),),
        (QuantizedProjection("p", "a", "a", weights, sign_mode="excitatory"),),
    )
    return network.verify(), rng.lognormal(-3.0, 1.0, n), member


@settings(max_examples=40, deadline=None)
@given(network=st.one_of(networks(12, True), learning_networks(12)), seed=st.integers(0, 10**6))
def test_traffic_is_what_brute_force_counts(network, seed) -> None:
    links = Connectivity.of(network)
    rng = np.random.default_rng(seed)
    cores = rng.integers(0, 3, links.n_neurons)
    cores = np.unique(cores, return_inverse=True)[1].ravel()
    rate, input_rate = rng.random(links.n_neurons), rng.random(links.n_sources - links.n_neurons)
    found = Hypergraph.of(links, rate, input_rate).traffic(cores)
    messages = between = 0.0
    every = np.concatenate([rate, input_rate])
    dense = sum((p.toarray() for p in links.inbound), np.zeros((links.n_neurons, links.n_sources)))
    for source in range(links.n_sources):
        reached = {int(cores[t]) for t in np.flatnonzero(dense[:, source])}
        messages += every[source] * len(reached)
        own = {int(cores[source])} if source < links.n_neurons else set()
        between += every[source] * len(reached - own)
    assert found["messages_per_step"] == pytest.approx(messages)
    assert found["between_cores_per_step"] == pytest.approx(between)
    assert found["cost"] == pytest.approx(messages + HOP_WEIGHT * between)
    placed = traffic(links, cores, LOIHI, None, rates=rate, input_rates=input_rate)
    both = placed["messages_per_step"] + placed["input_messages_per_step"]
    assert both == pytest.approx(messages)


@settings(max_examples=60, deadline=None)
@given(
    network=st.one_of(networks(12, True), learning_networks(12)),
    seed=st.integers(0, 10**6),
    words=st.integers(4, 80),
    in_axons=st.integers(4, 40),
    formats=st.integers(1, 7),
    only=st.sampled_from([None, "in_axons", "synapse_memory", "synapse_formats"]),
)
def test_compiled_filling_equals_plain_filling(network, seed, words, in_axons, formats, only):
    links = Connectivity.of(network)
    profile = limited(words, in_axons=in_axons, synapse_formats=formats, compartment_profiles=4)
    problem = PartitionProblem.of(links, profile, np.ones(links.n_sources))
    order = np.random.default_rng(seed).permutation(links.n_neurons)
    for size in (None, 5):
        plain = fill(links, order, profile, neurons_per_core=size, only=only)
        fast = fill_fast(problem, order, size, only)
        np.testing.assert_array_equal(plain, fast)


def test_communities_are_found() -> None:
    network, rates, _ = communities(2048, 16, 0.10, 0.004)
    profile = limited(neurons=132)
    placement = partition(network, profile, rates=rates)
    assert placement.n_cores == 16
    plain = Hypergraph.of(Connectivity.of(network), rates).traffic(np.arange(2048) // 128)
    found = placement.info["traffic"]
    assert found["between_cores_per_step"] <= 0.6 * plain["between_cores_per_step"]
    assert found["messages_per_step"] <= 0.6 * plain["messages_per_step"]
    again = partition(network, profile, rates=rates)
    np.testing.assert_array_equal(again.core_of, placement.core_of)


def test_well_separated_communities_are_found_exactly() -> None:
    network, rates, member = communities(240, 6, 0.4, 0.0, 1)
    placement = partition(network, limited(neurons=40), rates=rates)
    assert placement.info["traffic"]["between_cores_per_step"] == 0.0
    for core in range(6):
        assert np.unique(member[placement.core_of == core]).size == 1


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    neurons=st.integers(8, 24),
    in_axons=st.integers(30, 64),
    out_axons=st.integers(40, 200),
    words=st.integers(60, 200),
)
def test_any_start_is_repaired_or_stays_illegal(seed, neurons, in_axons, out_axons, words) -> None:
    network, rates, _ = communities(64, 4, 0.2, 0.02, seed)
    profile = limited(words, neurons=neurons, in_axons=in_axons, out_axons=out_axons)
    links = Connectivity.of(network)
    problem = PartitionProblem.of(links, profile, Hypergraph.of(links, rates).rate)
    start = np.random.default_rng(seed).integers(0, 8, 64)
    found = repair(problem, start)
    assert np.unique(found).size == found.max() + 1
    again = repair(problem, found)
    if is_legal(problem, found):
        np.testing.assert_array_equal(again, found)
    searched = multilevel(problem, 8, effort=Effort(most=10))
    assert searched.size == 64
    assert searched.max() < 8


def test_never_worse_than_the_orders_at_equal_legality() -> None:
    rng = np.random.default_rng(5)
    network, rates, _ = communities(300, 5, 0.2, 0.02, 5)
    tau = np.clip(rng.gamma(3.0, 20.0 / 3.0, 300), 1.0, 400.0)
    dv = np.rint(4096 * (1 - np.exp(-1 / tau))).astype(int)
    spread = network.populations[0].__class__("a", 300, 742, dv, 64 * 4096 // dv)
    network = QuantizedNetwork((spread,), network.projections).verify()
    placement = partition(network, LOIHI, rates=rates)
    rows = {row["method"]: row for row in placement.info["tried"] if row["fits"]}
    taken = placement.info["traffic"]["messages_per_step"]
    within = [row for row in rows.values() if row["error_p95"] <= 0.05]
    assert {"parameters", "multilevel"} <= set(rows)
    assert taken == min(row["messages_per_step"] for row in within)


def test_the_short_way_for_large_networks_is_legal_too(monkeypatch) -> None:
    network, rates, _ = communities(600, 6, 0.2, 0.004, 2)
    monkeypatch.setattr(search, "LARGE", 100)
    profile = limited(words=3000, in_axons=200, out_axons=400)
    placement = partition(network, profile, rates=rates)
    assert placement.info["method"] == "multilevel"
    plain = [row for row in placement.info["tried"] if row["method"] == "index"]
    taken = placement.info["traffic"]["messages_per_step"]
    assert all(taken < row["messages_per_step"] for row in plain)


def test_likeness_costs_nothing_where_the_tables_hold_all_values() -> None:
    rows = np.tile([[742, 200, 0, 1000], [742, 300, 0, 1000]], (10, 1))
    assert not palette_coordinates(rows, LOIHI, 0.05).any()
    many = np.stack([np.full(40, 742), np.arange(100, 140), np.zeros(40), np.full(40, 9)], axis=1)
    points = palette_coordinates(many.astype(np.int64), LOIHI, 0.05)
    assert points[:, 1].std() > 0.0
    np.testing.assert_allclose(points[:, [0, 2]], 0.0, atol=1e-9)


def test_baselines_are_all_named_and_those_left_out_say_why() -> None:
    network, rates, _ = communities(128, 4, 0.2, 0.02)
    links = Connectivity.of(network)
    graph = Hypergraph.of(links, rates)
    problem = PartitionProblem.of(links, LOIHI, graph.rate, 33)
    found = baselines(problem, graph, 4)
    assert set(found) == {"neuron_order", "random", "streaming", "metis", "mtkahypar"}
    for name in ("neuron_order", "random", "streaming"):
        assert found[name]["cores"] == 4
        assert found[name]["fits"]
    assert found["streaming"]["messages_per_step"] < found["neuron_order"]["messages_per_step"]
    for name, module in (("metis", metis), ("mtkahypar", mtkahypar)):
        if not module.available():
            assert "hrsnn-lava[partition]" in found[name]["skipped"]
    small = baselines(problem, graph, 4, largest={"streaming": 10})
    assert small["streaming"]["skipped"].endswith("computed up to 10")


def test_a_neuron_too_large_for_a_core_is_refused_with_how_much() -> None:
    from hrsnn_lava.errors import CapacityError

    weights = np.ones((1, 50), dtype=int)
    network = QuantizedNetwork(
        (QuantizedPopulation("a", 50, 1, 1, 1), QuantizedPopulation("b", 1, 1, 1, 1)),
        (QuantizedProjection("p", "a", "b", weights, sign_mode="excitatory"),),
    )
    with pytest.raises(CapacityError, match="rune 10 of the 50 inputs of population 'b'"):
        partition(network, limited(in_axons=40))
    assert partition(network, limited(in_axons=50)).n_cores == 1
