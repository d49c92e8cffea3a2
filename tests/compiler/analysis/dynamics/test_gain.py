"""Relative weights and the gain matrix, against closed forms, simulation and NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.gain import eigenvalues, gain_matrix, relative_weights
from hrsnn_lava.compiler.passes.quantize import quantize
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator


def pair(weight, **target):
    """A neuron that fires by itself, and one that it drives."""
    populations = (
        Population("a", 1, LIF(0.01, bias=3.0)),
        Population("b", 1, LIF(**target)),
    )
    projections = (Projection("a_b", "a", "b", sparse.csr_matrix([[weight]])),)
    return Network(1e-3, populations, projections).verify()


def test_gain_of_one_synapse():
    network = pair(0.7, tau_mem=0.02, tau_syn=0.005, v_threshold=1.4)
    assert relative_weights(network, network.projection("a_b")).toarray() == pytest.approx(0.5)
    expected = 0.5 * (1 - np.exp(-1 / 20)) / (1 - np.exp(-1 / 5))
    assert gain_matrix(network).toarray() == pytest.approx(np.array([[0, 0], [expected, 0]]))


def test_gain_of_an_integer_synapse():
    population = QuantizedPopulation("a", 2, du=1023, dv=512, vth=1000)
    weights = sparse.csr_matrix(np.array([[0, 0], [50, 0]], dtype=np.int32))
    projection = QuantizedProjection("a_a", "a", "a", weights, 2, "excitatory")
    network = QuantizedNetwork((population,), (projection,)).verify()
    # 50 2^2 over 1000 512 / 4096, and dv / (du + 1) of it
    relative = relative_weights(network, network.projection("a_a")).toarray()
    assert relative[1, 0] == pytest.approx(200 / 125)
    assert gain_matrix(network).toarray()[1, 0] == pytest.approx(1.6 * 512 / 1024)


def test_gain_is_what_a_neuron_without_leak_fires():
    """Of many input spikes, a neuron that hardly leaks makes a spike for each 1 / gain."""
    weight = 0.1 * (1 - np.exp(-1 / 5)) / (1 - np.exp(-1e-3 / 1000))
    network = pair(weight, tau_mem=1000.0, tau_syn=0.005)
    gain = gain_matrix(network).toarray()[1, 0]
    assert gain == pytest.approx(0.1)
    simulator = FloatSimulator(network)
    simulator.reset()
    _, who = simulator.run(np.zeros(0), 40_000)
    first, second = np.bincount(who, minlength=2)
    assert first > 4000
    # a spike discards what is above the threshold, at most one step's rise
    assert second / first == pytest.approx(gain, rel=0.05)


def test_integers_have_the_gain_of_their_floats():
    rng = np.random.default_rng(3)
    lif = LIF(rng.uniform(0.01, 0.03, 30), 0.005, rng.uniform(0.8, 1.2, 30))
    populations = (Population("inp", 2, Input()), Population("a", 30, lif))
    dense = rng.random((30, 30)) * (rng.random((30, 30)) < 0.3)
    projections = (
        Projection("inp_a", "inp", "a", sparse.csr_matrix(rng.random((30, 2)))),
        Projection("a_a", "a", "a", sparse.csr_matrix(dense)),
    )
    network = Network(1e-3, populations, projections).verify()
    integers = quantize(network)[0]
    assert gain_matrix(integers).toarray() == pytest.approx(
        gain_matrix(network).toarray(), abs=5e-3
    )
    scaled = replace(
        integers,
        populations=tuple(
            p if p.is_input else replace(p, vth=np.asarray(p.vth) // 2)
            for p in integers.populations
        ),
    )
    ratio = gain_matrix(scaled).data / gain_matrix(integers).data
    assert ratio == pytest.approx(2.0, rel=1e-3)


@settings(max_examples=60)
@given(st.integers(1, 12), st.floats(0.0, 0.5), st.integers(0, 2**31))
def test_parts_have_the_eigenvalues_of_the_whole(n, density, seed):
    rng = np.random.default_rng(seed)
    dense = rng.standard_normal((n, n)) * (rng.random((n, n)) < density)
    found = eigenvalues(sparse.csr_matrix(dense), 100)
    # sums of powers identify a set of eigenvalues, and a defective one does not upset them
    for power in range(1, n + 1):
        trace = np.trace(np.linalg.matrix_power(dense, power))
        assert np.sum(found**power).real == pytest.approx(trace, rel=1e-6, abs=1e-6)
    assert np.all(np.diff(np.abs(found)) < 1e-9)


def test_a_large_part_is_refused_a_chain_is_not():
    chain = sparse.csr_matrix((np.ones(49), (np.arange(1, 50), np.arange(49))), shape=(50, 50))
    assert eigenvalues(chain, 10) == pytest.approx(np.zeros(50))
    ring = chain + sparse.csr_matrix(([1.0], ([0], [49])), shape=(50, 50))
    assert eigenvalues(ring.tocsr(), 10) is None
    assert np.abs(eigenvalues(ring.tocsr(), 50)) == pytest.approx(np.ones(50))
    assert eigenvalues(sparse.csr_matrix((0, 0)), 10).size == 0
