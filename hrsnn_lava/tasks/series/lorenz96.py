"""Lorenz-96 with one, two or three levels: forecast all X from all of them, or from some.

    dX_k/dt = X_{k-1} (X_{k+1} - X_{k-2}) - X_k + F - (h c / b) sum_j Y_{jk}
    dY_j/dt = -c b Y_{j+1} (Y_{j+2} - Y_{j-1}) - c Y_j + (h c / b) X_k - (h e / d) sum_i Z_{ij}
    dZ_i/dt = e d Z_{i-1} (Z_{i+1} - Z_{i-2}) - g_Z e Z_i + (h e / d) Y_j

(Lorenz 1996; three levels: Thornes, Düben and Palmer 2017.) Every ring is cyclic as a whole: the
neighbour of the last Y of an X is the first Y of the next X. With one level only the first line is
there, without Y; with two, no Z. The coupling terms move energy, sum of u^2 / 2, from level to
level and neither make nor destroy any, and the advective terms neither within a level.

Sampling step and length of the transient are our choice; so is the size where a level is alone.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import Count, NonNegative, Number, Positive, options
from hrsnn_lava.tasks.series.flows import ArrayField, rk4_array
from hrsnn_lava.tasks.series.forecast import WIDE_ALPHAS, ForecastTask
from hrsnn_lava.tasks.series.windows import ForecastSeries, Layout, System, split_series

__all__ = ["Lorenz96", "Lorenz96System"]

Floats = NDArray[np.float64]
#: Forcing: Lorenz's for one level, that of Thornes et al. for two and three.
FORCING = {1: 8.0, 2: 20.0, 3: 20.0}
#: Largest Lyapunov exponents of one level, by (size, forcing), per time unit. 40: Lorenz and
#: Emanuel 1998, doubling in 2.1 days of 0.2 time units; 8: measured, 2,000 time units.
LYAPUNOV_EXPONENTS = {(40, 8.0): 1.68, (8, 8.0): 1.58}


@options
class Lorenz96System:
    """The flow, and how finely it is integrated.

    Attributes:
        levels: 1: X alone; 2: with Y; 3: with Z. Only X is ever shown and forecast.
        size: number of X.
        fan: Y of every X, and Z of every Y.
        forcing: F; not set: 8 for one level, 20 for more.
        h: strength of the coupling between levels.
        b, c: how many times smaller, and faster, Y is than X.
        d, e: how many times smaller, and faster, Z is than Y.
        damping: g_Z of the smallest level.
        dt: sampling step in time units; 100 samples are about three Lyapunov times of one level.
        inner_step: largest step of the integrator; not set: 0.01 for one level, 0.002 for more.
        transient: time units dropped after the random start.
    """

    levels: Literal[1, 2, 3] = 1
    size: Count = 8
    fan: Count = 8
    forcing: Number | None = None
    h: Number = 1.0
    b: Positive = 10.0
    c: Positive = 10.0
    d: Positive = 10.0
    e: Positive = 10.0
    damping: NonNegative = 1.0
    dt: Positive = 0.02
    inner_step: Positive | None = None
    transient: NonNegative = 10.0

    def __post_init__(self) -> None:
        if self.size < 4:
            problem = Problem("size", f"{self.size}", ">= 4: X_{k-2} to X_{k+1} are four")
            raise SpecError("options of lorenz96", problems=[problem])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of variables of every level."""
        return tuple(self.size * self.fan**level for level in range(self.levels))

    @property
    def force(self) -> float:
        """F."""
        return FORCING[self.levels] if self.forcing is None else self.forcing

    @property
    def lyapunov_exponent(self) -> float | None:
        """The largest one where it is known: with one level, of 8 or 40 variables, F = 8."""
        return LYAPUNOV_EXPONENTS.get((self.size, self.force)) if self.levels == 1 else None

    def field(self) -> ArrayField:
        """The right-hand side, a function of all variables, (sum of `sizes`,), X first.

        The array that it returns is the same in every call.
        """
        sizes, fan = self.sizes, self.fan
        ends = np.cumsum(sizes)
        out = np.empty(int(ends[-1]))
        parts = [slice(end - n, end) for end, n in zip(ends, sizes, strict=True)]
        wraps = [_Ring(n) for n in sizes]
        top = self.h * self.c / self.b
        low = self.h * self.e / self.d
        slow, fast, forcing = self.c * self.b, self.e * self.d, self.force
        damping = self.damping * self.e

        def derivative(u: Floats) -> Floats:
            x = u[parts[0]]
            dx = out[parts[0]]
            wraps[0].forward(x, dx)
            dx -= x
            dx += forcing
            if len(sizes) > 1:
                y, dy = u[parts[1]], out[parts[1]]
                wraps[1].backward(y, dy)
                dy *= slow
                dy -= self.c * y
                dy.reshape(-1, fan)[:] += (top * x)[:, None]
                dx -= top * y.reshape(-1, fan).sum(axis=1)
            if len(sizes) > 2:
                z, dz = u[parts[2]], out[parts[2]]
                wraps[2].forward(z, dz)
                dz *= fast
                dz -= damping * z
                dz.reshape(-1, fan)[:] += (low * y)[:, None]
                dy -= low * z.reshape(-1, fan).sum(axis=1)
            return out

        return derivative

    def trajectory(self, rng: np.random.Generator, n: int) -> Floats:
        """Return n samples of X on the attractor, (n, size), from a random start.

        Raises:
            SpecError: the integration ran away.
        """
        derivative, sizes = self.field(), self.sizes
        inner = self.inner_step or (0.01 if self.levels == 1 else 0.002)
        start = np.concatenate(
            [
                self.force + rng.standard_normal(sizes[0]),
                *(0.1 * rng.standard_normal(size) for size in sizes[1:]),
            ]
        )
        dropped = int(np.ceil(self.transient / self.dt - 1e-9))
        settled = rk4_array(derivative, start, self.dt, dropped, inner, self.size)[1]
        return rk4_array(derivative, settled, self.dt, n - 1, inner, self.size)[0]


