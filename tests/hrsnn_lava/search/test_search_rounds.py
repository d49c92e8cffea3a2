"""A search gives the same result however many trials run at once, and after any kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from children import start
from hypothesis import given, settings
from hypothesis import strategies as st
from search_cases import FOLDER, SECONDS, Inline, plan_of

from hrsnn_lava.errors import BackendError, SpecError
from hrsnn_lava.search.history import History
from hrsnn_lava.search.ledger import LEDGER, Ledger, LedgerError, locked, read_entries
from hrsnn_lava.search.plan import SearchPlan
from hrsnn_lava.search.pool import LocalEngine
from hrsnn_lava.search.result import SearchResult
from hrsnn_lava.search.run_search import run_search
from hrsnn_lava.search.trial import TrialResult

#: Several networks a trial, hopeless ones given up, several objectives, fresh seeds in the end.
FULL = {
    "trials": 10,
    "batch": 3,
    "repeats": 3,
    "stop": {"trials": 3},
    "objectives": ["score", "minimize size"],
    "confirm": 2,
}


def searched(plan: SearchPlan, out: Path, **more: Any) -> SearchResult:
    return run_search(plan, out, engine=more.pop("engine", None) or Inline(), **more)


def kinds(folder: Path, kind: str) -> list[Any]:
    return [e for e in read_entries(folder / LEDGER)[0] if e["kind"] == kind]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SearchResult]:
    """The search of `FULL`, undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, searched(plan_of(**FULL), folder)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_number_of_workers_changes_nothing(
    whole: tuple[Path, SearchResult], tmp_path: Path, workers: int
) -> None:
    """Real processes, against trials in this one."""
    found = searched(plan_of(**FULL), tmp_path, engine=LocalEngine(workers))
    assert found.digest == whole[1].digest
    assert (tmp_path / "result.json").read_bytes() == (whole[0] / "result.json").read_bytes()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_in_which_trials_end_changes_nothing(
    whole: tuple[Path, SearchResult], tmp_path: Path, seed: int
) -> None:
    engine = Inline(seed)
    assert searched(plan_of(**FULL), tmp_path, engine=engine).digest == whole[1].digest
    assert engine.ran[:10] != sorted(engine.ran[:10])


