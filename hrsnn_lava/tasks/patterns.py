"""Spike patterns: which of some templates was played, with its spikes moved, lost and added.

A template has the same number of spikes in every channel, at random steps, so counts say nothing
of the class: only times do. A sample moves every spike of its template by normal noise (kept inside
the pattern), drops some, and adds others. Liquid state machines are tested this way (Maass,
Natschläger and Markram 2002); all numbers are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.metrics.scores import Score, Scores
from hrsnn_lava.options import Count, NonNegative, Positive, Share, options
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.base import OF_CLASSES, Outcome, Task, Trial
from hrsnn_lava.tasks.class_readout import ClassReadout, Split, fit_classes
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.readout import FeatureOptions, Positives, SpikeFeatures
from hrsnn_lava.training.simulation import EventSimulator, Stimulus
from hrsnn_lava.training.surrogate_lesson import Supervised

__all__ = ["Patterns", "PatternsTrial"]

Floats = NDArray[np.float64]
Int = NDArray[np.int64]
#: Steps of a bin of the baseline that sees when the input fired (ours).
BIN = 5


@options
class Patterns(Task):
    """Classification of temporal spike patterns.

    Attributes:
        classes: templates.
        channels: of the input.
        steps: network steps of a pattern.
        spikes: of a template, in every channel.
        jitter: standard deviation by which a spike is moved, in steps.
        deletion: probability that a spike is lost.
        noise: probability, in a step of a channel, of a spike that is none of the template's.
        train: samples that train.
        validation: samples that choose the penalty of the readout, and the way to rescale pruned
            weights.
        test: samples that are scored.
        trace_steps: time constants, in steps, of the spike traces at the sample's end that the
            readout sees beside the spike counts; may be empty.
        alphas: penalties of the readout to choose from, relative to the features' mean square.
    """

    measures = OF_CLASSES
    answers_are = "classes"
    name: ClassVar[str] = "patterns"
    classes: Annotated[int, Field(ge=2)] = 5
    channels: Count = 20
    steps: Count = 100
    spikes: Count = 3
    jitter: NonNegative = 3.0
    deletion: Share = 0.1
    noise: Share = 0.005
    train: Count = 200
    validation: Count = 100
    test: Count = 200
    trace_steps: tuple[Positive, ...] = (20.0, 60.0)
    alphas: Positives = (1e-3, 1e-2, 1e-1, 1.0)

    def __post_init__(self) -> None:
        """Check what has to agree: raises `SpecError`."""
        problems = []
        if self.train < self.classes:
            problems.append(Problem("train", f"{self.train}", f">= classes = {self.classes}"))
        if self.spikes > self.steps:
            problems.append(Problem("spikes", f"{self.spikes}", f"<= steps = {self.steps}"))
        if problems:
            raise SpecError("options of the task patterns", problems=problems)

    def trial(self, seed: int) -> PatternsTrial:
        """Templates and samples of a seed."""
        return PatternsTrial(self, seed)


class PatternsTrial(Trial):
    """Templates, and samples in the order training, validation, test.

    Attributes:
        templates: (classes, channels, spikes) steps.
        labels: (n_samples,) the template of each, all equally often.
        spikes: of all samples, one after the other.
    """

    def __init__(self, options: Patterns, seed: int) -> None:
        o = self.options = options
        self._split = Split(o.train, o.validation, o.test)
        self.steps_per_sample = o.steps
        self.sample = "one pattern"
        rng, n = generator(seed, "task"), self._split.total
        order = rng.random((o.classes, o.channels, o.steps)).argsort(axis=2)
        self.templates = np.sort(order[:, :, : o.spikes], axis=2)
        parts = [
            rng.permutation(np.arange(size) % o.classes) for size in (o.train, o.validation, o.test)
        ]
        self.labels = np.concatenate(parts).astype(np.int64)
        self.spikes = self._drawn(n, rng)
        self._all = Stimulus(self.spikes, o.steps, np.arange(n, dtype=np.int64))
        self.lesson = self._all.first(o.train * o.steps)

    def _drawn(self, n: int, rng: np.random.Generator) -> SpikeInput:
        """Samples of the templates, at most one spike of a channel in a step."""
        o = self.options
        times = self.templates[self.labels] + o.jitter * rng.standard_normal(
            (n, o.channels, o.spikes)
        )
        times = np.clip(np.rint(times), 0, o.steps - 1).astype(np.int64)
        kept = rng.random(times.shape) >= o.deletion
        active = rng.random((n, o.steps, o.channels)) < o.noise
        sample, channel, spike = np.nonzero(kept)
        active[sample, times[sample, channel, spike], channel] = True
        steps, channels = np.nonzero(active.reshape(-1, o.channels))
        return SpikeInput(steps, channels, n * o.steps, o.channels)

    @property
    def supervised(self) -> Supervised:
        """The training samples with their templates."""
        classes = self.labels[: self.options.train]
        return Supervised(self.lesson, classes, trace_steps=self.options.trace_steps)

    def evaluate(self, simulator: EventSimulator, rng: np.random.Generator) -> Outcome:
        """Play all samples to a network, and name the template from counts and traces."""
        o, n = self.options, simulator.n_neurons
        times = tuple(steps / o.steps for steps in o.trace_steps)
        traces = SpikeFeatures(n, o.steps, FeatureOptions(times or (1.0,), squared=()))
        rows = np.empty((len(self.labels), n * (1 + len(times))))
        for k, (steps, neurons) in enumerate(self._all.play(simulator, rng)):
            traces.reset()
            rows[k, :n] = np.bincount(neurons, minlength=n)
            state = traces.update(steps, neurons)
            if times:
                rows[k, n:] = state
        fit = fit_classes(rows, self.labels, self._split, o.alphas, 1 + len(times))
        return self._outcome(
            fit,
            measured={
                **fit.measured,
                "states": rows[-o.test :],
                "counts": rows[-o.test :, :n],
                "spikes": rows[-o.test :, :n].sum(axis=0),
            },
            neuron_spikes=rows[: o.train, :n].mean(axis=0),
            validation=fit.loss,
            readout=fit.readout.arrays(),
            readout_meta={
                "alpha": fit.readout.alpha,
                "target": "one answer for each template, of which the largest wins",
                "steps_per_sample": o.steps,
                "trace_steps": list(o.trace_steps),
                "features": "spikes of a sample, then traces at its end, each over all neurons",
            },
        )

    def baselines(self, size: int) -> Mapping[str, Callable[[], Outcome]]:
        """The same readout of the input's spikes: how many, and how many in every bin."""
        del size
        return {
            "linear, input spike counts": lambda: self._linear(self.options.steps),
            f"linear, input spikes in bins of {BIN} steps": lambda: self._linear(BIN),
        }

    def _linear(self, width: int) -> Outcome:
        o, spikes = self.options, self.spikes
        bins = -(-o.steps // width)
        sample, step = np.divmod(spikes.steps, o.steps)
        features = np.zeros((len(self.labels), bins, o.channels))
        np.add.at(features, (sample, step // width, spikes.neurons), 1.0)
        flat = features.reshape(len(self.labels), -1)
        return self._outcome(fit_classes(flat, self.labels, self._split, o.alphas))

    def _outcome(self, fit: ClassReadout, **more: Any) -> Outcome:
        labels = self.labels[-self.options.test :]
        by_class = [
            float(fit.right[labels == k].mean()) if (labels == k).any() else None
            for k in range(self.options.classes)
        ]
        worst = min(share for share in by_class if share is not None)
        scores = Scores(
            (
                Score("accuracy", fit.accuracy, "accuracy", "higher"),
                Score("accuracy_worst_class", worst, "worst class", "higher"),
            )
        )
        details = {"test_samples": self.options.test, "class_accuracy": by_class}
        return Outcome(scores, details, **more)
