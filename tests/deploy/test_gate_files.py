"""Markdown and JUnit of the gate: well-formed and harmless whatever the names are."""

from __future__ import annotations

import re
import unicodedata
from xml.etree import ElementTree

import pytest
from gate_reports import changed, denser, report
from hypothesis import given
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava.deploy.compare.rendering import visible
from hrsnn_lava.deploy.gate.rendering import render_junit, render_markdown, render_text

EVIL = "<script>alert(1)</script>|`@all`\n## x \x00\x1b[31m\ud800\u202e ![a](http://b) #12 & _i_"


def evil():
    """A failing result in which every name that a user chooses is hostile."""
    data = denser(report(), 5)
    data["sop"]["per_projection"][EVIL] = {**data["sop"]["per_projection"]["out"], "operations": 99}
    data = changed(data, project=EVIL, profile=EVIL, summary=EVIL)
    data["energy"]["cost_set"] = EVIL
    key = f"max:/sop/per_projection/{EVIL.replace('~', '~0').replace('/', '~1')}/operations"
    return hl.check(data, {key: 3, "max:sop.nothing": 1}, report(), {"sops": 0, "energy": 0})


def failing():
    budgets = {"max_sops": 16, "max_cores": 3, "max_energy_uj": 1e9}
    return hl.check(
        denser(report("loihi2", "sanafe_loihi")), budgets, report("loihi2", "sanafe_loihi")
    )


def test_the_summary_says_what_failed_what_grew_and_on_what_prices():
    text = render_markdown(failing())
    assert text.startswith("## ❌ FAIL: <code>clock</code> on <code>loihi2</code>\n")
    assert "- max_sops: 25 SOP; allowed: ≤ 16 SOP; 9 SOP, 56.25 % above the limit" in text
    assert "| ❌ FAIL | <code>max_sops</code> | 25 SOP | ≤ 16 SOP | -56.25 % |" in text
    assert "| ✅ | <code>max_cores</code> | 3 cores | ≤ 3 cores | 0 % |" in text
    assert "| ❌ FAIL | <code>sops</code> | 20 SOP | 25 SOP | +25 % | at most 0 % higher |" in text
    assert "**Projections that grew**" in text
    assert "- <code>out</code>: 20 → 25 SOP (+25 %), 2 → 3 synapses" in text
    assert "cost set sanafe_loihi (per_term), evidence: derived" in text
    assert "µJ (proxy) |" in text
    assert "proxy: prices of another chip</sub>" in text


def test_a_summary_of_a_pass():
    text = render_markdown(hl.check(report(), {"max_sops": 20}))
    assert text.startswith("## ✅ PASS")
    assert "every check passed" in text
    assert "What failed" not in text
    assert "Most synaptic operations: <code>out</code> 100 %" in text


def test_the_text_names_every_breach_and_the_projection():
    text = render_text(failing())
    assert text.startswith("FAIL  clock on loihi2")
    assert re.search(r"FAIL  max_sops +25 SOP +<= 16 SOP +-56.25 %", text)
    assert re.search(r"ok +max_energy_uj .* proxy", text)
    assert "grew: out: 20 -> 25 SOP (+25 %), 2 -> 3 synapses" in text


def cells(line):
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def assert_harmless(text):
    tags = {t.strip("</>") for t in re.findall(r"<[^>]*>", text)}
    assert tags <= {"code", "sub", "br"}
    names = "".join(re.findall(r"<code>.*?</code>", text))
    assert not re.search(r"[`@|\\*\[\]]", names)
    for line in text.split("\n"):
        bare = re.sub(r"<code>.*?</code>", "", line)
        assert not re.search(r"`|@|://|\]\(", bare)
        assert not any(unicodedata.category(c).startswith("C") for c in bare)
    tables = [block.split("\n") for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({cells(line) for line in table}) == 1
    text.encode("utf-8")


def test_names_are_escaped_in_markdown():
    text = render_markdown(evil())
    assert_harmless(text)
    assert "&#60;script&#62;alert(1)" in text
    assert "\n## x" not in text


@given(st.text(max_size=60))
def test_any_name_is_harmless_in_markdown(name):
    data = changed(denser(report()), project=name, summary=name)
    data["sop"]["per_projection"][name] = data["sop"]["per_projection"].pop("out")
    text = render_markdown(hl.check(data, {"max_sops": 1}, report()))
    assert_harmless(text)


@pytest.mark.parametrize("make", [failing, evil, lambda: hl.check(report())])
def test_junit_is_well_formed_and_counts_what_it_holds(make):
    result = make()
    suite = ElementTree.fromstring(render_junit(result).encode()).find("testsuite")
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases) == result.checked
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
    assert int(suite.get("failures")) == len(result.breaches)
    assert int(suite.get("errors")) == 0
    assert all(case.get("name") and case.get("classname") for case in cases)


def test_a_case_per_budget_and_per_comparison():
    root = ElementTree.fromstring(render_junit(failing()).encode())
    cases = {(c.get("classname"), c.get("name")): c for c in root.iter("testcase")}
    assert list(cases) == [
        ("hrsnn-lava.report", "verdict"),
        ("hrsnn-lava.budget", "max_sops"),
        ("hrsnn-lava.budget", "max_cores"),
        ("hrsnn-lava.budget", "max_energy_uj"),
        ("hrsnn-lava.baseline", "sops"),
        ("hrsnn-lava.baseline", "cores"),
        ("hrsnn-lava.baseline", "energy_uj"),
    ]
    failure = cases["hrsnn-lava.baseline", "sops"].find("failure")
    assert "20 SOP -> 25 SOP (+25 %)" in failure.get("message")
    assert "grew: out: 20 -> 25 SOP" in failure.text
    assert cases["hrsnn-lava.budget", "max_cores"].find("failure") is None


def test_what_was_left_out_is_skipped():
    data = report("loihi2", None)
    suite = ElementTree.fromstring(render_junit(hl.check(data, baseline=data)).encode())[0]
    skipped = suite.find("testcase[@name='energy_uj']/skipped")
    assert "energy.total_j is null" in skipped.get("message")
    assert suite.get("skipped") == "1"
    assert "➖ left out" in render_markdown(hl.check(data, baseline=data))


@given(st.text(max_size=60))
def test_junit_takes_any_name(name):
    data = changed(denser(report()), project=name, profile=name, summary=name, verdict="FAIL")
    data["sop"]["per_projection"][name] = data["sop"]["per_projection"].pop("out")
    text = render_junit(hl.check(data, {"max_sops": 1}, report()))
    root = ElementTree.fromstring(text.encode())
    assert root[0].get("name").startswith("hrsnn-lava check: ")


def test_long_names_are_cut():
    assert visible("a" * 500) == "a" * 79 + "…"
    assert visible("a\tb\u2028\u0085é😀") == "a\\u0009b\\u2028\\u0085é😀"
