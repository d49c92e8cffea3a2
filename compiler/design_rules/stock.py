"""What stock Lava Processes can hold: one small rule each, all reported at once.

Only Lava's own Processes have models for the chip. Stock `LIF` has one du, dv and vth for all its
neurons, so a population becomes one `LIF` for each set of these (`StockPlan`); its biases, with
their exponents, are per neuron as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import SYNAPTIC
from hrsnn_lava.compiler.split import Pieces, rounded_apart
from hrsnn_lava.csr import rows_of
from hrsnn_lava.errors import Violation
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection, SignMode

__all__ = ["SHARED", "STOCK_RULES", "StockPlan", "StockRule"]

Int = NDArray[np.int64]
#: Parameters that stock `LIF` has once for all its neurons.
SHARED = ("du", "dv", "vth")
_OURS = "run the form with HeterogeneousLIF (backend lava)"


@dataclass(frozen=True, eq=False)
class StockPlan:
    """A network and how it would be grouped; nothing is built yet.

    Attributes:
        network: integers.
        labels: (n_neurons,) number of the group of every neuron, equal for equal `SHARED`.
        max_processes: bound on the number of Processes.
    """

    network: QuantizedNetwork
    labels: Int
    max_processes: int

    @staticmethod
    def of(network: QuantizedNetwork, max_processes: int) -> StockPlan:
        """Group the neurons of each population by `SHARED`, in rising order of the three."""
        values = np.stack([network.gather(field) for field in SHARED], axis=1)
        labels = np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)
        return StockPlan(network, labels, max_processes)

    @cached_property
    def pieces(self) -> Pieces:
        """Where every neuron goes."""
        return Pieces(self.network, self.labels)

    @property
    def groups(self) -> dict[str, int]:
        """Number of `LIF` Processes of each population."""
        names = [p.name for p in self.network.compute_populations]
        return {name: int(self.pieces.sizes[name].size) for name in names}

    @cached_property
    def connections(self) -> dict[str, int]:
        """Number of connection Processes of each projection onto synapses."""
        return {
            p.name: len(np.unique(self.blocks(p)[0]))
            for p in self.network.projections
            if p.target == "synapse"
        }

    def blocks(self, projection: QuantizedProjection) -> tuple[Int, Int]:
        """For each live synapse the number of its connection, and the pairs of neurons in that.

        A connection has the synapses of one learning profile between one pair of groups.
        """
        pieces, weights = self.pieces, projection.weights
        rows = rows_of(weights)
        post, pre = pieces.part[projection.post][rows], pieces.part[projection.pre][weights.indices]
        pairs = pieces.sizes[projection.post][post] * pieces.sizes[projection.pre][pre]
        number = post * pieces.sizes[projection.pre].size + pre
        if projection.learning is None:
            return number, pairs
        live = projection.plastic_synapses()
        profile = projection.learning.profile_of(projection.n_synapses)
        return (number * len(projection.learning.rules) + profile)[live], pairs[live]

    @property
    def sources(self) -> int:
        """Number of input populations that send spikes."""
        inputs = {p.name for p in self.network.input_populations}
        sending = {p.pre for p in self.network.projections if self.connections.get(p.name)}
        return len(inputs & sending)

    @property
    def processes(self) -> int:
        """Number of Processes of the whole graph."""
        return sum(self.groups.values()) + sum(self.connections.values()) + self.sources


StockRule = Callable[[StockPlan], Iterator[Violation]]


def no_refractory_period(plan: StockPlan) -> Iterator[Violation]:
    """Stock `LIF` has no refractory period, and `LIFRefractory` no fixed-point model."""
    for population in plan.network.compute_populations:
        periods = population.parameter("refractory")
        if count := int(np.count_nonzero(periods)):
            yield Violation(
                "refractory period",
                f"population {population.name!r}",
                f"{count} of {population.size} neurons, up to {periods.max()} steps",
                "0 steps: LIFRefractory has no fixed-point model",
                f"set refractory of these {count:,} neurons to 0, or {_OURS}",
            )


def reset_to_zero(plan: StockPlan) -> Iterator[Violation]:
    """Stock `LIF` sets the potential to 0 at a spike, and takes no threshold off it."""
    for population in plan.network.compute_populations:
        if population.reset != "zero":
            yield Violation(
                "reset",
                f"population {population.name!r}",
                f"reset {population.reset!r}",
                "reset 'zero': LIF has no other",
                f"train with a reset to zero and set reset to 'zero', or {_OURS}",
            )


def sums_rounded_once(plan: StockPlan) -> Iterator[Violation]:
    """With a negative exponent the sum of a neuron must come from one connection alone."""
    for projection in plan.network.projections:
        rows = rounded_apart(projection, plan.pieces.part[projection.pre])
        if rows.size:
            yield Violation(
                "weight exponent",
                f"projection {projection.name!r}",
                f"weight_exp {projection.weight_exp}; several connections would round the sums of "
                f"{rows.size} neurons down, each its own part",
                "weight_exp >= 0 where presynaptic neurons are in several groups",
                f"use weights for weight_exp 0, or one group for {projection.pre!r}, or {_OURS}",
            )


def stock_learning(plan: StockPlan) -> Iterator[Violation]:
    """Learning must be what Lava's own `LearningSparse` or `LearningDense` does.

    In fixed point the sparse one runs for sign mode MIXED and products of spikes and traces alone,
    and forgets weights of 0; in the dense one every pair of neurons learns.
    """
    for projection in plan.network.projections:
        learning = projection.learning
        if learning is None or not projection.n_synapses:
            continue
        factors = {f.variable for r in learning.rules for p in r.products for f in p.factors}
        why = [f"factor {name}" for name in SYNAPTIC if name in factors]
        if projection.sign_mode is not SignMode.MIXED:
            why.append(f"sign mode {projection.sign_mode.value}")
        why += ["weights of 0 that learn"] if learning.plastic_zeros else []
        number, pairs = plan.blocks(projection)
        blocks, first, there = np.unique(number, return_index=True, return_counts=True)
        partial = int(np.count_nonzero(there != pairs[first])) if blocks.size else 0
        if why and partial:
            yield Violation(
                "learning",
                f"projection {projection.name!r}",
                f"{', '.join(why)}, with absent synapses in {partial} of {blocks.size} connections",
                "LearningSparse: sign mode mixed, products of traces, no weights of 0; "
                "LearningDense: no absent synapses",
                _OURS,
            )


def two_factors(plan: StockPlan) -> Iterator[Violation]:
    """A third factor goes from one Process to another in order, which groups would not keep."""
    for projection in plan.network.projections:
        if projection.learning is not None and projection.learning.third_factor is not None:
            yield Violation(
                "third factor",
                f"projection {projection.name!r}",
                "a three-factor rule",
                "two-factor rules",
                _OURS,
            )


def few_processes(plan: StockPlan) -> Iterator[Violation]:
    """Each group is a Process, and each pair of groups with a synapse another one."""
    if plan.processes <= plan.max_processes:
        return
    groups = ", ".join(f"{name} {count}" for name, count in plan.groups.items())
    yield Violation(
        "processes",
        f"network {plan.network.name!r}",
        f"{plan.processes:,} Processes: {sum(plan.groups.values()):,} LIF ({groups}), "
        f"{sum(plan.connections.values()):,} connections, {plan.sources} sources",
        f"{plan.max_processes:,}",
        f"let neurons share du, dv and vth (the pass StockGroups) for "
        f"{plan.processes - plan.max_processes:,} Processes fewer, raise max_processes, or {_OURS}",
        share=plan.processes / max(plan.max_processes, 1),
    )


#: All of them, in the order of the report.
STOCK_RULES: tuple[StockRule, ...] = (
    no_refractory_period,
    reset_to_zero,
    sums_rounded_once,
    stock_learning,
    two_factors,
    few_processes,
)
