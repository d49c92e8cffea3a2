"""What searches of tests measure: in no time, and with every way to fail that a trial can have."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.search.trial import Job, TrialResult, run_job

if TYPE_CHECKING:
    from hrsnn_lava.search.plan import SearchPlan

#: Tells trials where they count themselves, and how long they take.
FOLDER, SECONDS = "SEARCH_CASES_FOLDER", "SEARCH_CASES_SECONDS"
SPACE = {"network.connectivity.gain": [0.05, 0.5], "network.size": [50, 200]}
_NOTHING = {"cpu_s": 0.0, "peak_mb": 0.0, "attempts": 1}


def bowl(tables: Mapping[str, Any], seed: int, measure: str) -> dict[str, Any]:
    """A bowl with its top at gain 0.3 and 120 neurons, with noise of the seed."""
    del measure
    gain, size = tables["network"]["connectivity"]["gain"], tables["network"]["size"]
    noise = 0.01 * math.sin(12.9898 * seed + 78.233 * gain)
    height = 1.0 - (gain - 0.3) ** 2 - ((size - 120) / 100) ** 2 + noise
    time.sleep(float(os.environ.get(SECONDS, "0")))
    return {"figures": {"score": height, "height": height, "size": size}, "better": "higher"}


def counted(tables: Mapping[str, Any], seed: int, measure: str) -> dict[str, Any]:
    """The bowl; every network that was measured to its end leaves a file."""
    answer = bowl(tables, seed, measure)
    gain = tables["network"]["connectivity"]["gain"]
    name = f"{gain!r}-{seed}-{os.getpid()}-{time.monotonic_ns()}"
    (Path(os.environ[FOLDER]) / name).touch()
    return answer


def troubled(tables: Mapping[str, Any], seed: int, measure: str) -> dict[str, Any]:
    """The bowl where the network is large; below, one fault after the other."""
    size = tables["network"]["size"]
    if size < 60:
        problem = Problem("network.size", str(size), ">= 60")
        raise SpecError("too small", problems=[problem])
    if size < 66:
        raise SystemExit("no licence")
    if size < 70:
        raise ZeroDivisionError("a bug")
    if size < 80:
        os.kill(os.getpid(), signal.SIGKILL)
    if size < 90:
        while True:
            time.sleep(1)
    if size < 100:
        bytearray(1 << 36)
    answer = bowl(tables, seed, measure)
    if size < 110:
        answer["figures"]["score"] = math.nan
    return answer


def killed_once(tables: Mapping[str, Any], seed: int, measure: str) -> dict[str, Any]:
    """The bowl; the first process of every gain is killed."""
    mark = Path(os.environ[FOLDER]) / repr(tables["network"]["connectivity"]["gain"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return bowl(tables, seed, measure)


def kills_its_worker(tables: Mapping[str, Any], seed: int, measure: str) -> dict[str, Any]:
    """The bowl; the largest networks end the worker of a cluster that runs them."""
    if tables["network"]["size"] >= 130:
        above = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2]
        os.kill(int(above.split()[1]), signal.SIGKILL)
        time.sleep(60)
    return bowl(tables, seed, measure)


def leaves_a_process(tables: Mapping[str, Any], seed: int, measure: str) -> dict[str, Any]:
    """The bowl; a process that is left behind goes on, and has all that is open here."""
    import multiprocessing

    left = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    left.start()
    (Path(os.environ[FOLDER]) / "left").write_text(str(left.pid))
    return bowl(tables, seed, measure)


def multiplies(tables: Mapping[str, Any], seed: int, measure: str) -> dict[str, Any]:
    """The bowl, after the first product of matrices in a process that may take no more memory."""
    import resource

    import numpy as np

    square = np.ones((200, 200))
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 20), taken + (1 << 20)))
    square @ square
    return bowl(tables, seed, measure)


def plan_of(evaluate: str = "bowl", **table: Any) -> SearchPlan:
    """A search of gain and size on one of the functions here; `table` goes into ``[search]``."""
    # not at the top: processes of trials import this module, and need none of it
    from hrsnn_lava.search.plan import SearchPlan
    from hrsnn_lava.spec import Spec

    search = {"trials": 8, "suggester": "random", "space": SPACE} | table
    spec = Spec.parse({"name": "bowl", "seed": 5, "search": search})
    return SearchPlan.of(spec, evaluate=f"search_cases:{evaluate}")


class Inline:
    """Trials in this process, in an order of its own; it can be cut short after so many."""

    workers = 1

    def __init__(self, seed: int = 0, most: int | None = None) -> None:
        self.random, self.left = random.Random(seed), most
        self.ran: list[int] = []

    def run(self, jobs: Sequence[Job]) -> Iterator[TrialResult]:
        for job in self.random.sample(list(jobs), len(jobs)):
            if self.left is not None and self.left == len(self.ran):
                raise KeyboardInterrupt
            # as it arrives elsewhere
            job = Job.from_dict(json.loads(json.dumps(job.to_dict())))
            answer = run_job(job, globals()[job.evaluate.partition(":")[2]])
            self.ran.append(job.trial)
            yield TrialResult.from_dict({**answer, "trial": job.trial, "seconds": 0.1} | _NOTHING)

    def close(self) -> None:
        """Nothing runs."""


def drive() -> None:
    """Programs that tests kill: for every line, JSON of `_one`, a process that is forked here.

    What takes long, the imports, is done once; its process id is the answer.
    """
    import hrsnn_lava.search.page
    import hrsnn_lava.search.pool
    import hrsnn_lava.search.run_search  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what was killed is gone at once
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = 1
            try:
                _one(**json.loads(line))
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)  # noqa: T201


def _one(folder: str, evaluate: str, workers: int, table: Mapping[str, Any]) -> None:
    from hrsnn_lava.search.pool import LocalEngine
    from hrsnn_lava.search.run_search import run_search

    plan = plan_of(evaluate, **table)
    run_search(plan, Path(folder), engine=LocalEngine(workers), resume=True)


if __name__ == "__main__":
    drive()
