"""Which of several heterogeneities a result is due to: exact Shapley values.

A player is something that is there or not: heterogeneous membrane time constants, heterogeneous
STDP. ``v(S)`` is a metric of the network that has just the players S, all others at their common
value. The Shapley value of a player is the mean of what it adds, over all orders of joining:

    phi_i = sum_{S without i} |S|! (d - |S| - 1)! / d!  (v(S + i) - v(S))

It shares out exactly what all of them do, ``sum_i phi_i = v(all) - v(none)``. With features in
place of players it is SAGE (Covert, Lundberg and Lee 2020); d players have 2^d configurations, few
enough for a dozen that nothing is sampled. What two do together that neither does alone is the
interaction index (Grabisch and Roubens 1999):

    I_ij = sum_{S without i, j} |S|! (d - |S| - 2)! / (d - 1)!
           (v(S + i + j) - v(S + i) - v(S + j) + v(S))

With a value for each of several seeds, the same seeds in every configuration, all of it is taken
seed by seed, and standard errors are of these paired values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import HrsnnError, Problem, SpecError, raise_if
from hrsnn_lava.fields import instance, locked, real_values
from hrsnn_lava.metrics.base import Floats, names_in
from hrsnn_lava.metrics.intervals import rounded, standard_error
from hrsnn_lava.metrics.paired import PairedDifference, paired_difference, plus_minus
from hrsnn_lava.notebook import brief

__all__ = ["MAX_PLAYERS", "Importance", "configurations", "shapley"]

#: What a set of players has: a number, or one for each seed.
Value: TypeAlias = float | Sequence[float] | Mapping[Any, float]
#: Most players: 4,096 configurations.
MAX_PLAYERS = 12
#: What sums over configurations are off by, relative to the largest value.
_ROUNDING = 1e-9
#: Configurations that a message names.
_NAMED = 4


@brief("players", "seeds=n_seeds", "total")
@dataclass(frozen=True, eq=False)
class Importance:
    """What each player adds, and each pair beyond that.

    Attributes:
        players: (d,) names.
        per_seed: (n_seeds, d) Shapley values of every seed.
        interactions_per_seed: (n_seeds, d, d) interaction indices, symmetric; 0 on the diagonal.
        nobody: (n_seeds,) value without any player.
        everybody: (n_seeds,) value with all of them.
    """

    players: tuple[str, ...]
    per_seed: Floats
    interactions_per_seed: Floats
    nobody: Floats
    everybody: Floats

    @property
    def n_seeds(self) -> int:
        """Number of seeds."""
        return len(self.per_seed)

    @property
    def values(self) -> Floats:
        """Shapley values, (d,), the mean over the seeds."""
        return np.asarray(self.per_seed.mean(axis=0))

    @property
    def standard_errors(self) -> Floats | None:
        """Of `values`, (d,), over the seeds; None of a single one."""
        return _standard_errors(self.per_seed)

    @property
    def interactions(self) -> Floats:
        """Interaction indices, (d, d), the mean over the seeds."""
        return np.asarray(self.interactions_per_seed.mean(axis=0))

    @property
    def interaction_errors(self) -> Floats | None:
        """Standard errors of `interactions`, (d, d); None of a single seed."""
        return _standard_errors(self.interactions_per_seed)

    @property
    def total(self) -> float:
        """``v(all) - v(none)``, the mean over the seeds."""
        return float((self.everybody - self.nobody).mean())

    @property
    def efficiency_gap(self) -> float:
        """Largest difference, over the seeds, of the sum of the values and v(all) - v(none)."""
        return float(np.abs(self.per_seed.sum(axis=1) - (self.everybody - self.nobody)).max())

    def of(self, player: str, **options: Any) -> PairedDifference:
        """The Shapley values of one player over the seeds, as a paired difference from 0.

        Args:
            player: its name.
            options: those of `hrsnn_lava.metrics.paired.PairedOptions`.

        Raises:
            SpecError: no such player.
        """
        if player not in self.players:
            raise SpecError(str(Problem("player", repr(player), ", ".join(self.players))))
        values = self.per_seed[:, self.players.index(player)]
        return paired_difference(values, np.zeros(len(values)), (player, "without it"), **options)

    def ranking(self) -> tuple[str, ...]:
        """Players, the one of the largest ``|phi|`` first."""
        order = np.argsort(-np.abs(self.values), kind="stable")
        return tuple(self.players[k] for k in order)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        errors, pair_errors = self.standard_errors, self.interaction_errors
        pairs = combinations(range(len(self.players)), 2)
        return {
            "players": list(self.players),
            "seeds": self.n_seeds,
            "shapley": self.values.tolist(),
            "standard_errors": None if errors is None else errors.tolist(),
            "nobody": float(self.nobody.mean()),
            "everybody": float(self.everybody.mean()),
            "total": self.total,
            "interactions": [
                {
                    "pair": [self.players[i], self.players[j]],
                    "index": float(self.interactions[i, j]),
                    "standard_error": None if pair_errors is None else float(pair_errors[i, j]),
                }
                for i, j in pairs
            ],
        }

    def __str__(self) -> str:
        """A line for each player, the most important first, and what they add up to."""
        width = max(len("together"), *(len(name) for name in self.players))
        errors = self.standard_errors
        lines = []
        for name in self.ranking():
            k = self.players.index(name)
            error = None if errors is None else float(errors[k])
            lines.append(f"{name.ljust(width)}  {plus_minus(float(self.values[k]), error)[0]}")
        together = rounded(self.everybody - self.nobody, self.everybody, self.nobody)
        error = None if errors is None else standard_error(together)
        seeds = f"{self.n_seeds} seed{'s' * (self.n_seeds > 1)}"
        return "\n".join(
            [*lines, f"{'together'.ljust(width)}  {plus_minus(self.total, error)[0]} ({seeds})"]
        )


def shapley(values: Mapping[frozenset[str], Value]) -> Importance:
    """Exact Shapley values and interactions of up to 12 players; see the module.

    Example:
        >>> v = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 2.0, frozenset("ab"): 5.0}
        >>> shapley(v).values.tolist(), shapley(v).interactions[0, 1]
        ([2.0, 3.0], 2.0)

    Args:
        values: of every set of players, the empty one among them: a number; numbers by seed, the
            same seeds everywhere; or (n_seeds,) numbers in the same order of seeds.
            `configurations` lists the sets.

    Raises:
        SpecError: a set that is missing, more than 12 players or none, numbers of seeds that
            differ, or values that are not finite.
    """
    players, table = _table(values)
    d = len(players)
    sizes = np.array([bin(mask).count("1") for mask in range(2**d)])
    masks = np.arange(2**d)
    weight = np.array([factorial(s) * factorial(d - s - 1) / factorial(d) for s in range(d)])
    phi = np.empty((table.shape[1], d))
    for i in range(d):
        without = masks[masks & (1 << i) == 0]
        phi[:, i] = weight[sizes[without]] @ (table[without | (1 << i)] - table[without])
    result = Importance(
        players=players,
        per_seed=locked(rounded(phi, table)),
        interactions_per_seed=locked(rounded(_interactions(table, masks, sizes), table)),
        nobody=locked(table[0].copy()),
        everybody=locked(table[-1].copy()),
    )
    if result.efficiency_gap > _ROUNDING * float(np.abs(table).max()):
        raise HrsnnError(f"Shapley values do not add up: they are {result.efficiency_gap:g} off")
    return result


def configurations(players: Sequence[str]) -> tuple[frozenset[str], ...]:
    """All sets of the players, 2^d, the smaller first: what has to be run.

    Raises:
        SpecError: a name twice, more than 12 players, or none.
    """
    names = names_in("players", players)
    if len(set(names)) < len(names) or not 0 < len(names) <= MAX_PLAYERS:
        measured = f"{len(names)}, {len(set(names))} of them different"
        raise SpecError(str(Problem("players", measured, f"1..{MAX_PLAYERS}, each once")))
    return tuple(
        frozenset(chosen) for size in range(len(names) + 1) for chosen in combinations(names, size)
    )


def _table(values: Mapping[frozenset[str], Value]) -> tuple[tuple[str, ...], Floats]:
    """Players by name, and the values (2^d, n_seeds): bit i of a row's index is player i."""
    instance("values", values, Mapping)
    for key in values:
        instance("a key of values", key, AbstractSet, "give a frozenset of names")
        for player in key:
            instance("a player", player, str)
    players = tuple(sorted({player for key in values for player in key}))
    wanted = configurations(players)
    problems = [
        Problem("values", f"nothing of {_named(s)}", "every set of players")
        for s in wanted
        if s not in values
    ]
    if len(problems) > _NAMED:
        more = Problem("values", f"nothing of {len(problems) - _NAMED} more", f"{len(wanted)} sets")
        problems = [*problems[:_NAMED], more]
    raise_if(SpecError, "Shapley values", problems)
    values = _in_order_of_seeds(values)
    rows: list[NDArray[np.float64]] = []
    for mask in range(2 ** len(players)):
        s = frozenset(player for k, player in enumerate(players) if mask >> k & 1)
        row = np.atleast_1d(real_values(f"value of {_named(s)}", values[s], error=SpecError))
        fault = ""
        if row.ndim != 1 or row.size == 0 or (rows and row.size != rows[0].size):
            allowed = f"{rows[0].size} values, one a seed" if rows else "(n_seeds,) values"
            fault = f"shape {row.shape}"
        elif not np.isfinite(row).all():
            fault, allowed = "a value that is not finite", "numbers"
        if fault:
            raise SpecError(str(Problem(f"value of {_named(s)}", fault, allowed)))
        rows.append(row)
    return players, np.stack(rows)


