"""What a report is about: a program, a run of it, and what else its caller knows.

`Facts` works out each figure when a section first asks for it, and once. It never runs a program:
what a trace does not hold is given as a bound, or as not known.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

from hrsnn_lava import registry
from hrsnn_lava.budgets.judge import Budget
from hrsnn_lava.compiler.analysis.operations.activity import Activity
from hrsnn_lava.compiler.analysis.operations.counting import Counts, count_trace
from hrsnn_lava.compiler.analysis.operations.synops import SynapticOperations, check_trace
from hrsnn_lava.compiler.analysis.operations.windows import Windows, from_count, from_starts
from hrsnn_lava.compiler.analysis.pricing.energy import (
    Energy,
    UnpricedCount,
    energy,
    event_counts,
    host_work,
)
from hrsnn_lava.compiler.analysis.pricing.findings import energy_findings
from hrsnn_lava.compiler.analysis.pricing.latency import Latency, latency
from hrsnn_lava.compiler.analysis.run_findings import run_findings
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.design_rules.check import PlacedNetwork
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.fields import choice, instance, is_real, listed, refusal, whole_number
from hrsnn_lava.findings import Finding, worst_first
from hrsnn_lava.hardware_profiles import CostSet, CountKey
from hrsnn_lava.network import Network
from hrsnn_lava.notebook import brief
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.report.agreement import agreement_findings
from hrsnn_lava.report.format import Plain
from hrsnn_lava.report.unpruned import UnprunedRun, chips_of
from hrsnn_lava.trace import EXTENT, Origin, Trace

#: Step time that stands for: as long as the chip needs.
FASTEST: Literal["fastest"] = "fastest"
StepTime: TypeAlias = float | Literal["fastest"]
#: What evidence that is of one network has to say.
_SAID = {
    "parity": ("backends", "steps", "mismatches", "network_digest"),
    "float_vs_integer": ("steps", "network_digest"),
}
Mode: TypeAlias = Literal["real_time", "as_fast_as_possible"]


@brief("step_time_s", "samples", "parity", "accuracy", in_cells=False)
@dataclass(frozen=True, eq=False)
class Evidence:
    """What a caller of `hl.report` knows beside the program and its run; the fields are keywords.

    Attributes:
        step_time_s: real time of a step, which the static energy rests on, or ``"fastest"``: what
            the chip needs, as far as its times are known.
        accuracy: what the caller measured, shown as given.
        parity: the same, or what `hl.verify` returned. ``mismatches`` above 0 fail the report.
        float_vs_integer: how far the integers are from the float network on the same input, as
            `hl.compare_float` says it; spike counts beyond 5 % are a finding.
        comparison: rows of a table, such as one per pruning method.
        scores: which columns of those rows are scores of the task, the headline first: for each
            ``name``, ``title``, ``better`` (``lower`` or ``higher``) and ``unit``, as
            `hrsnn_lava.metrics.scores.Score.describe` says it.
        spread: rows of the same networks on several seeds, one for each network and seed, see
            `hrsnn_lava.report.sections.spread`.
        confusion: which class the program took for which, as ``hl.metric("confusion")`` gives it:
            the result itself, or its ``classes`` and ``counts``.
        curve: rows for the pruning curve, with ``method`` and ``density`` where points of one
            method are to be joined; those of `comparison` by default.
        dynamics: eigenvalues and Lyapunov spectrum, see
            `hrsnn_lava.report.sections.dynamics.dynamics`.
        network_before: what the program is compared with, such as the unpruned network; compiled
            for the same chip its messages, hops and cores are known too.
        trace_before: run of `network_before` (integers then) over as many steps: what pruning saved
            is taken from it, unless `unpruned` or `sop_reference` say it.
        unpruned: the same, as `hrsnn_lava.report.unpruned.UnprunedRun` counts it.
        network_float: neurons before quantization, for the distributions; `network_before`
            otherwise.
        counts: what `hrsnn_lava.count` says of the run, in place of a trace; beside a trace of
            the same run, in place of counting that.
        samples: inputs that the run processed, for figures per sample.
        sample_windows: where each of them begins and ends, or the steps they begin in; by default
            as ``trace.inputs.samples`` says, or windows of one length, where `samples` gives a
            whole number of steps.
        sop_reference: synaptic operations of the unpruned run (in all), or a mapping with
            ``total`` and ``recurrent``; ``sop.ratio`` is how many times fewer this run has.
        spec_digest: SHA-256 of the spec.
        provenance: more of it, by name.
        findings: what else a user has to know, such as events that an encoder lost.
        budgets: limits by key, see `hrsnn_lava.budgets.quantities`; a broken one is a failure.
    """

    step_time_s: StepTime = 1e-3
    accuracy: Plain | None = None
    float_vs_integer: Plain | None = None
    parity: Plain | None = None
    comparison: Sequence[Plain] | None = None
    scores: Sequence[Plain] | None = None
    spread: Sequence[Plain] | None = None
    confusion: Plain | None = None
    curve: Sequence[Plain] | None = None
    dynamics: Plain | None = None
    network_before: Network | QuantizedNetwork | CompiledNetwork | None = None
    trace_before: Trace | None = None
    unpruned: UnprunedRun | None = None
    network_float: Network | None = None
    counts: Counts | None = None
    samples: float | None = None
    sample_windows: Windows | Sequence[int] | None = None
    sop_reference: float | Mapping[str, float] | None = None
    spec_digest: str | None = None
    provenance: Plain | None = None
    findings: Sequence[Finding] = ()
    budgets: Mapping[str, float] | Iterable[Budget] | None = None

    @classmethod
    def of(cls, keywords: Plain) -> Evidence:
        """From keywords; raises `SpecError` that lists the known ones for any other."""
        names = [f.name for f in fields(cls)]
        problems = []
        for key in keywords.keys() - set(names):
            near = difflib.get_close_matches(key, names, n=1)
            fix = f"did you mean {near[0]!r}?" if near else ""
            problems.append(Problem(key, "unknown", ", ".join(names), fix))
        if problems:
            raise SpecError("a report takes no such keyword", problems=problems)
        parity = keywords.get("parity")
        # known by its methods: the class is in a room that runs programs, which a report does not
        if parity is not None and hasattr(parity, "to_dict"):
            keywords = {**keywords, "parity": parity.to_dict() | {"line": parity.line()}}
        matrix = keywords.get("confusion")
        if matrix is not None and hasattr(matrix, "to_dict"):
            keywords = {**keywords, "confusion": matrix.to_dict()}
        return cls(**keywords)


@brief("mode", "step_time_s", "wall_time_s", in_cells=False)
@dataclass(frozen=True, eq=False)
class Pace:
    """How long the steps of a run take, and what sets that.

    In real time every step lasts what the user says, as where a sensor gives the pace; as fast as
    possible it lasts what the latency model estimates, and the wall time is the sum over the steps.

    Attributes:
        mode: who sets the pace, the user or the chip.
        step_time_s: of every step in real time, else the mean of the estimates; None: not known.
        wall_time_s: of the run; None: not known.
        latency: the estimate; None without a trace, since it rests on what every core does in a
            step.
    """

    mode: Mode
    step_time_s: float | None
    wall_time_s: float | None
    latency: Latency | None

    @property
    def real_time(self) -> bool:
        """Whether the user sets the pace."""
        return self.mode == "real_time"


@brief("compiled=compiled.network.name", "trace", "cost_set", in_cells=False)
@dataclass(frozen=True, eq=False)
class Facts:
    """A program, its run and its prices, and the figures that follow from them.

    Attributes:
        compiled: the program.
        trace: its run; without one there are no operations and no energy.
        cost_set: prices; None leaves the energy unpriced.
        evidence: what else is known.
    """

    compiled: CompiledNetwork
    trace: Trace | None = None
    cost_set: CostSet | None = None
    evidence: Evidence = field(default_factory=Evidence)

    def check(self) -> None:
        """Refuse what is no compiled network, and runs of another one.

        Raises:
            SpecError: something is of another type, or of another network.
            NetworkError: the network contradicts itself, or its placement is of other neurons.
        """
        for name, value, kind in (
            ("compiled", self.compiled, CompiledNetwork),
            ("trace", self.trace, Trace),
            ("trace_before", self.evidence.trace_before, Trace),
            ("counts", self.evidence.counts, Counts),
            ("unpruned", self.evidence.unpruned, UnprunedRun),
        ):
            if value is not None and not isinstance(value, kind):
                raise SpecError(f"{name}: {type(value).__name__}; allowed: a {kind.__name__}")
        network = self.compiled.verify_placement().network
        if self.trace is not None:
            check_trace(network, self.trace)
        counts = self.evidence.counts
        for name in ("parity", "float_vs_integer"):
            if (said := getattr(self.evidence, name)) is not None:
                _check_said(name, said, network, self.trace or counts)
        if counts is not None and counts.origin is not None and not counts.origin.is_of(network):
            raise SpecError(
                f"counts: of the network {counts.origin.digest[:12]}; allowed: one of "
                f"{network.name!r}, {network.digest[:12]}. Count that network, or report its own"
            )

    @cached_property
    def placed(self) -> PlacedNetwork:
        """The program on its cores, with the use of every limit."""
        return PlacedNetwork.of(self.compiled.network, self.compiled.core_of, self.compiled.profile)

    @property
    def chips(self) -> int:
        """Chips that hold a core of the network; each of them draws its static power."""
        return chips_of(self.compiled.placement.n_cores, self.compiled.profile)

    @property
    def synapses_before(self) -> int | None:
        """Synapses before pruning; None where nothing was pruned.

        What quantization drops is no pruning.
        """
        before = self.compiled.synapses_before
        records = {record.name: record for record in self.compiled.records}
        entering = self.compiled.network.n_synapses
        if "quantize" in records:
            entering = records["quantize"].before.get("synapses", entering)
        return before if before is not None and before > entering else None

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What a user has to know of the program, its run and its prices, the worst first."""
        of_prices = () if self.energy is None else energy_findings(self.energy)
        of_integers = agreement_findings(self.evidence.float_vs_integer or {})
        found = [*self.compiled.findings, *self.run_findings, *of_integers, *of_prices]
        return worst_first([*self.evidence.findings, *found])

    @cached_property
    def run_findings(self) -> tuple[Finding, ...]:
        """What a user has to know of the run, the worst first; empty without one."""
        if self.counts is None:
            return ()
        network, done = self.compiled.network, self.counts.done
        return worst_first(run_findings(network, done, self.counts.steps))

    def pass_report(self, name: str) -> Plain:
        """What a pass recorded; empty when it did not run."""
        return next((r.report for r in self.compiled.records if r.name == name), {})

    @property
    def origin(self) -> Network | QuantizedNetwork | None:
        """The network that neurons and weights are compared with."""
        float_network, before = self.evidence.network_float, self.evidence.network_before
        before = before.network if isinstance(before, CompiledNetwork) else before
        return before if float_network is None else float_network

    @cached_property
    def windows(self) -> Windows | None:
        """Samples of the run; None without one, or where nothing tells them."""
        if self.trace is None:
            return None
        return windows_of(self.trace, self.evidence.samples, self.evidence.sample_windows)

    @property
    def samples(self) -> float | None:
        """Inputs that the run processed, as given or as its windows tell."""
        windows, number = self.windows, self.evidence.samples
        return windows.samples if windows is not None and not number else number

    @cached_property
    def counts(self) -> Counts | None:
        """Counts of the run, as given, else of the trace; None without either.

        Raises:
            SpecError: the trace is one of another network, or the counts are of another run.
        """
        counts, trace = self.evidence.counts, self.trace
        if trace is None:
            return counts
        if counts is None:
            return count_trace(self.compiled, trace)
        if (counts.steps, counts.done.spikes) != (trace.n_steps, trace.n_spikes):
            raise SpecError(
                f"counts: {counts.done.spikes} spikes in {counts.steps} steps; allowed: "
                f"{trace.n_spikes} in {trace.n_steps} (those of the trace)"
            )
        return counts

    @property
    def operations(self) -> SynapticOperations | None:
        """Synaptic operations of the run."""
        return None if self.counts is None else self.counts.ops

    @property
    def activity(self) -> Activity | None:
        """Spikes, updates, messages and hops of the run."""
        return None if self.counts is None else self.counts.done

    @cached_property
    def events(self) -> Mapping[CountKey, int | None] | None:
        """The counts of the run that have prices."""
        if self.counts is None:
            return None
        return event_counts(self.counts.ops, self.counts.done)

    @cached_property
    def pace(self) -> Pace:
        """How long the run takes.

        Raises:
            SpecError: the step time is neither seconds above 0 nor ``"fastest"``.
        """
        step_time = self.evidence.step_time_s
        seconds = None if step_time == FASTEST else _seconds(step_time)
        mode: Mode = "as_fast_as_possible" if seconds is None else "real_time"
        estimate = None
        if self.trace is not None:
            estimate = latency(self.compiled, self.trace, self.cost_set, windows=self.windows)
        if seconds is not None:
            wall = None if self.counts is None else seconds * self.counts.steps
            return Pace(mode, seconds, wall, estimate)
        total = None if estimate is None else estimate.total_s
        steps = 0 if estimate is None else estimate.steps
        return Pace(mode, total / steps if total and steps else None, total, estimate)

    @cached_property
    def energy(self) -> Energy | None:
        """The run under the prices; None without a run."""
        counts, events = self.counts, self.events
        if counts is None or events is None:
            return None
        priced = energy(
            events,
            self.cost_set,
            self.compiled.profile,
            counts.steps,
            self.pace.step_time_s,
            self.chips,
            samples=self.samples,
        )
        host = (*host_work(counts.ops, counts.done), *self._readout_work())
        return replace(priced, excluded=host)

    def _readout_work(self) -> tuple[UnpricedCount, ...]:
        """Products of the readout that the host computes, one per weight and sample."""
        weights = sum(a.size for a in self.compiled.readout.values() if a.ndim == 2)
        if not weights:
            return ()
        number = None if self.samples is None else round(weights * self.samples)
        reason = "the readout is off the chip, on the host"
        return (UnpricedCount("readout multiplications", number, reason),)

    @cached_property
    def reference(self) -> Mapping[str, float]:
        """Synaptic operations of the unpruned run: ``total`` and, where it is known,
        ``recurrent``; empty without one."""
        reference, before = self.evidence.sop_reference, self.unpruned
        if isinstance(reference, Mapping):
            return dict(reference)
        if reference is not None:
            return {"total": reference}
        return {} if before is None else {"total": before.total, "recurrent": before.recurrent}

    @cached_property
    def unpruned(self) -> UnprunedRun | None:
        """What the unpruned network did on the same input; None where that is not known.

        Raises:
            SpecError: the run before is of a float network, or has another number of steps.
        """
        whole, before = self.evidence.unpruned, self.evidence.trace_before
        if whole is None and before is not None:
            network, profile = self.evidence.network_before, self.compiled.profile
            whole = UnprunedRun.of_trace(network, before, profile)
        steps = None if self.counts is None else self.counts.steps
        if whole is not None and steps is not None and whole.steps != steps:
            name = "trace_before" if self.evidence.unpruned is None else "unpruned"
            raise SpecError(f"{name}: {whole.steps} steps; allowed: {steps} (those of the trace)")
        return whole


