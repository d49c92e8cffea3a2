"""Mackey-Glass: a scalar equation with a delay, forecast in closed loop.

    dx/dt = beta x(t - tau) / (1 + x(t - tau)^n) - gamma x(t)      (Mackey and Glass 1977)

beta = 0.2, gamma = 0.1, n = 10; tau = 17 is chaotic. Each step of the fourth-order Runge-Kutta
rule divides the delay, so x(t - tau) is a value that is there; half a step later it is the cubic
through the two values and slopes around it, whose error is of fourth order, too.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.options import NonNegative, Positive, options
from hrsnn_lava.tasks.series.flows import inner_steps
from hrsnn_lava.tasks.series.forecast import WIDE_ALPHAS, ForecastTask
from hrsnn_lava.tasks.series.windows import ForecastSeries, Layout, System, split_series

__all__ = ["MackeyGlass", "delayed_rk4"]

Floats = NDArray[np.float64]
BETA, GAMMA, POWER = 0.2, 0.1, 10.0
#: Delay to which the next two belong.
STANDARD = 17.0
#: Over 300,000 time units.
LONG_TERM_SD = 0.226
#: Largest, per time unit; measured over 300,000 time units with the integration of this module.
LYAPUNOV_EXPONENT = 0.0051


def delayed_rk4(
    tau: float, start: float, duration: float, inner_step: float
) -> tuple[Floats, float]:
    """Integrate the equation from a constant past, x(t) = start for t <= 0.

    Args:
        tau: delay, time units.
        start: the past.
        duration: time units.
        inner_step: largest step; the one taken divides tau.

    Returns:
        x at 0, h, 2 h, ... up to at least `duration`, and the step h.
    """
    delay = inner_steps(tau, inner_step)
    h = tau / delay
    n = int(np.ceil(duration / h - 1e-9))
    x = [start] * (delay + 1)
    half_way = [start] * delay  # x half a step after x[k]

    def slope(past: float, value: float) -> float:
        production: float = BETA * past / (1.0 + past**POWER)
        return production - GAMMA * value

    for k in range(delay, delay + n):
        before, middle, after = x[k - delay], half_way[k - delay], x[k - delay + 1]
        value = x[k]
        k1 = slope(before, value)
        k2 = slope(middle, value + 0.5 * h * k1)
        k3 = slope(middle, value + 0.5 * h * k2)
        k4 = slope(after, value + h * k3)
        following = value + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        # the slope jumps at t = 0 alone, where a step begins: each cubic has slopes of its own
        half_way.append(0.5 * (value + following) + h / 8.0 * (k1 - slope(after, following)))
        x.append(following)
    return np.array(x[delay:]), h


@options
class MackeyGlass(ForecastTask):
    """Mackey-Glass forecasting: one value with a long delay, in closed loop.

    The present value does not say what comes next: a network has to remember some 17 time units.

    Attributes:
        tau: delay in time units; 17 is chaotic, 30 more so.
        dt: sampling step in time units (our choice: 100 samples are 1.5 Lyapunov times).
        inner_step: largest step of the integrator.
        transient: time units dropped after the constant past.
    """

    name: ClassVar[str] = "mackey_glass"
    baseline_alphas: ClassVar[tuple[float, ...]] = WIDE_ALPHAS
    tau: Annotated[float, Field(ge=1, allow_inf_nan=False)] = STANDARD
    dt: Positive = 3.0
    inner_step: Positive = 0.1
    transient: NonNegative = 1000.0

    def series(self, rng: np.random.Generator, layout: Layout) -> ForecastSeries:
        """The solution that follows a past drawn between 0.5 and 1.3, (n, 1)."""
        past = float(rng.uniform(0.5, 1.3))
        wanted = self.transient + self.dt * np.arange(layout.n_samples)
        x, h = delayed_rk4(self.tau, past, float(wanted[-1]), self.inner_step)
        # steps divide the delay and need not divide the sampling step: linear in between
        raw = np.interp(wanted, h * np.arange(len(x)), x)
        known = self.tau == STANDARD
        system = System(
            "mackey_glass",
            self.dt,
            (LONG_TERM_SD,) if known else None,
            LYAPUNOV_EXPONENT if known else None,
        )
        return split_series(raw[:, None], system, layout)
