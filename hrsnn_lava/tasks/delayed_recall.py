"""Delayed recall: a symbol is shown once, distractors follow, and after each the symbol is asked.

Frame 0 of a sample shows the symbol in its channel and 1 in the cue channel; frames 1 to `delay`
show distractors from the same alphabet, without the cue. After every frame k a linear readout of
its own names the symbol, so one run gives the accuracy at all delays. All of it is our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.metrics.scores import Score, Scores
from hrsnn_lava.options import Count, Positive, Share, options
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.base import Outcome, Task, Trial
from hrsnn_lava.tasks.baselines import ESNOptions, draw_esn
from hrsnn_lava.tasks.class_readout import ClassReadout, Split, fit_classes
from hrsnn_lava.tasks.encoders import EncoderOption
from hrsnn_lava.training.readout import FeatureOptions, Positives, SpikeFeatures
from hrsnn_lava.training.simulation import EventSimulator, Stimulus
from hrsnn_lava.training.surrogate_lesson import Supervised

__all__ = ["DelayedRecall", "DelayedRecallTrial"]

Floats = NDArray[np.float64]


@options
class DelayedRecall(Task):
    """Recall of a symbol over a delay with distractors.

    Attributes:
        symbols: size of the alphabet; chance is 1 / symbols.
        delay: longest delay, in frames; all shorter ones are scored, too.
        distractors: probability that a frame of the delay shows a random symbol.
        train: samples that train.
        validation: samples that choose the penalty of the readouts, and the way to rescale pruned
            weights.
        test: samples that are scored.
        steps_per_frame: network steps for which a frame is shown.
        amplitude: value of a channel that is on.
        encoder: how values become an input: ``held``, ``rate``, ``latency``, or a table with its
            options.
        trace_frames: time constants of the spike traces that the readouts see, in frames.
        alphas: penalties of the readouts to choose from, relative to the features' mean square.
    """

    measures = ("truth", "answers", "labels", "states", "spikes")
    answers_are = "classes"
    name: ClassVar[str] = "delayed_recall"
    symbols: Annotated[int, Field(ge=2)] = 4
    delay: Count = 10
    distractors: Share = 0.5
    train: Count = 300
    validation: Count = 100
    test: Count = 200
    steps_per_frame: Count = 10
    amplitude: Positive = 1.0
    encoder: EncoderOption = "held"
    trace_frames: Positives = (1.0,)
    alphas: Positives = (1e-3, 1e-2, 1e-1, 1.0)

    def __post_init__(self) -> None:
        """Check what has to agree: raises `SpecError`."""
        if self.train < self.symbols:
            problem = Problem("train", f"{self.train}", f">= symbols = {self.symbols}")
            raise SpecError("options of the task delayed_recall", problems=[problem])

    def trial(self, seed: int) -> DelayedRecallTrial:
        """The samples of a seed."""
        return DelayedRecallTrial(self, seed)


class DelayedRecallTrial(Trial):
    """Samples in the order training, validation, test.

    Attributes:
        symbols: (n_samples,) what was cued, every symbol equally often.
        frames: (n_samples, delay + 1, symbols + 1); the last channel is the cue.
    """

    def __init__(self, options: DelayedRecall, seed: int) -> None:
        o = self.options = options
        self._seed, self._split = seed, Split(o.train, o.validation, o.test)
        self.steps_per_sample = (o.delay + 1) * o.steps_per_frame
        self.sample = f"a symbol and {o.delay} frames, shown"
        rng, n = generator(seed, "task"), self._split.total
        # every symbol equally often in every part, up to one
        parts = [
            rng.permutation(np.arange(size) % o.symbols) for size in (o.train, o.validation, o.test)
        ]
        self.symbols = np.concatenate(parts).astype(np.int64)
        frames = np.zeros((n, o.delay + 1, o.symbols + 1))
        frames[np.arange(n), 0, self.symbols] = o.amplitude
        frames[:, 0, -1] = o.amplitude
        shown = rng.random((n, o.delay)) < o.distractors
        distractor = rng.integers(0, o.symbols, (n, o.delay))
        sample, frame = np.nonzero(shown)
        frames[sample, frame + 1, distractor[sample, frame]] = o.amplitude
        self.frames = frames
        inputs = o.encoder.encode(
            frames.reshape(-1, o.symbols + 1), o.steps_per_frame, generator(seed, "encode")
        )
        starts = np.arange(len(frames), dtype=np.int64) * (o.delay + 1)
        self._all = Stimulus(inputs, o.steps_per_frame, starts)
        self.lesson = self._all.first(o.train * self.steps_per_sample)

    @property
    def supervised(self) -> Supervised:
        """The training samples with their symbols, asked for at their ends."""
        o = self.options
        traces = tuple(tau * o.steps_per_frame for tau in o.trace_frames)
        classes = self.symbols[: o.train]
        return Supervised(self.lesson, classes, trace_steps=traces, rates=False)

    def evaluate(self, simulator: EventSimulator, rng: np.random.Generator) -> Outcome:
        """Show all samples to a network, and ask for the symbol after every frame."""
        o = self.options
        traces = SpikeFeatures(
            simulator.n_neurons, o.steps_per_frame, FeatureOptions(o.trace_frames, squared=())
        )
        rows = np.empty((len(self.symbols) * (o.delay + 1), traces.n_features))
        counts, late = np.zeros((2, simulator.n_neurons))
        scored = (len(self.symbols) - o.test) * (o.delay + 1)
        for k, (steps, neurons) in enumerate(self._all.play(simulator, rng)):
            if k % (o.delay + 1) == 0:
                traces.reset()
            rows[k] = traces.update(steps, neurons)
            fired = np.bincount(neurons, minlength=simulator.n_neurons)
            counts += fired
            late += fired * (k >= scored)
        states = rows.reshape(len(self.symbols), o.delay + 1, -1)
        fits = self._fits(states, len(o.trace_frames))
        return self._outcome(
            fits,
            measured={
                **fits[-1].measured,
                "states": states[-o.test :, -1],
                "spikes": late,
            },
            neuron_spikes=counts / len(self.symbols),
            validation=float(np.mean([fit.loss for fit in fits])),
            readout=fits[-1].readout.arrays(),
            readout_meta={
                "alpha": fits[-1].readout.alpha,
                "target": f"one answer for each symbol after {o.delay} frames; the largest wins",
                "steps_per_sample": self.steps_per_sample,
                "trace_frames": list(o.trace_frames),
                "features": "traces at the sample's end, each over all neurons",
            },
        )

    def baselines(self, size: int) -> Mapping[str, Callable[[], Outcome]]:
        """No memory, all frames side by side, and an echo state network of equal size."""

        def line() -> Outcome:
            n, n_frames, width = self.frames.shape
            past = np.zeros((n, n_frames, n_frames * width))
            for k in range(n_frames):
                past[:, k, : (k + 1) * width] = self.frames[:, : k + 1].reshape(n, -1)
            return self._outcome(self._fits(past))

        def esn() -> Outcome:
            esn_options = ESNOptions(size=max(size, 2), rho=0.9, leak=1.0, input_scale=0.5)
            network = draw_esn(self.options.symbols + 1, generator(self._seed, "esn"), esn_options)
            states = []
            for sample in self.frames:
                network.reset()
                states.append([network.advance(frame) for frame in sample])
            return self._outcome(self._fits(np.array(states)))

        return {
            "last frame": lambda: self._outcome(self._fits(self.frames)),
            "delay line, all frames": line,
            f"echo-state network, {size} units": esn,
        }

    def _fits(self, features: Floats, kinds: int = 1) -> list[ClassReadout]:
        """A readout for every delay from 1 on; `features` (n_samples, delay + 1, n_features)."""
        o = self.options
        return [
            fit_classes(features[:, k], self.symbols, self._split, o.alphas, kinds)
            for k in range(1, o.delay + 1)
        ]

    def _outcome(self, fits: list[ClassReadout], **more: Any) -> Outcome:
        """Accuracy over the delays, at the longest, and how long it stays above half way."""
        curve = [fit.accuracy for fit in fits]
        half_way = 0.5 * (1.0 + 1.0 / self.options.symbols)
        below = [k for k, accuracy in enumerate(curve) if accuracy < half_way]
        span = below[0] if below else len(curve)
        scores = Scores(
            (
                Score("recall_accuracy", float(np.mean(curve)), "accuracy", "higher"),
                Score("recall_accuracy_longest", curve[-1], "longest delay", "higher"),
                Score("recall_span", float(span), "span", "higher", "frames"),
            )
        )
        details = {"test_samples": self.options.test, "recall_curve": curve}
        return Outcome(scores, details, **more)
