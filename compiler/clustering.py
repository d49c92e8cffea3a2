"""Snapping of neuron parameters to short tables, at the least relative error.

Time constants are compared by the logarithm of their rate, ``-ln(1 - d / 4096)`` per step, so
that a distance is a relative error of tau, whatever tau is. Which objective to use is our
choice: the chip's makers only state the lengths of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]
FULL = 4096
VTH_MAX = 131071


def decay_rate(decay: Any) -> Float:
    """Rate per step of a decay field, ``-ln(1 - decay / 4096) = dt / tau``.

    The current's field has offset 1: give ``du + 1``. A full decay (4096) counts as 4095.5, the
    middle between it and the slowest neighbour, to stay finite.
    """
    share = np.minimum(np.asarray(decay, dtype=np.float64), FULL - 0.5) / FULL
    return np.asarray(-np.log1p(-share), dtype=np.float64)


def nearest_decay(log_rate: Any) -> Int:
    """The decay field 1..4096 of a logarithmic rate, rounded to the nearest."""
    share = -np.expm1(-np.exp(np.asarray(log_rate, dtype=np.float64)))
    return np.asarray(np.clip(np.rint(FULL * share), 1, FULL), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Breaks:
    """Optimal divisions of n sorted points into 1..k_max runs.

    Attributes:
        error: (k_max + 1,) weighted squared error with k runs; entry 0 is infinite.
        start: (k_max + 1, n) first point of the last run when points 0..j make k runs.
    """

    error: Float
    start: Int

    def labels(self, k: int) -> Int:
        """Run of every point when divided into k runs, (n,)."""
        labels = np.zeros(self.start.shape[1], dtype=np.int64)
        end = labels.size - 1
        for run in range(k, 0, -1):
            begin = int(self.start[run, end])
            labels[begin : end + 1] = run - 1
            end = begin - 1
        return labels


def optimal_breaks(points: Float, weights: Float, k_max: int) -> Breaks:
    """Divide sorted points into runs at the least weighted squared error, for every k <= k_max.

    Dynamic programming over the end of the last run, O(k n^2): exact and deterministic, which
    k-means is not. Since the cost is Monge, the error is convex in k.
    """
    n = points.size
    k_max = min(k_max, n)
    centred = points - points.mean()
    w, wx, wxx = (
        np.concatenate([[0.0], np.cumsum(weights * centred**p)]).astype(np.float64)
        for p in (0, 1, 2)
    )
    i, j = np.arange(n)[:, None], np.arange(n)[None, :]
    mass = np.where(j >= i, w[j + 1] - w[i], 1.0)
    cost = (wxx[j + 1] - wxx[i]) - (wx[j + 1] - wx[i]) ** 2 / mass
    cost = np.where(j >= i, np.maximum(cost, 0.0), np.inf)
    error = np.full(k_max + 1, np.inf)
    start = np.zeros((k_max + 1, n), dtype=np.int64)
    best = cost[0].copy()
    error[1] = best[-1]
    for k in range(2, k_max + 1):
        before = np.concatenate([[np.inf], best[:-1]])
        total = before[:, None] + cost
        start[k] = np.argmin(total, axis=0)
        best = total[start[k], np.arange(n)]
        error[k] = best[-1]
    return Breaks(error, start)


def _share_out(errors: list[Float], budget: int) -> list[int]:
    """Runs per group, at least one each, so that the summed error is least (greedy is exact:
    every group's error is convex in its number of runs)."""
    given = [1] * len(errors)
    for _ in range(budget - len(errors)):
        gains = [
            e[k] - e[k + 1] if k + 1 < e.size else 0.0 for e, k in zip(errors, given, strict=True)
        ]
        best = int(np.argmax(gains))
        if gains[best] <= 0.0:
            break
        given[best] += 1
    return given


def cluster_1d(points: Float, groups: Int, weights: Float, limit: int) -> Int:
    """Optimal clusters on a line that never mix groups; labels (n,) from 0.

    Args:
        points: (n,) coordinates. groups: (n,) ints 0..G-1, G <= limit. weights: (n,) > 0.
    """
    labels = np.zeros(points.size, dtype=np.int64)
    parts = [np.flatnonzero(groups == g) for g in range(int(groups.max()) + 1)]
    parts = [part[np.argsort(points[part], kind="stable")] for part in parts]
    divided = [
        optimal_breaks(points[part], weights[part], limit - len(parts) + 1) for part in parts
    ]
    first = 0
    for part, breaks, k in zip(
        parts, divided, _share_out([b.error for b in divided], limit), strict=True
    ):
        labels[part] = first + breaks.labels(k)
        first += k
    return labels


def cluster_2d(points: Float, groups: Int, weights: Float, limit: int, rounds: int = 50) -> Int:
    """Clusters in the plane that never mix groups; labels (n,) from 0, deterministic.

    Divides the cluster of largest error at its best place along its wider side until there are
    `limit` of them, then moves points to the nearest centre of their group (Lloyd).
    """
    labels = np.asarray(groups, dtype=np.int64).copy()
    count = int(labels.max()) + 1
    while count < limit:
        centres = _centres(points, labels, weights, count)
        spread = weights[:, None] * (points - centres[labels]) ** 2
        per_side = np.stack([np.bincount(labels, spread[:, a], count) for a in (0, 1)], axis=1)
        worst = int(np.argmax(per_side.sum(axis=1)))
        side = int(np.argmax(per_side[worst]))
        if per_side[worst, side] <= 1e-18:
            break
        part = np.flatnonzero(labels == worst)
        part = part[np.argsort(points[part, side], kind="stable")]
        halves = optimal_breaks(points[part, side], weights[part], 2).labels(2)
        labels[part[halves == 1]] = count
        count += 1
    group_of = np.zeros(count, dtype=np.int64)
    group_of[labels] = groups
    for _ in range(rounds):
        centres = _centres(points, labels, weights, count)
        distance = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2)
        distance[groups[:, None] != group_of[None]] = np.inf
        nearest = np.argmin(distance, axis=1)
        if np.unique(nearest).size < count or np.array_equal(nearest, labels):
            break
        labels = nearest
    return labels


