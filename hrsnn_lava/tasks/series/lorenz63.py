"""Lorenz-63: train on 500 samples, forecast the next 100 in closed loop.

    dx/dt = sigma (y - x),  dy/dt = x (rho - z) - y,  dz/dt = x y - beta z      (Lorenz 1963)

The LNP paper gives 500 training and 100 forecast steps; the sampling step, the normalisation, and
what is fed back are not in it. They are options here, and their defaults are our choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.options import NonNegative, Number, Positive, options
from hrsnn_lava.tasks.series.flows import VectorField, rk4
from hrsnn_lava.tasks.series.forecast import ForecastTask
from hrsnn_lava.tasks.series.windows import ForecastSeries, Layout, System, split_series

__all__ = ["Lorenz63", "Lorenz63System", "lorenz63_field"]

Floats = NDArray[np.float64]

# Mean and standard deviation of x, y, z over a long run with the standard parameters.
LONG_TERM_MEAN = (-0.02, -0.02, 23.55)
LONG_TERM_SD = (7.92, 9.01, 8.63)
LYAPUNOV_EXPONENT = 0.906
#: 500 and 100 are the LNP paper's.
LAYOUT = Layout.spaced(n_train=500, horizon=100, n_starts=3)


def lorenz63_field(sigma: float, rho: float, beta: float) -> VectorField:
    """Return the right-hand side of the Lorenz equations as a function of (x, y, z)."""

    def derivative(u: Sequence[float]) -> tuple[float, ...]:
        x, y, z = u
        return (sigma * (y - x), x * (rho - z) - y, x * y - beta * z)

    return derivative


@options
class Lorenz63System:
    """The flow, how finely it is integrated, and how often it is sampled.

    Attributes:
        sigma, rho, beta: parameters of the flow.
        dt: sampling step in time units (our choice: 100 steps are 1.81 Lyapunov times).
        inner_step: largest step of the integrator.
        transient: time units dropped after the random start.
    """

    sigma: Number = 10.0
    rho: Number = 28.0
    beta: Number = 8.0 / 3.0
    dt: Positive = 0.02
    inner_step: Positive = 0.005
    transient: NonNegative = 20.0

    def trajectory(self, rng: np.random.Generator, n: int) -> Floats:
        """Return n samples on the attractor, (n, 3), from a random start, transient dropped."""
        derivative = lorenz63_field(self.sigma, self.rho, self.beta)
        start = np.asarray(LONG_TERM_MEAN) + np.asarray(LONG_TERM_SD) * rng.standard_normal(3)
        dropped = int(np.ceil(self.transient / self.dt - 1e-9))
        settled = rk4(derivative, start.tolist(), self.dt, dropped, self.inner_step)[-1]
        return rk4(derivative, settled.tolist(), self.dt, n - 1, self.inner_step)

    def series(self, rng: np.random.Generator, layout: Layout = LAYOUT) -> ForecastSeries:
        """Draw one trajectory and cut it: training samples, then one window per start.

        The windows lie behind the training samples on the same trajectory. The context of the
        first is the end of the training samples; every other one has a context of its own.
        """
        system = System("lorenz63", self.dt, LONG_TERM_SD, LYAPUNOV_EXPONENT)
        return split_series(self.trajectory(rng, layout.n_samples), system, layout)


@options
class Lorenz63(ForecastTask):
    """Lorenz-63 forecasting: train on the first samples, forecast the next in closed loop.

    Attributes:
        dt: sampling step of the system, in its time unit; 100 samples are 1.81 Lyapunov times.
    """

    name: ClassVar[str] = "lorenz63"
    dt: Positive = 0.02

    def series(self, rng: np.random.Generator, layout: Layout) -> ForecastSeries:
        """The trajectory of a seed."""
        return Lorenz63System(dt=self.dt).series(rng, layout)
