"""Noise-driven importance on the weights themselves (Moore and Chaudhuri 2020)."""

from __future__ import annotations

from typing import ClassVar, Literal

from hrsnn_lava.compiler.pruning.edge_score import EdgeScore, Float, ScoredSystem


class WeightScore(EdgeScore):
    """``|w| Var(x_i - sgn(w) x_j)``."""

    name: ClassVar[str] = "weight"
    coupling: ClassVar[Literal["lyapunov", "weights", "observed"]] = "weights"

    def of(self, system: ScoredSystem) -> Float:
        """See `EdgeScore.of`."""
        return system.noise_driven()
