"""Findings: their order, their text, and the warnings that a Python user gets."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.findings import Finding, FindingWarning, warn, worst_first
from hrsnn_lava.quantized import QuantizedInput

NOTE = Finding("note", "population 'a'", "no bias", "it is driven by spikes alone", kind="no_bias")
LOSS = Finding("warning", "projection 'p'", "3 of 4 weights became 0", "lost", "use --x", kind="z")
WRONG = Finding("error", "run", "7 wraps", "currents changed their sign", kind="wraps")
#: A neuron that fires by its bias.
POPULATION = (hl.QuantizedPopulation("a", 1, du=0, dv=1, vth=1, bias_mant=99),)


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


def test_a_run_that_ends_before_its_input_has_a_note() -> None:
    network = hl.QuantizedNetwork((QuantizedInput("x", 3), *POPULATION))
    inputs = hl.SpikeInput.from_dense([[1, 1, 1]] * 5)
    for steps, cut in ((2, True), (5, False), (9, False), (None, False)):
        trace = hl.simulate(network, inputs, steps)
        notes = [f for f in trace.findings if f.kind == "input_cut_off"]
        assert [f.severity for f in notes] == ["note"] * cut
        if cut:
            assert notes[0].where == "input"
            assert notes[0].measured == ("5 steps in a run of 2, with 9 of 15 events after its end")


@pytest.mark.parametrize(
    ("call", "near"),
    [
        (lambda network: hl.record(network, None, 5, "t.npz", resum=True), "resume"),
        (lambda network: hl.simulate_batch(network, [None], 5, wrokers=2), "workers"),
    ],
)
def test_an_option_of_a_verb_that_there_is_not(call: Any, near: str) -> None:
    with pytest.raises(SpecError, match=f"has no such option\n.*Did you mean '{near}'"):
        call(hl.QuantizedNetwork(POPULATION))
