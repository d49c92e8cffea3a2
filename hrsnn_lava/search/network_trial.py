"""What a trial of a search measures of a network: in float, in integers, or as a program.

Importing this module loads what every trial needs, so that a process that is forked afterwards
begins at once: numba takes a second to import, and another one before its first kernel. Nothing
here starts a thread, which a fork would lose.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba.core.registry as numba_registry
from threadpoolctl import threadpool_limits

import hrsnn_lava.sim_backends.floating.kernels
import hrsnn_lava.sim_backends.native.kernels  # noqa: F401
from hrsnn_lava.budgets.quantities import INTEGERS, QUANTITIES, measure
from hrsnn_lava.experiment.run import run_spec
from hrsnn_lava.experiment.spec_trial import scored_figures
from hrsnn_lava.search_options import SCORE
from hrsnn_lava.spec import Spec, VerifySpec

__all__ = ["measure_network"]

for _context in (
    numba_registry.cpu_target.typing_context,
    numba_registry.cpu_target.target_context,
):
    _context.refresh()


def measure_network(tables: Mapping[str, Any], seed: int, measure: str) -> dict[str, Any]:
    """The figures of the network of a spec: what a search measures, unless told otherwise.

    Args:
        tables: of a spec, complete.
        seed: of the network, its data and its pruning.
        measure: see `hrsnn_lava.search_options.SearchOptions`.

    Raises:
        SpecError: the tables are no spec; the settings of a trial may not go together.
    """
    spec = Spec.parse(dict(tables), "the spec of the trial")
    # one BLAS thread: sums in another order would give other last bits
    with threadpool_limits(limits=1):
        if measure == "program":
            return _program_figures(spec.model_copy(update={"seed": seed}))
        return _network_figures(spec, seed, integers=measure == "integers")


def _network_figures(spec: Spec, seed: int, integers: bool) -> dict[str, Any]:
    figures, headline = scored_figures(spec, seed, integers)
    ending = "_integer" if integers else ""
    score = figures[f"{headline.name}{ending}"]
    return {"figures": {SCORE: score, **figures}, "better": headline.better}


def _program_figures(spec: Spec) -> dict[str, Any]:
    """A run without what only compares; its files go where the process has its own."""
    alone = replace(spec.prune, controls=(), curve=(), repeats=1, integers="method")
    checked = VerifySpec(backends=("native",), steps=spec.verify.steps)
    spec = spec.model_copy(update={"prune": alone, "verify": checked})
    with tempfile.TemporaryDirectory(prefix="hrsnn-trial-") as folder:
        result = run_spec(spec, Path(folder))
    report = result.report.to_dict()
    rows = report["comparison"]
    program = next(row for row in rows if str(row["name"]).endswith(INTEGERS))
    described = report["scores"]
    names = [row["name"] for row in described]
    figures: dict[str, float | None] = {SCORE: program[names[0]]}
    figures |= {name: measure(report, quantity).value for name, quantity in QUANTITIES.items()}
    figures |= {name: value for name, value in program.items() if _is_number(value)}
    for label, row in (("unpruned", rows[0]), ("pruned", rows[1])):
        figures |= {f"{label}.{name}": v for name, v in row.items() if _is_number(v)}
    figures |= {name: program[name] for name in names}
    return {"figures": figures, "better": described[0]["better"]}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
