"""What a run did on the chip beside synaptic operations: spikes, updates, messages, hops.

Loihi updates every compartment in every step, so `neuron_updates` is neurons times steps. An
update is *active* when it finds something to do (after SANA-FE: "updated if v, input or bias is
not 0"). Neuron i is active in step t exactly when one of these is not 0::

    v_i[t-1], u_i[t-1], u_i[t], bias_i[t]

u_i[t] stands for what arrives: where u_i[t-1] = 0 it is the sum of the arriving weights, shifted
and wrapped to 24 bits as the neuron sees it, so a sum that wraps to 0 is none. `bias` is the
neuron's own, with what a held input adds to it. A neuron that is held at 0 after a spike counts
while its current lasts. A *membrane update* (NeuroBench's) changes the potential: v before the
firing of step t differs from v after the firing of step t-1; that is a spike, or v_i[t] !=
v_i[t-1]. Both start from u = v = 0 in step 0, or from the state that a session goes on from.

Spikes alone do not tell either of them. Backends count them as they run (`Trace.active_updates`,
`Trace.membrane_updates`), and recorded states tell them too; from a trace without all of that
every update counts as active, an upper bound, and membrane updates are not known.

Input channels are injected by the host: their messages are counted apart, and their way to the
core is not known.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.fan_out import FanOut
from hrsnn_lava.compiler.analysis.occupancy.traffic import routes
from hrsnn_lava.compiler.mapped import ONE_CHIP, Chips, Placement
from hrsnn_lava.notebook import brief
from hrsnn_lava.quantized import QuantizedNetwork, drive_schedule
from hrsnn_lava.trace import Trace

Int = NDArray[np.int64]


@brief("spikes", "messages", "neuron_updates", "neuron_updates_active", "hops_x", "hops_y")
@dataclass(frozen=True, eq=False)
class Activity:
    """Counts of a run.

    Attributes:
        spikes_of, input_events_of: (n_neurons,) spikes and (n_inputs,) events onto synapses.
        neuron_updates: neurons times steps.
        messages, input_messages: (spike, destination core) pairs, the own core included, of
            neurons and of input channels.
        hops_x, hops_y: router hops of the neurons' messages on the chips; None where no mesh is
            known.
        learning_updates: synapses that learn, once an epoch.
        max_hops: of any message that was sent, passages between chips among them; None where no
            mesh is known.
        neuron_updates_active: updates that found something to do; all of them when not known.
        updates_exact: False when `neuron_updates_active` is that upper bound.
        membrane_updates: updates that changed the potential; None when not known.
        membrane_updates_first_step: those of step 0, which NeuroBench counts in a way of its own.
        messages_in_of, messages_out_of: (n_cores,) messages that every core receives, those of
            input channels included, and that its neurons send.
        wraps_of, saturations_of: (n_neurons,), as in a `Trace`; None when not known.
        chip_crossings: passages of the neurons' messages from one chip to the next; None where it
            is not known on which chips cores are.
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
    neuron_updates_active: int
    updates_exact: bool
    membrane_updates: int | None
    membrane_updates_first_step: int | None
    messages_in_of: Int
    messages_out_of: Int
    chip_crossings: int | None = None
    wraps_of: Int | None = None
    saturations_of: Int | None = None

    @property
    def spikes(self) -> int:
        """Spikes of all neurons."""
        return int(self.spikes_of.sum())

    @property
    def input_events(self) -> int:
        """Events of all input channels that have synapses."""
        return int(self.input_events_of.sum())

    @property
    def neuron_updates_inactive(self) -> int:
        """Updates that found nothing to do; 0 when not known."""
        return self.neuron_updates - self.neuron_updates_active

    @property
    def messages_in(self) -> int:
        """Messages that cores receive, of neurons and of input channels."""
        return self.messages + self.input_messages


