"""Distributions that parameters are drawn from: mean-preserving, clipped, and seeded by the caller.

A distribution is fixed by its mean, so a homogeneous arm (`Constant`) and a heterogeneous one
have the same mean by construction. ``exact_mean=True`` rescales the drawn sample so that its
mean is exact; clipping comes after that. `sample_mean` collapses a sample that is drawn, so that
both arms have the same mean to the last digits, clipped or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if

Float = NDArray[np.float64]


class Distribution(Protocol):
    """Anything with a `mean` that can be drawn from."""

    @property
    def mean(self) -> float:
        """Mean before clipping."""
        ...

    def sample(self, rng: np.random.Generator, size: int) -> Float:
        """Draw `size` values, (size,)."""
        ...


@dataclass(frozen=True)
class Clip:
    """Bounds and mean correction shared by all distributions.

    Attributes:
        low, high: values outside are set to the bound; None leaves a side open.
        exact_mean: rescale the sample so that its mean is the distribution's (before clipping).
    """

    low: float | None = None
    high: float | None = None
    exact_mean: bool = False

    def apply(self, values: Float, mean: float) -> Float:
        """Correct the mean if asked, then clip."""
        if self.exact_mean and values.size and values.mean() != 0:
            values = values * (mean / values.mean())
        if self.low is None and self.high is None:
            return values
        return np.clip(values, self.low, self.high)

    def problems(self, where: str) -> list[Problem]:
        """Everything that is wrong with the bounds."""
        if self.low is not None and self.high is not None and self.low > self.high:
            return [Problem(where, f"low {self.low:g} > high {self.high:g}", "low <= high")]
        return []


NO_CLIP = Clip()


@dataclass(frozen=True)
class Constant:
    """The same value for everyone: the homogeneous arm."""

    value: float

    @property
    def mean(self) -> float:
        """The value."""
        return self.value

    def sample(self, rng: np.random.Generator, size: int) -> Float:
        """`size` times the value; draws nothing from `rng`."""
        del rng
        return np.full(size, self.value, dtype=np.float64)


@dataclass(frozen=True)
class Gamma:
    """Gamma distribution of the given shape (> 0) and mean (> 0); its CV is ``shape ** -0.5``."""

    shape: float
    mean: float
    clip: Clip = NO_CLIP

    def __post_init__(self) -> None:
        _require(self, self.clip, shape=self.shape, mean=self.mean)

    def sample(self, rng: np.random.Generator, size: int) -> Float:
        """Draw `size` values, (size,)."""
        return self.clip.apply(rng.gamma(self.shape, self.mean / self.shape, size), self.mean)


@dataclass(frozen=True)
class Exponential:
    """Exponential distribution of the given mean (> 0); its CV is 1."""

    mean: float
    clip: Clip = NO_CLIP

    def __post_init__(self) -> None:
        _require(self, self.clip, mean=self.mean)

    def sample(self, rng: np.random.Generator, size: int) -> Float:
        """Draw `size` values, (size,)."""
        return self.clip.apply(rng.exponential(self.mean, size), self.mean)


@dataclass(frozen=True)
class LogNormal:
    """Log-normal distribution by its mean (> 0) and the standard deviation of the logarithm."""

    mean: float
    sigma: float
    clip: Clip = NO_CLIP

    def __post_init__(self) -> None:
        _require(self, self.clip, mean=self.mean, sigma=self.sigma)

    def sample(self, rng: np.random.Generator, size: int) -> Float:
        """Draw `size` values, (size,)."""
        mu = np.log(self.mean) - 0.5 * self.sigma**2
        return self.clip.apply(rng.lognormal(mu, self.sigma, size), self.mean)


@dataclass(frozen=True)
class Normal:
    """Normal distribution by its mean and standard deviation (> 0)."""

    mean: float
    std: float
    clip: Clip = NO_CLIP

    def __post_init__(self) -> None:
        _require(self, self.clip, std=self.std)

    def sample(self, rng: np.random.Generator, size: int) -> Float:
        """Draw `size` values, (size,)."""
        return self.clip.apply(rng.normal(self.mean, self.std, size), self.mean)


@dataclass(frozen=True)
class Uniform:
    """Uniform distribution on ``[low, high]``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        raise_if(
            SpecError,
            "the distribution is not valid",
            Clip(self.low, self.high).problems("Uniform"),
        )

    @property
    def mean(self) -> float:
        """Centre of the interval."""
        return 0.5 * (self.low + self.high)

    def sample(self, rng: np.random.Generator, size: int) -> Float:
        """Draw `size` values, (size,)."""
        return rng.uniform(self.low, self.high, size)


@dataclass(frozen=True)
class Discrete:
    """One of some values, each with its share (>= 0, sum 1); None: all are as likely."""

    values: tuple[float, ...]
    shares: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        problems, shares = [], self.shares
        if not self.values or not np.isfinite(self.values).all():
            problems.append(Problem("Discrete.values", f"{self.values}", "finite, at least one"))
        if shares is not None and (
            len(shares) != len(self.values) or min(shares) < 0 or abs(sum(shares) - 1.0) > 1e-9
        ):
            allowed = "one >= 0 for each value, of the sum 1"
            problems.append(Problem("Discrete.shares", f"{shares}", allowed))
        raise_if(SpecError, "the distribution is not valid", problems)

    @property
    def mean(self) -> float:
        """Sum of the values times their shares."""
        return float(np.average(self.values, weights=self.shares))

    def sample(self, rng: np.random.Generator, size: int) -> Float:
        """Draw `size` values, (size,)."""
        drawn: Float = rng.choice(np.array(self.values, np.float64), size, p=self.shares)
        return drawn


def sample_mean(values: Float) -> Float:
    """Every value replaced by the mean of the sample, (size,): the homogeneous arm of a draw."""
    return np.full_like(values, values.mean()) if values.size else values


def _require(owner: object, clip: Clip, **positive: float) -> None:
    name = type(owner).__name__
    problems = [
        Problem(f"{name}.{key}", f"{value:g}", "finite and > 0")
        for key, value in positive.items()
        if not (np.isfinite(value) and value > 0)
    ]
    raise_if(SpecError, "the distribution is not valid", problems + clip.problems(f"{name}.clip"))
