"""The report for a terminal, and how numbers are written."""

from __future__ import annotations

import pytest

from hrsnn_lava.report.document import build_report
from hrsnn_lava.report.format import integer, number, percent, show, si, table
from hrsnn_lava.report.sections.comparison import Comparison
from hrsnn_lava.report.sections.constraints import core_groups

ORDER = (
    "CONSTRAINTS",
    "PER CORE DISTRIBUTION",
    "TRANSFORMS",
    "HETEROGENEITY",
    "MAPPING",
    "SYNAPTIC OPERATIONS",
    "ENERGY",
    "PARITY",
    "ACCURACY",
    "COMPARISON",
    "NEUROBENCH",
    "PROVENANCE",
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (33.6e-12, "33.6 pJ"),
        (0.0, "0 J"),
        (1.0, "1 J"),
        (0.00099999, "1 mJ"),
        (999.96e-6, "1 mJ"),
        (2.4e-19, "0.00024 fJ"),
        (-3.5e-3, "-3.5 mJ"),
        (None, "–"),
    ],
)
def test_si(value, text):
    assert si(value, "J") == text


def test_numbers():
    assert integer(1234567) == "1,234,567"
    assert percent(0.12345) == "12.3 %"
    assert percent(None) == "–"
    assert number(0.123456) == "0.1235"
    assert number(15332.98) == "15,333"
    assert number(True) == "yes"
    assert show({"a_b": [1, 2.5], "c": None}) == "a b 1, 2.5, c –"
    assert show(list(range(9))) == "0, 1, 2, 3, 4, 5, … (9)"


def test_table_aligns():
    text = table(["name", "n"], [["a", "1"], ["bcdef", "22"]])
    assert text.splitlines() == ["name    n", "-----  --", "a       1", "bcdef  22"]


def test_the_verdict_comes_first_and_sections_keep_their_order(whole):
    text = whole.to_text()
    assert text.startswith("PASS  small: fits loihi1")
    places = [text.index(f"\n{title}\n") for title in ORDER]
    assert places == sorted(places)


def test_the_core_table_has_lavas_columns(whole):
    line = next(x for x in whole.to_text().splitlines() if "AxonIn" in x)
    assert line.split()[1:7] == [
        "AxonIn",
        "NeuronGr",
        "Neurons",
        "Synapses",
        "AxonMap",
        "AxonMem",
    ]


def test_many_cores_are_grouped_with_their_extent():
    cores = [{"core": k, "neurons": k % 7} for k in range(100)]
    rows = core_groups(cores, ["neurons"])
    assert len(rows) <= 16
    assert rows[0] == ["0-6", "0-6", "7"]
    assert sum(int(row[-1]) for row in rows) == 100
    assert core_groups(cores[:2], ["neurons"]) == [["0", "0", "1"], ["1", "1", "1"]]


def test_terms_show_count_price_energy_evidence_and_source(whole):
    text = whole.to_text()
    line = next(x for x in text.splitlines() if x.startswith("synaptic operation "))
    total = whole.to_dict()["sop"]["total"]
    assert f"{total:,}" in line
    assert "33.6 pJ" in line
    assert "derived" in line
    assert "[1] SANA-FE 2.2.9 arch/loihi.yaml" in text
    assert "static: 29.6 mW x 1 chip x 60 ms (60 steps of 1 ms) = 1.776 mJ  [measured]" in text
    assert "not included: bias writes" in text


def test_the_word_proxy_stands_on_every_energy_line(proxied):
    section = proxied.to_text().split("\nENERGY\n")[1].split("\n\n")[0].splitlines()
    first = next(k for k, line in enumerate(section) if line.startswith("----")) + 1
    terms = section[first : first + len(proxied.to_dict()["energy"]["terms"])]
    assert all("proxy" in line for line in terms)
    for name in ("cost set", "static:", "dynamic:", "total:"):
        assert "proxy" in next(line for line in section if line.startswith(name))


def test_no_prices_no_total(unpriced):
    text = unpriced.to_text()
    assert "total: null" in text
    assert "unpriced: synaptic operations (" in text
    assert "name one of another chip to get a proxy" in " ".join(text.split())


def test_without_a_run_it_says_what_to_give(bare):
    assert bare.to_text().count("give a trace") == 2


def test_violations_stand_under_the_verdict(hostile):
    head = hostile.to_text().split("\n\n")[0]
    assert head.startswith("FAIL")
    assert head.count("in_axons: core") == len(hostile.to_dict()["violations"])


def test_lines_are_no_wider_than_a_terminal(whole):
    wide = [line for line in whole.to_text().splitlines() if len(line) > 110]
    assert wide == []


def test_parity_names_backends_steps_and_the_first_difference(compiled, trace):
    parity = {"backends": ["reference", "native"], "steps": 60, "mismatches": 1}
    parity |= {"first": "step 3, neuron 4: 1 and 2", "skipped": {"lava": "not <there>"}}
    parity["network_digest"] = compiled.network_digest
    report = build_report(compiled, trace, parity=parity)
    text = report.to_text()
    assert "reference = native, 60 steps, 1 mismatches" in text
    assert "step 3, neuron 4: 1 and 2" in text
    assert "lava not <there>" in text
    page = report.to_html()
    assert "First difference: step 3, neuron 4" in page
    assert "not &lt;there&gt;" in page


def test_a_comparison_shows_known_columns_first_and_states_what_is_alike():
    rows = [
        {"name": "a", "extra": 1, "rmse_mean": 0.2, "starts": 3, "each": [1, 2], "sops": 10},
        {"name": "b", "rmse_mean": 0.25123, "starts": 3, "each": [3, 4], "extra": 2},
    ]
    whole = Comparison.of(rows)
    assert whole.head == ("network", "SOPs", "RMSE", "extra")
    assert whole.rows == (("a", "10", "0.2", "1"), ("b", "–", "0.251", "2"))
    assert whole.common == "starts 3"
    assert whole.cut(15).head == ("network", "SOPs")
    assert whole.cut(1).head == ("network",)
    assert Comparison.of(rows[:1]).common == ""
