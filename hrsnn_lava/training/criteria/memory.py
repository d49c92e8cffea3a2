"""How well a linear readout recalls the input: the default criterion of screening (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import Count, Positive, options
from hrsnn_lava.training.criterion import Criterion, DrivenRun, require_variation
from hrsnn_lava.training.ridge import DualRidge, PrimalRidge, ridge_search

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Smallest error that counts: what is recalled better is recalled as well as that (ours).
FLOOR = 1e-6
#: Columns of the targets of one regression: bounds what is held at once.
COLUMNS = 4096


@options
class Memory(Criterion):
    r"""Ridge regression of the input ``u(t-k)`` from the traces at t, on samples held out.

    .. math:: J = -\sum_k \ln \max(\mathrm{NMSE}_k, 10^{-6}), \qquad
              \mathrm{NMSE}_k = \frac{\sum_c \langle (\hat{u}_c - u_c)^2 \rangle}
                                     {\sum_c \operatorname{Var} u_c}

    over the channels c of the input, k = 1 to `delays` of a series; of trials, whose traces are
    read at the end, all inputs of the trial (of the shortest one), the last at k = 0. It is about
    0 where nothing is recalled. What is held out is the end of a series, `delays` samples after
    what is fitted, or evenly spread trials; the penalty of each k is chosen likewise inside what
    is fitted. To pool channels is ours, and so are all numbers.

    Attributes:
        delays: how far back a series is recalled, in samples.
        held_out: share of the samples that are scored.
        alphas: penalties to choose from, relative to the features' mean square.
    """

    name: ClassVar[str] = "memory"
    delays: Count = 15
    held_out: Annotated[float, Field(gt=0, le=0.5)] = 0.25
    alphas: Annotated[tuple[Positive, ...], Field(min_length=1)] = (
        1e-3,
        1e-2,
        1e-1,
        1.0,
        10.0,
        100.0,
    )

    def figures(self, run: DrivenRun) -> dict[str, float]:
        """``memory``, J.

        Raises:
            SpecError: the input does not vary, or there are too few samples to hold some out.
        """
        require_variation(run, self.name)
        lags = self.lags(run)
        rows = np.flatnonzero(run.ends - run.begins >= lags[-1])
        fitted, scored = self.split(rows, run.trials)
        training, choosing = self.split(fitted, run.trials)
        if min(training.size, choosing.size, scored.size) < 2:
            allowed = "two or more to fit, to choose the penalty and to score"
            fix = "show more samples, or recall fewer delays"
            problem = Problem("samples", f"{rows.size} with all delays", allowed, fix)
            raise SpecError("the criterion memory has too few samples", problems=[problem])
        ridge = ridge_search(run.traces)
        losses = self.errors(run, ridge, (training, choosing), lags)
        best = np.argmin(np.nan_to_num(losses, nan=1.0), axis=0)
        errors = self.errors(run, ridge, (fitted, scored), lags)[best, np.arange(lags.size)]
        recalled = errors[np.isfinite(errors)]
        if not recalled.size:
            problem = Problem("inputs", "constant where they are scored", "values that vary there")
            raise SpecError("the criterion memory has no meaning", problems=[problem])
        return {"memory": -float(np.log(np.maximum(recalled, FLOOR)).sum()) + 0.0}

    def lags(self, run: DrivenRun) -> Ints:
        """Samples back that are to be recalled, rising."""
        if not run.trials:
            return np.arange(1, self.delays + 1)
        return np.arange(int((run.ends - run.begins).min()) + 1)

    def split(self, rows: Ints, trials: bool) -> tuple[Ints, Ints]:
        """Rows to fit, and rows to score."""
        if trials:
            every = round(1.0 / self.held_out)
            held = np.arange(rows.size) % every == every - 1
            return rows[~held], rows[held]
        first = rows.size - round(self.held_out * rows.size)
        return rows[: max(first - self.delays, 0)], rows[first:]

    def errors(
        self,
        run: DrivenRun,
        ridge: DualRidge | PrimalRidge,
        parts: tuple[Ints, Ints],
        lags: Ints,
    ) -> Floats:
        """NMSE of every penalty and lag, (n_alphas, n_lags); NaN where the input does not vary.

        Args:
            run: traces and inputs.
            ridge: of all traces.
            parts: rows to fit, and rows to score.
            lags: samples back.
        """
        fitted, scored = parts
        width, found = run.inputs.shape[1], []
        for group in _groups(lags, max(COLUMNS // width, 1)):
            targets = run.inputs[np.maximum(run.ends[:, None] - group, 0)]  # rows alone are used
            targets = targets.reshape(len(run.ends), -1)
            truth = targets[scored]
            varies = np.ptp(truth, axis=0) > 0
            spread = _pooled(np.where(varies, truth.var(axis=0), 0.0), width)
            missed = np.empty((len(self.alphas), group.size))
            for row, alpha in zip(missed, self.alphas, strict=True):
                answers = ridge.fit(fitted, targets[fitted], alpha)(run.traces[scored])
                squares = ((answers - truth) ** 2).mean(axis=0)
                row[:] = _pooled(np.where(varies, squares, 0.0), width)
            unknown = np.full_like(missed, np.nan)
            found.append(np.divide(missed, spread, out=unknown, where=spread > 0))
        return np.concatenate(found, axis=1)


def _pooled(columns: Floats, width: int) -> Floats:
    """Sums over the channels of each lag."""
    sums: Floats = columns.reshape(-1, width).sum(axis=1)
    return sums


def _groups(lags: Ints, count: int) -> Sequence[Ints]:
    return [lags[k : k + count] for k in range(0, lags.size, count)]
