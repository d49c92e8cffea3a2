"""What a recording keeps, what of it is on disk, and its conversion to a trace ``.npz``."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.artifacts.container import below, load_npz
from hrsnn_lava.artifacts.files import atomic_write
from hrsnn_lava.errors import ArtifactError, Problem, SpecError, raise_if
from hrsnn_lava.fields import whole_number, whole_values
from hrsnn_lava.integer_format import INT32
from hrsnn_lava.notebook import brief
from hrsnn_lava.sim_backends.base import probe_problems
from hrsnn_lava.sim_backends.runs.chunk_log import Chunk, read_part, scan
from hrsnn_lava.trace import LOSSES, STATES, UPDATES, Origin, SpikeInput, Trace, digest_array

Int = NDArray[np.int32]
FORMAT = "hrsnn-lava recording"
FORMAT_VERSION = 2
LOG, CHECKPOINT, CONVERTED = "chunks.log", "checkpoint.hlx", "trace.npz"
_TRACE = ("spike_steps", "spike_neurons", "n_steps", "n_neurons")
#: Fast and about as small as higher levels, for spike lists.
_DEFLATE_LEVEL = 1
#: A member of the ``.npz``: dtype, shape, and its values in blocks.
Member = tuple[Any, tuple[int, ...], Iterable[NDArray[Any]]]
LEARNED = ("weights", "traces")
PROBES = ("spikes", *STATES, *LEARNED)


@dataclass(frozen=True)
class ProbePlan:
    """Spikes are always kept, whole; the rest as chosen here.

    Attributes:
        n_steps, n_neurons, n_inputs: extent of the run.
        probes: any of ``spikes``, ``v``, ``u``, and ``weights`` and ``traces`` of projections that
            learn. Weights and traces of the end are kept without being asked for.
        every: states are kept in steps ``between[0] + k every``, weights and traces after every
            `every` steps, which is ``between[0] + k every - 1`` with k >= 1.
        between: first step, and the one after the last; None for the whole run.
        neurons: global indices of those whose states are kept, rising, or None for all. Weights
            and traces are kept whole.
    """

    n_steps: int
    n_neurons: int
    n_inputs: int = 0
    probes: tuple[str, ...] = ()
    every: int = 1
    between: tuple[int, int] | None = None
    neurons: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        network: Any,
        steps: int,
        probes: Collection[str] = (),
        every: int = 1,
        between: Sequence[int] | None = None,
        neurons: slice | ArrayLike | None = None,
    ) -> ProbePlan:
        """Check a choice against a network.

        Args:
            neurons: a slice or indices of neurons; None for all.

        Raises:
            SpecError: with everything that is wrong.
        """
        n = network.n_neurons
        indices: tuple[int, ...] | None = None
        if isinstance(neurons, slice):
            indices = tuple(range(n)[neurons])
        elif neurons is not None:
            listed = np.atleast_1d(whole_values("neurons", neurons, error=SpecError))
            indices = tuple(sorted({int(k) for k in listed}))
        window = None
        if between is not None:
            first, last = whole_values("between", between, error=SpecError)
            window = (int(first), int(last))
        steps = whole_number("steps", steps, INT32, error=SpecError)
        every = whole_number("every", every, INT32, error=SpecError)
        wrong = probe_problems(probes, PROBES)
        kinds = () if wrong else tuple(p for p in PROBES if p in probes and p != "spikes")
        plan = cls(steps, n, network.n_inputs, kinds, every, window, indices)
        raise_if(SpecError, "the probes are not possible", [*wrong, *plan._problems()])
        return plan

    def _problems(self) -> list[Problem]:
        problems = []
        if self.n_steps < 0:
            problems.append(Problem("steps", str(self.n_steps), ">= 0"))
        if self.every < 1:
            problems.append(Problem("every", str(self.every), ">= 1"))
        if self.between is not None and not 0 <= self.between[0] <= self.between[1]:
            problems.append(Problem("between", f"{self.between}", "0 <= first <= last + 1"))
        if self.neurons is not None:
            wrong = [k for k in self.neurons if not 0 <= k < self.n_neurons]
            if wrong:
                allowed = f"0..{self.n_neurons - 1}"
                problems.append(Problem("neurons", f"{wrong[0]} ({len(wrong)} in all)", allowed))
            elif not self.neurons:
                problems.append(Problem("neurons", "none", "at least one"))
        return problems

    @property
    def states(self) -> tuple[str, ...]:
        """Which of v and u are kept."""
        return tuple(p for p in STATES if p in self.probes)

    @property
    def learned(self) -> tuple[str, ...]:
        """Which of weights and traces are kept over time."""
        return tuple(p for p in LEARNED if p in self.probes)

    @property
    def _window(self) -> tuple[int, int]:
        return self.between or (0, self.n_steps)

    @property
    def everything(self) -> bool:
        """True when states are kept in all steps of all neurons, as a plain trace has them."""
        window = self.between is None or self.between == (0, self.n_steps)
        return self.every == 1 and window and self.neurons is None

    def probed_steps(self, first: int, end: int) -> NDArray[np.int64]:
        """The steps in ``first .. end - 1`` whose states are kept."""
        low, high = self._window
        start = max(first, low)
        start += -(start - low) % self.every
        return np.arange(start, min(end, high), self.every, dtype=np.int64)

    def neuron_indices(self) -> NDArray[np.int32]:
        """The neurons whose states are kept, (Q,)."""
        indices = range(self.n_neurons) if self.neurons is None else self.neurons
        return np.array(indices, dtype=np.int32)

    def width(self, name: str) -> tuple[int, ...]:
        """Shape of a row of an array: () for lists of events."""
        return (self.neuron_indices().size,) if name in STATES else ()

    def stretch_end(self, first: int, stretch: int) -> int:
        """Where the chunk that begins with step `first` ends; what is learned is read at ends."""
        end = min(first + stretch, self.n_steps)
        low, high = self._window
        sample = low + (max(first - low, 0) // self.every + 1) * self.every
        return min(end, sample) if self.learned and sample <= high else end

    def samples_learned(self, end: int) -> bool:
        """True when weights and traces, as far as they are wanted, are kept after ``end - 1``."""
        low, high = self._window
        return bool(self.learned) and low < end <= high and (end - low) % self.every == 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON gives them back."""
        lists: dict[str, Any] = {"probes": list(self.probes)}
        for name in ("between", "neurons"):
            value = getattr(self, name)
            lists[name] = None if value is None else list(value)
        numbers = ("n_steps", "n_neurons", "n_inputs", "every")
        return {**{name: getattr(self, name) for name in numbers}, **lists}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ProbePlan:
        """The inverse of `to_dict`."""
        between, neurons = values["between"], values["neurons"]
        return cls(
            values["n_steps"],
            values["n_neurons"],
            values["n_inputs"],
            tuple(values["probes"]),
            values["every"],
            None if between is None else (between[0], between[1]),
            None if neurons is None else tuple(neurons),
        )


