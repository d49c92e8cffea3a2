"""Points that fill the space evenly: the control that leaves no large gap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from hrsnn_lava.bayesian.sequences import sobol
from hrsnn_lava.options import options
from hrsnn_lava.search.space import Point, Space
from hrsnn_lava.search.suggester import Suggester, Told


@options
class QuasiRandom(Suggester):
    """A scrambled Sobol sequence: it learns from nothing."""

    name: ClassVar[str] = "quasi_random"

    def points(
        self, space: Space, told: Sequence[Told], count: int, rng: np.random.Generator
    ) -> Sequence[Point]:
        """The points of the sequence after as many as were told."""
        drawn = sobol(space.size, len(told) + count, rng)[len(told) :]
        return [tuple(row) for row in drawn.tolist()]
