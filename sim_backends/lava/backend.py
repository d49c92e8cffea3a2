"""Engines on Lava: real Lava Processes on Lava's runtime, in a child process with a time limit.

Lava 0.10.0 is the oracle of bit-exactness: slow, Python 3.10 only, prone to hang after an error,
one operating-system process per Process. All of that stays in a child that can be killed whole.

`LavaEngine` keeps one child, in which Lava's Processes stay paused between stretches: the state is
where Lava keeps it, so it cannot be saved, and when the child has ended, whatever ended it, only a
fresh start is left. `LavaBackend.run_many` runs many networks in few children.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from hrsnn_lava.compiler.analysis.operations.activity import updates_of
from hrsnn_lava.errors import BackendError, SpecError
from hrsnn_lava.network import Network
from hrsnn_lava.processes.lowering import lava_program
from hrsnn_lava.processes.program import PROBES, LavaProgram
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import Backend, Engine, Stretch, require_backend, with_updates
from hrsnn_lava.sim_backends.learning_program import Int, plastic_projections
from hrsnn_lava.trace import SpikeInput, Trace

__all__ = ["LavaBackend", "LavaEngine", "LavaJob", "lava_obstacle"]

_CHILD = "hrsnn_lava.sim_backends.lava.child"
_SHARED_MEMORY = Path("/dev/shm")
#: Runs in one child: Lava keeps every Process it ever made, and their weights.
_BATCH = 50


def lava_obstacle(version: tuple[int, ...] = sys.version_info[:2]) -> str | None:
    """One line that says why Lava cannot run here and what to do, or None if it can."""
    if version[:2] != (3, 10):
        return (
            f"Lava 0.10.0 needs Python 3.10, this is {version[0]}.{version[1]}: "
            "uv run --python 3.10 hrsnn-lava ..., or use --backend native"
        )
    if importlib.util.find_spec("lava") is None:
        return "Lava is not installed: uv pip install lava-nc==0.10.0, or use --backend native"
    return None


@dataclass(frozen=True, eq=False)
class LavaJob:
    """One run of a batch: what `LavaBackend.run` takes. `name` appears in error messages."""

    network: Any
    inputs: SpikeInput | None
    steps: int
    probes: tuple[str, ...] = ("spikes",)
    name: str = ""


@dataclass(frozen=True)
class LavaBackend(Backend):
    """Runs networks in Lava; spikes, v and u are those of Lava, bit for bit.

    Attributes:
        timeout_s: time limit in seconds of a stretch of a run, the start of Lava included. Past it
            the child and every process that it started are killed.
        runtime: "processes" is Lava's own runtime. "threads" runs the same compiled graph and the
            same process models in the threads of one process, without Lava's message passing: a
            fraction of the time for small networks and long delays, for tests of many. It has no
            engine, `run` and `run_many` alone.
    """

    timeout_s: float = 600.0
    runtime: Literal["processes", "threads"] = "processes"
    name = "lava"
    keeps_state = False
    #: Runs Lava's own `LIF`, for networks that are lowered to it, in place of `HeterogeneousLIF`.
    stock: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """See `Backend.label`."""
        return f"{self.name} (fixed_pt)"

    def obstacle(self) -> str | None:
        """See `Backend.obstacle`."""
        return lava_obstacle()

    def within(self, timeout_s: float | None) -> LavaBackend:
        """See `Backend.within`."""
        return self if timeout_s is None else replace(self, timeout_s=timeout_s)

    def open(self, network: QuantizedNetwork) -> Engine:
        """See `Backend.open`; raises `SpecError` for a runtime in threads."""
        if self.runtime != "processes":
            raise SpecError(f"runtime: {self.runtime}; allowed in a session: processes")
        return LavaEngine(network, self)

    def run(
        self,
        compiled: Any,
        inputs: SpikeInput | None,
        steps: int,
        probes: Collection[str] = ("spikes",),
    ) -> Trace:
        """Run a `QuantizedNetwork`, a `CompiledNetwork` or a float `Network` in a child of its own.

        `probes` are any of "spikes" (always recorded), "v" and "u". A float network runs on
        Lava's floating_pt models, and its `v` and `u` are float64 in the network's own unit.

        Raises:
            BackendMissingError: no Lava on this Python.
            BackendError: Lava failed, or did not end within `timeout_s`.
            SpecError, NetworkError: the request contradicts itself, or a float projection learns.
        """
        (result,) = self.run_many([LavaJob(compiled, inputs, steps, tuple(probes))])
        if isinstance(result, BackendError):
            raise result
        return result

    def run_many(self, jobs: Sequence[LavaJob]) -> list[Trace | BackendError]:
        """Run many networks in as few children as possible; one result for each, in order.

        Saves the start of an interpreter and the import of Lava for each network. A job that
        fails or exceeds `timeout_s` gives a `BackendError` in its place; the rest go on in a
        fresh child.
        """
        require_backend(self)
        programs = [
            replace(
                lava_program(_network(job.network), job.inputs, job.steps, job.probes),
                stock=self.stock,
            )
            for job in jobs
        ]
        results: dict[int, Trace | BackendError] = {}
        with tempfile.TemporaryDirectory(prefix="hrsnn-lava-") as text:
            folder = Path(text)
            pending = []
            for number, program in enumerate(programs):
                if program.n_steps == 0:
                    results[number] = _empty_trace(program, jobs[number])
                    continue
                (folder / str(number)).mkdir()
                program.save(folder / str(number) / "program.npz")
                pending.append(number)
            while pending:
                batch = pending[:_BATCH]
                finished, failure = self._run_child(folder, [str(n) for n in batch])
                for number in batch[:finished]:
                    where, job = folder / str(number), jobs[number]
                    results[number] = _counted(
                        _network(job.network), trace_of(programs[number], where, job)
                    )
                    shutil.rmtree(where)
                if finished < len(batch):
                    label = jobs[batch[finished]].name
                    results[batch[finished]] = BackendError(
                        f"{label}: {failure}" if label else failure
                    )
                pending = pending[finished + (finished < len(batch)) :]
        return [results[number] for number in range(len(jobs))]

    def _run_child(self, folder: Path, jobs: list[str]) -> tuple[int, str]:
        """Run jobs in one child; return how many finished and what stopped the next one."""
        child = Child(folder, {"jobs": jobs, "runtime": self.runtime})
        try:
            return child.follow(len(jobs), self.timeout_s)
        finally:
            child.end()


def _network(compiled: Any) -> QuantizedNetwork | Network:
    """The network of a `CompiledNetwork`, or the argument itself."""
    inner = getattr(compiled, "network", compiled)
    if not isinstance(inner, (QuantizedNetwork, Network)):
        raise SpecError(
            f"the lava backend cannot run a {type(compiled).__name__}: compile or quantize it first"
        )
    return inner


class Child:
    """The interpreter that Lava runs in, its processes and its shared memory; to be ended."""

    def __init__(self, folder: Path, order: dict[str, Any]) -> None:
        self._prefix = f"hl{secrets.token_hex(3)}_"
        self._log = folder / "stderr.txt"
        (folder / "jobs.json").write_text(json.dumps({**order, "shm_prefix": self._prefix}))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with self._log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", _CHILD, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
            )

    def send(self, line: str) -> None:
        """Write a line to its standard input; a child that is dead is noticed in `follow`."""
        assert self._process.stdin is not None  # opened as a pipe just above
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()

    def follow(self, n_jobs: int, timeout_s: float) -> tuple[int, str]:
        """Wait for `n_jobs` jobs; return how many finished and what stopped the next one."""
        finished, failure = _follow(self._process, n_jobs, timeout_s)
        if finished < n_jobs and not failure:
            failure = _last_words(self._log.read_text(errors="replace"))
        return finished, failure

    def end(self) -> None:
        """Kill what is left of the child's process group, reap it, remove its shared memory."""
        child = self._process
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # the unreaped child still owns its number, so this can reach no other group
            os.killpg(child.pid, signal.SIGKILL)
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        child.wait()
        if _SHARED_MEMORY.is_dir():
            for leftover in _SHARED_MEMORY.glob(f"{self._prefix}*"):
                leftover.unlink(missing_ok=True)


