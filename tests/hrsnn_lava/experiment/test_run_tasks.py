"""Tasks that are no forecasts, through the whole line: files, table, budgets, resume, plug-ins."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hrsnn_lava import CompiledNetwork, Spec, SpikeInput, registry
from hrsnn_lava.cli.main import cli
from hrsnn_lava.errors import GateError, SpecError
from hrsnn_lava.experiment import run, run_spec

NETWORK = {"size": 40, "connectivity": {"mean_degree": 6.0}}
PRUNE = {
    "density": 0.3,
    "rescale": "none",
    "homeostasis_passes": 2,
    "controls": ["random", "no-recurrence"],
}
DIGITS = {
    "name": "tiny digits",
    "seed": 3,
    "network": {**NETWORK, "input": {"target": "synapse"}},
    "task": {
        "kind": "digit_rows",
        "train": 60,
        "validation": 20,
        "test": 40,
        "steps_per_frame": 4,
        "encoder": {"kind": "rate", "max_rate": 0.4},
        "trace_steps": [20.0],
    },
    "prune": PRUNE,
    "verify": {"backends": ["reference", "native"], "steps": 96},
    "metrics": [
        "spike_efficiency",
        {"kind": "effective_rank", "definition": "entropy"},
        "mean_correlation",
    ],
    "budgets": {
        "min_accuracy": 0.0,
        "score.spike_efficiency": 0.0,
        "max:accuracy.integer.squared_error": 9.0,
    },
}
MEMORY = {
    "name": "tiny memory",
    "seed": 3,
    "network": NETWORK,
    "task": {
        "kind": "memory",
        "train": 120,
        "validation": 40,
        "test": 60,
        "washout": 10,
        "delays": 4,
        "steps_per_sample": 4,
    },
    "prune": PRUNE | {"curve": [0.6]},
    "verify": {"backends": ["reference", "native"], "steps": 40},
}
ARMS = ["unpruned", "LNP 30 %", "LNP 30 %, integers", "random 30 %", "no recurrence"]


def written(value):
    """A number of ``report.json``, which has 13 digits."""
    return pytest.approx(value, rel=1e-12)


@pytest.fixture(scope="module", params=["digits", "memory"])
def finished(request, tmp_path_factory):
    """A task's name, its spec, the folder and the result."""
    table = {"digits": DIGITS, "memory": MEMORY}[request.param]
    out = tmp_path_factory.mktemp(request.param)
    return request.param, table, out, run_spec(Spec.parse(table), out)


def test_the_table_has_every_network_and_the_tasks_own_baselines(finished):
    name, _, _, result = finished
    baselines = {
        "digits": [
            "majority class",
            "linear, raw values",
            "linear, mean over frames",
            "linear, input spike counts",
        ],
        "memory": ["delay line, 5 values", "echo-state network, 40 units"],
    }
    headline = {"digits": "accuracy", "memory": "memory_capacity"}[name]
    assert [row["name"] for row in result.comparison] == ARMS + baselines[name]
    for row in result.comparison:
        assert row[headline] is not None
        assert (row["spikes_per_sample"] is None) == (row["name"] in baselines[name])
    rows = {row["name"]: row for row in result.comparison}
    assert rows["no recurrence"]["recurrent_sops_per_sample"] == 0
    assert rows["LNP 30 %"]["recurrent_sop_ratio"] > 1
    assert rows["unpruned"]["spikes_per_sample"] > 0


def test_the_report_knows_the_scores_by_name(finished):
    name, _, out, result = finished
    report = json.loads((out / "report.json").read_text())
    headline = {"digits": "accuracy", "memory": "memory_capacity"}[name]
    rows = {row["name"]: row for row in result.comparison}
    shown = report["accuracy"]
    assert shown["task"] == {"digits": "digit_rows", "memory": "memory"}[name]
    assert shown[f"{headline}_unpruned"] == written(rows["unpruned"][headline])
    assert shown[f"{headline}_pruned_integer"] == written(rows["LNP 30 %, integers"][headline])
    assert shown["integer"][headline] == written(rows["LNP 30 %, integers"][headline])
    assert headline.replace("_", " ") in result.summary_text
    assert "</html>" in (out / "report.html").read_text()
    assert report["parity"]["mismatches"] == 0
    points = {point["name"]: point["score"] for point in report["pruning_curve"]}
    assert points["LNP 30 %"] == written(rows["LNP 30 %"][headline])
    if name == "memory":
        assert {"LNP 60 %", "random 60 %"} <= set(points)


