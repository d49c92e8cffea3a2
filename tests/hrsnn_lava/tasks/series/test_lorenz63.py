"""The Lorenz-63 task: its integrator against closed forms, its series against long-term facts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hrsnn_lava.errors import SpecError
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.series.flows import rk4
from hrsnn_lava.tasks.series.lorenz63 import Lorenz63System, lorenz63_field
from hrsnn_lava.tasks.series.windows import Layout


def test_rk4_is_of_fourth_order_on_an_exponential() -> None:
    """u' = -u, u(1) = 1/e: halving the step divides the error by 16."""
    errors = []
    for steps in (10, 20, 40):
        out = rk4(lambda u: (-u[0],), [1.0], 1.0, 1, 1.0 / steps)
        errors.append(abs(out[1, 0] - np.exp(-1.0)))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 4.0, atol=0.1)


def test_rk4_step_is_the_taylor_polynomial_of_degree_four() -> None:
    h = 0.3
    out = rk4(lambda u: (u[0],), [1.0], h, 1, h)
    assert out[1, 0] == pytest.approx(1 + h + h**2 / 2 + h**3 / 6 + h**4 / 24, rel=1e-15)


def test_rk4_takes_steps_no_longer_than_asked() -> None:
    calls = 0

    def derivative(u: object) -> tuple[float, ...]:
        nonlocal calls
        calls += 1
        return (0.0,)

    rk4(derivative, [1.0], 0.02, 3, 0.005)
    assert calls == 3 * 4 * 4
    calls = 0
    rk4(derivative, [1.0], 0.02, 1, 0.006)
    assert calls == 4 * 4


def test_trajectory_agrees_with_an_adaptive_integrator() -> None:
    derivative = lorenz63_field(10.0, 28.0, 8.0 / 3.0)
    ours = rk4(derivative, [1.0, 2.0, 20.0], 0.02, 50, 0.005)
    theirs = solve_ivp(
        lambda _, u: derivative(u),
        (0, 1),
        [1.0, 2.0, 20.0],
        method="DOP853",
        t_eval=np.linspace(0, 1, 51),
        rtol=1e-11,
        atol=1e-11,
    )
    np.testing.assert_allclose(ours, theirs.y.T, atol=2e-4)


def test_fixed_points_stay() -> None:
    """The centres of the two wings are at (+-sqrt(beta (rho - 1)), same, rho - 1)."""
    c = np.sqrt(8.0 / 3.0 * 27.0)
    for sign in (1, -1):
        assert lorenz63_field(10.0, 28.0, 8 / 3)((sign * c, sign * c, 27.0)) == pytest.approx(
            (0.0, 0.0, 0.0), abs=1e-12
        )


def test_series_is_scored_with_training_statistics() -> None:
    series = Lorenz63System().series(generator(1, "task"))
    assert series.train.shape == (500, 3)
    np.testing.assert_allclose(series.train.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(series.train.std(axis=0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(series.error_scale * series.scale, (7.92, 9.01, 8.63))
    assert series.lyapunov_exponent == pytest.approx(1 / 1.104, abs=1e-3)


def test_windows_follow_the_training_samples() -> None:
    layout = Layout.spaced(n_train=120, horizon=40, context=20, n_starts=3, gap=5)
    system = Lorenz63System()
    series = system.series(generator(2, "task"), layout)
    raw = system.trajectory(generator(2, "task"), layout.starts[-1] + layout.horizon)
    assert layout.starts == (120, 185, 250)
    for start, window in zip(layout.starts, series.windows, strict=True):
        np.testing.assert_allclose(series.to_raw(window.context), raw[start - 20 : start])
        np.testing.assert_allclose(series.to_raw(window.truth), raw[start : start + 40])
    np.testing.assert_array_equal(series.windows[0].context, series.train[-20:])


def test_transient_ends_on_the_attractor() -> None:
    """Mean and spread of long runs: (-.02, -.02, 23.55) and (7.92, 9.01, 8.63)."""
    raw = np.concatenate(
        [Lorenz63System().trajectory(generator(seed, "task"), 4000) for seed in range(4)]
    )
    np.testing.assert_allclose(raw.mean(axis=0), (0.0, 0.0, 23.55), atol=1.5)
    np.testing.assert_allclose(raw.std(axis=0), (7.92, 9.01, 8.63), rtol=0.05)


def test_same_seed_same_series() -> None:
    one, two = (Lorenz63System().series(generator(5, "task")) for _ in range(2))
    np.testing.assert_array_equal(one.train, two.train)
    other = Lorenz63System().series(generator(6, "task"))
    assert not np.allclose(one.train, other.train)


def test_options_report_all_faults_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        Lorenz63System(dt=0.0, transient=-1.0)
    assert "dt: 0.0; allowed: > 0" in str(caught.value)
    assert "transient: -1.0" in str(caught.value)
    with pytest.raises(SpecError) as caught:
        Layout.spaced(n_train=500, horizon=0, context=600, n_starts=0)
    text = str(caught.value)
    assert "context: 600; allowed: 1 to n_train = 500" in text
    assert "horizon: 0" in text
    assert "starts: []; allowed: at least one" in text
