"""The front, its area, and scalarisation, by definition and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.errors import SpecError
from hrsnn_lava.search.pareto import (
    RHO,
    hypervolume,
    non_dominated,
    scalarised,
    simplex_weights,
)

values = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12).map(
    lambda rows: np.array(rows, dtype=float)
)


@settings(max_examples=40)
@given(values)
def test_the_front_is_what_no_row_dominates(rows):
    front = non_dominated(rows)
    assert front.any()
    for k, row in enumerate(rows):
        better = [
            all(o >= r for o, r in zip(other, row, strict=True))
            and any(o > r for o, r in zip(other, row, strict=True))
            for other in rows
        ]
        assert front[k] == (not any(better))


@settings(max_examples=40)
@given(values)
def test_the_hypervolume_is_the_area_of_cells(rows):
    """On integers, count the unit cells that a row dominates."""
    cells = {(x, y) for a, b in rows.astype(int).tolist() for x in range(a) for y in range(b)}
    assert hypervolume(rows, np.zeros(2)) == len(cells)
    assert hypervolume(rows[non_dominated(rows)], np.zeros(2)) == len(cells)


def test_rows_below_the_reference_add_nothing():
    assert hypervolume(np.array([[3.0, 1.0], [0.5, 9.0]]), np.array([1.0, -1.0])) == 4.0
    assert hypervolume(np.array([[0.0, 5.0]]), np.array([1.0, 0.0])) == 0.0
    assert hypervolume(np.empty((0, 2)), np.zeros(2)) == 0.0
    with pytest.raises(SpecError, match=r"\(2, 3\).*two objectives"):
        hypervolume(np.zeros((2, 3)), np.zeros(2))


def test_the_best_of_a_scalarisation_is_on_the_front_and_all_of_it_can_be_reached():
    rng = np.random.default_rng(0)
    # a front that bends inwards, which weighted sums never reach
    t = np.linspace(0.05, 0.95, 19)
    front = np.column_stack([t, (1 - np.sqrt(t)) ** 2])
    rows = np.concatenate([front, front - rng.uniform(0.01, 0.3, front.shape)])
    assert non_dominated(rows)[:19].all()
    best = {int(np.argmax(scalarised(rows, simplex_weights(2, rng)))) for _ in range(4000)}
    assert best <= set(range(19))
    assert len(best) >= 15
    sums = {int(np.argmax(rows @ simplex_weights(2, rng))) for _ in range(500)}
    assert len(sums) <= 2


def test_scalarisation_by_hand():
    rows = np.array([[0.0, 40.0], [2.0, 20.0], [1.0, 20.0]])
    got = scalarised(rows, np.array([0.25, 0.75]))
    expected = [0.0 + RHO * 0.75, 0.0 + RHO * 0.25, 0.0 + RHO * 0.125]
    np.testing.assert_allclose(got, expected)
    flat = scalarised(np.array([[1.0, 5.0], [2.0, 5.0]]), np.array([0.5, 0.5]))
    assert flat[1] > flat[0]


def test_weights_are_even_over_the_simplex():
    rng = np.random.default_rng(1)
    drawn = np.array([simplex_weights(3, rng) for _ in range(4000)])
    np.testing.assert_allclose(drawn.sum(1), 1.0)
    np.testing.assert_allclose(drawn.mean(0), 1 / 3, atol=0.02)
    # a coordinate of a flat Dirichlet distribution of 3 is Beta(1, 2)
    np.testing.assert_allclose((drawn < 0.25).mean(0), 1 - 0.75**2, atol=0.03)