def _follow(child: subprocess.Popen[bytes], n_jobs: int, timeout_s: float) -> tuple[int, str]:
    """Read the child's reports until it is through, fails, or a job exceeds its time."""
    assert child.stdout is not None  # opened as a pipe just above
    finished, pending = 0, b""
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while finished < n_jobs:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return finished, f"Lava did not end within {timeout_s:g} s and was killed"
            chunk = os.read(child.stdout.fileno(), 65536)
            if not chunk:
                return finished, ""  # it died; its last words are in the log
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                report = json.loads(line)
                if report["status"] == "failed":
                    return finished, str(report["message"])
                if report["status"] == "done":
                    finished += 1
                    deadline = time.monotonic() + timeout_s
    return finished, ""


def _last_words(log: str) -> str:
    """The last line of a log that names an error, else the last line that says anything."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    error_lines = [
        ln for ln in lines if re.match(r"[\w.]*(Error|Exception|Interrupt|Killed)\b", ln)
    ]
    said = error_lines or [line for line in lines if "resource_tracker" not in line]
    return f"Lava's process died: {said[-1]}" if said else "Lava's process died without a word"


def _empty_trace(program: LavaProgram, job: LavaJob) -> Trace:
    """What a run of no steps gives; Lava has no such run."""
    n = sum(group.size for group in program.neurons)
    none = np.zeros(0, dtype=np.int32)
    states = np.zeros((0, n), dtype=np.int32 if program.precision == "fixed_pt" else np.float64)
    v, u = (states if probe in program.probes else None for probe in ("v", "u"))
    weights, traces = learned_of(program, None, _network(job.network))
    several = any(group.several for group in program.neurons)
    payloads = none if several else None
    return Trace(none, none, 0, n, v, u, weights, job.inputs, traces, payloads=payloads)


def learned_of(
    program: LavaProgram, folder: Path | None, network: QuantizedNetwork | Network
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the connections of every learning projection wrote, as `Trace.weights` and `.traces`.

    Without a folder: their values before the first step.
    """
    weights: dict[str, Any] = {}
    traces: dict[str, Any] = {}
    if not isinstance(network, QuantizedNetwork):
        return weights, traces
    for plastic in plastic_projections(network):
        values = np.stack([plastic.start, *plastic.tags])
        sides = {"x": np.zeros((2, plastic.n_pre)), "y": np.zeros((3, plastic.n_post))}
        by_rule: dict[int, dict[str, Any]] = dict.fromkeys(plastic.followed, sides)
        for connection in program.connections:
            learning = connection.learning
            if folder is not None and learning is not None and learning.projection == plastic.name:
                with np.load(folder / f"{learning.number}_learned.npz") as archive:
                    values[:, learning.place] = archive["learned"]
                    by_rule[learning.profile] = {side: archive[side] for side in "xy"}
        weights |= plastic.learned(*values[:, plastic.place])

        def read(k: int, name: str, by_rule: dict[int, dict[str, Any]] = by_rule) -> Any:
            return by_rule[k][name[0]][int(name[1]) - 1]

        traces |= plastic.traces(read)
    return weights, traces


