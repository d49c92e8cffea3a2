"""Lava's own `LIF` in place of `HeterogeneousLIF`, and whole networks in Lava's own Processes.

Stock `LIF` has one du, dv and vth; biases and their exponents are per neuron. It has no port for a
held input either. What a host would do on a chip is done here: the run is paused where an input
changes, and the biases are written.

Importing this module imports Lava, which needs Python 3.10.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.proc.io.source import RingBuffer
from lava.proc.lif.models import PyLifModelBitAcc
from lava.proc.lif.process import LIF
from numpy.typing import NDArray

from hrsnn_lava.processes.connections import fixed_connection, learning_connection
from hrsnn_lava.processes.mapped_files import create_rows
from hrsnn_lava.processes.program import LavaProgram, Neurons, Source

__all__ = [
    "BiasWrite",
    "RecordedLIF",
    "StockGraph",
    "bias_writes",
    "stock_graph",
    "stock_lif",
    "stretches",
]


class BiasWrite(NamedTuple):
    """Before step `step` (from 0) `process.bias_mant` is set to `mantissa`, (size,)."""

    step: int
    process: LIF
    mantissa: NDArray[np.int32]


class RecordedLIF(PyLifModelBitAcc):  # type: ignore[misc]
    """Lava's own model, which writes v and u of every step to the files in ``record``."""

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        paths = proc_params["record"]
        self._files = {k: np.lib.format.open_memmap(paths[k], mode="r+") for k in paths}

    def run_spk(self) -> None:
        """One time step."""
        super().run_spk()
        for state, rows in self._files.items():
            rows[self.time_step - 1] = getattr(self, state)


def stock_lif(group: Neurons, record: Mapping[str, Path] | None = None, steps: int = 0) -> LIF:
    """The `LIF` of a group.

    Args:
        group: neurons with one value of du, dv and vth, no refractory period, and a reset to 0.
        record: files for "v" and "u", which are created with `steps` rows.

    Raises `ValueError` for a group that is none.
    """
    distinct_values = {name: np.unique(group.parameters[name]) for name in ("du", "dv", "vth")}
    mixed = [name for name, values in distinct_values.items() if values.size > 1]
    if mixed or np.any(group.parameters["refractory"]) or group.reset != "zero":
        measured = f"several values of {', '.join(mixed)}" if mixed else "a refractory period"
        measured = measured if group.reset == "zero" else f"the reset {group.reset!r}"
        raise ValueError(f"{group.name!r} has {measured}, which stock LIF cannot have")
    options = {}
    if record:
        for path in record.values():
            create_rows(path, (steps, group.size), np.int32)
        options["record"] = {state: str(path) for state, path in record.items()}
    mantissa = group.parameters["bias_mant"]
    if len(group.drive_steps) and group.drive_steps[0] == 0:
        mantissa = mantissa + group.drive_values[0]
    return LIF(
        shape=(group.size,),
        name=group.name,
        bias_mant=mantissa,
        bias_exp=group.parameters["bias_exp"],
        **{name: int(values[0]) for name, values in distinct_values.items()},
        **options,
    )


def bias_writes(group: Neurons, process: LIF) -> list[BiasWrite]:
    """What the host writes in the course of a run, after the start; only what changes."""
    rows = group.parameters["bias_mant"] + group.drive_values
    before, writes = process.bias_mant.init, []
    for step, row in zip(group.drive_steps.tolist(), rows, strict=True):
        if np.any(row != before):
            writes.append(BiasWrite(step, process, row))
        before = row
    return writes


def stretches(steps: int, writes: Sequence[BiasWrite]) -> Iterator[tuple[int, list[BiasWrite]]]:
    """Cut a run where something is written: lengths, each with what is written before it."""
    due: dict[int, list[BiasWrite]] = {0: []}
    for write in writes:
        due.setdefault(write.step, []).append(write)
    starts = sorted(due)
    for start, end in zip(starts, [*starts[1:], steps], strict=True):
        yield end - start, due[start]


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

    neurons: dict[str, LIF]
    index: dict[str, NDArray[np.int64]]
    connections: dict[str, AbstractProcess]
    sources: dict[str, RingBuffer]
    writes: tuple[BiasWrite, ...] = ()

    @property
    def processes(self) -> list[AbstractProcess]:
        """All of them."""
        return [*self.sources.values(), *self.neurons.values(), *self.connections.values()]


def stock_graph(
    program: LavaProgram,
    neurons: NDArray[np.int64],
    adapter: Callable[..., AbstractProcess] | None = None,
) -> StockGraph:
    """Create and connect the Processes.

    Args:
        program: of a network that is lowered to stock Processes; see `LowerStock`.
        neurons: (n_neurons,) index in the network before of each of its neurons.
        adapter: makes what stands between a source and its connections, with ports `inp` and
            `out`, of a shape and the bits of a message; None: nothing.
    """
    lifs: dict[str, LIF] = {}
    index, writes, first = {}, [], 0
    for group in program.neurons:
        lifs[group.name] = stock_lif(group)
        index[group.name] = neurons[first : first + group.size]
        writes += bias_writes(group, lifs[group.name])
        first += group.size
    sources = {s.name: ring for s, ring in _rings(program)}
    senders = {name: process.s_out for name, process in {**lifs, **sources}.items()}
    for name, ring in sources.items():
        if adapter is None:
            break
        bits = max(c.num_message_bits for c in program.connections if c.pre == name)
        between = adapter(shape=ring.s_out.shape, num_message_bits=bits)
        ring.s_out.connect(between.inp)
        senders[name] = between.out
    connections = {}
    for connection in program.connections:
        if connection.learning is None:
            process = fixed_connection(connection, True)
        else:
            process = learning_connection(connection)
            senders[connection.post].connect(process.s_in_bap)
        senders[connection.pre].connect(process.s_in)
        process.a_out.connect(lifs[connection.post].a_in)
        connections[connection.name] = process
    ordered = sorted(writes, key=lambda write: write.step)
    return StockGraph(lifs, index, connections, sources, tuple(ordered))


def _rings(program: LavaProgram) -> Iterator[tuple[Source, RingBuffer]]:
    for source in program.sources:
        data = np.zeros((source.size, max(program.n_steps, 1)), dtype=np.int32)
        data[source.channels, source.steps] = source.values
        yield source, RingBuffer(data=data)
