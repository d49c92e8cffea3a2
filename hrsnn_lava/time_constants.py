"""Time constants, what a step leaves of what decays with them, and what a neuron's input counts."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]
#: A time constant of so many steps leaves nothing: exp(-1000) is 0 in float64.
_GONE: Final = 1e-3


def membrane_gain(tau_mem: ArrayLike, dt: float) -> Float:
    """``1 - beta = 1 - exp(-dt / tau_mem)``, the factor of a neuron's input; 1 without a leak.

    Args:
        tau_mem: seconds, > 0 or infinite. dt: seconds of a step.
    """
    tau = np.asarray(tau_mem, dtype=np.float64)
    gain: Float = np.where(np.isinf(tau), 1.0, -np.expm1(-dt / tau))
    return gain


def time_constant(share: ArrayLike, dt: float) -> Float:
    """The time constant of which ``exp(-dt / tau)`` is `share`, to the last bit where there is one.

    Infinite for 1; for 0 so short that nothing is left.

    Args:
        share: left after a step, 0..1. dt: seconds.
    """
    left = np.asarray(share, dtype=np.float64)
    inside = (left > 0) & (left < 1)
    near = -dt / np.log(np.where(inside, left, 0.5))
    # rounding in the logarithm costs the last bits, which decide where potentials meet thresholds
    tries = near * (1.0 + np.arange(-24, 25).reshape(-1, *(1,) * left.ndim) * 2.0**-53)
    best = np.abs(np.exp(-dt / tries) - left).argmin(axis=0)
    tau = np.take_along_axis(tries, best[None], axis=0)[0]
    values: Float = np.where(inside, tau, np.where(left >= 1, np.inf, _GONE * dt))
    return values
