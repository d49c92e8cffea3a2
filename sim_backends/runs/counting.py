"""Counting a run as it goes, and finding out afterwards what a trace does not say.

`count` runs a network stretch by stretch and keeps no raster: memory does not grow with the run,
but for one number a step and projection, which ``per_step=False`` leaves out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hrsnn_lava.compiler.analysis.operations.activity import updates_of
from hrsnn_lava.compiler.analysis.operations.counting import Counting, Counts
from hrsnn_lava.compiler.analysis.operations.synops import check_trace
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import as_quantized, check_run
from hrsnn_lava.sim_backends.runs.input_pieces import InputCursor, Inputs
from hrsnn_lava.sim_backends.runs.session import Session, State, part_of
from hrsnn_lava.trace import SpikeInput, Trace

if TYPE_CHECKING:
    from hrsnn_lava.sim_backends.lava.backend import LavaBackend


#: A stretch holds at most this many neuron-steps.
STRETCH_VALUES = 5_000_000


def count(
    network: CompiledNetwork | QuantizedNetwork,
    inputs: Inputs = None,
    steps: int = 1000,
    *,
    state: State | None = None,
    backend: str | LavaBackend = "native",
    per_step: bool = True,
    progress: Callable[[int, int], None] = lambda _done, _steps: None,
) -> Counts:
    """Run `steps` steps and count them, with no raster kept.

    Args:
        network: `CompiledNetwork`; a `QuantizedNetwork` counts as if on one core.
        inputs: a recording, or an iterable of pieces that follow one another; None for none.
        steps: number of steps.
        state: where to start; None is rest.
        backend: as of `Session`. Lava does not count updates, so all of them count as active.
        per_step: keep synaptic operations by step and projection.
        progress: called with the steps done and `steps`, after every stretch.

    Raises:
        SpecError: as `Session.run`.
        BackendError, BackendMissingError: Lava is missing or failed.
    """
    integer = as_quantized(network)
    check_run(integer, inputs if isinstance(inputs, SpikeInput) else None, steps, ())
    first = 0 if state is None else state.step
    counting = _counting(network, integer, per_step, first)
    cursor = InputCursor(inputs, integer.n_inputs)
    with Session(integer, state, backend) as session:
        done = 0
        while done < steps:
            stretch = min(stretch_steps(integer), steps - done)
            counting.add(session.advance(cursor.take(stretch)))
            done += stretch
            progress(done, steps)
    return counting.result()


def stretch_steps(network: QuantizedNetwork) -> int:
    """Steps of a stretch: enough of them that the tables of counting, which the run drives out of
    the cache, are seldom fetched anew."""
    return max(1, STRETCH_VALUES // (network.n_neurons + network.n_inputs))


def _counting(network: Any, integer: QuantizedNetwork, per_step: bool, first: int) -> Counting:
    if isinstance(network, CompiledNetwork):
        return Counting.of(network, per_step=per_step, first_step=first)
    return Counting(integer, per_step=per_step, first_step=first)


def counted(network: Any, trace: Trace) -> Trace:
    """The trace with its updates by step, found out where it lacks them.

    They follow from recorded v and u, else from a second run on `native` from rest, if the trace
    says what drove it and the second run gives the same spikes. Where neither is so the trace
    comes back as it is, and `activity` gives an upper bound. The second run takes as long as
    the first one did, and no memory.

    Args:
        network: that was run.
        trace: of a run from rest, or from any other state if it has its updates.

    Raises:
        SpecError: the trace is one of another network.
    """
    integer = as_quantized(network)
    check_trace(integer, trace)
    known = recorded(integer, trace)
    if known.active_updates is not None and known.membrane_updates is not None:
        return known
    return _with(trace, _replayed(integer, trace))


def recorded(network: QuantizedNetwork, trace: Trace) -> Trace:
    """The trace of a run from rest with the updates that its v and u tell, if it has both."""
    return _with(trace, updates_of(network, trace))


def _with(trace: Trace, updates: tuple[Any, Any] | None) -> Trace:
    if updates is None:
        return trace
    active, membrane = (np.asarray(counts, dtype=np.int32) for counts in updates)
    return replace(trace, active_updates=active, membrane_updates=membrane)


def _replayed(network: QuantizedNetwork, trace: Trace) -> tuple[Any, Any] | None:
    """Updates of a second run; None if it cannot be done or does something else."""
    if trace.inputs is None and network.n_inputs:
        return None
    inputs = SpikeInput.empty(max(trace.n_steps, 1), 0) if trace.inputs is None else trace.inputs
    session = Session(network)
    active, membrane = np.zeros((2, trace.n_steps), dtype=np.int32)
    for first in range(0, trace.n_steps, session.stretch_steps):
        end = min(first + session.stretch_steps, trace.n_steps)
        again = session.advance(part_of(inputs, first, end - first))
        lo, hi = np.searchsorted(trace.spike_steps, (first, end))
        same = np.array_equal(again.spike_neurons, trace.spike_neurons[lo:hi])
        if not same or not np.array_equal(again.spike_steps + first, trace.spike_steps[lo:hi]):
            return None
        active[first:end], membrane[first:end] = again.active_updates, again.membrane_updates
    return active, membrane
