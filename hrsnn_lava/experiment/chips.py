"""One network on several chips: compiled for each, run on the same input, priced.

It is no ranking. A row is one model of one chip: what an operation holds differs between chips,
and so do scope and evidence of the prices, which stand in every row.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from hrsnn_lava.artifacts.container import plain
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.errors import CapacityError, NetworkError, SpecError, by_rule
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.network import Network
from hrsnn_lava.notebook import brief, shown
from hrsnn_lava.options import Seed, options
from hrsnn_lava.progress import Progress
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.report.facts import Evidence, Facts, StepTime
from hrsnn_lava.report.format import UNKNOWN, integer, label, parts, si, table, wrap
from hrsnn_lava.report.sections.timing import timing
from hrsnn_lava.sim_backends.base import run_steps
from hrsnn_lava.sim_backends.runs.inputs import random_input
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput

NOTE = (
    "No ranking: rows are in the order that was asked for. A row is one model of one chip; figures "
    "of different scope or evidence do not compare, a synaptic operation is not the same work on "
    "every chip, and a proxy prices one chip with the figures of another. What the host does is in "
    "no row."
)
FIT = ("profile", "verdict", "cores", "chips", "synapses", "SOPs", "spikes", "messages")
COST = (
    "profile",
    "cost set",
    "",
    "dynamic",
    "static",
    "total",
    "a step",
    "step latency",
    "scope",
    "evidence",
)
#: Columns that are flush left.
FIT_LEFT, COST_LEFT = (0, 1), (0, 1, 2, 8, 9)
AnyNetwork: TypeAlias = Network | QuantizedNetwork
Tables: TypeAlias = Sequence[tuple[Sequence[str], Sequence[Sequence[str]], Sequence[int]]]


@dataclass(frozen=True)
class ComparisonRow:
    """One chip under one cost set; None for what is not known, or where the network does not fit.

    Attributes:
        profile, title: of the chip.
        verdict: ``PASS``, or ``FAIL`` where the network does not fit.
        reason: the first broken rule and how many more; empty where it fits.
        cores, chips, neurons, synapses: in use.
        steps, sops, macs, spikes, messages: of the run, input events included in the operations.
        cost_set, priced_chip, scope, evidence, proxy: of the prices; `cost_set` None: no prices.
        static_evidence: of the idle power; None where it is not known.
        dynamic_j, static_j, total_j, per_step_j: energy of the run, and the total per step.
        dynamic_complete: False when `dynamic_j` holds the terms with a price alone.
        unpriced: counts without a price.
        step_time_s, wall_time_s: what static energy is charged for.
        step_mean_s, step_max_s, step_at_least_s: estimated latency of a step.
        time_evidence, unknown_times: what it rests on.
        findings: of the run, those that are more than a note, the worst first.
    """

    profile: str
    title: str
    verdict: str
    reason: str = ""
    cores: int | None = None
    chips: int | None = None
    neurons: int | None = None
    synapses: int | None = None
    steps: int | None = None
    sops: int | None = None
    macs: int | None = None
    spikes: int | None = None
    messages: int | None = None
    cost_set: str | None = None
    priced_chip: str | None = None
    scope: str | None = None
    evidence: tuple[str, ...] = ()
    static_evidence: str | None = None
    proxy: bool = False
    dynamic_j: float | None = None
    static_j: float | None = None
    total_j: float | None = None
    per_step_j: float | None = None
    dynamic_complete: bool = False
    unpriced: tuple[str, ...] = ()
    step_time_s: float | None = None
    wall_time_s: float | None = None
    step_mean_s: float | None = None
    step_max_s: float | None = None
    step_at_least_s: float | None = None
    time_evidence: tuple[str, ...] = ()
    unknown_times: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        row: dict[str, Any] = plain(asdict(self))
        return row


@brief("network", "rows")
@dataclass(frozen=True)
class ProfileComparison:
    """Rows in the order of the profiles, then of the cost sets.

    Attributes:
        network: its name.
        rows: one per chip and cost set.
        note: what has to stand wherever the rows are shown.
    """

    network: str
    rows: tuple[ComparisonRow, ...]
    note: str = NOTE

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        rows = [row.to_dict() for row in self.rows]
        return {"network": self.network, "rows": rows, "note": self.note}

    def to_text(self) -> str:
        """For a terminal."""
        fit, *costs = [table(*one) for one in self.tables()]
        notes = "\n".join(wrap(line) for line in self.remarks())
        return parts(f"{self.network} on {self._chips()}", fit, *costs, self.pace(), notes) + "\n"

    def to_markdown(self) -> str:
        """Two tables in Markdown, and the remarks; names are escaped."""
        fit, *costs = [_markdown_table(*one) for one in self.tables()]
        notes = "\n".join(f"- {_markdown(line)}" for line in self.remarks())
        title = f"## {_markdown(self.network)} on {self._chips()}"
        return parts(title, fit, *costs, self.pace(), notes) + "\n"

    def to_csv(self) -> str:
        """Every column of every row; lists are joined by semicolons, null is empty."""
        out = io.StringIO()
        rows = [row.to_dict() for row in self.rows]
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([[_csv_cell(value) for value in row.values()] for row in rows])
        return out.getvalue()

    def _repr_html_(self) -> str:
        """For a notebook; every name is escaped."""
        lines = (self.pace(), *self.remarks())
        notes = "".join(f"<p>{html.escape(line)}</p>" for line in lines if line)
        return "".join(_html_table(head, rows) for head, rows, _ in self.tables()) + notes

    def _chips(self) -> str:
        count = len({row.profile for row in self.rows})
        return "1 chip" if count == 1 else f"{count} chips"

    def tables(self) -> Tables:
        """Head, rows and flush-left columns of two tables: use and counts of every chip; energy and
        latency of every chip that fits, under each cost set. The second is left out where no chip
        fits."""
        keys = ("cores", "chips", "synapses", "sops", "spikes", "messages")
        fit = {
            row.profile: [row.profile, row.verdict, *(integer(getattr(row, k)) for k in keys)]
            for row in self.rows
        }
        costs = [_cost_cells(row) for row in self.rows if row.verdict == "PASS"]
        use = (FIT, list(fit.values()), FIT_LEFT)
        return [use, (COST, costs, COST_LEFT)] if costs else [use]

    def pace(self) -> str:
        """What static energy and latency refer to; empty where no chip fits."""
        rows = [row for row in self.rows if row.verdict == "PASS"]
        if not rows:
            return ""
        times = {row.step_time_s for row in rows}
        own = len(times) > 1 or None in times
        each = "their own latency" if own else si(times.pop(), "s")
        return (
            f"{integer(rows[0].steps)} steps; static power is charged for steps of {each}; "
            "a step latency is the mean estimate"
        )

    def remarks(self) -> list[str]:
        """Why chips do not fit, what has no price or no time, and the footnote."""
        lines = []
        for row in self.rows:
            if row.verdict != "PASS":
                lines.append(f"{row.profile} does not fit: {row.reason}")
                continue
            lines += [f"{row.profile}: {text}" for text in row.findings]
            who = f"{row.profile}, {row.cost_set}{' (proxy)' if row.proxy else ''}"
            if row.cost_set and row.unpriced:
                names = ", ".join(label(name) for name in row.unpriced)
                lines.append(f"{who}: without a price: {names}")
            if row.cost_set and row.unknown_times:
                lines.append(f"{who}: without a time: {', '.join(row.unknown_times)}")
        return [*dict.fromkeys(lines), self.note]


def _cost_cells(row: ComparisonRow) -> list[str]:
    evidence = ", ".join(row.evidence) or UNKNOWN
    evidence += f"; static {row.static_evidence}" if row.static_evidence else ""
    dynamic = "" if row.dynamic_complete or row.dynamic_j is None else "≥ "
    return [
        row.profile,
        row.cost_set or "none",
        "proxy" if row.proxy else "",
        dynamic + _known(row.dynamic_j, "J"),
        _joules(row.static_j, row),
        _joules(row.total_j, row),
        _joules(row.per_step_j, row),
        _latency(row),
        label(row.scope or UNKNOWN),
        evidence,
    ]


def _known(value: float | None, unit: str) -> str:
    return "null" if value is None else si(value, unit)


def _joules(value: float | None, row: ComparisonRow) -> str:
    inside = row.scope == "all_in" and value is None and row.total_j is not None
    return "inside" if inside else _known(value, "J")


def _latency(row: ComparisonRow) -> str:
    if row.step_mean_s is not None:
        return f"{si(row.step_mean_s, 's')} [{', '.join(row.time_evidence)}]"
    least = row.step_at_least_s
    return "null" if least is None else f"null, ≥ {si(least, 's')}"


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    rule = [":--" if k in left else "--:" for k in range(len(head))]
    cells = [list(head), rule, *([_markdown(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def _markdown(value: str) -> str:
    """A name as it is, whatever it holds: no markup, no HTML, one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(value.split()))


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return "; ".join(map(str, value))
    # a spreadsheet takes what begins like this for a formula
    return f"'{value}" if isinstance(value, str) and value.startswith(tuple("=+-@")) else str(value)


