"""Programs that tests start and send signals to."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def _default_signals() -> None:
    """A shell starts what it puts into the background with these ignored; children inherit that."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """A program that signals end, however the tests were started."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen(command, preexec_fn=_default_signals, **options)


def outputs(process: subprocess.Popen[str], timeout: float = 120.0) -> tuple[str, str]:
    """What it writes until it ends; it is killed when the time is over."""
    try:
        return process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
