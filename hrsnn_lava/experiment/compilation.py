"""What an experiment asks of the compiler: the chip and its passes, pruning, integers, placement.

Everything of a run that calls a pass is here, and nothing here knows a task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.compiled import CompiledNetwork, PassRecord
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.design_rules.values import refused_learning
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.compiler.pipeline import AnyPass, History, Pipeline, run_pass
from hrsnn_lava.compiler.pruning.budget import Amount, of_unpruned, stated
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.compiler.pruning.surgery import pruned_synapses
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.runs.parity import obstacles
from hrsnn_lava.spec import PruneSpec, Spec
from hrsnn_lava.training.simulation import Stimulus, observe_if_needed

Floats = NDArray[np.float64]
#: Method of a network that is chosen among several, see `hrsnn_lava.training.screening`.
PORTFOLIO = "portfolio"
#: What tables call methods; others go by their own name.
LABELS = {
    "no-recurrence": "no recurrence",
    "none": "not pruned",
    "lyapunov": "LNP",
    "erdos_renyi": "random graph",
}


@dataclass(frozen=True, eq=False)
class Target:
    """What a spec is compiled for, with every name in it found.

    Attributes:
        spec: the whole of it.
        profile: the chip.
        cost_set: prices.
        quantize: the pass that makes integers.
        context: chip, seed and input range, as all passes of the spec are to see them.
        missing_backends: those to verify with that are not installed, with the reason.
    """

    spec: Spec
    profile: HardwareProfile
    cost_set: CostSet
    quantize: Quantize
    context: Context
    missing_backends: Mapping[str, str]

    @staticmethod
    def of(spec: Spec) -> Target:
        """Find what a spec names: a wrong name is better found before hours of work than after.

        Raises:
            SpecError: a name is not known, or options contradict each other.
            CapacityError: learning on a chip that cannot.
        """
        profile = HardwareProfile.load(spec.compile.profile)
        if spec.compile.chips is not None:
            profile = profile.with_chips(spec.compile.chips)
        if spec.compile.cores is not None:
            profile = profile.with_cores(spec.compile.cores)
        cost_set = CostSet.load(spec.report.cost_set)
        learning = spec.stdp.projections if spec.stdp is not None and spec.stdp.on_chip else ()
        violations = list(refused_learning(profile, learning))
        if violations:
            text = f"network {spec.name!r} does not fit profile {profile.name!r}"
            raise CapacityError(text, violations=violations)
        backend_obstacles = obstacles(spec.verify.backends)
        quantize = spec.quantize_pass()
        context = Context(profile, seed=spec.seed)
        context = context.settled((quantize, *spec.mapping_passes()))
        return Target(spec, profile, cost_set, quantize, context, backend_obstacles)

    @property
    def backends(self) -> list[str]:
        """Backends that can verify here, in the order of the spec."""
        return [n for n in self.spec.verify.backends if n not in self.missing_backends]

    def quantized(
        self, network: Network, lesson: Stimulus, rates: Floats | None
    ) -> tuple[QuantizedNetwork, PassRecord]:
        """The integers of a network, with what a run shows of it where that is needed.

        Args:
            network: float.
            lesson: the training inputs.
            rates: (n_neurons,) spikes per step on them, where values arrive at synapses; such a
                run cannot be observed.
        """
        observed = Observed()
        if lesson.spiking or self.spec.network.input.target == "bias":
            observed = observe_if_needed(self.quantize, network, (lesson.inputs, lesson.block))
        elif self.quantize.needs_run:
            observed = Observed(rates)
        integers: QuantizedNetwork
        context = replace(self.context, observed=observed)
        integers, record = run_pass(network, self.quantize, context)
        return integers, record

    def placed(
        self, integers: QuantizedNetwork, observed: Observed, history: History
    ) -> CompiledNetwork:
        """Integers on the cores of the chip; `history` is what happened to the network before."""
        pipeline = Pipeline.default(self.profile, self.spec.mapping_passes(), quantized=True)
        return pipeline.run(integers, replace(self.context, observed=observed), history)


@dataclass(frozen=True)
class Pruning:
    """A way to prune: method, how weights are rescaled, how much is left, and what was chosen.

    `chosen` is the method of the candidate that screening kept, where it is known already.
    """

    method: str
    rescale: str | Rescale
    budget: Amount
    chosen: str = ""

    @staticmethod
    def of(table: PruneSpec, rescale: str | Rescale) -> Pruning:
        """What a spec compiles: pruned by its method, or chosen among its candidates."""
        return Pruning(table.way, rescale, table.budget)

    @property
    def mode(self) -> str:
        """How weights are rescaled, in one word."""
        return self.rescale if isinstance(self.rescale, str) else self.rescale.mode

    @property
    def name(self) -> str:
        """What the method is called in tables."""
        return LABELS.get(self.method, self.method)

    @property
    def label(self) -> str:
        """What a network that was pruned so is called in tables."""
        name = self.name
        if self.method == PORTFOLIO and self.chosen:
            name = f"{name} ({LABELS.get(self.chosen, self.chosen)})"
        plain = self.method in ("no-recurrence", "none")
        return name if plain else f"{name} {self.budget}"

    def step(self, table: PruneSpec) -> AnyPass:
        """The pass; a method that samples no synapses has no inverse of a probability."""
        samples = getattr(registry.load("pruning", self.method), "samples", False)
        rescale = self.rescale if samples or self.mode != "inverse" else "none"
        return table.step(self.method, rescale, self.budget)


@dataclass(frozen=True, eq=False)
class Pruned:
    """A pruned network, the neurons of the unpruned one that it has, and what was done."""

    network: Network
    survivors: NDArray[np.int64]
    records: tuple[PassRecord, ...]


def prune(
    full: Network,
    pruning: Pruning,
    table: PruneSpec,
    rates: Floats,
    seed: int,
    covariance: Callable[[], Floats | None] = lambda: None,
) -> Pruned:
    """Prune a network as asked.

    Before it neurons are dropped and after it synapses added, for the spec's own method alone.

    Args:
        full: unpruned.
        pruning: method, rescaling and budget.
        table: the other options.
        rates: (n_neurons,) spikes per step of `full`.
        seed: of the passes.
        covariance: measures (n_neurons, n_neurons) of `full`, see `Observed`; called where the
            method goes by it.
    """
    own = pruning.method == table.way
    network, survivors, records = dropped(full, table, rates, seed) if own else _whole(full)
    if pruning.method == "no-recurrence":
        network = without_recurrence(network)
    elif pruning.method != "none":
        step, observed = pruning.step(table), Observed(rates)
        asked = stated(step)
        if network.n_neurons < full.n_neurons:
            edges = recurrent_edges(full), recurrent_edges(network)
            step = of_unpruned(step, *edges, rates)
        if getattr(step, "needs_covariance", False):
            observed = replace(observed, covariance=covariance())
        context = Context(observed=observed.of_neurons(survivors), seed=seed)
        whole = network
        network, record = run_pass(network, step, context)
        record = replace(record, options={**record.options, **asked})
        records = (*records, record)
        if own and table.delocalize is not None:
            gone = pruned_synapses(whole, network)
            network, record = run_pass(network, table.delocalize, replace(context, pruned=gone))
            records = (*records, record)
        if own and table.rescale_time is not None:
            network, record = run_pass(network, table.rescale_time, Context(seed=seed))
            records = (*records, record)
    return Pruned(network, survivors, records)


_Dropped = tuple[Network, NDArray[np.int64], tuple[PassRecord, ...]]


def dropped(full: Network, table: PruneSpec, rates: Floats, seed: int) -> _Dropped:
    """A network without the neurons that a spec drops first, those that stay, and the record."""
    if table.drop_neurons is None:
        return _whole(full)
    context = Context(observed=Observed(rates), seed=seed)
    network, record = run_pass(full, table.drop_neurons, context)
    report = {key: value for key, value in record.report.items() if key != "kept"}
    return network, np.asarray(record.report["kept"]), (replace(record, report=report),)


def _whole(full: Network) -> _Dropped:
    return full, np.arange(full.n_neurons), ()


def pruning_curve(table: PruneSpec, rescale: str | Rescale) -> list[Pruning]:
    """Points of the pruning curve that the comparison of networks does not have."""
    names = dict.fromkeys((table.way, *table.controls))
    methods = [name for name in names if name not in NOT_PRUNED]
    budget = table.budget
    further = [Amount(budget.name, other) for other in sorted(set(table.curve) - {budget.value})]
    return [Pruning(method, rescale, budget) for budget in further for method in methods]


#: What prunes no synapses one by one.
NOT_PRUNED = ("none", "no-recurrence")


def without_recurrence(network: Network) -> Network:
    """`network` with every projection between neurons emptied."""
    for projection in network.projections:
        recurrent = not network.population(projection.pre).is_input
        if projection.target == "synapse" and recurrent:
            empty = sparse.csr_matrix(projection.weights.shape, dtype=np.float64)
            network = network.with_projection(
                replace(projection, weights=empty, delays=None, plasticity=None)
            )
    return network
