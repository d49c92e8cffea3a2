"""The mesh of one or more chips: its tiles, the slots for cores, the curves that fill them.

Tile k of a chip is at x = k // height, y = k % height and holds `cores_per_tile` cores behind one
router (SANA-FE's numbering of Loihi). Chips stand side by side along x, our choice: tile (x, y)
of chip c is at (x + c width, y). A slot is a place for one core; slots are numbered tile by tile,
so the slots of a chip are consecutive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile

Int = NDArray[np.int64]
Curve = Literal["row", "hilbert"]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Slots for cores on the chips that a network needs.

    Attributes:
        width, height: tiles of one chip along x and y.
        chips: chips in use, side by side along x.
        capacity: (chips * width * height,) slots of every tile, by ``x * height + y``.
    """

    width: int
    height: int
    chips: int
    capacity: Int

    @staticmethod
    def of(profile: HardwareProfile, n_cores: int) -> Mesh | None:
        """The mesh of as few chips as hold `n_cores`; None when the profile gives no mesh.

        Raises:
            CapacityError: more cores than all chips of the profile have.
        """
        chip = profile.chip
        width, height = chip.mesh_width.value, chip.mesh_height.value
        per_tile = chip.cores_per_tile.value
        if width is None or height is None or per_tile is None:
            return None
        slots = width * height * per_tile
        per_chip = min(chip.cores.value or slots, slots)
        chips = max(1, -(-n_cores // per_chip))
        if chips > (chip.chips.value or 1):
            raise CapacityError(
                f"{n_cores} cores; profile {profile.name!r} has {per_chip} cores on each of "
                f"{chip.chips.value} chips"
            )
        # A chip with fewer cores than its tiles could hold lacks those of the highest numbers.
        first = np.arange(width * height, dtype=np.int64) * per_tile
        capacity = np.clip(per_chip - first, 0, per_tile)
        return Mesh(width, height, chips, np.tile(capacity, chips))

    @property
    def total_width(self) -> int:
        """Tiles along x of all chips together."""
        return self.width * self.chips

    @property
    def n_tiles(self) -> int:
        """Tiles of all chips together."""
        return self.capacity.size

    @property
    def n_slots(self) -> int:
        """Cores that all chips together could hold."""
        return int(self.capacity.sum())

    @property
    def tile_of(self) -> Int:
        """(n_slots,) tile of every slot, ``x * height + y``."""
        return np.repeat(np.arange(self.n_tiles, dtype=np.int64), self.capacity)

    @property
    def first_slot(self) -> Int:
        """(n_tiles + 1,) first slot of every tile, and the number of slots."""
        return np.append(0, np.cumsum(self.capacity))

    def coordinates(self, slots: Int) -> NDArray[np.int32]:
        """Tile (x, y) of the given slots, (n, 2)."""
        x, y = np.divmod(self.tile_of[slots], self.height)
        places: NDArray[np.int32] = np.stack([x, y], axis=1).astype(np.int32)
        return places

    def along(self, curve: Curve) -> Int:
        """All slots in the order in which a curve visits their tiles, chip after chip."""
        if curve not in ("row", "hilbert"):
            raise SpecError(f"curve: {curve!r}; allowed: row, hilbert")
        if curve == "row":
            return np.arange(self.n_slots, dtype=np.int64)
        x, y = hilbert_tiles(self.width, self.height).T
        chip = np.arange(self.chips, dtype=np.int64)[:, None] * (self.width * self.height)
        tiles_in_order = (chip + x * self.height + y).ravel()
        rank = np.empty(self.n_tiles, dtype=np.int64)
        rank[tiles_in_order] = np.arange(self.n_tiles)
        return np.argsort(rank[self.tile_of], kind="stable")


def tiles(n_cores: int, profile: HardwareProfile, curve: Curve = "row") -> NDArray[np.int32] | None:
    """Tile (x, y) of cores 0..n_cores-1 along a curve, (n_cores, 2); None without a mesh.

    Raises:
        CapacityError: more cores than the mesh of all chips has.
        SpecError: unknown curve.
    """
    if curve not in ("row", "hilbert"):
        raise SpecError(f"curve: {curve!r}; allowed: row, hilbert")
    mesh = Mesh.of(profile, n_cores)
    return None if mesh is None else mesh.coordinates(mesh.along(curve)[:n_cores])


def hilbert_tiles(width: int, height: int) -> Int:
    """Tiles along the Hilbert curve of the smallest square of 2^k that holds them, (n, 2).

    Tiles outside the mesh are left out, so a step is at times longer than 1 on a mesh that is
    no such square.
    """
    side = 1
    while side < max(width, height):
        side *= 2
    index = np.arange(side * side, dtype=np.int64)
    x, y = np.zeros_like(index), np.zeros_like(index)
    rest, size = index.copy(), 1
    while size < side:
        right = (rest // 2) & 1
        up = (rest ^ right) & 1
        flip = (up == 0) & (right == 1)
        x, y = np.where(flip, size - 1 - x, x), np.where(flip, size - 1 - y, y)
        x, y = np.where(up == 0, y, x), np.where(up == 0, x, y)
        x, y = x + size * right, y + size * up
        rest //= 4
        size *= 2
    inside = (x < width) & (y < height)
    return np.stack([x[inside], y[inside]], axis=1)
