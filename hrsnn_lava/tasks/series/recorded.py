"""Forecasts of recordings, which drift: every window has training samples of its own before it.

The windows are spread evenly over the recording, from the first place with enough samples before
it to the last with enough behind it (walk-forward validation). Each is z-scored by its own
training samples and has its own readout. Prices and winds are noise by the hour and by the day, so
the error of the next step is what counts, beside that of persistence, which few forecasters beat;
the readout is linear, and its penalty is chosen by the error of the next step. All of it is our
choice: the LNP paper has 500 training samples and 100 to forecast, and says no more.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.metrics.forecast import Headline
from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.series.forecast import WIDE_ALPHAS, ForecastOptions, ForecastTask
from hrsnn_lava.tasks.series.windows import ForecastSeries, Layout, System, split_series
from hrsnn_lava.training.readout import Positives
from hrsnn_lava.training.readouts.values import ValueReadoutOption

__all__ = ["RecordedForecast", "walk_forward"]

Floats = NDArray[np.float64]
#: Samples shown before a forecast; they belong to the training samples (ours).
CONTEXT = 50
#: Faults that a message lists.
LISTED = 8


def walk_forward(
    raw: Floats, system: System, train: int, horizon: int, starts: int
) -> tuple[ForecastSeries, ...]:
    """Cut a recording, (n, d), into a series for every start, evenly spread; one start is the last.

    Series k holds `train` samples and the `horizon` behind them, to forecast.

    Raises:
        SpecError: the recording is too short for one start, or for so many; or a component does
            not vary over the training samples of a start, or beyond what a float holds.
    """
    room = len(raw) - train - horizon + 1
    if room < starts:
        n = len(raw)
        measured = f"{n} samples"
        allowed = f">= {train + horizon + starts - 1} for train + horizon and {starts} starts"
        problem = Problem("recording", measured, allowed, "lower task.train, horizon or starts")
        raise SpecError(f"the series {system.name!r} cannot be cut", problems=[problem])
    firsts = [room - 1] if starts == 1 else np.rint(np.linspace(0, room - 1, starts)).astype(int)
    layout = Layout(train, (train,), min(CONTEXT, train), horizon)
    problems = [
        Problem(
            f"samples {first + 1} to {first + train}, component {component + 1}",
            f"standard deviation {spread:g}",
            "finite and > 0, since samples are z-scored by it",
            "leave the component out, or choose other task.train and task.starts",
        )
        for first in firsts
        for component, spread in enumerate(_spread(raw[first : first + train]))
        if not 0 < spread < np.inf
    ]
    raise_if(SpecError, f"the series {system.name!r} cannot be cut", problems[:LISTED])
    return tuple(
        split_series(raw[first : first + train + horizon], system, layout) for first in firsts
    )


def _spread(values: Floats) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):  # reported by the caller
        spread: Floats = values.std(axis=0)
    return spread


@options
class RecordedForecast(ForecastTask):
    """Options of forecasts of a recording.

    Attributes:
        starts: forecasts, evenly spread over the recording, each with the training samples before
            it and a readout of its own.
        readout: ``linear`` sums spike traces; ``quadratic`` uses products of the values that it
            decodes from the spikes, too, and runs away on noise; ``network`` is the papers', see
            forecasts.
        trace_samples: time constants of the spike traces that the readout sees, in samples; short
            ones tell the change of the last sample.
        alphas: penalties of the readout to choose from, relative to the features' mean square.
    """

    #: The closed loop of a linear readout hardly leaves the training samples.
    clip: ClassVar[float] = 6.0
    baseline_alphas: ClassVar[tuple[float, ...]] = (*WIDE_ALPHAS, 10.0, 100.0)
    starts: Count = 8
    readout: ValueReadoutOption = "linear"
    trace_samples: Positives = (0.5, 1.0, 3.0)
    alphas: Positives = (1e-2, 1e-1, 1.0, 10.0, 100.0)

    @abstractmethod
    def recording(self) -> tuple[Floats, System]:
        """All samples, (n, d), and what they are of."""

    def main_error(self) -> Headline:
        """Which error is the headline, and chooses the penalty."""
        return "one_step"

    def series(self, rng: np.random.Generator, layout: Layout) -> ForecastSeries:
        """The recording, cut as the layout says."""
        del rng
        return split_series(*self.recording(), layout)

    def folds(self, rng: np.random.Generator) -> tuple[ForecastSeries, ...]:
        """A series for every start; no seed changes them."""
        del rng
        return walk_forward(*self.recording(), self.train, self.horizon, self.starts)

    def protocol(self) -> ForecastOptions:
        """As of every forecast, but for the penalties and for what chooses among them."""
        usual = super().protocol()
        readout = replace(usual.readout, alphas=self.alphas)
        return replace(usual, readout=readout, headline=self.main_error())
