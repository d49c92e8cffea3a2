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
- `dense` is what all sources firing in every step would cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection
from hrsnn_lava.trace import Trace

Int = NDArray[np.int64]
Kind = Literal["sop", "mac", "host_mac"]


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
        per_step: (n_steps,) operations in the step that sends.
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
    per_step: Int


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
    """

    steps: int
    projections: tuple[ProjectionOps, ...]
    per_core: Int | None
    bias_writes: int
    synapses_before: int | None
    inputs_known: bool

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
        own = sum(p.stored for p in self.projections if p.kind != "host_mac")
        return self.steps * (own if self.synapses_before is None else self.synapses_before)

    @property
    def per_step(self) -> Int:
        """Synaptic operations by the step that sends, (n_steps,)."""
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
    _check(network, trace)
    n_cores = 0 if core_of is None else int(np.max(core_of, initial=-1)) + 1
    per_core = np.zeros(n_cores, dtype=np.int64)
    found = []
    for projection in network.projections:
        steps, senders = sent_events(network, trace, projection.pre, projection.target)
        found.append(_operations(network, projection, steps, senders, trace.n_steps))
        if core_of is not None and found[-1].kind == "sop":
            per_core += _per_core(network, projection, senders, np.asarray(core_of), n_cores)
    return SynapticOperations(
        trace.n_steps,
        tuple(found),
        None if core_of is None else per_core,
        _bias_writes(network, trace),
        synapses_before,
        trace.inputs is not None or not network.n_inputs,
    )


def _check(network: QuantizedNetwork, trace: Trace) -> None:
    problems = []
    if trace.n_neurons != network.n_neurons:
        allowed = f"{network.n_neurons} (the network's)"
        problems.append(Problem("trace", f"{trace.n_neurons} neurons", allowed))
    if trace.inputs is not None and trace.inputs.n_neurons != network.n_inputs:
        allowed = f"{network.n_inputs} (the network's)"
        problems.append(Problem("trace.inputs", f"{trace.inputs.n_neurons} channels", allowed))
    raise_if(SpecError, "the trace is not one of this network", problems)


def sent_events(
    network: QuantizedNetwork, trace: Trace, pre: str, target: str = "synapse"
) -> tuple[Int, Int]:
    """Steps and local indices of the events that population `pre` sent during the run.

    A bias is written for a payload of 0 too; a synapse does not notice one.
    """
    population = network.population(pre)
    first = network.offset(pre)
    if not population.is_input:
        steps, who = trace.spike_steps, trace.spike_neurons
        mine = (who >= first) & (who < first + population.size)
    elif trace.inputs is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    else:
        steps, who = trace.inputs.steps, trace.inputs.neurons
        mine = (who >= first) & (who < first + population.size) & (steps < trace.n_steps)
        if target == "synapse":
            mine &= trace.inputs.payload_values() != 0
    return steps[mine].astype(np.int64), who[mine].astype(np.int64) - first


def _operations(
    network: QuantizedNetwork,
    projection: QuantizedProjection,
    steps: Int,
    senders: Int,
    n_steps: int,
) -> ProjectionOps:
    weights = projection.effective_weights()
    n_post, n_pre = weights.shape
    stored = np.bincount(weights.indices, minlength=n_pre)
    alive = np.bincount(weights.indices[_acting(projection, weights.data)], minlength=n_pre)
    kind: Kind = "mac" if projection.num_message_bits else "sop"
    if projection.target == "bias":
        kind = "host_mac"
    # sums of integers below 2^53 are exact in the float64 that bincount uses
    per_step = np.bincount(steps, weights=alive[senders].astype(np.float64), minlength=n_steps)
    return ProjectionOps(
        projection.name,
        projection.pre,
        projection.post,
        kind,
        not network.population(projection.pre).is_input,
        int(alive.sum()),
        int(stored.sum()),
        (int(n_post), int(n_pre)),
        int(senders.size),
        int(alive[senders].sum()),
        int(stored[senders].sum()),
        np.rint(per_step).astype(np.int64),
    )


def _acting(projection: QuantizedProjection, effective: NDArray[Any]) -> NDArray[np.bool_]:
    """Synapses that act; all of those that learn, whose weight may leave 0 at any time."""
    alive: NDArray[np.bool_] = effective != 0
    return np.ones_like(alive) if projection.learning is not None else alive


def _per_core(
    network: QuantizedNetwork,
    projection: QuantizedProjection,
    senders: Int,
    core_of: NDArray[Any],
    n_cores: int,
) -> Int:
    weights = projection.effective_weights()
    n_post, n_pre = weights.shape
    events = np.bincount(senders, minlength=n_pre)
    first = network.offset(projection.post)
    rows = np.repeat(np.arange(first, first + n_post), np.diff(weights.indptr))
    alive = _acting(projection, weights.data)
    per_synapse = events[weights.indices[alive]].astype(np.float64)
    per_core = np.bincount(core_of[rows[alive]], weights=per_synapse, minlength=n_cores)
    return np.rint(per_core).astype(np.int64)


def _bias_writes(network: QuantizedNetwork, trace: Trace) -> int:
    """Per step with an event, the distinct neurons whose bias it changes."""
    drives = [p for p in network.projections if p.target == "bias"]
    if not drives or trace.inputs is None:
        return 0
    inside = trace.inputs.steps < trace.n_steps
    at, channel = trace.inputs.steps[inside], trace.inputs.neurons[inside]
    change, row = np.unique(at, return_inverse=True)
    sent = np.zeros((change.size, network.n_inputs), dtype=np.bool_)
    sent[row, channel] = True
    # the same channels send in most steps, so few distinct sets remain
    sets, times = np.unique(sent, axis=0, return_counts=True)
    reached = np.zeros((sets.shape[0], network.n_neurons), dtype=np.bool_)
    for projection in drives:
        pre, post = network.offset(projection.pre), network.offset(projection.post)
        n_post, n_pre = projection.weights.shape
        pattern = (projection.weights != 0).astype(np.int64)
        hits = (pattern @ sets[:, pre : pre + n_pre].T.astype(np.int64)).T
        reached[:, post : post + n_post] |= hits > 0
    return int(times @ reached.sum(axis=1))
