"""How many directions the states of a network use: effective rank, participation ratio.

A state is what is seen of a network at one time, such as the traces of its spikes at the end of a
sample; states of different inputs are the rows of a matrix. Spike noise alone fills many
directions: a rank says little without that of noisy copies of one input, or a separation.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.fields import choice, is_real
from hrsnn_lava.metrics.base import Floats, Metric, finite_values
from hrsnn_lava.metrics.scores import Better
from hrsnn_lava.options import Positive, options

__all__ = ["RANKS", "effective_rank", "effective_ranks", "participation_ratio"]

Definition = Literal["sum", "energy", "entropy"]
RANKS: tuple[Definition, ...] = ("sum", "energy", "entropy")
#: What sums of singular values are off by, relative to the largest; a share that is met within it
#: is met.
_ROUNDING = 1e-12


def effective_ranks(
    states: ArrayLike, share: float = 0.99, center: bool = False
) -> dict[str, float]:
    """Effective rank of a matrix of states by each of three definitions, of one decomposition.

    With singular values s_1 >= s_2 >= ... of the matrix:

    - ``sum``: the least k with ``sum_{i<=k} s_i >= share sum s_i`` (papers on heterogeneous
      networks, with a share of 0.99);
    - ``energy``: the same of squares, ``sum_{i<=k} s_i^2 >= share sum s_i^2``, which counts
      principal components of a share of the variance;
    - ``entropy``: ``exp(-sum_i p_i ln p_i)``, ``p_i = s_i / sum s`` (Roy and Vetterli 2007), which
      has no threshold and need not be whole.

    Args:
        states: (n_states, n_features).
        share: of the sum or the energy, 0 < share <= 1.
        center: take the mean state off first. The papers do not say; the rank of a kernel of
            Legenstein and Maass (2007) is of the matrix as it is, which is the default.

    Returns:
        All three by name; 0 for states that are all 0.

    Raises:
        SpecError: no states, values that are not finite, or a share that is none.
    """
    if not is_real(share) or not 0 < share <= 1:
        raise SpecError(str(Problem("share", f"{share!r:.40}", "0 < share <= 1")))
    matrix = finite_values("states", states, (2,), "(n_states, n_features)")
    matrix = matrix - matrix.mean(axis=0) if center else matrix
    values = np.linalg.svd(matrix, compute_uv=False)
    if values[0] == 0.0:
        return dict.fromkeys(RANKS, 0.0)
    p = values / values.sum()
    p = p[p > 0]
    return {
        "sum": _leading(values, share),
        "energy": _leading((values / values[0]) ** 2, share),
        "entropy": float(np.exp(-(p * np.log(p)).sum())),
    }


def effective_rank(
    states: ArrayLike, definition: Definition = "sum", share: float = 0.99, center: bool = False
) -> float:
    """Effective rank by one definition: ``sum``, ``energy`` or ``entropy``; see `effective_ranks`.

    Raises:
        SpecError: as of `effective_ranks`, and for another definition.
    """
    choice("definition", definition, RANKS, SpecError)
    return effective_ranks(states, share, center)[definition]


def participation_ratio(states: ArrayLike) -> float | None:
    """Directions that share the variance, ``(sum_i l_i)^2 / sum_i l_i^2 = tr(C)^2 / tr(C^2)``.

    l_i are the eigenvalues of the covariance C of the features over the states: 1 where all
    variance is along one line, d where d directions have equal parts.

    Args:
        states: (n_states, n_features).

    Returns:
        None where the states do not vary.

    Raises:
        SpecError: no states, or values that are not finite.
    """
    matrix = finite_values("states", states, (2,), "(n_states, n_features)")
    if not np.ptp(matrix, axis=0).any():
        return None
    x = matrix - matrix.mean(axis=0)
    x = x / np.abs(x).max()
    # C^2 has the trace of the squared Gram matrix, whichever of the two is smaller
    gram = x.T @ x if x.shape[1] <= x.shape[0] else x @ x.T
    return float(np.trace(gram) ** 2 / (gram**2).sum())


@options
class EffectiveRank(Metric):
    """How many directions the states of a network use.

    Attributes:
        definition: ``sum`` and ``energy``: singular values, or their squares, that hold `share` of
            the total; ``entropy``: of Roy and Vetterli.
        share: of the total.
        center: take the mean state off first.
    """

    name: ClassVar[str] = "effective_rank"
    better: ClassVar[Better] = "higher"
    definition: Definition = "sum"
    share: Positive = 0.99
    center: bool = False

    def __call__(self, states: ArrayLike) -> float:
        """See `effective_rank`."""
        return effective_rank(states, self.definition, self.share, self.center)


@options
class ParticipationRatio(Metric):
    """How many directions share the variance of the states."""

    name: ClassVar[str] = "participation_ratio"
    better: ClassVar[Better] = "higher"

    def __call__(self, states: ArrayLike) -> float | None:
        """See `participation_ratio`."""
        return participation_ratio(states)


def _leading(values: Floats, share: float) -> float:
    """The least number of leading values that hold a share of their sum."""
    sums = np.cumsum(values)
    enough = sums >= share * sums[-1] * (1.0 - _ROUNDING)
    return float(np.argmax(enough) + 1)
