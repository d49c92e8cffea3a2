"""Lava's own Processes alone, `LIF`, `Sparse` and learning: what a chip has models for.

`LowerStock` groups the neurons by (du, dv, vth) and splits the projections. What the parts did is
told in terms of the whole network (`MergedTraces`), so it can be compared with any other bit for
bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import PRE_TRACES
from hrsnn_lava.compiler.passes.lower_stock import (
    MAX_PROCESSES,
    lower_stock,
    require_stock,
    stock_report,
)
from hrsnn_lava.compiler.split import Split
from hrsnn_lava.errors import BackendError
from hrsnn_lava.processes.lowering import lava_program
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import Engine, Stretch, check_run, require_backend, runnable
from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaEngine, LavaJob
from hrsnn_lava.sim_backends.learning_program import Int, Plastic, plastic_projections
from hrsnn_lava.sim_backends.reference import input_values
from hrsnn_lava.sim_backends.reference.learning import ReferenceLearning
from hrsnn_lava.trace import SpikeInput, Trace, split_trace

if TYPE_CHECKING:
    from hrsnn_lava.processes.stock import StockGraph

__all__ = ["ENGINE", "LavaStockBackend", "MergedTraces", "merged", "stock_processes"]

#: Fields of a learning projection with one value a synapse.
_SYNAPTIC = ("rows", "cols", "place", "weights", "tag_1", "tag_2", "profile")


@dataclass(frozen=True)
class LavaStockBackend(LavaBackend):
    """Runs integer networks in stock Lava Processes, where these can express them.

    Attributes:
        timeout_s, runtime: as for `LavaBackend`.
        max_processes: bound on the number of Processes, see `LowerStock`.
    """

    max_processes: int = MAX_PROCESSES
    name = "lava-stock"
    stock = True

    def check(self, network: QuantizedNetwork) -> None:
        """See `Backend.check`."""
        require_stock(network, self.max_processes)

    def remark(self, network: QuantizedNetwork) -> str | None:
        """See `Backend.remark`: how many Processes the network becomes."""
        counts = stock_report(network)
        return (
            f"{self.name}: {counts['processes']:,} Processes, {counts['lif']:,} LIF, "
            f"{counts['connections']:,} connections, {counts['sources']:,} sources"
        )

    def open(self, network: QuantizedNetwork) -> Engine:
        """See `Backend.open`."""
        return _StockEngine(lower_stock(network, self.max_processes), self)

    def run_many(self, jobs: Sequence[LavaJob]) -> list[Trace | BackendError]:
        """Run many networks; see `LavaBackend.run_many`."""
        splits, lowered = [], []
        for job in jobs:
            network = runnable(job.network)
            check_run(network, job.inputs, job.steps, job.probes)
            splits.append(lower_stock(network, self.max_processes))
            lowered.append(replace(job, network=splits[-1].network))
        results = super().run_many(lowered)
        return [
            result if isinstance(result, BackendError) else merged(split, result)
            for split, result in zip(splits, results, strict=True)
        ]


ENGINE = LavaStockBackend()


class _StockEngine(Engine):
    """Runs the parts, and answers for the whole."""

    def __init__(self, split: Split, backend: LavaStockBackend) -> None:
        self._split, self._backend = split, backend
        self._parts = LavaEngine(split.network, backend)
        self._whole = MergedTraces(split, self._parts.traces())

    def reset(self) -> None:
        """See `Engine.reset`."""
        self._parts.reset()
        self._whole = MergedTraces(self._split, self._parts.traces())

    def advance(self, stretch: Stretch) -> Trace:
        """See `Engine.advance`."""
        mantissas = stretch.mantissas[:, self._split.neurons]
        return self._whole.add(self._parts.advance(replace(stretch, mantissas=mantissas)))

    def weights(self) -> dict[str, Int]:
        """See `Engine.weights`."""
        return self._whole.weights(self._parts.weights())

    def traces(self) -> dict[str, Int]:
        """See `Engine.traces`."""
        return self._whole.traces(self._parts.traces())

    def twin(self) -> _StockEngine:
        """See `Engine.twin`."""
        return _StockEngine(self._split, self._backend)

    def close(self) -> None:
        """See `Engine.close`."""
        self._parts.close()


def merged(split: Split, trace: Trace) -> Trace:
    """What the whole network did in a run from rest, from what its parts did."""
    whole = MergedTraces(split, trace.traces)
    return replace(
        whole.add(trace), weights=whole.weights(trace.weights), traces=whole.traces(trace.traces)
    )


class MergedTraces:
    """A split network told in terms of the whole one, stretch by stretch.

    Spikes are sorted anew; states, learned weights and spike traces put in their places. A neuron
    that no learning synapse of a projection belongs to is in no part of it, so nothing keeps its
    spike trace there, and nothing depends on it. It is computed from the spikes, as the run goes.

    Args:
        split: the network.
        traces: those of the parts, which say what there is.
    """

    def __init__(self, split: Split, traces: Mapping[str, Any]) -> None:
        self._split, self._steps = split, 0
        self._plastic = plastic_projections(split.whole)
        self._kept: dict[str, NDArray[np.bool_]] = {
            key: np.zeros(size, dtype=np.bool_)
            for plastic in self._plastic
            for key, size in _trace_sizes(plastic).items()
        }
        for key in traces:
            target, place = self._place(key)
            self._kept[target][place] = True
        self._missing = [
            ReferenceLearning(
                replace(plastic, **{name: getattr(plastic, name)[:0] for name in _SYNAPTIC}), 0
            )
            for plastic in self._plastic
            if not all(self._kept[key].all() for key in _trace_sizes(plastic))
        ]

    def add(self, trace: Trace) -> Trace:
        """The next stretch, without what was learned."""
        split = self._split
        neurons = split.neurons[trace.spike_neurons].astype(np.int32)
        order = np.lexsort((neurons, trace.spike_steps))
        whole = replace(
            trace,
            spike_steps=trace.spike_steps[order],
            spike_neurons=neurons[order],
            v=self._states(trace.v),
            u=self._states(trace.u),
            weights={},
            traces={},
        )
        if self._missing:
            self._hear(whole)
        self._steps += trace.n_steps
        return whole

    def weights(self, weights: Mapping[str, Any]) -> dict[str, Int]:
        """Every stored synapse: what it learned, or what it had where it is in no part."""
        result: dict[str, Int] = {}
        for plastic in self._plastic:
            result |= plastic.learned(plastic.weights, plastic.tag_1, plastic.tag_2)
        for name, piece in self._split.pieces.items():
            for tag in ("", "/tag_1", "/tag_2"):
                if name + tag in weights and piece.projection + tag in result:
                    result[piece.projection + tag][piece.synapses] = weights[name + tag]
        return result

    def traces(self, traces: Mapping[str, Any]) -> dict[str, Int]:
        """Spike traces of all neurons."""
        result = {key: np.zeros(mask.size, dtype=np.int32) for key, mask in self._kept.items()}
        for learning in self._missing:
            result |= learning.traces()
        for key, values in traces.items():
            target, place = self._place(key)
            result[target][place] = values
        return result

    def _states(self, states: NDArray[Any] | None) -> NDArray[Any] | None:
        if states is None:
            return None
        result = np.empty_like(states)
        result[:, self._split.neurons] = states
        return result

    def _place(self, key: str) -> tuple[str, Any]:
        """The entry of the whole that a trace of a part belongs to, and its neurons there."""
        split = self._split
        name, which, profile = split_trace(key)
        side, piece = "pre" if which in PRE_TRACES else "post", split.pieces[name]
        target = f"{piece.projection}/{which}" + ("" if profile is None else f"/{profile}")
        population = split.network.population(getattr(split.network.projection(name), side))
        if population.is_input:  # stays whole
            return target, slice(None)
        first = split.network.offset(population.name)
        begin = split.whole.offset(getattr(split.whole.projection(piece.projection), side))
        return target, split.neurons[first : first + population.size] - begin

    def _hear(self, trace: Trace) -> None:
        """Let the spike traces that no part keeps follow a stretch of the whole."""
        steps, n_inputs = trace.n_steps, self._split.whole.n_inputs
        fired = np.zeros((steps, trace.n_neurons), dtype=np.int32)
        fired[trace.spike_steps, trace.spike_neurons] = 1
        inputs = trace.inputs or SpikeInput.empty(max(steps, 1), n_inputs)
        sent = np.hstack([fired, input_values(inputs, steps)])
        for learning in self._missing:
            p = learning.plastic
            learning.draw(self._steps, steps)
            for t in range(steps):
                pre = sent[t, p.source : p.source + p.n_pre]
                post = fired[t, p.target : p.target + p.n_post] != 0
                learning.step(self._steps + t, pre, post)


def _trace_sizes(plastic: Plastic) -> dict[str, int]:
    """How many neurons every entry of `Trace.traces` of a projection has."""
    sizes = {True: plastic.n_pre, False: plastic.n_post}
    entries = plastic.traces(lambda _, name: np.zeros(sizes[name in PRE_TRACES]))
    return {key: values.size for key, values in entries.items()}


def stock_processes(
    compiled: Any,
    inputs: SpikeInput | None = None,
    steps: int | None = None,
    max_processes: int | None = None,
) -> StockGraph:
    """The Processes of a network, connected and not yet run; see `StockGraph`.

    Args:
        compiled: `QuantizedNetwork` or `CompiledNetwork`.
        inputs, steps: what the sources send.
        max_processes: bound on the number of Processes, `MAX_PROCESSES` by default.

    Raises:
        CapacityError: stock Processes cannot express the network; every reason is listed.
        BackendMissingError: no Lava on this Python.
        SpecError: the inputs do not fit.
    """
    network = runnable(compiled)
    inputs, steps = check_run(network, inputs, steps)
    split = lower_stock(network, MAX_PROCESSES if max_processes is None else max_processes)
    require_backend(ENGINE)
    from hrsnn_lava.processes.stock import stock_graph

    return stock_graph(lava_program(split.network, inputs, steps), split.neurons)
