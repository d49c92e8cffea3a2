"""First cores to chips by their traffic, then along a Hilbert curve within each chip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.mesh import Mesh
from hrsnn_lava.compiler.placing._orders import spectral_order
from hrsnn_lava.compiler.placing._refine import refine
from hrsnn_lava.compiler.placing._task import PlaceTask

Int = NDArray[np.int64]


def place(task: PlaceTask, rng: np.random.Generator) -> Int:
    """Slot of every core, (n_cores,); on each chip, cores in spectral order."""
    order = spectral_order(task)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    chip = chip_of(task, order, rng)
    along = task.mesh.along("hilbert")
    per_chip = task.mesh.n_slots // task.mesh.chips
    slots = np.empty(task.n_cores, dtype=np.int64)
    for k in range(task.mesh.chips):
        members = np.flatnonzero(chip == k)
        slots[members[np.argsort(rank[members])]] = along[k * per_chip :][: members.size]
    return slots


def chip_of(task: PlaceTask, order: Int, rng: np.random.Generator) -> Int:
    """Chip of every core, (n_cores,), so that few messages pass borders between chips.

    A chip is a single tile of a coarse mesh here: `order` fills them one after the other, and the
    refinement of placements then lowers the borders passed, within the size of a chip.
    """
    mesh = task.mesh
    per_chip = mesh.n_slots // mesh.chips
    coarse = Mesh(1, 1, mesh.chips, np.full(mesh.chips, per_chip, dtype=np.int64))
    slots = np.empty(task.n_cores, dtype=np.int64)
    slots[order] = np.arange(task.n_cores)
    small = PlaceTask(coarse, task.indptr, task.indices, task.weights)
    return refine(small, slots, rng, effort=0.25).slots // per_chip
