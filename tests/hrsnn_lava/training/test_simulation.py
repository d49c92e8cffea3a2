"""Stimuli, held and as spikes, and the simulators that take both."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava import Spec, build_hrsnn
from hrsnn_lava.compiler.passes.quantize import quantize
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.sim_backends.floating.simulator import PlasticSimulator
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.simulation import Stimulus, simulator_of, spike_counts


def relay(weight=3.0):
    """Three inputs that send spikes, each onto a neuron of its own that it makes fire."""
    return Network(
        1e-3,
        (Population("inp", 3, Input()), Population("exc", 3, LIF(0.02, 0.001))),
        (Projection("inp_exc", "inp", "exc", weight * 20 * np.eye(3)),),
    ).verify()


def noise(steps=60, channels=3, seed=0):
    when, who = np.nonzero(np.random.default_rng(seed).random((steps, channels)) < 0.2)
    return SpikeInput(when, who, steps, channels)


def test_the_first_blocks_and_repetitions_of_held_values():
    stimulus = Stimulus(np.arange(6.0).reshape(3, 2), 4)
    assert (stimulus.width, stimulus.n_blocks, stimulus.n_steps) == (2, 3, 12)
    assert not stimulus.spiking
    np.testing.assert_array_equal(stimulus.first(5).inputs, [[0, 1], [2, 3]])
    assert stimulus.first(100).n_blocks == 3
    np.testing.assert_array_equal(stimulus.repeated(2).inputs[3:], stimulus.inputs)
    assert stimulus.input_rates() == 0.0
    events = stimulus.events(10.0)
    np.testing.assert_array_equal(events.steps, [0, 0, 4, 4, 8, 8])
    np.testing.assert_array_equal(events.payloads, [0, 10, 20, 30, 40, 50])


def test_the_first_blocks_and_repetitions_of_spikes():
    spikes = SpikeInput(np.array([0, 3, 4, 7]), np.array([0, 1, 0, 1]), 8, 2)
    stimulus = Stimulus(spikes, 4)
    assert stimulus.spiking
    first = stimulus.first(3).inputs
    assert (first.n_steps, first.steps.tolist()) == (4, [0, 3])
    twice = stimulus.repeated(2).inputs
    assert twice.n_steps == 16
    assert twice.steps.tolist() == [0, 3, 4, 7, 8, 11, 12, 15]
    assert twice.neurons.tolist() == [0, 1] * 4
    np.testing.assert_array_equal(stimulus.input_rates(), [0.25, 0.25])
    assert stimulus.events(None) is spikes


def test_float_spikes_are_those_of_the_simulator_that_learns():
    network, inputs = relay(1.5), noise()
    at, who = PlasticSimulator(network).run_events(inputs)
    blocks = list(Stimulus(inputs, 20).play(simulator_of(network), None))
    ours = np.concatenate([steps + 20 * k for k, (steps, _) in enumerate(blocks)])
    assert at.size > 5
    np.testing.assert_array_equal(ours, at)
    np.testing.assert_array_equal(np.concatenate([neurons for _, neurons in blocks]), who)


@pytest.mark.parametrize("network", [relay(), relay(1.3)])
def test_integer_spikes_are_those_of_a_whole_run(network):
    integers, _ = quantize(network)
    inputs = noise()
    trace = simulate(integers, inputs, inputs.n_steps, "native")
    blocks = list(Stimulus(inputs, 15).play(simulator_of(integers), None))
    ours = np.concatenate([steps + 15 * k for k, (steps, _) in enumerate(blocks)])
    assert trace.n_spikes > 5
    np.testing.assert_array_equal(ours, trace.spike_steps)


def test_a_restart_brings_back_the_same_potentials():
    """Two equal samples give equal spikes where each starts afresh, and others where not."""
    network = build_hrsnn(
        Spec.parse({"network": {"size": 40, "connectivity": {"mean_degree": 4.0}}}), seed=1
    )
    values = np.tile(np.random.default_rng(0).normal(size=(2, 3)), (2, 1))
    for starts, equal in ((np.array([0, 2]), True), (None, False)):
        stimulus = Stimulus(values, 10, starts)
        blocks = list(stimulus.play(simulator_of(network), np.random.default_rng(5)))
        assert stimulus.bounds.tolist() == ([0, 2, 4] if equal else [0, 4])
        same = all(
            np.array_equal(a, b)
            for k in (0, 1)
            for a, b in zip(blocks[k], blocks[k + 2], strict=True)
        )
        assert same is equal


def test_counts_are_those_of_all_blocks():
    network, inputs = relay(), noise()
    counts = spike_counts(simulator_of(network), Stimulus(inputs, 20), None)
    trace = PlasticSimulator(network).run_events(inputs)[1]
    np.testing.assert_array_equal(counts, np.bincount(trace, minlength=3))
