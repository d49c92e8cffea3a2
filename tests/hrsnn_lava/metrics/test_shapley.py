"""Shapley values against all orders of joining, games whose values are known, and axioms."""

from __future__ import annotations

import json
from itertools import chain, combinations, permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.shapley import configurations


def game(players, value):
    return {s: value(s) for s in configurations(list(players))}


def by_orders(values, players):
    """The mean of what each adds, over all orders of joining."""
    phi = dict.fromkeys(players, 0.0)
    for order in permutations(players):
        there = frozenset()
        for player in order:
            phi[player] += values[there | {player}] - values[there]
            there |= {player}
    return {player: total / factorial(len(players)) for player, total in phi.items()}


def interaction_by_orders(values, players, i, j):
    """The mean joint effect of two, over all orders in which they join as one."""
    others = [p for p in players if p not in (i, j)]
    total, orders = 0.0, list(permutations([*others, (i, j)]))
    for order in orders:
        s = frozenset(order[: order.index((i, j))])
        total += values[s | {i, j}] - values[s | {i}] - values[s | {j}] + values[s]
    return total / len(orders)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_it_is_the_mean_over_all_orders(d):
    rng = np.random.default_rng(d)
    players = [f"p{k}" for k in range(d)]
    values = {s: float(rng.normal()) for s in configurations(players)}
    made = hl.shapley(values)
    truth = by_orders(values, players)
    np.testing.assert_allclose(made.values, [truth[p] for p in made.players], atol=1e-11)
    for a, b in combinations(range(d), 2):
        truth = interaction_by_orders(values, players, players[a], players[b])
        assert made.interactions[a, b] == pytest.approx(truth, abs=1e-11)
        assert made.interactions[b, a] == made.interactions[a, b]
    assert made.efficiency_gap < 1e-11


def test_the_gloves_game():
    # one left glove and two right ones: 2/3 and twice 1/6 (any textbook)
    made = hl.shapley(game(["l", "r1", "r2"], lambda s: float("l" in s and len(s) > 1)))
    assert dict(zip(made.players, made.values, strict=True)) == pytest.approx(
        {"l": 2 / 3, "r1": 1 / 6, "r2": 1 / 6}
    )
    # the left glove with either right one: 1 alone, 0 where the other is there: 1/2 of each
    assert made.interactions[0, 1] == pytest.approx(0.5)
    assert made.interactions[1, 2] == pytest.approx(-0.5)


