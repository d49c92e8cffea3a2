"""Trials of a search on one and on more workers: the gain, what a trial costs beside its work.

Two kinds of trials: `waiting` ones that only pass the time, which show what the search itself adds
whatever else the machine does; and small `networks` on the memory task, whose figure needs a quiet
machine. Efficiency is ``T_1 / (W T_W)`` of the wall time of the whole search, starting processes
and choosing points included. A round of `batch` trials waits for its last one, so a batch that is
no multiple of the workers costs; trials of unlike length do, too.

The results of all numbers of workers must be equal, otherwise the script fails (exit code 1).

    python benchmarks/search_scaling.py
    python benchmarks/search_scaling.py --workers 1 2 4 --trials 32 --seconds 1
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timing import table, wall_seconds, write

from hrsnn_lava.search.ledger import LEDGER, read_entries
from hrsnn_lava.search.plan import EVALUATE, SearchPlan
from hrsnn_lava.search.pool import LocalEngine
from hrsnn_lava.search.run_search import run_search
from hrsnn_lava.search.watcher import Watcher
from hrsnn_lava.spec import Spec

SECONDS = "SEARCH_SCALING_SECONDS"
TASK = {
    "kind": "memory",
    "train": 400,
    "validation": 200,
    "test": 300,
    "washout": 30,
    "delays": 10,
    "steps_per_sample": 5,
}


def waiting(tables: Mapping[str, Any], seed: int, measure: str) -> dict[str, Any]:
    """A trial that takes a known time: by its gain half to three halves of it."""
    del seed, measure
    gain = tables["network"]["connectivity"]["gain"]
    time.sleep(float(os.environ[SECONDS]) * (0.5 + gain))
    return {"figures": {"score": -((gain - 0.3) ** 2)}, "better": "higher"}


class Clock(Watcher):
    """Adds up the seconds that points take to be chosen."""

    choosing = 0.0

    def chosen(self, round_: int, count: int, seconds: float) -> None:
        """Points of a round."""
        super().chosen(round_, count, seconds)
        self.choosing += seconds


def plan_of(kind: str, trials: int, batch: int) -> SearchPlan:
    """A search of the gain, and of the time constants of networks."""
    space: dict[str, Any] = {"network.connectivity.gain": [0.0, 1.0]}
    if kind == "networks":
        tau = {"distribution": "gamma", "cv": [0.1, 1.0], "mean": [0.005, 0.05]}
        space = {"network.connectivity.gain": [0.05, 0.5]}
        space["network.neurons.excitatory.tau_mem"] = {**tau, "low": 0.002, "high": 0.2}
    search = {"trials": trials, "batch": batch, "suggester": "matern", "space": space}
    network = {"size": 200, "connectivity": {"mean_degree": 30.0}}
    spec = Spec.parse({"name": kind, "network": network, "task": TASK, "search": search})
    evaluate = EVALUATE if kind == "networks" else "search_scaling:waiting"
    return SearchPlan.of(spec, evaluate=evaluate)


def measure(kind: str, workers: int, plan: SearchPlan) -> dict[str, Any]:
    """One row: the search in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        clock, digests = Clock(), list[str]()

        def search() -> None:
            engine = LocalEngine(workers)
            digests.append(run_search(plan, Path(folder), engine=engine, watcher=clock).digest)

        wall = wall_seconds(search)
        entries = read_entries(Path(folder) / LEDGER)[0]
    work = sum(entry["seconds"] for entry in entries if entry["kind"] == "result")
    return {
        "kind": kind,
        "workers": workers,
        "trials": plan.options.trials,
        "batch": plan.options.batch,
        "wall_s": wall,
        "work_s": work,
        "choosing_s": clock.choosing,
        "busy": work / (workers * wall),
        "digest": digests[0],
    }


COLUMNS = {
    "kind": "trials",
    "workers": "workers",
    "wall": "s",
    "work": "s of trials",
    "choosing": "s choosing",
    "gain": "gain",
    "efficiency": "efficiency",
    "busy": "workers busy",
}


def display(row: Mapping[str, Any]) -> dict[str, str]:
    """A row of figures as text."""
    return {
        "kind": f"{row['trials']} {row['kind']}, rounds of {row['batch']}",
        "workers": str(row["workers"]),
        "wall": f"{row['wall_s']:.2f}",
        "work": f"{row['work_s']:.2f}",
        "choosing": f"{row['choosing_s']:.2f}",
        "gain": f"{row['gain']:.2f}",
        "efficiency": f"{100 * row['efficiency']:.0f} %",
        "busy": f"{100 * row['busy']:.0f} %",
    }


def main() -> int:
    """Measure, print, and compare the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a waiting trial, mean")
    parser.add_argument("--kinds", nargs="+", default=["waiting", "networks"])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.environ[SECONDS] = str(arguments.seconds)
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores\n")
    rows = []
    for kind in arguments.kinds:
        plan = plan_of(kind, arguments.trials, arguments.batch)
        if kind == "networks":
            measure(kind, 1, plan_of(kind, 1, 1))  # compiles
        mine = [measure(kind, workers, plan) for workers in arguments.workers]
        for row in mine:
            row["gain"] = mine[0]["wall_s"] / row["wall_s"] * mine[0]["workers"]
            row["efficiency"] = row["gain"] / row["workers"]
        rows += mine
    print(table([display(row) for row in rows], COLUMNS))
    write(arguments.json, "search_scaling", rows, load=os.getloadavg()[0])
    for kind in arguments.kinds:
        if len({row["digest"] for row in rows if row["kind"] == kind}) > 1:
            print(f"the results of {kind} trials differ", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
