"""The chips and cost sets that are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.errors import SpecError

if TYPE_CHECKING:
    from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile


@click.command("profiles")
@click.argument("name", required=False)
@click.option("--rules", is_flag=True, help="List the design rules that limits are checked by.")
@with_console
def profiles(console: Console, name: str | None, rules: bool) -> None:
    """List chips and cost sets, or show all of NAME (a name, or a file ending in .toml)."""
    if rules:
        if name is not None:
            raise SpecError("--rules: the rules are the same for every chip; leave NAME out")
        listed = design_rules()
        table = [(rule["rule"], rule["says"]) for rule in listed]
        console.result({"rules": listed}, columns(table, ("rule", "says")))
        return
    if name is None:
        data = _list()
        console.result(data, _list_text(data))
        return
    document = load(name)
    numbers = list(flatten(document.to_dict()))
    data = {"name": document.name, "digest": document.digest, "content": document.to_dict()}
    rows = [(n["path"], n["value"], n["unit"], n["evidence"], n["source"]) for n in numbers]
    text = [f"{document.name}: {document.title}", " ".join(document.description.split())]
    text.append(columns(rows, ("number", "value", "unit", "evidence", "source"), right=(1,)))
    text += [f"also published: {other}" for other in getattr(document, "alternatives", ())]
    text += [f"energy: {prices}" for prices in _energies(getattr(document, "cost_sets", ()))]
    console.result(data, "\n\n".join(text[:3]) + "".join(f"\n{line}" for line in text[3:]))


def _energies(names: tuple[str, ...]) -> Iterator[str]:
    """The cost sets of a chip with scope and evidence; a user's own set may be elsewhere."""
    from hrsnn_lava.hardware_profiles import CostSet

    for name in names:
        if name in CostSet.names():
            prices = CostSet.load(name)
            yield f"{name}, {prices.scope}, {', '.join(prices.evidence)}: {prices.title}"
        else:
            yield f"{name}, not among those that come with the package"


def design_rules() -> list[dict[str, str]]:
    """Every design rule: its name, and what it says in one sentence."""
    from hrsnn_lava.compiler.design_rules.check import rule_table

    return [{"rule": rule, "says": says} for rule, says in rule_table()]


def load(name: str) -> HardwareProfile | CostSet:
    """A chip or a cost set by name; a file is taken for what it says."""
    from hrsnn_lava.errors import ProfileError
    from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile

    if name in CostSet.names():
        return CostSet.load(name)
    if name.endswith(".toml"):
        try:
            return HardwareProfile.load(name)
        except ProfileError as error:
            try:
                return CostSet.load(name)
            except ProfileError as other:
                # the one with fewer faults is what it was meant to be
                raise min(error, other, key=lambda e: len(e.problems)) from None
    if name not in HardwareProfile.names():
        raise SpecError(
            f"no profile and no cost set {name!r}; there are: "
            f"{', '.join(HardwareProfile.names())}; {', '.join(CostSet.names())}"
        )
    return HardwareProfile.load(name)


