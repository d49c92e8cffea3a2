"""The page in a real browser: short when folded, whole on paper, told apart by everybody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser import browser, missing

import hrsnn_lava.report.document as page

pytestmark = [pytest.mark.once, pytest.mark.skipif(bool(missing()), reason=missing())]

HEIGHT = "document.documentElement.scrollHeight"
#: Details whose contents take no room on the page.
HIDDEN = """
[...document.querySelectorAll('details > section, details > .scroll')]
  .filter(e => !e.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true})
    || !e.getBoundingClientRect().height).length
"""
#: Okabe and Ito 2008, and what is darker here where white paper would swallow it.
OKABE_ITO = {"#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"}
DARKER = {"#b37d00"}


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def path(rich, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "rich.html"
    rich.write(file)
    return file


def test_a_folded_page_is_short_and_an_open_one_whole(chromium, path):
    chromium.open(path, 1400)
    folded = chromium.evaluate(HEIGHT)
    assert folded < 6000
    hidden = chromium.evaluate(HIDDEN)
    assert hidden > 8
    chromium.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert chromium.evaluate(HEIGHT) > 1.5 * folded
    assert chromium.evaluate(HIDDEN) == 0


def test_printing_opens_everything(chromium, path):
    chromium.open(path, 718, media="print")
    assert chromium.evaluate("document.querySelectorAll('details[open]').length") == 0
    assert chromium.evaluate(HIDDEN) == 0


def test_a_link_opens_what_it_leads_to(chromium, path):
    chromium.open(path, 1400)
    for name in ("mapping", "provenance"):
        chromium.evaluate(f"location.hash = '{name}'")
        inside = f"document.getElementById('{name}').closest('details').open"
        assert chromium.evaluate(inside) is True


def test_figures_of_the_head_are_links_without_script(chromium, path):
    chromium.open(path, 1400)
    links = chromium.evaluate("[...document.querySelectorAll('.tiles a')].map(a => a.hash)")
    assert "#constraints" in links
    assert "#energy" in links
    assert chromium.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("scheme", [0, 1, 2])
def test_series_have_colours_that_everybody_tells_apart(scheme):
    css = (Path(page.__file__).parent / "page.css").read_text(encoding="utf-8")
    found = re.findall(r"--a:(#\w+);--b:(#\w+);--c:(#\w+);--d:(#\w+);--e:(#\w+);--f:(#\w+)", css)
    assert len(found) == 3
    assert set(found[scheme]) <= OKABE_ITO | DARKER
    assert len(set(found[scheme])) == 6
