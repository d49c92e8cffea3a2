"""The child process of the Lava backend: ``python -m hrsnn_lava.sim_backends.lava.child FOLDER``.

It runs the programs ``FOLDER/JOB/program.npz`` one after the other and reports each in a line of
JSON on standard output. It ends after the first failure: a Lava runtime that failed once may hang
in the next run (lava#178), so the parent starts a fresh child for the rest.

Jobs that `jobs.json` lists are programs of their own. For a session it lists none: their names
come on standard input, one a line, and each is the program of the one before, run on.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from multiprocessing import shared_memory
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Run the jobs that ``FOLDER/jobs.json`` asks for; return the exit code."""
    folder = Path(arguments[0])
    order = json.loads((folder / "jobs.json").read_text())
    # every block of shared memory carries this prefix, so the parent can remove what is left over
    shared_memory._SHM_NAME_PREFIX = "/" + order["shm_prefix"]  # type: ignore[attr-defined]
    orders: SimpleQueue[str] = SimpleQueue()
    _listen(order["shm_prefix"], folder, orders)
    # whatever Lava prints goes to standard error; the reports have standard output for themselves
    with os.fdopen(os.dup(1), "w", buffering=1) as reports:
        os.dup2(2, 1)
        # or the processes that Lava forks would keep it open, and nobody notice that this one died
        os.register_at_fork(after_in_child=reports.close)
        if "jobs" in order:
            return _run_all(_each_anew(folder, order["runtime"]), order["jobs"], reports)
        return _run_all(_run_on(folder), iter(orders.get, None), reports)


def _each_anew(folder: Path, runtime: str) -> Callable[[str], None]:
    """Runs jobs that have nothing to do with each other."""
    from hrsnn_lava.processes.program import LavaProgram
    from hrsnn_lava.processes.runtimes import run

    return lambda job: run(LavaProgram.load(folder / job / "program.npz"), folder / job, runtime)


def _run_on(folder: Path) -> Callable[[str], None]:
    """Runs jobs each of which goes on where the one before ended."""
    from hrsnn_lava.processes.program import LavaProgram
    from hrsnn_lava.processes.resumable import ResumableRun

    whole: list[ResumableRun] = []

    def run(job: str) -> None:
        program = LavaProgram.load(folder / job / "program.npz")
        if not whole:
            whole.append(ResumableRun(program, folder))
        whole[0].run(program)

    return run


def _run_all(run: Callable[[str], None], jobs: Iterable[str], reports: TextIO) -> int:
    from hrsnn_lava.errors import BackendError

    for job in jobs:
        _report(reports, job=job, status="started")
        begin = time.perf_counter()
        try:
            run(job)
        except BackendError as error:
            _report(reports, job=job, status="failed", message=str(error))
            return 1
        except Exception as error:  # whatever it is, the parent makes its own error of it
            message = f"Lava failed: {type(error).__name__}: {error}"
            _report(reports, job=job, status="failed", message=message)
            return 1
        _report(reports, job=job, status="done", seconds=time.perf_counter() - begin)
    return 0


def _report(reports: TextIO, **fields: Any) -> None:
    reports.write(json.dumps(fields) + "\n")
    reports.flush()


def _listen(shm_prefix: str, folder: Path, orders: SimpleQueue[str]) -> None:
    """Pass on the lines of standard input; when it ends, clean up and kill this process group.

    The parent holds it open, and may be killed without a chance to do so. `os.read` and not
    `sys.stdin`: a lock held by this thread would be copied into the processes that Lava forks.
    """

    def watch() -> None:
        pending = b""
        while chunk := os.read(0, 65536):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                orders.put(line.decode())
        for leftover in Path("/dev/shm").glob(f"{shm_prefix}*"):
            leftover.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Lava registers clean-up at exit that can block on a runtime that failed
    os._exit(code)
