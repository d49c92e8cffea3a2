"""How many shortest paths run through a neuron: the score of the paper on LNP."""

from __future__ import annotations

from typing import Any, ClassVar

from hrsnn_lava.compiler.analysis.dynamics.centrality import betweenness
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.pruning.neuron_score import Float, NeuronScore, ScoredNeurons

EXACT_UP_TO = 2000
PIVOTS = 256


class BetweennessScore(NeuronScore):
    """Betweenness centrality on directed paths, each synapse counting one step (Freeman)."""

    name: ClassVar[str] = "betweenness"

    def of(self, scored: ScoredNeurons) -> tuple[Float, dict[str, Any]]:
        """See `NeuronScore.of`; the fact is the number of pivots, or ``exact``."""
        n_pivots = scored.n_pivots
        if n_pivots is None and scored.network.n_neurons > EXACT_UP_TO:
            n_pivots = PIVOTS
        n_pivots = n_pivots or None
        matrix = recurrent_edges(scored.network).matrix
        score = betweenness(matrix, n_pivots=n_pivots, rng=scored.rng, device=scored.device)
        return score, {"pivots": n_pivots or "exact"}
