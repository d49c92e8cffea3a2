"""Multiply the rows of integer synapses by gains, on their grid, keeping the sum of each row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.quantized import QuantizedProjection, SignMode

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RowRounding:
    """What rounding did to every row, (n_post,) each, in units of the weights times 2^exponent.

    Attributes:
        mean: ``sum_j e_ij r_j``, errors times rates. square: ``sum_j e_ij^2 r_j (1 - r_j)``.
        worst, largest: largest |e_ij|, and largest |w_ij| before scaling.
    """

    mean: Float
    square: Float
    worst: Float
    largest: Float

    @staticmethod
    def of(projection: QuantizedProjection, errors: Float, rates: Float) -> RowRounding:
        """Add up the errors (nnz,) of the weights of `projection`; rates are (n_pre,)."""
        weights, unit = projection.weights, 2.0**projection.weight_exp
        rate = rates[weights.indices]
        size = np.abs(projection.effective_weights().data).astype(np.float64)
        return RowRounding(
            _row_sums(weights, errors * rate) * unit,
            _row_sums(weights, errors**2 * rate * (1.0 - rate)) * unit**2,
            _row_maxima(weights, np.abs(errors)) * unit,
            _row_maxima(weights, size) * unit,
        )


def scale_rows(
    projection: QuantizedProjection, gain: Float, chosen: Bool
) -> tuple[QuantizedProjection, Float]:
    """The projection with the `chosen` rows times `gain`, and the rounding errors, (nnz,).

    Exponent, bits and sign mode stay, so that a projection scaled and then split equals one
    split and then scaled. Weights beyond the largest are clipped; those that round to 0 are
    dropped. Weights of ``target="bias"`` are the host's and have no grid but the integers.

    Args:
        gain: (n_post,) > 0. chosen: (n_post,) rows to scale; others keep their weights.
    """
    weights = projection.weights
    lengths = np.diff(weights.indptr)
    moved = np.repeat(chosen, lengths)
    old = projection.effective_weights().data.astype(np.float64)
    exact = old * np.repeat(gain, lengths)
    if projection.target == "bias":
        new = np.where(moved, np.rint(exact), old)
    else:
        grid, (low, high) = weight_grid(projection)
        row = np.repeat(np.arange(weights.shape[0]), lengths)
        new = np.where(moved, weights.data, 0).astype(np.float64)
        new[moved] = grid * round_keeping_sums(exact[moved] / grid, row[moved])
        new = np.where(moved, np.clip(new, low, high), weights.data)
    data = new.astype(np.int32)
    delays = projection.delays
    matrix = sparse.csr_matrix((data, weights.indices, weights.indptr), shape=weights.shape)
    errors: Float = np.where(moved, new - exact, 0.0)
    return replace(projection, weights=matrix, delays=delays), errors


def weight_grid(projection: QuantizedProjection) -> tuple[int, tuple[int, int]]:
    """Distance of stored weights, and the smallest and largest on that grid."""
    grid = 2 ** (8 - projection.num_weight_bits + (projection.sign_mode is SignMode.MIXED))
    low, high = projection.sign_mode.limits
    return grid, (-(-low // grid) * grid, high // grid * grid)


def round_keeping_sums(values: Float, row: Int) -> Float:
    """Integers next to `values` with each row's sum rounded to the nearest, (n,).

    Largest remainder: all are rounded down, and those with the largest fractions up again, as
    many as the sum of the fractions says. Positive and negative values of a row are apart.

    Args:
        row: (n,) rising.
    """
    size, sign = np.abs(values), values < 0
    floor = np.floor(size)
    fraction = size - floor
    group = 2 * row + sign
    # One sort by group and, within it, falling fraction: half a unit keeps groups apart.
    order = np.argsort(group + 0.5 * (1.0 - fraction), kind="stable")
    sorted_group = group[order]
    first = np.flatnonzero(np.diff(sorted_group, prepend=-1))
    counts = np.diff(np.append(first, values.size))
    rank = np.arange(values.size) - np.repeat(first, counts)
    up = np.rint(np.add.reduceat(fraction[order], first)) if first.size else np.zeros(0)
    floor[order] += rank < np.repeat(up, counts)
    return np.where(sign, -floor, floor)


def _row_sums(weights: sparse.csr_matrix, values: Float) -> Float:
    row = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    return np.bincount(row, values, weights.shape[0]).astype(np.float64)


def _row_maxima(weights: sparse.csr_matrix, values: Float) -> Float:
    found = np.zeros(weights.shape[0])
    filled = np.flatnonzero(np.diff(weights.indptr))
    if filled.size:
        found[filled] = np.maximum.reduceat(values, weights.indptr[filled])
    return found
