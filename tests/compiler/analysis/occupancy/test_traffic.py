"""Messages, hops and link loads against loops over every spike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.congestion import link_loads
from hrsnn_lava.compiler.analysis.occupancy.mapping import mapping_report, per_step
from hrsnn_lava.compiler.analysis.occupancy.traffic import (
    CoreTraffic,
    neuron_order,
    routes,
    traffic,
)
from hrsnn_lava.compiler.analysis.occupancy.utilization import utilization
from hrsnn_lava.compiler.mesh import tiles
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

LOIHI = HardwareProfile.load("loihi1")


def network_of(weights, inputs=None) -> QuantizedNetwork:
    n = len(weights)
    populations = [QuantizedPopulation("a", n, 100, 100, 100)]
    projections = [QuantizedProjection("p", "a", "a", sparse.csr_matrix(np.asarray(weights)))]
    if inputs is not None:
        populations.insert(0, QuantizedInput("inp", np.shape(inputs)[1]))
        projections.append(QuantizedProjection("q", "inp", "a", sparse.csr_matrix(inputs)))
    return QuantizedNetwork(tuple(populations), tuple(projections))


def random_case(seed: int, n: int = 40, n_cores: int = 9):
    rng = np.random.default_rng(seed)
    weights = 2 * (rng.random((n, n)) < 0.15)
    core_of = np.concatenate([np.arange(n_cores), rng.integers(0, n_cores, n - n_cores)])
    coordinates = np.stack([rng.integers(0, 8, n_cores), rng.integers(0, 4, n_cores)], axis=1)
    rates = rng.integers(0, 5, n).astype(float)
    return weights.astype(int), core_of, coordinates, rates


def walk(weights, core_of, coordinates, rates):
    """Every message, tile by tile: x first, then y."""
    links: dict[tuple, float] = {}
    hops, longest, messages, crossing = 0.0, 0, 0.0, 0.0
    histogram: dict[int, float] = {}
    for source in range(len(core_of)):
        for core in {int(core_of[t]) for t in np.flatnonzero(weights[:, source])}:
            here = coordinates[core_of[source]].tolist()
            goal = coordinates[core].tolist()
            count = 0
            for axis in (0, 1):
                while here[axis] != goal[axis]:
                    there = list(here)
                    there[axis] += 1 if goal[axis] > here[axis] else -1
                    key = (*here, *there)
                    links[key] = links.get(key, 0.0) + rates[source]
                    here, count = there, count + 1
            messages += rates[source]
            hops += rates[source] * count
            histogram[count] = histogram.get(count, 0.0) + rates[source]
            if rates[source] > 0:
                longest = max(longest, count)
            if coordinates[core_of[source]][0] // 8 != coordinates[core][0] // 8:
                crossing += rates[source]
    return links, hops, longest, messages, histogram, crossing


def test_routes_by_hand() -> None:
    # Neuron 0 (core 0) sends to neurons 0, 1, 2; neuron 1 to 2; neuron 2 to none.
    network = network_of([[2, 0, 0], [2, 0, 0], [2, 2, 0]], [[2], [0], [2]])
    core_of = [0, 1, 2]
    coordinates = [[0, 0], [2, 1], [0, 3]]
    used = utilization(network, core_of, LOIHI)
    found = routes(used.destinations, core_of, coordinates)
    assert found.messages.tolist() == [3, 1, 0, 2]
    assert found.hops_x.tolist() == [2, 2, 0, 0]
    assert found.hops_y.tolist() == [4, 2, 0, 0]
    assert found.longest.tolist() == [3, 4, 0, 0]
    assert found.crossings.tolist() == [0, 0, 0, 0]
    assert found.messages[:3].sum() == used["out_axons"].used.sum()
    rates = {"rates": [0.5, 0.25, 1.0], "input_rates": 0.1}
    figures = traffic(network, core_of, LOIHI, coordinates, **rates)
    assert figures["messages_per_step"] == pytest.approx(0.5 * 3 + 0.25)
    assert figures["input_messages_per_step"] == pytest.approx(0.2)
    assert figures["between_cores_per_step"] == pytest.approx(0.5 * 2 + 0.25)
    assert figures["hops_per_step"] == pytest.approx(0.5 * 6 + 0.25 * 4)
    assert figures["mean_hops"] == pytest.approx(4.0 / 1.75)
    assert figures["max_hops"] == 4
    # 0.5 stays on its core; 3 hops 0 -> 1 and 0 -> 2 each; 4 hops 1 -> 2.
    assert figures["messages_by_hops_per_step"] == pytest.approx([0.5, 0, 0, 1.0, 0.25])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_everything_equals_the_walk_of_every_message(seed: int) -> None:
    weights, core_of, coordinates, rates = random_case(seed)
    flow = CoreTraffic.of(network_of(weights), core_of, rates=rates)
    figures = flow.summary(coordinates, 8)
    links, hops, longest, messages, histogram, crossing = walk(weights, core_of, coordinates, rates)
    assert figures["messages_per_step"] == messages
    assert figures["hops_per_step"] == hops
    assert figures["max_hops"] == longest
    assert figures["inter_chip_messages_per_step"] == crossing
    by_hops = figures["messages_by_hops_per_step"]
    assert {k: v for k, v in enumerate(by_hops) if v} == {k: v for k, v in histogram.items() if v}
    loads = link_loads(flow, coordinates, 8, 4)
    assert loads.total == hops
    for (x, y, to_x, to_y), load in links.items():
        name = {(1, 0): "right", (-1, 0): "left", (0, 1): "up", (0, -1): "down"}
        way = name[(to_x - x, to_y - y)]
        assert getattr(loads, way)[min(x, to_x), min(y, to_y)] == load
    values = sorted([*links.values(), *[0.0] * (loads.values.size - len(links))])
    assert sorted(loads.values.tolist()) == values
    found = loads.summary()
    assert found["links"] == 2 * (7 * 4 + 8 * 3)
    assert found["max_per_step"] == max(values)
    assert found["mean_per_step"] == pytest.approx(sum(values) / len(values))
    assert found["p99_per_step"] == pytest.approx(np.percentile(values, 99))
    if found["busiest"] is not None:
        key = (*found["busiest"]["from"], *found["busiest"]["to"])
        assert links[key] == max(values)


def test_messages_over_two_chips_pass_the_border() -> None:
    weights, core_of, coordinates, rates = random_case(3)
    coordinates = coordinates * [2, 1]
    flow = CoreTraffic.of(network_of(weights), core_of, rates=rates)
    *_, crossing = walk(weights, core_of, coordinates, rates)
    assert flow.summary(coordinates, 8)["inter_chip_messages_per_step"] == crossing > 0
    loads = link_loads(flow, coordinates, 16, 4)
    # Side by side along x: whatever changes the chip passes between columns 7 and 8.
    assert loads.right[7].sum() + loads.left[7].sum() == crossing


def test_fractional_rates_leave_idle_links_at_zero() -> None:
    weights, core_of, coordinates, rates = random_case(4)
    flow = CoreTraffic.of(network_of(weights), core_of, rates=rates / 7)
    whole = CoreTraffic.of(network_of(weights), core_of, rates=rates)
    idle = link_loads(whole, coordinates, 8, 4).values == 0
    found = link_loads(flow, coordinates, 8, 4).values
    assert idle.any()
    assert (found[idle] == 0.0).all()
    assert (found >= 0.0).all()


def test_a_single_tile_has_no_links() -> None:
    flow = CoreTraffic.of(network_of([[2, 2], [2, 2]]), [0, 1])
    found = link_loads(flow, [[0, 0], [0, 0]], 1, 1).summary()
    assert (found["links"], found["max_per_step"], found["busiest"]) == (0, 0.0, None)


def test_the_random_baseline_is_near_the_expected_distance() -> None:
    weights, core_of, coordinates, rates = random_case(5, n=120, n_cores=30)
    found = mapping_report(network_of(weights), core_of, LOIHI, coordinates, rates=rates)
    random = found["baselines"]["same_cores_random"]
    # Two different slots of 8 x 4 tiles of 4, drawn at random.
    places = np.asarray(tiles(128, LOIHI), dtype=int)
    far = np.abs(places[:, None] - places[None]).sum(axis=2)
    expected = far.sum() / (128 * 127)
    assert random["hops_per_step"] / random["between_cores_per_step"] == pytest.approx(
        expected, rel=0.05
    )
    assert random["messages_per_step"] == found["messages_per_step"]


def test_baselines_are_what_their_names_say() -> None:
    weights, core_of, coordinates, rates = random_case(6)
    network = network_of(weights)
    found = mapping_report(network, core_of, LOIHI, coordinates, rates=rates)
    plain = neuron_order(core_of)
    for curve in ("row", "hilbert"):
        for name, cores in (("neuron_order", plain), ("same_cores", core_of)):
            expected = traffic(network, cores, LOIHI, tiles(9, LOIHI, curve), rates=rates)
            row = found["baselines"][f"{name}_{curve}"]
            assert {k: row[k] for k in expected if k in row} == {
                k: v for k, v in expected.items() if k != "messages_by_hops_per_step"
            }
            assert row["max_link_per_step"] > 0


def test_counts_of_a_run_become_figures_per_step() -> None:
    counted = {"a_per_step": 6, "b": 6, "c_per_step": [2, 4], "d": {"e_per_step": 2, "f": None}}
    assert per_step(counted, 2) == {
        "a_per_step": 3.0,
        "b": 6,
        "c_per_step": [1.0, 2.0],
        "d": {"e_per_step": 1.0, "f": None},
    }


def test_the_baseline_keeps_the_sizes_of_the_cores() -> None:
    assert neuron_order([2, 0, 2, 1, 2]).tolist() == [0, 1, 2, 2, 2]


def test_silent_neurons_cause_no_traffic() -> None:
    weights, core_of, coordinates, _ = random_case(7)
    figures = CoreTraffic.of(network_of(weights), core_of, rates=0.0).summary(coordinates, 8)
    assert figures["messages_per_step"] == figures["hops_per_step"] == figures["max_hops"] == 0
    assert figures["mean_hops"] == 0.0


def test_the_step_from_chip_to_chip_is_no_hop() -> None:
    """Cores at x = 1, 8 and 20 on chips of 8 tiles: chips 0, 1 and 2."""
    network = network_of([[2, 0, 0], [2, 0, 0], [2, 2, 0]], [[2], [0], [2]])
    core_of, coordinates = [0, 1, 2], [[1, 0], [8, 1], [20, 3]]
    used = utilization(network, core_of, LOIHI)
    found = routes(used.destinations, core_of, coordinates, chip_width=8)
    # 0 -> 1: 7 along x, 1 of them between chips; 0 -> 2: 19 and 2; 1 -> 2: 12 and 1
    assert found.crossings.tolist() == [3, 1, 0, 0]
    assert found.hops_x.tolist() == [6 + 17, 11, 0, 0]
    assert found.hops_y.tolist() == [1 + 3, 2, 0, 0]
    assert found.longest.tolist() == [22, 14, 0, 0]
