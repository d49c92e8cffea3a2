"""Separations of states that are laid out by hand, and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.separation import SEPARATIONS, separation

#: Two classes on a line: means 1 and 11, two states each, 1 to either side.
LINE, CLASSES = [[0.0], [2.0], [10.0], [12.0]], [0, 0, 1, 1]
RNG = np.random.default_rng(4)
tables = arrays.arrays(np.float64, (8, 3), elements=st.floats(-9, 9, width=32))
labels = st.lists(st.integers(0, 2), min_size=8, max_size=8).filter(lambda s: len(set(s)) > 1)


def test_all_three_by_hand():
    assert separation(LINE, CLASSES) == pytest.approx(4 * 5.0**2 / 4.0)
    # distance of means 10, twice over 2^2 pairs; mean distance to them 1
    assert separation(LINE, CLASSES, "centroid") == pytest.approx(5.0 / 2.0)
    assert separation(LINE, CLASSES, "pairwise") == pytest.approx((10 + 12 + 8 + 10) / 4)


def loops(states, names, definition):
    """The definitions as they are written."""
    classes = sorted(set(names))
    members = {c: [x for x, n in zip(states, names, strict=True) if n == c] for c in classes}
    means = {c: np.mean(members[c], axis=0) for c in classes}
    if definition == "pairwise":
        n = len(states)
        pairs = [(i, j) for i in range(n) for j in range(i) if names[i] != names[j]]
        return np.mean([np.linalg.norm(states[i] - states[j]) for i, j in pairs])
    if definition == "centroid":
        between = sum(np.linalg.norm(means[a] - means[b]) for a in classes for b in classes)
        spreads = [np.mean([np.linalg.norm(x - means[c]) for x in members[c]]) for c in classes]
        return between / len(classes) ** 2 / (np.mean(spreads) + 1.0)
    centre = np.mean(states, axis=0)
    between = sum(len(members[c]) * np.sum((means[c] - centre) ** 2) for c in classes)
    return between / sum(np.sum((x - means[c]) ** 2) for c in classes for x in members[c])


@pytest.mark.parametrize("definition", SEPARATIONS)
def test_it_is_what_the_definition_says(definition):
    states = RNG.normal(size=(17, 4))
    names = [*range(3), *RNG.integers(0, 3, 14).tolist()]
    truth = loops(states, names, definition)
    assert separation(states, names, definition) == pytest.approx(truth)
    words = [f"word {n}" for n in names]
    assert separation(states, words, definition) == pytest.approx(truth)


@settings(max_examples=25)
@given(tables, labels, st.permutations(range(8)), st.sampled_from(SEPARATIONS))
def test_the_order_of_states_and_the_names_do_not_matter(states, names, order, definition):
    before = separation(states, names, definition)
    renamed = [2 - names[k] for k in order]
    after = separation(states[order] + 7.0, renamed, definition)
    if before is None or before > 1e12:  # no noise, but for rounding
        assert after is None or after > 1e9
    else:
        assert after == pytest.approx(before, rel=1e-5, abs=1e-5)


def test_scaling_states_changes_all_but_the_ratio_of_variances():
    states, names = RNG.normal(size=(12, 3)), [0, 1, 2] * 4
    assert separation(10 * states, names) == pytest.approx(separation(states, names))
    assert separation(10 * states, names, "pairwise") == pytest.approx(
        10 * separation(states, names, "pairwise")
    )
    assert separation(10 * states, names, "centroid") > separation(states, names, "centroid")


def test_noise_alone_has_the_ratio_of_its_degrees_of_freedom():
    states = RNG.normal(size=(4000, 20))
    names = np.arange(4000) % 40
    assert separation(states, names) == pytest.approx(39 / 3960, rel=0.1)


def test_states_without_noise_have_no_ratio():
    assert separation([[0.0], [0.0], [1.0]], [0, 0, 1]) is None
    assert separation([[0.0], [0.0], [1.0]], [0, 0, 1], "centroid") == pytest.approx(0.5)


def test_trajectories_are_compared_step_by_step():
    times = RNG.normal(size=(6, 5, 3))
    names = [0, 1, 2, 0, 1, 2]
    by_step = [separation(times[:, t], names, "pairwise") for t in range(5)]
    assert separation(times, names, "pairwise") == pytest.approx(np.mean(by_step))
    with pytest.raises(SpecError, match="Give one time of the trajectories"):
        separation(times, names)


@pytest.mark.parametrize(
    ("states", "names", "told"),
    [
        (LINE, [0, 0, 1], "labels: 3; allowed: 4, as of states"),
        (LINE, [0, 0, 0, 0], "one class, 0; allowed: two or more"),
        ([1.0, 2.0], [0, 1], r"shape \(2,\)"),
    ],
)
def test_what_cannot_be_separated_is_refused(states, names, told):
    with pytest.raises(SpecError, match=told):
        separation(states, names)


def test_another_definition_lists_those_there_are():
    with pytest.raises(SpecError, match="definition: 'fisher'; allowed: variance, centroid, pair"):
        separation(LINE, CLASSES, "fisher")
