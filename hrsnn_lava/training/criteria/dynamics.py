"""How reproducibly and how richly a network answers its input: a criterion of screening (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import Positive, options
from hrsnn_lava.training.criterion import Criterion, DrivenRun, Figures, require_variation

Floats = NDArray[np.float64]


@options
class Dynamics(Criterion):
    r"""Rank by consistency plus rank by log-volume V; no regression, and no look at what was shown.

    .. math:: \mathrm{consistency} =
              \frac{\sum_i \operatorname{cov}(a_i, b_i)}
                   {\sqrt{\sum_i \operatorname{Var} a_i \, \sum_i \operatorname{Var} b_i}}, \qquad
              V = \ln \det\bigl(I + \tfrac{N}{\mathrm{noise}} \operatorname{cov} a\bigr)

    a and b are the traces of the N neurons from two initial states. Consistency is 1 where the
    input alone decides, and 0 for networks that do not fire. Ranks count from 1 for the worst, ties
    share theirs, and candidates that are dropped for their spikes take no part.

    Attributes:
        noise: N times the variance below which a direction of the traces does not count.
    """

    name: ClassVar[str] = "dynamics"
    noise: Positive = 1e-3

    def figures(self, run: DrivenRun) -> dict[str, float]:
        """``consistency`` and ``log_volume``.

        Raises:
            SpecError: the input does not vary, or there are fewer than two rows.
        """
        require_variation(run, self.name)
        if len(run.traces) < 2:
            problem = Problem("samples", f"{len(run.traces)}", ">= 2", "show more samples")
            raise SpecError("the criterion dynamics has too few samples", problems=[problem])
        return {
            "consistency": consistency(run.traces, run.again),
            "log_volume": log_volume(run.traces, self.noise),
        }

    def scores(self, figures: Sequence[Figures]) -> Floats:
        """The sum of both ranks, 2 for the worst in both."""
        return _ranks([of_one["consistency"] for of_one in figures]) + _ranks(
            [of_one["log_volume"] for of_one in figures]
        )


def _ranks(values: Sequence[float]) -> Floats:
    """1 for the smallest; equal ones have the mean of their ranks."""
    x = np.asarray(values)
    less, equal = (x < x[:, None]).sum(axis=1), (x == x[:, None]).sum(axis=1)
    ranks: Floats = less + 0.5 * (equal + 1)
    return ranks


def consistency(a: Floats, b: Floats) -> float:
    """See `Dynamics`, of traces (n, N) from two initial states; 0 where one of them never moves."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    power = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / power if power > 0 else 0.0


def log_volume(traces: Floats, noise: float) -> float:
    """``ln det(I + N / noise cov)`` of traces (n, N); 0 where they do not move.

    In the smaller of the two Gram matrices, which have the same determinant here.
    """
    from scipy.linalg import cholesky

    n, size = traces.shape
    x = traces - traces.mean(axis=0)
    gram = (size / (noise * n)) * (x.T @ x if size <= n else x @ x.T)
    gram.flat[:: len(gram) + 1] += 1.0
    factor = cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    return 2.0 * float(np.log(np.diagonal(factor)).sum())
