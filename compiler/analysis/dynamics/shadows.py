"""Perturbations of finite size: copies of a system run along, as a tangent map without Jacobian."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if

Float = NDArray[np.float64]


def _nothing() -> None:
    """Systems whose numbers are their whole state need no alignment."""


class ShadowTangent:
    r"""Difference quotients of shadow copies, to be followed by `lyapunov_spectrum`.

    Shadow k starts at :math:`x + d\,q_k` and runs as the system does; what it differs by, over d,
    stands for the tangent vector:

    .. math:: q_k \leftarrow (f(x + d\,q_k) - f(x)) / d

    (Benettin et al. 1980.) For d -> 0 that is the derivative, as far as there is one; a finite d
    sees what a derivative cannot, such as spikes that appear or vanish.

    Args:
        step: takes the states (n, k + 1), the run in column 0, and returns those a step later.
        state: (n,), where the run is.
        size: d, in the unit of the state.
        every: steps between two orthonormalisations, the ``qr_every`` of the schedule: shadows run
            on for so long before they are set anew.
        align: called when they are, for what the system keeps besides its numbers.

    Raises:
        SpecError: `size` is not finite and > 0, or `every` < 1.
    """

    def __init__(
        self,
        step: Callable[[Float], Float],
        state: ArrayLike,
        size: float,
        every: int = 1,
        align: Callable[[], None] = _nothing,
    ) -> None:
        problems = []
        if not (np.isfinite(size) and size > 0):
            problems.append(Problem("size", f"{size:g}", "finite and > 0"))
        if every < 1:
            problems.append(Problem("every", str(every), ">= 1"))
        raise_if(SpecError, "shadows cannot follow the system", problems)
        self._step, self._align = step, align
        self._size, self._every, self._age = size, every, 0
        self._states: Float = np.asarray(state, dtype=np.float64)[:, None]

    @property
    def state(self) -> Float:
        """Where the run is, (n,)."""
        return self._states[:, 0]

    def __call__(self, tangent: Float) -> Float:
        """Advance run and shadows by one step; what the shadows differ by, over `size`, (n, k)."""
        if self._age == 0:
            run = self._states[:, :1]
            self._states = np.concatenate([run, run + self._size * tangent], axis=1)
            self._align()
        self._age = (self._age + 1) % self._every
        self._states = self._step(self._states)
        moved: Float = (self._states[:, 1:] - self._states[:, :1]) / self._size
        return moved
