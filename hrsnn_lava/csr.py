"""Sparse matrices in compressed rows: row numbers, selection of stored values, held products.

Every matrix of synapses is a CSR of shape (n_post, n_pre). Delays, tags and other values of a
synapse are arrays (nnz,) in the order of the stored weights, so what selects synapses must keep
that order, and stored zeros, where zeros can learn, must survive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import sparse

from hrsnn_lava.fields import (
    is_whole,
    locked,
    plain_array,
    real_values,
    refusal,
    whole_values,
    wide,
)

Int = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)


def as_csr(where: str, weights: Any, dtype: DTypeLike) -> sparse.csr_matrix:
    """Anything that SciPy makes a CSR of, its indices looked at: the kernels test none.

    Rows that are compressed already stay as they are. SciPy sums the entries of one place in other
    formats, in their own type: here they are looked at before, and summed in 64 bits.

    Args:
        where: name of the field.
        weights: a matrix, or what SciPy makes one of.
        dtype: of the network that holds it, see `weight_values`.

    Raises:
        NetworkError: it is no 2-D matrix, an index leads out of it, or an entry is no such value.
    """
    allowed = "a matrix (n_post, n_pre) of numbers"
    try:
        if isinstance(weights, tuple):
            if len(weights) > 1 and not is_whole(weights[0]):  # SciPy would drop a mask
                plain_array(where, weights[0], allowed)
            compressed = sparse.csr_matrix if len(weights) == 3 else sparse.coo_matrix
            weights = compressed(weights)
        elif not sparse.issparse(weights):
            return _closed_parts(sparse.csr_matrix(plain_array(where, weights, allowed)))
        if hasattr(weights, "check_format"):
            copy(weights).check_format(full_check=True)  # of a copy: it may exchange arrays
        if weights.format == "csr":
            return sparse.csr_matrix(weights)
        entries = weights.tocoo()
        values = wide(weight_values(where, entries.data, dtype))
        places = (entries.row, entries.col)
        return _closed_parts(sparse.coo_matrix((values, places), shape=entries.shape).tocsr())
    except (TypeError, ValueError, IndexError) as error:
        raise refusal(where, f"no matrix ({error})", allowed) from error


def _closed_parts(csr: sparse.csr_matrix) -> sparse.csr_matrix:
    """A matrix whose arrays SciPy made, closed to writing."""
    for array in (csr.data, csr.indices, csr.indptr):
        locked(array)
    return csr


def weight_values(where: str, data: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Stored weights in the type of their network, see `hrsnn_lava.fields`."""
    if np.issubdtype(dtype, np.integer):
        return whole_values(where, data)
    return real_values(where, data)


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
