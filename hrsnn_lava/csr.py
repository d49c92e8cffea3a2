"""Sparse matrices in compressed rows: row numbers, selection of stored values, held products.

Every matrix of synapses is a CSR of shape (n_post, n_pre). Delays, tags and other values of a
synapse are arrays (nnz,) in the order of the stored weights, so what selects synapses must keep
that order, and stored zeros, where zeros can learn, must survive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Int = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)


def frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """A view of `array` that cannot be written to: for fields of frozen dataclasses."""
    view = array.view()
    view.flags.writeable = False
    return view


def rows_of(matrix: sparse.csr_matrix) -> Int:
    """Row of every stored value, (nnz,): the postsynaptic neuron of every synapse."""
    rows: Int = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), row_lengths(matrix))
    return rows


def row_sums(matrix: sparse.csr_matrix, values: NDArray[Any]) -> NDArray[np.float64]:
    """Sum of `values` (nnz,) over the stored places of every row, (n_rows,)."""
    sums = np.bincount(rows_of(matrix), values, minlength=matrix.shape[0])
    return sums.astype(np.float64)


def row_maxima(matrix: sparse.csr_matrix, values: NDArray[Any]) -> NDArray[np.float64]:
    """Largest of `values` (nnz,), all >= 0, in every row, (n_rows,); 0 where nothing is stored."""
    maxima = np.zeros(matrix.shape[0])
    filled = np.flatnonzero(row_lengths(matrix))
    if filled.size:
        maxima[filled] = np.maximum.reduceat(values, matrix.indptr[filled])
    return maxima


def row_lengths(matrix: sparse.csr_matrix) -> Int:
    """Stored values of every row, (n_rows,): the fan-in of every neuron."""
    lengths: Int = np.diff(matrix.indptr).astype(np.int64)
    return lengths


def select(matrix: sparse.csr_matrix, keep: NDArray[np.bool_]) -> sparse.csr_matrix:
    """The stored values for which `keep` (nnz,) is true, in their order, zeros included."""
    counts = np.concatenate([[0], np.cumsum(keep)])
    starts = counts[matrix.indptr].astype(matrix.indptr.dtype)
    parts = (matrix.data[keep], matrix.indices[keep], starts)
    return sparse.csr_matrix(parts, shape=matrix.shape)


def select_values(values: Any, keep: NDArray[np.bool_]) -> Any:
    """Values of the synapses that stay; None and scalars, which hold for all, stay as they are."""
    return values if values is None or np.ndim(values) == 0 else np.asarray(values)[keep]


def with_values(matrix: sparse.csr_matrix, data: NDArray[Any]) -> sparse.csr_matrix:
    """The same pattern with other stored values, (nnz,); the pattern's arrays are shared."""
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def scaled_rows(matrix: sparse.csr_matrix, factors: NDArray[Any]) -> sparse.csr_matrix:
    """The same pattern with every row times its factor, (n_rows,)."""
    return with_values(matrix, matrix.data * factors[rows_of(matrix)])


def from_rows(
    rows: NDArray[Any], columns: NDArray[Any], data: NDArray[Any], shape: tuple[int, int]
) -> sparse.csr_matrix:
    """A CSR of entries that are sorted by row; neither sorted within rows nor summed."""
    starts = np.append(0, np.cumsum(np.bincount(rows, minlength=shape[0])))
    return sparse.csr_matrix((data, columns, starts), shape=shape)


def drives(network: Any) -> Iterator[tuple[Any, slice, slice]]:
    """Projections whose input is held on the biases, with their input channels and neurons.

    Yields the projection, the slice of channels (inputs in the order of their populations) and
    the slice of neurons (global order), for float and integer networks alike.
    """
    for projection in network.projections:
        if projection.target == "bias":
            n_post, n_pre = projection.weights.shape
            pre, post = network.offset(projection.pre), network.offset(projection.post)
            yield projection, slice(pre, pre + n_pre), slice(post, post + n_post)


def held_drive(network: Any, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What held inputs add to the biases of a float network: ``W x``.

    Args:
        values: (n_inputs,), or (n_samples, n_inputs).

    Returns:
        (n_neurons,) or (n_samples, n_neurons), current.
    """
    drive = np.zeros((*values.shape[:-1], network.n_neurons))
    for projection, channels, neurons in drives(network):
        drive[..., neurons] += (projection.weights @ values[..., channels].T).T
    return drive


def fan_out(matrices: Iterable[tuple[sparse.csr_matrix, int]], n_sources: int) -> Int:
    """Stored values of every column, summed over matrices that begin at a source each."""
    total = np.zeros(n_sources, dtype=np.int64)
    for matrix, first in matrices:
        total[first : first + matrix.shape[1]] += np.bincount(
            matrix.indices, minlength=matrix.shape[1]
        )
    return total
