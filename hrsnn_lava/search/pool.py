"""Trials on this machine: so many processes at a time, each started again when it was lost.

A `TrialServer` is a process that answers jobs one after the other, see
`hrsnn_lava.search.trial_process`. `LocalEngine` has as many of them as there are workers. When the
program that started them is killed, they end by themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import IO, Any, Protocol

from hrsnn_lava.errors import SpecError
from hrsnn_lava.search.trial import Failure, Job, TrialResult

__all__ = ["Engine", "LocalEngine", "TrialServer", "attempted"]

#: Seconds beyond its own limit after which a trial whose process does not answer is given up, and
#: that a process has to end by itself.
GRACE, LEAVE = 30.0, 2.0
#: Seconds that are waited at once: a `select` refuses to wait for thousands of years.
_LONGEST = 3600.0
#: Characters of what a process wrote to standard error that are kept of one that was lost.
_TAIL = 400
#: Libraries that would start threads, which a fork loses; trials run side by side instead.
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Engine(Protocol):
    """What runs trials somewhere.

    Attributes:
        workers: how many run at once; 0 where that is not known.
    """

    @property
    def workers(self) -> int:
        """How many trials run at once; 0 where that is not known."""

    def run(self, jobs: Sequence[Job]) -> Iterator[TrialResult]:
        """The result of every job, as they end."""

    def close(self) -> None:
        """End whatever runs."""


class TrialServer:
    """A process of `hrsnn_lava.search.trial_process`; one job at a time.

    Args:
        evaluate: what measures a network, ``module:function``.
    """

    def __init__(self, evaluate: str) -> None:
        self.evaluate = evaluate
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        command = [sys.executable, "-m", "hrsnn_lava.search.trial_process", evaluate]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for who waits, and ends the trials by `close`
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def run(self, job: Job) -> TrialResult:
        """The result of a job; a process that ends before it has answered is one, ``killed``."""
        began = time.monotonic()
        limit = None if job.seconds is None else job.seconds + GRACE
        line = b""
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed by another thread
            assert self._process.stdin is not None
            _write(self._process.stdin, json.dumps(job.to_dict()).encode() + b"\n")
            line = self._line(limit)
        if line.endswith(b"\n"):
            return TrialResult.from_dict(json.loads(line))
        failure = Failure("killed", f"the process that ran it has gone{self._said()}")
        seconds = round(time.monotonic() - began, 3)
        return TrialResult(job.trial, "failed", failure=failure, seconds=seconds)

    @property
    def usable(self) -> bool:
        """Whether it can take another job."""
        return self._process.poll() is None

    def close(self) -> None:
        """Ask it to end; kill it, and the trial that it runs, when it does not."""
        process = self._process
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        try:
            process.wait(LEAVE)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
        self._errors.close()

    def _line(self, limit: float | None) -> bytes:
        """The answer; cut short where the process or its time ends."""
        deadline = None if limit is None else time.monotonic() + limit
        text, stream = b"", self._process.stdout
        assert stream is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while not text.endswith(b"\n"):
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    self._process.kill()
                    return text
                if selector.select(None if left is None else min(left, _LONGEST)):
                    chunk = stream.read(1 << 16)
                    if not chunk:
                        return text
                    text += chunk
        return text

    def _said(self) -> str:
        """The end of what it wrote to standard error."""
        with contextlib.suppress(OSError, ValueError):
            self._process.wait(LEAVE)
            size = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(size - _TAIL, 0))
            text = self._errors.read().decode("utf-8", "replace").strip()
            return f": {text}" if text else ""
        return ""


def _write(stream: Any, data: bytes) -> None:
    """All of it: a raw stream may take less at once."""
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


def _environment() -> dict[str, str]:
    usual = dict.fromkeys(_ONE_THREAD, "1")
    paths = [path for path in sys.path if path]
    return {**os.environ, **usual, "PYTHONPATH": os.pathsep.join(paths)}


class ServerSlot:
    """A server that is started when it is needed, and again when it was lost."""

    def __init__(self) -> None:
        self._server: TrialServer | None = None
        self._closed = False
        self._lock = threading.Lock()

    def run(self, job: Job) -> TrialResult:
        """The result of a job, tried again where its process was killed; see `attempted`."""
        return attempted(job, lambda: self._ready(job.evaluate).run(job))

    def close(self) -> None:
        """End the process, and start none again."""
        with self._lock:
            self._closed = True
            if self._server is not None:
                self._server.close()
                self._server = None

    def _ready(self, evaluate: str) -> TrialServer:
        with self._lock:
            if self._closed:
                raise _ClosedError
            server = self._server
            if server is not None and (not server.usable or server.evaluate != evaluate):
                server.close()
                server = None
            if server is None:
                server = TrialServer(evaluate)
            self._server = server
            return server


class _ClosedError(Exception):
    """The search is over: nothing is started any more."""


def attempted(job: Job, run: Callable[[], TrialResult]) -> TrialResult:
    """The result of a job, after as many attempts as it may have: a killed process may be chance.

    Args:
        job: with its `retries`.
        run: one attempt.
    """
    attempts = 0
    while True:
        result, attempts = run(), attempts + 1
        was_killed = result.failure is not None and result.failure.kind == "killed"
        if not was_killed or attempts > job.retries:
            return replace(result, attempts=attempts)


class LocalEngine:
    """Trials in processes of this machine.

    Args:
        workers: that run at once.
    """

    def __init__(self, workers: int = 1) -> None:
        if workers < 1:
            raise SpecError(f"workers: {workers}; allowed: >= 1")
        self.workers = workers
        self._slots = [ServerSlot() for _ in range(workers)]
        self._free = list(self._slots)
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="trial")

    def run(self, jobs: Sequence[Job]) -> Iterator[TrialResult]:
        """The result of every job, as they end."""
        waiting: set[Future[TrialResult]] = {self._executor.submit(self._one, j) for j in jobs}
        while waiting:
            # a limit: a wait without one hears of no Ctrl-C on some systems
            done, waiting = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()

    def close(self) -> None:
        """End whatever runs."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        for slot in self._slots:
            slot.close()
        self._executor.shutdown()

    def _one(self, job: Job) -> TrialResult:
        slot = self._free.pop()  # as many as there are threads
        try:
            return slot.run(job)
        finally:
            self._free.append(slot)
