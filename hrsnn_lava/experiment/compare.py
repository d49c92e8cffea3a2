"""One network on several chips: compiled for each, run on the same input, priced.

It is no ranking. A row is one model of one chip: what an operation holds differs between chips,
and so do scope and evidence of the prices, which stand in every row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hrsnn_lava.artifacts.container import plain
from hrsnn_lava.compiler.analysis.operations.counting import Counts, count_trace
from hrsnn_lava.compiler.analysis.pricing.energy import energy, event_counts
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.errors import CapacityError, NetworkError, SpecError
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.report.model import chips_in_use
from hrsnn_lava.report.timing import StepTime, Timed
from hrsnn_lava.report.timing import section as timing_section
from hrsnn_lava.sim_backends.runs.inputs import random_input
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput, Trace

Progress = Callable[[str, float | None], None]
NOTE = (
    "No ranking: rows are in the order that was asked for. A row is one model of one chip; figures "
    "of different scope or evidence do not compare, a synaptic operation is not the same work on "
    "every chip, and a proxy prices one chip with the figures of another. What the host does is in "
    "no row."
)


def _silent(_: str, __: float | None = None) -> None:
    return None


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

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        found: dict[str, Any] = plain(asdict(self))
        return found


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
        from hrsnn_lava.report.profiles_table import text

        return text(self.to_dict())

    def to_markdown(self) -> str:
        """One table in Markdown; names are escaped."""
        from hrsnn_lava.report.profiles_table import markdown

        return markdown(self.to_dict())

    def to_csv(self) -> str:
        """All columns, with units in their names."""
        from hrsnn_lava.report.profiles_table import csv_text

        return csv_text(self.to_dict())

    def _repr_html_(self) -> str:
        """For a notebook."""
        from hrsnn_lava.report.profiles_table import html_table

        return html_table(self.to_dict())


def compare(
    model: Network | QuantizedNetwork | CompiledNetwork,
    profiles: Iterable[HardwareProfile | str] | None = None,
    inputs: SpikeInput | None = None,
    steps: int | None = None,
    cost_sets: Iterable[CostSet | str] | None = None,
    *,
    step_time_s: StepTime = 1e-3,
    seed: int = 0,
    progress: Progress = _silent,
) -> ProfileComparison:
    """Compile a network for several chips, run it, and price each run.

    Args:
        model: float or integer network; of a compiled one, its integers are placed anew.
        profiles: chips; all that come with the package when not given.
        inputs: what drives every run; seeded random events when not given.
        steps: of every run; by default as many as the inputs have, or 1000.
        cost_sets: prices, each for every chip; by default those that describe the chip.
        step_time_s: wall time of a step, or ``"fastest"``.
        seed: of the random events.
        progress: called with what is being done and the share that is done.

    Raises:
        SpecError: an unknown name, no profile, or inputs of another width. A chip that the
            network does not fit is a row, not an error.
    """
    network = model.network if isinstance(model, CompiledNetwork) else model
    chips = [_loaded(HardwareProfile, p) for p in _or_names(HardwareProfile, profiles)]
    asked = None if cost_sets is None else [_loaded(CostSet, s) for s in cost_sets]
    if not chips:
        raise SpecError(f"no profile to compare; there are: {', '.join(HardwareProfile.names())}")
    if inputs is not None and inputs.n_neurons != network.n_inputs:
        raise SpecError(
            f"inputs: {inputs.n_neurons} channels; allowed: {network.n_inputs} (the network's)"
        )
    if steps is None:
        steps = 1000 if inputs is None else inputs.n_steps
    if steps < 0:
        raise SpecError(f"steps: {steps}; allowed: >= 0")
    rows: list[ComparisonRow] = []
    for k, chip in enumerate(chips):
        progress(f"compare: {chip.name}", k / len(chips))
        rows += _rows(network, chip, inputs, steps, asked, step_time_s, seed)
    progress("compare: done", 1.0)
    return ProfileComparison(network.name, tuple(rows))


def _or_names(kind: Any, given: Iterable[Any] | None) -> Iterable[Any]:
    return kind.names() if given is None else given


def _loaded(kind: Any, given: Any) -> Any:
    return kind.load(given) if isinstance(given, str) else given


def _rows(
    network: Network | QuantizedNetwork,
    chip: HardwareProfile,
    inputs: SpikeInput | None,
    steps: int,
    asked: Sequence[CostSet] | None,
    step_time_s: StepTime,
    seed: int,
) -> list[ComparisonRow]:
    """The rows of one chip."""
    try:
        compiled = compile_network(network, chip)
    except (CapacityError, SpecError, NetworkError) as error:
        return [ComparisonRow(chip.name, chip.title, "FAIL", _why(error))]
    driven = random_input(compiled.network, steps, seed) if inputs is None else inputs
    trace = simulate(compiled, driven, steps)
    counts = count_trace(compiled, trace)
    known = (CostSet.load(name) for name in chip.cost_sets)
    sets: Sequence[CostSet | None] = list(known if asked is None else asked) or [None]
    return [_priced(compiled, trace, counts, prices, step_time_s) for prices in sets]


def _why(error: CapacityError | SpecError | NetworkError) -> str:
    """The first broken rule, and how many more there are."""
    problems = error.problems
    if not problems:
        return error.message
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{first.where}: {first.measured}, limit {first.allowed}{more}"


def _priced(
    compiled: CompiledNetwork,
    trace: Trace,
    counts: Counts,
    prices: CostSet | None,
    step_time_s: StepTime,
) -> ComparisonRow:
    ops, done, chip = counts.ops, counts.done, compiled.profile
    timed = Timed.of(compiled, trace, prices, step_time_s)
    n_chips = chips_in_use(compiled)
    events = event_counts(ops, done)
    cost = energy(events, prices, chip, trace.n_steps, timed.step_time_s, n_chips)
    pace = timing_section(timed, cost)
    priced = prices is not None
    return ComparisonRow(
        profile=chip.name,
        title=chip.title,
        verdict="PASS",
        cores=compiled.placement.n_cores,
        chips=n_chips,
        neurons=compiled.network.n_neurons,
        synapses=compiled.network.n_synapses,
        steps=trace.n_steps,
        sops=ops.total,
        macs=ops.macs,
        spikes=done.spikes,
        messages=done.messages,
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
        dynamic_complete=priced and all(t.energy_j is not None for t in cost.terms),
        unpriced=tuple(left.name for left in cost.unpriced) if priced else ("no cost set",),
        step_time_s=pace["step_time_s"],
        wall_time_s=pace["wall_time_s"],
        step_mean_s=pace["step_mean_s"],
        step_max_s=pace["step_max_s"],
        step_at_least_s=pace["step_at_least_s"] or None,
        time_evidence=tuple(pace["evidence"]),
        unknown_times=tuple(pace["unknown"]),
    )
