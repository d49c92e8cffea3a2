"""Classes of neurons that may not share a table entry, and clusters that keep them apart."""

from __future__ import annotations

import numpy as np

from hrsnn_lava.compiler.palettes.clustering import compartment_classes, compartment_labels


def test_refractory_periods_and_decays_of_nothing_make_classes():
    du, dv = np.array([5, 5, -1, 5, -1]), np.array([9, 9, 9, 0, 0])
    refractory = np.array([1, 2, 1, 1, 1])
    classes = compartment_classes(du, dv, refractory)
    assert np.unique(classes).size == 5
    np.testing.assert_array_equal(
        compartment_classes(np.full(3, 7), np.arange(1, 4), np.ones(3)), np.zeros(3)
    )


def test_a_current_that_forgets_nothing_is_never_mixed_with_one_that_does():
    # du = -1 keeps all of the current, du = 0 forgets 1 in 4096: near in every figure, not the same
    du = np.array([-1, -1, -1, 0, 0, 0])
    dv = np.array([100, 101, 102, 100, 101, 102])
    table = np.stack([du, dv, np.ones(6, dtype=np.int64)], axis=1)
    labels = compartment_labels(table, np.ones(6), 2)
    assert len(set(labels[:3])) == 1
    assert len(set(labels[3:])) == 1
    assert labels[0] != labels[3]
    assert compartment_labels(table, np.ones(6), 1) is None
