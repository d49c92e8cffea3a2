"""Partitioning: every limit holds, cores are full, and what cannot fit says all of why."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partitioned import partition
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.core_filling import fill
from hrsnn_lava.compiler.analysis.occupancy.utilization import utilization
from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.design_rules.check import PlacedNetwork, check
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.compiler.palettes.snapping import snap_network
from hrsnn_lava.compiler.passes.partition import Partition, parameter_order
from hrsnn_lava.errors import CapacityError, NetworkError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection

LOIHI = HardwareProfile.load("loihi1")
LOIHI2 = HardwareProfile.load("loihi2")


def random_network(n: int, density: float, seed: int = 0, *, spread: bool = True):
    rng = np.random.default_rng(seed)
    tau = np.clip(rng.gamma(3.0, 20.0 / 3.0, n), 1.0, 400.0) if spread else np.full(n, 20.0)
    dv = np.rint(4096 * (1 - np.exp(-1 / tau))).astype(int)
    vth = np.minimum(np.rint(64 * 4096 / dv), 131071).astype(int)
    dense = (rng.random((n, n)) < density) * rng.integers(1, 256, (n, n))
    return QuantizedNetwork(
        (QuantizedPopulation("a", n, 742, dv, vth),),
        (QuantizedProjection("p", "a", "a", sparse.csr_matrix(dense), sign_mode="excitatory"),),
    ).verify()


def limited(profile: HardwareProfile = LOIHI, **values: int) -> HardwareProfile:
    raw = profile.to_dict()
    for name, value in values.items():
        raw["core"][name].update(value=value, evidence="chosen")
    return HardwareProfile.from_dict(raw)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    neurons=st.integers(2, 20),
    in_axons=st.integers(20, 40),
    out_axons=st.integers(12, 200),
    synapses=st.integers(30, 200),
)
def test_whatever_comes_back_keeps_every_limit(seed, neurons, in_axons, out_axons, synapses):
    network = random_network(30, 0.2, seed)
    profile = limited(neurons=neurons, in_axons=in_axons, out_axons=out_axons, synapses=synapses)
    try:
        placement = partition(network, profile)
    except CapacityError:
        return  # what such errors say is tested below
    snapped, _ = snap_network(network, placement.core_of, profile)
    assert check(PlacedNetwork.of(snapped, placement.core_of, profile)) == []
    again = partition(network, profile)
    assert np.array_equal(again.core_of, placement.core_of)


def test_filling_is_greedy_and_exact() -> None:
    network = random_network(60, 0.3, 4)
    links = Connectivity.of(network)
    profile = limited(synapses=200)
    bounds = fill(links, np.arange(60), profile)
    per_neuron = np.diff(network.projections[0].weights.indptr)
    for first, last in itertools.pairwise(bounds):
        assert per_neuron[first:last].sum() <= 200
        if last < 60:
            assert per_neuron[first : last + 1].sum() > 200


@pytest.mark.parametrize(("n", "cores"), [(1023, 1), (1024, 1), (1025, 2)])
def test_neurons_of_a_core(n, cores) -> None:
    network = random_network(n, 0.0, spread=False)
    assert partition(network, LOIHI).n_cores == cores


def test_neurons_per_core_is_an_upper_bound() -> None:
    network = random_network(100, 0.1, spread=False)
    placement = Partition(neurons_per_core=30)(network, Context(LOIHI)).on_cores
    assert np.bincount(placement.core_of).max() <= 30
    assert placement.info["neurons_per_core"] == 30
    with pytest.raises(SpecError, match="neurons_per_core: 0"):
        partition(network, LOIHI, neurons_per_core=0)
    with pytest.raises(SpecError, match="method: 'best'"):
        partition(network, LOIHI, method="best")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="neurons_per_core: 0; allowed: >= 1") as caught:
        Partition(method="best", neurons_per_core=0)  # type: ignore[arg-type]
    assert [p.where for p in caught.value.problems] == ["method", "neurons_per_core"]


def test_profile_without_tables_keeps_the_order_and_one_core() -> None:
    placement = partition(random_network(300, 0.1), LOIHI2)
    assert placement.n_cores == 1
    assert placement.info["method"] == "index"


def test_like_neurons_share_a_core_and_the_tables_cost_little() -> None:
    network = random_network(400, 0.05)
    placement = partition(network, LOIHI)
    assert placement.info["method"] != "index"
    _, ordered = snap_network(network, placement.core_of, LOIHI)
    plain = partition(
        network, LOIHI, method="index", neurons_per_core=placement.info["neurons_per_core"]
    )
    _, unordered = snap_network(network, plain.core_of, LOIHI)
    assert ordered.threshold.p95 <= 0.05
    assert ordered.threshold.p95 < 0.5 * unordered.threshold.p95
    assert ordered.tau_mem.mean < 0.5 * unordered.tau_mem.mean
    rows = [row for row in placement.info["tried"] if row["method"] == "parameters"]
    sizes = [row["neurons_per_core"] for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert all(row["error_p95"] > 0.05 for row in rows[:-1])


def test_tolerance_decides_between_few_cores_and_small_errors() -> None:
    network = random_network(400, 0.05)
    loose = partition(network, LOIHI, tolerance=1.0)
    tight = partition(network, LOIHI, tolerance=0.02)
    assert loose.n_cores < tight.n_cores


def test_parameter_order_is_a_permutation_that_sorts_one_varying_field() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(1, 4000, 500) for _ in range(4)], axis=1)
    assert np.array_equal(np.sort(parameter_order(rows)), np.arange(500))
    rows[:, [0, 2, 3]] = 7
    assert (np.diff(rows[parameter_order(rows), 1]) >= 0).all()


def test_output_axons_of_a_fully_connected_network() -> None:
    # All reach all: n neurons on k cores have n k pairs, k cores hold 4096 k.
    profile = limited(neurons=16, out_axons=64)
    network = random_network(60, 1.0, spread=False)
    placement = partition(network, profile)
    used = utilization(network, placement.core_of, profile)
    assert placement.n_cores == 4
    assert used["out_axons"].worst <= 64
    with pytest.raises(CapacityError) as caught:
        partition(random_network(80, 1.0, spread=False), profile)
    assert any(v.rule == "out_axons" for v in caught.value.violations)


def test_refractory_periods_divide_cores() -> None:
    population = QuantizedPopulation("a", 60, 742, 200, 100, refractory=np.arange(60) % 40)
    network = QuantizedNetwork((population,))
    placement = partition(network, LOIHI)
    snapped, report = snap_network(network, placement.core_of, LOIHI)
    assert placement.n_cores == 2
    assert (report.compartments_after <= 31).all()
    assert np.array_equal(snapped.gather("refractory"), network.gather("refractory"))


def test_all_violations_are_listed() -> None:
    profile = limited(in_axons=3, neurons=2)
    population = QuantizedPopulation("a", 300, -1, 200, 200000)
    weights = sparse.csr_matrix((np.random.default_rng(0).random((300, 300)) < 0.1) * 3)
    network = QuantizedNetwork((population,), (QuantizedProjection("p", "a", "a", weights),))
    with pytest.raises(CapacityError) as caught:
        partition(network, profile)
    rules = {v.rule for v in caught.value.violations}
    assert {"cores_on_chip", "in_axons", "du_range", "vth_range", "weight_grid"} <= rules
    text = str(caught.value)
    assert "alone" in text
    assert "128 cores" in text
    assert "prune" in text.lower()


def test_more_chips_make_room() -> None:
    network = random_network(300, 0.0, spread=False)
    profile = limited(neurons=2)
    message = r"at least 150 cores \(300 neurons, at most 2 on a core\); allowed: 128 cores\. "
    with pytest.raises(CapacityError, match=message + r"Use 2 chips at least, or drop 44 neurons"):
        partition(network, profile)
    assert partition(network, profile.with_chips(2)).n_cores == 150
    with pytest.raises(CapacityError, match=r"allowed: 100 cores\. Allow 150 cores at least, or"):
        partition(network, profile.with_cores(100))


@pytest.mark.parametrize(
    ("core_of", "message"), [([0, 2], "2 cores in use"), ([-1, 0], "cores >= 0")]
)
def test_placements_are_verified(core_of: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        Placement.of(core_of)
    with pytest.raises(NetworkError, match="coordinates"):
        Placement.of([0, 1], [[0, 0]])


def test_what_cannot_fit_is_refused_before_any_search(monkeypatch) -> None:
    """3 x 128 cores' worth of dense synapses: no order is filled and nothing is searched."""

    def never(*_: Any) -> None:
        raise AssertionError("a partition was tried")

    monkeypatch.setattr("hrsnn_lava.compiler.passes.partition.PartitionProblem.of", never)
    profile = limited(neurons=8)
    raw = profile.to_dict()
    raw["synapse_memory"]["words"].update(value=500, evidence="chosen")
    network = random_network(500, 1.0, spread=False)
    with pytest.raises(CapacityError) as caught:
        partition(network, HardwareProfile.from_dict(raw))
    (violation,) = caught.value.violations
    # a list of 8 + 6 bits a synapse: 3 synapses and a header are 52 bits, a word of 64 holds no 4th
    assert violation.rule == "cores_on_chip"
    assert violation.measured == (
        f"at least 167 cores ({network.n_synapses:,} synapses, and synapse memory for at most 3 "
        "neurons on a core, in lists with indices)"
    )
    assert violation.fix.startswith("use 2 chips at least, or prune ")
    assert violation.profile == "loihi1"
    assert violation.share == 167 / 128
    placed = caught.value.placement
    assert placed.used.n_cores >= 167
    assert placed.core_of.shape == (500,)


