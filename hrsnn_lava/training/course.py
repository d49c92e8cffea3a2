"""The course of an unsupervised training: samples in an order, and what is between them.

Float networks and programs in the chip's integers learn by the same course, see `Learner`. Random
numbers are keyed by the epoch or by the sample's place in the whole course, never by what was drawn
before, so a training that is killed goes on from a checkpoint with the same bits.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import below
from hrsnn_lava.artifacts.training_state import TrainingState
from hrsnn_lava.errors import ArtifactError, Problem, SpecError, raise_if
from hrsnn_lava.plasticity import Schedule
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.seeding import generator
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.monitoring import History, Monitoring, Record
from hrsnn_lava.training.simulation import Stimulus

__all__ = ["Checkpoint", "Course", "Learner", "Lesson", "Outline", "run_course", "stimulus_of"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
#: What a network can be shown: a stimulus, one recording, or samples.
Lesson = Stimulus | SpikeInput | Sequence[Any] | Floats
#: Steps of a piece of a lesson without samples, at least (ours): checkpoints fall between pieces.
PIECE_STEPS = 1000


@dataclass(frozen=True)
class Piece:
    """A part of a lesson that is shown in one go.

    Attributes:
        begin, end: blocks of the stimulus.
        fresh: the network may be reset before it.
        last: silence may follow it.
    """

    begin: int
    end: int
    fresh: bool
    last: bool


class Learner(Protocol):
    """A network that learns from a stimulus, whatever its arithmetic.

    Attributes:
        names: of the projections that learn.
        fan_out: (n_neurons + n_inputs,) synapses that a spike of each source reaches.
    """

    names: tuple[str, ...]
    fan_out: NDArray[Any]

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""

    def fresh(self, rng: np.random.Generator | None) -> None:
        """Clear currents, potentials, messages and traces, not weights; potentials from `rng`."""

    def show(self, begin: int, end: int) -> Counts:
        """Run through blocks of the stimulus; spikes of every neuron, (n_neurons,)."""

    def quiet(self, steps: int) -> Counts:
        """Run without input; spikes of every neuron, (n_neurons,)."""

    def weights(self) -> dict[str, NDArray[Any]]:
        """Weights now, (nnz,) by projection, in the order of its CSR matrix, zeros included."""

    def shares(self) -> dict[str, tuple[float, float]]:
        """Shares of the weights at their floor and at their ceiling, by projection."""

    def held_spikes(self, pieces: Sequence[Piece], rng: np.random.Generator | None) -> int:
        """Spikes on some pieces with the weights held, each from a reset where it has one."""

    def state(self, whole: bool) -> dict[str, NDArray[Any]]:
        """What has to be kept: weights, and with `whole` all that the next step depends on."""

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Go to a state; raises `ArtifactError` where it is none of this network."""


