"""The space: what tables mean, what is refused, and what every point of it gives."""

from __future__ import annotations

import itertools
import json
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava import distributions as dist
from hrsnn_lava.errors import SpecError
from hrsnn_lava.experiment.spec_trial import merged
from hrsnn_lava.search.dimensions import FAMILIES, Fixed, Real
from hrsnn_lava.search.space import Space
from hrsnn_lava.spec import Spec

HIGHEST = float(np.nextafter(1.0, 0.0))
TAU = "network.neurons.excitatory.tau_mem"
TABLE = {
    "network.connectivity.gain": {"low": 0.05, "high": 0.5, "prior": "log"},
    "network.size": [100, 400],
    "network.input.target": {"values": ["bias", "synapse"]},
    "network.connectivity.length": [1.0, 4.0],
    TAU: {
        "distribution": "gamma",
        "shape": {"low": 1.0, "high": 9.0, "prior": "log"},
        "mean": {"low": 0.005, "high": 0.08, "prior": "log"},
        "low": 0.003,
        "high": 0.1,
    },
    "network.neurons.excitatory.v_threshold": {
        "distribution": "normal",
        "cv": [0.01, 0.3],
        "mean": 1.0,
        "low": 0.5,
    },
    "network.neurons.inhibitory.bias": {"distribution": "uniform", "low": [-1, 0], "high": 2.0},
}


def test_a_table_becomes_settings_of_a_spec():
    space = Space.parse(TABLE)
    assert space.size == 8
    assert space.names[4:7] == (
        f"{TAU}.shape",
        f"{TAU}.mean",
        "network.neurons.excitatory.v_threshold.cv",
    )
    low, high = space.settings((0.0,) * 8), space.settings((HIGHEST,) * 8)
    gains = [low["network.connectivity.gain"], high["network.connectivity.gain"]]
    assert gains == pytest.approx([0.05, 0.5])
    assert (low["network.size"], high["network.size"]) == (100, 400)
    assert (low["network.input.target"], high["network.input.target"]) == ("bias", "synapse")
    middle = space.settings((0.5,) * 8)
    assert middle["network.connectivity.gain"] == pytest.approx(np.sqrt(0.05 * 0.5))
    assert middle["network.connectivity.length"] == 2.5
    assert middle[TAU] == {
        "distribution": "gamma",
        "shape": pytest.approx(3.0),
        "mean": pytest.approx(0.02),
        "low": 0.003,
        "high": 0.1,
    }
    assert middle["network.neurons.inhibitory.bias"]["low"] == -0.5
    for chosen in (low, middle, high):
        spec = Spec.parse(merged({"network": {"size": 50}}, chosen))
        assert spec.network.size == chosen["network.size"]
        assert spec.network.neurons.excitatory.tau_mem.mean == chosen[TAU]["mean"]


def test_whole_numbers_and_choices_are_all_as_likely():
    space = Space.parse({"a": [3, 7], "b": {"values": [1, "x", None]}})
    drawn = [space.settings(((k + 0.5) / 150, (k + 0.5) / 150)) for k in range(150)]
    counts = {n: sum(s["a"] == n for s in drawn) for n in range(3, 8)}
    assert set(counts.values()) == {30}
    assert {v: sum(s["b"] == v for s in drawn) for v in (1, "x", None)} == {
        1: 50,
        "x": 50,
        None: 50,
    }


def test_whole_numbers_with_a_logarithmic_prior():
    space = Space.parse({"a": {"low": 1, "high": 7, "prior": "log", "integer": True}})
    drawn = np.array([space.settings((u,))["a"] for u in np.linspace(0, HIGHEST, 6001)])
    expected = np.log((np.arange(1, 8) + 1) / np.arange(1, 8)) / np.log(8)
    np.testing.assert_allclose(np.bincount(drawn)[1:] / 6001, expected, atol=1e-3)


