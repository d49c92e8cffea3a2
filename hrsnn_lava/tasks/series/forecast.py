"""Train a spiking reservoir to forecast a series, and let it forecast.

1. Drive the network by the true training samples, several times from other initial potentials:
   the features then vary with the phase of the spikes, and the readout learns not to rely on it.
2. Fit the readout; where several penalties are offered, choose by closed-loop forecasts of windows
   inside the training samples. Their error is kept in any case: it compares networks without a
   look at what is to be forecast.
3. Forecast from every start: show the context, then feed the answers back.

The readout predicts the increment u(t+1) - u(t) from the features after u(t): the last value is
carried over for free, and the network has only the change to say.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.metrics.forecast import (
    DEFAULT_THRESHOLDS,
    ForecastScores,
    rmse_over_time,
    score_forecasts,
)
from hrsnn_lava.options import Count, Positive, options
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.base import Outcome, Task, Trial
from hrsnn_lava.tasks.baselines import (
    ESNOptions,
    Forecaster,
    Persistence,
    fit_autoregression,
    fit_esn,
    fit_nvar,
)
from hrsnn_lava.tasks.series.windows import (
    ForecastSeries,
    ForecastWindow,
    Layout,
    closed_loop,
    evaluate,
    one_step,
    window_of,
)
from hrsnn_lava.training.readout import (
    FeatureOptions,
    Positives,
    Readout,
    ReadoutFitter,
    ReadoutOptions,
    SpikeFeatures,
    record_features,
    select_readout,
)
from hrsnn_lava.training.simulation import Simulator, Stimulus

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
    """

    steps_per_sample: Count = 20
    washout: NotNegative = 50
    replays: Count = 2
    clip: Positive = 4.0
    context: Count = 50
    thresholds: tuple[float, ...] = DEFAULT_THRESHOLDS
    features: FeatureOptions = field(default_factory=FeatureOptions)
    readout: ReadoutOptions = field(default_factory=ReadoutOptions)


class SpikingForecaster:
    """A network with a readout, as a `Forecaster`: one observed value is one block of steps.

    Counts the spikes it has spent, so that a forecast can be priced.
    """

    def __init__(
        self, simulator: Simulator, readout: Readout, options: ForecastOptions, seed: int
    ) -> None:
        """Take the parts; every `reset` draws the same initial potentials, those of `seed`."""
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
        """Hold u(t), (d,), for a sample; return the forecast of u(t+1), (d,)."""
        spike_steps, spike_neurons = self._simulator.run(value, self._steps)
        self.spike_counts += np.bincount(spike_neurons, minlength=len(self.spike_counts))
        self.samples += 1
        increment = self._readout.predict(self._traces.update(spike_steps, spike_neurons))
        return value + increment


