"""The page: alone, escaped, well formed, in its order."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from pages import Page
from scipy import sparse

from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.report.document import Report, build_report
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput

FETCHING = {"src", "href", "action", "data", "poster", "srcset", "xlink:href", "background"}
#: Sections that figures of the head lead to, in the order of their questions.
CARDS = ["parity", "float-vs-integer", "sop", "energy", "accuracy"]
ORDER = [
    "activity",
    "sop",
    "constraints",
    "energy",
    "comparison",
    "network",
    "quantization",
    "dynamics",
    "mapping",
    "provenance",
]


@pytest.fixture(params=["whole", "rich", "proxied", "unpriced", "bare", "hostile"])
def any_report(request):
    return request.getfixturevalue(request.param)


def section(page, name):
    """The part of a page from one section to the end of it."""
    begin = page.index(f'<section id="{name}">')
    return page[begin : page.index("</section>", begin)]


def test_the_page_needs_nothing_from_outside(any_report):
    page = any_report.to_html()
    found = Page(page)
    assert not {"script", "iframe", "img", "object", "embed", "base", "form"} & set(found.tags)
    fetched = [
        (t, v) for t, name, v in found.attributes if name in FETCHING and not v.startswith("#")
    ]
    assert fetched == [("link", "data:,")]
    assert not re.search(r"https?:|(?<![:\w])//|url\(|@import", page)
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert len(page) < 600_000


def test_links_lead_to_sections(any_report):
    found = Page(any_report.to_html())
    names = {v for _, name, v in found.attributes if name == "id"}
    links = [v[1:] for t, name, v in found.attributes if (t, name) == ("a", "href")]
    sections = [v for t, name, v in found.attributes if (t, name) == ("section", "id")]
    assert set(links) <= names
    assert sections == links[-len(sections) :]
    cards = list(dict.fromkeys(links[: -len(sections)]))
    assert cards[0] == "constraints"
    assert cards[1:] == [name for name in CARDS if name in cards]


def test_names_of_the_user_are_text_and_nothing_else(hostile):
    page = hostile.to_html()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    text = "".join(Page(page).text)
    assert '<script>alert("x")</script>' in text


HARM = [
    "<script>alert(1)</script>",
    "\"'&{{ 7*7 }}]]>{% x %}",
    "\u202eevil\u202c \u05d0\u05d1",
    "</style><svg onload=alert(1)>",
]


@pytest.fixture(scope="module")
def harmful(tmp_path_factory):
    """Names that would do harm, from the network through a file to the report."""
    rng = np.random.default_rng(0)
    first, second, third, name = HARM
    populations = (
        Population(first, 3, Input()),
        Population(second, 20, LIF(0.01)),
        Population(third, 5, LIF(0.01)),
    )

    def draw(n_post, n_pre):
        return sparse.csr_matrix(3 * rng.random((n_post, n_pre)))

    projections = (
        Projection(first + second, first, second, draw(20, 3)),
        Projection(second + third, second, third, draw(5, 20)),
    )
    network = Network(1e-3, populations, projections, name).verify()
    path = tmp_path_factory.mktemp("harm") / "c.hlx"
    compile_network(network, HardwareProfile.load("loihi1"), seed=1).save(path)
    compiled = CompiledNetwork.load(path)
    inputs = SpikeInput(np.arange(30), np.arange(30) % 3, 60, 3)
    trace = simulate(compiled, inputs, 60, "reference")
    assert trace.n_spikes
    return build_report(compiled, trace, "sanafe_loihi", network_float=network)


def test_harmful_names_come_through_the_whole_line_as_text(harmful):
    page = harmful.to_html()
    found = Page(page)
    assert not {"script", "img"} & set(found.tags)
    assert found.tags.count("style") == 1
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    text = "".join(found.text)
    for name in HARM:
        assert name.replace("\u202e", "\ufffd").replace("\u202c", "\ufffd") in text
    assert "49" not in [t.strip() for t in found.text]
    css = [v for _, name, v in found.attributes if name in ("class", "id", "style")]
    assert not [v for v in css if any(mark in v for mark in ("script", "alert", "evil", "{{"))]


def test_a_name_does_not_turn_the_text_around_it(harmful):
    page = harmful.to_html()
    assert not set(page) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\0\x1b")
    assert "<bdi>\ufffdevil\ufffd \u05d0\u05d1 (5)</bdi>" in page


def test_the_verdict_comes_before_everything_else(any_report):
    page = any_report.to_html()
    verdict = any_report.to_dict()["verdict"]
    assert page.index(f"<b>{verdict}</b>") < page.index("<main>")


def test_budgets_stand_with_the_verdict(rich):
    page = rich.to_html()
    head = page[page.index("<header>") : page.index("<main>")]
    rows = Page(head).tables[0]
    assert rows[1] == ["max_sops_per_inference", "1,234.5 SOP", "≤ 2,000 SOP", "38.27 %", "kept"]
    assert rows[2][:4] == ["max_energy_uj proxy", "73.5 uJ", "≤ 10 uJ", "-635 %"]
    assert rows[2][4] == "not kept 63.5 uJ above the limit"
    assert rows[3][:3] == ["min_accuracy", "not known", "≥ 0.9"]


def test_sections_come_in_their_order(rich):
    page = rich.to_html()
    places = [page.index(f'<section id="{name}">') for name in ORDER]
    assert places == sorted(places)


def test_heads_of_tables_say_what_they_head(any_report):
    scopes = Page(any_report.to_html()).scopes
    assert scopes
    assert set(scopes) <= {"col", "row", "colgroup"}


def test_rows_of_a_table_have_as_many_cells_as_its_head(any_report):
    for rows in Page(any_report.to_html()).tables:
        body = [len(row) for row in rows[1:]]
        grouped = len(body) > 1 and body[0] != len(rows[0])
        assert len(set(body)) == 1
        assert grouped or not body or body[0] == len(rows[0])


def test_the_page_says_proxy_on_every_energy_line(proxied, whole):
    part = section(proxied.to_html(), "energy")
    rows = part[part.index("<tbody>") : part.index("</tbody>")].split("</tr>")[:-1]
    assert len(rows) == len(proxied.to_dict()["energy"]["terms"]) + 3
    assert all("proxy" in row for row in rows)
    own = section(whole.to_html(), "energy")
    own = own[: own.index("</tbody>")]
    assert 'class="proxy"' not in own


def test_a_proxy_is_named_in_the_table_of_cost_sets(whole):
    data = whole.to_dict()
    if not data.get("energy_by_cost_set"):
        pytest.skip("the report prices the run by one cost set alone")
    rows = {row[0]: row for table in Page(whole.to_html()).tables for row in table}
    for entry in data["energy_by_cost_set"]:
        assert ("proxy" in rows[entry["cost_set"]][1]) == entry["proxy"]


def test_no_prices_no_total(unpriced):
    page = unpriced.to_html()
    assert "<b>not known</b>" in page
    assert "Without a price" in page


def test_ranges_are_drawn_where_sources_differ(whole):
    data = whole.to_dict()
    terms = [{**t, "low_j": None, "high_j": None} for t in data["energy"]["terms"]]
    terms[0] |= {"energy_j": 2e-6, "low_j": 1e-6, "high_j": 4e-6}
    part = section(page_of(whole, energy={**data["energy"], "terms": terms}), "energy")
    assert "1 µJ to 4 µJ" in part
    assert part.count('class="span"') == 1
    plain = [{**t, "low_j": None, "high_j": None} for t in terms]
    part = section(page_of(whole, energy={**data["energy"], "terms": plain}), "energy")
    assert "range" not in Page(part + "</section>").tables[0][0]


def page_of(report, **changed):
    """The page of a report with other data."""
    return Report({**report.data, **changed}, report.facts).to_html()


def test_optional_parts_are_shown_when_they_are_there(whole):
    spread = {"mean": 10.5, "sd": 1.5, "min": 8.0, "max": 13.0}
    page = page_of(
        whole,
        timing={**whole.data["timing"], "wall_time_s": 0.06, "proxy": True, "unknown": ["barrier"]},
        per_sample={"samples": 6, "sops": spread, "dynamic_j": {**spread, "mean": 2e-6}},
        per_second={"sops": 1e6, "dynamic_w": 3e-5, "static_w": None, "total_w": None},
        energy_by_cost_set=[
            {
                "cost_set": "elsewhere",
                "chip": "other",
                "scope": "all_in",
                "evidence": ["measured"],
                "proxy": True,
                "dynamic_j": 1e-6,
                "static_j": None,
                "total_j": None,
                "per_sop_j": 2.6e-11,
                "total_low_j": 1e-6,
                "total_high_j": 2e-6,
                "unpriced": [{"name": "static power", "count": None, "reason": "none"}],
            }
        ],
        conventions={"ops_45nm": {"ac_j": 9e-13, "source": "a paper", "evidence": "derived"}},
    )
    cells = [row for table in Page(page).tables for row in table]
    assert ["sops", "10.5", "1.5", "8", "13"] in cells
    assert ["dynamic", "2 µJ", "1.5 J", "8 J", "13 J"] in cells
    assert ["dynamic", "30 µW"] in cells
    entry = ["elsewhere", "other proxy", "all in", "measured", "1 µJ", "–", "–"]
    assert [*entry, "1 µJ to 2 µJ", "26 pJ", "–", "static power"] in cells
    text = " ".join(" ".join(Page(page).text).split())
    assert "wall time 60 ms" in text
    assert "estimate of a step (proxy)" in text
    assert "barrier" in text[text.index("unknown times") :]
    assert "900 fJ" in text


def test_a_report_without_them_has_no_empty_sections(bare):
    page = bare.to_html()
    for name in ("dynamics", "comparison", "timing", "parity", "accuracy"):
        assert f'id="{name}"' not in page


def test_the_page_has_its_drawings(rich):
    found = Page(rich.to_html())
    labels = [v for t, name, v in found.attributes if (t, name) == ("svg", "aria-label")]
    roles = [v for t, name, v in found.attributes if (t, name) == ("svg", "role")]
    assert roles == ["img"] * len(labels)
    starts = ("raster of", "Spikes per step", "Share of each limit", "Synaptic operations")
    starts += ("RMSE of 4 networks", "eigenvalues with the unit circle", "Lyapunov spectrum")
    for start in starts:
        assert any(label.startswith(start) for label in labels), start
    names = ("tau mem", "threshold", "Weights of exc_exc", "Weights of inh_exc")
    for name in names:
        assert f"histogram of {name}" in labels
    assert found.tags.count("title") > len(labels)  # every drawing says in words what it shows


def test_equal_reports_give_equal_pages(rich):
    assert rich.to_html() == rich.to_html()


def test_a_run_of_a_million_spikes_makes_a_small_page(compiled, trace):
    rng = np.random.default_rng(4)
    n_steps = 30_000
    spikes = rng.random((n_steps, trace.n_neurons)) < 0.68
    steps, neurons = np.nonzero(spikes)
    assert steps.size > 10**6
    long = replace(
        trace,
        spike_steps=steps.astype(np.int32),
        spike_neurons=neurons.astype(np.int32),
        n_steps=n_steps,
        active_updates=None,
        membrane_updates=None,
        inputs=None,
        v=None,
        u=None,
    )
    page = build_report(compiled, long).to_html()
    assert len(page.encode()) < 3_000_000
    assert f"{steps.size:,} spikes, too many to draw one by one" in page
