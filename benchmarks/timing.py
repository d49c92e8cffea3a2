"""Clocks, interleaved rounds, the machine, tables.

A kernel is timed by CPU time, the least of several rounds: what other processes do on the machine
then counts as little as it can. Things compared take turns within a round, so that a slow minute
hits all of them.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def cpu_seconds(call: Callable[[], Any]) -> float:
    """CPU time of one call in this process, all its threads together."""
    started = time.process_time()
    call()
    return time.process_time() - started


def wall_seconds(call: Callable[[], Any]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def rounds(timed: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Call each in turn, `repeats` times over; return the least of each one's seconds."""
    best = dict.fromkeys(timed, float("inf"))
    for _ in range(repeats):
        for name, call in timed.items():
            best[name] = min(best[name], call())
    return best


def machine() -> dict[str, Any]:
    """What the figures were measured on; the load average says how quiet it was."""
    model = platform.processor() or "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        pairs = (line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in pairs}
        family, number = fields.get("cpu family", "?"), fields.get("model", "?")
        model = f"{fields.get('model name', model)} (family {family}, model {number})"
    import numba
    import scipy

    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
        "load_average": round(os.getloadavg()[0], 2),
    }


def child_memory(script: str, arguments: Sequence[str]) -> dict[str, int]:
    """Run a script that prints JSON with ``peak_bytes`` and ``imported_bytes``; return that."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(rows: Sequence[Mapping[str, Any]], headings: Mapping[str, str]) -> str:
    """Rows as Markdown; `headings` maps keys to column titles, absent values become a dash."""
    lines = [list(headings.values())]
    lines += [[str(row.get(key, "-")) for key in headings] for row in rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(headings))]
    text = []
    for number, line in enumerate(lines):
        cells = [
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("| " + " | ".join(cells) + " |")
        if number == 0:
            marks = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
            text.append("| " + " | ".join(marks) + " |")
    return "\n".join(text)


def write(path: Path | None, kind: str, rows: Any, **more: Any) -> None:
    """Write the figures of one script as JSON, with the machine; nothing for None."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {"benchmark": kind, "machine": machine(), **more, "rows": rows}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
