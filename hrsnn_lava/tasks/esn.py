"""The echo state network: the reservoir without spikes that a spiking one is measured against.

x(t) = (1 - leak) x(t-1) + leak tanh(W x(t-1) + W_in u(t) + b)          (Jaeger 2001, 2007)
u(t+1) = u(t) + M([x(t), u(t)])
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import ArpackError, eigs

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.tasks.ridge import LinearMap, ridge

__all__ = ["ESN", "ESNOptions", "fit_esn", "spectral_radius"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ESNOptions:
    """What defines the echo state network; all values are our choice.

    size:        units
    rho:         spectral radius of W
    input_scale: W_in and b are uniform in +-input_scale
    leak:        share of the new state
    density:     share of nonzero recurrent weights
    alpha:       ridge penalty relative to the features' mean square
    washout:     first training samples that are not fitted
    """

    size: int = 1000
    rho: float = 0.5
    input_scale: float = 0.3
    leak: float = 0.7
    density: float = 0.05
    alpha: float = 1e-10
    washout: int = 50

    def __post_init__(self) -> None:
        problems = [
            Problem(where, f"{value}", allowed)
            for where, value, allowed, fine in (
                ("size", self.size, ">= 2", self.size >= 2),
                ("rho", self.rho, ">= 0", self.rho >= 0),
                ("input_scale", self.input_scale, "> 0", self.input_scale > 0),
                ("leak", self.leak, "in (0, 1]", 0 < self.leak <= 1),
                ("density", self.density, "in (0, 1]", 0 < self.density <= 1),
                ("alpha", self.alpha, "> 0", self.alpha > 0),
                ("washout", self.washout, ">= 0", self.washout >= 0),
            )
            if not fine
        ]
        raise_if(SpecError, "options of the echo state network", problems)


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
    """A fitted echo state network; a `Forecaster`."""

    def __init__(
        self, weights: csr_matrix, input_weights: Floats, bias: Floats, leak: float
    ) -> None:
        """Take W (size, size), W_in (size, d), b (size,), leak."""
        self._weights, self._input, self._bias, self._leak = weights, input_weights, bias, leak
        self._state = np.zeros(len(bias))
        self.readout = LinearMap(
            np.zeros((len(bias) + input_weights.shape[1], input_weights.shape[1])),
            np.zeros(input_weights.shape[1]),
        )

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


def fit_esn(train: Floats, rng: np.random.Generator, options: ESNOptions | None = None) -> ESN:
    """Draw an echo state network and fit its readout to a training series, (n_train, d).

    Raises:
        SpecError: the series is not longer than the washout by at least three samples.
    """
    o = options or ESNOptions()
    if len(train) < o.washout + 3:
        raise SpecError(
            "the training series is too short",
            problems=[
                Problem("train", f"{len(train)} samples", f">= washout + 3 = {o.washout + 3}")
            ],
        )
    d = train.shape[1]
    present = rng.random((o.size, o.size)) < o.density
    weights = csr_matrix(np.where(present, rng.standard_normal((o.size, o.size)), 0.0))
    radius = spectral_radius(weights, rng)
    if radius > 0:
        weights = weights * (o.rho / radius)
    esn = ESN(
        weights,
        rng.uniform(-o.input_scale, o.input_scale, (o.size, d)),
        rng.uniform(-o.input_scale, o.input_scale, o.size),
        o.leak,
    )
    esn.reset()
    features = np.stack([esn.advance(value) for value in train[:-1]])
    esn.readout = ridge(features[o.washout :], np.diff(train, axis=0)[o.washout :], o.alpha)
    return esn
