"""Classification: samples of frames or events, shown one after the other, and a readout of spikes.

The readout, off the chip, sees how often every neuron fired in a sample and its traces at the end
(`hrsnn_lava.training.sample_features`); the largest answer wins. Its penalty is chosen on
validation samples, which then train, too. Nothing of the test samples is used.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.findings import Finding, Severity
from hrsnn_lava.metrics.classification import confusion
from hrsnn_lava.metrics.scores import Score, Scores
from hrsnn_lava.options import Count, Positive, options, table_of
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.base import OF_CLASSES, Outcome, Task, Trial
from hrsnn_lava.tasks.encoders import EncoderOption
from hrsnn_lava.tasks.readers.base import READER, Events, Labelled, ReaderOption, Sample
from hrsnn_lava.tasks.splits import Sizes, Split, SplitWay, draw_split
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.readout import Positives
from hrsnn_lava.training.readouts.base import Classifier, LabelledFeatures, ReadoutOption
from hrsnn_lava.training.readouts.ridge import Ridge
from hrsnn_lava.training.readouts.values import wiring_of
from hrsnn_lava.training.sample_features import SampleFeatures, record_samples
from hrsnn_lava.training.simulation import EventSimulator, Stimulus
from hrsnn_lava.training.surrogate_lesson import Supervised

__all__ = [
    "Classification",
    "ClassificationTrial",
    "LabelledSamples",
    "SampleRuns",
    "Showing",
    "encoded",
    "lost_events",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Samples of a part: a number, or all that there are.
PartSize = Count | Literal["all"]
NotNegative = Annotated[int, Field(ge=0)]
#: Columns of raw values above which the baseline that sees them all is left out.
MAX_COLUMNS = 20_000
#: Share of the events above which it is a warning that they are lost (ours).
LOST_SHARE = 0.01


@options
class Classification(Task):
    """Options of every classification.

    Attributes:
        train: samples that train; every class is in every part by its share. ``all``: as many as
            there are, or as the other parts leave.
        validation: samples that choose the penalty of the readout, and the way to rescale pruned
            weights.
        test: samples that are scored, or ``all``.
        split: ``own``: the set's own parts; ``groups``: nobody's samples are in two parts;
            ``drawn``: for each seed; ``auto``: the first of these that the set allows.
        labels_per_class: training samples of a class whose label the readout is fitted to; the
            others are shown to unsupervised training and homeostasis alone, and validation samples
            only choose the penalty. By default all train, validation samples, too, in the end.
        steps_per_frame: network steps for which a frame is shown; samples of events are filled up
            to a whole number of such blocks.
        silence_steps: steps without input at the end of each sample, a whole number of blocks.
        encoder: how values become an input: ``held``, ``rate``, ``latency``, ``population``, or a
            table with its options.
        trace_steps: time constants, in steps, of the spike traces that the readout sees beside the
            rates; may be empty.
        readout: what tells classes apart: ``ridge``, ``logistic``, ``network``, or a table with its
            options.
        alphas: penalties of the readout to choose from, relative to the features' mean square.
        restart: start every sample from the same random potentials; false: samples follow each
            other, as on a chip that nobody resets.
    """

    measures = OF_CLASSES
    answers_are = "classes"
    train: PartSize = 1000
    validation: NotNegative = 200
    test: PartSize = 500
    split: SplitWay = "auto"
    labels_per_class: Count | None = None
    steps_per_frame: Count = 10
    silence_steps: NotNegative = 0
    encoder: EncoderOption = "held"
    trace_steps: tuple[Positive, ...] = (50.0,)
    readout: ReadoutOption = "ridge"
    alphas: Positives = (1e-4, 1e-3, 1e-2, 1e-1)
    restart: bool = True

    def __post_init__(self) -> None:
        problems = []
        if self.silence_steps % self.steps_per_frame:
            allowed = f"a multiple of steps_per_frame = {self.steps_per_frame}"
            problems.append(Problem("silence_steps", f"{self.silence_steps}", allowed))
        if len(self.alphas) > 1 and not self.validation:
            allowed = f">= 1 with {len(self.alphas)} penalties to choose from"
            problems.append(Problem("validation", "0", allowed, "or give one value of alphas"))
        if problems:
            raise SpecError(f"options of the task {self.kind}", problems=problems)

    @abstractmethod
    def samples(self) -> Labelled:
        """All samples there are."""

    @property
    def sizes(self) -> Sizes:
        """Samples of the parts."""
        train, test = (None if n == "all" else n for n in (self.train, self.test))
        return Sizes(train, self.validation, test)

    def trial(self, seed: int) -> ClassificationTrial:
        """The samples, split and encoded for a seed."""
        return ClassificationTrial(self, self.samples(), seed)


@options
class LabelledSamples(Classification):
    """Classification of labelled samples of one's own.

    Attributes:
        path: of the file.
        reader: what reads it: its name, or a table with its options.
    """

    name: ClassVar[str] = "npz"
    path: str = ""
    reader: ReaderOption = "npz"

    def samples(self) -> Labelled:
        """What the reader finds in the file."""
        return READER.reader(self.reader, self.path).read()


class Showing(Protocol):
    """How samples are shown, see `Classification`."""

    @property
    def encoder(self) -> Any:
        """How values become an input."""

    @property
    def steps_per_frame(self) -> int:
        """Steps of a frame."""

    @property
    def silence_steps(self) -> int:
        """Steps without input behind a sample."""


def encoded(samples: Callable[[int], Sample], order: Ints, options: Showing, seed: int) -> Stimulus:
    """Samples as an input, one after the other; each starts at a bound of the stimulus.

    What is drawn for a sample depends on the seed and on its place in the set alone, so it is the
    same in every split.

    Args:
        samples: gives a sample by its index.
        order: (n,) indices, in the order in which they are shown.
        options: encoder, steps and silence.
        seed: of the spikes.

    Raises:
        SpecError: the encoder does not take such samples, or they have different widths.
    """
    block, silent = options.steps_per_frame, options.silence_steps // options.steps_per_frame
    pieces: list[Any] = []
    events = 0
    for k in order.tolist():
        sample = samples(k)
        _fits(sample, options)
        pieces.append(options.encoder.encode(sample, block, generator(seed, "encode", k)))
        events += sample.times.size if isinstance(sample, Events) else 0
    widths = {p.n_neurons if isinstance(p, SpikeInput) else p.shape[1] for p in pieces}
    if len(widths) != 1:
        measured = ", ".join(map(str, sorted(widths)))
        problem = Problem("samples", f"of {measured} channels", "the same in all")
        raise SpecError("the samples cannot be shown", problems=[problem])
    spiking = isinstance(pieces[0], SpikeInput)
    blocks = [-(-p.n_steps // block) if spiking else len(p) for p in pieces]
    starts = np.concatenate([[0], np.cumsum(np.array(blocks) + silent)]).astype(np.int64)
    if spiking:
        spikes = _joined(pieces, starts * block)
        return Stimulus(spikes, block, starts[:-1], lost_events(events, spikes.steps.size))
    values = np.zeros((int(starts[-1]), widths.pop()))
    for start, piece in zip(starts, pieces, strict=False):
        values[start : start + len(piece)] = piece
    return Stimulus(values, block, starts[:-1])


def lost_events(events: int, spikes: int) -> tuple[Finding, ...]:
    """What is to be said where fewer spikes than events came of samples; a note up to 1 %."""
    lost = events - spikes
    if lost <= 0:
        return ()
    severity: Severity = "warning" if lost > LOST_SHARE * events else "note"
    return (
        Finding(
            severity,
            "the encoder",
            f"{lost:,} of {events:,} events ({100 * lost / events:.2g} %) are no spikes",
            "they fell into a step in which their channel had a spike already",
            "take shorter steps, or merge fewer channels",
            kind="events_merged",
        ),
    )


def _fits(sample: Sample, options: Showing) -> None:
    kind = "events" if isinstance(sample, Events) else "frames"
    takes = getattr(options.encoder, "takes", "frames")
    if takes != kind:
        measured = f"{options.encoder.name!r}, which takes {takes}"
        problem = Problem("task.encoder", measured, f"one for samples of {kind}")
        raise SpecError("the samples cannot be shown", problems=[problem])


def _joined(pieces: list[SpikeInput], starts: Ints) -> SpikeInput:
    """Recordings one after the other, each from its start on."""
    steps = [p.steps.astype(np.int64) + s for p, s in zip(pieces, starts, strict=False)]
    payloads = None
    if any(p.payloads is not None for p in pieces):
        payloads = np.concatenate([p.payload_values() for p in pieces])
    return SpikeInput(
        np.concatenate(steps),
        np.concatenate([p.neurons for p in pieces]),
        int(starts[-1]),
        pieces[0].n_neurons,
        payloads,
    )


class ClassificationTrial(Trial):
    """Samples in the order train, validation, test, and the input they become.

    Args:
        options: of the task.
        labelled: all samples there are.
        seed: of the split, the spikes of the input, and of what a readout draws.

    Attributes:
        labelled: all samples there are.
        split: indices of the samples that train, choose, and are scored.
        labels: (n,) of the samples, in that order.
        lesson: what the training samples become.

    Raises:
        SpecError: more samples are asked for than there are, or a class does not train.
    """

    def __init__(self, options: Classification, labelled: Labelled, seed: int) -> None:
        if len(labelled.classes) < 2:
            problem = Problem("classes", f"{len(labelled.classes)}", "two or more")
            raise SpecError("the samples cannot be told apart", problems=[problem])
        self.options, self._seed, self.labelled = options, seed, labelled
        self.split: Split = draw_split(
            labelled, options.sizes, options.split, generator(seed, "task")
        )
        order = self.split.together
        self.labels, self.classes = labelled.labels[order], labelled.classes
        self._all = encoded(labelled.sample, order, options, seed)
        self.findings = self._all.findings
        lengths = np.diff(self._all.bounds) * options.steps_per_frame
        self.lengths = lengths[: self.split.train.size]
        self.steps_per_sample = float(self.lengths.mean())
        equal = bool((self.lengths == self.lengths[0]).all())
        frames = int(lengths[0]) // options.steps_per_frame
        self.sample = f"{frames} frame{'s' * (frames > 1)}, shown" if equal else "a sample, shown"
        self.lesson = self._started(self._all.samples(0, self.split.train.size))
        labels = self.labels[: self.split.train.size]
        self._labelled_rows = _some_of_each(labels, options.labels_per_class)

    @property
    def test_stimulus(self) -> Stimulus:
        """What the test samples become."""
        first = self._scored_rows.start
        return self._started(self._all.samples(first, self.labels.size - first))

    @property
    def supervised(self) -> Supervised:
        """The training samples with their classes, those alone that the readout is fitted to."""
        n = self.split.train.size
        classes = np.full(n, -1, dtype=np.int64)
        classes[self._labelled_rows] = self.labels[self._labelled_rows]
        bounds, traces = self._all.bounds[: n + 1], self.options.trace_steps
        return Supervised(self.lesson, classes, bounds=bounds, trace_steps=traces)

    def _started(self, stimulus: Stimulus) -> Stimulus:
        return stimulus if self.options.restart else replace(stimulus, starts=None)

    def evaluate(self, simulator: EventSimulator, rng: np.random.Generator) -> Outcome:
        """Show all samples to a network, fit the readout, and classify the test samples."""
        o, kinds = self.options, SampleFeatures(trace_steps=self.options.trace_steps)
        key = int(rng.integers(2**62))
        recording = record_samples(SampleRuns(simulator, o.restart, key), self._all, kinds, None)
        fitted, loss = self._fitted(
            o.readout, recording.features, kinds.kinds, wiring_of(simulator)
        )
        answers = fitted.answers(recording.features[self._scored_rows])
        meta: dict[str, Any] = {
            "readout": o.readout.name,
            "alpha": fitted.alpha,
            "target": "one answer for each class, of which the largest wins",
            "classes": list(self.classes),
            "steps_per_sample": self.steps_per_sample,
            "trace_steps": list(o.trace_steps),
            "features": kinds.describe(),
            # with these a host encodes and shows a sample of its own
            "encoder": table_of(o.encoder),
            "steps_per_frame": o.steps_per_frame,
            "silence_steps": o.silence_steps,
            "encoder_seed": self._seed,
            "restart": o.restart,
            "potentials": key,
        }
        trained = recording.counts[: self.split.train.size]
        scored = recording.counts[self._scored_rows]
        return self._scored(
            answers,
            isinstance(o.readout, Ridge),
            measured={
                "answers_are": "classes",
                "truth": self.labels[self._scored_rows],
                "answers": answers.argmax(axis=1),
                "labels": self.labels[self._scored_rows],
                "states": recording.features[self._scored_rows],
                "counts": scored,
                "spikes": scored.sum(axis=0),
            },
            validation=loss,
            neuron_spikes=trained.mean(axis=0),
            readout=fitted.arrays(),
            readout_meta=meta,
        )

    def baselines(self, size: int) -> Mapping[str, Callable[[], Outcome]]:
        """The most frequent class; a ridge of the values, or of the input's spikes."""
        del size
        contenders: dict[str, Callable[[], Outcome]] = {"majority class": self._majority}
        shapes = self._shapes()
        if shapes is not None:
            longest, channels = shapes
            if longest * channels <= MAX_COLUMNS:
                contenders["linear, raw values"] = lambda: self._linear(self._values(longest))
            if longest > 1:
                contenders["linear, mean over frames"] = lambda: self._linear(self._values(0))
        if self._all.spiking:
            contenders["linear, input spike counts"] = lambda: self._linear(self._input_counts())
        return contenders

    @property
    def _scored_rows(self) -> slice:
        return slice(self.split.train.size + self.split.validation.size, None)

    def _shapes(self) -> tuple[int, int] | None:
        """Most frames of a sample, and its channels; None where samples are events."""
        first = self.labelled.sample(int(self.split.train[0]))
        if isinstance(first, Events):
            return None
        order = self.split.together.tolist()
        return max(len(self._frames(k)) for k in order), int(first.shape[1])

    def _frames(self, k: int) -> Floats:
        frames = self.labelled.sample(k)
        if isinstance(frames, Events):
            raise SpecError(f"sample {k}: events; allowed: frames, as the first sample is")
        return frames

    def _values(self, longest: int) -> Floats:
        """Raw values of every sample, zeros behind short ones; with 0 their means over frames."""
        rows = []
        for k in self.split.together.tolist():
            frames = self._frames(k)
            if not longest:
                rows.append(frames.mean(axis=0))
                continue
            row = np.zeros((longest, frames.shape[1]))
            row[: len(frames)] = frames
            rows.append(row.ravel())
        return np.stack(rows)

    def _input_counts(self) -> Floats:
        """Spikes of every input channel in every sample, (n_samples, n_inputs)."""
        counts = np.zeros((self.labels.size, self._all.width))
        if isinstance(self._all.inputs, SpikeInput):
            spikes, bounds = self._all.inputs, self._all.bounds * self._all.block
            sample = np.searchsorted(bounds, spikes.steps, side="right") - 1
            np.add.at(counts, (sample, spikes.neurons), 1.0)
        return counts

    def _fitted(
        self, readout: Any, features: Floats, kinds: int, wired: Any = None
    ) -> tuple[Classifier, float | None]:
        """Fit on labelled training samples; the validation samples choose, and train then, too,
        where labels are not few. Also the loss of the chosen penalty on them."""
        first, last = self.split.train.size, self._scored_rows.start
        rows = np.concatenate([self._labelled_rows, np.arange(first, last)])
        lesson = LabelledFeatures(
            features[rows],
            self.labels[rows],
            len(self.classes),
            rows < first,
            self.options.alphas,
            kinds,
            wired,
            int(generator(self._seed, "readout").integers(2**31)),
        )
        fitted: Classifier = readout.fit(lesson)
        loss = min(fitted.losses.values(), default=None)
        if self.options.labels_per_class is not None and loss is not None:
            fitted = readout.fit(lesson.training_alone(fitted.alpha))
        return fitted, loss

    def _linear(self, features: Floats) -> Outcome:
        fitted, loss = self._fitted(Ridge(), features, 1)
        return self._scored(
            fitted.answers(features[self._scored_rows]),
            validation=loss,
        )

    def _majority(self) -> Outcome:
        """The class shares of the training samples, whatever is shown."""
        train = self.labels[: self.split.train.size]
        shares = np.bincount(train, minlength=len(self.classes)) / train.size
        return self._scored(np.tile(shares, (self.split.test.size, 1)))

    def _scored(self, answers: Floats, one_hot: bool = True, **more: Any) -> Outcome:
        """Accuracy over the test samples, and by class; `answers` (n_test, n_classes)."""
        labels, n_classes = self.labels[self._scored_rows], len(self.classes)
        matrix = confusion(labels, answers.argmax(axis=1), self.classes)
        by_class = list(matrix.recall)
        # logits of other readouts are no shares of classes, and their distance says nothing
        error = float(np.mean((answers - np.eye(n_classes)[labels]) ** 2)) if one_hot else None
        worst = min(share for share in by_class if share is not None)
        scores = Scores(
            (
                Score("accuracy", matrix.value, "accuracy", "higher"),
                Score("accuracy_worst_class", worst, "worst class", "higher"),
                Score("squared_error", error, "squared error"),
            )
        )
        details = {
            "test_samples": labels.size,
            "class_accuracy": by_class,
            "confusion": matrix.counts.tolist(),
        }
        return Outcome(scores, details, **more)


class SampleRuns:
    """A network that is started afresh for every sample by the same potentials, or once.

    Samples have to be cut in any case, since each has features of its own; whether the network
    knows of it is another matter.

    Args:
        simulator: the network.
        restart: for every sample, or for the first alone.
        key: of the random potentials; None: from rest.
    """

    def __init__(self, simulator: EventSimulator, restart: bool, key: int | None) -> None:
        self._simulator, self._restart, self._key = simulator, restart, key
        self._begun = False
        self.run: Any = simulator.run
        self.run_events: Any = simulator.run_events

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return self._simulator.n_neurons

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Start afresh where that is wanted, and in any case the first time."""
        del rng
        if self._restart or not self._begun:
            philox = None if self._key is None else np.random.Philox(self._key)
            self._simulator.reset(None if philox is None else np.random.Generator(philox))
        self._begun = True


def _some_of_each(labels: Ints, count: int | None) -> Ints:
    """The first samples of every class, all of them where no count is given; rising indices."""
    if count is None:
        return np.arange(labels.size, dtype=np.int64)
    chosen = [np.flatnonzero(labels == k)[:count] for k in np.unique(labels)]
    return np.sort(np.concatenate(chosen)).astype(np.int64)