def flatten(data: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """Every sourced number of a profile or cost set: path, value, unit, evidence, source."""
    if isinstance(data, dict):
        if {"unit", "source", "evidence"} <= set(data):
            name = data.get("name")
            path = f"{path} ({name})" if name else path
            yield {
                "path": path,
                "value": _value(data),
                "unit": data["unit"],
                "evidence": data["evidence"],
                "source": data["source"],
            }
            yield from _beside(data, path)
            return
        for key, item in data.items():
            yield from flatten(item, f"{path}.{key}" if path else key)
    elif isinstance(data, (list, tuple)):
        for index, item in enumerate(data):
            yield from flatten(item, f"{path}[{index}]")


def _beside(data: dict[str, Any], path: str) -> Iterator[dict[str, Any]]:
    """What stands beside a price: its range, other conditions, the time of the event."""

    def row(what: str, value: str, unit: str, evidence: str, source: str) -> dict[str, Any]:
        return {
            "path": f"{path}, {what}",
            "value": value,
            "unit": unit,
            "evidence": evidence,
            "source": source,
        }

    for low, high in (("low_j", "high_j"), ("low_w", "high_w")):
        if data.get(low) is not None:
            value = f"{data[low]:g}..{data[high]:g}"
            yield row("range", value, data["unit"], "", data["range_source"])
    for name, value in data.get("alternatives", {}).items():
        yield row(name.replace("_", " "), f"{value:g}", "J", data["evidence"], data["source"])
    if data.get("time_s") is not None and "time_evidence" in data:
        evidence = data["time_evidence"]
        yield row("time", f"{data['time_s']:g}", "s", evidence, data["source"])
    if data.get("overridden"):
        was = data.get("replaces_j", data.get("replaces_w"))
        value = "not published" if was is None else f"{was:g}"
        yield row("overridden, before", value, data["unit"], "", "of the set that is extended")


def _value(entry: dict[str, Any]) -> str:
    for key in ("value", "value_j", "value_w", "time_s"):
        if key in entry:
            value = entry[key]
            if isinstance(value, bool):
                return "yes" if value else "no"
            return "not published" if value is None else f"{value:,.6g}"
    if "low" in entry:
        low, high = entry["low"], entry["high"]
        return "not published" if low is None or high is None else f"{low}..{high}"
    values = entry.get("values", entry.get("seconds", ()))
    return " ".join(f"{value:g}" for value in values) or "not published"


def _list() -> dict[str, Any]:
    from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile

    chips = [HardwareProfile.load(name) for name in HardwareProfile.names()]
    sets = [CostSet.load(name) for name in CostSet.names()]
    return {
        "profiles": [
            {
                "name": chip.name,
                "title": chip.title,
                "cores": chip.total_cores,
                "neurons_per_core": chip.core.neurons.value,
                "cost_sets": list(chip.cost_sets),
                "digest": chip.digest,
            }
            for chip in chips
        ],
        "cost_sets": [
            {
                "name": prices.name,
                "title": prices.title,
                "chip": prices.chip,
                "scope": prices.scope,
                "evidence": list(prices.evidence),
                **_price_of_sop(prices),
                "digest": prices.digest,
            }
            for prices in sets
        ],
    }


def _list_text(data: dict[str, Any]) -> str:
    chips = [
        (c["name"], c["cores"], c["neurons_per_core"], ", ".join(c["cost_sets"]), c["title"])
        for c in data["profiles"]
    ]
    sets = [
        (s["name"], s["chip"], s["scope"], _picojoules(s), ", ".join(s["evidence"]), s["title"])
        for s in data["cost_sets"]
    ]
    return "\n\n".join(
        [
            columns(chips, ("profile", "cores", "neurons/core", "cost sets", ""), right=(1, 2)),
            columns(sets, ("cost set", "chip", "scope", "pJ/SOP", "evidence", ""), right=(3,)),
            "pJ/SOP: the price of a synaptic operation, and the range where sources differ. "
            "Figures of\ndifferent scope do not compare. hrsnn-lava profiles NAME shows every "
            "number with its source.",
        ]
    )


def _price_of_sop(prices: CostSet) -> dict[str, Any]:
    """What a set takes for a synaptic operation, where that is from, and what others say."""
    price = prices.coefficient("synaptic_operations")
    if price is None:
        return {"sop_j": None, "sop_low_j": None, "sop_high_j": None, "sop_source": None}
    return {
        "sop_j": price.value_j,
        "sop_low_j": price.low_j,
        "sop_high_j": price.high_j,
        "sop_source": price.source,
    }


def _picojoules(listed: dict[str, Any]) -> str:
    """Such as ``23.6 (23.6..35.5)``; a dash where there is no price."""
    if listed["sop_j"] is None:
        return "-"
    text = f"{listed['sop_j'] * 1e12:,.6g}"
    if listed["sop_low_j"] is not None:
        text += f" ({listed['sop_low_j'] * 1e12:,.6g}..{listed['sop_high_j'] * 1e12:,.6g})"
    return text


ORDER = 110
COMMAND = profiles
