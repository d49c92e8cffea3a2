"""How far points of a space are apart: by Wasserstein distances of its distributions, or plainly.

Every number is a part of its own, by its place in its interval, and so is every choice, by whether
the values are the same. Parts are scaled so that two points of the prior are 1 apart (root mean
square).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.bayesian.geometry import Blocks, Geometry, reference_points
from hrsnn_lava.search.dimensions import Choice, Dimension, Distribution, Integer, Range, parted
from hrsnn_lava.search.quantiles import normal_nodes, quantiles_of
from hrsnn_lava.search.space import Space
from hrsnn_lava.search.wasserstein import directions, sinkhorn_divergences, sliced_features

Float = NDArray[np.float64]

Distance = Literal["marginals", "location", "sliced", "sinkhorn"]


@dataclass(frozen=True, eq=False)
class _Part:
    """Columns of one part: features (n, q) of its coordinates (n, size)."""

    name: str
    columns: Float


@dataclass(frozen=True, eq=False)
class SpaceGeometry:
    """Euclidean distances of features of a space, see `plain` and `by_quantiles`.

    Attributes:
        space: whose points they are.
        distance: None for the coordinates of distributions themselves, else that of `geometry_of`.
        nodes: of quantiles.
        units: (m,) of the distributions in a joint sample, their W2 between two points of the
            prior; empty where there is none.
        blocks: columns of every part.
        scales: of every column.
    """

    space: Space
    distance: Distance | None
    nodes: int
    units: Float
    blocks: Blocks
    scales: Float

    @classmethod
    def of(cls, space: Space, distance: Distance | None, nodes: int) -> SpaceGeometry:
        """The geometry, scaled by points of the prior."""
        reference, units = reference_points(space.size), np.empty(0)
        if distance == "sliced" and _distributions(space):
            units = _units_of(_joint(space, reference, _samples(nodes)))
        parts = _parts(space, distance, nodes, units, reference)
        ends = tuple(np.cumsum([part.columns.shape[1] for part in parts]).tolist())
        blocks = Blocks(tuple(part.name for part in parts), ends)
        scales = blocks.scaled(np.concatenate([part.columns for part in parts], axis=1))
        return cls(space, distance, nodes, units, blocks, scales)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parts."""
        return self.blocks.names

    def features(self, points: Float) -> Float:
        """Columns of points (n, d)."""
        parts = _parts(self.space, self.distance, self.nodes, self.units, points)
        return np.concatenate([part.columns for part in parts], axis=1) / self.scales

    def squared(self, a: Float, b: Float) -> Iterator[Float]:
        """See `Geometry.squared`."""
        return self.blocks.squared(a, b)


@dataclass(frozen=True, eq=False)
class SinkhornGeometry:
    """All distributions as one part, by debiased Sinkhorn divergences of samples; others plainly.

    Attributes:
        rest: geometry of the other dimensions; None where there are none.
        space: whose points they are.
        units: (m,) of the distributions, their W2 between two points of the prior.
        samples: points of a sample.
        epsilon: of the entropy, in units of the mean squared distance of two points of the prior.
    """

    rest: SpaceGeometry | None
    space: Space
    units: Float
    samples: int
    epsilon: float

    @property
    def names(self) -> tuple[str, ...]:
        """``distributions``, and the others."""
        return ("distributions", *(self.rest.names if self.rest else ()))

    def features(self, points: Float) -> Float:
        """Samples, (n, s m) in rows, followed by the columns of the other dimensions."""
        drawn = _joint(self.space, points, self.samples) / self.units
        flat = drawn.reshape(len(points), -1)
        if self.rest is None:
            return flat
        return np.concatenate([flat, self.rest.features(_others(self.space, points))], axis=1)

    def squared(self, a: Float, b: Float) -> Iterator[Float]:
        """See `Geometry.squared`; the divergence stands for a squared distance."""
        width = self.samples * self.units.size
        shape = (-1, self.samples, self.units.size)
        left, right = a[:, :width].reshape(shape), b[:, :width].reshape(shape)
        yield sinkhorn_divergences(left, right, self.epsilon) / self.units.size
        if self.rest is not None:
            yield from self.rest.squared(a[:, width:], b[:, width:])


