"""Synaptic operations of a run, counted exactly, in integers.

One operation is one presynaptic spike meeting one synapse that acts::

    SOP = sum over steps t and sources j of s_j(t) * #{i : effective weight w_ij != 0}

which is NeuroBench's `Effective_ACs` summed over the steps. Conventions:

- spikes of input channels count as those of neurons do; an event of payload 0 is none;
- a spike counts in the step that sends it, also when it would arrive after the run's last step;
- graded spikes (`num_message_bits` > 0) multiply: they are MACs, not SOPs;
- ``target="bias"`` is computed by the host: `host_macs` for its products and `bias_writes` for
  the biases it sets, neither of them an operation of the chip;
- `issued` counts every stored synapse, also those whose weight the grid makes 0: a chip reads
  them all the same;
- `dense` is what all sources firing in every step would cause;
- a synapse that learns acts whatever its weight is, since that may leave 0 at any time; a 0 that
  learning cannot move (`Learning.plastic_zeros`) is none.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.fan_out import FanOut, Kind, ProjectionFan
from hrsnn_lava.csr import frozen
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.notebook import brief
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.trace import STATES, SpikeInput, Trace

Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ProjectionOps:
    """Operations of one projection.

    Attributes:
        name, pre, post: of the projection.
        kind: ``sop`` (binary spikes), ``mac`` (graded spikes) or ``host_mac`` (through biases).
        recurrent: from neurons, not from an input.
        synapses, stored: weights that act, and all that are stored.
        shape: (n_post, n_pre).
        events: presynaptic events.
        operations, issued: events times fan-out, of the weights that act and of all stored ones.
        dense: stored synapses times steps, as if every source sent in every step.
        per_step: (n_steps,) operations in the step that sends; empty when not kept.
    """

    name: str
    pre: str
    post: str
    kind: Kind
    recurrent: bool
    synapses: int
    stored: int
    shape: tuple[int, int]
    events: int
    operations: int
    issued: int
    dense: int
    per_step: Int


@brief("steps", "total", "recurrent", "macs", "dense")
@dataclass(frozen=True, eq=False)
class SynapticOperations:
    """Operations of a run.

    Attributes:
        steps: of the run.
        projections: in the order of the network.
        per_core: (n_cores,) SOPs by the core that holds the synapse; None when not placed.
        bias_writes: biases that the host sets.
        synapses_before: synapses before pruning, which `dense` rests on when it is known.
        inputs_known: False when the network has inputs and the trace does not hold their events;
            all counts are then those of the neurons alone.
        per_step_max: synaptic operations of the busiest step.
        per_step_kept: False when nothing is known by step, to save memory in a long run.
        input_events: of all channels within the run, payloads of 0 included.
    """

    steps: int
    projections: tuple[ProjectionOps, ...]
    per_core: Int | None
    bias_writes: int
    synapses_before: int | None
    inputs_known: bool
    per_step_max: int
    per_step_kept: bool = True
    input_events: int = 0

    def _sum(self, kind: Kind) -> int:
        return sum(p.operations for p in self.projections if p.kind == kind)

    @property
    def total(self) -> int:
        """Synaptic operations, inputs included."""
        return self._sum("sop")

    @property
    def recurrent(self) -> int:
        """Synaptic operations of synapses between neurons, which papers compare."""
        return sum(p.operations for p in self.projections if p.kind == "sop" and p.recurrent)

    @property
    def macs(self) -> int:
        """Operations of graded spikes, on the chip."""
        return self._sum("mac")

    @property
    def host_macs(self) -> int:
        """Products that the host computes to set biases."""
        return self._sum("host_mac")

    @property
    def issued(self) -> int:
        """Synaptic operations with those whose weight is 0 on the grid."""
        return sum(p.issued for p in self.projections if p.kind == "sop")

    @property
    def dense(self) -> int:
        """Every source in every step, over the synapses before pruning (or those stored)."""
        if self.synapses_before is not None:
            return self.steps * self.synapses_before
        return sum(p.dense for p in self.projections if p.kind != "host_mac")

    @property
    def per_step(self) -> Int:
        """Synaptic operations by the step that sends, (n_steps,); empty when not kept."""
        if not self.per_step_kept:
            return np.zeros(0, dtype=np.int64)
        total = np.zeros(self.steps, dtype=np.int64)
        for projection in self.projections:
            if projection.kind == "sop":
                total += projection.per_step
        return total


def synaptic_operations(
    network: QuantizedNetwork,
    trace: Trace,
    *,
    core_of: Any | None = None,
    synapses_before: int | None = None,
) -> SynapticOperations:
    """Count the operations of a run.

    Args:
        network: that was run.
        trace: its spikes, and in `trace.inputs` what drove it.
        core_of: (n_neurons,) core of every neuron, for the counts per core.
        synapses_before: synapses before pruning, if known.

    Raises:
        SpecError: the trace is not one of this network.
    """
    tally = SopTally(network, FanOut.of(network, core_of))
    tally.add(trace)
    return tally.result(synapses_before)


class SopTally:
    """Counts operations stretch by stretch; memory does not grow but for the counts by step.

    Args:
        network: that is run.
        fan: its fan-out; with cores, operations are counted by core too.
        per_step: keep (n_projections, n_steps) counts.

    Attributes:
        steps: counted so far.
        events: (n_sources,) events that a synapse can notice, of neurons and then of channels.
        sent: (n_sources,) the same with payloads of 0, which the host writes too.
        inputs_known: False once a stretch came without the inputs that the network has.
    """

    def __init__(self, network: QuantizedNetwork, fan: FanOut, per_step: bool = True) -> None:
        self.network, self.fan = network, fan
        self._kinds = np.array([p.kind == "sop" for p in fan.projections], dtype=np.int64)
        self._rest(per_step)

    def _rest(self, per_step: bool) -> None:
        self.steps = 0
        self.events, self.sent = (np.zeros(self.fan.n_sources, np.int64) for _ in range(2))
        self.inputs_known = True
        self._per_step: list[Int] | None = [] if per_step else None
        self._busiest = 0
        self._bias_writes = 0

    def anew(self) -> SopTally:
        """Another one that has counted nothing yet; the tables are shared."""
        other = copy(self)
        other._rest(self._per_step is not None)
        return other

    def add(self, stretch: Trace) -> None:
        """Count a stretch: its spikes, and in ``stretch.inputs`` what drove it.

        Raises:
            SpecError: the stretch is not one of this network.
        """
        from hrsnn_lava.compiler.analysis.operations.counting_kernels import tally

        check_trace(self.network, stretch)
        fan, per_step = self.fan, np.zeros((len(self.fan.projections), stretch.n_steps), np.int64)
        of_synapses: Any = (*fan.synaptic.arrays, self.events, per_step)
        of_host: Any = (*fan.host.arrays, self.sent, per_step)
        tally(frozen(stretch.spike_steps), frozen(stretch.spike_neurons), *of_synapses)
        inputs = stretch.inputs
        if inputs is not None and inputs.steps.size:
            inside = np.searchsorted(inputs.steps, stretch.n_steps)
            at, who = inputs.steps[:inside], inputs.neurons[:inside] + np.int32(fan.n_neurons)
            # read-only ones alone: one kernel to compile
            tally(frozen(at), frozen(who), *of_host)
            if inputs.payloads is not None:
                felt = inputs.payloads[:inside] != 0
                at, who = at[felt], who[felt]
            tally(frozen(at), frozen(who), *of_synapses)
            if fan.host.fan.size:
                self._bias_writes += _bias_writes(self.network, inputs, stretch.n_steps)
        self.inputs_known &= inputs is not None or not fan.n_inputs
        self.steps += stretch.n_steps
        busiest = (self._kinds @ per_step).max(initial=0)
        self._busiest = max(self._busiest, int(busiest))
        if self._per_step is not None:
            self._per_step.append(per_step)

    def result(
        self, synapses_before: int | None = None, per_core: Int | None = None
    ) -> SynapticOperations:
        """What was counted so far; `per_core` if it is there already."""
        fan = self.fan
        if fan.placed and per_core is None:
            per_core = self.by_core()[0]
        none = np.zeros((len(fan.projections), 0), dtype=np.int64)
        rows = np.concatenate([none, *(self._per_step or ())], axis=1)
        return SynapticOperations(
            self.steps,
            tuple(self._of(p, row) for p, row in zip(fan.projections, rows, strict=True)),
            per_core if fan.placed else None,
            self._bias_writes,
            synapses_before,
            self.inputs_known,
            self._busiest,
            self._per_step is not None,
            int(self.sent.sum()),
        )

    def by_core(self) -> tuple[Int, Int]:
        """Synaptic operations of every core, and messages that it received; (n_cores,) each."""
        from hrsnn_lava.compiler.analysis.operations.counting_kernels import by_core

        operations, messages = np.zeros((2, self.fan.n_cores), dtype=np.int64)
        by_core(self.events, *self.fan.onto, operations, messages)
        return operations, messages

    def _of(self, fan: ProjectionFan, per_step: Int) -> ProjectionOps:
        events = (self.sent if fan.kind == "host_mac" else self.events)[fan.sources]
        n_stored = int(fan.stored.sum())
        return ProjectionOps(
            fan.name,
            fan.pre,
            fan.post,
            fan.kind,
            fan.recurrent,
            int(fan.acting.sum()),
            n_stored,
            fan.shape,
            int(events.sum()),
            int(events @ fan.acting),
            int(events @ fan.stored),
            n_stored * self.steps,
            per_step,
        )


def check_trace(network: QuantizedNetwork, trace: Trace) -> None:
    """Refuse a trace of another network; raises `SpecError`."""
    problems = []
    if trace.n_neurons != network.n_neurons:
        allowed = f"{network.n_neurons} (the network's)"
        problems.append(Problem("trace", f"{trace.n_neurons} neurons", allowed))
    if trace.inputs is not None and trace.inputs.n_neurons != network.n_inputs:
        allowed = f"{network.n_inputs} (the network's)"
        problems.append(Problem("trace.inputs", f"{trace.inputs.n_neurons} channels", allowed))
    for name in STATES:
        states = getattr(trace, name)
        if states is not None and states.dtype.kind == "f":
            problems.append(Problem(f"trace.{name}", f"{states.dtype}, of a float run", "integers"))
    raise_if(SpecError, "the trace is not one of this network", problems)
    trace.require_network(network)


def _bias_writes(network: QuantizedNetwork, inputs: SpikeInput, steps: int) -> int:
    """Per step with an event, the distinct neurons whose bias it changes."""
    inside = inputs.steps < steps
    at, channel = inputs.steps[inside], inputs.neurons[inside]
    change, row = np.unique(at, return_inverse=True)
    sent = np.zeros((change.size, network.n_inputs), dtype=np.bool_)
    sent[row, channel] = True
    # the same channels send in most steps, so few distinct sets remain
    sets, times = np.unique(sent, axis=0, return_counts=True)
    reached = np.zeros((sets.shape[0], network.n_neurons), dtype=np.bool_)
    for projection in network.projections:
        if projection.target != "bias":
            continue
        pre, post = network.offset(projection.pre), network.offset(projection.post)
        n_post, n_pre = projection.weights.shape
        pattern = (projection.weights != 0).astype(np.int64)
        hits = (pattern @ sets[:, pre : pre + n_pre].T.astype(np.int64)).T
        reached[:, post : post + n_post] |= hits > 0
    return int(times @ reached.sum(axis=1))
