"""From scores of synapses to those that are kept: probabilities, sampling, what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.stability import Abscissa, spectral_abscissa
from hrsnn_lava.errors import SpecError

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Sampling = Literal["bernoulli", "systematic"]


def inclusion_probabilities(scores: Float, target: float, cost: Float | None = None) -> Float:
    r"""Probabilities :math:`p = \min(1, \rho\,s)` whose expected cost is exactly `target`.

    .. math:: \sum_e c_e \min(1, \rho\, s_e) = target

    The scale is found by sorting and prefix sums, so clipping does not lose density. Where all
    positive scores together cost less than `target`, those get 1 and the rest of the target is
    spread evenly (our choice).

    Args:
        scores: (E,) >= 0.
        target: expected cost of the edges to keep, 0 to the cost of all.
        cost: (E,) > 0; 1 each by default, so that the target is a number of edges.

    Raises:
        SpecError: a score is negative or not finite, or the target is out of range.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not np.all(np.isfinite(scores) & (scores >= 0)):
        raise SpecError("edge scores must be finite and >= 0")
    n = scores.size
    cost = np.ones(n) if cost is None else np.asarray(cost, dtype=np.float64)
    whole = float(cost.sum())
    if not 0 <= target <= whole * (1 + 1e-12):
        raise SpecError(f"the target is {target} edges; allowed: 0 to {whole:g}")
    if target >= whole:
        return np.ones(n)
    peak = float(scores.max())
    # Ratios below 1e-200 would leave the range of double; such edges are as good as zero.
    relative = scores / peak if peak > 0 else scores
    relative = np.where(relative < 1e-200, 0.0, relative)
    positive = relative > 0
    spent = float(cost[positive].sum())
    if spent <= target:
        return np.where(positive, 1.0, (target - spent) / max(whole - spent, 1e-300))
    order = np.argsort(-relative, kind="stable")
    descending, price = relative[order], cost[order]
    rest = np.cumsum((price * descending)[::-1])[::-1]
    remaining = target - (np.cumsum(price) - price)
    # With the k largest at 1 the others share what is left; the first k that clips none is it.
    k = int(np.argmax(remaining * descending <= rest))
    probabilities: Float = np.minimum(1.0, remaining[k] / rest[k] * relative)
    return probabilities


def sample_edges(probabilities: Float, sampling: Sampling, rng: np.random.Generator) -> Bool:
    """Draw the edges to keep, each with its probability.

    ``bernoulli``: independently (eq. 16). ``systematic``: one random start and equal steps through
    the summed probabilities in edge order: the same marginals, a fixed count (to one edge), and
    an even spread over the neurons, since the order runs along them.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if sampling == "bernoulli":
        return np.asarray(rng.random(p.size) < p, dtype=np.bool_)
    keep: Bool = p >= 1.0
    open_edges = np.flatnonzero(~keep)
    ticks = np.floor(np.cumsum(p[open_edges]) + rng.random()).astype(np.int64)
    keep[open_edges] = np.diff(ticks, prepend=0) > 0
    return keep


@dataclass(frozen=True)
class SpectralChange:
    """How much sampling changed a linear system.

    Attributes:
        mean, largest: ``|(A_s - A) x| / |A x|`` over random x. The papers bound
            ``x^T (A_s - A) x`` instead, which sees the symmetric part alone and is vacuous
            where ``x^T A x`` vanishes.
        abscissa: largest real part of the eigenvalues of A_s.
    """

    mean: float
    largest: float
    abscissa: Abscissa


def spectral_change(
    system: sparse.csr_matrix,
    sampled: sparse.csr_matrix,
    rng: np.random.Generator,
    *,
    n_vectors: int = 32,
) -> SpectralChange:
    """Measure eq. (15) on `n_vectors` random Gaussian vectors, and the stability of the sample."""
    x = rng.standard_normal((system.shape[0], n_vectors))
    before = np.linalg.norm(system @ x, axis=0)
    after = np.linalg.norm((sampled - system) @ x, axis=0)
    ratio = np.zeros(n_vectors)
    np.divide(after, before, out=ratio, where=before > 0)
    return SpectralChange(float(ratio.mean()), float(ratio.max()), spectral_abscissa(sampled))
