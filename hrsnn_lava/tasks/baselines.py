"""Forecasters without spikes: persistence, linear autoregression, next-generation reservoir.

They go through the protocol of the spiking network, and belong in every table beside it. On
noise-free Lorenz-63 the quadratic model is better than any spiking network known to us: the
flow itself is quadratic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.tasks.ridge import LinearMap, ridge
from hrsnn_lava.tasks.series import Forecaster

__all__ = [
    "AutoregressionOptions",
    "DelayForecaster",
    "NVAROptions",
    "Persistence",
    "fit_autoregression",
    "fit_nvar",
]

Floats = NDArray[np.float64]
Features = Callable[[Floats], Floats]


class Persistence:
    """Tomorrow is as today: u(t+1) = u(t)."""

    def reset(self) -> None:
        """Do nothing: there is no past to forget."""

    def observe(self, value: Floats) -> Floats:
        """Return the value itself."""
        return value


@dataclass(frozen=True)
class AutoregressionOptions:
    """Linear autoregression of u(t+1) - u(t) on the last `lags` values.

    lags:  values used (our choice: 10)
    alpha: ridge penalty relative to the features' mean square (our choice)
    """

    lags: int = 10
    alpha: float = 1e-6

    def __post_init__(self) -> None:
        _check(self.lags, self.alpha, "autoregression")


@dataclass(frozen=True)
class NVAROptions:
    """Nonlinear vector autoregression (Gauthier et al. 2021): lags and all their products.

    lags:  values used (2 in their Lorenz-63 example)
    alpha: ridge penalty relative to the features' mean square (our choice)
    """

    lags: int = 2
    alpha: float = 1e-8

    def __post_init__(self) -> None:
        _check(self.lags, self.alpha, "NVAR")


def _check(lags: int, alpha: float, what: str) -> None:
    problems = []
    if lags < 1:
        problems.append(Problem("lags", f"{lags}", ">= 1"))
    if not alpha > 0:
        problems.append(Problem("alpha", f"{alpha}", "> 0"))
    raise_if(SpecError, f"options of the {what} baseline", problems)


@dataclass
class DelayForecaster:
    """u(t+1) = u(t) + M(f(u(t), u(t-1), ..., u(t-lags+1))), M linear, f a fixed feature map.

    Until `lags` values were seen the first one stands in for those before it.

    lags:     number of values
    features: maps (n, lags * d), newest value first, to (n, n_features)
    readout:  (n_features) -> d
    """

    lags: int
    features: Features
    readout: LinearMap
    _past: list[Floats] = field(default_factory=list, repr=False)

    def reset(self) -> None:
        """Forget the past."""
        self._past = []

    def observe(self, value: Floats) -> Floats:
        """Take in u(t), (d,), return the forecast of u(t+1), (d,)."""
        past = self._past or [value] * self.lags
        self._past = [value, *past[: self.lags - 1]]
        row = self.features(np.concatenate(self._past)[None, :])[0]
        result: Floats = value + self.readout(row)
        return result


def _embed(train: Floats, lags: int) -> tuple[Floats, Floats]:
    """Return delay vectors (n - lags, lags * d), newest first, and increments (n - lags, d)."""
    n = len(train)
    if n < lags + 3:
        raise SpecError(
            "the training series is too short",
            problems=[Problem("train", f"{n} samples", f">= lags + 3 = {lags + 3}")],
        )
    vectors = np.hstack([train[lags - 1 - k : n - 1 - k] for k in range(lags)])
    return vectors, np.diff(train, axis=0)[lags - 1 :]


def _linear(vectors: Floats) -> Floats:
    return vectors


def _quadratic(vectors: Floats) -> Floats:
    """Return the values and all their products of two, (n, m + m (m + 1) / 2)."""
    i, j = np.triu_indices(vectors.shape[1])
    return np.hstack([vectors, vectors[:, i] * vectors[:, j]])


def _fit(train: Floats, lags: int, features: Features, alpha: float) -> Forecaster:
    vectors, increments = _embed(train, lags)
    return DelayForecaster(lags, features, ridge(features(vectors), increments, alpha))


def fit_autoregression(train: Floats, options: AutoregressionOptions | None = None) -> Forecaster:
    """Fit the linear autoregression to a training series, (n_train, d).

    Raises:
        SpecError: the series is shorter than lags + 3.
    """
    o = options or AutoregressionOptions()
    return _fit(train, o.lags, _linear, o.alpha)


def fit_nvar(train: Floats, options: NVAROptions | None = None) -> Forecaster:
    """Fit the quadratic autoregression to a training series, (n_train, d).

    Raises:
        SpecError: the series is shorter than lags + 3.
    """
    o = options or NVAROptions()
    return _fit(train, o.lags, _quadratic, o.alpha)
