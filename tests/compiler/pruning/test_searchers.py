"""Searchers find known maxima of a box, start at its start, and are repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava import registry
from hrsnn_lava.compiler.pruning.searcher import Box, Searcher

BOX = Box(np.array([-1.0, 0.0]), np.array([1.0, 4.0]), np.array([0.0, 1.0]))
PEAK = np.array([0.6, 3.1])


def hill(point):
    return -float(((point - PEAK) ** 2).sum())


@pytest.mark.parametrize("name", registry.names("searcher"))
def test_a_known_maximum_is_found(name):
    searcher = registry.load("searcher", name)()
    found = searcher.maximise(hill, BOX, 300, np.random.Generator(np.random.Philox(key=1)))
    assert found.values.size == len(found.points) == 300
    np.testing.assert_array_equal(found.points[0], BOX.start)
    assert np.all(found.points >= BOX.low)
    assert np.all(found.points <= BOX.high)
    assert hill(found.best) == found.values.max()
    np.testing.assert_allclose(found.best, PEAK, atol=0.2)
    again = registry.load("searcher", name)()
    repeated = again.maximise(hill, BOX, 300, np.random.Generator(np.random.Philox(key=1)))
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
