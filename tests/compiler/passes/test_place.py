"""Tiles, messages and hops against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.compiler.analysis.utilization import utilization
from hrsnn_lava.compiler.passes.place import (
    Place,
    hilbert_tiles,
    mapping_report,
    neuron_order,
    routes,
    tiles,
    traffic,
)
from hrsnn_lava.compiler.placement import Placement
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

LOIHI = HardwareProfile.load("loihi1")


def meshless() -> HardwareProfile:
    raw = LOIHI.to_dict()
    for name in ("mesh_width", "mesh_height", "cores_per_tile"):
        raw["chip"][name].update(value=None, evidence="none")
    return HardwareProfile.from_dict(raw)


def network_of(weights, inputs=None) -> QuantizedNetwork:
    n = len(weights)
    populations = [QuantizedPopulation("a", n, 100, 100, 100)]
    projections = [QuantizedProjection("p", "a", "a", sparse.csr_matrix(np.asarray(weights)))]
    if inputs is not None:
        populations.insert(0, QuantizedInput("inp", np.shape(inputs)[1]))
        projections.append(QuantizedProjection("q", "inp", "a", sparse.csr_matrix(inputs)))
    return QuantizedNetwork(tuple(populations), tuple(projections))


def test_row_order_is_the_chips_own_numbering() -> None:
    places = tiles(128, LOIHI, "row")
    assert places is not None
    # Tile k is at x = k // 4, y = k % 4, and holds 4 cores.
    expected = [[(core // 4) // 4, (core // 4) % 4] for core in range(128)]
    assert places.tolist() == expected


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (4, 4), (8, 8), (16, 16)])
def test_hilbert_on_a_square_visits_every_tile_one_step_at_a_time(width, height) -> None:
    path = hilbert_tiles(width, height)
    assert len({tuple(p) for p in path.tolist()}) == width * height
    assert (np.abs(np.diff(path, axis=0)).sum(axis=1) == 1).all()


def test_hilbert_on_loihis_mesh_visits_every_tile_once() -> None:
    path = hilbert_tiles(8, 4)
    assert len({tuple(p) for p in path.tolist()}) == 32
    assert path.min() == 0
    assert path.max(axis=0).tolist() == [7, 3]


def test_chips_stand_side_by_side() -> None:
    places = tiles(129, LOIHI.with_chips(2), "row")
    assert places is not None
    assert places[128].tolist() == [8, 0]
    with pytest.raises(CapacityError, match="129 cores"):
        tiles(129, LOIHI, "row")
    with pytest.raises(SpecError, match="curve: 'spiral'"):
        tiles(2, LOIHI, "spiral")  # type: ignore[arg-type]
    assert tiles(3, meshless()) is None


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
    assert found.messages[:3].sum() == used["out_axons"].used.sum()
    per_step = traffic(
        network, core_of, LOIHI, coordinates, rates=[0.5, 0.25, 1.0], input_rates=0.1
    )
    assert per_step["messages_per_step"] == pytest.approx(0.5 * 3 + 0.25)
    assert per_step["input_messages_per_step"] == pytest.approx(0.2)
    assert per_step["between_cores_per_step"] == pytest.approx(0.5 * 2 + 0.25)
    assert per_step["hops_per_step"] == pytest.approx(0.5 * 6 + 0.25 * 4)
    assert per_step["mean_hops"] == pytest.approx(4.0 / 1.75)
    assert per_step["max_hops"] == 4.0


def test_without_a_mesh_messages_count_and_hops_do_not() -> None:
    network = network_of([[2, 2], [2, 2]])
    per_step = traffic(network, [0, 1], meshless(), None)
    assert per_step["messages_per_step"] == 4.0
    assert per_step["hops_per_step"] is None
    assert per_step["mean_hops"] is None
    placed = Place(meshless())(network, Placement.of([0, 1]))
    assert placed.coordinates is None


def test_the_baseline_keeps_the_sizes_of_the_cores() -> None:
    assert neuron_order([2, 0, 2, 1, 2]).tolist() == [0, 1, 2, 2, 2]


def test_the_report_names_its_baselines() -> None:
    rng = np.random.default_rng(0)
    block = np.kron(np.eye(2), np.ones((20, 20))).astype(int) * 2
    order = rng.permutation(40)
    network = network_of(block[np.ix_(order, order)])
    core_of = (order >= 20).astype(int)
    placed = Place(LOIHI, rates=0.1)(network, Placement.of(core_of))
    mapping = placed.info["mapping"]
    assert mapping["cores"] == 2
    # Each community has a core of its own: one message a spike, against two in neuron order.
    assert mapping["messages_per_step"] == pytest.approx(40 * 0.1)
    assert mapping["between_cores_per_step"] == pytest.approx(0.0, abs=1e-12)
    assert mapping["baselines"]["neuron_order_row"]["messages_per_step"] == pytest.approx(8.0)
    assert placed.coordinates is not None
    assert placed.coordinates.shape == (2, 2)
    same = mapping_report(network, core_of, LOIHI, placed.coordinates, rates=np.full(40, 0.1))
    assert same == mapping
