"""Classification: samples of frames, shown one after the other, and a linear readout of spikes.

The readout sees, per sample, the spikes of every neuron and its traces at the sample's end, and is
a ridge regression on the one-hot classes, off the chip; the largest answer wins. Its penalty is
chosen on validation samples, which then train, too. Nothing of the test samples is used.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.metrics.scores import Score, Scores
from hrsnn_lava.options import Count, Positive, options
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.base import Outcome, Task, Trial
from hrsnn_lava.tasks.encoders import EncoderOption
from hrsnn_lava.tasks.readers.base import READER, Labelled, ReaderOption
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.readout import (
    FeatureOptions,
    Positives,
    Readout,
    ReadoutFitter,
    ReadoutOptions,
    SpikeFeatures,
    select_readout,
)
from hrsnn_lava.training.simulation import EventSimulator, Stimulus

__all__ = ["Classification", "ClassificationTrial", "LabelledSamples", "stratified"]

Floats = NDArray[np.float64]
Int = NDArray[np.int64]
LINEAR = ReadoutOptions(products=False)


@options
class Classification(Task):
    """Options of every classification.

    Attributes:
        train: samples that train; the split is drawn, and every class is in every part by its
            share.
        validation: samples that choose the penalty of the readout, and the way to rescale pruned
            weights.
        test: samples that are scored.
        steps_per_frame: network steps for which a frame is shown.
        encoder: how values become an input: ``held``, ``rate``, ``latency``, ``population``, or a
            table with its options.
        trace_steps: time constants, in steps, of the spike traces that the readout sees beside the
            spike counts; may be empty.
        alphas: penalties of the readout to choose from, relative to the features' mean square.
        restart: start every sample from the same random potentials; false: samples follow each
            other, as on a chip that nobody resets.
    """

    train: Count = 1000
    validation: Count = 200
    test: Count = 500
    steps_per_frame: Count = 10
    encoder: EncoderOption = "held"
    trace_steps: tuple[Positive, ...] = (50.0,)
    alphas: Positives = (1e-4, 1e-3, 1e-2, 1e-1)
    restart: bool = True

    @abstractmethod
    def samples(self) -> Labelled:
        """All samples there are."""

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


def stratified(labels: Int, rng: np.random.Generator) -> Int:
    """A random order of the samples in which every stretch holds every class by its share."""
    order = rng.permutation(labels.size)
    place = np.empty(labels.size)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        place[members] = (np.arange(members.size) + rng.random(members.size)) / members.size
    return np.argsort(place)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A readout, the losses of its penalties, and its answers on the test samples."""

    readout: Readout
    losses: dict[float, float]
    answers: Floats


