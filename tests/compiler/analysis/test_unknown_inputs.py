"""A trace without its inputs: the operations are unknown, and so is all that rests on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hrsnn_lava as hl

LOOSE = {"max_sops": 10**9, "max_energy_uj": 1e9, "max_dynamic_energy_uj": 1e9, "max_spikes": 100}


def network(inputs=True):
    """Two channels onto three neurons; each hears a channel or both, and 0 excites 1."""
    neurons = hl.QuantizedPopulation("a", 3, du=4095, dv=4095, vth=2)
    inner = hl.QuantizedProjection("rec", "a", "a", np.array([[0, 0, 0], [2, 0, 0], [0, 0, 0]]))
    if not inputs:
        return hl.QuantizedNetwork((neurons,), (inner,))
    outer = hl.QuantizedProjection("in", "x", "a", np.array([[4, 0], [0, 4], [4, 4]]))
    return hl.QuantizedNetwork((hl.QuantizedInput("x", 2), neurons), (outer, inner))


@pytest.fixture(scope="module")
def compiled():
    return hl.compile(network(), "loihi1")


@pytest.fixture(scope="module")
def whole(compiled):
    """Channel 0 in steps 0 and 2, channel 1 in 2 and 5: each event meets two synapses."""
    inputs = hl.SpikeInput([0, 2, 2, 5], [0, 0, 1, 1], 10, 2)
    return hl.simulate(compiled, inputs, 10, probes=("v", "u"))


@pytest.fixture(scope="module")
def lost(whole):
    """The same run, its inputs forgotten."""
    return replace(whole, inputs=None)


def reports(compiled, whole, lost, **options):
    """The report with the inputs and the one without, as data."""
    options = {"cost_set": "sanafe_loihi", "samples": 2} | options
    return [hl.report(compiled, trace, **options).to_dict() for trace in (whole, lost)]


def test_the_counts_by_hand(compiled, whole, lost):
    """4 events x 2, and 2 spikes of neuron 0 x 1; neurons 0 and 2, then all, then 1 and 2 fire."""
    known, unknown = reports(compiled, whole, lost)
    assert whole.spike_steps.tolist() == [1, 1, 3, 3, 3, 6, 6]
    assert whole.spike_neurons.tolist() == [0, 2, 0, 1, 2, 1, 2]
    assert known["sop"]["inputs_known"] is True
    assert [known["sop"][key] for key in ("total", "recurrent", "issued")] == [10, 2, 10]
    assert known["sop"]["per_projection"]["in"]["operations"] == 8
    # what is left is a lower bound, and marked as one
    assert unknown["sop"]["inputs_known"] is False
    assert unknown["sop"]["total"] == unknown["sop"]["recurrent"] == 2
    assert unknown["sop"]["per_projection"]["in"]["operations"] == 0
    # what the neurons did is known all the same
    for key in ("spikes", "neuron_updates", "neuron_updates_active", "messages", "hops"):
        assert known["activity"][key] == unknown["activity"][key]


def test_no_energy_is_whole(compiled, whole, lost):
    known, unknown = (data["energy"] for data in reports(compiled, whole, lost))
    assert known["unpriced"] == []
    assert known["total_j"] == pytest.approx(known["dynamic_j"] + known["static_j"], rel=1e-12)
    for key in ("total_j", "total_low_j", "total_high_j", "per_step_j", "per_sample_j"):
        assert known[key] is not None
        assert unknown[key] is None
    by_count = {term["key"]: term for term in unknown["terms"]}
    assert by_count["synaptic_operations"]["count"] is None
    assert by_count["synaptic_operations"]["energy_j"] is None
    assert by_count["spikes"]["count"] == 7
    assert by_count["spikes"]["energy_j"] is not None
    left = {row["name"]: (row["count"], row["reason"]) for row in unknown["unpriced"]}
    assert left["synaptic operation"] == (None, "the count is not known")
    # what is priced is all but the operations, 33.6 pJ each
    assert known["dynamic_j"] - unknown["dynamic_j"] == pytest.approx(10 * 33.6e-12, rel=1e-6)
    assert unknown["static_j"] == known["static_j"]


def test_no_cost_set_has_a_total(compiled, whole, lost):
    known, unknown = (data["energy_by_cost_set"] for data in reports(compiled, whole, lost))
    assert any(row["total_j"] is not None for row in known)
    assert [row["cost_set"] for row in known] == [row["cost_set"] for row in unknown]
    for row in unknown:
        assert row["total_j"] is None
        assert not row["dynamic_complete"]
        assert any(left["name"].startswith("synaptic operation") for left in row["unpriced"])


def test_figures_of_the_report_are_null(compiled, whole, lost):
    known, unknown = reports(compiled, whole, lost)
    convention = [data["conventions"]["ops_45nm"] for data in (known, unknown)]
    # 0.9 pJ an accumulation
    assert (convention[0]["acs"], convention[1]["acs"]) == (10, None)
    assert convention[0]["energy_j"] == pytest.approx(10 * 0.9e-12)
    assert convention[1]["energy_j"] is None
    # steps 0..4 hold three events and both spikes of neuron 0, steps 5..9 one event
    assert (known["per_sample"]["sops"]["min"], known["per_sample"]["sops"]["max"]) == (2, 8)
    for key in ("mean", "sd", "min", "max"):
        assert unknown["per_sample"]["sops"][key] is None
        assert unknown["per_sample"]["total_j"][key] is None
        assert known["per_sample"]["total_j"][key] is not None
    # 10 operations in 10 steps of 1 ms
    assert known["per_second"]["sops"] == pytest.approx(1000.0)
    assert unknown["per_second"]["sops"] is None
    assert unknown["per_second"]["total_w"] is None
    assert unknown["provenance"]["input_digest"] is None


def test_budgets_are_broken_by_the_unknown(compiled, whole, lost):
    known, unknown = reports(compiled, whole, lost, budgets=LOOSE)
    assert (known["verdict"], unknown["verdict"]) == ("PASS", "FAIL")
    assert all(row["ok"] for row in known["budgets"])
    rows = {row["key"]: row for row in unknown["budgets"]}
    assert {key: rows[key]["ok"] for key in LOOSE} == dict.fromkeys(LOOSE, False) | {
        "max_spikes": True
    }
    assert rows["max_spikes"]["value"] == 7
    for key in ("max_sops", "max_energy_uj", "max_dynamic_energy_uj"):
        assert rows[key]["value"] is None
        assert rows[key]["margin_percent"] is None
    reason = "sop.total is a lower bound: the trace does not hold its input spikes"
    assert rows["max_sops"]["reason"] == reason
    # graded operations are not known either, since graded inputs would be lost as well
    left = "no price for synaptic operation, graded operation"
    assert rows["max_energy_uj"]["reason"] == f"energy.total_j is null: {left}"
    assert rows["max_dynamic_energy_uj"]["reason"] == f"energy.dynamic_j is incomplete: {left}"
    start = "budget not kept: max_sops is not known, allowed <= 1,000,000,000 SOP and 2 more"
    assert unknown["summary"].startswith(start)


@pytest.mark.parametrize(
    "key",
    [
        "max_sops",
        "max_sops_per_step",
        "max_sops_peak_step",
        "max_sops_per_inference",
        "max_sops_worst_inference",
        "max_sops_issued",
        "max_sops_busiest_core",
        "max_macs",
        "max_energy_uj",
        "max_energy_high_uj",
        "max_energy_uj_per_inference",
        "max_energy_uj_worst_inference",
        "max_energy_uj_per_step",
        "max_dynamic_energy_uj",
        "max_dynamic_energy_uj_per_inference",
        "max_dynamic_energy_uj_per_step",
        "max_energy_pj_per_sop",
        "max_power_mw",
        "max:sop.per_projection.in.operations",
        "max:per_second.total_w",
    ],
)
def test_every_budget_on_operations_and_energy_is(compiled, whole, lost, key):
    """Whatever the limit: a gate that passes because nothing was measured is none."""
    known, unknown = reports(compiled, whole, lost)
    assert hl.check(known, {key: 1e12}).rows[0].ok
    row = hl.check(unknown, {key: 1e12}).rows[0]
    assert (row.ok, row.value) == (False, None)
    with pytest.raises(hl.HrsnnError, match="1 of 2 checks failed") as found:
        hl.check(unknown, {key: 1e12}).require()
    assert found.value.exit_code == 5


def test_the_text_says_so(compiled, whole, lost):
    options = {"cost_set": "sanafe_loihi", "samples": 2, "budgets": LOOSE}
    known, unknown = (hl.report(compiled, t, **options).to_text() for t in (whole, lost))
    said = (
        "the trace does not hold its inputs: operations of inputs are missing",
        "total: null, since counts without a price remain",
        "unpriced: synaptic operation, graded operation: the count is not known",
        "max_sops: sop.total is a lower bound: the trace does not hold its input spikes",
        "max_energy_uj: energy.total_j is null: no price for synaptic operation",
        "FAIL",
        "dynamic, priced terms only:",
    )
    for text in said:
        assert text in unknown
        assert text not in known
    assert "10 in 10 steps, 1 a step; recurrent 2" in known
    sops = [line.split() for line in unknown.splitlines() if line.startswith("SOPs ")]
    assert sops == [["SOPs", "–", "–", "–", "–"]]
    page = hl.report(compiled, lost, **options).to_html()
    assert "The trace does not hold its inputs: their operations are missing." in page
    assert "The trace does not hold" not in hl.report(compiled, whole, **options).to_html()


def test_a_run_that_was_given_no_inputs_is_known_to_have_had_none(compiled):
    data = hl.report(compiled, hl.simulate(compiled, None, 10), "sanafe_loihi").to_dict()
    assert (data["sop"]["inputs_known"], data["sop"]["total"]) == (True, 0)
    assert data["energy"]["total_j"] is not None


def test_a_network_without_inputs_misses_none():
    compiled = hl.compile(network(inputs=False), "loihi1")
    lost = replace(hl.simulate(compiled, None, 10), inputs=None)
    data = hl.report(compiled, lost, "sanafe_loihi", budgets={"max_sops": 0}).to_dict()
    assert (data["sop"]["inputs_known"], data["verdict"]) == (True, "PASS")
    assert data["energy"]["total_j"] is not None


def test_counting_on_the_way_knows_what_a_trace_with_inputs_knows(compiled, whole):
    counts = hl.count(compiled, whole.inputs, 10)
    assert counts.ops.inputs_known
    data = hl.report(compiled, counts=counts, cost_set="sanafe_loihi").to_dict()
    assert data["sop"]["total"] == 10
    assert hl.count(compiled, None, 10).ops.inputs_known


def test_a_trace_file_keeps_what_is_known(compiled, whole, lost, tmp_path):
    for trace, known in ((whole, True), (lost, False)):
        trace.save(tmp_path / "trace.npz")
        data = hl.report(compiled, hl.Trace.load(tmp_path / "trace.npz"), "sanafe_loihi").to_dict()
        assert data["sop"]["inputs_known"] is known
        assert (data["energy"]["total_j"] is not None) is known
