"""The fast backend: chunks, saved states, float arithmetic, wide networks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava import (
    LIF,
    Input,
    Network,
    Population,
    Projection,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    Spec,
    build_hrsnn,
    quantize,
)
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.runs import session
from hrsnn_lava.sim_backends.runs.inputs import random_input
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate

SPEC = Spec.parse({"network": {"size": 100, "connectivity": {"mean_degree": 10.0}}})


@pytest.fixture(scope="module")
def network():
    return build_hrsnn(SPEC)


def test_chunks_do_not_show(network, monkeypatch):
    integer = quantize(network)
    inputs = random_input(integer, 130)
    whole = simulate(integer, inputs, 130, "native", ("v", "u"))
    monkeypatch.setattr(session, "STRETCH_VALUES", 700)
    parts = simulate(integer, inputs, 130, "native", ("v", "u"))
    assert whole.n_spikes > 50
    assert compare(whole, parts, ("whole", "parts")) == (0, None)


@pytest.mark.parametrize("kind", ["float", "integer"])
def test_a_restored_state_continues_identically(network, kind):
    simulator = FloatSimulator(network) if kind == "float" else IntegerSimulator(quantize(network))
    simulator.reset(generator(0, "v0"))
    x = np.array([0.5, -1.0, 1.0])
    simulator.run(x, 40)
    state = simulator.snapshot()
    first = simulator.run(-x, 40)
    simulator.run(x, 7)
    simulator.restore(state)
    again = simulator.run(-x, 40)
    assert first[0].size > 10
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_simulator_and_the_recording_agree(network):
    """Holding samples one by one is the same as one run of a recording of payloads."""
    from hrsnn_lava import SpikeInput

    integer = quantize(network)
    samples = generator(1, "x").normal(size=(5, 3))
    simulator = IntegerSimulator(integer)
    blocks = [simulator.run(x, 20) for x in samples]
    at = np.concatenate([block[0] + 20 * k for k, block in enumerate(blocks)])
    payloads = np.rint(samples * integer.population("inp").payload_scale).astype(int)
    trace = simulate(integer, SpikeInput.held(payloads, 20), 100, "reference")
    np.testing.assert_array_equal(at, trace.spike_steps)
    np.testing.assert_array_equal(np.concatenate([b[1] for b in blocks]), trace.spike_neurons)


def test_a_float_neuron_follows_the_closed_form():
    """v(t) = I (1 - beta^t) under constant current, up to the threshold."""
    tau, current = 0.020, 0.8
    net = Network(1e-3, (Population("a", 1, LIF(tau, 0.0, 1.0, current)),)).verify()
    simulator = FloatSimulator(net)
    for t in range(1, 50):
        simulator.run(np.zeros(0), 1)
        assert simulator.potential[0] == pytest.approx(current * (1 - np.exp(-t * 1e-3 / tau)))


def test_float_interspike_intervals_follow_the_closed_form():
    """T = tau ln(I / (I - th)) + refractory, in whole steps."""
    tau, current, refractory = 0.020, 1.5, 0.003
    neuron = LIF(tau, 0.0, 1.0, current, refractory)
    simulator = FloatSimulator(Network(1e-4, (Population("a", 1, neuron),)).verify())
    steps, _ = simulator.run(np.zeros(0), 2000)
    interval = tau * np.log(current / (current - 1.0)) + refractory
    assert np.all(np.abs(np.diff(steps) * 1e-4 - interval) <= 1e-4)


def test_a_float_synapse_is_filtered_and_delayed():
    """One spike of weight w gives i(t) = w alpha^(t - arrival)."""
    source = Population("a", 1, LIF(0.001, 0.0, 1.0, 1.7, 1.0))  # fires once
    target = Population("b", 1, LIF(0.010, 0.005, 9.0))
    synapse = Projection("ab", "a", "b", np.array([[2.0]]), delays=0.003)
    simulator = FloatSimulator(Network(1e-3, (source, target), (synapse,)).verify())
    fired = None
    for t in range(12):
        _, neurons = simulator.run(np.zeros(0), 1)
        if 0 in neurons:
            fired = t
        expected = 0.0 if fired is None or t < fired + 4 else 2 * np.exp(-(t - fired - 4) / 5)
        assert simulator.run_arrays.potentials.u[1] == pytest.approx(expected)
    assert fired is not None


def test_more_than_65536_neurons_use_wider_indices():
    n = 70_000
    ring = sparse.csr_matrix((np.full(n, 200), (np.roll(np.arange(n), -1), np.arange(n))))
    bias = np.zeros(n, dtype=int)
    bias[[5, n - 1]] = 100
    groups = QuantizedPopulation("a", n, 4095, 4096, 99, bias, 6, 63)
    net = QuantizedNetwork((groups,), (QuantizedProjection("r", "a", "a", ring, 0, "excitatory"),))
    trace = simulate(net.verify(), None, 4, "native")
    assert set(zip(trace.spike_steps.tolist(), trace.spike_neurons.tolist(), strict=True)) == {
        (0, 5),
        (0, n - 1),
        (1, 6),
        (1, 0),
        (2, 7),
        (2, 1),
        (3, 8),
        (3, 2),
    }


def test_binary_inputs_drive_a_float_network():
    from hrsnn_lava.sim_backends.native.layout import Events

    net = Network(
        1e-3,
        (Population("inp", 1, Input()), Population("a", 1, LIF(0.010, 0.0, 9.0))),
        (Projection("p", "inp", "a", np.array([[3.0]])),),
    ).verify()
    simulator = FloatSimulator(net)
    events = Events(np.array([0, 1, 1]), np.array([1], np.int32), np.array([1]))
    simulator.advance(2, events, simulator.bias)
    assert simulator.potential[0] == pytest.approx(3.0 * (1 - np.exp(-0.1)))


def test_networks_beyond_the_cache_equal_the_reference():
    """Above 400,000 synapses columns are fetched ahead, which must change nothing but the time."""
    n = 1500
    rng = generator(0, "large")
    weights = sparse.csr_matrix(rng.integers(-40, 40, (n, n)) * (rng.random((n, n)) < 0.3))
    net = QuantizedNetwork(
        (QuantizedPopulation("a", n, 600, 300, 3000, rng.integers(1000, 4000, n), 5, 1),),
        (QuantizedProjection("r", "a", "a", weights),),
    ).verify()
    assert net.n_synapses > 500_000
    runs = [simulate(net, None, 40, b, ("v", "u")) for b in ("reference", "native")]
    assert runs[0].n_spikes > 500
    assert compare(*runs, ("reference", "native")) == (0, None)
