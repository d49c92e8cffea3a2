"""Many trials side by side: one thread a trial, since the kernels run without Python's lock.

A trial depends on its network and its input alone, so the traces are the same for any number of
workers. They come in order, and only a few of them are in memory at a time.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from hrsnn_lava.errors import BackendError, HrsnnError, SpecError
from hrsnn_lava.sim_backends.runs.session import Session
from hrsnn_lava.trace import SpikeInput, Trace

Trial = tuple[Any, SpikeInput | None]
Make = Callable[[int], Trial]


def simulate_batch(
    network: Any,
    inputs: Sequence[SpikeInput | None] | None = None,
    steps: int | Sequence[int] = 1000,
    probes: Collection[str] = ("spikes",),
    *,
    trials: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _trials: None,
) -> Iterator[Trace]:
    """Run many trials from rest on `native`; yields their traces in order.

    Args:
        network: one network for all trials, a sequence of networks, or a function ``make(k)``
            that returns network and input of trial k. `make` is called for one trial after the
            other, in the thread that takes the results, shortly before the trial runs.
        inputs: one for each trial, None for none; left out with `make`.
        steps: of every trial, or one number for each.
        probes: as of `Backend.run`.
        trials: how many; needed with `make` and with one network and no inputs.
        workers: threads; by default one for every core that this process may use.
        progress: called with the trials that were taken and all of them.

    Raises:
        SpecError: at once when the arguments contradict each other; later, as any error of a
            trial, with the trial's number in its message: that of the first one that failed.
    """
    count = _count(network, inputs, steps, trials)
    threads = available_cores() if workers is None else workers
    if threads < 1:
        raise SpecError(f"workers: {threads}; allowed: >= 1")
    lengths = [steps] * count if isinstance(steps, int) else list(steps)
    make = _maker(network, inputs)
    sessions = _Sessions(one_network=not callable(network) and not isinstance(network, Sequence))
    return _run(make, lengths, tuple(probes), min(threads, max(count, 1)), progress, sessions)


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _count(network: Any, inputs: Any, steps: Any, trials: int | None) -> int:
    """The number of trials that all arguments agree on."""
    if callable(network) and inputs is not None:
        raise SpecError("inputs: given beside make(k), which returns them; leave them out")
    stated = {
        name: len(value)
        for name, value in (("network", network), ("inputs", inputs), ("steps", steps))
        if isinstance(value, Sequence)
    }
    if trials is not None:
        stated["trials"] = trials
    if not stated:
        raise SpecError("trials: not given; say how many")
    if len(set(stated.values())) > 1:
        found = ", ".join(f"{name} {n}" for name, n in stated.items())
        raise SpecError(f"the numbers of trials differ: {found}")
    count = next(iter(stated.values()))
    if count < 0:
        raise SpecError(f"trials: {count}; allowed: >= 0")
    return count


def _maker(network: Any, inputs: Sequence[SpikeInput | None] | None) -> Make:
    if callable(network):
        made: Make = network
        return made

    def make(k: int) -> Trial:
        mine = network[k] if isinstance(network, Sequence) else network
        return mine, None if inputs is None else inputs[k]

    return make


class _Sessions:
    """A session for every worker, kept for its next trial of the same network.

    With `one_network`, its tables of synapses are built once, and all workers read them.
    """

    def __init__(self, one_network: bool) -> None:
        self._one_network = one_network
        self._first: Session | None = None
        self._lock = threading.Lock()
        self._mine = threading.local()

    def at_rest(self, network: Any) -> Session:
        """This thread's session of `network`, reset."""
        session: Session | None = getattr(self._mine, "session", None)
        if session is None or self._mine.network is not network:
            session = self._of(network)
            self._mine.session, self._mine.network = session, network
        session.reset()
        return session

    def _of(self, network: Any) -> Session:
        if not self._one_network:
            return Session(network)
        with self._lock:
            if self._first is None:
                self._first = Session(network)
            return self._first.twin()


def _run(
    make: Make,
    lengths: Sequence[int],
    probes: Collection[str],
    threads: int,
    progress: Callable[[int, int], None],
    sessions: _Sessions,
) -> Iterator[Trace]:
    """A window of trials in flight: two for each worker, so that none waits for its next one."""
    stopped = threading.Event()
    flying: deque[tuple[int, Future[Trace]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="trial")

    def keep_going() -> None:
        if stopped.is_set():
            raise _Stopped

    def work(trial: Trial, steps: int) -> Trace:
        network, given = trial
        session = sessions.at_rest(network)
        return session.run(given, steps, probes, keep_going)

    try:
        following = 0
        for k in range(len(lengths)):
            while following < len(lengths) and len(flying) < 2 * threads:
                try:
                    future = pool.submit(work, make(following), lengths[following])
                except Exception as error:  # reported in its turn, after the trials before it
                    future = Future()
                    future.set_exception(error)
                flying.append((following, future))
                following += 1
            trace = _result(*flying.popleft())
            progress(k + 1, len(lengths))
            yield trace
    finally:
        stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)


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