class ActivityTally:
    """Counts stretch by stretch, in memory that does not grow.

    Args:
        network: that is run.
        fan: its fan-out, by core.
        placement: cores, and tiles where there is a mesh.
        first_step: steps since rest, which learning epochs are counted from.
        chips: how cores are spread over chips.
    """

    def __init__(
        self,
        network: QuantizedNetwork,
        fan: FanOut,
        placement: Placement,
        first_step: int = 0,
        chips: Chips = ONE_CHIP,
    ) -> None:
        self._network, self._fan, self._placement = network, fan, placement
        onto = sparse.csr_matrix(fan.destinations.T)
        self._routes = routes(onto, placement.core_of, placement.coordinates, chips.width)
        self._on_chips_known = placement.coordinates is not None or chips.number == 1
        self._first = first_step
        self._rest()

    def _rest(self) -> None:
        self._steps = 0
        self._active = 0
        self._exact = True
        self._membrane: int | None = 0
        self._membrane_first: int | None = None
        self._losses: tuple[Int, Int] | None = tuple(np.zeros((2, self._fan.n_neurons), np.int64))

    def anew(self) -> ActivityTally:
        """Another one that has counted nothing yet; the tables are shared."""
        other = copy(self)
        other._rest()
        return other

    def add(self, stretch: Trace) -> None:
        """Count a stretch of the run."""
        if self._losses is not None and stretch.wraps is not None:
            wraps, saturations = self._losses
            stays = stretch.saturations
            stays = np.zeros_like(saturations) if stays is None else stays
            self._losses = wraps + stretch.wraps, saturations + stays
        else:
            self._losses = None
        updates = updates_of(self._network, stretch, rested=self._first + self._steps == 0)
        if updates is None:
            self._active += self._fan.n_neurons * stretch.n_steps
            self._exact &= not stretch.n_steps
            self._membrane = self._membrane if not stretch.n_steps else None
        else:
            active, membrane = updates
            self._active += int(active.sum(dtype=np.int64))
            if self._membrane is not None:
                if not self._steps and membrane.size:
                    self._membrane_first = int(membrane[0])
                self._membrane += int(membrane.sum(dtype=np.int64))
        self._steps += stretch.n_steps

    def result(self, events: Int, messages_in_of: Int) -> Activity:
        """What was counted so far.

        Args:
            events: of all sources, (n_sources,).
            messages_in_of: see `Activity`.
        """
        fan, paths = self._fan, self._routes
        n = fan.n_neurons
        meshed = self._placement.coordinates is not None
        sent = events[:n] * paths.messages[:n]
        out = np.zeros(fan.n_cores, dtype=np.int64)
        np.add.at(out, self._placement.core_of, sent)
        return Activity(
            events[:n].copy(),
            np.where(fan.listened, events[n:], 0),
            neuron_updates=n * self._steps,
            messages=int(sent.sum()),
            input_messages=int(events[n:] @ paths.messages[n:]),
            hops_x=int(events[:n] @ paths.hops_x[:n]) if meshed else None,
            hops_y=int(events[:n] @ paths.hops_y[:n]) if meshed else None,
            learning_updates=self._learning_updates(),
            max_hops=int(paths.longest[:n][events[:n] > 0].max(initial=0)) if meshed else None,
            neuron_updates_active=self._active,
            updates_exact=self._exact,
            membrane_updates=self._membrane,
            membrane_updates_first_step=self._membrane_first,
            messages_in_of=messages_in_of,
            messages_out_of=out,
            wraps_of=None if self._losses is None else self._losses[0].copy(),
            saturations_of=None if self._losses is None else self._losses[1].copy(),
            chip_crossings=int(events[:n] @ paths.crossings[:n]) if self._on_chips_known else None,
        )

    def _learning_updates(self) -> int:
        """A rule is evaluated for every synapse that learns at the end of every epoch."""
        first, end = self._first, self._first + self._steps
        return sum(n * (end // epoch - first // epoch) for n, epoch in self._fan.learning)


def updates_of(
    network: QuantizedNetwork, trace: Trace, *, rested: bool = True
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Active and membrane updates of every step, (n_steps,) each; None when not known.

    Args:
        network: that was run.
        trace: with the counts, or with v and u of all neurons.
        rested: the run starts from rest; states before it are not in a trace.
    """
    if trace.active_updates is not None and trace.membrane_updates is not None:
        return trace.active_updates, trace.membrane_updates
    if trace.v is None or trace.u is None or not rested:
        return None
    if trace.inputs is None and any(p.target == "bias" for p in network.projections):
        return None
    active = active_neurons(network, trace, 0, trace.n_steps).sum(axis=1)
    v_changed = trace.v != _before(trace.v, 0, trace.n_steps)
    v_changed[trace.spike_steps, trace.spike_neurons] = True
    return active, v_changed.sum(axis=1)


def active_neurons(
    network: QuantizedNetwork, trace: Trace, first: int, count: int
) -> NDArray[np.bool_]:
    """Which neurons are active in steps `first` to ``first + count``, (count, n_neurons).

    From recorded v and u of a run from rest, with the inputs that drove it.
    """
    part = slice(first, first + count)
    v, u = trace.v, trace.u
    if v is None or u is None:
        raise ValueError("active neurons need recorded v and u")
    active: NDArray[np.bool_] = (_before(v, first, count) | _before(u, first, count) | u[part]) != 0
    change, rows = drive_schedule(network, trace.inputs, trace.n_steps)
    base = network.gather("bias_mant")[None, :]
    starts, mantissas = np.append(-1, change), np.concatenate([base, rows]) != 0
    at = np.searchsorted(starts, np.arange(first, first + count), side="right") - 1
    active |= mantissas[at]
    return active


def _before(states: NDArray[Any], first: int, count: int) -> NDArray[Any]:
    """The states one step earlier; rest before step 0."""
    before = np.zeros((count, states.shape[1]), dtype=states.dtype)
    rows = states[max(first - 1, 0) : first + count - 1] if count else states[:0]
    before[count - rows.shape[0] :] = rows
    return before
