"""Networks with everything that counting must tell apart, and a loop that counts by hand.

The loop knows the arrays of a network and the records of a run, and nothing else of the package:
it walks over every event, synapse and neuron in plain Python integers.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy import sparse

from hrsnn_lava.chip_learning import Learning, pair_stdp
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.trace import SpikeInput

SIGNED = {"excitatory": (0, 9), "inhibitory": (-9, 1), "mixed": (-9, 9)}


def mixed_network(rng):
    """Two populations; a binary, a graded and a held input; delays, learning, stored zeros."""
    sizes = {name: int(rng.integers(1, 8)) for name in ("exc", "inh", "spk", "gra", "held")}

    def neurons(name):
        n = sizes[name]
        bias = np.where(rng.random(n) < 0.4, 0, rng.integers(-300, 900, n))
        return QuantizedPopulation(
            name,
            n,
            du=rng.choice([-1, 100, 2000, 4095], n),
            dv=rng.choice([0, 300, 4096], n),
            vth=rng.integers(0, 40, n),
            bias_mant=bias,
            bias_exp=rng.integers(0, 4, n),
            refractory=rng.choice([0, 0, 1, 5], n),
        )

    def join(pre, post, **options):
        sign = str(rng.choice(list(SIGNED)))
        shape = (sizes[post], sizes[pre])
        at = np.argwhere(rng.random(shape) < 0.6)
        values = rng.integers(*SIGNED[sign], len(at))
        matrix = sparse.csr_matrix((values, at.T), shape=shape)  # zeros stay stored
        return QuantizedProjection(
            f"{pre}_{post}",
            pre,
            post,
            matrix,
            weight_exp=int(rng.integers(0, 5)),
            sign_mode=sign,
            num_weight_bits=int(rng.integers(5, 9)),
            **({"delays": rng.choice([0, 1, 7], len(at))} | options),
        )

    epochs = [int(rng.integers(1, 5)) for _ in range(2)]
    learn = [
        Learning((pair_stdp((3, 0), (2, 0), 5.0, 8.0, t_epoch=e),), plastic_zeros=bool(k))
        for k, e in enumerate(epochs)
    ]
    return QuantizedNetwork(
        (
            QuantizedInput("spk", sizes["spk"]),
            neurons("exc"),
            QuantizedInput("gra", sizes["gra"], payload_scale=1.0),
            neurons("inh"),
            QuantizedInput("held", sizes["held"], payload_scale=1.0),
        ),
        (
            join("exc", "exc", delays=None, learning=learn[0]),
            join("exc", "inh"),
            join("inh", "exc"),
            join("inh", "inh", delays=None, learning=learn[1]),
            join("spk", "exc"),
            join("gra", "inh", num_message_bits=8),
            join("held", "exc", target="bias", delays=None),
            join("held", "inh", target="bias", delays=None),
        ),
    ).verify()


def mixed_inputs(rng, network, steps):
    """Events of all inputs with payloads, 0 among them, some after the end of the run."""
    sent = rng.random((steps + 3, network.n_inputs)) < rng.choice([0.02, 0.3])
    at, who = np.nonzero(sent)
    return SpikeInput(at, who, steps + 3, network.n_inputs, rng.integers(-2, 4, at.size))


def some_cores(rng, network, most=4):
    """A random core for every neuron, numbered without a gap, and tiles of a mesh."""
    core_of = np.unique(rng.integers(0, most, network.n_neurons), return_inverse=True)[1]
    n_cores = int(core_of.max()) + 1
    places = [(x, y) for x in range(3) for y in range(3)]
    tiles = [places[k] for k in rng.permutation(len(places))[:n_cores]]
    return core_of.astype(np.int32), np.array(tiles, dtype=np.int32)


def acts(projection, weight):
    """Whether a stored weight acts, from the definition of the sign modes."""
    if projection.target == "bias":
        return weight != 0
    mode = projection.sign_mode.value
    bits = 8 - projection.num_weight_bits + (1 if mode == "mixed" else 0)
    learns = projection.learning is not None
    if learns and projection.learning.plastic_zeros:
        return True
    if not learns:  # clipped first, then cut to the grid
        low, high = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}[mode]
        weight = min(max(weight, low), high)
    return (-weight if mode == "inhibitory" else weight) >> bits != 0


def synapses_by_source(network, projection):
    """For every local source: (postsynaptic neuron, acts) of all stored synapses."""
    matrix, post = projection.weights, network.offset(projection.post)
    found = {}
    for row in range(matrix.shape[0]):
        for k in range(matrix.indptr[row], matrix.indptr[row + 1]):
            entry = (post + row, acts(projection, int(matrix.data[k])))
            found.setdefault(int(matrix.indices[k]), []).append(entry)
    return found


def loop(network, core_of, tiles, trace):
    """Every count of a run, by hand. `trace` holds v, u and the inputs of a run from rest."""
    steps, n, n_cores = trace.n_steps, network.n_neurons, int(max(core_of)) + 1
    spikes = list(zip(trace.spike_steps.tolist(), trace.spike_neurons.tolist(), strict=True))
    inputs = trace.inputs
    events = []
    if inputs is not None:
        payloads = inputs.payload_values().tolist()
        rows = zip(inputs.steps.tolist(), inputs.neurons.tolist(), payloads, strict=True)
        events = [row for row in rows if row[0] < steps]
    count = Counter()
    operations, issued, dense, sent = Counter(), Counter(), Counter(), Counter()
    per_step = {p.name: [0] * steps for p in network.projections}
    per_core, busy = [0] * n_cores, [0] * steps
    loads = {
        name: np.zeros((steps, n_cores), dtype=np.int64)
        for name in ("sops", "macs", "spikes", "messages_in", "messages_out", "active")
    }
    goals = {}
    writes = set()
    for projection in network.projections:
        name = projection.name
        synapses = synapses_by_source(network, projection)
        dense[name] = steps * projection.weights.nnz
        first = network.offset(projection.pre)
        from_input = network.population(projection.pre).is_input
        mine = events if from_input else [(t, i, 1) for t, i in spikes]
        size = network.population(projection.pre).size
        host = projection.target == "bias"
        for t, source, payload in mine:
            if not first <= source < first + size or (payload == 0 and not host):
                continue
            sent[name] += 1
            for post, alive in synapses.get(source - first, ()):
                issued[name] += 1
                if not alive:
                    continue
                operations[name] += 1
                per_step[name][t] += 1
                if host:
                    writes.add((t, post))
                elif projection.num_message_bits:
                    loads["macs"][t, core_of[post]] += 1
                else:
                    per_core[core_of[post]] += 1
                    busy[t] += 1
                    loads["sops"][t, core_of[post]] += 1
                if not host:
                    key = (from_input, t, source)
                    goals.setdefault(key, set()).add(int(core_of[post]))
        if projection.learning is not None:
            live = sum(alive for row in synapses.values() for _, alive in row)
            epoch = projection.learning.t_epoch
            count["learning"] += sum(live for t in range(steps) if (t + 1) % epoch == 0)
    for (from_input, t, source), cores in goals.items():
        count["input_messages" if from_input else "messages"] += len(cores)
        for core in cores:
            loads["messages_in"][t, core] += 1
            if not from_input:
                own = core_of[source]
                loads["messages_out"][t, own] += 1
                hops = [abs(int(tiles[core][k]) - int(tiles[own][k])) for k in (0, 1)]
                count["hops_x"] += hops[0]
                count["hops_y"] += hops[1]
                count["max_hops"] = max(count["max_hops"], sum(hops))
    for t, i in spikes:
        loads["spikes"][t, core_of[i]] += 1
    active, membrane = updates(network, events, trace, loads["active"], core_of)
    return {
        "operations": operations,
        "issued": issued,
        "dense": dense,
        "sent": sent,
        "per_step": per_step,
        "per_core": per_core,
        "busiest": max(busy, default=0),
        "bias_writes": len(writes),
        "spikes": len(spikes),
        "neuron_updates": n * steps,
        "active": active,
        "membrane": membrane,
        "loads": loads,
        **{k: count[k] for k in ("messages", "input_messages", "hops_x", "hops_y", "max_hops")},
        "learning": count["learning"],
    }


def updates(network, events, trace, by_core, core_of):
    """Active and membrane updates by step, from the recorded states and the biases of each step."""
    held = [0] * network.n_inputs
    v, u = trace.v.tolist(), trace.u.tolist()
    base = network.gather("bias_mant").tolist()
    fired = set(zip(trace.spike_steps.tolist(), trace.spike_neurons.tolist(), strict=True))
    active, membrane = [], []
    rest = [0] * network.n_neurons
    for t in range(trace.n_steps):
        for step, channel, payload in events:
            if step == t:
                held[channel] = payload
        bias = list(base)
        for p in network.projections:
            if p.target == "bias":
                pre, post, m = network.offset(p.pre), network.offset(p.post), p.weights
                for row in range(m.shape[0]):
                    entries = range(m.indptr[row], m.indptr[row + 1])
                    total = sum(int(m.data[k]) * held[pre + int(m.indices[k])] for k in entries)
                    shift = p.weight_exp
                    bias[post + row] += total << shift if shift >= 0 else total >> -shift
        bias = [min(max(b, -4096), 4095) for b in bias]
        before_v, before_u = (v[t - 1], u[t - 1]) if t else (rest, rest)
        mine = [
            i
            for i in range(network.n_neurons)
            if before_v[i] != 0 or before_u[i] != 0 or u[t][i] != 0 or bias[i] != 0
        ]
        for i in mine:
            by_core[t, core_of[i]] += 1
        active.append(len(mine))
        changed = [v[t][i] != before_v[i] or (t, i) in fired for i in range(network.n_neurons)]
        membrane.append(sum(changed))
    return active, membrane
