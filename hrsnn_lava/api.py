"""The verbs of the package: `compile`, `quantize`, `simulate`, `verify`, `report`, `compare` ...

`count` is `simulate` that counts and keeps no trace; `simulate_batch` and `record` are `simulate`
for many trials and for runs of any length.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Literal

from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.pipeline import AnyPass, compile_network
from hrsnn_lava.errors import SpecError, raise_if
from hrsnn_lava.fields import instance
from hrsnn_lava.findings import Finding, FindingWarning, warn, worst_first
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.network import Network
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.spelling import unknown_options
from hrsnn_lava.trace import SpikeInput, Trace

if TYPE_CHECKING:
    from hrsnn_lava.compiler.analysis.operations.counting import Counts
    from hrsnn_lava.compiler.context import Observed
    from hrsnn_lava.experiment.chips import ProfileComparison
    from hrsnn_lava.processes.stock import StockGraph
    from hrsnn_lava.sim_backends.base import Backend
    from hrsnn_lava.sim_backends.runs.inputs import Inputs
    from hrsnn_lava.sim_backends.runs.parity import Parity
    from hrsnn_lava.sim_backends.runs.session import State


def compile(
    network: Network | QuantizedNetwork,
    profile: HardwareProfile | str,
    passes: Sequence[AnyPass] | None = None,
    *,
    chips: int | None = None,
    **options: Any,
) -> CompiledNetwork:
    """Compile a network for a chip; see `hrsnn_lava.compiler.pipeline.compile_network`.

    `chips` of them stand side by side; by default it is as many as the profile says, which is one
    in every profile that comes with the package. What is lost on the way is in `findings` of the
    result, and a `FindingWarning` each.

    Raises:
        CapacityError: the network does not fit; `violations` lists every broken rule.
        SpecError: an option that there is not, or `chips` that are no number above 0.
    """
    chip = HardwareProfile.load(profile) if isinstance(profile, str) else profile
    instance("profile", chip, HardwareProfile, "or give its name")
    chip = chip if chips is None else chip.with_chips(chips)
    compiled = compile_network(network, chip, passes, **options)
    warn(compiled.findings)
    return compiled


def quantize(
    network: Network,
    weight_bits: int = 8,
    *,
    observed: Observed | None = None,
    seed: int | None = None,
    **options: Any,
) -> QuantizedNetwork:
    """The integer network of a float one, not placed on any chip.

    Options are those of `hrsnn_lava.compiler.passes.quantize.Quantize`; `observed` is what a run
    showed, for those that ask for one. What is lost is in `findings` of the result, and a
    `FindingWarning` each.
    """
    from hrsnn_lava.compiler.context import Context
    from hrsnn_lava.compiler.context import Observed as Nothing
    from hrsnn_lava.compiler.passes.quantize import Quantize

    instance("network", network, Network, "integers are quantized already")
    observed = Nothing() if observed is None else instance("observed", observed, Nothing)
    context = Context(observed=observed, seed=seed)
    integer, report = Quantize(weight_bits, **options).apply(network, context)
    findings = worst_first((report or {}).get("findings", ()))
    warn(findings)
    return replace(integer, findings=findings)


def simulate(
    network: CompiledNetwork | QuantizedNetwork,
    inputs: SpikeInput | None = None,
    steps: int | None = None,
    backend: str | Backend = "native",
    probes: Collection[str] = ("spikes",),
    progress: Progress = silent,
) -> Trace:
    """Run `steps` steps from rest; see `hrsnn_lava.sim_backends.runs.session.simulate`.

    Without `steps` it is as many as the input has, here and in every other verb; without an input
    too it is 1000.

    `backend` is the name of an engine: ``reference``, ``native``, ``lava``, ``lava-stock``, or one
    of your own. `progress` is told how far the run is. What `from_lava` returns may be given as the
    only argument: it states inputs and steps. What one has to know of the run, such as currents
    that wrapped, is in `findings` of the trace, and a `FindingWarning` each.
    """
    from hrsnn_lava.sim_backends.base import as_quantized
    from hrsnn_lava.sim_backends.runs import session

    network, inputs, steps = _parts(network, inputs, steps)
    trace = session.simulate(network, inputs, steps, backend, probes, progress)
    trace = session.told(trace, as_quantized(network))
    findings = worst_first([*trace.findings, *_cut_off(inputs, trace.n_steps)])
    warn(findings)
    return replace(trace, findings=findings)


def _cut_off(inputs: SpikeInput | None, steps: int) -> Iterator[Finding]:
    """A note where a run ends before its input does."""
    if inputs is not None and inputs.n_steps > steps:
        late = int((inputs.steps >= steps).sum())
        yield Finding(
            "note",
            "input",
            f"{inputs.n_steps:,} steps in a run of {steps:,}, with {late:,} of "
            f"{inputs.steps.size:,} events after its end",
            "the rest is not sent",
            "give steps=None for all of it",
            kind="input_cut_off",
        )


def simulate_batch(
    network: Any,
    inputs: Sequence[SpikeInput | None] | None = None,
    steps: int | Sequence[int | None] | None = None,
    probes: Collection[str] = ("spikes",),
    **options: Any,
) -> Iterator[Trace]:
    """Run many trials on all cores; yields their traces in order, few in memory at a time.

    `network` is one for all, a sequence, or ``make(k) -> (network, inputs)``. Options are those of
    `hrsnn_lava.sim_backends.runs.batch.BatchOptions`. What one has to know of a trial is told as by
    `simulate`, when its trace is taken.
    """
    from hrsnn_lava.sim_backends.runs import batch

    _require_options("simulate_batch", options, batch.BatchOptions)
    return _telling(batch.simulate_batch(network, inputs, steps, probes, **options))


def _telling(traces: Iterator[Trace]) -> Iterator[Trace]:
    """The same traces with their findings, and a warning of each that is more than a note."""
    from hrsnn_lava.sim_backends.runs.session import told

    for trace in traces:
        if trace.origin is not None and trace.origin.network is not None:
            trace = told(trace, trace.origin.network)
        warn(trace.findings)
        yield trace


def record(
    network: CompiledNetwork | QuantizedNetwork,
    inputs: Inputs,
    steps: int | None,
    path: Any,
    probes: Collection[str] = ("spikes",),
    **options: Any,
) -> State | None:
    """Run of any length, streamed to a trace file; returns the last state, if there is one.

    Options are those of `hrsnn_lava.sim_backends.runs.recording.RecordOptions`. What one has to
    know of the run is a `FindingWarning` each, as of `simulate`.
    """
    from hrsnn_lava.sim_backends.runs import recording

    _require_options("record", options, recording.RecordOptions)
    return recording.record(network, inputs, steps, path, probes, **options)


def count(
    network: CompiledNetwork | QuantizedNetwork,
    inputs: Inputs = None,
    steps: int | None = None,
    **options: Any,
) -> Counts:
    """Run `steps` steps and count operations, updates, messages and hops; no trace is kept.

    Options are those of `hrsnn_lava.sim_backends.runs.counting.count`. The counts take the place
    of a trace in `report`: ``report(compiled, counts=count(compiled, inputs, 1000))``. What one has
    to know of the run is told as by `simulate`.
    """
    from hrsnn_lava.sim_backends.runs import counting

    counts = counting.count(network, inputs, steps, **options)
    warn(counts.findings)
    return counts


def _require_options(verb: str, options: Iterable[str], owner: Any) -> None:
    """Refuse keywords of a verb that are no fields of the class of its options."""
    known = [field.name for field in fields(owner)]
    raise_if(SpecError, f"{verb} has no such option", unknown_options(options, known))


def to_lava(
    network: CompiledNetwork | QuantizedNetwork,
    inputs: SpikeInput | None = None,
    steps: int | None = None,
    max_processes: int | None = None,
) -> StockGraph:
    """The network in stock Lava Processes, connected and not yet run; needs Lava.

    What runs it, ``Loihi2SimCfg(select_tag="fixed_pt")`` or a hardware configuration, is the
    caller's. `inputs` go into sources that hold `steps` steps, by default those of the input.

    Raises:
        CapacityError: stock Processes cannot express it; every reason is listed.
    """
    from hrsnn_lava.sim_backends.lava_stock import stock_processes

    return stock_processes(network, inputs, steps, max_processes)


def verify(
    network: CompiledNetwork | QuantizedNetwork,
    inputs: SpikeInput | None = None,
    steps: int | None = None,
    backends: Sequence[str] = ("reference", "native"),
    progress: Progress = silent,
) -> Parity:
    """Compare engines bit for bit; returns a `Parity`, with ``mismatches`` and ``line()``.

    It goes into a report: ``report(compiled, trace, parity=verify(compiled, trace.inputs))``.
    That engines agree does not make a run right: what one has to know of it is told as by
    `simulate`.
    """
    from hrsnn_lava.sim_backends.runs.parity import verify_parity

    network, inputs, steps = _parts(network, inputs, steps)
    parity = verify_parity(network, inputs, steps, backends, progress)[0]
    warn(parity.findings)
    return parity


def compare_float(
    network: Network,
    integer: QuantizedNetwork | CompiledNetwork,
    inputs: Any = None,
    steps: int | None = None,
    *,
    steps_per_sample: int | None = 20,
    backend: str | Backend = "native",
) -> dict[str, Any]:
    """Run a float network and the integers made of it on the same input, and compare them.

    `inputs` are events with the payloads of the integer network, such as ``trace.inputs``, or
    (n, n_inputs) analog samples, each held for `steps_per_sample` steps. What is compared is said
    by `hrsnn_lava.training.difference.compare_float_fixed`; the result goes into a report,
    ``report(compiled, trace, float_vs_integer=compare_float(network, compiled, trace.inputs))``,
    where spike counts that differ by more than 5 % are a finding. That, and what one has to know of
    the integers' run, is in ``findings`` of the result, and a `FindingWarning` each.
    """
    from hrsnn_lava.report.agreement import agreement_findings
    from hrsnn_lava.training.difference import compare_float_fixed

    compared = compare_float_fixed(
        network,
        integer,
        inputs,
        steps=steps,
        steps_per_sample=steps_per_sample,
        backend=backend,
    )
    of_run = [Finding.from_dict(finding) for finding in compared["findings"]]
    findings = worst_first([*of_run, *agreement_findings(compared)])
    warn(findings)
    return {**compared, "findings": [finding.to_dict() for finding in findings]}


def _parts(network: Any, inputs: SpikeInput | None, steps: int | None) -> Any:
    """Network, inputs and steps, which `from_lava` returns as one."""
    from hrsnn_lava.processes.from_lava import FromLava

    return network if isinstance(network, FromLava) else (network, inputs, steps)


def compare(
    model: Network | QuantizedNetwork | CompiledNetwork,
    profiles: Iterable[HardwareProfile | str] | None = None,
    inputs: SpikeInput | None = None,
    steps: int | None = None,
    cost_sets: Iterable[CostSet | str] | None = None,
    **options: Any,
) -> ProfileComparison:
    """Compile for several chips, run each on the same input, and price the runs.

    All chips that come with the package, and of each the cost sets that describe it, unless
    named; options are those of `hrsnn_lava.experiment.chips.compare`. What one has to know of a run
    is in ``findings`` of its row, and a `FindingWarning` each.
    """
    from hrsnn_lava.experiment import chips

    comparison = chips.compare(model, profiles, inputs, steps, cost_sets, **options)
    for text in dict.fromkeys(text for row in comparison.rows for text in row.findings):
        warnings.warn(text, FindingWarning, stacklevel=2)
    return comparison


def report(
    compiled: CompiledNetwork,
    trace: Trace | None = None,
    cost_set: CostSet | str | Literal[False] | None = None,
    **options: Any,
) -> Any:
    """Resources, synaptic operations and energy; see `hrsnn_lava.report.document.build_report`.

    Without `cost_set` the chip's own prices are taken, as the command does: ``sanafe_loihi`` on
    Loihi 1, else the first that describes the chip. False, or ``"none"``, leaves energy unpriced.
    """
    from hrsnn_lava.report.document import build_report

    return build_report(compiled, trace, cost_set, **options)
