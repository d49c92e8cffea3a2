"""The Lava backend: real Lava Processes on Lava's runtime, in a child process with a time limit.

Lava 0.10.0 is the oracle of bit-exactness: slow, Python 3.10 only, prone to hang after an error,
one operating-system process per Process. All of that stays in a child that can be killed whole.
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
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrsnn_lava.errors import BackendError, BackendMissingError, SpecError
from hrsnn_lava.network import Network
from hrsnn_lava.processes.program import LavaProgram, lava_program
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.learning_program import plastic_projections
from hrsnn_lava.sim_backends.runs.counting import recorded
from hrsnn_lava.trace import SpikeInput, Trace

__all__ = ["Child", "LavaBackend", "LavaJob", "lava_obstacle", "learned_of", "trace_of"]

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
    """One run of a batch: what `LavaBackend.run` takes. `name` appears in error messages.

    `stock` runs it on Lava's own `LIF`, for a network that is lowered to it (`LowerStock`).
    """

    network: Any
    inputs: SpikeInput | None
    steps: int
    probes: tuple[str, ...] = ("spikes",)
    name: str = ""
    stock: bool = False


@dataclass(frozen=True)
class LavaBackend:
    """Runs networks in Lava; spikes, v and u are those of Lava, bit for bit.

    Attributes:
        timeout_s: time limit of one run in seconds, the start of Lava included. Past it the child
            and every process that it started are killed.
        runtime: "processes" is Lava's own runtime. "threads" runs the same compiled graph and the
            same process models in the threads of one process, without Lava's message passing: a
            fraction of the time for small networks and long delays, for tests of many.
    """

    timeout_s: float = 600.0
    runtime: Literal["processes", "threads"] = "processes"
    name = "lava"

    def run(
        self,
        compiled: Any,
        inputs: SpikeInput | None,
        steps: int,
        probes: Collection[str] = ("spikes",),
    ) -> Trace:
        """Run `steps` steps of a `QuantizedNetwork`, a `CompiledNetwork` or a float `Network`.

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
        if obstacle := lava_obstacle():
            raise BackendMissingError(obstacle)
        programs = [
            replace(lava_program(_network(j.network), j.inputs, j.steps, j.probes), stock=j.stock)
            for j in jobs
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
                done, failure = _run_child(folder, [str(n) for n in batch], self)
                for number in batch[:done]:
                    where = folder / str(number)
                    results[number] = _counted(programs[number], where, jobs[number])
                    shutil.rmtree(where)
                if done < len(batch):
                    label = jobs[batch[done]].name
                    results[batch[done]] = BackendError(f"{label}: {failure}" if label else failure)
                pending = pending[done + (done < len(batch)) :]
        return [results[number] for number in range(len(jobs))]


def _network(compiled: Any) -> QuantizedNetwork | Network:
    """The network of a `CompiledNetwork`, or the argument itself."""
    inner = getattr(compiled, "network", compiled)
    if not isinstance(inner, (QuantizedNetwork, Network)):
        raise SpecError(
            f"the lava backend cannot run a {type(compiled).__name__}: compile or quantize it first"
        )
    return inner


def _run_child(folder: Path, jobs: list[str], backend: LavaBackend) -> tuple[int, str]:
    """Run jobs in one child; return how many were done and what stopped the next one."""
    child = Child(folder, {"jobs": jobs, "runtime": backend.runtime})
    try:
        done, failure = child.follow(len(jobs), backend.timeout_s)
    finally:
        child.end()
    return done, failure


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
        """Wait for `n_jobs` jobs; return how many were done and what stopped the next one."""
        done, failure = _follow(self._process, n_jobs, timeout_s)
        if done < n_jobs and not failure:
            failure = _last_words(self._log.read_text(errors="replace"))
        return done, failure

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
    done, pending = 0, b""
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while done < n_jobs:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return done, f"Lava did not end within {timeout_s:g} s and was killed"
            chunk = os.read(child.stdout.fileno(), 65536)
            if not chunk:
                return done, ""  # it died; its last words are in the log
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                report = json.loads(line)
                if report["status"] == "failed":
                    return done, str(report["message"])
                if report["status"] == "done":
                    done += 1
                    deadline = time.monotonic() + timeout_s
    return done, ""


def _last_words(log: str) -> str:
    """The last line of a log that names an error, else the last line that says anything."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    named = [ln for ln in lines if re.match(r"[\w.]*(Error|Exception|Interrupt|Killed)\b", ln)]
    said = named or [line for line in lines if "resource_tracker" not in line]
    return f"Lava's process died: {said[-1]}" if said else "Lava's process died without a word"


def _empty_trace(program: LavaProgram, job: LavaJob) -> Trace:
    """What a run of no steps gives; Lava has no such run."""
    n = sum(group.size for group in program.neurons)
    none = np.zeros(0, dtype=np.int32)
    states = np.zeros((0, n), dtype=np.int32 if program.precision == "fixed_pt" else np.float64)
    v, u = (states if probe in program.probes else None for probe in ("v", "u"))
    weights, traces = learned_of(program, None, job)
    return Trace(none, none, 0, n, v, u, weights, job.inputs, traces)


def learned_of(
    program: LavaProgram, folder: Path | None, job: LavaJob
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the connections of every learning projection wrote, as `Trace.weights` and `.traces`.

    Without a folder: their values before the first step.
    """
    network = _network(job.network)
    weights: dict[str, Any] = {}
    traces: dict[str, Any] = {}
    if not isinstance(network, QuantizedNetwork):
        return weights, traces
    for plastic in plastic_projections(network):
        values = np.stack([plastic.start, *plastic.tags])
        sides = {"x": np.zeros((2, plastic.n_pre)), "y": np.zeros((3, plastic.n_post))}
        found: dict[int, dict[str, Any]] = dict.fromkeys(plastic.followed, sides)
        for connection in program.connections:
            learning = connection.learning
            if folder is not None and learning is not None and learning.projection == plastic.name:
                with np.load(folder / f"{learning.number}_learned.npz") as written:
                    values[:, learning.place] = written["learned"]
                    found[learning.profile] = {side: written[side] for side in "xy"}
        weights |= plastic.learned(*values[:, plastic.place])

        def read(k: int, name: str, found: dict[int, dict[str, Any]] = found) -> Any:
            return found[k][name[0]][int(name[1]) - 1]

        traces |= plastic.traces(read)
    return weights, traces


def _counted(program: LavaProgram, folder: Path, job: LavaJob) -> Trace:
    """The trace of a run from rest, with the updates that recorded states tell."""
    network, trace = _network(job.network), trace_of(program, folder, job)
    return recorded(network, trace) if isinstance(network, QuantizedNetwork) else trace


def trace_of(program: LavaProgram, folder: Path, job: LavaJob) -> Trace:
    """Collect the sinks of one run."""

    def recorded(probe: str) -> Any:
        parts = [np.load(folder / f"{i}_{probe}.npy") for i in range(len(program.neurons))]
        return np.concatenate(parts, axis=1)

    steps, neurons = np.nonzero(recorded("spikes"))
    v = recorded("v") if "v" in program.probes else None
    weights, traces = learned_of(program, folder, job)
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
    )
