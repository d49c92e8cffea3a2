"""What a search may vary: numbers, choices, and distributions with free numbers.

Every kind is a `Dimension` of some coordinates in ``[0, 1)``. It makes of them what a spec has at
its path, and knows its homogeneous counterpart: the same without spread.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import distributions as dist

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Range:
    """An interval with its prior: uniform, or uniform in the logarithm.

    Attributes:
        low, high: ends, low < high; low > 0 where `log`.
        log: whether equal ratios are equally likely, not equal differences.
    """

    low: float
    high: float
    log: bool = False

    def at(self, u: Float) -> Float:
        """Values at coordinates in ``[0, 1)``, of their shape."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            values = np.exp(low + np.asarray(u) * (high - low))
        else:
            values = self.low + np.asarray(u) * (self.high - self.low)
        inside: Float = np.clip(values, self.low, self.high)
        return inside

    def table(self) -> dict[str, Any]:
        """As a spec writes it."""
        return {"low": self.low, "high": self.high, **({"prior": "log"} if self.log else {})}


#: A number that is free, or one that is not.
Free = float | Range


@dataclass(frozen=True)
class Dimension(ABC):
    """Base of all: what stands at one path of a spec.

    Attributes:
        path: dotted, such as ``network.neurons.excitatory.tau_mem``.
    """

    path: str

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates, (size,)."""

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self.names)

    @abstractmethod
    def setting(self, u: Float) -> Any:
        """What a spec has at the path, for coordinates (size,)."""

    @abstractmethod
    def table(self) -> dict[str, Any]:
        """As a spec writes the dimension; `Space.parse` reads it back."""

    def homogeneous(self) -> Dimension:
        """The same without spread; itself where there is none."""
        return self


@dataclass(frozen=True)
class Real(Dimension):
    """A number of an interval."""

    interval: Range

    @property
    def names(self) -> tuple[str, ...]:
        """The path."""
        return (self.path,)

    def setting(self, u: Float) -> float:
        """The number."""
        return float(self.interval.at(u[0]))

    def table(self) -> dict[str, Any]:
        """``{low = 1.0, high = 4.0}``, with ``prior = "log"``."""
        return self.interval.table()


@dataclass(frozen=True)
class Integer(Dimension):
    """A whole number from `low` to `high`, both among them; `log` as of a `Range`."""

    low: int
    high: int
    log: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The path."""
        return (self.path,)

    def numbers(self, u: Float) -> NDArray[np.int64]:
        """Whole numbers at coordinates, of their shape."""
        values = np.floor(Range(self.low, self.high + 1.0, self.log).at(u))
        whole: NDArray[np.int64] = np.clip(values, self.low, self.high).astype(np.int64)
        return whole

    def setting(self, u: Float) -> int:
        """The number."""
        return int(self.numbers(u[0]))

    def table(self) -> dict[str, Any]:
        """``{low = 100, high = 400, integer = true}``, with ``prior = "log"``."""
        return {**Range(self.low, self.high, self.log).table(), "integer": True}