@dataclass(frozen=True, eq=False)
class Course:
    """A lesson and how it is shown.

    Attributes:
        stimulus: what is shown.
        schedule: resets, silence and order.
        epochs: how often all of it is shown.
        seed: of the order and of the potentials.
        potentials: False starts from rest whatever the schedule says.
    """

    stimulus: Stimulus
    schedule: Schedule = field(default_factory=Schedule)
    epochs: int = 1
    seed: int = 0
    potentials: bool = True

    @property
    def pieces(self) -> list[Piece]:
        """The samples; of a lesson without any, stretches of about a thousand steps."""
        bounds = self.stimulus.bounds.tolist()
        if self.stimulus.starts is not None:
            return [Piece(a, b, True, True) for a, b in pairwise(bounds)]
        blocks = max(1, -(-PIECE_STEPS // self.stimulus.block))
        n = self.stimulus.n_blocks
        firsts = range(0, n, blocks)
        return [Piece(a, min(a + blocks, n), False, a + blocks >= n) for a in firsts]

    def order(self, epoch: int, count: int) -> NDArray[np.int64]:
        """In which the samples of an epoch are shown; that of stretches is time's."""
        if not self.schedule.shuffle or self.stimulus.starts is None:
            return np.arange(count, dtype=np.int64)
        return generator(self.seed, "train_stdp/order", epoch).permutation(count).astype(np.int64)

    def draw(self, place: int) -> np.random.Generator | None:
        """What draws the potentials before the piece at a place of the course."""
        kind = self.schedule.potentials
        if kind == "rest" or not self.potentials:
            return None
        return generator(self.seed, "train_stdp", place if kind == "random" else 0)

    def key(self, network_digest: str, monitoring: Monitoring, more: str = "") -> str:
        """SHA-256 of all that a training by this course depends on."""
        texts = (network_digest, digest_of(self.stimulus), repr(self.schedule), monitoring.identity)
        numbers = f"{self.epochs} {self.seed} {self.potentials}"
        return hashlib.sha256("\n".join((*texts, numbers, more)).encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps what it needs to go on.

    Attributes:
        path: of the file; None keeps nothing.
        key: see `TrainingState`.
        resume: go on from the file where it is there.
    """

    path: Path | None = None
    key: str = ""
    resume: bool = False

    @classmethod
    def of(cls, monitoring: Monitoring, course: Course, digest: str, kind: str) -> Checkpoint:
        """What a training keeps; raises `SpecError` where there is nothing to resume from."""
        path, resume = monitoring.checkpoint, monitoring.resume
        if path is None and resume:
            raise SpecError("resume: True; allowed: with a checkpoint to go on from")
        if path is None:
            return cls()
        return cls(Path(path), course.key(digest, monitoring, kind), resume)

    def load(self, pieces: int) -> TrainingState | None:
        """What there is to go on from; raises `SpecError` where it is of another training."""
        if self.path is None or not self.resume or not self.path.exists():
            return None
        state = TrainingState.load(self.path)
        if state.key != self.key or state.pieces != pieces:
            raise SpecError(
                f"{self.path}: the checkpoint of another training; allowed: one of the same "
                "network, input, options and seed. Give these, or train without resuming"
            )
        return state

    def save(self, done: int, pieces: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Write the file, whole or not at all."""
        if self.path is not None:
            TrainingState(self.key, done, pieces, arrays).save(self.path)


@dataclass(frozen=True, eq=False)
class Outline:
    """What a course did.

    counts:     (n_neurons,) spikes over it
    steps:      of the network
    samples:    shown, or stretches of a lesson without samples: `unit` says which
    resumed:    pieces that were taken from a checkpoint
    seconds:    wall time of the pieces shown now, checkpoints included
    events:     synaptic events: spikes times the synapses that each reaches
    history:    what was watched
    """

    counts: Counts
    steps: int
    samples: int
    resumed: int
    seconds: float
    events: int
    history: History
    unit: str = "samples"

    @property
    def rate(self) -> float:
        """Spikes per neuron and step over the training."""
        return float(self.counts.sum()) / max(1, self.steps * self.counts.size)

    def speed(self) -> dict[str, float | None]:
        """Seconds, and samples and synaptic events a second; None where all was done before."""
        share = (self.samples - self.resumed) / max(self.samples, 1)
        known = self.seconds > 0 and share > 0
        return {
            "seconds": self.seconds,
            "samples_per_s": self.samples * share / self.seconds if known else None,
            "events_per_s": self.events * share / self.seconds if known else None,
        }


def run_course(
    learner: Learner,
    course: Course,
    monitoring: Monitoring,
    checkpoint: Checkpoint,
    progress: Progress = silent,
    text: str = "train by STDP",
) -> Outline:
    """Show a course to a learner, watch it, and keep checkpoints.

    Args:
        progress: told after every piece.
        text: what progress says.

    Raises:
        SpecError, ArtifactError: the checkpoint is of another training, or damaged.
    """
    pieces, n = course.pieces, learner.n_neurons
    total = course.epochs * len(pieces)
    lengths = _lengths(course, pieces)
    every = monitoring.interval(total)
    record = Record(learner.names, learner.weights())
    probe = _probe(pieces, monitoring)
    probe_steps = max(1, sum(p.end - p.begin for p in probe) * course.stimulus.block * n)
    counts, done = np.zeros(n, dtype=np.int64), 0
    steps = since_steps = since_spikes = 0
    if state := checkpoint.load(total):
        done, counts = state.done, _spikes(state, n)
        learner.restore(below(state.arrays, "learner/"))
        record.restore(below(state.arrays, "history/"), learner.weights())
    else:
        rate = learner.held_spikes(probe, course.draw(0)) / probe_steps
        record.add(0, rate, learner.weights(), learner.shares())
        learner.fresh(course.draw(0))
    resumed, began, epoch, order = done, time.perf_counter(), -1, np.zeros(0, dtype=np.int64)
    for place in range(done, total):
        if place // len(pieces) != epoch:
            epoch = place // len(pieces)
            order = course.order(epoch, len(pieces))
        k = int(order[place % len(pieces)])
        if _resets(course, pieces[k]):
            learner.fresh(course.draw(place))
        spikes = learner.show(pieces[k].begin, pieces[k].end)
        if pieces[k].last and course.schedule.silence:
            spikes = spikes + learner.quiet(course.schedule.silence)
        counts += spikes
        since_spikes += int(spikes.sum())
        since_steps += lengths[k]
        shown = place + 1
        if shown % every == 0 or shown == total:
            rate = since_spikes / max(1, since_steps * n)
            record.add(shown, rate, learner.weights(), learner.shares())
            since_steps = since_spikes = 0
            if checkpoint.path is not None:
                whole = not _resets(course, pieces[0])
                arrays = {f"learner/{key}": a for key, a in learner.state(whole).items()}
                arrays |= {f"history/{key}": a for key, a in record.arrays().items()}
                checkpoint.save(shown, total, {**arrays, "counts": counts})
        progress(text, shown / total)
    seconds = time.perf_counter() - began
    steps = course.epochs * sum(lengths)
    after = learner.held_spikes(probe, course.draw(0)) / probe_steps
    events = int(counts @ learner.fan_out[:n])
    if isinstance(course.stimulus.inputs, SpikeInput):
        sent = np.bincount(course.stimulus.inputs.neurons, minlength=course.stimulus.width)
        events += course.epochs * int(sent @ learner.fan_out[n:])
    unit = "stretches" if course.stimulus.starts is None else "samples"
    return Outline(counts, steps, total, resumed, seconds, events, record.history(after), unit)


def _resets(course: Course, piece: Piece) -> bool:
    return course.schedule.reset == "sample" and piece.fresh


def _lengths(course: Course, pieces: list[Piece]) -> list[int]:
    """Steps of every piece, silence after it included."""
    block, silence = course.stimulus.block, course.schedule.silence
    return [(p.end - p.begin) * block + (silence if p.last else 0) for p in pieces]


def _probe(pieces: list[Piece], monitoring: Monitoring) -> list[Piece]:
    """Pieces on which rates are measured: samples evenly spread, or the first stretches."""
    count = min(len(pieces), monitoring.probe)
    if pieces and pieces[0].fresh:
        places = np.linspace(0, len(pieces) - 1, count).round().astype(int)
        return [pieces[k] for k in np.unique(places)]
    return pieces[:count]


def _spikes(state: TrainingState, n: int) -> Counts:
    counts = state.arrays.get("counts")
    if counts is None or counts.shape != (n,) or counts.dtype.kind != "i" or counts.min() < 0:
        raise ArtifactError("counts: not the spikes of this network's neurons")
    return counts.astype(np.int64)


def stimulus_of(inputs: Lesson, width: int, steps_per_sample: int) -> Stimulus:
    """A lesson in any of its forms as a stimulus.

    Args:
        inputs: a `Stimulus`; a `SpikeInput`, whose ``samples`` are where samples begin; a list of
            `SpikeInput`, one a sample; values (n, n_inputs), each held; a list of such arrays, one
            a sample.
        width: number of input channels of the network.
        steps_per_sample: steps for which a value is held.

    Raises:
        SpecError: it is none of these, or of another width.
    """
    if isinstance(inputs, Stimulus):
        stimulus = inputs
    elif isinstance(inputs, SpikeInput):
        stimulus = Stimulus(inputs, 1, _whole(inputs.samples))
    elif isinstance(inputs, (list, tuple)) and len(inputs):
        stimulus = _joined(inputs, steps_per_sample)
    else:
        stimulus = Stimulus(_values(inputs, width), steps_per_sample)
    problems = []
    if stimulus.width != width:
        shown = f"{stimulus.width} channels"
        problems.append(Problem("inputs", shown, f"{width}, as the network has"))
    starts = stimulus.starts
    if starts is not None and (
        not len(starts)
        or starts[0] != 0
        or np.any(np.diff(starts) <= 0)
        or starts[-1] >= max(stimulus.n_blocks, 1)
    ):
        problems.append(Problem("inputs.starts", f"{starts!r:.60}", "rising, 0 first, all inside"))
    raise_if(SpecError, "the network cannot be shown this", problems)
    return stimulus


def _whole(samples: NDArray[Any] | None) -> NDArray[np.int64] | None:
    """First steps of samples; what comes before the first of them is one, too."""
    if samples is None:
        return None
    starts = np.asarray(samples, dtype=np.int64)
    return starts if starts[0] == 0 else np.append(np.zeros(1, dtype=np.int64), starts)


def _joined(samples: Sequence[Any], steps_per_sample: int) -> Stimulus:
    """Samples one after the other."""
    if not all(isinstance(sample, SpikeInput) for sample in samples):
        if any(isinstance(sample, SpikeInput) for sample in samples):
            raise SpecError("inputs: recordings and arrays; allowed: samples of one kind")
        arrays = [np.asarray(sample, dtype=np.float64) for sample in samples]
        if any(a.ndim != 2 for a in arrays):  # rows of one array, as a list
            return Stimulus(_values(samples, None), steps_per_sample)
        if len({a.shape[1] for a in arrays}) > 1 or not all(len(a) for a in arrays):
            raise SpecError("inputs: samples that are empty, or of different widths")
        starts = np.cumsum([0, *(len(a) for a in arrays)], dtype=np.int64)[:-1]
        return Stimulus(np.concatenate(arrays), steps_per_sample, starts)
    if len({s.n_neurons for s in samples}) > 1 or any(s.n_steps < 1 for s in samples):
        raise SpecError("inputs: recordings that are empty, or of different numbers of channels")
    if len({s.payloads is None for s in samples}) > 1:
        raise SpecError("inputs: some recordings have payloads; allowed: all or none of them")
    firsts = np.cumsum([0, *(s.n_steps for s in samples)], dtype=np.int64)
    if firsts[-1] >= 2**31:
        raise SpecError(f"inputs: {firsts[-1]:,} steps in all; allowed: below 2^31")
    at = (s.steps + np.int32(first) for s, first in zip(samples, firsts[:-1], strict=True))
    payloads = None
    if samples[0].payloads is not None:
        payloads = np.concatenate([s.payloads for s in samples])
    whole = SpikeInput(
        np.concatenate(list(at)),
        np.concatenate([s.neurons for s in samples]),
        int(firsts[-1]),
        samples[0].n_neurons,
        payloads,
    )
    return Stimulus(whole, 1, firsts[:-1])


def _values(inputs: Any, width: int | None) -> Floats:
    try:
        values = np.asarray(inputs, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError(
            f"inputs: {type(inputs).__name__}; allowed: a Stimulus, a SpikeInput, arrays of "
            "values, or a list of samples"
        ) from None
    if values.ndim != 2 or (width is not None and values.shape[1] != width):
        wanted = "n_inputs" if width is None else str(width)
        raise SpecError(f"inputs: shape {values.shape}; allowed: (n, {wanted}), one per channel")
    return values


def digest_of(stimulus: Stimulus) -> str:
    """SHA-256 of what is shown."""
    digest = hashlib.sha256()
    if isinstance(stimulus.inputs, SpikeInput):
        digest.update(stimulus.inputs.digest.encode())
    else:
        digest.update(np.ascontiguousarray(stimulus.inputs, dtype="<f8").tobytes())
    starts = np.zeros(0) if stimulus.starts is None else stimulus.starts
    digest.update(f"{stimulus.block} {stimulus.starts is None}".encode())
    digest.update(np.asarray(starts, dtype="<i8").tobytes())
    return digest.hexdigest()
