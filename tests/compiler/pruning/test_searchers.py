"""Searchers find known maxima of a box, start at its start, and are repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava import registry
from hrsnn_lava.compiler.pruning.searcher import Box, Searcher

BOX = Box(np.array([-1.0, 0.0]), np.array([1.0, 4.0]), np.array([0.0, 1.0]))
PEAK = np.array([0.6, 3.1])
#: Of a searcher that needs fewer evaluations for the same.
TRIES = {"bayesian": 15}


def hill(point):
    return -float(((point - PEAK) ** 2).sum())


@pytest.mark.parametrize("name", registry.names("searcher"))
def test_a_known_maximum_is_found(name):
    searcher, tries = registry.load("searcher", name)(), TRIES.get(name, 300)
    found = searcher.maximise(hill, BOX, tries, np.random.Generator(np.random.Philox(key=1)))
    assert found.values.size == len(found.points) == tries
    np.testing.assert_array_equal(found.points[0], BOX.start)
    assert np.all(found.points >= BOX.low)
    assert np.all(found.points <= BOX.high)
    assert hill(found.best) == found.values.max()
    np.testing.assert_allclose(found.best, PEAK, atol=0.2)
    again = registry.load("searcher", name)()
    repeated = again.maximise(hill, BOX, tries, np.random.Generator(np.random.Philox(key=1)))
    np.testing.assert_array_equal(repeated.points, found.points)


def test_one_evaluation_is_the_start():
    searcher = registry.load("searcher", "quasi_random")()
    found = searcher.maximise(hill, BOX, 1, np.random.default_rng(0))
    np.testing.assert_array_equal(found.best, BOX.start)


class Outside(Searcher):
    """Leaves the box, and ends."""

    name = "outside"

    def points(self, box, rng):
        del rng
        yield box.high + 7.0
        yield box.low - 7.0


@pytest.mark.parametrize("wrong", [[np.nan, 1.0], [1.0], np.inf])
def test_points_that_are_none_are_refused(wrong):
    class Wrong(Searcher):
        name = "wrong"

        def points(self, box, rng):
            del box, rng
            yield wrong

    with pytest.raises(ValueError, match=r"points: .*; allowed: \(2,\) finite numbers"):
        Wrong().maximise(hill, BOX, 3, np.random.default_rng(0))


def test_points_stay_in_the_box_and_what_is_not_finite_counts_as_worst():
    values = iter([np.nan, np.inf, -3.0])
    found = Outside().maximise(lambda _: next(values), BOX, 10, np.random.default_rng(0))
    np.testing.assert_array_equal(found.points, [BOX.start, BOX.high, BOX.low])
    np.testing.assert_array_equal(found.values, [-np.inf, -np.inf, -3.0])
    np.testing.assert_array_equal(found.best, BOX.low)


@pytest.mark.once
def test_the_bayesian_searcher_learns_more_than_one_that_does_not():
    """A narrow ridge in four numbers: at 24 evaluations each, the better on every seed."""
    box = Box(np.full(4, -1.0), np.ones(4), np.zeros(4))

    def ridge(point):
        return -float(((point - [0.5, -0.4, 0.2, 0.7]) ** 2 * [9.0, 4.0, 1.0, 1.0]).sum())

    for seed in range(2):
        best = {}
        for name in ("bayesian", "quasi_random"):
            rng = np.random.Generator(np.random.Philox(key=seed))
            found = registry.load("searcher", name)().maximise(ridge, box, 24, rng)
            best[name] = found.values.max()
        assert best["bayesian"] > 0.2 * best["quasi_random"]


def test_the_bayesian_searcher_takes_failures_and_a_box_without_width():
    box = Box(np.array([0.0, 2.0]), np.array([1.0, 2.0]), np.array([0.5, 2.0]))

    def half(point):
        return point[0] if point[0] < 0.6 else np.nan

    rng = np.random.Generator(np.random.Philox(key=0))
    found = registry.load("searcher", "bayesian")().maximise(half, box, 20, rng)
    assert 0.55 < found.best[0] < 0.6
    assert (found.points[:, 1] == 2.0).all()
    rng = np.random.Generator(np.random.Philox(key=0))
    nothing = registry.load("searcher", "bayesian")().maximise(lambda _: np.nan, box, 9, rng)
    assert len(np.unique(nothing.points[:, 0])) == 9
    point = Box(np.ones(2), np.ones(2), np.ones(2))
    assert len(registry.load("searcher", "bayesian")().maximise(half, point, 9, rng).values) == 1
