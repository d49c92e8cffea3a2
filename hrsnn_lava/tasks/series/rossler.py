"""Rössler's system: train on 500 samples, forecast the next 100 in closed loop.

    dx/dt = -y - z,  dy/dt = x + a y,  dz/dt = b + z (x - c)      (Rössler 1976; .2, .2, 5.7)

The LNP paper names the system; parameters and the sampling step are the usual ones, and options.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from hrsnn_lava.options import NonNegative, Number, Positive, options
from hrsnn_lava.tasks.series.flows import VectorField, rk4
from hrsnn_lava.tasks.series.forecast import WIDE_ALPHAS, ForecastTask
from hrsnn_lava.tasks.series.windows import ForecastSeries, Layout, System, split_series

__all__ = ["LYAPUNOV_EXPONENT", "Rossler", "rossler_field"]

#: Parameters to which the next two belong.
STANDARD = (0.2, 0.2, 5.7)
#: Standard deviation of x, y, z over 40,000 time units; z is near 0 between its bursts.
LONG_TERM_SD = (5.15, 4.84, 2.84)
#: Largest, per time unit (Sprott 2003, and the test of this module).
LYAPUNOV_EXPONENT = 0.071


def rossler_field(a: float, b: float, c: float) -> VectorField:
    """Return the right-hand side of the Rössler equations as a function of (x, y, z)."""

    def derivative(u: Sequence[float]) -> tuple[float, ...]:
        x, y, z = u
        return (-y - z, x + a * y, b + z * (x - c))

    return derivative


@options
class Rossler(ForecastTask):
    """Rössler forecasting: train on the first samples, forecast the next in closed loop.

    With other parameters errors are in training standard deviations, and no Lyapunov time is
    known.

    Attributes:
        dt: sampling step in time units; a turn takes about 6, 100 samples are 0.71 Lyapunov times.
        inner_step: largest step of the integrator.
        transient: time units dropped after the random start.
        a, b, c: parameters of the flow.
    """

    name: ClassVar[str] = "rossler"
    #: A burst of z goes up to 8 standard deviations.
    clip: ClassVar[float] = 10.0
    baseline_alphas: ClassVar[tuple[float, ...]] = WIDE_ALPHAS
    dt: Positive = 0.1
    inner_step: Positive = 0.02
    transient: NonNegative = 100.0
    a: Number = 0.2
    b: Number = 0.2
    c: Number = 5.7

    def series(self, rng: np.random.Generator, layout: Layout) -> ForecastSeries:
        """The trajectory of a seed, x, y and z."""
        derivative = rossler_field(self.a, self.b, self.c)
        start = [*rng.uniform(-4.0, 4.0, 2).tolist(), 0.0]
        dropped = int(np.ceil(self.transient / self.dt - 1e-9))
        n = dropped + layout.n_samples - 1
        raw = rk4(derivative, start, self.dt, n, self.inner_step)[dropped:]
        known = (self.a, self.b, self.c) == STANDARD
        system = System(
            "rossler",
            self.dt,
            LONG_TERM_SD if known else None,
            LYAPUNOV_EXPONENT if known else None,
        )
        return split_series(raw, system, layout)
