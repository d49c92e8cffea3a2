"""What a score of neurons is: a file ``compiler/pruning/neuron_scores/NAME.py`` with one class.

Pruning neurons drops, in every population, those that score least. A score is given the network
and what a run showed of it, and says how much every neuron matters, with what is to be reported
of how it was found::

    class FanOut(NeuronScore):
        name: ClassVar[str] = "fan_out"

        def of(self, scored: ScoredNeurons) -> tuple[Float, dict[str, Any]]:
            edges = recurrent_edges(scored.network)
            return np.bincount(edges.pre, minlength=edges.n_neurons).astype(float), {}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.arrays import Arrays, Device
from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.network import Network

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoredNeurons:
    """The neurons of one round of pruning.

    Attributes:
        network: of N neurons, those dropped in earlier rounds left out.
        observed: what a run showed of these neurons; empty for a score that does not look.
        rng: of the pass.
        n_pivots: option of the pass, see `PruneNeurons`.
        ridge: option of the pass, see `PruneNeurons`.
        device: of dense algebra.
    """

    network: Network
    observed: Observed
    rng: np.random.Generator
    n_pivots: int | None = None
    ridge: float = 1e-3
    device: Device | Arrays = "cpu"


class NeuronScore(ABC):
    """Base of all scores of neurons; see the module.

    Attributes:
        name: of its file, and the value of ``score``.
        uses_run: whether it looks at ``observed``, which then has to fit the network.
        needs_rates: whether it asks for ``observed.neuron_rates``; commands then measure them.
    """

    name: ClassVar[str] = ""
    uses_run: ClassVar[bool] = False
    needs_rates: ClassVar[bool] = False

    @abstractmethod
    def of(self, scored: ScoredNeurons) -> tuple[Float, dict[str, Any]]:
        """How much every neuron matters, (N,), finite; and facts of it for the report, by name."""
