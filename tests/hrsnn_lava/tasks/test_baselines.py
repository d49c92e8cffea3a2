"""Baselines on series whose answer is known, and their place on Lorenz-63."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hrsnn_lava.errors import SpecError
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.baselines import (
    AutoregressionOptions,
    ESNOptions,
    NVAROptions,
    Persistence,
    fit_autoregression,
    fit_esn,
    fit_nvar,
    spectral_radius,
)
from hrsnn_lava.tasks.series.lorenz63 import Lorenz63System
from hrsnn_lava.tasks.series.windows import (
    Layout,
    System,
    closed_loop,
    evaluate,
    one_step,
    split_series,
)

LORENZ = [Lorenz63System().series(generator(seed, "task")) for seed in range(4)]


def test_persistence_scores_the_increments() -> None:
    series = LORENZ[0]
    scores = evaluate(Persistence(), series)
    for window, got in zip(series.windows, scores.one_step_nrmse, strict=True):
        path = np.vstack([window.context[-1:], window.truth])
        increments = np.diff(path, axis=0) / series.error_scale
        assert got == pytest.approx(np.sqrt(np.mean(increments**2)), rel=1e-12)
        np.testing.assert_array_equal(
            closed_loop(Persistence(), window),
            np.broadcast_to(window.context[-1], window.truth.shape),
        )


def test_autoregression_continues_a_sine() -> None:
    """sin obeys u(t+1) = 2 cos(w) u(t) - u(t-1): two lags say all there is to say."""
    t = np.arange(300)
    layout = Layout(200, (200,), context=10, horizon=100)
    series = split_series(np.sin(0.3 * t)[:, None], System("sine", 1.0), layout)
    fitted = fit_autoregression(series.train, AutoregressionOptions(lags=2, alpha=1e-13))
    assert evaluate(fitted, series).rmse[0] < 1e-6


def test_nvar_continues_a_logistic_map() -> None:
    """u(t+1) = 3.9 u (1 - u) is quadratic in one lag, a linear model cannot follow it."""
    u = [0.4]
    for _ in range(249):
        u.append(3.9 * u[-1] * (1 - u[-1]))
    layout = Layout(200, (200,), context=5, horizon=20)
    series = split_series(np.array(u)[:, None], System("logistic", 1.0), layout)
    nvar = fit_nvar(series.train, NVAROptions(lags=1, alpha=1e-14))
    linear = fit_autoregression(series.train, AutoregressionOptions(lags=1))
    np.testing.assert_allclose(
        one_step(nvar, series.windows[0]), series.windows[0].truth, atol=1e-9
    )
    assert evaluate(linear, series).one_step_nrmse[0] > 0.5


def test_delay_forecaster_forgets_on_reset() -> None:
    fitted = fit_autoregression(LORENZ[0].train)
    window = LORENZ[0].windows[1]
    np.testing.assert_array_equal(closed_loop(fitted, window), closed_loop(fitted, window))


def test_order_on_lorenz63() -> None:
    """Persistence < linear < echo state network and quadratic model (long known on this flow)."""
    scored = {
        "persistence": [evaluate(Persistence(), s) for s in LORENZ],
        "ar": [evaluate(fit_autoregression(s.train), s) for s in LORENZ],
        "nvar": [evaluate(fit_nvar(s.train), s) for s in LORENZ],
        "esn": [
            evaluate(fit_esn(s.train, generator(k, "esn"), ESNOptions(size=200)), s)
            for k, s in enumerate(LORENZ)
        ],
    }
    one = {n: np.mean([s.mean_one_step_nrmse for s in column]) for n, column in scored.items()}
    vpt = {name: np.mean([s.mean_vpt(0.1) for s in column]) for name, column in scored.items()}
    assert one["persistence"] == pytest.approx(0.14, abs=0.03)
    assert one["ar"] < 0.1 * one["persistence"]
    assert max(one["nvar"], one["esn"]) < one["ar"]
    assert vpt["persistence"] < 2
    assert 2 < vpt["ar"] < 20
    assert vpt["nvar"] > 80
    assert vpt["esn"] > 60


def test_spectral_radius_of_known_matrices() -> None:
    rng = generator(0, "radius")
    rotation = np.kron(np.eye(100), 0.7 * np.array([[0.0, 1.0], [-1.0, 0.0]]))
    rotation[0, 1], rotation[1, 0] = 1.5, -1.5
    assert spectral_radius(csr_matrix(rotation), rng) == pytest.approx(1.5)
    assert spectral_radius(csr_matrix(np.diag([0.5, -2.0, 1.0])), rng) == pytest.approx(2.0)
    random = np.random.default_rng(1).normal(size=(150, 150))
    exact = np.max(np.abs(np.linalg.eigvals(random)))
    assert spectral_radius(csr_matrix(random), rng) == pytest.approx(exact, rel=1e-6)


def test_esn_state_by_hand() -> None:
    esn = fit_esn(LORENZ[0].train, generator(1, "esn"), ESNOptions(size=20, density=1.0, leak=0.7))
    esn.reset()
    value = LORENZ[0].train[0]
    first = esn.advance(value)
    # From a zero state, x = leak tanh(W_in u + b); a second network with leak 1 shows tanh alone.
    full = fit_esn(LORENZ[0].train, generator(1, "esn"), ESNOptions(size=20, density=1.0, leak=1.0))
    full.reset()
    np.testing.assert_allclose(first[:20], 0.7 * full.advance(value)[:20], rtol=1e-12)
    np.testing.assert_array_equal(first[20:], value)


def test_esn_is_the_same_for_the_same_seed() -> None:
    window = LORENZ[0].windows[0]
    one, two = (
        fit_esn(LORENZ[0].train, generator(1, "esn"), ESNOptions(size=120)) for _ in range(2)
    )
    np.testing.assert_array_equal(closed_loop(one, window), closed_loop(two, window))


def test_errors() -> None:
    short = LORENZ[0].train[:12]
    with pytest.raises(SpecError, match=r"12 samples; allowed: >= lags \+ 3 = 13"):
        fit_autoregression(short)
    with pytest.raises(SpecError, match=r">= washout \+ 3 = 53"):
        fit_esn(short, generator(0, "esn"))
    with pytest.raises(SpecError, match="lags: 0"):
        NVAROptions(lags=0)
    with pytest.raises(SpecError) as caught:
        ESNOptions(leak=0.0, density=2.0)
    assert "leak: 0.0" in str(caught.value)
    assert "density: 2.0" in str(caught.value)
