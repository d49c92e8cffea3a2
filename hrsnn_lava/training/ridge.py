"""Ridge regression with a free intercept, in the dual form where features outnumber samples.

    W = argmin |Y_c - X_c W|^2 + lambda |W|^2
      = X_c^T (X_c X_c^T + lambda I)^-1 Y_c = (X_c^T X_c + lambda I)^-1 X_c^T Y_c

X_c, Y_c are centred, so that the intercept carries no penalty. The penalty is given relative to
the data, lambda = alpha trace(K) / n with K = X_c X_c^T, n samples: alpha then means the same for
any unit and any number of features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from hrsnn_lava.errors import Problem, SpecError, raise_if

__all__ = ["DualRidge", "LinearMap", "PrimalRidge", "ridge", "ridge_search"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LinearMap:
    """y = x W + b; weights (n_features, d), offset (d,)."""

    weights: Floats
    offset: Floats

    def __call__(self, features: Floats) -> Floats:
        """Return (..., d) for features (..., n_features)."""
        result: Floats = features @ self.weights + self.offset
        return result


#: Share of a Gram matrix, summed over its diagonal, that centring may leave of constant features.
ROUNDING = 1e-13


class DualRidge:
    """Ridge fits on one feature matrix with many subsets of rows and many penalties.

    The Gram matrix X X^T is formed once, (n, n). A subset only takes a block of it and centres
    that block, so the features are passed over twice for a whole search.
    """

    def __init__(self, features: Floats) -> None:
        """Take the features, (n, n_features)."""
        self._features = features
        self._gram: Floats = features @ features.T

    def fit(self, rows: NDArray[np.int64], targets: Floats, alpha: float) -> LinearMap:
        """Fit on some rows.

        Args:
            rows: (m,) indices of the rows to fit on.
            targets: (m, d), targets of these rows.
            alpha: penalty relative to trace(K) / m.

        Raises:
            SpecError: alpha is not positive, or fewer than two rows.
        """
        _check(len(rows), len(targets), alpha)
        m = len(rows)
        gram = self._gram[np.ix_(rows, rows)]
        means, power = gram.mean(axis=1), float(np.trace(gram))
        gram = gram - means[:, None] - means[None, :] + means.mean()
        gram.flat[:: m + 1] += _penalty(float(np.trace(gram)), m, alpha, power)
        target_mean = targets.mean(axis=0)
        coefficients = cho_solve(cho_factor(gram, lower=True), targets - target_mean)
        coefficients -= coefficients.mean(axis=0)
        # Centred coefficients make X^T a equal X_c^T a: no centred copy of the features is needed.
        row_coefficients = np.zeros((len(self._features), targets.shape[1]))
        row_coefficients[rows] = coefficients
        weights = self._features.T @ row_coefficients
        weight_of_row = np.zeros(len(self._features))
        weight_of_row[rows] = 1.0 / m
        return LinearMap(weights, target_mean - (weight_of_row @ self._features) @ weights)


class PrimalRidge:
    """The same fits where samples outnumber features: it solves (n_features, n_features) systems.

    What depends on the rows alone is worked out once for all penalties that follow each other.
    """

    def __init__(self, features: Floats) -> None:
        """Take the features, (n, n_features)."""
        self._features = features
        self._rows: NDArray[np.int64] | None = None

    def fit(self, rows: NDArray[np.int64], targets: Floats, alpha: float) -> LinearMap:
        """See `DualRidge.fit`."""
        _check(len(rows), len(targets), alpha)
        if self._rows is None or not np.array_equal(rows, self._rows):
            chosen = self._features[rows]
            self._mean = chosen.mean(axis=0)
            self._centred = chosen - self._mean
            self._gram = self._centred.T @ self._centred
            self._rows = rows.copy()
        gram, target_mean = self._gram.copy(), targets.mean(axis=0)
        gram.flat[:: len(gram) + 1] += _penalty(float(np.trace(gram)), len(rows), alpha)
        factor = cho_factor(gram, lower=True, overwrite_a=True)
        weights = cho_solve(factor, self._centred.T @ (targets - target_mean))
        # in the order in which files hold it: another would give products other last bits
        weights = np.ascontiguousarray(weights)
        return LinearMap(weights, target_mean - self._mean @ weights)


def ridge_search(features: Floats) -> DualRidge | PrimalRidge:
    """What fits many subsets of rows and many penalties, in the smaller of the two forms."""
    n, n_features = features.shape
    return DualRidge(features) if n_features >= n else PrimalRidge(features)


def ridge(features: Floats, targets: Floats, alpha: float) -> LinearMap:
    """Fit once on all rows.

    Args:
        features: (n, n_features).
        targets: (n, d).
        alpha: penalty relative to trace(K) / n.

    Raises:
        SpecError: alpha is not positive, fewer than two rows, or lengths differ.
    """
    _check(len(features), len(targets), alpha)
    return ridge_search(features).fit(np.arange(len(features)), targets, alpha)


def _penalty(trace: float, n: int, alpha: float, power: float = 0.0) -> float:
    """Return alpha trace / n, but no less than rounding asks for.

    Where all features are constant, the penalty is one that leaves weights of 0.

    Args:
        trace: of the centred Gram matrix.
        n: its size.
        alpha: the relative penalty.
        power: trace of the matrix before it was centred: what is left of that is rounding.
    """
    if trace > ROUNDING * power:
        return max(alpha * trace / n, 0.1 * ROUNDING * power)
    return max(alpha, power)


def _check(n: int, n_targets: int, alpha: float) -> None:
    problems = []
    if n < 2:
        problems.append(Problem("rows", f"{n}", ">= 2", "use a longer training series"))
    if n != n_targets:
        problems.append(Problem("targets", f"{n_targets} rows", f"{n}"))
    if not alpha > 0:
        problems.append(Problem("alpha", f"{alpha}", "> 0"))
    raise_if(SpecError, "ridge regression", problems)
