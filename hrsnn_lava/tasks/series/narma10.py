"""NARMA-10: a nonlinear moving average with ten values of memory, driven by noise.

y(t+1) = 0.3 y(t) + 0.05 y(t) sum_{k=0}^{9} y(t-k) + 1.5 u(t-9) u(t) + 0.1
u(t) independent, uniform in [0, 0.5]                          (Atiya and Parlos 2000)
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import options
from hrsnn_lava.tasks.driven import DrivenSeries, DrivenTask

__all__ = ["Narma10", "narma10"]

Floats = NDArray[np.float64]
MEMORY = 10
#: Values above 1 do not come back: the quadratic term outgrows the rest.
BOUND = 1.0
#: Inputs drawn before giving up; about one of some hundred thousand steps runs away.
DRAWS = 50


def narma10(u: Floats) -> Floats:
    """Return y, (n,), for the inputs u, (n,): entry t is y(t+1), the first that u(t) bears on.

    y and u are 0 before the first sample. It may run away; what follows is then infinite.
    """
    y = np.zeros(len(u) + MEMORY)
    padded = np.concatenate([np.zeros(MEMORY - 1), u])
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(len(u)):
            past = y[t : t + MEMORY]
            now = past[-1]
            y[t + MEMORY] = (
                0.3 * now + 0.05 * now * past.sum() + 1.5 * padded[t] * padded[t + MEMORY - 1] + 0.1
            )
    return y[MEMORY:]


@options
class Narma10(DrivenTask):
    """Tell the output of a NARMA-10 system from its input; one that runs away is drawn anew."""

    name: ClassVar[str] = "narma10"

    def data(self, rng: np.random.Generator) -> DrivenSeries:
        """u(t), and y(t+1)."""
        for discarded in range(DRAWS):
            u = rng.uniform(0.0, 0.5, self.n_samples)
            y = narma10(u)
            if np.all(y <= BOUND):
                return DrivenSeries(u[:, None], y[:, None], details={"discarded_inputs": discarded})
        problem = Problem("samples", f"{self.n_samples}", "fewer: all inputs ran away")
        raise SpecError("NARMA-10 diverges", problems=[problem])
