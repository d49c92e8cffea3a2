"""Adam (Kingma & Ba 2015), with the gradient's norm bounded and nothing that torch compiles.

torch's own optimisers load its compiler when the first one is made, which took longer (7 s) than
many a training here; the two agree to rounding, which a test checks::

    m <- b1 m + (1 - b1) g     q <- b2 q + (1 - b2) g^2
    theta <- theta - rate (m / (1 - b1^t)) / (sqrt(q / (1 - b2^t)) + 1e-8)      b1 = .9, b2 = .999
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["Adam"]

Tensor = Any
_KEEP, _KEEP_SQUARES, _LEAST = 0.9, 0.999, 1e-8


class Adam:
    """The optimiser of some tensors.

    Args:
        torch: the module.
        learned: tensors by name; they are changed in place.

    Attributes:
        updates: that were made.
        moments: of the gradients and of their squares, by name.
    """

    def __init__(self, torch: Any, learned: Mapping[str, Tensor]) -> None:
        self._torch, self._learned = torch, learned
        self.updates = 0
        self.moments = {
            name: (torch.zeros_like(theta), torch.zeros_like(theta))
            for name, theta in ((name, theta.detach()) for name, theta in learned.items())
        }

    def clear(self) -> None:
        """Forget the gradients of the last update."""
        for theta in self._learned.values():
            theta.grad = None

    def bounded(self, largest: float) -> float:
        """Scale all gradients together to a norm of `largest` at most; the norm before."""
        gradients = [t.grad for t in self._learned.values() if t.grad is not None]
        norm = math.sqrt(sum(float((g * g).sum()) for g in gradients))
        if norm > largest and math.isfinite(norm):
            for gradient in gradients:
                gradient.mul_(largest / norm)
        return norm

    def update(self, rate: float) -> None:
        """Take a step of that rate; what has no gradient stays where it is."""
        self.updates += 1
        mean, squares = (1.0 - keep**self.updates for keep in (_KEEP, _KEEP_SQUARES))
        with self._torch.no_grad():
            for name, theta in self._learned.items():
                gradient = theta.grad
                if gradient is None:
                    continue
                m, q = self.moments[name]
                m.mul_(_KEEP).add_(gradient, alpha=1.0 - _KEEP)
                q.mul_(_KEEP_SQUARES).addcmul_(gradient, gradient, value=1.0 - _KEEP_SQUARES)
                theta.addcdiv_(m / mean, (q / squares).sqrt_().add_(_LEAST), value=-rate)
