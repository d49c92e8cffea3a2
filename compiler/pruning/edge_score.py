"""What a score of synapses is: a file ``compiler/pruning/scores/NAME.py`` with one class.

Noise pruning treats the recurrent network as a linear system driven by white noise,
``dx = A x dt + dB`` with ``A = -D + a``, and asks which entries of the coupling ``a`` its
stationary covariance C rests on. A score chooses the coupling and turns both into one number a
synapse::

    class Score(EdgeScore):
        name: ClassVar[str] = "smallest"

        def of(self, system: ScoredSystem) -> Float:
            return 1.0 / np.abs(system.weights.data)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.covariance import edge_variance
from hrsnn_lava.csr import rows_of

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoredSystem:
    """The linear system of one round of pruning.

    Attributes:
        weights: W as CSR (N, N), rows post.
        coupling: the matrix a, of the same structure.
        covariance: C, (N, N), float64 or float32; None where it was sampled on the synapses.
        variance: (nnz,) ``Var(x_i - sgn(a_ij) x_j)`` in the order of the data of `weights`; None:
            that of `covariance`.
    """

    weights: sparse.csr_matrix
    coupling: sparse.csr_matrix
    covariance: NDArray[Any] | None
    variance: Float | None = None

    def edge_variance(self) -> Float:
        """``Var(x_i - sgn(a_ij) x_j)``, (nnz,) in the order of the data of `weights`."""
        if self.variance is not None:
            return self.variance
        signs = np.sign(self.coupling.data)
        return edge_variance(self.covariance, rows_of(self.weights), self.weights.indices, signs)

    def noise_driven(self) -> Float:
        r"""``|a_ij| Var(x_i - sgn(a_ij) x_j)``, (nnz,) in the order of the data of `weights`.

        How much of the activity that noise causes runs through a synapse (eq. 16 of the summary of
        Chakraborty et al. 2024, after Moore and Chaudhuri 2020).
        """
        scores: Float = np.abs(self.coupling.data) * self.edge_variance()
        return scores


class EdgeScore(ABC):
    """Base of all scores; see the module.

    Attributes:
        name: of its file, and the value of ``score``.
        coupling: which matrix a is: the ``lyapunov`` matrix, or the ``weights`` themselves; with
            ``observed`` it is the weights, and C that of the spike traces of a run: no linear
            system is solved.
    """

    name: ClassVar[str] = ""
    coupling: ClassVar[Literal["lyapunov", "weights", "observed"]] = "lyapunov"

    @abstractmethod
    def of(self, system: ScoredSystem) -> Float:
        """Importance of every synapse, (nnz,) >= 0 in the order of the data of ``W``."""