@pytest.mark.parametrize("family", sorted({*FAMILIES} - {"exponential"}))
def test_a_coefficient_of_variation_is_one(family):
    """Moments of a large sample are those of mean and cv."""
    space = Space.parse({"a": {"distribution": family, "cv": [0.1, 0.9], "mean": [1.0, 4.0]}})
    (drawn,) = space.marginals((0.5, 0.25)).values()
    values = drawn.sample(np.random.default_rng(0), 400_000)
    assert values.mean() == pytest.approx(1.75, rel=5e-3)
    assert values.std() / values.mean() == pytest.approx(0.5, rel=2e-2)
    assert drawn.mean == pytest.approx(1.75)


def test_distributions_are_those_that_a_spec_would_build():
    space = Space.parse(TABLE)
    marginals = space.marginals((0.5,) * 8)
    assert list(marginals) == [
        TAU,
        "network.neurons.excitatory.v_threshold",
        "network.neurons.inhibitory.bias",
    ]
    tau = marginals[TAU]
    assert isinstance(tau, dist.Gamma)
    assert (tau.shape, tau.mean) == (pytest.approx(3.0), pytest.approx(0.02))
    assert tau.clip == dist.Clip(0.003, 0.1)
    assert marginals["network.neurons.inhibitory.bias"] == dist.Uniform(-0.5, 2.0)


def test_the_homogeneous_counterpart_has_the_means_alone():
    space = Space.parse(TABLE).homogeneous
    by_path = {d.path: d for d in space.dimensions}
    assert list(by_path) == list(TABLE)
    tau = by_path[TAU]
    assert isinstance(tau, Real)
    assert (tau.interval.low, tau.interval.high, tau.interval.log) == (0.005, 0.08, True)
    assert by_path["network.neurons.excitatory.v_threshold"] == Fixed(
        "network.neurons.excitatory.v_threshold", 1.0
    )
    bias = by_path["network.neurons.inhibitory.bias"]
    assert (bias.interval.low, bias.interval.high) == (0.5, 1.0)
    assert space.size == 6
    assert Space.parse(space.table()) == space
    Spec.parse(merged({}, space.settings((0.3,) * 6)))
    narrow = {"distribution": "gamma", "shape": 2.0, "mean": [0.1, 3.0], "low": 1.0, "high": 2.0}
    (cut,) = Space.parse({"a": narrow}).homogeneous.dimensions
    assert (cut.interval.low, cut.interval.high) == (1.0, 2.0)
    above = {"distribution": "gamma", "cv": [0.1, 1.0], "mean": 3.0, "high": 2.0}
    assert Space.parse({"a": above}).homogeneous.dimensions == (Fixed("a", 2.0),)


