"""Energy from the command line: no prices, prices of another chip, prices of one's own."""

from __future__ import annotations

import re

import pytest

OWN = """format = 1
name = "ours"
title = "our board"
description = "sanafe_loihi with one number of ours"
extends = "sanafe_loihi"
[[override]]
count = "spikes"
value_j = 50e-12
unit = "J"
source = "our measurement, board 7"
evidence = "measured"
condition = "0.75 V"
"""


@pytest.fixture
def ran(run, files):
    """The clock on Loihi 2, 70 steps: 10 spikes, 20 operations, 3 neurons; and on Loihi 1."""
    for chip in ("loihi1", "loihi2"):
        done = run("compile", files.clock, "--profile", chip, "-o", f"{chip}.hlx", "--quiet")
        assert done.code == 0, done.err
        run("simulate", f"{chip}.hlx", "--steps", 70, "-o", f"{chip}.npz", "--quiet")
    return run


def report(ran, chip, *options):
    outcome = ran("report", f"{chip}.hlx", "--trace", f"{chip}.npz", "--full", *options)
    assert outcome.code == 0, outcome.err
    return outcome


def energy_of(outcome):
    return outcome.json()["report"]["energy"]


def energy_rows(page):
    """Rows of the table of terms, without tags."""
    section = page[page.index('id="energy"') :]
    body = section[section.index("<tbody>") : section.index("</tbody>")]
    return [re.sub(r"<[^>]+>", " ", row) for row in body.split("</tr>") if "<td" in row]


def test_without_prices_the_total_is_null_and_every_count_is_there(ran):
    outcome = report(ran, "loihi2", "--json")
    found = energy_of(outcome)
    assert found["cost_set"] is found["total_j"] is found["dynamic_j"] is found["static_j"] is None
    counted = {term["key"]: term["count"] for term in found["terms"]}
    assert counted["synaptic_operations"] == 20
    assert counted["neuron_updates"] == 210
    assert counted["neuron_updates_active"] + counted["neuron_updates_inactive"] == 210
    assert counted["spikes"] == 10
    assert counted["messages"] == 10
    assert {"hops_x", "hops_y", "learning_updates", "macs"} <= set(counted)
    unpriced = {left["name"] for left in found["unpriced"]}
    assert {"synaptic operations", "neuron updates", "spikes", "messages"} <= unpriced
    assert "static power" in unpriced
    text = report(ran, "loihi2", "--quiet").out
    assert "total: null" in text
    assert "unpriced: synaptic operations (20), neuron updates (210)" in text
    page = report(ran, "loihi2", "--format", "html", "--quiet").out
    assert "not known" in page[page.index('id="energy"') :]


def test_prices_of_another_chip_are_called_a_proxy_in_text(ran):
    outcome = report(ran, "loihi2", "--cost-set", "sanafe_loihi")
    assert "prices loihi1, so all of its figures are a proxy for loihi2" in outcome.err
    section = outcome.out.split("\nENERGY\n")[1].split("\n\n")[0].splitlines()
    joules = re.compile(r"[\d.]+ [fpnµm]?[JW]\b")
    sentences = [line for line in section if not line.startswith("    ")]
    touched = [line for line in sentences if joules.search(line)]
    assert len(touched) >= 9 + 4  # terms, static, dynamic, total, ranges
    assert [line for line in touched if "proxy" not in line] == []


def test_prices_of_another_chip_are_called_a_proxy_in_json(ran):
    document = report(ran, "loihi2", "--cost-set", "sanafe_loihi", "--json").json()["report"]
    found = document["energy"]
    assert found["proxy"] is found["static"]["proxy"] is True
    assert {term["proxy"] for term in found["terms"]} == {True}
    assert found["total_j"] is not None
    assert {row["proxy"] for row in document["energy_by_cost_set"]} == {True}
    on_its_chip = energy_of(report(ran, "loihi1", "--cost-set", "sanafe_loihi", "--json"))
    assert on_its_chip["proxy"] is on_its_chip["static"]["proxy"] is False
    assert {term["proxy"] for term in on_its_chip["terms"]} == {False}


