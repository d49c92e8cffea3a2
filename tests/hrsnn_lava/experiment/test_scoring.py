"""Rows of a comparison: a score never takes the place of another column, nor the other way."""

from __future__ import annotations

import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.experiment.scoring import COLUMNS, Arm, with_ratios
from hrsnn_lava.metrics.scores import Score, Scores
from hrsnn_lava.tasks.base import Outcome


def arm(name):
    """A network with one score."""
    return Arm("net", Outcome(Scores((Score(name, 0.25, "figure"),))), 10, 20, 2.0, 0.1)


def test_a_row_has_its_columns_and_the_scores():
    (row,) = with_ratios([arm("figure").row()])
    assert row["figure"] == 0.25
    assert row.keys() - COLUMNS == {"figure"}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_score_that_is_called_like_a_column_is_refused(name):
    with pytest.raises(SpecError, match=f"score: '{name}'; allowed: none of .*{name}.*Rename"):
        arm(name)