REFUSED = [
    ({}, "nothing is free", "at least one free number"),
    ({"a": {"value": 3}}, "nothing is free", "at least one free number"),
    ({"a": 1.0}, "space.a: 1.0", "[low, high]"),
    ({"a": {"lo": 1}}, "space.a: a table of lo", "[low, high]"),
    ({"a": [1.0, 2.0, 3.0]}, "space.a: 3 values", "two: [low, high]"),
    ({"a": [2.0, 1.0]}, "space.a: low 2, high 1", "low < high"),
    ({"a": [1.0, 1.0]}, "space.a: low 1, high 1", "low < high"),
    ({"a": [0.0, float("inf")]}, "space.a: inf", "finite numbers"),
    ({"a": [True, 2]}, "space.a: True", "finite numbers"),
    ({"a": [1, 10**400]}, "space.a: 1000", "finite numbers, at most 1e100"),
    ({"a": [-1e308, 1e308]}, "space.a: -1e+308", "finite numbers, at most 1e100"),
    ({"a": [0, 10**30]}, "space.a: 0 to 1e+30", "whole numbers below 2^53"),
    ({"a": {"values": [1.0, float("nan")]}}, "space.a.values: nan", "finite numbers"),
    ({"a": {"value": date(2020, 1, 1)}, "b": [1, 2]}, "space.a.value: datetime.date", "texts"),
    ({"a": {"distribution": ["gamma"]}}, "space.a.distribution: ['gamma']", "gamma, lognormal"),
    ({"a": {"distribution": "gamma", "shape": [1.0, 2.0], "mean": 10**400}}, "mean: 1000", "1e100"),
    ({"a": {"low": 1.0}}, "space.a.high: missing", "a number"),
    ({"a": {"low": 0.0, "high": 1.0, "prior": "log"}}, "low 0 with prior log", "low > 0"),
    ({"a": {"low": 1.0, "high": 2.0, "prior": "lo"}}, "space.a.prior: 'lo'", "uniform, log"),
    ({"a": {"low": 1.0, "high": 2.0, "step": 1}}, "space.a.step: unknown key", "low, high"),
    ({"a": {"low": 1.5, "high": 2.0, "integer": True}}, "1.5 to 2", "whole numbers"),
    ({"a": {"low": 1, "high": 2, "integer": 1}}, "space.a.integer: 1", "true or false"),
    ({"a": {"values": []}}, "space.a.values: []", "a list, not empty"),
    ({"a": {"values": [1, 2, 1]}}, "space.a.values: 1 twice", "each value once"),
    ({"a b": [1, 2]}, "space: 'a b'", "a dotted path"),
    ({"a..b": [1, 2]}, "space: 'a..b'", "a dotted path"),
    ({"a": [1, 2], "a.b": [1, 2]}, "space.a.b: stands in a", "paths apart"),
    ({"a": {"distribution": "gama"}}, "space.a.distribution: 'gama'", "gamma, lognormal"),
    ({"a": {"distribution": "gamma", "mean": [1, 2]}}, "space.a: mean", "shape and mean or cv"),
    (
        {"a": {"distribution": "gamma", "mean": [1, 2], "cv": 1.0, "shape": 1.0}},
        "shape and mean and cv",
        "shape and mean or cv and mean",
    ),
    (
        {"a": {"distribution": "gamma", "mean": [-1.0, 2.0], "shape": 1.0}},
        "space.a.mean: -1.0",
        "> 0",
    ),
    ({"a": {"distribution": "gamma", "mean": 1.0, "cv": [0.0, 2.0]}}, "space.a.cv: 0", "> 0"),
    (
        {"a": {"distribution": "gamma", "mean": [1.0, 2.0], "shape": "x"}},
        "space.a.shape: 'x'",
        "a finite number, or an interval",
    ),
    (
        {"a": {"distribution": "gamma", "mean": [1.0, 2.0], "shape": 1.0, "low": [0.1, 0.2]}},
        "space.a.low: [0.1, 0.2]",
        "bounds of what is drawn are not searched",
    ),
    (
        {"a": {"distribution": "gamma", "mean": [1, 2], "shape": 1.0, "low": 2.0, "high": 1.0}},
        "space.a: these values together",
        "low must not be above high",
    ),
    (
        {"a": {"distribution": "uniform", "low": [0.0, 1.0], "high": [0.5, 2.0]}},
        "space.a: these values together",
        "low must not be above high",
    ),
    (
        {"a": {"distribution": "normal", "mean": [0.0, 1.0], "std": 1.0, "metric": "log"}},
        "space.a.metric: 'log'",
        "linear, since values may be 0 or less",
    ),
]


@pytest.mark.parametrize(("table", "measured", "allowed"), REFUSED)
def test_nonsense_is_refused_with_what_is_allowed(table, measured, allowed):
    with pytest.raises(SpecError) as caught:
        Space.parse(table)
    (problem,) = caught.value.problems
    assert measured in f"{problem.where}: {problem.measured}"
    assert allowed in problem.allowed


def test_all_problems_are_told_at_once():
    with pytest.raises(SpecError, match=r"search\.space is not valid") as caught:
        Space.parse({"a": [2, 1], "b": 3, "c": {"distribution": "x"}}, "search.space")
    assert [p.where for p in caught.value.problems] == [
        "search.space.a",
        "search.space.b",
        "search.space.c.distribution",
    ]


