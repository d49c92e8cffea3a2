"""The same networks on several seeds: statistics, sentence, table and picture."""

from __future__ import annotations

import re
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.report.document import build_report
from hrsnn_lava.report.spread import cells, plus_minus, sentence, spread

CAPACITY = {"name": "capacity", "title": "capacity", "better": "higher", "unit": ""}
ERROR = {"name": "rmse", "title": "RMSE", "better": "lower", "unit": "mV"}
#: Networks: float and integer scores on the seeds 3, 4 and 5.
SCORES = {
    "unpruned": ((1.0, 1.2, 1.1), (1.0, 1.1, 1.2)),
    "balanced": ((2.0, 2.2, 2.1), (1.9, 2.2, 1.9)),
    "random": ((1.5, 1.8, 2.2), (1.5, 1.8, 1.8)),
    "no <b>": ((0.5, 0.5, 0.5), (0.4, 0.5, 0.6)),
}


def rows(scores=SCORES, seeds=(3, 4, 5), **more):
    """Rows in the order of a run: all networks of a seed, then those of the next one."""
    return [
        {"name": name, "seed": seed, "float": floats[k], "integers": integers[k], **more}
        for k, seed in enumerate(seeds)
        for name, (floats, integers) in scores.items()
    ]


def test_means_and_deviations_are_those_of_the_seeds():
    found = spread(rows(sops_per_sample=120.5, cores=2), [CAPACITY])
    assert (found["seeds"], found["method"]) == ([3, 4, 5], "balanced")
    for name, both in SCORES.items():
        for form, values in zip(("float", "integers"), both, strict=True):
            entry = found["networks"][name][form]
            assert entry["mean"] == pytest.approx(mean(values))
            assert entry["sd"] == pytest.approx(stdev(values))
            assert entry["values"] == list(values)
    assert found["networks"]["random"]["sops_per_sample"]["mean"] == 120.5
    assert found["networks"]["random"]["spikes_per_sample"] is None


def test_differences_are_taken_seed_by_seed():
    against = spread(rows(), [CAPACITY])["against"]
    assert list(against) == ["unpruned", "random", "no <b>"]
    found = against["random"]["float"]
    assert found["values"] == pytest.approx([0.5, 0.4, -0.1])
    assert found["gain"] == pytest.approx(0.8 / 3)
    # of the pairs, not of the two columns: those differ by more
    assert found["sd"] == pytest.approx(stdev([0.5, 0.4, -0.1]))
    assert found["better"] == 2


def test_of_an_error_less_is_better():
    found = spread(rows(), [ERROR])
    against = found["against"]["random"]["float"]
    assert against["mean"] == pytest.approx(0.8 / 3)
    assert against["gain"] == pytest.approx(-0.8 / 3)
    assert against["better"] == 1
    assert sentence(found) == (
        "RMSE mV of balanced minus random: +0.27 ± 0.32 in float, better on 1 of 3; "
        "+0.30 ± 0.17 in integers, better on 0 of 3 seeds"
    )


def test_nothing_is_better_where_a_score_has_no_direction():
    found = spread(rows(), [CAPACITY | {"better": None}])
    assert "gain" not in found["against"]["random"]["float"]
    assert sentence(found) == ""
    assert sentence({}) == ""
    without = {name: both for name, both in SCORES.items() if name != "random"}
    assert sentence(spread(rows(without), [CAPACITY])) == ""


def test_a_single_seed_has_no_deviation():
    found = spread(rows(seeds=(3,)), [CAPACITY])
    assert found["networks"]["balanced"]["float"]["sd"] is None
    assert cells(found)[1][1] == ["balanced", "2.00", "1.90"]
    assert sentence(found).endswith("+0.400 in integers, better on 1 of 1 seed")


