"""Many trials side by side, one thread a trial: the kernels of `native` run without Python's lock.

A trial depends on its network and its input alone, so the traces are the same for any number of
workers. They come in order, and only a few of them are in memory at a time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from hrsnn_lava.errors import BackendError, HrsnnError, Problem, SpecError
from hrsnn_lava.fields import whole_number
from hrsnn_lava.integer_format import INT32
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.sim_backends.base import LAST_STEP, Backend, require_backend
from hrsnn_lava.sim_backends.runs.session import Session
from hrsnn_lava.threads import available_cores
from hrsnn_lava.trace import SpikeInput, Trace

Trial = tuple[Any, SpikeInput | None]
Make = Callable[[int], Trial]


@dataclass(frozen=True)
class BatchOptions:
    """How `simulate_batch` runs its trials.

    Attributes:
        backend: name of an engine, or a `Backend` with options of its own.
        trials: how many; needed with ``make(k)`` and with one network and no inputs.
        workers: threads; by default one for every core that this process may use.
        progress: told how many of the trials were taken.
    """

    backend: str | Backend = "native"
    trials: int | None = None
    workers: int | None = None
    progress: Progress = silent


def simulate_batch(
    network: Any,
    inputs: Sequence[SpikeInput | None] | None = None,
    steps: int | Sequence[int | None] | None = None,
    probes: Collection[str] = ("spikes",),
    **options: Any,
) -> Iterator[Trace]:
    """Run many trials from rest; yields their traces in order.

    Args:
        network: one network for all trials, a sequence of networks, or a function ``make(k)``
            that returns network and input of trial k. `make` is called for one trial after the
            other, in the thread that takes the results, shortly before the trial runs.
        inputs: one for each trial, None for none; left out with `make`.
        steps: of every trial, or one number for each; None: those of its input, see `simulate`.
        probes: as of `hrsnn_lava.sim_backends.runs.session.simulate`.
        options: those of `BatchOptions`.

    Raises:
        SpecError: at once when the arguments contradict each other; later, as any error of a
            trial, with the trial's number in its message: that of the first one that failed.
        BackendMissingError: the engine cannot run here.
    """
    settings = BatchOptions(**options)
    count = _count(network, inputs, steps, settings.trials)
    threads = settings.workers
    threads = available_cores() if threads is None else threads
    threads = whole_number("workers", threads, (1, INT32[1]), error=SpecError)
    threads = min(threads, max(count, 1))
    lengths: list[Any] = list(steps) if _several(steps) else [steps] * count
    one = not callable(network) and not _several(network)
    sessions = _Sessions(require_backend(settings.backend), one_network=one)
    work = _Work(_maker(network, inputs), lengths, tuple(probes), sessions)
    return _run(work, threads, settings.progress)


def _count(network: Any, inputs: Any, steps: Any, trials: int | None) -> int:
    """The number of trials that all arguments agree on."""
    if callable(network) and inputs is not None:
        raise SpecError("inputs: given beside make(k), which returns them; leave them out")
    if inputs is not None and not _several(inputs):
        allowed = "a list, one for each trial"
        raise SpecError(str(Problem("inputs", type(inputs).__name__, allowed)))
    if not (steps is None or _several(steps)):
        whole_number("steps", steps, (0, LAST_STEP), error=SpecError)
    lengths = {
        name: len(value)
        for name, value in (("network", network), ("inputs", inputs), ("steps", steps))
        if _several(value)
    }
    if trials is not None:
        lengths["trials"] = whole_number("trials", trials, (0, INT32[1]), error=SpecError)
    if not lengths:
        raise SpecError("trials: not given; say how many")
    if len(set(lengths.values())) > 1:
        numbers = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise SpecError(f"the numbers of trials differ: {numbers}")
    return next(iter(lengths.values()))


def _several(value: Any) -> TypeGuard[Sequence[Any]]:
    """True for one value a trial; a text is one wrong value."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def _maker(network: Any, inputs: Sequence[SpikeInput | None] | None) -> Make:
    if callable(network):
        by_user: Make = network
        return by_user

    def make(k: int) -> Trial:
        one = network[k] if _several(network) else network
        return one, None if inputs is None else inputs[k]

    return make


class _Sessions:
    """A session for every worker, kept for its next trial of the same network.

    With `one_network`, its tables of synapses are built once, and all workers read them.
    """

    def __init__(self, backend: Backend, one_network: bool) -> None:
        self._backend, self._one_network = backend, one_network
        self._first: Session | None = None
        self._lock = threading.Lock()
        self._of_thread = threading.local()
        self._open: set[Session] = set()

    def at_rest(self, network: Any) -> Session:
        """This thread's session of `network`, reset."""
        session: Session | None = getattr(self._of_thread, "session", None)
        if session is None or self._of_thread.network is not network:
            if session is not None:
                session.close()
                self._open.discard(session)
            session = self._of(network)
            self._open.add(session)
            self._of_thread.session, self._of_thread.network = session, network
        session.reset()
        return session

    def _of(self, network: Any) -> Session:
        if not self._one_network:
            return Session(network, backend=self._backend)
        with self._lock:
            if self._first is None:
                self._first = Session(network, backend=self._backend)
            return self._first.twin()

    def close(self) -> None:
        """Close them all; no worker may run any more."""
        for session in self._open:
            session.close()


@dataclass(frozen=True)
class _Work:
    """What the workers do.

    Attributes:
        make: network and input of trial k.
        lengths: steps of every trial.
        probes, sessions: of all trials.
        stopped: set when nobody wants the results any more.
    """

    make: Make
    lengths: Sequence[int | None]
    probes: Collection[str]
    sessions: _Sessions
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, trial: Trial, steps: int | None) -> Trace:
        """One trial, in the thread of a worker."""
        network, inputs = trial
        session = self.sessions.at_rest(network)
        return session.quiet_run(inputs, steps, self.probes, self._keep_going)

    def _keep_going(self) -> None:
        if self.stopped.is_set():
            raise _Stopped


def _run(work: _Work, threads: int, progress: Progress) -> Iterator[Trace]:
    """A window of trials in flight: two for each worker, so that none waits for its next one."""
    flying: deque[tuple[int, Future[Trace]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="trial")
    trials, following = len(work.lengths), 0
    try:
        for k in range(trials):
            while following < trials and len(flying) < 2 * threads:
                try:
                    future = pool.submit(work.run, work.make(following), work.lengths[following])
                except Exception as error:  # reported in its turn, after the trials before it
                    future = Future()
                    future.set_exception(error)
                flying.append((following, future))
                following += 1
            trace = _result(*flying.popleft())
            progress(f"trial {k + 1:,} of {trials:,}", (k + 1) / trials)
            yield trace
    finally:
        work.stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)
        work.sessions.close()


def _result(k: int, future: Future[Trace]) -> Trace:
    """The trace of trial k, or its error with its number."""
    try:
        return future.result()
    except HrsnnError as error:
        error.message = f"trial {k}: {error.message}"
        error.args = (error.message,)
        raise
    except Exception as error:
        raise BackendError(f"trial {k}: {type(error).__name__}: {error}") from error


class _Stopped(Exception):  # noqa: N818 - nobody sees it
    """The results of this batch are not wanted any more."""
