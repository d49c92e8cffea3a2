"""Tables of thresholds that neurons can be moved to, by absorbing the ratio into their weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.palettes.breaks import cluster_1d

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
#: An entry without room cannot be absorbed, so its whole distance is an error, where absorbing
#: only rounds: such a distance counts this much more (our choice).
_WITHOUT_ROOM = 10.0


def common_table(thresholds: Int, weights: Float, count: int) -> Int:
    """The `count` thresholds nearest to all of `thresholds` in the logarithm, sorted."""
    values, inverse = np.unique(thresholds, return_inverse=True)
    mass = np.bincount(inverse.ravel(), weights, values.size).astype(np.float64)
    points = np.log(values.astype(np.float64))
    labels = cluster_1d(points, np.zeros(values.size, dtype=np.int64), mass, count)
    middle = np.bincount(labels, mass * points) / np.bincount(labels, mass)
    return np.asarray(np.unique(np.rint(np.exp(middle))), dtype=np.int64)


def nearest_entries(
    thresholds: Float, table: Int, room: Float, without_room: float = np.inf
) -> Int:
    """The entry for every threshold, (n,): the nearest in the logarithm of those with room.

    Args:
        thresholds: (n,) > 0, those that leave the weights as they are.
        table: (k,) > 0. room: (n,) largest ratio of entry to threshold that can be absorbed.
        without_room: how much more a distance to an entry without room counts; infinite: such
            entries are taken only where there is no other, and then the smallest.
    """
    ratio = table[None] / thresholds[:, None]
    distance = np.abs(np.log(ratio))
    distance = np.where(ratio > room[:, None], np.maximum(distance, 1e-9) * without_room, distance)
    return np.asarray(table[np.argmin(distance, axis=1)], dtype=np.int64)


def reassign(vth: Int, wanted: Float, free: Bool, room: Float, core_of: Int) -> Int:
    """`vth` with every free neuron at the best entry of the table that its core already has.

    Args:
        vth: (n,) thresholds after the palette. wanted: (n,) those that leave the weights as they
            are. free: (n,) neurons that may take any entry. room: as in `nearest_entries`.
    """
    new = vth.copy()
    order = np.argsort(core_of, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(core_of[order])) + 1):
        moving, table = members[free[members]], np.unique(vth[members])
        table = table[table > 0]
        if moving.size and table.size:
            new[moving] = nearest_entries(wanted[moving], table, room[moving], _WITHOUT_ROOM)
    return new
