"""Learning rules as data: text, checks, files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_strategies import rules

from hrsnn_lava.chip_learning import (
    Factor,
    Learning,
    LearningRule,
    Product,
    Trace,
    pair_stdp,
    rule_from_dict,
    rule_to_dict,
)


def test_text_of_a_rule():
    rule = LearningRule(
        dw=(
            Product("x0", -2, -3, (Factor("y1"), Factor("w", 5))),
            Product("u", 7, 0, (Factor("t", -1, sign=True),)),
        ),
        decimate_exponent=2,
    )
    assert rule.equation("dw") == (
        "(-2) * 2 ^ -3 * x0 * y1 * (w + 5) + (7) * 2 ^ 0 * u2 * sgn(t - 1)"
    )
    assert rule.equation("dd") is None
    assert not rule.event_driven
    assert pair_stdp((1, 0), (1, 0), 10, 10).event_driven


def problems(rule):
    return [str(problem) for problem in rule.problems("rule")]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (LearningRule(), "no product"),
        (LearningRule(dw=(Product("x0", 8),)), "mantissa 8"),
        (LearningRule(dw=(Product("x0", 1, 9),)), "exponent 9"),
        (LearningRule(dw=(Product("u", 1),)), "decimate_exponent"),
        (LearningRule(dw=(Product("z", 1),)), "dependency 'z'"),
        (LearningRule(dw=(Product("x0", 1, 0, (Factor("x1", sign=True),)),)), "sign of x1"),
        (LearningRule(dw=(Product("x0", 1, 0, (Factor("x1", 200),)),)), "constant 200"),
        (LearningRule(dw=(Product("x0", 1),), t_epoch=64), "1..63"),
        (LearningRule(dw=(Product("x0", 1),), x1=Trace(128.0)), "0..127"),
        (LearningRule(dw=(Product("x0", 1),), y1=Trace(1, -2.0)), ">= 0 steps"),
        (LearningRule(dw=(Product("x0", 1),), rng_seed=-1), "rng_seed"),
    ],
)
def test_a_wrong_rule_is_told(rule, text):
    assert any(text in problem for problem in problems(rule)), problems(rule)


@given(rules(4, 1, 3, "any"))
def test_a_rule_survives_json(rule):
    assert not problems(rule)
    assert rule_from_dict(json.loads(json.dumps(rule_to_dict(rule)))) == rule


@given(st.integers(1, 20), st.data())
def test_selection_keeps_rule_and_tags_together(size, data):
    rule = pair_stdp((1, 0), (1, 0), 10, 10)
    learning = Learning((rule, rule), np.arange(size) % 2, np.arange(size), 7)
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    chosen = learning.select(keep)
    np.testing.assert_array_equal(chosen.tag("tag_1", keep.sum()), np.flatnonzero(keep))
    np.testing.assert_array_equal(chosen.profile_of(keep.sum()), np.flatnonzero(keep) % 2)
    assert chosen.tag_2 == 7
    assert learning.used_rules(size) == ((0, 1) if size > 1 else (0,))
