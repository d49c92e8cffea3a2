"""One network on several chips: the rows are those of single reports, and nothing is ranked."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.experiment.chips import NOTE, compare
from hrsnn_lava.report.document import build_report

STEPS = 80


@pytest.fixture(scope="module")
def network() -> hl.Network:
    """60 neurons of the usual kind."""
    spec = {"seed": 3, "network": {"size": 60, "connectivity": {"mean_degree": 8.0}}}
    return hl.build_hrsnn(hl.Spec.parse({**spec, "name": "small"}))


@pytest.fixture(scope="module")
def every(network):
    return compare(network, steps=STEPS)


def test_every_chip_has_a_row_for_each_of_its_cost_sets(every) -> None:
    expected = []
    for name in hl.HardwareProfile.names():
        fits = any(r.verdict == "PASS" for r in every.rows if r.profile == name)
        sets = hl.HardwareProfile.load(name).cost_sets if fits else ()
        expected += [(name, prices) for prices in sets or (None,)]
    assert [(r.profile, r.cost_set) for r in every.rows] == expected


def test_a_row_is_what_the_report_of_that_chip_says(network, every) -> None:
    row = next(r for r in every.rows if r.cost_set == "sanafe_loihi")
    compiled = hl.compile(network, "loihi1")
    inputs = hl.simulate(compiled, _events(compiled), STEPS)
    data = build_report(compiled, inputs, "sanafe_loihi").data
    assert row.sops == data["sop"]["total"]
    assert row.messages == data["activity"]["messages"]
    assert row.total_j == pytest.approx(data["energy"]["total_j"], rel=1e-12)
    assert row.dynamic_j == pytest.approx(data["energy"]["dynamic_j"], rel=1e-12)
    assert row.step_mean_s == pytest.approx(data["timing"]["step_mean_s"], rel=1e-12)
    assert row.cores == data["mapping"]["cores"]
    assert (row.scope, row.evidence, row.proxy) == ("per_term", ("derived",), False)


def _events(compiled):
    from hrsnn_lava.sim_backends.runs.inputs import random_input

    return random_input(compiled.network, STEPS, 0)


def test_a_chip_that_is_too_small_is_a_row_with_its_reason(every) -> None:
    failed = [r for r in every.rows if r.verdict == "FAIL"]
    assert failed
    for row in failed:
        assert row.reason
        assert row.sops is None
        assert row.total_j is None
    assert "does not fit:" in every.to_text()


def test_a_chip_without_prices_keeps_its_counts(every) -> None:
    row = next(r for r in every.rows if r.profile == "loihi2")
    assert row.cost_set is None
    assert row.total_j is None
    assert row.dynamic_j is None
    assert row.sops > 0
    assert row.step_mean_s is None


def test_another_chips_prices_are_a_proxy_in_every_form(network) -> None:
    found = compare(network, ["loihi2"], steps=20, cost_sets=["sanafe_loihi", "truenorth_all_in"])
    assert [r.proxy for r in found.rows] == [True, True]
    assert [r.scope for r in found.rows] == ["per_term", "all_in"]
    assert [r.priced_chip for r in found.rows] == ["loihi1", "truenorth"]
    for text in (found.to_text(), found.to_markdown(), found._repr_html_()):
        assert text.count("proxy") >= 2
        assert "No ranking" in text
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [row["proxy"] for row in rows] == ["True", "True"]
    assert float(rows[0]["total_j"]) == found.rows[0].total_j
    assert found.to_dict()["note"] == NOTE


def test_the_order_is_that_of_the_question(network) -> None:
    found = compare(network, ["loihi2", "loihi1"], steps=5, cost_sets=["sanafe_loihi"])
    assert [r.profile for r in found.rows] == ["loihi2", "loihi1"]


def test_integers_give_the_same_run_on_every_chip(network) -> None:
    quantized = hl.quantize(network)
    found = compare(quantized, ["loihi2", "loihi2_lava"], steps=STEPS)
    assert len({(r.sops, r.spikes) for r in found.rows}) == 1
    compiled = hl.compile(quantized, "loihi2")
    again = hl.compare(compiled, ["loihi2"], steps=STEPS)
    assert again.rows[0].sops == found.rows[0].sops


def test_the_same_events_drive_all_chips(network) -> None:
    none = hl.SpikeInput.empty(30, network.n_inputs)
    found = compare(network, ["loihi2"], none)
    assert found.rows[0].steps == 30


def test_as_fast_as_possible(network) -> None:
    found = compare(network, ["loihi1"], steps=STEPS, step_time_s="fastest")
    davies, sanafe = found.rows
    assert sanafe.step_time_s == pytest.approx(sanafe.step_mean_s, rel=1e-12)
    assert sanafe.static_j == pytest.approx(0.0296 * STEPS * sanafe.step_mean_s, rel=1e-12)
    assert (davies.total_j, davies.step_time_s) == (None, None)
    assert "without a time: message in" in found.to_text()


def test_hostile_names_stay_text() -> None:
    bad = '<script>alert("x")</script>|`*'
    neuron = hl.QuantizedPopulation("a", 1, 100, 100, 10, bias_mant=500)
    weights = sparse.csr_matrix(np.array([[2]]))
    loop = hl.QuantizedProjection("p", "a", "a", weights, sign_mode=hl.SignMode.MIXED)
    found = compare(hl.QuantizedNetwork((neuron,), (loop,), bad), ["loihi2"], steps=5)
    assert "<script>" not in found._repr_html_()
    assert "<script>" not in found.to_markdown().replace("\\<", "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"profiles": ["loihi9"]}, "no hardware profile 'loihi9'"),
        ({"profiles": []}, "no profile to compare"),
        ({"cost_sets": ["free"]}, "no cost set 'free'"),
        ({"inputs": hl.SpikeInput.empty(5, 99)}, "99 channels"),
        ({"steps": -1}, "steps: -1"),
        ({"step_time_s": 0.0, "profiles": ["loihi1"]}, "step_time_s"),
    ],
)
def test_wrong_questions(network, arguments, text) -> None:
    with pytest.raises(hl.HrsnnError, match=text):
        compare(network, **{"steps": 5, **arguments})