@dataclass(frozen=True)
class TrainedReadout:
    """A readout, how it was chosen, and what the training runs cost.

    readout:           fitted on all training samples after the washout
    validation_losses: mean log closed-loop error of each penalty
    spike_counts:      (n_neurons,) spikes over all training runs
    samples:           samples in these runs
    """

    readout: Readout
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
    """

    scores: ForecastScores
    trained: TrainedReadout
    predictions: Floats
    one_step: Floats
    closed_loop_spikes: Floats

    @property
    def readout(self) -> Readout:
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
    simulator: Simulator, train: Floats, options: ForecastOptions, rng: np.random.Generator
) -> TrainedReadout:
    """Fit a readout on the network's answers to a training series, (n_train, d).

    Raises:
        SpecError: the series is too short for the washout and the validation windows.
    """
    o = options
    n_windows, length = o.readout.validation_windows, o.readout.validation_length
    starts = validation_starts(len(train), o.washout, o.context, n_windows, length)
    lesson = Stimulus(train[:-1], o.steps_per_sample)
    replays = [record_features(simulator, lesson, o.features, rng) for _ in range(o.replays)]
    features = np.concatenate([replay.features[o.washout :] for replay in replays])
    values = np.tile(train[o.washout : -1], (o.replays, 1))
    increments = np.tile(np.diff(train, axis=0)[o.washout :], (o.replays, 1))
    fitter = ReadoutFitter(features, values, increments, o.features.per_neuron, o.readout)
    windows = [window_of(train, start, o.context, length) for start in starts]
    seed = int(rng.integers(2**62))

    def loss(readout: Readout) -> float:
        return _log_error(SpikingForecaster(simulator, readout, o, seed), windows, o.clip)

    # Row t holds the input u(t) and the target u(t+1): neither may lie in a window.
    fitted_rows = np.ones(len(train) - 1, dtype=bool)
    for start in starts:
        fitted_rows[start - 1 : start + length] = False
    keep = np.tile(fitted_rows[o.washout :], o.replays)
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


def _log_error(forecaster: SpikingForecaster, windows: list[ForecastWindow], clip: float) -> float:
    """Return the mean over windows and steps of ln RMSE(t); values are in training deviations.

    The logarithm keeps the late, saturated errors of one window from drowning all others.
    """
    errors = [
        rmse_over_time(closed_loop(forecaster, window, clip), window.truth, 1.0)
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
    forecaster = SpikingForecaster(simulator, trained.readout, options, int(rng.integers(2**62)))
    loops = np.stack([closed_loop(forecaster, w, options.clip) for w in series.windows])
    spikes = forecaster.spike_counts / forecaster.samples
    steps = np.stack([one_step(forecaster, window) for window in series.windows])
    scores = score_forecasts(
        loops,
        steps,
        np.stack([window.truth for window in series.windows]),
        series.error_scale,
        dt=series.dt,
        lyapunov_exponent=series.lyapunov_exponent,
        thresholds=options.thresholds,
    )
    return ForecastResult(scores, trained, loops, steps, spikes)


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
    trained = fit_readout(simulator, series.train, options, rng)
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
    """

    #: Recorded results rest on such runs; the report says what they are.
    runs_without_input: ClassVar[bool] = True

    train: Annotated[int, Field(ge=250)] = 500
    horizon: Count = 100
    starts: Count = 3
    steps_per_sample: Count = 20
    washout: NotNegative = 50
    replays: Count = 2
    trace_samples: Positives = (3.0, 1.5)
    readout: Literal["quadratic", "linear"] = "quadratic"

    @abstractmethod
    def series(self, rng: np.random.Generator, layout: Layout) -> ForecastSeries:
        """The series that `rng` draws, cut as the layout says."""

    def protocol(self) -> ForecastOptions:
        """How readouts are fitted and forecasts made."""
        return ForecastOptions(
            steps_per_sample=self.steps_per_sample,
            washout=self.washout,
            replays=self.replays,
            features=FeatureOptions(self.trace_samples),
            readout=ReadoutOptions(products=self.readout == "quadratic"),
        )

    def trial(self, seed: int) -> ForecastTrial:
        """The series of a seed."""
        layout = Layout.spaced(self.train, self.horizon, self.starts)
        return ForecastTrial(self.series(generator(seed, "task"), layout), self.protocol(), seed)


class ForecastTrial(Trial):
    """One series, and the protocol of its forecasts.

    Args:
        series: training samples and windows.
        protocol: how readouts are fitted and forecasts made.
        seed: of the echo state network among the baselines.
    """

    sample = "one point of the series, held"

    def __init__(self, series: ForecastSeries, protocol: ForecastOptions, seed: int) -> None:
        self.series, self.protocol, self._seed = series, protocol, seed
        self.steps_per_sample = protocol.steps_per_sample
        self.lesson = Stimulus(series.train[:-1], self.steps_per_sample)

    @property
    def stimulus(self) -> Stimulus:
        """All training samples: the last one trains nothing, since what follows it is kept back."""
        return Stimulus(self.series.train, self.lesson.block)

    def evaluate(self, simulator: Simulator, rng: np.random.Generator) -> Outcome:
        """Fit a readout on a network's answers, and forecast from every start."""
        result = fit_and_forecast(simulator, self.series, self.protocol, rng)
        losses, features = result.trained.validation_losses, self.protocol.features
        return Outcome(
            result.scores.named(),
            result.scores.details(),
            result.neuron_spikes_per_sample,
            min(losses.values()) if losses else None,
            result.readout.arrays(),
            {
                "alpha": result.readout.alpha,
                "target": "increment",
                "steps_per_sample": self.steps_per_sample,
                "trace_samples": list(features.trace_samples),
                "squared": list(features.squared),
                "features": "traces, then squares, each over all neurons",
                "products": "x_i x_j of the decoded values, i <= j, row by row",
                "series_mean": self.series.mean.tolist(),
                "series_scale": self.series.scale.tolist(),
            },
        )

    def baselines(self, size: int) -> Mapping[str, Callable[[], Outcome]]:
        """Forecasters without spikes, fitted to the same training samples."""
        train = self.series.train

        def esn() -> Forecaster:
            return fit_esn(train, generator(self._seed, "esn"), ESNOptions(size=size))

        forecasters: dict[str, Callable[[], Forecaster]] = {
            "persistence": Persistence,
            "AR(10)": lambda: fit_autoregression(train),
            "NVAR, 2 lags, quadratic": lambda: fit_nvar(train),
            f"echo-state network, {size} units": esn,
        }
        return {name: partial(self._scored, make) for name, make in forecasters.items()}

    def _scored(self, make: Callable[[], Forecaster]) -> Outcome:
        scores = evaluate(make(), self.series)
        return Outcome(scores.named(), scores.details())
