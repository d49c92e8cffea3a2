r"""How localised the eigenvectors of a network are: on few neurons, or spread over all.

The inverse participation ratio of a unit vector u is

.. math:: \mathrm{IPR} = \sum_i |u_i|^4,

``1/N`` where it is spread evenly and 1 where it is one neuron. Vectors of an eigenvalue that occurs
g times are not determined, their subspace is; with its projector P the ratio is
``sum_i P_ii^2 / g`` (ours), the same number for g = 1, and 1 for isolated neurons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

Float = NDArray[np.float64]
#: Eigenvectors whose mean stands for the leading ones.
LEADING = 8
#: Neurons up to which all eigenvectors are found; 1500 take 1 to 2 s.
ALL_UP_TO = 1500
#: Neurons up to which slopes are found from all eigenvectors: it is done again and again.
SLOPES_OF_ALL_UP_TO = 400
#: Eigenvalues that are nearer to each other, as a share of the largest, are one.
EQUAL = 1e-9
#: Vectors found beyond the leading ones, so that these are exact and stand apart from the rest.
GUARD = 8


@dataclass(frozen=True)
class Localisation:
    """Inverse participation ratios of the eigenvectors of one matrix.

    Attributes:
        top: of the largest eigenvalue; None where there is none that stands out.
        leading: mean over the `LEADING` largest.
        mean: over all; None above `ALL_UP_TO` neurons, and where it is not asked for.
    """

    top: float | None
    leading: float | None
    mean: float | None = None


def participation_ratios(values: Float, vectors: Float) -> Float:
    """Inverse participation ratio of every eigenvector, (K,).

    Args:
        values: (K,) real eigenvalues, sorted.
        vectors: (N, K) orthonormal.
    """
    size = float(np.abs(values).max()) if values.size else 0.0
    starts = np.flatnonzero(np.diff(values, prepend=-np.inf) > EQUAL * size)
    if not starts.size:
        return np.zeros(0)
    weights = np.add.reduceat(vectors**2, starts, axis=1)
    lengths = np.diff(np.append(starts, values.size))
    ratios: Float = np.repeat((weights**2).sum(axis=0) / lengths, lengths)
    return ratios


def laplacian(adjacency: sparse.csr_matrix) -> sparse.csr_matrix:
    """``L = D - A`` of an undirected graph, CSR (N, N) float64."""
    a = adjacency.astype(np.float64)
    degree = np.asarray(a.sum(axis=1)).ravel()
    return (sparse.diags(degree) - a).tocsr()


def laplacian_localisation(adjacency: sparse.csr_matrix) -> Localisation:
    """Of the graph Laplacian of an undirected graph, by its largest eigenvalues.

    All eigenvectors up to 1500 neurons; above, the leading ones, by Lanczos.

    Args:
        adjacency: CSR (N, N), symmetric, of ones.
    """
    n = adjacency.shape[0]
    if n == 0 or adjacency.nnz == 0:
        return Localisation(None, None, 1.0 if 0 < n <= ALL_UP_TO else None)
    values, vectors = largest_of_laplacian(adjacency, None if n <= ALL_UP_TO else LEADING + GUARD)
    ratios = participation_ratios(values, vectors)
    mean = float(ratios.mean()) if n <= ALL_UP_TO else None
    return Localisation(float(ratios[-1]), float(ratios[-LEADING:].mean()), mean)


def largest_of_laplacian(adjacency: sparse.csr_matrix, count: int | None) -> tuple[Float, Float]:
    """The `count` largest eigenvalues of the Laplacian, ascending, and their vectors (N, count).

    By Lanczos; all of them, and where that does not converge, by dense decomposition.

    Args:
        adjacency: CSR (N, N), symmetric, of ones.
        count: None for all.
    """
    from scipy.sparse.linalg import ArpackError, eigsh

    matrix, n = laplacian(adjacency), adjacency.shape[0]
    if count is not None and count < n // 2:
        try:
            values, vectors = eigsh(matrix, k=count, which="LA", v0=_start(n))
        except ArpackError:
            pass
        else:
            order = np.argsort(values)
            return values[order], vectors[:, order]
    values, vectors = np.linalg.eigh(matrix.toarray())
    first = 0 if count is None else max(n - count, 0)
    return values[first:], vectors[:, first:]


def weights_localisation(weights: sparse.csr_matrix) -> Localisation:
    """Of the right eigenvectors of directed weights, by the magnitude of their eigenvalues.

    None where no eigenvalue differs from 0, as without cycles, and where Arnoldi, which is used
    above 300 neurons, does not converge.

    Args:
        weights: CSR (N, N), rows post.
    """
    n = weights.shape[0]
    _, part = connected_components(weights, directed=True, connection="strong")
    if n == 0 or (np.bincount(part).max() == 1 and not weights.diagonal().any()):
        return Localisation(None, None)
    found = _largest_of_weights(weights)
    if found is None:
        return Localisation(None, None)
    values, vectors = found
    size = np.abs(values) / np.abs(values).max()
    order = np.argsort(-np.round(size, 12), kind="stable")[:LEADING]
    vectors = vectors[:, order] / np.linalg.norm(vectors[:, order], axis=0)
    ratios = (np.abs(vectors) ** 4).sum(axis=0)
    return Localisation(float(ratios[0]), float(ratios.mean()))


def _largest_of_weights(weights: sparse.csr_matrix) -> tuple[NDArray[Any], NDArray[Any]] | None:
    from scipy.sparse.linalg import ArpackError, eigs

    from hrsnn_lava.compiler.analysis.dynamics.stability import DENSE_UP_TO

    n = weights.shape[0]
    if n <= DENSE_UP_TO:
        values, vectors = np.linalg.eig(weights.toarray())
        return values, vectors
    try:
        values, vectors = eigs(
            weights, k=LEADING, ncv=60, which="LM", v0=_start(n), tol=1e-8, maxiter=200
        )
    except ArpackError:
        return None
    return values, vectors


def _start(n: int) -> Float:
    """Fixed and without symmetry: ones is an eigenvector of every Laplacian."""
    start: Float = 1.0 + np.cos(2.399963 * np.arange(n))
    return start


def participation_slopes(
    adjacency: sparse.csr_matrix, *, all_up_to: int = SLOPES_OF_ALL_UP_TO
) -> tuple[Float, Float]:
    r"""What joining two neurons does to the participation of the leading Laplacian eigenvectors.

    An edge between u and v adds ``(e_u - e_v)(e_u - e_v)^T`` to the Laplacian. To first order in
    it the inverse participation ratio of an eigenvector x of a simple eigenvalue changes by

    .. math:: 4\,(x_u - x_v)(g_u - g_v), \qquad
              g = \sum_{l: \lambda_l \ne \lambda} \frac{x_l x_l^T x^3}{\lambda - \lambda_l}

    with the cube taken entry by entry (perturbation theory; to use it so is ours).

    Args:
        adjacency: CSR (N, N), symmetric, of ones.
        all_up_to: neurons up to which the sum runs over all eigenvectors; above, it is solved for.

    Returns:
        x and g of the `LEADING` largest eigenvalues, (N, K) each, K <= `LEADING`.
    """
    complete = adjacency.shape[0] <= all_up_to
    values, vectors = largest_of_laplacian(adjacency, None if complete else LEADING + GUARD)
    leading = slice(max(values.size - LEADING, 0), values.size)
    x = vectors[:, leading]
    cubes = x**3
    gap = values[leading][None, :] - values[:, None]
    apart = np.abs(gap) > 1e-6 * max(float(values[-1]), 1.0)
    inverse = np.divide(1.0, gap, out=np.zeros_like(gap), where=apart)
    slopes: Float = vectors @ (inverse * (vectors.T @ cubes))
    if not complete:
        rest = cubes - vectors @ (vectors.T @ cubes)
        slopes += _resolvent(laplacian(adjacency), values[leading], vectors, rest)
    return x, slopes


def _resolvent(
    matrix: sparse.csr_matrix, shifts: Float, known: Float, right: Float, *, steps: int = 200
) -> Float:
    """``(shift_k - L)^-1 right_k`` orthogonal to the `known` eigenvectors, by conjugate gradients.

    They are all those of eigenvalues down to below every shift: the rest of L lies below, and the
    system is positive definite. A relative residual of 1e-6 is enough to rank pairs by.
    """
    solution = np.zeros_like(right)
    residual, direction = right.copy(), right.copy()
    square = (residual**2).sum(axis=0)
    goal = 1e-12 * square
    for _ in range(steps):
        if np.all(square <= goal):
            break
        image = shifts * direction - matrix @ direction
        image -= known @ (known.T @ image)
        curvature = (direction * image).sum(axis=0)
        going = (square > goal) & (curvature > 0)
        length = np.divide(square, curvature, out=np.zeros_like(square), where=going)
        solution += length * direction
        residual -= length * image
        before, square = square, (residual**2).sum(axis=0)
        growth = np.divide(square, before, out=np.zeros_like(square), where=before > goal)
        direction = residual + growth * direction
    return solution
