"""Counting a run as it goes, and finding out afterwards what a trace does not say.

`count` runs a network stretch by stretch and keeps no raster: memory does not grow with the run,
but for one number a step and projection, which ``per_step=False`` leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from hrsnn_lava.compiler.analysis.operations.activity import updates_of
from hrsnn_lava.compiler.analysis.operations.counting import Counting, Counts
from hrsnn_lava.compiler.analysis.operations.synops import check_trace
from hrsnn_lava.compiler.analysis.run_findings import run_findings
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.errors import SpecError
from hrsnn_lava.findings import worst_first
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import (
    Backend,
    as_quantized,
    check_run,
    run_steps,
    runnable,
    with_updates,
)
from hrsnn_lava.sim_backends.runs.inputs import InputCursor, Inputs, part_of
from hrsnn_lava.sim_backends.runs.session import Session, State, joined
from hrsnn_lava.trace import SpikeInput, Trace

#: A stretch holds at most this many neuron-steps.
STRETCH_VALUES = 5_000_000


def count(
    network: CompiledNetwork | QuantizedNetwork,
    inputs: Inputs = None,
    steps: int | None = None,
    *,
    state: State | None = None,
    backend: str | Backend = "native",
    per_step: bool = True,
    progress: Progress = silent,
) -> Counts:
    """Run `steps` steps and count them, with no raster kept.

    Args:
        network: `CompiledNetwork`; a `QuantizedNetwork` counts as if on one core.
        inputs: a recording, or an iterable of pieces that follow one another; None for none.
        steps: number of steps; None: the input's, all its pieces together, or 1000 without one.
        state: where to start; None is rest.
        backend: as of `Session`.
        per_step: keep synaptic operations by step and projection.
        progress: told the steps done, after every stretch.

    Raises:
        SpecError: as `Session.run`.
        BackendError, BackendMissingError: Lava is missing or failed.
    """
    integer = runnable(network)
    steps = run_steps(inputs, steps)
    check_run(integer, inputs if isinstance(inputs, SpikeInput) else None, steps)
    first = 0 if state is None else state.step
    if isinstance(network, CompiledNetwork):
        counting = Counting.of(network, per_step=per_step, first_step=first)
    else:
        counting = Counting(integer, per_step=per_step, first_step=first)
    cursor = InputCursor(inputs, integer)
    with Session(integer, state, backend) as session:
        while counting.steps < steps:
            stretch = min(stretch_steps(integer), steps - counting.steps)
            counting.add(session.advance(cursor.take(stretch)))
            progress(f"{counting.steps:,} of {steps:,} steps counted", counting.steps / steps)
    counts = counting.result()
    return replace(counts, findings=worst_first(run_findings(integer, counts.done, counts.steps)))


def stretch_steps(network: QuantizedNetwork) -> int:
    """Steps of a stretch: enough of them that the tables of counting, which the run drives out of
    the cache, are seldom fetched anew."""
    return max(1, STRETCH_VALUES // (network.n_neurons + network.n_inputs))


def count_pieces(network: Any, pieces: Iterable[Trace]) -> Counts:
    """Counts of a run from rest that comes in pieces, such as those of a `Recording`."""
    counting = Counting(as_quantized(network), per_step=False)
    for trace in pieces:
        counting.add(trace)
    return counting.result()


def counts_on(network: Any, traces: Iterable[Trace]) -> Iterator[Counts]:
    """Counts of a network on the inputs of other runs, one for each.

    What pruning saved refers to: the network before pruning on the input of the pruned one. Every
    trace is run again from rest, counted as it goes; nothing of these runs is kept.

    Args:
        network: `CompiledNetwork`; a `QuantizedNetwork` counts as if on one core.

    Raises:
        SpecError: a trace does not hold its inputs, or is of another number of channels.
    """
    integer = runnable(network)
    for trace in traces:
        if trace.inputs is None and integer.n_inputs:
            raise SpecError("a trace without its inputs cannot be run again")
        yield count(network, trace.inputs, trace.n_steps, per_step=False)


def run_figures(network: Any, counts: Counts) -> dict[str, Any]:
    """Spikes, events and operations of a run, as ``simulate --json`` gives them."""
    ops, run = counts.ops, counts.done
    rate = run.spikes / run.neuron_updates if run.neuron_updates else 0.0
    integer = as_quantized(network)
    return {
        "steps": counts.steps,
        "neurons": integer.n_neurons,
        "spikes": run.spikes,
        "spikes_per_neuron_and_step": rate,
        "rate_hz": rate / integer.dt,
        "silent_neurons": int((run.spikes_of == 0).sum()),
        "input_events": ops.input_events,
        "sop": {"total": ops.total, "recurrent": ops.recurrent},
        "macs": ops.macs,
        "host_macs": ops.host_macs,
        "wraps": None if run.wraps_of is None else int(run.wraps_of.sum()),
        "saturations": None if run.saturations_of is None else int(run.saturations_of.sum()),
        "findings": [
            finding.to_dict() for finding in worst_first(run_findings(integer, run, counts.steps))
        ],
    }


def with_recorded_updates(network: QuantizedNetwork, trace: Trace) -> Trace:
    """The trace of a run from rest with the updates that its v and u tell, if it has both."""
    return with_updates(trace, updates_of(network, trace))


def recount(network: Any, trace: Trace) -> Trace:
    """The trace with its updates by step, found out where it lacks them.

    They follow from recorded v and u, else from a second run on `native` from rest, if the trace
    says what drove it and the second run gives the same spikes; so do wraps and saturations, from
    a second run alone. Where neither is so the trace comes back as it is, and `activity` gives an
    upper bound. The second run takes as long as the first one did: ask for it only where the
    counts are wanted. Traces that `simulate`, `record` and sessions give have them.

    Args:
        network: that was run.
        trace: of a run from rest, or from any other state if it has its updates.

    Raises:
        SpecError: the trace is one of another network.
    """
    integer = as_quantized(network)
    check_trace(integer, trace)
    updates = updates_of(integer, trace)
    if updates is not None and trace.wraps is not None:
        return with_updates(trace, updates)
    again = _replayed(integer, trace)
    if again is None:
        return with_updates(trace, updates)
    counts = (again.active_updates, again.membrane_updates)
    whole = with_updates(trace, counts if updates is None else updates)
    return replace(whole, wraps=again.wraps, saturations=again.saturations)


def _replayed(network: QuantizedNetwork, trace: Trace) -> Trace | None:
    """The counts of a second run; None if it cannot be done or does something else."""
    if trace.inputs is None and network.n_inputs:
        return None
    inputs = SpikeInput.empty(max(trace.n_steps, 1), 0) if trace.inputs is None else trace.inputs
    session = Session(network)
    parts = []
    for first in range(0, trace.n_steps, session.stretch_steps):
        end = min(first + session.stretch_steps, trace.n_steps)
        again = session.advance(part_of(inputs, first, end - first))
        lo, hi = np.searchsorted(trace.spike_steps, (first, end))
        same = np.array_equal(again.spike_neurons, trace.spike_neurons[lo:hi])
        if not same or not np.array_equal(again.spike_steps + first, trace.spike_steps[lo:hi]):
            return None
        if not np.array_equal(again.payload_values(), trace.payload_values()[lo:hi]):
            return None
        parts.append(again)
    return joined(parts, network.n_neurons)
