"""What a search is to do: what is wrong with it is said before the first trial."""

from __future__ import annotations

from typing import Any

import pytest
from search_cases import SPACE

from hrsnn_lava.errors import SpecError
from hrsnn_lava.search import plan as search_plan
from hrsnn_lava.search.plan import SearchPlan, differences, flat
from hrsnn_lava.spec import Spec


def plan(**search: Any) -> SearchPlan:
    table = {"suggester": "random", "space": SPACE} | search
    return SearchPlan.of(Spec.parse({"search": table}))


def test_a_spec_without_a_search_says_what_is_missing() -> None:
    with pytest.raises(SpecError, match=r"search: missing; allowed: a table \[search\]"):
        SearchPlan.of(Spec())


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "search.space: nothing is free"),
        ({"network.size": [100, 50]}, r"search\.space\.network\.size: low 100, high 50"),
        ({"network.sise": [50, 100]}, r"search\.space: network\.sise: unknown key.*'size'"),
        ({"network.size": [-200, 100]}, r"search\.space: network\.size: -50; allowed: >= 2"),
        ({"task.kind": {"values": ["a", "b"]}}, "search.space: task.kind: 'b'"),
        ({"network.size.x": [1, 2]}, r"network\.size\.x: stands in size = 1000, which is no table"),
        ({"seed": [1, 9]}, r"seed: makes no difference.*search\.repeats or search\.fresh_seeds"),
        ({"search.trials": [1, 9]}, r"search\.trials: makes no difference to a trial"),
        ({"prune.density": [0.1, 0.5]}, r'prune\.density: not looked at.*measure = "program"'),
        ({"quantize.weight_bits": [4, 8]}, r'weight_bits: not looked at.*or "integers"'),
    ],
)
def test_a_space_that_is_none_of_the_spec_is_refused(space: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        plan(space=space)


def test_what_a_trial_looks_at_depends_on_what_it_measures() -> None:
    bits, density = {"quantize.weight_bits": [4, 8]}, {"prune.density": [0.1, 0.5]}
    assert plan(space=bits, measure="integers").space.size == 1
    assert plan(space=bits | density, measure="program").space.size == 2
    spec = Spec.parse({"search": {"space": density}})
    assert SearchPlan.of(spec, evaluate="of:mine").space.size == 1


def test_paths_may_be_written_with_dots_or_as_tables() -> None:
    gain, tau = {"low": 0.1, "high": 0.2}, {"distribution": "gamma", "shape": [1, 2], "mean": 0.01}
    nested = {"network": {"connectivity": {"gain": gain}, "neurons.excitatory": {"tau_mem": tau}}}
    expected = {"network.connectivity.gain": gain, "network.neurons.excitatory.tau_mem": tau}
    assert flat(nested) == expected
    assert flat(expected) == expected


def test_figures_of_a_program_need_one() -> None:
    with pytest.raises(SpecError, match=r'energy_uj.*Set search\.measure = "program"'):
        plan(objectives=["maximize accuracy", "minimize energy_uj"])
    plan(objectives=["minimize energy_uj"], measure="program")


@pytest.mark.parametrize("table", [{"stop": {}}, {"repeats": 3, "stop": {"after": 3}}])
def test_a_trial_that_cannot_be_given_up_is_refused(table: Any) -> None:
    with pytest.raises(
        SpecError, match=r"search\.stop\.after: \d; allowed: < search\.repeats = \d"
    ):
        plan(**table)


def test_a_trial_has_the_values_of_its_point() -> None:
    made = plan(seconds=3.0, memory_mb=4000)
    settings = made.settings((0.5, 0.5))
    job = made.job(3, settings, {})
    assert job.tables["network"]["size"] == settings["network.size"] == 125
    assert job.tables["network"]["connectivity"]["gain"] == pytest.approx(0.275)
    assert (job.seconds, job.memory_mb, job.seeds) == (3.0, 4000, (0,))
    assert "search" not in job.tables
    assert made.spec_of(settings).network.size == 125


def test_differences_name_every_leaf() -> None:
    there = {"a": {"b": 1, "c": [1]}, "d": {}}
    wanted = {"a": {"b": 2, "c": [1]}, "e": True}
    found = {(p.where, p.measured, p.allowed) for p in differences(there, wanted)}
    assert found == {
        ("a.b", "2 here", "1, as in the ledger"),
        ("d", "nothing here", "{}, as in the ledger"),
        ("e", "true here", "nothing, as in the ledger"),
    }
    assert differences(there, there) == []


def test_tables_that_make_no_difference_are_those_of_a_spec() -> None:
    told = {*search_plan._FIXED, *search_plan._OF_PROGRAMS}
    assert told <= set(Spec.model_fields)
