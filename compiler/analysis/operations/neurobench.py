"""NeuroBench's metrics of a run, in its own definitions and under its own names.

They are those of NeuroBench 2.3 for the network rebuilt in torch as follows:

- every projection onto synapses is a ``torch.nn.Linear`` without bias, recurrent ones too; its
  weights are those that act, in float32, with a 0 for every pair that is not connected;
- every population is one module that holds its neurons' constants (decays, threshold, bias,
  refractory period) and states (current, potential, steps left to wait) as float32 buffers;
- the run is one sample: each module is called once in every step, also when nothing was sent.

Not in it is what the host computes: biases set by ``target="bias"`` (`host_macs` of the synaptic
operations) and the readout. Delays move results in time and belong to no layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.compiler.analysis.occupancy.fan_out import acting
from hrsnn_lava.compiler.analysis.operations.activity import Activity
from hrsnn_lava.compiler.analysis.operations.synops import SynapticOperations
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection
from hrsnn_lava.trace import Trace

#: float32 values that the rebuilt network holds per neuron, see above.
NEURON_VALUES = 8
#: Bytes of a float32.
FLOAT_BYTES = 4
#: Bits of one neuron: du, dv, vth, bias mantissa and exponent, refractory period; then u and v.
NEURON_BITS = 12 + 12 + 17 + 13 + 3 + 6 + 24 + 24
#: What the figures are of, word for word in every report.
SCOPE = "synapses on the chip, rebuilt as dense float32 layers; without encoder and readout"


def neurobench(
    network: QuantizedNetwork,
    ops: SynapticOperations | None = None,
    done: Activity | None = None,
    *,
    trace: Trace | None = None,
    samples: float | None = None,
) -> dict[str, Any]:
    """NeuroBench's static and workload metrics; a metric that cannot be known is None.

    ======================  ==================================================================
    Footprint               bytes of all weights and buffers of the rebuilt network, float32
    ParameterCount          weights of the rebuilt network, those that are 0 included
    ConnectionSparsity      share of weights that are 0, to 4 decimals
    ActivationSparsity      share of (neuron, step) without a spike
    MembraneUpdates         (neuron, step) whose potential before firing differs from the one
                            the step before left; in the first step all neurons count
    Effective_ACs           spikes that meet a weight other than 0
    Effective_MACs          the same in calls with a payload other than -1, 0 and 1
    Dense                   all pairs of neurons of all projections, in every step
    ======================  ==================================================================

    Operations and updates are means over `samples`. Beside them, not NeuroBench's, stand
    ``footprint_on_chip_bytes`` (see `on_chip_bytes`), ``samples`` and ``scope``.

    Args:
        network: that was run.
        ops, done: counts of the run, without which there are no workload metrics.
        trace: the run, where it is at hand, for its payloads. Without them `Effective_ACs` and
            `Effective_MACs` are None for a network that sent graded spikes.
        samples: inputs that the run processed; by default the run is one.
    """
    projections = [p for p in network.projections if p.target == "synapse"]
    pairs = sum(int(np.prod(p.weights.shape)) for p in projections)
    present = sum(int(np.count_nonzero(acting(p))) for p in projections)
    per = samples or 1
    macs = acs = updates = dense = sparsity = None
    if ops is not None:
        dense = pairs * ops.steps / per
        split = _split(network, ops, trace)
        if split is not None:
            acs, macs = (count / per for count in split)
    if ops is not None and done is not None and ops.steps:
        slots = network.n_neurons * ops.steps
        sparsity = (slots - done.spikes) / slots
        membrane_updates = _membrane_updates(network, done)
        updates = None if membrane_updates is None else membrane_updates / per
    return {
        "Footprint": FLOAT_BYTES * (pairs + NEURON_VALUES * network.n_neurons),
        "footprint_on_chip_bytes": on_chip_bytes(network),
        "ParameterCount": pairs,
        "ConnectionSparsity": _share(pairs - present, pairs),
        "ActivationSparsity": sparsity,
        "MembraneUpdates": updates,
        "SynapticOperations": {"Effective_MACs": macs, "Effective_ACs": acs, "Dense": dense},
        "samples": samples,
        "scope": SCOPE,
    }


def _share(part: int, whole: int) -> float | None:
    """`part` / `whole` to 4 decimals; the quotient is a float32 there, which decides ties."""
    return round(float(np.float32(part) / np.float32(whole)), 4) if whole else None


def _split(
    network: QuantizedNetwork, ops: SynapticOperations, trace: Trace | None
) -> tuple[int, int] | None:
    """ACs and MACs as NeuroBench tells them apart: by the values of each call of a layer.

    A graded layer whose values are all -1, 0 or 1 in a step does ACs in that step. None when
    there are graded operations and no payloads to judge by.
    """
    if not ops.macs:
        return ops.total, 0
    if trace is None or (trace.inputs is None and network.n_inputs):
        return None
    plain = sum(
        _operations_of_units(network, projection, trace, ops.steps)
        for projection in network.projections
        if projection.num_message_bits and projection.target == "synapse"
    )
    return ops.total + plain, ops.macs - plain


def _operations_of_units(
    network: QuantizedNetwork, projection: QuantizedProjection, trace: Trace, steps: int
) -> int:
    """Operations of a graded projection in the steps whose payloads are all -1, 0 or 1."""
    first, n_pre = network.offset(projection.pre), projection.weights.shape[1]
    inputs = trace.inputs
    if not network.population(projection.pre).is_input:
        at, who = trace.spike_steps, trace.spike_neurons
        payloads = trace.payload_values().astype(np.int64)
    elif inputs is not None:
        at, who = inputs.steps, inputs.neurons
        payloads = np.abs(inputs.payload_values().astype(np.int64))
    else:
        return 0
    from_pre = (who >= first) & (who < first + n_pre) & (at < steps)
    at, who, payloads = at[from_pre], who[from_pre] - first, payloads[from_pre]
    graded = np.zeros(steps, dtype=np.bool_)
    graded[at[payloads > 1]] = True
    fan = np.bincount(projection.weights.indices[acting(projection)], minlength=n_pre)
    return int(fan[who[(payloads == 1) & ~graded[at]]].sum())


def _membrane_updates(network: QuantizedNetwork, activity: Activity) -> int | None:
    """Updates that changed a potential; in the first step all neurons count, as they do there."""
    if activity.membrane_updates is None or activity.membrane_updates_first_step is None:
        return None
    return network.n_neurons + activity.membrane_updates - activity.membrane_updates_first_step


def on_chip_bytes(network: QuantizedNetwork) -> int:
    """Bytes at the chip's bit widths: stored weights, their target indices, and neurons.

    Our convention: sparse, ``num_weight_bits`` a weight, as many bits an index as the target
    population needs, `NEURON_BITS` a neuron. No table or header of any chip is in it.
    """
    bits = network.n_neurons * NEURON_BITS
    for projection in network.projections:
        if projection.target == "synapse":
            index = max(projection.weights.shape[0] - 1, 0).bit_length()
            bits += projection.n_synapses * (projection.num_weight_bits + index)
    return -(-bits // 8)
