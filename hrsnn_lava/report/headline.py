"""The answers at the top of a report, in the order in which they are asked.

Does it fit, and what limits it; is it right; what does it cost; what did pruning buy. They are read
from ``report.json``, so that text, page and notebook give the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hrsnn_lava.budgets.quantities import is_number
from hrsnn_lava.report.format import (
    Plain,
    at_least,
    integer,
    label,
    marks,
    number,
    percent,
    si,
    wrap,
)
from hrsnn_lava.report.spread import sentence

UNCHECKED = "not checked"


class Answer(NamedTuple):
    """One answer.

    Attributes:
        topic: one word, such as ``cost``.
        sentences: each on a line of its own.
    """

    topic: str
    sentences: tuple[str, ...]


class Tile(NamedTuple):
    """A figure at the top: its name, its value, what it is about, and the section that says more.

    `tone` is ``good`` or ``bad`` for a figure that is a verdict by itself.
    """

    name: str
    value: str
    note: str
    section: str = ""
    tone: str = ""


def answers(report: Plain) -> list[Answer]:
    """All answers; what a report does not know is said where a reader looks for it."""
    found = (
        ("size", (f"{size(report)}; target {target(report)}",)),
        ("right", (parity(report), *filter(None, [agreement(report)]))),
        ("cost", tuple(cost(report))),
        ("pruning", tuple(pruning(report))),
        ("score", tuple(score(report))),
        ("spread", tuple(filter(None, [sentence(report.get("spread") or {})]))),
    )
    return [Answer(topic, sentences) for topic, sentences in found if sentences]


def lines(report: Plain) -> list[str]:
    """The answers for a terminal: the topic, then its sentences below each other."""
    width = max(len(topic) for topic, _ in answers(report)) + 2
    return [
        wrap(f"{topic if k == 0 else '':<{width}}{sentence}", " " * width)
        for topic, sentences in answers(report)
        for k, sentence in enumerate(sentences)
    ]


def size(report: Plain) -> str:
    """Neurons, synapses and inputs."""
    network = report["network"]
    counts = ", ".join(
        f"{integer(network[key])} {key}"
        for key in ("neurons", "synapses", "inputs")
        if network[key]
    )
    return counts or "nothing"


def target(report: Plain) -> str:
    """The chip, and how many of them."""
    chips = report["network"]["chips"]
    more = "" if chips == 1 else f", {integer(chips)} chips"
    return f"{report['network']['profile_title']}{more}"


def parity(report: Plain) -> str:
    """Whether backends agree, in one line."""
    section = report["parity"]
    if "mismatches" not in section:
        return f"parity {UNCHECKED}: `report --verify`, or parity=hl.verify(...)"
    if section.get("line"):
        return str(section["line"])
    names = " = ".join(str(name) for name in section.get("backends", ()))
    steps = "" if section.get("steps") is None else f", {integer(section['steps'])} steps"
    return f"parity: {names}{steps}, {integer(section['mismatches'])} mismatches"


def agreement(report: Plain) -> str:
    """How far the integers are from the float network; empty where nobody compared them."""
    section = report["float_vs_integer"]
    spikes, clauses = section.get("spikes"), []
    if section.get("rate_ratio") is not None:
        counts = ""
        if isinstance(spikes, Mapping) and {"float", "integer"} <= spikes.keys():
            counts = f" ({integer(spikes['integer'])} of {integer(spikes['float'])})"
        clauses.append(f"{percent(section['rate_ratio'])} of its spikes{counts}")
    if section.get("count_error") is not None:
        clauses.append(f"counts of neurons off by {percent(section['count_error'])}")
    return f"against the float network: {', '.join(clauses)}" if clauses else ""


def cost(report: Plain) -> Iterator[str]:
    """Operations and energy of the run, and whether the chip keeps its pace."""
    operations, joules = report["sop"], report["energy"]
    if operations["total"] is None:
        yield "not known: give a run (`report --trace`, or a trace)"
        return
    steps = integer(report["activity"]["steps"])
    total = integer(operations["total"])
    least = "" if operations.get("inputs_known", True) else "at least, since inputs are not known, "
    yield f"{least}{number(operations['per_step'])} SOPs a step, {total} in {steps} steps"
    yield energy(joules)
    pace = report.get("timing") or {}
    if pace.get("keeps_real_time") is False:
        slowest, step = si(pace["step_max_s"], "s"), si(pace["step_time_s"], "s")
        yield f"does not keep real time: the slowest step takes {slowest}, a step is {step}"


def energy(joules: Plain) -> str:
    """The energy of the run in one line."""
    if joules["cost_set"] is None:
        return "energy not known: no prices (`--cost-set`, or cost_set=...)"
    mark = marks(joules["proxy"], bool(joules.get("overridden")))
    dynamic = si(joules["dynamic_j"], "J")
    if joules["unpriced"]:
        dynamic += " (priced terms only)"
    if joules["total_j"] is None:
        return f"{dynamic} dynamic{mark}; total not known, since counts have no price"
    parts = "" if joules.get("scope") == "all_in" else f": {dynamic} dynamic"
    if parts and joules.get("static_j") is not None:
        parts += f" and {si(joules['static_j'], 'J')} static"
    each = joules.get("per_sample_j")
    sample = "" if each is None else f"; {si(each, 'J')} a sample"
    return f"{si(joules['total_j'], 'J')}{parts}{sample}, by {joules['cost_set']}{mark}"


def pruning(report: Plain) -> Iterator[str]:
    """What is left of the unpruned network, and what that saved."""
    network, operations = report["network"], report["sop"]
    clauses = []
    if network["synapses_before"]:
        before = integer(network["synapses_before"])
        clauses.append(f"{percent(network['density_kept'])} of {before} synapses")
    ratio, recurrent = operations.get("ratio"), operations.get("ratio_recurrent")
    if ratio is not None:
        clauses.append(f"{ratio:.1f} times fewer SOPs")
    if recurrent is not None and (ratio is None or f"{recurrent:.1f}" != f"{ratio:.1f}"):
        clauses.append(f"{recurrent:.1f} times fewer recurrent SOPs")
    if clauses:
        yield ", ".join(clauses) + ("" if network["synapses_before"] else " than unpruned")
    before = report["energy"].get("unpruned")
    if before is not None and before["dynamic_j"] is not None:
        pairs = [
            f"{name} {si(report['energy'][key], 'J')}, unpruned {at_least(before, key)}"
            for name, key in (("dynamic energy", "dynamic_j"), ("total", "total_j"))
            if report["energy"][key] is not None and before[key] is not None
        ]
        yield "; ".join(pairs) + marks(report["energy"]["proxy"], False)


def score(report: Plain) -> Iterator[str]:
    """The headline score of the program, beside that of the unpruned network."""
    for tile in score_tile(report):
        yield f"{tile.name} {tile.value} ({tile.note})"


def score_tile(report: Plain) -> list[Tile]:
    """The headline score of the program on the chip; none where there is no score."""
    first, accuracy = next(iter(report.get("scores") or ()), None), report["accuracy"]
    scores = accuracy.get("integer")
    value = scores.get(first["name"]) if first and isinstance(scores, dict) else None
    if first is None or not is_number(value):
        return []
    before = accuracy.get(f"{first['name'].removesuffix('_mean')}_unpruned")
    note = f"unpruned: {number(before)}" if is_number(before) else "on the chip"
    return [Tile(first["title"], f"{number(value)} {first['unit']}".strip(), note, "accuracy")]


def tiles(report: Plain) -> list[Tile]:
    """The same answers as figures, eight at most."""
    return [
        *_fit(report),
        *_right(report),
        *_cost(report),
        *_pruning(report),
        *score_tile(report),
    ]


def _fit(report: Plain) -> Iterator[Tile]:
    rows = report["constraints"]
    cores = next(row for row in rows if row["rule"] == "cores")
    of = "" if cores["limit"] is None else f"of {integer(cores['limit'])} "
    chips = report["network"]["chips"]
    on = report["profile"] if chips == 1 else f"{integer(chips)} {report['profile']}"
    yield Tile("cores", integer(cores["used"]), f"{of}on {on}", "constraints")
    tight = next((row for row in rows if row["binding"]), None)
    if tight is not None:
        used = f"{integer(tight['used'])} of {integer(tight['limit'])}"
        name = f"tightest: {label(tight['rule'])}"
        where = f"{used} on core {tight['worst_core']}"
        tone = "bad" if tight["fraction"] > 1 else ""
        yield Tile(name, percent(tight["fraction"]), where, "constraints", tone)


def _right(report: Plain) -> Iterator[Tile]:
    section, compared = report["parity"], report["float_vs_integer"]
    if "mismatches" in section:
        names = " = ".join(str(name) for name in section.get("backends", ()))
        tone = "bad" if section["mismatches"] else "good"
        yield Tile("mismatches", integer(section["mismatches"]), names, "parity", tone)
    else:
        yield Tile("parity", UNCHECKED, "report --verify compares backends")
    ratio = compared.get("rate_ratio")
    if is_number(ratio):
        name, error = "spikes against float", compared.get("count_error")
        note = "" if error is None else f"counts of neurons off by {percent(error)}"
        yield Tile(name, percent(ratio), note, "float_vs_integer")


def _cost(report: Plain) -> Iterator[Tile]:
    operations, joules = report["sop"], report["energy"]
    if operations["total"] is None:
        return
    steps = integer(report["activity"]["steps"])
    note = f"{integer(operations['total'])} in {steps} steps"
    yield Tile("SOPs per step", number(operations["per_step"]), note, "sop")
    proxy = " (proxy)" if joules["proxy"] else ""
    total = "not known" if joules["total_j"] is None else si(joules["total_j"], "J")
    dynamic, static = (si(joules[key], "J") for key in ("dynamic_j", "static_j"))
    partly = " (priced terms only)" if joules["unpriced"] else ""
    note = f"dynamic {dynamic}{partly}, static {static}"
    yield Tile(f"energy of the run{proxy}", total, note, "energy")


def _pruning(report: Plain) -> Iterator[Tile]:
    operations, size = report["sop"], report["network"]
    share, ratio = size["density_kept"], operations.get("ratio")
    ratio = operations.get("ratio_recurrent") if ratio is None else ratio
    clauses = []
    if share is not None:
        clauses.append(f"{percent(share)} of {integer(size['synapses_before'])} synapses")
    unpruned = report["energy"].get("unpruned")
    if unpruned is not None and unpruned["dynamic_j"] is not None:
        clauses.append(f"dynamic energy unpruned {at_least(unpruned, 'dynamic_j')}")
    note = "; ".join(clauses)
    if ratio is not None:
        yield Tile("fewer SOPs by pruning", f"{ratio:.1f}×", note or "than unpruned", "sop")
    elif share is not None:
        yield Tile("synapses", integer(size["synapses"]), note, "transforms")
