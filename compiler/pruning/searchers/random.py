"""Points at random: the control of every other search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from hrsnn_lava.compiler.pruning.searcher import Box, Float, Searcher


class RandomSearch(Searcher):
    """Points drawn evenly, each on its own (Bergstra and Bengio 2012)."""

    name: ClassVar[str] = "random"

    def points(self, box: Box, rng: np.random.Generator) -> Iterator[Float]:
        """See `Searcher.points`."""
        while True:
            yield rng.uniform(box.low, box.high)
