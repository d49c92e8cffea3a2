"""The chips and cost sets that are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.errors import SpecError

if TYPE_CHECKING:
    from hrsnn_lava.hardware_profiles import CostSet

#: Path of a sourced number, its value, unit, evidence and source.
Figure = tuple[str, str, str, str, str]


@click.command("profiles")
@click.argument("name", required=False)
@click.option("--rules", is_flag=True, help="List the design rules that limits are checked by.")
@with_console
def profiles(console: Console, name: str | None, rules: bool) -> None:
    """List chips and cost sets, or show all of NAME (a name, or a file ending in .toml)."""
    if rules:
        if name is not None:
            raise SpecError("--rules: the rules are the same for every chip; leave NAME out")
        from hrsnn_lava.compiler.design_rules.check import rule_table

        table = rule_table()
        listed = [{"rule": rule, "says": says} for rule, says in table]
        console.result({"rules": listed}, columns(table, ("rule", "says")))
        return
    from hrsnn_lava.hardware_profiles import document_of

    if name is None:
        data = _list()
        console.result(data, _list_text(data))
        return
    document = document_of(name)
    data = {"name": document.name, "digest": document.digest, "content": document.to_dict()}
    rows = list(_figures(document.to_dict()))
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


def _figures(data: Any, path: str = "") -> Iterator[Figure]:
    """Every sourced number of a profile or cost set."""
    if isinstance(data, dict):
        if {"unit", "source", "evidence"} <= set(data):
            path = f"{path} ({data['name']})" if data.get("name") else path
            yield path, _value(data), data["unit"], data["evidence"], data["source"]
            yield from _beside(data, path)
            return
        for key, item in data.items():
            yield from _figures(item, f"{path}.{key}" if path else key)
    elif isinstance(data, (list, tuple)):
        for index, item in enumerate(data):
            yield from _figures(item, f"{path}[{index}]")


def _beside(data: dict[str, Any], path: str) -> Iterator[Figure]:
    """What stands beside a price: its range, other conditions, the time of the event."""
    unit, evidence, source = data["unit"], data["evidence"], data["source"]
    for low, high in (("low_j", "high_j"), ("low_w", "high_w")):
        if data.get(low) is not None:
            yield f"{path}, range", f"{data[low]:g}..{data[high]:g}", unit, "", data["range_source"]
    for name, value in data.get("alternatives", {}).items():
        yield f"{path}, {name.replace('_', ' ')}", f"{value:g}", "J", evidence, source
    if data.get("time_s") is not None and "time_evidence" in data:
        yield f"{path}, time", f"{data['time_s']:g}", "s", data["time_evidence"], source
    if data.get("overridden"):
        was = data.get("replaces_j", data.get("replaces_w"))
        value = "not published" if was is None else f"{was:g}"
        yield f"{path}, overridden, before", value, unit, "", "of the set that is extended"


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
    fields = {
        "sop_j": "value_j",
        "sop_low_j": "low_j",
        "sop_high_j": "high_j",
        "sop_source": "source",
    }
    return {key: None if price is None else getattr(price, name) for key, name in fields.items()}


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
