"""How differently the two ends of a synapse move in a run of the network (after Moore and
Chaudhuri 2020; to take the covariance of a driven run is ours)."""

from __future__ import annotations

from typing import ClassVar, Literal

from hrsnn_lava.compiler.pruning.edge_score import EdgeScore, Float, ScoredSystem


class NoiseDistanceScore(EdgeScore):
    """``Var(x_i - sgn(w) x_j)`` of the spike traces x of an observed run, whatever the weight."""

    name: ClassVar[str] = "noise_distance"
    coupling: ClassVar[Literal["lyapunov", "weights", "observed"]] = "observed"

    def of(self, system: ScoredSystem) -> Float:
        """See `EdgeScore.of`."""
        return system.edge_variance()
