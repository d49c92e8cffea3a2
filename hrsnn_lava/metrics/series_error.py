"""How far answers are from the numbers they should be: RMSE, NRMSE, valid prediction times.

What a forecast in closed loop is scored by, start for start, is in `hrsnn_lava.metrics.forecast`;
these are the same equations for a series that one has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.fields import choice, locked, real_values
from hrsnn_lava.metrics.base import Floats, Metric, finite_values, same_shape
from hrsnn_lava.metrics.forecast import (
    DEFAULT_THRESHOLDS,
    rmse_over_time,
    valid_prediction_time,
)
from hrsnn_lava.metrics.scores import Answers, Better
from hrsnn_lava.options import Positive, options

__all__ = ["PredictionTimes", "nrmse", "rmse", "valid_prediction_times"]

Normalizer = Literal["std", "range"]
_SHAPES = "(n,), (n, d) or (n_starts, n, d)"


def rmse(truth: ArrayLike, answers: ArrayLike) -> float:
    """Root mean square error over all values, ``sqrt(mean((answers - truth)^2))``.

    Args:
        truth: (n,), (n, d), or (n_starts, n, d) of forecasts from several places; finite.
        answers: of the same shape and unit. One that is not finite, as those of a forecast that
            blew up, gives infinity.

    Raises:
        SpecError: no values, shapes that differ, or a truth that is not finite.
    """
    return float(np.sqrt(np.mean(_squares(truth, answers))))


def nrmse(truth: ArrayLike, answers: ArrayLike, normalizer: Normalizer = "std") -> float | None:
    """RMSE in units of the truth's spread, ``sqrt(mean_i (RMSE_i / s_i)^2)`` over components i.

    With s_i the standard deviation, an answer that is always the mean has NRMSE 1, and
    ``1 - NRMSE^2`` is the mean coefficient of determination. The papers on heterogeneous networks
    do not say what they divide by; the standard deviation is our choice.

    Args:
        truth: (n,), (n, d), or (n_starts, n, d) of forecasts from several places; finite.
        answers: of the same shape and unit.
        normalizer: ``std``, or ``range`` for largest minus smallest value.

    Returns:
        None where a component of the truth does not vary.

    Raises:
        SpecError: as of `rmse`.
    """
    choice("normalizer", normalizer, ("std", "range"), SpecError)
    squares = _squares(truth, answers)
    values = finite_values("truth", truth, (1, 2, 3), _SHAPES).reshape(squares.shape)
    extent = np.ptp(values, axis=0)
    if not extent.all():
        return None
    spread = values.std(axis=0) if normalizer == "std" else extent
    return float(np.sqrt(np.mean(squares.mean(axis=0) / spread**2)))


@dataclass(frozen=True, eq=False)
class PredictionTimes:
    """For how long forecasts stay near the truth.

    Attributes:
        thresholds: (n_thresholds,) in long-term standard deviations.
        steps: (n_starts, n_thresholds) steps until the error first exceeds each, at most `horizon`.
        horizon: steps of each forecast.
        dt: length of a step in time units.
        lyapunov_exponent: largest exponent in 1 / time unit, or None where it is not known.
    """

    thresholds: tuple[float, ...]
    steps: NDArray[np.int64]
    horizon: int
    dt: float = 1.0
    lyapunov_exponent: float | None = None

    @property
    def value(self) -> float:
        """Mean over the starts at the first threshold, in steps."""
        return float(self.steps[:, 0].mean())

    @property
    def lyapunov_times(self) -> Floats | None:
        """`steps` in Lyapunov times, ``steps dt lambda_1``; None without an exponent."""
        if self.lyapunov_exponent is None:
            return None
        return self.steps * (self.dt * self.lyapunov_exponent)

    @property
    def capped(self) -> tuple[float, ...]:
        """Share of the starts whose forecast was near to its end, for each threshold."""
        return tuple((self.steps == self.horizon).mean(axis=0).tolist())

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the mean over the starts for each threshold."""
        times = self.lyapunov_times
        return {
            "thresholds": list(self.thresholds),
            "starts": len(self.steps),
            "horizon_steps": self.horizon,
            "steps_mean": self.steps.mean(axis=0).tolist(),
            "lyapunov_mean": None if times is None else times.mean(axis=0).tolist(),
            "capped": list(self.capped),
        }

    def __str__(self) -> str:
        """A line for each threshold."""
        mean, lines = self.to_dict(), []
        for k, threshold in enumerate(self.thresholds):
            line = f"VPT at {threshold:g} sd: {mean['steps_mean'][k]:.4g} of {self.horizon} steps"
            if self.lyapunov_exponent is not None:
                line += f", {mean['lyapunov_mean'][k]:.3g} Lyapunov times"
            if self.capped[k]:
                line += f", {100 * self.capped[k]:.0f} % of the starts to the end"
            lines.append(line)
        return "\n".join(lines)


