"""``profiles``: the chips and cost sets, every number with unit, source and evidence."""

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
    from hrsnn_lava.compiler.rules import rule_table

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
            yield {
                "path": f"{path} ({name})" if name else path,
                "value": _value(data),
                "unit": data["unit"],
                "evidence": data["evidence"],
                "source": data["source"],
            }
            return
        for key, item in data.items():
            yield from flatten(item, f"{path}.{key}" if path else key)
    elif isinstance(data, (list, tuple)):
        for index, item in enumerate(data):
            yield from flatten(item, f"{path}[{index}]")


def _value(entry: dict[str, Any]) -> str:
    for key in ("value", "value_j", "value_w"):
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
        (s["name"], s["chip"], s["scope"], ", ".join(s["evidence"]), s["title"])
        for s in data["cost_sets"]
    ]
    return "\n\n".join(
        [
            columns(chips, ("profile", "cores", "neurons/core", "cost sets", ""), right=(1, 2)),
            columns(sets, ("cost set", "chip", "scope", "evidence", "")),
            "hrsnn-lava profiles NAME shows every number with its source.",
        ]
    )