@pytest.mark.parametrize("point", [(0.5,), (0.5, 1.0), (-0.1, 0.5), (float("nan"), 0.5)])
def test_points_of_another_space_are_refused(point):
    space = Space.parse({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    with pytest.raises(SpecError, match="no point of the space"):
        space.settings(point)


numbers = st.floats(1e-3, 1e3)


@st.composite
def intervals(draw, low=1e-3, high=1e3):
    first, second = sorted((draw(st.floats(low, high)), draw(st.floats(low, high))))
    if second <= first:
        return draw(st.just(first))
    if draw(st.booleans()):
        return {"low": first, "high": second, "prior": draw(st.sampled_from(["log", "uniform"]))}
    return [first, second]


@st.composite
def definitions(draw):
    kind = draw(st.sampled_from(["real", "integer", "choice", *sorted(FAMILIES)]))
    if kind == "real":
        low, width = draw(st.floats(-1e6, 1e6)), draw(st.floats(1e-3, 1e6))
        return [low, low + width] if low < low + width else [0.0, 1.0]
    if kind == "integer":
        low = draw(st.integers(-50, 50))
        return [low, low + draw(st.integers(1, 1000))]
    if kind == "choice":
        values = st.one_of(st.integers(), st.text(max_size=3), st.booleans(), st.none())
        return {"values": draw(st.lists(values, min_size=1, max_size=4, unique_by=repr))}
    names = draw(st.sampled_from(FAMILIES[kind]))
    table = {"distribution": kind, **{name: draw(intervals()) for name in names}}
    if names == ("low", "high"):
        ends = st.floats(0.0, 10.0)
        table |= {"low": [-2.0 - draw(ends), -1.0], "high": [0.0, 1.0 + draw(ends)]}
    elif "cv" in names:
        table["cv"] = draw(intervals(0.05, 3.0))
    return table


@settings(max_examples=40)
@given(st.lists(definitions(), min_size=1, max_size=4), st.data())
def test_any_space_survives_json_and_gives_valid_settings(found, data):
    table = {f"part.p{k}": definition for k, definition in enumerate(found)}
    table["free"] = [0.0, 1.0]
    space = Space.parse(table)
    assert Space.parse(json.loads(json.dumps(space.table()))) == space
    point = tuple(data.draw(st.floats(0.0, HIGHEST)) for _ in range(space.size))
    chosen = space.settings(point)
    assert chosen == Space.parse(space.table()).settings(point)
    json.dumps(chosen)
    assert list(chosen) == list(table)
    for path, value in chosen.items():
        definition = table[path]
        if isinstance(definition, list):
            assert definition[0] <= value <= definition[1]
            assert isinstance(value, type(definition[0]))
        elif "values" in definition:
            assert value in definition["values"]
        else:
            for name, given_number in definition.items():
                if name in value and name != "distribution":
                    ends = given_number
                    if isinstance(ends, dict):
                        ends = [ends["low"], ends["high"]]
                    if not isinstance(ends, list):
                        ends = [ends, ends]
                    assert ends[0] <= value[name] <= ends[1]
    for drawn in space.marginals(point).values():
        assert np.isfinite(drawn.mean)
    plain = space.homogeneous
    assert plain.size <= space.size
    values = plain.settings((0.5,) * plain.size).values()
    assert all(not isinstance(v, dict) for v in values)


@settings(max_examples=50)
@given(st.floats(0, HIGHEST), st.floats(0, HIGHEST))
def test_numbers_rise_with_coordinates(a, b):
    for prior, integer in itertools.product(("uniform", "log"), (True, False)):
        space = Space.parse({"a": {"low": 2, "high": 90, "prior": prior, "integer": integer}})
        low, high = (space.settings((u,))["a"] for u in sorted((a, b)))
        assert low <= high
