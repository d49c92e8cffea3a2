"""Spike-timing-dependent plasticity of a projection, per synapse, in float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem


@dataclass(frozen=True, eq=False)
class STDP:
    r"""Pair-based STDP with its own amplitudes and time constants at every synapse.

    .. math::
        dW/dt = A_+ x \sum \delta(t - t_{post}) - A_- y \sum \delta(t - t_{pre}),\\
        \tau_+ dx/dt = -x + \sum \delta(t - t_{pre}), \quad
        \tau_- dy/dt = -y + \sum \delta(t - t_{post})

    (Chakraborty and Mukhopadhyay 2023, eqs. 3-5.) Weights stay within ``[0, w_max]`` in
    magnitude and keep their sign (Dale); the bounds are our choice, the papers do not state them.

    Attributes:
        a_plus, a_minus: amplitudes >= 0, scalar or (nnz,), in units of weight.
        tau_plus, tau_minus: time constants in seconds > 0, scalar or (nnz,).
        w_max: bound of the magnitude, scalar or (nnz,); None leaves it free.
    """

    a_plus: ArrayLike
    a_minus: ArrayLike
    tau_plus: ArrayLike = 0.020
    tau_minus: ArrayLike = 0.020
    w_max: ArrayLike | None = None

    def problems(self, where: str, n_synapses: int) -> list[Problem]:
        """Everything that is wrong with these parameters for a projection of `n_synapses`."""
        found: list[Problem] = []
        for field, positive in (
            ("a_plus", False),
            ("a_minus", False),
            ("tau_plus", True),
            ("tau_minus", True),
            ("w_max", False),
        ):
            value: Any = getattr(self, field)
            if value is None:
                continue
            array: NDArray[np.float64] = np.asarray(value, dtype=np.float64)
            if array.shape not in ((), (n_synapses,)):
                found.append(
                    Problem(f"{where}.{field}", f"shape {array.shape}", f"() or ({n_synapses},)")
                )
            elif not np.all(np.isfinite(array)) or np.any(array <= 0 if positive else array < 0):
                bound = "finite and > 0" if positive else "finite and >= 0"
                found.append(Problem(f"{where}.{field}", f"smallest value {array.min():g}", bound))
        return found
