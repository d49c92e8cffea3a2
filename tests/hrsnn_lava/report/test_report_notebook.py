"""What a notebook shows of a report."""

from __future__ import annotations

import re

import pytest
from pages import Page


@pytest.mark.parametrize("name", ["whole", "rich", "proxied", "unpriced", "bare", "hostile"])
def test_a_notebook_shows_the_verdict_and_a_few_figures(request, name):
    report = request.getfixturevalue(name)
    text = report._repr_html_()
    found = Page(text)
    assert set(found.tags) <= {"div", "b", "bdi", "span"}
    assert {n for _, n, _ in found.attributes} <= {"style"}
    assert report.to_dict()["verdict"] in found.text
    assert not re.search(r"https?:|url\(|<script", text)
    assert len(text) < 6000


def test_figures_are_those_of_the_page(whole):
    card = Page(whole._repr_html_()).text
    page = Page(whole.to_html()).text
    data = whole.to_dict()
    for value in ("5", "PASS", f"{data['sop']['per_step']:.4g}", f"{data['sop']['ratio']:.1f}×"):
        assert value in card
        assert value in page


def test_names_are_escaped(hostile):
    assert "&lt;script&gt;" in hostile._repr_html_()


def test_programs_and_traces_show_their_sizes(compiled, trace, hostile):
    for shown, words in (
        (compiled, ["50", "small", "compiled for Intel Loihi (2018, 14 nm)", "of 128 a chip"]),
        (trace, ["60", f"{trace.n_spikes:,}"]),
    ):
        found = Page(shown._repr_html_())
        assert set(found.tags) <= {"div", "b", "bdi", "span"}
        assert set(words) <= set(found.text)
    assert "<script" not in hostile.facts.compiled._repr_html_()


def test_a_budget_that_is_not_met_is_named(rich):
    text = rich._repr_html_()
    assert "budget not kept: max_energy_uj</bdi>" in text
    assert "budget not kept: min_accuracy</bdi>" in text
    assert "max_sops_per_inference" not in text


def test_a_proxy_is_named(proxied):
    assert "energy of the run (proxy)" in proxied._repr_html_()
