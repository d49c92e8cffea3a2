"""Time of the run: how long a step takes on the chip, and figures per sample and per second."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from hrsnn_lava.compiler.analysis.pricing.energy import Energy
from hrsnn_lava.compiler.analysis.pricing.latency import EXCLUDED, Latency
from hrsnn_lava.compiler.analysis.pricing.per_sample import per_sample, window_counts
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import (
    UNKNOWN,
    Plain,
    integer,
    number,
    parts,
    si,
    table,
    titled,
    wrap,
    wrapped,
)
from hrsnn_lava.report.section import Section, render

NO_TRACE = "counts alone do not tell what a core does in a step; give a trace"
CONVENTION = (
    "a step lasts the work of its slowest core, then the longest way of a message sent in it, then "
    "the barrier; compute, network and barrier are means over the steps"
)
#: What is estimated without a trace.
NO_LATENCY = Latency(0, None, None, None, None, 0.0, None, (), (), (), False, False)
UPPER = "; every neuron update is taken for an active one, an upper bound"
#: Rows of the table per sample: key, heading, unit; counts have none.
ROWS = (
    ("steps_per_sample", "steps", ""),
    ("sops", "SOPs", ""),
    ("spikes", "spikes", ""),
    ("messages", "messages", ""),
    ("wall_time_s", "wall time", "s"),
    ("dynamic_j", "dynamic energy", "J"),
    ("total_j", "total energy", "J"),
)


def data(facts: Facts) -> Plain:
    """``timing``, ``per_sample`` and ``per_second``; the last two null without samples or a run."""
    return {
        "timing": timing(facts),
        "per_sample": _per_sample(facts),
        "per_second": _per_second(facts),
    }


def timing(facts: Facts) -> Plain:
    """``timing`` of ``report.json``; times in seconds, null for what is not known."""
    pace, priced = facts.pace, facts.energy
    estimate, wall = pace.latency or NO_LATENCY, pace.wall_time_s
    unknown = estimate is NO_LATENCY

    def per_step(total: float | None) -> float | None:
        return None if total is None or not estimate.steps else total / estimate.steps

    mean = per_step(estimate.total_s)
    slowest = estimate.slowest_s if estimate.steps else None
    step_time = pace.step_time_s if pace.real_time else None
    total = None if priced is None else priced.total_j
    reference = facts.compiled.network.dt if step_time is None else step_time
    return {
        "mode": pace.mode,
        "step_time_s": pace.step_time_s,
        "wall_time_s": wall,
        "compute_s": per_step(estimate.compute_s),
        "network_s": per_step(estimate.network_s),
        "barrier_s": per_step(estimate.barrier_s),
        "step_mean_s": mean,
        "step_max_s": slowest,
        "step_at_least_s": per_step(estimate.at_least_s),
        "fastest_wall_time_s": estimate.total_s,
        "throughput_steps_per_s": None if not mean else 1.0 / mean,
        "real_time_step_s": reference,
        "real_time_factor": None if not mean else reference / mean,
        "keeps_real_time": None if slowest is None or step_time is None else slowest <= step_time,
        "slowest_over_step_time_factor": None
        if slowest is None or not step_time
        else slowest / step_time,
        "energy_delay_js": None if total is None or wall is None else total * wall,
        "tiles": estimate.tiles,
        "updates_exact": None if unknown else estimate.updates_exact,
        "evidence": list(estimate.evidence),
        "proxy": estimate.proxy,
        "unknown": list(estimate.unknown),
        "reason": NO_TRACE if unknown and wall is not None else None,
        "source": list(estimate.sources),
        "excluded": EXCLUDED,
        "convention": CONVENTION,
    }


def _per_sample(facts: Facts) -> Plain | None:
    trace, windows, ops, priced = facts.trace, facts.windows, facts.operations, facts.energy
    if trace is None or windows is None or ops is None or priced is None:
        return None
    pace = facts.pace
    figures = per_sample(
        facts.compiled,
        windows,
        window_counts(facts.compiled, trace, windows, ops),
        facts.cost_set,
        step_time_s=pace.step_time_s if pace.real_time else None,
        wall_time_s=None if pace.real_time or pace.latency is None else pace.latency.windows_s,
        n_chips=facts.chips,
    )
    return {
        **figures.to_dict(),
        "cost_set": priced.cost_set,
        "proxy": priced.proxy,
        "dynamic_complete": complete(priced),
        "wall_time_estimated": not pace.real_time,
    }


def complete(priced: Energy) -> bool:
    """Whether every term of the dynamic energy has a price."""
    return priced.dynamic_j is not None and all(t.energy_j is not None for t in priced.terms)


def _per_second(facts: Facts) -> Plain | None:
    """Rates at the wall time of the run."""
    counts, priced = facts.counts, facts.energy
    if counts is None or priced is None:
        return None
    wall = facts.pace.wall_time_s

    def rate(amount: float | None) -> float | None:
        return None if amount is None or not wall else amount / wall

    return {
        "wall_time_s": wall,
        "sops": rate(counts.ops.total if counts.ops.inputs_known else None),
        "spikes": rate(counts.done.spikes),
        "messages": rate(counts.done.messages),
        "dynamic_w": rate(priced.dynamic_j),
        "static_w": rate(priced.static.energy_j),
        "total_w": rate(priced.total_j),
        "proxy": priced.proxy,
        "dynamic_complete": complete(priced),
    }


def text(report: Plain) -> str:
    """The estimate in sentences, then the table per sample and the rates."""
    return parts(
        titled("Timing", wrapped(lines(report["timing"]))),
        titled("Per sample", samples_text(report["per_sample"], report["per_second"])),
    )


def lines(section: Plain) -> list[str]:
    """The section in sentences; those that rest on another chip's times say so."""
    if section["step_at_least_s"] is None:
        return [f"{_pace(section, '')}: {section['reason']}"] if section["reason"] else []
    mark = " (proxy)" if section["proxy"] else ""
    sentences = [_pace(section, mark), _estimate(section, mark)]
    rate = section["throughput_steps_per_s"]
    if rate is not None:
        sentences.append(
            f"at full speed{mark}: {integer(round(rate))} steps a second, "
            f"{number(section['real_time_factor'])} times as fast as steps of "
            f"{si(section['real_time_step_s'], 's')}"
        )
    if section["energy_delay_js"] is not None:
        sentences.append(f"energy-delay product{mark}: {si(section['energy_delay_js'], 'J s')}")
    if section["unknown"]:
        sentences.append(f"unknown times{mark}: {', '.join(section['unknown'])}")
    exact = "" if section["updates_exact"] or not section["evidence"] else UPPER
    sentences.append(f"{section['convention']}{exact}; left out: {section['excluded']}")
    return sentences


