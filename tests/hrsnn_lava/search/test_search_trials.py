"""Trials: a function of the job, in a process of its own, whatever becomes of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import search_cases
from search_cases import FOLDER, SECONDS

from hrsnn_lava import __version__
from hrsnn_lava.errors import SpecError
from hrsnn_lava.search.pool import LocalEngine, ServerSlot, TrialServer
from hrsnn_lava.search.trial import Job, TrialResult, gains_of, run_job, values_of
from hrsnn_lava.search_options import Objective


def job(size: int = 130, gain: float = 0.3, **changes: Any) -> Job:
    tables = {"network": {"size": size, "connectivity": {"gain": gain}}}
    made = Job(
        trial=0,
        tables=tables,
        seeds=(1, 2),
        objectives=("score",),
        evaluate="search_cases:troubled",
        version=__version__,
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def slot() -> Iterator[ServerSlot]:
    made = ServerSlot()
    yield made
    made.close()


def test_a_process_answers_what_the_function_does(slot: ServerSlot) -> None:
    found = slot.run(job())
    expected = run_job(job(), search_cases.troubled)
    assert found.status == expected["status"] == "done"
    assert list(found.figures) == expected["figures"]
    assert found.better == "higher"
    assert found.attempts == 1
    assert found.peak_mb > 1
    assert TrialResult.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert Job.from_dict(json.loads(json.dumps(job().to_dict()))) == job()


@pytest.mark.parametrize(
    ("size", "kind", "error", "message"),
    [
        (50, "error", "SpecError", "network.size: 50; allowed: >= 60"),
        (65, "error", "SystemExit", "no licence"),
        (66, "error", "ZeroDivisionError", "a bug"),
        (95, "memory", "MemoryError", ""),
        (85, "time", "", "not done after 0.2 s"),
    ],
)
def test_what_goes_wrong_is_an_answer(
    slot: ServerSlot, size: int, kind: str, error: str, message: str
) -> None:
    found = slot.run(job(size, seconds=0.2, memory_mb=2000))
    assert found.status == "failed"
    assert found.failure is not None
    assert (found.failure.kind, found.failure.error) == (kind, error)
    assert message in found.failure.message
    assert found.attempts == 1  # it would go the same way again
    assert slot.run(job()).status == "done"  # the next one sees nothing of it


def test_a_trial_that_always_dies_is_tried_so_often(slot: ServerSlot) -> None:
    found = slot.run(job(75, retries=2))
    assert found.failure is not None
    assert found.failure.kind == "killed"
    assert "SIGKILL" in found.failure.message
    assert found.attempts == 3


def test_a_trial_that_died_by_chance_is_tried_again(
    slot: ServerSlot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    engine = LocalEngine(1)
    asked = job(evaluate="search_cases:killed_once", retries=1)
    (found,) = engine.run([asked])
    engine.close()
    assert (found.status, found.attempts) == ("done", 2)
    assert list(found.figures) == run_job(asked, search_cases.bowl)["figures"]


def test_a_server_that_dies_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, "30")
    engine = LocalEngine(1)
    results = engine.run([job(retries=0)])

    def kill() -> None:
        while (server := engine._slots[0]._server) is None:
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(server.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    (found,) = results
    thread.join()
    assert found.failure is not None
    assert found.failure.kind == "killed"
    (after,) = engine.run([job(50)])
    assert after.failure is not None
    assert after.failure.error == "SpecError"
    engine.close()


def test_a_trial_ends_with_who_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipe is closed, as by a kill of the program: no trial is left that goes on."""
    monkeypatch.setenv(SECONDS, "30")
    server = TrialServer("search_cases:bowl")
    assert server._process.stdin is not None
    asked = job(evaluate="search_cases:bowl")
    server._process.stdin.write(json.dumps(asked.to_dict()).encode() + b"\n")
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    if not children.exists():
        pytest.skip("children of a process are not told here")
    deadline = time.monotonic() + 20
    while not (pids := children.read_text().split()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < 10
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_trial_ends_with_the_process_that_runs_it() -> None:
    """Who asked hears of it at once, and not when the trial, without a limit, would be over."""
    os.environ[SECONDS] = "30"
    try:
        server = TrialServer("search_cases:bowl")
    finally:
        del os.environ[SECONDS]
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    pids = list[str]()

    def kill() -> None:
        deadline = time.monotonic() + 20
        while not pids and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                pids[:] = children.read_text().split()
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(server.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    began = time.monotonic()
    found = server.run(job(evaluate="search_cases:bowl"))
    assert time.monotonic() - began < 25
    thread.join()
    server.close()
    assert found.failure is not None
    assert found.failure.kind == "killed"
    if sys.platform == "linux":
        assert pids
        assert not any(running(int(pid)) for pid in pids)


def test_what_a_trial_leaves_behind_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    server = TrialServer("search_cases:leaves_a_process")
    began = time.monotonic()
    found = server.run(job(evaluate="search_cases:leaves_a_process", seeds=(1,)))
    assert time.monotonic() - began < 25
    server.close()
    assert found.status == "done"
    assert not running(int((tmp_path / "left").read_text()))


def running(pid: int) -> bool:
    """Whether a process is there and is not over; it has a moment to go."""
    stat = Path(f"/proc/{pid}/stat")
    for _ in range(50):
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.1)
                continue
        return False
    return True


def test_limits_of_any_size(slot: ServerSlot) -> None:
    assert slot.run(job(seconds=1e15)).status == "done"
    found = slot.run(job(memory_mb=1))
    if sys.platform == "linux":
        assert found.failure is not None
        assert found.failure.kind == "memory"
        assert "memory_mb = 1; the program alone takes" in found.failure.message
        assert found.attempts == 1


def test_a_trial_without_memory_for_blas_ends() -> None:
    """OpenBLAS tries for ever where it is refused its working memory."""
    server = TrialServer("search_cases:multiplies")
    found = server.run(job(evaluate="search_cases:multiplies", seeds=(1,), seconds=20.0))
    server.close()
    assert found.status == "done"


def test_another_version_runs_nothing(slot: ServerSlot) -> None:
    found = slot.run(job(version="0.0.1"))
    assert found.failure is not None
    assert found.failure.error == "Version"


def test_a_search_needs_a_worker() -> None:
    with pytest.raises(SpecError, match="workers: 0; allowed: >= 1"):
        LocalEngine(0)


def test_objectives_are_means_of_ratios() -> None:
    objectives = [Objective.parse("maximize a / b"), Objective.parse("minimize b")]
    each = [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]
    assert values_of(objectives, each) == [(0.5 + 0.75) / 2, 3.0]
    assert gains_of(objectives, each, "") == [0.625, -3.0]
    assert gains_of([Objective("score")], [{"score": 2.0}], "lower") == [-2.0]
    assert gains_of(objectives, [{"a": 1.0, "b": 0.0}], "") is None
    # nothing that a process could be fitted to
    assert gains_of(objectives, [{"a": 1.0, "b": 1e-320}], "") is None
    assert gains_of(objectives, [{"a": 1.0, "b": -1e200}], "") is None
    with pytest.raises(KeyError):
        gains_of(objectives, [{"a": 1.0}], "")


def test_a_hopeless_trial_is_stopped() -> None:
    asked = job(seeds=(1, 2, 3), evaluate="", thresholds={"1": (10.0,)})
    found = run_job(asked, search_cases.bowl)
    assert (found["status"], len(found["figures"])) == ("stopped", 1)
    hopeful = replace(asked, thresholds={"1": (-10.0,), "3": (10.0,)})
    found = run_job(hopeful, search_cases.bowl)  # after the last one nothing is left to stop
    assert (found["status"], len(found["figures"])) == ("done", 3)
    # worse in one objective alone is no reason
    both = replace(asked, objectives=("score", "minimize size"), thresholds={"1": (10.0, -1e9)})
    assert run_job(both, search_cases.bowl)["status"] == "done"
