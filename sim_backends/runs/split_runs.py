"""The trace of a split network, told in terms of the whole one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import PRE_TRACES
from hrsnn_lava.compiler.split import Split
from hrsnn_lava.sim_backends.learning_program import Plastic, plastic_projections
from hrsnn_lava.sim_backends.reference.learning import ReferenceLearning
from hrsnn_lava.trace import Trace, split_trace

__all__ = ["merged"]

_FIELDS = ("rows", "cols", "place", "weights", "tag_1", "tag_2", "profile")


def merged(split: Split, trace: Trace) -> Trace:
    """What the whole network did, from what its parts did.

    Spikes are sorted anew; states, learned weights and spike traces put in their places. A neuron
    that no learning synapse of a projection belongs to is in no part of it, so nothing keeps its
    spike trace there, and nothing depends on it. It is computed from the spikes of the run.
    """
    neurons = split.neurons[trace.spike_neurons].astype(np.int32)
    order = np.lexsort((neurons, trace.spike_steps))
    whole = replace(
        trace,
        spike_steps=trace.spike_steps[order],
        spike_neurons=neurons[order],
        v=_states(split, trace.v),
        u=_states(split, trace.u),
    )
    plastic = plastic_projections(split.whole)
    weights = _weights(split, plastic, trace)
    return replace(whole, weights=weights, traces=_traces(split, plastic, trace, whole))


def _states(split: Split, states: NDArray[Any] | None) -> NDArray[Any] | None:
    if states is None:
        return None
    result = np.empty_like(states)
    result[:, split.neurons] = states
    return result


def _weights(split: Split, plastic: tuple[Plastic, ...], trace: Trace) -> dict[str, NDArray[Any]]:
    """Every stored synapse: what it learned, or what it had where it is in no part."""
    result: dict[str, NDArray[Any]] = {}
    for projection in plastic:
        result |= projection.learned(projection.weights, projection.tag_1, projection.tag_2)
    for name, piece in split.pieces.items():
        for tag in ("", "/tag_1", "/tag_2"):
            if name + tag in trace.weights and piece.projection + tag in result:
                result[piece.projection + tag][piece.synapses] = trace.weights[name + tag]
    return result


def _traces(
    split: Split, plastic: tuple[Plastic, ...], trace: Trace, whole: Trace
) -> dict[str, NDArray[np.int32]]:
    result: dict[str, NDArray[np.int32]] = {}
    known: dict[str, NDArray[np.bool_]] = {}
    for projection in plastic:
        sides = {True: projection.n_pre, False: projection.n_post}

        def nothing(_: int, name: str, sides: dict[bool, int] = sides) -> Any:
            return np.zeros(sides[name in PRE_TRACES])

        result |= projection.traces(nothing)
    known = {key: np.zeros(values.size, dtype=np.bool_) for key, values in result.items()}
    for key, values in trace.traces.items():
        name, which, profile = split_trace(key)
        piece = split.pieces[name]
        target = f"{piece.projection}/{which}" + ("" if profile is None else f"/{profile}")
        place = _place(split, name, "pre" if which in PRE_TRACES else "post")
        result[target][place] = values
        known[target][place] = True
    for projection in plastic:
        mine = [key for key in result if split_trace(key)[0] == projection.name]
        if all(known[key].all() for key in mine):
            continue
        heard = _traces_from_spikes(projection, whole)
        for key in mine:
            result[key] = np.where(known[key], result[key], heard[key])
    return result


def _place(split: Split, name: str, side: str) -> Any:
    """Which of the neurons on one side of a projection are those of its part `name`."""
    population = split.network.population(getattr(split.network.projection(name), side))
    if population.is_input:  # stays whole
        return slice(None)
    first = split.network.offset(population.name)
    projection = split.whole.projection(split.pieces[name].projection)
    begin = split.whole.offset(getattr(projection, side))
    return split.neurons[first : first + population.size] - begin


def _traces_from_spikes(plastic: Plastic, trace: Trace) -> dict[str, NDArray[np.int32]]:
    """Spike traces of all neurons of a projection at the end of a run."""
    none = {field: getattr(plastic, field)[:0] for field in _FIELDS}
    learning = ReferenceLearning(replace(plastic, **none), trace.n_steps)
    fired = np.zeros((trace.n_steps, trace.n_neurons), dtype=np.int32)
    fired[trace.spike_steps, trace.spike_neurons] = 1
    sent = fired
    if trace.inputs is not None:
        inputs = trace.inputs
        inside = inputs.steps < trace.n_steps
        arrived = np.zeros((trace.n_steps, inputs.n_neurons), dtype=np.int32)
        at = (inputs.steps[inside], inputs.neurons[inside])
        arrived[at] = inputs.payload_values()[inside]
        sent = np.hstack([fired, arrived])
    pre = sent[:, plastic.source : plastic.source + plastic.n_pre]
    post = fired[:, plastic.target : plastic.target + plastic.n_post] != 0
    if pre.shape[1] < plastic.n_pre:  # from an input population, and no input was given
        pre = np.zeros((trace.n_steps, plastic.n_pre), dtype=np.int32)
    for t in range(trace.n_steps):
        learning.step(t, pre[t], post[t])
    return learning.traces()