def _centres(points: Float, labels: Int, weights: Float, count: int) -> Float:
    mass = np.bincount(labels, weights, count)
    sums = [np.bincount(labels, weights * points[:, axis], count) for axis in (0, 1)]
    return np.stack(sums, axis=1) / mass[:, None]


def compartment_classes(du: Any, dv: Any, refractory: Any) -> Int:
    """Class of every neuron, from 0: those of one class may share a compartment profile.

    Refractory periods are never changed, and neither is a decay of 0 (nothing is forgotten),
    which no time constant is near.
    """
    keys = np.stack([np.asarray(refractory), np.asarray(dv) == 0, np.asarray(du) == -1], axis=1)
    return np.asarray(np.unique(keys, axis=0, return_inverse=True)[1], dtype=np.int64).ravel()


def snap_compartments(du: Any, dv: Any, refractory: Any, limit: int) -> tuple[Int, Int] | None:
    """New (du, dv) of the neurons of one core with at most `limit` distinct profiles.

    Where few values of du are in use, as with one tau_syn per population, they are kept and dv
    is clustered optimally; else both are clustered in the plane. None when the classes that may
    not be mixed are more than `limit`.
    """
    rows = np.stack([np.asarray(x, dtype=np.int64) for x in (du, dv, refractory)], axis=1)
    table, inverse, count = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.ravel()
    if table.shape[0] <= limit:
        return rows[:, 0], rows[:, 1]
    groups = compartment_classes(table[:, 0], table[:, 1], table[:, 2])
    if groups.max() + 1 > limit:
        return None
    decay_u, decay_v = table[:, 0] + 1, table[:, 1]
    points = np.log(decay_rate(np.maximum(np.stack([decay_v, decay_u], axis=1), 1)))
    weights = count.astype(np.float64)
    fine = np.unique(np.stack([groups, table[:, 0]], axis=1), axis=0, return_inverse=True)[1]
    fine = np.asarray(fine, dtype=np.int64).ravel()
    if (fine.max() + 1) * 4 <= limit or (fine.max() == groups.max()):
        labels = cluster_1d(points[:, 0], fine, weights, limit)
    else:
        labels = cluster_2d(points, groups, weights, limit)
    snapped = nearest_decay(_centres(points, labels, weights, int(labels.max()) + 1))[labels]
    new_dv = np.where(decay_v == 0, 0, snapped[:, 0])
    new_du = np.where(decay_u == 0, 0, snapped[:, 1]) - 1
    return new_du[inverse], np.minimum(new_dv, max(int(decay_v.max()), 1))[inverse]


