"""What a search is to do: its space, objectives and suggester, checked before anything is tried."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hrsnn_lava import __version__
from hrsnn_lava.budgets.quantities import QUANTITIES
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.experiment.runner import named_files, own_parts
from hrsnn_lava.experiment.spec_trial import merged
from hrsnn_lava.options import table_of
from hrsnn_lava.search.space import Space
from hrsnn_lava.search.suggester import Suggester
from hrsnn_lava.search.trial import Job
from hrsnn_lava.search_options import Objective, SearchOptions
from hrsnn_lava.spec import Spec

__all__ = ["CONFIRMING", "EVALUATE", "SearchPlan", "differences"]

#: What measures a network, unless told otherwise.
EVALUATE = "hrsnn_lava.search.network_trial:measure_network"
#: Seeds that compare the winner in the end are so far behind those of the trials.
CONFIRMING = 1_000_000
#: Keys of ``[search]`` that another search may have and still go on with this one's ledger.
_FREE = ("trials", "retries", "confirm")
#: Keys that say that a table defines a dimension, and is none of the spec on the way to one.
_DEFINES = ("distribution", "values", "value", "low", "high")


@dataclass(frozen=True, eq=False)
class SearchPlan:
    """A search that can be run; `of` makes it.

    Attributes:
        spec: what is varied.
        options: its ``[search]``.
        space: of the points.
        objectives: what is made large or small.
        tables: the complete spec without ``[search]``, plain values.
        evaluate: what measures a network, ``module:function``.
    """

    spec: Spec
    options: SearchOptions
    space: Space
    objectives: tuple[Objective, ...]
    tables: Mapping[str, Any]
    evaluate: str = EVALUATE

    @classmethod
    def of(cls, spec: Spec, *, evaluate: str = EVALUATE) -> SearchPlan:
        """The plan of a spec.

        Raises:
            SpecError: it has no ``[search]``, its space is none of the spec, or has values that
                its trials do not look at, or an objective is one that they do not measure.
        """
        options = spec.search
        if options is None:
            fix = "add it, with [search.space]: see docs/search.md"
            problem = Problem("search", "missing", "a table [search]", fix)
            raise SpecError("the spec says nothing of a search", problems=[problem])
        space = Space.parse(flat(options.space), "search.space")
        objectives = tuple(Objective.parse(text) for text in options.objectives)
        plan = cls(spec, options, space, objectives, json.loads(spec.canonical()), evaluate)
        plan._check_stop()
        plan._check_paths()
        plan._check_middle()
        plan._check_objectives()
        return plan

    @property
    def suggester(self) -> Suggester:
        """What chooses points."""
        chosen: Suggester = self.options.suggester
        return chosen

    @property
    def rounds(self) -> int:
        """Rounds of `batch` points; the last one may be cut."""
        return -(-self.options.trials // self.options.batch)

    def settings(self, point: tuple[float, ...]) -> dict[str, Any]:
        """Values of the spec at a point, by dotted path."""
        return self.space.settings(point)

    def seeds(self, trial: int) -> tuple[int, ...]:
        """Of the networks of a trial."""
        first = self.spec.seed + (trial * self.options.repeats if self.options.fresh_seeds else 0)
        return tuple(range(first, first + self.options.repeats))

    def job(
        self, trial: int, settings: Mapping[str, Any], thresholds: Mapping[str, tuple[float, ...]]
    ) -> Job:
        """What is sent to whoever runs a trial."""
        return self._job(trial, settings, self.seeds(trial), thresholds)

    def confirming(self, number: int, settings: Mapping[str, Any], seed: int) -> Job:
        """A network on a seed that no trial had."""
        fresh = self.spec.seed + CONFIRMING + seed
        return self._job(CONFIRMING + number, settings, (fresh,), {})

    def _job(
        self,
        trial: int,
        settings: Mapping[str, Any],
        seeds: tuple[int, ...],
        thresholds: Mapping[str, tuple[float, ...]],
    ) -> Job:
        o = self.options
        return Job(
            trial=trial,
            tables=merged(self.tables, settings),
            seeds=seeds,
            objectives=tuple(map(str, self.objectives)),
            evaluate=self.evaluate,
            measure=o.measure,
            thresholds=thresholds,
            seconds=o.seconds,
            memory_mb=o.memory_mb,
            retries=o.retries,
            version=__version__,
        )

    def spec_of(self, settings: Mapping[str, Any]) -> Spec:
        """The spec with the values of a point."""
        return Spec.parse(merged(self.tables, settings), "the spec of the trial")

    def head(self) -> dict[str, Any]:
        """What tells searches apart: the first entry of the ledger, plain values."""
        search = json.loads(json.dumps(table_of(self.options)))
        search["space"] = self.space.table()
        for key in _FREE:
            del search[key]
        text = json.dumps([self.tables, search])
        return {
            "kind": "search",
            "schema_version": 1,
            "version": __version__,
            "evaluate": self.evaluate,
            "spec": self.tables,
            "search": search,
            "files": list(named_files(text)),
            "parts": list(own_parts()),
        }

    def _check_stop(self) -> None:
        """Refuse to give trials up that have nothing left to be given up."""
        stop, repeats = self.options.stop, self.options.repeats
        if stop is not None and stop.after >= repeats:
            allowed = f"< search.repeats = {repeats}"
            fix = "give search.repeats more, or leave search.stop out"
            problem = Problem("search.stop.after", str(stop.after), allowed, fix)
            raise SpecError("trials cannot be given up", problems=[problem])

    def _check_paths(self) -> None:
        """Refuse values that make no difference to a trial: all of them would be the same."""
        if self.evaluate != EVALUATE:
            return
        measure = self.options.measure
        unread = () if measure == "program" else _OF_PROGRAMS
        if measure == "float" and self.spec.surrogate is None:  # which rounds weights as it does
            unread = (*unread, "quantize")
        problems = []
        for dimension in self.space.dimensions:
            table = dimension.path.partition(".")[0]
            where = f"search.space: {dimension.path}"
            if table in _FIXED:
                problems.append(Problem(where, "makes no difference to a trial", _FIXED[table]))
            elif table in unread:
                measured = f'not looked at by search.measure = "{measure}"'
                fix = 'set search.measure = "program"'
                if table == "quantize":
                    fix += ' or "integers"'
                problems.append(Problem(where, measured, "what trials look at", fix))
        raise_if(SpecError, "the space has values that make no difference", problems)

    def _check_middle(self) -> None:
        """Try the middle of the space as a spec: wrong paths and values are told before a trial."""
        settings = self.settings((0.5,) * self.space.size)
        try:
            self.spec_of(settings)
        except SpecError as error:
            problems = [
                Problem(f"search.space: {p.where}", p.measured, p.allowed, p.fix)
                for p in error.problems
            ]
            message = "the spec is not valid in the middle of search.space"
            raise SpecError(message, problems=problems) from None

    def _check_objectives(self) -> None:
        """Refuse what only a program has, where no trial makes one."""
        if self.options.measure == "program" or self.evaluate != EVALUATE:
            return
        names = [name for objective in self.objectives for name in objective.figures]
        raise_if(
            SpecError,
            "objectives that the trials do not measure",
            [
                Problem(
                    "search.objectives",
                    name,
                    f'figures of search.measure = "{self.options.measure}"',
                    'set search.measure = "program"',
                )
                for name in names
                if name in QUANTITIES.keys() - _OF_NETWORKS
            ],
        )


#: What a search sets itself, or what only names or judges, and what may vary in its place.
_FIXED = {
    "schema_version": "values of the network, its task and its program",
    "name": "values of the network, its task and its program",
    "seed": "search.repeats or search.fresh_seeds, for several seeds",
    "budgets": "values of the network, its task and its program",
    "search": "values of the network, its task and its program",
}
#: Tables that make a program of a network.
_OF_PROGRAMS = (
    "prune",
    "stock_groups",
    "lower_stock",
    "partition",
    "palette",
    "absorb_thresholds",
    "place",
    "compile",
    "verify",
    "report",
)
#: Scores of tasks that are called like a quantity of a report.
_OF_NETWORKS = {"accuracy", "rmse"}


def flat(table: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Definitions by dotted path; paths may be written as tables in tables, as TOML reads dots."""
    definitions: dict[str, Any] = {}
    for key, value in table.items():
        path = f"{start}{key}"
        if isinstance(value, Mapping) and value and not any(name in value for name in _DEFINES):
            definitions |= flat(value, f"{path}.")
        else:
            definitions[path] = value
    return definitions


def differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Problem]:
    """What tells the search of a ledger from another one, by the first entries of both."""
    old, new = dict(_leaves(there)), dict(_leaves(wanted))
    return [
        Problem(path, f"{_shown(new, path)} here", f"{_shown(old, path)}, as in the ledger")
        for path in dict.fromkeys((*old, *new))
        if path not in old or path not in new or old[path] != new[path]
    ]


def _shown(leaves: Mapping[str, Any], path: str) -> str:
    return json.dumps(leaves[path]) if path in leaves else "nothing"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value
