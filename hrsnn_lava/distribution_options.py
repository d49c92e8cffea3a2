"""Distributions as a spec writes them: ``{ distribution = "gamma", shape = 3.0, mean = 0.01 }``.

A number stands for the same value everywhere. `AnyTable` is the type of a field that takes one of
the tables, `distribution` makes of either what `hrsnn_lava.distributions` draws from.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hrsnn_lava import distributions as dist
from hrsnn_lava.options import NonNegative, Number, Positive

__all__ = [
    "AnyTable",
    "DiscreteSpec",
    "ExponentialSpec",
    "GammaSpec",
    "LogNormalSpec",
    "NormalSpec",
    "Section",
    "UniformSpec",
    "at_least_zero",
    "distribution",
    "lowest",
    "positive",
]


class Section(BaseModel):
    """Base of all tables: strict, frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    #: Keys that came later than the rest: the canonical text of a spec leaves them out where they
    #: have their defaults, so that of a file that does not know them is what it was.
    younger: ClassVar[tuple[str, ...]] = ()


class _Clipped(Section):
    low: Number | None = None
    high: Number | None = None
    exact_mean: bool = False

    def clip(self) -> dist.Clip:
        """Bounds as the distributions take them."""
        return dist.Clip(self.low, self.high, self.exact_mean)

    @model_validator(mode="after")
    def _ordered(self) -> _Clipped:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low must not be above high")
        return self


class GammaSpec(_Clipped):
    """``{distribution = "gamma", shape = 3.0, mean = 0.01, low = 0.003, high = 0.1}``"""

    distribution: Literal["gamma"]
    shape: Positive
    mean: Positive

    def build(self) -> dist.Distribution:
        """The distribution."""
        return dist.Gamma(self.shape, self.mean, self.clip())


class ExponentialSpec(_Clipped):
    """``{distribution = "exponential", mean = 0.01}``"""

    distribution: Literal["exponential"]
    mean: Positive

    def build(self) -> dist.Distribution:
        """The distribution."""
        return dist.Exponential(self.mean, self.clip())


class LogNormalSpec(_Clipped):
    """``{distribution = "lognormal", mean = 0.02, sigma = 0.5}``"""

    distribution: Literal["lognormal"]
    mean: Positive
    sigma: NonNegative

    def build(self) -> dist.Distribution:
        """The distribution."""
        return dist.LogNormal(self.mean, self.sigma, self.clip())


class NormalSpec(_Clipped):
    """``{distribution = "normal", mean = 1.0, std = 0.1, low = 0.5, high = 1.5}``"""

    distribution: Literal["normal"]
    mean: Number
    std: Positive

    def build(self) -> dist.Distribution:
        """The distribution."""
        return dist.Normal(self.mean, self.std, self.clip())


class UniformSpec(Section):
    """``{distribution = "uniform", low = 0.1, high = 2.1}``"""

    distribution: Literal["uniform"]
    low: Number
    high: Number

    @model_validator(mode="after")
    def _ordered(self) -> UniformSpec:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self

    def build(self) -> dist.Distribution:
        """The distribution."""
        return dist.Uniform(self.low, self.high)


class DiscreteSpec(Section):
    """``{distribution = "discrete", values = [0.005, 0.05], shares = [0.8, 0.2]}``

    Without `shares` all values are as likely.
    """

    distribution: Literal["discrete"]
    values: Annotated[tuple[Number, ...], Field(min_length=1)]
    shares: tuple[NonNegative, ...] | None = None

    @model_validator(mode="after")
    def _shared(self) -> DiscreteSpec:
        if self.shares is not None and len(self.shares) != len(self.values):
            raise ValueError("shares: one for each of the values")
        if self.shares is not None and abs(sum(self.shares) - 1.0) > 1e-9:
            raise ValueError("shares must have the sum 1")
        return self

    def build(self) -> dist.Distribution:
        """The distribution."""
        return dist.Discrete(self.values, self.shares)


AnyTable = Annotated[
    Union[  # noqa: UP007 - pydantic on 3.10
        GammaSpec, LogNormalSpec, NormalSpec, UniformSpec, ExponentialSpec, DiscreteSpec
    ],
    Field(discriminator="distribution"),
]


def distribution(value: Any) -> dist.Distribution:
    """A number becomes a `Constant`, a table its distribution."""
    if isinstance(value, (int, float)):
        return dist.Constant(float(value))
    built: dist.Distribution = value.build()
    return built


def lowest(value: Any) -> float:
    """What no value of a number or a table is below; minus infinity where there is no bound.

    Gamma, exponential and log-normal values are above 0, unless their table clips them.
    """
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, DiscreteSpec):
        return min(value.values)
    if isinstance(value, UniformSpec):
        return value.low
    bound = -float("inf") if value.low is None else float(value.low)
    return bound if isinstance(value, NormalSpec) else max(bound, _capped(value))


def _capped(value: Any) -> float:
    """Least value of a distribution of positive values: its `high` where that is below 0."""
    smallest = 5e-324
    return smallest if value.high is None else min(smallest, float(value.high))


def positive(name: str, value: Any) -> None:
    """Refuse (`ValueError`) a distribution that can give 0 or less."""
    if not lowest(value) > 0:
        raise ValueError(f"{name} must stay positive: {_fix(value, '> 0')}")


def at_least_zero(name: str, value: Any) -> None:
    """Refuse (`ValueError`) a distribution that can give less than 0."""
    if not lowest(value) >= 0:
        raise ValueError(f"{name} must not be negative: {_fix(value, '>= 0')}")


def _fix(value: Any, bound: str) -> str:
    if isinstance(value, DiscreteSpec):
        return f"give values {bound}"
    if not isinstance(value, (NormalSpec, UniformSpec)):
        return f"set high {bound} in its distribution"
    return f"set low {bound} in its distribution"
