"""Small integer networks that show every case of NeuroBench's counting, by number."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.trace import SpikeInput


def population(rng, name, size):
    """Neurons that each differ, most of them spiking now and then."""
    return QuantizedPopulation(
        name,
        size,
        du=rng.integers(200, 4096, size),
        dv=rng.integers(0, 1500, size),
        vth=rng.integers(20, 700, size),
        bias_mant=rng.integers(-100, 900, size) * (rng.random(size) < 0.7),
        bias_exp=rng.integers(0, 6, size),
        refractory=rng.integers(0, 4, size),
    )


def projection(rng, pre, post, per_synapse, graded=False):
    """Any sign mode, bits and exponent, so that weights become 0 on the grid."""
    density, spread = rng.choice([0.0, 0.1, 0.6, 1.0]), int(rng.choice([2, 20, 300]))
    dense = rng.integers(-spread, spread + 1, (post.size, pre.size))
    dense[rng.random(dense.shape) >= density] = 0
    weights = sparse.csr_matrix(dense)
    delays = rng.integers(0, 9, weights.nnz) if per_synapse else int(rng.integers(0, 4))
    return QuantizedProjection(
        f"{pre.name}_{post.name}",
        pre.name,
        post.name,
        weights,
        weight_exp=int(rng.integers(-2, 3)),
        sign_mode=rng.choice(["mixed", "mixed", "excitatory", "inhibitory"]),
        num_weight_bits=int(rng.integers(4, 9)),
        delays=delays,
        num_message_bits=16 if graded else 0,
    )


def network_and_input(number, steps):
    """Network `number` and an input for `steps` steps (and a few more, which must not count).

    Every third has delays by synapse. Spiking input, graded input, both or none by turns; the
    payloads of the graded one are large, of both signs, or often all 0 and 1 in a step.
    """
    rng = np.random.default_rng(number)
    per_synapse = number % 3 == 0
    groups = [population(rng, name, int(rng.integers(1, 14))) for name in ("exc", "inh")]
    inputs = []
    if number % 4 != 0:
        inputs.append(QuantizedInput("spk", int(rng.integers(1, 6))))
    if number % 2:
        inputs.append(QuantizedInput("gra", int(rng.integers(1, 6)), payload_scale=64.0))
    joined = [
        projection(rng, pre, post, per_synapse, graded=pre.name == "gra")
        for pre in [*inputs, *groups]
        for post in groups
        if pre is post or rng.random() < 0.8
    ]
    # some populations come in the way of the others' indices
    network = QuantizedNetwork((groups[0], *inputs, groups[1]), tuple(joined)).verify()
    return network, input_for(rng, network, steps + 3)


def input_for(rng, network, steps):
    """Events at random; of payloads, a third of the networks has none beyond -1, 0 and 1."""
    if not network.n_inputs:
        return None
    at, who = np.nonzero(rng.random((steps, network.n_inputs)) < 0.4)
    largest = int(rng.choice([1, 2, 200]))
    return SpikeInput(
        at, who, steps, network.n_inputs, rng.integers(-largest, largest + 1, at.size)
    )


def messages(network, trace, projection):
    """What the layer of a projection is fed in every step, (n_steps, n_pre) int64."""
    first, n_pre = network.offset(projection.pre), projection.weights.shape[1]
    if network.population(projection.pre).is_input:
        inside = trace.inputs.steps < trace.n_steps
        sent = np.zeros((trace.n_steps, network.n_inputs), dtype=np.int64)
        sent[trace.inputs.steps[inside], trace.inputs.neurons[inside]] = (
            trace.inputs.payload_values()[inside]
        )
    else:
        sent = np.zeros((trace.n_steps, network.n_neurons), dtype=np.int64)
        sent[trace.spike_steps, trace.spike_neurons] = 1
    own = sent[:, first : first + n_pre]
    return own if projection.num_message_bits else (own != 0).astype(np.int64)
