"""Pieces of work on several threads, with results that do not depend on how many there are.

A piece has to be cut independently of the threads, and to spend its time outside of Python's lock
(compiled kernels, BLAS). Its results come back in the order of the pieces, so that a sum over them
always adds in the same order and has the same last bits.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], threads: int | None = None
) -> Iterator[Result]:
    """``work(piece)`` of every piece, in their order.

    Args:
        work: called in some thread; what it raises is raised here, in its turn.
        pieces: taken two for each thread ahead, so that few results wait in memory.
        threads: by default one for every core that this process may use; 1 uses none.
    """
    count = available_cores() if threads is None else threads
    if count <= 1:
        yield from map(work, pieces)
        return
    pool = ThreadPoolExecutor(count, thread_name_prefix="piece")
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) >= 2 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
