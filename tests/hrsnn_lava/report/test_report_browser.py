"""The page in a real browser: nothing overlaps, nothing sticks out, nothing is fetched."""

from __future__ import annotations

import pytest
from browser import browser, missing

pytestmark = [pytest.mark.once, pytest.mark.skipif(bool(missing()), reason=missing())]

NAMES = ("rich", "whole", "proxied", "hostile", "bare")
WIDTHS = (400, 768, 1600)
#: Pairs of texts that cover each other, within each axis and among labels in a drawing.
OVERLAPS = """
[...document.querySelectorAll('.yt,.rt,.xt,.area')].flatMap(axis => {
  const boxes = [...axis.querySelectorAll(':scope > span')].map(span => [span.textContent,
    span.getBoundingClientRect()]).filter(([_, box]) => box.width);
  return boxes.flatMap(([text, a], k) => boxes.slice(k + 1).filter(([_, b]) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3
  ).map(([other]) => text + ' | ' + other));
})
"""
#: Blocks of the page that reach into each other, or beyond its edges.
COLLISIONS = """
(() => {
  const found = [];
  const blocks = [...document.querySelectorAll('main > section, header > *')];
  blocks.forEach((a, k) => { if (k && !a.closest('nav')) {
    const above = blocks[k - 1].getBoundingClientRect(), own = a.getBoundingClientRect();
    if (own.top < above.bottom - 1) found.push(a.tagName + '#' + a.id);
  }});
  for (const b of document.querySelectorAll('.tiles b, .tiles small, h1, h2, figcaption, .facts'))
    if (b.scrollWidth > b.clientWidth + 1) found.push(b.textContent);
  for (const s of document.querySelectorAll('section > *')) {
    const own = s.getBoundingClientRect(), box = s.parentElement.getBoundingClientRect();
    if (own.right > box.right + 1) found.push('sticks out: ' + s.textContent.slice(0, 60));
  }
  return found;
})()
"""
CUT = """
[...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth + 1)
  .map(s => s.textContent.slice(0, 60) + ' ' + s.scrollWidth + ' of ' + s.clientWidth)
"""


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def pages(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name in NAMES:
        request.getfixturevalue(name).write(folder / f"{name}.html")
    return folder


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_every_width(chromium, pages, name, width):
    for dark in (False, True):
        chromium.open(pages / f"{name}.html", width, dark=dark)
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width
        assert chromium.evaluate(OVERLAPS) == []
        assert chromium.evaluate(COLLISIONS) == []
        assert chromium.logged == []
        asked = {url for url in chromium.requested if not url.startswith("data:")}
        assert asked == {(pages / f"{name}.html").as_uri()}


def test_harmful_names_run_nothing(chromium, pages):
    chromium.open(pages / "hostile.html")
    assert chromium.evaluate("document.scripts.length") == 0
    assert chromium.evaluate("document.querySelectorAll('img,iframe,object').length") == 0
    assert '<script>alert("x")</script>' in chromium.evaluate("document.body.innerText")


GROUND = "getComputedStyle(document.body).backgroundColor"


def test_light_and_dark_follow_the_reader(chromium, pages):
    chromium.open(pages / "rich.html", dark=False)
    assert chromium.evaluate(GROUND) == "rgb(251, 251, 249)"
    chromium.open(pages / "rich.html", dark=True)
    assert chromium.evaluate(GROUND) == "rgb(20, 23, 28)"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dark", [False, True])
def test_paper_is_white_and_nothing_is_cut(chromium, pages, name, dark):
    chromium.open(pages / f"{name}.html", 718, dark=dark, media="print")  # A4 less its margins
    assert chromium.evaluate(GROUND) == "rgb(255, 255, 255)"
    assert chromium.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    if name != "hostile":  # its names are longer than any line
        assert chromium.evaluate(CUT) == []
        assert chromium.evaluate(OVERLAPS) == []


def test_the_page_can_be_printed(chromium, pages):
    chromium.open(pages / "rich.html")
    assert chromium.pdf().startswith(b"%PDF-")


def test_the_unit_circle_is_a_circle(chromium, pages):
    for width in WIDTHS:
        chromium.open(pages / "rich.html", width)
        box = "(b => [b.width, b.height])(document.querySelector('.square svg').{})"
        wide, tall = chromium.evaluate(box.format("getBoundingClientRect()"))
        assert wide == pytest.approx(tall, abs=1)


def test_a_notebook_card_is_legible_on_both_grounds(chromium, rich, tmp_path):
    card = rich._repr_html_()
    page = tmp_path / "card.html"
    for ink, ground in (("#111", "#fff"), ("#ddd", "#111")):
        page.write_text(f"<body style='color:{ink};background:{ground};margin:0'>{card}</body>")
        chromium.open(page, 500)
        assert chromium.evaluate("document.documentElement.scrollWidth") <= 500
        colour = chromium.evaluate("getComputedStyle(document.querySelector('bdi')).color")
        assert colour == ("rgb(17, 17, 17)" if ink == "#111" else "rgb(221, 221, 221)")
