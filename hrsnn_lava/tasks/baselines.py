"""What a table needs beside a spiking network: persistence, linear and quadratic models, an ESN.

They go through the protocol of the spiking network. On noise-free Lorenz-63 the quadratic model is
better than any spiking network known to us: the flow itself is quadratic. The echo state network
is the reservoir without spikes that a spiking one is measured against:

    x(t) = (1 - leak) x(t-1) + leak tanh(W x(t-1) + W_in u(t) + b)      (Jaeger 2001, 2007)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import ArpackError, eigs

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import Count, NonNegative, Positive, options
from hrsnn_lava.tasks.view import View
from hrsnn_lava.training.ridge import LinearMap, ridge

__all__ = [
    "ESN",
    "AutoregressionOptions",
    "DelayForecaster",
    "ESNOptions",
    "Forecaster",
    "NVAROptions",
    "Persistence",
    "TrainingMean",
    "delays",
    "draw_esn",
    "fit_autoregression",
    "fit_esn",
    "fit_nvar",
    "quadratic",
    "ridge_by_hold_out",
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
        """Take in what is shown of the current value, (n_shown,), and forecast the next, (d,)."""


class Persistence:
    """Tomorrow is as today: u(t+1) = u(t); a component that is not shown has its training mean.

    Args:
        view: what is shown; None: all.
    """

    def __init__(self, view: View | None = None) -> None:
        self._view = view

    def reset(self) -> None:
        """Do nothing: there is no past to forget."""

    def observe(self, value: Floats) -> Floats:
        """Return the value itself."""
        return value if self._view is None else self._view.carry(value)


class TrainingMean:
    """Always the mean of the training samples, which is 0 in a z-scored series.

    Args:
        view: has the number of components.
    """

    def __init__(self, view: View) -> None:
        self._mean = np.zeros(view.dimension)

    def reset(self) -> None:
        """Do nothing: nothing is remembered."""

    def observe(self, value: Floats) -> Floats:
        """Return the mean."""
        del value
        return self._mean


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

    Until `lags` values were seen the first one stands in for those before it. Of a series that is
    shown in part, the right-hand side has the shown components alone, see `View`.

    lags:     number of values
    features: maps (n, lags * n_shown), newest value first, to (n, n_features)
    readout:  (n_features) -> d
    view:     what is shown; None: all
    """

    lags: int
    features: Features
    readout: LinearMap
    view: View | None = None
    _past: list[Floats] = field(default_factory=list, repr=False)

    def reset(self) -> None:
        """Forget the past."""
        self._past = []

    def observe(self, value: Floats) -> Floats:
        """Take in what is shown of u(t), (n_shown,), return the forecast of u(t+1), (d,)."""
        past = self._past or [value] * self.lags
        self._past = [value, *past[: self.lags - 1]]
        row = self.features(np.concatenate(self._past)[None, :])[0]
        start = value if self.view is None else self.view.carry(value)
        result: Floats = start + self.readout(row)
        return result


def delays(values: Floats, lags: int) -> Floats:
    """Delay vectors (n - lags + 1, lags * d) of `values` (n, d), the newest value first."""
    n = len(values)
    return np.hstack([values[lags - 1 - k : n - k] for k in range(lags)])


def _increments(train: Floats, view: View) -> Floats:
    """What is to be added to what is carried over, (n - 1, d)."""
    result: Floats = train[1:] - view.carry(view.of(train[:-1]))
    return result


def _check_length(train: Floats, option: str, samples: int) -> None:
    """Three samples after those that `option` takes are the least that can be fitted."""
    if len(train) < samples + 3:
        allowed = f">= {option} + 3 = {samples + 3}"
        problem = Problem("train", f"{len(train)} samples", allowed)
        raise SpecError("the training series is too short", problems=[problem])


def _linear(vectors: Floats) -> Floats:
    return vectors


def quadratic(vectors: Floats) -> Floats:
    """Return the values and all their products of two, (n, m + m (m + 1) / 2)."""
    i, j = np.triu_indices(vectors.shape[1])
    return np.hstack([vectors, vectors[:, i] * vectors[:, j]])


