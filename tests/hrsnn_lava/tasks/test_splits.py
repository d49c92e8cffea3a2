"""Splits: nobody in two parts, every class by its share, and the set's own parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava.errors import SpecError
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.splits import Sizes, draw_split


def labelled(n=120, n_classes=3, groups=None, parts=None):
    samples = np.arange(n, dtype=float).reshape(n, 1, 1)
    classes = tuple("abcdefgh"[:n_classes])
    return Labelled(samples, np.arange(n) % n_classes, classes, groups, parts)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_drawn_parts_hold_every_class_by_its_share():
    split = draw_split(labelled(), Sizes(60, 30, 30), "auto", rng())
    assert [part.size for part in (split.train, split.validation, split.test)] == [60, 30, 30]
    assert np.unique(split.together).size == 120
    for part, each in ((split.train, 20), (split.validation, 10), (split.test, 10)):
        np.testing.assert_allclose(np.bincount(part % 3), each, atol=1)


def test_all_takes_what_the_other_parts_leave():
    assert draw_split(labelled(), Sizes(None, 20, 30), "auto", rng()).train.size == 70
    assert draw_split(labelled(), Sizes(50, 20, None), "auto", rng()).test.size == 50
    both = draw_split(labelled(), Sizes(None, 30, None), "auto", rng())
    assert (both.train.size, both.validation.size, both.test.size) == (60, 30, 30)


@given(st.integers(3, 12), st.integers(0, 20), st.integers(0, 1000))
def test_no_group_is_in_two_parts(n_groups, validation, seed):
    groups = np.random.default_rng(seed).permutation(np.arange(120) % n_groups)
    set_of = labelled(n_classes=1, groups=groups)
    split = draw_split(set_of, Sizes(None, validation, None), "auto", rng(seed))
    owners = [set(groups[part]) for part in (split.train, split.validation, split.test)]
    assert not owners[0] & owners[1] | owners[0] & owners[2] | owners[1] & owners[2]
    assert split.train.size
    assert split.test.size >= min(40, 120 // n_groups)
    assert (split.validation.size > 0) == (validation > 0) or n_groups == 3


def test_the_sets_own_parts_are_kept_and_validation_comes_from_training():
    parts = np.repeat([0, 2], [80, 40])
    split = draw_split(labelled(parts=parts), Sizes(60, 20, None), "auto", rng())
    assert set(split.test) == set(range(80, 120))
    assert (split.train.size, split.validation.size) == (60, 20)
    assert max(split.train.max(), split.validation.max()) < 80
    with_own = np.repeat([0, 1, 2], [60, 20, 40])
    split = draw_split(labelled(parts=with_own), Sizes(None, 15, 40), "own", rng())
    assert set(split.validation) < set(range(60, 80))
    assert set(split.train) == set(range(60))


def test_a_validation_subject_does_not_train():
    parts, groups = np.repeat([0, 2], [80, 40]), np.arange(120) % 4
    set_of = labelled(n_classes=3, groups=groups, parts=parts)
    split = draw_split(set_of, Sizes(None, 10, None), "auto", rng())
    assert not set(groups[split.train]) & set(groups[split.validation])


@pytest.mark.parametrize(
    ("sizes", "way", "message"),
    [
        (Sizes(100, 20, 20), "auto", r"task.train \+ validation \+ test: 140; allowed: <= 120"),
        (Sizes(10, 0, 10), "own", 'task.split: "own"; allowed: a set that has parts'),
        (Sizes(10, 0, 10), "groups", r'task.split: "groups"; allowed: 3 groups or more \(0\)'),
        (Sizes(1, 0, 10), "drawn", "no sample of class"),
    ],
)
def test_a_split_that_cannot_be_says_what_there_is(sizes, way, message):
    with pytest.raises(SpecError, match=message):
        draw_split(labelled(), sizes, way, rng())


def test_more_than_a_part_has_is_refused():
    parts = np.repeat([0, 2], [80, 40])
    with pytest.raises(SpecError, match=r"task.test: 50; allowed: <= 40"):
        draw_split(labelled(parts=parts), Sizes(60, 10, 50), "auto", rng())
