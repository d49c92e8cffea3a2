"""What a run did on the chip beside synaptic operations: spikes, updates, messages, hops.

Loihi updates every compartment in every step, so `neuron_updates` is neurons times steps. Which
of the updates found something to update cannot be told from spikes, so all of them count as
active: an upper bound, and exact where every neuron has a bias. Input channels are injected by
the host: their messages are counted apart, and their way to the core is not known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.synops import sent_events
from hrsnn_lava.compiler.analysis.traffic import routes
from hrsnn_lava.compiler.analysis.utilization import Utilization, utilization
from hrsnn_lava.compiler.placement import Placement
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.trace import Trace

Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Activity:
    """Counts of a run.

    Attributes:
        spikes_of, input_events_of: (n_neurons,) spikes and (n_inputs,) events onto synapses.
        neuron_updates: neurons times steps.
        messages, input_messages: (spike, destination core) pairs, the own core included, of
            neurons and of input channels.
        hops_x, hops_y: router hops of the neurons' messages; None where no mesh is known.
        learning_updates: stored synapses of learning projections, once an epoch.
        max_hops: of any message that was sent; None where no mesh is known.
    """

    spikes_of: Int
    input_events_of: Int
    neuron_updates: int
    messages: int
    input_messages: int
    hops_x: int | None
    hops_y: int | None
    learning_updates: int
    max_hops: int | None

    @property
    def spikes(self) -> int:
        """Spikes of all neurons."""
        return int(self.spikes_of.sum())

    @property
    def input_events(self) -> int:
        """Events of all input channels that have synapses."""
        return int(self.input_events_of.sum())


def activity(
    network: QuantizedNetwork,
    placement: Placement,
    profile: HardwareProfile,
    trace: Trace,
    used: Utilization | None = None,
) -> Activity:
    """Count what a run did on the chip.

    Args:
        network: that was run.
        placement: cores, and tiles where there is a mesh.
        profile: the chip.
        trace: spikes, and in `trace.inputs` the events of the inputs.
        used: of the same network and placement, if it is there already.
    """
    n = network.n_neurons
    events = np.concatenate([trace.counts(), _input_events(network, trace)])
    used = utilization(network, placement.core_of, profile) if used is None else used
    found = routes(used.destinations, placement.core_of, placement.coordinates)
    meshed = placement.coordinates is not None
    longest = found.longest[:n][events[:n] > 0]
    return Activity(
        events[:n],
        events[n:],
        neuron_updates=n * trace.n_steps,
        messages=int(events[:n] @ found.messages[:n]),
        input_messages=int(events[n:] @ found.messages[n:]),
        hops_x=int(events[:n] @ found.hops_x[:n]) if meshed else None,
        hops_y=int(events[:n] @ found.hops_y[:n]) if meshed else None,
        learning_updates=_learning_updates(network, trace.n_steps),
        max_hops=int(longest.max(initial=0)) if meshed else None,
    )


def _input_events(network: QuantizedNetwork, trace: Trace) -> Int:
    """Events of every input channel that a synapse can notice, (n_inputs,)."""
    counts = np.zeros(network.n_inputs, dtype=np.int64)
    onto_synapses = {p.pre for p in network.projections if p.target == "synapse"}
    for population in network.input_populations:
        if population.name in onto_synapses:
            first = network.offset(population.name)
            _, senders = sent_events(network, trace, population.name)
            part = np.bincount(senders, minlength=population.size)
            counts[first : first + population.size] = part
    return counts


def _learning_updates(network: QuantizedNetwork, steps: int) -> int:
    """A rule is evaluated for every stored synapse at the end of every epoch."""
    total = 0
    for projection in network.projections:
        if projection.learning is not None:
            total += projection.n_synapses * (steps // projection.learning.t_epoch)
    return total
