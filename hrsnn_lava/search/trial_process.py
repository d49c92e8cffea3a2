"""A process that runs trials, each in a process of its own that is forked from it.

``python -m hrsnn_lava.search.trial_process MODULE:FUNCTION`` imports what every trial needs once,
and then answers a line of JSON, a `Job`, with a line, the plain values of a `TrialResult`. A trial
begins where the imports ended: it sees nothing of those before it, and what it allocates, breaks or
leaves behind ends with it. Memory and time are limited for that process alone.

When standard input is closed, since whoever asked has gone, the trial is killed and this ends.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import selectors
import signal
import sys
import time
from dataclasses import asdict
from typing import Any

from hrsnn_lava import __version__
from hrsnn_lava.search.trial import Evaluate, Failure, Job, TrialResult, run_job

#: Bytes of an answer that are read at once.
_CHUNK = 1 << 16
#: What a trial ends with that could not say how it went.
_MUTE = 70


def main() -> int:
    """Answer jobs until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a task prints is no answer
    evaluate = function_named(sys.argv[1])
    requests = _Lines(0)
    while (line := requests.next()) is not None:
        job = Job.from_dict(json.loads(line))
        result = _in_own_process(job, evaluate, requests)
        if result is None:
            return 1
        answers.write(json.dumps(result.to_dict()) + "\n")
        answers.flush()
    return 0


def function_named(text: str) -> Evaluate:
    """The function ``MODULE:FUNCTION``."""
    module, _, name = text.partition(":")
    function: Evaluate = getattr(importlib.import_module(module), name)
    return function


class _Lines:
    """Lines of a descriptor; what is buffered is ours, so that `select` can be asked for more."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._rest = b""

    def next(self) -> bytes | None:
        """The next line; None at the end."""
        while b"\n" not in self._rest:
            chunk = os.read(self.descriptor, _CHUNK)
            if not chunk:
                return None
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def ended(self) -> bool:
        """Whether there is nothing more to come; called when something can be read."""
        chunk = os.read(self.descriptor, _CHUNK)
        self._rest += chunk
        return not chunk


def _in_own_process(job: Job, evaluate: Evaluate, requests: _Lines) -> TrialResult | None:
    """The result of a job; None where nobody waits for it any more."""
    if job.version != __version__:
        message = f"made by hrsnn-lava {job.version}, to be run by {__version__}"
        return TrialResult(job.trial, "failed", failure=Failure("error", message, "Version"))
    began = time.monotonic()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _trial(job, evaluate, reader, writer)  # does not return
    os.close(writer)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)  # so that what a trial starts ends with it; it does the same
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        deadline = None if job.seconds is None else began + job.seconds
        text, why = _read(pipe, requests, deadline)
    if why:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    if why == "gone":
        return None
    answer = _answer(text, status, why, job)
    return TrialResult.from_dict(
        {
            **answer,
            "trial": job.trial,
            "seconds": round(time.monotonic() - began, 3),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
            "peak_mb": round(_peak_bytes(usage.ru_maxrss) / 1e6, 1),
            "attempts": 1,
        }
    )


def _peak_bytes(peak: int) -> int:
    """Linux counts in KiB, macOS in bytes."""
    return peak if sys.platform == "darwin" else 1024 * peak


def _read(pipe: Any, requests: _Lines, deadline: float | None) -> tuple[bytes, str]:
    """What a trial writes until it ends, and why it is to be ended: "gone", "time" or nothing."""
    text = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        selector.register(requests.descriptor, selectors.EVENT_READ)
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return text, "time"
            for key, _ in selector.select(left):
                if key.fileobj == pipe:
                    chunk = pipe.read(_CHUNK)
                    if not chunk:
                        return text, ""
                    text += chunk
                elif requests.ended():
                    return text, "gone"


def _answer(text: bytes, status: int, why: str, job: Job) -> dict[str, Any]:
    """What a trial answered, or what its end says."""
    empty = {"status": "failed", "figures": [], "better": ""}
    if why == "time":
        failure = Failure("time", f"not done after {job.seconds:g} s")
        return {**empty, "failure": asdict(failure)}
    with contextlib.suppress(ValueError):
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            answer: dict[str, Any] = json.loads(text)
            return answer
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        message = f"its process was ended by {name}"
    else:
        message = f"its process ended with code {os.WEXITSTATUS(status)} and no answer"
    return {**empty, "failure": asdict(Failure("killed", message))}


def _trial(job: Job, evaluate: Evaluate, reader: int, writer: int) -> None:
    """The forked process: its limits, its answer, its end."""
    code = _MUTE
    try:
        os.close(reader)
        os.setpgid(0, 0)
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)  # the requests are not for it
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        if job.memory_mb is not None:
            limit = job.memory_mb * 1_000_000
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        answer = run_job(job, evaluate)
        data = json.dumps(answer, allow_nan=False).encode()
        with os.fdopen(writer, "wb") as out:
            out.write(data)
        code = 0
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)  # nothing of the process that it was forked from is cleaned up here


if __name__ == "__main__":
    sys.exit(main())
