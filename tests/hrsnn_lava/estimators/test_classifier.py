"""The classifier: what it learns, what it does not depend on, and what it refuses."""

from __future__ import annotations

import pickle
from typing import ClassVar

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.compiler.passes.prune_betweenness import PruneBetweenness
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.errors import SpecError
from hrsnn_lava.options import Positive, options
from hrsnn_lava.tasks.readers.base import Events
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.readouts.base import answers_of
from hrsnn_lava.training.sample_features import SampleFeatures, sample_features

from .conftest import SMALL, bumps


def test_it_tells_classes_apart_in_float_and_on_the_chip(fitted):
    X, y = bumps(60, seed=1)
    assert fitted.score(X, y) > 0.9
    assert fitted.score_compiled(X, y) > 0.9
    assert fitted.score(X, y) == np.mean(fitted.predict(X) == y)
    assert fitted.score(X, np.roll(y, 1)) < 0.6
    assert fitted.classes_.tolist() == ["a", "b", "c"]
    assert fitted.n_features_in_ == 3
    assert fitted.rates_.shape == (40,)
    assert 0 < fitted.rates_.mean() < 0.5
    assert 0.8 < fitted.validation_score_ <= 1.0
    assert set(fitted.validation_losses_) == {1e-4, 1e-3, 1e-2, 1e-1}


def test_a_sample_is_answered_alike_alone_and_among_others():
    X, y = bumps(60)
    network = {"size": 40}
    classifier = hl.ReservoirClassifier(
        network=network, encoder={"kind": "rate", "max_rate": 0.5}, steps_per_frame=5
    ).fit(X, y)
    answers = classifier.decision_function(X)
    seen = classifier.transform(X)
    np.testing.assert_array_equal(classifier.transform(X[7:8]), seen[7:8])
    np.testing.assert_array_equal(classifier.transform(X[::-1]), seen[::-1])
    np.testing.assert_allclose(classifier.decision_function(X[7:8]), answers[7:8], atol=1e-12)
    other = hl.ReservoirClassifier(
        network=network, encoder={"kind": "rate", "max_rate": 0.5}, steps_per_frame=5, seed=1
    ).fit(X, y)
    assert not np.array_equal(other.decision_function(X), answers)


def test_samples_of_different_noise_have_different_spikes():
    """Train and test samples at the same place share nothing that is drawn."""
    X = np.full((2, 4, 3), 0.5)
    X[1] += 1e-9
    classifier = hl.ReservoirClassifier(network={"size": 30}, encoder="rate").fit(*bumps(30))
    first, second = classifier.transform(X)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(classifier.transform(X[1:])[0], second)


def test_features_are_rates_and_traces_of_a_run_from_rest(fitted):
    """By the public simulator, which starts from rest, and the readout in the artifact."""
    X, _ = bumps(3, seed=2)
    program = fitted.compiled_
    scale = program.network.input_populations[0].payload_scale
    seen = fitted.transform(X, on="chip")
    for k, frames in enumerate(X):
        held = hl.SpikeInput.held(np.rint(frames * scale).astype(int), 5)
        trace = hl.simulate(program, held, 20)
        spikes = (trace.spike_steps, trace.spike_neurons)
        own = sample_features(spikes, 20, program.network.n_neurons, SampleFeatures())
        np.testing.assert_allclose(seen[k], own, rtol=1e-12, atol=1e-12)
        answer = answers_of(program.readout, own[None])[0]
        assert fitted.predict(X, on="chip")[k] == fitted.classes_[answer.argmax()]


def test_samples_without_a_label_change_no_readout_but_are_seen():
    X, y = bumps(80)
    some = y.astype(object)
    some[::2] = None
    partly = hl.ReservoirClassifier(**SMALL).fit(X, some)
    alone = hl.ReservoirClassifier(**SMALL).fit(X[1::2], y[1::2])
    np.testing.assert_array_equal(partly.decision_function(X), alone.decision_function(X))
    assert not np.array_equal(partly.rates_, alone.rates_)
    numbers = np.where(np.arange(80) % 2, np.searchsorted(["a", "b", "c"], y), -1)
    again = hl.ReservoirClassifier(**SMALL).fit(X, numbers)
    np.testing.assert_array_equal(again.decision_function(X), alone.decision_function(X))
    assert again.classes_.tolist() == [0, 1, 2]
    # they are left out of a score
    assert partly.score(X, some) == partly.score(X[1::2], y[1::2])


