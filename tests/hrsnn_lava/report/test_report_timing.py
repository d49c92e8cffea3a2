"""Time, and figures per sample and per second, in a report."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hrsnn_lava.compiler.analysis.operations.counting import count_trace
from hrsnn_lava.compiler.analysis.operations.windows import by_length, from_starts
from hrsnn_lava.errors import SpecError
from hrsnn_lava.report.document import build_report
from hrsnn_lava.report.facts import windows_of
from hrsnn_lava.trace import SpikeInput, Trace

STEPS = 60


@pytest.fixture(scope="module")
def fastest(compiled, trace):
    return build_report(compiled, trace, "sanafe_loihi", step_time_s="fastest", samples=6).data


def test_real_time_is_what_the_user_says(compiled, trace) -> None:
    data = build_report(compiled, trace, "sanafe_loihi", step_time_s=5e-4).data
    timing = data["timing"]
    assert timing["mode"] == "real_time"
    assert timing["wall_time_s"] == data["energy"]["wall_time_s"] == STEPS * 5e-4
    delay = data["energy"]["total_j"] * STEPS * 5e-4
    assert timing["energy_delay_js"] == pytest.approx(delay, rel=1e-12)
    parts = timing["compute_s"] + timing["network_s"] + timing["barrier_s"]
    assert timing["step_mean_s"] == pytest.approx(parts, rel=1e-12)
    assert timing["real_time_factor"] == pytest.approx(5e-4 / timing["step_mean_s"])
    assert timing["throughput_steps_per_s"] == pytest.approx(1 / timing["step_mean_s"])
    assert timing["keeps_real_time"] is True
    assert timing["unknown"] == []
    assert timing["evidence"] == ["derived"]


def test_as_fast_as_possible_is_the_sum_of_the_estimates(fastest) -> None:
    timing, energy = fastest["timing"], fastest["energy"]
    assert timing["mode"] == "as_fast_as_possible"
    assert timing["wall_time_s"] == timing["fastest_wall_time_s"]
    assert energy["wall_time_s"] == pytest.approx(STEPS * timing["step_mean_s"], rel=1e-12)
    # 29.6 mW of the one idle chip, over the wall time
    assert energy["static_j"] == pytest.approx(0.0296 * timing["wall_time_s"], rel=1e-12)
    assert timing["keeps_real_time"] is None
    # the step of the network is the reference where the user gives none
    assert timing["real_time_factor"] == pytest.approx(1e-3 / timing["step_mean_s"])


def test_a_pace_that_the_chip_does_not_keep_is_said(compiled, trace) -> None:
    report = build_report(compiled, trace, "sanafe_loihi", step_time_s=1e-7)
    timing = report.data["timing"]
    assert timing["keeps_real_time"] is False
    factor = timing["step_max_s"] / 1e-7
    assert timing["slowest_over_step_time_factor"] == pytest.approx(factor)
    flat = " ".join(report.to_text().split())
    assert "does not keep real time: the slowest step takes" in flat


def test_unknown_times_are_null_and_named(compiled, trace) -> None:
    report = build_report(compiled, trace, "davies2018", step_time_s="fastest", samples=6)
    timing, data = report.data["timing"], report.data
    assert timing["unknown"] == ["message in"]
    for key in ("wall_time_s", "step_time_s", "step_mean_s", "step_max_s", "compute_s"):
        assert timing[key] is None, key
    assert timing["step_at_least_s"] > 0
    assert data["energy"]["total_j"] is None
    assert {"name": "static power", "count": None, "reason": "the wall time is not known"} in (
        data["energy"]["unpriced"]
    )
    assert data["per_sample"]["total_j"]["mean"] is None
    assert data["per_second"]["sops"] is None
    assert "unknown times: message in" in report.to_text()


def test_a_proxy_is_marked_wherever_it_touches(proxied, unpriced) -> None:
    assert proxied.data["timing"]["proxy"]
    lines = proxied.to_text().splitlines()
    touched = [
        x for x in lines if x.startswith(("estimate of a step", "energy-delay", "unknown t"))
    ]
    assert touched
    assert all("(proxy)" in line for line in touched)
    assert unpriced.data["timing"]["unknown"] == ["no cost set for this chip"]
    assert unpriced.data["timing"]["step_mean_s"] is None


def test_without_a_run_there_is_no_time(bare) -> None:
    assert bare.data["timing"]["step_mean_s"] is None
    assert bare.data["per_sample"] is None
    assert bare.data["per_second"] is None
    assert "TIMING" not in bare.to_text()


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "slow", True, None])
def test_a_wrong_step_time(compiled, trace, value) -> None:
    with pytest.raises(SpecError, match="seconds > 0, or 'fastest'"):
        build_report(compiled, trace, step_time_s=value)


@pytest.mark.parametrize("step_time", [1e-3, "fastest"])
def test_samples_add_up_to_the_report(compiled, trace, step_time) -> None:
    whole = build_report(compiled, trace, "sanafe_loihi", step_time_s=step_time, samples=6).data
    sample, energy = whole["per_sample"], whole["energy"]
    assert sample["samples"] == 6
    assert sample["steps_outside"] == 0
    assert sample["steps_per_sample"] == {"mean": 10.0, "sd": 0.0, "min": 10.0, "max": 10.0}
    for key, total in (
        ("sops", whole["sop"]["total"]),
        ("spikes", whole["activity"]["spikes"]),
        ("messages", whole["activity"]["messages"]),
        ("wall_time_s", energy["wall_time_s"]),
        ("dynamic_j", energy["dynamic_j"]),
        ("total_j", energy["total_j"]),
    ):
        assert 6 * sample[key]["mean"] == pytest.approx(total, rel=1e-12), key
        assert sample[key]["min"] <= sample[key]["mean"] <= sample[key]["max"]
    assert sample["total_j"]["mean"] == pytest.approx(energy["per_sample_j"], rel=1e-12)


def test_rates_times_the_wall_time_are_the_run(fastest) -> None:
    second, wall = fastest["per_second"], fastest["timing"]["wall_time_s"]
    assert second["sops"] * wall == pytest.approx(fastest["sop"]["total"])
    assert second["total_w"] * wall == pytest.approx(fastest["energy"]["total_j"])
    assert second["static_w"] == pytest.approx(0.0296)
    assert second["dynamic_w"] + second["static_w"] == pytest.approx(second["total_w"])


def test_samples_of_different_lengths(compiled, trace) -> None:
    windows = from_starts(STEPS, [0, 10, 40])
    found = build_report(compiled, trace, "sanafe_loihi", sample_windows=windows).data
    assert found["per_sample"]["samples"] == 3
    assert found["per_sample"]["steps_per_sample"]["max"] == 30
    assert found["energy"]["samples"] == 3
    spikes = [
        np.sum((trace.spike_steps >= a) & (trace.spike_steps < b))
        for a, b in ((0, 10), (10, 40), (40, 60))
    ]
    assert found["per_sample"]["spikes"]["max"] == max(spikes)
    assert found["per_sample"]["spikes"]["sd"] == pytest.approx(np.std(spikes, ddof=1))


def test_steps_that_belong_to_no_sample_are_said(compiled, trace) -> None:
    report = build_report(compiled, trace, "sanafe_loihi", sample_windows=by_length(STEPS, 25))
    assert report.data["per_sample"]["steps_outside"] == 10
    assert report.data["energy"]["samples"] == pytest.approx(60 / 25)
    assert "10 steps belong to none" in report.to_text()


def test_an_input_can_say_where_its_samples_begin(compiled, trace, tmp_path) -> None:
    inputs = SpikeInput(np.array([0]), np.array([0]), 60, 2, samples=np.array([0, 20, 50]))
    inputs.save(tmp_path / "input.npz")
    again = SpikeInput.load(tmp_path / "input.npz")
    run = Trace(trace.spike_steps, trace.spike_neurons, 60, 50, inputs=again)
    run.save(tmp_path / "trace.npz")
    found = windows_of(Trace.load(tmp_path / "trace.npz"), None)
    assert found is not None
    assert found.bounds.tolist() == [0, 20, 50, 60]
    report = build_report(compiled, Trace.load(tmp_path / "trace.npz"), "sanafe_loihi").data
    assert report["per_sample"]["samples"] == 3
    # what is said of the run goes before what its input says
    assert windows_of(run, 6).bounds.tolist() == list(range(0, 61, 10))


@pytest.mark.parametrize("starts", [[], [3, 3], [-1], [60], [[1]]])
def test_wrong_starts_in_an_input(starts) -> None:
    with pytest.raises(SpecError, match="samples"):
        SpikeInput(np.array([0]), np.array([0]), 60, 2, samples=np.array(starts, dtype=int))


def test_the_document_is_json(fastest) -> None:
    keys = ("timing", "per_sample", "per_second")
    text = json.dumps({key: fastest[key] for key in keys}, allow_nan=False)
    assert json.loads(text)["timing"]["mode"] == "as_fast_as_possible"


def test_samples_may_be_given_by_the_steps_they_begin_in(compiled, trace) -> None:
    data = build_report(compiled, trace, "sanafe_loihi", sample_windows=[0, 10, 40]).data
    assert data["per_sample"]["samples"] == 3
    with pytest.raises(SpecError, match="of 61 steps; allowed: 60"):
        build_report(compiled, trace, sample_windows=by_length(61, 5))
    with pytest.raises(SpecError, match="rising steps"):
        build_report(compiled, trace, sample_windows=[10, 0])


def test_the_page_says_the_same(compiled, trace) -> None:
    page = build_report(compiled, trace, "davies2018", step_time_s="fastest", samples=6).to_html()
    assert "unknown times: message in." in page
    assert "the wall time is null" in page


def test_counts_alone_have_rates_and_no_latency(compiled, trace) -> None:
    counts = count_trace(compiled, trace)
    report = build_report(compiled, cost_set="sanafe_loihi", counts=counts)
    assert report.data["timing"]["wall_time_s"] == pytest.approx(0.06)
    assert report.data["timing"]["step_mean_s"] is None
    assert report.data["per_second"]["sops"] == pytest.approx(counts.ops.total / 0.06)
    assert "counts alone" in report.to_text()
    fastest = build_report(compiled, cost_set="sanafe_loihi", counts=counts, step_time_s="fastest")
    assert fastest.data["energy"]["total_j"] is None
    fastest.to_html()
    fastest.to_text()
