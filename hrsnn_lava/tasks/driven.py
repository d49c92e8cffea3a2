"""Tasks in which one series drives a network and another is to be told from its spikes.

    y(t) = W f(t) + b,   f(t): spike traces after u(t) was shown

Nothing is fed back, so every answer rests on the true input ("open loop"). Samples follow each
other: washout, training, validation, test. Both series are z-scored by the training samples. The
penalty is chosen on the validation samples, which then train, too; the test samples are scored:

    NRMSE = sqrt(mean over test samples of (y - answer)^2 / variance of y there)

Contenders without spikes are the training mean, which has about 1, a linear and a quadratic map of
the last inputs, and an echo state network.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.metrics.forecast import nrmse
from hrsnn_lava.metrics.scores import Score, Scores
from hrsnn_lava.options import Count, options
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.base import Outcome, Task, Trial
from hrsnn_lava.tasks.baselines import (
    ESNOptions,
    delays,
    draw_esn,
    quadratic,
    ridge_by_hold_out,
)
from hrsnn_lava.tasks.encoders import EncoderOption
from hrsnn_lava.training.readout import (
    FeatureOptions,
    Positives,
    ReadoutOptions,
    ValueReadout,
    record_features,
    select_readout,
)
from hrsnn_lava.training.readouts.network import Network
from hrsnn_lava.training.readouts.values import (
    ValueLesson,
    ValueReadoutOption,
    value_fitter,
    wiring_of,
)
from hrsnn_lava.training.simulation import EventSimulator, Stimulus
from hrsnn_lava.training.surrogate_lesson import Supervised

__all__ = ["DrivenSeries", "DrivenTask", "DrivenTrial"]

Floats = NDArray[np.float64]
#: Penalties for contenders without spikes (ours).
ALPHAS = (1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0)


@dataclass(frozen=True, eq=False)
class DrivenSeries:
    """An input and what is to be told from it, row by row.

    Attributes:
        inputs: (n, n_inputs).
        targets: (n, n_targets); row t is told after row t of the inputs was shown.
        persistence: (n, n_targets), the answer that nothing changes; None where the target is no
            component of the input.
        details: further plain values for the row of a table.
    """

    inputs: Floats
    targets: Floats
    persistence: Floats | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@options
class DrivenTask(Task):
    """Options of every task in which an input drives a network.

    Attributes:
        train: samples that fit the readout.
        validation: samples that choose its penalty, and the way to rescale pruned weights.
        test: samples that are scored.
        washout: first samples, which nothing is fitted to.
        steps_per_sample: network steps for which a value is shown.
        encoder: how z-scored values become an input: ``held``, ``population``, or a table with its
            options.
        trace_samples: time constants of the spike traces that the readout sees, in samples.
        readout: ``linear`` sums spike traces and their squares; ``quadratic`` uses products of the
            last `lags` inputs, decoded from the spikes, too; ``network``, or a
            table with its options, is the papers': some neurons of high betweenness, a hidden
            layer, one unit for each target.
        lags: inputs that the quadratic readout decodes, and that maps without spikes see.
        alphas: penalties of the readout to choose from, relative to the features' mean square.
    """

    measures = ("truth", "answers", "states", "spikes")
    answers_are = "values"
    train: Count = 1000
    validation: Count = 250
    test: Count = 500
    washout: Count = 100
    steps_per_sample: Count = 20
    encoder: EncoderOption = "held"
    trace_samples: Positives = (3.0, 1.5)
    readout: ValueReadoutOption = "linear"
    lags: Count = 10
    alphas: Positives = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)

    def __post_init__(self) -> None:
        """Check what has to agree: raises `SpecError`."""
        if self.washout < self.lags:
            problem = Problem("washout", f"{self.washout}", f">= lags = {self.lags}")
            raise SpecError(f"options of the task {self.name}", problems=[problem])

    @property
    def n_samples(self) -> int:
        """Samples in all."""
        return self.washout + self.train + self.validation + self.test

    @abstractmethod
    def data(self, rng: np.random.Generator) -> DrivenSeries:
        """`n_samples` rows that `rng` draws."""

    def trial(self, seed: int) -> DrivenTrial:
        """The series of a seed."""
        return DrivenTrial(self, self.data(generator(seed, "task")), seed)


class DrivenTrial(Trial):
    """One input and its targets.

    Args:
        options: of the task.
        series: as many samples as the task says.
        seed: of spikes of the input, and of the echo state network among the baselines.
    """

    sample = "one value of the input, shown"

    def __init__(self, options: DrivenTask, series: DrivenSeries, seed: int) -> None:
        o = self.options = options
        self._seed, self.steps_per_sample, self._series = seed, o.steps_per_sample, series
        train = slice(o.washout, o.washout + o.train)
        self.inputs, self.input_mean, self.input_scale = _z_scored(series.inputs, train)
        self.targets, self.mean, self.scale = _z_scored(series.targets, train)
        values = o.encoder.encode(self.inputs, o.steps_per_sample, generator(seed, "encode"))
        self._all = Stimulus(values, o.steps_per_sample)
        self.lesson = self._all.first((o.washout + o.train) * o.steps_per_sample)

    @property
    def supervised(self) -> Supervised:
        """The training samples with the z-scored target of each, behind the washout."""
        o = self.options
        values = self.targets[: o.washout + o.train].copy()
        values[: o.washout] = np.nan
        traces = tuple(tau * o.steps_per_sample for tau in o.trace_samples)
        return Supervised(self.lesson, values=values, trace_steps=traces)

    def evaluate(self, simulator: EventSimulator, rng: np.random.Generator) -> Outcome:
        """Show the whole input to a network, and read the target from the spike traces."""
        o = self.options
        features = FeatureOptions(o.trace_samples)
        fitted = o.n_samples - o.test
        recording = record_features(simulator, self._all, features, rng, fitted)
        rows, validation = slice(o.washout, fitted), slice(o.washout + o.train, fitted)
        past = delays(self.inputs, o.lags)[o.washout + 1 - o.lags : fitted + 1 - o.lags]
        network = o.readout if isinstance(o.readout, Network) else None
        lesson = ValueLesson(
            recording.features[rows],
            past,
            self.targets[rows],
            features.per_neuron,
            None if network is None else wiring_of(simulator),
            int(generator(self._seed, "readout").integers(2**31)),
        )
        ridge = ReadoutOptions(products=o.readout == "quadratic")
        fitter = value_fitter(lesson, ridge, network)

        def loss(readout: ValueReadout) -> float:
            answers = readout.predict(recording.features[validation])
            return float(np.mean((answers - self.targets[validation]) ** 2))

        readout, losses = select_readout(
            fitter, np.arange(fitted - o.washout) < o.train, o.alphas, loss
        )
        answers = readout.predict(recording.features[fitted:])
        return self._outcome(
            answers,
            measured={
                "answers_are": "values",
                "truth": self.targets[fitted:],
                "answers": answers,
                "states": recording.features[fitted:],
                "spikes": recording.late_counts,
            },
            neuron_spikes=recording.spike_counts / o.n_samples,
            validation=min(losses.values()),
            readout=readout.arrays(),
            readout_meta={
                "readout": o.readout if network is None else network.name,
                "alpha": readout.alpha,
                "target": "the z-scored target of the same sample",
                "steps_per_sample": o.steps_per_sample,
                "trace_samples": list(features.trace_samples),
                "squared": list(features.squared),
                "features": "traces, then squares, each over all neurons",
                "products": "x_i x_j of the decoded values, i <= j, row by row",
                "input_mean": self.input_mean.tolist(),
                "input_scale": self.input_scale.tolist(),
                "target_mean": self.mean.tolist(),
                "target_scale": self.scale.tolist(),
            },
        )

    def baselines(self, size: int) -> Mapping[str, Callable[[], Outcome]]:
        """Contenders without spikes."""
        o, n_test = self.options, self.options.test
        contenders: dict[str, Callable[[], Outcome]] = {
            "training mean": lambda: self._outcome(np.zeros_like(self.targets[-n_test:]))
        }
        if self._series.persistence is not None:
            unchanged = (self._series.persistence[-n_test:] - self.mean) / self.scale
            contenders["persistence"] = lambda: self._outcome(unchanged)

        def lagged(features: Callable[[Floats], Floats]) -> Outcome:
            # rows before the first full delay vector are washed out in any case
            vectors = delays(self.inputs, o.lags)[o.washout + 1 - o.lags :]
            return self._fitted(features(vectors))

        def esn() -> Outcome:
            esn_options = ESNOptions(size=max(size, 2), rho=0.9, leak=1.0)
            width = self.inputs.shape[1]
            network = draw_esn(width, generator(self._seed, "esn"), esn_options)
            return self._fitted(np.stack([network.advance(u) for u in self.inputs])[o.washout :])

        return contenders | {
            f"linear, {o.lags} lags": lambda: lagged(lambda vectors: vectors),
            f"NVAR, {o.lags} lags, quadratic": lambda: lagged(quadratic),
            f"echo-state network, {size} units": esn,
        }

    def _fitted(self, features: Floats) -> Outcome:
        """The answers of a ridge regression, its penalty chosen on the validation samples."""
        o = self.options
        fitted = o.train + o.validation
        targets = self.targets[o.washout : o.washout + fitted]
        chosen = ridge_by_hold_out(features[:fitted], targets, ALPHAS, o.validation)
        return self._outcome(chosen(features[fitted:]))

    def _outcome(self, answers: Floats, **more: Any) -> Outcome:
        """Scores of z-scored answers to the test samples, (n_test, n_targets)."""
        truth = self.targets[-len(answers) :]
        each = [nrmse(answers[:, [k]], truth[:, [k]]) for k in range(truth.shape[1])]
        a, b = answers - answers.mean(axis=0), truth - truth.mean(axis=0)
        power = (a**2).sum(axis=0) * (b**2).sum(axis=0)
        cross = (a * b).sum(axis=0) ** 2
        share = np.divide(cross, power, out=np.zeros(len(power)), where=power > 0)
        scores = Scores(
            (
                Score("nrmse", nrmse(answers, truth), "NRMSE"),
                Score("squared_correlation", float(share.mean()), "r^2", "higher"),
            )
        )
        details = {"test_samples": len(truth), **self._series.details, "nrmse_each": each}
        return Outcome(scores, details, **more)


def _z_scored(values: Floats, train: slice) -> tuple[Floats, Floats, Floats]:
    """The values by the mean and the standard deviation of the training samples, and these."""
    mean, scale = values[train].mean(axis=0), values[train].std(axis=0)
    if not (np.isfinite(values).all() and ((scale > 0) & np.isfinite(scale)).all()):
        problem = Problem("training samples", f"standard deviation {scale}", "finite and > 0")
        raise SpecError("a series cannot be z-scored", problems=[problem])
    return (values - mean) / scale, mean, scale
