"""No score at all: the control that every score has to beat."""

from __future__ import annotations

from typing import Any, ClassVar

from hrsnn_lava.compiler.pruning.neuron_score import Float, NeuronScore, ScoredNeurons


class RandomScore(NeuronScore):
    """A number drawn evenly from [0, 1)."""

    name: ClassVar[str] = "random"

    def of(self, scored: ScoredNeurons) -> tuple[Float, dict[str, Any]]:
        """See `NeuronScore.of`."""
        return scored.rng.random(scored.network.n_neurons), {}
