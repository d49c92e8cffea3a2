"""The comparison on further seeds: the same whatever the workers, resumed or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from seed_jobs import fails_on_4, sleeps

from hrsnn_lava import Spec
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.experiment import run, run_spec
from hrsnn_lava.experiment.run_folder import JOURNAL
from hrsnn_lava.experiment.spread import FOLDER, FurtherSeeds

pytestmark = pytest.mark.once

TINY = {
    "name": "tiny",
    "seed": 3,
    "network": {"size": 40, "connectivity": {"mean_degree": 8.0}},
    "task": {"kind": "memory", "train": 60, "validation": 20, "test": 40, "washout": 5}
    | {"delays": 3},
    "prune": {
        "method": "balanced",
        "sops_per_spike": 1.0,
        "rescale": "match",
        "homeostasis_passes": 3,
        "controls": ["random", "no-recurrence"],
        "repeats": 3,
        "integers": "all",
    },
    "verify": {"backends": ["native"], "steps": 50},
}
NETWORKS = ["unpruned", "balanced", "random", "no recurrence"]


def with_prune(**changes):
    return Spec.parse(TINY | {"prune": TINY["prune"] | changes})


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished run on three seeds, in this process alone."""
    out = tmp_path_factory.mktemp("spread")
    return out, run_spec(with_prune(), out)


def test_every_network_is_there_on_every_seed(done):
    out, result = done
    found = result.report.to_dict()["spread"]
    assert found["seeds"] == [3, 4, 5]
    assert list(found["networks"]) == NETWORKS
    assert found["method"] == "balanced"
    for entry in found["networks"].values():
        for figure in ("float", "integers", "sops_per_sample", "spikes_per_sample", "cores"):
            assert len(entry[figure]["values"]) == 3, figure
    # a seed is another network
    assert len(set(found["networks"]["unpruned"]["float"]["values"])) == 3
    assert found["networks"]["no recurrence"]["sops_per_sample"]["mean"] == 0.0
    assert {path.name for path in (out / FOLDER).iterdir()} == {"4.jsonl", "5.jsonl"}


def test_the_first_seed_is_the_run_itself(done):
    _, result = done
    rows = {row["name"]: row for row in result.comparison}
    networks = result.report.to_dict()["spread"]["networks"]
    score = "memory_capacity"
    for name, form, row in (
        ("unpruned", "float", "unpruned"),
        ("balanced", "float", "balanced 1 SOP/spike"),
        ("balanced", "integers", "balanced 1 SOP/spike, integers"),
    ):
        first = networks[name][form]["values"][0]
        assert first == pytest.approx(rows[row][score], rel=1e-12)  # the digits of a report


def test_a_further_seed_is_what_a_run_of_it_gives(done, tmp_path):
    _, result = done
    alone = run_spec(
        Spec.parse(TINY | {"seed": 5, "prune": TINY["prune"] | {"repeats": 1}}), tmp_path
    )
    for name, entry in alone.report.to_dict()["spread"]["networks"].items():
        several = result.report.to_dict()["spread"]["networks"][name]
        for figure in ("float", "integers", "cores"):
            assert entry[figure]["values"] == several[figure]["values"][2:], (name, figure)
    assert not (tmp_path / FOLDER).exists()


