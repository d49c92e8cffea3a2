"""The input layers that a spec builds: who hears which channel, signs, what a spike is worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava import Spec, build_hrsnn
from hrsnn_lava.errors import SpecError
from hrsnn_lava.experiment import run_spec
from hrsnn_lava.experiment.preparation import _driven as driven
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.training.stdp import train_stdp

SMALL = {"size": 60, "connectivity": {"mean_degree": 8.0}}


def network(n_inputs=20, seed=3, **table):
    """A small network with an input layer."""
    return build_hrsnn(Spec.parse({"network": SMALL | {"input": table}}), seed, n_inputs)


def heard(net):
    """Whether neuron i hears channel j, (n_neurons, n_inputs)."""
    parts = [net.projection(name).weights.toarray() for name in ("inp_exc", "inp_inh")]
    return np.concatenate(parts) != 0


def spikes(n_inputs, rate=0.05, steps=200, seed=0):
    at, who = np.nonzero(np.random.default_rng(seed).random((steps, n_inputs)) < rate)
    return hl.SpikeInput(at, who, steps, n_inputs)


@given(
    st.integers(1, 40),
    st.sampled_from(["fan_in", "fan_out"]),
    st.one_of(st.integers(1, 5), st.floats(0.01, 1.0)),
    st.sampled_from([0.3, 1.0]),
    st.integers(0, 3),
)
@settings(max_examples=20, deadline=None)
def test_so_many_channels_or_neurons_without_replacement(n_inputs, key, value, share, seed):
    table = {"target": "synapse", key: value, "share": share}
    chosen = heard(network(n_inputs, seed, target="synapse", share=share, graded=False)).any(axis=1)
    available = n_inputs if key == "fan_in" else int(chosen.sum())
    if isinstance(value, int) and value > available:
        with pytest.raises(SpecError, match=rf"network\.input\.{key}: {value} .* {available} at"):
            network(n_inputs, seed, **table)
        return
    pattern = heard(network(n_inputs, seed, **table))
    wanted = value if isinstance(value, int) else min(max(round(value * available), 1), available)
    assert not pattern[~chosen].any()
    counts = pattern[chosen].sum(axis=1) if key == "fan_in" else pattern.sum(axis=0)
    assert counts.tolist() == [wanted] * counts.size


def test_one_of_fan_in_and_one_of_all_are_told_apart():
    assert heard(network(20, target="synapse", fan_in=1)).sum(axis=1).max() == 1
    assert heard(network(20, target="synapse", fan_in=1.0)).all()


def test_choices_are_uniform():
    """Each channel is heard by about a quarter; the chance of 5 standard errors is below 1e-6."""
    pattern = heard(network(20, seed=0, target="synapse", fan_in=5))
    error = np.sqrt(0.25 * 0.75 / 60)
    assert np.abs(pattern.mean(axis=0) - 0.25).max() < 5 * error
    first, other = (heard(network(20, seed=s, target="synapse", fan_in=5)) for s in (0, 1))
    assert (first != other).any()
    assert (first == heard(network(20, seed=0, target="synapse", fan_in=5))).all()


def test_weights_of_spikes_are_positive_and_their_population_excitatory():
    net = network(40, target="synapse", fan_in=0.5)
    weights = net.projection("inp_exc").weights.data
    assert weights.min() > 0
    assert weights.mean() == pytest.approx(0.2, rel=0.1)
    assert weights.std() / weights.mean() == pytest.approx(2**-0.5, rel=0.15)
    assert net.population("inp").sign == "excitatory"
    for table in ({"weight": -0.1}, {"weight_inhibitory": -0.1}):
        assert network(target="synapse", fan_in=0.5, **table).population("inp").sign is None
    mixed = {"distribution": "uniform", "low": -0.5, "high": 1.0}
    assert network(target="synapse", fan_in=0.5, weight=mixed).population("inp").sign is None


def test_held_and_dense_layers_are_what_they_were():
    for target in ("bias", "synapse"):
        net = network(3, target=target)
        assert net.population("inp").graded
        assert net.population("inp").sign is None
        data = net.projection("inp_exc").weights.data
        assert -2 <= data.min() < -1.5
        assert 1.5 < data.max() <= 2
    assert not network(3, target="synapse", graded=False).population("inp").graded


def test_inhibitory_neurons_have_weights_of_their_own():
    net = network(target="synapse", fan_in=4, weight=0.3, weight_inhibitory=0.1)
    assert set(net.projection("inp_exc").weights.data) == {0.3}
    assert set(net.projection("inp_inh").weights.data) == {0.1}


@pytest.mark.parametrize(("table", "count"), [({"fan_in": 16}, 16), ({}, 20)])
def test_normalised_by_the_root_of_the_channels_of_a_neuron(table, count):
    net = network(
        20, target="synapse", graded=False, weight=0.8, normalise=True, share=0.5, **table
    )
    assert np.allclose(net.projection("inp_exc").weights.data, 0.8 / np.sqrt(count), rtol=1e-12)


def test_fan_out_normalises_by_the_mean():
    net = network(20, target="synapse", weight=0.8, normalise=True, fan_out=15)
    assert np.allclose(
        net.projection("inp_exc").weights.data, 0.8 / np.sqrt(20 * 15 / 60), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"fan_in": 0.3, "fan_out": 0.3}, "fan_in or fan_out, not both"),
        ({"fan_in": 0}, r"network\.input\.fan_in: 0; allowed: >= 1"),
        ({"fan_out": 1.5}, r"network\.input\.fan_out: 1\.5; allowed: an integer, or <= 1"),
        ({"graded": False}, "held values are no spikes"),
        ({"synapse": "charge"}, "held values have none"),
    ],
)
def test_tables_that_contradict_themselves(table, words):
    with pytest.raises(SpecError, match=words):
        Spec.parse({"network": {"input": table}})


def test_a_spike_is_one_unit_in_float_in_training_and_in_integers():
    """A neuron that hardly leaks counts what arrives, 0.26 of a threshold a spike."""
    neuron = {"tau_mem": 1e9, "tau_syn": 0.0, "v_threshold": 1.0, "bias": 0.0}
    spec = Spec.parse(
        {
            "network": {
                "size": 10,
                "dt": 1e6,
                "connectivity": {"length": 1e-3, "gain": 0.0},
                "neurons": {"excitatory": neuron, "inhibitory": neuron},
                "input": {"target": "synapse", "fan_in": 1.0, "weight": 260.0},
            },
            "stdp": {"projections": ["inp_exc"], "a_plus": 0.0, "a_minus": 0.0},
        }
    )
    net = build_hrsnn(spec, 0, 1)
    # (1 - beta) 260 = 0.26: the fourth spike is over the threshold, in each of the ten neurons
    train = hl.SpikeInput(np.arange(40), np.zeros(40, int), 40, 1)
    exact = FloatSimulator(net.without_plasticity()).run_events(train)[0].size
    learned = train_stdp(net, train)
    integer = hl.simulate(hl.quantize(net.without_plasticity()), train, 40).n_spikes
    assert exact == 90  # spikes of steps 0 to 38 arrive, 39 of them, 9 a neuron
    assert learned.rate * 40 * 10 == pytest.approx(90)
    assert integer == 90


def test_a_recording_gives_about_the_same_spikes_in_float_and_integers():
    net = network(60, target="synapse", fan_in=0.3)
    recording = spikes(60)
    exact = FloatSimulator(net).run_events(recording)[0].size
    integer = hl.simulate(hl.quantize(net), recording, 200).n_spikes
    assert exact > 200
    assert integer == pytest.approx(exact, rel=0.02)


def test_payloads_on_plain_channels_are_told():
    net = hl.quantize(network(20, target="synapse", fan_in=0.3))
    plain = spikes(20)
    payloads = np.ones(plain.steps.size, np.int32)
    ones = hl.SpikeInput(plain.steps, plain.neurons, 200, 20, payloads)
    payloads = np.where(plain.steps < 50, 3, payloads)
    threes = hl.SpikeInput(plain.steps, plain.neurons, 200, 20, payloads)
    told = "payload_without_effect"
    for recording in (plain, ones):
        assert told not in {f.kind for f in hl.simulate(net, recording).findings}
    with pytest.warns(hl.FindingWarning, match="its channels send plain spikes"):
        (finding,) = (f for f in hl.simulate(net, threes, 100).findings if f.kind == told)
    assert finding.measured.startswith(f"{int((plain.steps < 50).sum())} spikes with payloads")
    graded = hl.quantize(network(20, target="synapse"))
    assert told not in {f.kind for f in hl.simulate(graded, threes).findings}


DIGITS = {
    "network": SMALL | {"input": {"target": "synapse", "fan_in": 0.5}},
    "task": {
        "kind": "digit_rows",
        "train": 40,
        "validation": 20,
        "test": 20,
        "steps_per_frame": 2,
        "encoder": {"kind": "rate", "max_rate": 0.4},
    },
    "prune": {"method": "none", "homeostasis": False, "controls": []},
    "verify": {"backends": ["reference", "native"], "steps": 16},
}


def test_a_run_has_the_network_that_python_builds(tmp_path):
    spec = Spec.parse(DIGITS)
    run_spec(spec, tmp_path)
    ran = hl.Network.load(tmp_path / "network.hlx")
    built = build_hrsnn(spec, n_inputs=8)
    assert not ran.population("inp").graded
    assert ran.population("inp").sign == "excitatory"
    for name in ("inp_exc", "inp_inh", "exc_exc"):
        np.testing.assert_array_equal(
            ran.projection(name).weights.toarray(), built.projection(name).weights.toarray()
        )


@pytest.mark.parametrize(
    ("layer", "spiking", "graded"),
    [
        ({"target": "synapse"}, True, False),
        ({"target": "synapse"}, False, True),
        ({"target": "synapse", "fan_in": 0.5}, False, True),
        ({"target": "synapse", "graded": True}, True, True),
        ({"target": "synapse", "graded": False}, False, False),
        ({}, False, True),
    ],
)
def test_the_task_decides_where_the_spec_does_not(layer, spiking, graded):
    spec = Spec.parse({"network": SMALL | {"input": layer}})
    assert build_hrsnn(driven(spec, spiking), n_inputs=4).population("inp").graded is graded


def test_values_are_not_sent_to_plain_channels(tmp_path):
    task = {"kind": "lorenz63", "train": 260, "horizon": 5, "starts": 1}
    table = {"input": {"target": "synapse", "graded": False}}
    spec = Spec.parse({"network": SMALL | table, "task": task})
    with pytest.raises(SpecError, match=r"network\.input\.graded: false; allowed: true"):
        run_spec(spec, tmp_path)


def test_input_synapses_learn_where_the_input_spikes():
    table = {"network": SMALL | {"input": {"target": "synapse", "fan_in": 0.5}}}
    spec = Spec.parse(table | {"stdp": {"projections": ["inp_exc", "exc_exc"], "a_plus": 0.05}})
    net = build_hrsnn(spec, n_inputs=20)
    plastic = {p.name for p in net.projections if p.plasticity is not None}
    assert plastic == {"inp_exc", "exc_exc"}
    rule = net.projection("inp_exc").plasticity
    mean = np.abs(net.projection("inp_exc").weights.data).mean()
    assert rule.w_max == pytest.approx(3.0 * mean, rel=1e-12)
    trained = train_stdp(net, spikes(20, 0.1))
    assert set(trained.gain) == plastic
    assert trained.gain["inp_exc"] != pytest.approx(1.0, abs=1e-3)


def test_learning_inputs_are_the_same_on_every_engine():
    table = {"network": SMALL | {"input": {"target": "synapse", "fan_in": 0.5}}}
    net = build_hrsnn(Spec.parse(table | {"stdp": {"projections": ["inp_exc"]}}), n_inputs=20)
    compiled = hl.compile(net, "loihi1")
    parity = hl.verify(compiled, spikes(20, 0.2), 60, ["reference", "native"])
    assert parity.mismatches == 0
    assert parity.spikes > 100
    moved = hl.simulate(compiled, spikes(20, 0.2), 60).weights["inp_exc"]
    assert not np.array_equal(moved, compiled.network.projection("inp_exc").weights.data)


@pytest.mark.parametrize("layer", [{}, {"target": "synapse", "graded": True}])
def test_inputs_that_send_no_plain_spikes_do_not_learn(layer):
    table = {"network": SMALL | {"input": layer}, "stdp": {"projections": ["inp_exc"]}}
    with pytest.raises(SpecError, match="inputs that are held or graded do not learn"):
        Spec.parse(table)


def test_rules_need_the_channels_that_they_name():
    dense = {"network": SMALL | {"input": {"target": "synapse"}}}
    spec = Spec.parse(dense | {"stdp": {"projections": ["inp_exc"]}})
    with pytest.raises(SpecError, match="graded, and inp_exc learn; allowed: inputs that spike"):
        build_hrsnn(spec, n_inputs=4)
    with pytest.raises(SpecError, match="inp_exc; allowed: those of a network with inputs"):
        build_hrsnn(spec, n_inputs=0)
