"""Eigenvalues of sparse recurrent weights, by strongly connected components.

A network with about one synapse a neuron is mostly trees and chains: its matrix is far from normal,
and an eigenvalue solver finds eigenvalues where there are none (a chain of n equal weights w has
none but 0, and rounding makes circles of radius ``w eps^(1/n)`` of them). The eigenvalues of a
matrix are those of its strongly connected components, so they are looked for there alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hrsnn_lava.compiler.analysis.arrays import arrays_on
from hrsnn_lava.compiler.analysis.dynamics.stability import DENSE_UP_TO, gershgorin_bound

__all__ = ["SpectralEdge", "spectral_edge"]

#: Rows of a component up to which all its eigenvalues are found where Arnoldi does not converge.
AT_MOST = 1500


@dataclass(frozen=True)
class SpectralEdge:
    """The outermost eigenvalues, in the unit of the matrix.

    Attributes:
        radius: largest magnitude of an eigenvalue.
        abscissa: largest real part.
        exact: False where an iteration did not converge, and both are upper bounds.
    """

    radius: float
    abscissa: float
    exact: bool = True


def spectral_edge(matrix: sparse.csr_matrix) -> SpectralEdge:
    """Largest magnitude and largest real part of the eigenvalues of a square matrix.

    A circle has its closed form, ``|prod w|^(1/n)``. All eigenvalues of other components up to 300
    rows; implicitly restarted Arnoldi above; where that does not converge, all of them up to 1500
    rows, or else the bound of Gershgorin. An empty or acyclic matrix has none but 0.

    Args:
        matrix: CSR (N, N), not symmetric in general.
    """
    whole = sparse.csr_matrix(matrix, copy=True)
    whole.eliminate_zeros()
    if not whole.nnz:
        return SpectralEdge(0.0, 0.0)
    count, label = connected_components(whole, directed=True, connection="strong")
    sizes = np.bincount(label, minlength=count)
    inner = np.unique(label[whole.diagonal() != 0])
    cyclic = np.union1d(np.flatnonzero(sizes > 1), inner)
    order = np.argsort(label, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)])
    # vertices outside of all circles have the eigenvalue 0
    edges = [SpectralEdge(0.0, 0.0)] if sizes[cyclic].sum() < whole.shape[0] else []
    with arrays_on("cpu").reproducible():
        for component in cyclic:
            members = order[starts[component] : starts[component + 1]]
            edges.append(_edge(whole[members][:, members]))
    radius, abscissa = max(e.radius for e in edges), max(e.abscissa for e in edges)
    return SpectralEdge(radius, abscissa, all(e.exact for e in edges))


def _edge(block: sparse.csr_matrix) -> SpectralEdge:
    """That of one strongly connected component."""
    n = block.shape[0]
    if block.nnz == n:  # one circle: its eigenvalues are the roots of lambda^n = prod w
        radius = float(np.exp(np.log(np.abs(block.data)).mean()))
        positive = np.count_nonzero(block.data < 0) % 2 == 0
        return SpectralEdge(radius, radius * (1.0 if positive else float(np.cos(np.pi / n))))
    if n <= DENSE_UP_TO:
        return _dense_edge(block)
    from scipy.sparse.linalg import ArpackError, eigs

    # fixed and without symmetry, as in `stability`
    start = 1.0 + np.cos(2.399963 * np.arange(n))
    asked = {"k": 4, "ncv": 40, "v0": start, "tol": 1e-4, "maxiter": 100}
    try:
        largest = eigs(block, which="LM", return_eigenvectors=False, **asked)
        rightmost = eigs(block, which="LR", return_eigenvectors=False, **asked)
    except ArpackError:
        if n <= AT_MOST:
            return _dense_edge(block)
        size = abs(block)
        most = min(float(size.sum(axis=axis).max()) for axis in (0, 1))
        return SpectralEdge(most, gershgorin_bound(block), exact=False)
    return SpectralEdge(float(np.abs(largest).max()), float(rightmost.real.max()))


def _dense_edge(block: sparse.csr_matrix) -> SpectralEdge:
    """That of all eigenvalues of a block."""
    values: NDArray[np.complex128] = np.linalg.eigvals(block.toarray())
    return SpectralEdge(float(np.abs(values).max()), float(values.real.max()))
