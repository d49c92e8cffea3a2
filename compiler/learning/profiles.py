"""Groups synapses that may share a learning profile: like time constants, at the least error.

Distances are taken in the logarithm, so an error is relative whatever the time constant is. Our
choice: the papers give every synapse its own parameters and do not speak of chips.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]
#: Points that the centres are fitted to; all points are assigned.
FIT_POINTS = 8192
_CHUNK = 65536


def cluster_points(points: Float, limit: int, tolerance: float) -> tuple[Int, Float]:
    """Group points by nearest centre; deterministic.

    The cluster with the largest squared error is divided at its mean along its widest side, then
    all centres move to the means of their points (Lloyd). That goes on until the mean absolute
    error is at most `tolerance` in every coordinate, or there are `limit` clusters. When the
    points have no more than `limit` distinct values, each is a cluster of its own.

    Args:
        points: (n, d) coordinates, n >= 1. limit: >= 1.

    Returns:
        labels (n,) from 0, none empty, and centres (K, d).
    """
    sample = points[:: max(1, points.shape[0] // FIT_POINTS)]
    if np.unique(sample, axis=0).shape[0] <= limit:  # cheap where the answer is no
        distinct, inverse = np.unique(points, axis=0, return_inverse=True)
        if distinct.shape[0] <= limit:
            return np.asarray(inverse, dtype=np.int64).ravel(), distinct
    centres = sample.mean(axis=0, keepdims=True)
    labels = np.zeros(sample.shape[0], dtype=np.int64)
    while True:
        error = np.abs(sample - centres[labels]).mean(axis=0).max()
        if error <= tolerance or centres.shape[0] >= limit:
            break
        divided = _divide(sample, centres, labels)
        if divided is None:
            break
        centres, labels = _lloyd(sample, divided)
    nearest = assign(points, centres)
    clusters, nearest = np.unique(nearest, return_inverse=True)
    labels = np.asarray(nearest, dtype=np.int64).ravel()
    return labels, _means(points, labels, clusters.size)


def assign(points: Float, centres: Float) -> Int:
    """Index of the nearest centre of every point, (n,)."""
    labels = np.empty(points.shape[0], dtype=np.int64)
    middle = centres.mean(axis=0)  # near the points, so that the squares lose no digits
    offsets = centres - middle
    squares = (offsets**2).sum(axis=1)
    for first in range(0, points.shape[0], _CHUNK):
        part = points[first : first + _CHUNK] - middle
        labels[first : first + _CHUNK] = np.argmin(squares - 2.0 * (part @ offsets.T), axis=1)
    return labels


def _means(points: Float, labels: Int, count: int) -> Float:
    mass = np.bincount(labels, minlength=count)
    sums = [np.bincount(labels, points[:, d], count) for d in range(points.shape[1])]
    means: Float = np.stack(sums, axis=1) / np.maximum(mass, 1)[:, None]
    return means


def _divide(points: Float, centres: Float, labels: Int) -> Float | None:
    """Centres with the worst cluster's in two; None when no cluster has any spread."""
    count = centres.shape[0]
    squares = (points - centres[labels]) ** 2
    spread = np.stack(
        [np.bincount(labels, squares[:, d], count) for d in range(points.shape[1])], axis=1
    )
    worst = int(np.argmax(spread.sum(axis=1)))
    side = int(np.argmax(spread[worst]))
    part = points[labels == worst]
    above = part[:, side] > centres[worst, side]
    if spread[worst, side] <= 1e-18 or not above.any() or above.all():
        return None
    halves = np.stack([part[~above].mean(axis=0), part[above].mean(axis=0)])
    return np.asarray(np.concatenate([np.delete(centres, worst, axis=0), halves]))


def _lloyd(points: Float, centres: Float, rounds: int = 25) -> tuple[Float, Int]:
    labels = assign(points, centres)
    for _ in range(rounds):
        means = _means(points, labels, centres.shape[0])
        again = assign(points, means)
        if np.unique(again).size < centres.shape[0]:
            break
        centres, stays = means, np.array_equal(again, labels)
        labels = again
        if stays:
            break
    return centres, labels
