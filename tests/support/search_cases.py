"""What searches of tests measure: in no time, and with every way to fail that a trial can have."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hrsnn_lava.errors import Problem, SpecError

#: Tells trials where they count themselves, and how long they take.
FOLDER, SECONDS = "SEARCH_CASES_FOLDER", "SEARCH_CASES_SECONDS"


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
