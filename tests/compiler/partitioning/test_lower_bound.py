"""Bounds on the number of cores: what a dense network needs by hand, and never above what fits."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
from chip_networks import cases, network
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.utilization import utilization
from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.partitioning import lower_bound
from hrsnn_lava.compiler.partitioning.lower_bound import (
    Demand,
    cores_needed,
    pruning_needed,
    relaxed_fill,
)
from hrsnn_lava.compiler.partitioning.refusal import refuse_early
from hrsnn_lava.compiler.passes import partition as pass_module
from hrsnn_lava.compiler.passes.partition import Partition
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection

LOIHI = HardwareProfile.load("loihi1")


def dense(n, density=1.0, seed=0, bits=8):
    rng = np.random.default_rng(seed)
    weights = (rng.random((n, n)) < density) * (rng.integers(1, 2**bits, (n, n)) << (8 - bits))
    return QuantizedNetwork(
        (QuantizedPopulation("a", n, 742, 200, 1000),),
        (QuantizedProjection("p", "a", "a", sparse.csr_matrix(weights), 0, "excitatory", bits),),
    )


def demand(net, profile=LOIHI, neurons_per_core=None):
    return Demand.of(Connectivity.of(net), profile, neurons_per_core)


def with_limits(profile, words=None, cores=None, **core):
    raw = profile.to_dict()
    for name, value in core.items():
        raw["core"][name].update(value=value, evidence="chosen")
    if words is not None:
        raw["synapse_memory"]["words"].update(value=words, evidence="chosen")
    if cores is not None:
        raw["chip"]["cores"].update(value=cores, evidence="chosen")
    return HardwareProfile.from_dict(raw)


def test_a_dense_network_by_hand():
    """Every source has a list on every core. 22 synapses of 8 + 6 bits and a header of 10 are 318
    bits, 5 words; 23 take 6. So 3,000 neurons need 3,000 / 22 cores: 137."""
    bounds = cores_needed(demand(dense(600), with_limits(LOIHI, words=600 * 5)))
    assert (bounds[0].resource, bounds[0].cores) == ("synapse_memory", -(-600 // 22))
    assert "at most 22 neurons on a core" in bounds[0].why
    assert cores_needed(demand(dense(600), with_limits(LOIHI, words=600 * 6 - 1)))[0].cores == 28
    # six words hold 26 synapses: 26 * 14 + 10 = 374 <= 384
    assert cores_needed(demand(dense(600), with_limits(LOIHI, words=600 * 6)))[0].cores == 24


def test_other_resources_by_hand():
    net = dense(60)
    by = {b.resource: b.cores for b in cores_needed(demand(net, neurons_per_core=8))}
    assert by["neurons"] == 8
    # 8 neurons a core at most: 60 sources with an axon into 8 cores each
    tight = with_limits(LOIHI, in_axons=60, out_axons=40)
    by = {b.resource: b.cores for b in cores_needed(demand(net, tight, 8))}
    assert (by["in_axons"], by["out_axons"]) == (8, 12)
    periods = replace(net.populations[0], refractory=np.arange(60, dtype=np.int32))
    by = {b.resource: b.cores for b in cores_needed(demand(net.with_population(periods)))}
    assert by["compartment_profiles"] == 2  # 60 refractory periods, 31 a core


def test_what_pruning_has_to_take_is_a_lower_bound_too():
    """A list takes a word for 4 weights, and 40 lists have 60 words: 4 neurons a core. On 5 cores
    there are 8, whose lists can have 6 synapses on average, 3/4 of what they have now."""
    profile = with_limits(HardwareProfile.load("loihi2_lava"), words=60)
    net = dense(40)
    assert cores_needed(demand(net, profile))[0].cores == 10
    share = pruning_needed(demand(net, profile), 5)
    assert share == pytest.approx(0.25, abs=0.02)
    assert pruning_needed(demand(net, with_limits(LOIHI, neurons=4)), 9) is None


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 60),
    density=st.floats(0.02, 1.0),
    words=st.integers(12, 400),
    neurons=st.integers(1, 40),
    axons=st.integers(20, 80),
    chip=st.sampled_from(["loihi1", "loihi2_lava"]),
)
def test_nothing_that_fits_barely_is_refused(seed, n, density, words, neurons, axons, chip):
    """A network is placed without any bound; on a chip with as many cores nothing is certain."""
    net = dense(n, density, seed)
    limits = {"neurons": neurons}
    if chip == "loihi1":
        limits |= {"in_axons": axons, "out_axons": axons * 4}
    profile = with_limits(HardwareProfile.load(chip), words=words, **limits)
    placed = unbounded(net, profile)
    if placed is not None:
        assert cores_needed(demand(net, profile))[0].cores <= placed.n_cores
        barely = with_limits(profile, cores=placed.n_cores)
        refuse_early(net, Connectivity.of(net), barely)  # whether the search succeeds is its matter


def unbounded(net, profile):
    """The placement without an early refusal; None where there is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pass_module, "refuse_early", lambda *_: None)
        try:
            return Partition(baselines=False).transform(net, Context(profile))[0].on_cores
        except CapacityError:
            return None


