"""Train a spiking reservoir to forecast a series, and let it forecast.

1. Drive the network by the true training samples, several times from other initial potentials:
   the features then vary with the phase of the spikes, and the readout learns not to rely on it.
2. Fit the readout; where several penalties are offered, choose by closed-loop forecasts of windows
   inside the training samples. Their error is kept in any case: it compares networks without a
   look at what is to be forecast.
3. Forecast from every start: show the context, then feed the answers back.

The readout predicts the increment u(t+1) - u(t) from the features after u(t): the last value is
carried over for free, and the network has only the change to say. A component that is not shown has
nothing to carry over, and is predicted itself.

A series that drifts, such as a price, is cut into folds: every window has training samples of its
own, those before it, and a readout of its own. Errors of the next step, not of the closed loop, are
what such a series is judged by, and then they choose the penalty, too.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.metrics.forecast import (
    DEFAULT_THRESHOLDS,
    ForecastScores,
    Headline,
    rmse_over_time,
)
from hrsnn_lava.options import Count, Positive, options
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.base import Outcome, Task, Trial
from hrsnn_lava.tasks.baselines import (
    ESNOptions,
    Forecaster,
    Persistence,
    TrainingMean,
    fit_autoregression,
    fit_esn,
    fit_nvar,
)
from hrsnn_lava.tasks.series.windows import (
    Forecasts,
    ForecastSeries,
    ForecastWindow,
    Layout,
    closed_loop,
    forecasts_of,
    one_step,
    score_folds,
    window_of,
)
from hrsnn_lava.tasks.view import View
from hrsnn_lava.training.readout import (
    FeatureOptions,
    Positives,
    ReadoutOptions,
    SpikeFeatures,
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
from hrsnn_lava.training.simulation import Simulator, Stimulus
from hrsnn_lava.training.surrogate_lesson import Supervised

__all__ = [
    "ForecastOptions",
    "ForecastResult",
    "ForecastTask",
    "ForecastTrial",
    "SpikingForecaster",
    "TrainedReadout",
    "fit_and_forecast",
    "fit_readout",
    "forecast",
    "validation_starts",
]

#: Penalties for forecasters without spikes on series of any kind (ours); the readout of a spiking
#: network has a far stronger one, since spikes are noise.
WIDE_ALPHAS = (1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0)
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
NotNegative = Annotated[int, Field(ge=0)]


@options
class ForecastOptions:
    """The protocol; all values are our choice.

    Attributes:
        steps_per_sample: network steps for which a value is held.
        washout: first training samples of each replay that are not fitted.
        replays: runs over the training samples, each from other initial potentials.
        clip: largest value, in standard deviations, that is fed back.
        context: true samples shown before each validation window.
        thresholds: of the valid prediction time, in long-term standard deviations.
        features: spike traces that the readout sees.
        readout: how it is fitted.
        network: the papers' network in place of the ridge that `readout` is; the penalties and
            windows are the same.
        headline: what networks are compared by, and what chooses the penalty: the error of the
            ``closed_loop``, or that of ``one_step``.
        baseline_alphas: penalties that the forecasters without spikes choose from, on the last
            fifth of the training samples; empty: each has its own.
    """

    steps_per_sample: Count = 20
    washout: NotNegative = 50
    replays: Count = 2
    clip: Positive = 4.0
    context: Count = 50
    thresholds: tuple[float, ...] = DEFAULT_THRESHOLDS
    features: FeatureOptions = field(default_factory=FeatureOptions)
    readout: ReadoutOptions = field(default_factory=ReadoutOptions)
    network: Network | None = None
    headline: Headline = "closed_loop"
    baseline_alphas: tuple[Positive, ...] = ()

    @property
    def readout_name(self) -> str:
        """``network``, ``quadratic`` or ``linear``."""
        if self.network is not None:
            return self.network.name
        return "quadratic" if self.readout.products else "linear"


class SpikingForecaster:
    """A network with a readout, as a `Forecaster`: one observed value is one block of steps.

    Counts the spikes it has spent, so that a forecast can be priced.
    """

    def __init__(
        self,
        simulator: Simulator,
        readout: ValueReadout,
        options: ForecastOptions,
        seed: int,
        view: View | None = None,
    ) -> None:
        """Take the parts; every `reset` draws the same initial potentials, those of `seed`.

        `view` says which components the network is shown; None: all.
        """
        self._view = view
        self._simulator, self._readout, self._seed = simulator, readout, seed
        self._steps = options.steps_per_sample
        self._traces = SpikeFeatures(simulator.n_neurons, self._steps, options.features)
        self.spike_counts: Counts = np.zeros(simulator.n_neurons, dtype=np.int64)
        self.samples = 0

    def reset(self) -> None:
        """Start the network and the traces afresh."""
        self._simulator.reset(np.random.Generator(np.random.Philox(self._seed)))
        self._traces.reset()

    def observe(self, value: Floats) -> Floats:
        """Hold what is shown of u(t), (n_shown,), for a sample; forecast u(t+1), (d,)."""
        spike_steps, spike_neurons = self._simulator.run(value, self._steps)
        self.spike_counts += np.bincount(spike_neurons, minlength=len(self.spike_counts))
        self.samples += 1
        increment = self._readout.predict(self._traces.update(spike_steps, spike_neurons))
        start = value if self._view is None else self._view.carry(value)
        return start + increment


@dataclass(frozen=True)
class TrainedReadout:
    """A readout, how it was chosen, and what the training runs cost.

    readout:           fitted on all training samples after the washout
    validation_losses: mean log error of each penalty, in closed loop or of the next step
    spike_counts:      (n_neurons,) spikes over all training runs
    samples:           samples in these runs
    """

    readout: ValueReadout
    validation_losses: dict[float, float]
    spike_counts: Counts
    samples: int


@dataclass(frozen=True)
class ForecastResult:
    """What the protocol gives.

    scores:      closed loop and one step, one entry per start
    trained:     the readout and how it came about
    predictions: (n_starts, horizon, d) closed loop, z-scored
    one_step:    (n_starts, horizon, d) each value from the true ones before it, z-scored
    closed_loop_spikes: (n_neurons,) mean spikes per sample while it forecasts, contexts included
    closed_loop_counts: (n_neurons,) the spikes of these runs
    """

    scores: ForecastScores
    trained: TrainedReadout
    predictions: Floats
    one_step: Floats
    closed_loop_spikes: Floats
    closed_loop_counts: Counts

    @property
    def readout(self) -> ValueReadout:
        """The readout that forecast."""
        return self.trained.readout

    @property
    def neuron_spikes_per_sample(self) -> Floats:
        """Mean spikes of each neuron in a sample of the training runs, (n_neurons,)."""
        return self.trained.spike_counts / self.trained.samples

    @property
    def spikes_per_sample(self) -> float:
        """Mean spikes of the whole network in a sample of the training runs."""
        return float(np.sum(self.neuron_spikes_per_sample))


def fit_readout(
    simulator: Simulator,
    train: Floats,
    options: ForecastOptions,
    rng: np.random.Generator,
    view: View | None = None,
) -> TrainedReadout:
    """Fit a readout on the network's answers to a training series, (n_train, d).

    Args:
        view: which components the network is shown; None: all.

    Raises:
        SpecError: the series is too short for the washout and the validation windows.
    """
    o = options
    view = view or View.complete(train.shape[1])
    n_windows, length = o.readout.validation_windows, o.readout.validation_length
    starts = validation_starts(len(train), o.washout, o.context, n_windows, length)
    shown = view.of(train[:-1])
    lesson = Stimulus(shown, o.steps_per_sample)
    replays = [record_features(simulator, lesson, o.features, rng) for _ in range(o.replays)]
    features = np.concatenate([replay.features[o.washout :] for replay in replays])
    values = np.tile(train[o.washout : -1], (o.replays, 1))
    increments = np.tile((train[1:] - view.carry(shown))[o.washout :], (o.replays, 1))
    windows = [window_of(train, start, o.context, length) for start in starts]
    seed = int(rng.integers(2**62))
    each, wiring = o.features.per_neuron, None if o.network is None else wiring_of(simulator)
    recording = ValueLesson(features, values, increments, each, wiring, seed % 2**31)
    fitter = value_fitter(recording, o.readout, o.network)

    # Row t holds the input u(t) and the target u(t+1): neither may lie in a window.
    fitted_rows = np.ones(len(train) - 1, dtype=bool)
    for start in starts:
        fitted_rows[start - 1 : start + length] = False
    keep = np.tile(fitted_rows[o.washout :], o.replays)

    def loss(readout: ValueReadout) -> float:
        if o.headline == "one_step":
            errors = readout.predict(features[~keep]) - increments[~keep]
            return float(np.log(max(np.sqrt(np.mean(errors**2)), 1e-12)))
        forecaster = SpikingForecaster(simulator, readout, o, seed, view)
        return _log_error(forecaster, windows, o.clip, view)

    readout, losses = select_readout(fitter, keep, o.readout.alphas, loss if windows else None)
    return TrainedReadout(
        readout,
        losses,
        np.sum([replay.spike_counts for replay in replays], axis=0),
        o.replays * (len(train) - 1),
    )


def validation_starts(
    n_train: int, washout: int, context: int, windows: int, length: int
) -> list[int]:
    """Return where the validation windows start: evenly spread, the last one ends at n_train.

    The first lies far enough in that `context` samples precede it, and `length` fitted ones
    follow the washout. No window asked for, none returned, however short the series.

    Raises:
        SpecError: the training samples are too few for that.
    """
    if windows == 0:
        return []
    first = max(context, washout + length)
    last = n_train - length
    if last - first < (windows - 1) * length:
        raise SpecError(
            "the training series is too short to validate on",
            problems=[
                Problem(
                    "n_train",
                    f"{n_train} samples",
                    f">= {first + windows * length} for {windows} windows of {length}",
                    "train on more samples, or validate on fewer or shorter windows",
                )
            ],
        )
    if windows == 1:
        return [last]
    return [int(start) for start in np.rint(np.linspace(first, last, windows))]


def _log_error(
    forecaster: SpikingForecaster, windows: list[ForecastWindow], clip: float, view: View
) -> float:
    """Return the mean over windows and steps of ln RMSE(t); values are in training deviations.

    The logarithm keeps the late, saturated errors of one window from drowning all others.
    """
    errors = [
        rmse_over_time(closed_loop(forecaster, window, clip, view), window.truth, 1.0)
        for window in windows
    ]
    return float(np.mean(np.log(np.maximum(errors, 1e-12))))


def forecast(
    simulator: Simulator,
    trained: TrainedReadout,
    series: ForecastSeries,
    options: ForecastOptions,
    rng: np.random.Generator,
) -> ForecastResult:
    """Forecast all windows of a series with a readout fitted before.

    The network may be another than the one that trained, a quantized one for example.
    """
    seed, view = int(rng.integers(2**62)), series.view
    forecaster = SpikingForecaster(simulator, trained.readout, options, seed, view)
    loops = np.stack([closed_loop(forecaster, w, options.clip, view) for w in series.windows])
    counts = forecaster.spike_counts.copy()
    spikes = counts / forecaster.samples
    steps = np.stack([one_step(forecaster, window, view) for window in series.windows])
    scores = score_folds([series], [Forecasts(loops, steps)], options.thresholds)
    return ForecastResult(scores, trained, loops, steps, spikes, counts)


def fit_and_forecast(
    simulator: Simulator,
    series: ForecastSeries,
    options: ForecastOptions,
    rng: np.random.Generator,
) -> ForecastResult:
    """Run the whole protocol: fit a readout on the training samples, forecast every window.

    Args:
        simulator: takes the d components of the series as its analog inputs.
        series: training samples and windows.
        options: the protocol.
        rng: draws the initial potentials.

    Raises:
        SpecError: the training series is too short for the washout and the validation windows.
    """
    trained = fit_readout(simulator, series.train, options, rng, series.view)
    return forecast(simulator, trained, series, options, rng)


@options
class ForecastTask(Task):
    """Options of every forecast: train on the first samples, forecast the next in closed loop.

    Attributes:
        train: training samples.
        horizon: samples to forecast in closed loop.
        starts: forecasts, from different places of one trajectory.
        steps_per_sample: network steps for which a sample is held.
        washout: first training samples that are not fitted.
        replays: runs over the training samples, each from other potentials.
        trace_samples: time constants of the spike traces that the readout sees, in samples.
        readout: ``quadratic`` lets the readout, which is off the chip, use products of the values
            that it decodes from the spikes; ``linear`` sums features alone. Our choice.
            ``network``, or a table with its options, is the papers': some neurons of high
            betweenness, a hidden layer, and one unit for each component.
    """

    #: Recorded results rest on such runs; the report says what they are.
    runs_without_input: ClassVar[bool] = True
    #: Largest value, in standard deviations, that is fed back.
    clip: ClassVar[float] = 4.0
    #: See `ForecastOptions`.
    baseline_alphas: ClassVar[tuple[float, ...]] = ()

    measures = ("truth", "answers", "spikes")
    answers_are = "values"
    train: Annotated[int, Field(ge=250)] = 500
    horizon: Count = 100
    starts: Count = 3
    steps_per_sample: Count = 20
    washout: NotNegative = 50
    replays: Count = 2
    trace_samples: Positives = (3.0, 1.5)
    readout: ValueReadoutOption = "quadratic"

    @abstractmethod
    def series(self, rng: np.random.Generator, layout: Layout) -> ForecastSeries:
        """The series that `rng` draws, cut as the layout says."""

    def folds(self, rng: np.random.Generator) -> tuple[ForecastSeries, ...]:
        """What is forecast: one series with all windows behind its training samples.

        A task whose windows have training samples of their own gives a series for each.
        """
        return (self.series(rng, Layout.spaced(self.train, self.horizon, self.starts)),)

    def protocol(self) -> ForecastOptions:
        """How readouts are fitted and forecasts made, and which error is the headline."""
        return ForecastOptions(
            steps_per_sample=self.steps_per_sample,
            washout=self.washout,
            replays=self.replays,
            clip=self.clip,
            features=FeatureOptions(self.trace_samples),
            readout=ReadoutOptions(products=self.readout == "quadratic"),
            network=self.readout if isinstance(self.readout, Network) else None,
            baseline_alphas=self.baseline_alphas,
        )

    def trial(self, seed: int) -> ForecastTrial:
        """The series of a seed."""
        return ForecastTrial(self.folds(generator(seed, "task")), self.protocol(), seed)


class ForecastTrial(Trial):
    """One series or several, and the protocol of their forecasts.

    Networks are trained, and the program is made for, the training samples of the first: what
    later windows have to forecast is in none of them. The readout that goes with the program is
    the newest, that of the last.

    Args:
        folds: each with training samples and windows.
        protocol: how readouts are fitted and forecasts made.
        seed: of the echo state network among the baselines.
    """

    sample = "one point of the series, held"

    def __init__(
        self, folds: Sequence[ForecastSeries], protocol: ForecastOptions, seed: int
    ) -> None:
        self.folds, self.protocol, self._seed = tuple(folds), protocol, seed
        self.series = self.folds[0]
        self.steps_per_sample = protocol.steps_per_sample
        shown = self.series.view.of(self.series.train)
        self.lesson = Stimulus(shown[:-1], self.steps_per_sample)
        self._whole = Stimulus(shown, self.steps_per_sample)

    @property
    def stimulus(self) -> Stimulus:
        """All training samples: the last one trains nothing, since what follows it is kept back."""
        return self._whole

    @property
    def supervised(self) -> Supervised:
        """The training samples of the first series, and what follows each: see the module."""
        train, view = self.series.train, self.series.view
        values = train[1:] - view.carry(view.of(train[:-1]))
        values[: self.protocol.washout] = np.nan
        traces = self.protocol.features.trace_samples
        steps = tuple(tau * self.steps_per_sample for tau in traces)
        return Supervised(self.lesson, values=values, trace_steps=steps)

    def evaluate(self, simulator: Simulator, rng: np.random.Generator) -> Outcome:
        """Fit a readout on a network's answers, and forecast from every start."""
        results = [fit_and_forecast(simulator, s, self.protocol, rng) for s in self.folds]
        said = [Forecasts(result.predictions, result.one_step) for result in results]
        losses = [result.trained.validation_losses for result in results]
        last, newest = results[-1], self.folds[-1]
        features = self.protocol.features
        spikes = np.mean([result.neuron_spikes_per_sample for result in results], axis=0)
        scales = np.array([fold.error_scale for fold in self.folds])
        same = bool((scales == scales[0]).all())
        return self._outcome(
            said,
            measured={
                "answers_are": "values",
                "truth": np.concatenate([fold.truth for fold in self.folds]),
                "answers": np.concatenate([result.predictions for result in results]),
                "spikes": np.sum([result.closed_loop_counts for result in results], axis=0),
                **({"scale": scales[0]} if same else {}),
            },
            neuron_spikes=spikes,
            validation=float(np.mean([min(of.values()) for of in losses])) if losses[0] else None,
            readout=last.readout.arrays(),
            readout_meta={
                "readout": self.protocol.readout_name,
                "alpha": last.readout.alpha,
                "target": "increment" if newest.view.is_complete else "increment where shown",
                "steps_per_sample": self.steps_per_sample,
                "trace_samples": list(features.trace_samples),
                "squared": list(features.squared),
                "features": "traces, then squares, each over all neurons",
                "products": "x_i x_j of the decoded values, i <= j, row by row",
                "series_mean": newest.mean.tolist(),
                "series_scale": newest.scale.tolist(),
            },
        )

    def baselines(self, size: int) -> Mapping[str, Callable[[], Outcome]]:
        """Forecasters without spikes, fitted to the same training samples."""
        one_step_counts = self.protocol.headline == "one_step"
        alphas = self.protocol.baseline_alphas

        def linear(fold: ForecastSeries) -> Forecaster:
            return fit_autoregression(fold.train, view=fold.view, alphas=alphas)

        def nvar(fold: ForecastSeries) -> Forecaster:
            return fit_nvar(fold.train, view=fold.view, alphas=alphas)

        def esn(fold: ForecastSeries) -> Forecaster:
            rng, options = generator(self._seed, "esn"), ESNOptions(size=size)
            return fit_esn(fold.train, rng, options, view=fold.view, alphas=alphas)

        forecasters: dict[str, Callable[[ForecastSeries], Forecaster]] = {
            "persistence": lambda fold: Persistence(fold.view),
            "AR(10)": linear,
            **({"training mean": lambda fold: TrainingMean(fold.view)} if one_step_counts else {}),
            "NVAR, 2 lags, quadratic": nvar,
            f"echo-state network, {size} units": esn,
        }
        return {name: partial(self._scored, make) for name, make in forecasters.items()}

    def _scored(self, make: Callable[[ForecastSeries], Forecaster]) -> Outcome:
        clip = self.protocol.clip
        return self._outcome([forecasts_of(make(fold), fold, clip) for fold in self.folds])

    @cached_property
    def _persistence(self) -> ForecastScores:
        return score_folds(
            self.folds, [forecasts_of(Persistence(fold.view), fold) for fold in self.folds]
        )

    def _outcome(self, said: Sequence[Forecasts], **more: Any) -> Outcome:
        headline = self.protocol.headline
        scores = score_folds(self.folds, said, self.protocol.thresholds)
        trivial = self._persistence if headline == "one_step" else None
        return Outcome(scores.named(headline, trivial), scores.details(), **more)
