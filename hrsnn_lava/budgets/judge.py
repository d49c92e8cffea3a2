"""Budgets: limits on the numbers of a report, and whether it keeps them.

A number that the report does not have breaks its budget, with the reason: a gate that passes
because nothing was measured is none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hrsnn_lava.budgets import quantities
from hrsnn_lava.budgets.quantities import Quantity, ReportData, is_number, measure, shown
from hrsnn_lava.errors import Problem, SpecError, raise_if

#: Energies are sums of products: equal within this share counts as equal (our choice). Counts
#: are integers and are compared exactly.
SLACK = 1e-9
_INTEGER = re.compile(r"[+-]?\d{1,19}")


@dataclass(frozen=True)
class Budget:
    """One limit.

    Attributes:
        key: as it was written, such as ``max_sops`` or ``max:sop.total``.
        limit: in the unit of the quantity.
        most: True for an upper limit, False for a lower one, None where the report says it.
        quantity: what is limited.
    """

    key: str
    limit: float
    most: bool | None
    quantity: Quantity

    @classmethod
    def of(cls, key: str, limit: Any) -> Budget:
        """A budget by its key and a number.

        Raises:
            SpecError: an unknown key, or a limit that is no finite number.
        """
        key = key.strip()
        most, quantity = _target(key)
        in_table = quantity.name in quantities.QUANTITIES
        allowed = "a finite number >= 0" if in_table else "a finite number"
        if not is_number(limit) or not math.isfinite(limit) or (in_table and limit < 0):
            raise wrong(key, repr(limit)[:80], allowed)
        return cls(key, limit, most, quantity)

    @classmethod
    def parse(cls, text: str) -> Budget:
        """``KEY=VALUE``; what is behind the last ``=`` is the value."""
        key, sign, value = text.rpartition("=")
        if not sign or not key.strip():
            raise wrong(repr(text), "no budget", "KEY=VALUE, such as max_sops=20000")
        return cls.of(key, number(value, key.strip()))


@dataclass(frozen=True)
class JudgedBudget:
    """A budget and what the report says of it; an entry of ``budgets`` in a ``report.json``.

    Attributes:
        key: of the budget.
        value: measured, in `unit`; None when it is not known.
        limit: in `unit`.
        unit: of both; empty for numbers by path.
        ok: whether it is kept.
        reason: why it is not; empty when it is.
        margin_percent: room that is left, in percent of the limit; negative when broken, None
            where the limit is 0 or the value is not known.
        most: True for an upper limit, False for a lower one; None for a score that the report
            does not have, so that nobody knows which it is.
        where: what was read, as a path of the report.
        proxy: the value rests on prices of another chip.
    """

    key: str
    value: float | None
    limit: float
    unit: str
    ok: bool
    reason: str
    margin_percent: float | None
    most: bool | None
    where: str
    proxy: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @property
    def allowed(self) -> str:
        """``<= 1,000 SOP``."""
        words = {True: "<=", False: ">=", None: "no worse than"}
        return f"{words[self.most]} {shown(self.limit, self.unit)}"

    def line(self) -> str:
        """One line: measured, limit, by how much."""
        if self.value is None:
            return f"{self.key}: not known; allowed: {self.allowed}; {self.reason}"
        text = f"{self.key}: {shown(self.value, self.unit)}; allowed: {self.allowed}"
        if self.reason:
            text += f"; {self.reason}"
        return text + (" (proxy: prices of another chip)" if self.proxy else "")


def wrong(where: str, measured: str, allowed: str = "", fix: str = "") -> SpecError:
    """The error of one budget or tolerance, as a problem that can be put with others."""
    problem = Problem(where, measured, allowed, fix)
    return SpecError("a budget or tolerance is not valid", problems=[problem])


def number(text: str, where: str) -> float:
    """A finite number; integers stay integers, so that counts are compared exactly.

    Raises:
        SpecError: no number, NaN or infinite.
    """
    bare = text.strip().replace("_", "")
    try:
        value = int(bare) if _INTEGER.fullmatch(bare) else float(bare)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise wrong(where, repr(text.strip())[:80], "a finite number")
    return value


def budgets_of(table: Mapping[str, Any], where: str = "budgets") -> tuple[Budget, ...]:
    """The budgets of a table of keys and limits.

    Raises:
        SpecError: every wrong key and limit at once.
    """
    budgets: list[Budget] = []
    problems: list[Problem] = []
    for key, limit in table.items():
        try:
            budgets.append(Budget.of(str(key), limit))
        except SpecError as error:
            problems += error.problems
    raise_if(SpecError, f"{where}: not valid", problems)
    return tuple(budgets)


def judge(
    report: ReportData, budgets: Iterable[Budget], *, proxy_ok: bool = True
) -> tuple[JudgedBudget, ...]:
    """One row a budget, in their order."""
    return tuple(_row(report, budget, proxy_ok) for budget in budgets)


def with_budgets(
    report: ReportData, budgets: Mapping[str, Any] | Iterable[Budget] | None
) -> dict[str, Any]:
    """A report with its ``budgets``; one that is not kept makes its verdict FAIL.

    Raises:
        SpecError: see `budgets_of`.
    """
    limits = budgets_of(budgets) if isinstance(budgets, Mapping) else tuple(budgets or ())
    rows = judge(report, limits)
    judged: dict[str, Any] = {}
    for key, value in report.items():  # beside the verdict, which they are part of
        judged[key] = value
        if key == "violations":
            judged["budgets"] = []
    judged["budgets"] = [row.to_dict() for row in rows]
    broken = [row for row in rows if not row.ok]
    if broken:
        first = broken[0]
        text = f"budget not kept: {first.key} is {shown(first.value, first.unit)}"
        text += f", allowed {first.allowed}"
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        judged.update(verdict="FAIL", summary=f"{text}{more}; {report['summary']}")
    return judged


def exceeds(value: float, limit: float) -> bool:
    """True when `value` is above `limit`; floats within `SLACK` of it are not."""
    if isinstance(value, int):
        return value > limit
    return value > limit + SLACK * abs(limit)


def _target(key: str) -> tuple[bool | None, Quantity]:
    """Whether a key sets an upper limit, and what it limits."""
    score = quantities.of_score(key)
    if score is not None:
        return None, score
    for kind in ("max", "min"):
        if key.startswith(f"{kind}:"):
            try:
                return kind == "max", quantities.of_path(quantities.parts(key[4:].strip()))
            except ValueError as error:
                raise wrong(key, str(error), "max:a.b.c or max:/a/b/c") from None
        name = key.removeprefix(f"{kind}_")
        if name != key and name in quantities.QUANTITIES:
            return kind == "max", quantities.QUANTITIES[name]
    raise wrong(key, "unknown key", fix=quantities.near(key))


def _row(report: ReportData, budget: Budget, proxy_ok: bool) -> JudgedBudget:
    measured = measure(report, budget.quantity)
    quantity, value, limit, most = measured.quantity, measured.value, budget.limit, budget.most
    if most is None and quantity.worse != "worse":
        most = quantity.worse == "higher"
    row = JudgedBudget(
        key=budget.key,
        value=value,
        limit=limit,
        unit=quantity.unit,
        ok=value is not None,
        reason=measured.reason,
        margin_percent=None,
        most=most,
        where=quantity.where,
        proxy=measured.proxy,
    )
    if value is None:
        return row
    room = limit - value if most else value - limit
    margin = 100.0 * room / abs(limit) if limit else None
    if margin is not None and not math.isfinite(margin):
        margin = None
    row = replace(row, margin_percent=margin)
    broken = exceeds(value, limit) if most else exceeds(-value, -limit)
    if broken:
        share = "" if margin is None else f", {abs(margin):.4g} %"
        side = "above" if most else "below"
        reason = f"{shown(abs(room), quantity.unit)}{share} {side} the limit"
        return replace(row, ok=False, reason=reason + _static_text(report, row))
    if measured.proxy and not proxy_ok:
        return replace(row, ok=False, reason="a proxy is not accepted here")
    return row


def _static_text(report: ReportData, row: JudgedBudget) -> str:
    """How much of an energy or power that is too high is static; empty for other values.

    Static power is charged for the time of a step, so no change of the network moves it.
    """
    static = quantities.static_share(report, row.where)
    if not static or not row.most or row.value is None:
        return ""
    part = static * row.value
    text = f"; {shown(part, row.unit)} of it static"
    if exceeds(part, row.limit):
        text += ", above the limit alone: limit the dynamic energy, or price shorter steps"
    return text
