"""The limits of a whole partition: whether it is legal, and the least change that makes it so.

Every partitioner, ours and the baselines, goes through the same `repair`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.core_filling import split_out_axons
from hrsnn_lava.compiler.analysis.occupancy.utilization import utilization
from hrsnn_lava.compiler.design_rules.axons import AXON_RULES
from hrsnn_lava.compiler.design_rules.check import check
from hrsnn_lava.compiler.design_rules.placed_network import PlacedNetwork
from hrsnn_lava.compiler.partitioning.hypergraph import HOP_WEIGHT
from hrsnn_lava.compiler.partitioning.multilevel import compact, roomy
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem

Int = NDArray[np.int64]
#: Empty cores that are offered to neurons of overfull ones, as shares of those in use.
SPARE = (0.0, 0.04, 0.1, 0.2)
#: Snapping makes parameters fit these, so a partition may exceed them.
TABLES = ("compartment_profiles", "threshold_profiles")


def is_legal(problem: PartitionProblem, core_of: Any) -> bool:
    """Whether every limit holds, tables of parameters aside."""
    usage = utilization(problem.links, core_of, problem.profile)
    if int(usage["neurons"].worst) > problem.neurons_per_core:
        return False
    if usage.cores_limit is not None and usage.n_cores > usage.cores_limit:
        return False
    if any(r.over().size for r in usage.resources if r.name not in TABLES):
        return False
    if problem.network is None:
        return True
    cores = np.asarray(core_of, dtype=np.int32)
    placed = PlacedNetwork(problem.network, problem.profile, cores, problem.links, usage)
    return not check(placed, AXON_RULES)


def repair(problem: PartitionProblem, core_of: Any, *, sweeps: int = 8) -> Int:
    """A partition that keeps the limits of every core, if moves or divisions can.

    First neurons leave overfull cores for where they cost least; then cores that are still
    overfull are divided. Nothing else is touched, and a legal partition comes back as it is.
    """
    cores = compact(np.asarray(core_of, dtype=np.int64))
    if is_legal(problem, cores):
        return cores
    for spare in SPARE:
        in_use = int(cores.max(initial=0)) + 1
        n_cores = in_use + int(np.ceil(spare * in_use))
        if n_cores > (problem.profile.total_cores or n_cores):
            break
        cores = compact(_relieve(problem, cores, n_cores, sweeps))
        if is_legal(problem, cores):
            return cores
    return _divide(problem, cores)


def _relieve(problem: PartitionProblem, cores: Int, n_cores: int, sweeps: int) -> Int:
    """Moves of neurons out of overfull cores, each of which lowers the overflow."""
    from hrsnn_lava.compiler.partitioning import core_state as kernels
    from hrsnn_lava.compiler.partitioning import pricing
    from hrsnn_lava.compiler.partitioning.refine import sweep

    level, caps = problem.level, problem.caps(roomy(problem, n_cores), n_cores)
    state, work = kernels.new_state(level, caps, cores, n_cores), pricing.new_scan(n_cores)
    word, rise = np.ones(1, dtype=np.uint64), np.zeros(problem.n_vertices)
    price = 1e6 * max(float(level.weight.sum()), 1.0)
    for _ in range(sweeps):
        over = (state.used > caps.most).any(axis=1)
        order = np.flatnonzero(over[state.core_of])
        if not order.size:
            break
        if not sweep(level, caps, state, work, order, HOP_WEIGHT, 0.0, price, 0.0, word, rise):
            break
    core_of: Int = state.core_of
    return core_of


def _divide(problem: PartitionProblem, cores: Int) -> Int:
    """Cut cores that hold too much into runs that fit, then into fewer output axons."""
    from hrsnn_lava.compiler.partitioning.first_fit import fill_fast

    order = np.argsort(cores, kind="stable").astype(np.int64)
    bounds, start = [0], 0
    for size in np.bincount(cores):
        members = order[start : start + size]
        runs = fill_fast(problem, members, problem.neurons_per_core)
        bounds += (start + runs[1:]).tolist()
        start += int(size)
    ends = split_out_axons(problem.links, order, np.asarray(bounds), problem.profile)
    core_of = np.empty(cores.size, dtype=np.int64)
    core_of[order] = np.repeat(np.arange(ends.size - 1), np.diff(ends))
    return core_of