class ClassificationTrial(Trial):
    """Samples in the order train, validation, test, and the input they become.

    Args:
        options: of the task.
        labelled: all samples there are.
        seed: of the split, the spikes of the input, and nothing else.

    Raises:
        SpecError: more samples are asked for than there are, or a class does not train.
    """

    def __init__(self, options: Classification, labelled: Labelled, seed: int) -> None:
        o, (available, frames, channels) = options, labelled.frames.shape
        count, problems = o.train + o.validation + o.test, []
        if count > available:
            problems.append(
                Problem("task.train + validation + test", f"{count}", f"<= {available}")
            )
        order = stratified(labelled.labels, generator(seed, "task"))[:count]
        self.labels, self.classes = labelled.labels[order], labelled.classes
        missing_classes = sorted(
            set(range(len(self.classes))) - set(self.labels[: o.train].tolist())
        )
        if missing_classes:
            names = ", ".join(self.classes[k] for k in missing_classes)
            problems.append(Problem("task.train", f"no sample of class {names}", "all classes"))
        raise_if(SpecError, "the samples cannot be split", problems)
        self.options, self.frames = o, labelled.frames[order]
        self.steps_per_sample = frames * o.steps_per_frame
        self.sample = f"{frames} frame{'s' * (frames > 1)}, shown"
        values = self.frames.reshape(-1, channels)
        inputs = o.encoder.encode(values, o.steps_per_frame, generator(seed, "encode"))
        self._all = Stimulus(inputs, o.steps_per_frame, frames if o.restart else None)
        self._n_frames = frames
        self.lesson = self._all.first(o.train * self.steps_per_sample)

    def evaluate(self, simulator: EventSimulator, rng: np.random.Generator) -> Outcome:
        """Show all samples to a network, fit the readout, and classify the test samples."""
        features = self._features(simulator, rng)
        fit = self._fit(features, 1 + len(self.options.trace_steps), LINEAR)
        train = self.options.train
        counts = features[:train, : simulator.n_neurons]
        meta: dict[str, Any] = {
            "alpha": fit.readout.alpha,
            "target": "one answer for each class, of which the largest wins",
            "classes": list(self.classes),
            "steps_per_sample": self.steps_per_sample,
            "trace_steps": list(self.options.trace_steps),
            "features": "spikes of a sample, then traces at its end, each over all neurons",
        }
        return self._outcome(
            fit, neuron_spikes=counts.mean(axis=0), readout=fit.readout.arrays(), readout_meta=meta
        )

    def baselines(self, size: int) -> Mapping[str, Callable[[], Outcome]]:
        """The most frequent class; the same readout of the values, or of the input's spikes."""
        del size
        values = self.frames.reshape(len(self.frames), -1)
        contenders: dict[str, Callable[[], Outcome]] = {
            "majority class": self._majority,
            "linear, raw values": lambda: self._linear(values),
        }
        if isinstance(self._all.inputs, SpikeInput):
            contenders["linear, input spike counts"] = lambda: self._linear(self._input_counts())
        return contenders

    def _features(self, simulator: EventSimulator, rng: np.random.Generator) -> Floats:
        """Spike counts and traces at the end of every sample, (n_samples, n_kinds * n_neurons)."""
        n, block = simulator.n_neurons, self.options.steps_per_frame
        times = tuple(steps / block for steps in self.options.trace_steps)
        traces = SpikeFeatures(n, block, FeatureOptions(times or (1.0,), squared=()))
        rows = np.zeros((len(self.frames), n * (1 + len(times))))
        for k, (steps, neurons) in enumerate(self._all.play(simulator, rng)):
            if k % self._n_frames == 0:
                traces.reset()
            sample = rows[k // self._n_frames]
            sample[:n] += np.bincount(neurons, minlength=n)
            state = traces.update(steps, neurons)
            if times:
                sample[n:] = state
        return rows

    def _input_counts(self) -> Floats:
        """Spikes of every input channel in every sample, (n_samples, n_inputs)."""
        counts = np.zeros((len(self.frames), self._all.width))
        if isinstance(self._all.inputs, SpikeInput):
            spikes = self._all.inputs
            np.add.at(counts, (spikes.steps // self.steps_per_sample, spikes.neurons), 1.0)
        return counts

    def _fit(self, features: Floats, kinds: int, options: ReadoutOptions) -> _Fit:
        """Choose the penalty by the squared error on the validation samples, then train on them."""
        o = self.options
        fitted = o.train + o.validation
        targets = np.eye(len(self.classes))[self.labels[:fitted]]
        fitter = ReadoutFitter(features[:fitted], targets, targets, kinds, options)
        validation = slice(o.train, fitted)

        def loss(readout: Readout) -> float:
            return float(
                np.mean((readout.predict(features[validation]) - targets[validation]) ** 2)
            )

        training = np.arange(fitted) < o.train
        readout, losses = select_readout(fitter, training, o.alphas, loss)
        return _Fit(readout, losses, readout.predict(features[fitted:]))

    def _linear(self, features: Floats) -> Outcome:
        return self._outcome(self._fit(features, 1, LINEAR))

    def _majority(self) -> Outcome:
        """The class shares of the training samples, whatever is shown."""
        o = self.options
        shares = np.bincount(self.labels[: o.train], minlength=len(self.classes)) / o.train
        return self._scored(np.tile(shares, (o.test, 1)))

    def _outcome(self, fit: _Fit, **more: Any) -> Outcome:
        return self._scored(fit.answers, validation=min(fit.losses.values()), **more)

    def _scored(self, answers: Floats, **more: Any) -> Outcome:
        """Accuracy over the test samples, and by class; `answers` (n_test, n_classes)."""
        labels = self.labels[-len(answers) :]
        right = answers.argmax(axis=1) == labels
        by_class = [
            float(right[labels == k].mean()) if (labels == k).any() else None
            for k in range(len(self.classes))
        ]
        error = float(np.mean((answers - np.eye(len(self.classes))[labels]) ** 2))
        worst = min(share for share in by_class if share is not None)
        scores = Scores(
            (
                Score("accuracy", float(right.mean()), "accuracy", "higher"),
                Score("accuracy_worst_class", worst, "worst class", "higher"),
                Score("squared_error", error, "squared error"),
            )
        )
        return Outcome(scores, {"test_samples": len(labels), "class_accuracy": by_class}, **more)
