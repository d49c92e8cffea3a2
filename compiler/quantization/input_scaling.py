"""Scaling the inputs of neurons: how far it can go, what rounding costs, and how it is done."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.quantization.constant_error import largest_threshold
from hrsnn_lava.csr import row_lengths, row_maxima, row_sums, rows_of, with_values
from hrsnn_lava.integer_format import (
    NEURON_RANGES,
    STATE_UNIT,
    STATE_WRAP,
    current_leak,
    potential_leak,
    weight_grid,
)
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection, SignMode

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
#: A little below the wrap, since the worst case is computed in floats.
_STATE_LIMIT = STATE_WRAP * (1 - 2e-7)


def plastic_targets(network: QuantizedNetwork) -> Bool:
    """Neurons onto which some synapse learns, (n_neurons,)."""
    plastic = np.zeros(network.n_neurons, dtype=np.bool_)
    for projection in network.projections:
        if projection.learning is not None:
            first = network.offset(projection.post)
            rows = row_lengths(projection.weights) > 0
            plastic[first : first + rows.size] |= rows
    return plastic


def largest_gains(network: QuantizedNetwork, input_range: float) -> Float:
    """Largest gain of every neuron's weights, bias and threshold, (n_neurons,), >= 1 or infinite.

    The bounds: thresholds (`largest_threshold`); weights on their grid; a bias of 13 bits with
    every held input at +-`input_range`; current and potential within 24 bits if every source sent
    in every step, as long as they are within them now. What is beyond a bound already has gain 1 at
    most.

    Graded inputs have no bound that the network states, so they are left out of the worst case;
    neurons that may send several spikes in a step count with all that their potential holds.
    """
    n = network.n_neurons
    populations = network.compute_populations
    most = [np.full(p.size, float(largest_threshold(p.reset))) for p in populations]
    bounds = [np.concatenate(most) / np.maximum(network.gather("vth").astype(np.float64), 1.0)]
    bias = np.abs(network.gather("bias_mant").astype(np.float64))
    driven = np.zeros((2, n))
    for projection in network.projections:
        first = network.offset(projection.post)
        rows = slice(first, first + projection.weights.shape[0])
        if projection.target == "bias":
            bias[rows] += input_range * _held(network, projection)
            continue
        _, (low, high) = grid_of(projection)
        weights = projection.effective_weights().astype(np.float64)
        for sign, top in ((0, high), (1, -low)):
            part = (weights if sign == 0 else -weights).maximum(0)
            largest = np.asarray(part.max(axis=1).todense()).ravel()
            bound = np.full(n, np.inf)
            bound[rows] = np.where(largest > 0, top / np.maximum(largest, 1.0), np.inf)
            bounds.append(bound)
            pre = network.population(projection.pre)
            if not (projection.num_message_bits and pre.is_input):
                sent = np.ones(pre.size) if pre.is_input else pre.most_spikes.astype(np.float64)
                driven[sign, rows] += (part @ sent) * (STATE_UNIT * 2.0**projection.weight_exp)
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds.append(np.where(bias > 0, NEURON_RANGES["bias_mant"][1] / bias, np.inf))
        leak = current_leak(network.gather("du"))
        current = np.nan_to_num(driven / leak, nan=0.0, posinf=np.inf)
        constant = bias * 2.0 ** network.gather("bias_exp")
        potential = np.nan_to_num(
            (current[1] + constant) / potential_leak(network.gather("dv")), nan=0.0, posinf=np.inf
        )
        for worst in (*current, potential):
            bounds.append(np.where(worst < STATE_WRAP, _STATE_LIMIT / worst, 1.0))
    return np.asarray(np.maximum(np.min(bounds, axis=0), 1.0), dtype=np.float64)


def expected_change(network: QuantizedNetwork, rates: Float) -> Float:
    """Root mean square change of every neuron's current by rounding, (n_neurons,).

    In units of the weights, with rounding errors of variance (grid step)^2 / 12 that are
    independent of each other and of the spikes; nothing is scaled to find it.
    """
    n = network.n_neurons
    square, active = np.zeros(n), rates * (1.0 - rates)
    for projection in network.projections:
        if projection.target == "bias" or not projection.n_synapses:
            continue
        first = network.offset(projection.pre)
        first += n if network.population(projection.pre).is_input else 0
        n_post, n_pre = projection.weights.shape
        row = network.offset(projection.post)
        pattern = (projection.weights != 0).astype(np.float64)
        grid = grid_of(projection)[0] * 2.0**projection.weight_exp
        square[row : row + n_post] += pattern @ active[first : first + n_pre] * grid**2
    leak = current_leak(network.gather("du"))
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = np.where(square > 0, square / (leak * (2.0 - leak)), 0.0)
    steps = np.where(
        network.gather("bias_mant") != 0, 2.0 ** network.gather("bias_exp") / STATE_UNIT, 0
    )
    return np.asarray(np.sqrt((noise + steps**2) / 12.0), dtype=np.float64)


def _held(network: QuantizedNetwork, projection: QuantizedProjection) -> Float:
    """Bias mantissa that held inputs of 1.0 add at most, (n_post,)."""
    scale = getattr(network.population(projection.pre), "payload_scale", None) or 1.0
    total = np.asarray(abs(projection.weights.astype(np.float64)).sum(axis=1)).ravel()
    return np.asarray(total * scale * 2.0**projection.weight_exp, dtype=np.float64)


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
            row_sums(weights, errors * rate) * unit,
            row_sums(weights, errors**2 * rate * (1.0 - rate)) * unit**2,
            row_maxima(weights, np.abs(errors)) * unit,
            row_maxima(weights, size) * unit,
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
    lengths = row_lengths(weights)
    to_scale = np.repeat(chosen, lengths)
    old = projection.effective_weights().data.astype(np.float64)
    exact = old * np.repeat(gain, lengths)
    if projection.target == "bias":
        new = np.where(to_scale, np.rint(exact), old)
    else:
        grid, (low, high) = grid_of(projection)
        row = rows_of(weights)
        new = np.where(to_scale, weights.data, 0).astype(np.float64)
        new[to_scale] = grid * round_keeping_sums(exact[to_scale] / grid, row[to_scale])
        new = np.where(to_scale, np.clip(new, low, high), weights.data)
    data = new.astype(np.int32)
    errors: Float = np.where(to_scale, new - exact, 0.0)
    return replace(projection, weights=with_values(weights, data)), errors


def grid_of(projection: QuantizedProjection) -> tuple[int, tuple[int, int]]:
    """Distance of stored weights, and the smallest and largest on that grid."""
    grid = weight_grid(projection.num_weight_bits, projection.sign_mode is SignMode.MIXED)
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
