"""Figures per sample and per second in a report."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from hrsnn_lava.compiler.analysis.operations.activity import Activity
from hrsnn_lava.compiler.analysis.operations.synops import SynapticOperations
from hrsnn_lava.compiler.analysis.operations.windows import Windows, from_count, from_starts
from hrsnn_lava.compiler.analysis.pricing.energy import Energy
from hrsnn_lava.compiler.analysis.pricing.per_sample import per_sample, window_counts
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import CostSet
from hrsnn_lava.report.format import UNKNOWN, integer, number, si, table
from hrsnn_lava.report.timing import WIDTH, Timed
from hrsnn_lava.trace import Trace

#: Rows of the table: key, heading, unit; counts have none.
ROWS = (
    ("steps_per_sample", "steps", ""),
    ("sops", "SOPs", ""),
    ("spikes", "spikes", ""),
    ("messages", "messages", ""),
    ("wall_time_s", "wall time", "s"),
    ("dynamic_j", "dynamic energy", "J"),
    ("total_j", "total energy", "J"),
)


def windows_of(
    trace: Trace, samples: float | None = None, given: Windows | Sequence[int] | None = None
) -> Windows | None:
    """Samples of a run as given, as their number tells, or as its input says; None: nothing does.

    Raises:
        SpecError: windows of a run of another length, or first steps that are none.
    """
    if isinstance(given, Windows):
        if given.n_steps != trace.n_steps:
            raise SpecError(
                f"sample_windows: of {given.n_steps} steps; allowed: {trace.n_steps} (the run's)"
            )
        return given
    if given is not None:
        return from_starts(trace.n_steps, given)
    if samples:
        return from_count(trace.n_steps, samples)
    starts = None if trace.inputs is None else trace.inputs.samples
    if starts is None or not (starts < trace.n_steps).any():
        return None
    return from_starts(trace.n_steps, starts[starts < trace.n_steps], "as the input says")


def sections(
    compiled: CompiledNetwork,
    trace: Trace | None,
    ops: SynapticOperations | None,
    done: Activity | None,
    priced: Energy | None,
    cost_set: CostSet | None,
    timed: Timed,
    windows: Windows | None,
) -> dict[str, Any]:
    """``per_sample`` and ``per_second`` of ``report.json``; null without samples or a run."""
    if ops is None or done is None or priced is None:
        return {"per_sample": None, "per_second": None}
    second = _per_second(ops, done, priced, timed)
    if windows is None or trace is None:
        return {"per_sample": None, "per_second": second}
    fastest = timed.mode != "real_time"
    found = per_sample(
        compiled,
        windows,
        window_counts(compiled, trace, windows, ops),
        cost_set,
        step_time_s=None if fastest else timed.step_time_s,
        wall_time_s=timed.latency.windows_s if fastest and timed.latency is not None else None,
        n_chips=priced.static.chips,
    )
    marked = {
        "cost_set": priced.cost_set,
        "proxy": priced.proxy,
        "dynamic_complete": _complete(priced),
        "wall_time_estimated": fastest,
    }
    return {"per_sample": {**found.to_dict(), **marked}, "per_second": second}


def _complete(priced: Energy) -> bool:
    """Whether every term of the dynamic energy has a price."""
    return priced.dynamic_j is not None and all(t.energy_j is not None for t in priced.terms)


def _per_second(
    ops: SynapticOperations, done: Activity, priced: Energy, timed: Timed
) -> dict[str, Any]:
    """Rates at the wall time of the run."""
    wall = timed.wall_time_s

    def rate(amount: float | None) -> float | None:
        return None if amount is None or not wall else amount / wall

    return {
        "wall_time_s": wall,
        "sops": rate(ops.total if ops.inputs_known else None),
        "spikes": rate(done.spikes),
        "messages": rate(done.messages),
        "dynamic_w": rate(priced.dynamic_j),
        "static_w": rate(priced.static.energy_j),
        "total_w": rate(priced.total_j),
        "proxy": priced.proxy,
        "dynamic_complete": _complete(priced),
    }


def rows(section: Mapping[str, Any]) -> Sequence[Sequence[str]]:
    """Rows of the table per sample: quantity, mean, standard deviation, minimum, maximum."""
    return [
        [
            title
            + (" (proxy)" if section["proxy"] and key in _estimated(section) else "")
            + (", priced terms only" if key == "dynamic_j" and not _whole(section) else ""),
            *(_cell(section[key][name], unit) for name in ("mean", "sd", "min", "max")),
        ]
        for key, title, unit in ROWS
    ]


def _estimated(section: Mapping[str, Any]) -> set[str]:
    """Rows that rest on prices or times of a cost set."""
    return {"dynamic_j", "total_j"} | ({"wall_time_s"} if section["wall_time_estimated"] else set())


def _whole(section: Mapping[str, Any]) -> bool:
    return bool(section["dynamic_complete"]) or section["dynamic_j"]["mean"] is None


def _cell(value: float | None, unit: str) -> str:
    if value is None:
        return UNKNOWN
    return si(value, unit) if unit else number(value)


def text(sample: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> str:
    """Both sections for a terminal."""
    found = []
    if sample is not None:
        found.append(caption(sample))
        found.append(table(["per sample", "mean", "sd", "min", "max"], rows(sample)))
    if second is not None and second["wall_time_s"]:
        found.append(textwrap.fill(per_second_line(second), WIDTH, subsequent_indent="  "))
    return "\n".join(found)


def caption(sample: Mapping[str, Any]) -> str:
    """How many samples, what one is, and what is left over."""
    found = f"{integer(sample['samples'])} samples; a sample is {sample['what']}"
    if sample["steps_outside"]:
        found += f"; {integer(sample['steps_outside'])} steps belong to none"
    return found


def per_second_line(second: Mapping[str, Any]) -> str:
    """Rates and powers at the wall time of the run."""
    mark = " (proxy)" if second["proxy"] else ""
    known = second["dynamic_complete"] or second["dynamic_w"] is None
    least = "" if known else " (priced terms only)"
    powers = ", ".join(
        f"{name} {'null' if second[key] is None else si(second[key], 'W')}{mark}{more}"
        for name, key, more in (
            ("dynamic", "dynamic_w", least),
            ("static", "static_w", ""),
            ("total", "total_w", ""),
        )
    )
    counts = ", ".join(
        si(second[key], unit)
        for key, unit in (("sops", "SOP/s"), ("spikes", "spikes/s"), ("messages", "messages/s"))
    )
    return f"over {si(second['wall_time_s'], 's')} of wall time: {counts}; {powers}"
