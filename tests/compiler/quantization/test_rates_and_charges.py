"""Biases, thresholds and the charge of a spike: rates of neurons against a plain loop in floats."""

from __future__ import annotations

import re

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.compiler.quantization.constant_error import bias_exponents, rate_sensitivity
from hrsnn_lava.errors import SpecError


def plain_counts(network, steps, sent=None):
    """Spikes of each neuron of the only population, by the equations, step by step."""
    population = network.compute_populations[0]
    field = {f: population.parameter(f) for f in ("tau_mem", "tau_syn", "v_threshold", "bias")}
    beta = np.exp(-network.dt / field["tau_mem"])
    alpha = np.exp(-network.dt / np.maximum(field["tau_syn"], 1e-12))
    gain = np.where(np.isinf(field["tau_mem"]), 1.0, 1.0 - beta)
    v, u, counts = np.zeros((3, population.size))
    for t in range(steps):
        u = alpha * u
        if sent is not None:
            u = u + network.projections[0].weights @ sent[t]
        v = beta * v + gain * (u + field["bias"])
        spikes = v > field["v_threshold"]
        counts += spikes
        v[spikes] = 0.0
    return counts


def biased(tau_mem, threshold, bias):
    """One population, driven by its bias alone."""
    neuron = hl.LIF(tau_mem, 0.0, threshold, bias)
    return hl.Network(1e-3, (hl.Population("a", np.size(bias), neuron),))


def test_thresholds_of_three_decades_cost_no_bias_its_bits():
    rng = np.random.default_rng(0)
    threshold = 10 ** rng.uniform(-1.5, 1.5, 40)
    network = biased(0.01, threshold, threshold * rng.uniform(1.005, 1.05, 40))
    exact = plain_counts(network, 3000)
    integer, report = quantize(network)
    counts = hl.simulate(integer, None, 3000).counts()
    assert exact.sum() > 3000
    assert np.abs(counts - exact).sum() < 0.01 * exact.sum()
    assert report["populations"]["a"]["scale_of"] == "neuron"
    assert report["populations"]["a"]["rate_errors"] == 0


@pytest.mark.parametrize(("slow", "high"), [(0.02, 1000.0), (4.0, 1.0)])
@pytest.mark.parametrize(("tau", "bias"), [(0.002, 1.005), (0.005, 1.01), (0.02, 1.02)])
def test_one_slow_or_high_neuron_moves_no_rate(slow, high, tau, bias):
    tau_mem, threshold, biases = np.full(40, tau), np.ones(40), np.full(40, bias)
    tau_mem[0], threshold[0], biases[0] = slow, high, 0.0
    network = biased(tau_mem, threshold, biases)
    exact = plain_counts(network, 3000)[1]
    counts = hl.simulate(hl.quantize(network), None, 3000).counts()[1:]
    assert abs(counts - exact).max() <= max(1, 0.01 * exact)


def test_coarse_biases_that_must_stay_are_told():
    """A projection that learns ties the scale: small thresholds beside large ones stay coarse."""
    threshold = np.array([1.0, 1000.0])
    population = hl.Population("a", 2, hl.LIF(0.01, 0.0, threshold, threshold * 1.01))
    rule = hl.STDP(0.01, 0.01, 0.02, 0.02, w_max=1000.0)
    learns = hl.Projection("r", "a", "a", np.array([[0.0, 1.0], [1.0, 0.0]]), plasticity=rule)
    report = quantize(hl.Network(1e-3, (population,), (learns,)))[1]
    assert report["populations"]["a"]["scale_of"] == "population"
    (finding,) = (f for f in report["findings"] if f.kind == "rate_off")
    assert finding.severity == "warning"
    assert "of neuron 0" in finding.measured
    assert finding.fix == "put neuron 1 into a population of its own, or give a smaller input_range"


def test_the_sensitivity_of_a_rate_is_that_of_its_period():
    """d ln T of T = ln(f / (f - 1)) by the smallest differences."""
    levels = np.array([1.005, 1.02, 1.1, 1.4])

    def period(f):
        return np.log(f / (f - 1.0))

    step = 1e-7
    slope = -(period(levels + step) - period(levels - step)) / (2 * step) / period(levels)
    found = rate_sensitivity(levels, np.ones(4))
    np.testing.assert_allclose(found, np.maximum(slope, 1.0), rtol=1e-5)
    np.testing.assert_array_equal(rate_sensitivity(np.array([0.0, 5.0]), np.ones(2)), 1.0)


def test_the_smallest_exponents_hold_the_mantissas():
    drive = np.array([0.0, 1.0, 4095.4, 4095.6, 8190.0, 2.0**15])
    exponents = bias_exponents(drive)
    assert exponents.tolist() == [0, 0, 0, 1, 1, 4]
    assert np.all(np.rint(drive / 2.0**exponents) <= 4095)


