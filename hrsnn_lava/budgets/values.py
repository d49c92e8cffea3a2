"""The value of a quantity in a report, or why there is none that could be trusted."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hrsnn_lava.budgets import keys
from hrsnn_lava.budgets.keys import Quantity

if TYPE_CHECKING:
    from typing import TypeGuard

#: Magnitude beyond which a number is a mistake; shares of it still fit a double.
LARGEST = 1e300
#: Units that are words.
_WORDS = ["core", "chip", "neuron", "synapse", "byte", "spike", "message", "hop", "update", "value"]


@dataclass(frozen=True)
class Measured:
    """A quantity as a report has it.

    Attributes:
        value: in the unit of the quantity; None when the report does not have it.
        reason: why not.
        proxy: it rests on prices of another chip.
    """

    value: float | None
    reason: str = ""
    proxy: bool = False


def measure(report: Mapping[str, Any], quantity: Quantity) -> Measured:
    """The value of a quantity in a report, or why there is none."""
    value, where, reason = None, quantity.paths[0], ""
    for path in quantity.paths:
        try:
            value, where = at(report, path), path
            break
        except LookupError as error:
            reason = reason or str(error)
    else:
        if len(quantity.paths) > 1:
            reason = f"the report has none of {', '.join('.'.join(p) for p in quantity.paths)}"
        return Measured(None, reason + _unrun(report, where))
    reason = _obstacle(report, where, value)
    if reason:
        return Measured(None, reason, _proxy(report, where))
    if abs(value) > LARGEST:
        return Measured(None, f"{'.'.join(where)} is out of range")
    if quantity.over is not None:
        by = _divisor(report, quantity.over)
        if not by:
            over = ".".join(quantity.over)
            return Measured(None, f"{over} is {'0' if by == 0 else 'not known'}")
        value = value / by
    if quantity.scale != 1.0:
        value = value * quantity.scale
    if not abs(value) <= LARGEST:
        return Measured(None, f"{'.'.join(where)} is out of range")
    return Measured(value, "", _proxy(report, where))


def shown(value: float | None, unit: str = "") -> str:
    """A number for people: counts whole, other numbers in six digits, with the unit."""
    if value is None:
        return "not known"
    whole = isinstance(value, int) or (abs(value) < 1e15 and float(value).is_integer())
    text = f"{int(value):,}" if whole else f"{value:,.6g}"
    return f"{text} {unit}{'s' if unit in _WORDS and value != 1 else ''}".rstrip()


def _divisor(report: Mapping[str, Any], path: keys.Path) -> float | None:
    try:
        value = at(report, path)
    except LookupError:
        return None
    return value if is_number(value) and not _obstacle(report, path, value) else None


def _obstacle(report: Mapping[str, Any], path: keys.Path, value: Any) -> str:
    """Why a value must not be taken for what it seems; empty when it may."""
    name = ".".join(path)
    if value is None:
        return f"{name} is null{_unpriced(report, path)}{_unrun(report, path)}"
    if not is_number(value):
        return f"{name} is no number"
    sop = table(report, "sop")
    if path[0] == "sop" and sop.get("inputs_known") is False and path[1] != "host_macs":
        return f"{name} is a lower bound: the trace does not hold its input spikes"
    if ("dynamic_j" in path or "dynamic_w" in path) and _unpriced(report, path):
        return f"{name} is incomplete{_unpriced(report, path)}"
    if path == ("parity", "mismatches") and len(table(report, "parity").get("backends") or ()) < 2:
        return f"{name} says nothing: fewer than two backends were compared"
    return ""


def _unpriced(report: Mapping[str, Any], path: keys.Path) -> str:
    if path[0] == "timing":
        unknown = table(report, "timing").get("unknown")
        return f": not known: {', '.join(map(str, unknown))}" if unknown else ""
    if path[0] not in ("energy", "energy_by_cost_set", "per_sample", "per_second"):
        return ""
    left = _prices(report, path).get("unpriced")
    rows = left if _is_list(left) else ()
    names = [str(row.get("name") if isinstance(row, Mapping) else row) for row in rows]
    if "dynamic_j" in path or "dynamic_w" in path:
        names = [name for name in names if name != "static power"]
    return f": no price for {', '.join(names)}" if names else ""


def _unrun(report: Mapping[str, Any], path: keys.Path) -> str:
    if table(report, "activity").get("steps") is None and path[0] not in ("network", "mapping"):
        return "; the report was made without a run"
    if path[-1] in ("samples", "per_sample", "per_sample_j"):
        return "; the report states no number of samples; `hrsnn-lava report --samples N` does"
    return ""


def _proxy(report: Mapping[str, Any], path: keys.Path) -> bool:
    priced = _prices(report, path).get("proxy") is True
    if path[0] == "timing":
        delay = path[-1] == "energy_delay_js" and priced
        return delay or table(report, "timing").get("proxy") is True
    joules = any(key.endswith(("_j", "_w")) for key in path)
    about = path[0] in ("energy", "energy_by_cost_set")
    return priced and (about or (path[0] in ("per_sample", "per_second") and joules))


def _prices(report: Mapping[str, Any], path: keys.Path) -> Mapping[str, Any]:
    """The energy that a path belongs to: one of the table of cost sets, or the report's."""
    if path[0] != "energy_by_cost_set":
        return table(report, "energy")
    try:
        found = at(report, path[:2])
    except LookupError:
        return {}
    return found if isinstance(found, Mapping) else {}


def table(report: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A part of a report; an empty table where it has none."""
    found = report.get(key)
    return found if isinstance(found, Mapping) else {}


def at(report: Mapping[str, Any], path: keys.Path) -> Any:
    """What a report holds at a path.

    Raises:
        LookupError: it has nothing there; the message says how far the path leads.
    """
    if path == keys.CORE_FILL:
        return core_fill(report)
    if path == keys.CORE_SOPS:
        return _largest(at(report, path[:-1]))
    value: Any = report
    for k, key in enumerate(path):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif _is_list(value) and key.isdecimal() and len(key) < 9 and int(key) < len(value):
            value = value[int(key)]
        else:
            raise LookupError(_missing(value, path, k))
    return value


def core_fill(report: Mapping[str, Any]) -> float | None:
    """Largest share that any core uses of a limit that is known."""
    rows = report.get("constraints")
    if not _is_list(rows):
        raise LookupError("the report has no constraints")
    shares = [
        row.get("fraction")
        for row in rows
        if isinstance(row, Mapping) and row.get("rule") not in keys.FILLED
    ]
    largest: float | None = _largest(shares)
    return largest


def is_number(value: Any) -> TypeGuard[float]:
    """True for what a budget can be set on."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _largest(values: Any) -> Any:
    found: list[Any] = [v for v in values if is_number(v)] if _is_list(values) else []
    return max(found, default=None)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _missing(value: Any, path: keys.Path, k: int) -> str:
    there = ".".join(path[:k]) or "the report"
    if isinstance(value, Mapping):
        close = difflib.get_close_matches(path[k], [str(key) for key in value], n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        return f"{there} has no {path[k]!r}{hint}"
    if _is_list(value):
        return f"{there} has {len(value)} entries, none of them {path[k]!r}"
    return f"{there} is {'null' if value is None else 'no table'}"


def steps_of(report: Mapping[str, Any]) -> float | None:
    """Steps of the run; None without one."""
    steps = table(report, "activity").get("steps")
    return steps if is_number(steps) else None
