"""A partition and what it is worth, and which of several is best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.palettes.snapping import snap
from hrsnn_lava.compiler.partitioning.hypergraph import Hypergraph
from hrsnn_lava.compiler.partitioning.legality import is_legal
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem
from hrsnn_lava.errors import CapacityError

Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One partition.

    Attributes:
        method: what made it. core_of: (n_neurons,) cores without a gap.
        legal: every limit holds, tables of parameters aside.
        error: 95th percentile of the relative error that snapping to the tables causes.
        traffic: see `Hypergraph.traffic`.
    """

    method: str
    core_of: Int
    legal: bool
    error: float
    traffic: dict[str, float]

    @staticmethod
    def of(method: str, core_of: Any, problem: PartitionProblem, graph: Hypergraph) -> Candidate:
        """Measure a partition."""
        cores = np.asarray(core_of, dtype=np.int64)
        error = palette_error(problem, cores)
        legal = bool(np.isfinite(error)) and is_legal(problem, cores)
        return Candidate(method, cores, legal, error, graph.traffic(cores))

    @property
    def n_cores(self) -> int:
        """Cores in use."""
        return int(self.core_of.max(initial=-1)) + 1

    def rank(self, tolerance: float) -> tuple[Any, ...]:
        """Least is best: legal, within tolerance (else of least error), fewest messages.

        Between equals the one of least error.
        """
        beyond = self.error if self.error > tolerance else 0.0
        messages, cost = self.traffic["messages_per_step"], self.traffic["cost"]
        return not self.legal, beyond, messages, cost, self.error

    def row(self) -> dict[str, Any]:
        """What a report shows."""
        shown = ("messages_per_step", "between_cores_per_step")
        return {
            "method": self.method,
            "cores": self.n_cores,
            "neurons_per_core": int(np.bincount(self.core_of).max(initial=0)),
            "fits": self.legal,
            "error_p95": self.error if np.isfinite(self.error) else None,
            **{key: self.traffic[key] for key in shown},
        }


def palette_error(problem: PartitionProblem, core_of: Int) -> float:
    """95th percentile of the worst of the three snapping errors; infinite where none fits."""
    if not problem.profile.has_profile_tables:
        return 0.0
    try:
        _, report = snap(problem.links.parameters, core_of, problem.profile)
    except CapacityError:
        return float(np.inf)
    return float(max(report.tau_mem.p95, report.tau_syn.p95, report.threshold.p95))
