"""Rates brought to a target by the biases, on recordings of samples."""

from __future__ import annotations

import numpy as np
import pytest
from stdp_networks import noise, recurrent

from hrsnn_lava.errors import SpecError
from hrsnn_lava.findings import FindingWarning
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.training.balance import (
    BalanceOptions,
    balance,
    lognormal_rates,
    rate_balance,
    rates,
)
from hrsnn_lava.training.course import stimulus_of
from hrsnn_lava.training.homeostasis import HomeostasisOptions, bias_counter, homeostasis

LESSON = [noise(k, 150, 10, 0.1) for k in range(12)]


def mean_rate(network):
    """Measured apart: every sample by hand, from potentials of its own."""
    simulator, spikes = FloatSimulator(network.without_plasticity()), 0
    for k, recording in enumerate(LESSON):
        simulator.reset(np.random.default_rng(k))
        spikes += simulator.run_events(recording)[0].size
    return spikes / (network.n_neurons * sum(r.n_steps for r in LESSON))


@pytest.mark.parametrize("target", [0.01, 0.03, 0.1])
def test_rates_reach_their_target_within_thirty_passes(target):
    network = recurrent(0)
    result = rate_balance(network, LESSON, target)
    assert abs(mean_rate(network) / target - 1) > 0.3
    assert mean_rate(result.network) == pytest.approx(target, rel=0.05)  # from other potentials
    assert result.ratio == pytest.approx(1.0, abs=0.02)
    assert result.errors[0] > 0.3
    assert result.errors.min() < 0.02
    assert len(result.errors) <= 31
    assert result.findings == ()
    assert np.array_equal(result.rates, rates(result.network, LESSON))


def test_neurons_have_targets_of_their_own():
    target = lognormal_rates(40, 0.03, 0.5, np.random.default_rng(0))
    assert target.mean() == pytest.approx(0.03, rel=1e-12)
    assert np.log(target).std() == pytest.approx(0.5, abs=0.12)
    result = rate_balance(recurrent(0), LESSON, target)
    counts = result.rates * 12 * 150
    assert np.abs(counts - target * 12 * 150).max() < 4
    assert np.corrcoef(result.rates, target)[0, 1] > 0.99


def test_silent_neurons_are_woken_and_loud_ones_silenced():
    network = recurrent(0)
    network = network.with_biases(np.where(np.arange(40) % 2, -20.0, 3.0))
    before = rates(network, LESSON)
    assert np.sum(before == 0) >= 20
    result = rate_balance(network, LESSON, 0.02)
    assert result.ratio == pytest.approx(1.0, abs=0.02)
    assert np.all(result.rates > 0.01)
    quiet = np.where(np.arange(40) < 10, 0.0, 0.02)
    assert np.all(rate_balance(recurrent(0), LESSON, quiet).rates[:10] <= 2 / 1800)


def test_steps_are_in_units_of_the_threshold():
    """The same network in other units moves its biases by the same share."""
    from dataclasses import replace

    network = recurrent(0).without_plasticity()
    scaled = network
    for p in network.compute_populations:
        values = {f: 1000.0 * p.parameter(f) for f in ("v_threshold", "bias")}
        scaled = scaled.with_population(p.with_parameters(**values))
    for p in network.projections:
        scaled = scaled.with_projection(replace(p, weights=p.weights * 1000.0))
    options = BalanceOptions(passes=6)
    first, second = (rate_balance(n, LESSON, 0.02, options) for n in (network, scaled))
    np.testing.assert_allclose(second.errors, first.errors, rtol=1e-6)
    bias, large = first.network.gather("bias"), second.network.gather("bias")
    np.testing.assert_allclose(large, 1000 * bias, rtol=1e-6)


def test_a_part_of_the_samples_is_enough_where_it_is_asked_for():
    options = BalanceOptions(samples=4)
    result = rate_balance(recurrent(0), LESSON, 0.03, options)
    assert mean_rate(result.network) == pytest.approx(0.03, rel=0.15)
    few = [LESSON[k] for k in (0, 4, 7, 11)]
    assert np.array_equal(result.rates, rates(result.network, few))


def test_a_rate_that_is_off_is_told():
    options = BalanceOptions(passes=1)
    result = rate_balance(recurrent(0), LESSON, 0.2, options)
    (told,) = [f for f in result.findings if f.kind == "balance_off"]
    assert (told.severity, told.where) == ("warning", "homeostasis")
    assert "target 0.2, x0." in told.measured
    with pytest.warns(FindingWarning, match="the rate is off by more than 2%"):
        balance(recurrent(0), LESSON, 0.2, options)
    assert balance(recurrent(0), LESSON, 0.03).n_neurons == 40


def test_bias_counter_takes_samples():
    network, stimulus = recurrent(0).without_plasticity(), stimulus_of(LESSON, 10, 1)
    simulator = FloatSimulator(network)
    count = bias_counter(simulator, stimulus, lambda: None)
    alone = FloatSimulator(network)
    expected = np.zeros(40)
    for recording in LESSON:
        alone.reset()
        expected += np.bincount(alone.run_events(recording)[1], minlength=40)
    assert count(simulator.bias).tolist() == expected.tolist()
    goal = np.full(40, 54.0)
    result = homeostasis(count, simulator.bias, goal, HomeostasisOptions(passes=30))
    assert result.total_ratio == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (np.zeros(3), r"shape \(3,\); allowed: \(\) or \(40,\)"),
        (1.5, "1.5..1.5; allowed: 0 to 1"),
        (np.nan, "allowed: 0 to 1"),
        ("fast", "allowed: numbers, 0 to 1"),
    ],
)
def test_a_wrong_target_is_refused(target, words):
    with pytest.raises(SpecError, match=words):
        rate_balance(recurrent(0), LESSON, target)
    with pytest.raises(SpecError, match="0 < mean < 1"):
        lognormal_rates(10, 0.0)
