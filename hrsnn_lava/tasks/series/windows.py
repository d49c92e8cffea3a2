"""A forecasting task: a training series, and several later places to forecast from.

Nothing here knows what forecasts. A `Forecaster` takes the current value and answers the next
one; `closed_loop` feeds its answers back, `one_step` feeds the truth, `evaluate` scores both.
Baselines and spiking networks go through the same functions, and none of them ever gets a component
that is hidden (`hrsnn_lava.tasks.view.View`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.metrics.forecast import (
    DEFAULT_THRESHOLDS,
    ForecastScores,
    nrmse,
    score_forecasts,
)
from hrsnn_lava.tasks.baselines import Forecaster
from hrsnn_lava.tasks.view import View

__all__ = [
    "ForecastSeries",
    "ForecastWindow",
    "Forecasts",
    "Layout",
    "System",
    "closed_loop",
    "evaluate",
    "forecasts_of",
    "one_step",
    "score_folds",
    "split_series",
    "window_of",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class System:
    """What a series is of.

    name: of the system
    dt: length of a sample in time units
    long_term_sd: (d,) raw, the sigma of RMSE(t); the training standard deviation when None
    lyapunov_exponent: largest, in 1 / time unit; None where it is not known
    shown: indices of the components that a forecaster sees; None: all
    """

    name: str
    dt: float
    long_term_sd: tuple[float, ...] | None = None
    lyapunov_exponent: float | None = None
    shown: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Layout:
    """Which samples of a series train, and where forecasts start.

    n_train: the first so many samples train
    starts:  index of the first value to forecast, one per window, all >= n_train
    context: true samples shown before each start
    horizon: values to forecast at each start
    """

    n_train: int
    starts: tuple[int, ...]
    context: int
    horizon: int

    def __post_init__(self) -> None:
        problems = []
        if self.n_train < 2:
            problems.append(Problem("n_train", f"{self.n_train}", ">= 2"))
        if self.horizon < 1:
            problems.append(Problem("horizon", f"{self.horizon}", ">= 1"))
        if not 1 <= self.context <= self.n_train:
            allowed = f"1 to n_train = {self.n_train}"
            problems.append(Problem("context", f"{self.context}", allowed))
        if not self.starts or min(self.starts) < self.n_train:
            allowed = f"at least one, all >= {self.n_train}"
            problems.append(Problem("starts", f"{list(self.starts)}", allowed))
        raise_if(SpecError, "the series cannot be cut", problems)

    @staticmethod
    def spaced(
        n_train: int, horizon: int, n_starts: int, context: int = 50, gap: int = 0
    ) -> Layout:
        """Windows that share no true sample, the first one behind the training samples at once.

        `gap` samples lie between the end of one forecast and the context of the next.
        """
        stride = horizon + gap + context
        return Layout(
            n_train, tuple(n_train + k * stride for k in range(n_starts)), context, horizon
        )

    @property
    def n_samples(self) -> int:
        """Samples that the series must have."""
        return max([self.n_train, *(start + self.horizon for start in self.starts)])


@dataclass(frozen=True)
class ForecastWindow:
    """One place to forecast from: `context` is shown, `truth` follows it and is kept back.

    context: (n_context, d), truth: (horizon, d), both in the unit of the series.
    """

    context: Floats
    truth: Floats


@dataclass(frozen=True)
class ForecastSeries:
    """A series that is cut into training samples and windows to forecast.

    Values are z-scored with the statistics of the training samples alone:
    value = (raw - mean) / scale.

    name:        of the system
    dt:          length of a sample, in the time unit of the system
    train:       (n_train, d)
    windows:     one per start
    mean, scale: (d,) raw training mean and standard deviation
    error_scale: (d,) long-term standard deviation in z-scored units, the sigma of RMSE(t)
    lyapunov_exponent: largest exponent in 1 / time unit, or None
    shown:       indices of the components that a forecaster sees; None: all
    """

    name: str
    dt: float
    train: Floats
    windows: tuple[ForecastWindow, ...]
    mean: Floats
    scale: Floats
    error_scale: Floats
    lyapunov_exponent: float | None = None
    shown: tuple[int, ...] | None = None

    @property
    def dimension(self) -> int:
        """Number of components d."""
        return int(self.train.shape[1])

    @property
    def view(self) -> View:
        """What a forecaster sees."""
        if self.shown is None:
            return View.complete(self.dimension)
        return View(self.shown, self.dimension)

    @property
    def truth(self) -> Floats:
        """What is to be forecast, (n_windows, horizon, d), z-scored."""
        return np.stack([window.truth for window in self.windows])

    def to_raw(self, values: ArrayLike) -> Floats:
        """Return z-scored `values`, (..., d), in the unit of the system."""
        raw: Floats = np.asarray(values, dtype=np.float64) * self.scale + self.mean
        return raw


def window_of(values: Floats, start: int, context: int, horizon: int) -> ForecastWindow:
    """Return the window whose first forecast value is `values[start]`; `values` is (n, d)."""
    return ForecastWindow(values[start - context : start], values[start : start + horizon])


def split_series(raw: ArrayLike, system: System, layout: Layout) -> ForecastSeries:
    """Cut a raw series, (n, d) equidistant samples, into a `ForecastSeries`.

    Raises:
        SpecError: the series is too short, not finite, or constant in a component.
    """
    values, n_train = np.asarray(raw, dtype=np.float64), layout.n_train
    problems = []
    if values.ndim != 2:
        problems.append(Problem("raw", f"shape {values.shape}", "shape (n, d)"))
    elif not np.all(np.isfinite(values)):
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        measured = f"{values[row]} in sample {row + 1}"
        problems.append(Problem("raw", measured, "finite values"))
    elif len(values) < layout.n_samples:
        problems.append(Problem("raw", f"{len(values)} samples", f">= {layout.n_samples}"))
    raise_if(SpecError, f"the series {system.name!r} cannot be cut", problems)
    with np.errstate(over="ignore", invalid="ignore"):  # reported below
        mean, scale = values[:n_train].mean(axis=0), values[:n_train].std(axis=0)
    if not np.all((scale > 0) & np.isfinite(scale)):
        raise SpecError(
            f"the series {system.name!r} cannot be z-scored",
            problems=[
                Problem("train", f"standard deviation {scale}", "finite, > 0 in each component")
            ],
        )
    z = (values - mean) / scale
    sd = scale if system.long_term_sd is None else np.asarray(system.long_term_sd)
    return ForecastSeries(
        name=system.name,
        dt=system.dt,
        train=z[:n_train],
        windows=tuple(window_of(z, k, layout.context, layout.horizon) for k in layout.starts),
        mean=mean,
        scale=scale,
        error_scale=sd / scale,
        lyapunov_exponent=system.lyapunov_exponent,
        shown=system.shown,
    )


def _warm_up(forecaster: Forecaster, context: Floats, view: View) -> Floats:
    """Show the context to a forgetful forecaster; return its forecast of what follows."""
    forecaster.reset()
    answer: Floats = context[-1]
    for value in context:
        answer = forecaster.observe(view.of(value))
    return answer


def closed_loop(
    forecaster: Forecaster, window: ForecastWindow, clip: float = 4.0, view: View | None = None
) -> Floats:
    """Forecast a window from the forecaster's own answers, shape (horizon, d).

    Every answer is clipped to +-clip before it is fed back and scored, so that a forecast that
    runs away stays finite. z-scored values of the attractors used here stay well inside 4. Of its
    answers it is shown what the view shows, by default all.
    """
    view = view or View.complete(window.truth.shape[1])
    answer = _warm_up(forecaster, window.context, view)
    out: Floats = np.empty_like(window.truth)
    for step in range(len(out)):
        if step:
            answer = forecaster.observe(view.of(out[step - 1]))
        out[step] = np.clip(answer, -clip, clip)
    return out


def one_step(forecaster: Forecaster, window: ForecastWindow, view: View | None = None) -> Floats:
    """Forecast every value of a window from the true values before it, shape (horizon, d)."""
    view = view or View.complete(window.truth.shape[1])
    answer = _warm_up(forecaster, window.context, view)
    out: Floats = np.empty_like(window.truth)
    for step in range(len(out)):
        if step:
            answer = forecaster.observe(view.of(window.truth[step - 1]))
        out[step] = answer
    return out


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What a forecaster said of all windows of a series, z-scored.

    closed_loop: (n_windows, horizon, d) from its own answers
    one_step:    (n_windows, horizon, d) from the true past
    """

    closed_loop: Floats
    one_step: Floats


