"""Synaptic operations against a loop over every step, source and synapse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.chip_learning import pair_stdp
from hrsnn_lava.compiler.analysis.operations.counting import activity
from hrsnn_lava.compiler.analysis.operations.synops import synaptic_operations
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.compiler.mesh import tiles
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.trace import SpikeInput, Trace

LOIHI1 = HardwareProfile.load("loihi1")


def population(name, size):
    return QuantizedPopulation(name, size, du=400, dv=400, vth=100)


def random_network(rng):
    """Two populations, a binary, a graded and a held input; some weights act as 0."""
    n_exc, n_inh, n_in = (int(rng.integers(1, 7)) for _ in range(3))
    sizes = {"exc": n_exc, "inh": n_inh, "spk": n_in, "gra": n_in, "held": n_in}

    def weights(pre, post, low, high):
        dense = rng.integers(low, high, (sizes[post], sizes[pre]))
        return sparse.csr_matrix(dense * (rng.random(dense.shape) < 0.6))

    def join(name, pre, post, low=0, high=9, **options):
        delays = int(rng.integers(0, 5))
        matrix = weights(pre, post, low, high)
        return QuantizedProjection(name, pre, post, matrix, delays=delays, **options)

    return QuantizedNetwork(
        (
            QuantizedInput("spk", n_in),
            population("exc", n_exc),
            QuantizedInput("gra", n_in, payload_scale=1.0),
            population("inh", n_inh),
            QuantizedInput("held", n_in, payload_scale=1.0),
        ),
        (
            join("exc_exc", "exc", "exc", num_weight_bits=6, sign_mode="excitatory"),
            join("exc_inh", "exc", "inh", sign_mode="excitatory"),
            join("inh_exc", "inh", "exc", low=-9, high=1, num_weight_bits=5),
            join("spk_exc", "spk", "exc", low=-9, num_weight_bits=6),
            join("gra_inh", "gra", "inh", num_message_bits=8),
            join("held_exc", "held", "exc", target="bias"),
            join("held_inh", "held", "inh", target="bias"),
        ),
    ).verify()


def random_trace(rng, network, n_steps):
    spikes = rng.random((n_steps, network.n_neurons)) < 0.4
    sent = rng.random((n_steps + 3, network.n_inputs)) < 0.5  # some after the end of the run
    at, who = np.nonzero(sent)
    payloads = rng.integers(0, 3, at.size)
    inputs = SpikeInput(at, who, n_steps + 3, network.n_inputs, payloads)
    steps, neurons = np.nonzero(spikes)
    return Trace(
        steps.astype(np.int32),
        neurons.astype(np.int32),
        n_steps,
        network.n_neurons,
        inputs=inputs,
    )


def brute_force(network, trace, core_of):
    """Every step, source and synapse, one by one."""
    n_cores = int(max(core_of)) + 1
    found = {p.name: np.zeros(trace.n_steps, dtype=int) for p in network.projections}
    issued = dict.fromkeys(found, 0)
    per_core = np.zeros(n_cores, dtype=int)
    written = set()
    neuron_events = list(zip(trace.spike_steps, trace.spike_neurons, strict=True))
    inputs = trace.inputs
    payloads = inputs.payload_values()
    for projection in network.projections:
        dense = projection.effective_weights().toarray()
        stored = projection.weights.toarray()
        first, post = network.offset(projection.pre), network.offset(projection.post)
        if network.population(projection.pre).is_input:
            events = [
                (t, i)
                for t, i, value in zip(inputs.steps, inputs.neurons, payloads, strict=True)
                if t < trace.n_steps and (value != 0 or projection.target == "bias")
            ]
        else:
            events = neuron_events
        for step, source in events:
            j = source - first
            if not 0 <= j < dense.shape[1]:
                continue
            for i in range(dense.shape[0]):
                issued[projection.name] += stored[i, j] != 0
                if dense[i, j] == 0:
                    continue
                found[projection.name][step] += 1
                if projection.target == "bias":
                    written.add((step, post + i))
                elif not projection.num_message_bits:
                    per_core[core_of[post + i]] += 1
    return found, issued, per_core, len(written)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_steps=st.integers(0, 12))
def test_every_count_equals_the_loop(seed, n_steps):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    trace = random_trace(rng, network, n_steps)
    core_of = rng.integers(0, 3, network.n_neurons)
    found, issued, per_core, written = brute_force(network, trace, core_of)
    ops = synaptic_operations(network, trace, core_of=core_of)
    for projection in ops.projections:
        np.testing.assert_array_equal(projection.per_step, found[projection.name])
        assert projection.operations == found[projection.name].sum()
        assert projection.issued == issued[projection.name]
    recurrent = ("exc_exc", "exc_inh", "inh_exc")
    assert ops.recurrent == sum(found[name].sum() for name in recurrent)
    assert ops.total == ops.recurrent + found["spk_exc"].sum()
    assert ops.macs == found["gra_inh"].sum()
    assert ops.host_macs == found["held_exc"].sum() + found["held_inh"].sum()
    assert ops.bias_writes == written
    np.testing.assert_array_equal(ops.per_core, per_core)
    assert ops.per_core.sum() == ops.per_step.sum() == ops.total
    assert ops.issued >= ops.total


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_equals_neurobench_on_binarised_matrices(seed):
    """NeuroBench: ones where the weight and the input are not 0, multiplied and summed."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    trace = random_trace(rng, network, 9)
    spikes = np.zeros((9, network.n_neurons))
    spikes[trace.spike_steps, trace.spike_neurons] = 1
    expected = 0.0
    for name in ("exc_exc", "exc_inh", "inh_exc"):
        projection = network.projection(name)
        pre = network.offset(projection.pre)
        weights = projection.effective_weights().toarray() != 0
        part = spikes[:, pre : pre + weights.shape[1]]
        expected += (part @ weights.T.astype(float)).sum()
    assert synaptic_operations(network, trace).recurrent == expected


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_messages_and_hops_equal_the_loop(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    trace = random_trace(rng, network, 8)
    core_of = np.unique(rng.integers(0, 12, network.n_neurons), return_inverse=True)[1]
    places = tiles(int(core_of.max()) + 1, LOIHI1)
    done = activity(network, Placement.of(core_of, places), trace)
    messages = hops_x = hops_y = 0
    for neuron in trace.spike_neurons:
        goals = set()
        for projection in network.projections:
            pre, post = network.offset(projection.pre), network.offset(projection.post)
            if network.population(projection.pre).is_input:
                continue
            dense = projection.effective_weights().toarray()
            if 0 <= neuron - pre < dense.shape[1]:
                goals |= {int(core_of[post + i]) for i in np.flatnonzero(dense[:, neuron - pre])}
        messages += len(goals)
        for goal in goals:
            step = np.abs(places[goal] - places[core_of[neuron]])
            hops_x += step[0]
            hops_y += step[1]
    assert (done.messages, done.hops_x, done.hops_y) == (messages, hops_x, hops_y)
    assert done.neuron_updates == 8 * network.n_neurons
    assert done.spikes == trace.n_spikes


def pair(**options):
    """One input channel to both neurons of a population that excites itself."""
    weights = sparse.csr_matrix([[0, 5], [3, 0]])
    return QuantizedNetwork(
        (QuantizedInput("inp", 1), population("exc", 2)),
        (
            QuantizedProjection("in", "inp", "exc", sparse.csr_matrix([[2], [4]])),
            QuantizedProjection("rec", "exc", "exc", weights, **options),
        ),
    )


def run(spikes, n_steps, events=(), payloads=None):
    steps, neurons = np.array(spikes, dtype=np.int32).reshape(-1, 2).T
    at = np.array(list(events), dtype=np.int32)
    inputs = SpikeInput(at, np.zeros(at.size, np.int32), max(n_steps, 9), 1, payloads)
    return Trace(steps, neurons, n_steps, 2, inputs=inputs)


def test_numbers_by_hand():
    # in: 2 synapses x 3 events; rec: neuron 0 fires twice, neuron 1 once, one synapse each
    ops = synaptic_operations(pair(), run([(0, 0), (2, 0), (2, 1)], 4, events=[0, 1, 3]))
    assert (ops.total, ops.recurrent, ops.issued) == (9, 3, 9)
    assert ops.per_step.tolist() == [3, 2, 2, 2]
    assert ops.dense == 4 * 4


def test_weights_that_the_grid_makes_zero_are_issued_but_do_not_count():
    network = pair(num_weight_bits=6)  # mixed: a step of 8, and 5 and 3 become 0
    ops = synaptic_operations(network, run([(0, 0), (1, 1)], 2))
    assert (ops.total, ops.issued) == (0, 2)


def test_a_spike_that_arrives_after_the_end_counts():
    ops = synaptic_operations(pair(delays=62), run([(1, 0)], 2))
    assert ops.per_step.tolist() == [0, 1]


def test_events_of_payload_zero_and_events_after_the_run_do_not_count():
    trace = run([], 3, events=[0, 1, 2, 5], payloads=np.array([1, 0, 1, 1]))
    assert synaptic_operations(pair(), trace).total == 4


def test_dense_takes_the_synapses_before_pruning():
    assert synaptic_operations(pair(), run([], 10), synapses_before=1000).dense == 10_000


def test_unknown_inputs_are_said_to_be_unknown():
    trace = Trace(np.zeros(1, np.int32), np.zeros(1, np.int32), 2, 2)
    ops = synaptic_operations(pair(), trace)
    assert not ops.inputs_known
    assert ops.total == 1


def test_learning_updates_are_synapses_times_epochs():
    network = pair(learning=pair_stdp((1, 0), (1, 0), 20, 20, t_epoch=4))
    placement = Placement.of([0, 0])
    done = activity(network, placement, run([], 10))
    assert done.learning_updates == 2 * (10 // 4)
    assert done.hops_x is None
    assert done.max_hops is None


def test_a_foreign_trace_is_refused_with_both_sizes():
    trace = Trace(np.zeros(0, np.int32), np.zeros(0, np.int32), 2, 5)
    with pytest.raises(SpecError, match=r"trace: 5 neurons; allowed: 2 \(the network's\)"):
        synaptic_operations(pair(), trace)
    wide = SpikeInput.empty(2, 7)
    trace = Trace(np.zeros(0, np.int32), np.zeros(0, np.int32), 2, 2, inputs=wide)
    with pytest.raises(SpecError, match="7 channels"):
        synaptic_operations(pair(), trace)
