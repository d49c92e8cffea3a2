r"""Matern kernels of smoothness 5/2 on distances in parts, and a guard for those that may fail.

With the squared distance d_b^2 of every part b and its length scale l_b,

.. math:: m(r) = \left(1 + \sqrt5 r + \tfrac53 r^2\right) e^{-\sqrt5 r}

`Joint` is ``m(r)`` with ``r^2 = sum_b d_b^2 / l_b^2``: eq. (6) of the papers with nu = 5/2, on the
product of all parts, each with a length scale of its own. `Product` is ``prod_b m(d_b / l_b)``
(ours): parts need not be near to each other at once. Both are positive semi-definite where every
d_b is a distance of a Hilbert space; `Guarded` clips the negative eigenvalues of one that is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Correlations:
    """A matrix of correlations, and how it changes with length scales.

    Attributes:
        matrix: (n, m).
        gradient: ``sum_ij G_ij dK_ij / d ln l_b``, (B,), for a weight G of the shape of the matrix.
    """

    matrix: Float
    gradient: Callable[[Float], Float]


class Kernel(Protocol):
    """Correlations from distances."""

    def correlations(self, squared: Float, lengths: Float) -> Correlations:
        """Of squared distances of the parts, (B, n, m), and (B,) length scales."""
        ...

    @property
    def between(self) -> Kernel:
        """What gives correlations between two different sets of points."""
        ...


@dataclass(frozen=True)
class Joint:
    """One Matern kernel of the distance that all parts make together."""

    def correlations(self, squared: Float, lengths: Float) -> Correlations:
        """See `Kernel`: ``dm / d ln l_b = 5/3 (1 + sqrt5 r) e^(-sqrt5 r) d_b^2 / l_b^2``."""
        # in place: at hundreds of trials, new arrays cost more than the arithmetic
        r: Float = np.tensordot(5.0 / lengths**2, squared, axes=1)
        np.sqrt(r, out=r)
        slope: Float = np.exp(-r)
        matrix: Float = r * r
        matrix *= 1.0 / 3.0
        r += 1.0
        matrix += r
        matrix *= slope
        slope *= r

        def gradient(weight: Float) -> Float:
            of_parts: Float = np.tensordot(squared, weight * slope, axes=2)
            return (5.0 / 3.0) * of_parts / lengths**2

        return Correlations(matrix, gradient)

    @property
    def between(self) -> Kernel:
        """Itself."""
        return self


@dataclass(frozen=True)
class Product:
    """The product of a Matern kernel for every part."""

    def correlations(self, squared: Float, lengths: Float) -> Correlations:
        """See `Kernel`: the gradient is the product times ``d ln m / d ln l_b``."""
        matrix: Float = np.ones_like(squared[0])
        for k in range(lengths.size):
            matrix *= Joint().correlations(squared[k : k + 1], lengths[k : k + 1]).matrix

        def gradient(weight: Float) -> Float:
            weighted, sums = weight * matrix, []
            for part, length in zip(squared, lengths.tolist(), strict=True):
                r = np.sqrt(5.0 * part) / length
                sums.append(np.vdot(weighted, r * r * (1.0 + r) / (3.0 + 3.0 * r + r * r)))
            return np.array(sums)

        return Correlations(matrix, gradient)

    @property
    def between(self) -> Kernel:
        """Itself."""
        return self


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
    they are (`between`; there may be as many of the one as of the other), so a variance that
    follows may have to be held at 0.

    Attributes:
        kernel: what is guarded.
    """

    kernel: Kernel

    def correlations(self, squared: Float, lengths: Float) -> Correlations:
        r"""See `Kernel`; a square matrix is symmetrised and clipped.

        The gradient goes through the clipping (Daleckii and Krein): with ``K = V diag(v) V'`` and
        ``f(v) = max(v, 0)``, a weight G of the clipped matrix is ``V (R * (V' G V)) V'`` of the
        matrix, ``R_ij = (f(v_i) - f(v_j)) / (v_i - v_j)``.
        """
        plain = self.kernel.correlations(squared, lengths)
        if plain.matrix.shape[0] != plain.matrix.shape[1]:
            return plain
        values, vectors = _eigen(plain.matrix)
        kept = np.maximum(values, 0.0)

        def gradient(weight: Float) -> Float:
            gap = values[:, None] - values[None, :]
            same = np.abs(gap) <= 1e-12 * float(np.abs(values).max(initial=0.0))
            ratio = np.where(same, (values > 0)[:, None], 0.0)
            np.divide(kept[:, None] - kept[None, :], gap, out=ratio, where=~same)
            inner = vectors.T @ (0.5 * (weight + weight.T)) @ vectors
            return plain.gradient(vectors @ (ratio * inner) @ vectors.T)

        return Correlations(clipped(plain.matrix).matrix, gradient)

    @property
    def between(self) -> Kernel:
        """What is guarded."""
        return self.kernel


def least_eigenvalue(matrix: Float) -> float:
    """The least eigenvalue of a symmetric matrix over its largest."""
    values, _ = _eigen(matrix)
    return float(values[0] / values[-1])


def _eigen(matrix: Float) -> Any:
    """Eigenvalues in rising order, and vectors, of the symmetric part."""
    return np.linalg.eigh(0.5 * (matrix + matrix.T))
