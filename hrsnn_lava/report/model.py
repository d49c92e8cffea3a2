"""The report of a compiled network: resources, synaptic operations, energy, and where it is from.

`Report.to_dict()` is ``report.json``; text and HTML say the same in the same order.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrsnn_lava.artifacts.container import plain
from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.budgets.judge import Budget, with_budgets
from hrsnn_lava.compiler.analysis.occupancy.utilization import Utilization
from hrsnn_lava.compiler.analysis.operations.activity import Activity
from hrsnn_lava.compiler.analysis.operations.counting import Counts, count_trace
from hrsnn_lava.compiler.analysis.operations.neurobench import neurobench
from hrsnn_lava.compiler.analysis.operations.synops import SynapticOperations, synaptic_operations
from hrsnn_lava.compiler.analysis.operations.windows import Windows
from hrsnn_lava.compiler.analysis.pricing.energy import Left, energy, event_counts, host_work
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.design_rules.check import Placed, check
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import CostSet
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.report import mapping, pruning_curve, quantization, sections, timing, weights
from hrsnn_lava.report import samples as samples_of
from hrsnn_lava.report.energy import sections as energy_sections
from hrsnn_lava.report.heterogeneity import (
    Values,
    heterogeneity,
    matched,
    values_of,
    without_absorbed,
)
from hrsnn_lava.sim_backends.runs.counting import recount
from hrsnn_lava.trace import Trace

SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class Figures:
    """What only the drawings need.

    Attributes:
        compiled: the program.
        used: use of every core.
        trace, ops, done: of the run; None without one.
        before, after: neuron parameters by quantity and population.
        weights_before, weights_after: relative weights by projection.
    """

    compiled: CompiledNetwork
    used: Utilization
    trace: Trace | None
    ops: SynapticOperations | None
    done: Activity | None
    before: dict[str, Values] | None
    after: dict[str, Values]
    weights_before: Values | None
    weights_after: Values


@dataclass(frozen=True, eq=False)
class Report:
    """A report as data, with what its drawings need."""

    data: dict[str, Any]
    figures: Figures

    def to_dict(self) -> dict[str, Any]:
        """``report.json`` as plain values; a copy."""
        return copy.deepcopy(self.data)

    def to_json(self) -> str:
        """``report.json``; equal input gives equal text, but for values under ``seconds``."""
        return json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_text(self) -> str:
        """The report for a terminal."""
        from hrsnn_lava.report.text import render_text

        return render_text(self.data)

    def to_html(self) -> str:
        """The report as one page that needs nothing else."""
        from hrsnn_lava.report.html import render_html

        return render_html(self)

    def _repr_html_(self) -> str:
        """The verdict and a few figures, for a notebook."""
        from hrsnn_lava.report.notebook import report_card

        return report_card(self.data)

    def write(self, path: Any) -> None:
        """Write ``.json``, ``.html`` or ``.txt``, by the suffix, whole or not at all.

        Raises:
            SpecError: another suffix.
            ArtifactError: the file cannot be written.
        """
        forms = {".json": self.to_json, ".html": self.to_html, ".txt": self.to_text}
        suffix = Path(path).suffix.lower()
        if suffix not in forms:
            raise SpecError(f"{path}: suffix {suffix!r}; allowed: {', '.join(forms)}")
        write_text(path, forms[suffix]())


def build_report(
    compiled: CompiledNetwork,
    trace: Trace | None = None,
    cost_set: CostSet | str | None = None,
    *,
    step_time_s: timing.StepTime = 1e-3,
    accuracy: Mapping[str, Any] | None = None,
    float_vs_integer: Mapping[str, Any] | None = None,
    parity: Mapping[str, Any] | None = None,
    comparison: Sequence[Mapping[str, Any]] | None = None,
    curve: Sequence[Mapping[str, Any]] | None = None,
    dynamics: Mapping[str, Any] | None = None,
    network_before: Network | QuantizedNetwork | None = None,
    trace_before: Trace | None = None,
    network_float: Network | None = None,
    counts: Counts | None = None,
    samples: float | None = None,
    sample_windows: Windows | Sequence[int] | None = None,
    sop_reference: float | Mapping[str, float] | None = None,
    spec_digest: str | None = None,
    provenance: Mapping[str, Any] | None = None,
    budgets: Mapping[str, Any] | Iterable[Budget] | None = None,
) -> Report:
    """Put together everything that is known of a compiled network and a run of it.

    Args:
        compiled: the program; it is checked against its profile again.
        trace: a run; without one there are no operations and no energy.
        cost_set: prices, or the name of a set; None leaves the energy unpriced.
        step_time_s: real time of a step, which the static energy rests on, or ``"fastest"``: what
            the chip needs, as far as its times are known.
        accuracy, parity: what the caller measured, shown as given. `parity["mismatches"]` above
            0 fails the report.
        float_vs_integer: how far the integers are from the float network on the same input, see
            `hrsnn_lava.training.difference`.
        comparison: rows of a table, such as one per pruning method.
        curve: rows for the pruning curve, with ``method`` and ``density`` where points of one
            method are to be joined; those of `comparison` by default.
        dynamics: eigenvalues and Lyapunov spectrum, see `hrsnn_lava.report.dynamics.dynamics`.
        network_before: what the program is compared with, such as the unpruned network.
        trace_before: run of `network_before` (integers then) over as many steps: its synaptic
            operations are the reference, unless `sop_reference` gives them.
        network_float: neurons before quantization, for the distributions; `network_before`
            otherwise.
        counts: what `hrsnn_lava.count` found in a run without a trace, in place of one.
        samples: inputs that the run processed, for figures per sample.
        sample_windows: where each of them begins and ends, or the steps they begin in; by default
            as ``trace.inputs.samples`` says, or windows of one length, where `samples` gives a
            whole number of steps.
        sop_reference: synaptic operations of the reference run (in all), or a mapping with
            ``total`` and ``recurrent``; ``sop.ratio`` is how many times fewer this run has.
        spec_digest: SHA-256 of the spec.
        provenance: more of it, by name.
        budgets: limits by key, see `hrsnn_lava.budgets`; one that is not kept is a failure.

    Raises:
        SpecError: the trace is not one of this network, or an argument is out of range.
    """
    if isinstance(cost_set, str):
        cost_set = CostSet.load(cost_set)
    network, placement = compiled.network, compiled.placement
    placed = Placed.of(network, placement.core_of, compiled.profile)
    windows = None
    if trace is not None:
        windows = samples_of.windows_of(trace, samples, sample_windows)
        samples = windows.samples if windows and not samples else samples
    if trace is not None:
        trace = recount(network, trace)
        counts = count_trace(compiled, trace)
    steps = None if counts is None else counts.steps
    timed = timing.Timed.of(compiled, trace, cost_set, step_time_s, windows, steps)
    ops = done = priced = events = None
    if counts is not None:
        ops, done = counts.ops, counts.done
        events = event_counts(ops, done)
        priced = energy(
            events,
            cost_set,
            compiled.profile,
            counts.steps,
            timed.step_time_s,
            chips_in_use(compiled),
            excluded=(*host_work(ops, done), *_readout_work(compiled, samples)),
            samples=samples,
        )
    if sop_reference is None and trace_before is not None:
        sop_reference = _reference(network_before, trace_before, trace)
    origin = network_before if network_float is None else network_float
    before = None if origin is None else values_of(origin)
    weights_before = None if origin is None else weights.weight_values(origin)
    weights_after = weights.weight_values(network)
    absorbed = _pass_report(compiled, "absorb_thresholds")
    after = without_absorbed(matched(values_of(network), before), absorbed)
    rows = sections.constraints(placed.used, compiled.profile)
    judged = sections.verdict(compiled, rows, check(placed), parity)
    data = {
        "schema_version": SCHEMA_VERSION,
        "project": network.name,
        "profile": compiled.profile.name,
        **judged,
        "network": _sizes(compiled),
        "constraints": rows,
        "cores": sections.cores(compiled, placed.used, ops, done),
        "transforms": [record.to_dict() for record in compiled.records],
        "heterogeneity": heterogeneity(
            after,
            before,
            _pass_report(compiled, "palette"),
            _pass_report(compiled, "quantize"),
            absorbed,
        ),
        "weights": weights.section(weights_before, weights_after),
        "quantization": quantization.section(compiled, trace, float_vs_integer, accuracy),
        "mapping": mapping.section(compiled, counts),
        "sop": sections.sop(ops, sop_reference, samples),
        "activity": sections.activity_section(network, counts),
        **energy_sections(compiled, priced, cost_set, events, 0 if ops is None else ops.host_macs),
        "timing": timing.section(timed, priced),
        **samples_of.sections(compiled, trace, ops, done, priced, cost_set, timed, windows),
        "accuracy": dict(accuracy or {}),
        "float_vs_integer": dict(float_vs_integer or {}),
        "parity": dict(parity or {}),
        "comparison": [dict(row) for row in comparison or ()],
        "pruning_curve": pruning_curve.points(comparison or () if curve is None else curve),
        "dynamics": dict(dynamics or {}),
        "neurobench": neurobench(network, ops, done, trace=trace, samples=samples),
        "provenance": sections.provenance(compiled, spec_digest, provenance, trace),
    }
    figures = Figures(
        compiled, placed.used, trace, ops, done, before, after, weights_before, weights_after
    )
    return Report(with_budgets(plain(data), budgets), figures)


def chips_in_use(compiled: CompiledNetwork) -> int:
    """Chips that hold a core of the network; each of them draws its static power."""
    per_chip = compiled.profile.chip.cores.value
    return -(-compiled.placement.n_cores // per_chip) if per_chip else 1


def _readout_work(compiled: CompiledNetwork, samples: float | None) -> tuple[Left, ...]:
    """Products of the readout that the host computes, one per weight and sample."""
    weights = sum(a.size for a in compiled.readout.values() if a.ndim == 2)
    if not weights:
        return ()
    count = None if samples is None else round(weights * samples)
    return (Left("readout multiplications", count, "the readout is off the chip, on the host"),)


def _reference(
    network: Network | QuantizedNetwork | None, trace: Trace, own: Trace | None
) -> dict[str, float]:
    """Synaptic operations of the run that this one is compared with."""
    if not isinstance(network, QuantizedNetwork):
        raise SpecError("trace_before: needs the integer network that was run as network_before")
    if own is not None and own.n_steps != trace.n_steps:
        raise SpecError(
            f"trace_before: {trace.n_steps} steps; allowed: {own.n_steps} (those of the trace)"
        )
    found = synaptic_operations(network, trace)
    return {"total": found.total, "recurrent": found.recurrent}


def _sizes(compiled: CompiledNetwork) -> dict[str, Any]:
    network, before = compiled.network, compiled.synapses_before
    return {
        "neurons": network.n_neurons,
        "inputs": network.n_inputs,
        "synapses": network.n_synapses,
        "synapses_before": before,
        "density_kept": network.n_synapses / before if before else None,
        "populations": {p.name: p.size for p in network.populations},
        "profile_title": compiled.profile.title,
        "chips": chips_in_use(compiled),
    }


def _pass_report(compiled: CompiledNetwork, name: str) -> Mapping[str, Any]:
    return next((r.report for r in compiled.records if r.name == name), {})
