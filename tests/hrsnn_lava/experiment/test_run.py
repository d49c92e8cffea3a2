"""The whole line on a small network: files, determinism, resume, failures."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from hrsnn_lava import CompiledNetwork, Network, Spec, SpikeInput
from hrsnn_lava.errors import ParityError, SpecError
from hrsnn_lava.experiment import run, run_spec
from hrsnn_lava.sim_backends.runs.parity import Parity

SMALL = {
    "name": "small",
    "seed": 3,
    "network": {"size": 80, "connectivity": {"mean_degree": 8.0}},
    "task": {"train": 260, "horizon": 20, "starts": 1},
    "prune": {"density": 0.3, "rescale": "none", "controls": ["random", "no-recurrence"]},
    "verify": {"backends": ["reference", "native"], "steps": 200},
}
FILES = {"network.hlx", "compiled.hlx", "input.npz", "report.json", "report.html", "journal.jsonl"}


def timeless(path):
    """A report without its wall times."""

    def strip(value):
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k != "seconds"}
        return [strip(v) for v in value] if isinstance(value, list) else value

    return strip(json.loads(path.read_text()))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """One finished run."""
    out = tmp_path_factory.mktemp("run")
    return out, run_spec(Spec.parse(SMALL), out)


def test_everything_is_written_and_loads(done):
    out, result = done
    assert {p.name for p in out.iterdir()} == FILES
    compiled = CompiledNetwork.load(out / "compiled.hlx").verify()
    network = Network.load(out / "network.hlx")
    assert compiled.network.n_neurons == network.n_neurons == 80
    assert compiled.readout["weights"].shape == (80 * 3, 3)
    assert SpikeInput.load(out / "input.npz").n_neurons == 3
    assert result.parity.line() == "parity: reference = native, 200 steps, 0 mismatches"
    assert result.parity.line() in result.summary_text


def test_a_sample_is_a_point_of_the_series(done):
    sample = done[1].report.to_dict()["per_sample"]
    steps = int(sample["steps_per_sample"]["mean"])
    assert sample["what"] == f"one point of the series, held for {steps} steps"
    assert sample["samples"] == 200 // steps
    assert sample["steps_outside"] == 200 % steps


def test_the_table_has_every_arm_and_baseline(done):
    _, result = done
    names = [row["name"] for row in result.comparison]
    assert names == [
        "unpruned",
        "LNP 30 %",
        "LNP 30 %, integers",
        "random 30 %",
        "no recurrence",
        "persistence",
        "AR(10)",
        "NVAR, 2 lags, quadratic",
        "echo-state network, 80 units",
    ]
    rows = {row["name"]: row for row in result.comparison}
    assert rows["no recurrence"]["synapses"] == 0
    assert rows["LNP 30 %"]["recurrent_sop_ratio"] > 1
    assert rows["unpruned"]["recurrent_sop_ratio"] == 1
    # all arms spend about the spikes of the unpruned network: homeostasis has worked
    for name in ("LNP 30 %", "random 30 %", "no recurrence"):
        assert rows[name]["rate_error"] < 0.15


def test_a_second_run_gives_the_same_bytes_and_values(done, tmp_path):
    out, _ = done
    run_spec(Spec.parse(SMALL), tmp_path)
    for name in ("network.hlx", "compiled.hlx", "input.npz"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name
    assert timeless(tmp_path / "report.json") == timeless(out / "report.json")


def test_a_resumed_run_takes_what_is_done_and_gives_the_same(done, tmp_path, monkeypatch):
    out, _ = done
    lines = (out / "journal.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_text("".join(lines[:2]) + lines[2][:30])
    scored = []
    original = run.score_network
    monkeypatch.setattr(
        run, "score_network", lambda name, *rest: scored.append(name) or original(name, *rest)
    )
    run_spec(Spec.parse(SMALL), tmp_path, resume=True)
    assert "unpruned" not in scored
    assert "random 30 %" in scored
    assert (tmp_path / "compiled.hlx").read_bytes() == (out / "compiled.hlx").read_bytes()
    assert timeless(tmp_path / "report.json") == timeless(out / "report.json")


def test_a_killed_run_resumes(done, tmp_path):
    """SIGKILL at some moment in the middle; what is there is whole, and resume ends it."""
    out, _ = done
    spec = tmp_path / "spec.toml"
    spec.write_text(
        'name = "small"\nseed = 3\n[network]\nsize = 80\n'
        "[network.connectivity]\nmean_degree = 8.0\n"
        "[task]\ntrain = 260\nhorizon = 20\nstarts = 1\n"
        '[prune]\ndensity = 0.3\nrescale = "none"\ncontrols = ["random", "no-recurrence"]\n'
        '[verify]\nbackends = ["reference", "native"]\nsteps = 200\n'
    )
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "hrsnn_lava", "run", str(spec), "--out", str(folder)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = folder / "journal.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        if journal.exists() and journal.read_text().count("\n") >= 2:
            break
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not list(folder.glob("*.part"))
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    assert (folder / "compiled.hlx").read_bytes() == (out / "compiled.hlx").read_bytes()
    assert timeless(folder / "report.json") == timeless(out / "report.json")


def test_names_are_checked_before_any_work(tmp_path):
    for table, key, value in (
        ("compile", "profile", "loihi9"),
        ("report", "cost_set", "free"),
    ):
        spec = Spec.parse(SMALL | {table: {key: value}})
        with pytest.raises(SpecError, match=value):
            run_spec(spec, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_automatic_rescaling_tries_both_and_keeps_the_better(tmp_path):
    prune = SMALL["prune"] | {"rescale": "auto", "controls": []}
    result = run_spec(Spec.parse(SMALL | {"prune": prune}), tmp_path)
    arms = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    losses = {
        entry["result"]["name"]: entry["result"]["validation"]
        for entry in arms
        if "rescale" in entry["stage"]
    }
    assert set(losses) == {"LNP 30 %, rescale none", "LNP 30 %, rescale match"}
    assert result.comparison[1]["name"] == min(losses, key=losses.get)


def test_dropped_neurons_leave_the_network_and_its_targets(tmp_path):
    prune = SMALL["prune"] | {"drop_neurons": 0.25, "controls": []}
    result = run_spec(Spec.parse(SMALL | {"prune": prune}), tmp_path)
    assert result.comparison[1]["neurons"] == 60
    assert result.comparison[1]["rate_error"] < 0.2


def test_a_parity_failure_is_reported_and_raised(tmp_path, monkeypatch):
    def failing(*_):
        return Parity(("reference", "native"), 200, 1, "step 3, neuron 1: v is ..."), None

    monkeypatch.setattr(run, "verify_parity", failing)
    with pytest.raises(ParityError, match="step 3, neuron 1"):
        run_spec(Spec.parse(SMALL), tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["parity"]["mismatches"] == 1


def test_equal_runs_differ_in_the_journal_alone(done, tmp_path):
    """Date and run times are there; report.json, page and program are the same, byte for byte."""
    out, _ = done
    run_spec(Spec.parse(SMALL), tmp_path, made="")
    for name in FILES - {"journal.jsonl"}:
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name
    report = json.loads((out / "report.json").read_text())
    assert "seconds" not in {key for record in report["transforms"] for key in record}
    assert report["provenance"]["spec"] == json.loads(Spec.parse(SMALL).canonical())
    last = json.loads((out / "journal.jsonl").read_text().splitlines()[-1])
    assert re.fullmatch(r"run 20\d\d-\d\d-\d\dT[\d:.]+Z", last["stage"])
    names = [record["name"] for record in report["transforms"]]
    assert [name for name, _ in last["passes"]] == names
    assert 0 < sum(seconds for _, seconds in last["passes"]) < last["seconds"] < 600


def test_a_page_says_when_and_by_what_it_was_made(done, tmp_path):
    out, _ = done
    made = "2026-01-01 00:00:00 UTC by hrsnn-lava run x.toml"
    run_spec(Spec.parse(SMALL), tmp_path, made=made)
    plain, page = (
        [line for line in (folder / "report.html").read_text().splitlines() if line]
        for folder in (out, tmp_path)
    )
    assert [line for line in page if made not in line] == plain
    assert len(page) == len(plain) + 1
    assert (tmp_path / "report.json").read_bytes() == (out / "report.json").read_bytes()
    assert json.loads((tmp_path / "journal.jsonl").read_text().splitlines()[-1])["made"] == made


def test_a_resumed_run_says_what_it_took(done, tmp_path):
    out, result = done
    assert result.earlier_stages == ()
    lines = (out / "journal.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_text("".join(lines[:3]))
    again = run_spec(Spec.parse(SMALL), tmp_path, resume=True)
    assert again.earlier_stages == tuple(json.loads(line)["stage"] for line in lines[1:3])
    assert {*again.earlier_stages, *again.new_stages} == set(result.new_stages)
