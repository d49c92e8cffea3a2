"""How many cores, and how much likeness: the partitions that our search proposes.

The number of cores is not given. The search starts from what filling along an order needs, and
takes cores away as long as the limits hold and the tables of parameters stay within tolerance:
fewer, fuller cores mean fewer messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.core_filling import cores_from_bounds
from hrsnn_lava.compiler.analysis.occupancy.utilization import utilization
from hrsnn_lava.compiler.partitioning.candidates import Candidate
from hrsnn_lava.compiler.partitioning.hypergraph import Hypergraph
from hrsnn_lava.compiler.partitioning.legality import TABLES, repair
from hrsnn_lava.compiler.partitioning.multilevel import (
    Effort,
    cluster_order,
    compact,
    multilevel,
    palette_price,
    refine,
)
from hrsnn_lava.compiler.partitioning.ordered import grouped
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem

Int = NDArray[np.int64]
#: Pins above which the search makes one attempt alone.
LARGE = 1_000_000
#: Share of the output axons that may be taken on average, so that uneven cores still fit.
ROOM = 0.85
#: Multiples of the palette weight that are tried where tables are short.
LIKENESS = (1.0, 10.0)


def searched(
    problem: PartitionProblem,
    graph: Hypergraph,
    start: Sequence[Candidate],
    tolerance: float,
    palette_weight: float,
    seed: int,
    progress: Callable[[str], None],
) -> list[Candidate]:
    """Candidates of the multilevel search, and of refining the best of `start`."""
    best = min(start, key=lambda c: c.rank(tolerance))
    crowded = bool(np.any(problem.coordinates))
    candidates: list[Candidate] = []
    large = problem.level.source.size > LARGE
    weights = [palette_weight * x for x in LIKENESS] if crowded else [0.0]

    def attempt(n_cores: int, weight: float) -> Candidate:
        progress(f"partition: {n_cores} cores")
        if large:  # evenly along the clusters; there is no time to refine the levels
            cores = np.empty(order.size, dtype=np.int64)
            cores[order] = np.arange(order.size) * n_cores // order.size
        else:
            cores = multilevel(problem, n_cores, palette_weight=weight, seed=seed)
        candidate = Candidate.of("multilevel", _polished(problem, cores, weight), problem, graph)
        candidates.append(candidate)
        return candidate

    from hrsnn_lava.compiler.partitioning.first_fit import fill_fast

    progress("partition: clusters")
    order = grouped(problem, cluster_order(problem, weights[0], seed))
    bounds = fill_fast(problem, order, problem.neurons_per_core)
    dense = cores_from_bounds(order, bounds)  # output axons are left to the moves
    if not large:
        candidates.append(Candidate.of("clusters", repair(problem, dense), problem, graph))
    if best.n_cores > 1 and not large:
        cores = _polished(problem, best.core_of, weights[-1])
        candidates.append(Candidate.of(f"{best.method}, refined", cores, problem, graph))
    best = min([best, *candidates], key=lambda c: c.rank(tolerance))
    for n_cores in _numbers(problem, _needed(problem, dense.astype(np.int64)), best):
        attempts = [attempt(n_cores, weight) for weight in weights]
        if any(c.legal and c.error <= tolerance for c in attempts):
            break
        if large:
            break
    _shrink(problem, candidates, attempt, tolerance)
    return candidates


def _needed(problem: PartitionProblem, dense: Int) -> int:
    """Cores that hold as many neurons as `dense` ones, and their output axons.

    Where those are scarce, moves cannot help: to relieve one core they load all that send to it.
    """
    usage = utilization(problem.links, dense, problem.profile)
    out = usage["out_axons"]
    if not out.limit:
        return usage.n_cores
    return int(np.ceil(usage.n_cores * max(1.0, float(out.used.mean()) / (ROOM * out.limit))))


def _numbers(problem: PartitionProblem, dense: int, best: Candidate) -> list[int]:
    """Numbers of cores to try, rising: from `dense` filling to what the best so far needed."""
    most = problem.profile.total_cores
    high = best.n_cores if most is None else min(best.n_cores, most)
    low = dense if most is None else min(dense, most)
    if best.legal:
        low = min(low, high)
    numbers = [low]
    if problem.level.source.size > LARGE:
        few = int(1.05 * low) + 1  # room instead of search
        return [few if most is None else min(few, most)] if low > 1 else []
    while numbers[-1] < high:
        numbers.append(min(2 * numbers[-1], high))
    return [k for k in numbers if k > 1] or ([2] if not best.legal else [])


def _shrink(
    problem: PartitionProblem,
    candidates: list[Candidate],
    attempt: Callable[[int, float], Candidate],
    tolerance: float,
) -> None:
    """Try fewer cores while those of the best attempt are far from full."""
    for _ in range(2 if problem.level.source.size <= LARGE else 0):
        good = [c for c in candidates if c.legal and c.error <= tolerance]
        if not good or np.any(problem.coordinates):
            return
        best = min(good, key=lambda c: c.rank(tolerance))
        fewer = int(np.ceil(best.n_cores * 1.03 * _fullness(problem, best.core_of)))
        if fewer >= best.n_cores or fewer < 2:
            return
        candidate = attempt(fewer, 0.0)
        if not candidate.legal or candidate.rank(tolerance) >= best.rank(tolerance):
            return


def _fullness(problem: PartitionProblem, core_of: Int) -> float:
    """Mean share of the scarcest resource that the cores use."""
    usage = utilization(problem.links, core_of, problem.profile)
    shares = [
        float(r.used.mean()) / r.limit
        for r in usage.resources
        if r.limit and r.name not in (*TABLES, "synapse_formats", "out_axons")
    ]
    neurons = float(usage["neurons"].used.mean()) / problem.neurons_per_core
    return max([neurons, *shares])


def _polished(problem: PartitionProblem, cores: Int, palette_weight: float) -> Int:
    """Repaired, then refined by moves that only gain; what is legal stays legal.

    Large ones are not repaired first: the refinement relieves overfull cores as well.
    """
    legal = cores if problem.level.source.size > LARGE else repair(problem, cores)
    n_cores = int(legal.max(initial=0)) + 1
    finer = refine(
        problem,
        legal,
        n_cores,
        palette=palette_weight * palette_price(problem),
        random=np.random.Generator(np.random.Philox(0)),
        effort=Effort(most=4 if problem.level.source.size > LARGE else 8),
    )
    return repair(problem, compact(finer))
