"""A process that runs trials, each in a process of its own that is forked from it.

``python -m hrsnn_lava.search.trial_process MODULE:FUNCTION`` imports what every trial needs once,
and then answers a line of JSON, a `Job`, with a line, the plain values of a `TrialResult`. A trial
begins where the imports ended: it sees nothing of those before it, and what it allocates, breaks or
leaves behind ends with it, processes that it started too. Memory and time are limited for that
process alone.

When standard input is closed, since whoever asked has gone, the trial is killed and this ends.
Where this is killed itself, the trial is (on Linux), and who asked hears of it at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import selectors
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hrsnn_lava import __version__
from hrsnn_lava.search.trial import Evaluate, Failure, Job, TrialResult, run_job

#: Bytes of an answer that are read at once.
_CHUNK = 1 << 16
#: What a trial ends with that could not say how it went.
_MUTE = 70
#: Seconds between two looks at whether a trial has ended whose pipe something else holds open.
_LOOK = 0.5
#: Of Linux's `prctl`: the signal that a process gets when the one that forked it has gone.
_PARENT_DEATH_SIGNAL = 1


def main() -> int:
    """Answer jobs until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a task prints is no answer
    evaluate = function_named(sys.argv[1])
    _use_blas()
    requests = _Lines(0)
    while (line := requests.next()) is not None:
        job = Job.from_dict(json.loads(line))
        result = _in_own_process(job, evaluate, requests, answers.fileno())
        if result is None:
            return 1
        answers.write(json.dumps(result.to_dict()) + "\n")
        answers.flush()
    return 0


def _use_blas() -> None:
    """Have BLAS take its working memory now: OpenBLAS tries for ever where it is refused."""
    import numpy as np
    from scipy.linalg.blas import dgemm  # SciPy has a library of its own

    square = np.ones((128, 128))
    dgemm(1.0, square @ square, square)


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


def _in_own_process(
    job: Job, evaluate: Evaluate, requests: _Lines, answers: int
) -> TrialResult | None:
    """The result of a job; None where nobody waits for it any more."""
    if (refusal := _refusal(job)) is not None:
        return TrialResult(job.trial, "failed", failure=refusal)
    began = time.monotonic()
    reader, writer = os.pipe()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        # answers are not for it: held open, they would hide that this process has gone
        _trial(job, evaluate, parent, writer, unused=(reader, answers))  # does not return
    os.close(writer)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)  # so that what a trial starts ends with it; it does the same
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        deadline = None if job.seconds is None else began + job.seconds
        text, why, end = _read(pipe, requests, deadline, child)
    if why:
        _kill_group(child)
    _, status, usage = os.wait4(child, 0) if end is None else end
    _kill_group(child)  # what it started and left behind
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


def _refusal(job: Job) -> Failure | None:
    """Why a job is not begun."""
    if job.version != __version__:
        message = f"made by hrsnn-lava {job.version}, to be run by {__version__}"
        return Failure("error", message, "Version")
    own = _address_space()
    if job.memory_mb is not None and own > job.memory_mb * 1_000_000:
        message = f"memory_mb = {job.memory_mb}; the program alone takes {own / 1e6:.0f}"
        return Failure("memory", message)
    return None


def _address_space() -> int:
    """Bytes of this process, as its limit counts them; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        return pages * resource.getpagesize()
    return 0


def _kill_group(child: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def _peak_bytes(peak: int) -> int:
    """Linux counts in KiB, macOS in bytes."""
    return peak if sys.platform == "darwin" else 1024 * peak


def _read(
    pipe: Any, requests: _Lines, deadline: float | None, child: int
) -> tuple[bytes, str, Any]:
    """What a trial writes until it ends, why it is to be ended ("gone", "time" or nothing), and
    what `os.wait4` says of it, where it was waited for."""
    text = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        selector.register(requests.descriptor, selectors.EVENT_READ)
        while True:
            left = _LOOK if deadline is None else min(deadline - time.monotonic(), _LOOK)
            if left <= 0:
                return text, "time", None
            ready = selector.select(left)
            for key, _ in ready:
                if key.fileobj == pipe:
                    chunk = pipe.read(_CHUNK)
                    if not chunk:
                        return text, "", None
                    text += chunk
                elif requests.ended():
                    return text, "gone", None
            # a process that it started may hold its pipe open
            if not ready and (end := os.wait4(child, os.WNOHANG))[0]:
                return text, "", end


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
        if number == signal.SIGABRT and job.memory_mb is not None:
            message += ", as libraries do that are refused memory"
            return {**empty, "failure": asdict(Failure("memory", message))}
    else:
        message = f"its process ended with code {os.WEXITSTATUS(status)} and no answer"
    return {**empty, "failure": asdict(Failure("killed", message))}


def _trial(job: Job, evaluate: Evaluate, parent: int, writer: int, unused: tuple[int, ...]) -> None:
    """The forked process: its limits, its answer, its end."""
    code = _MUTE
    try:
        for descriptor in unused:
            os.close(descriptor)
        os.setpgid(0, 0)
        _end_with(parent)
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


def _end_with(parent: int) -> None:
    """Have this process killed when its parent is, on Linux; elsewhere it goes on to its end."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(_MUTE)


if __name__ == "__main__":
    sys.exit(main())
