"""What gradient training is shown, and what it is to answer: samples with classes, or a series.

A task gives a `Supervised`; its parts become batches, whose order and potentials are keyed by the
seed, the epoch and the batch, never by what was drawn before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.seeding import generator
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.course import digest_of
from hrsnn_lava.training.simulation import Stimulus

__all__ = ["Batch", "Samples", "Stretches", "Supervised"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Supervised:
    """The training inputs of a task, and their answers.

    Attributes:
        stimulus: the inputs.
        classes: (n_samples,) class of every sample, -1 where its label is not to be used; None of
            a series.
        values: (n_blocks, d) what is to be told after every block; NaN in blocks that no error is
            taken of, the washout; None of samples with classes.
        bounds: (n_samples + 1,) blocks at which samples begin, where the stimulus does not say it.
        trace_steps: time constants, in steps, of the spike traces that the task's readout sees.
        rates: whether it sees how often neurons fire, too; of samples alone.
    """

    stimulus: Stimulus
    classes: Ints | None = None
    values: Floats | None = None
    bounds: Ints | None = None
    trace_steps: tuple[float, ...] = (50.0,)
    rates: bool = True

    def __post_init__(self) -> None:
        problems = []
        if (self.classes is None) == (self.values is None):
            problems.append(Problem("classes", "both or neither", "classes, or values"))
        elif self.classes is not None and len(self.classes) != len(self.sample_bounds) - 1:
            allowed = f"{len(self.sample_bounds) - 1}, one a sample"
            problems.append(Problem("classes", f"{len(self.classes)}", allowed))
        elif self.classes is not None and not (np.asarray(self.classes) >= 0).any():
            problems.append(Problem("classes", "no label", "one at least"))
        elif self.values is not None and len(self.values) != self.stimulus.n_blocks:
            allowed = f"{self.stimulus.n_blocks} rows, one a block"
            problems.append(Problem("values", f"{len(self.values)} rows", allowed))
        if not (self.trace_steps or (self.rates and self.classes is not None)):
            problems.append(Problem("trace_steps", "()", "a trace, or rates"))
        raise_if(SpecError, "answers of a lesson", problems)

    @property
    def sample_bounds(self) -> Ints:
        """Blocks at which samples begin, and the end of the last one."""
        return self.stimulus.bounds if self.bounds is None else self.bounds

    @property
    def n_answers(self) -> int:
        """Classes, or values of a row."""
        if self.classes is not None:
            return int(self.classes.max()) + 1
        assert self.values is not None
        return int(self.values.shape[1])

    @property
    def kinds(self) -> int:
        """Features of each neuron."""
        return len(self.trace_steps) + int(self.rates and self.classes is not None)

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        digest = hashlib.sha256(digest_of(self.stimulus).encode())
        for array in (self.classes, self.values, self.sample_bounds):
            digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        digest.update(repr((self.trace_steps, self.rates)).encode())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples side by side, padded at their ends.

    Attributes:
        events: (lead + steps, batch, n_inputs) values sent; None where values are held.
        held: (blocks, batch, n_inputs) values held; None where they are sent.
        lengths: (batch,) steps.
        classes: (batch,), of samples; None of a series.
        values: (blocks, batch, d) of a series; None of samples.
        fresh: the network starts afresh; a series goes on.
        rng: draws the potentials.
    """

    events: Floats | None
    held: Floats | None
    lengths: Ints
    classes: Ints | None
    values: Floats | None
    fresh: bool
    rng: np.random.Generator


