"""The same kills and the same workers on our search and on Optuna, side by side.

Both maximise the same function of two numbers, each trial with the same waiting time. Asked is

- whether 1, 2 and 4 workers try the same points and end with the same result;
- whether a search that is killed at random moments and gone on with each time tries the points of
  an undisturbed one, what it tries twice, and which trials are left that never end;
- whether going on returns at all: after `--patience` seconds it counts as hanging.

Optuna (MIT) runs in an environment of its own, with its file journal, whose two locks are both
tried, and its default sampler (TPE) with a seed. Ours runs a learning suggester and quasi-random
points.

    uv venv /tmp/optuna && uv pip install --python /tmp/optuna/bin/python optuna
    python benchmarks/search_optuna.py --optuna-python /tmp/optuna/bin/python
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from timing import table, write

HERE = Path(__file__).resolve().parent
MARKS, SECONDS = "SEARCH_OPTUNA_MARKS", "SEARCH_OPTUNA_SECONDS"
#: Numbers of workers that are compared.
WORKERS = (1, 2, 4)


def bowl(tables: Mapping[str, Any], seed: int, measure: str) -> dict[str, Any]:
    """The function of `peer_optuna.py`."""
    del seed, measure
    gain, size = tables["network"]["connectivity"]["gain"], tables["network"]["size"]
    time.sleep(float(os.environ[SECONDS]) * (0.5 + gain))
    (Path(os.environ[MARKS]) / f"{gain!r} {size} {time.monotonic_ns()}").touch()
    value = 1.0 - (gain - 0.3) ** 2 - ((size - 120) / 100) ** 2
    return {"figures": {"value": value}}


def ours(folder: str, trials: str, workers: str, suggester: str) -> None:
    """Our search, run or gone on with; prints what `peer_optuna.py` does."""
    from hrsnn_lava import __version__
    from hrsnn_lava.search.plan import SearchPlan
    from hrsnn_lava.search.pool import LocalEngine
    from hrsnn_lava.search.run_search import run_search
    from hrsnn_lava.spec import Spec

    search = {
        "trials": int(trials),
        "suggester": suggester,
        "objectives": ["maximize value"],
        "space": {"network.connectivity.gain": [0.05, 0.5], "network.size": [50, 200]},
    }
    plan = SearchPlan.of(Spec.parse({"seed": 5, "search": search}), evaluate="search_optuna:bowl")
    engine = LocalEngine(int(workers))
    found = run_search(plan, Path(folder) / "search", engine=engine, resume=True)
    rows = [
        {
            "number": trial.number,
            "state": "COMPLETE" if trial.status == "done" else trial.status,
            "params": dict(trial.asked.settings),
            "value": trial.values["value"],
        }
        for trial in found.trials
    ]
    print(json.dumps({"version": __version__, "trials": rows}))


class Contender:
    """A program that runs a search into a folder, or goes on with it.

    Args:
        name: in the table.
        command: the program; FOLDER, TRIALS and WORKERS go behind it.
        tail: what goes behind those.
    """

    def __init__(self, name: str, command: Sequence[str], tail: Sequence[str]) -> None:
        self.name, self.command, self.tail = name, command, tail

    def start(self, folder: Path, trials: int, workers: int, seconds: float) -> Any:
        """The program, begun."""
        marks = folder / "marks"
        marks.mkdir(parents=True, exist_ok=True)
        words = [*self.command, str(folder), str(trials), str(workers), *self.tail]
        environment = {**os.environ, MARKS: str(marks), SECONDS: str(seconds)}
        return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)

    def answer(self, process: Any, patience: float) -> dict[str, Any] | None:
        """What it prints; None where it does not end, and it is killed then."""
        try:
            out, _ = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None
        if process.returncode:
            raise SystemExit(f"{self.name}: ended with {process.returncode}")
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found


def digest(answer: Mapping[str, Any], ordered: bool = True) -> str:
    """Of the complete trials, points and values, in the order of their numbers or sorted."""
    rows = [
        [sorted(t["params"].items()), t["value"]]
        for t in answer["trials"]
        if t["state"] == "COMPLETE"
    ]
    text = json.dumps(rows if ordered else sorted(rows))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def measure(contender: Contender, arguments: argparse.Namespace) -> dict[str, Any]:
    """One row of the table."""
    trials, seconds, patience = arguments.trials, arguments.seconds, arguments.patience
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        digests, points = {}, {}
        for workers in WORKERS:
            process = contender.start(root / str(workers), trials, workers, seconds)
            answer = contender.answer(process, patience)
            if answer is None:
                raise SystemExit(f"{contender.name}: an undisturbed search does not end")
            digests[workers], points[workers] = digest(answer), digest(answer, ordered=False)
        killed = _killed(contender, root / "killed", arguments)
    after = killed.pop("answer")
    return {
        "name": f"{contender.name} {answer['version']}",
        "same_for_workers": len(set(digests.values())) == 1,
        "same_points_for_workers": len(set(points.values())) == 1,
        **killed,
        "same_after_kills": after is not None and digest(after) == digests[2],
        "complete": 0 if after is None else _states(after)["COMPLETE"],
        "left_running": 0 if after is None else _states(after)["RUNNING"],
        "points_twice": 0 if after is None else _twice(after),
    }


def _killed(contender: Contender, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Kill it at random moments, going on each time, and let it end at last."""
    drawn = random.Random(arguments.seed)
    kills = 0
    for _ in range(arguments.kills):
        before = len(list(folder.glob("marks/*")))
        process = contender.start(folder, arguments.trials, 2, arguments.seconds)
        deadline = time.monotonic() + arguments.patience
        # some networks later, in the midst of others
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(folder.glob("marks/*"))) > before:
                break
            time.sleep(0.01)
        time.sleep(drawn.uniform(0.0, 1.5 * arguments.seconds))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.communicate()
    process = contender.start(folder, arguments.trials, 2, arguments.seconds)
    answer = contender.answer(process, arguments.patience)
    return {
        "kills": kills,
        "hangs": answer is None,
        "measured": len(list(folder.glob("marks/*"))),
        "answer": answer,
    }


