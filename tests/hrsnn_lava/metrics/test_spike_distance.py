"""Distances of spike trains against closed forms, brute force and the axioms of a metric."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.spike_distance import spike_distance, van_rossum, victor_purpura

trains = st.lists(st.integers(0, 60), max_size=8, unique=True).map(sorted)


def test_one_spike_against_silence_is_one_half():
    assert van_rossum([3.0], []) == pytest.approx(0.5)
    assert victor_purpura([3.0], []) == 1.0


@given(st.floats(0.0, 200.0), st.floats(0.5, 50.0))
def test_two_single_spikes_have_the_closed_form(apart, tau):
    expected = 1.0 - np.exp(-apart / tau)  # van Rossum 2001, a spike moved by `apart`
    assert van_rossum([5.0], [5.0 + apart], tau) == pytest.approx(expected, abs=1e-12)
    assert victor_purpura([5.0], [5.0 + apart], 2.0 / tau) == pytest.approx(
        min(2.0, 2.0 * apart / tau)
    )


@given(trains, trains, st.floats(0.5, 30.0))
def test_van_rossum_is_the_integral(a, b, tau):
    # between spikes the difference is one exponential: its squared integral is exact
    edges = sorted({*a, *b})
    total, level = 0.0, 0.0
    for at, until in zip(edges, [*edges[1:], None][: len(edges)], strict=True):
        level += (at in a) - (at in b)
        left = 0.0 if until is None else np.exp(-(until - at) / tau)
        total += level**2 * tau / 2.0 * (1.0 - left**2)
        level *= left
    assert van_rossum(a, b, tau) == pytest.approx(total / tau, abs=1e-9)


def edit_distance(a, b, q):
    """Victor and Purpura's recursion as it is written."""

    @lru_cache(None)
    def cost(i, j):
        if i == 0 or j == 0:
            return float(i + j)
        moved = cost(i - 1, j - 1) + q * abs(a[i - 1] - b[j - 1])
        return min(cost(i - 1, j) + 1.0, cost(i, j - 1) + 1.0, moved)

    return cost(len(a), len(b))


@given(trains, trains, st.floats(0.0, 3.0))
def test_victor_purpura_is_the_recursion(a, b, q):
    assert victor_purpura(a, b, q) == pytest.approx(edit_distance(tuple(a), tuple(b), q))


@given(trains, trains, trains)
def test_both_are_metrics(a, b, c):
    for distance in (lambda x, y: np.sqrt(van_rossum(x, y, 7.0)), victor_purpura):
        assert distance(a, a) == pytest.approx(0.0, abs=1e-6)
        assert distance(a, b) == pytest.approx(distance(b, a))
        assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-6


def test_without_a_cost_of_time_only_counts_differ():
    assert victor_purpura([1, 2, 3], [50], 0.0) == 2.0


def test_shares_of_a_population():
    equal = ([0, 4], [0, 1])
    assert spike_distance(equal, equal, 2)["van_rossum"] == 0.0
    apart = spike_distance(([0], [0]), ([0], [1]), 2)
    assert apart["van_rossum"] == apart["victor_purpura"] == 1.0
    nothing = ([], [])
    assert spike_distance(nothing, nothing, 3)["van_rossum"] is None
    far = spike_distance(([0], [0]), ([10_000], [0]), 1, tau=5.0)
    assert far["van_rossum"] == pytest.approx(1.0)
    assert far["q_per_step"] == pytest.approx(0.4)


def test_scales_out_of_range_are_refused():
    with pytest.raises(SpecError, match=r"tau: 0\.0; allowed: > 0"):
        van_rossum([1], [2], 0.0)
    with pytest.raises(SpecError, match=r"q: -1\.0; allowed: >= 0"):
        victor_purpura([1], [2], -1.0)
