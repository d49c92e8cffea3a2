"""Clustering of synapses into profiles, and the grids of amplitudes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava.compiler.learning.lowering import nearest_tag, plain_grid, tag_grid
from hrsnn_lava.compiler.learning.profiles import assign, cluster_points


def test_few_distinct_points_are_kept_exactly():
    points = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])
    labels, centres = cluster_points(points, 2, 0.0)
    np.testing.assert_array_equal(centres[labels], points)


def test_separate_groups_are_found():
    rng = np.random.default_rng(0)
    middle = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 7.0], [9.0, 9.0]])
    points = np.repeat(middle, 100, axis=0) + rng.normal(0, 0.1, (400, 2))
    labels, centres = cluster_points(points, 4, 0.0)
    assert centres.shape == (4, 2)
    assert all(np.unique(labels[k : k + 100]).size == 1 for k in range(0, 400, 100))
    assert np.abs(np.sort(centres, axis=0) - np.sort(middle, axis=0)).max() < 0.05


def test_more_profiles_leave_less_error_and_the_tolerance_ends_it():
    points = np.log(np.random.default_rng(1).gamma(3, 1 / 3, (20_000, 2)))
    errors = []
    for limit in (1, 2, 4, 8, 16):
        labels, centres = cluster_points(points, limit, 0.0)
        assert centres.shape[0] == limit
        errors.append(np.abs(points - centres[labels]).mean())
    assert errors == sorted(errors, reverse=True)
    assert errors[3] < 0.55 * errors[0]
    labels, centres = cluster_points(points, 64, 0.3)
    assert centres.shape[0] < 16
    assert np.abs(points - centres[labels]).mean(axis=0).max() <= 0.32


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_labels_are_dense_and_nearest(n, limit, seed):
    points = np.random.default_rng(seed).integers(0, 6, (n, 2)).astype(float)
    labels, centres = cluster_points(points, limit, 0.0)
    assert centres.shape[0] <= limit
    assert np.unique(labels).tolist() == list(range(centres.shape[0]))
    if np.unique(points, axis=0).shape[0] <= limit:
        np.testing.assert_array_equal(assign(points, centres), labels)


@given(st.floats(1.0, 1000.0), st.integers(16, 127))
def test_the_grid_of_a_profile_is_fine(wanted, impulse):
    height, m, e = plain_grid(wanted, impulse)
    assert 1 <= m <= 7
    assert -7 <= e <= 8
    assert impulse // 2 < height <= impulse
    assert height * m * 2.0**e == pytest.approx(wanted, rel=0.5 / (impulse // 2))


def test_amplitudes_below_the_grid_take_a_smaller_impulse():
    assert plain_grid(3 / 128, 31) == (3, 1, -7)
    assert plain_grid(0.0, 31) == (31, 0, 0)


def test_tags_reach_the_largest_amplitude_and_use_their_bits():
    wanted = np.array([0.2, 1.0, 3.0])
    (impulse, m, e), table = tag_grid(wanted, 20.0, 1, 31, slice(0, 1))
    assert np.all(np.diff(table) >= 0)
    assert table[0] == 0.0
    assert table[254] == (impulse * m * 254 // 32) * 2.0**e
    assert 3.0 <= table[255] < 2 * 3.0
    chosen = nearest_tag(table, wanted)
    np.testing.assert_allclose(table[chosen], wanted, atol=np.diff(table).max() / 2)
    assert chosen[2] > 127


def best_of_restarts(points, k, rng, restarts=10, rounds=40):
    """Mean square error of the best of many k-means, written anew."""
    errors = []
    for _ in range(restarts):
        centres = points[rng.permutation(len(points))[:k]]
        for _ in range(rounds):
            labels = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
            groups = [points[labels == j] for j in range(k)]
            centres = np.array(
                [g.mean(axis=0) if len(g) else c for g, c in zip(groups, centres, strict=True)]
            )
        errors.append(((points[:, None] - centres) ** 2).sum(axis=2).min(axis=1).mean())
    return min(errors)


@pytest.mark.parametrize("k", [2, 3, 8])
def test_clusters_are_near_the_best_of_many_restarts(k):
    rng = np.random.default_rng(5)
    points = np.log(rng.gamma(3.0, 1 / 3, (600, 2)))
    labels, centres = cluster_points(points, k, 0.0)
    found = ((points - centres[labels]) ** 2).sum(axis=1).mean()
    assert found <= 1.06 * best_of_restarts(points, k, rng)
