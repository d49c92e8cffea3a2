"""What a search leaves: ``result.json``, the same bytes however it was run, and a spec.

Nothing in ``result.json`` depends on how many trials ran at once, on where, on when, or on how
often the search was killed; seconds and processes stand in the ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn_lava import __version__
from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.artifacts.toml_text import toml_text
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.experiment.spec_trial import merged
from hrsnn_lava.metrics.paired import paired_difference
from hrsnn_lava.options import table_of
from hrsnn_lava.search.history import History, Trial
from hrsnn_lava.search.pareto import non_dominated
from hrsnn_lava.search.plan import CONFIRMING, SearchPlan
from hrsnn_lava.search.trial import TrialResult, gains_of, sign_of, values_of
from hrsnn_lava.seeding import generator

__all__ = ["SCHEMA_VERSION", "SearchResult", "front_of", "result_of"]

SCHEMA_VERSION = 1
RESULT, BEST, FRONT = "result.json", "best.toml", "front"
#: Values that are drawn of a distribution for the page, and how many of its quantiles are kept.
_DRAWN, _QUANTILES = 4000, 64


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search found.

    Attributes:
        data: all of it, plain values, as ``result.json`` has it.
        best: the trial that is best in the first objective.
        trials: all that have ended, in order.
        files: that were written, by name.
        earlier: trials that came from an earlier run. seconds: of every trial, in order.
    """

    data: Mapping[str, Any]
    best: Trial
    trials: Sequence[Trial]
    files: Mapping[str, Path] = field(default_factory=dict)
    earlier: int = 0
    seconds: Sequence[float] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of ``result.json``."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def text(self) -> str:
        """``result.json``."""
        return json.dumps(self.data, indent=2, allow_nan=False) + "\n"


def result_of(plan: SearchPlan, history: History) -> SearchResult:
    """The result of a search whose trials have ended.

    Raises:
        SpecError: not one trial gave a value.
    """
    trials = history.ended(plan.options.trials)
    best = history.best(plan.options.trials)
    if best is None:
        raise _nothing(trials)
    better = history.results[best.number].better
    objectives = [
        {
            "name": objective.name,
            "better": "higher" if sign_of(objective, better) > 0 else "lower",
        }
        for objective in plan.objectives
    ]
    data: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "name": plan.spec.name,
        "seed": plan.spec.seed,
        "spec_digest": hashlib.sha256(plan.spec.canonical().encode()).hexdigest(),
        "objectives": objectives,
        "suggester": table_of(plan.suggester),
        "batch": plan.options.batch,
        "measure": plan.options.measure,
        "networks": plan.options.repeats,
        "space": plan.space.table(),
        "coordinates": list(plan.space.names),
        "best": best.number,
        "front": [trial.number for trial in front_of(trials)],
        "trials": [_row(trial) for trial in trials],
        "confirmed": _confirmed(plan, history, best),
        "learned": _learned(plan, history),
        "distributions": _distributions(plan, best),
    }
    seconds = [history.results[trial.number].seconds for trial in trials]
    return SearchResult(json.loads(json.dumps(data)), best, trials, seconds=seconds)


def front_of(trials: Sequence[Trial]) -> list[Trial]:
    """The Pareto front: complete trials that none is at least as good as in all objectives and
    better in one; the earliest of equal ones. Best in the first objective first."""
    done = [trial for trial in trials if trial.status == "done"]
    front: list[Trial] = []
    for trial, best in zip(done, non_dominated(np.array([t.gains for t in done])), strict=True):
        if best and all(trial.gains != earlier.gains for earlier in front):
            front.append(trial)
    return sorted(front, key=lambda trial: (-trial.gains[0], trial.number))


def _nothing(trials: Sequence[Trial]) -> SpecError:
    problems = [
        Problem(f"trial {trial.number}", f"{trial.failure.kind}: {trial.failure.message}")
        for trial in trials[:5]
        if trial.failure is not None
    ]
    return SpecError(f"none of {len(trials)} trials gave a value", problems=problems)


def _row(trial: Trial) -> dict[str, Any]:
    failure = None
    if trial.failure is not None:
        # what a lost process said differs from time to time
        said = trial.failure.message if trial.failure.kind == "error" else ""
        failure = {"kind": trial.failure.kind, "message": said, "error": trial.failure.error}
    return {
        "trial": trial.number,
        "round": trial.asked.round,
        "status": trial.status,
        "networks": trial.networks,
        "values": dict(trial.values),
        "point": list(trial.asked.point),
        "settings": dict(trial.asked.settings),
        "figures": dict(trial.figures),
        "failure": failure,
    }


