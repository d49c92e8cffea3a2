"""Builds the Lava process graph of a `LavaProgram`.

A population becomes a `HeterogeneousLIF` (or, where the program says so, Lava's own `LIF`) and a
`MmapProbe`, an input population a `MmapSource`, a projection Lava's `Sparse` (or `DelaySparse`, or
one learning connection for each profile). States are recorded through output ports: that costs one
vector a step, a RefPort costs a round trip.

Importing this module imports Lava, which needs Python 3.10.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import LearningDense
from lava.proc.lif.models import PyLifModelBitAcc
from lava.proc.lif.process import LIF
from lava.proc.sparse.models import (
    PyDelaySparseModelBitAcc,
    PyDelaySparseModelFloat,
    PySparseModelBitAcc,
    PySparseModelFloat,
)
from lava.proc.sparse.process import DelaySparse, LearningSparse, Sparse

from hrsnn_lava.chip_learning import POST_TRACES
from hrsnn_lava.processes.connections import (
    MaskedLearningDense,
    RecordedLearningSparse,
    fixed_connection,
    learning_connection,
)
from hrsnn_lava.processes.lif import (
    HeterogeneousLIF,
    HeterogeneousLIFFixed,
    HeterogeneousLIFFloat,
)
from hrsnn_lava.processes.mapped_files import (
    PROBE_PORTS,
    MmapProbe,
    MmapProbeFixed,
    MmapProbeFloat,
    MmapSink,
    MmapSinkFixed,
    MmapSinkFloat,
    MmapSource,
    MmapSourceFixed,
    MmapSourceFloat,
    create_rows,
)
from hrsnn_lava.processes.program import PARAMETERS, Connection, LavaProgram, Neurons, Source
from hrsnn_lava.processes.stock import BiasWrite, RecordedLIF, bias_writes, stock_lif

__all__ = [
    "LavaGraph",
    "build",
    "components",
    "drive_file",
    "drive_path",
    "event_file",
    "learned_path",
    "run_config",
    "sink_path",
    "source_path",
]

#: Output port of `HeterogeneousLIF` behind each probe.
_OUT_PORTS = {"spikes": "s_out", "v": "v_out", "u": "u_out"}
#: Model of every Process in a graph, by the tag that Lava's own search would look for.
_MODELS: dict[str, dict[type[AbstractProcess], type]] = {
    "fixed_pt": {
        HeterogeneousLIF: HeterogeneousLIFFixed,
        MmapProbe: MmapProbeFixed,
        MmapSink: MmapSinkFixed,
        MmapSource: MmapSourceFixed,
        Sparse: PySparseModelBitAcc,
        DelaySparse: PyDelaySparseModelBitAcc,
        LIF: PyLifModelBitAcc,
        LearningSparse: RecordedLearningSparse,
        LearningDense: MaskedLearningDense,
    },
    "floating_pt": {
        HeterogeneousLIF: HeterogeneousLIFFloat,
        MmapProbe: MmapProbeFloat,
        MmapSink: MmapSinkFloat,
        MmapSource: MmapSourceFloat,
        Sparse: PySparseModelFloat,
        DelaySparse: PyDelaySparseModelFloat,
    },
}


@dataclass(frozen=True)
class LavaGraph:
    """The Processes of a connected program.

    `populations` and `connections` go by the names in the network; `helpers` are the probes
    and the sources of drives. `precision` is the tag of the models. `writes` are for the host to
    do between steps.
    """

    precision: str
    populations: dict[str, AbstractProcess]
    connections: dict[str, AbstractProcess]
    helpers: tuple[AbstractProcess, ...] = ()
    writes: tuple[BiasWrite, ...] = ()

    @property
    def root(self) -> AbstractProcess:
        """One of the LIF Processes: Lava compiles and runs whatever is connected to it."""
        return next(p for p in self.populations.values() if isinstance(p, (HeterogeneousLIF, LIF)))

    def run_config(self) -> Loihi2SimCfg:
        """Lava's run configuration for this graph."""
        processes = [*self.populations.values(), *self.connections.values(), *self.helpers]
        return run_config(processes, self.precision)


def run_config(processes: Iterable[AbstractProcess], precision: str) -> Loihi2SimCfg:
    """Lava's run configuration, with the model of each Process named.

    Lava's search for models executes every module beside each Process anew, 0.03 s a Process;
    the models named here are those that it would find. `precision` is their tag. Raises
    `KeyError` for a Process that is no part of the graphs built here.
    """
    models = {process: _MODELS[precision][type(process)] for process in processes}
    for process in models:
        if isinstance(process, LIF) and process.proc_params.get("record"):
            models[process] = RecordedLIF
    return Loihi2SimCfg(select_tag=precision, exception_proc_model_map=models)


def sink_path(folder: str | os.PathLike[str], population: int, probe: str) -> Path:
    """File with what `probe` recorded of population number `population`, (n_steps, size)."""
    return Path(folder) / f"{population}_{probe}.npy"


def learned_path(folder: str | os.PathLike[str], number: int) -> Path:
    """File of learning connection `number`: what it learned, and its traces."""
    return Path(folder) / f"{number}_learned.npz"


def drive_path(folder: str | os.PathLike[str], population: int) -> Path:
    """File with what is added to the bias of population number `population`, (n_steps, size)."""
    return Path(folder) / f"{population}_drive.npy"