def test_a_neuron_that_is_too_much_for_any_core_is_named_with_how_much() -> None:
    weights = np.zeros((20, 20), dtype=int)
    weights[3], weights[4, :15] = 2, 2
    projection = QuantizedProjection("p", "a", "a", sparse.csr_matrix(weights))
    network = QuantizedNetwork((QuantizedPopulation("a", 20, 742, 200, 100),), (projection,))
    with pytest.raises(CapacityError) as caught:
        partition(network, limited(in_axons=13))
    (violation,) = caught.value.violations
    assert str(violation) == (
        "population 'a', neuron 3: 20 input axons of one neuron alone (2 such in all), limit 13 "
        "(loihi1): prune 7 of the 20 inputs of population 'a', neuron 3"
    )


def test_a_placement_that_the_search_gave_up_is_in_the_error() -> None:
    profile = limited(neurons=16, out_axons=64)
    with pytest.raises(CapacityError) as caught:
        partition(random_network(80, 1.0, spread=False), profile)
    error = caught.value
    used = utilization(error.placement.network, error.placement.core_of, profile)
    over = {r.name for r in used.resources if r.over().size}
    assert {"out_axons"} <= over
    assert error.placement.used["out_axons"].worst == used["out_axons"].worst
    assert len(str(error).splitlines()) == 1 + len({v.rule for v in error.violations})


def test_cores_that_the_tolerance_costs_are_a_finding() -> None:
    network = random_network(400, 0.05)
    tight = partition(network, LOIHI, tolerance=0.02)
    (finding,) = tight.info["findings"]
    assert (finding["kind"], finding["severity"]) == ("palette_costs_cores", "note")
    fewest = min(row["cores"] for row in tight.info["tried"] if row["fits"])
    assert fewest < tight.n_cores
    assert finding["measured"] == f"{tight.n_cores} cores; {fewest} would do"
    assert "within 2 %" in finding["meaning"]
    option = float(finding["fix"].split()[3])
    assert partition(network, LOIHI, tolerance=option).n_cores <= tight.n_cores
    assert partition(network, LOIHI, tolerance=1.0).info["findings"] == []
    assert partition(random_network(300, 0.1), LOIHI2).info["findings"] == []
