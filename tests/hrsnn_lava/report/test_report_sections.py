"""Sections: placed once, open to others; what a report takes and what it never does."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hrsnn_lava as hl
import hrsnn_lava.report.document as document
from hrsnn_lava import registry
from hrsnn_lava.errors import PartError, SpecError
from hrsnn_lava.report.document import ORDER, PAGE, build_report
from hrsnn_lava.sim_backends.runs.counting import recount
from hrsnn_lava.trace import Trace

FAN_IN = """
from markupsafe import Markup, escape

from hrsnn_lava.report.format import titled
from hrsnn_lava.report.section import Section


def data(facts):
    network = facts.compiled.network
    return {KEY: network.n_synapses / network.n_neurons}


def text(report):
    return titled("Fan-in", f"{report[KEY]:.1f} synapses a neuron")


def html(report, facts):
    return Markup("<p>{} of {}</p>").format(report[KEY], facts.compiled.network.name)


SECTION = Section("NAME", "Fan-in", data, text, html, after="AFTER")
"""


def forget_modules():
    for name in [name for name in sys.modules if name.startswith("hrsnn_lava_parts.")]:
        del sys.modules[name]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Writes a section of the user's own."""
    monkeypatch.setenv("HRSNN_LAVA_PARTS", str(tmp_path))
    (tmp_path / "section").mkdir()

    def write(name, after="", key="fan_in"):
        source = FAN_IN.replace("NAME", name).replace("AFTER", after).replace("KEY", repr(key))
        (tmp_path / "section" / f"{name}.py").write_text(source)
        registry.forget()

    yield write
    monkeypatch.undo()
    registry.forget()
    forget_modules()


def test_every_section_is_placed_once():
    on_page = [name for row in PAGE for name in row]
    assert sorted(ORDER) == sorted(registry.names("section"))
    assert sorted([*on_page, "verdict"]) == sorted(ORDER)
    for name in ORDER:
        assert registry.load("section", name).name == name


def test_a_section_of_ones_own_stands_where_it_says(plugin, compiled, trace):
    plugin("fan_in_of_mine", after="constraints")
    report = build_report(compiled, trace)
    assert report.to_dict()["fan_in"] == pytest.approx(compiled.network.n_synapses / 50, rel=1e-12)
    text, page = report.to_text(), report.to_html()
    heads = ("PER CORE DISTRIBUTION", "FAN-IN", "TRANSFORMS")
    assert [text.index(f"\n{head}\n") for head in heads] == sorted(
        text.index(f"\n{head}\n") for head in heads
    )
    places = ["constraints", "fan-in-of-mine", "energy"]
    at = [page.index(f'<section id="{name}">') for name in places]
    assert at == sorted(at)
    assert '<a href="#fan-in-of-mine">Fan-in</a>' in page


@pytest.mark.parametrize(("after", "before"), [("", "provenance"), ("verdict", "activity")])
def test_a_section_without_a_place_is_the_last_but_one(plugin, compiled, trace, after, before):
    plugin("elsewhere", after)
    report = build_report(compiled, trace)
    page, names = report.to_html(), [section.name for section in document.in_order()]
    follower = {"": "provenance", "verdict": "constraints"}[after]
    assert names[names.index("elsewhere") + 1] == follower
    between = page[page.index('<section id="elsewhere">') : page.index(f'<section id="{before}">')]
    assert between.count("<section") == 1


@pytest.mark.parametrize(
    ("after", "text", "page"),
    [
        ({"a": "c", "b": "sop", "c": "b"}, "sop b c a", "sop b c a"),
        ({"a": "c", "b": "sop", "c": "sop"}, "sop b c a", "sop b c a"),
        ({"a": "sop", "b": "sop", "c": "a"}, "sop a c b", "sop a c b"),
        ({"a": "", "b": "", "c": ""}, "a b c provenance", "a b c provenance"),
        ({"a": "verdict", "b": "c", "c": "verdict"}, "verdict a c b", "a c b spread"),
        (
            {"a": "float_vs_integer", "b": "accuracy", "c": "a"},
            "accuracy b float_vs_integer a c",
            "accuracy float_vs_integer a c b",
        ),
    ],
)
def test_own_sections_stand_behind_each_other_and_else_in_order_of_names(plugin, after, text, page):
    for name, place in after.items():
        plugin(name, place, key=name)
    in_text = [section.name for section in document.in_order()]
    on_page = [section.name for row in document._placed(PAGE) for section in row]
    assert sorted(in_text) == sorted([*ORDER, *after])
    assert f" {text} " in f" {' '.join(in_text)} "
    assert f" {page} " in f" {' '.join(on_page)} "


def test_what_a_section_must_not_do(plugin, compiled, tmp_path):
    plugin("lost", after="nowhere")
    with pytest.raises(SpecError, match=r"lost\.py: after 'nowhere'; allowed: verdict, .*, lost"):
        build_report(compiled)
    (tmp_path / "section" / "lost.py").unlink()
    for key in ("sop", "budgets"):
        plugin("clash", key=key)
        with pytest.raises(SpecError, match=rf"clash\.py: {key}; allowed: keys of its own"):
            build_report(compiled)
        forget_modules()


