"""What neurons do together, measured: against NumPy on the traces of the same spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import hrsnn_lava as hl
from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.driven import measure_driven, observe_driven, trace_tau
from hrsnn_lava.training.simulation import Stimulus, measure_rates


def network(target: str = "bias", tau_syn: float = 0.004) -> Network:
    """Five neurons of three inputs, one of them always silent, which inhibit each other."""
    rng = np.random.default_rng(0)
    drive = rng.uniform(0.5, 3.0, (5, 3)) * (12.0 if target == "synapse" else 1.0)
    drive[4] = 0.0
    weights = -0.3 * (rng.random((5, 5)) < 0.5)
    return Network(
        1e-3,
        (Population("inp", 3, Input()), Population("p", 5, LIF(0.015, tau_syn, bias=0.2))),
        (
            Projection("i", "inp", "p", drive, target=target),
            Projection("r", "p", "p", weights),
        ),
    ).verify()


def traces_of(trace: NDArray[Any], tau: float) -> NDArray[Any]:
    rows = np.zeros(trace.shape)
    for t in range(len(trace)):
        rows[t] = trace[t] + (np.exp(-1 / tau) * rows[t - 1] if t else 0)
    return rows


def rows_by_hand(net: Network, samples: list[Any], block: int, tau: float, washout: int) -> Any:
    """Filtered spikes and spikes of every sample, run one by one, from rest."""
    kept, spikes = [], []
    for sample in samples:
        simulator, at, who = FloatSimulator(net), [], []
        for k, x in enumerate(sample):
            steps, neurons = simulator.run(x, block)
            at.append(steps + k * block)
            who.append(neurons)
        dense = np.zeros((len(sample) * block, net.n_neurons))
        dense[np.concatenate(at), np.concatenate(who)] = 1
        kept.append(traces_of(dense, tau)[washout:])
        spikes.append(dense[washout:])
    return np.concatenate(kept), np.concatenate(spikes)


@pytest.mark.parametrize("washout", [0, 7])
def test_held_values_sample_by_sample(washout: int) -> None:
    net, rng = network(), np.random.default_rng(3)
    inputs = rng.uniform(0.0, 2.0, (60, 3))
    starts = np.array([0, 15, 40])
    seen = observe_driven(net, Stimulus(inputs, 10, starts), washout=washout)
    rows, spikes = rows_by_hand(net, np.split(inputs, [15, 40]), 10, 4.0, washout)
    assert seen.covariance is not None
    np.testing.assert_allclose(seen.covariance, np.cov(rows.T, bias=True), atol=1e-12)
    np.testing.assert_allclose(seen.rates, spikes.mean(axis=0))
    assert seen.neuron_rates is not None
    assert (seen.neuron_rates[:4] > 0).all()
    assert not seen.covariance[4].any()  # silent
    assert seen.input_rates is None
    assert list(seen.problems(net)) == []


def test_spikes_of_the_inputs_and_another_time_constant() -> None:
    net = network("synapse")
    at, who = np.nonzero(np.random.default_rng(5).random((1500, 3)) < 0.2)
    inputs = SpikeInput(at, who, 1500, 3)
    seen = observe_driven(net, Stimulus(inputs, 1), tau_steps=9.0)
    steps, neurons = FloatSimulator(net).run_events(inputs)
    dense = np.zeros((1500, 5))
    dense[steps, neurons] = 1
    assert seen.covariance is not None
    truth = np.cov(traces_of(dense, 9.0).T, bias=True)
    np.testing.assert_allclose(seen.covariance, truth, atol=1e-10)
    np.testing.assert_allclose(seen.rates, dense.mean(axis=0))
    np.testing.assert_allclose(seen.input_rates, np.bincount(who, minlength=3) / 1500)


def test_random_input_is_that_of_the_rates() -> None:
    """The same run: the same rates, and variances that the spikes alone give."""
    net = network()
    seen = measure_driven(net, 4, 2000)
    np.testing.assert_array_equal(seen.rates, measure_rates(net, 4, 2000))
    again = measure_driven(net, 4, 2000)
    np.testing.assert_array_equal(seen.covariance, again.covariance)
    assert measure_driven(net, 5, 2000).neuron_rates is not None
    # without a filter a trace is the spike itself, whose variance is p (1 - p)
    raw = measure_driven(net, 4, 2000, tau_steps=1e-3)
    p = raw.neuron_rates
    assert raw.covariance is not None
    assert p is not None
    np.testing.assert_allclose(raw.covariance.diagonal(), p * (1 - p), atol=1e-12)


def test_the_traces_have_the_time_constant_of_the_currents() -> None:
    assert trace_tau(network(tau_syn=0.004)) == pytest.approx(4.0)
    assert trace_tau(network(tau_syn=0.0)) == 1.0


def test_a_network_that_learns_is_measured_as_it_is() -> None:
    table = {"size": 20, "connectivity": {"mean_degree": 5.0}}
    rule = {"projections": ["exc_exc"]}
    learning = hl.build_hrsnn(hl.Spec.parse({"network": table, "stdp": rule}), seed=1)
    assert any(p.plasticity is not None for p in learning.projections)
    frozen = measure_driven(learning.without_plasticity(), 0, 400)
    np.testing.assert_array_equal(measure_driven(learning, 0, 400).covariance, frozen.covariance)


def test_faults_are_named() -> None:
    stimulus = Stimulus(np.ones((4, 3)), 5)
    with pytest.raises(SpecError, match="washout: 20; allowed: 0 to below 20"):
        observe_driven(network(), stimulus, washout=20)
    with pytest.raises(SpecError, match=r"tau_steps: 0\.0; allowed: a number > 0"):
        observe_driven(network(), stimulus, tau_steps=0.0)
    assert isinstance(observe_driven(network(), stimulus, washout=19), Observed)
