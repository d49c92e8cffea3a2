"""The table [search]: objectives, what does not go together, and specs without it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.search_options import Objective, SearchOptions
from hrsnn_lava.spec import Spec

SPACE = {"network.size": [50, 100]}


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("score", Objective("score")),
        ("maximize a", Objective("a", "", "maximize")),
        ("minimize  a.b/c", Objective("a.b", "c", "minimize")),
        ("maximize score / spikes_per_sample", Objective("score", "spikes_per_sample", "maximize")),
    ],
)
def test_objectives_are_read_and_written(text: str, objective: Objective) -> None:
    assert Objective.parse(text) == objective
    assert Objective.parse(str(objective)) == objective
    assert SearchOptions(suggester="random", objectives=(text,)).objectives == (str(objective),)


@pytest.mark.parametrize(
    "text", ["", "a", "max a", "maximize", "maximize a / b / c", "minimize 2a"]
)
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="maximize FIGURE"):
        Objective.parse(text)
    with pytest.raises(SpecError, match=r"search\.objectives\.0: .*maximize FIGURE"):
        Spec.parse({"search": {"suggester": "random", "objectives": [text], "space": SPACE}})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"objectives": []}, "search.objectives: at least one"),
        ({"objectives": ["score", "score"]}, "search.objectives: each of them once"),
        (
            {"objectives": ["maximize rate", "minimize rate"]},
            "search.objectives: each of them once",
        ),
        ({"trials": 0}, "search.trials: 0; allowed: >= 1"),
        ({"batch": 10**8}, "search.batch: 100000000; allowed: <= 10000"),
        ({"suggester": {"kind": "random", "initial": 3}}, "unknown key; allowed: none: it has no"),
        ({"seconds": 0.0}, "search.seconds: 0.0; allowed: > 0"),
        ({"trails": 3}, "search.trails: unknown key.*Did you mean 'trials'"),
        ({"suggester": "wassersten"}, "Did you mean 'wasserstein'"),
        ({"measure": "floats"}, "search.measure: 'floats'.*Did you mean 'float'"),
    ],
)
def test_what_is_wrong_is_said(table: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Spec.parse({"search": {"suggester": "random", "space": SPACE, **table}})


def test_a_search_changes_no_run() -> None:
    """Digests of specs are what they were, with the table and without."""
    with_search = Spec.parse({"search": {"space": SPACE}})
    assert with_search.search is not None
    assert with_search.canonical() == Spec().canonical()
    assert "search" not in json.loads(Spec().canonical())