class _Ring:
    """Products of neighbours on a ring of n variables: u with three neighbours at its ends."""

    def __init__(self, n: int) -> None:
        self._padded = np.empty(n + 4)

    def _pad(self, u: Floats) -> Floats:
        # positions -2 .. n + 1: rings of fewer than two variables repeat themselves
        padded, n = self._padded, len(u)
        padded[2:-2] = u
        padded[0], padded[1] = u[-2 % n], u[-1]
        padded[-2], padded[-1] = u[0], u[1 % n]
        return padded

    def forward(self, u: Floats, out: Floats) -> None:
        """out_k = u_{k-1} (u_{k+1} - u_{k-2})."""
        padded = self._pad(u)
        np.subtract(padded[3:-1], padded[:-4], out=out)
        out *= padded[1:-3]

    def backward(self, u: Floats, out: Floats) -> None:
        """out_j = -u_{j+1} (u_{j+2} - u_{j-1})."""
        padded = self._pad(u)
        np.subtract(padded[1:-3], padded[4:], out=out)
        out *= padded[3:-1]


@options
class Lorenz96(Lorenz96System, ForecastTask):
    """Lorenz-96 forecasting: all X in closed loop, from all of them or from some.

    Attributes:
        observed: the first so many X are shown; not set: all.
    """

    name: ClassVar[str] = "lorenz96"
    #: The slowest level leaves 4 standard deviations now and then.
    clip: ClassVar[float] = 6.0
    baseline_alphas: ClassVar[tuple[float, ...]] = WIDE_ALPHAS
    observed: Count | None = None

    def __post_init__(self) -> None:
        """Check what has to agree: raises `SpecError`."""
        Lorenz96System.__post_init__(self)
        if self.observed is not None and self.observed > self.size:
            problem = Problem("observed", f"{self.observed}", f"<= size = {self.size}")
            raise SpecError("options of lorenz96", problems=[problem])

    def system(self) -> Lorenz96System:
        """The flow, whose options the task has."""
        return self

    def series(self, rng: np.random.Generator, layout: Layout) -> ForecastSeries:
        """X over the trajectory of a seed."""
        partial = self.observed is not None and self.observed < self.size
        shown = tuple(range(self.observed or 0)) if partial else None
        system = System("lorenz96", self.dt, None, self.lyapunov_exponent, shown)
        return split_series(self.trajectory(rng, layout.n_samples), system, layout)
