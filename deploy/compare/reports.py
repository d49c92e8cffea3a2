"""What moved between two reports, and by how much each part contributed.

The change of operations is split into causes in `hrsnn_lava.deploy.compare.differences`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hrsnn_lava.budgets.quantities import ReportData, is_number, rows, table
from hrsnn_lava.deploy.compare.differences import (
    Change,
    Difference,
    ProjectionChange,
    at,
    by_size,
    projection_changes,
    run_length,
    walk,
)

#: Sections of a report that are compared by rules of their own, or follow from the others.
_BY_RULE = ("sop", "energy", "cores", "constraints", "transforms", "activity", "accuracy")
_DERIVED = ("schema_version", "summary", "violations", "provenance")


@dataclass(frozen=True)
class TermChange:
    """A term of the energy; counts and prices per event before and after, in joules.

    `from_count` and `from_price` sum up to the change; both are None where a price is missing.
    """

    name: str
    count: Change
    coefficient_j: Change
    energy_j: Change

    @property
    def from_count(self) -> float | None:
        """Share of the change that more or fewer events cause, in joules."""
        return _product_share(self.count, self.coefficient_j)

    @property
    def from_price(self) -> float | None:
        """Share of the change that another price causes, in joules."""
        return _product_share(self.coefficient_j, self.count)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "count": self.count.to_dict(),
            "coefficient_j": self.coefficient_j.to_dict(),
            "energy_j": self.energy_j.to_dict(),
            "from_count_j": self.from_count,
            "from_price_j": self.from_price,
        }


@dataclass(frozen=True)
class ReportDifference(Difference):
    """What differs between two reports.

    Attributes:
        headline: the figures asked for first (operations, energy, cores ...), the same ones too.
        projections: those of which a figure differs.
        terms: of the energy.
        sections: ``cores`` (their operations, when the cores of both correspond), ``activity``,
            ``constraints``, ``transforms``, ``accuracy`` and ``other``.
    """

    headline: tuple[Change, ...] = ()
    projections: tuple[ProjectionChange, ...] = ()
    terms: tuple[TermChange, ...] = ()

    @property
    def moved(self) -> bool:
        """As of any difference; the headline holds figures that are the same, too."""
        parts = (self.projections, self.terms, *self.sections.values())
        return any(parts) or any(c.before != c.after for c in self.headline)

    def grown(self) -> tuple[ProjectionChange, ...]:
        """Projections with more operations than before, the largest growth first."""
        return tuple(p for p in self.projections if p.delta > 0)

    def tables(self) -> Mapping[str, Sequence[Any]]:
        """Headline, projections and terms of the energy."""
        return {
            "headline": self.headline,
            "projections": self.projections,
            "energy_terms": self.terms,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        first = {"kind": self.kind, "before": self.before, "after": self.after}
        return {**first, "moved": self.moved, "notes": list(self.notes), **super().to_dict()}


def compare_reports(
    before: ReportData,
    after: ReportData,
    names: tuple[str, str] = ("before", "after"),
) -> ReportDifference:
    """Compare two reports (the content of ``report.json``); neither is changed."""
    cores, core_notes = _cores(before, after)
    return ReportDifference(
        *names,
        "report",
        {
            "cores": cores,
            "activity": _changes(before, after, "activity"),
            "constraints": _constraints(before, after),
            "transforms": pass_changes(before, after),
            "accuracy": _changes(before, after, "accuracy"),
            "other": _others(before, after),
        },
        (*_notes(before, after), *core_notes),
        _headline(before, after),
        projection_changes(before, after),
        _terms(before, after),
    )


_HEADLINE = (
    "verdict",
    "profile",
    "sop.total",
    "sop.macs",
    "activity.steps",
    "activity.spikes",
    "energy.cost_set",
    "energy.dynamic_j",
    "energy.static_j",
    "energy.total_j",
    "network.synapses",
    "mapping.cores",
)


def _headline(before: ReportData, after: ReportData) -> tuple[Change, ...]:
    return tuple(Change(path, at(before, path), at(after, path)) for path in _HEADLINE)


def _terms(before: ReportData, after: ReportData) -> tuple[TermChange, ...]:
    rows_a, rows_b = (
        {str(t.get("name")): t for t in rows(table(r, "energy"), "terms")} for r in (before, after)
    )
    changes = []
    for name in dict.fromkeys((*rows_b, *rows_a)):
        a, b = rows_a.get(name, {}), rows_b.get(name, {})
        count, price, energy = (
            Change(f"energy.terms.{name}.{key}", a.get(key), b.get(key))
            for key in ("count", "coefficient_j", "energy_j")
        )
        if any(c.before != c.after for c in (count, price, energy)):
            changes.append(TermChange(name, count, price, energy))
    return tuple(sorted(changes, key=lambda t: -abs(t.energy_j.delta or 0.0)))


def _product_share(own: Change, other: Change) -> float | None:
    delta = own.delta
    if delta is None or not (is_number(other.before) and is_number(other.after)):
        return None
    return float(delta * (other.before + other.after) / 2)


def _cores(before: ReportData, after: ReportData) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Operations by core; cores correspond when number, neurons and tiles are the same."""
    rows_a, rows_b = rows(before, "cores"), rows(after, "cores")
    shape_a, shape_b = (
        [(row.get("neurons"), row.get("tile")) for row in cores] for cores in (rows_a, rows_b)
    )
    if shape_a != shape_b:
        note = "cores do not correspond, so they are not compared one by one"
        return tuple(walk("cores", _summed(shape_a), _summed(shape_b))), (note,)
    changes = [
        Change(f"core {k}.{key}", a.get(key), b.get(key))
        for k, (a, b) in enumerate(zip(rows_a, rows_b, strict=True))
        for key in dict.fromkeys((*b, *a))
        if a.get(key) != b.get(key)
    ]
    return by_size(changes, first="sops"), ()


