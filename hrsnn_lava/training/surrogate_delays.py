"""Delays that learn: errors go back as if a spike arrived in part at two steps.

A delay of d steps, no whole number, stands between two of them::

    W_k = w (1 - |d - k|)      at k = floor(d) and floor(d) + 1, and 0 elsewhere

so the derivative in d is that of what the next step would bring against what this one brings, and
at a whole number the one towards longer delays (at the longest, towards shorter ones). A network
has whole steps, and runs with the nearest one, ``k = round(d)``, while it is trained, too: errors
pass through that rounding (straight through, as with weights, `surrogate_quantized`; ours). What is
trained is what comes out. Hammouamri et al. 2024 widen the kernel to a Gaussian whose width shrinks
in training instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["delay_steps", "longest_of", "shares"]

Tensor = Any
Floats = NDArray[np.float64]


def delay_steps(delays: Any, size: int, dt: float) -> Floats:
    """Delays of a projection in whole steps, (nnz,); 0 where it has none."""
    if delays is None:
        return np.zeros(size)
    steps: Floats = np.rint(np.broadcast_to(np.asarray(delays, dtype=np.float64), (size,)) / dt)
    return steps


def longest_of(steps: Floats, longest: float, dt: float) -> int:
    """Bound of learned delays in steps: one that is beyond it stays within its own value."""
    return int(max(np.rint(longest / dt), steps.max(initial=0.0)))


def shares(torch: Any, delays: Tensor, longest: int, whole: bool = True) -> Tensor:
    """Share of every synapse's weight that arrives with each delay, (nnz, longest + 1).

    Args:
        torch: the module.
        delays: (nnz,) in steps, within 0 and `longest`.
        longest: the bound, at least 1.
        whole: all at the nearest step, with the derivative of the two; else as the module has it.
    """
    below = delays.detach().floor().clamp(max=longest - 1)
    beyond = delays - below
    rows = torch.zeros((len(delays), longest + 1), dtype=delays.dtype, device=delays.device)
    at = below.long()[:, None]
    soft = rows.scatter(1, at, (1.0 - beyond)[:, None]).scatter(1, at + 1, beyond[:, None])
    if not whole:
        return soft
    nearest = delays.detach().round().long()[:, None]
    return rows.scatter(1, nearest, 1.0) + (soft - soft.detach())