def snap_thresholds(vth: Any, limit: int) -> Int:
    """New thresholds of the neurons of one core with at most `limit` distinct values."""
    values, inverse, count = np.unique(
        np.asarray(vth, dtype=np.int64), return_inverse=True, return_counts=True
    )
    if values.size <= limit:
        return np.asarray(values[inverse.ravel()], dtype=np.int64)
    points, weights = np.log(np.maximum(values, 0.5)), count.astype(np.float64)
    labels = cluster_1d(points, np.zeros(values.size, dtype=np.int64), weights, limit)
    centre = np.bincount(labels, weights * points) / np.bincount(labels, weights)
    snapped: Int = np.rint(np.exp(centre)).astype(np.int64)[labels][inverse.ravel()]
    return snapped


@dataclass(frozen=True, eq=False)
class Snapped:
    """Parameters of the neurons of one core after snapping, each (n,) int64."""

    du: Int
    dv: Int
    vth: Int


def snap_core(
    parameters: Int, compartment_limit: int | None, threshold_limit: int | None
) -> Snapped | None:
    """Snap the neurons of one core to its tables; None when refractory periods alone overflow.

    A changed dv changes the gain of the membrane, 4096 / dv. So vth is first scaled by
    dv_old / dv_new, which keeps the constant current that just fires the neuron, and then
    snapped; weights and biases stay as they are.

    Args:
        parameters: (n, 4) columns du, dv, refractory, vth. A limit of None: no table.
    """
    du, dv, refractory, vth = np.asarray(parameters, dtype=np.int64).T
    new_du, new_dv = du, dv
    if compartment_limit is not None:
        pair = snap_compartments(du, dv, refractory, compartment_limit)
        if pair is None:
            return None
        new_du, new_dv = pair
    scale = np.where(dv == 0, 1.0, dv / np.maximum(new_dv, 1))
    new_vth = np.clip(np.rint(vth * scale), 0, VTH_MAX).astype(np.int64)
    if threshold_limit is not None:
        new_vth = snap_thresholds(new_vth, threshold_limit)
    return Snapped(new_du, new_dv, new_vth)


def relative_errors(parameters: Int, new: Snapped) -> Float:
    """Relative change of tau_mem, tau_syn and of the threshold current, (n, 3), >= 0.

    tau is ``-dt / ln(1 - d / 4096)``; the threshold current is the constant input that just
    fires the neuron, in proportion to ``vth * dv`` (to vth where there is no leak).
    """
    du, dv, _, vth = np.asarray(parameters, dtype=np.int64).T
    floor = 0.5  # a decay of 0 never changes, so any positive value will do
    tau_mem = decay_rate(np.maximum(dv, floor)) / decay_rate(np.maximum(new.dv, floor))
    tau_syn = decay_rate(np.maximum(du + 1, floor)) / decay_rate(np.maximum(new.du + 1, floor))
    leak = np.where(dv == 0, 1.0, new.dv / np.maximum(dv, 1))
    threshold = new.vth * leak / np.maximum(vth, 1)
    threshold = np.where((vth == 0) & (new.vth == 0), 1.0, threshold)
    errors: Float = np.abs(np.stack([tau_mem, tau_syn, threshold], axis=1) - 1.0)
    return errors
