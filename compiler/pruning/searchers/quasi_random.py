"""Points that fill a box evenly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from hrsnn_lava.compiler.pruning.searcher import Box, Float, Searcher


class QuasiRandom(Searcher):
    """A scrambled Halton sequence: it learns from nothing, and leaves no large gap."""

    name: ClassVar[str] = "quasi_random"

    def points(self, box: Box, rng: np.random.Generator) -> Iterator[Float]:
        """See `Searcher.points`."""
        from scipy.stats import qmc

        seed = int(rng.integers(2**31))
        sequence = qmc.Halton(box.low.size, scramble=True, seed=seed)
        while True:
            yield box.low + (box.high - box.low) * sequence.random(1)[0]