def test_sections_that_stand_behind_each_other(plugin, compiled):
    plugin("a", after="b")
    plugin("b", after="c")
    plugin("c", after="b")
    with pytest.raises(PartError, match=r"after goes in a circle: a after b after c after b"):
        build_report(compiled)


WRONG = {
    "raises": ("data", "1 / 0", "ZeroDivisionError: division by zero"),
    "nothing": ("data", "None", "data gave NoneType; allowed: a dict"),
    "objects": ("data", "{'odd': object()}", "TypeError: Object of type object is not JSON"),
    "number": ("text", "3", "text gave int; allowed: a str"),
    "unknown": ("text", "report['unknown']", "KeyError: 'unknown'"),
    "unsafe": ("html", "'<p>'", "html gave str; allowed: a Markup"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_section_that_fails_is_named_with_its_file(plugin, compiled, tmp_path, name):
    form, value, words = WRONG[name]
    path = tmp_path / "section" / f"{name}.py"
    source = "from hrsnn_lava.report.section import Section\n"
    source += f"def {form}(report, *_):\n    return {value}\n"
    plugin(name)
    path.write_text(f"{source}SECTION = Section('{name}', 'Odd', {form}={form})\n")
    with pytest.raises(PartError, match=f"section '{name}': {path}: {words}"):
        (built := build_report(compiled)).to_text() + built.to_html()


def test_what_verify_returns_is_evidence(compiled, trace):
    same = hl.verify(compiled, trace.inputs, 60, backends=("reference", "native"))
    whole = build_report(compiled, trace, parity=same)
    assert whole.to_dict()["parity"] == same.to_dict() | {"line": same.line()}
    assert "parity: reference = native, 60 steps, 0 mismatches" in whole.to_text()
    given = build_report(compiled, trace, parity=same.to_dict())
    assert given.to_text() == whole.to_text()
    differing = replace(same, mismatches=2, first="step 3")
    report = build_report(compiled, trace, parity=differing)
    assert report.to_dict()["verdict"] == "FAIL"
    assert "reference / native, 60 steps, 2 mismatches; first: step 3" in report.to_text()
    with pytest.raises(SpecError, match=r"parity: of type str; allowed: what hl\.verify returns"):
        build_report(compiled, trace, parity="yes")


def test_names_in_a_section_of_ones_own_are_text(plugin, compiled, trace):
    plugin("mine")
    named = replace(compiled, network=replace(compiled.network, name="<b>"))
    page = build_report(named, trace).to_html()
    assert "of &lt;b&gt;</p>" in page


def test_an_unknown_keyword_is_answered_with_the_known_ones(compiled, trace):
    with pytest.raises(SpecError, match="a report takes no such keyword") as caught:
        hl.report(compiled, trace, acuracy={}, comparisons=[])
    problems = {p.where: p for p in caught.value.problems}
    assert set(problems) == {"acuracy", "comparisons"}
    assert problems["acuracy"].fix == "did you mean 'accuracy'?"
    assert "step_time_s, accuracy, float_vs_integer, parity" in problems["acuracy"].allowed


def test_a_report_runs_nothing(compiled, trace):
    """A trace that says nothing of updates gives a bound, and the way to the figure."""
    bare = replace(trace, active_updates=None, membrane_updates=None)
    data = build_report(compiled, bare).to_dict()
    activity = data["activity"]
    assert activity["updates_exact"] is False
    assert activity["neuron_updates_active"] == activity["neuron_updates"]
    assert "`report --recount`, in Python hl.count" in activity["convention"]
    exact = build_report(compiled, recount(compiled, bare)).to_dict()["activity"]
    assert exact == build_report(compiled, trace).to_dict()["activity"]
    folder = Path(document.__file__).parent
    for module in folder.rglob("*.py"):
        assert "sim_backends" not in module.read_text(encoding="utf-8"), module


def test_counts_beside_a_trace_take_the_place_of_its_own(compiled, trace):
    bare = replace(trace, active_updates=None, membrane_updates=None)
    counts = hl.count(compiled, trace.inputs, trace.n_steps)
    report = build_report(compiled, bare, counts=counts)
    data, own = report.to_dict(), build_report(compiled, trace).to_dict()
    assert data["activity"] == own["activity"]
    assert data["sop"] == own["sop"]
    assert "raster of" in report.to_html()
    with pytest.raises(SpecError, match=r"spikes in 7 steps; allowed: \d+ in 60"):
        build_report(compiled, bare, counts=hl.count(compiled, trace.inputs, 7))


def test_counts_alone_show_the_run_without_its_raster(compiled, trace):
    counts = hl.count(compiled, trace.inputs, trace.n_steps, per_step=False)
    page = build_report(compiled, counts=counts).to_html()
    assert '<section id="activity">' in page
    assert "raster of" not in page
    assert "Synaptic operations per step" not in page  # nothing is known by step


def test_neither_u_nor_v_is_asked_of_an_empty_run(compiled):
    empty = Trace(np.zeros(0, np.int32), np.zeros(0, np.int32), 0, 50)
    assert build_report(compiled, empty).to_dict()["activity"]["updates_exact"] is True
