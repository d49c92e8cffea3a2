"""A report against an older one: what changed, and whether it may.

::

    change = 100 (value - baseline) / |baseline|  percent

Only what can be compared is compared: where runs, prices or chips differ, the row fails with
the reason, or says that it was left out when nobody asked for it by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hrsnn_lava.budgets import quantities
from hrsnn_lava.budgets.judge import SLACK, wrong
from hrsnn_lava.budgets.quantities import (
    Quantity,
    ReportData,
    Worse,
    is_number,
    measure,
    shown,
    steps_of,
    table,
)
from hrsnn_lava.deploy.compare.differences import movement
from hrsnn_lava.errors import Problem, SpecError, raise_if

#: Compared when nothing is asked for: they are deterministic, so nothing may grow (our choice).
DEFAULTS = ("sops", "cores", "energy_uj")
#: What takes its place where two runs differ in length.
PER_STEP = {
    "sops": "sops_per_step",
    "energy_uj": "energy_uj_per_step",
    "dynamic_energy_uj": "dynamic_energy_uj_per_step",
    "spikes": "spikes_per_step",
    "messages": "messages_per_step",
    "hops": "hops_per_step",
}


@dataclass(frozen=True)
class BaselineRow:
    """One number of a report against the baseline's.

    Attributes:
        key: as it was asked for.
        value, baseline: in `unit`; None when not known.
        change_percent: relative to the baseline; None when it is 0 or not known.
        tolerance_percent: by how much it may get worse.
        worse: which change is for the worse; ``worse``: nobody says, the report has no such
            score.
        compared: False where the comparison would mean nothing.
        ok: whether it is within the tolerance; also True for what is left out unasked.
        better: whether it improved.
        reason: why it is not ok, or left out.
        proxy: it rests on prices of another chip.
    """

    key: str
    value: float | None
    baseline: float | None
    unit: str
    change_percent: float | None
    tolerance_percent: float
    worse: Worse
    compared: bool
    ok: bool
    better: bool
    reason: str
    proxy: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @property
    def allowed(self) -> str:
        """``at most 2 % higher``."""
        return f"at most {self.tolerance_percent:g} % {self.worse}"

    def line(self) -> str:
        """One line: both values, the change, what is allowed."""
        text = f"{self.key}: {shown(self.baseline, self.unit)} -> {shown(self.value, self.unit)}"
        if self.change_percent is not None:
            text += f" ({self.change_percent:+.4g} %)"
        text += f"; allowed: {self.allowed}"
        if self.reason:
            text += f"; {self.reason}"
        return text + (" (proxy: prices of another chip)" if self.proxy else "")


def target(key: str) -> Quantity:
    """What a tolerance is for: a name such as ``sops`` or ``max_sops``, or a path.

    Raises:
        SpecError: an unknown key.
    """
    key = key.strip()
    score = quantities.of_score(key)
    if score is not None:
        return score
    name = quantities.ALIASES.get(key, key)
    name = name if name in quantities.QUANTITIES else name.removeprefix("max_").removeprefix("min_")
    if name in quantities.QUANTITIES:
        return quantities.QUANTITIES[name]
    kind, sign, path = key.partition(":")
    has_direction = bool(sign) and kind in ("max", "min")
    if not has_direction and "." not in key and not key.startswith("/"):
        raise wrong(key, "unknown key", fix=quantities.near(key))
    try:
        quantity = quantities.of_path(quantities.parts(path if has_direction else key))
    except ValueError as error:
        raise wrong(key, str(error), "a.b.c or /a/b/c") from None
    return (
        replace(quantity, worse="lower" if kind == "min" else "higher")
        if has_direction
        else quantity
    )


def tolerances_of(percents: Mapping[str, Any], where: str = "tolerances") -> dict[str, float]:
    """Keys and percents, checked.

    Raises:
        SpecError: every unknown key and every percent that is no finite number >= 0, at once.
    """
    problems: list[Problem] = []
    for key, percent in percents.items():
        try:
            target(key)
        except SpecError as error:
            problems += error.problems
        if not is_number(percent) or not 0 <= percent <= 1e12:
            problems.append(Problem(key, repr(percent)[:80], "a percentage >= 0"))
    raise_if(SpecError, f"{where}: not valid", problems)
    return {key.strip(): percent for key, percent in percents.items()}


def changes(
    report: ReportData,
    base: ReportData,
    tolerances: Mapping[str, float] | None = None,
) -> tuple[BaselineRow, ...]:
    """One row per tolerance; without any, `DEFAULTS` at 0 %.

    Raises:
        SpecError: see `tolerances_of`.
    """
    if tolerances:
        percents = tolerances_of(tolerances)
        return tuple(_change(report, base, key, percents[key], by_name=True) for key in percents)
    names = (
        DEFAULTS
        if steps_of(report) == steps_of(base)
        else tuple(PER_STEP.get(n, n) for n in DEFAULTS)
    )
    return tuple(_change(report, base, name, 0.0, by_name=False) for name in names)


def remarks(report: ReportData, base: ReportData) -> list[str]:
    """What differs between the two runs besides their numbers, as far as reports say it."""
    notes = []
    ours, theirs = table(report, "provenance"), table(base, "provenance")
    if report["project"] != base["project"]:
        notes.append(f"the baseline is of another project: {base['project']}")
    if report["profile"] != base["profile"]:
        notes.append(f"profiles differ: {base['profile']} -> {report['profile']}")
    elif ours.get("profile_digest") != theirs.get("profile_digest"):
        notes.append(f"the profile {report['profile']} has changed since the baseline")
    if steps_of(report) != steps_of(base):
        steps = f"{shown(steps_of(base))} -> {shown(steps_of(report))} steps"
        notes.append(f"runs differ in length: {steps}; numbers of a whole run are not compared")
    if ours.get("seed") != theirs.get("seed"):
        notes.append(f"seeds differ: {theirs.get('seed')} -> {ours.get('seed')}")
    digests = ours.get("input_digest"), theirs.get("input_digest")
    if None not in digests and digests[0] != digests[1]:
        notes.append("inputs differ: a change of operations may come from there")
    if ours.get("version") != theirs.get("version"):
        notes.append(f"versions differ: {theirs.get('version')} -> {ours.get('version')}")
    if base["verdict"] != "PASS":
        notes.append("the baseline's own verdict is FAIL")
    return notes


def _change(
    report: ReportData, base: ReportData, key: str, tolerance: float, *, by_name: bool
) -> BaselineRow:
    now, before = (measure(data, target(key)) for data in (report, base))
    quantity = now.quantity
    row = BaselineRow(
        key=key,
        value=now.value,
        baseline=before.value,
        unit=quantity.unit,
        change_percent=None,
        tolerance_percent=tolerance,
        worse=quantity.worse,
        compared=False,
        ok=not by_name,
        better=False,
        reason="",
        proxy=now.proxy,
    )
    if reason := _incomparable(report, base, quantity):
        return replace(row, ok=False, reason=reason)
    if before.value is None:
        reason = f"baseline: {before.reason}"
        if now.value is None:
            reason = f"in both: {now.reason}"
        return replace(row, reason=reason if by_name else f"not compared; {reason}")
    if now.value is None:
        return replace(row, ok=False, reason=now.reason)
    return _judged(replace(row, compared=True), now.value, before.value)


def _judged(row: BaselineRow, value: float, base: float) -> BaselineRow:
    """The row with its change and whether that is allowed; integers are compared exactly."""
    change = movement(value, base, row.worse, row.tolerance_percent, SLACK)
    row = replace(row, change_percent=change.percent, ok=change.within, better=change.improved)
    if row.ok:
        return row
    if not base:
        return replace(row, reason="the baseline is 0, of which no percentage can be taken")
    return replace(
        row, reason=f"{shown(abs(value - base), row.unit)} {row.worse} than the baseline"
    )


def _incomparable(report: ReportData, base: ReportData, q: Quantity) -> str:
    """Why the two values of a quantity mean different things; empty when they do not."""
    if q.per_run and q.over is None and steps_of(report) != steps_of(base):
        instead = PER_STEP.get(q.name, "a number per step")
        steps = f"{shown(steps_of(base))} and {shown(steps_of(report))} steps"
        return f"runs differ in length ({steps}): compare {instead}"
    part = q.paths[0][0]
    if (
        part in ("mapping", "constraints", "timing", "cores")
        and report["profile"] != base["profile"]
    ):
        return f"profiles differ ({base['profile']} and {report['profile']})"
    if part == "timing" or q.over == ("energy", "wall_time_s"):
        modes = [table(r, "timing").get("mode") for r in (base, report)]
        if modes[0] != modes[1]:
            return f"timing modes differ ({modes[0]} and {modes[1]})"
    if part not in ("energy", "per_second") and q.paths[0][-1] != "energy_delay_js":
        return ""
    ours, theirs = table(report, "energy"), table(base, "energy")
    if ours.get("proxy") != theirs.get("proxy"):
        return f"profiles differ ({base['profile']} and {report['profile']}): one is a proxy"
    fastest = [table(r, "timing").get("mode") == "as_fast_as_possible" for r in (base, report)]
    pace_keys = () if all(fastest) else ("step_time_s",)  # the network's own otherwise
    for name in ("cost_set", "scope", *pace_keys):
        if ours.get(name) != theirs.get(name):
            both = f"{theirs.get(name)} and {ours.get(name)}"
            return f"the {name.replace('_', ' ')} differs ({both})"
    return ""