def _in_order_of_seeds(values: Mapping[frozenset[str], Value]) -> Mapping[frozenset[str], Any]:
    """The same with lists in one order of seeds, where values are given by seed."""
    seeds = next((list(value) for value in values.values() if isinstance(value, Mapping)), None)
    if seeds is None:
        return values
    ordered = {}
    for players, value in values.items():
        if not isinstance(value, Mapping) or set(value) != set(seeds):
            shown = ", ".join(map(str, value)) if isinstance(value, Mapping) else "no seeds"
            allowed = f"the same seeds everywhere: {', '.join(map(str, seeds))}"
            raise SpecError(str(Problem(f"value of {_named(players)}", shown, allowed)))
        ordered[players] = [value[seed] for seed in seeds]
    return ordered


def _interactions(table: Floats, masks: NDArray[np.int64], sizes: NDArray[np.int64]) -> Floats:
    """Interaction indices, (n_seeds, d, d)."""
    d = int(sizes.max())
    weight = np.array(
        [factorial(s) * factorial(d - s - 2) / factorial(d - 1) for s in range(d - 1)]
    )
    result = np.zeros((table.shape[1], d, d))
    for i, j in combinations(range(d), 2):
        a, b = 1 << i, 1 << j
        without = masks[masks & (a | b) == 0]
        both = table[without | a | b] - table[without | a] - table[without | b] + table[without]
        result[:, i, j] = result[:, j, i] = weight[sizes[without]] @ both
    return result


def _standard_errors(per_seed: Floats) -> Floats | None:
    """Standard error of the mean over the first axis; None where that has one entry."""
    if len(per_seed) < 2:
        return None
    return np.apply_along_axis(standard_error, 0, per_seed)


def _named(players: AbstractSet[str]) -> str:
    return f"{{{', '.join(sorted(players))}}}"
