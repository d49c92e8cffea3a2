"""Integration of flows, du/dt = f(u), by the classical fourth-order Runge-Kutta rule.

`rk4` takes plain floats, which is several times faster than arrays for systems of a few numbers;
`rk4_array` takes arrays, for systems of many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError

__all__ = ["ArrayField", "VectorField", "rk4", "rk4_array"]

Floats = NDArray[np.float64]
VectorField = Callable[[Sequence[float]], tuple[float, ...]]
#: du/dt as a function of u, (size,); it may return the same array in every call.
ArrayField = Callable[[Floats], Floats]


def inner_steps(dt: float, inner_step: float) -> int:
    """Equal steps of at most `inner_step` that make up `dt`."""
    return max(1, int(np.ceil(dt / inner_step - 1e-9)))


def rk4(
    derivative: VectorField, start: Sequence[float], dt: float, n: int, inner_step: float
) -> Floats:
    """Integrate an autonomous system of a few numbers.

    Each sample takes ceil(dt / inner_step) equal steps.

    Args:
        derivative: du/dt as a function of u.
        start: u(0), d numbers.
        dt: sampling step in time units.
        n: number of samples after the start.
        inner_step: largest step of the integrator, time units.

    Returns:
        (n + 1, d); row 0 is `start`.
    """
    inner = inner_steps(dt, inner_step)
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


def rk4_array(
    derivative: ArrayField, start: Floats, dt: float, n: int, inner_step: float, width: int
) -> tuple[Floats, Floats]:
    """Integrate an autonomous system of many numbers, as `rk4` does.

    Args:
        derivative: du/dt as a function of u, (size,).
        start: u(0), (size,).
        dt: sampling step in time units.
        n: number of samples after the start.
        inner_step: largest step of the integrator, time units.
        width: the first so many components are recorded.

    Returns:
        Samples, (n + 1, width), row 0 of which is `start`, and the last state, (size,).

    Raises:
        SpecError: the state is no longer finite: the step is too long for the system.
    """
    inner = inner_steps(dt, inner_step)
    h = dt / inner
    u = np.array(start, dtype=np.float64)
    out = np.empty((n + 1, width))
    out[0] = u[:width]
    total, stage = np.empty_like(u), np.empty_like(u)
    with np.errstate(over="ignore", invalid="ignore"):  # reported below
        for k in range(1, n + 1):
            for _ in range(inner):
                slope = derivative(u)
                np.multiply(slope, 1.0, out=total)
                for factor, weight in ((0.5, 2.0), (0.5, 2.0), (1.0, 1.0)):
                    np.multiply(slope, factor * h, out=stage)
                    stage += u
                    slope = derivative(stage)
                    total += weight * slope
                total *= h / 6.0
                u += total
            out[k] = u[:width]
    if not np.isfinite(u).all():
        problem = Problem("inner_step", f"{h:g} time units", "one at which the state stays finite")
        raise SpecError("the integration of the system ran away", problems=[problem])
    return out, u