@given(data=st.data())
@settings(max_examples=8)
def test_a_ledger_cut_anywhere_is_gone_on_with(
    whole: tuple[Path, SearchResult], tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    """What a kill leaves: whole lines, and part of one more."""
    text = (whole[0] / LEDGER).read_bytes()
    folder = tmp_path_factory.mktemp("cut")
    cut = data.draw(st.integers(0, len(text)))
    (folder / LEDGER).write_bytes(text[:cut])
    there = {e["trial"] for e in kinds(folder, "result")} if text[:cut].count(b"\n") else set()
    engine = Inline(cut)
    found = searched(plan_of(**FULL), folder, engine=engine, resume=True)
    assert found.digest == whole[1].digest
    assert there.isdisjoint(engine.ran)  # no trial that has ended runs again
    assert found.earlier == len(there)


@pytest.mark.parametrize("most", [0, 1, 4, 9])
def test_an_interrupted_search_loses_nothing(
    whole: tuple[Path, SearchResult], tmp_path: Path, most: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        searched(plan_of(**FULL), tmp_path, engine=Inline(1, most))
    assert len(kinds(tmp_path, "result")) == most
    found = searched(plan_of(**FULL), tmp_path, resume=True)
    assert (found.digest, found.earlier) == (whole[1].digest, most)


@pytest.mark.parametrize(("first", "suggester"), [(5, "random"), (4, "quasi_random")])
def test_more_trials_go_on_as_if_they_had_been_asked_for(
    tmp_path: Path, first: int, suggester: str
) -> None:
    """Rounds of 4: the first search ends within one, or at the end of one."""
    long = plan_of(trials=10, suggester=suggester)
    at_once = searched(long, tmp_path / "once")
    searched(plan_of(trials=first, suggester=suggester), tmp_path / "two")
    engine = Inline()
    found = searched(long, tmp_path / "two", engine=engine, resume=True)
    assert found.digest == at_once.digest
    assert sorted(engine.ran) == list(range(first, 10))
    fewer = searched(plan_of(trials=first, suggester=suggester), tmp_path / "two", resume=True)
    assert len(fewer.trials) == first


def test_a_learning_suggester_is_told_in_the_order_of_the_trials(tmp_path: Path) -> None:
    """Points depend on values, so an order of their own would show."""
    plan = plan_of(trials=10, suggester={"kind": "matern", "initial": 4})
    one = searched(plan, tmp_path / "a", engine=Inline(1))
    two = searched(plan, tmp_path / "b", engine=Inline(2))
    assert one.digest == two.digest
    with pytest.raises(KeyboardInterrupt):
        searched(plan, tmp_path / "c", engine=Inline(3, 7))
    three = searched(plan, tmp_path / "c", engine=Inline(4), resume=True)
    assert three.digest == one.digest
    assert one.data["learned"]["score"]["importance"].keys() == set(one.data["coordinates"])


class Programs:
    """Searches in processes of their own, to be killed; see `search_cases.drive`."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "search_cases"]
        paths = os.pathsep.join(sys.path)
        self._forks = start(
            command, stdin=subprocess.PIPE, stderr=None, env={**os.environ, "PYTHONPATH": paths}
        )

    def begin(self, **job: Any) -> int:
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        self._forks.stdin.write(json.dumps(job) + "\n")
        self._forks.stdin.flush()
        return int(self._forks.stdout.readline())

    def close(self) -> None:
        self._forks.communicate(timeout=60)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ends(pid: int) -> None:
    deadline = time.monotonic() + 120
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def killed_again_and_again(
    folder: Path, marks: Path, moments: Sequence[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill the program at these moments after its ledger grows, resume, and compare."""
    marks.mkdir()
    monkeypatch.setenv(FOLDER, str(marks))
    monkeypatch.setenv(SECONDS, "0.05")
    job = {"folder": str(folder), "evaluate": "counted", "workers": 2}
    job["table"] = {"trials": 8 + 2 * len(moments), "repeats": 2}
    programs, kills = Programs(), 0
    for moment in moments:
        size, pid = _size(folder), programs.begin(**job)
        while alive(pid) and _size(folder) == size:
            time.sleep(0.005)
        time.sleep(moment)
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
            kills += 1
        ends(pid)
    ends(programs.begin(**job))
    programs.close()
    assert kills == len(moments)
    trials = job["table"]["trials"]
    results = [entry["trial"] for entry in kinds(folder, "result")]
    assert sorted(results) == list(range(trials))
    # what ran twice is what was cut off: at most the two networks of the two trials that ran then
    assert 2 * trials <= len(list(marks.iterdir())) <= 2 * trials + 4 * kills
    monkeypatch.setenv(SECONDS, "0")
    searched(plan_of("counted", **job["table"]), folder.with_name("undisturbed"))
    there = folder.with_name("undisturbed") / "result.json"
    assert (folder / "result.json").read_bytes() == there.read_bytes()


def _size(folder: Path) -> int:
    path = folder / LEDGER
    return path.stat().st_size if path.exists() else -1


def test_a_killed_program_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_again_and_again(tmp_path / "out", tmp_path / "marks", (0.0, 0.03, 0.12), monkeypatch)


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = random.Random(0)
    moments = [drawn.uniform(0.0, 0.12) for _ in range(20)]
    killed_again_and_again(tmp_path / "out", tmp_path / "marks", moments, monkeypatch)


def test_a_folder_with_a_search_is_left_alone(tmp_path: Path) -> None:
    searched(plan_of(), tmp_path)
    before = (tmp_path / LEDGER).read_bytes()
    with pytest.raises(SpecError, match=r"a search with 8 trials.*--resume"):
        searched(plan_of(), tmp_path)
    assert (tmp_path / LEDGER).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "path", "here", "there"),
    [
        ({"batch": 5}, "search.batch", "5", "4"),
        ({"suggester": "quasi_random"}, "search.suggester.kind", '"quasi_random"', '"random"'),
        ({"seconds": 3.0}, "search.seconds", "3.0", "null"),
        (
            {"space": {"network.connectivity.gain": [0.05, 0.4], "network.size": [50, 200]}},
            "search.space.network.connectivity.gain.high",
            "0.4",
            "0.5",
        ),
    ],
)
def test_another_search_is_refused_with_what_differs(
    tmp_path: Path, change: Any, path: str, here: str, there: str
) -> None:
    searched(plan_of(), tmp_path)
    with pytest.raises(SpecError, match="holds another search") as error:
        searched(plan_of(**change), tmp_path, resume=True)
    (problem,) = error.value.problems
    assert (problem.where, problem.measured) == (path, f"{here} here")
    assert problem.allowed == f"{there}, as in the ledger"
    searched(plan_of(retries=3, confirm=1), tmp_path, resume=True)  # these do not matter


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(SpecError, match="in use"):
        searched(plan_of(), tmp_path)


