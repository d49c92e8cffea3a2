"""Points at random: the control of every other search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from hrsnn_lava.options import options
from hrsnn_lava.search.space import Point, Space
from hrsnn_lava.search.suggester import Suggester, Told


@options
class RandomSearch(Suggester):
    """Points drawn evenly, each on its own (Bergstra and Bengio 2012)."""

    name: ClassVar[str] = "random"

    def points(
        self, space: Space, told: Sequence[Told], count: int, rng: np.random.Generator
    ) -> Sequence[Point]:
        """The points of a stream after as many as were told."""
        drawn = rng.random((len(told) + count, space.size))
        return [tuple(row) for row in drawn[len(told) :].tolist()]
