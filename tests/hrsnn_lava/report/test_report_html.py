"""The page: alone, escaped, well formed."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hrsnn_lava.report import plots

VOID = {"meta", "link", "br", "img", "input", "hr"}
FETCHING = {"src", "href", "action", "data", "poster", "srcset", "xlink:href", "background"}


class Page(HTMLParser):
    """Collects tags, attributes and text; checks that tags nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *item) for item in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *item) for item in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(params=["whole", "proxied", "unpriced", "bare", "hostile"])
def any_report(request):
    return request.getfixturevalue(request.param)


def test_the_page_needs_nothing_from_outside(any_report):
    page = any_report.to_html()
    found = Page(page)
    assert not {"script", "iframe", "img", "object", "embed"} & set(found.tags)
    fetched = [(t, v) for t, name, v in found.attributes if name in FETCHING]
    assert fetched == [("link", "data:,")]
    assert not re.search(r"https?://|url\(|@import", page)
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert len(page) < 600_000


def test_names_of_the_user_are_text_and_nothing_else(hostile):
    page = hostile.to_html()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    text = "".join(Page(page).text)
    assert '<script>alert("x")</script>' in text


def test_the_verdict_comes_before_everything_else(any_report):
    page = any_report.to_html()
    verdict = any_report.to_dict()["verdict"]
    assert page.index(f"<b>{verdict}</b>") < page.index("<main>")


def test_the_page_says_proxy_on_every_energy_line(proxied, whole):
    page = proxied.to_html()
    section = page[page.index('id="energy"') : page.index('id="sop"')]
    rows = section[section.index("<tbody>") : section.index("</tbody>")].split("</tr>")[:-1]
    assert len(rows) == len(proxied.to_dict()["energy"]["terms"]) + 3
    assert all("proxy" in row for row in rows)
    assert 'class="proxy"' not in whole.to_html()


def test_no_prices_no_total(unpriced):
    page = unpriced.to_html()
    assert "<b>null</b>" in page
    assert "Without a price" in page


def test_the_page_has_its_drawings(whole):
    found = Page(whole.to_html())
    labels = [v for t, name, v in found.attributes if (t, name) == ("svg", "aria-label")]
    for start in ("raster of", "Spikes per step", "Share of each limit", "Synaptic operations"):
        assert any(label.startswith(start) for label in labels)
    for name in ("tau mem", "threshold", "Weights"):
        assert f"histogram of {name}" in labels
    assert "prefers-color-scheme:dark" in "".join(found.text)
    assert "@media print" in "".join(found.text)


def test_equal_reports_give_equal_pages(whole):
    assert whole.to_html() == whole.to_html()


def test_large_rasters_are_thinned_by_neuron():
    rng = np.random.default_rng(0)
    steps = np.sort(rng.integers(0, 5000, 300_000)).astype(np.int32)
    neurons = rng.integers(0, 2000, 300_000).astype(np.int32)
    drawn = plots.raster(steps, neurons, 5000, [("exc", 1600), ("inh", 400)], 1e-3)
    assert str(drawn.body).count("h0") <= plots.MAX_DOTS * 1.2
    assert drawn.note == "one of 10 neurons drawn"


def test_every_spike_of_a_small_raster_is_drawn():
    steps, neurons = np.array([0, 1, 3], np.int32), np.array([0, 1, 1], np.int32)
    drawn = plots.raster(steps, neurons, 4, [("a", 1), ("b", 1)], 1e-3)
    assert re.findall(r"M[\d.]+ \d+h0", str(drawn.body)) == ["M0 250h0", "M250 750h0", "M750 750h0"]
    assert drawn.note == ""


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0, 1000, [0, 200, 400, 600, 800, 1000]), (3, 3, [3])],
)
def test_ticks_are_round(low, high, expected):
    assert plots.ticks(low, high) == pytest.approx(expected)


def test_a_curve_of_means_keeps_the_sum():
    values = np.arange(1001)
    curve, length = plots.binned(values, 100)
    assert length == 11
    sizes = np.diff(np.append(np.arange(0, 1001, 11), 1001))
    assert curve @ sizes == pytest.approx(values.sum())


def test_a_histogram_of_equal_values_is_drawn():
    drawn = plots.histogram("x", [("a", "now", np.full(5, 2.0))], "x")
    assert "<path" in drawn.body


def test_a_cell_above_its_limit_is_marked():
    drawn = plots.heat("t", ["r"], np.array([[0.5, 1.2]]), [["<a>", "b"]], "core")
    assert str(drawn.body).count("cell over") == 1
    assert "&lt;a&gt;" in drawn.body