def _summed(shape: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    """What can be said of cores that are not those of the other report."""
    neurons = ", ".join(str(count) for count, _ in shape)
    return {"number": len(shape), "neurons": neurons, "tiles": [t for _, t in shape]}


def _constraints(before: ReportData, after: ReportData) -> tuple[Change, ...]:
    """Use and limit of every resource, the largest change of a share of its limit first."""
    rows_a, rows_b = (
        {str(row.get("rule")): row for row in rows(r, "constraints")} for r in (before, after)
    )
    changes = []
    for rule in dict.fromkeys((*rows_b, *rows_a)):
        a, b = rows_a.get(rule, {}), rows_b.get(rule, {})
        share = Change(rule, a.get("fraction"), b.get("fraction")).delta
        for key in ("used", "limit"):
            change = Change(f"{rule}.{key}", a.get(key), b.get(key))
            if change.before != change.after:
                changes.append((abs(share or 0.0), change))
    return tuple(change for _, change in sorted(changes, key=lambda pair: -pair[0]))


def pass_changes(before: ReportData, after: ReportData) -> tuple[Change, ...]:
    """Passes that were added, removed or given other options, and what they made of the sizes."""
    runs_a, runs_b = _passes(before), _passes(after)
    both = [name for name in runs_b if name in runs_a]
    changes = [Change(f"pass {name}", None, "ran") for name in runs_b if name not in runs_a]
    changes += [Change(f"pass {name}", "ran", None) for name in runs_a if name not in runs_b]
    for key in ("options", "before", "after", "report"):  # what was asked for comes first
        for name in both:
            changes += walk(f"pass {name}.{key}", runs_a[name].get(key), runs_b[name].get(key))
    return tuple(changes)


def _passes(report: ReportData) -> dict[str, ReportData]:
    """Pass records by name; a pass that ran again gets a number."""
    passes: dict[str, ReportData] = {}
    for row in rows(report, "transforms"):
        name, count = str(row.get("name")), 2
        while name in passes:
            name, count = f"{row.get('name')} #{count}", count + 1
        passes[name] = row
    return passes


def _others(before: ReportData, after: ReportData) -> tuple[Change, ...]:
    changes: list[Change] = []
    for key in dict.fromkeys((*after, *before)):
        if key not in (*_BY_RULE, *_DERIVED):
            changes += walk(key, before.get(key), after.get(key))
    for key, omitted_key in (("sop", "per_projection"), ("energy", "terms")):
        a, b = dict(table(before, key)), dict(table(after, key))
        for part in (a, b):
            part.pop(omitted_key, None)
        changes += walk(key, a, b)
    changes += walk("provenance", table(before, "provenance"), table(after, "provenance"))
    return tuple(change for change in changes if change.where not in _HEADLINE)


def _notes(before: ReportData, after: ReportData) -> Iterator[str]:
    steps = run_length(before), run_length(after)
    if not all(steps):
        sides = " and ".join(
            side for side, n in zip(("before", "after"), steps, strict=True) if not n
        )
        yield f"no run is reported {sides}: operations and energy are those of no step"
    elif steps[0] != steps[1]:
        yield f"the runs have {steps[0]:,} and {steps[1]:,} steps"
    for key, what in (("profile", "profiles"), ("energy.cost_set", "cost sets")):
        a, b = at(before, key), at(after, key)
        if a != b:
            yield f"other {what}: {a or 'none'} and {b or 'none'}"


def _changes(before: ReportData, after: ReportData, key: str) -> tuple[Change, ...]:
    changes = walk(key, before.get(key), after.get(key))
    return by_size([change for change in changes if change.where not in _HEADLINE])