@pytest.mark.parametrize("decay", [9.51, 10.49, 12.51, 20.49, 40.5])
def test_a_rounded_decay_of_the_current_moves_no_rate(decay):
    """A tau_syn in the middle between two of the chip's; a mean drive just above the threshold."""
    rng = np.random.default_rng(0)
    n, channels, steps, rate = 20, 100, 4000, 0.02
    tau_syn = -1e-3 / np.log1p(-decay / 4096)
    weights = rng.gamma(8, 1 / 8, (n, channels))
    weights *= (1.05 * decay / 4096 / (weights.sum(axis=1) * rate))[:, None]
    populations = (
        hl.Population("x", channels, hl.Input()),
        hl.Population("a", n, hl.LIF(0.02, tau_syn)),
    )
    network = hl.Network(1e-3, populations, (hl.Projection("p", "x", "a", weights),))
    sent = rng.random((steps, channels)) < rate
    exact = plain_counts(network, steps, sent).sum()
    spikes = hl.simulate(hl.quantize(network), hl.SpikeInput.from_dense(sent)).n_spikes
    assert exact > 500
    assert abs(spikes / exact - 1) < 0.04


def outlier(big):
    """One huge weight a neuron, from a channel of its own, and many small ones."""
    weights = np.random.default_rng(0).uniform(0.05, 0.1, (20, 20))
    weights[:, 0] = big
    populations = (hl.Population("i", 20, hl.Input()), hl.Population("a", 20, hl.LIF(0.02, 0.005)))
    return hl.Network(1e-3, populations, (hl.Projection("p", "i", "a", weights),))


@pytest.mark.parametrize("big", [60.0, 600.0])
@pytest.mark.parametrize("scaling", ["max", "mse", "percentile:90"])
def test_a_huge_weight_that_may_never_fire_does_not_hide_what_was_lost(big, scaling):
    """Its share of the drive is a guess, as long as no run tells the rates."""
    report = quantize(outlier(big), Quantize(scaling=scaling))[1]
    assert report["projections"]["p"]["zeroed"] > 250
    (finding,) = (f for f in report["findings"] if f.kind == "weights_became_zero")
    assert finding.severity == "warning"
    assert finding.fix.startswith("split the projection")


def weights_beside_a_high_threshold():
    """Forty neurons, one of 4 s, whose vth takes all 17 bits and leaves weights a few units."""
    tau = np.full(40, 0.02)
    tau[0] = 4.0
    populations = (
        hl.Population("in", 400, hl.Input()),
        hl.Population("a", 40, hl.LIF(tau, 0.005, 5.0, bias=4.5)),
    )
    weights = np.random.default_rng(5).normal(0.0, 0.3, (40, 400))
    return hl.Network(1e-3, populations, (hl.Projection("w", "in", "a", weights),))


def weights_beside_low_thresholds():
    """A network of another tool, whose weights of one size drive neurons of all thresholds."""
    rng = np.random.default_rng(5)
    w_in, w_rec = rng.normal(0, 0.6, (120, 30)), rng.normal(0, 0.15, (120, 120))
    beta = rng.uniform(0.8, 0.98, 120)
    options = {"v_threshold": 1.0, "dt": 1e-3, "convention": "snntorch"}
    return hl.Network.from_arrays(w_in=w_in, w_rec=w_rec, beta=beta, **options)


@pytest.mark.parametrize(
    ("network", "said", "fix"),
    [
        (weights_beside_low_thresholds, "their weights are coarse", "split the projections"),
        (weights_beside_a_high_threshold, "their weights are small", "use a longer dt"),
    ],
)
def test_what_is_said_of_a_current_that_is_off_fits_its_neuron(network, said, fix):
    """Weights that fill their bits at a low threshold, or that a high one leaves a few units."""
    report = quantize(network())[1]
    assert {entry["scale_of"] for entry in report["populations"].values()} == {"neuron"}
    (finding,) = (f for f in report["findings"] if f.kind == "current_off")
    assert finding.meaning.startswith(f"{said} beside their thresholds")
    assert finding.fix.startswith(fix)


def test_sources_that_rest_lose_no_drive():
    network = outlier(0.1)
    report = quantize(network, observed=Observed(np.zeros(20), np.zeros(20)))[1]
    entry = report["projections"]["p"]
    assert (entry["zeroed"], entry["zeroed_drive"], entry["zeroed_drive_max"]) == (0, 0.0, 0.0)


def test_no_neuron_pays_for_the_others():
    """Clipping the busiest neuron's weights would serve all others; it would lose its current."""
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.01, 0.03, (30, 40))
    weights[0] = 5.0
    populations = (hl.Population("i", 40, hl.Input()), hl.Population("a", 30, hl.LIF(0.02, 0.02)))
    plastic = hl.Projection("r", "a", "a", np.eye(30), plasticity=hl.STDP(0.1, 0.1, 0.02, 0.02, 1))
    fixed = hl.Projection("p", "i", "a", weights)
    network = hl.Network(1e-3, populations, (fixed, plastic))  # which learns: one scale for all
    observed = Observed(np.full(30, 0.01), np.full(40, 0.05))
    for scaling in ("max", "percentile:90", "mse", "activity"):
        integer, _ = quantize(network, Quantize(scaling=scaling), observed)
        projection = integer.projection("p")
        row = projection.weights[0].toarray().ravel() * 2.0**projection.weight_exp
        unit = (
            integer.population("a").parameter("vth")[0] * integer.population("a").parameter("dv")[0]
        )
        charge = (integer.population("a").parameter("du")[0] + 1) / 4096 / -np.expm1(-0.05)
        np.testing.assert_allclose(row / (unit / 4096), 5.0 * charge, rtol=0.03, err_msg=scaling)


