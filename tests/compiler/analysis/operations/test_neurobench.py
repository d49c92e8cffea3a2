"""NeuroBench's metrics against its definitions, written out in plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neurobench_networks import messages, network_and_input
from scipy import sparse

from hrsnn_lava.chip_learning import pair_stdp
from hrsnn_lava.compiler.analysis.operations.counting import activity
from hrsnn_lava.compiler.analysis.operations.neurobench import neurobench, on_chip_bytes
from hrsnn_lava.compiler.analysis.operations.synops import synaptic_operations
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput, Trace

OPERATIONS = ("Effective_ACs", "Effective_MACs", "Dense")


def counted(network, trace, samples=None):
    """The block as a report has it."""
    done = activity(network, Placement.of(np.zeros(network.n_neurons, int)), trace)
    ops = synaptic_operations(network, trace)
    return neurobench(network, ops, done, trace=trace, samples=samples)


def by_definition(network, trace):
    """Binarised inputs times binarised weights, call by call; zeros of weights and outputs."""
    zeros = weights = 0
    total = dict.fromkeys(OPERATIONS, 0)
    for projection in network.projections:
        dense = projection.effective_weights().toarray()
        zeros, weights = zeros + (dense == 0).sum(), weights + dense.size
        for row in messages(network, trace, projection):
            kind = "Effective_ACs" if np.isin(row, (-1, 0, 1)).all() else "Effective_MACs"
            total[kind] += ((dense != 0).astype(int) @ (row != 0).astype(int)).sum()
            total["Dense"] += dense.size
    outputs = np.zeros((trace.n_steps, network.n_neurons))
    outputs[trace.spike_steps, trace.spike_neurons] = 1
    return {
        "SynapticOperations": total,
        "ParameterCount": weights,
        "Footprint": 4 * (weights + 8 * network.n_neurons),
        "ConnectionSparsity": pytest.approx(zeros / weights, abs=0.5e-4 + 1e-7),
        "ActivationSparsity": pytest.approx(1 - outputs.mean(), abs=1e-12),
    }


def run(network, inputs, steps, probes=("spikes", "v", "u")):
    return simulate(network, inputs, steps, "reference", probes)


@settings(max_examples=60)
@given(number=st.integers(0, 2**20), steps=st.integers(1, 12))
def test_every_metric_equals_its_definition(number, steps):
    network, inputs = network_and_input(number, steps)
    trace = run(network, inputs, steps)
    found = counted(network, trace)
    for name, value in by_definition(network, trace).items():
        assert found[name] == value, name


@settings(max_examples=30)
@given(number=st.integers(0, 2**20), samples=st.integers(1, 7))
def test_per_sample_is_a_part_of_the_whole(number, samples):
    network, inputs = network_and_input(number, 10)
    trace = run(network, inputs, 10)
    whole, part = counted(network, trace), counted(network, trace, samples)
    for name in OPERATIONS:
        value = whole["SynapticOperations"][name]
        assert part["SynapticOperations"][name] == value / samples
    assert part["MembraneUpdates"] == whole["MembraneUpdates"] / samples
    assert part["ActivationSparsity"] == whole["ActivationSparsity"]


@settings(max_examples=30)
@given(number=st.integers(0, 2**20))
def test_spikes_are_acs_and_payloads_beyond_one_are_macs(number):
    """What the two names mean in the report: SOPs and MACs, unless a step has unit payloads."""
    network, inputs = network_and_input(number, 10)
    if inputs is not None:  # graded events of 2 and more in every step
        loud = np.where(inputs.payload_values() < 0, -7, 7)
        inputs = replace(inputs, payloads=loud)
    trace = run(network, inputs, 10)
    ops = synaptic_operations(network, trace)
    operations = counted(network, trace)["SynapticOperations"]
    assert operations["Effective_ACs"] == ops.total
    assert operations["Effective_MACs"] == ops.macs


@settings(max_examples=30)
@given(number=st.integers(0, 2**20))
def test_membrane_updates_equal_the_loop(number):
    """Potentials just before firing, from the ones after it: above the threshold at a spike."""
    network, inputs = network_and_input(number, 9)
    trace = run(network, inputs, 9)
    threshold = network.gather("vth").astype(int) << 6
    updates = network.n_neurons  # NeuroBench counts every neuron in the first step
    for t in range(1, 9):
        for i in range(network.n_neurons):
            spiked = np.any((trace.spike_steps == t) & (trace.spike_neurons == i))
            before_firing = threshold[i] + 1 if spiked else trace.v[t, i]
            updates += int(before_firing != trace.v[t - 1, i])
    assert counted(network, trace)["MembraneUpdates"] == updates


def pair(**options):
    """One input channel to both neurons of a population that excites itself."""
    neurons = QuantizedPopulation("exc", 2, du=400, dv=400, vth=100)
    recurrent = sparse.csr_matrix([[0, 5], [3, 0]])
    return QuantizedNetwork(
        (QuantizedInput("inp", 1, payload_scale=1.0), neurons),
        (
            QuantizedProjection(
                "in", "inp", "exc", sparse.csr_matrix([[2], [4]]), num_message_bits=8
            ),
            QuantizedProjection("rec", "exc", "exc", recurrent, **options),
        ),
    )


def made(spikes, n_steps, payloads=(), states=None):
    """A trace by hand; `payloads` are sent from step 0 on."""
    steps, neurons = np.array(spikes, dtype=np.int32).reshape(-1, 2).T
    at = np.arange(len(payloads), dtype=np.int32)
    sent = SpikeInput(at, np.zeros(at.size, np.int32), 9, 1, np.array(payloads, dtype=np.int32))
    return Trace(steps, neurons, n_steps, 2, states, states, inputs=sent)


def test_numbers_by_hand():
    v = np.array([[5, 0], [5, 0], [0, 9], [0, 9]], dtype=np.int32)
    found = counted(pair(), made([(2, 0)], 4, payloads=[1, 7, 0, -1], states=v))
    # ACs: 2 synapses in the steps of payload 1 and -1, 1 at the spike; MACs: those of payload 7
    assert found["SynapticOperations"] == {
        "Effective_ACs": 5,
        "Effective_MACs": 2,
        "Dense": 4 * (2 * 1 + 2 * 2),
    }
    # both at first; then neuron 0 when it fires, and neuron 1 when it moves to 9
    assert found["MembraneUpdates"] == 2 + 2
    assert found["ActivationSparsity"] == 7 / 8
    assert found["ConnectionSparsity"] == 0.3333
    assert found["ParameterCount"] == 6
    assert found["Footprint"] == 4 * (6 + 2 * 8)
    # 2 neurons of 111 bits, 4 synapses of 8 bits and 1 bit of index
    assert found["footprint_on_chip_bytes"] == on_chip_bytes(pair()) == -(-(2 * 111 + 4 * 9) // 8)
    assert "without encoder and readout" in found["scope"]


def test_weights_that_the_grid_makes_zero_are_no_connections():
    found = counted(pair(num_weight_bits=6), made([(0, 0)], 2))  # steps of 8: 5 and 3 become 0
    assert found["ConnectionSparsity"] == 0.6667
    assert found["SynapticOperations"]["Effective_ACs"] == 0


def test_synapses_that_learn_are_connections_whatever_they_weigh():
    network = pair(learning=pair_stdp((1, 0), (1, 0), 20, 20, t_epoch=4), num_weight_bits=8)
    found = counted(network, made([(0, 0)], 2))
    assert found["ConnectionSparsity"] == 0.3333
    assert found["SynapticOperations"]["Effective_ACs"] == 1


def test_ties_of_the_fourth_decimal_fall_as_they_do_in_float32():
    # 3 of 160 are 0: 0.01875, which float64 rounds to .0187 and float32 to .0188
    dense = np.ones((16, 10), dtype=int)
    dense.flat[:3] = 0
    neurons = QuantizedPopulation("exc", 16, du=400, dv=400, vth=100)
    join = QuantizedProjection("in", "inp", "exc", 2 * sparse.csr_matrix(dense))
    network = QuantizedNetwork((QuantizedInput("inp", 10), neurons), (join,))
    assert neurobench(network)["ConnectionSparsity"] == 0.0188


def test_without_a_run_only_the_static_metrics_are_known():
    found = neurobench(pair())
    assert found["SynapticOperations"] == dict.fromkeys(OPERATIONS)
    assert found["ActivationSparsity"] is None
    assert found["MembraneUpdates"] is None
    assert found["Footprint"] == 88


def test_without_payloads_graded_operations_are_not_split():
    trace = made([(2, 0)], 4, payloads=[1, 7])
    ops = synaptic_operations(pair(), trace)
    operations = neurobench(pair(), ops)["SynapticOperations"]
    assert operations == {"Effective_ACs": None, "Effective_MACs": None, "Dense": 24}
    silent = synaptic_operations(pair(), made([(2, 0)], 4))
    assert neurobench(pair(), silent)["SynapticOperations"]["Effective_ACs"] == 1


def test_potentials_that_were_not_recorded_are_not_guessed():
    assert counted(pair(), made([(2, 0)], 4))["MembraneUpdates"] is None


def test_a_network_without_synapses_has_no_connection_sparsity():
    alone = QuantizedNetwork((QuantizedPopulation("exc", 2, du=400, dv=400, vth=100),))
    assert neurobench(alone)["ConnectionSparsity"] is None
    assert neurobench(alone)["Footprint"] == 64
