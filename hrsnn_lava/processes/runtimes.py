"""Two ways to run a graph: on Lava's own runtime, watched, or in the threads of one interpreter.

Lava's runtime forks an operating-system process for each Process and needs 0.2 to 0.8 s to start
a small graph. In threads Lava compiles the graph and its process models compute every step,
unchanged, but the channels between them are queues: what is replaced is the transport, not the
arithmetic. Values are converted to the type of the sending port, as Lava's shared memory does.
There are no phases but `run_spk` and `run_lrn`, which exchanges nothing, and of the access to Vars
only what a host writes into biases between steps. One thing is remembered: the matrix that
`DelaySparse` builds from its weights and delays, anew in every step in Lava.

Importing this module imports Lava, which needs Python 3.10.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeAlias

import numpy as np
from lava.magma.core.process.ports.ports import create_port_id
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.sparse.models import AbstractPyDelaySparseModel
from numpy.typing import DTypeLike, NDArray
from scipy import sparse

from hrsnn_lava.errors import BackendError
from hrsnn_lava.processes.graph import LavaGraph, build, components
from hrsnn_lava.processes.program import LavaProgram
from hrsnn_lava.processes.stock import BiasWrite, stretches

__all__ = ["advance", "run", "run_in_threads"]

DelayMatrix: TypeAlias = sparse.csr_matrix
#: What a channel carries; None says that the sender failed.
Message: TypeAlias = NDArray[Any] | None
_WATCH_S = 0.1  # how often the models are asked whether they failed


def run(program: LavaProgram, folder: str | os.PathLike[str], runtime: str = "processes") -> None:
    """Run a program; what it records lies at `sink_path`.

    `runtime` is "processes", Lava's own, or "threads". Raises `BackendError` with
    the error of the model that failed.
    """
    for numbers, part in components(program):
        graph = build(part, folder, numbers)
        if runtime == "threads":
            run_in_threads(graph.root, part.n_steps, graph.run_config(), graph.writes)
        else:
            _run_in_processes(graph, part.n_steps)


def _run_in_processes(graph: LavaGraph, steps: int) -> None:
    """Run on Lava's runtime; after a failure the caller must end this process, see `advance`."""
    root = graph.root
    root.create_runtime(graph.run_config())
    for length, writes in stretches(steps, graph.writes):
        for write in writes:
            write.process.bias_mant.set(write.mantissa)
        advance(root, length)
    root.stop()


def advance(root: AbstractProcess, steps: int) -> None:
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
        if failure := next(_model_errors(root.runtime), None):
            raise BackendError(f"Lava failed: {failure}")
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


class _Closed(Exception):  # noqa: N818 - a signal, not an error
    """Ends a thread that waits for one that failed."""


@dataclass(frozen=True, eq=False)
class _End:
    """Either end of a channel, with what Lava's ports use of a CspPort."""

    name: str
    queue: SimpleQueue[Message]
    shape: tuple[int, ...]
    d_type: DTypeLike

    def start(self) -> None:
        """Nothing to start."""

    def send(self, data: NDArray[Any]) -> None:
        """Convert to the channel's type, like Lava's shared memory, and pass on."""
        if data.shape != self.shape:
            raise AssertionError(f"{data.shape=} {self.shape=} Mismatch")
        message = np.empty(self.shape, dtype=self.d_type)
        message[:] = data
        self.queue.put(message)

    def recv(self) -> NDArray[Any]:
        """Wait for the next message."""
        message = self.queue.get()
        if message is None:
            raise _Closed
        return message


def run_in_threads(
    root: AbstractProcess, steps: int, run_config: Loihi2SimCfg, writes: Sequence[BiasWrite] = ()
) -> None:
    """Compile what is connected to `root` with Lava and run `steps` steps of its models.

    `run_config` is Lava's, as for `root.run`; `writes` are done between steps. Raises what a model
    raised.
    """
    executable = root.compile(run_config)
    ends = []
    for channel in executable.channel_builders:
        source, target = channel.src_port_initializer, channel.dst_port_initializer
        queue: SimpleQueue[Message] = SimpleQueue()
        send, receive = (
            _End(port.name, queue, tuple(source.shape), source.d_type) for port in (source, target)
        )
        sender = executable.proc_builders[channel.src_process]
        receiver = executable.proc_builders[channel.dst_process]
        sender.set_csp_ports([send])
        receiver.set_csp_ports([receive])
        receiver.add_csp_port_mapping(create_port_id(channel.src_process.id, source.name), receive)
        ends.append(receive)
    models = {process: builder.build() for process, builder in executable.proc_builders.items()}
    for model in models.values():
        if isinstance(model, AbstractPyDelaySparseModel):
            model.get_delay_wgts_mat = _remembered(model.get_delay_wgts_mat)
    for length, now in stretches(steps, writes):
        for write in now:
            models[write.process].bias_mant[:] = write.mantissa
        _run_models(list(models.values()), ends, length)


def _remembered(build: Callable[..., DelayMatrix]) -> Callable[..., DelayMatrix]:
    """`build`, which is not called again for the same weights object.

    Lava puts a new object in its place when it quantizes the weights in the first step, and
    without learning never changes it again.
    """
    last: list[DelayMatrix] = []  # the weights of the last call, and what was built of them

    def remembered(weights: DelayMatrix, delays: DelayMatrix, max_delay: int) -> DelayMatrix:
        if not last or last[0] is not weights:
            last[:] = weights, build(weights, delays, max_delay)
        return last[1]

    return remembered


def _run_models(models: list[Any], ends: list[_End], steps: int) -> None:
    failures: list[BaseException] = []

    def live(model: Any) -> None:
        try:
            for _ in range(steps):
                model.time_step += 1
                model.run_spk()
                if model.lrn_guard():
                    model.run_lrn()
        except _Closed:
            return
        except BaseException as error:
            failures.append(error)
            for end in ends:
                end.queue.put(None)

    threads = [threading.Thread(target=live, args=(model,), daemon=True) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