def test_the_airport_game():
    # runways of 1, 3 and 6 km: 1/3, 1/3 + 2/2, 1/3 + 2/2 + 3
    cost = {"small": 1.0, "medium": 3.0, "large": 6.0}
    made = hl.shapley(game(list(cost), lambda s: max((cost[p] for p in s), default=0.0)))
    assert dict(zip(made.players, made.values, strict=True)) == pytest.approx(
        {"small": 1 / 3, "medium": 4 / 3, "large": 13 / 3}
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_the_axioms(seed, d):
    rng = np.random.default_rng(seed)
    players = [f"p{k}" for k in range(d)]
    weight = dict(zip(players, rng.normal(size=d).tolist(), strict=True))
    u = {s: float(rng.normal()) for s in configurations(players)}
    made = hl.shapley(u)
    everybody = frozenset(players)
    assert made.values.sum() == pytest.approx(u[everybody] - u[frozenset()])  # efficiency
    # linearity, and players that only add what they are worth
    both = {s: 2.0 * u[s] + sum(weight[p] for p in s) for s in u}
    added = hl.shapley(both)
    worth = np.array([weight[p] for p in added.players])
    np.testing.assert_allclose(added.values, 2.0 * made.values + worth, atol=1e-9)
    np.testing.assert_allclose(added.interactions, 2.0 * made.interactions, atol=1e-9)
    # the order of keys and the names do not matter
    renamed = {
        frozenset(f"q{d - int(p[1:])}" for p in s): value for s, value in reversed(u.items())
    }
    np.testing.assert_allclose(hl.shapley(renamed).values[::-1], made.values, atol=1e-11)


def test_a_player_without_effect_has_none():
    made = hl.shapley(game("abc", lambda s: float(len(s & {"a", "b"})) ** 2))
    assert made.values.tolist() == pytest.approx([2.0, 2.0, 0.0])
    assert made.interactions[2].tolist() == pytest.approx([0.0, 0.0, 0.0])
    assert made.interactions[0, 1] == pytest.approx(2.0)
    assert made.ranking()[-1] == "c"


def test_twelve_players_are_exact():
    # v = (sum of weights)^2: phi_i = w_i sum w, I_ij = 2 w_i w_j
    w = {f"p{k:02}": 0.5 + k for k in range(12)}
    made = hl.shapley(game(list(w), lambda s: sum(w[p] for p in s) ** 2))
    worth = np.array([w[p] for p in made.players])
    np.testing.assert_allclose(made.values, worth * worth.sum(), rtol=1e-10)
    np.testing.assert_allclose(
        made.interactions, 2 * (np.outer(worth, worth) - np.diag(worth**2)), rtol=1e-9, atol=1e-8
    )


def test_seeds_are_paired():
    rng = np.random.default_rng(4)
    common = rng.normal(0.0, 5.0, 8)  # what a seed does to every configuration
    noise = {s: rng.normal(0.0, 0.1, 8) for s in configurations(["stdp", "tau"])}
    values = {s: common + 1.0 * ("tau" in s) + noise[s] for s in noise}
    made = hl.shapley(values)
    assert made.n_seeds == 8
    for seed in range(8):
        alone = hl.shapley({s: v[seed] for s, v in values.items()})
        np.testing.assert_allclose(made.per_seed[seed], alone.values, atol=1e-11)
        np.testing.assert_allclose(made.interactions_per_seed[seed], alone.interactions, atol=1e-11)
    np.testing.assert_allclose(
        made.standard_errors, made.per_seed.std(axis=0, ddof=1) / np.sqrt(8), atol=1e-15
    )
    assert made.standard_errors.max() < 0.1  # the common part is gone
    tau = made.of("tau")
    assert tau.mean == pytest.approx(made.values[1])
    assert tau.standard_error == pytest.approx(made.standard_errors[1])
    assert tau.interval[0] > 0.8
    with pytest.raises(SpecError, match="player: 'tua'; allowed: stdp, tau"):
        made.of("tua")


def test_values_by_seed_are_those_of_the_seed():
    rng = np.random.default_rng(5)
    by_seed = {s: {k: float(rng.normal()) for k in (7, 3, 5)} for s in configurations(["a", "b"])}
    as_lists = {s: [v[7], v[3], v[5]] for s, v in by_seed.items()}
    mixed = {s: dict(sorted(v.items())) if "a" in s else v for s, v in by_seed.items()}
    truth = hl.shapley(as_lists).per_seed
    assert hl.shapley(by_seed).per_seed.tolist() == truth.tolist()
    assert hl.shapley(mixed).per_seed.tolist() == truth.tolist()


def test_text_and_json():
    v = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 2.0, frozenset("ab"): 5.0}
    made = hl.shapley(v)
    assert str(made).splitlines() == [
        "b         +3.00",
        "a         +2.00",
        "together  +5.00 (1 seed)",
    ]
    assert made.standard_errors is None
    facts = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert facts["shapley"] == [2.0, 3.0]
    assert facts["interactions"] == [{"pair": ["a", "b"], "index": 2.0, "standard_error": None}]
    several = hl.shapley({s: [x, x + 0.1 * len(s)] for s, x in v.items()})
    assert str(several).splitlines()[0] == "b         +3.05 +- .05"
    assert str(several).splitlines()[-1] == "together  +5.10 +- .10 (2 seeds)"


def test_configurations_are_all_sets():
    sets = configurations(["a", "b", "c"])
    truth = chain.from_iterable(combinations("abc", k) for k in range(4))
    assert sets == tuple(frozenset(s) for s in truth)


FULL = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 1.0, frozenset("ab"): 1.0}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({s: x for s, x in FULL.items() if s}, "nothing of {}; allowed: every set of players"),
        ({frozenset(): 0.0, frozenset("abcd"): 0.0}, "nothing of 10 more; allowed: 16 sets"),
        (FULL | {frozenset("a"): [1.0, 2.0]}, r"value of {a}: shape \(2,\); allowed: 1 values"),
        (FULL | {frozenset("b"): np.nan}, "value of {b}: a value that is not finite"),
        (FULL | {frozenset("b"): None}, "value of {b}: None"),
        (FULL | {frozenset(): []}, r"value of {}: shape \(0,\)"),
        (
            {s: {1: x, 2: x} for s, x in FULL.items()} | {frozenset("a"): {1: 0.0, 3: 0.0}},
            "value of {a}: 1, 3; allowed: the same seeds everywhere: 1, 2",
        ),
        (FULL | {frozenset("b"): {1: 0.0}}, "no seeds; allowed: the same seeds everywhere: 1"),
        ({frozenset(): 0.0}, "players: 0"),
        ({"": 0.0, "a": 1.0}, "a key of values: str; allowed: a Set. Give a frozenset"),
        ({frozenset(): 0.0, frozenset({1}): 1.0}, "a player: int; allowed: a str"),
        ([0.0, 1.0], "values: list; allowed: a Mapping"),
        ({frozenset(f"p{k}" for k in range(13)): 0.0}, r"13, 13 of them different; allowed: 1..12"),
    ],
)
def test_what_is_no_game_is_refused(values, told):
    with pytest.raises(SpecError, match=told):
        hl.shapley(values)


def test_players_are_named_once():
    with pytest.raises(SpecError, match="3, 2 of them different"):
        configurations(["a", "b", "a"])
    with pytest.raises(SpecError, match="players: str; allowed: names"):
        configurations("ab")
