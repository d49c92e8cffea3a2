"""Tables of thresholds and who takes which entry."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.compiler.palettes.clustering import activity_weights
from hrsnn_lava.compiler.palettes.threshold_tables import common_table, nearest_entries, reassign


def test_the_table_is_the_nearest_in_the_logarithm() -> None:
    thresholds = np.array([100, 400, 5000, 5000])
    assert common_table(thresholds, np.ones(4), 2).tolist() == [200, 5000]
    # three times the weight on 400: exp((ln 100 + 3 ln 400) / 4)
    assert common_table(thresholds, np.array([1.0, 3.0, 1.0, 1.0]), 2).tolist() == [283, 5000]
    assert common_table(thresholds, np.ones(4), 7).tolist() == [100, 400, 5000]


def test_entries_without_room_are_avoided() -> None:
    table, thresholds = np.array([100, 200, 400]), np.array([180.0, 180.0, 90.0])
    assert nearest_entries(thresholds, table, np.full(3, 9.0)).tolist() == [200, 200, 100]
    assert nearest_entries(thresholds, table, np.ones(3)).tolist() == [100, 100, 100]
    # a distance of ln 2 to an entry with room against ten of ln 200/180 without
    assert nearest_entries(thresholds, table, np.ones(3), 10.0).tolist() == [100, 100, 100]
    assert nearest_entries(np.array([199.0]), table, np.ones(1), 10.0).tolist() == [200]


def test_free_neurons_take_entries_of_their_own_core() -> None:
    vth = np.array([100, 400, 400, 150, 300])
    wanted = np.array([390.0, 410.0, 90.0, 290.0, 160.0])
    cores = np.array([0, 0, 0, 1, 1])
    free = np.array([True, True, True, True, False])
    found = reassign(vth, wanted, free, np.full(5, 9.0), cores)
    assert found.tolist() == [400, 400, 100, 300, 300]


def test_activity_weights() -> None:
    assert activity_weights(None, 3).tolist() == [1, 1, 1]
    assert activity_weights(0.2, 3).tolist() == [1, 1, 1]
    assert activity_weights(np.zeros(2), 2).tolist() == [1, 1]
    assert activity_weights(np.array([0.0, 0.1, 0.3, 0.0]), 4) == pytest.approx(
        [0.1, 1.0, 2.8, 0.1]
    )