def partial_folder(path: Any) -> Path:
    """Where the recording of a trace file lies until it is finished."""
    target = Path(os.fspath(path))
    return target.with_name(f"{target.name}.partial")


@dataclass(frozen=True, eq=False)
class Probed:
    """States at chosen steps of chosen neurons, and what was learned by then.

    Attributes:
        steps, neurons: (P,) and (Q,) int32: which ones.
        v, u: (P, Q) int32, None when not recorded.
        weight_steps, trace_steps: (R,) int32, the steps after which weights and traces were read.
        weights: by projection (tags by ``PROJECTION/tag_1``), (R, nnz) int32.
        traces: by the keys of `Trace.traces`, (R, n) int32.
    """

    steps: Int
    neurons: Int
    v: Int | None = None
    u: Int | None = None
    weight_steps: Int = field(default_factory=lambda: np.zeros(0, np.int32))
    weights: Mapping[str, Int] = field(default_factory=dict)
    trace_steps: Int = field(default_factory=lambda: np.zeros(0, np.int32))
    traces: Mapping[str, Int] = field(default_factory=dict)


@brief("path", "n_steps", "steps_done", "complete")
class Recording:
    """A recording on disk: a finished trace file, or the chunks of one that is not finished.

    Attributes:
        path: of the trace file or of the folder with the chunks.
        n_steps: length that was asked for.
        steps_done: steps that can be read.
        complete: True when nothing is missing.
    """

    def __init__(
        self,
        path: Path,
        plan: ProbePlan,
        chunks: Sequence[Chunk],
        trace: Trace | None,
        digest: str | None = None,
    ) -> None:
        self.path, self.plan, self._digest = path, plan, digest
        self._chunks, self._trace = chunks, trace
        self.n_steps = plan.n_steps
        ends = [c.meta["first"] + c.meta["count"] for c in chunks]
        self.steps_done: int = plan.n_steps if trace is not None else max(ends, default=0)
        self.complete = self.steps_done == self.n_steps

    @classmethod
    def open(cls, path: Any) -> Recording:
        """Open a trace file, or the recording that is to become it.

        Args:
            path: the ``.npz``, or its ``.partial`` folder. A ``.npz`` that is there is read, also
                when a newer recording of that name is under way.

        Raises:
            ArtifactError: neither is there, or it is damaged.
        """
        where = Path(os.fspath(path))
        folder = where if where.is_dir() else partial_folder(where)
        if where.is_file() or not folder.is_dir():
            trace = Trace.load(where)
            return cls(where, ProbePlan(trace.n_steps, trace.n_neurons), (), trace)
        chunks = scan(folder / LOG)
        plan = plan_of(folder, chunks)
        return cls(folder, plan, chunks[1:], None, chunks[0].meta.get("network"))

    def trace(self) -> Trace:
        """Everything in memory; ``n_steps`` is `steps_done`.

        ``v`` and ``u`` are there when they were recorded in all steps of all neurons, and the
        weights of the end when it was reached.
        """
        return self._trace if self._trace is not None else self._join(self._chunks)

    def pieces(self, max_values: int = 2_000_000) -> Iterator[Trace]:
        """The recording in stretches of about `max_values` spikes, input events and states.

        Steps count from the start of a stretch. A finished trace file comes in one piece.
        """
        if self._trace is not None:
            yield self._trace
            return
        group: list[Chunk] = []
        values = 0
        for chunk in self._chunks:
            group.append(chunk)
            values += sum(part.count for part in chunk.parts.values())
            if values >= max_values:
                yield self._join(group)
                group, values = [], 0
        if group:
            yield self._join(group)

    def probed(self) -> Probed:
        """States at the chosen steps and neurons, and weights and traces."""
        if self._trace is not None:
            return _probed_in_file(self.path, self._trace)
        steps = self.plan.probed_steps(0, self.steps_done)
        columns = {name: self._column(name, self._chunks) for name in self._learned_names()}
        weights, traces = (below(columns, f"{kind}/") for kind in LEARNED)
        return Probed(
            steps.astype(np.int32),
            self.plan.neuron_indices(),
            self._column("v", self._chunks) if "v" in self.plan.probes else None,
            self._column("u", self._chunks) if "u" in self.plan.probes else None,
            self._sampled("weights"),
            weights,
            self._sampled("traces"),
            traces,
        )

    def _learned_names(self) -> list[str]:
        prefixes = tuple(f"{kind}/" for kind in self.plan.learned)
        return sorted(name for name in _names(self._chunks) if name.startswith(prefixes))

    def _sampled(self, kind: str) -> Int:
        """The steps after which weights or traces were read, (R,)."""
        chunks = [c for c in self._chunks if c.meta["sampled"] and kind in self.plan.probes]
        ends = [c.meta["first"] + c.meta["count"] - 1 for c in chunks]
        return np.array(ends, dtype=np.int32)

    def _join(self, chunks: Sequence[Chunk]) -> Trace:
        first = chunks[0].meta["first"] if chunks else 0
        steps = sum(chunk.meta["count"] for chunk in chunks)
        columns = {name: self._column(name, chunks) for name in EVENTS}
        several = "payloads" in _names(chunks)
        graded = "input_payloads" in _names(chunks)
        inputs = SpikeInput(
            columns["input_steps"] - np.int32(first),
            columns["input_neurons"],
            steps,
            self.plan.n_inputs,
            self._column("input_payloads", chunks) if graded else None,
        )
        states = {
            name: self._column(name, chunks)
            for name in ("v", "u")
            if name in self.plan.probes and self.plan.everything
        }
        counts = {name: self._column(name, chunks) for name in _counted(chunks)}
        return Trace(
            columns["spike_steps"] - np.int32(first),
            columns["spike_neurons"],
            steps,
            self.plan.n_neurons,
            states.get("v"),
            states.get("u"),
            inputs=inputs,
            active_updates=counts.get("active_updates"),
            membrane_updates=counts.get("membrane_updates"),
            **self._losses(chunks),
            origin=None if self._digest is None else Origin(digest=self._digest),
            payloads=self._column("payloads", chunks) if several else None,
        )

    def outline(self) -> Trace:
        """The first spike of every neuron, the first event, and the counts of the whole run: what
        findings need, in memory that does not grow with the recording."""
        first = np.full(self.plan.n_neurons, -1, dtype=np.int32)
        for steps, neurons in zip(
            self.blocks("spike_steps"), self.blocks("spike_neurons"), strict=True
        ):
            who, at = np.unique(neurons, return_index=True)
            new = first[who] < 0
            first[who[new]] = steps[at[new]]
        spiked = np.flatnonzero(first >= 0).astype(np.int32)
        sent = next((block[:1] for block in self.blocks("input_steps") if block.size), None)
        events = np.zeros(0, np.int32) if sent is None else sent
        return Trace(
            first[spiked],
            spiked,
            self.steps_done,
            self.plan.n_neurons,
            inputs=SpikeInput(events, events * 0, self.steps_done, self.plan.n_inputs),
            **self._losses(self._chunks),
        )

    def _losses(self, chunks: Sequence[Chunk]) -> dict[str, Any]:
        """Wraps and saturations of each neuron, where all chunks have them."""
        return {
            name: np.sum(list(self.blocks(name, chunks)), axis=0, dtype=np.int64)
            for name in LOSSES
            if chunks and all(name in chunk.parts for chunk in chunks)
        }

    def _column(self, name: str, chunks: Sequence[Chunk]) -> NDArray[Any]:
        """One array over several chunks."""
        blocks = list(self.blocks(name, chunks))
        dtype, shape = self._extent(name, chunks)
        return np.concatenate(blocks).astype(dtype) if blocks else np.zeros(shape, dtype)

    def blocks(self, name: str, chunks: Sequence[Chunk] | None = None) -> Iterator[NDArray[Any]]:
        """One array, chunk by chunk; events without a payload have payload 1."""
        with (self.path / LOG).open("rb") as handle:
            for chunk in self._chunks if chunks is None else chunks:
                if name in chunk.parts:
                    yield read_part(handle, chunk.parts[name])
                elif name == "input_payloads":
                    yield np.ones(chunk.parts["input_steps"].count, dtype=np.int32)

    def _extent(
        self, name: str, chunks: Sequence[Chunk] | None = None
    ) -> tuple[Any, tuple[int, ...]]:
        source_chunks = self._chunks if chunks is None else chunks
        like = "input_steps" if name == "input_payloads" else name
        parts = [chunk.parts[like] for chunk in source_chunks if like in chunk.parts]
        width = parts[0].shape[1:] if parts else self.plan.width(name)
        return np.dtype("<i4"), (sum(part.shape[0] for part in parts), *width)

    def members(
        self, weights: Mapping[str, NDArray[Any]], traces: Mapping[str, NDArray[Any]]
    ) -> Iterator[tuple[str, Member]]:
        """Arrays of the trace file, each in blocks; `weights` and `traces` are those at the end."""
        plan = self.plan

        def stored(name: str) -> Member:
            return (*self._extent(name), self.blocks(name))

        yield "spike_steps", stored("spike_steps")
        yield "spike_neurons", stored("spike_neurons")
        if "payloads" in _names(self._chunks):
            yield "payloads", stored("payloads")
        yield "n_steps", _whole(np.int64(self.steps_done))
        yield "n_neurons", _whole(np.int64(plan.n_neurons))
        if self._digest is not None:
            yield "network_digest", _whole(digest_array(self._digest))
        for name in _counted(self._chunks):
            yield name, stored(name)
        for name, sums in self._losses(self._chunks).items():
            yield name, _whole(sums)
        for name in plan.states:
            yield name if plan.everything else f"probe/{name}", stored(name)
        if plan.states and not plan.everything:
            yield "probe/steps", _whole(plan.probed_steps(0, self.steps_done).astype(np.int32))
            yield "probe/neurons", _whole(plan.neuron_indices())
        for kind, last in zip(LEARNED, (weights, traces), strict=True):
            for name, values in last.items():
                yield f"{kind}/{name}", _whole(values)
        for name in self._learned_names():
            yield f"probe/{name}", stored(name)
        for kind in plan.learned:
            yield f"probe/{_STEPS[kind]}", _whole(self._sampled(kind))
        for name in ("steps", "neurons"):
            yield f"input/{name}", stored(f"input_{name}")
        yield "input/n_steps", _whole(np.int64(self.steps_done))
        yield "input/n_neurons", _whole(np.int64(plan.n_inputs))
        if "input_payloads" in _names(self._chunks):
            yield "input/payloads", stored("input_payloads")