@options
class RunOptions:
    """How every chip runs the network.

    Attributes:
        step_time_s: wall time of a step, or ``"fastest"``.
        seed: of the random events.
    """

    step_time_s: StepTime = 1e-3
    seed: Seed = 0


def compare(
    model: AnyNetwork | CompiledNetwork,
    profiles: Iterable[HardwareProfile | str] | None = None,
    inputs: SpikeInput | None = None,
    steps: int | None = None,
    cost_sets: Iterable[CostSet | str] | None = None,
    *,
    progress: Progress | None = None,
    **run: Any,
) -> ProfileComparison:
    """Compile a network for several chips, run it, and price each run.

    Args:
        model: float or integer network; of a compiled one, its integers are placed anew.
        profiles: chips; all that come with the package when not given.
        inputs: what drives every run; seeded random events when not given.
        steps: of every run; by default as many as the inputs have, or 1000.
        cost_sets: prices, each for every chip; by default those that describe the chip.
        progress: told what is being done and the share that is done; by default a bar in a
            notebook, and nothing elsewhere.
        run: see `RunOptions`.

    Raises:
        SpecError: an unknown name, no profile, or inputs of another width. A chip that the
            network does not fit is a row, not an error.
    """
    network = model.network if isinstance(model, CompiledNetwork) else model
    chips = _loaded(HardwareProfile.load, HardwareProfile.names() if profiles is None else profiles)
    prices = None if cost_sets is None else _loaded(CostSet.load, cost_sets)
    if not chips:
        raise SpecError(f"no profile to compare; there are: {', '.join(HardwareProfile.names())}")
    if inputs is not None and inputs.n_neurons != network.n_inputs:
        raise SpecError(
            f"inputs: {inputs.n_neurons} channels; allowed: {network.n_inputs} (the network's)"
        )
    steps = run_steps(inputs, steps)
    task = _Comparison(network, inputs, steps, prices, RunOptions(**run))
    rows: list[ComparisonRow] = []
    with shown(progress) as show:
        for k, chip in enumerate(chips):
            show(f"compare: {chip.name}", k / len(chips))
            rows += task.rows(chip)
        show("compare: done", 1.0)
    return ProfileComparison(network.name, tuple(rows))