def test_a_program_that_does_not_fit_is_told():
    mixed = rows(fits=True, cores=1)
    for row in mixed:
        if row["name"] == "unpruned":
            row |= {"integers": None, "cores": None, "fits": False}
        if row["name"] == "random" and row["seed"] == 4:
            row |= {"integers": None, "fits": None}
    found = spread(mixed, [CAPACITY])
    table = {row[0]: row for row in cells(found)[1]}
    assert table["unpruned"][2] == "does not fit"
    assert table["random"][2] == "–"
    assert found["against"]["random"]["integers"] is None
    assert "in integers" not in sentence(found)


def test_columns_that_nobody_knows_are_left_out():
    plain = [{k: row[k] for k in ("name", "seed", "float")} for row in rows()]
    head, body = cells(spread(plain, [CAPACITY]))
    assert head == ["network", "capacity, float"]
    assert body[1] == ["balanced", "2.10 ± 0.10"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scores": ()}, "scores: none"),
        ({"rows": rows()[:-1]}, r"seeds of 'no <b>': 3, 4; allowed: each of 3, 4, 5 once"),
        ({"rows": [*rows(), rows()[0]]}, "seeds of 'unpruned': 3, 4, 5, 3"),
        ({"rows": [{"name": "a", "seed": 1}]}, "numbers in float and integers"),
        ({"rows": [{"name": "a", "seed": 1, "float": "x"}]}, "numbers in float and integers"),
        ({"rows": [{"name": "a", "seed": 1, "float": 1.0, "integers": "1"}]}, "numbers in float"),
        (
            {"rows": [{"name": "a", "seed": 1, "float": float("nan")}]},
            "numbers in float and integers",
        ),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(changes, told):
    given_ = {"rows": rows(), "scores": [CAPACITY]} | changes
    with pytest.raises(SpecError, match=told):
        spread(given_["rows"], given_["scores"])


@given(st.floats(1e-6, 1e6), st.floats(1e-9, 1e6))
def test_text_of_a_mean_is_as_exact_as_its_deviation_says(middle, deviation):
    text = plus_minus({"mean": middle, "sd": deviation})
    shown, off = (float(part.replace(",", "")) for part in text.split(" ± "))
    assert off == pytest.approx(deviation, rel=0.051, abs=0.51)
    assert abs(shown - middle) <= max(0.051 * deviation, 0.51 * (deviation >= 9.5)) + 1e-9 * middle


def test_all_three_forms_of_a_report_show_it(compiled, trace):
    report = build_report(compiled, trace, spread=rows(), scores=[CAPACITY])
    assert report.data["spread"]["against"]["random"]["float"]["better"] == 2
    line = "capacity of balanced minus random: +0.27 ± 0.32 in float, better on 2 of 3"
    for text in (report.to_summary(), report.to_text()):
        assert line in " ".join(text.split())
        assert re.search(r"^balanced +2\.10 ± 0\.10 +2\.00 ± 0\.17$", text, re.M)
    page = report.to_html()
    assert page.count('<path class="mark small') == 2 * 3 * len(SCORES)
    assert "no &lt;b&gt;, float, seed 5: 0.5" in page
    assert "no <b>" not in page
    assert page.index('id="spread"') < page.index('id="activity"')


def test_without_it_there_is_no_section(compiled, trace):
    report = build_report(compiled, trace)
    assert report.data["spread"] == {}
    assert 'id="spread"' not in report.to_html()
    assert "SPREAD" not in report.to_text()


def test_budgets_see_it(compiled, trace):
    report = build_report(compiled, trace, spread=rows(), scores=[CAPACITY]).to_dict()
    budgets = {
        "min_gain_over_random": 0.3,
        "min:spread.networks.balanced.float.mean": 2.0,
        "max:spread.networks.random.float.sd": 0.1,
    }
    checked = {row.key: row for row in hl.check(report, budgets).rows}
    assert checked["min_gain_over_random"].value == pytest.approx(0.3)
    assert checked["min_gain_over_random"].ok
    assert checked["min:spread.networks.balanced.float.mean"].ok
    assert not checked["max:spread.networks.random.float.sd"].ok
    bare = build_report(compiled, trace).to_dict()
    assert hl.check(bare, {"min_gain_over_random": 0.1}).verdict == "FAIL"
