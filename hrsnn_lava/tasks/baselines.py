"""What a table needs beside a spiking network: persistence, linear and quadratic models, an ESN.

They go through the protocol of the spiking network. On noise-free Lorenz-63 the quadratic model is
better than any spiking network known to us: the flow itself is quadratic. The echo state network
is the reservoir without spikes that a spiking one is measured against:

    x(t) = (1 - leak) x(t-1) + leak tanh(W x(t-1) + W_in u(t) + b)      (Jaeger 2001, 2007)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import ArpackError, eigs

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import Count, NonNegative, Positive, options
from hrsnn_lava.training.ridge import LinearMap, ridge

__all__ = [
    "ESN",
    "AutoregressionOptions",
    "DelayForecaster",
    "ESNOptions",
    "Forecaster",
    "NVAROptions",
    "Persistence",
    "draw_esn",
    "fit_autoregression",
    "fit_esn",
    "fit_nvar",
    "spectral_radius",
]

Floats = NDArray[np.float64]
Features = Callable[[Floats], Floats]
PositiveShare = Annotated[float, Field(gt=0, le=1)]


class Forecaster(Protocol):
    """What can be asked for the next value."""

    def reset(self) -> None:
        """Forget the past."""

    def observe(self, value: Floats) -> Floats:
        """Take in the current value, (d,), and return the forecast of the next one, (d,)."""


class Persistence:
    """Tomorrow is as today: u(t+1) = u(t)."""

    def reset(self) -> None:
        """Do nothing: there is no past to forget."""

    def observe(self, value: Floats) -> Floats:
        """Return the value itself."""
        return value


@options
class AutoregressionOptions:
    """Linear autoregression of u(t+1) - u(t) on the last values.

    Attributes:
        lags: values used (our choice: 10).
        alpha: ridge penalty relative to the features' mean square (our choice).
    """

    lags: Count = 10
    alpha: Positive = 1e-6


@options
class NVAROptions:
    """Nonlinear vector autoregression (Gauthier et al. 2021): lags and all their products.

    Attributes:
        lags: values used (2 in their Lorenz-63 example).
        alpha: ridge penalty relative to the features' mean square (our choice).
    """

    lags: Count = 2
    alpha: Positive = 1e-8


@options
class ESNOptions:
    """What defines the echo state network; all values are our choice.

    Attributes:
        size: units.
        rho: spectral radius of W.
        input_scale: W_in and b are uniform in +-input_scale.
        leak: share of the new state.
        density: share of nonzero recurrent weights.
        alpha: ridge penalty relative to the features' mean square.
        washout: first training samples that are not fitted.
    """

    size: Annotated[int, Field(ge=2)] = 1000
    rho: NonNegative = 0.5
    input_scale: Positive = 0.3
    leak: PositiveShare = 0.7
    density: PositiveShare = 0.05
    alpha: Positive = 1e-10
    washout: Annotated[int, Field(ge=0)] = 50


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
    _check_length(train, "lags", lags)
    vectors = np.hstack([train[lags - 1 - k : len(train) - 1 - k] for k in range(lags)])
    return vectors, np.diff(train, axis=0)[lags - 1 :]


def _check_length(train: Floats, option: str, samples: int) -> None:
    """Three samples after those that `option` takes are the least that can be fitted."""
    if len(train) < samples + 3:
        allowed = f">= {option} + 3 = {samples + 3}"
        problem = Problem("train", f"{len(train)} samples", allowed)
        raise SpecError("the training series is too short", problems=[problem])


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


def spectral_radius(matrix: csr_matrix, rng: np.random.Generator) -> float:
    """Return max |eigenvalue| of a square sparse matrix.

    Arnoldi iteration first; all eigenvalues where it fails, as it may on a random matrix, whose
    outermost eigenvalues crowd on a circle.
    """
    n = matrix.shape[0]
    if n > 100:
        try:
            values = eigs(
                matrix, k=2, which="LM", v0=rng.standard_normal(n), return_eigenvectors=False
            )
            return float(np.max(np.abs(values)))
        except ArpackError:
            pass
    return float(np.max(np.abs(np.linalg.eigvals(matrix.toarray()))))


class ESN:
    """An echo state network; a `Forecaster` once its readout is fitted."""

    def __init__(
        self, weights: csr_matrix, input_weights: Floats, bias: Floats, leak: float
    ) -> None:
        """Take W (size, size), W_in (size, d), b (size,), leak."""
        self._weights, self._input, self._bias, self._leak = weights, input_weights, bias, leak
        self._state = np.zeros(len(bias))
        width = input_weights.shape[1]
        self.readout = LinearMap(np.zeros((len(bias) + width, width)), np.zeros(width))

    def reset(self) -> None:
        """Forget the past: all states 0."""
        self._state = np.zeros(len(self._bias))

    def advance(self, value: Floats) -> Floats:
        """Take in u(t), (d,), return the features [x(t), u(t)], (size + d,)."""
        drive = self._weights @ self._state + self._input @ value + self._bias
        self._state = (1.0 - self._leak) * self._state + self._leak * np.tanh(drive)
        return np.concatenate([self._state, value])

    def observe(self, value: Floats) -> Floats:
        """Take in u(t), (d,), return the forecast of u(t+1), (d,)."""
        result: Floats = value + self.readout(self.advance(value))
        return result


def draw_esn(width: int, rng: np.random.Generator, options: ESNOptions) -> ESN:
    """Draw an echo state network of `width` inputs; its readout gives 0 until it is fitted."""
    o = options
    present = rng.random((o.size, o.size)) < o.density
    weights = csr_matrix(np.where(present, rng.standard_normal((o.size, o.size)), 0.0))
    radius = spectral_radius(weights, rng)
    if radius > 0:
        weights = weights * (o.rho / radius)
    return ESN(
        weights,
        rng.uniform(-o.input_scale, o.input_scale, (o.size, width)),
        rng.uniform(-o.input_scale, o.input_scale, o.size),
        o.leak,
    )


def fit_esn(train: Floats, rng: np.random.Generator, options: ESNOptions | None = None) -> ESN:
    """Draw an echo state network and fit its readout to a training series, (n_train, d).

    Raises:
        SpecError: the series is not longer than the washout by at least three samples.
    """
    o = options or ESNOptions()
    _check_length(train, "washout", o.washout)
    esn = draw_esn(train.shape[1], rng, o)
    features = np.stack([esn.advance(value) for value in train[:-1]])
    esn.readout = ridge(features[o.washout :], np.diff(train, axis=0)[o.washout :], o.alpha)
    return esn
