"""Clusters in the plane."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.compiler.palettes.plane_clusters import (
    cluster_2d,
    drawn_start,
    refine,
    squared_error,
)
from hrsnn_lava.seeding import generator


def test_separate_heaps_are_found() -> None:
    rng = np.random.default_rng(0)
    corners = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0], [4.0, 4.0]])
    points = np.repeat(corners, 20, axis=0) + rng.normal(0, 0.1, (100, 2))
    none = np.zeros(100, dtype=np.int64)
    labels = cluster_2d(points, none, np.ones(100), 5, restarts=3, rng=generator(0, "t"))
    assert all(np.unique(labels[20 * c : 20 * c + 20]).size == 1 for c in range(5))
    assert np.unique(labels).size == 5


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60), limit=st.integers(3, 12))
def test_restarts_never_lose_and_groups_never_mix(seed, n, limit) -> None:
    rng = np.random.default_rng(seed)
    points, weights = rng.normal(size=(n, 2)), rng.uniform(0.1, 2.0, n)
    groups = np.unique(rng.integers(0, 3, n), return_inverse=True)[1]
    once = cluster_2d(points, groups, weights, limit)
    more = cluster_2d(points, groups, weights, limit, restarts=4, rng=generator(1, "t"))
    again = cluster_2d(points, groups, weights, limit, restarts=4, rng=generator(1, "t"))
    assert np.array_equal(more, again)
    assert squared_error(points, more, weights) <= squared_error(points, once, weights) + 1e-12
    for labels in (once, more):
        assert np.unique(labels).size <= limit
        assert all(np.unique(groups[labels == c]).size == 1 for c in np.unique(labels))


def test_refining_never_raises_the_error() -> None:
    rng = np.random.default_rng(5)
    points, weights = rng.normal(size=(80, 2)), np.ones(80)
    none = np.zeros(80, dtype=np.int64)
    start = drawn_start(points, none, weights, 7, rng)
    errors = [
        squared_error(points, refine(points, none, weights, start, r), weights) for r in range(6)
    ]
    assert (np.diff(errors) <= 1e-12).all()
