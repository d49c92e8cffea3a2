"""Distances between points, as a kernel needs them: in parts, each with a length scale of its own.

A `Geometry` makes features of points, once for every point, and squared distances of features.
`Blocks` are parts whose distance is Euclidean between columns, for which every radial kernel that
is positive definite on a Hilbert space is positive semi-definite by construction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.bayesian.sequences import sobol

Float = NDArray[np.float64]


class Geometry(Protocol):
    """What measures how far points are apart.

    Attributes:
        names: of the parts, (B,).
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parts, (B,)."""
        ...

    def features(self, points: Float) -> Float:
        """Whatever distances need of points, (n, d) in the unit cube: an array of n rows."""
        ...

    def squared(self, a: Float, b: Float) -> Iterator[Float]:
        """Squared distances between features of n and m points, (n, m) for every part."""
        ...


@dataclass(frozen=True, eq=False)
class Blocks:
    """Euclidean distances between columns of an array of features.

    Attributes:
        names: of the parts, (B,).
        ends: (B,) the column after the last one of every part.
    """

    names: tuple[str, ...]
    ends: tuple[int, ...]

    def squared(self, a: Float, b: Float) -> Iterator[Float]:
        """``|a_i - b_j|^2`` of every part, (n, m)."""
        for first, end in zip((0, *self.ends[:-1]), self.ends, strict=True):
            left, right = a[:, first:end], b[:, first:end]
            if end - first == 1:
                gap: Float = left - right.T
                yield gap * gap
            else:
                # as one product of matrices; what is rounded below 0 is 0
                squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None, :]
                squares -= 2.0 * (left @ right.T)
                yield np.maximum(squares, 0.0, out=squares)

    def scaled(self, features: Float) -> Float:
        """What to divide every column by, so that each part has the distance 1 between two rows.

        That is the root mean square over pairs of rows, ``sqrt(2 sum over columns of variance)``;
        1 for a part that does not vary.
        """
        scales = np.empty(features.shape[1])
        for first, end in zip((0, *self.ends[:-1]), self.ends, strict=True):
            part = features[:, first:end]
            spread = float(np.sqrt(2.0 * part.var(axis=0).sum()))
            # rounding of equal numbers is no spread
            varies = spread > 1e-12 * float(np.abs(part).max(initial=0.0))
            scales[first:end] = spread if varies else 1.0
        return scales


@dataclass(frozen=True, eq=False)
class UnitCube:
    """The coordinates themselves, a part for each: the distances of a plain kernel.

    Attributes:
        names: of the coordinates, (d,).
    """

    names: tuple[str, ...]

    def features(self, points: Float) -> Float:
        """Coordinates in units of the distance of two random points, ``1 / sqrt(6)``."""
        scaled: Float = np.sqrt(6.0) * points
        return scaled

    def squared(self, a: Float, b: Float) -> Iterator[Float]:
        """Of every coordinate, (n, m)."""
        return Blocks(self.names, tuple(range(1, len(self.names) + 1))).squared(a, b)


def reference_points(size: int, count: int = 512) -> Float:
    """The same even points of the unit cube at every call, (count, size), to scale features by."""
    return sobol(size, count, np.random.Generator(np.random.Philox(key=0)))
