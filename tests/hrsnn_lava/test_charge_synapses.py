"""Weights that are charges: what a spike carries does not depend on the neuron's tau_syn."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava import Spec, build_hrsnn
from hrsnn_lava.csr import rows_of
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.native.layout import Events

WIDE = {"distribution": "lognormal", "mean": 0.02, "sigma": 1.15, "low": 0.001, "high": 0.4}


def table(synapse, tau_syn=WIDE, **extra):
    """A small network whose synapses are all of one kind."""
    neuron = {"tau_syn": tau_syn, "v_threshold": 1e6}
    network = {
        "size": 60,
        "connectivity": {"mean_degree": 8.0, "synapse": synapse},
        "input": {"target": "synapse", "fan_in": 0.5, "synapse": synapse},
        "neurons": {"excitatory": neuron, "inhibitory": neuron},
    }
    return {"network": network | extra}


def pair(**options):
    """The same network with currents and with charges as weights."""
    return [
        build_hrsnn(Spec.parse(table(kind, **options)), 3, 20) for kind in ("current", "charge")
    ]


def test_weights_are_those_of_currents_times_the_loss_of_a_step():
    plain, charge = pair()
    for name in ("exc_exc", "inh_exc", "exc_inh", "inp_exc", "inp_inh"):
        a, b = plain.projection(name), charge.projection(name)
        tau = plain.population(a.post).parameter("tau_syn")[rows_of(a.weights)]
        assert tau.max() / tau.min() > 20
        np.testing.assert_allclose(
            b.weights.data, a.weights.data * (1 - np.exp(-1e-3 / tau)), rtol=1e-12
        )


def test_the_current_of_a_spike_has_the_sum_of_its_weight():
    """Closed form: the sum over all steps of w (1 - alpha) alpha^t is w."""
    plain, charge = pair()
    simulator = FloatSimulator(charge)
    steps, n = 8000, 60  # 20 times the longest time constant
    starts = np.ones(steps + 1, np.int64)
    starts[0] = 0
    events = Events(starts, np.array([n + 5], np.int32), np.ones(1))
    current = np.zeros((steps, n))
    simulator.advance(steps, events, np.zeros(n), np.zeros((steps, n)), current)
    wanted = np.concatenate(
        [plain.projection(name).weights.toarray()[:, 5] for name in ("inp_exc", "inp_inh")]
    )
    assert np.count_nonzero(wanted) > 15
    np.testing.assert_allclose(current.sum(axis=0), wanted, rtol=1e-6)


def test_a_current_without_a_filter_is_its_charge():
    plain, charge = pair(tau_syn=0.0)
    assert (plain.projection("exc_exc").weights != charge.projection("exc_exc").weights).nnz == 0


def test_bounds_and_amplitudes_go_along_and_stay_numbers_where_tau_is_common():
    rules = {
        "projections": ["exc_exc", "inp_exc"],
        "a_plus": {"distribution": "gamma", "shape": 3.0, "mean": 0.002},
    }
    for tau in (WIDE, 0.02):
        plain, charge = (
            build_hrsnn(Spec.parse(table(kind, tau) | {"stdp": rules}), 3, 20)
            for kind in ("current", "charge")
        )
        for name in rules["projections"]:
            a, b = plain.projection(name), charge.projection(name)
            n, rows = a.n_synapses, rows_of(a.weights)
            factor = 1 - np.exp(-1e-3 / plain.population("exc").parameter("tau_syn")[rows])
            for field in ("a_plus", "a_minus", "w_max"):
                np.testing.assert_allclose(
                    b.plasticity.values(field, n),
                    a.plasticity.values(field, n) * factor,
                    rtol=1e-12,
                )
            assert b.plasticity.tau_plus == a.plasticity.tau_plus
            assert (np.ndim(b.plasticity.w_max) == 0) == (tau == 0.02)


def test_the_same_spikes_learn_the_same_share_of_every_weight():
    """The rule acts on the weight as it was drawn: W / w_max moves alike with both synapses."""
    neuron = {"tau_mem": 0.02, "tau_syn": WIDE, "v_threshold": 1.0, "bias": 1.2}
    learned = []
    for kind in ("current", "charge"):
        spec = table(kind) | {"stdp": {"projections": ["inp_exc"], "a_plus": 0.01}}
        network = spec["network"]
        network["neurons"] = {"excitatory": neuron, "inhibitory": neuron}
        network["connectivity"]["gain"] = 0.0  # neurons fire by their bias alone
        network["input"]["weight"] = 1e-9
        net = build_hrsnn(Spec.parse(spec), 3, 20)
        at, who = np.nonzero(np.random.default_rng(0).random((200, 20)) < 0.05)
        result = hl.train_stdp(net, hl.SpikeInput(at, who, 200, 20), hl.STDPOptions(freeze=False))
        projection = result.network.projection("inp_exc")
        bound = projection.plasticity.values("w_max", projection.n_synapses)
        learned.append(projection.weights.data / bound)
    assert np.ptp(learned[0]) > 0.05
    np.testing.assert_allclose(learned[1], learned[0], rtol=1e-9)


def test_held_values_have_no_synapse():
    net = build_hrsnn(
        Spec.parse({"network": {"size": 20, "connectivity": {"length": 1.0, "synapse": "charge"}}})
    )
    plain = build_hrsnn(Spec.parse({"network": {"size": 20, "connectivity": {"length": 1.0}}}))
    assert (net.projection("inp_exc").weights != plain.projection("inp_exc").weights).nnz == 0


def test_integers_follow_the_floats():
    neuron = {"tau_mem": 0.01, "tau_syn": WIDE, "v_threshold": 1.0, "bias": 0.6}
    spec = table("charge")
    spec["network"]["neurons"] = {"excitatory": neuron, "inhibitory": neuron}
    spec["network"]["input"] |= {"weight": 3.0}
    net = build_hrsnn(Spec.parse(spec), 3, 20)
    at, who = np.nonzero(np.random.default_rng(0).random((300, 20)) < 0.05)
    recording = hl.SpikeInput(at, who, 300, 20)
    exact = FloatSimulator(net).run_events(recording)[0].size
    assert exact > 300
    integer = hl.simulate(hl.quantize(net), recording, 300)
    assert integer.n_spikes == pytest.approx(exact, rel=0.03)