def test_a_rate_is_reached():
    X, y = bumps(60)
    classifier = hl.ReservoirClassifier(**SMALL, rate=0.1).fit(X, y)
    assert classifier.rates_.mean() == pytest.approx(0.1, rel=0.05)
    assert np.abs(classifier.rates_ - 0.1).mean() < 0.02
    plain = hl.ReservoirClassifier(**SMALL).fit(X, y)
    assert np.abs(plain.rates_ - 0.1).mean() > 0.03


@pytest.mark.parametrize("rules", [{"a_plus": 0.02, "a_minus": 0.021}, hl.STDPOptions()])
def test_stdp_moves_weights_and_is_taken_off(rules):
    X, y = bumps(40)
    plain = hl.ReservoirClassifier(**SMALL).fit(X, y)
    trained = hl.ReservoirClassifier(**SMALL, stdp=rules).fit(X, y)
    before, after = (c.network_.projection("exc_exc").weights for c in (plain, trained))
    assert abs(after - before).max() > 0
    assert all(p.plasticity is None for p in trained.network_.projections)
    if isinstance(rules, dict):  # of the recurrent synapses alone, on a network of one's own, too
        same = hl.ReservoirClassifier(network=plain.network_, steps_per_frame=5, stdp=rules)
        own = same.fit(X, y).network_.projection("exc_exc").weights
        assert abs(own - after).max() < 1e-12
        twice = hl.ReservoirClassifier(**SMALL, stdp=rules, stdp_passes=2).fit(X, y)
        assert abs(twice.network_.projection("exc_exc").weights - after).max() > 0


def test_networks_of_all_forms(tmp_path):
    X, y = bumps(40)
    table = {"size": 40, "connectivity": {"mean_degree": 4.0}}
    path = tmp_path / "own.toml"
    path.write_text("[network]\nsize = 40\n[network.connectivity]\nmean_degree = 4.0\n")
    spec = hl.Spec.parse({"network": table})
    network = hl.build_hrsnn(spec, seed=0)
    network.save(tmp_path / "own.hlx")
    forms = [table, {"network": table}, spec, spec.network, path, str(path), network]
    forms.append(tmp_path / "own.hlx")
    fits = [hl.ReservoirClassifier(network=f, steps_per_frame=5).fit(X, y) for f in forms]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.rates_, fits[0].rates_)
    default = hl.ReservoirClassifier(steps_per_frame=1).fit(X, y).network_
    assert default.n_neurons == 300
    assert default.dt == 1e-3
    recurrent = sum(p.n_synapses for p in default.projections if p.pre != "inp")
    assert recurrent == pytest.approx(300 * 30, rel=0.1)  # a tenth, as the default spec has it
    fast = hl.ReservoirClassifier(**SMALL, dt=2e-3).fit(X, y)
    assert fast.network_.dt == 2e-3


def test_training_of_a_spec_is_done():
    X, y = bumps(30)
    table = {"projections": ["exc_exc"], "on_chip": False, "train_passes": 1, "a_plus": 0.02}
    spec = hl.Spec.parse({"network": SMALL["network"] | {"connectivity": {"mean_degree": 4.0}}})
    with_rules = hl.Spec.parse({"network": spec.network.model_dump(), "stdp": table})
    fits = [
        hl.ReservoirClassifier(network=s, steps_per_frame=5).fit(X, y) for s in (spec, with_rules)
    ]
    weights = [fit.network_.projection("exc_exc").weights for fit in fits]
    assert abs(weights[0] - weights[1]).max() > 0
    moving = hl.Spec.parse({"stdp": {"projections": ["exc_exc"]}})
    with pytest.raises(SpecError, match=r"stdp.train_passes: 0; allowed: >= 1"):
        hl.ReservoirClassifier(network=moving).fit(X, y)


def test_a_network_that_does_not_take_the_input_is_refused():
    X, y = bumps(30)
    held = hl.build_hrsnn(
        hl.Spec.parse({"network": {"size": 40, "connectivity": {"mean_degree": 4.0}}})
    )
    with pytest.raises(SpecError, match="3 input channels; allowed: 2, as the encoder"):
        hl.ReservoirClassifier(network=held).fit(X[:, :, :2], y)
    with pytest.raises(SpecError, match="target 'bias'; allowed: 'synapse', where the encoder"):
        hl.ReservoirClassifier(network=held, encoder="rate").fit(X, y)
    with pytest.raises(SpecError, match=r"dt: 0\.002; allowed: 0\.001, as the network has"):
        hl.ReservoirClassifier(network=held, dt=2e-3).fit(X, y)
    wrong = {"size": 40, "input": {"target": "bias"}}
    with pytest.raises(SpecError, match=r"network.input.target: 'bias'; allowed: 'synapse'"):
        hl.ReservoirClassifier(network=wrong, encoder="latency").fit(X, y)


