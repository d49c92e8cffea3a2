"""Accuracy and confusion against hand computations and loops."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.classification import accuracy, confusion

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


def test_accuracy_is_a_share():
    assert accuracy([0, 1, 2, 2], [0, 2, 2, 2]) == 0.75
    assert accuracy(["a", "b"], ["a", "a"]) == 0.5
    assert accuracy(np.array([0.0, 1.0]), [0, 1]) == 1.0
    assert accuracy([True, False], [False, False]) == 0.5


def test_the_table_of_a_textbook():
    # the example of scikit-learn's user guide: six samples of three classes
    made = confusion([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2])
    assert made.counts.tolist() == [[2, 0, 0], [0, 0, 1], [1, 0, 2]]
    assert made.recall == (1.0, 0.0, 2 / 3)
    assert made.precision == (2 / 3, None, 2 / 3)
    assert made.value == 4 / 6
    assert made.classes == ("0", "1", "2")


def test_texts_and_names_of_classes():
    words = confusion(["cat", "ant", "cat"], ["ant", "ant", "cat"])
    assert words.classes == ("ant", "cat")
    assert words.counts.tolist() == [[1, 0], [1, 1]]
    named = confusion([0, 2], [2, 2], ("left", "right", "up"))
    assert named.counts.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 1]]
    assert named.recall == (0.0, None, 1.0)
    assert confusion(["up"], ["left"], ("left", "right", "up")).counts[2, 0] == 1
    assert named.most_confused() == [("left", "up", 1)]


def test_text_and_json():
    made = confusion([0, 1, 1], [0, 1, 0], ("left", "right"))
    assert str(made).splitlines() == [
        "truth \\ answer  left  right  recall",
        "left               1      0   1.000",
        "right              1      1   0.500",
        "accuracy 0.6667 of 3 samples",
    ]
    facts = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert facts["counts"] == [[1, 0], [1, 1]]
    assert facts["recall"] == [1.0, 0.5]


@settings(max_examples=25)
@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(samples, random):
    truth, answers = np.array(samples).T
    made = confusion(truth, answers, ("a", "b", "c", "d"))
    by_hand = np.zeros((4, 4), int)
    for t, a in samples:
        by_hand[t, a] += 1
    assert made.counts.tolist() == by_hand.tolist()
    assert made.value == pytest.approx(accuracy(truth, answers))
    random.shuffle(samples)
    again = confusion(*np.array(samples).T, ("a", "b", "c", "d"))
    assert again.counts.tolist() == made.counts.tolist()
    swapped = confusion(answers, truth, ("a", "b", "c", "d"))
    assert swapped.counts.tolist() == made.counts.T.tolist()
    assert swapped.recall == made.precision


@pytest.mark.parametrize(
    ("truth", "answers", "told"),
    [
        ([], [], r"truth: shape \(0,\); allowed: \(n,\), not empty"),
        ([0, 1], [0], r"shapes \(2,\), \(1,\); allowed: equal shapes"),
        ([0, 1], [[0.2, 0.8], [0.6, 0.4]], "argmax"),
        ([0, 1], [0.5, 1.0], "argmax"),
        ([0, 1], [np.nan, 1.0], "argmax"),
        ([0, 1], ["a", "b"], "labels of one kind"),
    ],
)
def test_what_are_no_labels_is_refused(truth, answers, told):
    with pytest.raises(SpecError, match=told):
        accuracy(truth, answers)
    with pytest.raises(SpecError, match=told):
        confusion(truth, answers)


def test_labels_outside_of_the_classes_are_refused():
    with pytest.raises(SpecError, match="answers: label 2; allowed: < 2"):
        confusion([0, 1], [0, 2], ("a", "b"))
    with pytest.raises(SpecError, match="truth: label c; allowed: one of a, b"):
        confusion(["c"], ["a"], ("a", "b"))
    with pytest.raises(SpecError, match="one or more, each once"):
        confusion([0], [0], ("a", "a"))
