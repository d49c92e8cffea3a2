"""Scripts that run graphs on Lava's own runtime, in a child that is killed with all it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np


def run_script(script: str, names: Iterable[str], out: Path, timeout: float = 120) -> Any:
    """The arrays that ``python SCRIPT OUT.npz NAME...`` writes."""
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", script, str(out), *names],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, errors = child.communicate(timeout=timeout)
    finally:
        if child.returncode != 0:  # Lava's own processes outlive it when a model fails
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == 0, errors
    with np.load(out) as archive:
        return dict(archive)