@dataclass(frozen=True)
class Choice(Dimension):
    """One of some values, all as likely, in no order."""

    values: tuple[Any, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The path."""
        return (self.path,)

    def index(self, u: Float) -> NDArray[np.int64]:
        """Indices of values at coordinates, of their shape."""
        drawn = np.floor(np.asarray(u) * len(self.values)).astype(np.int64)
        index: NDArray[np.int64] = np.clip(drawn, 0, len(self.values) - 1)
        return index

    def setting(self, u: Float) -> Any:
        """The value."""
        return self.values[int(self.index(u[0]))]

    def table(self) -> dict[str, Any]:
        """``{values = ["bias", "synapse"]}``."""
        return {"values": list(self.values)}


@dataclass(frozen=True)
class Fixed(Dimension):
    """A value that does not vary."""

    value: Any

    @property
    def names(self) -> tuple[str, ...]:
        """None."""
        return ()

    def setting(self, u: Float) -> Any:
        """The value."""
        del u
        return self.value

    def table(self) -> dict[str, Any]:
        """``{value = 0.02}``."""
        return {"value": self.value}


#: Which numbers a distribution of each family is given by; any of the sets. A spec has the first;
#: ``cv``, the coefficient of variation (standard deviation over mean), is ours.
FAMILIES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "gamma": (("shape", "mean"), ("cv", "mean")),
    "lognormal": (("sigma", "mean"), ("cv", "mean")),
    "normal": (("std", "mean"), ("cv", "mean")),
    "uniform": (("low", "high"), ("cv", "mean")),
    "exponential": (("mean",),),
}
#: Families whose tables take ``low``, ``high`` and ``exact_mean``, see `distributions.Clip`.
CLIPPED = ("gamma", "lognormal", "normal", "exponential")


@dataclass(frozen=True)
class Distribution(Dimension):
    """A distribution of the spec, some of whose numbers are free.

    Attributes:
        family: of `FAMILIES`.
        numbers: name and value of every number, in the order of `FAMILIES`.
        clip: bounds and mean correction, which are not free.
        log: whether distances are taken between logarithms of what is drawn (ours). By default
            where the mean has a prior in the logarithm and what is drawn is log-normal, or has a
            bound `low` above 0; else small values would outweigh all others.
    """

    family: str
    numbers: tuple[tuple[str, Free], ...]
    clip: dist.Clip = dist.NO_CLIP
    log: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Path and name of every free number: ``network.neurons.excitatory.tau_mem.mean``."""
        free = [name for name, value in self.numbers if isinstance(value, Range)]
        return tuple(f"{self.path}.{name}" for name in free)

    def values(self, u: Float) -> dict[str, Float]:
        """The numbers as the family of the spec has them, (n,) each.

        With m the mean and c the coefficient of variation: a gamma distribution has the shape
        ``c^-2``, a log-normal one ``sigma^2 = ln(1 + c^2)``, a normal one ``std = c |m|``, a
        uniform one the bounds ``m -+ sqrt(3) c |m|``.

        Args:
            u: (n, size) coordinates.
        """
        columns = iter(np.asarray(u, dtype=np.float64).T)
        given = {
            name: value.at(next(columns)) if isinstance(value, Range) else np.full(len(u), value)
            for name, value in self.numbers
        }
        return _native(self.family, given)

    def setting(self, u: Float) -> dict[str, Any]:
        """The table of a spec."""
        table: dict[str, Any] = {"distribution": self.family}
        values = self.values(np.asarray(u, dtype=np.float64)[None, :])
        table |= {name: float(value[0]) for name, value in values.items()}
        return table | _clip_table(self.clip)

    def table(self) -> dict[str, Any]:
        """As a spec writes it: intervals in place of numbers, and ``metric``."""
        numbers = {
            name: value.table() if isinstance(value, Range) else value
            for name, value in self.numbers
        }
        metric = "log" if self.log else "linear"
        return {"distribution": self.family, **numbers, **_clip_table(self.clip), "metric": metric}

    def homogeneous(self) -> Dimension:
        """The mean alone, over its interval, as far as the bounds of the distribution allow."""
        given = dict(self.numbers)
        mean = given.get("mean")
        if mean is None:
            ends = [_ends(given["low"]), _ends(given["high"])]
            mean = Range(0.5 * (ends[0][0] + ends[1][0]), 0.5 * (ends[0][1] + ends[1][1]))
        low, high = (_within(value, self.clip) for value in _ends(mean))
        if not low < high:
            return Fixed(self.path, low)
        return Real(self.path, Range(low, high, isinstance(mean, Range) and mean.log))


def _native(family: str, given: Mapping[str, Float]) -> dict[str, Float]:
    """Numbers of a spec's table, where they are given by mean and coefficient of variation."""
    if "cv" not in given:
        return dict(given)
    cv, mean = given["cv"], given["mean"]
    if family == "gamma":
        return {"shape": cv**-2.0, "mean": mean}
    if family == "lognormal":
        return {"sigma": np.sqrt(np.log1p(cv**2)), "mean": mean}
    spread = cv * np.abs(mean)
    if family == "normal":
        return {"std": spread, "mean": mean}
    return {"low": mean - math.sqrt(3.0) * spread, "high": mean + math.sqrt(3.0) * spread}


def _clip_table(clip: dist.Clip) -> dict[str, Any]:
    bounds = {"low": clip.low, "high": clip.high}
    table: dict[str, Any] = {name: value for name, value in bounds.items() if value is not None}
    return table | ({"exact_mean": True} if clip.exact_mean else {})


def _ends(value: Free) -> tuple[float, float]:
    return (value.low, value.high) if isinstance(value, Range) else (value, value)


def _within(value: float, clip: dist.Clip) -> float:
    low = -math.inf if clip.low is None else clip.low
    high = math.inf if clip.high is None else clip.high
    return min(max(value, low), high)


def parted(points: Float, dimensions: Sequence[Dimension]) -> list[Float]:
    """Coordinates of points, (..., d), a part (..., size) for every dimension."""
    ends = np.cumsum([dimension.size for dimension in dimensions])
    return np.split(points, ends[:-1], axis=-1)
