r"""Regression by a Gaussian process, its hyper-parameters by marginal likelihood with weak priors.

.. math:: y = f + \epsilon, \quad f \sim \mathcal{GP}(0, s^2 k), \quad
          \epsilon \sim \mathcal{N}(0, \sigma^2)

on targets of mean 0 and variance 1. With ``K = s^2 k + sigma^2 I`` and ``alpha = K^-1 y``,

.. math:: -\ln p(y) = \tfrac12 y^T \alpha + \tfrac12 \ln|K| + \tfrac n2 \ln 2\pi, \qquad
          \frac{\partial(-\ln p)}{\partial\theta} =
          \tfrac12 \mathrm{tr}\left((K^{-1} - \alpha\alpha^T) \partial K / \partial\theta\right)

(Rasmussen and Williams 2006, algorithm 2.1 and eq. 5.9).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.bayesian.geometry import Geometry
from hrsnn_lava.bayesian.kernels import Joint, Kernel

Float = NDArray[np.float64]

#: Bounds of the logarithms of signal variance, length scales and noise variance. The upper one of
#: length scales lets a part that does not matter leave the kernel.
_BOUNDS = {
    "signal": (np.log(1e-3), np.log(1e3)),
    "length": (np.log(1e-2), np.log(1e6)),
    "noise": (np.log(1e-6), np.log(10.0)),
}


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    """Of standardised targets.

    Attributes:
        signal: s^2, the variance of f.
        lengths: (B,) length scales of the parts.
        noise: sigma^2.
    """

    signal: float
    lengths: Float
    noise: float

    @property
    def logarithms(self) -> Float:
        """``(ln s^2, ln l_1, .., ln l_B, ln sigma^2)``."""
        logarithms: Float = np.log(np.concatenate([[self.signal], self.lengths, [self.noise]]))
        return logarithms

    @classmethod
    def of(cls, logarithms: Float) -> Hyperparameters:
        """From their logarithms."""
        values = np.exp(logarithms)
        return cls(float(values[0]), values[1:-1], float(values[-1]))


@dataclass(frozen=True)
class Priors:
    """Normal priors of logarithms, each by mean and standard deviation (ours).

    Attributes:
        signal: of the signal variance.
        length: of a length scale, with ``ln(B) / 2`` added to the mean for B parts, so that the
            distance of two random points in units of it does not grow with B (as in Hvarfner,
            Hellsten and Nardi 2024, whose prior is wider and longer); in units in which two random
            points are 1 apart.
        noise: of the noise variance.
    """

    signal: tuple[float, float] = (0.0, 1.0)
    length: tuple[float, float] = (0.0, 1.2)
    noise: tuple[float, float] = (-3.5, 1.5)

    @classmethod
    def repeatable(cls) -> Priors:
        """Of values that are the same when they are measured again: hardly any noise."""
        return cls(noise=(-12.0, 1.0))

    def arrays(self, parts: int) -> tuple[Float, Float]:
        """Means and standard deviations of the logarithms of `Hyperparameters`, (B + 2,) each."""
        shifted = self.length[0] + 0.5 * np.log(parts)
        mean = np.concatenate([[self.signal[0]], np.full(parts, shifted), [self.noise[0]]])
        spread = np.concatenate([[self.signal[1]], np.full(parts, self.length[1]), [self.noise[1]]])
        return mean, spread


def evidence(
    logarithms: Float,
    squared: Float,
    targets: Float,
    kernel: Kernel,
    priors: Priors | None = None,
) -> tuple[float, Float]:
    """Negative log marginal likelihood, less the log prior up to a constant, and its gradient.

    Args:
        logarithms: (B + 2,) see `Hyperparameters.logarithms`.
        squared: squared distances of the parts, (B, n, n).
        targets: (n,) standardised.
        kernel: correlations.
        priors: None for none.

    Returns:
        The value, infinite where the matrix is not positive definite, and (B + 2,) derivatives.
    """
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    hyper = Hyperparameters.of(logarithms)
    n = targets.size
    correlations = kernel.correlations(squared, hyper.lengths)
    # as LAPACK has it in memory, so that nothing is copied
    covariance = np.asfortranarray((hyper.signal * correlations.matrix).T)
    covariance.flat[:: n + 1] += hyper.noise
    try:
        factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return np.inf, np.zeros_like(logarithms)
    alpha = cho_solve(factor, targets, check_finite=False)
    value = 0.5 * float(targets @ alpha) + float(np.log(factor[0].diagonal()).sum())
    value += 0.5 * n * float(np.log(2.0 * np.pi))
    weight = _folded_weight(factor[0], alpha)
    gradient = np.concatenate(
        [
            [hyper.signal * np.vdot(weight, correlations.matrix)],
            hyper.signal * correlations.gradient(weight),
            [hyper.noise * np.trace(weight)],
        ]
    )
    if priors is not None:
        mean, spread = priors.arrays(len(squared))
        scores = (logarithms - mean) / spread
        value += 0.5 * float(scores @ scores)
        gradient += scores / spread
    return value, gradient


def _folded_weight(lower: Float, alpha: Float) -> Float:
    """``(K^-1 - alpha alpha') / 2`` folded onto one triangle, for sums with symmetric matrices."""
    from scipy.linalg.lapack import dpotri

    inverse, _ = dpotri(lower, lower=True)
    # its transpose lies in memory as all other matrices do
    weight: Float = np.triu(inverse.T - np.outer(alpha, alpha))
    weight.flat[:: alpha.size + 1] *= 0.5
    return weight


def fitted(
    squared: Float,
    targets: Float,
    kernel: Kernel,
    priors: Priors | None,
    rng: np.random.Generator,
) -> Hyperparameters:
    """Hyper-parameters of the highest evidence that L-BFGS-B finds from several starts.

    The starts, the middle of the priors and two drawn from them, are run on at most 128 of the
    trials, evenly among them; the best end is refined on all (ours: a start costs the cube of
    their number).

    Args:
        squared, targets, kernel, priors: see `evidence`; without priors, starts are from the
            default ones.
        rng: draws starts.
    """
    n = targets.size
    mean, spread = (priors or Priors()).arrays(len(squared))
    starts = [mean, *(mean + 0.5 * spread * rng.standard_normal((2, mean.size)))]
    few = np.unique(np.linspace(0, n - 1, min(n, 128)).astype(np.int64))
    some = np.ascontiguousarray(squared[:, few[:, None], few])
    ends = [_climbed(start, some, targets[few], kernel, priors, 60) for start in starts]
    best = min(ends, key=lambda end: float(end.fun))
    if few.size < n:
        best = _climbed(best.x, squared, targets, kernel, priors, 15)
    return Hyperparameters.of(best.x)


def _climbed(
    start: Float,
    squared: Float,
    targets: Float,
    kernel: Kernel,
    priors: Priors | None,
    iterations: int,
) -> Any:
    from scipy.optimize import minimize

    parts = len(squared)
    bounds = [_BOUNDS["signal"], *[_BOUNDS["length"]] * parts, _BOUNDS["noise"]]
    low, high = np.array(bounds).T
    return minimize(
        evidence,
        np.clip(start, low, high),
        args=(squared, targets, kernel, priors),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations},
    )


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A process that knows its trials.

    Attributes:
        geometry: distances.
        features: (n, ...) of the trials, see `Geometry.features`.
        values: (n,) of the trials, as they were measured.
        hyper: of the standardised values, which are ``(values - offset) / scale``.
        kernel: correlations.
        offset, scale: of the values.
        factor: Cholesky factor of K as `cho_solve` takes it. weights: (n,) alpha.
    """

    geometry: Geometry
    features: Float
    values: Float
    hyper: Hyperparameters
    kernel: Kernel
    offset: float
    scale: float
    factor: Any
    weights: Float

    @classmethod
    def fit(
        cls,
        geometry: Geometry,
        features: Float,
        values: Float,
        rng: np.random.Generator,
        kernel: Kernel = Joint(),  # noqa: B008 - frozen, without state
        priors: Priors | None = Priors(),
    ) -> GaussianProcess:
        """A process with the hyper-parameters of `fitted`.

        Args:
            geometry: distances between features.
            features: (n, ...) of n >= 1 trials.
            values: (n,) of the trials.
            rng, kernel, priors: see `fitted`.
        """
        offset, scale = _standard(values)
        squared = np.stack(list(geometry.squared(features, features)))
        hyper = fitted(squared, (values - offset) / scale, kernel, priors, rng)
        return cls.given(geometry, features, values, hyper, kernel)

    @classmethod
    def given(
        cls,
        geometry: Geometry,
        features: Float,
        values: Float,
        hyper: Hyperparameters,
        kernel: Kernel = Joint(),  # noqa: B008
    ) -> GaussianProcess:
        """A process with hyper-parameters that are known."""
        offset, scale = _standard(values)
        return cls(
            geometry, features, values, hyper, kernel, offset, scale, None, np.empty(0)
        ).solved()

    def solved(self) -> GaussianProcess:
        """The process with `factor` and `weights` of its trials and hyper-parameters."""
        from scipy.linalg import cho_factor, cho_solve

        covariance = self.covariance(self.features, self.features)
        covariance.flat[:: len(covariance) + 1] += self.hyper.noise
        factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
        weights = cho_solve(factor, (self.values - self.offset) / self.scale, check_finite=False)
        return replace(self, factor=factor, weights=weights)

    def covariance(self, a: Float, b: Float) -> Float:
        """``s^2 k``, (n, m), of standardised values between two arrays of features.

        Where both are the same array it is the matrix of a set of points, which a guard mends.
        """
        squared = np.stack(list(self.geometry.squared(a, b)))
        kernel = self.kernel if a is b else self.kernel.between
        return self.hyper.signal * kernel.correlations(squared, self.hyper.lengths).matrix

    def extended(self, features: Float, values: Float) -> GaussianProcess:
        """The process with further trials, its hyper-parameters and standardisation as they are."""
        more = replace(
            self,
            features=np.concatenate([self.features, features]),
            values=np.concatenate([self.values, values]),
        )
        return more.solved()

    def posterior(self, features: Float) -> tuple[Float, Float]:
        """Mean and variance of f, (m,) each, in units of the values and their square.

        The variance is that of f, without noise, and never below 0.
        """
        from scipy.linalg import solve_triangular

        cross = self.covariance(features, self.features)
        reduced = solve_triangular(self.factor[0], cross.T, lower=True, check_finite=False)
        variance = np.maximum(self.hyper.signal - (reduced**2).sum(axis=0), 0.0)
        return self.offset + self.scale * (cross @ self.weights), self.scale**2 * variance


def _standard(values: Float) -> tuple[float, float]:
    """Mean and standard deviation; 1 where the values are all the same."""
    spread = float(values.std())
    return float(values.mean()), spread if spread > 1e-12 * float(np.abs(values).max()) else 1.0
