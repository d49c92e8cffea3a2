"""Refitted weights: against least squares of SciPy and NumPy on traces, and by their properties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import nnls

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.pruning.refit import nonnegative_minimum, refit_weights
from hrsnn_lava.compiler.pruning.rescale import Rescale, rescale_gains
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import Network


def edges_of(weights: NDArray[Any]) -> RecurrentEdges:
    post, pre = np.nonzero(weights)
    bounds = np.array([0, post.size])
    return RecurrentEdges(len(weights), post, pre, weights[post, pre], ("r",), bounds)


def dale(n: int, rng: np.random.Generator, density: float = 0.6) -> NDArray[Any]:
    """Weights whose columns have one sign."""
    signs = np.where(np.arange(n) < 0.7 * n, 1.0, -1.0)
    weights: NDArray[Any] = rng.gamma(2.0, 0.5, (n, n)) * signs * (rng.random((n, n)) < density)
    return weights


def centred(steps: int, n: int, rng: np.random.Generator) -> NDArray[Any]:
    """Traces that are correlated, (steps, n), of mean 0."""
    rows = rng.normal(size=(steps, n)) @ rng.normal(size=(n, n)) + rng.normal(size=(steps, n))
    rows -= rows.mean(axis=0)
    return rows


@settings(max_examples=80, deadline=None)
@given(n=st.integers(0, 25), rank=st.integers(1, 40), seed=st.integers(0, 2**20))
def test_the_minimum_is_that_of_scipy(n: int, rank: int, seed: int) -> None:
    """||A u - b||^2 + ridge |u|^2 as one least-squares problem, for SciPy's active sets."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(rank, n)), rng.normal(size=rank)
    ridge = 10.0 ** rng.uniform(-6, 1)
    found = nonnegative_minimum(a.T @ a + ridge * np.eye(n), a.T @ b)
    if n:
        rows = np.vstack([a, np.sqrt(ridge) * np.eye(n)])
        truth, _ = nnls(rows, np.concatenate([b, np.zeros(n)]))
        np.testing.assert_allclose(found, truth, atol=1e-6 * max(1.0, np.abs(truth).max()))
    assert (found >= 0).all()
    gradient = a.T @ (a @ found - b) + ridge * found
    scale = max(1.0, float(np.abs(a.T @ b).max(initial=0.0)))
    assert (gradient >= -1e-9 * scale).all()
    assert np.abs(gradient * found).max(initial=0.0) < 1e-8 * scale * max(1.0, found.max(initial=0))


