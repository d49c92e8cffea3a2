"""Other simulators behind one interface: `obstacle()` or a prepared `run() -> Run`.

Brian2 and NEST run in a child process, on the interpreter named by ``--peer-python`` or
``HRSNN_PEER_PYTHON`` (this one by default), so that they are never imported here and are no
dependencies. What is not installed is left out and the reason printed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from networks import as_arrays, columns

from hrsnn_lava import QuantizedNetwork, Trace
from hrsnn_lava.chip_learning import LearningRule
from hrsnn_lava.sim_backends.lava.backend import LavaBackend, lava_obstacle
from hrsnn_lava.sim_backends.runs.parity import compare

PEER_PYTHON = "HRSNN_PEER_PYTHON"


@dataclass(frozen=True)
class Run:
    """One run of a peer: seconds of its time loop, and what is known of its result."""

    seconds: float
    trace: Trace | None = None  # None: not the same arithmetic
    events: int | None = None  # its own synaptic events, where they differ from the network's
    spikes: int | None = None
    peak_bytes: int | None = None


class Different(Exception):  # noqa: N818 - a finding, not a fault of the program
    """Two programs that should compute the same gave different spikes or weights."""


def check(ours: Trace, theirs: Trace, name: str, steps: int | None = None) -> None:
    """Raise `Different` unless spikes (and weights that both have) agree in the first `steps`."""
    end = ours.n_steps if steps is None else steps
    a, b = (_first_steps(trace, end) for trace in (ours, theirs))
    mismatches, first = compare(a, b, ("native", name))
    if mismatches:
        raise Different(f"native and {name} differ, so their times mean nothing: {first}")
    if end == ours.n_steps == theirs.n_steps:
        for key in sorted(set(ours.weights) & set(theirs.weights)):
            if not np.array_equal(ours.weights[key], theirs.weights[key]):
                raise Different(f"native and {name} differ in the learned weights of {key!r}")


def _first_steps(trace: Trace, steps: int) -> Trace:
    early = trace.spike_steps < steps
    return Trace(trace.spike_steps[early], trace.spike_neurons[early], steps, trace.n_neurons)


class ScipyPeer:
    """The same integers with `scipy.sparse`: what one writes without a simulator.

    `layout` is "csc" (the columns of the neurons that fired, summed) or "csr" (a product with the
    vector of spikes). Decays truncate toward zero; nothing wraps or saturates in these networks.
    """

    def __init__(self, layout: str) -> None:
        self.layout, self.name = layout, f"SciPy {layout.upper()}"

    def obstacle(self) -> str | None:
        """Always there: SciPy is a dependency."""
        return None

    def prepare(self, net: QuantizedNetwork, steps: int) -> Callable[[], Run]:
        """Build the matrix; return the run."""
        matrix = columns(net) if self.layout == "csc" else columns(net).tocsr()
        arrays = as_arrays(net)

        def run() -> Run:
            started = time.process_time()
            at, who = self._steps(matrix, arrays, steps)
            seconds = time.process_time() - started
            return Run(seconds, Trace(at, who, steps, net.n_neurons))

        return run

    def _steps(self, matrix: Any, arrays: dict[str, Any], steps: int) -> tuple[Any, Any]:
        n = matrix.shape[0]
        keep_u, keep_v = (arrays[k].astype(np.int64) for k in ("keep_u", "keep_v"))
        threshold, bias = arrays["threshold"], arrays["bias"]
        u, v = np.zeros(n, np.int64), np.zeros(n, np.int64)
        fired, found = np.zeros(n, np.bool_), []
        for _ in range(steps):
            if self.layout == "csc":
                arriving = np.asarray(matrix[:, np.flatnonzero(fired)].sum(axis=1)).ravel()
            else:
                arriving = matrix @ fired.astype(np.int32)
            u = _toward_zero(u * keep_u) + (arriving.astype(np.int64) << 6)
            v = _toward_zero(v * keep_v) + u + bias
            fired = v > threshold
            v[fired] = 0
            found.append(np.flatnonzero(fired).astype(np.int32))
        at = np.repeat(np.arange(steps, dtype=np.int32), [f.size for f in found])
        return at, np.concatenate(found)


def _toward_zero(x: Any) -> Any:
    return (x + ((x >> 63) & 4095)) >> 12


class LavaPeer:
    """Lava 0.10 on its own runtime; seconds are the slope between a short and the whole run.

    Lava spreads its Processes over operating-system processes and so over cores. What counts is
    the CPU time of them all, which is the time on one core; `wall_per_step` is the time that
    passed with all the cores there are.
    """

    name = "Lava 0.10"
    short = 20
    wall_per_step = float("inf")

    def obstacle(self) -> str | None:
        """Why it cannot run here, or None."""
        return lava_obstacle()

    def prepare(self, net: QuantizedNetwork, steps: int) -> Callable[[], Run]:
        """Nothing to build: Lava builds in every run, which the slope removes."""
        backend = LavaBackend()

        def run() -> Run:
            wall, cpu = [], []
            for count in (self.short, steps):
                started, used = time.perf_counter(), _children_cpu()
                trace = backend.run(net, None, count)
                wall.append(time.perf_counter() - started)
                cpu.append(_children_cpu() - used)
            self.start_seconds = wall[0]
            length = steps - self.short
            self.wall_per_step = min(self.wall_per_step, (wall[1] - wall[0]) / length)
            return Run((cpu[1] - cpu[0]) / length * steps, trace)

        return run


def _children_cpu() -> float:
    """CPU seconds of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class ChildPeer:
    """A program that is served by ``peer_NAME.py`` in a process of its own.

    Attributes:
        module: ``brian2`` or ``nest``.
        python: interpreter that has it.
        rule: STDP parameters, where the network learns.
    """

    module: str
    python: str = field(default_factory=lambda: os.environ.get(PEER_PYTHON, sys.executable))
    rule: dict[str, float] | None = None
    name: str = ""
    start_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.name = self.name or {"brian2": "Brian2 C++", "nest": "NEST"}[self.module]
        self._child: subprocess.Popen[str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def obstacle(self) -> str | None:
        """Why it cannot run here, or None."""
        if self.python == sys.executable:
            missing = importlib.util.find_spec(self.module) is None
        else:
            find = f"importlib.util.find_spec({self.module!r})"
            probe = f"import importlib.util; raise SystemExit({find} is None)"
            missing = subprocess.run([self.python, "-c", probe], check=False).returncode != 0
        if missing:
            return f"no module {self.module!r} in {self.python} (see benchmarks/README.md)"
        return None

    def prepare(self, net: QuantizedNetwork, steps: int) -> Callable[[], Run]:
        """Start the child, which builds the network; return the run."""
        self.close()
        self._folder = tempfile.TemporaryDirectory(prefix=f"peer-{self.module}-")
        folder = Path(self._folder.name)
        np.savez(folder / "network.npz", **as_arrays(net), **(self.rule or {}))
        script = Path(__file__).with_name(f"peer_{self.module}.py")
        with (folder / "log.txt").open("w") as log:
            self._child = subprocess.Popen(
                [self.python, *map(str, (script, folder / "network.npz", folder / "build", steps))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        ready = self._answer()
        self.name, self.start_seconds = ready["version"], ready["start_seconds"]
        return lambda: self._run(net, steps)

    def _run(self, net: QuantizedNetwork, steps: int) -> Run:
        assert self._child is not None  # opened in `prepare`, as its pipes are
        assert self._child.stdin is not None
        self._child.stdin.write("run\n")
        self._child.stdin.flush()
        answer = self._answer()
        seconds, peak = answer["seconds"], answer["peak_bytes"]
        if self.module == "nest":
            return Run(seconds, None, answer["events"], answer["spikes"], peak)
        assert self._folder is not None
        with np.load(Path(self._folder.name) / "build" / "spikes.npz") as file:
            trace = Trace(file["steps"], file["neurons"], steps, net.n_neurons)
        if self.rule is None:
            return Run(seconds, trace, peak_bytes=peak)
        fan_out = np.diff(columns(net).indptr)
        events = int(fan_out[trace.spike_neurons].sum())
        return Run(seconds, None, events, trace.n_spikes, peak)

    def _answer(self) -> dict[str, Any]:
        assert self._child is not None
        assert self._child.stdout is not None
        assert self._folder is not None
        for line in self._child.stdout:
            if line.startswith("{"):  # NEST greets on standard output when it is imported
                break
        else:
            log = (Path(self._folder.name) / "log.txt").read_text(errors="replace").strip()
            raise RuntimeError(f"{self.name} failed: {log[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the child and remove its files."""
        if self._child is not None:
            self._child.communicate()
            self._child = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def stdp_parameters(rule: LearningRule) -> dict[str, float]:
    """Pair STDP of a chip rule in plain numbers, for simulators that compute in floats."""
    minus, plus = rule.dw
    return {
        "a_plus": plus.mantissa * 2.0**plus.exponent,
        "a_minus": -minus.mantissa * 2.0**minus.exponent,
        "tau_plus": rule.x1.tau,
        "tau_minus": rule.y1.tau,
        "impulse": rule.x1.impulse,
    }
