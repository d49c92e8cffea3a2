"""Compiled kernels over samples of every neuron; imported on first use, as numba loads slowly.

States are (N, m): m samples of a neuron side by side, so that a synapse is one pass over memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.kernels import kernel

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Samples = NDArray[Any]


@kernel(nogil=True)
def sweep(
    indptr: Index, indices: Index, data: Samples, scale: Samples, right: Samples, state: Samples
) -> tuple[Any, Any]:
    """One pass of Gauss and Seidel over ``state_i = scale_i (right_i + sum_j data_ij state_j)``.

    Args:
        indptr, indices, data: CSR (N, N) without a diagonal.
        scale: (N,).
        right, state: (N, m); `state` is overwritten.

    Returns:
        Sums of squares of what changed and of the new state.
    """
    n, m = state.shape
    row = np.empty(m, dtype=state.dtype)
    changed = size = np.float64(0.0)
    for i in range(n):
        for c in range(m):
            row[c] = right[i, c]
        for at in range(indptr[i], indptr[i + 1]):
            weight, j = data[at], indices[at]
            for c in range(m):
                row[c] += weight * state[j, c]
        for c in range(m):
            new = scale[i] * row[c]
            step = np.float64(new) - np.float64(state[i, c])
            changed += step * step
            size += np.float64(new) * np.float64(new)
            state[i, c] = new
    return changed, size


@kernel(nogil=True)
def sum_of_squares(row: Index, column: Index, sign: Float, state: Samples, total: Float) -> None:
    """Add ``sum_c (state_ic - sign state_jc)^2`` of every edge i, j to `total`.

    Args:
        row, column: (E,) ends i and j.
        sign: (E,) of +1, -1, or 0 for ``sum_c state_ic^2 + state_jc^2``, as if uncorrelated.
        state: (N, m).
        total: (E,) changed in place.
    """
    m = state.shape[1]
    for edge in range(row.size):
        i, j, s = row[edge], column[edge], sign[edge]
        squares = np.float64(0.0)
        for c in range(m):
            a, b = np.float64(state[i, c]), np.float64(state[j, c])
            squares += a * a + b * b if s == 0.0 else (a - s * b) * (a - s * b)
        total[edge] += squares
