"""A compiled, split and placed network does, bit for bit, what the unsplit one does.

Networks are compiled for a chip and cut along its cores: every core's neurons are a population of
their own, every projection a block for each pair of cores. `lava-stock` cuts them by their
parameters instead. The unsplit network is the snapped one, since the palette may change parameters.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from network_strategies import check_in_runs, driven_learning_networks, driven_networks

from hrsnn_lava.compiler.passes.lower_stock import lower_stock
from hrsnn_lava.compiler.passes.stock_groups import StockGroups
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.compiler.split import Pieces, rounded_apart, split_network
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob
from hrsnn_lava.sim_backends.lava_stock import LavaStockBackend, merged
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate

STEPS = 30
PROBES = ("spikes", "v", "u")
PLAIN = ("reference", "native")


def exact(network, labels):
    """True when no sum of the parts is rounded apart."""
    part = Pieces(network, labels).part
    return not any(rounded_apart(p, part[p.pre]).size for p in network.projections)


@settings(max_examples=100)
@given(driven_networks(STEPS, delays=True), st.integers(0, 2**31), st.integers(1, 5))
def test_any_cut_changes_nothing(case, seed, n_parts):
    network, inputs = case
    check_cut(network, inputs, np.random.default_rng(seed).integers(0, n_parts, network.n_neurons))


@settings(max_examples=40)
@given(driven_learning_networks(STEPS), st.integers(0, 2**31), st.integers(1, 5))
def test_any_cut_changes_nothing_that_is_learned(case, seed, n_parts):
    network, inputs = case
    check_cut(network, inputs, np.random.default_rng(seed).integers(0, n_parts, network.n_neurons))


def check_cut(network, inputs, labels):
    """The cut network equals the whole one on both backends, where its sums allow the cut."""
    if not exact(network, labels):
        return
    split = split_network(network, labels)
    split.network.verify()
    for backend in PLAIN:
        whole = simulate(network, inputs, STEPS, backend, PROBES)
        parts = merged(split, simulate(split.network, inputs, STEPS, backend, PROBES))
        assert compare(whole, parts, ("whole", "cut")) == (0, None)


def rounding_down(network):
    """The network with an exponent below 0 at every synapse."""
    for p in network.projections:
        if p.target == "synapse":
            network = network.with_projection(
                replace(p, weight_exp=max(-7, -1 - abs(p.weight_exp)))
            )
    return network


def test_cuts_that_are_not_exact_are_excluded_for_a_reason():
    """Or the condition would be untested: most cuts are exact, and some that are not do harm."""
    seen = {"exact": 0, "excluded": 0, "changed": 0}

    def look(case, seed):
        network, inputs = case
        labels = np.random.default_rng(seed).integers(0, 4, network.n_neurons)
        seen["exact"] += exact(network, labels)
        network = rounding_down(network)
        if exact(network, labels):
            return
        seen["excluded"] += 1
        split = split_network(network, labels)
        whole = simulate(network, inputs, STEPS, "native", PROBES)
        parts = merged(split, simulate(split.network, inputs, STEPS, "native", PROBES))
        seen["changed"] += compare(whole, parts, ("whole", "cut"))[0] > 0

    check_in_runs(look, driven_networks(STEPS, delays=True), st.integers(0, 2**31), examples=100)
    assert seen["exact"] > 40, seen
    assert seen["excluded"] > 8, seen
    assert seen["changed"] > 2, seen


# --- compiled -----------------------------------------------------------------------------------


#: Ends of fields that Lava has and Loihi has not.
LOIHI = {
    "du": (0, 4095),
    "dv": (0, 4095),
    "bias_mant": (-4095, 4095),
    "refractory": (0, 62),
}


def for_the_chip(network):
    """Parameters within Loihi's ranges, and no exponent that forbids a cut."""
    for p in network.projections:
        network = network.with_projection(replace(p, weight_exp=abs(p.weight_exp)))
    for p in network.compute_populations:
        fields = {field: np.clip(p.parameter(field), *ends) for field, ends in LOIHI.items()}
        network = network.with_population(replace(p, **fields))
    return network


def compiled(network, neurons_per_core):
    """The placed program on small cores of Loihi, or None where the chip refuses it."""
    profile = HardwareProfile.load("loihi1")
    try:
        return compile_network(for_the_chip(network), profile, neurons_per_core=neurons_per_core)
    except CapacityError:
        return None


@pytest.mark.once
def test_placed_networks_cut_along_their_cores_equal_the_whole():
    placed = []

    @settings(max_examples=50, derandomize=True)  # the same in every run
    @given(driven_networks(STEPS, delays=True), st.integers(1, 5))
    def check_cores(case, neurons_per_core):
        network, inputs = case
        program = compiled(network, neurons_per_core)
        if program is not None:
            placed.append(program.placement.n_cores)
            check_placed(program, inputs)

    check_cores()
    assert len(placed) > 30
    assert max(placed) > 4


def check_placed(program, inputs):
    """Cut along its cores, a placed network equals the whole on both backends."""
    split = split_network(program.network, program.core_of)
    cores = len(split.network.compute_populations)
    assert cores >= program.placement.n_cores  # a core may hold neurons of two populations
    for backend in PLAIN:
        whole = simulate(program, inputs, STEPS, backend, PROBES)
        parts = merged(split, simulate(split.network, inputs, STEPS, backend, PROBES))
        assert compare(whole, parts, ("whole", "cores")) == (0, None)


@pytest.mark.lava
@settings(max_examples=3, suppress_health_check=[*HealthCheck], phases=[Phase.generate])
@given(st.lists(driven_networks(STEPS, delays=True), min_size=8, max_size=8))
def test_placed_networks_agree_on_all_backends_cut_or_whole(cases):
    """reference, native and Lava, each whole and along the cores, and stock Lava by parameters."""
    stock, whole, cut, expected, splits = [], [], [], [], []
    for network, inputs in cases:
        for p in network.compute_populations:
            network = network.with_population(replace(p, refractory=0))
        program = compiled(StockGroups(2)(network), 3)
        if program is None:
            continue
        lower_stock(program.network)  # nothing is left that stock Processes could not express
        splits.append(split_network(program.network, program.core_of))
        expected.append(simulate(program, inputs, STEPS, "reference", PROBES))
        assert compare(
            expected[-1], simulate(program, inputs, STEPS, "native", PROBES), ("r", "native")
        ) == (0, None)
        whole.append(LavaJob(program, inputs, STEPS, PROBES))
        cut.append(LavaJob(splits[-1].network, inputs, STEPS, PROBES))
        stock.append(whole[-1])
    threads = LavaBackend(runtime="threads")
    by_cores = map(merged, splits, threads.run_many(cut))
    by_parameters = LavaStockBackend(runtime="threads").run_many(stock)
    for truth, *found in zip(
        expected, threads.run_many(whole), by_cores, by_parameters, strict=True
    ):
        for trace, name in zip(found, ("lava", "lava by cores", "lava-stock"), strict=True):
            assert not isinstance(trace, Exception), trace
            assert compare(truth, trace, ("reference", name)) == (0, None)