def source_path(folder: str | os.PathLike[str], part: int, number: int) -> Path:
    """File with what source `number` sends in the part whose first population is `part`."""
    return Path(folder) / f"{part}_{number}_source.npy"


def components(program: LavaProgram) -> list[tuple[list[int], LavaProgram]]:
    """Split a program into its connected parts, each with the numbers of its populations.

    Lava compiles what it reaches from one Process, so parts that share no connection need a run
    each. Sources without a target are left out.
    """
    parent = {g.name: g.name for g in program.neurons}
    parent |= {s.name: s.name for s in program.sources}

    def find(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for connection in program.connections:
        parent[find(connection.pre)] = find(connection.post)
        for sender in _factor_senders(connection).values():
            if sender in parent:
                parent[find(sender)] = find(connection.post)
    parts = []
    for root in dict.fromkeys(find(group.name) for group in program.neurons):
        numbers = [i for i, g in enumerate(program.neurons) if find(g.name) == root]
        part = replace(
            program,
            neurons=tuple(program.neurons[i] for i in numbers),
            sources=tuple(s for s in program.sources if find(s.name) == root),
            connections=tuple(c for c in program.connections if find(c.pre) == root),
        )
        parts.append((numbers, part))
    return parts


def build(
    program: LavaProgram, folder: str | os.PathLike[str], numbers: list[int] | None = None
) -> LavaGraph:
    """Create and connect the Processes of a connected program; its files go into `folder`.

    `numbers` are the populations' numbers in the names of the files (0, 1, ... by default).
    """
    where = Path(folder)
    fixed = program.precision == "fixed_pt"
    populations: dict[str, AbstractProcess] = {}
    helpers = []
    writes: list[BiasWrite] = []
    for number, group in zip(numbers or range(len(program.neurons)), program.neurons, strict=True):
        files = {probe: sink_path(where, number, probe) for probe in program.probes}
        if program.stock:
            spikes, states = files.pop("spikes"), files
            lif, files = stock_lif(group, states, program.n_steps), {"spikes": spikes}
            writes += bias_writes(group, lif)
        else:
            lif = HeterogeneousLIF(
                shape=(group.size,),
                name=group.name,
                reset=group.reset,
                **{k: group.parameters[k] for k in PARAMETERS},
            )
        populations[group.name] = lif
        dtype = np.int32 if fixed else np.float64
        recorder = MmapProbe(
            shape=(group.size,),
            steps=program.n_steps,
            files=files,
            dtype=dtype,
            several=group.several,
        )
        for probe in files:
            getattr(lif, _OUT_PORTS[probe]).connect(getattr(recorder, PROBE_PORTS[probe]))
        helpers.append(recorder)
        if len(group.drive_steps) and not program.stock:
            drive = MmapSource(path=drive_file(group, program, drive_path(where, number)))
            drive.s_out.connect(lif.bias_in)
            helpers.append(drive)
    for k, source in enumerate(program.sources):
        path = source_path(where, numbers[0] if numbers else 0, k)
        populations[source.name] = MmapSource(path=event_file(source, program, path))
    connections: dict[str, AbstractProcess] = {}
    for connection in program.connections:  # those that learn come last
        if connection.learning is not None:
            path = learned_path(where, connection.learning.number)
            process = learning_connection(connection, str(path), program.n_steps)
            third = connection.learning.third_factor
            if third is None or third.y0:
                populations[connection.post].s_out.connect(process.s_in_bap)
            for trace, sender in _factor_senders(connection).items():
                if sender in populations:
                    populations[sender].s_out.connect(getattr(process, f"s_in_{trace}"))
                elif sender in connections:  # one without a synapse sends nothing
                    connections[sender].a_out.connect(getattr(process, f"s_in_{trace}"))
        else:
            process = fixed_connection(connection, fixed)
        populations[connection.pre].s_out.connect(process.s_in)
        if connection.target != "factor":
            process.a_out.connect(populations[connection.post].a_in)
        connections[connection.name] = process
    return LavaGraph(program.precision, populations, connections, tuple(helpers), tuple(writes))


def _factor_senders(connection: Connection) -> dict[str, str]:
    """Who sends y1, y2 and y3 of a connection, by trace; empty with two factors."""
    if connection.learning is None or connection.learning.third_factor is None:
        return {}
    senders = zip(POST_TRACES, connection.learning.third_factor.senders, strict=True)
    return {trace: sender for trace, sender in senders if sender is not None}


def _rows(path: Path, shape: tuple[int, int], program: LavaProgram) -> "np.memmap[Any, Any]":
    return create_rows(path, shape, np.int32 if program.precision == "fixed_pt" else np.float64)


def drive_file(group: Neurons, program: LavaProgram, path: Path) -> Path:
    """Write what is added to the bias in every step, (n_steps, size); return `path`."""
    rows = _rows(path, (program.n_steps, group.size), program)
    ends = [*group.drive_steps[1:], program.n_steps]
    for start, end, values in zip(group.drive_steps, ends, group.drive_values, strict=True):
        rows[start:end] = values
    rows.flush()
    return path


def event_file(source: Source, program: LavaProgram, path: Path) -> Path:
    """Write what an input population sends in every step, (n_steps, size); return `path`."""
    rows = _rows(path, (program.n_steps, source.size), program)
    rows[source.steps, source.channels] = source.values
    rows.flush()
    return path
