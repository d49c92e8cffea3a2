"""The answers at the top: their order, their figures, and what the run before pruning cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.report import headline
from hrsnn_lava.report.document import build_report, in_order
from hrsnn_lava.report.unpruned import UnprunedRun
from hrsnn_lava.sim_backends.runs.counting import count

#: Picojoules that SANA-FE states for Loihi: of an operation, a message, a spike; access, update.
PRICES = {"operation": 33.6e-12, "message": 111e-12, "spike": 69.3e-12, "neuron": 72.8e-12}
STATIC_W = 29.6e-3


def chain(fan_out):
    """One neuron that its bias fires again and again, onto `fan_out` others that never do."""
    n = 1 + fan_out
    dense = np.zeros((n, n), dtype=np.int32)
    dense[1:, 0] = 2
    bias, vth = [100, *[0] * fan_out], [2, *[10_000] * fan_out]
    neurons = hl.QuantizedPopulation("n", n, du=4095, dv=0, vth=vth, bias_mant=bias)
    projection = hl.QuantizedProjection("out", "n", "n", sparse.csr_matrix(dense))
    return hl.QuantizedNetwork((neurons,), (projection,), "chain").verify()


def test_answers_stand_in_the_order_of_the_questions(whole):
    text = whole.to_summary()
    assert text.startswith("PASS  small: fits loihi1 on 5 of 128 cores")
    topics = ["PASS", "\nsize ", "\nright ", "\ncost ", "\npruning "]
    places = [text.index(topic) for topic in topics]
    assert places == sorted(places)
    assert "parity: reference = native, 60 steps, 0 mismatches" in text
    data = whole.to_dict()
    assert f"{data['sop']['total']:,} in 60 steps" in text
    assert f"{data['sop']['ratio']:.1f} times fewer SOPs" in text


def test_findings_stand_right_under_the_verdict(whole):
    lines = whole.to_summary().splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("  "))
    assert whole.to_dict()["findings"]
    assert first < next(k for k, line in enumerate(lines) if line.startswith("size"))


@pytest.mark.parametrize("name", ["whole", "rich", "proxied", "unpriced", "bare", "hostile"])
def test_a_summary_is_short_and_the_whole_text_begins_like_it(request, name):
    report = request.getfixturevalue(name)
    summary = report.to_summary("the end")
    assert len(summary.splitlines()) <= 30
    assert summary.endswith("the end\n")
    assert report.to_text().splitlines()[0] == summary.splitlines()[0]
    assert len(report.to_text().splitlines()) > len(summary.splitlines())


def test_what_is_not_known_is_said(bare, unpriced):
    text = bare.to_summary()
    assert "parity not checked: `report --verify`" in text
    assert "cost    not known: give a run" in text or "cost   not known: give a run" in text
    assert "energy not known: no prices" in unpriced.to_summary()


def test_every_section_has_its_text_by_name(whole):
    for section in in_order():
        text = whole.section(section.name)
        assert text.endswith("\n")
        assert section.name == "verdict" or text.rstrip() in whole.to_text() or "nothing" in text
    with pytest.raises(SpecError, match=r"section 'enregy'; allowed: verdict, .*'energy'"):
        whole.section("enregy")


@pytest.fixture(scope="module")
def pruned():
    """A network whose 4 synapses were pruned to 1, on the chip, and its run."""
    before, after = chain(4), chain(1)
    compiled = hl.compile(after, "loihi1")
    trace = hl.simulate(compiled, steps=100)
    assert trace.n_spikes > 20
    return before, compiled, trace


def test_the_unpruned_energy_by_hand(pruned):
    """Of an unplaced network all but messages between cores and hops is exact: here, all."""
    before, compiled, trace = pruned
    run = hl.simulate(before, steps=100)
    report = hl.report(compiled, trace, network_before=before, trace_before=run)
    spikes = trace.n_spikes
    unpruned, own = (report.to_dict()["energy"][k] for k in ("unpruned", "dynamic_j"))
    assert (unpruned["sops"], unpruned["spikes"]) == (4 * spikes, spikes)
    each = PRICES["message"] + PRICES["spike"]
    for fan_out, joules in ((4, unpruned["dynamic_j"]), (1, own)):
        neurons = (1 + fan_out) * 100 * 51.2e-12  # every neuron is looked at in every step
        least = spikes * (fan_out * PRICES["operation"] + each) + neurons
        assert least <= joules <= least + (1 + fan_out) * 100 * 21.6e-12
    assert unpruned["static_j"] == pytest.approx(STATIC_W * 0.1)
    assert unpruned["total_j"] == pytest.approx(unpruned["dynamic_j"] + unpruned["static_j"])
    assert not unpruned["exact"]
    text = report.to_summary()
    assert "unpruned ≥ " in text
    assert "4.0 times fewer SOPs" in text
    assert "unpruned" in report.to_html()


def test_an_unpruned_network_on_the_chip_has_cores_and_messages_of_its_own(pruned):
    before, compiled, trace = pruned
    spread = hl.compile(before, "loihi1")
    run = hl.simulate(spread, steps=100)
    report = hl.report(compiled, trace, network_before=spread, trace_before=run)
    unpruned = report.to_dict()["energy"]["unpruned"]
    assert (unpruned["exact"], unpruned["cores"], unpruned["chips"]) == (True, 1, 1)
    alone = hl.report(spread, run).to_dict()["energy"]
    assert unpruned["dynamic_j"] == pytest.approx(alone["dynamic_j"], rel=1e-12)
    assert unpruned["total_j"] == pytest.approx(alone["total_j"], rel=1e-12)
    elsewhere = hl.compile(before, "loihi2")
    other = hl.report(compiled, trace, network_before=elsewhere, trace_before=run)
    assert other.to_dict()["energy"]["unpruned"]["exact"] is False


def test_counts_take_the_place_of_the_run_before(pruned):
    before, compiled, trace = pruned
    run = UnprunedRun.of(before, [count(before, None, 60), count(before, None, 40)])
    assert (run.steps, run.total) == (100, run.recurrent)
    data = hl.report(compiled, trace, unpruned=run).to_dict()
    assert data["sop"]["reference"] == {"total": run.total, "recurrent": run.recurrent}
    with pytest.raises(SpecError, match="unpruned: 100 steps; allowed: 60"):
        hl.report(compiled, hl.simulate(compiled, steps=60), unpruned=run)
    with pytest.raises(SpecError, match="no run of the unpruned network"):
        UnprunedRun.of(before, [])
    with pytest.raises(SpecError, match="unpruned: dict; allowed: a UnprunedRun"):
        hl.report(compiled, trace, unpruned={})


SPIKES = [
    ({"float": 1000, "integer": 1051}, ["float_mismatch"]),
    ({"float": 1000, "integer": 949}, ["float_mismatch"]),
    ({"float": 1000, "integer": 1050}, []),
    ({"float": 0, "integer": 3}, ["float_mismatch"]),
    ({"float": 0, "integer": 0}, []),
]


@pytest.mark.parametrize(("spikes", "kinds"), SPIKES)
def test_counts_beyond_five_percent_are_a_finding(compiled, trace, spikes, kinds):
    compared = {"steps": 60, "spikes": spikes, "rate_ratio": None}
    compared["network_digest"] = compiled.network_digest
    data = build_report(compiled, trace, float_vs_integer=compared).to_dict()
    rows = [f for f in data["findings"] if f["kind"] == "float_mismatch"]
    assert [f["kind"] for f in rows] == kinds
    assert all(f["severity"] == "warning" for f in rows)
    assert data["verdict"] == "PASS"
    for row in rows:
        assert f"{spikes['integer']:,} spikes" in row["measured"]
        assert f"{spikes['float']:,} in 60 steps" in row["measured"]


def test_a_population_that_is_off_is_a_finding_where_the_total_is_not(compiled, trace):
    parts = {"exc": {"float": 1000, "integer": 1100}, "inh": {"float": 1000, "integer": 900}}
    compared = {"steps": 60, "spikes": {"float": 2000, "integer": 2000}, "populations": parts}
    compared["network_digest"] = compiled.network_digest
    data = build_report(compiled, trace, float_vs_integer=compared).to_dict()
    row = next(f for f in data["findings"] if f["kind"] == "float_mismatch")
    assert row["where"] == "population 'exc'"
    assert "+10 %" in row["measured"]
    assert "population 'inh'" in row["meaning"]
    few = {"exc": {"float": 10, "integer": 12}}  # two spikes more are chance
    data = build_report(
        compiled, trace, float_vs_integer={**compared, "populations": few}
    ).to_dict()
    assert not [f for f in data["findings"] if f["kind"] == "float_mismatch"]
    ratio = {**compared, "rate_ratio": 0.5, "spikes": {}, "populations": {}}
    alone = build_report(compiled, trace, float_vs_integer=ratio).to_dict()
    assert [f["kind"] for f in alone["findings"] if f["severity"] == "warning"][-1:] == [
        "float_mismatch"
    ]


def test_a_wrong_program_is_found_by_comparing_it(small_network, compiled):
    """Integers whose thresholds are half as high fire more than the floats."""
    values = np.abs(np.random.default_rng(3).normal(0.5, 0.2, (20, 2)))
    right = hl.compare_float(small_network, compiled, values, steps_per_sample=10)
    assert abs(right["rate_ratio"] - 1) < 0.05
    network = compiled.network
    populations = tuple(
        p if p.is_input else replace(p, vth=np.maximum(p.vth // 2, 1)) for p in network.populations
    )
    wrong = replace(compiled, network=replace(network, populations=populations).verify())
    compared = hl.compare_float(small_network, wrong, values, steps_per_sample=10)
    assert compared["rate_ratio"] > 1.05
    report = hl.report(wrong, float_vs_integer=compared)
    assert "float_mismatch" in {f["kind"] for f in report.to_dict()["findings"]}
    assert "against the float network: " in report.to_summary()


def test_prices_are_those_of_the_command(compiled, trace, small_network):
    assert hl.report(compiled, trace).to_dict()["energy"]["cost_set"] == "sanafe_loihi"
    for nothing in (False, "none"):
        energy = hl.report(compiled, trace, nothing).to_dict()["energy"]
        assert (energy["cost_set"], energy["total_j"]) == (None, None)
    other = hl.compile(small_network, "loihi2")
    assert not HardwareProfile.load("loihi2").cost_sets
    assert hl.report(other).to_dict()["energy"]["cost_set"] is None
    with pytest.raises(SpecError, match="cost_set: bool; allowed: a CostSet, its name, False"):
        hl.report(compiled, trace, True)


def test_figures_lead_to_their_sections(whole, bare):
    named = {tile.name: tile.section for tile in headline.tiles(whole.to_dict())}
    assert named["mismatches"] == "parity"
    assert named["SOPs per step"] == "sop"
    assert named["energy of the run"] == "energy"
    assert {t.name: t.section for t in headline.tiles(bare.to_dict())}["parity"] == ""
    page = whole.to_html()
    for section in ("constraints", "parity", "sop", "energy"):
        assert f'<a href="#{section}"><span>' in page


def test_the_foot_says_when_and_by_what(whole):
    stamped = replace(whole, made="2026-01-02 03:04:05 UTC by hrsnn-lava report <x>")
    assert stamped.to_json() == whole.to_json()
    assert stamped.to_text() == whole.to_text() + "\n" + stamped.made + "\n"
    assert "03:04:05 UTC by hrsnn-lava report &lt;x&gt;</bdi></p></footer>" in stamped.to_html()
    assert "<footer>" not in whole.to_html()