def score_folds(
    folds: Sequence[ForecastSeries],
    forecasts: Sequence[Forecasts],
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
) -> ForecastScores:
    """Score forecasts of the windows of one or more series that are cut out of one recording.

    Each series has errors in its own long-term standard deviations; the NRMSE is taken over the
    windows of all of them, in the unit of the recording.
    """
    parts = [
        score_forecasts(
            said.closed_loop,
            said.one_step,
            fold.truth,
            fold.error_scale,
            dt=fold.dt,
            lyapunov_exponent=fold.lyapunov_exponent,
            thresholds=thresholds,
        )
        for fold, said in zip(folds, forecasts, strict=True)
    ]
    pairs = list(zip(folds, forecasts, strict=True))
    raw = np.concatenate([fold.to_raw(said.closed_loop) for fold, said in pairs])
    truth = np.concatenate([fold.to_raw(fold.truth) for fold in folds])
    return replace(ForecastScores.joined(parts), nrmse=nrmse(raw, truth))


def forecasts_of(forecaster: Forecaster, series: ForecastSeries, clip: float = 4.0) -> Forecasts:
    """What a fitted forecaster says of all windows of a series."""
    view, windows = series.view, series.windows
    return Forecasts(
        np.stack([closed_loop(forecaster, window, clip, view) for window in windows]),
        np.stack([one_step(forecaster, window, view) for window in windows]),
    )


def evaluate(
    forecaster: Forecaster,
    series: ForecastSeries,
    *,
    clip: float = 4.0,
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
) -> ForecastScores:
    """Score a fitted forecaster on all windows of a series, closed loop and one step."""
    return score_folds([series], [forecasts_of(forecaster, series, clip)], thresholds)