class Samples:
    """Batches of samples with classes, in an order that is drawn for every epoch.

    Args:
        lesson: with classes.
        size: of a batch.
        lead: steps of input before a sample's first, which are empty.
        seed: of order and potentials.
    """

    def __init__(self, lesson: Supervised, size: int, lead: int, seed: int) -> None:
        assert lesson.classes is not None
        self._lesson, self._size, self._lead, self._seed = lesson, size, lead, seed
        self._labelled = np.flatnonzero(lesson.classes >= 0)

    @property
    def count(self) -> int:
        """Batches of an epoch."""
        return -(-self._labelled.size // self._size)

    def batch(self, epoch: int, k: int) -> Batch:
        """One of an epoch."""
        order = generator(self._seed, "train_surrogate/order", epoch).permutation(self._labelled)
        return self._of(np.sort(order[k * self._size : (k + 1) * self._size]), epoch, k)

    def first(self) -> Batch:
        """Samples evenly spread, by which features are scaled before anything is learned."""
        count = min(self._labelled.size, max(self._size, 64))
        places = np.linspace(0, self._labelled.size - 1, count).round().astype(int)
        return self._of(self._labelled[np.unique(places)], -1, 0)

    def _of(self, samples: Ints, epoch: int, k: int) -> Batch:
        lesson = self._lesson
        assert lesson.classes is not None
        begins, ends = lesson.sample_bounds[samples], lesson.sample_bounds[samples + 1]
        rng = generator(self._seed, f"train_surrogate/potentials/{epoch}", k)
        events, held = _shown(lesson.stimulus, begins, ends, self._lead, before=False)
        lengths = (ends - begins) * lesson.stimulus.block
        return Batch(events, held, lengths, lesson.classes[samples], None, True, rng)


class Stretches:
    """A series in stretches of equal length that run side by side, window after window.

    A network starts every stretch afresh, and no error is taken of its first `washout` blocks:
    as many as the series itself begins with without any, a quarter of a stretch at most (ours).

    Args:
        lesson: with values.
        size: stretches.
        window: blocks of a batch.
        lead: steps of input before a batch that still arrive in it.
        seed: of the potentials.
    """

    def __init__(self, lesson: Supervised, size: int, window: int, lead: int, seed: int) -> None:
        assert lesson.values is not None
        self._lesson, self._window, self._lead, self._seed = lesson, window, lead, seed
        blocks = lesson.stimulus.n_blocks
        count = max(1, min(size, blocks // max(2 * window, 2)))
        self._length = blocks // count
        self._begins = np.arange(count, dtype=np.int64) * self._length
        known = np.flatnonzero(np.isfinite(lesson.values).all(axis=1))
        if not known.size:
            raise SpecError(str(Problem("values", "no row without NaN", "one at least")))
        self._washout = min(int(known[0]), self._length // 4)

    @property
    def count(self) -> int:
        """Batches of an epoch."""
        return -(-self._length // self._window)

    def batch(self, epoch: int, k: int) -> Batch:
        """One of an epoch; batches follow each other."""
        lesson, first = self._lesson, k * self._window
        assert lesson.values is not None
        last = min(first + self._window, self._length)
        begins, ends = self._begins + first, self._begins + last
        events, held = _shown(lesson.stimulus, begins, ends, self._lead, before=k > 0)
        values = np.stack([lesson.values[a:b] for a, b in zip(begins, ends, strict=True)], axis=1)
        values[: max(self._washout - first, 0)] = np.nan
        lengths = (ends - begins) * lesson.stimulus.block
        rng = generator(self._seed, "train_surrogate/potentials", epoch)
        return Batch(events, held, lengths, None, values, k == 0, rng)

    def first(self) -> Batch:
        """The first blocks of all stretches, by which features are scaled."""
        window = self._window
        self._window = min(self._length, max(window, 2 * self._washout, 20))
        try:
            return self.batch(-1, 0)
        finally:
            self._window = window


def _shown(
    stimulus: Stimulus, begins: Ints, ends: Ints, lead: int, before: bool
) -> tuple[Floats | None, Floats | None]:
    """Events and held values of stretches of blocks side by side; with what came before them."""
    blocks, width, block = int((ends - begins).max()), stimulus.width, stimulus.block
    if not isinstance(stimulus.inputs, SpikeInput):
        held = np.zeros((blocks, len(begins), width))
        for k, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            held[: end - begin, k] = stimulus.inputs[begin:end]
        return None, held
    spikes = stimulus.inputs
    sent = spikes.payload_values()
    events = np.zeros((lead + blocks * block, len(begins), width))
    for k, (begin, end) in enumerate(zip(begins * block, ends * block, strict=True)):
        earliest = max(begin - lead, 0) if before else begin
        within = slice(*np.searchsorted(spikes.steps, (earliest, end)))
        at = spikes.steps[within].astype(np.int64) - begin + lead
        np.add.at(events[:, k], (at, spikes.neurons[within]), sent[within])
    return events, None
