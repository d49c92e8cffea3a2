"""All counts of a run, exact integers: from a stored trace, or stretch by stretch as it runs.

`Counting` takes a run in stretches and keeps no raster: what it holds is one counter a source,
and by step and projection the synaptic operations, unless ``per_step=False``.
`loads` breaks a trace down by step and core, for estimates of how long a step takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.artifacts.container import Saved
from hrsnn_lava.artifacts.files import PathLike
from hrsnn_lava.compiler.analysis.occupancy.fan_out import FanOut
from hrsnn_lava.compiler.analysis.operations.activity import Activity, ActivityTally, active_neurons
from hrsnn_lava.compiler.analysis.operations.synops import SopTally, SynapticOperations, check_trace
from hrsnn_lava.compiler.mapped import ONE_CHIP, Chips, PlacedProgram, Placement
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.findings import Finding
from hrsnn_lava.notebook import brief
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.trace import Origin, Trace

Int = NDArray[np.int64]
#: A block of `loads` holds at most this many values of each kind.
BLOCK_VALUES = 250_000


@brief("steps", "spikes=done.spikes", "operations=ops.total", "messages=done.messages")
@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of a run.

    Attributes:
        steps: of the run.
        ops: synaptic operations.
        done: spikes, updates, messages, hops.
        origin: the network that ran, None where that is not known.
        findings: what a user has to know of the run; not saved, since it follows from the rest.
    """

    steps: int
    ops: SynapticOperations
    done: Activity
    origin: Origin | None = field(default=None, compare=False, repr=False)
    findings: tuple[Finding, ...] = ()

    def save(self, path: PathLike, compiled: PlacedProgram) -> str:
        """Write an ``.hlx`` artifact; `compiled` is what was run. Returns the file's SHA-256."""
        return CountsFile.of(self, compiled).save(path)

    @staticmethod
    def load(path: PathLike, compiled: PlacedProgram) -> Counts:
        """Read the counts of a run of `compiled`.

        Raises:
            ArtifactError: no such file, damaged, or of another program.
        """
        file = CountsFile.load(path)
        expected = CountsFile.of(file.counts, compiled)
        if file.network_digest != expected.network_digest or file.cores != expected.cores:
            other = "network" if file.network_digest != expected.network_digest else "placement"
            raise ArtifactError(f"{path}: counts of another {other}; count this program")
        return replace(file.counts, origin=Origin(compiled.network))


@dataclass(frozen=True, eq=False)
class CountsFile(Saved):
    """Counts, and the program that they are of.

    Attributes:
        counts: of a run.
        network_digest: SHA-256 of the integer network.
        cores: core of every neuron, (n_neurons,).
    """

    stage: ClassVar[str] = "counts"

    counts: Counts
    network_digest: str
    cores: tuple[int, ...]

    @classmethod
    def of(cls, counts: Counts, compiled: PlacedProgram) -> CountsFile:
        """Counts of a run of `compiled`."""
        return cls(counts, compiled.network.digest, tuple(compiled.core_of.tolist()))


@dataclass(frozen=True, eq=False)
class CoreLoads:
    """What every core does in every step of a block; all (steps_in_block, n_cores) int64.

    Attributes:
        first_step: of the block.
        sops: synaptic operations, in the step that sends, on the core that holds the synapse.
        spikes: sent by the core's neurons.
        messages_out: (spike, destination core) pairs that the core sends, to itself included.
        messages_in: those that it receives, from input channels too.
        active: active updates; the neurons of the core where that is not known.
        macs: operations of graded spikes, which `sops` does not hold.
        active_exact: False when `active` is that upper bound.
    """

    first_step: int
    sops: Int
    spikes: Int
    messages_out: Int
    messages_in: Int
    active: Int
    macs: Int
    active_exact: bool

    @property
    def n_steps(self) -> int:
        """Steps of the block."""
        return int(self.sops.shape[0])


class Counting:
    """Counts a run stretch by stretch.

    Args:
        network: integer network that is run.
        placement: its cores; None puts all neurons on one core without a mesh.
        per_step: keep synaptic operations by step and projection.
        first_step: steps since rest of the first stretch; learning epochs are counted from rest.
        synapses_before: synapses before pruning, if known, for `SynapticOperations.dense`.
        chips: how cores are spread over chips.
    """

    def __init__(
        self,
        network: QuantizedNetwork,
        placement: Placement | None = None,
        *,
        per_step: bool = True,
        first_step: int = 0,
        synapses_before: int | None = None,
        chips: Chips = ONE_CHIP,
    ) -> None:
        fan = FanOut.of(network, None if placement is None else placement.core_of)
        if placement is None:
            placement = Placement.of(np.zeros(network.n_neurons, dtype=np.int32))
        self._network = network
        self._ops = SopTally(network, fan, per_step)
        self._done = ActivityTally(network, fan, placement, first_step, chips)
        self._synapses_before = synapses_before

    @staticmethod
    def of(compiled: PlacedProgram, *, per_step: bool = True, first_step: int = 0) -> Counting:
        """For a compiled network, on its cores."""
        return Counting(
            compiled.network,
            compiled.placement,
            per_step=per_step,
            first_step=first_step,
            synapses_before=compiled.synapses_before,
            chips=Chips.of(compiled.profile, compiled.placement.n_cores),
        )

    def anew(self) -> Counting:
        """Another one that has counted nothing yet; the tables of synapses are shared."""
        other = copy(self)
        other._ops, other._done = self._ops.anew(), self._done.anew()
        return other

    @property
    def steps(self) -> int:
        """Steps that were counted."""
        return self._ops.steps

    def add(self, stretch: Trace) -> None:
        """Count the next stretch of the run: spikes, and in ``stretch.inputs`` the events.

        Raises:
            SpecError: the stretch is not one of this network.
        """
        self._ops.add(stretch)
        self._done.add(stretch)

    def result(self) -> Counts:
        """What was counted so far."""
        operations, messages = self._ops.by_core()
        ops = self._ops.result(self._synapses_before, operations)
        done = self._done.result(self._ops.events, messages)
        return Counts(self.steps, ops, done, Origin(self._network))


