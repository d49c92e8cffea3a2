"""Rössler, Lorenz-96 and Mackey-Glass: their equations, their integration, their series."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.series.flows import rk4, rk4_array
from hrsnn_lava.tasks.series.lorenz63 import lorenz63_field
from hrsnn_lava.tasks.series.lorenz96 import Lorenz96, Lorenz96System
from hrsnn_lava.tasks.series.mackey_glass import MackeyGlass, delayed_rk4
from hrsnn_lava.tasks.series.rossler import Rossler, rossler_field


def test_both_integrators_are_the_same_rule():
    field = lorenz63_field(10.0, 28.0, 8 / 3)
    plain = rk4(field, [1.0, 2.0, 20.0], 0.02, 30, 0.005)
    arrays, last = rk4_array(lambda u: np.array(field(u)), plain[0], 0.02, 30, 0.005, 2)
    np.testing.assert_allclose(arrays, plain[:, :2], rtol=1e-10)
    np.testing.assert_allclose(last, plain[-1], rtol=1e-10)


def test_a_step_that_is_too_long_is_said():
    with pytest.raises(SpecError, match=r"inner_step: 1 time units; allowed: .* finite"):
        rk4_array(lambda u: u**3, np.array([3.0]), 1.0, 20, 1.0, 1)


def test_rossler_rests_at_its_fixed_point():
    """x = (c - sqrt(c^2 - 4 a b)) / 2, y = -x / a, z = x / a."""
    a, b, c = 0.2, 0.2, 5.7
    x = (c - np.sqrt(c * c - 4 * a * b)) / 2
    assert rossler_field(a, b, c)((x, -x / a, x / a)) == pytest.approx((0, 0, 0), abs=1e-12)


def test_rossler_series_is_scored_in_long_term_deviations():
    (series,) = Rossler(train=300, starts=2).folds(generator(3, "task"))
    assert (series.train.shape, len(series.windows), series.dimension) == ((300, 3), 2, 3)
    np.testing.assert_allclose(series.error_scale * series.scale, (5.15, 4.84, 2.84))
    assert series.lyapunov_exponent == 0.071
    (other,) = Rossler(train=300, starts=1, c=9.0).folds(generator(3, "task"))
    np.testing.assert_allclose(other.error_scale, 1.0)
    assert other.lyapunov_exponent is None
    # bursts of z are no outliers to be cut off
    raw = np.concatenate([series.to_raw(w.truth) for w in series.windows])
    assert raw[:, 2].max() > 10
    assert Rossler().protocol().clip == 10.0


def plain_lorenz96(system, u):
    """The equations of Thornes, Düben and Palmer (2017), variable by variable."""
    k_max, fan, s = system.size, system.fan, system
    x = u[:k_max]
    y = u[k_max : k_max + k_max * fan] if s.levels > 1 else np.zeros(0)
    z = u[k_max + k_max * fan :] if s.levels > 2 else np.zeros(0)
    out = []
    for k in range(k_max):
        value = x[k - 1] * (x[(k + 1) % k_max] - x[k - 2]) - x[k] + s.force
        if s.levels > 1:
            value -= s.h * s.c / s.b * sum(y[k * fan + j] for j in range(fan))
        out.append(value)
    m = len(y)
    for j in range(m):
        value = -s.c * s.b * y[(j + 1) % m] * (y[(j + 2) % m] - y[j - 1])
        value += -s.c * y[j] + s.h * s.c / s.b * x[j // fan]
        if s.levels > 2:
            value -= s.h * s.e / s.d * sum(z[j * fan + i] for i in range(fan))
        out.append(value)
    m = len(z)
    for i in range(m):
        value = s.e * s.d * z[i - 1] * (z[(i + 1) % m] - z[i - 2])
        out.append(value - s.damping * s.e * z[i] + s.h * s.e / s.d * y[i // fan])
    return np.array(out)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_lorenz96_is_the_published_form(levels):
    system = Lorenz96System(
        levels=levels, size=5, fan=3, h=0.9, b=7.0, c=8.0, d=6.0, e=9.0, damping=0.7
    )
    u = np.random.default_rng(levels).normal(size=sum(system.sizes))
    np.testing.assert_allclose(system.field()(u), plain_lorenz96(system, u), rtol=1e-12, atol=1e-12)
    assert system.force == {1: 8.0, 2: 20.0, 3: 20.0}[levels]


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_lorenz96_loses_energy_to_damping_alone(levels):
    """u . du/dt has no advective and no coupling term: they only move energy."""
    system = Lorenz96System(levels=levels, size=6, fan=4, d=6.0, damping=0.5, forcing=3.0)
    u = np.random.default_rng(1).normal(size=sum(system.sizes))
    x, y, z = np.split(u, [6, 30]) if levels > 1 else (u, u[:0], u[:0])
    expected = 3.0 * x.sum() - x @ x - system.c * (y @ y) - 0.5 * system.e * (z @ z)
    assert u @ system.field()(u) == pytest.approx(expected, rel=1e-10)


def test_three_levels_are_integrated_to_fourth_order():
    """Over 0.03 time units: the smallest level is chaotic, and longer paths part in any case."""
    paths = [
        Lorenz96System(levels=3, size=4, fan=4, transient=0.0, dt=0.01, inner_step=h).trajectory(
            generator(0, "task"), 4
        )
        for h in (0.002, 0.001, 0.0005)
    ]
    errors = [np.abs(a - b).max() for a, b in pairwise(paths)]
    assert errors[0] < 1e-5
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.5)


def test_some_x_can_be_hidden():
    task = Lorenz96(train=250, starts=1, horizon=10, size=6, observed=4, transient=1.0)
    trial = task.trial(1)
    assert trial.lesson.width == 4
    assert trial.series.dimension == 6
    np.testing.assert_array_equal(trial.lesson.inputs, trial.series.train[:-1, :4])
    assert Lorenz96(size=6, observed=6).system().size == 6
    with pytest.raises(SpecError, match=r"observed: 7; allowed: <= size = 6"):
        Lorenz96(size=6, observed=7)
    with pytest.raises(SpecError, match=r"size: 3; allowed: >= 4"):
        Lorenz96(size=3)


def test_mackey_glass_over_the_first_delay_is_an_exponential():
    """While the past is constant, x' = g - gamma x with g = beta c / (1 + c^10)."""
    c = 1.2
    x, h = delayed_rk4(17.0, c, 17.0, 0.1)
    t = h * np.arange(len(x))
    limit = 0.2 * c / (1 + c**10) / 0.1
    np.testing.assert_allclose(x, limit + (c - limit) * np.exp(-0.1 * t), atol=1e-9)


def test_mackey_glass_is_integrated_to_fourth_order():
    reference, h = delayed_rk4(17.0, 0.9, 150.0, 0.02)
    truth = reference[round(150.0 / h)]
    errors = []
    for steps in (17, 34, 68):
        x, h = delayed_rk4(17.0, 0.9, 150.0, 17.0 / steps)
        errors.append(abs(x[round(150.0 / h)] - truth))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 3.2).all()
    assert errors[-1] < 1e-5


def test_mackey_glass_series():
    (series,) = MackeyGlass().folds(generator(1, "task"))
    raw = series.to_raw(np.concatenate([series.train, series.windows[-1].truth]))
    assert 0.2 < raw.min() < raw.max() < 1.4
    assert raw.mean() == pytest.approx(0.93, abs=0.03)
    assert raw.std() == pytest.approx(0.226, abs=0.02)
    assert MackeyGlass(tau=30.0).folds(generator(1, "task"))[0].lyapunov_exponent is None
