"""Tiles, slots and curves against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.compiler.mesh import Mesh, hilbert_tiles, tiles
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile

LOIHI = HardwareProfile.load("loihi1")


def altered(**chip: int | None) -> HardwareProfile:
    raw = LOIHI.to_dict()
    for name, value in chip.items():
        raw["chip"][name].update(value=value, evidence="none" if value is None else "chosen")
    return HardwareProfile.from_dict(raw)


def meshless() -> HardwareProfile:
    return altered(mesh_width=None, mesh_height=None, cores_per_tile=None)


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


def test_only_the_chips_that_are_needed_are_used() -> None:
    for n_cores, chips in ((1, 1), (128, 1), (129, 2), (256, 2), (257, 3)):
        mesh = Mesh.of(LOIHI.with_chips(5), n_cores)
        assert mesh is not None
        assert (mesh.chips, mesh.n_slots, mesh.n_tiles) == (chips, 128 * chips, 32 * chips)


@pytest.mark.parametrize("curve", ["row", "hilbert"])
def test_every_slot_is_visited_once_and_chip_after_chip(curve) -> None:
    mesh = Mesh.of(LOIHI.with_chips(3), 300)
    assert mesh is not None
    slots = mesh.along(curve)
    assert np.array_equal(np.sort(slots), np.arange(384))
    x = mesh.coordinates(slots)[:, 0]
    assert np.array_equal(x // 8, np.repeat([0, 1, 2], 128))


def test_slots_that_a_chip_lacks_are_those_of_its_last_tiles() -> None:
    # 126 cores on 32 tiles of 4: the last tile holds 2.
    mesh = Mesh.of(altered(cores=126), 126)
    assert mesh is not None
    assert mesh.n_slots == 126
    assert mesh.capacity.tolist() == [4] * 31 + [2]
    assert mesh.first_slot[-2:].tolist() == [124, 126]
    places = mesh.coordinates(mesh.along("hilbert"))
    assert np.count_nonzero((places == [7, 3]).all(axis=1)) == 2


def test_coordinates_are_those_of_the_tiles() -> None:
    mesh = Mesh.of(LOIHI.with_chips(2), 200)
    assert mesh is not None
    places = mesh.coordinates(np.arange(mesh.n_slots))
    assert np.array_equal(places[:, 0] * 4 + places[:, 1], mesh.tile_of)
