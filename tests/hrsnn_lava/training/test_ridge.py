"""Ridge regression against the normal equations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.ridge import DualRidge, PrimalRidge, ridge

Floats = NDArray[np.float64]


def normal_equations(x: Floats, y: Floats, alpha: float) -> tuple[Floats, Floats]:
    """The primal solution, written out: (X_c^T X_c + lambda I)^-1 X_c^T Y_c."""
    xc, yc = x - x.mean(axis=0), y - y.mean(axis=0)
    penalty = alpha * np.trace(xc @ xc.T) / len(x)
    weights = np.linalg.solve(xc.T @ xc + penalty * np.eye(x.shape[1]), xc.T @ yc)
    return weights, y.mean(axis=0) - x.mean(axis=0) @ weights


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(5, 40),
    n_features=st.integers(1, 60),
    exponent=st.floats(-4, 1),
    seed=st.integers(0, 1000),
)
def test_both_forms_solve_the_normal_equations(
    n: int, n_features: int, exponent: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, n_features)) + 3.0
    y = rng.normal(size=(n, 2))
    alpha = 10.0**exponent
    weights, offset = normal_equations(x, y, alpha)
    forms = [form(x).fit(np.arange(n), y, alpha) for form in (DualRidge, PrimalRidge)]
    for fitted in (ridge(x, y, alpha), *forms):
        np.testing.assert_allclose(fitted.weights, weights, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(fitted.offset, offset, rtol=1e-6, atol=1e-7)


def test_a_subset_of_rows_is_as_if_the_others_were_not_there() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(50, 80)), rng.normal(size=(50, 3))
    rows = np.flatnonzero(rng.random(50) < 0.5)
    for form in (DualRidge, PrimalRidge):
        search = form(x)
        search.fit(np.arange(50), y, 1e-2)  # leaves nothing behind
        subset = search.fit(rows, y[rows], 1e-3)
        alone = form(x[rows]).fit(np.arange(len(rows)), y[rows], 1e-3)
        np.testing.assert_allclose(subset.weights, alone.weights, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(subset.offset, alone.offset, rtol=1e-8, atol=1e-12)


def test_weak_penalty_finds_the_line() -> None:
    x = np.linspace(-1, 1, 20)[:, None]
    fitted = ridge(x, 3.0 * x + 7.0, 1e-12)
    np.testing.assert_allclose(fitted.weights, [[3.0]], rtol=1e-9)
    np.testing.assert_allclose(fitted(np.array([2.0])), [13.0], rtol=1e-9)


def test_strong_penalty_leaves_the_mean() -> None:
    """The intercept carries no penalty."""
    x = np.random.default_rng(0).normal(size=(20, 40))
    fitted = ridge(x, np.full((20, 1), 5.0) + x[:, :1], 1e12)
    np.testing.assert_allclose(fitted(x), 5.0 + x[:, 0].mean(), atol=1e-6)


def test_the_penalty_does_not_depend_on_the_unit() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(20, 40)), rng.normal(size=(20, 1))
    one, thousand = ridge(x, y, 1e-2), ridge(1000 * x, y, 1e-2)
    np.testing.assert_allclose(one(x), thousand(1000 * x), rtol=1e-9)


def test_constant_features_give_the_mean() -> None:
    for n_features in (3, 30):
        fitted = ridge(np.ones((10, n_features)), np.arange(10.0)[:, None], 1e-4)
        np.testing.assert_allclose(fitted.weights, 0.0, atol=1e-12)
        np.testing.assert_allclose(fitted(np.ones(n_features)), 4.5)


def test_errors() -> None:
    x, y = np.ones((5, 2)), np.ones((5, 1))
    with pytest.raises(SpecError, match=r"alpha: 0\.0; allowed: > 0"):
        ridge(x, y, 0.0)
    with pytest.raises(SpecError, match="targets: 4 rows; allowed: 5"):
        ridge(x, y[:4], 1.0)
    with pytest.raises(SpecError, match="rows: 1"):
        ridge(x[:1], y[:1], 1.0)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e15])
def test_features_that_are_the_same_in_all_rows_give_the_mean(scale):
    """Centring leaves rounding of them, of either sign, which no penalty relative to it covers."""
    features = np.tile(scale * np.random.default_rng(0).random(400), (40, 1))
    targets = np.eye(3)[np.arange(40) % 3]
    fitted = DualRidge(features).fit(np.arange(40), targets, 1e-4)
    np.testing.assert_allclose(fitted(features), np.tile(targets.mean(axis=0), (40, 1)), atol=1e-9)


def test_small_changes_of_large_features_are_not_taken_for_rounding():
    rng = np.random.default_rng(1)
    change = rng.standard_normal((60, 80))
    targets = change[:, :2]
    fitted = DualRidge(1e4 + change).fit(np.arange(60), targets, 1e-8)
    np.testing.assert_allclose(fitted(1e4 + change), targets, atol=1e-3)
