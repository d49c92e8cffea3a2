"""Lorenz-63: train on 500 samples, forecast the next 100 in closed loop.

    dx/dt = sigma (y - x),  dy/dt = x (rho - z) - y,  dz/dt = x y - beta z      (Lorenz 1963)

The LNP paper gives 500 training and 100 forecast steps; the sampling step, the normalisation, and
what is fed back are not in it. They are options here, and their defaults are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.tasks.series import ForecastSeries, split_series

__all__ = ["Lorenz63", "Lorenz63Options", "lorenz63_field", "rk4"]

Floats = NDArray[np.float64]
VectorField = Callable[[Sequence[float]], tuple[float, ...]]

# Mean and standard deviation of x, y, z over a long run with the standard parameters.
LONG_TERM_MEAN = (-0.02, -0.02, 23.55)
LONG_TERM_SD = (7.92, 9.01, 8.63)
LYAPUNOV_EXPONENT = 0.906


@dataclass(frozen=True)
class Lorenz63Options:
    """What defines the task.

    sigma, rho, beta: parameters of the flow
    dt:           sampling step in time units (our choice: 100 steps are 1.81 Lyapunov times)
    inner_step:   largest step of the integrator
    transient:    time units dropped after the random start
    n_train:      samples to train on (LNP paper)
    horizon:      samples to forecast at each start (LNP paper)
    n_starts:     places to forecast from; the first follows the training samples at once
    context:      true samples shown before each start
    gap:          samples between the end of one forecast and the context of the next
    long_term_sd: sigma_i of RMSE(t); None takes the training standard deviation
    lyapunov_exponent: in 1 / time unit, of the parameters above
    """

    sigma: float = 10.0
    rho: float = 28.0
    beta: float = 8.0 / 3.0
    dt: float = 0.02
    inner_step: float = 0.005
    transient: float = 20.0
    n_train: int = 500
    horizon: int = 100
    n_starts: int = 3
    context: int = 50
    gap: int = 0
    long_term_sd: tuple[float, float, float] | None = LONG_TERM_SD
    lyapunov_exponent: float | None = LYAPUNOV_EXPONENT

    def __post_init__(self) -> None:
        problems = [
            Problem(where, f"{value}", allowed)
            for where, value, allowed, fine in (
                ("dt", self.dt, "> 0", self.dt > 0),
                ("inner_step", self.inner_step, "> 0", self.inner_step > 0),
                ("transient", self.transient, ">= 0", self.transient >= 0),
                ("n_train", self.n_train, ">= 2", self.n_train >= 2),
                ("horizon", self.horizon, ">= 1", self.horizon >= 1),
                ("n_starts", self.n_starts, ">= 1", self.n_starts >= 1),
                (
                    "context",
                    self.context,
                    f"1 to n_train = {self.n_train}",
                    1 <= self.context <= self.n_train,
                ),
                ("gap", self.gap, ">= 0", self.gap >= 0),
            )
            if not fine
        ]
        raise_if(SpecError, "options of the Lorenz-63 task", problems)

    @property
    def starts(self) -> tuple[int, ...]:
        """Index of the first forecast sample of each window; windows share no true sample."""
        stride = self.horizon + self.gap + self.context
        return tuple(self.n_train + k * stride for k in range(self.n_starts))


def lorenz63_field(sigma: float, rho: float, beta: float) -> VectorField:
    """Return the right-hand side of the Lorenz equations as a function of (x, y, z)."""

    def derivative(u: Sequence[float]) -> tuple[float, ...]:
        x, y, z = u
        return (sigma * (y - x), x * (rho - z) - y, x * y - beta * z)

    return derivative


def rk4(
    derivative: VectorField, start: Sequence[float], dt: float, n: int, inner_step: float
) -> Floats:
    """Integrate an autonomous system by the classical fourth-order Runge-Kutta rule.

    Each sample takes ceil(dt / inner_step) equal steps. Plain floats, because a system of three
    numbers is several times faster that way than with arrays.

    Args:
        derivative: du/dt as a function of u.
        start: u(0), d numbers.
        dt: sampling step in time units.
        n: number of samples after the start.
        inner_step: largest step of the integrator, time units.

    Returns:
        (n + 1, d); row 0 is `start`.
    """
    inner = max(1, int(np.ceil(dt / inner_step - 1e-9)))
    h = dt / inner
    u = tuple(float(value) for value in start)
    out = np.empty((n + 1, len(u)))
    out[0] = u
    for k in range(1, n + 1):
        for _ in range(inner):
            k1 = derivative(u)
            k2 = derivative([a + 0.5 * h * b for a, b in zip(u, k1, strict=True)])
            k3 = derivative([a + 0.5 * h * b for a, b in zip(u, k2, strict=True)])
            k4 = derivative([a + h * b for a, b in zip(u, k3, strict=True)])
            u = tuple(
                a + h / 6.0 * (p + 2.0 * q + 2.0 * r + s)
                for a, p, q, r, s in zip(u, k1, k2, k3, k4, strict=True)
            )
        out[k] = u
    return out


@dataclass(frozen=True)
class Lorenz63:
    """The task; `series(rng)` draws a trajectory."""

    options: Lorenz63Options = field(default_factory=Lorenz63Options)

    def trajectory(self, rng: np.random.Generator, n: int) -> Floats:
        """Return n samples on the attractor, (n, 3), from a random start, transient dropped."""
        o = self.options
        derivative = lorenz63_field(o.sigma, o.rho, o.beta)
        start = np.asarray(LONG_TERM_MEAN) + np.asarray(LONG_TERM_SD) * rng.standard_normal(3)
        dropped = int(np.ceil(o.transient / o.dt - 1e-9))
        settled = rk4(derivative, [float(v) for v in start], o.dt, dropped, o.inner_step)[-1]
        return rk4(derivative, [float(v) for v in settled], o.dt, n - 1, o.inner_step)

    def series(self, rng: np.random.Generator) -> ForecastSeries:
        """Draw one trajectory and cut it: training samples, then one window per start.

        The windows lie behind the training samples on the same trajectory. The context of the
        first is the end of the training samples; every other one has a context of its own.
        """
        o = self.options
        return split_series(
            self.trajectory(rng, o.starts[-1] + o.horizon),
            name="lorenz63",
            dt=o.dt,
            n_train=o.n_train,
            starts=o.starts,
            context=o.context,
            horizon=o.horizon,
            long_term_sd=o.long_term_sd,
            lyapunov_exponent=o.lyapunov_exponent,
        )
