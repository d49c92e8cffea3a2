r"""Matern kernels of smoothness 5/2 on distances in parts, and a guard for those that may fail.

With the squared distance d_b^2 of every part b and its length scale l_b,

.. math:: m(r) = \left(1 + \sqrt5 r + \tfrac53 r^2\right) e^{-\sqrt5 r}

`Joint` is ``m(r)`` with ``r^2 = sum_b d_b^2 / l_b^2``: eq. (6) of the papers with nu = 5/2, on the
product of all parts, each with a length scale of its own. `Product` is ``prod_b m(d_b / l_b)``
(ours): parts need not be near to each other at once. Both are positive semi-definite where every
d_b is a distance of a Hilbert space; `Guarded` clips the negative eigenvalues of one that is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

_ROOT5 = float(np.sqrt(5.0))


class Kernel(Protocol):
    """Correlations from distances, and how they change with length scales."""

    def matrix(self, squared: Sequence[Float], lengths: Float) -> Float:
        """Correlations, (n, m), of squared distances (n, m) of B parts and (B,) length scales."""
        ...

    def gradient(self, squared: Sequence[Float], lengths: Float, weight: Float) -> Float:
        """``sum_ij weight_ij dK_ij / d ln l_b``, (B,), for a weight (n, m)."""
        ...


@dataclass(frozen=True)
class Joint:
    """One Matern kernel of the distance that all parts make together."""

    def matrix(self, squared: Sequence[Float], lengths: Float) -> Float:
        """See `Kernel.matrix`."""
        r = _distance(squared, lengths)
        r *= _ROOT5
        correlations: Float = (1.0 + r + r * r / 3.0) * np.exp(-r)
        return correlations

    def gradient(self, squared: Sequence[Float], lengths: Float, weight: Float) -> Float:
        """See `Kernel.gradient`: ``dm / d ln l_b = 5/3 (1 + sqrt5 r) e^(-sqrt5 r) d_b^2/l_b^2``."""
        r = _distance(squared, lengths)
        r *= _ROOT5
        slope = weight * (1.0 + r) * np.exp(-r)
        parts = [np.vdot(slope, part) / length**2 for part, length in _pairs(squared, lengths)]
        return (5.0 / 3.0) * np.array(parts)


@dataclass(frozen=True)
class Product:
    """The product of a Matern kernel for every part."""

    def matrix(self, squared: Sequence[Float], lengths: Float) -> Float:
        """See `Kernel.matrix`."""
        product: Float = np.ones_like(squared[0])
        for part, length in _pairs(squared, lengths):
            product *= Joint().matrix([part], np.array([length]))
        return product

    def gradient(self, squared: Sequence[Float], lengths: Float, weight: Float) -> Float:
        """See `Kernel.gradient`: the product times ``d ln m / d ln l_b``."""
        weighted, parts = weight * self.matrix(squared, lengths), []
        for part, length in _pairs(squared, lengths):
            r = _ROOT5 * np.sqrt(part) / length
            parts.append(np.vdot(weighted, r * r * (1.0 + r) / (3.0 + 3.0 * r + r * r)))
        return np.array(parts)


@dataclass(frozen=True, eq=False)
class Clipped:
    """The nearest positive semi-definite matrix, and how much was wrong.

    Attributes:
        matrix: (n, n), symmetric.
        least: eigenvalue before clipping, over the largest.
        moved: Frobenius norm of what was changed over that of the matrix.
    """

    matrix: Float
    least: float
    moved: float


def clipped(matrix: Float) -> Clipped:
    """The symmetric part of a matrix with its negative eigenvalues set to 0 (Higham 1988)."""
    values, vectors = _eigen(matrix)
    kept = np.maximum(values, 0.0)
    nearest = (vectors * kept) @ vectors.T
    norm = float(np.sqrt((values**2).sum()))
    return Clipped(
        0.5 * (nearest + nearest.T),
        float(values[0] / values[-1]) if values[-1] > 0 else 0.0,
        float(np.sqrt(((values - kept) ** 2).sum())) / norm if norm else 0.0,
    )


@dataclass(frozen=True)
class Guarded:
    """A kernel whose square matrices are clipped to positive semi-definite ones.

    Distances such as Sinkhorn's do not come from a Hilbert space, and then nothing makes the
    matrix of a radial kernel positive semi-definite. Matrices between different points are what
    they are, so a variance that follows may have to be held at 0.

    Attributes:
        kernel: what is guarded.
    """

    kernel: Kernel

    def matrix(self, squared: Sequence[Float], lengths: Float) -> Float:
        """See `Kernel.matrix`; a square one is symmetrised and clipped."""
        matrix = self.kernel.matrix(squared, lengths)
        if matrix.shape[0] != matrix.shape[1]:
            return matrix
        return clipped(matrix).matrix

    def gradient(self, squared: Sequence[Float], lengths: Float, weight: Float) -> Float:
        r"""See `Kernel.gradient`, through the clipping (Daleckii and Krein).

        With ``K = V diag(v) V'`` and ``f(v) = max(v, 0)``, a weight G of the clipped matrix is one
        of ``V (R * (V' G V)) V'`` of the matrix, ``R_ij = (f(v_i) - f(v_j)) / (v_i - v_j)``.
        """
        values, vectors = _eigen(self.kernel.matrix(squared, lengths))
        kept = np.maximum(values, 0.0)
        gap = values[:, None] - values[None, :]
        same = np.abs(gap) <= 1e-12 * float(np.abs(values).max(initial=0.0))
        ratio = np.where(same, (values > 0)[:, None], 0.0)
        np.divide(kept[:, None] - kept[None, :], gap, out=ratio, where=~same)
        inner = vectors.T @ (0.5 * (weight + weight.T)) @ vectors
        return self.kernel.gradient(squared, lengths, vectors @ (ratio * inner) @ vectors.T)


def least_eigenvalue(matrix: Float) -> float:
    """The least eigenvalue of a symmetric matrix over its largest."""
    values, _ = _eigen(matrix)
    return float(values[0] / values[-1])


def _eigen(matrix: Float) -> Any:
    """Eigenvalues in rising order, and vectors, of the symmetric part."""
    return np.linalg.eigh(0.5 * (matrix + matrix.T))


def _distance(squared: Sequence[Float], lengths: Float) -> Float:
    total = np.zeros_like(squared[0])
    for part, length in _pairs(squared, lengths):
        total += part / length**2
    return np.sqrt(total, out=total)


def _pairs(squared: Sequence[Float], lengths: Float) -> zip[tuple[Float, float]]:
    return zip(squared, lengths.tolist(), strict=True)
