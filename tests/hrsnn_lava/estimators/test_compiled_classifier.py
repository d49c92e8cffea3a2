"""A program classifies by what is in its file alone, whoever wrote the file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.experiment.run import run_spec

from .conftest import SMALL, bumps


def test_a_file_classifies_as_the_estimator_did(fitted, tmp_path):
    X, y = bumps(20, seed=5)
    fitted.compiled_.save(tmp_path / "own.hlx")
    loaded = hl.CompiledClassifier.load(tmp_path / "own.hlx")
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X, on="chip"))
    np.testing.assert_array_equal(loaded.transform(X), fitted.transform(X, on="chip"))
    assert loaded.decision_function(X).shape == (20, 3)
    assert loaded.score(X, y) == fitted.score_compiled(X, y)
    assert loaded.classes_.tolist() == ["a", "b", "c"]
    own, other = (c.report(X[:2], cost_set="sanafe_loihi").to_dict() for c in (loaded, fitted))
    assert own["energy"] == other["energy"]


def test_drawn_spikes_are_the_same_behind_a_file(tmp_path):
    X, y = bumps(40)
    encoder = {"kind": "rate", "max_rate": 0.5}
    fit = hl.ReservoirClassifier(**SMALL, encoder=encoder, silence_steps=5, seed=3).fit(X, y)
    fit.compile().save(tmp_path / "own.hlx")
    loaded = hl.CompiledClassifier.load(tmp_path / "own.hlx")
    np.testing.assert_array_equal(loaded.transform(X), fit.transform(X, on="chip"))
    assert loaded.protocol.silence_steps == 5
    assert loaded.protocol.encoder.max_rate == 0.5


@pytest.mark.once
@pytest.mark.parametrize("restart", [True, False])
def test_the_program_of_a_run_classifies(restart, tmp_path):
    """The scored samples, which the run has not written, are answered as the run did."""
    spec = hl.Spec.parse(
        {
            "network": {"size": 30, "connectivity": {"mean_degree": 3.0}},
            "task": {
                "kind": "digit_rows",
                "train": 60,
                "validation": 20,
                "test": 40,
                "steps_per_frame": 3,
                "restart": restart,
            },
            "prune": {"method": "none", "rescale": "none", "controls": [], "homeostasis": False},
            "verify": {"backends": ["native"], "steps": 24},
        }
    )
    done = run_spec(spec, tmp_path)
    classifier = hl.CompiledClassifier.load(tmp_path / "compiled.hlx")
    assert classifier.classes_.tolist() == [str(k) for k in range(10)]
    trial = spec.task.trial(spec.seed)
    images, labels = np.asarray(trial.labelled.samples), trial.labelled.labels
    shown = trial.split.together if not restart else trial.split.test
    answers = classifier.predict(images[shown])[-40:]
    accuracy = np.mean(answers == [str(k) for k in labels[trial.split.test]])
    assert accuracy == done.report.data["accuracy"]["integer"]["accuracy"]
    assert accuracy > 0.2


def test_other_programs_are_refused(fitted, tmp_path):
    forecaster = hl.compile(hl.quantize(fitted.network_), "loihi1")
    with pytest.raises(SpecError, match="does not classify"):
        hl.CompiledClassifier(forecaster)
    with pytest.raises(SpecError, match="compiled: int; allowed: a CompiledNetwork"):
        hl.CompiledClassifier(3)
    program = fitted.compiled_
    meta = dict(program.readout_meta)
    old = replace(program, readout_meta={k: v for k, v in meta.items() if k != "encoder"})
    with pytest.raises(SpecError, match=r"readout_meta: without encoder; .* Compile it anew"):
        hl.CompiledClassifier(old)
    for change, text in (
        (
            {"encoder": {"kind": "nothing"}},
            r"readout_meta.encoder.kind: 'nothing'; allowed: .*held",
        ),
        ({"steps_per_frame": 0}, r"readout_meta.steps_per_frame: 0; allowed: >= 1"),
        ({"classes": ["a", "b"]}, "answers for 3 classes; allowed: a map of 80 features to 2"),
        ({"trace_steps": []}, "arrays that do not fit; allowed: a map of 40 features"),
    ):
        with pytest.raises(ArtifactError, match=text):
            hl.CompiledClassifier(replace(program, readout_meta=meta | change))
    with pytest.raises(SpecError, match="2 channels, 2 inputs when encoded; allowed: 3 inputs"):
        hl.CompiledClassifier(program).predict(np.zeros((4, 2)))


def labelled(n=60, first=0):
    """Samples of three classes, a channel each, and their numbers from `first` on."""
    index = np.arange(n) % 3
    x = np.zeros((n, 4, 3))
    x[np.arange(n), :, index] = 1.0
    return x, index + first


@pytest.fixture(scope="module", params=[0, -1])
def run_program(request, tmp_path_factory):
    """The program of a run whose classes are integers, and its samples."""
    folder = tmp_path_factory.mktemp("run")
    x, y = labelled(first=request.param)
    np.savez(folder / "own.npz", x=x, y=y)
    table = {
        "network": {
            "size": 40,
            "connectivity": {"mean_degree": 6.0},
            "input": {"target": "synapse"},
        },
        "task": {
            "kind": "npz",
            "path": str(folder / "own.npz"),
            "train": 30,
            "validation": 9,
            "test": 21,
            "steps_per_frame": 5,
            "encoder": {"kind": "rate", "max_rate": 0.5},
        },
        "prune": {"method": "none", "rescale": "none", "controls": [], "homeostasis": False},
        "verify": {"backends": ["native"], "steps": 20},
    }
    run_spec(hl.Spec.parse(table), folder / "out")
    return hl.CompiledClassifier.load(folder / "out" / "compiled.hlx"), x, y


def test_a_program_of_a_run_knows_integers_by_their_names(run_program):
    """A file has the names of classes as texts; -1 is one of them where it trained."""
    program, x, y = run_program
    assert program.classes_.tolist() == [str(k) for k in sorted(set(y.tolist()))]
    assert program.score(x, y) == program.score(x, y.astype(str)) > 0.9
    report = program.report(x, y).to_dict()
    assert report["accuracy"]["test_samples"] == 60
    assert report["confusion"]["classes"] == program.classes_.tolist()
    assert report["confusion"]["accuracy"] == pytest.approx(program.score(x, y))


def test_labels_of_no_class_at_all_are_refused(run_program):
    program, x, y = run_program
    for wrong in ([(int(k), "a") for k in y], y + 100, (y + 0.5).tolist()):
        with pytest.raises(SpecError, match=r"y: labels such as .*, none of which is a class"):
            program.score(x, wrong)


def test_labels_that_print_alike_have_rows_of_their_own():
    x, y = labelled()
    labels = np.array(["1", 1, "of no class"], dtype=object)[y]
    classifier = hl.ReservoirClassifier(network={"size": 40}, encoder="rate").fit(x, labels)
    classifier.compile("loihi1")
    odd = labels.copy()
    odd[0] = "somebody"
    matrix = classifier.report(x, odd).to_dict()["confusion"]
    assert len(set(matrix["classes"])) == len(matrix["classes"]) == 4
    assert np.sum(matrix["counts"]) == 60