def test_extremes_of_the_minimum() -> None:
    np.testing.assert_array_equal(nonnegative_minimum(np.eye(3), -np.ones(3)), 0.0)
    np.testing.assert_array_equal(nonnegative_minimum(np.eye(2), np.array([2.0, 0.0])), [2.0, 0.0])
    with pytest.raises(SpecError, match="not positive definite"):
        nonnegative_minimum(np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones(2))


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_those_of_a_regression_on_the_traces(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, ridge = 12, 0.01
    weights, rows = dale(n, rng), centred(300, n, rng)
    c = rows.T @ rows / len(rows)
    before = edges_of(weights)
    keep = rng.random(before.n_edges) < 0.4
    after = before.select(keep)
    found, report = refit_weights(before, after, c, ridge)
    damping = ridge * np.trace(c) / n
    current, kept, free = rows @ weights.T, 0.0, 0
    for neuron in range(n):
        own = np.flatnonzero(after.post == neuron)
        signs = np.sign(after.weight[own])
        table = np.vstack([rows[:, after.pre[own]] * signs, np.eye(own.size)])
        table[len(rows) :] *= np.sqrt(damping * len(rows))
        target = np.concatenate([current[:, neuron], np.zeros(own.size)])
        if own.size:
            np.testing.assert_allclose(found[own], signs * nnls(table, target)[0], atol=1e-7)
            plain = np.linalg.lstsq(table, target, rcond=None)[0]
            if (plain >= 0).all():
                free += 1
                np.testing.assert_allclose(found[own], signs * plain, atol=1e-7)
        left = current[:, neuron] - rows[:, after.pre[own]] @ found[own]
        kept += current[:, neuron].var() - left.var()
    assert report["variance_kept"] == pytest.approx(kept / current.var(axis=0).sum())
    assert report["variance_kept_unscaled"] < report["variance_kept"] < 1.0
    assert report["synapses_zeroed"] == np.count_nonzero(found == 0.0)
    assert free > 0 or seed  # the regression without bounds was compared as well


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1), seed=st.integers(0, 2**20), steps=st.integers(2, 60))
def test_signs_stay_and_no_other_weights_do_better(share: float, seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    n, ridge = 8, 10.0 ** rng.uniform(-4, 0)
    weights, rows = dale(n, rng), centred(steps, n, rng)
    rows[:, rng.random(n) < 0.2] = 0.0  # silent
    c = rows.T @ rows / steps
    before = edges_of(weights)
    after = before.select(rng.random(before.n_edges) < share)
    found, report = refit_weights(before, after, c, ridge)
    assert (found * np.sign(after.weight) >= 0).all()
    silent = c.diagonal()[after.pre] == 0
    np.testing.assert_array_equal(found[silent], after.weight[silent])
    assert report["synapses_of_silent"] == silent.sum()

    def cost(values: NDArray[Any]) -> float:
        lost = weights.copy()
        lost[after.post, after.pre] -= values
        damping = ridge * np.trace(c) / n
        return float(np.einsum("ij,jk,ik->", lost, c, lost) + damping * (values**2).sum())

    best = cost(found)
    for other in (after.weight, 1.1 * found, 0.9 * found, found + 0.01 * after.weight):
        moved = np.where(silent, found, other)
        assert best <= cost(moved) + 1e-9 * max(1.0, cost(moved))


def test_with_every_input_the_weights_are_what_they_were() -> None:
    rng = np.random.default_rng(1)
    weights, rows = dale(10, rng), centred(2000, 10, rng)
    edges = edges_of(weights)
    keep = np.ones(edges.n_edges, dtype=np.bool_)
    options, c = Rescale("refit", ridge=1e-12), rows.T @ rows / 2000
    gain, report = rescale_gains(edges, keep, options, covariance=c)
    np.testing.assert_allclose(gain, 1.0, atol=1e-6)
    assert report["variance_kept"] == pytest.approx(1.0)
    assert (report["mode"], report["synapses_zeroed"]) == ("refit", 0)


def test_one_of_two_that_say_the_same_takes_over_the_weight_of_both() -> None:
    """By hand: traces of two senders are equal, of the third half of the opposite."""
    trace = np.array([1.0, -1.0, 2.0, -2.0])
    rows = np.stack([trace, trace, -0.5 * trace, np.zeros(4)], axis=1)
    weights = np.zeros((4, 4))
    weights[3] = [0.3, 0.5, 0.4, 0.0]
    edges, c = edges_of(weights), rows.T @ rows / 4
    only = np.array([True, False, False])
    options = Rescale("refit", ridge=1e-9)
    gain, _ = rescale_gains(edges, only, options, covariance=c)
    np.testing.assert_allclose(gain, [(0.3 + 0.5 - 0.2) / 0.3, 1.0, 1.0])
    # the third alone would have to be negative, and goes
    gain, report = rescale_gains(edges, np.array([False, False, True]), options, covariance=c)
    np.testing.assert_array_equal(gain, [1.0, 1.0, 0.0])
    assert (report["synapses_zeroed"], report["variance_kept"]) == (1, 0.0)


def test_nothing_to_refit() -> None:
    none = edges_of(np.zeros((3, 3)))
    weight, report = refit_weights(none, none, np.zeros((3, 3)), 1e-3)
    assert (weight.size, report["variance_kept"]) == (0, 1.0)
    quiet = edges_of(np.eye(3))
    weight, report = refit_weights(quiet, quiet, np.zeros((3, 3)), 1e-3)
    np.testing.assert_array_equal(weight, 1.0)
    assert (report["variance_kept"], report["synapses_of_silent"]) == (1.0, 3)


RATES = np.random.default_rng(0).uniform(0.01, 0.1, 100)


def observed(seed: int = 0) -> Context:
    rows = centred(500, 100, np.random.default_rng(seed))
    return Context(observed=Observed(RATES, covariance=rows.T @ rows / 500), seed=seed)


@pytest.mark.parametrize("method", ["activity", "balanced", "lyapunov", "magnitude", "random"])
def test_every_method_can_refit(method: str, balanced: Network) -> None:
    """Weights of 0 are no synapses any more, and counted as such."""
    options = registry.load("pruning", method)(density=0.2, rescale="refit")
    assert options.needs_covariance
    assert not registry.load("pruning", method)(density=0.2).needs_covariance
    pruned, report = options.apply(balanced, observed())
    edges = recurrent_edges(pruned)
    assert (edges.weight != 0).all()
    zeroed = report["rescale"]["synapses_zeroed"]
    assert report["synapses_after"] == report["budget"]["spent"] == edges.n_edges
    if method != "lyapunov":  # whose number of synapses is drawn, too
        assert edges.n_edges == report["budget"]["allowed"] - zeroed
    if method not in ("activity", "magnitude"):  # large weights seldom have the wrong sign
        assert zeroed > 0
    for projection in pruned.projections:
        if projection.pre in ("exc", "inh"):
            sign = 1 if projection.pre == "exc" else -1
            assert (sign * projection.weights.data > 0).all()
    unscaled = report["rescale"]["variance_kept_unscaled"]
    assert unscaled < report["rescale"]["variance_kept"] <= 1.0
    with pytest.raises(SpecError, match=r"covariance: not known; allowed: \(100, 100\)"):
        options.apply(balanced, Context(observed=Observed(RATES)))


def test_the_result_does_not_depend_on_threads(balanced: Network) -> None:
    from threadpoolctl import threadpool_limits

    found, seen = [], observed()
    for threads in (1, 2):
        with threadpool_limits(threads):
            options = registry.load("pruning", "magnitude")(density=0.5, rescale="refit")
            found.append(recurrent_edges(options(balanced, seen)).weight.tobytes())
    assert found[0] == found[1]


def test_a_ridge_is_positive() -> None:
    with pytest.raises(SpecError, match=r"ridge: 0\.0; allowed: > 0"):
        Rescale("refit", ridge=0.0)


@pytest.mark.parametrize("wrong", [np.triu(np.ones((100, 100))), -np.eye(100)])
def test_what_is_no_covariance_is_refused(balanced: Network, wrong: NDArray[Any]) -> None:
    seen = Context(observed=Observed(RATES, covariance=wrong))
    options = registry.load("pruning", "magnitude")(density=0.5, rescale="refit")
    with pytest.raises(SpecError, match="covariance: not symmetric, or with variances < 0"):
        options.apply(balanced, seen)
