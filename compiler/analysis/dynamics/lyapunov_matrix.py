"""The Lyapunov matrix: harmonic means of exponents over the neighbourhoods of every synapse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.csr import rows_of
from hrsnn_lava.errors import SpecError

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LyapunovMatrix:
    """L on the existing synapses.

    Attributes:
        matrix: CSR (N, N) in 1/s with the same structure as the weights.
        floor: smallest ``|lambda|`` let through, in 1/s.
        n_floored: neurons whose exponent was floored.
        n_empty: edges without any neighbour, whose entry is 0.
        n_cancelling: signed form only: edges for which ``|sum 1/lambda| < 1e-6 sum 1/|lambda|``,
            so that their entry is dominated by cancellation.
        signed, union: the form that was computed.
    """

    matrix: sparse.csr_matrix
    floor: float
    n_floored: int
    n_empty: int
    n_cancelling: int
    signed: bool
    union: bool


def lyapunov_matrix(
    weights: sparse.csr_matrix,
    exponents: Float,
    *,
    signed: bool = False,
    union: bool = False,
    floor_ratio: float = 1e-3,
) -> LyapunovMatrix:
    r"""Harmonic mean of the exponents in the neighbourhoods of both ends of every synapse.

    .. math:: L_{ij} = n \Big/ \sum_{k=1}^{n} 1/\lambda_k, \qquad
              \lambda_k \in \Lambda_{N(i)} \cup \Lambda_{N(j)}

    (Chakraborty et al. 2024, eq. 13 of the summary.) N(i) holds the neurons with a synapse to or
    from i, i itself left out: our choice. So are the guards: exponents enter as ``|lambda|``, not
    below `floor_ratio` times its median, and the sign is that of the weight.

    Args:
        weights: CSR (N, N), rows post.
        exponents: (N,) in 1/s.
        signed: the literal formula with signed exponents; the sign of L is then its own.
        union: count a neuron that both ends share once (the literal set union); False counts it
            twice, which costs O(E).
        floor_ratio: see above; > 0.

    Raises:
        SpecError: exponents of wrong shape, not finite, or all zero.
    """
    lam = np.asarray(exponents, dtype=np.float64)
    n = weights.shape[0]
    if lam.shape != (n,) or not np.all(np.isfinite(lam)):
        raise SpecError(f"exponents must be finite, one per neuron ({n},); shape {lam.shape}")
    size = np.abs(lam)
    if n and not size.any():
        raise SpecError("all exponents are zero: a harmonic mean does not exist")
    floor = floor_ratio * float(np.median(size[size > 0])) if n else floor_ratio
    guarded = np.maximum(size, floor)
    inverse = 1.0 / np.where((lam < 0) & signed, -guarded, guarded)

    row, column = rows_of(weights), weights.indices.astype(np.int64)
    neighbours = _neighbours(weights)
    count = np.diff(neighbours.indptr).astype(np.int64)
    total, magnitude, twice = _edge_sums(neighbours, inverse, row, column, union)
    number = count[row] + count[column] - twice
    values: Float = np.zeros(row.size)
    has_neighbours = number > 0
    cancelling = has_neighbours & (np.abs(total) < 1e-6 * magnitude)
    # An exact cancellation has no finite harmonic mean: the entry is left at 0 and counted.
    np.divide(number, total, out=values, where=has_neighbours & (total != 0))
    if not signed:
        values *= np.sign(weights.data)
    matrix = sparse.csr_matrix((values, weights.indices, weights.indptr), shape=weights.shape)
    return LyapunovMatrix(
        matrix,
        floor,
        int(np.count_nonzero(size < floor)),
        int(np.count_nonzero(~has_neighbours)),
        int(np.count_nonzero(cancelling)),
        signed,
        union,
    )


def _edge_sums(
    neighbours: sparse.csr_matrix, inverse: Float, row: Int, column: Int, union: bool
) -> tuple[Float, Float, Int]:
    """Per edge: sum of 1/lambda, sum of its magnitude, and the neighbours met at both ends."""
    per_node = neighbours @ inverse
    size_per_node = neighbours @ np.abs(inverse)
    total: Float = per_node[row] + per_node[column]
    magnitude: Float = size_per_node[row] + size_per_node[column]
    if not union:
        return total, magnitude, np.zeros_like(row)
    from hrsnn_lava.compiler.analysis.dynamics.graph_kernels import shared_neighbours

    indptr = neighbours.indptr.astype(np.int64)
    indices = neighbours.indices.astype(np.int64)
    twice, shared_sum = shared_neighbours(indptr, indices, row, column, inverse)
    return total - shared_sum, magnitude, twice


def _neighbours(weights: sparse.csr_matrix) -> sparse.csr_matrix:
    pattern = sparse.csr_matrix(
        (np.ones(weights.indices.size), weights.indices, weights.indptr), shape=weights.shape
    )
    either = (pattern + pattern.T).tocoo()
    off = either.row != either.col
    ones = np.ones(int(np.count_nonzero(off)))
    return sparse.csr_matrix((ones, (either.row[off], either.col[off])), shape=weights.shape)