def _confirmed(plan: SearchPlan, history: History, best: Trial) -> dict[str, Any] | None:
    """The winner and the spec as it is on fresh seeds; None where none were asked for."""
    if not plan.options.confirm:
        return None
    found = {
        (entry["of"], entry["seed"]): TrialResult.from_dict(entry["result"])
        for entry in history.confirmed
        if entry["seed"] < plan.options.confirm
    }
    rows = []
    for seed in range(plan.options.confirm):
        pair = {}
        for label, of in (("start", None), ("winner", best.number)):
            result = found.get((of, seed))
            values: Sequence[float | None] = [None] * len(plan.objectives)
            if result is not None and gains_of_result(plan, result) is not None:
                values = values_of(plan.objectives, result.figures)
            pair[label] = dict(zip(history.names, values, strict=True))
        rows.append({"seed": plan.spec.seed + CONFIRMING + seed, **pair})
    return {"rows": rows, "differences": {name: _difference(rows, name) for name in history.names}}


def gains_of_result(plan: SearchPlan, result: TrialResult) -> list[float] | None:
    """Objectives of a result, higher is better; None of one that failed."""
    if result.status != "done":
        return None
    return gains_of(plan.objectives, result.figures, result.better)


def _difference(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    """Winner minus start, seed by seed; None of fewer than two seeds."""
    pairs = [(row["winner"][name], row["start"][name]) for row in rows]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    if len(both) < 2:
        return None
    winner, start = np.array(both).T
    found = paired_difference(winner, start, names=("winner", "start"))
    return {
        "winner": float(winner.mean()),
        "start": float(start.mean()),
        "mean": found.mean,
        "interval": None if found.interval is None else list(found.interval),
        "pairs": len(both),
    }


def _learned(plan: SearchPlan, history: History) -> dict[str, Any]:
    """What the suggester has learned of every objective it has learned anything of."""
    told, learned = history.told(plan.options.trials), {}
    for name in history.names:
        rng = generator(plan.spec.seed, "search/explain")
        found = plan.suggester.explain(plan.space, told, name, rng)
        if found is not None:
            learned[name] = asdict(found)
    return learned


def _distributions(plan: SearchPlan, best: Trial) -> dict[str, Any]:
    """Quantiles of every distribution of the space, in the spec as it is and in the winner's.

    A path that is a number in the spec as it is has that number for all of them.
    """
    levels = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    found = {}
    for path, after in plan.space.marginals(best.asked.point).items():
        pair = {"before": _at_path(plan, path), "after": after}
        found[path] = {
            label: None if which is None else _quantiles(plan, path, which, levels)
            for label, which in pair.items()
        }
    return found


def _quantiles(plan: SearchPlan, path: str, which: Any, levels: Any) -> list[float]:
    drawn = which.sample(generator(plan.spec.seed, f"search/page/{path}"), _DRAWN)
    return [float(value) for value in np.quantile(drawn, levels)]


def _at_path(plan: SearchPlan, path: str) -> Any:
    """The distribution that the spec as it is has at a path; None where it has something else."""
    from hrsnn_lava.distribution_options import distribution

    value: Any = plan.spec
    try:
        for part in path.split("."):
            value = value[part] if isinstance(value, Mapping) else getattr(value, part)
        return distribution(value)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def write_specs(plan: SearchPlan, result: SearchResult, out: Path) -> dict[str, Path]:
    """Write ``best.toml``, and one spec for each trial of a front of several objectives."""
    chosen = {BEST: result.best}
    if len(plan.objectives) > 1:
        front = front_of(result.trials)
        chosen |= {f"{FRONT}/trial-{trial.number:04d}.toml": trial for trial in front}
    for path in (out / FRONT).glob("trial-*.toml"):  # of a front that has moved on
        path.unlink()
    files = {}
    for name, trial in chosen.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, spec_text(plan, trial))
        files[name] = path
    return files


def spec_text(plan: SearchPlan, trial: Trial) -> str:
    """The spec of a trial as TOML, complete; `run` takes it."""
    values = ", ".join(f"{name} = {value:.6g}" for name, value in trial.values.items())
    tables = merged(plan.tables, trial.asked.settings)
    if plan.spec.budgets is not None:
        tables["budgets"] = dict(plan.spec.budgets)
    tables["name"] = f"{plan.spec.name}-trial-{trial.number}"
    if tables["schema_version"] == 1:  # the first line of a file, as people write it
        tables = {"schema_version": tables.pop("schema_version"), **tables}
    return (
        f"# Trial {trial.number} of the search of {plan.spec.name}: {values}\n{toml_text(tables)}"
    )
