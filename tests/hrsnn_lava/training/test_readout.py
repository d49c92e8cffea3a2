"""Fitting and choosing the readout."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.readout import (
    Readout,
    ReadoutFitter,
    ReadoutOptions,
    products,
    select_readout,
)

LINEAR = ReadoutOptions(balance=False, products=False)


def data(n: int = 40, n_features: int = 90) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, n_features)), rng.normal(size=(n, 3))


def fitter_of(x: NDArray[np.float64], y: NDArray[np.float64]) -> ReadoutFitter:
    return ReadoutFitter(x, y, y, options=LINEAR)


def test_products_of_all_pairs() -> None:
    np.testing.assert_array_equal(products(np.array([2.0, 3.0, 5.0])), [4, 6, 10, 9, 15, 25])
    assert products(np.ones((4, 7, 2))).shape == (4, 7, 3)


def test_a_quadratic_map_of_a_noisy_code_is_learned_and_extrapolated() -> None:
    """u is spread over 200 noisy channels; increments are a quadratic form of it.

    Training values lie in [-1, 1], those to predict in [1, 2]: only products get there.
    """
    rng = np.random.default_rng(0)
    code = rng.normal(size=(2, 200))

    def features(u: NDArray[np.float64]) -> NDArray[np.float64]:
        return u @ code + 0.01 * rng.normal(size=(len(u), 200))

    def increments(u: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = u.T
        return np.stack([x * y - 0.5 * x, x * x - y * y + y], axis=1)

    u, new = rng.uniform(-1, 1, (300, 2)), rng.uniform(1, 2, (50, 2))
    errors = {}
    for with_products in (True, False):
        options = ReadoutOptions(products=with_products, decoder_alpha=1e-6)
        readout = ReadoutFitter(features(u), u, increments(u), options=options).fit(1e-6)
        errors[with_products] = np.abs(readout.predict(features(new)) - increments(new)).max()
        assert set(readout.arrays()) == {"weights", "offset"} | (
            {"decoder_weights", "decoder_offset", "product_weights"} if with_products else set()
        )
    assert errors[True] < 0.05
    assert errors[False] > 1.0


def test_the_joint_fit_is_ridge_on_features_and_scaled_products() -> None:
    """Both stages in primal form, written out."""
    x, y = data(60, 20)
    u = np.random.default_rng(1).normal(size=(60, 2))

    def primal(
        features: NDArray[np.float64], targets: NDArray[np.float64], alpha: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        xc, yc = features - features.mean(axis=0), targets - targets.mean(axis=0)
        penalty = alpha * np.trace(xc @ xc.T) / 60
        w = np.linalg.solve(xc.T @ xc + penalty * np.eye(xc.shape[1]), xc.T @ yc)
        return w, targets.mean(axis=0) - features.mean(axis=0) @ w

    decoder, offset = primal(x, u, 1e-2)
    q = x @ decoder + offset
    made = np.stack([q[:, 0] ** 2, q[:, 0] * q[:, 1], q[:, 1] ** 2], axis=1)
    joint = np.concatenate([x, made * 5.0 / made.std(axis=0).mean()], axis=1)
    weights, offset = primal(joint, y, 1e-3)
    options = ReadoutOptions(balance=False, decoder_alpha=1e-2, product_sd=5.0)
    readout = ReadoutFitter(x, u, y, options=options).fit(1e-3)
    np.testing.assert_allclose(readout.predict(x), joint @ weights + offset, rtol=1e-7, atol=1e-9)


def test_balance_makes_the_unit_of_a_kind_irrelevant() -> None:
    """Two kinds of 10 features; the second in another unit, and one kind that never varies."""
    x, y = data(60, 30)
    x[:, 20:] = 0.0
    other = x * np.repeat([1.0, 1e3, 1.0], 10)
    options = ReadoutOptions(products=False)
    one, two = (ReadoutFitter(f, y, y, 3, options).fit(1e-2) for f in (x, other))
    np.testing.assert_allclose(one.predict(x), two.predict(other), rtol=1e-9)
    np.testing.assert_array_equal(one.weights[20:], 0.0)
    unbalanced = fitter_of(other, y).fit(1e-2)
    assert not np.allclose(unbalanced.predict(other), two.predict(other), rtol=1e-2)


def test_fit_is_the_primal_solution() -> None:
    x, y = data(60, 20)
    xc, yc = x - x.mean(axis=0), y - y.mean(axis=0)
    penalty = 1e-3 * np.trace(xc @ xc.T) / 60
    primal = np.linalg.solve(xc.T @ xc + penalty * np.eye(20), xc.T @ yc)
    readout = fitter_of(x, y).fit(1e-3)
    np.testing.assert_allclose(readout.weights, primal, rtol=1e-8)
    np.testing.assert_allclose(readout.predict(x), xc @ primal + y.mean(axis=0), rtol=1e-8)
    assert readout.n_features == 20
    assert readout.alpha == 1e-3


def test_rows_left_out_do_not_matter() -> None:
    x, y = data()
    keep = np.arange(40) % 4 != 0
    before = fitter_of(x, y).fit(1e-4, keep)
    changed = np.where(keep[:, None], y, 1e6)
    after = fitter_of(x, changed).fit(1e-4, keep)
    np.testing.assert_allclose(before.weights, after.weights, rtol=1e-12)


def test_selection_takes_the_least_loss_and_refits_on_all_rows() -> None:
    x, y = data()
    fitter = ReadoutFitter(x, y, y)
    keep = np.arange(40) < 30
    losses = {1e-5: 2.0, 1e-4: 1.0, 1e-3: float("nan")}
    seen: list[Readout] = []

    def loss(readout: Readout) -> float:
        seen.append(readout)
        return losses[readout.alpha]

    chosen, tried = select_readout(fitter, keep, tuple(losses), loss)
    assert chosen.alpha == 1e-4
    assert tried == {1e-5: 2.0, 1e-4: 1.0, 1e-3: np.inf}
    np.testing.assert_array_equal(chosen.weights, fitter.fit(1e-4).weights)
    np.testing.assert_array_equal(seen[1].weights, fitter.fit(1e-4, keep).weights)


def test_without_a_loss_the_first_penalty_is_taken() -> None:
    x, y = data()
    fitter = fitter_of(x, y)
    chosen, tried = select_readout(fitter, np.ones(40, bool), (1e-2,), None)
    assert (chosen.alpha, tried) == (1e-2, {})
    chosen, tried = select_readout(fitter, np.arange(40) < 30, (1e-2,), lambda _: 4.0)
    assert (chosen.alpha, tried) == (1e-2, {1e-2: 4.0})


def test_options_report_all_faults_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        ReadoutOptions(
            alphas=(0.0,),
            validation_windows=-1,
            validation_length=0,
            decoder_alpha=0.0,
            product_sd=0.0,
        )
    assert len(caught.value.problems) == 5
    with pytest.raises(SpecError, match="validation_windows: 0; allowed: >= 1 with 2 penalties"):
        ReadoutOptions(alphas=(1e-3, 1e-2), validation_windows=0)
