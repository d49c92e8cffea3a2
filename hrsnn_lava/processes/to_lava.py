"""Stock Lava Processes of a lowered network, connected, for the caller to run.

Importing this module imports Lava, which needs Python 3.10.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.proc.io.source import RingBuffer
from numpy.typing import NDArray

from hrsnn_lava.processes.graph import fixed_connection
from hrsnn_lava.processes.learning import learning_connection
from hrsnn_lava.processes.program import LavaProgram
from hrsnn_lava.processes.stock import BiasWrite, bias_writes, stock_lif

__all__ = ["StockGraph", "stock_graph"]


@dataclass(frozen=True, eq=False)
class StockGraph:
    """A network in `LIF`, `Sparse`, `DelaySparse`, `LearningSparse`, `LearningDense`, `RingBuffer`.

    Attributes:
        neurons: the `LIF` by name; a population with several sets of (du, dv, vth) is in parts.
        index: by the same names, the global index of every neuron in the network before.
        connections: by name; a part of projection Q is ``Q.i.j``, with profile k ``Q.i.j/k``.
        sources: a `RingBuffer` for every input population that sends spikes; it starts over after
            the number of steps that it was made for.
        writes: biases that the host sets in the course of a run, for held inputs, in order.
    """

    neurons: dict[str, Any]
    index: dict[str, NDArray[np.int64]]
    connections: dict[str, Any]
    sources: dict[str, Any]
    writes: tuple[BiasWrite, ...] = ()

    @property
    def processes(self) -> list[Any]:
        """All of them."""
        return [*self.sources.values(), *self.neurons.values(), *self.connections.values()]


def stock_graph(program: LavaProgram, neurons: NDArray[np.int64]) -> StockGraph:
    """Create and connect the Processes.

    Args:
        program: of a network that is lowered to stock Processes; see `LowerStock`.
        neurons: (n_neurons,) index in the network before of each of its neurons.
    """
    lifs: dict[str, Any] = {}
    index, writes, first = {}, [], 0
    for group in program.neurons:
        lifs[group.name] = stock_lif(group)
        index[group.name] = neurons[first : first + group.size]
        writes += bias_writes(group, lifs[group.name])
        first += group.size
    sources = {s.name: ring for s, ring in _rings(program)}
    senders, connections = {**lifs, **sources}, {}
    for connection in program.connections:
        if connection.learning is None:
            process = fixed_connection(connection, True)
        else:
            process = learning_connection(connection)
            senders[connection.post].s_out.connect(process.s_in_bap)
        senders[connection.pre].s_out.connect(process.s_in)
        process.a_out.connect(senders[connection.post].a_in)
        connections[connection.name] = process
    ordered = sorted(writes, key=lambda write: write.step)
    return StockGraph(lifs, index, connections, sources, tuple(ordered))


def _rings(program: LavaProgram) -> Iterator[tuple[Any, Any]]:
    for source in program.sources:
        data = np.zeros((source.size, max(program.n_steps, 1)), dtype=np.int32)
        data[source.channels, source.steps] = source.values
        yield source, RingBuffer(data=data)