def test_spiking_inputs_send_plain_spikes():
    classifier = hl.ReservoirClassifier(**SMALL, encoder="latency").fit(*bumps(40))
    (inputs,) = classifier.network_.input_populations
    assert not inputs.neuron.graded
    assert {p.target for p in classifier.network_.projections if p.pre == "inp"} == {"synapse"}
    program = classifier.compile()
    assert program.readout_meta["encoder"] == {"kind": "latency", "threshold": 0.1}


@options
class Bins:
    """Events as spikes, 1 ms a step."""

    name: ClassVar[str] = "bins"
    takes: ClassVar[str] = "events"
    step: Positive = 1e-3

    def encode(self, values, block, rng):
        del rng
        steps = block * max(1, -(-round(values.duration / self.step) // block))
        at = np.minimum((values.times / self.step).astype(int), steps - 1)
        return SpikeInput.from_events(
            at, values.channels, n_steps=steps, n_neurons=values.n_channels, duplicates="once"
        )


def test_events_and_frames_of_any_length():
    X, y = bumps(60)
    some = [frames[: 2 + k % 3] for k, frames in enumerate(X)]
    frames = hl.ReservoirClassifier(**SMALL).fit(some, y)
    assert frames.score(some, y) > 0.8
    rng = np.random.default_rng(0)
    channel = rng.integers(0, 2, 60)
    events = [Events(np.sort(rng.uniform(0, 0.02, 30)), np.full(30, c), 2, 0.02) for c in channel]
    spiking = hl.ReservoirClassifier(**SMALL, encoder=Bins()).fit(events, channel)
    assert spiking.score(events, channel) == 1.0
    spiking.compile()
    assert spiking.score_compiled(events, channel) == 1.0
    with pytest.raises(
        SpecError, match="'held', which takes frames; allowed: one for samples of e"
    ):
        hl.ReservoirClassifier(**SMALL).fit(events, channel)
    array = np.empty(60, dtype=object)
    array[:] = some
    np.testing.assert_array_equal(frames.predict(array), frames.predict(some))


def test_rows_are_samples_of_one_frame():
    X, y = bumps(40)
    flat = hl.ReservoirClassifier(network={"size": 40}, steps_per_frame=20).fit(X[:, 1], y)
    same = hl.ReservoirClassifier(network={"size": 40}, steps_per_frame=20).fit(X[:, 1:2], y)
    np.testing.assert_array_equal(flat.predict(X[:, 1]), same.predict(X[:, 1:2]))
    np.testing.assert_array_equal(flat.predict(X[:, 1].tolist()), same.predict(X[:, 1:2]))


def test_labels_of_any_kind_come_back():
    X, y = bumps(40)
    names = {"a": (1, 2), "b": 3.5, "c": "three"}
    mixed = [names[label] for label in y]
    classifier = hl.ReservoirClassifier(**SMALL).fit(X, mixed)
    assert set(classifier.predict(X)) <= set(names.values())
    assert classifier.score(X, mixed) > 0.8
    classifier.compile()
    assert set(classifier.predict(X, on="chip")) <= set(names.values())
    said = [*mixed[:3], None]
    accuracy = classifier.report(X[:4], said).to_dict()["accuracy"]
    assert accuracy["test_samples"] == 3
    assert accuracy["integer"]["accuracy"] == classifier.score_compiled(X[:3], mixed[:3])
    loaded = hl.CompiledClassifier(classifier.compiled_)
    assert loaded.classes_.tolist() == [3.5, "three", "(1, 2)"]
    two = hl.ReservoirClassifier(**SMALL).fit(X, y == "a")
    assert two.classes_.dtype == bool
    assert two.decision_function(X).shape == (40,)
    np.testing.assert_array_equal(two.predict(X), two.decision_function(X) > 0)


def test_groups_are_held_out_whole():
    X, y = bumps(60)
    groups = np.repeat(["p", "q", "r"], 20)
    fit = hl.ReservoirClassifier(**SMALL).fit(X, y, groups=groups)
    validates = fit._lesson.labelled.validates
    shares = [validates[groups == g].mean() for g in "pqr"]
    assert sorted(shares) == [0.0, 0.0, 1.0]
    with pytest.raises(SpecError, match="groups: one group; allowed: two or more"):
        hl.ReservoirClassifier(**SMALL).fit(X, y, groups=np.zeros(60))
    with pytest.raises(SpecError, match=r"groups: shape \(3,\); allowed: \(60,\)"):
        hl.ReservoirClassifier(**SMALL).fit(X, y, groups=[1, 2, 3])


def test_one_sample_of_every_class_trains():
    X, y = bumps(40)
    rare = y.copy()
    rare[3] = "d"
    fit = hl.ReservoirClassifier(**SMALL, validation=0.5).fit(X, rare)
    validates = fit._lesson.labelled.validates
    assert not validates[3]
    assert validates.sum() == 20
    none = hl.ReservoirClassifier(**SMALL, validation=0.0, alphas=1e-3).fit(X, rare)
    assert none.validation_score_ is None
    assert none.readout_.alpha == 1e-3


def test_a_program_can_be_pruned_on_the_way():
    X, y = bumps(60)
    fit = hl.ReservoirClassifier(network={"size": 60}, steps_per_frame=5).fit(X, y)
    full = fit.compile().network
    half = fit.compile(passes=[PruneRandom(0.5)])
    kept, all_ = (
        sum(p.n_synapses for p in n.projections if p.pre != "inp") for n in (half.network, full)
    )
    assert kept == pytest.approx(0.5 * all_, rel=0.2)
    assert half.synapses_before == fit.network_.n_synapses
    assert [record.name for record in half.records][:2] == ["prune_random", "quantize"]
    fewer = fit.compile(passes=[PruneBetweenness(fraction=0.2)])
    assert fewer.network.n_neurons == 48
    assert fewer.readout["weights"].shape == (96, 3)
    assert fit.score_compiled(X, y) > 0.8
    narrow = fit.compile(weight_bits=2, seed=3)
    assert narrow.seed == 3


def test_large_inputs_do_not_saturate_the_biases():
    """The range of the training samples is the compiler's; 4 would cut these off."""
    X, y = bumps(60)
    fit = hl.ReservoirClassifier(**SMALL, encoder={"kind": "held", "gain": 0.1}).fit(100 * X, y)
    program = fit.compile()
    step = next(record for record in program.records if record.name == "quantize")
    assert step.options["input_range"] == pytest.approx(10 * np.abs(X).max())
    kinds = {finding.kind for finding in fit.report(100 * X[:5]).facts.findings}
    assert "held_input_clipped" not in kinds


def test_a_report_prices_every_sample(fitted):
    X, y = bumps(6, seed=3)
    report = fitted.report(X, y, cost_set="sanafe_loihi").to_dict()
    scale = fitted.compiled_.network.input_populations[0].payload_scale
    single = [
        hl.count(fitted.compiled_, hl.SpikeInput.held(np.rint(x * scale).astype(int), 5), 20)
        for x in X
    ]
    assert report["sop"]["total"] == sum(c.ops.total for c in single)
    assert report["accuracy"]["integer"]["accuracy"] == fitted.score_compiled(X, y)
    assert report["per_sample"]["samples"] == 6
    assert report["energy"]["dynamic_j"] > 0


def test_what_one_has_to_know_is_told():
    X, y = bumps(40)
    silent = {"size": 40, "neurons": {"excitatory": {"bias": 0.0}, "inhibitory": {"bias": 0.0}}}
    silent["input"] = {"weight": 0.001}
    with pytest.warns(hl.FindingWarning, match="no spike in any training sample"):
        fit = hl.ReservoirClassifier(network=silent, steps_per_frame=5).fit(X, y)
    assert [f.kind for f in fit.findings_] == ["silent_reservoir"]
    loud = {**silent, "input": {"weight": 1.0}}
    with pytest.warns(hl.FindingWarning, match="spikes per neuron and step in training"):
        hl.ReservoirClassifier(network=loud, steps_per_frame=5).fit(1000 + X, y)


def test_a_fit_forgets_the_one_before(fitted):
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - our own, of a line ago
    X, y = bumps(20, seed=4)
    np.testing.assert_array_equal(again.predict(X, on="chip"), fitted.predict(X, on="chip"))
    again.fit(*bumps(40))
    with pytest.raises(SpecError, match="not compiled; call compile first"):
        again.predict(X, on="chip")
    with pytest.raises(SpecError, match="not compiled"):
        again.report(X)
    with pytest.raises(SpecError, match='allowed: "float" or "chip"'):
        again.score(X, y, on="loihi")
    with pytest.raises(SpecError, match="not fitted; call fit first"):
        hl.ReservoirClassifier().predict(X)
    with pytest.raises(SpecError, match="not fitted"):
        hl.ReservoirClassifier().compile()


WRONG_SAMPLES = {
    r"X: shape \(30,\); allowed: an array .* Use X.reshape\(-1, 1\)": lambda X: X[:, 0, 0],
    r"X: shape \(30, 4, 3, 1\)": lambda X: X[..., None],
    r"X: shape \(30, 0, 3\); allowed: no extent of 0": lambda X: X[:, :0],
    "not finite: 1 of 30 samples, the first is 7": lambda X: np.where(
        np.arange(360).reshape(30, 4, 3) == 90, np.nan, X
    ),
    r"X\[3\]: values that are not finite": lambda X: [
        x if k != 3 else x / 0 for k, x in enumerate(X)
    ],
    "samples of 2, 3 channels; allowed: the same in all": lambda X: [
        x[:, : 2 + k % 2] for k, x in enumerate(X)
    ],
    "X: no sample": lambda _: [],
    r"X: no numbers \(str\)": lambda _: "samples",
    r"X: no numbers \(NoneType\)": lambda _: None,
    r"X: no numbers \(list\)": lambda _: [["a", "b"]] * 30,
    r"shapes \(2,\), \(3,\)": lambda X: [x[0, : 2 + k % 2] for k, x in enumerate(X)],
    r"no numbers \(ndarray\)": lambda X: X * 1j,
}


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@pytest.mark.parametrize("text", WRONG_SAMPLES)
def test_samples_that_cannot_be_used(text):
    X, y = bumps(30)
    with pytest.raises(SpecError, match=text):
        hl.ReservoirClassifier(**SMALL).fit(WRONG_SAMPLES[text](X), y)


WRONG_LABELS = {
    "y: 29 labels; allowed: 30, one for each sample": lambda y: y[1:],
    r"y: shape \(30, 1\); allowed: \(30,\)": lambda y: y[:, None],
    "y: None; allowed: 30 labels": lambda _: None,
    "y: 1 class: 'a'; allowed: two classes or more": lambda _: ["a"] * 30,
    "1 class: 1, and 15 samples without a label; .* -1 means: without a label": lambda _: (
        [-1, 1] * 15
    ),
    "y: 0 classes: none, and 30 samples": lambda _: [None] * 30,
    "y: a list; allowed: labels that can be hashed": lambda _: [[1]] * 30,
    "2 labelled samples of 2 classes; allowed: a sample more": lambda _: ["a", "b"] + [None] * 28,
}


@pytest.mark.parametrize("text", WRONG_LABELS)
def test_labels_that_cannot_be_used(text):
    X, y = bumps(30)
    with pytest.raises(SpecError, match=text):
        hl.ReservoirClassifier(**SMALL).fit(X, WRONG_LABELS[text](y))


WRONG_OPTIONS = {
    r"encoder.kind: 'nothing'; allowed: .*held": {"encoder": "nothing"},
    "encoder: 3; allowed: the name of an encoder": {"encoder": 3},
    "readout: 3; allowed: the name of a readout": {"readout": 3},
    "silence_steps: 3; allowed: a multiple of steps_per_frame = 5": {"silence_steps": 3},
    r"(?s)alphas.0: -1; .*validation: 2; .*rate: 0; .*seed: -1": {
        "alphas": -1,
        "validation": 2,
        "rate": 0,
        "seed": -1,
    },
    "network.sizes: unknown key; .* Did you mean 'size'": {"network": {"sizes": 3}},
    r"network: int; allowed: a table of \[network\]": {"network": 7},
    "no such spec file": {"network": "none.toml"},
    "stdp: int; allowed: a table of rules": {"stdp": 3},
    "stdp.projections.0: 'x'": {"stdp": {"projections": ["x"]}},
}


@pytest.mark.parametrize("text", WRONG_OPTIONS)
def test_options_that_are_wrong_are_named(text):
    with pytest.raises(SpecError, match=text):
        hl.ReservoirClassifier(**{**SMALL, **WRONG_OPTIONS[text]}).fit(*bumps(30))


def test_other_channels_than_in_fit_are_refused(fitted):
    with pytest.raises(SpecError, match="X: 2 channels; allowed: 3, as in fit"):
        fitted.predict(np.zeros((5, 4, 2)))
    with pytest.raises(SpecError, match="y: no label; allowed: one or more"):
        fitted.score(np.zeros((2, 4, 3)), [None, None])
