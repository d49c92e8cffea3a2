"""Recordings of any length: spikes and states go to disk as they come, memory stays flat.

While a recording of ``t.npz`` is under way, the folder ``t.npz.partial`` holds ``chunks.log``, an
append-only file that is readable after a kill at any moment, and ``checkpoint.hlx``, the state at
the end of some chunk, on engines that hand their state out. `record` with ``resume=True`` cuts the
log back to the checkpoint and goes on from there; the result is the same, byte for byte. At the end
the log is converted to the trace file, which appears whole or not at all, and the folder goes.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.artifacts.container import Artifact, read_artifact, write_artifact
from hrsnn_lava.artifacts.files import FULL, put_in_place
from hrsnn_lava.errors import ArtifactError, OutputError, SpecError
from hrsnn_lava.findings import warn
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.sim_backends.base import Backend, backend_of, check_run, run_steps, runnable
from hrsnn_lava.sim_backends.runs.chunk_log import Chunk, LogWriter, read_part, scan
from hrsnn_lava.sim_backends.runs.inputs import InputCursor, Inputs
from hrsnn_lava.sim_backends.runs.recorded import (
    CHECKPOINT,
    CONVERTED,
    FORMAT,
    FORMAT_VERSION,
    LOG,
    Probed,
    ProbePlan,
    Recording,
    partial_folder,
    write_members,
)
from hrsnn_lava.sim_backends.runs.session import Session, State, told
from hrsnn_lava.trace import LOSSES, UPDATES, SpikeInput

__all__ = ["Probed", "RecordOptions", "Recorder", "Recording", "partial_folder", "record"]

#: Wall time between two checkpoints: what a killed recording has to do again, at most.
CHECKPOINT_SECONDS = 5.0


@dataclass(frozen=True)
class RecordOptions:
    """How `record` runs, and what it keeps.

    Attributes:
        every, between, neurons: which states are kept, see `ProbePlan`. A trace file has them as
            ``v`` and ``u`` when it is all of them, else as ``probe/v`` and so on. Learned weights
            and spike traces are kept after every `every` steps, as ``probe/weights/KEY`` (R, nnz)
            with ``probe/weight_steps`` (R,) and ``probe/traces/KEY`` (R, n) with
            ``probe/trace_steps`` (R,), keys as in `Trace`; in the end they are kept always, as
            ``weights/KEY`` and ``traces/KEY``.
        state: where to start; None is rest.
        backend: name of an engine, or a `Backend` with options of its own.
        resume: go on with what a killed recording left; start anew when there is nothing.
        progress: told the steps that are on disk, after every chunk.
        checkpoint_s: seconds between checkpoints; `CHECKPOINT_SECONDS` by default.
    """

    every: int = 1
    between: Sequence[int] | None = None
    neurons: slice | ArrayLike | None = None
    state: State | None = None
    backend: str | Backend = "native"
    resume: bool = False
    progress: Progress = silent
    checkpoint_s: float | None = None


def record(
    network: Any,
    inputs: Inputs,
    steps: int | None,
    path: Any,
    probes: Collection[str] = ("spikes",),
    **options: Any,
) -> State | None:
    """Run `steps` steps, and write the trace to disk as it comes.

    Args:
        network: `CompiledNetwork` or `QuantizedNetwork`.
        inputs: a recording, or an iterable of pieces that follow one another; None for none.
        steps: number of steps; None: the input's, all its pieces together, or 1000 without one.
        path: of the trace ``.npz``; a file that is there stays until the new one is complete.
        probes: any of ``spikes`` (always kept, whole), ``v``, ``u``, ``weights`` and ``traces``.
        options: those of `RecordOptions`.

    Returns:
        The state after the last step; None on an engine that hands none out.

    Raises:
        SpecError: arguments that do not fit, or an unfinished recording is in the way.
        ArtifactError: what is to be resumed is damaged or belongs to another run.
    """
    settings = RecordOptions(**options)
    integer = runnable(network)
    steps = run_steps(inputs, steps)
    check_run(integer, inputs if isinstance(inputs, SpikeInput) else None, steps)
    plan = ProbePlan.of(integer, steps, probes, settings.every, settings.between, settings.neurons)
    with contextlib.closing(Recorder(integer, path, plan, settings)) as recorder:
        recorder.run(inputs)
        outline = recorder.recording().outline()
        recorder.finish()
        warn(told(outline, integer).findings, stacklevel=3)
        return recorder.state() if recorder.keeps_state else None


class Recorder:
    """A recording under way; `record` is the short form.

    Args:
        network: integer network.
        path: of the trace file.
        plan: what is kept.
        options: all others but those that made the plan.

    Attributes:
        step: steps that are on disk.
        keeps_state: it can be resumed, and `state` gives the state.
    """

    def __init__(
        self,
        network: Any,
        path: Any,
        plan: ProbePlan,
        options: RecordOptions = RecordOptions(),
    ) -> None:
        self._target, self._folder = Path(os.fspath(path)), partial_folder(path)
        self._plan, self._options = plan, options
        checkpoint_s, state = options.checkpoint_s, options.state
        self._checkpoint_s = CHECKPOINT_SECONDS if checkpoint_s is None else checkpoint_s
        self.keeps_state = backend_of(options.backend).keeps_state
        self._session = Session(network, state, options.backend)
        if options.resume and not self.keeps_state:
            self._session.state()  # which says why there is none
        self._earlier: list[Chunk] = []
        self.step = 0
        header = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "plan": plan.to_dict(),
            "network": self._session.network_digest,
            "start": None if state is None else state.digest,
            "stretch": self._session.stretch_steps,
        }
        chunks = scan(self._folder / LOG) if (self._folder / LOG).exists() else []
        if len(chunks) > 1 and not options.resume:
            recorded = Recording(self._folder, plan, chunks[1:], None).steps_done
            raise SpecError(
                f"{self._folder}: an unfinished recording of {recorded} steps is there; "
                "resume it, or remove the folder"
            )
        # a header alone is of a recording that was killed before its first chunk
        self._log = self._go_on(chunks, header) if len(chunks) > 1 else self._begin(header)
        self._saved_at = time.monotonic()

    def _begin(self, header: Mapping[str, Any]) -> LogWriter:
        """A new log with its header, and a first checkpoint."""
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise OutputError(f"{self._folder}: cannot be written ({error.strerror})") from error
        self._log = LogWriter(self._folder / LOG)
        try:
            (self._folder / CHECKPOINT).unlink(missing_ok=True)  # it is of what is cut off now
            self._log.append(header, {})
            self.checkpoint()
        except BaseException:
            self._log.close()  # which nobody else can do yet, and its lock would stay
            raise
        return self._log

    def _go_on(self, chunks: list[Chunk], header: Mapping[str, Any]) -> LogWriter:
        """The log cut back to the checkpoint, and the session as it was then."""
        differing = [key for key in header if chunks[0].meta.get(key) != header[key]]
        if differing:
            raise ArtifactError(
                f"{self._folder}: recorded from another {', '.join(differing)}; "
                "resume with the same arguments, or remove the folder"
            )
        if not (self._folder / CHECKPOINT).exists():  # killed before the first one
            return self._begin(header)
        saved = read_artifact(self._folder / CHECKPOINT)
        count, end = saved.meta["chunks"], saved.meta["end"]
        if len(chunks) < count or chunks[count - 1].end != end:
            raise ArtifactError(
                f"{self._folder}: the log is damaged before its checkpoint; remove the folder"
            )
        state = Artifact("state", saved.meta["state"], saved.arrays)
        self._session.restore(State.from_artifact(state))
        self._earlier, self.step = chunks[1:count], saved.meta["step"]
        return LogWriter(self._folder / LOG, count, end)

    def run(self, inputs: Inputs) -> None:
        """Record what is missing; `inputs` are those from the very start."""
        plan = self._plan
        cursor = InputCursor(inputs, self._session.network)
        self._pass_over(cursor)
        while self.step < plan.n_steps:
            end = plan.stretch_end(self.step, self._session.stretch_steps)
            self._append(cursor.take(end - self.step))
            text = f"{self.step:,} of {plan.n_steps:,} steps recorded"
            self._options.progress(text, self.step / plan.n_steps)
            if time.monotonic() - self._saved_at >= self._checkpoint_s:
                self.checkpoint()
        self.checkpoint()

    def _pass_over(self, cursor: InputCursor) -> None:
        """Take the input of the recorded steps, and make sure that it is what was recorded."""
        with (self._folder / LOG).open("rb") as handle:
            for chunk in self._earlier:
                first, count = chunk.meta["first"], chunk.meta["count"]
                arrays = _input_arrays(cursor.take(count), first)
                names = {name for name in chunk.parts if name.startswith("input_")}
                if names != set(arrays) or any(
                    not np.array_equal(read_part(handle, chunk.parts[name]), arrays[name])
                    for name in names
                ):
                    raise ArtifactError(
                        f"{self._folder}: recorded with another input in steps "
                        f"{first}..{first + count - 1}; resume with the same one"
                    )

    def _append(self, inputs: SpikeInput) -> None:
        """Run one stretch and write its chunk."""
        first, count = self.step, inputs.n_steps
        rows = self._plan.probed_steps(first, first + count) - first
        states = self._plan.states if rows.size else ()
        trace = self._session.advance(inputs, states)
        shift = np.int32(first)
        arrays: dict[str, NDArray[Any]] = {
            "spike_steps": trace.spike_steps + shift,
            "spike_neurons": trace.spike_neurons,
            **({} if trace.payloads is None else {"payloads": trace.payloads}),
            **_input_arrays(inputs, first),
            **{n: a for n in (*UPDATES, *LOSSES) if (a := getattr(trace, n)) is not None},
        }
        columns = slice(None) if self._plan.neurons is None else self._plan.neuron_indices()
        for name in states:
            arrays[name] = getattr(trace, name)[rows][:, columns]
        sampled = self._plan.samples_learned(first + count)
        for kind in self._plan.learned if sampled else ():
            learned = getattr(self._session, kind)()
            arrays |= {f"{kind}/{name}": values[None, :] for name, values in learned.items()}
        self._log.append({"first": first, "count": count, "sampled": sampled}, arrays)
        self.step += count

    def checkpoint(self) -> None:
        """Store the state, if there is one, so that a resumed recording goes on from here."""
        self._log.sync()
        if self.keeps_state:
            self._write_state(self._session.state().to_artifact())
        self._saved_at = time.monotonic()

    def _write_state(self, state: Artifact) -> None:
        meta = {
            "state": state.meta,
            "chunks": self._log.chunks,
            "end": self._log.end,
            "step": self.step,
        }
        write_artifact(self._folder / CHECKPOINT, Artifact("checkpoint", meta, state.arrays))

    def recording(self) -> Recording:
        """What is on disk by now."""
        return Recording.open(self._folder)

    def state(self) -> State:
        """The state after the last recorded step."""
        return self._session.state()

    def finish(self) -> None:
        """Turn the log into the trace file, and remove the folder.

        Raises:
            SpecError: steps are missing.
        """
        recording = self.recording()
        if not recording.complete:
            raise SpecError(
                f"{self._folder}: {recording.steps_done} of {self._plan.n_steps} steps are "
                "recorded; run it to the end first"
            )
        converted = self._folder / CONVERTED
        session = self._session
        write_members(converted, recording.members(session.weights(), session.traces()))
        put_in_place(converted, self._target)
        _sync_folder(self._target.parent)
        self.close()
        for file in self._folder.iterdir():
            file.unlink()
        self._folder.rmdir()

    def close(self) -> None:
        """Close the log, and what the engine lent; what was recorded stays."""
        self._log.close()
        self._session.close()


def _input_arrays(inputs: SpikeInput, first: int) -> dict[str, NDArray[Any]]:
    """Events as a chunk holds them, steps counted from the start of the recording."""
    arrays = {"input_steps": inputs.steps + np.int32(first), "input_neurons": inputs.neurons}
    if inputs.payloads is not None:
        arrays["input_payloads"] = inputs.payloads
    return arrays


def _sync_folder(folder: Path) -> None:
    """Make a renaming last; some systems cannot, and lose at worst the new name in a crash."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
