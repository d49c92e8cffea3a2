"""Time in a report: how long a step takes on the chip, and what wall time the energy rests on.

In real time every step lasts what the user says, as where a sensor gives the pace; as fast as
possible it lasts what the latency model estimates, and the wall time is the sum over the steps.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hrsnn_lava.compiler.analysis.operations.windows import Windows
from hrsnn_lava.compiler.analysis.pricing.energy import Energy
from hrsnn_lava.compiler.analysis.pricing.latency import EXCLUDED, Latency, latency
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import CostSet
from hrsnn_lava.report.format import integer, number, si
from hrsnn_lava.trace import Trace

Mode = Literal["real_time", "as_fast_as_possible"]
FASTEST: Literal["fastest"] = "fastest"
NO_TRACE = "counts alone do not tell what a core does in a step; give a trace"
StepTime = float | Literal["fastest"]
WIDTH = 100
CONVENTION = (
    "a step lasts the work of its slowest core, then the longest way of a message sent in it, then "
    "the barrier; compute, network and barrier are means over the steps"
)


@dataclass(frozen=True, eq=False)
class Timed:
    """A run and its pace.

    Attributes:
        mode: who sets the pace, the user or the chip.
        step_time_s: of every step in real time, else the mean of the estimates; None: not known.
        wall_time_s: of the run; None: not known.
        dt_s: time that a step stands for in the network.
        latency: the estimate; None without a trace.
    """

    mode: Mode
    step_time_s: float | None
    wall_time_s: float | None
    dt_s: float
    latency: Latency | None

    @staticmethod
    def of(
        compiled: CompiledNetwork,
        trace: Trace | None,
        cost_set: CostSet | None,
        step_time_s: StepTime,
        windows: Windows | None = None,
        steps: int | None = None,
    ) -> Timed:
        """Estimate the latency of a run, and decide how long it takes.

        Without a trace there is no estimate, since it rests on what every core does in a step;
        the wall time of `steps` steps is known all the same where the user gives the pace.

        Raises:
            SpecError: the step time is neither seconds above 0 nor ``"fastest"``.
        """
        dt = compiled.network.dt
        given = None if step_time_s == FASTEST else _seconds(step_time_s)
        mode: Mode = "as_fast_as_possible" if given is None else "real_time"
        if trace is None:
            wall = None if given is None or steps is None else given * steps
            return Timed(mode, given, wall, dt, None)
        took = latency(compiled, trace, cost_set, windows=windows)
        if given is not None:
            return Timed(mode, given, given * trace.n_steps, dt, took)
        total = took.total_s
        step = total / trace.n_steps if total and trace.n_steps else None
        return Timed(mode, step, total, dt, took)


def _seconds(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
        raise SpecError(f"step_time_s: {given!r}; allowed: seconds > 0, or {FASTEST!r}")
    if given <= 0:
        raise SpecError(f"step_time_s: {given!r}; allowed: seconds > 0, or {FASTEST!r}")
    return float(given)


def section(timed: Timed, priced: Energy | None) -> dict[str, Any]:
    """``timing`` of ``report.json``; times in seconds, null for what is not known."""
    found, real_time = timed.latency, timed.mode == "real_time"
    steps = None if found is None else found.steps
    mean = _per(None if found is None else found.total_s, steps)
    slowest = None if found is None or not steps else found.slowest_s
    pace = timed.step_time_s if real_time else None
    total = None if priced is None else priced.total_j
    wall = timed.wall_time_s
    reference = timed.dt_s if pace is None else pace
    return {
        "mode": timed.mode,
        "step_time_s": timed.step_time_s,
        "wall_time_s": wall,
        "compute_s": None if found is None else _per(found.compute_s, steps),
        "network_s": None if found is None else _per(found.network_s, steps),
        "barrier_s": None if found is None else _per(found.barrier_s, steps),
        "step_mean_s": mean,
        "step_max_s": slowest,
        "step_at_least_s": None if found is None else _per(found.at_least_s, steps),
        "fastest_wall_time_s": None if found is None else found.total_s,
        "throughput_steps_per_s": None if not mean else 1.0 / mean,
        "real_time_step_s": reference,
        "real_time_factor": None if not mean else reference / mean,
        "keeps_real_time": None if slowest is None or pace is None else slowest <= pace,
        "slowest_over_step_time_factor": None if slowest is None or not pace else slowest / pace,
        "energy_delay_js": None if total is None or wall is None else total * wall,
        "tiles": None if found is None else found.tiles,
        "updates_exact": None if found is None else found.updates_exact,
        "evidence": [] if found is None else list(found.evidence),
        "proxy": False if found is None else found.proxy,
        "unknown": [] if found is None else list(found.unknown),
        "reason": NO_TRACE if found is None and wall is not None else None,
        "source": [] if found is None else list(found.sources),
        "excluded": EXCLUDED,
        "convention": CONVENTION,
    }


def _per(total: float | None, steps: int | None) -> float | None:
    return None if total is None or not steps else total / steps


def text(data: Mapping[str, Any]) -> str:
    """The section for a terminal; empty without a run."""
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines(data))


def lines(data: Mapping[str, Any]) -> list[str]:
    """The section in sentences; those that rest on another chip's times say so."""
    if data["step_at_least_s"] is None:
        return [f"{_pace(data, '')}: {data['reason']}"] if data["reason"] else []
    mark = " (proxy)" if data["proxy"] else ""
    found = [_pace(data, mark), _estimate(data, mark)]
    if data["throughput_steps_per_s"] is not None:
        found.append(
            f"at full speed{mark}: {integer(round(data['throughput_steps_per_s']))} steps a second"
            f", {number(data['real_time_factor'])} times as fast as steps of "
            f"{si(data['real_time_step_s'], 's')}"
        )
    if data["energy_delay_js"] is not None:
        found.append(f"energy-delay product{mark}: {si(data['energy_delay_js'], 'J s')}")
    if data["unknown"]:
        found.append(f"unknown times{mark}: {', '.join(data['unknown'])}")
    exact = "" if data["updates_exact"] or not data["evidence"] else UPPER
    found.append(f"{data['convention']}{exact}; left out: {data['excluded']}")
    return found


