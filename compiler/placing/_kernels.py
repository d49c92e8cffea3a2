"""Compiled kernels of the refinement; imported on first use, since numba takes time to load.

Each is plain Python as well: ``anneal.py_func`` is the plain version, equal to the last bit, since
costs are integers. Two tables hold what a core would cost elsewhere,

    at_x[c, i] = sum_k S_ck |X_i - X_k|,    at_y[c, j] = sum_k S_ck |j - y_k|,

so that a move is judged in constant time (but for finding S of the two that exchange), and only a
move that is made costs an update of the tables of those that the core talks to.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.kernels import kernel

Int = NDArray[np.int64]
Float = NDArray[np.float64]
#: Typed: numba would compile what is called with a plain -1 a second time, for that value.
_NO_SLOT: Any = np.int64(-1)


@kernel()
def weight_of(indptr: Int, indices: Int, weights: Int, a: int, b: int) -> int:
    """S_ab by bisection; columns of a row are sorted."""
    low, high = indptr[a], indptr[a + 1]
    while low < high:
        middle = (low + high) // 2
        if indices[middle] < b:
            low = middle + 1
        else:
            high = middle
    if low < indptr[a + 1] and indices[low] == b:
        weight: int = weights[low]
        return weight
    return 0


@kernel()
def change(
    indptr: Int,
    indices: Int,
    weights: Int,
    column_x: Int,
    at_x: Int,
    at_y: Int,
    height: int,
    core: int,
    other: int,
    here: int,
    there: int,
) -> int:
    """Change of cost when `core` moves from tile `here` to tile `there`, and `other` (-1: nobody)
    the other way.

    The tables take the two to stand still for each other; their distance d stays, and each table
    has lost ``S d``, hence the last term.
    """
    x0, y0, x1, y1 = here // height, here % height, there // height, there % height
    total: int = at_x[core, x1] - at_x[core, x0] + at_y[core, y1] - at_y[core, y0]
    if other >= 0:
        total += at_x[other, x0] - at_x[other, x1] + at_y[other, y0] - at_y[other, y1]
        weight = weight_of(indptr, indices, weights, core, other)
        total += 2 * weight * (abs(column_x[x0] - column_x[x1]) + abs(y0 - y1))
    return total


@kernel()
def move(
    indptr: Int,
    indices: Int,
    weights: Int,
    column_x: Int,
    at_x: Int,
    at_y: Int,
    height: int,
    core: int,
    here: int,
    there: int,
) -> None:
    """Bring the tables up to date after `core` moved from tile `here` to tile `there`."""
    x0, y0, x1, y1 = here // height, here % height, there // height, there % height
    for at in range(indptr[core], indptr[core + 1]):
        k, w = indices[at], weights[at]
        if x0 != x1:
            for i in range(column_x.size):
                x = column_x[i]
                at_x[k, i] += w * (abs(x - column_x[x1]) - abs(x - column_x[x0]))
        if y0 != y1:
            for j in range(height):
                at_y[k, j] += w * (abs(j - y1) - abs(j - y0))


@kernel()
def exchange(
    indptr: Int,
    indices: Int,
    weights: Int,
    column_x: Int,
    at_x: Int,
    at_y: Int,
    tile_of: Int,
    height: int,
    slot_of: Int,
    core_at: Int,
    core: int,
    target: int,
) -> None:
    """Put `core` on slot `target`, and who is there on the slot of `core`."""
    here, other = slot_of[core], core_at[target]
    slot_of[core], core_at[target], core_at[here] = target, core, other
    start, stop = tile_of[here], tile_of[target]
    move(indptr, indices, weights, column_x, at_x, at_y, height, core, start, stop)
    if other >= 0:
        slot_of[other] = here
        move(indptr, indices, weights, column_x, at_x, at_y, height, other, stop, start)


@kernel()
def anneal(
    indptr: Int,
    indices: Int,
    weights: Int,
    column_x: Int,
    tile_of: Int,
    first_slot: Int,
    height: int,
    at_x: Int,
    at_y: Int,
    slot_of: Int,
    core_at: Int,
    radius: int,
    draws: Float,
    allowance: Float,
    most: int,
) -> tuple[int, int]:
    """One stage of simulated annealing, in place; returns change of cost and moves made.

    Args:
        column_x: X of every column of tiles.
        tile_of, first_slot: tile of every slot, first slot of every tile.
        height: tiles along y.
        at_x, at_y: the tables, (n_cores, columns) and (n_cores, height).
        slot_of, core_at: (n_cores,) and (n_slots,), each the inverse of the other; -1: empty.
        radius: of the window of tiles around a core that it may move within.
        draws: (n_moves, 4) in [0, 1): core, target x, target y, slot of the tile.
        allowance: (n_moves,) the rise of cost that is still accepted: temperature times an
            exponential variate, which is Metropolis' rule without an exponential to compute.
        most: moves made at most.
    """
    width = column_x.size
    gained, n_moves = 0, 0
    for k in range(draws.shape[0]):
        core = int(draws[k, 0] * slot_of.size)
        here = tile_of[slot_of[core]]
        x, y = here // height, here % height
        left, right = max(0, x - radius), min(width - 1, x + radius)
        low, high = max(0, y - radius), min(height - 1, y + radius)
        x = left + int(draws[k, 1] * (right - left + 1))
        y = low + int(draws[k, 2] * (high - low + 1))
        there = x * height + y
        size = first_slot[there + 1] - first_slot[there]
        if size == 0 or there == here:
            continue
        target = first_slot[there] + int(draws[k, 3] * size)
        other = core_at[target]
        rise = change(
            indptr, indices, weights, column_x, at_x, at_y, height, core, other, here, there
        )
        if rise > 0 and rise > allowance[k]:
            continue
        exchange(
            indptr,
            indices,
            weights,
            column_x,
            at_x,
            at_y,
            tile_of,
            height,
            slot_of,
            core_at,
            core,
            target,
        )
        gained += rise
        n_moves += 1
        if n_moves == most:
            break
    return gained, n_moves


@kernel()
def descend(
    indptr: Int,
    indices: Int,
    weights: Int,
    column_x: Int,
    tile_of: Int,
    first_slot: Int,
    height: int,
    at_x: Int,
    at_y: Int,
    slot_of: Int,
    core_at: Int,
    radius: int,
) -> int:
    """One sweep of best exchanges, in place; returns the change of cost, 0 when none is left.

    Every core in turn goes to the best slot within `radius` tiles of the tile where it alone
    would cost least, exchanging places with who is there, if that saves anything.
    """
    width = column_x.size
    gained = 0
    for core in range(slot_of.size):
        here = tile_of[slot_of[core]]
        x, y = int(np.argmin(at_x[core])), int(np.argmin(at_y[core]))
        best, best_slot = 0, _NO_SLOT
        for tile_x in range(max(0, x - radius), min(width - 1, x + radius) + 1):
            for tile_y in range(max(0, y - radius), min(height - 1, y + radius) + 1):
                there = tile_x * height + tile_y
                if there == here:
                    continue
                for slot in range(first_slot[there], first_slot[there + 1]):
                    other = core_at[slot]
                    rise = change(
                        indptr,
                        indices,
                        weights,
                        column_x,
                        at_x,
                        at_y,
                        height,
                        core,
                        other,
                        here,
                        there,
                    )
                    if rise < best:
                        best, best_slot = rise, slot
        if best_slot >= 0:
            exchange(
                indptr,
                indices,
                weights,
                column_x,
                at_x,
                at_y,
                tile_of,
                height,
                slot_of,
                core_at,
                core,
                best_slot,
            )
            gained += best
    return gained