def geometry_of(
    space: Space, distance: Distance | None, nodes: int = 64, epsilon: float = 0.1
) -> Geometry:
    """Distances of a space.

    Args:
        space: numbers, choices, distributions.
        distance: of distributions: ``marginals``, the W2 of each, exact for independent ones;
            ``location``, the same in two parts, ``W2^2 = (difference of means)^2 + W2^2 of what is
            centred``, which has a length scale for the place and one for the shape (ours);
            ``sliced``, the sliced W2 of all of them together; ``sinkhorn``, their debiased Sinkhorn
            divergence, which needs a guard; None for their free numbers themselves.
        nodes: of quantiles; of a joint sample, a quarter of them.
        epsilon: see `SinkhornGeometry`.
    """
    joint = _distributions(space)
    if distance != "sinkhorn" or not joint:
        return SpaceGeometry.of(space, distance, nodes)
    others = Space(tuple(d for d in space.dimensions if d not in joint))
    rest = SpaceGeometry.of(others, None, nodes) if others.size else None
    drawn = _joint(space, reference_points(space.size), _samples(nodes))
    return SinkhornGeometry(rest, space, _units_of(drawn), _samples(nodes), epsilon)


def _samples(nodes: int) -> int:
    return max(4, nodes // 4)


def _distributions(space: Space) -> list[Distribution]:
    """Those that have something free."""
    return [d for d in space.dimensions if isinstance(d, Distribution) and d.size]


def _units_of(drawn: Float) -> Float:
    """Root mean square distance between samples (n, s, m) of every distribution, (m,)."""
    spread: Float = np.sqrt(2.0 * drawn.var(axis=0).mean(axis=0))
    return np.where(spread > 0, spread, 1.0)


def _parts(
    space: Space, distance: Distance | None, nodes: int, units: Float, points: Float
) -> Sequence[_Part]:
    """Features of points, part by part; of a space that has something free."""
    parts: list[_Part] = []
    for dimension, u in zip(space.dimensions, parted(points, space.dimensions), strict=True):
        if not dimension.size or (units.size and isinstance(dimension, Distribution)):
            continue
        if isinstance(dimension, Distribution) and distance is not None:
            parts += _of_distribution(dimension, u, distance, nodes)
        else:
            parts += _of_coordinates(dimension, u)
    if units.size:
        drawn = _joint(space, points, _samples(nodes)) / units
        parts.append(_Part("distributions", sliced_features(drawn, directions(units.size, 32))))
    return parts


def _of_distribution(
    dimension: Distribution, u: Float, distance: Distance, nodes: int
) -> list[_Part]:
    z, weights = normal_nodes(nodes)
    columns = quantiles_of(dimension, u, z)
    if distance == "location":
        mean = columns @ weights
        shape = (columns - mean[:, None]) * np.sqrt(weights)
        return [
            _Part(f"{dimension.path}: place", mean[:, None]),
            _Part(f"{dimension.path}: shape", shape),
        ]
    return [_Part(dimension.path, columns * np.sqrt(weights))]


def _of_coordinates(dimension: Dimension, u: Float) -> list[_Part]:
    """Each coordinate a part; equal settings have equal features."""
    if isinstance(dimension, Choice):
        index = dimension.index(u[:, 0])
        return [_Part(dimension.path, np.eye(len(dimension.values))[index])]
    if isinstance(dimension, Integer):
        ends = Range(dimension.low, dimension.high + 1.0)
        middle = dimension.numbers(u[:, 0]) + 0.5
        place = (middle - ends.low) / (ends.high - ends.low)
        if dimension.log:
            place = np.log(middle / ends.low) / np.log(ends.high / ends.low)
        return [_Part(dimension.path, place[:, None])]
    return [_Part(name, u[:, k : k + 1]) for k, name in enumerate(dimension.names)]


def _joint(space: Space, points: Float, samples: int) -> Float:
    """Samples of all distributions together, (n, s, m), at the same even probabilities."""
    from scipy.special import ndtri

    found = [
        (d, u)
        for d, u in zip(space.dimensions, parted(points, space.dimensions), strict=True)
        if isinstance(d, Distribution) and d.size
    ]
    p = reference_points(len(found), samples)
    # each marginal at the middles of equal steps, in the order of the even points
    ranks = np.argsort(np.argsort(p, axis=0, kind="stable"), axis=0, kind="stable")
    z = ndtri((ranks + 0.5) / samples)
    return np.stack([quantiles_of(d, u, z[:, k]) for k, (d, u) in enumerate(found)], axis=2)


def _others(space: Space, points: Float) -> Float:
    """Coordinates of what is no distribution."""
    parts = zip(space.dimensions, parted(points, space.dimensions), strict=True)
    columns = [u for d, u in parts if not (isinstance(d, Distribution) and d.size)]
    return np.concatenate(columns, axis=1)
