"""Runs Lava on from where it stands, and watches its models while it does.

Importing this module imports Lava, which needs Python 3.10.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from lava.magma.core.run_conditions import RunSteps

from hrsnn_lava.errors import BackendError

__all__ = ["advance"]

_WATCH_S = 0.1  # how often the models are asked whether they failed


def advance(root: Any, steps: int) -> None:
    """Run what `root` is connected to `steps` steps on, and leave it paused.

    The models are watched: when one fails, Lava may wait for ever. After a failure nothing is
    stopped, since that may wait for ever as well: the caller must end this process and those that
    it started. Raises `BackendError` with the error of the model.
    """
    failures: list[BaseException] = []

    def work() -> None:
        try:
            root.run(RunSteps(steps))
        except BaseException as error:  # handed to the caller's thread
            failures.append(error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(_WATCH_S)
        if found := next(_model_errors(root.runtime), None):
            raise BackendError(f"Lava failed: {found}")
    if failures:
        raise BackendError(f"Lava failed: {failures[0]}") from failures[0]


def _model_errors(runtime: Any) -> Iterator[str]:
    """What each failed model raised (Lava logs it below its own log level), or what killed one."""
    actors = runtime._messaging_infrastructure.actors
    for actor in actors:
        with contextlib.suppress(OSError):  # Lava's own thread may have closed the pipe
            if actor.exception is not None:
                error, _ = actor.exception
                yield f"{type(error).__name__}: {error}"
    for actor in actors:
        if (actor.exitcode or 0) < 0:
            yield f"one of its processes was killed by signal {-actor.exitcode}"
