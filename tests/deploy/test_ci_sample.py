"""The sample project: its tests and its gate pass, and fail once one line makes it denser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ci"
PLUGIN = ("-p", "no:hrsnn_lava", "-p", "hrsnn_lava.pytest_plugin", "-p", "no:cacheprovider")


def run(folder, *arguments):
    """A command in the sample, with the program of this environment."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        arguments,
        cwd=folder,
        env={
            **os.environ,
            "PATH": path,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def pytest_in(folder, *options):
    return run(folder, sys.executable, "-m", "pytest", *PLUGIN, *options)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "ci"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def denser(sample, tmp_path_factory):
    folder = tmp_path_factory.mktemp("denser") / "ci"
    shutil.copytree(sample, folder)
    program = folder / "network.py"
    lines = program.read_text(encoding="utf-8").split("\n")
    (line,) = [k for k, text in enumerate(lines) if text.startswith("DENSITY = 0.10")]
    lines[line] = lines[line].replace("0.10", "0.20")  # the one line
    program.write_text("\n".join(lines), encoding="utf-8")
    return folder


def check(folder, *options):
    code, output = run(folder, sys.executable, "network.py", "report.json")
    assert code == 0, output
    gate = ("hrsnn-lava", "check", "report.json", "--budgets", "budgets.toml")
    return run(folder, *gate, "--baseline", "baseline.json", *options)


def test_its_tests_pass_then_fail(sample, denser):
    code, output = pytest_in(sample, "--sop-markdown", "tests.md")
    assert code == 0, output
    assert "2 of 2 runs as in sops.json" in output
    assert "None of 2 grew." in (sample / "tests.md").read_text(encoding="utf-8")
    code, output = pytest_in(denser, "--sop-markdown", "tests.md")
    assert code == 1, output
    page = (denser / "tests.md").read_text(encoding="utf-8")
    assert "2 of 2 grew." in page
    rows = [line for line in page.split("\n") if "test_energy" in line]
    assert all("exc_exc" in row and "more fan-out" in row for row in rows)


def test_its_gate_passes_then_fails(sample, denser):
    code, output = check(sample)
    assert code == 0, output
    code, output = check(denser, "--markdown", "check.md")
    assert code == 5, output
    page = (denser / "check.md").read_text(encoding="utf-8")
    assert "exc_exc" in page[page.index("grew") :].split("\n- ")[1]


def test_its_baselines_are_of_this_version(sample):
    """Else write them anew, as the sample's README says."""
    check(sample)
    now, kept = (
        json.loads((sample / name).read_text(encoding="utf-8"))
        for name in ("report.json", "baseline.json")
    )
    for key in ("total", "per_step_max", "issued"):
        assert now["sop"][key] == kept["sop"][key]
    assert now["activity"]["spikes"] == kept["activity"]["spikes"]
    runs = json.loads((sample / "sops.json").read_text(encoding="utf-8"))["tests"].values()
    assert {run["sops"] for run in runs} == {now["sop"]["total"]}
    assert {run["steps"] for run in runs} == {now["activity"]["steps"]}


def test_it_leaves_nothing_of_a_run_behind():
    kept = {path.name for path in SAMPLE.rglob("*") if path.is_file()} - {"__pycache__"}
    assert not {name for name in kept if name in ("report.json", "tests.md", "check.md")}
