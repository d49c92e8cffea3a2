"""Trials on the workers of a Dask cluster: the same jobs, in processes of other machines.

A worker of Dask is asked to run a job in a process of its own (`hrsnn_lava.search.pool`), so that a
trial that is killed, or takes too much, takes no worker with it. A worker that goes is replaced by
another one; a scheduler that goes is waited for, and is sent again whatever has not come back.
Results are kept by who asked, in the ledger: nothing of a search lives in the cluster.

Dask runs code that is sent to it: whoever reaches the scheduler can run anything on the workers. So
connections that leave the machine are encrypted and authenticated, or refused.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hrsnn_lava.errors import BackendError, BackendMissingError, Problem, SpecError
from hrsnn_lava.search.pool import ServerSlot
from hrsnn_lava.search.trial import Failure, Job, TrialResult

__all__ = ["ClusterEngine", "Credentials", "check_address", "run_on_worker"]

#: Seconds that a scheduler is waited for: at the start, and when it has gone.
CONNECT, COMEBACK = 30.0, 600.0
#: Seconds without a worker after which it is said.
ALONE = 30.0
#: Seconds between two looks at what has ended.
_LOOK = 0.5
#: Attribute of Dask's worker that its slots stand under.
_SLOTS = "hrsnn_lava_trial_slots"


@dataclass(frozen=True)
class Credentials:
    """Files of TLS, PEM each.

    Attributes:
        ca: of the authority that signed both sides.
        cert, key: of this side.
    """

    ca: Path
    cert: Path
    key: Path


def check_address(address: str, credentials: Credentials | None) -> None:
    """Refuse an address that cannot be one, or that leaves the machine without TLS.

    Raises:
        SpecError: it is none of ``tcp://HOST:PORT`` and ``tls://HOST:PORT``, a connection to
            another machine would not be encrypted, or there are no files to encrypt one with.
    """
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("tcp", "tls") or not host or port is None:
        allowed = "tcp://HOST:PORT on this machine, tls://HOST:PORT anywhere"
        problem = Problem("--scheduler", repr(address), allowed)
        raise SpecError("no address of a scheduler", problems=[problem])
    if parts.scheme == "tcp" and not _is_loopback(host):
        fix = "start scheduler and workers with TLS, see docs/search.md"
        problem = Problem("--scheduler", address, "tls:// beyond this machine", fix)
        raise SpecError(
            "a scheduler elsewhere without TLS: anybody on the way could run code on the workers",
            problems=[problem],
        )
    if parts.scheme == "tls" and credentials is None:
        problem = Problem("--scheduler", address, "with --tls-ca, --tls-cert and --tls-key")
        raise SpecError("a scheduler with TLS needs the files of this side", problems=[problem])


def _is_loopback(host: str) -> bool:
    """Whether every address of a host is this machine's own."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(a).is_loopback for a in map(str, found))


def run_on_worker(data: dict[str, Any]) -> dict[str, Any]:
    """A job in a process of its own, on a worker of Dask: what the scheduler is sent.

    Args:
        data: of a `Job`, plain values.

    Returns:
        Of its `TrialResult`, plain values.
    """
    slots = _slots_of_worker()
    slot = slots.pop() if slots else ServerSlot()
    try:
        return slot.run(Job.from_dict(data)).to_dict()
    finally:
        slots.append(slot)


def _slots_of_worker() -> list[ServerSlot]:
    """Processes of this worker that wait for a job; they end with it."""
    from distributed import get_worker

    worker = get_worker()
    if not hasattr(worker, _SLOTS):
        setattr(worker, _SLOTS, [])
    slots: list[ServerSlot] = getattr(worker, _SLOTS)
    return slots


