"""Multilevel partitioning on the messages themselves, under the exact limits of a core.

Neurons that share sources are clustered level by level, the clusters are dealt to cores, and on
the way back every level is refined by single moves, whose gains are exact. Moves that cost are
taken by chance while a temperature falls, which is what gets a vertex over a full core or a
local minimum; limits are prices that rise until they are hard. One generator with one seed: the
same partition whatever the machine's number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.partitioning.hypergraph import HOP_WEIGHT
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem

Int = NDArray[np.int64]


@dataclass(frozen=True)
class Effort:
    """How long to search; all of it our choice.

    Attributes:
        work: list visits that the refinement of a level may take, about 10 to 30 ns each.
        most, least: sweeps of the finest level; below `calm` of them the temperature stays 0.
        coarse: most sweeps of any other level.
        coarsest: clusters a core at the coarsest level.
        stream: pins up to which streaming is tried as a start as well.
    """

    work: float = 3e8
    most: int = 130
    coarse: int = 1
    least: int = 3
    calm: int = 8
    coarsest: int = 12
    stream: int = 3_000_000


def multilevel(
    problem: PartitionProblem,
    n_cores: int,
    *,
    palette_weight: float = 0.0,
    seed: int = 0,
    effort: Effort | None = None,
) -> Int:
    """Core of every neuron, (n_neurons,), on at most `n_cores` cores numbered without a gap.

    The result may still break limits when they are tight; see `legal.repair`.
    """
    effort = effort or Effort()
    random = np.random.Generator(np.random.Philox(seed))
    levels = [problem]
    groupings: list[Int] = []
    palette = palette_weight * palette_price(problem)
    for labels, level in _coarsen(problem, n_cores, effort, palette, random):
        groupings.append(labels)
        levels.append(level)
    cores = _deal(levels[-1], n_cores)
    quick = replace(effort, most=effort.coarse, least=min(effort.least, effort.coarse))
    for depth in range(len(levels) - 1, 0, -1):
        cores = refine(levels[depth], cores, n_cores, palette=palette, random=random, effort=quick)
        cores = cores[groupings[depth - 1]]
    starts = [cores]
    if problem.level.source.size <= effort.stream:
        starts.append(streamed(problem, n_cores))
    worth = [value_of(problem, start, n_cores, palette) for start in starts]
    best = starts[worth.index(min(worth))]
    return compact(
        refine(problem, best, n_cores, palette=palette, heat=HEAT, random=random, effort=effort)
    )


#: Start temperature, as a share of the mean weight of the sources of a vertex; from there it falls
#: with the square root of what is left of the sweeps. Tuned on networks of communities.
HEAT = 0.07


def palette_price(problem: PartitionProblem) -> float:
    """Price of one neuron whose palette error is the tolerance: what it pays to reach one core.

    That is the weight of all sources that have targets, over the neurons.
    """
    active = np.unique(problem.level.source)
    return float(problem.weight[active].sum()) / max(problem.links.n_neurons, 1)


def compact(cores: Int) -> Int:
    """The same partition, its cores numbered without a gap."""
    return np.unique(cores, return_inverse=True)[1].astype(np.int64).ravel()


def cluster_order(problem: PartitionProblem, palette_weight: float, seed: int) -> Int:
    """An order of the neurons in which those that share sources are near, (n_neurons,)."""
    random = np.random.Generator(np.random.Philox(seed))
    palette = palette_weight * palette_price(problem)
    keys = [np.arange(problem.links.n_neurons, dtype=np.int64)]
    for _, level in _coarsen(problem, 1, Effort(coarsest=16), palette, random):
        keys.append(level.member)
    order: Int = np.lexsort(keys)
    return order


def _coarsen(
    problem: PartitionProblem,
    n_cores: int,
    effort: Effort,
    palette: float,
    random: np.random.Generator,
) -> Iterator[tuple[Int, PartitionProblem]]:
    """Labels that cluster the vertices, and the level they make, until there are few."""
    from hrsnn_lava.compiler.partitioning.refine import cluster

    goal = max(effort.coarsest * n_cores, 64)
    scale = palette / max(palette_price(problem), 1e-300)
    while problem.n_vertices > goal:
        level = problem.level
        by_source = problem.pins.tocsc()
        kinds = by_source.shape[1] // level.weight.size
        starts = by_source.indptr[::kinds].astype(np.int64)
        # Clusters stay well below a core, so that cores can be filled evenly.
        share = max(problem.links.n_neurons / n_cores, 1.0)
        fast = problem.level.source.size > 500_000  # few levels, since each costs
        grown = (8 if fast else 3) * problem.links.n_neurons / problem.n_vertices
        largest = int(max(min(share / 4, grown), 2))
        order = random.permutation(problem.n_vertices)
        roots = cluster(
            level, starts, by_source.indices.astype(np.int32), order, largest, 64, 64, scale
        )
        labels = compact(roots)
        if labels.max(initial=0) + 1 > 0.9 * problem.n_vertices:
            return
        problem = problem.contract(labels)
        yield labels, problem


def _deal(problem: PartitionProblem, n_cores: int) -> Int:
    """Clusters in their order to cores of equal share of the neurons."""
    size = problem.level.size
    middle = np.cumsum(size) - size / 2
    cores = np.floor(middle * n_cores / max(int(size.sum()), 1)).astype(np.int64)
    return np.asarray(np.minimum(cores, n_cores - 1), dtype=np.int64)


def refine(
    problem: PartitionProblem,
    cores: Int,
    n_cores: int,
    *,
    palette: float,
    random: np.random.Generator,
    effort: Effort,
    heat: float = 0.0,
) -> Int:
    """Move vertices while the temperature falls; the best partition seen, (V,).

    Best: least overflow, then least cost. With ``heat=0`` no move raises the cost or the
    overflow.
    """
    from hrsnn_lava.compiler.partitioning import core_state as kernels
    from hrsnn_lava.compiler.partitioning import partition_cost as worth
    from hrsnn_lava.compiler.partitioning import pricing
    from hrsnn_lava.compiler.partitioning.refine import sweep

    level = problem.level
    caps = problem.caps(roomy(problem, n_cores), n_cores)
    state = kernels.new_state(level, caps, cores, n_cores)
    work, mask = pricing.new_scan(n_cores), np.full(n_cores, -1, dtype=np.int64)

    def value() -> tuple[float, float]:
        price = palette * worth.palette_of(state) if palette else 0.0
        cost = worth.cost_of(level, state, HOP_WEIGHT, mask) + price
        return worth.overflow(state, caps), cost

    best, best_cores = value(), state.core_of.copy()
    count = problem.n_vertices
    mean = float(level.weight[level.source].sum()) / max(count, 1)
    unit = mean * count / n_cores  # so that the price of one vertex too many is a mean weight
    sweeps = _sweeps(problem, state.list_len, n_cores, effort)
    soft = heat > 0.0
    heat = heat if sweeps >= effort.calm else 0.0
    # One more than fits, so that neurons of full cores can change places one by one.
    loose = caps._replace(most=caps.most + 1)
    rise = np.zeros(count)
    word = np.array([random.integers(1, 2**63)], dtype=np.uint64)
    for step in range(sweeps):
        late = (step + 1) / sweeps
        temperature = heat * mean * (1.0 - late) ** 0.5
        hot = soft and late < 0.8
        price = unit * (0.3 + 3.0 * late) if hot else 1e3 * unit
        n_moves = sweep(
            level,
            loose if hot else caps,
            state,
            work,
            random.permutation(count),
            HOP_WEIGHT,
            palette,
            price,
            temperature,
            word,
            rise,
        )
        now = value()
        if now < best:
            best, best_cores = now, state.core_of.copy()
        elif not n_moves and not hot:
            break
    return best_cores


def value_of(
    problem: PartitionProblem, cores: Int, n_cores: int, palette: float
) -> tuple[float, float]:
    """Overflow and cost of a partition: less is better, overflow first."""
    from hrsnn_lava.compiler.partitioning import core_state as kernels
    from hrsnn_lava.compiler.partitioning import partition_cost as worth

    caps = problem.caps(roomy(problem, n_cores), n_cores)
    state = kernels.new_state(problem.level, caps, cores, n_cores)
    mask = np.full(n_cores, -1, dtype=np.int64)
    price = palette * worth.palette_of(state) if palette else 0.0
    cost = worth.cost_of(problem.level, state, HOP_WEIGHT, mask) + price
    return worth.overflow(state, caps), cost


def streamed(problem: PartitionProblem, n_cores: int) -> Int:
    """Core of every vertex, (V,): each in turn where most of its sources send already.

    Less a price on full cores; nothing is moved again. In the manner of EdgeMap, whose own rule
    was not seen: this one is ours. See `stream_kernel`.
    """
    from hrsnn_lava.compiler.partitioning import core_state as kernels
    from hrsnn_lava.compiler.partitioning import pricing
    from hrsnn_lava.compiler.partitioning.stream_kernel import stream

    level, caps = problem.level, problem.caps(roomy(problem, n_cores), n_cores)
    state = kernels.empty_state(level, caps, n_cores)
    mean = float(level.weight[level.source].sum()) / max(problem.n_vertices, 1)
    even = problem.links.n_neurons / n_cores
    stream(level, caps, state, pricing.new_scan(n_cores), HOP_WEIGHT, mean / even)
    core_of: Int = state.core_of
    return core_of


def roomy(problem: PartitionProblem, n_cores: int) -> int:
    """Bound on the neurons of a core that leaves room, and no wider index than that needs.

    The index width steps at powers of two, so the bound goes up to the next one.
    """
    even = -(-problem.links.n_neurons // n_cores)
    return min(max(1 << (max(int(1.25 * even), 1) - 1).bit_length(), 1), problem.neurons_per_core)


def _sweeps(
    problem: PartitionProblem, lengths: NDArray[np.int32], n_cores: int, effort: Effort
) -> int:
    level = problem.level
    visits = float(lengths[level.source].sum()) + 2.0 * n_cores * problem.n_vertices
    return int(np.clip(effort.work / max(visits, 1.0), effort.least, effort.most))