def test_metrics_of_a_spec_are_columns_and_the_confusion_is_the_programs(finished):
    name, _, out, result = finished
    report = json.loads((out / "report.json").read_text())
    rows = {row["name"]: row for row in result.comparison}
    if name == "memory":
        assert report["confusion"] == {}
        assert "spike_efficiency" not in rows["unpruned"]
        return
    program = rows["LNP 30 %, integers"]
    assert report["confusion"]["counts"] == program["confusion"]
    assert report["confusion"]["accuracy"] == written(program["accuracy"])
    assert report["confusion"]["classes"] == [str(k) for k in range(10)]
    assert 1 < program["effective_rank_definition_entropy"] < 40
    assert 0 < program["spike_efficiency"] < program["accuracy"]
    assert rows["majority class"]["spike_efficiency"] is None
    described = {score["name"]: score["better"] for score in report["scores"]}
    assert described["spike_efficiency"] == "higher"
    assert described["mean_correlation"] is None
    assert "mean correlation: " not in result.summary_text
    assert "CONFUSION\n" in result.summary_text


def test_the_program_reads_its_answer_from_spikes(finished):
    name, _, out, _ = finished
    compiled = CompiledNetwork.load(out / "compiled.hlx").verify()
    inputs = SpikeInput.load(out / "input.npz")
    assert inputs.n_neurons == compiled.network.n_inputs == {"digits": 8, "memory": 1}[name]
    if name == "digits":  # spikes for the program, without payloads; two samples and 24 steps
        assert inputs.payloads is None
        assert compiled.network.input_populations[0].payload_scale is None
        assert compiled.readout["weights"].shape == (2 * 40, 10)
    else:
        assert inputs.payloads is not None
        assert compiled.readout["weights"].shape == (40, 4)


def test_samples_are_those_of_the_task(finished):
    name, _, out, _ = finished
    sample = json.loads((out / "report.json").read_text())["per_sample"]
    what = {"digits": "8 frames, shown for 32 steps", "memory": "one value of the input"}[name]
    assert what in sample["what"]
    assert sample["samples"] == {"digits": 3, "memory": 10}[name]


def test_a_resumed_run_takes_its_rows_from_the_journal(finished, tmp_path, monkeypatch):
    _, table, out, result = finished
    lines = (out / "journal.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    scored = []
    original = run.score_network
    monkeypatch.setattr(
        run, "score_network", lambda name, *rest: scored.append(name) or original(name, *rest)
    )
    again = run_spec(Spec.parse(table), tmp_path, resume=True)
    assert again.comparison == result.comparison
    # the integers are scored anew, since their readout goes into the program
    assert "unpruned" not in scored
    assert "no recurrence" in scored
    for name in ("network.hlx", "compiled.hlx", "input.npz"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


def test_a_resumed_run_scores_anew_what_an_own_part_may_have_changed(
    finished, tmp_path, monkeypatch
):
    _, table, out, _ = finished
    (tmp_path / "journal.jsonl").write_bytes((out / "journal.jsonl").read_bytes())
    (tmp_path / "parts" / "task").mkdir(parents=True)
    (tmp_path / "parts" / "task" / "_helper.py").write_text("EDITED = True\n")
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path / "parts"))

    def scored(name, *_):
        raise SpecError(f"scored anew: {name}")

    monkeypatch.setattr(run, "score_network", scored)
    with pytest.raises(SpecError, match="scored anew: unpruned"):
        run_spec(Spec.parse(table), tmp_path, resume=True)


@pytest.mark.parametrize("validated", [True, False])
def test_the_report_says_where_auto_had_nothing_to_choose_by(tmp_path, monkeypatch, validated):
    original = run.score_network

    def scored(*args):
        arm = original(*args)
        return arm if validated else replace(arm, outcome=replace(arm.outcome, validation=None))

    monkeypatch.setattr(run, "score_network", scored)
    prune = PRUNE | {"rescale": "auto", "controls": []}
    result = run_spec(Spec.parse(MEMORY | {"prune": prune}), tmp_path)
    note = result.report.to_dict()["accuracy"].get("rescale", "")
    assert ("none: the task has no validation loss" in note) is not validated
    assert ("has no validation loss" in " ".join(result.summary_text.split())) is not validated
    assert ("has no validation loss" in (tmp_path / "report.html").read_text()) is not validated
    if not validated:
        assert result.comparison[1]["name"] == "LNP 30 %, rescale none"


def test_a_budget_on_a_score_can_fail_the_command(tmp_path):
    spec = tmp_path / "memory.toml"
    spec.write_text(
        'name = "tiny"\n[network]\nsize = 30\n[network.connectivity]\nmean_degree = 4.0\n'
        '[task]\nkind = "memory"\ntrain = 60\nvalidation = 20\ntest = 30\nwashout = 5\ndelays = 3\n'
        'steps_per_sample = 3\n[prune]\nmethod = "none"\nrescale = "none"\ncontrols = []\n'
        'homeostasis = false\n[verify]\nbackends = ["native"]\nsteps = 9\n'
        '[budgets]\n"min:accuracy.integer.memory_capacity" = 2.9\n'
    )
    result = CliRunner().invoke(cli, ["run", str(spec), "--out", str(tmp_path / "out")])
    assert result.exit_code == GateError.exit_code
    assert "accuracy.integer.memory_capacity" in result.output


