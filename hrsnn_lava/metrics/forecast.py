"""How good a forecast is: error over time, valid prediction time, one-step error.

Lengths of time are counted in samples ("steps") and, where a Lyapunov exponent is known, in
Lyapunov times: the mean time in which a small error grows by a factor e.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.metrics.scores import Score, Scores

__all__ = [
    "DEFAULT_THRESHOLDS",
    "ForecastScores",
    "Headline",
    "headline_rmse",
    "nrmse",
    "rmse_over_time",
    "score_forecasts",
    "valid_prediction_time",
]

DEFAULT_THRESHOLDS = (0.1, 0.3, 0.5)
"""Thresholds of the valid prediction time, in long-term standard deviations.

0.1 is the LNP paper's, 0.5 the usual one in the reservoir literature; 0.3 lies between (ours).
"""

Floats = NDArray[np.float64]
#: Which error networks are compared by.
Headline = Literal["closed_loop", "one_step"]


def _errors(prediction: ArrayLike, truth: ArrayLike, scale: ArrayLike) -> Floats:
    """Return (prediction - truth) / scale of shape (T, d), after a check of the shapes."""
    p, u = np.asarray(prediction, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    s = np.asarray(scale, dtype=np.float64)
    problems = []
    if p.ndim != 2 or p.shape != u.shape or p.shape[0] == 0:
        problems.append(
            Problem("prediction, truth", f"shapes {p.shape}, {u.shape}", "equal (T > 0, d)")
        )
    elif s.shape not in ((), (p.shape[1],)):
        problems.append(Problem("scale", f"shape {s.shape}", f"() or ({p.shape[1]},)"))
    if not np.all(s > 0):
        problems.append(Problem("scale", f"smallest value {np.min(s)}", "> 0"))
    raise_if(SpecError, "a forecast cannot be scored", problems)
    errors: Floats = (p - u) / s
    return errors


def rmse_over_time(prediction: ArrayLike, truth: ArrayLike, scale: ArrayLike) -> Floats:
    """Return the error of a forecast at each step, shape (T,).

    RMSE(t) = sqrt(mean_i (((u^f_i(t) - u_i(t)) / sigma_i)^2), sigma_i the long-term standard
    deviation of component i (LNP paper, protocol of its time series tables).

    Args:
        prediction: (T, d).
        truth: (T, d), in the unit of the prediction.
        scale: (d,) or scalar, in the same unit.

    Raises:
        SpecError: shapes disagree, or a scale is not positive.
    """
    result: Floats = np.sqrt(np.mean(_errors(prediction, truth, scale) ** 2, axis=1))
    return result


def headline_rmse(prediction: ArrayLike, truth: ArrayLike, scale: ArrayLike) -> float:
    """Return sqrt(mean_t RMSE(t)^2), one number for a whole forecast, or for one-step forecasts.

    The mean is taken over squares, so that it is also the root mean square over all T d errors;
    the paper does not say how it averages over time, this is our choice.
    """
    return float(np.sqrt(np.mean(_errors(prediction, truth, scale) ** 2)))


def nrmse(prediction: ArrayLike, truth: ArrayLike) -> float | None:
    """Return the root mean square error over the standard deviation of the true values.

    NRMSE = sqrt(mean_i (sum_t (u^f_i(t) - u_i(t))^2 / sum_t (u_i(t) - mean_t u_i)^2)): 1 is what
    the mean of the very values to be predicted would reach. None where a component does not vary.

    Args:
        prediction: (..., d); all but the last axis are times.
        truth: in the shape and the unit of the prediction.

    Raises:
        SpecError: shapes disagree.
    """
    p, u = np.asarray(prediction, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if p.shape != u.shape or p.ndim < 2 or p.size == 0:
        problem = Problem("prediction, truth", f"shapes {p.shape}, {u.shape}", "equal (T > 0, d)")
        raise SpecError("a prediction cannot be scored", problems=[problem])
    p, u = p.reshape(-1, p.shape[-1]), u.reshape(-1, u.shape[-1])
    power = np.sum((u - u.mean(axis=0)) ** 2, axis=0)
    if not np.all(power > 0):
        return None
    return float(np.sqrt(np.mean(np.sum((p - u) ** 2, axis=0) / power)))


def valid_prediction_time(rmse: ArrayLike, threshold: float) -> int:
    """Return how many steps pass before RMSE(t) first exceeds `threshold`, at most len(rmse).

    A forecast whose very first step is too far off scores 0; a value that is not a number counts
    as too far off.

    Args:
        rmse: (T,) as `rmse_over_time` gives it.
        threshold: in long-term standard deviations.

    Raises:
        SpecError: `rmse` is not one-dimensional, or the threshold is not positive.
    """
    values = np.asarray(rmse, dtype=np.float64)
    problems = []
    if values.ndim != 1:
        problems.append(Problem("rmse", f"{values.ndim} dimensions", "1"))
    if not threshold > 0:
        problems.append(Problem("threshold", f"{threshold}", "> 0"))
    raise_if(SpecError, "no valid prediction time", problems)
    beyond = ~(values <= threshold)
    return int(np.argmax(beyond)) if beyond.any() else len(values)


@dataclass(frozen=True)
class ForecastScores:
    """Scores of one forecaster on one series, one entry per start.

    rmse:             (n_starts,) headline error over the horizon, long-term standard deviations
    rmse_over_time:   (n_starts, horizon)
    one_step_nrmse:   (n_starts,) error of the next step, each from the true past
    vpt_steps:        (n_starts, n_thresholds) valid prediction time in steps, capped at `horizon`
    thresholds:       (n_thresholds,) in long-term standard deviations
    dt:               length of a step, in the time unit of the system
    lyapunov_exponent: largest exponent in 1 / time unit, or None where it is not known
    nrmse:            closed-loop error over all starts, over the standard deviation of the very
                      values that were to be forecast; None where they do not vary
    """

    rmse: Floats
    rmse_over_time: Floats
    one_step_nrmse: Floats
    vpt_steps: NDArray[np.int64]
    thresholds: tuple[float, ...]
    dt: float
    lyapunov_exponent: float | None = None
    nrmse: float | None = None

    @staticmethod
    def joined(parts: Sequence[ForecastScores]) -> ForecastScores:
        """Scores of all starts of several series of one system; `nrmse` is that of a lone one."""
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        return ForecastScores(
            np.concatenate([part.rmse for part in parts]),
            np.concatenate([part.rmse_over_time for part in parts]),
            np.concatenate([part.one_step_nrmse for part in parts]),
            np.concatenate([part.vpt_steps for part in parts]),
            first.thresholds,
            first.dt,
            first.lyapunov_exponent,
        )

    @property
    def n_starts(self) -> int:
        """Number of forecasts."""
        return len(self.rmse)

    @property
    def horizon(self) -> int:
        """Steps of each forecast, the cap of the valid prediction time."""
        return int(self.rmse_over_time.shape[1])

    @property
    def vpt_lyapunov(self) -> Floats | None:
        """Valid prediction time in Lyapunov times, (n_starts, n_thresholds)."""
        if self.lyapunov_exponent is None:
            return None
        return self.vpt_steps * (self.dt * self.lyapunov_exponent)

    @property
    def mean_rmse(self) -> float:
        """Mean of `rmse` over the starts."""
        return float(np.mean(self.rmse))

    @property
    def median_rmse(self) -> float:
        """Median of `rmse` over the starts."""
        return float(np.median(self.rmse))

    @property
    def mean_one_step_nrmse(self) -> float:
        """Mean of `one_step_nrmse` over the starts."""
        return float(np.mean(self.one_step_nrmse))

    def mean_vpt(self, threshold: float) -> float:
        """Mean valid prediction time in steps at one of the `thresholds`.

        Raises:
            SpecError: the threshold was not among those scored.
        """
        if threshold not in self.thresholds:
            allowed = ", ".join(str(value) for value in self.thresholds)
            raise SpecError(
                "no such score",
                problems=[Problem("threshold", f"{threshold}", f"one of {allowed}")],
            )
        return float(np.mean(self.vpt_steps[:, self.thresholds.index(threshold)]))

    def named(
        self, headline: Headline = "closed_loop", persistence: ForecastScores | None = None
    ) -> Scores:
        """Scores by name, means and medians over the starts.

        Args:
            headline: ``closed_loop``: the mean RMSE comes first; ``one_step``: the mean error of
                the next step does.
            persistence: scores of the forecast that nothing changes; where they are given, the
                one-step error is related to theirs, too.
        """
        closed = [
            Score("rmse_mean", self.mean_rmse, "RMSE"),
            Score("rmse_median", self.median_rmse, "median"),
        ]
        steps_ahead = [Score("one_step_nrmse_mean", self.mean_one_step_nrmse, "one step")]
        if persistence is not None:
            trivial = persistence.mean_one_step_nrmse
            share = self.mean_one_step_nrmse / trivial if trivial > 0 else None
            steps_ahead.append(Score("one_step_to_persistence", share, "to persistence"))
        order = (closed, steps_ahead) if headline == "closed_loop" else (steps_ahead, closed)
        entries = [score for group in order for score in group]
        lyapunov = self.vpt_lyapunov
        for k, threshold in enumerate(self.thresholds):
            name, title = f"vpt_{threshold:g}", f"VPT {threshold:g}".replace("0.", ".")
            steps = float(np.mean(self.vpt_steps[:, k]))
            entries.append(Score(f"{name}_steps_mean", steps, title, "higher", "steps"))
            if lyapunov is not None:
                times = float(np.mean(lyapunov[:, k]))
                heading = f"vpt {threshold:g} lyapunov mean"
                entries.append(Score(f"{name}_lyapunov_mean", times, heading, "higher"))
        return Scores((*entries, Score("nrmse", self.nrmse, "NRMSE")))

    def details(self) -> dict[str, Any]:
        """What was scored, and the error of every start, as plain values."""
        return {
            "starts": self.n_starts,
            "horizon_steps": self.horizon,
            "rmse": [float(value) for value in self.rmse],
            "one_step_nrmse": [float(value) for value in self.one_step_nrmse],
        }


def score_forecasts(
    closed_loop: ArrayLike,
    one_step: ArrayLike,
    truth: ArrayLike,
    scale: ArrayLike,
    *,
    dt: float,
    lyapunov_exponent: float | None = None,
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
) -> ForecastScores:
    """Score forecasts from several starts.

    Args:
        closed_loop: (n_starts, horizon, d), made from the forecaster's own answers.
        one_step: (n_starts, horizon, d), made from the true past.
        truth: (n_starts, horizon, d).
        scale: (d,) long-term standard deviation, in the unit of the others.
        dt: length of a step in time units.
        lyapunov_exponent: in 1 / time unit.
        thresholds: of the valid prediction time, in long-term standard deviations.

    Raises:
        SpecError: shapes disagree, there is no start, or a threshold is not positive.
    """
    loops, steps, truths = (np.asarray(a, dtype=np.float64) for a in (closed_loop, one_step, truth))
    if loops.ndim != 3 or not loops.shape == steps.shape == truths.shape or len(loops) == 0:
        raise SpecError(
            "forecasts cannot be scored",
            problems=[
                Problem(
                    "closed_loop, one_step, truth",
                    f"shapes {loops.shape}, {steps.shape}, {truths.shape}",
                    "equal (n_starts > 0, horizon, d)",
                )
            ],
        )
    over_time = np.stack([rmse_over_time(p, u, scale) for p, u in zip(loops, truths, strict=True)])
    vpt = [[valid_prediction_time(row, threshold) for threshold in thresholds] for row in over_time]
    return ForecastScores(
        rmse=np.sqrt(np.mean(over_time**2, axis=1)),
        rmse_over_time=over_time,
        one_step_nrmse=np.array(
            [headline_rmse(p, u, scale) for p, u in zip(steps, truths, strict=True)],
            dtype=np.float64,
        ),
        vpt_steps=np.asarray(vpt, dtype=np.int64).reshape(len(loops), len(thresholds)),
        thresholds=tuple(float(value) for value in thresholds),
        dt=dt,
        lyapunov_exponent=lyapunov_exponent,
        nrmse=nrmse(loops, truths),
    )
