"""Float against integers on the same input, held, as events, and while both learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stdp_networks import noise, recurrent

import hrsnn_lava as hl
from hrsnn_lava import Spec, SpikeInput, build_hrsnn
from hrsnn_lava.compiler.learning.lowering import LowerSTDP
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Network, Population
from hrsnn_lava.training.difference import compare_float_fixed


def test_a_held_input_gives_nearly_equal_counts():
    spec = Spec.parse({"network": {"size": 100, "connectivity": {"mean_degree": 10.0}}})
    network = build_hrsnn(spec, seed=4)
    integer, _ = quantize(network)
    rng, inputs = np.random.default_rng(0), np.zeros((60, 3))
    for k in range(1, 60):
        inputs[k] = 0.9 * inputs[k - 1] + 0.3 * rng.normal(size=3)
    found = compare_float_fixed(network, integer, inputs)
    assert found["steps"] == 1200
    assert found["rate_ratio"] == pytest.approx(1.0, abs=0.03)
    assert found["count_correlation"] > 0.99
    assert found["count_error"] < 0.1
    assert found["weights"] == {}
    silent = compare_float_fixed(network, integer, np.zeros((0, 3)))
    assert silent["rate_ratio"] is None
    assert silent["first_difference"] is None


def test_one_neuron_alone_agrees_spike_by_spike():
    """A neuron that fires every 8.4 steps drifts by less than a step in 500."""
    network = Network(1e-3, (Population("a", 1, LIF(0.020, bias=3.0)),))
    integer, _ = quantize(network)
    found = compare_float_fixed(network, integer, noise(0, 500, 0))
    assert found["spikes"]["float"] == found["spikes"]["integer"] > 50
    assert found["coincidence"] == 1.0
    assert found["first_difference"] is None
    assert found["potential_error"] < 0.01


@pytest.mark.parametrize("het", [False, True])
def test_both_learn_alike(het):
    """Weak recurrence, so that the two see nearly the same spikes."""
    network = recurrent(1, het=het, weight=0.05, amplitude=0.02)
    integer, _ = quantize(network, Quantize(stdp=LowerSTDP(max_profiles=3)))
    found = compare_float_fixed(
        network, integer, noise(1, 500, 10), backend="reference", steps_per_sample=50
    )
    assert found["rate_ratio"] == pytest.approx(1.0, abs=0.1)
    assert set(found["weights"]) == {"inp_exc", "exc_exc", "inh_exc"}
    for row in found["weights"].values():
        assert row["mean_ratio"] == pytest.approx(1.0, abs=0.15)
    assert found["weights"]["inp_exc"]["change_correlation"] > 0.7


def test_inputs_of_the_wrong_kind_are_named():
    network = recurrent(1)
    for projection in network.projections:
        network = network.with_projection(replace(projection, plasticity=None))
    integer, _ = quantize(network)
    with pytest.raises(SpecError, match="inputs: analog samples; allowed: events"):
        compare_float_fixed(network, integer, np.zeros((3, 10)))
    other, _ = quantize(Network(1e-3, (Population("a", 1, LIF(0.020)),)))
    with pytest.raises(SpecError, match="integer: 1 neurons, 0 inputs; allowed: 40 and 10"):
        compare_float_fixed(network, other, noise(0, 5, 10))


def test_a_held_recording_is_the_samples_that_it_was_made_of():
    """Payloads that are exact in counts: samples and the recording of them give the same."""
    spec = Spec.parse({"network": {"size": 60, "connectivity": {"mean_degree": 8.0}}})
    network = build_hrsnn(spec, seed=2)
    integer, _ = quantize(network)
    scale = integer.input_populations[0].payload_scale
    payloads = np.random.default_rng(1).integers(-scale, scale, (30, 3))
    samples = hl.compare_float(network, integer, payloads / scale, steps_per_sample=10)
    events = SpikeInput.held(payloads, 10)
    recording = hl.compare_float(network, integer, events, steps_per_sample=10)
    assert recording == samples
    assert recording["spikes"]["float"] > 100
    parts = recording["populations"]
    for kind in ("float", "integer"):
        assert sum(part[kind] for part in parts.values()) == recording["spikes"][kind]
    half = hl.compare_float(network, integer, events, 150, steps_per_sample=10)
    first = hl.compare_float(network, integer, payloads[:15] / scale, steps_per_sample=10)
    assert half == first
    longer = hl.compare_float(network, integer, events, 350, steps_per_sample=10)
    assert (longer["steps"], half["steps"]) == (350, 150)


def test_without_an_input_it_runs_on_the_biases():
    network = Network(1e-3, (Population("a", 1, LIF(0.020, bias=3.0)),))
    integer, _ = quantize(network)
    alone = hl.compare_float(network, integer)
    assert alone["steps"] == 1000
    assert alone["spikes"]["float"] == alone["spikes"]["integer"] > 100
    assert alone["populations"] == {"a": alone["spikes"]}
    assert hl.compare_float(network, integer, steps=70)["steps"] == 70
