"""Convolutions as matrices of synapses: one stored weight for every pair of neurons.

A chip without shared weights holds a convolution so. What is worked out is a correlation, as in
PyTorch and in SLAYER; Lava's `Conv` flips the kernel, which lava-dl flips before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Int = NDArray[np.int64]
Pair = tuple[int, int]


def output_size(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """Height and width of what a convolution gives; 0 or less where nothing fits."""
    height, width = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return height, width


def count_of_synapses(kernel: Int, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> int:
    """How many pairs of neurons `convolution_matrix` joins, zeros among the weights included."""
    rows, columns = _sources(kernel, size, stride, padding, dilation)
    inside = int((rows >= 0).sum()) * int((columns >= 0).sum())
    return int(kernel.shape[0]) * int(kernel.shape[1]) * inside


def convolution_matrix(
    kernel: Int,
    shape: tuple[int, int, int],
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> sparse.csr_matrix:
    """The matrix of a convolution, zeros of the kernel left out::

        y[o, i, j] = sum over c, k, m of kernel[o, c, k, m] x[g C + c, i s + k d - p, j s + m d - p]

    with the group g of the output channel o, and C input channels in each.

    Args:
        kernel: (channels out, channels in / groups, height, width), integers.
        shape: of the input (channels in, height, width).
        stride, padding, dilation: (vertical, horizontal).
        groups: channels in and out are multiples of it.

    Returns:
        (n_out, n_in) int64; both sides flat in C order (channels, height, width).
    """
    n_out, per_group = kernel.shape[:2]
    channels, height, width = shape
    rows, columns = _sources(kernel, (height, width), stride, padding, dilation)
    valid = (rows >= 0)[:, None, :, None] & (columns >= 0)[None, :, None, :]
    i, j, k, m = np.nonzero(valid)
    place = rows[i, k] * width + columns[j, m]
    plane = rows.shape[0] * columns.shape[0]
    target = i * columns.shape[0] + j
    blocks = []
    for channel in range(n_out):  # by channel: a third of the memory of all at once
        first = channel // (n_out // groups) * per_group
        of_channel = (first + np.arange(per_group))[:, None] * height * width
        values = kernel[channel][:, k, m]
        present = values != 0
        row = np.broadcast_to(target, values.shape)[present]
        column = (of_channel + place)[present]
        block = sparse.coo_matrix(
            (values[present], (row, column)), shape=(plane, channels * height * width)
        )
        blocks.append(block.tocsr())
    return sparse.vstack(blocks, format="csr")


def _sources(
    kernel: Int, size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[Int, Int]:
    """For each axis the place of the input that a place of the output takes from each of the
    kernel's, (n_out, n_kernel); -1 for places in the padding."""
    out = output_size(size, (kernel.shape[2], kernel.shape[3]), stride, padding, dilation)
    found = []
    for axis in range(2):
        start = np.arange(max(out[axis], 0)) * stride[axis] - padding[axis]
        place = start[:, None] + np.arange(kernel.shape[2 + axis]) * dilation[axis]
        found.append(np.where((place >= 0) & (place < size[axis]), place, -1))
    return found[0], found[1]