@pytest.mark.parametrize("case", cases(24, 300, first=7000), ids=str)
def test_never_above_what_fits_on_any_chip(case):
    """Learning, delays, stars, few bits: whatever was placed is not refused for its cores."""
    net = network(case)
    for name in HardwareProfile.names():
        profile = HardwareProfile.load(name)
        placed = unbounded(net, profile)
        if placed is not None:
            assert cores_needed(demand(net, profile))[0].cores <= placed.n_cores, name


@functools.cache
def some_networks():
    """Generated networks of every kind, with their synapses collected."""
    return [Connectivity.of(network(case)) for case in cases(36, 90, first=9000)]


@settings(max_examples=200, deadline=None)
@given(
    number=st.integers(0, 35),
    seed=st.integers(0, 10**6),
    chip=st.sampled_from(["loihi1", "loihi2_lava", "spinnaker2", "truenorth", "dynap_se"]),
)
def test_a_chip_made_to_measure_is_never_refused(number, seed, chip):
    """Any placement fits the chip whose limits are what it uses: no bound may say otherwise."""
    links, rng = some_networks()[number], np.random.default_rng(seed)
    spread = rng.integers(0, rng.integers(1, max(2, links.n_neurons)), links.n_neurons)
    cores = np.unique(spread, return_inverse=True)[1].ravel()
    used = utilization(links, cores, HardwareProfile.load(chip))
    raw = HardwareProfile.load(chip).to_dict()
    raw.pop("neuron", None)
    for resource in used.resources:
        measure = {"value": max(resource.worst, 1), "evidence": "chosen"}
        if resource.name == "synapse_memory" and raw.get("synapse_memory"):
            raw["synapse_memory"]["words"].update(measure)
        elif raw["core"].get(resource.name, {}).get("value") is not None:
            raw["core"][resource.name].update(measure)
    profile = HardwareProfile.from_dict(raw)
    assert cores_needed(Demand.of(links, profile))[0].cores <= used.n_cores


def test_the_bound_is_close_where_networks_fill_cores():
    """Loose bounds refuse nothing: on dense networks it is within a tenth of what was found."""
    for n, density, words in ((120, 1.0, 700), (200, 0.3, 900), (150, 0.6, 500)):
        net, profile = dense(n, density), with_limits(LOIHI, words=words)
        placed = unbounded(net, profile)
        needed = cores_needed(demand(net, profile))[0].cores
        assert placed is not None
        assert placed.n_cores >= needed > 0.7 * placed.n_cores, (n, density)


@pytest.mark.parametrize("density", [0.05, 0.4, 1.0])
def test_the_plain_filling_has_at_least_the_cores_of_the_bound(density):
    net, profile = dense(90, density), with_limits(LOIHI, words=300)
    need = demand(net, profile)
    fan_in = np.diff(net.projections[0].weights.indptr)
    cores = relaxed_fill(need, fan_in, cores_needed(need)[0].cores)
    assert np.array_equal(np.unique(cores), np.arange(cores.max() + 1))
    assert cores.max() + 1 >= cores_needed(need)[0].cores


def test_the_hull_is_the_lower_one():
    words = np.array([0, 3, 3, 4, 9])
    ends = np.array([1, 2, 3, 4])
    # hull to 3: (0, 0), (3, 4); a budget of 2 buys 1.5; up to 1 the list of 1 costs 3
    found = lower_bound._longest_affordable(words, ends, 2.0)
    assert found.tolist() == pytest.approx([2 / 3, 4 / 3, 1.5, 1.5])
