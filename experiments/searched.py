"""A search as a trial of a study: what it found, measured on networks that it never saw.

The searches of a study share the network, the task and the seeds of their trials, so differences
between them are those of the search. `winner_figures` measures the spec that a search chose on
fresh seeds: the best of many trials is best by luck, too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn_lava.experiment.spec_trial import merged
from hrsnn_lava.search.plan import SearchPlan
from hrsnn_lava.search.result import SearchResult
from hrsnn_lava.search.run_search import run_search
from hrsnn_lava.spec import Spec

Figures = Mapping[str, float | None]
#: Seeds of the networks that winners are measured on, beyond those of any search.
FRESH = 1_000_000


@dataclass(frozen=True)
class Search:
    """What is looked for, and how.

    Attributes:
        space: by path of the spec; where nothing is free there is nothing to search.
        objective: such as ``maximize memory_capacity``.
        evaluate: what measures a network, ``module:function``.
        suggester: a name, or a table with its options.
        trials: the budget.
        repeats: networks of a trial.
        batch: points that are chosen at once.
    """

    space: Mapping[str, Any]
    objective: str
    evaluate: str
    suggester: Any = "wasserstein"
    trials: int = 40
    repeats: int = 1
    batch: int = 4

    def run(self, tables: Mapping[str, Any], seed: int) -> SearchResult:
        """The search of a spec's tables; its folder is thrown away."""
        options = {
            "trials": self.trials,
            "batch": self.batch,
            "repeats": self.repeats,
            "objectives": [self.objective],
            "suggester": self.suggester,
            "space": dict(self.space),
        }
        spec = Spec.parse(merged(tables, {"seed": seed, "search": options}))
        plan = SearchPlan.of(spec, evaluate=self.evaluate)
        with tempfile.TemporaryDirectory() as folder:
            return run_search(plan, Path(folder) / "search")


def winner_figures(
    measure: Callable[[Mapping[str, Any], int], Figures],
    tables: Mapping[str, Any],
    seed: int,
    networks: int,
) -> dict[str, float | None]:
    """Means over fresh networks of a spec, the same seeds for all searches of a seed.

    Args:
        measure: figures of the network of some tables and a seed.
        tables: of the spec that was chosen.
        seed: of the search.
        networks: how many are drawn.
    """
    first = FRESH + seed * networks
    each = [measure(tables, first + k) for k in range(networks)]
    return {
        name: float(np.mean([np.nan if f[name] is None else f[name] for f in each]))
        for name in each[0]
        if any(f[name] is not None for f in each)
    }


def best_so_far(result: SearchResult, trials: int) -> float:
    """The best value of the first trials of a search; NaN where all of them failed."""
    (objective,) = result.data["objectives"]
    values = [v for t in result.trials[:trials] for v in t.values.values() if v is not None]
    if not values:
        return float("nan")
    return max(values) if objective["better"] == "higher" else min(values)
