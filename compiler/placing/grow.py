"""One core after the other, each where its messages to those already placed are shortest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.placing._task import PlaceTask


def place(task: PlaceTask, rng: np.random.Generator) -> NDArray[np.int64]:  # noqa: ARG001
    """Slot of every core, (n_cores,).

    The core with most traffic goes to the middle of the first chip. Next is always the core that
    talks most to those placed; it takes the free slot of least cost, the first of several.
    """
    mesh, n = task.mesh, task.n_cores
    occupancy = np.zeros(mesh.n_tiles, dtype=np.int64)
    slots = np.empty(n, dtype=np.int64)
    first_slot = mesh.first_slot
    column = np.arange(mesh.n_tiles) // mesh.height
    row = np.arange(mesh.n_tiles) % mesh.height
    far_x = np.abs(task.column_x[:, None] - task.column_x[None, :])
    far_y = np.abs(np.subtract.outer(np.arange(mesh.height), np.arange(mesh.height)))
    middle = np.abs(2 * column - (mesh.width - 1)) + np.abs(2 * row - (mesh.height - 1))
    degree = np.asarray(task.matrix.sum(axis=1)).ravel()
    pull = np.zeros(n, dtype=np.int64)
    waiting = np.ones(n, dtype=bool)
    tile_of = np.zeros(n, dtype=np.int64)
    for _ in range(n):
        # Among equals the busier core, then the one of the lower number.
        strongest = np.where(waiting, pull, -1)
        strongest = np.flatnonzero(strongest == strongest.max())
        core = int(strongest[np.argmax(degree[strongest])])
        part = slice(task.indptr[core], task.indptr[core + 1])
        neighbours, weight = task.indices[part], task.weights[part]
        placed = ~waiting[neighbours]
        if placed.any():
            at, much = tile_of[neighbours[placed]], weight[placed]
            by_column = np.zeros(mesh.total_width, dtype=np.int64)
            by_row = np.zeros(mesh.height, dtype=np.int64)
            np.add.at(by_column, column[at], much)
            np.add.at(by_row, row[at], much)
            cost = (far_x @ by_column)[column] + (far_y @ by_row)[row]
        else:
            cost = middle
        free = np.flatnonzero(occupancy < mesh.capacity)
        tile = int(free[np.argmin(cost[free])])
        slots[core], tile_of[core] = first_slot[tile] + occupancy[tile], tile
        occupancy[tile] += 1
        waiting[core] = False
        np.add.at(pull, neighbours, weight)
    return slots
