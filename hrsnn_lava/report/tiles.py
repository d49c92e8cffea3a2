"""The figures at the top of a report: a name, a value, and what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hrsnn_lava.report import format as forms


def tiles(data: Mapping[str, Any]) -> list[dict[str, str]]:
    """Six figures at most, each with the keys name, value and note; `data` is ``report.json``."""
    size, ops, done, joules = data["network"], data["sop"], data["activity"], data["energy"]
    cores = next(row for row in data["constraints"] if row["rule"] == "cores")
    of = "" if cores["limit"] is None else f" of {forms.integer(cores['limit'])}"
    kept = size["density_kept"]
    found = [
        ("neurons", forms.integer(size["neurons"]), f"{forms.integer(size['inputs'])} inputs"),
        (
            "synapses",
            forms.integer(size["synapses"]),
            "" if kept is None else f"{forms.percent(kept)} of {size['synapses_before']:,}",
        ),
        ("cores", forms.integer(cores["used"]), f"{of.strip()} on {data['profile']}".strip()),
    ]
    if ops["total"] is not None:
        ratio = ops["ratio"] if ops["ratio"] is not None else ops["ratio_recurrent"]
        note = f"{forms.integer(ops['total'])} in {forms.integer(done['steps'])} steps"
        note = note if ratio is None else f"{ratio:.1f}× fewer than the reference"
        found.append(("SOPs per step", forms.number(ops["per_step"]), note))
        proxy = " (proxy)" if joules["proxy"] else ""
        total = "not known" if joules["total_j"] is None else forms.si(joules["total_j"], "J")
        static = forms.si(joules["static_j"], "J")
        found.append(
            (
                f"energy of the run{proxy}",
                total,
                f"dynamic {forms.si(joules['dynamic_j'], 'J')}, static {static}",
            )
        )
    parity = data["parity"]
    if "mismatches" in parity:
        names = " = ".join(str(name) for name in parity.get("backends", ()))
        found.append(("mismatches", forms.integer(parity["mismatches"]), names))
    return [dict(zip(("name", "value", "note"), item, strict=True)) for item in found]
