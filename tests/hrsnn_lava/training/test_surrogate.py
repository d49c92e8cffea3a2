"""Gradient training as a whole. All but the last tests need torch."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import hrsnn_lava as hl
from hrsnn_lava.cli.main import cli
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.errors import ArtifactError, BackendMissingError, SpecError
from hrsnn_lava.experiment.compilation import Target
from hrsnn_lava.experiment.preparation import prepare
from hrsnn_lava.experiment.run import Bench, best_pruning, reference, run_spec, trial_of
from hrsnn_lava.experiment.runner import Journal, Runner
from hrsnn_lava.experiment.spec_trial import figures_of, figures_with_controls
from hrsnn_lava.experiment.training import train_by_gradients
from hrsnn_lava.spec import Spec
from hrsnn_lava.surrogate_options import SurrogateOptions
from hrsnn_lava.training import surrogate_loss
from hrsnn_lava.training.simulation import Stimulus, simulator_of, spike_counts
from hrsnn_lava.training.surrogate import train_surrogate
from hrsnn_lava.training.surrogate_checkpoint import Keep
from hrsnn_lava.training.surrogate_lesson import Samples, Stretches, Supervised

SPEC = {
    "network": {
        "size": 24,
        "connectivity": {"mean_degree": 6.0},
        "input": {"target": "synapse", "graded": False, "fan_in": 0.5, "normalise": True},
    },
    "task": {
        "kind": "patterns",
        "classes": 3,
        "channels": 6,
        "steps": 20,
        "train": 30,
        "validation": 9,
        "test": 30,
    },
    "surrogate": {"epochs": 4, "batch": 10},
    "verify": {"steps": 40, "backends": ["native"]},
}


class KillError(Exception):
    """What a kill is played by."""


def spec_of(**surrogate):
    return Spec.parse({**SPEC, "surrogate": {**SPEC["surrogate"], **surrogate}})


def network_and_lesson(seed=0):
    """Two classes of spikes that one layer of neurons can tell apart."""
    rng = np.random.default_rng([seed, 9])
    classes = rng.permutation(np.arange(24) % 2)
    sent = rng.random((24, 25, 6)) < np.where(
        np.arange(6) // 3 == classes[:, None, None], 0.35, 0.05
    )
    at, channels = np.nonzero(sent.reshape(-1, 6))
    inputs = hl.SpikeInput(at, channels, 24 * 25, 6)
    lif = hl.LIF(rng.uniform(0.005, 0.03, 20), 0.005, 1.0, bias=0.4)
    network = hl.Network(
        1e-3,
        (hl.Population("inp", 6, hl.Input()), hl.Population("exc", 20, lif, sign="excitatory")),
        (
            hl.Projection("in", "inp", "exc", rng.gamma(2, 0.4, (20, 6))),
            hl.Projection(
                "rec", "exc", "exc", rng.gamma(2, 0.05, (20, 20)) * (rng.random((20, 20)) < 0.3)
            ),
        ),
    )
    return network, Supervised(Stimulus(inputs, 25, np.arange(24)), classes, trace_steps=(10.0,))


def series(seed=0):
    """A held value, and the value before it."""
    rng = np.random.default_rng([seed, 10])
    x = rng.uniform(-1, 1, (200, 1))
    values = np.vstack([[[np.nan]], x[:-1]])
    lif = hl.LIF(rng.uniform(0.005, 0.03, 30), 0.005, 1.0, bias=rng.uniform(0.5, 1.2, 30))
    network = hl.Network(
        1e-3,
        (hl.Population("inp", 1, hl.Input(graded=True)), hl.Population("exc", 30, lif)),
        (
            hl.Projection("in", "inp", "exc", rng.normal(0, 1, (30, 1)), target="bias"),
            hl.Projection("rec", "exc", "exc", rng.normal(0, 0.2, (30, 30))),
        ),
    )
    return network, Supervised(Stimulus(x, 5), values=values, trace_steps=(10.0, 5.0))


def test_the_loss_falls():
    pytest.importorskip("torch")
    network, lesson = network_and_lesson()
    result = train_surrogate(network, lesson, SurrogateOptions(epochs=15, batch=8))
    loss = [row["loss"] for row in result.history]
    assert loss[-1] < 0.5 * loss[0]
    assert result.history[-1]["right"] > 0.9
    assert not result.findings
    assert (result.epochs, result.resumed, len(result.history)) == (15, 0, 15)


def test_the_loss_of_a_series_falls():
    pytest.importorskip("torch")
    network, lesson = series()
    options = SurrogateOptions(epochs=12, batch=4, window=5)
    result = train_surrogate(network, lesson, options)
    error = [row["error"] for row in result.history]
    assert error[-1] < 0.8 * error[0]
    assert result.history[0]["right"] is None


def test_rates_are_drawn_to_their_target():
    pytest.importorskip("torch")
    network, lesson = network_and_lesson()
    base = {"epochs": 10, "batch": 8}
    plain = train_surrogate(network, lesson, SurrogateOptions(**base)).history[-1]
    held = SurrogateOptions(**base, rate=0.03, rate_weight=10.0)
    drawn = train_surrogate(network, lesson, held).history[-1]
    assert plain["rate"] > 0.06
    assert drawn["rate"] == pytest.approx(0.03, abs=0.012)


def test_operations_cost():
    pytest.importorskip("torch")
    network, lesson = network_and_lesson()
    base = {"epochs": 10, "batch": 8}
    plain = train_surrogate(network, lesson, SurrogateOptions(**base)).history[-1]
    priced = train_surrogate(network, lesson, SurrogateOptions(**base, sop_weight=50.0)).history[-1]
    assert priced["sops"] < 0.5 * plain["sops"]


def test_operations_are_spikes_times_their_synapses():
    pytest.importorskip("torch")
    network, lesson = network_and_lesson()
    options = SurrogateOptions(epochs=1, batch=24, potentials="rest")
    row = train_surrogate(network, lesson, options).history[0]
    counts = spike_counts(simulator_of(network), lesson.stimulus, None)
    fan_out = np.bincount(network.projection("rec").weights.indices, minlength=20)
    assert row["rate"] == pytest.approx(counts.sum() / (20 * 600), rel=1e-9)
    assert row["sops"] == pytest.approx(counts @ fan_out / 600, rel=1e-9)


@pytest.mark.parametrize("case", [network_and_lesson, series])
def test_a_killed_training_ends_with_the_same_bits(case, tmp_path):
    pytest.importorskip("torch")
    network, lesson = case()
    options = SurrogateOptions(epochs=5, batch=6, tau_syn="population", v_threshold="neuron")
    whole = train_surrogate(network, lesson, options, seed=3)
    file, seen = tmp_path / "training", []

    def kill(text, fraction=None, /):
        seen.append(fraction)
        if fraction > 0.5:
            raise KillError

    with pytest.raises(KillError):
        train_surrogate(network, lesson, options, seed=3, keep=Keep(file), progress=kill)
    resumed = train_surrogate(network, lesson, options, seed=3, keep=Keep(file, resume=True))
    assert 0 < resumed.resumed < 5
    assert resumed.network.digest == whole.network.digest
    assert resumed.history == whole.history
    again = train_surrogate(network, lesson, options, seed=3, keep=Keep(file, resume=True))
    assert again.resumed == 5
    assert again.network.digest == whole.network.digest
    told = json.loads(file.with_name("training.json").read_text())
    assert told["epochs"] == 5
    assert told["options"]["tau_syn"] == "population"


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    pytest.importorskip("torch")
    network, lesson = network_and_lesson()
    options, file = SurrogateOptions(epochs=1), tmp_path / "training"
    train_surrogate(network, lesson, options, seed=1, keep=Keep(file))
    with pytest.raises(SpecError, match="another training"):
        train_surrogate(network, lesson, options, seed=2, keep=Keep(file, resume=True))
    for other in (
        replace(options, width=0.4),
        replace(options, bits=8),
        replace(options, clip=2.0),
    ):
        with pytest.raises(SpecError, match="another training"):
            train_surrogate(network, lesson, other, seed=1, keep=Keep(file, resume=True))
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"\xff" * 200):
        file.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="no checkpoint"):
            train_surrogate(network, lesson, options, seed=1, keep=Keep(file, resume=True))


def test_equal_trainings_are_equal_and_seeds_differ():
    pytest.importorskip("torch")
    network, lesson = network_and_lesson()
    options = SurrogateOptions(epochs=2)
    digests = [
        train_surrogate(network, lesson, options, seed=seed).network.digest for seed in (0, 0, 1)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_adam_is_that_of_torch():
    torch = pytest.importorskip("torch")
    from hrsnn_lava.training.surrogate_adam import Adam

    start = torch.linspace(-1, 1, 7, dtype=torch.float64)
    ours, theirs = (start.clone().requires_grad_() for _ in range(2))
    own = Adam(torch, {"x": ours})
    other = torch.optim.Adam([theirs], lr=0.1, foreach=False)
    for k in range(30):
        own.clear()
        other.zero_grad()
        for theta in (ours, theirs):
            ((theta - 0.3) ** 4 * (1 + k % 3)).sum().backward()
        own.bounded(0.5)
        torch.nn.utils.clip_grad_norm_([theirs], 0.5, foreach=False)
        own.update(0.1)
        other.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_rounding_while_training_helps_few_bits():
    pytest.importorskip("torch")
    network, lesson = network_and_lesson(2)
    step = Quantize(weight_bits=2)
    aware = train_surrogate(network, lesson, SurrogateOptions(epochs=12, batch=8, bits=2))
    assert aware.history[-1]["right"] > 0.8
    assert aware.history[-1]["loss"] < 0.6 * aware.history[0]["loss"]
    quantize(aware.network, step)  # has integers


def test_a_loss_that_is_no_number_is_told():
    pytest.importorskip("torch")
    network, lesson = series()
    options = SurrogateOptions(epochs=3, learning_rate=1e30, precision="float32")
    with pytest.raises(SpecError, match="no finite number in update 2"):
        train_surrogate(network, lesson, options)


def test_lessons_that_do_not_fit_are_refused():
    pytest.importorskip("torch")
    network, lesson = network_and_lesson()
    held, values = series()
    with pytest.raises(SpecError, match="6, as the network has"):
        train_surrogate(network, values)
    with pytest.raises(SpecError, match="1, as the network has"):
        train_surrogate(held, lesson)
    other = hl.SpikeInput.empty(1000, 1)
    with pytest.raises(SpecError, match="sends spikes, and no projection takes them"):
        train_surrogate(held, Supervised(Stimulus(other, 5), values=values.values))


def test_rules_keep_their_weights():
    pytest.importorskip("torch")
    network, lesson = network_and_lesson()
    rule = hl.STDP(a_plus=0.002, a_minus=0.002, w_max=2.0)
    plastic = network.with_projection(replace(network.projection("rec"), plasticity=rule))
    trained = train_surrogate(plastic, lesson, SurrogateOptions(epochs=1)).network
    before, after = plastic.projection("rec"), trained.projection("rec")
    assert np.array_equal(before.weights.data, after.weights.data)
    assert after.plasticity is not None
    moved = trained.projection("in").weights.data
    assert not np.allclose(moved, plastic.projection("in").weights.data)


def test_a_spec_trains_and_scores(tmp_path):
    pytest.importorskip("torch")
    result = run_spec(spec_of(stage="both", epochs=2), tmp_path / "run")
    names = [
        record.name for record in hl.CompiledNetwork.load(tmp_path / "run/compiled.hlx").records
    ]
    assert names.count("train_surrogate") == 2
    assert result.report.data["transforms"]
    assert (tmp_path / "run" / "gradients" / "unpruned.safetensors").exists()


def test_stages_train_before_or_after_pruning(tmp_path):
    pytest.importorskip("torch")
    plain = Spec.parse({key: table for key, table in SPEC.items() if key != "surrogate"})
    untrained = prepare(plain, trial_of(plain)).network
    for stage in ("before_pruning", "after_pruning"):
        spec = spec_of(stage=stage, epochs=1)
        runner = Runner(Journal(tmp_path / stage, spec.canonical(), False), 5, lambda *_: None)
        bench = Bench(Target.of(spec), trial_of(spec), runner)
        full = reference(bench)
        before = stage == "before_pruning"
        assert (full.network.digest == untrained.digest) is not before
        assert full.scored.digest != untrained.digest
        records = [record.name for record in best_pruning(bench, full)[1].records]
        assert ("train_surrogate" in records) is not before


def test_figures_are_of_the_trained_network_whatever_the_stage():
    pytest.importorskip("torch")
    plain = Spec.parse({key: table for key, table in SPEC.items() if key != "surrogate"})
    before, after = (
        figures_of(spec_of(stage=stage, epochs=1), 0)
        for stage in ("before_pruning", "after_pruning")
    )
    assert before == after != figures_of(plain, 0)
    with pytest.raises(SpecError, match="about STDP alone"):
        figures_with_controls(spec_of(), 0, None, False)


def test_the_command_trains_a_spec_and_a_network(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    lines = ["[network]\nsize = 24\nconnectivity = { mean_degree = 6.0 }"]
    lines.append('input = { target = "synapse", graded = false, normalise = true }')
    lines.append('[task]\nkind = "patterns"\nclasses = 2\nchannels = 5\nsteps = 15')
    lines.append("train = 20\nvalidation = 6\ntest = 10\n[surrogate]\nepochs = 2")
    (tmp_path / "s.toml").write_text("\n".join(lines))
    command = ["train", "s.toml", "--method", "surrogate", "-o", "a.hlx", "--json", "--quiet"]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data["epochs"] == 2
    assert len(data["history"]["loss"]) == 2
    assert not list(tmp_path.glob("a.hlx.training*"))
    command = ["train", "a.hlx", "--task", "s.toml", "--method", "surrogate", "--epochs", "1"]
    again = CliRunner().invoke(cli, [*command, "-o", "b.hlx", "--quiet"])
    assert again.exit_code == 0, again.output
    assert hl.Network.load("b.hlx").digest != hl.Network.load("a.hlx").digest


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--on-chip", "--on-chip: given; allowed: with --method stdp alone"),
        ("--silence 3", "--silence: given"),
        ("--task s.toml", "--task: given; allowed: for a network"),
    ],
)
def test_options_of_stdp_are_refused(words, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text("")
    command = f"train s.toml --method surrogate -o a.hlx {words}"
    done = CliRunner().invoke(cli, command.split())
    assert done.exit_code == 2
    assert text in " ".join(done.stderr.split())


def test_without_torch_it_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    network, lesson = network_and_lesson()
    with pytest.raises(BackendMissingError, match=r"pip install 'hrsnn-lava\[train\]'"):
        train_surrogate(network, lesson)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text("[task]\nkind = 'patterns'")
    done = CliRunner().invoke(cli, ["train", "s.toml", "--method", "surrogate", "-o", "a.hlx"])
    assert done.exit_code == 6
    assert "torch is not installed" in done.stderr
    with pytest.raises(BackendMissingError):
        train_by_gradients(spec_of())


def test_bits_are_those_of_the_program():
    with pytest.raises(SpecError, match=r"surrogate\.bits"):
        spec_of(bits=4)
    parsed = Spec.parse({**SPEC, "surrogate": {"bits": 4}, "quantize": {"weight_bits": 4}})
    assert parsed.surrogate is not None
    assert parsed.surrogate.bits == 4


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"shortest": 2.0}, "shortest"),
        ({"rate": 0.0}, "rate"),
        ({"bits": 9}, "bits"),
        ({"spike": "box"}, "fast_sigmoid"),
        (
            {"input_weights": False, "recurrent_weights": False, "tau_mem": "none", "bias": "none"},
            "something has to learn",
        ),
    ],
)
def test_wrong_options_are_refused(options, text):
    with pytest.raises(SpecError, match=text):
        SurrogateOptions(**options)


def test_batches_have_every_labelled_sample_once():
    network, lesson = network_and_lesson()
    classes = lesson.classes.copy()
    classes[::4] = -1
    lesson = Supervised(lesson.stimulus, classes, trace_steps=(5.0,))
    samples = Samples(lesson, 5, 3, seed=1)
    labelled = np.flatnonzero(classes >= 0)
    assert samples.count == -(-labelled.size // 5)
    for epoch in (0, 1):
        batches = [samples.batch(epoch, k) for k in range(samples.count)]
        assert sorted(np.concatenate([b.classes for b in batches])) == sorted(classes[labelled])
    whole = np.zeros((600, 6))
    whole[lesson.stimulus.inputs.steps, lesson.stimulus.inputs.neurons] = 1
    parts = {p.tobytes() for b in batches for p in b.events[3:].transpose(1, 0, 2)}
    assert parts == {whole[25 * k : 25 * k + 25].tobytes() for k in labelled}
    assert not any(b.events[:3].any() for b in batches)
    assert network.n_inputs == 6


def test_stretches_have_every_block_once_and_their_past():
    rng = np.random.default_rng(0)
    sent = rng.random((120, 2)) < 0.3
    inputs = hl.SpikeInput(*np.nonzero(sent), 120, 2)
    values = np.arange(40.0)[:, None]
    values[:4] = np.nan
    lesson = Supervised(Stimulus(inputs, 3), values=values)
    stretches = Stretches(lesson, 2, 6, 5, seed=0)
    batches = [stretches.batch(0, k) for k in range(stretches.count)]
    assert [b.fresh for b in batches] == [True, False, False, False]
    told = np.concatenate([b.values[:, :, 0] for b in batches])
    assert told.shape == (20, 2)
    assert np.isnan(told[:4]).all()
    np.testing.assert_array_equal(told[4:], np.stack([values[4:20, 0], values[24:, 0]], axis=1))
    events = np.concatenate([b.events[5:, 1] for b in batches])
    np.testing.assert_array_equal(events, sent[60:])
    np.testing.assert_array_equal(batches[1].events[:5, 1], sent[73:78])
    assert not batches[0].events[:5].any()


def test_answers_have_to_fit():
    stimulus = Stimulus(np.zeros((6, 1)), 2, np.array([0, 3]))
    for answers, text in (
        ({"classes": np.array([0, 1, 0])}, "one a sample"),
        ({"classes": np.array([-1, -1])}, "no label"),
        ({"values": np.zeros((5, 1))}, "one a block"),
        ({}, "classes, or values"),
    ):
        with pytest.raises(SpecError, match=text):
            Supervised(stimulus, **answers)


@pytest.mark.parametrize(
    "task",
    [
        {"kind": "patterns", "train": 20, "validation": 5, "test": 5},
        {"kind": "delayed_recall", "train": 20, "validation": 5, "test": 5},
        {"kind": "digits", "train": 40, "validation": 10, "test": 20, "labels_per_class": 2},
        {"kind": "narma10", "train": 60, "validation": 10, "test": 10},
        {"kind": "lorenz63", "train": 250},
    ],
)
def test_tasks_have_answers(task):
    trial = Spec.parse({"task": task}).task.trial(0)
    lesson = trial.supervised
    assert lesson.stimulus is trial.lesson
    if lesson.classes is not None:
        assert lesson.n_answers > 1
        assert (lesson.classes >= 0).sum() == 20
    else:
        assert np.isfinite(lesson.values[-1]).all()
        assert np.isnan(lesson.values[0]).all()


def test_a_gpu_that_is_missing_is_told():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    network, lesson = network_and_lesson()
    with pytest.raises(BackendMissingError, match="there is no GPU"):
        train_surrogate(network, lesson, SurrogateOptions(device="cuda"))


def order_lesson():
    """Two channels that fire once each, 4 steps apart; the class says which is first.

    Neurons forget within a step, and their counts alone are read out, so without delays no weights
    can tell the classes apart.
    """
    classes, rng = np.arange(40) % 2, np.random.default_rng(5)
    begins = np.arange(40) * 16
    first, second = classes, 1 - classes
    steps = np.stack([begins + 2, begins + 6], axis=1).ravel()
    inputs = hl.SpikeInput(steps, np.stack([first, second], axis=1).ravel(), 40 * 16, 2)
    delays = rng.integers(0, 3, (12, 2)) * 1e-3
    network = hl.Network(
        1e-3,
        (hl.Population("inp", 2, hl.Input()), hl.Population("exc", 12, hl.LIF(5e-4, 0.0))),
        (hl.Projection("in", "inp", "exc", rng.uniform(0.5, 0.9, (12, 2)), delays.ravel()),),
    )
    stimulus = Stimulus(inputs, 16, np.arange(40))
    return network, Supervised(stimulus, classes, trace_steps=(), rates=True)


def test_delays_that_learn_tell_what_comes_first():
    pytest.importorskip("torch")
    network, lesson = order_lesson()
    options = SurrogateOptions(
        epochs=12, batch=10, tau_mem="none", bias="none", potentials="rest", learning_rate=0.2
    )
    fixed = train_surrogate(network, lesson, options).history[-1]
    learned = train_surrogate(network, lesson, replace(options, delays="synapse"))
    assert fixed["right"] < 0.7
    assert learned.history[-1]["right"] == 1.0
    delays = np.asarray(learned.network.projection("in").delays) / 1e-3
    np.testing.assert_allclose(delays, np.rint(delays))
    assert not np.array_equal(delays, np.asarray(network.projection("in").delays) / 1e-3)
    assert delays.max() <= 10


def test_delays_are_part_of_what_a_checkpoint_holds(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    network, lesson = order_lesson()
    options = SurrogateOptions(epochs=3, batch=20, delays="synapse", learning_rate=0.2)
    whole = train_surrogate(network, lesson, options)

    def stop(text, done=None, /):
        if "epoch 3" in text:
            raise KillError

    file = tmp_path / "kept.safetensors"
    with pytest.raises(KillError):
        train_surrogate(network, lesson, options, progress=stop, keep=Keep(file))
    again = train_surrogate(network, lesson, options, keep=Keep(file, resume=True))
    assert again.resumed == 2
    assert again.network.digest == whole.network.digest


def test_delays_learn_beside_rounded_weights():
    pytest.importorskip("torch")
    network, lesson = order_lesson()
    options = SurrogateOptions(epochs=2, batch=20, delays="synapse", bits=4, learning_rate=0.3)
    learned = train_surrogate(network, lesson, options).network
    integers = quantize(learned, Quantize(weight_bits=4))[0]
    steps = np.rint(np.asarray(learned.projection("in").delays) / 1e-3)
    kept = integers.projection("in").delays
    assert not np.array_equal(steps, np.rint(np.asarray(network.projection("in").delays) / 1e-3))
    assert set(np.unique(kept)) <= set(steps)


def test_the_readout_of_a_series_is_the_ridge_of_the_network_as_it_is(monkeypatch):
    torch = pytest.importorskip("torch")
    network, lesson = series()
    options = SurrogateOptions(epochs=3, batch=4, readout="ridge", alpha=0.02, learning_rate=0.02)
    fits = []
    fit = surrogate_loss.Head.fit

    def seen(head, rows, alpha):
        fit(head, rows, alpha)
        x, y = (torch.cat(part).numpy() for part in zip(*rows, strict=True))
        mean, offset = x.mean(0), y.mean(0)
        # the same penalty as rows of its own, solved by orthogonal factors
        size = np.sqrt(alpha * np.square(x - mean).sum() / x.shape[1])
        rows_of = np.vstack([x - mean, size * np.eye(x.shape[1])])
        values = np.vstack([y - offset, np.zeros((x.shape[1], y.shape[1]))])
        weights = np.linalg.lstsq(rows_of, values, rcond=None)[0]
        np.testing.assert_allclose(head.theta["weights"].detach(), weights, atol=1e-8)
        np.testing.assert_allclose(
            head.theta["offset"].detach(), offset - mean @ weights, atol=1e-8
        )
        fits.append(head.theta["weights"].detach().numpy().copy())

    monkeypatch.setattr(surrogate_loss.Head, "fit", seen)
    result = train_surrogate(network, lesson, options)
    assert len(fits) == 3
    assert not np.array_equal(fits[0], fits[2])
    losses = [row["loss"] for row in result.history]
    assert losses[-1] < losses[0]


def test_a_training_with_a_fitted_readout_goes_on_with_the_same_bits(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    network, lesson = series()
    options = SurrogateOptions(epochs=3, batch=4, readout="ridge")
    whole = train_surrogate(network, lesson, options)

    def stop(text, done=None, /):
        if "epoch 3" in text:
            raise KillError

    file = tmp_path / "kept.safetensors"
    with pytest.raises(KillError):
        train_surrogate(network, lesson, options, progress=stop, keep=Keep(file))
    again = train_surrogate(network, lesson, options, keep=Keep(file, resume=True))
    assert again.resumed == 2
    assert again.network.digest == whole.network.digest


def test_a_ridge_of_classes_is_refused():
    pytest.importorskip("torch")
    with pytest.raises(SpecError, match=r"surrogate\.readout: .ridge., of classes"):
        train_surrogate(*network_and_lesson(), SurrogateOptions(readout="ridge"))
