"""The benchmarks of searches run at tiny sizes, and their results agree. No timing."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.once

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MODULES = ("timing", "search_scaling", "search_optuna")


@pytest.fixture(scope="module")
def bench() -> Iterator[dict[str, Any]]:
    """The scripts as modules, which they are to each other."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in MODULES:
            sys.modules.pop(name, None)


def run(module: Any, arguments: list[Any], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    code: int = module.main()
    return code


def test_workers_give_the_same_result(
    bench: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "s.json"
    arguments = ["--workers", 1, 2, "--trials", 4, "--batch", 2, "--seconds", 0.01]
    arguments += ["--kinds", "waiting", "--json", out]
    assert run(bench["search_scaling"], arguments, monkeypatch) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["workers"] for row in rows] == [1, 2]
    assert rows[0]["digest"] == rows[1]["digest"]
    assert rows[0]["gain"] == 1.0


def test_results_that_differ_fail(
    bench: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, digests = bench["search_scaling"], iter("ab")

    def measure(kind: str, workers: int, _: Any) -> dict[str, Any]:
        times = dict.fromkeys(("wall_s", "work_s", "choosing_s", "busy"), 1.0)
        return (
            {"kind": kind, "workers": workers, "trials": 1, "batch": 1}
            | times
            | {"digest": next(digests)}
        )

    monkeypatch.setattr(script, "measure", measure)
    arguments = ["--workers", 1, 2, "--trials", 1, "--batch", 1, "--kinds", "waiting"]
    assert run(script, arguments, monkeypatch) == 1
    assert "the results of waiting trials differ" in capsys.readouterr().err


def test_what_is_told_of_the_trials_of_a_contender(bench: dict[str, Any]) -> None:
    script = bench["search_optuna"]
    states = ["COMPLETE", "RUNNING", "COMPLETE", "COMPLETE"]
    trials = [
        {"number": k, "state": state, "params": {"a": k % 3}, "value": 1.0 + k % 3}
        for k, state in enumerate(states)
    ]
    answer = {"trials": trials}
    assert script._twice(answer) == 1  # the first and the last are at one point
    other = {"trials": [trials[2], trials[0], trials[3]]}
    assert script.digest(answer) != script.digest(other)
    assert script.digest(answer, ordered=False) == script.digest(other, ordered=False)


@pytest.mark.slow
def test_kills_change_nothing_of_ours(
    bench: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "o.json"
    arguments = ["--trials", 8, "--kills", 2, "--seconds", 0.05, "--json", out]
    assert run(bench["search_optuna"], arguments, monkeypatch) == 0
    for row in json.loads(out.read_text())["rows"]:
        assert (row["complete"], row["left_running"], row["points_twice"]) == (8, 0, 0)
