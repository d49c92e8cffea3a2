"""The Lyapunov score times the size of the weight (ours)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.compiler.pruning.edge_score import EdgeScore, Float, ScoredSystem


class ProductScore(EdgeScore):
    """``|l| Var(x_i - sgn(l) x_j) |w|``."""

    name: ClassVar[str] = "product"

    def of(self, system: ScoredSystem) -> Float:
        """See `EdgeScore.of`."""
        scores: Float = system.noise_driven() * np.abs(system.weights.data)
        return scores
