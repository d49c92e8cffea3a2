"""Bayesian optimisation: a Gaussian process of what was tried says where to try next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from hrsnn_lava.bayesian.gaussian_process import Priors
from hrsnn_lava.bayesian.geometry import UnitCube
from hrsnn_lava.bayesian.proposing import Proposing, process_of, proposed
from hrsnn_lava.bayesian.sequences import sobol
from hrsnn_lava.compiler.pruning.searcher import Box, Float, Searcher


class Bayesian(Searcher):
    """A Matern kernel on the box and the expected improvement, after an even start.

    The start is a scrambled Sobol sequence of twice as many points as there are numbers, and two.
    A point without a finite objective counts as the worst. The objective is taken to be repeatable,
    as that of a run with the same noise is.
    """

    name: ClassVar[str] = "bayesian"

    def __init__(self) -> None:
        self._points: list[Float] = []
        self._values: list[float] = []

    def told(self, point: Float, value: float) -> None:
        """Keep the trial."""
        self._points.append(point)
        self._values.append(value)

    def points(self, box: Box, rng: np.random.Generator) -> Iterator[Float]:
        """See `Searcher.points`; numbers without width are no dimensions."""
        free = np.flatnonzero(box.high > box.low)
        if not free.size:
            return
        low, width = box.low[free], (box.high - box.low)[free]
        start = iter(sobol(free.size, 2 * free.size + 2, rng))
        while True:
            at = next(start, None)
            if at is None:
                at = self._promising((np.array(self._points)[:, free] - low) / width, rng)
            point = box.low.copy()
            point[free] = low + width * at
            yield point

    def _promising(self, at: Float, rng: np.random.Generator) -> Float:
        """The point of the unit cube that promises most, after trials at points (n, d) of it."""
        from threadpoolctl import threadpool_limits

        values = np.array(self._values)
        finite = np.isfinite(values)
        if not finite.any():
            return rng.random(at.shape[1])
        values = np.where(finite, values, values[finite].min())
        geometry = UnitCube(tuple(map(str, range(at.shape[1]))))
        with threadpool_limits(limits=1):  # sums in another order would give other last bits
            process = process_of(geometry, at, values, rng, priors=Priors.repeatable())
            (best,) = proposed(process, at, 1, rng, Proposing(acquisition="ei", candidates=512))
        return best