def _counted(network: QuantizedNetwork | Network, trace: Trace) -> Trace:
    """The trace of a run from rest, with the updates that recorded v and u tell."""
    if not isinstance(network, QuantizedNetwork):
        return trace
    return with_updates(trace, updates_of(network, trace))


def trace_of(program: LavaProgram, folder: Path, job: LavaJob) -> Trace:
    """Collect the sinks of one run."""

    def recorded(probe: str) -> Any:
        parts = [np.load(folder / f"{i}_{probe}.npy") for i in range(len(program.neurons))]
        return np.concatenate(parts, axis=1)

    spikes = recorded("spikes")
    steps, neurons = np.nonzero(spikes)
    several = any(group.several for group in program.neurons)
    v = recorded("v") if "v" in program.probes else None
    weights, traces = learned_of(program, folder, _network(job.network))
    units = [group.v_unit for group in program.neurons]
    if v is not None and units[0] is not None:
        v = v * np.concatenate([unit for unit in units if unit is not None])
    return Trace(
        spike_steps=steps.astype(np.int32),
        spike_neurons=neurons.astype(np.int32),
        n_steps=program.n_steps,
        n_neurons=sum(group.size for group in program.neurons),
        v=v,
        u=recorded("u") if "u" in program.probes else None,
        weights=weights,
        inputs=job.inputs,
        traces=traces,
        payloads=spikes[steps, neurons].astype(np.int64) if several else None,
    )


