"""Neurons without a leak, and with next to none, in float: closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.dynamics.gain import gain_matrix
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator


def neuron(tau_mem, **fields):
    weights = sparse.csr_matrix([[1.0]])
    population = hl.Population("a", 1, hl.LIF(tau_mem, 0.0, **fields))
    inputs = hl.Population("i", 1, hl.Input())
    return hl.Network(1e-3, (inputs, population), (hl.Projection("p", "i", "a", weights),))


def test_a_neuron_without_a_leak_adds_up_its_input():
    """Five spikes of weight 1 in steps 0..4 arrive in 1..5: above 2.5 at the third."""
    simulator = FloatSimulator(neuron(np.inf, v_threshold=2.5))
    steps, _ = simulator.run_events(hl.SpikeInput.from_dense(np.ones((5, 1))), steps=6)
    assert steps.tolist() == [3]
    assert simulator.potential.tolist() == [2.0]


def test_its_float_and_integer_spikes_agree():
    network = neuron(np.inf, v_threshold=2.5)
    inputs = hl.SpikeInput.from_dense(np.ones((40, 1)))
    steps, _ = FloatSimulator(network).run_events(inputs)
    assert steps.tolist() == hl.simulate(hl.quantize(network), inputs).spike_steps.tolist()
    assert steps.tolist() == list(range(3, 40, 3))


@pytest.mark.parametrize("tau", [1e5, 1e9, 1e12])
def test_a_long_time_constant_keeps_its_digits(tau):
    """tau v' = b - v: with b = 4 tau / dt it rises by 4 a step, 7 steps are 28."""
    simulator = FloatSimulator(neuron(tau, v_threshold=100.0, bias=4.0 * tau / 1e-3))
    simulator.run_events(hl.SpikeInput.empty(7, 1))
    assert simulator.potential[0] == pytest.approx(28.0, rel=1e-6)


def test_the_gain_of_a_neuron_without_a_leak():
    """A spike of weight .5 adds .5 of the threshold 2 to it: a quarter of a spike."""
    network = neuron(np.inf, v_threshold=2.0)
    loop = hl.Projection("loop", "a", "a", sparse.csr_matrix([[0.5]]))
    looped = hl.Network(1e-3, network.populations, (*network.projections, loop))
    assert gain_matrix(looped).toarray().tolist() == [[0.25]]