#: Array with the steps after which weights and traces were read.
_STEPS = {"weights": "weight_steps", "traces": "trace_steps"}
EVENTS = ("spike_steps", "spike_neurons", "input_steps", "input_neurons")


def _names(chunks: Sequence[Chunk]) -> set[str]:
    return {name for chunk in chunks for name in chunk.parts}


def _counted(chunks: Sequence[Chunk]) -> list[str]:
    """Counts by step that all chunks have; a chunk of an older version has none."""
    return [name for name in UPDATES if all(name in chunk.parts for chunk in chunks)]


def plan_of(folder: Path, chunks: Sequence[Chunk]) -> ProbePlan:
    """What the first chunk says of the recording; raises `ArtifactError`."""
    if not chunks:
        raise ArtifactError(f"{folder}: nothing was recorded yet")
    header = chunks[0].meta
    if header.get("format") != FORMAT or header.get("version") != FORMAT_VERSION:
        raise ArtifactError(
            f"{folder}: {header.get('format')!r}, version {header.get('version')!r}; "
            f"this program reads version {FORMAT_VERSION}"
        )
    try:
        return ProbePlan.from_dict(header["plan"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{folder}: the header is incomplete ({error!r})") from error


def _probed_in_file(path: Path, trace: Trace) -> Probed:
    arrays = load_npz(path, required=_TRACE)
    none = np.zeros(0, np.int32)
    return Probed(
        arrays.get("probe/steps", np.arange(trace.n_steps, dtype=np.int32)),
        arrays.get("probe/neurons", np.arange(trace.n_neurons, dtype=np.int32)),
        arrays.get("probe/v", trace.v),
        arrays.get("probe/u", trace.u),
        arrays.get("probe/weight_steps", none),
        below(arrays, "probe/weights/"),
        arrays.get("probe/trace_steps", none),
        below(arrays, "probe/traces/"),
    )


def _whole(value: Any) -> Member:
    array = np.asarray(value)
    return array.dtype, array.shape, (array,)


def write_members(path: Path, members: Iterable[tuple[str, Member]]) -> None:
    """Write an ``.npz`` block by block, whole or not at all; memory holds one block.

    Equal content, equal bytes.
    """
    with (
        atomic_write(path) as handle,
        zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED, compresslevel=_DEFLATE_LEVEL) as archive,
    ):
        for name, (dtype, shape, blocks) in members:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
                head = {"descr": descr, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, head)
                for block in blocks:
                    member.write(np.ascontiguousarray(block, dtype=dtype).tobytes())