def _pace(section: Plain, mark: str) -> str:
    wall, step = si(section["wall_time_s"], "s"), si(section["step_time_s"], "s")
    if section["mode"] != "real_time":
        if section["wall_time_s"] is None:
            return f"as fast as possible{mark}: the wall time is null, since times are not known"
        return f"as fast as possible{mark}: wall time {wall}, {step} a step"
    head = f"real time: {step} a step, wall time {wall}"
    if section["keeps_real_time"] is None:
        return f"{head}; whether the chip keeps it is not known"
    slowest = si(section["step_max_s"], "s")
    if section["keeps_real_time"]:
        return f"{head}; the chip keeps it{mark}: its slowest step takes {slowest}"
    factor = number(section["slowest_over_step_time_factor"])
    return (
        f"{head}; does not keep real time{mark}: the slowest step takes {slowest}, {factor} times "
        f"that"
    )


def _estimate(section: Plain, mark: str) -> str:
    tiles = "" if section["tiles"] is None else f" of {integer(section['tiles'])} tile"
    tiles += "s" if (section["tiles"] or 1) > 1 else ""
    shares = ", ".join(
        f"{name} {'null' if section[key] is None else si(section[key], 's')}"
        for name, key in (
            ("compute", "compute_s"),
            ("network", "network_s"),
            (f"barrier{tiles}", "barrier_s"),
        )
    )
    evidence = ", ".join(section["evidence"]) or "none"
    if section["step_mean_s"] is None:
        least = section["step_at_least_s"]
        head = "null" if not least else f"null, at least {si(least, 's')}"
    else:
        head = f"{si(section['step_mean_s'], 's')} mean, {si(section['step_max_s'], 's')} slowest"
    return f"estimate of a step{mark}: {head}; {shares}  [{evidence}]"


def rows(section: Plain) -> Sequence[Sequence[str]]:
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


def _estimated(section: Plain) -> set[str]:
    """Rows that rest on prices or times of a cost set."""
    return {"dynamic_j", "total_j"} | ({"wall_time_s"} if section["wall_time_estimated"] else set())


def _whole(section: Plain) -> bool:
    return bool(section["dynamic_complete"]) or section["dynamic_j"]["mean"] is None


def _cell(value: float | None, unit: str) -> str:
    if value is None:
        return UNKNOWN
    return si(value, unit) if unit else number(value)


def samples_text(sample: Plain | None, second: Plain | None) -> str:
    """Figures per sample and per second; empty where neither is known."""
    blocks = []
    if sample is not None:
        blocks.append(caption(sample))
        blocks.append(table(["per sample", "mean", "sd", "min", "max"], rows(sample)))
    if second is not None and second["wall_time_s"]:
        blocks.append(wrap(per_second_line(second)))
    return "\n".join(blocks)


def caption(sample: Plain) -> str:
    """How many samples, what one is, and what is left over."""
    sentence = f"{integer(sample['samples'])} samples; a sample is {sample['what']}"
    if sample["steps_outside"]:
        sentence += f"; {integer(sample['steps_outside'])} steps belong to none"
    return sentence


def per_second_line(second: Plain) -> str:
    """Rates and powers at the wall time of the run."""
    mark = " (proxy)" if second["proxy"] else ""
    whole = second["dynamic_complete"] or second["dynamic_w"] is None
    least = "" if whole else " (priced terms only)"
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


def html(report: Plain, _: Facts) -> Markup:
    """The sentences, and tables per sample and per second; nothing without a run."""
    sentences = lines(report["timing"])
    if not (sentences or report.get("per_sample") or report.get("per_second")):
        return Markup("")
    return render("timing.html.j2", report, timing_lines=sentences)


SECTION = Section("timing", "Time and rates", data, text, html)
