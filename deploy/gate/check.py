"""The gate: a report against budgets and a baseline, one verdict.

The verdict is PASS when the report's own verdict is, every budget is kept, and nothing got worse
than its tolerance.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hrsnn_lava.budgets.judge import Budget, JudgedBudget, budgets_of, judge
from hrsnn_lava.budgets.quantities import ReportData, is_number, table
from hrsnn_lava.deploy.compare.differences import Growth, growth, projection_counts
from hrsnn_lava.deploy.compare.files import as_report, read_report
from hrsnn_lava.deploy.gate.baseline import BaselineRow, changes, remarks
from hrsnn_lava.errors import GateError, SpecError
from hrsnn_lava.notebook import brief

#: Projections that are named.
NAMED = 3


@dataclass(frozen=True)
class Prices:
    """What the energies of a report rest on; None where nothing is priced."""

    cost_set: str | None
    scope: str | None
    evidence: tuple[str, ...]
    proxy: bool
    step_time_s: float | None

    def line(self) -> str:
        """One line."""
        if self.cost_set is None:
            return "no cost set: energies are not known"
        grades = ", ".join(self.evidence) or "not stated"
        scope = f" ({self.scope})" if self.scope else ""
        text = f"cost set {self.cost_set}{scope}, evidence: {grades}"
        return text + ("; proxy: prices of another chip" if self.proxy else "")


@brief("verdict", "project", "profile", "rows", "changes")
@dataclass(frozen=True)
class CheckResult:
    """What the gate found.

    Attributes:
        rows: one per budget.
        changes: one per number compared with the baseline.
        project, profile: of the report.
        report_verdict, summary: the report's own, and its sentence.
        growth: projections that grew against the baseline, most first.
        shares: projections by their share (0 to 1) of the synaptic operations, most first.
        prices: what the energies rest on.
        baseline: whether there was one.
        notes: what else differs from the baseline.
    """

    rows: tuple[JudgedBudget, ...]
    changes: tuple[BaselineRow, ...]
    project: str
    profile: str
    report_verdict: str
    summary: str
    growth: tuple[Growth, ...]
    shares: tuple[tuple[str, float], ...]
    prices: Prices
    baseline: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> str:
        """``PASS`` or ``FAIL``."""
        return "FAIL" if self.breaches else "PASS"

    @property
    def exit_code(self) -> int:
        """0, or that of `GateError`."""
        return GateError.exit_code if self.breaches else 0

    @property
    def checked(self) -> int:
        """How many things were looked at, the report's own verdict among them."""
        return 1 + len(self.rows) + len(self.changes)

    @property
    def breaches(self) -> tuple[str, ...]:
        """One line for everything that failed: measured, limit, by how much."""
        lines = []
        if self.report_verdict != "PASS":
            lines.append(f"report: its own verdict is {self.report_verdict}: {self.summary}")
        lines += [row.line() for row in self.rows if not row.ok]
        lines += [row.line() for row in self.changes if not row.ok]
        return tuple(lines)

    def culprits(self) -> tuple[str, ...]:
        """The projections to look at: those that grew, or else those that cost most."""
        if self.baseline:
            return tuple(f"grew: {row.line()}" for row in self.growth[:NAMED])
        return tuple(
            f"{name}: {100 * share:.3g} % of the SOPs" for name, share in self.shares[:NAMED]
        )

    def require(self) -> None:
        """Raise `GateError`, with every breach, when the verdict is FAIL."""
        if self.breaches:
            lines = "\n".join(f"  - {line}" for line in self.breaches)
            raise GateError(f"{len(self.breaches)} of {self.checked} checks failed\n{lines}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "project": self.project,
            "profile": self.profile,
            "report": {"verdict": self.report_verdict, "summary": self.summary},
            "budgets": [row.to_dict() for row in self.rows],
            "changes": [row.to_dict() for row in self.changes],
            "breaches": list(self.breaches),
            "growth": [row.to_dict() for row in self.growth],
            "shares": [{"projection": n, "share": s} for n, s in self.shares],
            "prices": {**vars(self.prices), "evidence": list(self.prices.evidence)},
            "baseline": self.baseline,
            "remarks": list(self.notes),
        }


def check(
    report: Any,
    budgets: Mapping[str, Any] | Iterable[Budget] = (),
    baseline: Any = None,
    tolerances: Mapping[str, float] | None = None,
    *,
    proxy_ok: bool = True,
) -> CheckResult:
    """Hold a report against budgets and a baseline.

    Args:
        report: a ``report.json`` as a path or as plain data, or a `Report`.
        budgets: limits by key, such as ``{"max_sops": 20000}``; all keys are in
            `hrsnn_lava.budgets.quantities`.
        baseline: an older report, given in the same ways.
        tolerances: percent by key; without any, operations, cores and energy may not grow.
        proxy_ok: whether energies at the prices of another chip count.

    Raises:
        ArtifactError: no report, or one of another version.
        SpecError: an unknown key or a wrong number; tolerances without a baseline.
    """
    if tolerances and baseline is None:
        raise SpecError("tolerances need a baseline to be taken of")
    data = _data(report, "report")
    limits = budgets_of(budgets) if isinstance(budgets, Mapping) else tuple(budgets)
    older = None if baseline is None else _data(baseline, "baseline")
    return CheckResult(
        rows=judge(data, limits, proxy_ok=proxy_ok),
        changes=() if older is None else _changes(data, older, tolerances, proxy_ok),
        project=str(data["project"]),
        profile=str(data["profile"]),
        report_verdict=str(data["verdict"]),
        summary=str(data.get("summary", "")),
        growth=() if older is None else growth(older, data),
        shares=_shares(data),
        prices=_prices(data),
        baseline=older is not None,
        notes=() if older is None else tuple(remarks(data, older)),
    )


def _data(source: Any, where: str) -> dict[str, Any]:
    if isinstance(source, (str, os.PathLike)):
        return read_report(source)
    data = source.to_dict() if hasattr(source, "to_dict") else source
    return as_report(data, where)


def _changes(
    data: ReportData,
    older: ReportData,
    tolerances: Mapping[str, float] | None,
    proxy_ok: bool,
) -> tuple[BaselineRow, ...]:
    rows = changes(data, older, tolerances)
    if proxy_ok:
        return rows
    refused = "a proxy is not accepted here"
    return tuple(
        replace(row, ok=False, reason=refused) if row.proxy and row.ok and row.compared else row
        for row in rows
    )


def _shares(data: ReportData) -> tuple[tuple[str, float], ...]:
    counts = {name: row.sops for name, row in projection_counts(data).items() if row.sops > 0}
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple((name, count / total) for name, count in ordered)


def _prices(data: ReportData) -> Prices:
    energy = table(data, "energy")
    grades = energy.get("evidence")
    grades = [grades] if isinstance(grades, str) else grades
    step = energy.get("step_time_s")
    return Prices(
        None if energy.get("cost_set") is None else str(energy["cost_set"]),
        None if energy.get("scope") is None else str(energy["scope"]),
        tuple(str(g) for g in grades) if isinstance(grades, list) else (),
        energy.get("proxy") is True,
        step if is_number(step) else None,
    )
