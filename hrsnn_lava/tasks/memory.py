"""Memory capacity: how much of an input that went by a network still holds (Jaeger 2001).

    MC = sum_k r_k^2 - sum_k s_k^2,   r_k = corr(y_k(t), u(t - k)),   k = 1..delays

u(t) is independent and uniform, y_k a ridge readout of the spike traces after u(t); correlations
are taken over held-out samples. s_k is the same for an input in shuffled order: what chance gives,
with n held-out samples about delays / n, and no part of the capacity. The present value, k = 0, is
no memory. Of independent values no linear readout recovers more than it has features (Jaeger 2001),
which bounds MC; for one spike trace these are the neurons. On noise-limited spikes MC is small
beside the number of neurons. Train on ten times as many samples as there are features, or the
readout of a large network is noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.metrics.memory import past_values, squared_correlations
from hrsnn_lava.metrics.scores import Score, Scores
from hrsnn_lava.options import Count, Positive, options
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.base import Outcome, Task, Trial
from hrsnn_lava.tasks.baselines import ESNOptions, draw_esn
from hrsnn_lava.tasks.encoders import EncoderOption
from hrsnn_lava.training.readout import (
    FeatureOptions,
    Positives,
    Readout,
    ReadoutFitter,
    ReadoutOptions,
    record_features,
    select_readout,
)
from hrsnn_lava.training.simulation import EventSimulator, Stimulus

__all__ = ["Memory", "MemoryTrial", "past_values", "squared_correlations"]

Floats = NDArray[np.float64]
#: Values that the delay line among the baselines holds.
LINE = 5


@options
class Memory(Task):
    """Memory capacity of a random input.

    Attributes:
        train: samples that fit the readout.
        validation: samples that choose its penalty, and the way to rescale pruned weights.
        test: samples that are scored.
        washout: first samples, which nothing is fitted to.
        delays: longest delay, in samples.
        amplitude: the input is uniform in +-amplitude; 1.7 is about unit variance.
        steps_per_sample: network steps for which a value is shown.
        encoder: how values become an input: ``held``, ``population``, or a table with its options.
        trace_samples: time constants of the spike traces that the readout sees, in samples.
        alphas: penalties of the readout to choose from, relative to the features' mean square.
    """

    measures = (
        "inputs",
        "features",
        "states",
        "targets",
        "predictions",
        "spikes",
    )
    name: ClassVar[str] = "memory"
    train: Count = 2000
    validation: Count = 500
    test: Count = 1000
    washout: Count = 100
    delays: Count = 20
    amplitude: Positive = 1.7
    steps_per_sample: Count = 10
    encoder: EncoderOption = "held"
    trace_samples: Positives = (1.0,)
    alphas: Positives = (1e-4, 1e-3, 1e-2, 1e-1)

    def __post_init__(self) -> None:
        if self.washout < self.delays:
            allowed = f">= delays = {self.delays}"
            problem = Problem("washout", f"{self.washout}", allowed)
            raise SpecError("options of the task memory", problems=[problem])

    def trial(self, seed: int) -> MemoryTrial:
        """The input of a seed."""
        return MemoryTrial(self, seed)


class MemoryTrial(Trial):
    """One random input: samples of washout, training, validation and test, in this order."""

    sample = "one value of the input, shown"

    def __init__(self, options: Memory, seed: int) -> None:
        o = self.options = options
        rng = generator(seed, "task")
        self.values = rng.uniform(
            -o.amplitude, o.amplitude, o.washout + o.train + o.validation + o.test
        )
        self._seed, self.steps_per_sample = seed, o.steps_per_sample
        inputs = o.encoder.encode(
            self.values[:, None], o.steps_per_sample, generator(seed, "encode")
        )
        self._all = Stimulus(inputs, o.steps_per_sample)
        self.lesson = self._all.first((o.washout + o.train) * o.steps_per_sample)

    def evaluate(self, simulator: EventSimulator, rng: np.random.Generator) -> Outcome:
        """Show the whole input to a network, and read its past from the spike traces."""
        o = self.options
        features = FeatureOptions(o.trace_samples, squared=())
        first = o.washout + o.train + o.validation
        recording = record_features(simulator, self._all, features, rng, first)
        meta: dict[str, Any] = {
            "target": "the input 1..delays samples ago",
            "delays": o.delays,
            "steps_per_sample": o.steps_per_sample,
            "trace_samples": list(o.trace_samples),
            "features": "traces, each over all neurons",
        }
        outcome = self.scored(recording.features, recording.spike_counts / len(self.values), meta)
        spikes = {"spikes": recording.late_counts}
        return replace(outcome, measured={**outcome.measured, **spikes})

    def baselines(self, size: int) -> Mapping[str, Callable[[], Outcome]]:
        """A delay line, whose capacity is its length, and an echo state network of equal size."""

        def esn() -> Outcome:
            # near the edge of stability and driven weakly, where linear memory is long (ours)
            options = ESNOptions(size=max(size, 2), rho=0.9, leak=1.0, input_scale=0.1)
            network = draw_esn(1, generator(self._seed, "esn"), options)
            return self.scored(np.stack([network.advance(u) for u in self.values[:, None]]))

        return {
            f"delay line, {LINE} values": lambda: self.scored(past_values(self.values, LINE)),
            f"echo-state network, {size} units": esn,
        }

    def scored(
        self,
        features: Floats,
        neuron_spikes: Floats | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Fit a readout of the past and one of a shuffled past, and score both on held-out samples.

        Args:
            features: (n_samples, n_features).
            neuron_spikes: see `Outcome`.
            meta: of the readout.
        """
        o = self.options
        shuffled = generator(self._seed, "shuffle").permutation(self.values)
        pasts = [past_values(values, o.delays) for values in (self.values, shuffled)]
        targets, fitted = np.concatenate(pasts, axis=1), o.washout + o.train + o.validation
        kinds = len(o.trace_samples) if neuron_spikes is not None else 1
        rows, validation = slice(o.washout, fitted), slice(o.washout + o.train, fitted)
        fitter = ReadoutFitter(
            features[rows], targets[rows], targets[rows], kinds, ReadoutOptions(products=False)
        )

        def loss(readout: Readout) -> float:
            answers = readout.predict(features[validation])[:, : o.delays]
            return -float(squared_correlations(answers, pasts[0][validation]).sum())

        training = np.arange(o.train + o.validation) < o.train
        readout, losses = select_readout(fitter, training, o.alphas, loss)
        answers = readout.predict(features[fitted:])
        held_out = squared_correlations(answers, targets[fitted:])
        curve, chance = np.split(held_out, 2)
        bound = float(min(features.shape[1], o.delays))
        capacity = min(max(float(curve.sum() - chance.sum()), 0.0), bound)
        scores = Scores(
            (
                Score("memory_capacity", capacity, "memory capacity", "higher"),
                Score("memory_chance", float(chance.sum()), "by chance"),
            )
        )
        arrays = {
            "weights": readout.weights[:, : o.delays],
            "offset": readout.offset[: o.delays],
        }
        return Outcome(
            scores,
            {
                "delays": o.delays,
                "memory_curve": curve.tolist(),
                "memory_chance_curve": chance.tolist(),
            },
            neuron_spikes,
            min(losses.values()),
            arrays if meta is not None else {},
            {"alpha": readout.alpha, **(meta or {})},
            {
                "inputs": self.values[o.washout :],
                "features": features[o.washout :],
                "states": features[fitted:],
                "targets": targets[fitted:, : o.delays],
                "predictions": answers[:, : o.delays],
                "chance_targets": targets[fitted:, o.delays :],
                "chance_predictions": answers[:, o.delays :],
            },
        )
