"""How far the inputs of a neuron can be scaled up, and what rounding them costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.quantization.row_scaling import weight_grid
from hrsnn_lava.integer_format import NEURON_RANGES as RANGES
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
_STATE = 2.0**23


def plastic_targets(network: QuantizedNetwork) -> Bool:
    """Neurons onto which some synapse learns, (n_neurons,)."""
    found = np.zeros(network.n_neurons, dtype=np.bool_)
    for projection in network.projections:
        if projection.learning is not None:
            first = network.offset(projection.post)
            rows = np.diff(projection.weights.indptr) > 0
            found[first : first + rows.size] |= rows
    return found


def largest_gains(network: QuantizedNetwork, input_range: float) -> Float:
    """Largest gain of every neuron's weights, bias and threshold, (n_neurons,), >= 1 or infinite.

    The bounds: thresholds of 17 bits; weights on their grid; a bias of 13 bits with every held
    input at +-`input_range`; current and potential within 24 bits if every source sent in every
    step, as long as they are within them now. What is beyond a bound already has gain 1 at most.

    Graded sources have no bound that the network states, so they are left out of the worst case.
    """
    n = network.n_neurons
    bounds = [RANGES["vth"][1] / np.maximum(network.gather("vth").astype(np.float64), 1.0)]
    bias = np.abs(network.gather("bias_mant").astype(np.float64))
    driven = np.zeros((2, n))
    for projection in network.projections:
        first = network.offset(projection.post)
        rows = slice(first, first + projection.weights.shape[0])
        if projection.target == "bias":
            bias[rows] += input_range * _held(network, projection)
            continue
        _, (low, high) = weight_grid(projection)
        weights = projection.effective_weights().astype(np.float64)
        for sign, top in ((0, high), (1, -low)):
            part = (weights if sign == 0 else -weights).maximum(0)
            largest = np.asarray(part.max(axis=1).todense()).ravel()
            bound = np.full(n, np.inf)
            bound[rows] = np.where(largest > 0, top / np.maximum(largest, 1.0), np.inf)
            bounds.append(bound)
            if not projection.num_message_bits:
                driven[sign, rows] += np.asarray(part.sum(axis=1)).ravel() * (
                    64.0 * 2.0**projection.weight_exp
                )
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds.append(np.where(bias > 0, RANGES["bias_mant"][1] / bias, np.inf))
        lost = (network.gather("du").astype(np.float64) + 1.0) / 4096.0
        current = np.nan_to_num(driven / lost, nan=0.0, posinf=np.inf)
        leak = network.gather("dv").astype(np.float64) / 4096.0
        constant = bias * 2.0 ** network.gather("bias_exp")
        potential = np.nan_to_num((current[1] + constant) / leak, nan=0.0, posinf=np.inf)
        for worst in (*current, potential):
            bounds.append(np.where(worst < _STATE, _STATE * (1 - 2e-7) / worst, 1.0))
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
        grid = weight_grid(projection)[0] * 2.0**projection.weight_exp
        square[row : row + n_post] += pattern @ active[first : first + n_pre] * grid**2
    lost = (network.gather("du").astype(np.float64) + 1.0) / 4096.0
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = np.where(square > 0, square / (lost * (2.0 - lost)), 0.0)
    steps = np.where(network.gather("bias_mant") != 0, 2.0 ** network.gather("bias_exp") / 64.0, 0)
    return np.asarray(np.sqrt((noise + steps**2) / 12.0), dtype=np.float64)


def _held(network: QuantizedNetwork, projection: QuantizedProjection) -> Float:
    """Bias mantissa that held inputs of 1.0 add at most, (n_post,)."""
    scale = getattr(network.population(projection.pre), "payload_scale", None) or 1.0
    total = np.asarray(abs(projection.weights.astype(np.float64)).sum(axis=1)).ravel()
    return np.asarray(total * scale * 2.0**projection.weight_exp, dtype=np.float64)
