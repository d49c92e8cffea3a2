"""Findings: their order, their text, and the warnings that a Python user gets."""

from __future__ import annotations

import warnings

import pytest

from hrsnn_lava.findings import Finding, FindingWarning, warn, worst_first

NOTE = Finding("note", "population 'a'", "no bias", "it is driven by spikes alone", kind="no_bias")
LOSS = Finding("warning", "projection 'p'", "3 of 4 weights became 0", "lost", "use --x", kind="z")
WRONG = Finding("error", "run", "7 wraps", "currents changed their sign", kind="wraps")


def test_the_worst_comes_first_and_equal_ones_once() -> None:
    assert worst_first([NOTE, LOSS, WRONG, LOSS]) == (WRONG, LOSS, NOTE)


def test_the_text_says_where_what_it_means_and_what_to_do() -> None:
    assert str(LOSS) == "projection 'p': 3 of 4 weights became 0: lost. Use --x"
    assert str(NOTE) == "population 'a': no bias: it is driven by spikes alone"


def test_plain_values_lead_back_to_the_finding() -> None:
    assert Finding.from_dict(LOSS.to_dict()) == LOSS


def test_more_than_a_note_is_a_warning_that_points_at_the_caller() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        warn([NOTE, LOSS, WRONG], stacklevel=1)
    assert [str(w.message) for w in shown] == [str(WRONG), str(LOSS)]
    assert all(w.category is FindingWarning and w.filename == __file__ for w in shown)
    with pytest.warns(FindingWarning, match="3 of 4"):
        warn([LOSS])
