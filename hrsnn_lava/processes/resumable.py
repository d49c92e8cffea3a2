"""`ResumableRun`: a program whose Lava Processes stay paused between runs and then go on.

Nothing is read out of Lava or put back: its own Processes hold the state. What does change from
run to run is files: every run has a folder with its input and its recordings. A clock file says
which run it is and in which time steps; the models here look at it when a run's steps are used up.

Importing this module imports Lava, which needs Python 3.10.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import LearningDense
from lava.proc.lif.models import PyLifModelBitAcc
from lava.proc.lif.process import LIF
from lava.proc.sparse.process import LearningSparse

from hrsnn_lava.processes.connections import MaskedLearningDense, RecordedLearningSparse
from hrsnn_lava.processes.graph import (
    LavaGraph,
    build,
    components,
    drive_file,
    drive_path,
    event_file,
    source_path,
)
from hrsnn_lava.processes.mapped_files import MmapProbe, MmapProbeFixed, MmapSource, MmapSourceFixed
from hrsnn_lava.processes.program import LavaProgram
from hrsnn_lava.processes.runtimes import advance
from hrsnn_lava.processes.stock import BiasWrite, RecordedLIF, stretches

__all__ = ["ResumableRun"]

_CLOCK = "clock.npy"


class _Resumable:
    """Mixin for a model with files: knows the run that it is in.

    The files of run K lie in the folder ``K`` beside that of run 0, which the Process names.
    """

    _before = 0  # time steps before this run
    _end = 0  # last time step of this run

    def _follow(self, path: str) -> Path | None:
        """When a new run begins: where the file lies that was `path` in run 0; otherwise None."""
        if self.time_step <= self._end:  # type: ignore[attr-defined]
            return None
        old = Path(path)
        clock = np.load(old.parent.parent / _CLOCK)
        number, self._before, self._end = (int(value) for value in clock)
        return old.parent.parent / str(number) / old.name


class ResumableSource(_Resumable, MmapSourceFixed):
    """Sends the rows of the run's own file."""

    def run_spk(self) -> None:
        """Sends one row."""
        if path := self._follow(self.proc_params["path"]):
            self._rows = np.load(path, mmap_mode="r", allow_pickle=False)
        self.s_out.send(self._rows[self.time_step - self._before - 1])


class ResumableProbe(_Resumable, MmapProbeFixed):
    """Writes the run's own files, which it creates."""

    def run_spk(self) -> None:
        """Stores one row of each port."""
        paths = self.proc_params["paths"]
        if path := self._follow(next(iter(paths.values()))):
            steps = self._end - self._before
            for port, rows in self._files.items():
                self._files[port] = np.lib.format.open_memmap(
                    path.with_name(Path(paths[port]).name),
                    mode="w+",
                    dtype=rows.dtype,
                    shape=(steps, *rows.shape[1:]),
                )
        for port, rows in self._files.items():
            rows[self.time_step - self._before - 1] = getattr(self, port).recv()


class ResumableLIF(_Resumable, RecordedLIF):
    """Lava's own model of `LIF`, which writes v and u to the run's own files."""

    def run_spk(self) -> None:
        """One time step."""
        PyLifModelBitAcc.run_spk(self)
        paths = self.proc_params["record"]
        if path := self._follow(next(iter(paths.values()))):
            steps = self._end - self._before
            for state, rows in self._files.items():
                name, shape = Path(paths[state]).name, (steps, *rows.shape[1:])
                self._files[state] = np.lib.format.open_memmap(
                    path.with_name(name), mode="w+", dtype=rows.dtype, shape=shape
                )
        for state, rows in self._files.items():
            rows[self.time_step - self._before - 1] = getattr(self, state)


class _ResumableLearning(_Resumable):
    """Mixin for a recorded connection: writes what it learned at the end of every run."""

    def run_spk(self) -> None:
        """One step without learning."""
        record = self.proc_params["record"]  # type: ignore[attr-defined]
        if path := self._follow(record[0]):
            self._path, self._last_step = str(path), self._end
        super().run_spk()  # type: ignore[misc]


class ResumableLearningSparse(_ResumableLearning, RecordedLearningSparse):
    """Lava's own model of `LearningSparse`."""


class ResumableLearningDense(_ResumableLearning, MaskedLearningDense):
    """Lava's own model of `LearningDense`, with absent synapses."""


_MODELS = {
    MmapSource: ResumableSource,
    MmapProbe: ResumableProbe,
    LIF: ResumableLIF,
    LearningSparse: ResumableLearningSparse,
    LearningDense: ResumableLearningDense,
}


class ResumableRun:
    """The Processes of a fixed-point program, in as many runs as wanted.

    Args:
        program: of the first run; every population in it is recorded.
        folder: of all runs; what run K records lies in its folder ``K``.
    """

    def __init__(self, program: LavaProgram, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._steps = self._runs = 0
        self._parts = components(program)
        self._graphs = []
        for numbers, part in self._parts:
            graph = build(part, self._folder / "0", numbers)
            models = graph.run_config().exception_proc_model_map
            resumable_models = {
                process: _MODELS.get(type(process), m) for process, m in models.items()
            }
            graph.root.create_runtime(
                Loihi2SimCfg(select_tag=graph.precision, exception_proc_model_map=resumable_models)
            )
            self._graphs.append(graph)
        self._mantissas = {group.name: group.parameters["bias_mant"] for group in program.neurons}

    def run(self, program: LavaProgram) -> None:
        """Run on for ``program.n_steps``; `program` is the first one with other input.

        Its files are in the folder of its number, from 0. Raises `BackendError` when a model
        failed; then the caller must end this process.
        """
        where = self._folder / str(self._runs)
        clock = (self._runs, self._steps, self._steps + program.n_steps)
        np.save(self._folder / _CLOCK, np.array(clock, dtype=np.int64))
        for (numbers, part), graph in zip(self._parts, self._graphs, strict=True):
            if self._runs:  # the files of the first run are there: the Processes were made from it
                _write(program, part, numbers, where)
            writes = self._writes(program, numbers, graph) if program.stock else ()
            for length, due in stretches(program.n_steps, tuple(writes)):
                for write in due:
                    write.process.bias_mant.set(write.mantissa)
                advance(graph.root, length)
        self._runs, self._steps = self._runs + 1, self._steps + program.n_steps

    def _writes(
        self, program: LavaProgram, numbers: list[int], graph: LavaGraph
    ) -> Iterator[BiasWrite]:
        """The biases that the host writes in this run, where they are not what they were before.

        The first run begins with those that the Processes were built with.
        """
        for number in numbers:
            group = program.neurons[number]
            rows = group.parameters["bias_mant"] + group.drive_values
            for step, row in zip(group.drive_steps.tolist(), rows, strict=True):
                built = self._runs == 0 and step == 0
                if not built and np.any(row != self._mantissas[group.name]):
                    yield BiasWrite(step, graph.populations[group.name], row)
                self._mantissas[group.name] = row


def _write(program: LavaProgram, part: LavaProgram, numbers: list[int], where: Path) -> None:
    """Write the input of one part; `part` is it in the first run, `program` the whole one now."""
    for number in numbers:
        group = program.neurons[number]
        if len(group.drive_steps) and not program.stock:
            drive_file(group, program, drive_path(where, number))
    names = [source.name for source in part.sources]
    for source in program.sources:
        if source.name in names:
            path = source_path(where, numbers[0], names.index(source.name))
            event_file(source, program, path)
