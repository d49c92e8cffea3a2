"""The run that a pruned program is compared with: the network before pruning, on the same input.

The unpruned network is rarely placed on a chip, and often fits none. What follows from its spikes
alone is then exact (synaptic operations, neuron updates), and what depends on cores is a lower
bound: every spike is one message at least, of no hop, and it takes as many chips as the pruned
network. A network that was compiled for the same chip has all figures of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hrsnn_lava.compiler.analysis.operations.counting import Counting, Counts
from hrsnn_lava.compiler.analysis.pricing.energy import energy, event_counts
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import CostSet, CountKey, HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.trace import Trace

BOUND = "it is not placed: a message a spike, no hops, and as many chips, are taken for the least"


@dataclass(frozen=True)
class UnprunedRun:
    """What the network before pruning did over as many steps.

    Attributes:
        steps, total, recurrent: of the run, and its synaptic operations.
        spikes: of all neurons.
        synapses: of the network.
        events: counts that have prices; None for what is not known.
        cores, chips: that hold it; None where it is not placed.
        profile: the chip that it is placed on; "" for none.
    """

    steps: int
    total: int
    recurrent: int
    spikes: int
    synapses: int
    events: Mapping[CountKey, int | None]
    cores: int | None = None
    chips: int | None = None
    profile: str = ""

    @classmethod
    def of(
        cls, network: CompiledNetwork | QuantizedNetwork, counts: Iterable[Counts]
    ) -> UnprunedRun:
        """One or several counted runs of `network`, added up.

        Raises:
            SpecError: no run, or a float network.
        """
        runs = list(counts)
        if not runs:
            raise SpecError("no run of the unpruned network; allowed: one at least")
        events: dict[CountKey, int | None] = {}
        for run in runs:
            for key, count in event_counts(run.ops, run.done).items():
                before = events.get(key, 0)
                events[key] = None if count is None or before is None else before + count
        placed = isinstance(network, CompiledNetwork)
        integers = network.network if isinstance(network, CompiledNetwork) else network
        return cls(
            steps=sum(run.steps for run in runs),
            total=sum(run.ops.total for run in runs),
            recurrent=sum(run.ops.recurrent for run in runs),
            spikes=sum(run.done.spikes for run in runs),
            synapses=integers.n_synapses,
            events=events,
            **(_placed_on(network) if placed else {}),
        )

    @classmethod
    def of_trace(cls, network: Any, trace: Trace, profile: HardwareProfile) -> UnprunedRun:
        """The run in a trace, of a network whose pruned form is on the chip `profile`.

        Raises:
            SpecError: the network is of another kind, or the trace of another network.
        """
        if not isinstance(network, (CompiledNetwork, QuantizedNetwork)):
            needs = "needs the integer network that was run as network_before"
            raise SpecError(f"trace_before: {needs}")
        network = comparable(network, profile)
        if isinstance(network, CompiledNetwork):
            counting = Counting.of(network, per_step=False)
        else:
            counting = Counting(network, per_step=False)
        counting.add(trace)
        return cls.of(network, [counting.result()])

    def priced(
        self,
        cost_set: CostSet | None,
        profile: HardwareProfile,
        step_time_s: float | None,
        least_chips: int,
    ) -> dict[str, Any]:
        """Its energy at the prices and the pace of the pruned run.

        Args:
            cost_set: prices; None leaves it unpriced.
            profile: the chip of the pruned network.
            step_time_s: of a step; None: not known.
            least_chips: of the pruned network, which the unpruned one takes at least.

        Returns:
            steps, sops, spikes, synapses, cores, chips, dynamic_j, static_j, total_j, ``exact``
            (False for lower bounds) and ``reason`` of that.
        """
        placed = self.profile == profile.name
        hops: dict[CountKey, int | None] = {"hops_x": 0, "hops_y": 0}
        counts = self.events if placed else {**self.events, **hops}
        chips = self.chips if placed and self.chips else least_chips
        cost = energy(counts, cost_set, profile, self.steps, step_time_s, chips)
        return {
            "steps": self.steps,
            "sops": self.total,
            "recurrent_sops": self.recurrent,
            "spikes": self.spikes,
            "synapses": self.synapses,
            "cores": self.cores if placed else None,
            "chips": self.chips if placed else None,
            "dynamic_j": cost.dynamic_j,
            "static_j": cost.static.energy_j,
            "total_j": cost.total_j,
            "exact": placed,
            "reason": "" if placed else BOUND,
        }


def comparable(
    network: CompiledNetwork | QuantizedNetwork, profile: HardwareProfile
) -> CompiledNetwork | QuantizedNetwork:
    """The network with its placement where that is on the same chip; else its integers alone."""
    if isinstance(network, CompiledNetwork) and network.profile.name != profile.name:
        return network.network
    return network


def _placed_on(compiled: Any) -> dict[str, Any]:
    cores, profile = compiled.placement.n_cores, compiled.profile
    return {"cores": cores, "chips": chips_of(cores, profile), "profile": profile.name}


def chips_of(cores: int, profile: HardwareProfile) -> int:
    """Chips that hold so many cores; each of them draws its static power."""
    per_chip = profile.chip.cores.value
    return -(-cores // per_chip) if per_chip else 1
