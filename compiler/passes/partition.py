"""Assign neurons to cores: fewest messages, within every limit of the profile.

A spike sends one message to every core with a target, so what is minimised is the rate-weighted
connectivity (see `compiler.hypergraph`); messages cost more than synaptic operations do (111 pJ
against 34 pJ in SANA-FE's fit of Loihi). On chips whose neurons share short tables of
parameters, like neurons on one core cost less error, which is traded against messages by one
weight. Several partitioners make candidates, and the best that is legal is taken: never worse
than neuron order, nor than the order of parameters.

A neuron whose inputs alone are more than a core takes is refused: to divide its inputs over two
neurons is not exact, since currents wrap and potentials saturate one by one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.context import Context, Pass, Report, Stage
from hrsnn_lava.compiler.design_rules.check import CAPACITY_RULES, VALUE_RULES, check
from hrsnn_lava.compiler.design_rules.placed_network import PlacedNetwork
from hrsnn_lava.compiler.mapped import Mapped, Placement
from hrsnn_lava.compiler.partitioning.baselines import baselines as other_ways
from hrsnn_lava.compiler.partitioning.candidates import Candidate
from hrsnn_lava.compiler.partitioning.hypergraph import Hypergraph
from hrsnn_lava.compiler.partitioning.ordered import (
    MANY_PINS,
    by_order,
    grouped,
    parameter_order,
    sizes_to_try,
)
from hrsnn_lava.compiler.partitioning.palette_coordinates import palette_coordinates
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem
from hrsnn_lava.compiler.partitioning.refusal import placed, refuse, refuse_early
from hrsnn_lava.compiler.partitioning.search import searched
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.findings import Finding
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.options import Count, NonNegative, Positive, Seed, options
from hrsnn_lava.quantized import QuantizedNetwork

__all__ = ["Partition", "parameter_order", "partition"]

Int = NDArray[np.int64]
Method = Literal["auto", "index", "parameters", "multilevel"]


@options
class Partition(Pass[QuantizedNetwork, Mapped]):
    """Neurons to cores.

    Attributes:
        method: ``index``: as in the network; ``parameters``: like neurons together;
            ``multilevel``: the search alone; ``auto``: the best of these.
        neurons_per_core: upper bound; not set: the partition chooses (see `tolerance`).
        tolerance: relative error of time constants and thresholds that 95 % of the neurons
            shall stay below. 5 % is our choice.
        palette_weight: messages to one more core that a neuron is worth whose parameters are off
            by `tolerance`; the price grows with the square of the error. 1 is our choice.
        baselines: whether other partitioners are run for comparison.
        seed: of the search; by default that of the compilation.
    """

    name: ClassVar[str] = "partition"
    takes: ClassVar[Stage] = "mapped"

    method: Method = "auto"
    neurons_per_core: Count | None = None
    tolerance: Positive = 0.05
    palette_weight: NonNegative = 1.0
    baselines: bool = True
    seed: Seed | None = None

    def transform(
        self, network: QuantizedNetwork | Mapped, context: Context
    ) -> tuple[Mapped, Report]:
        """The network on its cores; raises `CapacityError` with every violation.

        The report is `Placement.info`, see `partition`.
        """
        mapped = Mapped.of(network)
        placement = partition(mapped.network, self, context)
        return replace(mapped, placement=placement), placement.info


def partition(network: QuantizedNetwork, options: Partition, context: Context) -> Placement:
    """Place the neurons of `network` on cores.

    `Placement.info` holds the method taken, its traffic, the neurons a core, a row per candidate
    (`tried`: cores, legality, messages, and the 95th percentile of the error that the tables
    cause), the `baselines`, and `findings`: whether the tolerance costs cores.

    Args:
        context: its chip, its observed rates, which weigh messages, and its progress.

    Raises:
        CapacityError: with every violation; the tables are not among them, since the palette
            pass makes parameters fit them. Before any search where no placement could fit.
    """
    profile, method, tolerance = context.chip(), options.method, options.tolerance
    links = Connectivity.of(network)
    if not links.n_neurons:
        raise CapacityError("no neurons to place")
    context.progress("partition: bounds")
    refuse_early(network, links, profile, options.neurons_per_core)
    graph = Hypergraph.of(links, *context.observed.traffic)
    weight = graph.rate if graph.rate.any() else np.ones_like(graph.rate)
    crowded = profile.has_profile_tables and _overflows(links, profile)
    points = palette_coordinates(links.parameters, profile, tolerance) if crowded else None
    bound = options.neurons_per_core
    problem = PartitionProblem.of(links, profile, weight, bound, points, network)
    sizes = sizes_to_try(problem, bound is not None)
    candidates: list[Candidate] = []
    if method == "parameters" or (method in ("auto", "multilevel") and crowded):
        order = grouped(problem, parameter_order(links.parameters))
        candidates += by_order("parameters", problem, graph, order, sizes, tolerance)
    if method in ("auto", "index", "multilevel"):
        order = grouped(problem, np.arange(links.n_neurons))
        few = crowded or problem.level.source.size > MANY_PINS
        some = sizes[:1] if few and method != "index" else sizes
        candidates += by_order("index", problem, graph, order, some, tolerance)
    best = min(candidates, key=lambda c: c.rank(tolerance))
    seed = options.seed or 0
    if method in ("auto", "multilevel") and not _settled(network, best, problem, tolerance):
        searching = (tolerance, options.palette_weight, seed, context.progress)
        more = searched(problem, graph, candidates, *searching)
        candidates += more
        best = min(more if method == "multilevel" else candidates, key=lambda c: c.rank(tolerance))
    if not best.legal:
        refuse(network, [_placed(network, problem, c) for c in (best, *candidates)])
    info: dict[str, Any] = {"tried": [c.row() for c in candidates]}
    costs = cores_of_tolerance(best, candidates, tolerance)
    info["findings"] = [finding.to_dict() for finding in costs]
    if options.baselines:
        context.progress("partition: baselines")
        info["baselines"] = (
            other_ways(problem, graph, best.n_cores, seed=seed) if best.n_cores > 1 else {}
        )
    return Placement.of(
        best.core_of,
        method=best.method,
        neurons_per_core=int(np.bincount(best.core_of).max()),
        traffic=best.traffic,
        **info,
    )


def _settled(
    network: QuantizedNetwork, best: Candidate, problem: PartitionProblem, tolerance: float
) -> bool:
    """True when a search could gain nothing: one core does, or no partition is legal."""
    if best.n_cores == 1 and best.legal and best.error <= tolerance:
        return True
    if problem.links.n_neurons == 1:
        return True
    on_cores = _placed(network, problem, best)
    violations = check(on_cores, CAPACITY_RULES)
    alone = any("alone" in v.where or "on one neuron" in v.measured for v in violations)
    return alone or bool(check(on_cores, VALUE_RULES))


def _placed(network: QuantizedNetwork, problem: PartitionProblem, one: Candidate) -> PlacedNetwork:
    return placed(network, problem.links, problem.profile, one.core_of)


def cores_of_tolerance(
    best: Candidate, candidates: list[Candidate], tolerance: float
) -> list[Finding]:
    """A note where a legal partition with fewer cores was left for the error of its tables.

    Args:
        best: what was taken.
        candidates: what was tried; every order is filled first as densely as the chip allows.
        tolerance: relative error that 95 % of the neurons shall stay below.
    """
    fewer = [c for c in candidates if c.legal and c.n_cores < best.n_cores and c.error > tolerance]
    if not fewer or best.error > tolerance:
        return []
    least = min(fewer, key=lambda c: (c.n_cores, c.error))
    allowed, error = 100 * tolerance, 100 * least.error
    return [
        Finding(
            "note",
            "partition",
            f"{best.n_cores} cores; {least.n_cores} would do",
            f"time constants and thresholds of 95 % of the neurons within {allowed:g} % need "
            f"{best.n_cores}; on {least.n_cores} they are within {error:.1f} %",
            f"raise partition.tolerance to {_above(least.error):g} where that is near enough",
            kind="palette_costs_cores",
        )
    ]


def _above(error: float) -> float:
    """The next hundredth above an error, as an option to try."""
    return float(np.ceil(100 * error + 1e-9) / 100)


def _overflows(links: Connectivity, profile: HardwareProfile) -> bool:
    """True when the parameters of the whole network are more than one core's tables hold."""
    core, rows = profile.core, links.parameters
    compartments, thresholds = core.compartment_profiles.value, core.threshold_profiles.value
    return (
        compartments is not None and np.unique(rows[:, :3], axis=0).shape[0] > compartments
    ) or (thresholds is not None and np.unique(rows[:, 3]).size > thresholds)