def test_other_processes_give_the_same_bytes(done, tmp_path):
    out, result = done
    other = run_spec(with_prune(), tmp_path, workers=2)
    for name in ("report.json", "report.html", "compiled.hlx"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name
    assert other.new_stages == result.new_stages


def test_a_resumed_run_takes_whole_seeds_and_parts_of_them(done, tmp_path, monkeypatch):
    out, result = done
    for name in (JOURNAL, f"{FOLDER}/4.jsonl", f"{FOLDER}/5.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        lines = (out / name).read_text().splitlines(keepends=True)
        cut = lines if name != f"{FOLDER}/5.jsonl" else [*lines[:3], lines[3][:25]]
        (tmp_path / name).write_text("".join(cut))
    worked, original = [], run.reference
    monkeypatch.setattr(
        run, "reference", lambda bench: worked.append(bench.spec.seed) or original(bench)
    )
    again = run_spec(with_prune(), tmp_path, resume=True)
    assert worked == [3, 5]  # seed 4 was done
    assert "seed 4/networks" in again.earlier_stages
    assert "seed 5/arm/unpruned" in again.earlier_stages
    assert "seed 5/networks" in again.new_stages
    assert (tmp_path / "report.json").read_bytes() == (out / "report.json").read_bytes()
    assert again.report.data["spread"] == result.report.data["spread"]


def test_without_more_seeds_the_report_has_no_spread(tmp_path):
    result = run_spec(with_prune(repeats=1, integers="method"), tmp_path)
    assert result.report.data["spread"] == {}
    assert "SPREAD" not in result.summary_text


def test_the_method_alone_is_a_program_unless_all_are_asked_for(tmp_path):
    networks = run_spec(with_prune(repeats=2, integers="method"), tmp_path).report.data["spread"][
        "networks"
    ]
    assert [name for name in NETWORKS if networks[name]["integers"]] == ["balanced"]


def test_a_network_that_does_not_fit_is_a_row_without_integers(tmp_path, monkeypatch):
    original = run.compiled_program

    def crowded(bench, full, name, candidate):
        if name == "unpruned":
            raise CapacityError("full", violations=[])
        return original(bench, full, name, candidate)

    monkeypatch.setattr(run, "compiled_program", crowded)
    report = run_spec(with_prune(repeats=2, controls=[]), tmp_path).report
    entry = report.data["spread"]["networks"]["unpruned"]
    assert (entry["integers"], entry["fits"]) == (None, False)
    assert "does not fit" in report.to_summary()


def test_what_a_worker_raises_is_raised_here(tmp_path):
    with (
        pytest.raises(SpecError, match="seed 4 is out of order"),
        FurtherSeeds(with_prune(), fails_on_4, tmp_path, resume=False, workers=1) as seeds,
    ):
        list(seeds.results(str))


def test_a_run_that_fails_waits_for_no_seed(tmp_path):
    began = time.monotonic()
    with (
        pytest.raises(CapacityError),
        FurtherSeeds(with_prune(), sleeps, tmp_path, resume=False, workers=1),
    ):
        raise CapacityError("full", violations=[])
    assert time.monotonic() - began < 100


@pytest.mark.parametrize("repeats", [0, -1, 1.5])
def test_repeats_are_whole_and_at_least_one(repeats):
    with pytest.raises(SpecError, match=r"prune\.repeats"):
        with_prune(repeats=repeats)


@pytest.mark.once
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_workers_end_with_a_run_that_is_killed(done, tmp_path):
    """None is left to write into the journals of the run that goes on."""
    out, _ = done
    spec = tmp_path / "spec.json"
    spec.write_text(with_prune().canonical())
    program = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from hrsnn_lava import Spec\n"
        "from hrsnn_lava.experiment import run_spec\n"
        "if __name__ == '__main__':\n"
        "    spec = Spec.parse(json.loads(Path(sys.argv[1]).read_text()))\n"
        "    run_spec(spec, Path(sys.argv[2]), resume=True, workers=2)\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    folder = tmp_path / "out"
    command = [sys.executable, str(script), str(spec), str(folder)]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    journal, deadline = folder / FOLDER / "4.jsonl", time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        if journal.exists() and journal.read_text().count("\n") >= 2:
            break
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    time.sleep(0.5)
    before = journal.read_text()
    time.sleep(0.5)
    assert journal.read_text() == before
    subprocess.run(command, check=True, capture_output=True)
    assert (folder / "report.json").read_bytes() == (out / "report.json").read_bytes()
    assert json.loads((folder / "report.json").read_text())["verdict"] == "PASS"


def test_what_is_screened_has_one_name_on_every_seed(tmp_path):
    """Whichever method is kept there."""
    candidates = {"candidates": ["balanced", "random"], "draws": 1, "samples": 60, "washout": 5}
    care = {"gains": [1.0], "balance": {"passes": 2}}
    spec = with_prune(
        screen=candidates, aftercare=care, controls=["random"], repeats=3, integers="method"
    )
    found = run_spec(spec, tmp_path).report.data["spread"]
    assert found["method"] == "portfolio"
    assert list(found["networks"]) == ["unpruned", "portfolio", "random"]
    assert found["seeds"] == [3, 4, 5]
