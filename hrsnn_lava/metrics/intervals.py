"""Intervals and p-values of the mean of paired differences: plain numbers in, plain numbers out."""

from __future__ import annotations

import numpy as np

from hrsnn_lava.metrics.base import Floats
from hrsnn_lava.seeding import generator

__all__ = [
    "bootstrap_interval",
    "equivalence_p",
    "sign_p",
    "t_interval",
    "t_p",
    "wilcoxon_p",
]

#: Random places that are drawn at once.
_AT_ONCE = 2_000_000
#: Most pairs whose signed ranks are counted out: half a second.
_EXACT_PAIRS = 500


def t_interval(mean: float, error: float, degrees: int, confidence: float) -> tuple[float, float]:
    """``mean +- t error``, t the quantile of Student's distribution; (mean, mean) without spread.

    Args:
        error: standard error of the mean.
        degrees: of freedom, n - 1.
        confidence: 0 to 1.
    """
    from scipy import stats

    half = float(stats.t.ppf(0.5 + confidence / 2.0, degrees)) * error
    return mean - half, mean + half


def t_p(mean: float, error: float, degrees: int) -> float | None:
    """Two-sided p-value of mean 0; None where all differences are 0: there is nothing to tell."""
    from scipy import stats

    if error == 0.0:
        return None if mean == 0.0 else 0.0
    return float(2.0 * stats.t.sf(abs(mean) / error, degrees))


def equivalence_p(mean: float, error: float, degrees: int, margin: float) -> float:
    """The larger p-value of two one-sided tests: mean <= -margin, and mean >= margin.

    Below a level a, the interval of confidence 1 - 2 a lies within +-margin.
    """
    from scipy import stats

    if error == 0.0:
        return 0.0 if abs(mean) < margin else 1.0
    return float(stats.t.sf((margin - abs(mean)) / error, degrees))


def sign_p(differences: Floats) -> float | None:
    """Two-sided p-value of as many differences above 0 as below; those of 0 are left out.

    None where all are 0.
    """
    from scipy import stats

    above, below = int((differences > 0).sum()), int((differences < 0).sum())
    return float(stats.binomtest(above, above + below).pvalue) if above + below else None


def wilcoxon_p(differences: Floats) -> float | None:
    """Two-sided p-value of Wilcoxon's signed rank, exact with ties, too; those of 0 are left out.

    Ranks of ``|d|``, the mean rank for ties; W is the sum of those of d > 0. Under no difference
    every sign is + or - with 1/2: the distribution of 2 W, an integer, is built rank by rank. Of
    more than 500 pairs it is taken as normal, with the variance ``sum r^2 / 4``. None where all
    are 0.
    """
    from scipy import stats

    d = differences[differences != 0]
    if not len(d):
        return None
    # differences of accuracies tie but for rounding
    ranks = stats.rankdata(np.round(np.abs(d) / np.abs(d).max(), 12))
    if len(d) > _EXACT_PAIRS:
        apart = abs(float(ranks[d > 0].sum() - ranks.sum() / 2.0))
        return float(2.0 * stats.norm.sf(apart / np.sqrt((ranks**2).sum() / 4.0)))
    doubled = np.rint(2.0 * ranks).astype(np.int64)
    chances = np.zeros(int(doubled.sum()) + 1)
    chances[0] = 1.0
    for rank in doubled.tolist():
        shifted = np.zeros_like(chances)
        shifted[rank:] = chances[: len(chances) - rank]
        chances = 0.5 * (chances + shifted)
    observed = int(doubled[d > 0].sum())
    tail = min(observed, len(chances) - 1 - observed)  # the distribution is symmetric
    return float(min(1.0, 2.0 * chances[: tail + 1].sum()))


def bootstrap_interval(
    differences: Floats, confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """BCa interval of the mean (Efron 1987), the same for any order of the differences.

    ``alpha' = Phi(z0 + (z0 + z) / (1 - a (z0 + z)))``, z the normal quantile of either end, z0 that
    of the share of resampled means below the mean, ``a = sum u^3 / (6 (sum u^2)^1.5)`` with u the
    differences from the mean.

    Args:
        differences: (n > 1,).
        confidence: 0 to 1.
        resamples: drawn with replacement, n each.
        seed: of the drawing.
    """
    from scipy import stats

    values = np.sort(differences)
    if values[0] == values[-1]:
        return float(values[0]), float(values[0])
    rng, n = generator(seed, "metrics/bootstrap"), len(values)
    rows = max(1, _AT_ONCE // n)
    means = np.concatenate(
        [
            values[rng.integers(n, size=(min(rows, resamples - first), n))].mean(axis=1)
            for first in range(0, resamples, rows)
        ]
    )
    mean = float(values.mean())
    apart = values - mean
    below = float(((means < mean).sum() + 0.5 * (means == mean).sum()) / resamples)
    bias = stats.norm.ppf(np.clip(below, 0.5 / resamples, 1.0 - 0.5 / resamples))
    skew = float((apart**3).sum() / (6.0 * (apart**2).sum() ** 1.5))
    z = bias + stats.norm.ppf(0.5 + np.array([-0.5, 0.5]) * confidence)
    low, high = np.quantile(means, stats.norm.cdf(bias + z / (1.0 - skew * z)))
    return float(low), float(high)