def _states(answer: Mapping[str, Any]) -> Counter[str]:
    return Counter(trial["state"] for trial in answer["trials"])


def _twice(answer: Mapping[str, Any]) -> int:
    """Complete trials at a point that an earlier one has tried."""
    points = [
        json.dumps(t["params"], sort_keys=True)
        for t in answer["trials"]
        if t["state"] == "COMPLETE"
    ]
    return len(points) - len(set(points))


def _yes(value: bool) -> str:
    return "yes" if value else "NO"


COLUMNS = {
    "name": "",
    "workers": "same for 1, 2, 4 workers",
    "points": "same points, any order",
    "kills": "kills",
    "ends": "goes on",
    "after": "same as undisturbed",
    "complete": "complete",
    "running": "never end",
    "twice": "points again",
    "measured": "measured",
}


def display(row: Mapping[str, Any]) -> dict[str, str]:
    """A row as text."""
    return {
        "name": row["name"],
        "workers": _yes(row["same_for_workers"]),
        "points": _yes(row["same_points_for_workers"]),
        "kills": str(row["kills"]),
        "ends": "hangs" if row["hangs"] else "yes",
        "after": _yes(row["same_after_kills"]),
        "complete": str(row["complete"]),
        "running": str(row["left_running"]),
        "twice": str(row["points_twice"]),
        "measured": str(row["measured"]),
    }


def main() -> int:
    """Measure all, print the table; 1 where ours is not what it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optuna-python", type=Path, help="interpreter that has Optuna")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.2, help="of a trial, mean")
    parser.add_argument("--patience", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--ours", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ours:
        ours(*arguments.ours)
        return 0
    own = [sys.executable, str(HERE / "search_optuna.py"), "--ours"]
    contenders = [Contender(f"hrsnn-lava, {s},", own, [s]) for s in ("matern", "quasi_random")]
    if arguments.optuna_python is None:
        print("Optuna is left out: give --optuna-python", file=sys.stderr)
    else:
        peer = [str(arguments.optuna_python), str(HERE / "peer_optuna.py")]
        for lock in ("symlink", "open"):
            tail = [str(arguments.seconds), lock]
            contenders.append(Contender(f"Optuna, {lock} lock,", peer, tail))
    rows = [measure(contender, arguments) for contender in contenders]
    print(table([display(row) for row in rows], COLUMNS))
    write(arguments.json, "search_optuna", rows, trials=arguments.trials)
    own_rows = [row for row in rows if row["name"].startswith("hrsnn-lava")]
    good = all(row["same_for_workers"] and row["same_after_kills"] for row in own_rows)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
