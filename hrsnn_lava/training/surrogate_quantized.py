"""The chip's numbers in the forward pass, and errors that pass through their rounding.

What a network is rounded to is not imitated: `hrsnn_lava.compiler.passes.quantize` makes its
integers in every update, and they are brought back to the network's unit. In the potential
v / (1 - beta) a neuron of the chip with threshold vth has the same spikes if all its numbers are
divided by one scale, here ``S = vth / (v_threshold / (1 - beta))``, so thresholds stay what they
are and carry their rounding into weights and bias::

    w = W 2^weight_exp / S      bias = bias_mant 2^bias_exp / (64 S)      beta = 1 - dv / 4096

A number x of a forward pass is ``x + (rounded(x) - x)``, with the bracket held constant: its
derivative is that of x (straight through, Bengio et al. 2013). What the chip does to its state,
which are integers too, is not part of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.csr import rows_of
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.integer_format import DECAY_ONE, STATE_UNIT, current_leak
from hrsnn_lava.network import Network, Projection
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection
from hrsnn_lava.training.surrogate_network import Learnable, Parameters

__all__ = ["Rounded", "check_rounding", "rounded", "rounding_of"]

Floats = NDArray[np.float64]
#: Numbers of neurons that are rounded, as `Parameters` names them.
_OF_NEURONS = ("keep_u", "keep_v", "bias")
Rounded = dict[str, Floats]


def check_rounding(step: Quantize) -> None:
    """Raise `SpecError` for a pass that has to observe a run: there is one in every update."""
    if step.needs_run:
        problem = Problem(
            "quantize", f"scaling {step.scaling}, headroom {step.headroom}", "what needs no run"
        )
        raise SpecError("gradient training cannot round by this", problems=[problem])


def rounding_of(network: Network, integers: QuantizedNetwork, threshold: Floats) -> Rounded:
    """The numbers of a program in the unit of its float network.

    Args:
        network: float.
        integers: what became of it.
        threshold: (n_neurons,) v_threshold / (1 - beta) of the float network.

    Returns:
        ``keep_u``, ``keep_v`` and ``bias``, (n_neurons,), and ``weights/PROJECTION``, (nnz,) in the
        order of the float matrix; 0 where a weight was rounded away.
    """
    scale = integers.gather("vth") / threshold
    exponent = 2.0 ** integers.gather("bias_exp")
    result: Rounded = {
        "keep_u": 1.0 - current_leak(integers.gather("du")),
        "keep_v": 1.0 - integers.gather("dv") / DECAY_ONE,
        "bias": integers.gather("bias_mant") * exponent / (STATE_UNIT * scale),
    }
    for projection in network.projections:
        integer = integers.projection(projection.name)
        pre = integers.population(integer.pre)
        rows = rows_of(projection.weights) + network.offset(projection.post)
        unit = 2.0**integer.weight_exp * float(getattr(pre, "payload_scale", None) or 1.0)
        each = unit / scale[rows]
        if projection.target == "bias":
            each = each * exponent[rows] / STATE_UNIT
        result[f"weights/{projection.name}"] = _at_places(projection, integer) * each
    return result


def _at_places(projection: Projection, integer: QuantizedProjection) -> Floats:
    """Integers at the places of the float weights, (nnz,)."""
    width = projection.weights.shape[1]
    effective = integer.effective_weights().tocsr()
    there = rows_of(effective) * width + effective.indices
    wanted = rows_of(projection.weights) * width + projection.weights.indices
    values = np.zeros(wanted.size)
    order = np.argsort(wanted)
    values[order[np.searchsorted(wanted[order], there)]] = effective.data
    return values


def rounded(learnable: Learnable, parameters: Parameters, step: Quantize) -> Parameters:
    """Parameters with the values of their integers, and the derivatives that they have.

    Raises:
        SpecError: the network as it is now has no integers.
    """
    network = learnable.learned().without_plasticity()
    integers = quantize(network, step, Observed())[0]
    threshold = parameters.threshold.detach().cpu().numpy().astype(np.float64)
    # a weight that is exactly 0 is no synapse of the network now
    values = rounding_of(learnable.network, integers, threshold)
    own = {
        name: _through(learnable, getattr(parameters, name), values[name]) for name in _OF_NEURONS
    }
    weights = {
        name: _through(learnable, weight, values[f"weights/{name}"])
        for name, weight in parameters.weights.items()
    }
    return replace(parameters, **own, weights=weights)


def _through(learnable: Learnable, exact: Any, values: Floats) -> Any:
    """The values, with the derivative of what they are the rounding of."""
    return exact + (learnable.tensor(values) - exact).detach()