UPPER = "; every neuron update is taken for an active one, an upper bound"


def _pace(data: Mapping[str, Any], mark: str) -> str:
    wall, step = si(data["wall_time_s"], "s"), si(data["step_time_s"], "s")
    if data["mode"] != "real_time":
        if data["wall_time_s"] is None:
            return f"as fast as possible{mark}: the wall time is null, since times are not known"
        return f"as fast as possible{mark}: wall time {wall}, {step} a step"
    head = f"real time: {step} a step, wall time {wall}"
    if data["keeps_real_time"] is None:
        return f"{head}; whether the chip keeps it is not known"
    slowest = si(data["step_max_s"], "s")
    if data["keeps_real_time"]:
        return f"{head}; the chip keeps it{mark}: its slowest step takes {slowest}"
    factor = number(data["slowest_over_step_time_factor"])
    return (
        f"{head}; does not keep real time{mark}: the slowest step takes {slowest}, {factor} times "
        f"that"
    )


def _estimate(data: Mapping[str, Any], mark: str) -> str:
    tiles = "" if data["tiles"] is None else f" of {integer(data['tiles'])} tile"
    tiles += "s" if (data["tiles"] or 1) > 1 else ""
    parts = ", ".join(
        f"{name} {'null' if data[key] is None else si(data[key], 's')}"
        for name, key in (
            ("compute", "compute_s"),
            ("network", "network_s"),
            (f"barrier{tiles}", "barrier_s"),
        )
    )
    evidence = ", ".join(data["evidence"]) or "none"
    if data["step_mean_s"] is None:
        least = data["step_at_least_s"]
        head = "null" if not least else f"null, at least {si(least, 's')}"
    else:
        head = f"{si(data['step_mean_s'], 's')} mean, {si(data['step_max_s'], 's')} slowest"
    return f"estimate of a step{mark}: {head}; {parts}  [{evidence}]"
