"""Steps of the spike, and the smooth ones whose derivative takes the place of theirs.

With ``x = (v - v_threshold) / (width v_threshold)`` a neuron fires where x > 0, whose derivative is
0 but for one point. Errors go back as if by a smooth step H that rises from 0 to 1::

    fast_sigmoid   H = (1 + x / (1 + |x|)) / 2        H' = 1 / (2 (1 + |x|)^2)
    atan           H = 1/2 + atan(pi x) / pi          H' = 1 / (1 + (pi x)^2)
    triangular     H = 1 - (1 - x)^2 / 2 for x > 0    H' = max(0, 1 - |x|)

(Zenke & Ganguli 2018; Fang et al. 2021; Esser et al. 2016). With the smooth step in the forward
pass, too, the derivative is exact: that is how it is tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from hrsnn_lava.surrogate_options import Spike

__all__ = ["smooth_step", "spike_step"]

Tensor = Any


def smooth_step(torch: Any, kind: Spike) -> Callable[[Tensor], Tensor]:
    """H of the module's table, differentiable."""
    if kind == "fast_sigmoid":
        return lambda x: 0.5 * (1.0 + x / (1.0 + x.abs()))
    if kind == "atan":
        return lambda x: 0.5 + torch.atan(math.pi * x) / math.pi

    def triangular(x: Tensor) -> Tensor:
        rest = 0.5 * (1.0 - x.abs()).clamp(min=0.0) ** 2
        return torch.where(x > 0, 1.0 - rest, rest)

    return triangular


@cache
def spike_step(torch: Any, kind: Spike) -> Callable[[Tensor], Tensor]:
    """1 where x > 0, else 0, with the derivative of `smooth_step`."""
    slopes: dict[str, Callable[[Tensor], Tensor]] = {
        "fast_sigmoid": lambda x: 0.5 / (1.0 + x.abs()) ** 2,
        "atan": lambda x: 1.0 / (1.0 + (math.pi * x) ** 2),
        "triangular": lambda x: (1.0 - x.abs()).clamp(min=0.0),
    }
    slope = slopes[kind]

    class Step(torch.autograd.Function):  # type: ignore[misc]
        """The step, with a derivative of its own."""

        @staticmethod
        def forward(context: Any, x: Tensor) -> Tensor:
            context.save_for_backward(x)
            return (x > 0).to(x.dtype)

        @staticmethod
        def backward(context: Any, error: Tensor) -> Tensor:
            return error * slope(context.saved_tensors[0])

    apply: Callable[[Tensor], Tensor] = Step.apply
    return apply
