"""What a forecaster sees of a series: all components, or some; it answers with all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if

__all__ = ["View"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """Components of u, (d,), that are shown; the others have to be inferred from their past.

    A forecast begins from what is carried over: the shown components as they are, and 0, the
    training mean of a z-scored series, for the hidden ones. A readout says what is to be added:

        u(t+1) = carry(u(t)) + f(features),   carry(u)_i = u_i where i is shown, else 0

    shown:     indices of the shown components, ascending, each once
    dimension: number of components d

    Raises:
        SpecError: an index out of range, out of order or twice, or none at all.
    """

    shown: tuple[int, ...]
    dimension: int

    def __post_init__(self) -> None:
        inside = all(0 <= k < self.dimension for k in self.shown)
        if not self.shown or not inside or list(self.shown) != sorted(set(self.shown)):
            allowed = f"one or more of 0 to {self.dimension - 1}, ascending"
            problem = Problem("shown", f"{list(self.shown)}", allowed)
            raise_if(SpecError, "no such components of a series", [problem])

    @staticmethod
    def complete(dimension: int) -> View:
        """All components are shown."""
        return View(tuple(range(dimension)), dimension)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is hidden."""
        return len(self.shown) == self.dimension

    def of(self, values: Floats) -> Floats:
        """The shown components, (..., n_shown), of `values`, (..., d)."""
        if self.is_complete:
            return values
        shown: Floats = values[..., list(self.shown)]
        return shown

    def carry(self, shown: Floats) -> Floats:
        """What a forecast begins from, (..., d), where `shown`, (..., n_shown), was seen."""
        if self.is_complete:
            return shown
        start = np.zeros((*shown.shape[:-1], self.dimension))
        start[..., list(self.shown)] = shown
        return start