def test_spikes_and_held_currents_are_not_confused(tmp_path):
    held = DIGITS | {"network": NETWORK}
    with pytest.raises(SpecError, match=r"network.input.target: 'bias'; allowed: 'synapse'"):
        run_spec(Spec.parse(held), tmp_path / "out")
    synapses = {**NETWORK, "input": {"target": "synapse"}}
    digits = DIGITS | {"task": DIGITS["task"] | {"encoder": "held"}}
    for spikes in (MEMORY | {"network": synapses}, digits | {"network": synapses}):
        with pytest.raises(SpecError, match=r"network.input.target: 'synapse'; allowed: 'bias'"):
            run_spec(Spec.parse(spikes), tmp_path / "out")
    more = {"task": DIGITS["task"] | {"train": 1840}}
    with pytest.raises(SpecError, match="1900; allowed: <= 1797"):
        run_spec(Spec.parse(DIGITS | more), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_kinds_and_keys_are_answered_with_the_known_ones():
    with pytest.raises(SpecError, match=r"task.kind: 'lorenz'; allowed: .*digit_rows.*lorenz63"):
        Spec.parse({"task": {"kind": "lorenz"}})
    with pytest.raises(SpecError, match=r"task.horizon: unknown key; allowed: one of .*delays"):
        Spec.parse({"task": {"kind": "memory", "horizon": 3}})


READER = '''
"""Two classes that differ in their only channel."""
from typing import ClassVar
import numpy as np
from hrsnn_lava.options import options
from hrsnn_lava.tasks.readers.base import Labelled

@options
class Steps:
    """Ones and zeros.

    Attributes:
        path: not used.
        skip: first samples, which are left out.
    """

    name: ClassVar[str] = "steps"
    path: str
    skip: int = 0

    def read(self):
        labels = np.arange(self.skip, 60) % 2
        return Labelled(labels.reshape(-1, 1, 1).astype(float), labels, ("off", "on"))
'''
ENCODER = '''
"""A spike in every step in which a value is above 0.5."""
from typing import ClassVar
import numpy as np
from hrsnn_lava.options import options
from hrsnn_lava.trace import SpikeInput

@options
class Loud:
    """All or nothing."""

    name: ClassVar[str] = "loud"

    def encode(self, values, block, rng):
        loud = np.repeat(values > 0.5, block, axis=0)
        return SpikeInput(*np.nonzero(loud), *loud.shape)
'''


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    for kind, text in (("reader", READER), ("encoder", ENCODER)):
        folder = Path(tmp_path / "parts" / kind)
        folder.mkdir(parents=True)
        (folder / ("steps.py" if kind == "reader" else "loud.py")).write_text(text)
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path / "parts"))
    registry.forget()
    yield
    monkeypatch.delenv(registry.PARTS_VARIABLE)
    registry.forget()


@pytest.mark.usefixtures("plugged")
def test_one_file_adds_a_reader_or_an_encoder():
    table = {"kind": "npz", "reader": "steps", "encoder": "loud"}
    task = Spec.parse({"task": table | {"train": 30, "validation": 10, "test": 20}}).task
    trial = task.trial(0)
    np.testing.assert_array_equal(
        np.asarray(trial.labelled.samples)[trial.split.together, 0, 0], trial.labels
    )
    spikes = trial.lesson.inputs
    assert spikes.steps.size == 10 * trial.labels[:30].sum()
    assert '"encoder": {"kind": "loud"}' in json.dumps(json.loads(_canonical(task)))


@pytest.mark.usefixtures("plugged")
def test_options_of_a_reader_stand_in_its_table():
    sizes = {"kind": "npz", "path": "file", "train": 30, "validation": 10, "test": 19}

    def parsed(reader):
        return Spec.parse({"task": sizes | {"reader": reader}})

    spec = parsed({"kind": "steps", "skip": 1})
    assert len(spec.task.samples().labels) == 59
    assert json.loads(spec.canonical())["task"]["reader"] == {"kind": "steps", "skip": 1}
    assert Spec.parse(json.loads(spec.canonical())) == spec
    assert len(parsed("steps").task.samples().labels) == 60
    # a reader without options stays a name: what was written before is unchanged
    assert json.loads(parsed({"kind": "npz"}).canonical())["task"]["reader"] == "npz"
    known = "unknown key; allowed: one of skip; the file is the task's path"
    for key in ("skp", "path"):
        with pytest.raises(SpecError, match=f"task.reader.{key}: {known}"):
            parsed({"kind": "steps", key: 1})
    with pytest.raises(SpecError, match=r"task.reader.skip: 'x'; allowed: an integer"):
        parsed({"kind": "steps", "skip": "x"})
    with pytest.raises(SpecError, match=r"task.reader.n: unknown key; allowed: none, npz has no"):
        parsed({"kind": "npz", "n": 1})


def _canonical(task):
    return Spec.parse(
        {"task": {"kind": task.kind, "reader": "steps", "encoder": "loud"}}
    ).canonical()