def ridge_by_hold_out(
    features: Floats, targets: Floats, alphas: Sequence[float], held_out: int
) -> LinearMap:
    """A ridge fit whose penalty does best on the last `held_out` rows; then all rows are fitted.

    Args:
        features: (n, n_features).
        targets: (n, d).
        alphas: penalties to choose from, relative to the features' mean square; the first of
            equal ones is taken.
        held_out: rows, at most n - 2.
    """
    if len(alphas) == 1:
        return ridge(features, targets, alphas[0])
    first = len(features) - held_out

    def error(alpha: float) -> float:
        fitted = ridge(features[:first], targets[:first], alpha)
        return float(np.mean((fitted(features[first:]) - targets[first:]) ** 2))

    return ridge(features, targets, min(alphas, key=error))


def _chosen(features: Floats, targets: Floats, alphas: Sequence[float]) -> LinearMap:
    """By the last fifth of the rows (our choice)."""
    return ridge_by_hold_out(features, targets, alphas, max(1, len(features) // 5))


def _fit(
    train: Floats, lags: int, features: Features, alphas: Sequence[float], view: View | None
) -> Forecaster:
    _check_length(train, "lags", lags)
    seen = view or View.complete(train.shape[1])
    vectors = delays(seen.of(train[:-1]), lags)
    targets = _increments(train, seen)[lags - 1 :]
    return DelayForecaster(lags, features, _chosen(features(vectors), targets, alphas), view)


def fit_autoregression(
    train: Floats,
    options: AutoregressionOptions | None = None,
    *,
    view: View | None = None,
    alphas: Sequence[float] = (),
) -> Forecaster:
    """Fit the linear autoregression to a training series, (n_train, d).

    Args:
        view: what the forecaster is shown; None: all.
        alphas: penalties to choose from on the last fifth, instead of the one of the options.

    Raises:
        SpecError: the series is shorter than lags + 3.
    """
    o = options or AutoregressionOptions()
    return _fit(train, o.lags, _linear, alphas or (o.alpha,), view)


def fit_nvar(
    train: Floats,
    options: NVAROptions | None = None,
    *,
    view: View | None = None,
    alphas: Sequence[float] = (),
) -> Forecaster:
    """Fit the quadratic autoregression to a training series, (n_train, d).

    Args:
        view, alphas: see `fit_autoregression`.

    Raises:
        SpecError: the series is shorter than lags + 3.
    """
    o = options or NVAROptions()
    return _fit(train, o.lags, quadratic, alphas or (o.alpha,), view)


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
        self,
        weights: csr_matrix,
        input_weights: Floats,
        bias: Floats,
        leak: float,
        view: View | None = None,
    ) -> None:
        """Take W (size, size), W_in (size, n_shown), b (size,), leak, and what it is shown."""
        self._weights, self._input, self._bias, self._leak = weights, input_weights, bias, leak
        self._state, self._view = np.zeros(len(bias)), view
        width = input_weights.shape[1]
        dimension = width if view is None else view.dimension
        self.readout = LinearMap(np.zeros((len(bias) + width, dimension)), np.zeros(dimension))

    def reset(self) -> None:
        """Forget the past: all states 0."""
        self._state = np.zeros(len(self._bias))

    def advance(self, value: Floats) -> Floats:
        """Take in u(t), (n_shown,), return the features [x(t), u(t)], (size + n_shown,)."""
        drive = self._weights @ self._state + self._input @ value + self._bias
        self._state = (1.0 - self._leak) * self._state + self._leak * np.tanh(drive)
        return np.concatenate([self._state, value])

    def observe(self, value: Floats) -> Floats:
        """Take in what is shown of u(t), (n_shown,), return the forecast of u(t+1), (d,)."""
        start = value if self._view is None else self._view.carry(value)
        result: Floats = start + self.readout(self.advance(value))
        return result


def draw_esn(
    width: int, rng: np.random.Generator, options: ESNOptions, view: View | None = None
) -> ESN:
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
        view,
    )


def fit_esn(
    train: Floats,
    rng: np.random.Generator,
    options: ESNOptions | None = None,
    *,
    view: View | None = None,
    alphas: Sequence[float] = (),
) -> ESN:
    """Draw an echo state network and fit its readout to a training series, (n_train, d).

    Args:
        rng: draws it.
        options: what defines it.
        view, alphas: see `fit_autoregression`.

    Raises:
        SpecError: the series is not longer than the washout by at least three samples.
    """
    o = options or ESNOptions()
    _check_length(train, "washout", o.washout)
    seen = view or View.complete(train.shape[1])
    esn = draw_esn(len(seen.shown), rng, o, view)
    features = np.stack([esn.advance(value) for value in seen.of(train[:-1])])
    targets = _increments(train, seen)[o.washout :]
    esn.readout = _chosen(features[o.washout :], targets, alphas or (o.alpha,))
    return esn