class ClusterEngine:
    """Trials on a Dask cluster.

    Args:
        address: of the scheduler, see `check_address`.
        credentials: for TLS.
        comeback: seconds that a scheduler which has gone is waited for.

    Raises:
        BackendMissingError: `distributed` is not installed.
        BackendError: there is no scheduler.
    """

    def __init__(
        self,
        address: str,
        credentials: Credentials | None = None,
        *,
        comeback: float = COMEBACK,
    ) -> None:
        check_address(address, credentials)
        try:
            import distributed
        except ImportError:
            fix = "pip install 'hrsnn-lava[cluster]', here and where the workers are"
            raise BackendMissingError(f"--scheduler needs distributed: {fix}") from None
        self._distributed: Any = distributed
        self._address, self._credentials, self._comeback = address, credentials, comeback
        self._client: Any = self._connected(CONNECT)
        self._sent, self._look = 0, threading.Event()
        self._alone_since: float | None = time.monotonic()

    @property
    def workers(self) -> int:
        """Threads of all workers now; 0 where there are none yet."""
        with contextlib.suppress(RuntimeError, *self._lost()):  # RuntimeError: closed meanwhile
            return sum(self._client.nthreads().values())
        return 0

    def run(self, jobs: Sequence[Job]) -> Iterator[TrialResult]:
        """The result of every job, as they end; jobs that were lost with a scheduler run again.

        Raises:
            BackendError: the scheduler has gone and does not come back.
        """
        waiting = {job.trial: job for job in jobs}
        futures: dict[int, Any] = {}
        suspects: list[int] = []
        while waiting:
            try:
                for number in self._next(waiting, suspects) - futures.keys():
                    futures[number] = self._submit(waiting[number])
                self._look.wait(_LOOK)
                self._look.clear()
                if self._client.status != "running":  # it would send everything again by itself
                    raise ConnectionError
                self._say_if_alone()
                ended = {n: self._result(waiting[n], f) for n, f in futures.items() if f.done()}
            except self._lost():
                futures = {}
                self._reconnect()
                continue
            for number, result in ended.items():
                del futures[number]
                if result is None:
                    continue
                if _is_suspect(result) and number not in suspects and len(jobs) > 1:
                    suspects.append(number)
                else:
                    del waiting[number]
                    yield result

    @staticmethod
    def _next(waiting: Mapping[int, Job], suspects: Sequence[int]) -> set[int]:
        """Jobs that may run now: all, and then one by one those whose workers have gone.

        Dask blames every job that a worker had, also those that had not begun: each is tried alone
        before it counts as the one that ends its workers.
        """
        others = waiting.keys() - set(suspects)
        return set(others) or {next(number for number in suspects if number in waiting)}

    def close(self) -> None:
        """Leave the cluster; what still runs there for this search is cancelled."""
        with contextlib.suppress(*self._lost()):
            self._client.close(timeout=5)

    def _say_if_alone(self) -> None:
        """Warn, once, that there is nobody to run trials."""
        if self._alone_since is None or self.workers:
            self._alone_since = None if self._alone_since is None else time.monotonic()
        elif time.monotonic() - self._alone_since > ALONE:
            self._alone_since = None
            text = f"no worker has joined {self._address}: trials wait until one does"
            warnings.warn(text, UserWarning, stacklevel=2)

    def _submit(self, job: Job) -> Any:
        self._sent += 1
        future = self._client.submit(
            run_on_worker,
            job.to_dict(),
            key=f"hrsnn-trial-{job.trial}-{self._sent}-{id(self)}",
            pure=False,
            retries=0,
        )
        future.add_done_callback(lambda _: self._look.set())
        return future

    def _result(self, job: Job, future: Any) -> TrialResult | None:
        """What a future that is done holds; None where it was lost, and has to be sent again."""
        if future.status == "finished":
            return TrialResult.from_dict(future.result(timeout=30))
        if future.status in ("cancelled", "lost"):
            return None
        error = future.exception(timeout=30)
        if isinstance(error, self._distributed.KilledWorker):
            failure = Failure("killed", "its workers went with it", type(error).__name__)
            return TrialResult(job.trial, "failed", failure=failure)
        raise BackendError(
            f"trial {job.trial} cannot be run on the cluster: {type(error).__name__}: {error}"
        )

    def _connected(self, seconds: float) -> Any:
        security = None
        if self._credentials is not None:
            security = self._distributed.Security(
                tls_ca_file=str(self._credentials.ca),
                tls_client_cert=str(self._credentials.cert),
                tls_client_key=str(self._credentials.key),
                require_encryption=True,
            )
        try:
            return self._distributed.Client(
                self._address,
                timeout=seconds,
                security=security,
                set_as_default=False,
                name="hrsnn-lava search",
            )
        except self._lost() as error:
            raise BackendError(
                f"there is no scheduler at {self._address} ({type(error).__name__}: {error})"
            ) from error

    def _reconnect(self) -> None:
        """Wait for the scheduler, or for one that takes its place."""
        with contextlib.suppress(*self._lost()):
            self._client.close(timeout=5)
        deadline = time.monotonic() + self._comeback
        while True:
            try:
                self._client = self._connected(min(CONNECT, self._comeback))
                return
            except BackendError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK)

    def _lost(self) -> tuple[type[BaseException], ...]:
        """What is raised when the connection is."""
        import asyncio

        return (OSError, TimeoutError, asyncio.TimeoutError, self._distributed.CancelledError)


def _is_suspect(result: TrialResult) -> bool:
    """Whether Dask blames a job for workers that have gone."""
    return result.failure is not None and result.failure.error == "KilledWorker"
