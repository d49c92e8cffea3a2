"""Weighted clusters in the plane that never mix groups: the best of several starts.

Least squares in the plane has no exact method that is fast, so one start divides the worst
cluster again and again, others are drawn as in k-means++ (Arthur and Vassilvitskii 2007), and
each is refined by Lloyd's rounds. The draws come from the generator given, so the result is the
same on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.palettes.breaks import optimal_breaks

Float = NDArray[np.float64]
Int = NDArray[np.int64]
_NOTHING = 1e-18


def cluster_2d(
    points: Float,
    groups: Int,
    weights: Float,
    limit: int,
    *,
    rounds: int = 50,
    restarts: int = 0,
    rng: np.random.Generator | None = None,
) -> Int:
    """At most `limit` clusters; labels (n,) from 0.

    Args:
        points: (n, 2). groups: (n,) ints 0..G-1, G <= limit. weights: (n,) > 0.
        rounds: of Lloyd's refinement, at most.
        restarts: starts by k-means++ besides the dividing one; they need `rng`.
    """
    best = refine(points, groups, weights, dividing_start(points, groups, weights, limit), rounds)
    least = squared_error(points, best, weights)
    for _ in range(restarts if rng is not None else 0):
        if least <= _NOTHING:
            break
        start = drawn_start(points, groups, weights, limit, rng)  # type: ignore[arg-type]
        labels = refine(points, groups, weights, start, rounds)
        error = squared_error(points, labels, weights)
        if error < least * (1.0 - 1e-12):
            best, least = labels, error
    return best


def dividing_start(points: Float, groups: Int, weights: Float, limit: int) -> Int:
    """Divide the cluster of largest error at its best place along its wider side, until there
    are `limit` of them; the groups are the first clusters."""
    labels = np.asarray(groups, dtype=np.int64).copy()
    count = int(labels.max()) + 1
    while count < limit:
        middle = centres(points, labels, weights, count)
        spread = weights[:, None] * (points - middle[labels]) ** 2
        per_side = np.stack([np.bincount(labels, spread[:, a], count) for a in (0, 1)], axis=1)
        worst = int(np.argmax(per_side.sum(axis=1)))
        side = int(np.argmax(per_side[worst]))
        if per_side[worst, side] <= _NOTHING:
            break
        part = np.flatnonzero(labels == worst)
        part = part[np.argsort(points[part, side], kind="stable")]
        halves = optimal_breaks(points[part, side], weights[part], 2).labels(2)
        labels[part[halves == 1]] = count
        count += 1
    return labels


def drawn_start(
    points: Float, groups: Int, weights: Float, limit: int, rng: np.random.Generator
) -> Int:
    """k-means++: a centre for every group first, then points by weight times squared distance."""
    seeds: list[int] = []
    distance = np.full(points.shape[0], np.inf)
    labels = np.zeros(points.shape[0], dtype=np.int64)
    for group in range(int(groups.max()) + 1):
        part = np.flatnonzero(groups == group)
        seeds.append(int(rng.choice(part, p=weights[part] / weights[part].sum())))
    for number in range(limit):
        if number == len(seeds):
            share = weights * distance
            total = share.sum()
            if total <= _NOTHING:
                break
            seeds.append(int(rng.choice(points.shape[0], p=share / total)))
        at = seeds[number]
        to_new = ((points - points[at]) ** 2).sum(axis=1)
        nearer = (groups == groups[at]) & (to_new < distance)
        distance[nearer], labels[nearer] = to_new[nearer], number
    return labels


def refine(points: Float, groups: Int, weights: Float, labels: Int, rounds: int) -> Int:
    """Lloyd: move points to the nearest centre of their group, while no cluster empties."""
    labels = np.unique(labels, return_inverse=True)[1].ravel().astype(np.int64)
    count = int(labels.max()) + 1
    group_of = np.zeros(count, dtype=np.int64)
    group_of[labels] = groups
    foreign = groups[:, None] != group_of[None] if groups.max() > 0 else None
    for _ in range(rounds):
        middle = centres(points, labels, weights, count)
        distance = (points[:, :1] - middle[None, :, 0]) ** 2
        distance += (points[:, 1:] - middle[None, :, 1]) ** 2
        if foreign is not None:
            distance[foreign] = np.inf
        nearest = np.argmin(distance, axis=1)
        if np.unique(nearest).size < count or np.array_equal(nearest, labels):
            break
        labels = nearest
    return labels


def centres(points: Float, labels: Int, weights: Float, count: int) -> Float:
    """Weighted means of the clusters, (count, dimensions)."""
    mass = np.bincount(labels, weights, count)
    sums = [np.bincount(labels, weights * axis, count) for axis in points.T]
    middle: Float = np.stack(sums, axis=1) / mass[:, None]
    return middle


def squared_error(points: Float, labels: Int, weights: Float) -> float:
    """Weighted squared distance of all points from their centres."""
    middle = centres(points, labels, weights, int(labels.max()) + 1)
    return float((weights[:, None] * (points - middle[labels]) ** 2).sum())
