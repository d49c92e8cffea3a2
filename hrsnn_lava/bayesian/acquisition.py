r"""What a trial is expected to gain: the expected improvement, where a higher value is better.

.. math:: \mathrm{EI}(x) = \sigma h(z), \quad h(z) = z \Phi(z) + \varphi(z), \quad
          z = (\mu - f^*) / \sigma

eq. (8) of the papers, with f* the best value that was evaluated. With noise the best value is a
lucky one, and `noisy_improvement` takes the mean over what the true values may be.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.bayesian.gaussian_process import GaussianProcess
from hrsnn_lava.bayesian.sequences import sobol

Float = NDArray[np.float64]

#: On the diagonal of a noiseless covariance, in units of the signal's variance.
JITTER = 1e-6


def expected_improvement(mean: Float, deviation: Float, best: Any) -> Float:
    """EI, of the common shape of its arguments; ``max(mean - best, 0)`` where nothing deviates."""
    return np.exp(log_expected_improvement(mean, deviation, best))


def log_expected_improvement(mean: Float, deviation: Float, best: Any) -> Float:
    """``ln EI``, which tells points apart where EI itself underflows; ``-inf`` where it is 0."""
    gap, deviation = np.broadcast_arrays(np.asarray(mean) - best, deviation)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sure = np.log(np.maximum(gap, 0.0))
        unsure = np.log(deviation) + log_h(gap / deviation)
    return np.where(deviation > 0, unsure, sure)


def log_h(z: Float) -> Float:
    r"""``ln(z Phi(z) + phi(z))`` for any z (Ament et al. 2023).

    Below 0 the two terms cancel: ``phi(z) (1 + z sqrt(pi/2) erfcx(-z/sqrt2))`` has one rounding
    less, and ``phi(z) / z^2 (1 - 3/z^2 + 15/z^4)`` far out none.
    """
    from scipy.special import erfcx, ndtr

    z = np.asarray(z, dtype=np.float64)
    log_density = -0.5 * z**2 - 0.5 * np.log(2.0 * np.pi)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        plain = np.log(z * ndtr(z) + np.exp(log_density))
        ratio = np.log1p(z * np.sqrt(0.5 * np.pi) * erfcx(-z / np.sqrt(2.0)))
        square = z**-2.0
        series = np.log(square * (1.0 - square * (3.0 - square * (15.0 - 105.0 * square))))
    far = np.where(z < -50.0, series, ratio)
    return np.where(z > 0.0, plain, log_density + far)


class NoisyImprovement:
    r"""EI where values are noisy (Letham et al. 2019), over a fixed quasi-random sample.

    .. math:: \mathrm{NEI}(x) = \frac1S \sum_s \mathrm{EI}\left(x \mid f(X) = f_s\right), \qquad
              f_s \sim p(f(X) \mid y)

    with the best of f_s for f*. The values at the trials X are drawn from their posterior by a
    scrambled Sobol sequence, and given them no noise is left.
    """

    def __init__(self, process: GaussianProcess, samples: int, rng: np.random.Generator) -> None:
        from scipy.linalg import cho_factor, cho_solve
        from scipy.special import ndtri

        self.process = process
        known = process.covariance(process.features, process.features)
        n = len(known)
        values = (process.values - process.offset) / process.scale
        # f | y has mean K alpha, and covariance sigma^2 K (K + sigma^2)^-1
        mean = known @ cho_solve(process.factor, values, check_finite=False)
        spread = process.hyper.noise * cho_solve(process.factor, known, check_finite=False)
        small = 1e-5 * process.hyper.noise + 1e-10 * process.hyper.signal
        factor, _ = cho_factor(_lifted(spread, small), lower=True, check_finite=False)
        # a Sobol sequence has as many dimensions as there are trials
        normal = ndtri(np.clip(sobol(n, samples, rng), 1e-12, 1.0 - 1e-12))
        drawn = mean[:, None] + np.tril(factor) @ normal.T
        self.best: Float = drawn.max(axis=0)
        jitter = JITTER * process.hyper.signal
        self._factor = cho_factor(_lifted(known, jitter), lower=True, check_finite=False)
        self._weights = cho_solve(self._factor, drawn, check_finite=False)

    def log(self, features: Float) -> Float:
        """``ln NEI``, (m,), of standardised values."""
        from scipy.linalg import solve_triangular
        from scipy.special import logsumexp

        cross = self.process.covariance(features, self.process.features)
        reduced = solve_triangular(self._factor[0], cross.T, lower=True, check_finite=False)
        signal = self.process.hyper.signal
        variance = np.maximum(signal - (reduced**2).sum(axis=0), 0.0)
        means = cross @ self._weights
        each = log_expected_improvement(means, np.sqrt(variance)[:, None], self.best)
        mean: Float = logsumexp(each, axis=1) - np.log(each.shape[1])
        return mean


def _lifted(matrix: Float, jitter: float) -> Float:
    lifted: Float = 0.5 * (matrix + matrix.T)
    lifted.flat[:: len(lifted) + 1] += jitter
    return lifted