def _loaded(load: Callable[[str], Any], items: Iterable[Any]) -> list[Any]:
    return [load(item) if isinstance(item, str) else item for item in items]


@dataclass(frozen=True, eq=False)
class _Comparison:
    """What is the same on every chip.

    Attributes:
        network, inputs, steps, run: see `compare`.
        prices: for every chip; None for those that describe it.
    """

    network: AnyNetwork
    inputs: SpikeInput | None
    steps: int
    prices: Sequence[CostSet] | None
    run: RunOptions

    def rows(self, chip: HardwareProfile) -> list[ComparisonRow]:
        """One row per cost set, or the one that says why the network does not fit."""
        try:
            compiled = compile_network(self.network, chip)
        except (CapacityError, SpecError, NetworkError) as error:
            return [ComparisonRow(chip.name, chip.title, "FAIL", _why(error))]
        inputs = self.inputs
        if inputs is None:
            inputs = random_input(compiled.network, self.steps, self.run.seed)
        trace = simulate(compiled, inputs, self.steps, "native")
        counts = Facts(compiled, trace).counts  # once for all prices
        evidence = Evidence(step_time_s=self.run.step_time_s, counts=counts)
        sets = self.prices
        if sets is None:
            sets = [CostSet.load(name) for name in chip.cost_sets]
        prices: Sequence[CostSet | None] = sets or [None]
        return [_row(Facts(compiled, trace, one, evidence)) for one in prices]


