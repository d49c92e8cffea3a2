"""The engine of `lava` for a `Session`: one child process, in which Lava's Processes stay paused.

Between runs nothing leaves Lava: the state is where Lava keeps it, and goes on from there. So it
cannot be saved, and when the child has ended, whatever ended it, only a fresh start is left.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from dataclasses import replace
from pathlib import Path

from hrsnn_lava.errors import BackendError, BackendMissingError, SpecError
from hrsnn_lava.processes.program import PROBES, LavaProgram, lava_program
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.lava.backend import (
    Child,
    LavaBackend,
    LavaJob,
    lava_obstacle,
    learned_of,
    trace_of,
)
from hrsnn_lava.sim_backends.native.engine import Stretch
from hrsnn_lava.sim_backends.runs.state_form import Arrays, Int
from hrsnn_lava.trace import Trace

_NO_STATE = (
    "backend lava: Lava's processes keep their state to themselves; "
    "save and restore states with native or reference"
)


class LavaEngine:
    """Lava's own runtime; see `Engine`. The child starts with the first stretch."""

    def __init__(self, network: QuantizedNetwork, backend: LavaBackend) -> None:
        if obstacle := lava_obstacle():
            raise BackendMissingError(obstacle)
        if backend.runtime != "processes":
            raise SpecError(f"runtime: {backend.runtime}; allowed in a session: processes")
        self._network, self._backend = network, backend
        self._driven = any(p.target == "bias" for p in network.projections)
        self._running: _Running | None = None
        self.reset()

    def reset(self) -> None:
        """See `Engine.reset`: the next stretch starts Lava anew."""
        self._end("")
        job = LavaJob(self._network, None, 0)
        self._learned = learned_of(lava_program(self._network, None, 0), None, job)

    def advance(self, stretch: Stretch) -> Trace:
        """See `Engine.advance`.

        Raises:
            BackendError: Lava failed, took too long or was killed, now or in a stretch before.
        """
        if self._lost:
            raise BackendError(f"{self._lost}; its state is lost, reset the session")
        program = self._program(stretch)
        try:
            if self._running is None:
                self._running = _Running()
                # when it is forgotten, and when the interpreter ends
                self._finish = weakref.finalize(self, self._running.end)
            job = LavaJob(self._network, stretch.inputs, stretch.steps)
            trace = self._running.run(program, job, self._backend.timeout_s)
        except BaseException as error:  # an interrupt, too, leaves Lava somewhere within a step
            self._end(f"Lava was ended: {error!s}" if str(error) else "Lava was interrupted")
            raise
        self._learned = dict(trace.weights), dict(trace.traces)
        v, u = (
            trace.v if "v" in stretch.probes else None,
            trace.u if "u" in stretch.probes else None,
        )
        return replace(trace, v=v, u=u, weights={}, traces={})

    def _program(self, stretch: Stretch) -> LavaProgram:
        """The program of a stretch; all of a session have the same Processes."""
        program = lava_program(self._network, stretch.inputs, stretch.steps, PROBES)
        if not self._driven:
            return program
        groups, first = [], 0
        for group in program.neurons:
            rows = stretch.mantissas[:, first : first + group.size] - group.parameters["bias_mant"]
            groups.append(replace(group, drive_steps=stretch.starts, drive_values=rows))
            first += group.size
        return replace(program, neurons=tuple(groups))

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
        if self._running is not None:
            self._running = None
            self._finish()

    def snapshot(self) -> dict[str, Int]:
        """Refused."""
        raise SpecError(_NO_STATE)

    def restore(self, step: int, arrays: Arrays) -> None:  # noqa: ARG002 - the protocol's names
        """Refused."""
        raise SpecError(_NO_STATE)


class _Running:
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
        written = replace(program, connections=()) if self._stretches else program
        written.save(where / "program.npz")
        self._child.send(where.name)
        done, failure = self._child.follow(1, timeout_s)
        if not done:
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
