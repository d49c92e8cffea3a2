"""How much of the network's activity a neuron carries that no other does."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.arrays import Arrays, Device
from hrsnn_lava.compiler.analysis.dynamics.covariance import covariance
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.analysis.dynamics.stability import stabilise
from hrsnn_lava.compiler.pruning.neuron_score import Float, NeuronScore, ScoredNeurons
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import Network


class LeverageScore(NeuronScore):
    r"""Ridge leverage of every neuron in the covariance C of the network.

    .. math:: l_i = \bigl[C (C + \lambda I)^{-1}\bigr]_{ii},
              \qquad \lambda = \mathrm{ridge}\,\frac{\operatorname{tr} C}{N}

    (Alaoui and Mahoney 2015; to rank neurons by it is ours.) Near 1 for what no other neuron
    tells, small for what many do, and for silent neurons. C is that of the observed run, where
    there is one, else that of ``dx = (-D + W) x dt + dB``: the network as a linear system driven by
    white noise, its leaks of 1 raised until it is stable (ours).
    """

    name: ClassVar[str] = "leverage"
    uses_run: ClassVar[bool] = True

    def of(self, scored: ScoredNeurons) -> tuple[Float, dict[str, Any]]:
        """See `NeuronScore.of`; the facts say which covariance it was, and its rank."""
        matrix = scored.observed.covariance
        facts: dict[str, Any] = {"covariance": "observed"}
        if matrix is None:
            matrix, system = noise_driven(scored.network, scored.device)
            facts = {"covariance": "noise-driven", "linear_system": system}
        score = ridge_leverage(matrix, scored.ridge)
        return score, facts | {"effective_rank": float(score.sum())}


def noise_driven(
    network: Network, device: Device | Arrays = "cpu"
) -> tuple[NDArray[Any], dict[str, Any]]:
    """Covariance of the stabilised linear system of a network, (N, N), and facts of it."""
    edges = recurrent_edges(network)
    system = stabilise(edges.matrix, np.ones(edges.n_neurons))
    solution = covariance(system.matrix, abscissa=system.abscissa, device=device)
    facts = {
        "shift": system.shift,
        "abscissa": system.abscissa,
        "residual": solution.residual,
        "precision": solution.precision,
    }
    return solution.matrix, facts


def ridge_leverage(matrix: NDArray[Any], ridge: float) -> Float:
    """Diagonal of ``C (C + lambda I)^-1`` with ``lambda = ridge tr(C) / N``, (N,) in [0, 1).

    By Cholesky, in double precision: N^3 operations and two matrices.

    Args:
        matrix: C, (N, N), symmetric and positive semidefinite.
        ridge: > 0.

    Raises:
        SpecError: C is no covariance: not finite, or with an eigenvalue below -lambda.
    """
    from scipy.linalg import lapack

    n = matrix.shape[0]
    trace = float(np.trace(matrix, dtype=np.float64))
    if not np.isfinite(trace) or trace < 0:
        raise SpecError(f"the covariance has trace {trace:g}; allowed: a number >= 0")
    if trace == 0.0:
        return np.zeros(n)
    damping = ridge * trace / n
    shifted = np.array(matrix, dtype=np.float64, order="F")
    shifted.flat[:: n + 1] += damping
    factor, fault = lapack.dpotrf(shifted, lower=1, overwrite_a=1)
    if fault:
        raise SpecError(
            "the covariance is not positive semidefinite; allowed: one of a run or of a linear "
            "system; measure it over more steps, or raise the ridge"
        )
    inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    leverage: Float = np.clip(1.0 - damping * inverse.diagonal(), 0.0, 1.0)
    # The last digits depend on how sums were split; a rank should not.
    return np.round(leverage, 10 if matrix.dtype == np.float64 else 5)
