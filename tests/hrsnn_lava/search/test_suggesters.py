"""Suggesters find known optima, are repeatable, and take what trials are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from hrsnn_lava import distributions as dist
from hrsnn_lava import registry
from hrsnn_lava.errors import PartError, SpecError
from hrsnn_lava.options import options, read_options
from hrsnn_lava.search.pareto import hypervolume, non_dominated
from hrsnn_lava.search.space import Space
from hrsnn_lava.search.suggester import Suggester, SuggesterOption, Told
from hrsnn_lava.search.suggesters.matern import Matern
from hrsnn_lava.search.suggesters.random import RandomSearch
from hrsnn_lava.search.suggesters.wasserstein import Wasserstein
from hrsnn_lava.search.wasserstein import w2
from hrsnn_lava.seeding import generator

GAMMA = {
    "distribution": "gamma",
    "cv": {"low": 0.1, "high": 1.5, "prior": "log"},
    "mean": {"low": 0.005, "high": 0.08, "prior": "log"},
}
SPACE = Space.parse({"a": GAMMA, "b": GAMMA})
#: The best distributions of the objective.
TARGETS = (dist.Gamma(4.0, 0.02), dist.Gamma(1.0, 0.04))
NAMES = registry.names("suggester")


def distance(point):
    """How far the distributions of a point are from the targets, in units of 20 ms."""
    found = SPACE.marginals(point).values()
    return sum(w2(d, t) for d, t in zip(found, TARGETS, strict=True)) / 0.02


def search(suggester, seed, trials, objective=distance, noise=0.05, space=SPACE):
    """The true objectives of all trials."""
    told, rng, truth = [], generator(seed, "noise"), []
    for _ in range(trials):
        (point,) = suggester.suggest(space, told, 1, generator(seed, "search"))
        truth.append(-objective(point))
        told.append(Told(point, {"score": truth[-1] + noise * rng.standard_normal()}))
    return np.array(truth)


def trials(n, space=SPACE, seed=0, names=("score",)):
    """Trials at random points, with some smooth values."""
    points = np.random.Generator(np.random.Philox(key=seed)).random((n, space.size))
    return [
        Told(tuple(p), {name: float(np.sin(3 * p.sum() + k)) for k, name in enumerate(names)})
        for p in points.tolist()
        for p in [np.array(p)]
    ]


def test_known_distributions_are_found_better_than_at_random():
    """Ten seeds, the same 20 trials each: the best true value, and the paired sign test."""
    ours = np.array([search(Wasserstein(candidates=128), s, 20).max() for s in range(10)])
    random = np.array([search(RandomSearch(), s, 20).max() for s in range(10)])
    assert (ours > random).sum() >= 9
    assert stats.ttest_rel(ours, random, alternative="greater").pvalue < 0.001
    assert np.median(ours) > 0.5 * np.median(random)  # values are below 0


def test_plain_numbers_are_found_by_the_plain_kernel():
    space = Space.parse({"x": [0.0, 1.0], "y": [0.0, 1.0]})

    def hill(point):
        return (point[0] - 0.3) ** 2 + (point[1] - 0.8) ** 2

    found = search(Matern(candidates=256), 0, 18, hill, 0.01, space)
    assert found[-6:].max() > -0.005


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("known", [0, 3, 25])
def test_points_follow_from_what_was_told_alone(name, known):
    told = trials(known)
    first = registry.load("suggester", name)().suggest(SPACE, told, 3, generator(1, "s"))
    assert first == registry.load("suggester", name)().suggest(SPACE, told, 3, generator(1, "s"))
    other = registry.load("suggester", name)().suggest(SPACE, told, 3, generator(2, "s"))
    assert first != other
    assert len(set(first)) == 3
    for point in first:
        assert len(point) == SPACE.size
        assert all(isinstance(u, float) and 0 <= u < 1 for u in point)


@pytest.mark.parametrize("threads", [1, 2])
def test_points_do_not_depend_on_threads(threads):
    told = trials(140)
    with threadpool_limits(limits=threads):
        points = Wasserstein(candidates=64).suggest(SPACE, told, 1, generator(0, "s"))
    assert points == Wasserstein(candidates=64).suggest(SPACE, told, 1, generator(0, "s"))


@pytest.mark.parametrize("name", ["random", "quasi_random"])
def test_sequences_go_on_whatever_the_size_of_a_round(name):
    suggester = registry.load("suggester", name)()
    whole = suggester.suggest(SPACE, [], 12, generator(3, "s"))
    told = []
    for count in (1, 4, 7):
        more = suggester.suggest(SPACE, told, count, generator(3, "s"))
        told += [Told(point, {"score": 0.0}) for point in more]
    assert [trial.point for trial in told] == whole


@pytest.mark.parametrize("suggester", [Matern(), Wasserstein()])
def test_the_first_trials_are_a_quasi_random_sequence(suggester):
    first = suggester.suggest(SPACE, [], 10, generator(0, "s"))
    told = [Told(p, {"score": float(k % 3)}) for k, p in enumerate(first[:6])]
    assert suggester.suggest(SPACE, told, 4, generator(0, "s")) == first[6:]
    # a round across the border: four of the sequence, the others learned
    across = suggester.suggest(SPACE, told, 6, generator(0, "s"))
    assert across[:4] == first[6:]
    assert len(set(across)) == 6
    early = dataclasses.replace(suggester, initial=2)
    assert early.suggest(SPACE, told, 1, generator(0, "s"))[0] not in first


def test_a_batch_is_spread_out():
    """Points that do not know each other would all be at the same maximum."""
    space = Space.parse({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    told = [
        Told(tuple(p), {"s": -((p[0] - 0.5) ** 2) - (p[1] - 0.5) ** 2})
        for p in np.random.default_rng(0).random((8, 2)).tolist()
    ]
    batch = np.array(Matern(initial=2).suggest(space, told, 4, generator(0, "s")))
    gaps = np.linalg.norm(batch[:, None] - batch[None], axis=2)[np.triu_indices(4, 1)]
    assert gaps.min() > 0.02


@pytest.mark.parametrize("failures", ["worst", "left_out"])
def test_failed_trials_are_survived_and_by_default_avoided(failures):
    """All trials with x < 1/2 fail, where the objective would be best."""
    space = Space.parse({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    told = [
        Told(p, {"s": 1.0 - p[0]}) if p[0] >= 0.5 else Told(p, failed=True)
        for p in map(tuple, np.random.default_rng(1).random((24, 2)).tolist())
    ]
    points = Matern(failures=failures).suggest(space, told, 3, generator(0, "s"))
    inside = sum(p[0] < 0.4 for p in points)
    assert inside == 0 if failures == "worst" else inside >= 2


@pytest.mark.parametrize("name", NAMES)
def test_a_search_in_which_all_fail_goes_on(name):
    told = [Told(t.point, failed=True) for t in trials(30)]
    points = registry.load("suggester", name)().suggest(SPACE, told, 2, generator(0, "s"))
    assert len(set(points)) == 2
    same = [Told(t.point, {"score": 1.0}) for t in trials(30)]
    assert len(registry.load("suggester", name)().suggest(SPACE, same, 1, generator(0, "s"))) == 1


def test_two_objectives_give_a_front_better_than_at_random():
    space = Space.parse({"x": [0.0, 1.0], "y": [0.0, 1.0], "z": [0.0, 1.0]})

    def front(suggester, seed):
        told = []
        for _ in range(24):
            (point,) = suggester.suggest(space, told, 1, generator(seed, "s"))
            x, rest = point[0], sum((u - 0.5) ** 2 for u in point[1:])
            told.append(Told(point, {"p": x - 3 * rest, "q": 1 - x**2 - 3 * rest}))
        values = np.array([list(t.values.values()) for t in told])
        return hypervolume(values[non_dominated(values)], np.array([-0.5, -0.5]))

    pairs = [(front(Matern(candidates=128), s), front(RandomSearch(), s)) for s in range(3)]
    assert all(ours > random for ours, random in pairs)
    # the whole area is the integral of 1.5 - x^2 over x from -0.5 to 1, the front's for x < 0 flat
    assert np.mean([ours for ours, _ in pairs]) > 1.4


def test_what_was_learned_is_explained():
    space = Space.parse({"x": [0.0, 1.0], "a": GAMMA, "kind": {"values": ["u", "v"]}})
    told = [
        Told(t.point, {"s": t.point[0] + 0.01 * np.sin(40 * t.point[3]), "other": 0.0})
        for t in trials(60, space)
    ]
    found = Wasserstein().explain(space, told, "s", generator(0, "e"))
    assert list(found.length_scales) == ["x", "a", "kind"]
    assert list(found.importance) == ["x", "a.cv", "a.mean", "kind"]
    assert found.importance["x"] > 0.9
    assert max(v for k, v in found.importance.items() if k != "x") < 0.1
    assert found.length_scales["x"] < found.length_scales["kind"]
    assert found.noise < 0.05
    assert found.least_eigenvalue is None
    assert RandomSearch().explain(space, told, "s", generator(0, "e")) is None
    assert Wasserstein().explain(space, told[:1], "s", generator(0, "e")) is None


def test_joint_distances_suggest_and_report_the_guard():
    told = trials(8)
    for distance_name in ("location", "sliced", "sinkhorn"):
        suggester = Wasserstein(distance=distance_name, quantiles=16, candidates=16)
        (point,) = suggester.suggest(SPACE, told, 1, generator(0, "s"))
        assert len(point) == SPACE.size
        found = suggester.explain(SPACE, told, "score", generator(0, "s"))
        if distance_name == "sinkhorn":
            assert -1.0 < found.least_eigenvalue < 1.0
        else:
            assert found.least_eigenvalue is None


REFUSED = [
    (Told((0.5,) * 3, {"s": 1.0}), "trial 0: 3 coordinates; allowed: 4 coordinates"),
    (Told((0.5,) * 4, {"s": float("nan")}), "trial 0.s: nan; allowed: finite. Tell it as failed"),
    (Told((0.5,) * 4, {}), "trial 0: no objective; allowed: at least one objective"),
]


@pytest.mark.parametrize(("trial", "message"), REFUSED)
def test_trials_that_are_none_are_refused(trial, message):
    with pytest.raises(SpecError) as caught:
        Matern().suggest(SPACE, [trial], 1, generator(0, "s"))
    assert message in str(caught.value)


def test_other_objectives_no_count_and_nothing_free_are_refused():
    told = [Told((0.5,) * 4, {"s": 1.0}), Told((0.1,) * 4, {"t": 1.0})]
    with pytest.raises(SpecError, match="trial 1: t; allowed: s"):
        Matern().suggest(SPACE, told, 1, generator(0, "s"))
    with pytest.raises(SpecError, match="count: 0; allowed: >= 1"):
        Matern().suggest(SPACE, [], 0, generator(0, "s"))
    fixed = Space.parse({"a": GAMMA | {"mean": 0.02}}).homogeneous
    with pytest.raises(SpecError, match="nothing is free"):
        RandomSearch().suggest(fixed, [], 1, generator(0, "s"))


def test_a_suggester_that_gives_no_points_of_the_space_is_named():
    class Few(Suggester):
        name = "few"

        def points(self, space, told, count, rng):
            del space, told, count, rng
            return []

    class Outside(Suggester):
        name = "outside"

        def points(self, space, told, count, rng):
            del told, rng
            return [(1.0,) * space.size] * count

    with pytest.raises(PartError, match="suggester 'few': 0 points; allowed: 2"):
        Few().suggest(SPACE, [], 2, generator(0, "s"))
    with pytest.raises(PartError, match=r"outside.*allowed: 4 coordinates in \[0, 1\)"):
        Outside().suggest(SPACE, [], 1, generator(0, "s"))


def test_a_spec_names_a_suggester_with_its_options():
    @options
    class Table:
        """Of a spec."""

        suggester: SuggesterOption = "wasserstein"

    def read(value):
        return read_options(Table, {"suggester": value}).suggester

    assert Table().suggester == Wasserstein()
    assert read("matern") == Matern()
    table = {"kind": "wasserstein", "distance": "sliced", "acquisition": "ei", "initial": 4}
    assert read(table) == Wasserstein(distance="sliced", acquisition="ei", initial=4)
    assert read({"distance": "location"}) == Wasserstein(distance="location")
    assert NAMES == ("matern", "quasi_random", "random", "wasserstein")
