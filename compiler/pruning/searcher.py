"""What looks for the best point of a box: a file ``compiler/pruning/searchers/NAME.py``.

A pass that has numbers to choose says how good a point is, and a searcher proposes points. It
knows nothing of networks, so a better one serves every pass::

    class Corners(Searcher):
        name: ClassVar[str] = "corners"

        def points(self, box: Box, rng: np.random.Generator) -> Iterator[Float]:
            yield from (box.low, box.high)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Box:
    """Where to look.

    Attributes:
        low, high: (d,) bounds of every number.
        start: (d,) the point as things are; always the first that is evaluated.
    """

    low: Float
    high: Float
    start: Float


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        best: (d,) the best point; the start, where nothing was better.
        points: (n, d) all points, in order. values: (n,) their objectives, higher is better.
    """

    best: Float
    points: Float
    values: Float


class Searcher(ABC):
    """Base of all searchers; see the module. One that learns from values overrides `told`.

    Attributes:
        name: of its file, and the value of ``search``.
    """

    name: ClassVar[str] = ""

    @abstractmethod
    def points(self, box: Box, rng: np.random.Generator) -> Iterator[Float]:
        """Points to try, (d,) each, without end or until there are no more; clipped to the box."""

    def told(self, point: Float, value: float) -> None:  # noqa: B027
        """The objective of a point, before the next one is asked for."""

    def maximise(
        self,
        objective: Callable[[Float], float],
        box: Box,
        evaluations: int,
        rng: np.random.Generator,
    ) -> Found:
        """The best of so many points, the start among them.

        Args:
            objective: of a point; not finite counts as worst.
            box: where to look.
            evaluations: at most, >= 1.
            rng: draws points.
        """
        points, values = [], []
        for point in islice(self._all(box, rng), evaluations):
            value = float(objective(point))
            value = value if np.isfinite(value) else -np.inf
            self.told(point, value)
            points.append(point)
            values.append(value)
        best = points[int(np.argmax(values))]
        return Found(best, np.array(points), np.array(values))

    def _all(self, box: Box, rng: np.random.Generator) -> Iterator[Float]:
        yield box.start
        for proposed in self.points(box, rng):
            point = np.asarray(proposed, dtype=np.float64)
            if point.shape != box.low.shape or not np.isfinite(point).all():
                allowed = f"{box.low.shape} finite numbers"
                raise ValueError(f"points: {proposed!r:.60}; allowed: {allowed}")
            yield np.clip(point, box.low, box.high)