def count_trace(compiled: PlacedProgram, trace: Trace) -> Counts:
    """Count a stored run; raises `SpecError` if the trace is one of another network."""
    counting = Counting.of(compiled)
    counting.add(trace)
    return counting.result()


def loads(
    compiled: PlacedProgram,
    trace: Trace,
    block_steps: int | None = None,
    fan: FanOut | None = None,
) -> Iterator[CoreLoads]:
    """Break a run down by step and core, some steps at a time.

    Active updates are exact where the trace holds v and u of all neurons of a run from rest.

    Args:
        compiled: the network, on its cores.
        trace: a run of it.
        block_steps: steps of a block; by default as many as hold `BLOCK_VALUES` values.
        fan: fan-out of the network on its cores, if it is there already.

    Raises:
        SpecError: the trace is not one of this network.
    """
    network, core_of = compiled.network, np.asarray(compiled.core_of, dtype=np.int64)
    check_trace(network, trace)
    fan = FanOut.of(network, core_of) if fan is None else fan
    size = block_steps or max(1, BLOCK_VALUES // max(fan.n_cores, 1))
    for first in range(0, trace.n_steps, size):
        yield _block(network, fan, core_of, trace, first, min(size, trace.n_steps - first))


def _block(
    network: QuantizedNetwork, fan: FanOut, core_of: Int, trace: Trace, first: int, count: int
) -> CoreLoads:
    n, n_cores = fan.n_neurons, fan.n_cores
    at, who = _sent(trace, n, first, count)
    shape = (count, fan.n_sources)
    sent = sparse.csr_matrix((np.ones(at.size, np.int64), (at, who)), shape=shape)
    inner = who < n
    place = at[inner] * n_cores + core_of[who[inner]]
    out = np.diff(fan.destinations.indptr)[who[inner]].astype(np.float64)

    def by_core(**weights: Any) -> Int:
        # sums of integers below 2^53 are exact in the float64 that bincount uses
        sums = np.bincount(place, minlength=count * n_cores, **weights)
        return np.rint(sums).astype(np.int64).reshape(count, n_cores)

    exact = trace.v is not None and trace.u is not None
    here = np.tile(np.bincount(core_of, minlength=n_cores), (count, 1))
    if exact:
        step, neuron = np.nonzero(active_neurons(network, trace, first, count))
        here = np.bincount(step * n_cores + core_of[neuron], minlength=count * n_cores)
    return CoreLoads(
        first,
        (sent @ fan.sops).toarray(),
        by_core(),
        by_core(weights=out),
        (sent @ fan.destinations).toarray(),
        here.reshape(count, n_cores).astype(np.int64),
        (sent @ fan.macs).toarray(),
        exact,
    )


def _sent(trace: Trace, n: int, first: int, count: int) -> tuple[Int, Int]:
    """Step, from `first` on, and source of everything sent that a synapse can notice."""
    lo, hi = np.searchsorted(trace.spike_steps, (first, first + count))
    at, who = [trace.spike_steps[lo:hi]], [trace.spike_neurons[lo:hi].astype(np.int64)]
    if trace.inputs is not None:
        lo, hi = np.searchsorted(trace.inputs.steps, (first, first + count))
        felt = lo + np.flatnonzero(trace.inputs.payload_values()[lo:hi])
        at.append(trace.inputs.steps[felt])
        who.append(trace.inputs.neurons[felt].astype(np.int64) + n)
    return np.concatenate(at).astype(np.int64) - first, np.concatenate(who)


def activity(network: QuantizedNetwork, placement: Placement, trace: Trace) -> Activity:
    """Count what a run did on the chip.

    Args:
        network: that was run.
        placement: cores, and tiles where there is a mesh.
        trace: spikes, and in `trace.inputs` the events of the inputs.

    Raises:
        SpecError: the trace is one of another network.
    """
    counting = Counting(network, placement, per_step=False)
    counting.add(trace)
    return counting.result().done
