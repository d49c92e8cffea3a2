"""Drawings: where marks are, what is thinned, what is labelled."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hrsnn_lava.report import plots
from hrsnn_lava.report.sections import comparison


def test_large_rasters_are_drawn_as_shades():
    rng = np.random.default_rng(0)
    steps = np.sort(rng.integers(0, 5000, 300_000)).astype(np.int32)
    neurons = rng.integers(0, 2000, 300_000).astype(np.int32)
    drawn = plots.raster(steps, neurons, 5000, [("exc", 1600), ("inh", 400)], 1e-3)
    assert "h0" not in drawn.body
    assert len(drawn.body) < 700_000
    assert (
        drawn.note
        == "300,000 spikes, too many to draw one by one: the stronger the colour, the more"
    )


def test_shades_are_where_the_spikes_are(monkeypatch):
    monkeypatch.setattr(plots, "MAX_DOTS", 3)
    # neuron 0 in the first quarter, neuron 3 in the last, twice as often
    steps = np.array([0, 1, 96, 97, 98, 99], np.int32)
    neurons = np.array([0, 0, 3, 3, 3, 3], np.int32)
    monkeypatch.setattr(plots, "COLUMNS", 4)
    drawn = plots.raster(steps, neurons, 100, [("a", 4)], 1e-3)
    rects = re.findall(
        r'fill-opacity="([\d.]+)" d="M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)', drawn.body
    )
    shapes = [tuple(float(v) for v in rect) for rect in rects]
    assert [s[1:] for s in shapes] == [(0, 0, 250, 250), (750, 750, 250, 250)]
    assert shapes[0][0] < shapes[1][0] == 1.0


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


def test_bands_lie_on_each_other():
    ones, twos = np.ones(3, np.int64), np.full(3, 2)
    drawn = plots.stacked("t", [("a", "one", ones), ("b", "two", twos)], 1e-3, "n")
    heights = re.findall(r'band (\w)" d="M0 1000L0 ([\d.]+)', str(drawn.body))
    # of a top of 3 * 1.05: the sum is painted first, the lower band over it
    assert heights == [("b", "47.6"), ("a", "682.5")]
    assert drawn.alt == "t: 9 in 3 steps, by one, two"


def test_a_histogram_of_equal_values_is_drawn():
    drawn = plots.histogram("x", [("a", "now", np.full(5, 2.0))], "x")
    assert "<path" in drawn.body


def test_a_cell_above_its_limit_is_marked():
    fractions = np.array([[0.5, 1.2]])
    drawn = plots.heat("t", ["r"], fractions, [["<a>", "b"]], "core", limits=["of 4"])
    assert str(drawn.body).count("cell over") == 1
    assert "&lt;a&gt;" in drawn.body
    assert drawn.right_ticks == ((50.0, "of 4"),)
    assert [css for css, _ in drawn.legend] == ["scale", "over"]


ROWS = [
    {"name": "full", "rmse_mean": 0.2, "sops": 10_000},
    {"name": "<b>", "rmse_mean": 0.4, "sops": 100, "method": "m<", "density": 0.1},
    {"name": "less", "rmse_mean": 0.8, "sops": 10, "method": "m<", "density": 0.01},
    {"name": "none", "rmse_mean": 0.9, "sops": 0},
    {"name": "no spikes", "rmse_mean": 0.1, "sops": None},
]


def test_points_of_the_curve_have_a_score_and_operations():
    found = comparison.points(ROWS)
    assert [p["name"] for p in found] == ["full", "<b>", "less", "none"]
    assert found[1] == {
        "name": "<b>",
        "method": "m<",
        "budget": "10 %",
        "score": 0.4,
        "score_name": "RMSE",
        "less_is_better": True,
        "sops": 100.0,
        "sops_name": "SOPs",
    }
    assert comparison.points(ROWS[:1]) == []
    assert comparison.points([{"name": "a"}, {"name": "b"}]) == []


def test_the_curve_is_logarithmic_with_a_place_for_none():
    drawn = comparison.curve_plot(comparison.points(ROWS))
    marks = re.findall(r'mark p(\d)" d="M([\d.]+) ([\d.]+)h0', str(drawn.body))
    x = [float(m[1]) for m in marks]
    # equal ratios are equal distances: 10 to 100 is half of 100 to 10,000
    assert x[0] - x[1] == pytest.approx(2 * (x[1] - x[2]), abs=0.5)
    assert x[3] == pytest.approx(1000 * comparison.ZERO_SHARE / 4)
    assert "&lt;b&gt;" in drawn.body
    assert [m[0] for m in marks] == ["1", "0", "0", "2"]
    assert '<path class="line p0"' in drawn.body  # the two densities of a method
    assert drawn.x_ticks[0][1] == "0"
    assert {text for _, text in drawn.x_ticks} >= {"10", "100", "1,000", "10⁴"}
    assert [text for _, text in drawn.legend] == ["m<", "1 full", "2 none"]


def test_densities_of_a_method_are_one_line_with_their_density_beside_them():
    rows = [
        {"name": f"LNP {100 * d:g} %", "score": d, "sops": 1e4 * d, "method": "m", "density": d}
        for d in (0.2, 0.02)
    ]
    drawn = comparison.curve_plot(
        comparison.points([{"name": "full", "score": 0.1, "sops": 2e4}, *rows])
    )
    assert drawn.legend == (("p0", "LNP"), ("p1", "1 full"))
    assert sorted(text for _, _, text in drawn.labels) == ["1", "2 %", "20 %"]
    (line,) = re.findall(r'line p0" d="M([\d.]+) [\d.]+L([\d.]+) [\d.]+"', str(drawn.body))
    assert float(line[0]) < float(line[1])


def test_numbers_of_points_do_not_cover_each_other():
    rows = [{"name": str(k), "score": 1 + 1e-3 * k, "sops": 100 + k} for k in range(5)]
    rows.append({"name": "far", "score": 2.0, "sops": 10**6})
    labels = comparison.curve_plot(comparison.points(rows)).labels
    for k, (x, y, _) in enumerate(labels):
        assert all(abs(x - a) >= 6 or abs(y - b) >= 6 for a, b, _ in labels[:k])


def test_a_curve_of_one_score_is_drawn():
    rows = [{"name": "a", "score": 0.0, "sops": 0}, {"name": "b", "score": 0.0, "sops": 0}]
    assert comparison.curve_plot(comparison.points(rows)) is not None
