"""Train a spiking reservoir to forecast a series, and let it forecast.

1. Drive the network by the true training samples, several times from other initial potentials:
   the features then vary with the phase of the spikes, and the readout learns not to rely on it.
2. Fit the readout; where several penalties are offered, choose by closed-loop forecasts of windows
   inside the training samples. Their error is kept in any case: it compares networks without a
   look at what is to be forecast.
3. Forecast from every start: show the context, then feed the answers back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.metrics.forecast import (
    DEFAULT_THRESHOLDS,
    ForecastScores,
    rmse_over_time,
    score_forecasts,
)
from hrsnn_lava.tasks.series import (
    ForecastSeries,
    ForecastWindow,
    closed_loop,
    one_step,
    window_of,
)
from hrsnn_lava.training.features import (
    FeatureOptions,
    Simulator,
    SpikeFeatures,
    record_features,
)
from hrsnn_lava.training.readout import (
    Readout,
    ReadoutFitter,
    ReadoutOptions,
    select_readout,
    validation_starts,
)

__all__ = [
    "ForecastOptions",
    "ForecastResult",
    "SpikingForecaster",
    "TrainedReadout",
    "fit_and_forecast",
    "fit_readout",
    "forecast",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class ForecastOptions:
    """The protocol; all values are our choice.

    steps_per_sample: network steps for which a value is held
    washout:    first training samples of each replay that are not fitted
    replays:    runs over the training samples, each from other initial potentials
    clip:       largest value, in standard deviations, that is fed back
    context:    true samples shown before each validation window
    thresholds: of the valid prediction time, in long-term standard deviations
    """

    steps_per_sample: int = 20
    washout: int = 50
    replays: int = 2
    clip: float = 4.0
    context: int = 50
    thresholds: tuple[float, ...] = DEFAULT_THRESHOLDS
    features: FeatureOptions = field(default_factory=FeatureOptions)
    readout: ReadoutOptions = field(default_factory=ReadoutOptions)

    def __post_init__(self) -> None:
        problems = [
            Problem(where, f"{value}", allowed)
            for where, value, allowed, fine in (
                ("steps_per_sample", self.steps_per_sample, ">= 1", self.steps_per_sample >= 1),
                ("washout", self.washout, ">= 0", self.washout >= 0),
                ("replays", self.replays, ">= 1", self.replays >= 1),
                ("clip", self.clip, "> 0", self.clip > 0),
                ("context", self.context, ">= 1", self.context >= 1),
            )
            if not fine
        ]
        raise_if(SpecError, "options of the forecast protocol", problems)


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
    replays = [
        record_features(simulator, train[:-1], o.steps_per_sample, o.features, rng)
        for _ in range(o.replays)
    ]
    features = np.concatenate([replay.features[o.washout :] for replay in replays])
    values = np.tile(train[o.washout : -1], (o.replays, 1))
    increments = np.tile(np.diff(train, axis=0)[o.washout :], (o.replays, 1))
    fitter = ReadoutFitter(features, values, increments, o.features.per_neuron, o.readout)
    windows = [window_of(train, start, o.context, length) for start in starts]
    seed = int(rng.integers(2**62))

    def loss(readout: Readout) -> float:
        return _log_error(SpikingForecaster(simulator, readout, o, seed), windows, o.clip)

    # Row t holds the input u(t) and the target u(t+1): neither may lie in a window.
    row_kept = np.ones(len(train) - 1, dtype=bool)
    for start in starts:
        row_kept[start - 1 : start + length] = False
    keep = np.tile(row_kept[o.washout :], o.replays)
    readout, losses = select_readout(fitter, keep, o.readout.alphas, loss if windows else None)
    return TrainedReadout(
        readout,
        losses,
        np.sum([replay.spike_counts for replay in replays], axis=0),
        o.replays * (len(train) - 1),
    )


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
