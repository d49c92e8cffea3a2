"""Blocks of synapses as the flat arrays that the kernels read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.sim_backends.base import Program
from hrsnn_lava.trace import SpikeInput


@dataclass(frozen=True, eq=False)
class Layout:
    """Columns of all blocks, one after the other.

    Attributes:
        indptr: (B, n_sources + 1) int64, absolute positions in `targets` and `weights`.
        targets: (nnz,) uint16, uint32 above 65,536 neurons.
        weights: (nnz,) int8, int16 or float64; non-negative exponents are multiplied in.
        delay, shift, graded: (B,) per block.
    """

    indptr: NDArray[np.int64]
    targets: NDArray[Any]
    weights: NDArray[Any]
    delay: NDArray[np.int64]
    shift: NDArray[np.int64]
    graded: NDArray[np.bool_]

    @property
    def depth(self) -> int:
        """Steps of history that are needed: the largest delay, this step and the one before."""
        return int(self.delay.max(initial=0)) + 2


def flatten(
    matrices: list[sparse.csc_matrix],
    delay: list[int],
    shift: list[int],
    graded: list[bool],
    shape: tuple[int, int],
) -> Layout:
    """Concatenate CSC blocks of one shape (n_neurons, n_sources)."""
    n, n_sources = shape
    target_type = np.uint16 if n <= 2**16 else np.uint32
    base = np.cumsum([0, *(m.nnz for m in matrices)])
    indptr = np.zeros((len(matrices), n_sources + 1), dtype=np.int64)
    for b, matrix in enumerate(matrices):
        indptr[b] = matrix.indptr + base[b]
    joined = [np.zeros(0, dtype=np.int32), *(m.indices for m in matrices)]
    weights = np.concatenate([m.data for m in matrices]) if matrices else np.zeros(0, np.int8)
    return Layout(
        indptr,
        np.concatenate(joined).astype(target_type),
        weights,
        np.array(delay, dtype=np.int64),
        np.array(shift, dtype=np.int64),
        np.array(graded, dtype=np.bool_),
    )


def integer_layout(program: Program) -> Layout:
    """Layout of an integer program, in the narrowest weight type."""
    matrices, shift = [], []
    for block in program.blocks:
        folded = block.weights.copy()
        folded.data = folded.data << max(block.weight_exp, 0)
        matrices.append(folded)
        shift.append(max(-block.weight_exp, 0))
    layout = flatten(
        matrices,
        [block.delay for block in program.blocks],
        shift,
        [block.graded for block in program.blocks],
        (program.n_neurons, program.n_neurons + program.n_inputs),
    )
    narrow = layout.weights.size == 0 or (
        layout.weights.min() >= -128 and layout.weights.max() <= 127
    )
    weights = layout.weights.astype(np.int8 if narrow else np.int16)
    return Layout(layout.indptr, layout.targets, weights, layout.delay, layout.shift, layout.graded)


@dataclass(frozen=True, eq=False)
class Events:
    """Input events of a stretch of steps: slices `ptr` (n_steps + 1,), sources and values."""

    ptr: NDArray[np.int64]
    source: NDArray[np.int32]
    value: NDArray[Any]

    @classmethod
    def none(cls, n_steps: int, kind: Any = np.int32) -> Events:
        """No events in `n_steps` steps."""
        empty = np.zeros(0, np.int32)
        return cls(np.zeros(n_steps + 1, np.int64), empty, empty.astype(kind))

    @classmethod
    def of(cls, inputs: SpikeInput, first: int, n_steps: int, n_neurons: int) -> Events:
        """The events of steps `first` to `first + n_steps`; inputs are sources from `n_neurons`."""
        edges = np.searchsorted(inputs.steps, np.arange(first, first + n_steps + 1))
        part = slice(edges[0], edges[-1])
        source = inputs.neurons[part] + np.int32(n_neurons)
        return cls((edges - edges[0]).astype(np.int64), source, inputs.payload_values()[part])
