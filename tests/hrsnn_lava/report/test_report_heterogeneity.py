"""Distributions before and after the fit to the chip."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.network import LIF, Network, Population
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation
from hrsnn_lava.report.sections.network import (
    heterogeneity,
    log_determinant,
    matched,
    palette_lines,
    statistics,
    values_of,
    varying,
)


def quantized(dv, vth, du=400):
    size = np.size(dv)
    return QuantizedNetwork((QuantizedPopulation("exc", size, du, dv, vth),))


def test_integers_become_time_constants():
    """dv = 4096 (1 - exp(-dt / tau)) backwards, and du with its offset of 1."""
    dv = round(4096 * (1 - np.exp(-1 / 20)))
    du = round(4096 * (1 - np.exp(-1 / 5))) - 1
    values = values_of(quantized([dv], [100], du))
    assert values["tau_mem"]["exc"] == pytest.approx([20e-3], rel=3e-3)
    assert values["tau_syn"]["exc"] == pytest.approx([5e-3], rel=1e-3)
    assert values["threshold"]["exc"] == pytest.approx([100 * dv / 4096])


def test_a_decay_of_nothing_has_no_time_constant():
    values = values_of(quantized([0, 400], [100, 100]))
    assert values["tau_mem"]["exc"].size == 1


def test_thresholds_are_compared_in_one_unit():
    after = values_of(quantized([400, 400, 400], [900, 1000, 1100]))
    lif = LIF(10e-3, 5e-3, np.array([0.9, 1.0, 1.1]))
    before = values_of(Network(1e-3, (Population("exc", 3, lif),)))
    same = matched(after, before)
    np.testing.assert_allclose(same["threshold"]["exc"], [0.9, 1.0, 1.1])
    assert matched(after, None) is after


def test_statistics_of_a_constant_have_no_spread():
    found = statistics({"a": np.full(7, 0.1)})
    assert (found["sd"], found["cv"], found["distinct"]) == (0.0, 0.0, 1)
    assert statistics({}) is None


def test_log_determinant_of_independent_log_normals():
    """ln det of a diagonal covariance is the sum of the logarithms of the variances."""
    rng = np.random.default_rng(0)
    values = {
        "tau_mem": {"exc": rng.lognormal(-4.0, 0.5, 200_000)},
        "tau_syn": {"exc": np.full(200_000, 5e-3)},
        "threshold": {"exc": rng.lognormal(0.0, 0.1, 200_000)},
        "refractory": {"exc": np.zeros(200_000)},
    }
    names = varying(values)
    assert names == ["tau_mem", "threshold"]
    expected = 2 * np.log(0.5) + 2 * np.log(0.1)
    assert log_determinant(values, names) == pytest.approx(expected, abs=0.03)


def test_a_collapsed_parameter_has_no_joint_spread():
    wide = values_of(quantized([400, 500, 600], [900, 1000, 1300]))
    flat = values_of(quantized([500, 500, 500], [900, 1000, 1300]))
    section = heterogeneity(flat, wide, {})
    assert section["log_det"]["over"] == ["tau_mem", "threshold"]
    assert section["log_det"]["before"] is not None
    assert section["log_det"]["after"] is None


def test_the_palette_errors_are_those_of_the_pass(whole):
    data = whole.to_dict()
    record = next(t for t in data["transforms"] if t["name"] == "palette")["report"]
    section = data["heterogeneity"]["palette"]
    assert section["changed"] == record["changed"]
    assert section["relative_error"]["tau_mem"] == record["tau_mem"]
    mean = data["heterogeneity"]["quantities"]["tau_mem"]
    assert mean["after"]["mean"] == pytest.approx(mean["before"]["mean"], rel=0.05)


def test_absorbed_thresholds_are_told_apart():
    """Every neuron has a unit of its own then, so the integers are no distribution."""
    before = values_of(quantized([400, 500, 600], [900, 1000, 1300]))
    after = values_of(quantized([400, 500, 600], [1000, 1000, 1000]))
    spread = {"max": 0.02, "mean": 0.01, "median": 0.005, "p95": 0.015}
    none = dict.fromkeys(spread, 0.0)
    palette = {"tau_mem": spread, "tau_syn": none, "threshold": none, "changed": 3}
    palette |= {"naive": {"tau_mem": {**spread, "median": 0.03}}, "weighted": {"tau_mem": 0.01}}
    absorbed = {
        "absorbed": 3,
        "gain_min": 0.7,
        "gain_max": 1.25,
        "current_change_median": 0.004,
        "current_change_max": 0.012,
    }
    section = heterogeneity(after, before, palette, None, absorbed)
    assert section["quantities"]["threshold"]["after"] is None
    assert section["quantities"]["threshold"]["before"]["max"] == pytest.approx(1300 * 600 / 4096)
    assert section["log_det"]["over"] == ["tau_mem"]
    assert section["palette"]["absorbed"]["absorbed"] == 3
    assert palette_lines(section["palette"]) == [
        "palette error of tau mem: at most 2.00 %, mean 1.00 %, median 0.50 % (k-means on every "
        "core, neuron order: 3.00 %)",
        "3 thresholds are in the weights, gains 0.70 to 1.25; rounding changes the current by "
        "0.40 % of the one that fires a neuron (median), at most 1.20 %",
    ]
    kept = heterogeneity(after, before, palette, None, {**absorbed, "absorbed": 0})
    assert kept["quantities"]["threshold"]["after"]["distinct"] == 3
    assert palette_lines({}) == []
