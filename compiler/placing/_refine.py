"""Refinement of a placement: simulated annealing, then sweeps of best exchanges.

Work is bounded by counts of operations, never by time, so that a seed decides the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.placing._task import PlaceTask

Int = NDArray[np.int64]
#: Moves for each core that one round of annealing proposes, the most of all rounds together, and
#: the most additions that the moves made in a round may take.
MOVES_PER_CORE = 4000
MAX_MOVES = 4_000_000
MAX_WORK = 2_000_000_000
#: Rounds: at least two, and more on small meshes, up to this many moves together.
ROUNDS = 4
ROUND_MOVES = 1_100_000
STAGES = 50
#: Temperature of the first stage, in units of what one tile to the side changes the cost of a
#: core (the median), and temperature of the last stage over that of the first. Both were tuned on
#: generated traffic (clustered, geometric, dense; 30 to 400 cores; one chip and several).
#: Every other round starts cooler: from a good start a hot one finds nothing better where traffic
#: is dense.
HOT = 2.5
WARM = 0.5
COOLING = 1e-2
#: Sweeps of best exchanges, fewer where they would visit more cores together than this, and the
#: radius of their windows in tiles.
MAX_SWEEPS = 30
MAX_VISITS = 30_000
RADIUS = 4


@dataclass(frozen=True, eq=False)
class Refined:
    """A refined placement.

    Attributes:
        slots: (n_cores,) of the best placement seen.
        cost: of it.
        proposed, accepted: moves of the annealing.
        sweeps: of best exchanges.
    """

    slots: Int
    cost: int
    proposed: int
    accepted: int
    sweeps: int


def refine(
    task: PlaceTask, slots: Int, rng: np.random.Generator, *, effort: float = 1.0
) -> Refined:
    """Improve a placement; the result is never worse than `slots`.

    Args:
        task: traffic and slots.
        slots: (n_cores,) to start from.
        rng: draws the moves.
        effort: scales the number of moves; 0 leaves the sweeps alone.
    """
    start = task.cost(slots)
    if start == 0 or task.n_cores < 2:
        return Refined(slots, start, 0, 0, 0)
    state = _State(task, slots)
    gained, sweeps = state.settle()
    best, best_cost = state.slot_of, start + gained
    moves = int(effort * min(MOVES_PER_CORE * task.n_cores, MAX_MOVES) / STAGES)
    rounds = min(ROUNDS, max(2, ROUND_MOVES // (moves * STAGES))) if moves else 0
    accepted = 0
    for k in range(rounds):
        trial, heat = _State(task, best), WARM if k % 2 else HOT
        most = max(1, int(effort * MAX_WORK / STAGES / trial.update_work))
        cost, n_moves = trial.cool(best_cost, moves, heat, most, rng)
        gained, more = trial.settle()
        cost, accepted, sweeps = cost + gained, accepted + n_moves, sweeps + more
        if cost < best_cost:
            best, best_cost = trial.slot_of, cost
    return Refined(best, best_cost, moves * STAGES * rounds, accepted, sweeps)


class _State:
    """Slots, their inverse and the tables of costs, while moves change them."""

    def __init__(self, task: PlaceTask, slots: Int) -> None:
        mesh = task.mesh
        slot_of = slots.astype(np.int64, copy=True)
        core_at = np.full(mesh.n_slots, -1, dtype=np.int64)
        core_at[slot_of] = np.arange(task.n_cores)
        at_x, at_y = tables(task, slot_of)
        self.slot_of = slot_of
        self.extent = max(mesh.total_width, mesh.height)
        #: Additions that an exchange costs, about.
        degree = max(task.indices.size / task.n_cores, 1.0)
        self.update_work = 2.0 * degree * (at_x.shape[1] + at_y.shape[1])
        self.max_sweeps = min(MAX_SWEEPS, max(3, MAX_VISITS // task.n_cores))
        self.parts: tuple[Any, ...] = (
            task.indptr,
            task.indices,
            task.weights,
            task.column_x,
            mesh.tile_of,
            mesh.first_slot,
            mesh.height,
            at_x,
            at_y,
            slot_of,
            core_at,
        )

    def cool(
        self, cost: int, moves: int, heat: float, most: int, rng: np.random.Generator
    ) -> tuple[int, int]:
        """All stages of annealing from `cost`; the cost in the end, and moves made.

        Args:
            moves, most: moves proposed, and made at most, in a stage.
            heat: temperature of the first stage, in units of `slope`.
        """
        slope, accepted = self.slope(), 0
        for stage in range(STAGES):
            fraction = stage / (STAGES - 1)
            radius = max(1, round(self.extent * (1.0 - fraction)))
            gained, n_moves = self.anneal(
                moves, heat * slope * COOLING**fraction, radius, rng, most
            )
            cost, accepted = cost + gained, accepted + n_moves
        return cost, accepted

    def slope(self) -> float:
        """Median over cores of what one tile to any side changes."""
        at_x, at_y, height = self.parts[7], self.parts[8], self.parts[6]
        x, y = np.divmod(self.parts[4][self.slot_of], height)
        core = np.arange(self.slot_of.size)
        rises = []
        for table, place in ((at_x, x), (at_y, y)):
            last = table.shape[1] - 1
            for side in (-1, 1):
                near = np.clip(place + side, 0, last)
                rise = np.abs(table[core, near] - table[core, place])
                rises.append(rise[near != place])
        changes = np.concatenate(rises)
        changes = changes[changes > 0]
        return float(np.median(changes)) if changes.size else 0.0

    def anneal(
        self, moves: int, temperature: float, radius: int, rng: np.random.Generator, most: int
    ) -> tuple[int, int]:
        """One stage; see `_kernels.anneal`."""
        from hrsnn_lava.compiler.placing._kernels import anneal

        draws = rng.random((moves, 4))
        allowance = temperature * rng.standard_exponential(moves)
        stage: Any = anneal
        gained, n_moves = stage(*self.parts, radius, draws, allowance, most)
        return int(gained), int(n_moves)

    def settle(self) -> tuple[int, int]:
        """Sweeps until nothing is left to gain, `max_sweeps` at most; change of cost and sweeps."""
        from hrsnn_lava.compiler.placing._kernels import descend

        total, once = 0, cast(Any, descend)
        for sweep in range(1, self.max_sweeps + 1):
            gained = int(once(*self.parts, RADIUS))
            total += gained
            if gained == 0:
                return total, sweep
        return total, self.max_sweeps


def tables(task: PlaceTask, slots: Int) -> tuple[Int, Int]:
    """What every core would cost in every column (n_cores, columns) and row (n_cores, height) of
    tiles, with all others where they are."""
    matrix, rows = task.matrix, np.arange(task.mesh.height, dtype=np.int64)
    far_x = np.abs(task.slot_x[slots][:, None] - task.column_x[None, :])
    far_y = np.abs(task.slot_y[slots][:, None] - rows[None, :])
    return np.asarray(matrix @ far_x), np.asarray(matrix @ far_y)
