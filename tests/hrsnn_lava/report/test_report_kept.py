"""The page of what every method keeps: it says all, marks the best, and fits every width."""

from __future__ import annotations

import re

import numpy as np
import pytest
from browser import browser, missing

from hrsnn_lava.findings import Finding
from hrsnn_lava.report.kept_page import cell, kept_page, notes
from hrsnn_lava.training.kept_by_method import CEILING, FIGURES, FLOOR, KeptByMethod

HOSTILE = '<script>alert("x")</script>'


def table_of(draws: int = 3) -> KeptByMethod:
    rng = np.random.default_rng(0)
    middle = {"good": 0.9, "bad": 0.5, FLOOR: 0.4, CEILING: 0.99}
    rows = {
        row: {f.name: value + 0.01 * rng.normal(size=draws) for f in FIGURES}
        for row, value in middle.items()
    }
    unpruned = {"largest_exponent": np.full(draws, 12.0), "memory": np.full(draws, 3.25)}
    warned = Finding(
        "warning", "homeostasis", "spikes x1.3", "too many", "use more passes", kind="a"
    )
    noted = Finding("note", "homeostasis", "1 of 9 neurons", "silent", kind="b")
    return KeptByMethod(
        rows, ("good", "bad"), unpruned, "made up", 15, (("bad", warned), ("bad", noted))
    )


def test_cells_have_mean_and_spread() -> None:
    table = table_of()
    values = table.rows["good"]["memory"]
    memory = FIGURES[-1]
    assert cell(table, "good", memory) == f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"
    assert cell(table, "good", FIGURES[0]) == f"{table.mean('good', 'sops_ratio'):.3f}"
    assert re.fullmatch(r"\d\.\d{3}", cell(table_of(1), "good", memory))
    table.rows["good"]["memory"][:] = np.nan
    assert cell(table, "good", memory) == "–"
    table.rows["bad"]["memory"][:] = 123.456
    assert cell(table, "bad", memory) == "123.5 ± 0.000"


def test_notes_say_what_was_shown_and_warn() -> None:
    text = "\n".join(notes(table_of()))
    assert "3 draws" in text
    assert "unpruned 12.0" in text
    assert "at most 15; unpruned 3.250" in text
    assert "bad: homeostasis: spikes x1.3: too many. Use more passes" in text
    assert "1 of 9" not in text
    assert "1 draw of" in "\n".join(notes(table_of(1)))


def test_the_page_marks_the_best_and_names_all() -> None:
    table = table_of()
    page = kept_page(table, "mine", "1 SOP/spike", "2026 by hand")
    assert table.sentence() in page
    assert page.count('<td class="n good"><b>') == 6  # all but the operations
    for part in ("mine", "1 SOP/spike", "2026 by hand", "no recurrence", "unpruned again"):
        assert part in page
    assert page.count("<figure") == 6
    assert page.count('class="mark p1"') == 6
    assert "<script" not in page
    assert "://" not in page


def test_a_panel_of_values_that_are_not_defined_is_left_out() -> None:
    table = table_of()
    for row in table.rows.values():
        row["trace_correlation"][:] = np.nan
    assert kept_page(table, "mine", "10x").count("<figure") == 5


def test_harmful_names_are_escaped() -> None:
    page = kept_page(table_of(), HOSTILE, "10x", HOSTILE)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 3


@pytest.mark.once
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_page_fits_every_width(tmp_path) -> None:
    path = tmp_path / "kept.html"
    path.write_text(kept_page(table_of(), "mine", "10x"), encoding="utf-8")
    with browser() as chromium:
        for width in (400, 768, 1600):
            for dark in (False, True):
                chromium.open(path, width, dark=dark)
                assert chromium.evaluate("document.documentElement.scrollWidth") <= width
                assert chromium.logged == []
                asked = {url for url in chromium.requested if not url.startswith("data:")}
                assert asked == {path.as_uri()}
