"""Partitions along an order of the neurons: as numbered, at random, or like parameters together.

Cores are filled along the order by exact counts, and cores that send to too many others are
divided. On chips whose neurons share short tables, the number of neurons a core is the largest
that keeps the error of the tables within a tolerance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.core_filling import (
    cores_from_bounds,
    fill,
    split_out_axons,
)
from hrsnn_lava.compiler.analysis.occupancy.learning_limits import learning_groups
from hrsnn_lava.compiler.analysis.occupancy.utilization import utilization
from hrsnn_lava.compiler.palettes.clustering import decay_rate
from hrsnn_lava.compiler.partitioning.candidates import Candidate
from hrsnn_lava.compiler.partitioning.hypergraph import Hypergraph
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem

Int = NDArray[np.int64]
#: Below so many synapse lists the plain filling is as fast as loading the compiled one.
FEW_PINS = 20_000
#: Above so many, output axons are not repaired along an order: divisions cascade.
MANY_PINS = 1_000_000


def grouped(problem: PartitionProblem, order: Int) -> Int:
    """The order, stably sorted by the learning rules that may not share a core."""
    groups = learning_groups(problem.links, problem.profile)
    return order if groups is None else order[np.argsort(groups[order], kind="stable")]


def filled(problem: PartitionProblem, order: Int, size: int) -> Int:
    """Cores of at most `size` neurons along an order, (n_neurons,); may use too many cores.

    Cores that all reach each other have (neurons a core) x (cores) output axons, so uneven sizes
    cost: where that overflows, the same number of cores is filled evenly before any is divided.
    """
    links, profile = problem.links, problem.profile
    bounds = _runs(problem, order, size)
    limit, most = profile.core.out_axons.value, profile.total_cores
    large = problem.level.source.size > MANY_PINS  # then only the search looks at output axons
    if limit is None or large or (most is not None and bounds.size - 1 > most):
        return cores_from_bounds(order, bounds).astype(np.int64)
    out_axons = utilization(links, cores_from_bounds(order, bounds), profile)["out_axons"]
    if out_axons.over().size:
        even = -(-order.size // (bounds.size - 1))
        candidate = _runs(problem, order, even)
        evened = utilization(links, cores_from_bounds(order, candidate), profile)["out_axons"]
        if evened.over().size <= out_axons.over().size:
            bounds = candidate
        bounds = split_out_axons(links, order, bounds, profile)
    return cores_from_bounds(order, bounds).astype(np.int64)


def _runs(problem: PartitionProblem, order: Int, size: int) -> Int:
    """Bounds of the cores along an order; a large network is worth the compiled kernel."""
    if problem.level.source.size > FEW_PINS:
        from hrsnn_lava.compiler.partitioning.first_fit import fill_fast

        return fill_fast(problem, order, size)
    return fill(problem.links, order, problem.profile, neurons_per_core=size)


def sizes_to_try(problem: PartitionProblem, fixed: bool) -> list[int]:
    """Numbers of neurons a core, from the largest by halves; the bound alone when `fixed`."""
    largest = problem.neurons_per_core
    if fixed:
        return [largest]
    # Not below the shortest table, where the error is 0 already.
    least = min(problem.profile.core.threshold_profiles.value or 1, largest)
    return [s for s in (largest >> k for k in range(largest.bit_length())) if s >= least]


def by_order(
    method: str,
    problem: PartitionProblem,
    graph: Hypergraph,
    order: Int,
    sizes: list[int],
    tolerance: float,
) -> list[Candidate]:
    """One candidate per size tried, until one fits within tolerance or none can."""
    candidates: list[Candidate] = []
    most = problem.profile.total_cores
    for size in sizes:
        if candidates and size >= int(np.bincount(candidates[-1].core_of).max()):
            continue  # the bound was not reached, so the same cores would come out
        candidate = Candidate.of(method, filled(problem, order, size), problem, graph)
        fitted = any(c.legal for c in candidates)
        candidates.append(candidate)
        enough = candidate.legal and candidate.error <= tolerance
        hopeless = most is not None and candidate.n_cores > most
        if enough or hopeless or (fitted and not candidate.legal):
            break  # smaller cores only need more of them
    return candidates


def parameter_order(parameters: Int, leaf: int = 8) -> Int:
    """An order of neurons in which neighbours are alike, (N,).

    Recursive halving at the median of the coordinate that varies most, among log vth, log
    membrane rate, log synaptic rate and the refractory period. vth counts four times as much as
    the rates: its table is about four times shorter, so the same spread costs four times more.
    Ties keep the index order, so the result is deterministic.

    Args:
        parameters: (N, 4) columns du, dv, refractory, vth.
        leaf: groups up to this size are sorted along one coordinate only.
    """
    du, dv, refractory, vth = np.asarray(parameters, dtype=np.int64).T
    coordinates = np.stack(
        [
            4.0 * np.log(np.maximum(vth, 0.5)),
            np.log(decay_rate(np.maximum(dv, 0.5))),
            np.log(decay_rate(np.maximum(du + 1, 0.5))),
            refractory.astype(np.float64),
        ],
        axis=1,
    )
    pieces: list[Int] = []
    stack = [np.arange(du.size, dtype=np.int64)]
    while stack:
        part = stack.pop()
        if part.size == 0:
            continue
        extent = np.ptp(coordinates[part], axis=0)
        axis = int(np.argmax(extent))
        part = part[np.argsort(coordinates[part, axis], kind="stable")]
        if part.size <= leaf or np.count_nonzero(extent) <= 1:
            pieces.append(part)
            continue
        half = part.size // 2
        stack += [part[half:], part[:half]]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)
