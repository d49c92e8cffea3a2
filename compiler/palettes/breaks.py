"""Optimal division of points on a line into runs: k-means in one dimension, exact.

The cost of a run is its weighted squared distance from its mean. It is Monge, so the best start
of the last run never moves back as its end moves on, and the error is convex in the number of
runs. The first gives O(k n log n) by divide and conquer, the second an exact greedy sharing of a
budget between groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]
#: Up to this many points the plain form is as fast as the compiled one.
_PLAIN_UP_TO = 48


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

    Dynamic programming over the end of the last run: exact and deterministic, which k-means is
    not.

    Args:
        points: (n,) sorted. weights: (n,) > 0.
    """
    sums, k = _moments(points, weights), min(k_max, points.size)
    if points.size <= _PLAIN_UP_TO:
        return plain_breaks(points, weights, k_max)
    from hrsnn_lava.compiler.palettes.breaks_kernel import divide

    return Breaks(*divide(*sums, k))


def plain_breaks(points: Float, weights: Float, k_max: int) -> Breaks:
    """`optimal_breaks` over all pairs of ends, O(k n^2); what the compiled one is held to."""
    n = points.size
    k_max = min(k_max, n)
    w, wx, wxx = _moments(points, weights)
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


def _moments(points: Float, weights: Float) -> tuple[Float, Float, Float]:
    """Running sums of w, w x and w x^2 about the mean, each (n + 1,) from 0."""
    centred = points - points.mean()
    w, wx, wxx = (
        np.concatenate([[0.0], np.cumsum(weights * centred**p)]).astype(np.float64)
        for p in (0, 1, 2)
    )
    return w, wx, wxx


def share_out(errors: list[Float], budget: int) -> list[int]:
    """Runs per group, at least one each, so that the summed error is least (greedy is exact:
    every group's error is convex in its number of runs)."""
    runs = [1] * len(errors)
    for _ in range(budget - len(errors)):
        gains = [
            e[k] - e[k + 1] if k + 1 < e.size else 0.0 for e, k in zip(errors, runs, strict=True)
        ]
        best = int(np.argmax(gains))
        if gains[best] <= 0.0:
            break
        runs[best] += 1
    return runs


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
        parts, divided, share_out([b.error for b in divided], limit), strict=True
    ):
        labels[part] = first + breaks.labels(k)
        first += k
    return labels