def test_prices_of_another_chip_are_called_a_proxy_in_the_page(ran):
    shown = ("--format", "html", "--quiet")
    page = report(ran, "loihi2", "--cost-set", "sanafe_loihi", *shown).out
    rows = energy_rows(page)
    assert len(rows) >= 9
    assert [row for row in rows if "proxy" not in row] == []
    own = energy_rows(report(ran, "loihi1", "--cost-set", "sanafe_loihi", *shown).out)
    assert not any("proxy" in row for row in own)


def test_ranges_are_in_json_and_text(ran):
    found = energy_of(report(ran, "loihi1", "--cost-set", "davies2018", "--json"))
    term = found["terms"][0]
    assert term["energy_j"] == pytest.approx(20 * 23.6e-12)
    assert (term["low_j"], term["high_j"]) == pytest.approx((20 * 23.6e-12, 20 * 35.5e-12))
    spikes = next(t for t in found["terms"] if t["key"] == "messages")
    assert spikes["low_j"] is spikes["high_j"] is None
    assert found["total_low_j"] < found["total_j"] < found["total_high_j"]
    assert found["total_high_j"] - found["total_j"] == pytest.approx(20 * 11.9e-12, rel=1e-4)
    text = " ".join(report(ran, "loihi1", "--cost-set", "davies2018").out.split())
    assert "range of synaptic operation (minimum): 23.6 pJ to 35.5 pJ, so 472 pJ to 710 pJ" in text
    assert "where sources differ" in text


def test_all_cost_sets_side_by_side(ran):
    document = report(ran, "loihi1", "--cost-set", "davies2018", "--json").json()["report"]
    rows = document["energy_by_cost_set"]
    names = [row["cost_set"] for row in rows]
    assert names == sorted(names)
    keys = {"cost_set", "chip", "scope", "evidence", "proxy", "dynamic_j", "static_j", "total_j"}
    assert all(keys | {"per_sop_j", "unpriced"} <= set(row) for row in rows)
    of = {row["cost_set"]: row for row in rows}
    assert of["davies2018"]["total_j"] == document["energy"]["total_j"]
    assert of["truenorth_all_in"]["total_j"] == pytest.approx(20 * 26e-12)
    assert of["spinnaker1_keras_spiking"]["total_j"] is None
    assert of["spinnaker1_keras_spiking"]["unpriced"]
    text = " ".join(report(ran, "loihi1").out.split())
    assert "not of their figures" in text
    assert "spinnaker1_keras_spiking (proxy): unpriced: message" in text


def test_45_nm_is_labelled_as_no_chip(ran):
    document = report(ran, "loihi2", "--json").json()["report"]
    found = document["conventions"]["ops_45nm"]
    assert found["energy_j"] == pytest.approx(20 * 0.9e-12)
    assert (found["ac_j"], found["mac_j"]) == (0.9e-12, 4.6e-12)
    assert found["dense_ann_energy_j"] == pytest.approx(2 * 70 * 4.6e-12)
    assert found["evidence"] == "unverified"
    text = " ".join(report(ran, "loihi2").out.split())
    assert "no chip; for comparison with papers" in text
    assert "no run" not in text


