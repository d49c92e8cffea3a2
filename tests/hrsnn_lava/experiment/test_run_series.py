"""Series and memory tasks through the whole line: files, table, report, from Python and by name."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from hrsnn_lava import (
    CompiledNetwork,
    Input,
    Spec,
    SpikeInput,
    build_hrsnn,
    quantize,
    registry,
)
from hrsnn_lava.cli.main import cli
from hrsnn_lava.experiment import run_spec
from hrsnn_lava.experiment.run import trial_of
from hrsnn_lava.experiment.scoring import score_network
from hrsnn_lava.tasks.base import Task

FORECAST = {"train": 250, "horizon": 10, "starts": 1, "steps_per_sample": 2, "replays": 1}
DRIVEN = {"train": 60, "validation": 20, "test": 30, "washout": 10, "steps_per_sample": 2}
#: Options, the headline, and the inputs of the network.
TASKS = {
    "rossler": (FORECAST | {"transient": 10.0}, "rmse_mean", 3),
    "lorenz96": (FORECAST | {"size": 4, "observed": 3, "transient": 1.0}, "rmse_mean", 3),
    "mackey_glass": (FORECAST | {"transient": 50.0}, "rmse_mean", 1),
    "goog": (FORECAST, "one_step_nrmse_mean", 1),
    "wind": (FORECAST | {"starts": 2}, "one_step_nrmse_mean", 1),
    "lorenz63_hidden": (DRIVEN, "nrmse", 1),
    "narma10": (DRIVEN, "nrmse", 1),
    "delayed_recall": (
        {"train": 24, "validation": 8, "test": 12, "delay": 2, "steps_per_frame": 2},
        "recall_accuracy",
        5,
    ),
    "patterns": (
        {"train": 20, "validation": 10, "test": 10, "channels": 6, "steps": 20},
        "accuracy",
        6,
    ),
}


def table(kind, options, target="bias"):
    return {
        "name": "tiny",
        "seed": 3,
        "network": {
            "size": 20,
            "connectivity": {"mean_degree": 4.0},
            "input": {"target": target},
        },
        "task": {"kind": kind} | options,
        "prune": {"method": "none", "rescale": "none", "controls": [], "homeostasis": False},
        "verify": {"backends": ["reference", "native"], "steps": 20},
    }


@pytest.mark.parametrize("kind", TASKS)
def test_a_task_scores_floats_and_integers(kind):
    options, headline, n_inputs = TASKS[kind]
    spec = Spec.parse(table(kind, options, "synapse" if kind == "patterns" else "bias"))
    assert Spec.parse(json.loads(spec.canonical())) == spec
    trial = trial_of(spec)
    assert trial.lesson.width == n_inputs
    network = build_hrsnn(spec, n_inputs=n_inputs)
    if trial.lesson.spiking:
        inputs = replace(network.population("inp"), neuron=Input())
        others = [p for p in network.populations if p.name != "inp"]
        network = replace(network, populations=(inputs, *others)).verify()
    for form in (network, quantize(network)):
        arm = score_network("arm", form, trial, 3)
        assert arm.outcome.scores.headline.name == headline
        assert np.isfinite(arm.outcome.scores.headline.value)
        assert np.isfinite(arm.outcome.validation)
        assert arm.outcome.readout["weights"].shape[0] % 20 == 0
        json.dumps(arm.row())
    assert len(trial.baselines(20)) >= 2


@pytest.mark.parametrize("kind", ["lorenz96", "patterns"])
def test_a_task_goes_through_the_line(kind, tmp_path):
    options, headline, n_inputs = TASKS[kind]
    spec = Spec.parse(table(kind, options, "synapse" if kind == "patterns" else "bias"))
    result = run_spec(spec, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["scores"][0]["name"] == headline
    rows = {row["name"]: row for row in report["comparison"]}
    names = list(registry_baselines(spec))
    assert list(rows)[-len(names) :] == names
    assert all(np.isfinite(row[headline]) for row in rows.values())
    assert report["parity"]["mismatches"] == 0
    compiled = CompiledNetwork.load(tmp_path / "compiled.hlx").verify()
    assert SpikeInput.load(tmp_path / "input.npz").n_neurons == n_inputs
    assert compiled.readout["weights"].shape[0] % 20 == 0
    assert result.summary_text.startswith(("PASS", "FAIL"))


def registry_baselines(spec):
    return spec.task.trial(spec.seed).baselines(spec.network.size)


def test_forecasters_of_recordings_stand_beside_persistence():
    for kind in ("goog", "wind", "csv"):
        assert issubclass(registry.load("task", kind), Task)
    names = list(registry_baselines(Spec.parse(table("goog", FORECAST))))
    assert names[:2] == ["persistence", "AR(10)"]


SPEC = """
name = "mine"
[network]
size = 20
[network.connectivity]
mean_degree = 4.0
[task]
kind = "csv"
path = "mine.csv"
columns = ["a", 3]
train = 250
horizon = 10
starts = 2
steps_per_sample = 2
replays = 1
[prune]
method = "none"
rescale = "none"
controls = []
homeostasis = false
[verify]
backends = ["native"]
steps = 20
"""


def test_a_series_of_ones_own_from_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    walk = np.cumsum(np.random.default_rng(0).normal(size=(300, 3)), axis=0)
    lines = ["a,text,c", *(f"{a:.4f},word {a:.0f},{c:.4f}" for a, _, c in walk)]
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "mine.toml").write_text(SPEC)
    result = CliRunner().invoke(cli, ["run", "mine.toml", "--quiet", "--full"])
    assert result.exit_code == 0, result.output
    assert "one step" in result.output
    report = json.loads((tmp_path / "out" / "mine" / "report.json").read_text())
    rows = {row["name"]: row for row in report["comparison"]}
    assert rows["persistence"]["one_step_to_persistence"] == pytest.approx(1.0)
    assert report["accuracy"]["integer"]["one_step_nrmse_mean"] is not None

    lines[41] = "1.5,word"
    lines[43] = "n/a,word,1.0"
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    result = CliRunner().invoke(cli, ["run", "mine.toml", "--quiet", "--out", "other"])
    assert result.exit_code == 3
    assert "mine.csv, line 42: 2 cells; allowed: 3, as in line 1" in result.output
    assert "mine.csv, line 44, column 1 ('a'): 'n/a'; allowed: a finite number" in result.output
    assert "Traceback" not in result.output