@pytest.mark.parametrize(
    ("dt", "periods", "delay", "error"),
    [
        (1e-3, 0.0015, None, None),
        (1e-3, 0.0025, None, None),
        (1e-3, 0.00149, None, None),
        (1e-3, 0.0304, 0.0004, "no dt"),
        (1e-3, 0.002, 0.0006, None),
    ],
)
def test_a_shorter_step_that_is_advised_is_shorter_and_helps(dt, periods, delay, error):
    populations = (hl.Population("i", 1, hl.Input()), hl.Population("a", 1, hl.LIF(0.02, 0.005)))
    populations = (
        populations[0],
        populations[1].with_parameters(refractory=np.array([periods])),
    )
    network = hl.Network(dt, populations, (hl.Projection("p", "i", "a", [[1.0]], delays=delay),))
    kinds = ("refractory_rounded", "delays_rounded", "delays_became_zero", "refractory_became_zero")
    told = [f for f in quantize(network)[1]["findings"] if f.kind in kinds]
    assert told
    for finding in told:
        if error is not None:
            assert finding.fix.startswith(error)
            continue
        step = float(finding.fix.removeprefix("use a shorter dt, such as ").removesuffix(" s"))
        assert step < dt
        finer = hl.Network(step, network.populations, network.projections)
        assert not [f for f in quantize(finer)[1]["findings"] if f.kind == finding.kind]


def test_a_delay_that_is_half_off_is_a_warning():
    populations = (hl.Population("i", 1, hl.Input()), hl.Population("a", 1, hl.LIF(0.02, 0.005)))
    network = hl.Network(1e-3, populations, (hl.Projection("p", "i", "a", [[1.0]], delays=6e-4),))
    (finding,) = (f for f in quantize(network)[1]["findings"] if f.kind == "delays_rounded")
    assert (finding.severity, finding.measured) == ("warning", "up to 66.7 % off")


@pytest.mark.parametrize(
    ("field", "value"),
    [("v_threshold", 1e-300), ("v_threshold", 1e300), ("bias", 1e300), ("bias", -1e-300)],
)
def test_numbers_beyond_all_reason_are_refused_by_name(field, value):
    neuron = hl.LIF(**{"tau_mem": 0.02, "v_threshold": 1.0, field: value})
    network = hl.Network(1e-3, (hl.Population("a", 2, neuron),))
    with pytest.raises(
        SpecError, match=re.escape(f"population 'a'.{field}: {abs(value):g} (2 in all)")
    ):
        hl.quantize(network)


def test_weights_beyond_all_reason_and_ranges_of_inputs_are_refused_by_name():
    with pytest.raises(SpecError, match=r"projection 'p'.weights: 1e\+300"):
        hl.quantize(outlier(1e300))
    with pytest.raises(SpecError, match="input_range: 1e\\+300; allowed: <= 1"):
        hl.quantize(outlier(1.0), input_range=1e300)


def test_times_that_look_like_milliseconds_are_told_with_their_unit():
    network = hl.Network(1e-3, (hl.Population("a", 1, hl.LIF(0.02, refractory=2.0)),))
    with pytest.raises(SpecError, match=r"2 s, 2000 steps of 0.001 s.*not in milliseconds"):
        hl.quantize(network)


def test_one_rate_for_all_is_no_rate_of_each():
    with pytest.raises(SpecError, match="with one rate for all; allowed: a rate for each"):
        hl.quantize(outlier(1.0), scaling="activity", observed=Observed(0.05))


def test_an_integer_network_keeps_what_was_lost(tmp_path):
    """Through files and programs; its digest is that of the integers alone."""
    neuron = hl.LIF(1.0, 0.0, bias=1.02)
    network = hl.Network(1e-4, (hl.Population("a", 3, neuron),))
    with pytest.warns(hl.FindingWarning):
        integer = hl.quantize(network)
    assert [f.kind for f in integer.findings] == ["time_constant_off"]
    integer.save(tmp_path / "q.hlx")
    again = hl.QuantizedNetwork.load(tmp_path / "q.hlx")
    assert again.findings == integer.findings
    with pytest.warns(hl.FindingWarning):
        whole, parts = hl.compile(network, "loihi2"), hl.compile(again, "loihi2")
    assert whole.findings == parts.findings
    assert whole.network.digest == parts.network.digest == integer.digest
    parts.save(tmp_path / "c.hlx")
    assert hl.CompiledNetwork.load(tmp_path / "c.hlx").findings == parts.findings
