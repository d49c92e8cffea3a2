"""Integer synapses of projections that do not learn, and how far they are from the float ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.quantization.scaling import Scaling, Synapses, Target
from hrsnn_lava.network import Network, Population, Projection
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedPopulation,
    QuantizedProjection,
    SignMode,
)

Float = NDArray[np.float64]
#: Payload counts per 1.0 of an analog input that is held through the biases: 11 bits and sign.
HELD_PAYLOAD_SCALE = 1024.0
#: Payload counts per 1.0 of a graded spike, which multiplies an 8-bit weight.
GRADED_PAYLOAD_SCALE = 64.0


def counts_of(pre: Any) -> float:
    """Payload counts per 1.0 of what a `QuantizedInput` sends; 1 for spikes."""
    return float(getattr(pre, "payload_scale", None) or 1.0)


def target_of(
    network: Network,
    population: Population,
    keep: Float,
    weight_bits: int,
    rates: Mapping[str, Float],
) -> Target:
    """The fixed synapses onto a population, as the scaling options see them.

    Args:
        keep: (size,) what is left of a current after a step. rates: of a run, by population.
    """
    mine = [p for p in network.projections if p.post == population.name and p.target == "synapse"]
    fixed = [p for p in mine if p.plasticity is None]
    synapses = []
    for projection in fixed:
        graded = getattr(network.population(projection.pre).neuron, "graded", False)
        counts = GRADED_PAYLOAD_SCALE if graded else 1.0
        data, mode = projection.weights.data, SignMode.MIXED
        if data.size and data.min() >= 0:
            mode = SignMode.EXCITATORY
        elif data.size and data.max() <= 0:
            mode = SignMode.INHIBITORY
        weights = projection.weights if counts == 1.0 else projection.weights / counts
        seen = rates.get(projection.pre)
        synapses.append(Synapses(projection.name, weights, weight_bits, mode, seen))
    threshold = population.parameter("v_threshold")
    return Target(keep, threshold, tuple(synapses), free=len(fixed) == len(mine))


def held_synapses(
    projection: Projection, scale: float, pre: QuantizedInput, post: QuantizedPopulation
) -> tuple[QuantizedProjection, dict[str, Any]]:
    """Weights of a held input: the host computes with them, so they keep 15 bits."""
    per_count = scale * 64.0 / 2.0 ** int(post.parameter("bias_exp")[0])
    exact = projection.weights.data * per_count / (pre.payload_scale or 1.0)
    largest = float(np.abs(exact).max(initial=0.0))
    shift = int(np.clip(np.floor(np.log2(2.0**14 / positive(largest))), -7, 31)) if largest else 0
    weights = projection.weights.copy()
    weights.data = np.rint(exact * 2.0**shift)
    integer = QuantizedProjection(
        projection.name, projection.pre, projection.post, weights, -shift, target="bias"
    )
    return integer, {"weight_exp": -shift, **weight_error(exact, integer, projection.weights)}


def fixed_synapses(
    network: Network,
    projection: Projection,
    scale: float,
    option: Scaling,
    target: Target,
    pre: Any,
) -> tuple[QuantizedProjection, dict[str, Any]]:
    """Synapses that do not learn: exponent and weights as `option` chooses them."""
    synapses = next(s for s in target.synapses if s.name == projection.name)
    exact, mode = projection.weights.data * scale / counts_of(pre), synapses.mode
    exponent = option.exponent(target, synapses, scale)
    weights = projection.weights.copy()
    weights.data = option.integers(target, synapses, scale, exponent)
    delays = None
    if projection.delays is not None:
        steps = np.rint(np.asarray(projection.delays) / network.dt).astype(np.int64)
        # weights that become 0 are dropped, and their delays with them
        delays = steps if steps.ndim == 0 else steps[weights.data != 0]
        if steps.ndim:
            weights.eliminate_zeros()
    integer = QuantizedProjection(
        projection.name,
        projection.pre,
        projection.post,
        sparse.csr_matrix(weights),
        exponent,
        mode,
        synapses.bits,
        delays,
        num_message_bits=24 if getattr(pre, "payload_scale", None) else 0,
    )
    top = synapses.top * 2.0**exponent
    entry = {
        "weight_exp": exponent,
        "sign_mode": mode.value,
        "clipped": int(np.count_nonzero(np.abs(exact) > top + 0.5 * synapses.grid * 2.0**exponent)),
    }
    return integer, entry | weight_error(exact, integer, projection.weights)


def weight_error(
    exact: Float, integer: QuantizedProjection, weights: sparse.csr_matrix
) -> dict[str, Any]:
    """Synapses that became 0, and the error relative to the root mean square weight."""
    if not exact.size:
        return {"synapses": 0, "zeroed": 0, "rms_error": 0.0}
    target = sparse.csr_matrix((exact, weights.indices, weights.indptr), shape=weights.shape)
    kept = integer.effective_weights().astype(np.float64) * 2.0**integer.weight_exp
    difference = (target - kept).power(2).sum()
    return {
        "synapses": int(exact.size),
        "zeroed": int(exact.size - np.count_nonzero(kept.data)),
        "rms_error": float(np.sqrt(difference / positive(float((exact**2).sum())))),
    }


def positive(value: float) -> float:
    """`value`, or where it is 0 the smallest number above, to divide by."""
    return value if value > 0 else float(np.finfo(np.float64).tiny)