class LavaEngine(Engine):
    """Lava's own runtime; see `Engine`. The child starts with the first stretch.

    v and u are recorded in every stretch, since Lava's Processes are built once: so the updates,
    which Lava does not count, follow from them.
    """

    def __init__(self, network: QuantizedNetwork, backend: LavaBackend) -> None:
        self._network, self._backend = network, backend
        self._driven = any(p.target == "bias" for p in network.projections)
        self._children: _Stretches | None = None
        self.reset()

    def reset(self) -> None:
        """See `Engine.reset`: the next stretch starts Lava anew."""
        self._end("")
        self._learned = learned_of(lava_program(self._network, None, 0), None, self._network)
        self._u, self._v = (np.zeros((1, self._network.n_neurons), dtype=np.int32) for _ in "uv")

    def advance(self, stretch: Stretch) -> Trace:
        """See `Engine.advance`.

        Raises:
            BackendError: Lava failed, took too long or was killed, now or in a stretch before.
        """
        if self._lost:
            raise BackendError(f"{self._lost}; its state is lost, reset the session")
        program = self._program(stretch)
        try:
            if self._children is None:
                self._children = _Stretches()
                # when it is forgotten, and when the interpreter ends
                self._finish = weakref.finalize(self, self._children.end)
            job = LavaJob(self._network, stretch.inputs, stretch.steps)
            trace = self._children.run(program, job, self._backend.timeout_s)
        except BaseException as error:  # an interrupt, too, leaves Lava somewhere within a step
            self._end(f"Lava was ended: {error!s}" if str(error) else "Lava was interrupted")
            raise
        self._learned = dict(trace.weights), dict(trace.traces)
        trace = with_updates(trace, self._updates(stretch, trace))
        v, u = (getattr(trace, name) if name in stretch.probes else None for name in ("v", "u"))
        return replace(trace, v=v, u=u, weights={}, traces={})

    def _program(self, stretch: Stretch) -> LavaProgram:
        """The program of a stretch; all of a session have the same Processes."""
        program = lava_program(self._network, stretch.inputs, stretch.steps, PROBES)
        program = replace(program, stock=self._backend.stock)
        if not self._driven:
            return program
        groups, first = [], 0
        for group in program.neurons:
            rows = stretch.mantissas[:, first : first + group.size] - group.parameters["bias_mant"]
            groups.append(replace(group, drive_steps=stretch.starts, drive_values=rows))
            first += group.size
        return replace(program, neurons=tuple(groups))

    def _updates(self, stretch: Stretch, trace: Trace) -> tuple[Any, Any]:
        """Active and membrane updates of every step, from the states before and after it."""
        v, u = np.asarray(trace.v), np.asarray(trace.u)
        before_v, before_u = (
            np.concatenate([last, rows[:-1]]) for last, rows in ((self._v, v), (self._u, u))
        )
        row = np.searchsorted(stretch.starts, np.arange(stretch.steps), side="right") - 1
        active = (before_v | before_u | u | stretch.mantissas[row]) != 0
        v_changed = v != before_v
        v_changed[trace.spike_steps, trace.spike_neurons] = True  # v is read after the reset
        self._v, self._u = v[-1:].copy(), u[-1:].copy()
        return active.sum(axis=1), v_changed.sum(axis=1)

    def weights(self) -> dict[str, Int]:
        """See `Engine.weights`."""
        return dict(self._learned[0])

    def traces(self) -> dict[str, Int]:
        """See `Engine.traces`."""
        return dict(self._learned[1])

    def twin(self) -> LavaEngine:
        """See `Engine.twin`; it has a child of its own."""
        return LavaEngine(self._network, self._backend)

    def close(self) -> None:
        """See `Engine.close`."""
        self._end("the session is closed")

    def _end(self, why: str) -> None:
        """End the child, if there is one; `why` is what later stretches are refused with."""
        self._lost = why
        if self._children is not None:
            self._children = None
            self._finish()


class _Stretches:
    """A child with the Processes of one network, and the folder for what goes in and out."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._folder = Path(tempfile.mkdtemp(prefix="hrsnn-lava-"))
        self._stretches = 0
        try:
            self._child = Child(self._folder, {})
        except BaseException:
            shutil.rmtree(self._folder)
            raise

    def run(self, program: LavaProgram, job: LavaJob, timeout_s: float) -> Trace:
        """Run one stretch on."""
        where = self._folder / str(self._stretches)
        where.mkdir()
        # the first program says what the Processes are; of the later ones only input is read
        stretch_program = replace(program, connections=()) if self._stretches else program
        stretch_program.save(where / "program.npz")
        self._child.send(where.name)
        finished, failure = self._child.follow(1, timeout_s)
        if not finished:
            raise BackendError(failure)
        trace = trace_of(program, where, job)
        shutil.rmtree(where)
        self._stretches += 1
        return trace

    def end(self) -> None:
        """Kill the child and remove the folder."""
        if os.getpid() != self._owner:  # a process forked from the one whose child it is
            return
        self._child.end()
        shutil.rmtree(self._folder, ignore_errors=True)