def _check_said(name: str, said: Any, network: QuantizedNetwork, run: Any) -> None:
    """Refuse what `hl.verify` or `hl.compare_float` said of another network, or of a run of
    another length than `run`, and what neither of them says."""
    maker = "hl.verify" if name == "parity" else "hl.compare_float"
    if not isinstance(said, Mapping):
        kind = type(said).__name__
        raise SpecError(f"{name}: of type {kind}; allowed: what {maker} returns, or its dict")
    missing = [key for key in _SAID[name] if key not in said]
    if missing:
        raise SpecError(f"{name}: without {', '.join(missing)}; allowed: what {maker} returns")
    whole_number(f"{name}.steps", said["steps"], EXTENT, error=SpecError)
    if name == "parity":
        whole_number(f"{name}.mismatches", said["mismatches"], (0, 2**63 - 1), error=SpecError)
        engines = listed(f"{name}.backends", said["backends"], "names of engines", SpecError)
        for engine in engines:
            choice(f"{name}.backends", engine, registry.names("engine"), SpecError)
    else:
        instance(f"{name}.spikes", said.get("spikes", {}), Mapping)
        for key in ("rate_ratio", "count_error"):
            if not is_real(ratio := said.get(key) or 0.0):
                raise refusal(f"{name}.{key}", f"{ratio!r:.60}", "a number", error=SpecError)
    origin = Origin(digest=said["network_digest"])
    if not origin.is_of(network):
        raise SpecError(
            f"{name}: of the network {origin.digest[:12]}; allowed: one of {network.name!r}, "
            f"{network.digest[:12]}. Ask {maker} of that network"
        )
    steps = said["steps"] if run is None else getattr(run, "n_steps", getattr(run, "steps", None))
    if steps != said["steps"]:
        raise SpecError(f"{name}: {said['steps']} steps; allowed: {steps} (those of the run)")


def _seconds(value: Any) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise SpecError(f"step_time_s: {value!r}; allowed: seconds > 0, or {FASTEST!r}")
    return float(value)


def windows_of(
    trace: Trace, samples: float | None = None, cut: Windows | Sequence[int] | None = None
) -> Windows | None:
    """Samples of a run: as they are cut, as their number tells, or as its input says.

    Raises:
        SpecError: windows of a run of another length, or first steps that are none.
    """
    if isinstance(cut, Windows):
        if cut.n_steps != trace.n_steps:
            raise SpecError(
                f"sample_windows: of {cut.n_steps} steps; allowed: {trace.n_steps} (the run's)"
            )
        return cut
    if cut is not None:
        return from_starts(trace.n_steps, cut)
    if samples:
        return from_count(trace.n_steps, samples)
    starts = None if trace.inputs is None else trace.inputs.samples
    if starts is None or not (starts < trace.n_steps).any():
        return None
    return from_starts(trace.n_steps, starts[starts < trace.n_steps], "as the input says")
