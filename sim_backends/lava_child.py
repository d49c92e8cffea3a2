"""The child process of the Lava backend: ``python -m hrsnn_lava.sim_backends.lava_child FOLDER``.

It runs the programs ``FOLDER/JOB/program.npz`` one after the other and reports each in a line of
JSON on standard output. It ends after the first failure: a Lava runtime that failed once may hang
in the next run (lava#178), so the parent starts a fresh child for the rest.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any, TextIO

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Run the jobs listed in ``FOLDER/jobs.json``; return the exit code."""
    folder = Path(arguments[0])
    order = json.loads((folder / "jobs.json").read_text())
    # every block of shared memory carries this prefix, so the parent can remove what is left over
    shared_memory._SHM_NAME_PREFIX = "/" + order["shm_prefix"]  # type: ignore[attr-defined]
    _die_with_parent(order["shm_prefix"])
    # whatever Lava prints goes to standard error; the reports have standard output for themselves
    with os.fdopen(os.dup(1), "w", buffering=1) as reports:
        os.dup2(2, 1)
        return _run_all(folder, order["jobs"], order["runtime"], reports)


def _run_all(folder: Path, jobs: list[str], runtime: str, reports: TextIO) -> int:
    from hrsnn_lava.errors import BackendError
    from hrsnn_lava.processes.graph import run
    from hrsnn_lava.processes.program import LavaProgram

    for job in jobs:
        _report(reports, job=job, status="started")
        begin = time.perf_counter()
        try:
            run(LavaProgram.load(folder / job / "program.npz"), folder / job, runtime)
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


def _die_with_parent(shm_prefix: str) -> None:
    """Kill this process group when standard input, which the parent holds open, ends.

    The parent may be killed without a chance to clean up. `os.read` and not `sys.stdin`: a lock
    held by this thread would be copied into the processes that Lava forks.
    """

    def watch() -> None:
        while os.read(0, 1):
            pass
        for leftover in Path("/dev/shm").glob(f"{shm_prefix}*"):
            leftover.unlink(missing_ok=True)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Lava registers clean-up at exit that can block on a runtime that failed
    os._exit(code)
