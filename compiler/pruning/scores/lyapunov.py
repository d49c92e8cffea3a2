"""Noise-driven importance on the Lyapunov matrix: the score of the paper on LNP."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.compiler.pruning.edge_score import EdgeScore, Float, ScoredSystem


class LyapunovScore(EdgeScore):
    """``|l| Var(x_i - sgn(l) x_j)`` with l the harmonic means of exponents (Chakraborty 2024)."""

    name: ClassVar[str] = "lyapunov"

    def of(self, system: ScoredSystem) -> Float:
        """See `EdgeScore.of`."""
        return system.noise_driven()