def test_a_price_of_ones_own_is_marked_wherever_it_counts(ran, tmp_path):
    (tmp_path / "ours.toml").write_text(OWN, encoding="utf-8")
    outcome = report(ran, "loihi1", "--cost-set", "ours.toml", "--json")
    found = energy_of(outcome)
    assert (found["cost_set"], found["bases"]) == ("ours", ["sanafe_loihi"])
    assert found["overridden"] == ["spikes"]
    changed = [term for term in found["terms"] if term["overridden"]]
    assert [term["key"] for term in changed] == ["spikes"]
    assert (changed[0]["energy_j"], changed[0]["replaces_j"]) == (10 * 50e-12, 69.3e-12)
    assert found["proxy"] is False
    rows = outcome.json()["report"]["energy_by_cost_set"]
    assert [row["cost_set"] for row in rows if row["used"]] == ["ours"]
    lines = report(ran, "loihi2", "--cost-set", "ours.toml", "--quiet").out.splitlines()
    for start in ("spike  ", "dynamic:", "total:"):
        line = next(line for line in lines if line.startswith(start))
        assert "overridden" in line
        assert "proxy" in line
    assert any(line.startswith("overridden: spike (proxy): 50 pJ in place of") for line in lines)


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ('source = "our measurement, board 7"\n', "", 3, "override.0.source: missing"),
        ("50e-12", "-50e-12", 3, "a price outside"),
        ('"spikes"', '"sparks"', 3, "override.0.count: 'sparks'"),
        ('"sanafe_loihi"', '"odin_all_in"', 3, "inside the all-in figure"),
        ('"sanafe_loihi"', '"ours.toml"', 3, "in a circle"),
    ],
)
def test_a_wrong_file_is_one_clear_error(ran, tmp_path, old, new, code, message):
    assert OWN.count(old) == 1
    (tmp_path / "ours.toml").write_text(OWN.replace(old, new), encoding="utf-8")
    for command in (
        ("report", "loihi1.hlx", "--trace", "loihi1.npz", "--cost-set", "ours.toml"),
        ("profiles", "ours.toml"),
    ):
        outcome = ran(*command)
        assert outcome.code == code
        assert message in outcome.err
        assert "Traceback" not in outcome.err


def test_no_such_set_or_file(ran):
    for name in ("gone", "gone.toml"):
        outcome = ran("report", "loihi1.hlx", "--cost-set", name)
        assert outcome.code == 2
        assert name in outcome.err


def test_profiles_lists_prices_with_their_ranges(run, tmp_path):
    listed = {row["name"]: row for row in run("profiles", "--json").json()["cost_sets"]}
    davies = listed["davies2018"]
    assert (davies["sop_j"], davies["sop_low_j"], davies["sop_high_j"]) == (
        23.6e-12,
        23.6e-12,
        35.5e-12,
    )
    assert davies["sop_source"] == "Davies et al. 2018, table 2"
    text = run("profiles").out
    assert "12.7 (8.43..54)" in text
    assert "different scope do not compare" in text
    shown = run("profiles", "davies2018").out
    assert "2.36e-11..3.55e-11" in shown
    assert re.search(r"time +3\.5e-09 +s +unverified", shown)
    (tmp_path / "ours.toml").write_text(OWN, encoding="utf-8")
    assert re.search(r"overridden, before +6\.93e-11", run("profiles", "ours.toml").out)


def test_the_spec_takes_a_set_of_ones_own(run, files, tmp_path):
    (tmp_path / "ours.toml").write_text(OWN, encoding="utf-8")
    outcome = run("run", files.spec, "--cost-set", "ours.toml", "--out", "o", "--json", "--quiet")
    assert outcome.code == 0, outcome.err
    found = energy_of(outcome)
    assert (found["cost_set"], found["overridden"]) == ("ours", ["spikes"])


def test_the_page_marks_a_price_of_ones_own_and_names_who_disagrees(ran, tmp_path):
    (tmp_path / "ours.toml").write_text(OWN, encoding="utf-8")
    shown = ("--cost-set", "ours.toml", "--format", "html", "--quiet")
    rows = energy_rows(report(ran, "loihi1", *shown).out)
    marked = [row.split()[0] for row in rows if "overridden" in row]
    assert marked == ["spike", "dynamic", "total"]
    spike = next(row for row in rows if row.split()[0] == "spike")
    assert "in place of 69.3 pJ" in spike
    synapses = next(row for row in rows if "synaptic operation" in row)
    assert "472 pJ to 710 pJ" in synapses
    assert "Range: SANA-FE itself" in synapses
    assert not any("proxy" in row for row in rows)


def test_texts_of_a_file_are_texts_in_the_page(ran, tmp_path):
    bad = "<script>alert(1)</script>{{ 7 * 7 }}"
    hostile = OWN.replace("our measurement, board 7", bad).replace("our board", bad)
    (tmp_path / "ours.toml").write_text(hostile, encoding="utf-8")
    page = report(ran, "loihi1", "--cost-set", "ours.toml", "--format", "html", "--quiet").out
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in page
