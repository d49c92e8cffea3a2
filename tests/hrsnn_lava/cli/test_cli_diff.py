"""``diff`` on the command line: what it prints, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import hrsnn_lava as hl


@pytest.fixture(scope="module")
def files(tmp_path_factory: Any) -> Path:
    """Two reports and two programs: a clock onto two, and onto three silent neurons."""
    folder: Path = tmp_path_factory.mktemp("diff")
    for name, targets in (("a", 2), ("b", 3)):
        clock = hl.QuantizedPopulation("clock", 1, du=4095, dv=0, vth=10, bias_mant=100)
        quiet = hl.QuantizedPopulation("quiet", 3, du=4095, dv=0, vth=100_000)
        weights = [[2 if k < targets else 0] for k in range(3)]
        out = hl.QuantizedProjection("out", "clock", "quiet", weights, sign_mode="excitatory")
        program = hl.compile(hl.QuantizedNetwork((clock, quiet), (out,)), "loihi1")
        program.save(folder / f"{name}.hlx")
        trace = hl.simulate(program, steps=70)  # 10 spikes
        hl.report(program, trace, cost_set="davies2018").write(folder / f"{name}.json")
    return folder


def test_two_reports(run: Any, files: Path) -> None:
    done = run("diff", files / "a.json", files / "b.json")
    assert done.code == 0
    sentence = "projection out added most: +10 operations (more fan-out +10)"
    assert sentence in done.out
    assert done.err == ""


def test_json_is_one_document(run: Any, files: Path) -> None:
    document = run("diff", files / "a.json", files / "b.json", "--json").json()
    assert document["command"] == "diff"
    found = document["difference"]
    assert found["moved"] is True
    (row,) = found["projections"]
    assert (row["name"], row["change"], row["from_spikes"], row["from_fan_out"]) == (
        "out",
        10,
        0,
        10,
    )
    assert (row["before"]["fan_out"], row["after"]["fan_out"]) == (2.0, 3.0)


def test_exit_codes_as_git_diff_has_them(run: Any, files: Path) -> None:
    same, other = files / "a.json", files / "b.json"
    assert run("diff", same, same).out.endswith("nothing moved\n")
    assert run("diff", same, same, "--exit-code").code == 0
    assert run("diff", same, other, "--exit-code").code == 5
    assert run("diff", same, other, "--exit-code", "--json").code == 5


def test_markdown(run: Any, files: Path, tmp_path: Path) -> None:
    page = tmp_path / "diff.md"
    done = run("diff", files / "a.json", files / "b.json", "--markdown", page)
    assert done.out.startswith(str(files / "a.json"))
    printed = run("diff", files / "a.json", files / "b.json", "--markdown", "-")
    assert printed.out == page.read_text(encoding="utf-8")
    assert "### Projections" in printed.out
    assert run("diff", files / "a.json", files / "a.json", "--markdown", "-", "--json").code == 2


def test_two_programs(run: Any, files: Path) -> None:
    done = run("diff", files / "a.hlx", files / "b.hlx", "--json")
    found = done.json()["difference"]
    assert found["kind"] == "compiled"
    (row,) = found["synapses"]
    assert (row["before"], row["after"], row["new"], row["gone"]) == (2, 3, 1, 0)
    assert run("diff", files / "a.hlx", files / "a.hlx", "--exit-code").code == 0


def test_what_cannot_be_compared(run: Any, files: Path, tmp_path: Path) -> None:
    mixed = run("diff", files / "a.json", files / "b.hlx")
    assert mixed.code == 2
    assert "compare two reports (.json) or two artifacts (.hlx)" in mixed.err
    program = hl.CompiledNetwork.load(files / "a.hlx")
    program.network.save(tmp_path / "q.hlx")
    assert run("diff", files / "a.hlx", tmp_path / "q.hlx").code == 2
    assert run("diff", files / "a.json", tmp_path / "none.json").code == 3
    (tmp_path / "bad.json").write_text(json.dumps({"sop": 3}), encoding="utf-8")
    bad = run("diff", files / "a.json", tmp_path / "bad.json")
    assert bad.code == 3
    assert "not a report" in bad.err
    assert "Traceback" not in bad.err
