"""The page shows the numbers of the JSON, and no others."""

from __future__ import annotations

import re

import pytest
from pages import Page

from hrsnn_lava.budgets.quantities import shown
from hrsnn_lava.report import format as forms

UNITS = ("J", "s", "W", "J s")
#: Made from two numbers of the JSON: how much better than another partition.
DERIVED = re.compile(r"[+-]\d+\.\d %")


def leaves(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(key)
            yield from leaves(inner)
    elif isinstance(value, list):
        yield from leaves(forms.show(value))
        yield len(value)
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def written(value):
    """All ways in which a value may be written."""
    if value is None:
        return set()
    if isinstance(value, str):
        return {value, forms.label(value)}
    texts = {forms.number(value), str(value), f"{value:,}"}
    if isinstance(value, bool):
        return texts
    number = float(value)
    texts |= {forms.integer(number), f"{number:.3g}", f"{number:.4g}", f"{number:.1f}"}
    texts |= {f"{number:.3f}", f"{number:.4g} %", forms.percent(number), forms.percent(number, 2)}
    texts |= {forms.number(number), shown(number)}
    texts |= {forms.si(number, unit) for unit in UNITS}
    return texts | {f"{forms.number(number)}{unit}" for unit in ("/s", " steps/s", " Hz")}


def parts(cell):
    """Numbers of a cell: ranges, shares and products have two."""
    cell = re.sub("proxy|[≤≥]| SOP| uJ", "", cell).strip()
    return [part.strip() for part in re.split(r" to | of | × |(?<=\d)-(?=\d)", cell)]


@pytest.mark.parametrize("name", ["whole", "rich", "proxied", "unpriced", "bare", "hostile"])
def test_every_number_of_a_table_is_in_the_json(request, name):
    report = request.getfixturevalue(name)
    data = report.to_dict()
    known = set()
    for leaf in leaves(data):
        known |= written(leaf)
    known |= {str(k) for k in range(len(data["cores"]) + 1)}  # cores that share a row
    plain, seen = report.to_json(), 0
    for table in Page(report.to_html()).tables:
        for row in table[1:]:
            for cell in row[1:]:
                if cell.strip() in known:
                    seen += 1
                    continue
                for part in parts(cell):
                    if not re.search(r"\d", part) or DERIVED.fullmatch(part):
                        continue
                    sentence = len(part.split()) > 3  # its numbers are those of a text
                    found = re.findall(r"\d+(?:\.\d+)?", part) if sentence else []
                    assert part in known or (found and all(n in plain for n in found)), (row, part)
                    seen += 1
    assert seen > 100


@pytest.mark.parametrize("name", ["whole", "proxied"])
def test_every_count_and_price_of_the_json_is_on_the_page(request, name):
    report = request.getfixturevalue(name)
    data, tables = report.to_dict(), Page(report.to_html()).tables
    whole = {cell for table in tables for row in table for cell in row}
    cells = {part for cell in whole for part in parts(cell)}
    for term in data["energy"]["terms"]:
        assert forms.integer(term["count"]) in cells
        assert forms.si(term["energy_j"], "J") in cells
        assert any(cell.startswith(term["source"]) for cell in whole)
    for projection in data["sop"]["per_projection"].values():
        if projection["kind"] != "host_mac":
            assert forms.integer(projection["operations"]) in cells
    for row in data["constraints"]:
        assert forms.integer(row["used"]) in cells