def valid_prediction_times(
    truth: ArrayLike,
    answers: ArrayLike,
    scale: ArrayLike | None = None,
    *,
    thresholds: tuple[float, ...] = DEFAULT_THRESHOLDS,
    dt: float = 1.0,
    lyapunov_exponent: float | None = None,
) -> PredictionTimes:
    """Steps until ``RMSE(t) = sqrt(mean_i ((answer_i - truth_i) / sigma_i)^2)`` exceeds thresholds.

    Args:
        truth: (T,) or (T, d), or (n_starts, T, d) for forecasts from several starts.
        answers: of the same shape, made in closed loop; not finite: too far off.
        scale: sigma, (d,) long-term standard deviations. None: those of `truth` itself, which a
            short stretch underestimates.
        thresholds: in long-term standard deviations. 0.1 is the one of the paper on Lyapunov noise
            pruning, 0.5 the usual one of the literature on reservoirs.
        dt: length of a step in time units.
        lyapunov_exponent: largest exponent of the system, in 1 / time unit.

    Raises:
        SpecError: shapes that differ, a scale or a threshold that is not positive.
    """
    true = finite_values("truth", truth, (1, 2, 3), "(T,), (T, d) or (n_starts, T, d)")
    told = real_values("answers", answers, error=SpecError)
    same_shape(("truth", true), ("answers", told))
    if not thresholds:
        raise SpecError(str(Problem("thresholds", "none", "one or more")))
    starts = true.reshape(1, -1, 1) if true.ndim == 1 else true.reshape(-1, *true.shape[-2:])
    sigma = starts.std(axis=(0, 1))
    if scale is not None:
        sigma = finite_values("scale", scale, (0, 1), "() or (d,)")
    with np.errstate(over="ignore", invalid="ignore"):
        errors = [
            rmse_over_time(answer, start, sigma)
            for start, answer in zip(starts, told.reshape(starts.shape), strict=True)
        ]
    steps = [[valid_prediction_time(row, limit) for limit in thresholds] for row in errors]
    return PredictionTimes(
        thresholds=tuple(float(limit) for limit in thresholds),
        steps=locked(np.array(steps, dtype=np.int64)),
        horizon=int(starts.shape[1]),
        dt=dt,
        lyapunov_exponent=lyapunov_exponent,
    )


@options
class RMSE(Metric):
    """Root mean square error, in the unit of the truth."""

    name: ClassVar[str] = "rmse"
    answers_are: ClassVar[Answers] = "values"
    title: ClassVar[str] = "RMSE"
    better: ClassVar[Better] = "lower"

    def __call__(self, truth: ArrayLike, answers: ArrayLike) -> float:
        """See `rmse`."""
        return rmse(truth, answers)


@options
class NRMSE(Metric):
    """Root mean square error in units of the truth's spread.

    Attributes:
        normalizer: the standard deviation, ``std``, or the ``range`` of each component.
    """

    name: ClassVar[str] = "nrmse"
    answers_are: ClassVar[Answers] = "values"
    title: ClassVar[str] = "NRMSE"
    better: ClassVar[Better] = "lower"
    normalizer: Normalizer = "std"

    def __call__(self, truth: ArrayLike, answers: ArrayLike) -> float | None:
        """See `nrmse`."""
        return nrmse(truth, answers, self.normalizer)


@options
class ValidPredictionTime(Metric):
    """Steps until a forecast in closed loop is too far off; its value is of the first threshold.

    Attributes:
        thresholds: in long-term standard deviations.
        dt: length of a step in time units.
        lyapunov_exponent: largest exponent of the system in 1 / time unit, for Lyapunov times.
    """

    name: ClassVar[str] = "valid_prediction_time"
    answers_are: ClassVar[Answers] = "values"
    title: ClassVar[str] = "VPT"
    unit: ClassVar[str] = "steps"
    better: ClassVar[Better] = "higher"
    thresholds: tuple[Positive, ...] = DEFAULT_THRESHOLDS
    dt: Positive = 1.0
    lyapunov_exponent: Positive | None = None

    def __call__(
        self, truth: ArrayLike, answers: ArrayLike, scale: ArrayLike | None = None
    ) -> PredictionTimes:
        """See `valid_prediction_times`."""
        return valid_prediction_times(
            truth,
            answers,
            scale,
            thresholds=self.thresholds,
            dt=self.dt,
            lyapunov_exponent=self.lyapunov_exponent,
        )


def _squares(truth: ArrayLike, answers: ArrayLike) -> Floats:
    """Squared errors, (n, d); infinite where an answer is not finite."""
    true = finite_values("truth", truth, (1, 2, 3), _SHAPES)
    told = real_values("answers", answers, error=SpecError)
    same_shape(("truth", true), ("answers", told))
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (told - true) ** 2
    squares = np.where(np.isfinite(told), squares, np.inf)
    return squares.reshape(-1, 1 if true.ndim == 1 else true.shape[-1])