def _why(error: CapacityError | SpecError | NetworkError) -> str:
    """The first broken rule with its worst violation, and how many more rules are broken."""
    if isinstance(error, CapacityError) and error.violations:
        rules = by_rule(error.violations)
        worst, others = rules[0]
        alike = f" ({others} other{'s' * (others > 1)} too)" if others else ""
        more = f" (and {len(rules) - 1} more rule{'s' * (len(rules) > 2)})" if rules[1:] else ""
        return f"{worst.rule}: {worst.where}{alike}: {worst.measured}, limit {worst.limit}{more}"
    if not error.problems:
        return error.message
    first, others = error.problems[0], len(error.problems) - 1
    text = f"{first.where}: {first.measured}, limit {first.allowed}"
    return f"{text} (and {others} more)" if others else text


def _row(facts: Facts) -> ComparisonRow:
    """What a report of the run says, in one row."""
    compiled, prices, counts, cost = facts.compiled, facts.cost_set, facts.counts, facts.energy
    if counts is None or cost is None:
        raise ValueError("a row needs a run")
    pace = timing(facts)
    return ComparisonRow(
        profile=compiled.profile.name,
        title=compiled.profile.title,
        verdict="PASS",
        cores=compiled.placement.n_cores,
        chips=facts.chips,
        neurons=compiled.network.n_neurons,
        synapses=compiled.network.n_synapses,
        steps=counts.steps,
        sops=counts.ops.total,
        macs=counts.ops.macs,
        spikes=counts.done.spikes,
        messages=counts.done.messages,
        cost_set=cost.cost_set,
        priced_chip=None if prices is None else prices.chip,
        scope=cost.scope,
        evidence=cost.evidence,
        static_evidence=None if cost.static.power_w is None else cost.static.evidence,
        proxy=cost.proxy,
        dynamic_j=cost.dynamic_j,
        static_j=cost.static.energy_j,
        total_j=cost.total_j,
        per_step_j=cost.per_step_j,
        dynamic_complete=prices is not None and all(t.energy_j is not None for t in cost.terms),
        unpriced=tuple(c.name for c in cost.unpriced) if prices else ("no cost set",),
        step_time_s=pace["step_time_s"],
        wall_time_s=pace["wall_time_s"],
        step_mean_s=pace["step_mean_s"],
        step_max_s=pace["step_max_s"],
        step_at_least_s=pace["step_at_least_s"] or None,
        time_evidence=tuple(pace["evidence"]),
        unknown_times=tuple(pace["unknown"]),
        findings=tuple(str(f) for f in facts.run_findings if f.severity != "note"),
    )
