"""The style sheet: text that can be read in every scheme, and a page that can be printed."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

import hrsnn_lava.report.document as page

CSS = (Path(page.__file__).parent / "page.css").read_text(encoding="utf-8")
#: Text colour, and what it stands on.
TEXT = [
    *itertools.product(("ink", "dim"), ("bg", "card")),
    ("ink", "goodbg"),
    ("ink", "badbg"),
    ("card", "good"),  # PASS on its badge
    ("card", "bad"),
    ("good", "card"),
    ("bad", "card"),
    ("warn", "warnbg"),
]
#: Marks in drawings need less (WCAG 1.4.11).
MARKS = [(colour, "card") for colour in ("a", "b", "c", "d", "e", "f")]


def variables(block):
    return dict(re.findall(r"--(\w+):(#[0-9a-f]{3,6})", block))


def schemes():
    light = variables(CSS[CSS.index(":root{") : CSS.index("}")])
    dark = variables(re.search(r"prefers-color-scheme:dark\)\{:root\{([^}]*)", CSS)[1])
    printed = variables(re.search(r"@media print\{:root\{([^}]*)", CSS)[1])
    return {"light": light, "dark": dark, "print": printed}


def luminance(colour):
    """Relative luminance, WCAG 2.1."""
    digits = colour[1:]
    if len(digits) == 3:
        digits = "".join(2 * d for d in digits)
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_known_pairs():
    assert contrast("#fff", "#000") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_stands_out(scheme):
    colours = schemes()[scheme]
    for text, ground in TEXT:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for mark, ground in MARKS:
        assert contrast(colours[mark], colours[ground]) >= 3.0, (mark, ground)


def test_every_scheme_has_every_colour():
    found = schemes()
    assert set(found["light"]) == set(found["dark"]) == set(found["print"])
    used = set(re.findall(r"var\(--([a-z]\w*)", CSS)) - {"v", "l", "w", "r", "h"}
    assert used <= set(found["light"])


def test_paper_is_white_and_tables_are_whole():
    printed = CSS[CSS.index("@media print") :]
    assert schemes()["print"]["bg"] == "#fff"
    assert "break-inside:avoid" in printed
    assert ".scroll{overflow:visible;max-height:none" in printed
    assert "nav{display:none}" in printed
