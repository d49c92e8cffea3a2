"""Seconds from the command to the result: whole processes, the compiled kernels cached or not.

Wall and CPU time of a fresh interpreter each, the least of several. "first ever" starts with an
empty cache of bytecode and of compiled kernels, as on a new machine; the others are every later
time.

    uv run python benchmarks/startup.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from networks import network
from simulation import parser
from timing import table, write

COMMAND = [sys.executable, "-m", "hrsnn_lava"]


def process(arguments: list[str], cache: Path) -> dict[str, float]:
    """Wall and CPU seconds of one process with its children; fails if it fails."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPYCACHEPREFIX": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    with open(os.devnull, "w") as nothing:
        quiet = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1)]
        started = time.perf_counter()
        child = os.posix_spawn(arguments[0], arguments, environment, file_actions=quiet)
        _, status, usage = os.wait4(child, 0)
        wall = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{' '.join(arguments)}: status {status}")
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime}


def measure(repeats: int) -> list[dict[str, Any]]:
    """One row for each command."""
    rows = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        net = folder / "network.hlx"
        network(200, 0.1).save(net)
        simulate = [*COMMAND, "simulate", str(net), "--quiet", "--steps", "100"]
        simulate += ["-o", str(folder / "trace.npz")]
        cases = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import hrsnn_lava": [sys.executable, "-c", "import hrsnn_lava"],
            "hrsnn-lava --help": [*COMMAND, "--help"],
            "simulate, N=200, 100 steps": simulate,
        }
        cold = process(simulate, folder / "cache")
        rows.append({"command": "simulate, first ever (compiles)", **cold})
        for name, arguments in cases.items():
            process(arguments, folder / "cache")
            runs = [process(arguments, folder / "cache") for _ in range(repeats)]
            best = {key: min(run[key] for run in runs) for key in ("wall_s", "cpu_s")}
            rows.append({"command": name, **best})
    return rows


COLUMNS = {"command": "process", "wall": "wall s", "cpu": "CPU s"}


def display(row: dict[str, Any]) -> dict[str, str]:
    """A row of figures as text."""
    return {
        "command": row["command"],
        "wall": f"{row['wall_s']:.2f}",
        "cpu": f"{row['cpu_s']:.2f}",
    }


def main() -> int:
    """Measure and print."""
    arguments = parser(__doc__.splitlines()[0]).parse_args()
    rows = measure(arguments.repeats)
    print(table([display(row) for row in rows], COLUMNS))
    write(arguments.json, "startup", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