def test_a_damaged_ledger_is_refused(tmp_path: Path) -> None:
    searched(plan_of(), tmp_path)
    data = (tmp_path / LEDGER).read_bytes()
    (tmp_path / LEDGER).write_bytes(data.replace(b'"done"', b'"dome"', 1))
    with pytest.raises(LedgerError, match="damaged"):
        searched(plan_of(), tmp_path, resume=True)


def test_a_ledger_that_no_search_writes_is_refused(tmp_path: Path) -> None:
    plan = plan_of()
    with Ledger.open(tmp_path / LEDGER, plan.head()) as ledger:
        ledger.append({"kind": "result", **TrialResult(3, "done").to_dict()})
    with pytest.raises(LedgerError, match="a result of trial 3"):
        searched(plan, tmp_path, resume=True)


def test_an_objective_that_is_none_ends_the_search_at_once(tmp_path: Path) -> None:
    engine = Inline()
    with pytest.raises(SpecError, match="'heigth'; allowed: height, score, size") as error:
        searched(plan_of(objectives=["maximize heigth"]), tmp_path, engine=engine)
    assert "Did you mean 'height'?" in str(error.value)
    assert len(engine.ran) == 1


def test_a_machine_of_another_version_ends_the_search(tmp_path: Path) -> None:
    class Elsewhere(Inline):
        def run(self, jobs: Any) -> Any:
            for result in super().run(jobs):
                failure = {"kind": "error", "message": "made by 2, run by 1", "error": "Version"}
                yield TrialResult.from_dict({**result.to_dict(), "failure": failure})

    with pytest.raises(BackendError, match="made by 2, run by 1"):
        searched(plan_of(), tmp_path, engine=Elsewhere())
    assert not kinds(tmp_path, "result")


def test_failed_trials_are_told_and_survived(tmp_path: Path) -> None:
    space = {"network.size": {"values": [50, 65, 75, 85, 95, 105, 130]}}
    space["network.connectivity.gain"] = [0.05, 0.5]
    limits = {"seconds": 0.2, "memory_mb": 2000, "retries": 0}
    plan = plan_of("troubled", trials=20, space=space, **limits)
    found = searched(plan, tmp_path / "a", engine=LocalEngine(2))
    kinds_of = {t.failure.kind for t in found.trials if t.failure is not None}
    assert kinds_of == {"error", "memory", "time", "killed"}
    assert found.best.status == "done"
    not_a_number = [t for t in found.trials if t.failure and "not defined" in t.failure.message]
    sizes = {t.asked.settings["network.size"] for t in not_a_number}
    assert sizes == {105}
    again = searched(plan, tmp_path / "b", engine=LocalEngine(1))
    assert again.digest == found.digest


def test_thresholds_are_quantiles_of_earlier_trials(tmp_path: Path) -> None:
    """Against the rule by hand, on the gains of the networks of the ledger."""
    plan = plan_of(trials=12, repeats=3, stop={"trials": 4, "quantile": 0.5, "after": 1})
    searched(plan, tmp_path)
    asked, results = kinds(tmp_path, "asked"), kinds(tmp_path, "result")
    scores = {r["trial"]: [f["score"] for f in r["figures"]] for r in results}
    assert asked[0]["thresholds"] == {}
    for entry in asked[4:]:
        before = [scores[n] for n in range(4 * entry["round"])]
        for count in (1, 2):
            means = [np.mean(s[:count]) for s in before if len(s) >= count]
            if len(means) >= 4:
                level = np.quantile(means, 0.5, method="lower")
                assert entry["thresholds"][str(count)] == [pytest.approx(level, abs=1e-15)]
    for entry in asked:
        done = scores[entry["trial"]]
        bound = entry["thresholds"].get("1", [-np.inf])[0]
        assert (len(done) == 1) == (done[0] < bound)
    assert any(len(s) < 3 for s in scores.values())


def test_a_stopped_trial_is_never_the_best(tmp_path: Path) -> None:
    plan = plan_of(trials=12, repeats=3, stop={"trials": 4})
    found = searched(plan, tmp_path)
    history = History.of(read_entries(tmp_path / LEDGER)[0], plan.objectives)
    stopped = [t for t in history.ended() if t.status == "stopped"]
    assert stopped
    assert found.best.status == "done"
    assert not {t.number for t in stopped} & set(found.data["front"])
    assert not history.told(12)[stopped[0].number].failed  # but a suggester learns of it


def test_seeds_are_shared_or_fresh() -> None:
    assert plan_of(repeats=2).seeds(7) == (5, 6)
    assert plan_of(repeats=2, fresh_seeds=True).seeds(7) == (19, 20)
