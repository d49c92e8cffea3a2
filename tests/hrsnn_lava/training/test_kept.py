"""What a network keeps, against closed forms of delay lines, and networks that keep all of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.dynamics.driven_lif import HeldInput
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    ParticipationOptions,
    participation_exponents,
)
from hrsnn_lava.compiler.analysis.dynamics.trace_covariance import trace_covariance
from hrsnn_lava.compiler.pruning.surgery import drop_neurons
from hrsnn_lava.csr import held_drive
from hrsnn_lava.errors import SpecError
from hrsnn_lava.seeding import generator
from hrsnn_lava.trace import SpikeInput, Trace
from hrsnn_lava.training import kept as module
from hrsnn_lava.training.kept import (
    KeptOptions,
    Measured,
    compare,
    kept,
    measure,
    sampled_traces,
    without_recurrence,
)
from hrsnn_lava.training.random_input import random_input
from hrsnn_lava.training.simulation import Stimulus

SHORT = KeptOptions(samples=400, exponent_steps=100)
#: A step is a sample, so that a spike trace holds every single step.
LINE = KeptOptions(samples=3000, steps_per_sample=1, exponent_steps=50)


def delay_line(n: int, ends: int = 0) -> hl.Network:
    """A spike of the input goes through n neurons, one a step; `ends` neurons hear nothing."""
    total = n + ends
    w_in, w = np.zeros((total, 1)), np.zeros((total, total))
    w_in[0, 0] = 2.0
    for k in range(1, n):
        w[k, k - 1] = 2.0
    return hl.Network.from_arrays(w_in, w, beta=0.0)


@pytest.fixture(scope="module")
def network() -> hl.Network:
    table = {"size": 50, "connectivity": {"mean_degree": 10.0}, "input": {"share": 0.5}}
    return hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=2, n_inputs=2)


@pytest.fixture(scope="module")
def measured(network: hl.Network) -> Measured:
    return measure(network, options=SHORT)


@pytest.mark.parametrize("n", [2, 6])
def test_a_delay_line_remembers_its_length(n: int) -> None:
    """The traces span s(t - 1), ..., s(t - n + 1), and a mixture of all before: n features.

    ``z_k - z_{k + 1} / e`` is one step, and the last neuron's trace tells s(t - n - m) with
    ``r^2 = e^{-2m} (1 - e^{-2})``, whose sum over m is 1. A spike arrives one step later, so that
    no feature is wasted on step t itself, which is no memory.
    """
    found = measure(delay_line(n), options=LINE)
    assert found.memory is not None
    decay = np.exp(-2.0)
    past = np.arange(1, LINE.delays + 1)
    wanted = np.where(past < n, 1.0, decay ** (past - n + 0.0) * (1 - decay))
    np.testing.assert_allclose(found.memory.curve, wanted, atol=0.06)
    assert found.memory.value == pytest.approx(n, abs=0.1)
    assert found.memory.bound == n


def test_the_figures_of_a_delay_line_have_closed_forms() -> None:
    """Rate p, one SOP a spike but for the last neuron, covariance of an AR(1) process."""
    n = 5
    found = measure(delay_line(n), options=LINE)
    sent = random_input(delay_line(n), 0, LINE.samples, 1).values
    p = float(sent.mean())
    assert p == pytest.approx(0.1, abs=0.015)
    np.testing.assert_allclose(found.rates, p, atol=n / LINE.samples)  # some are still on the way
    assert found.sops == pytest.approx(found.rates[:-1].sum())
    lag = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    wanted = p * (1 - p) * np.exp(-lag) / (1 - np.exp(-2.0))
    np.testing.assert_allclose(found.covariance, wanted, atol=0.02)
    assert (found.edge.radius, found.edge.abscissa) == (0.0, 0.0)
    assert found.figures()["silent"] == 0


def test_memory_counts_every_channel() -> None:
    """Two delay lines side by side remember twice as much as one, whatever else is silent."""
    one = delay_line(4)
    block = sparse.block_diag
    w_in, w = one.projection("w_in").weights, one.projection("w_rec").weights
    two = hl.Network.from_arrays(block([w_in, w_in]), block([w, w]), beta=0.0)
    found = measure(two, options=LINE)
    assert found.channels == 2
    assert found.memory is not None
    assert found.memory.value == pytest.approx(8.0, abs=0.2)
    asked = measure(two, options=replace(LINE, channels=1))
    assert asked.memory is not None
    assert (asked.channels, asked.memory.bound) == (1, 8)
    assert asked.memory.value == pytest.approx(4.0, abs=0.15)


def test_traces_are_exponential_sums() -> None:
    trace = Trace(np.array([0, 3, 3, 7, 8]), np.array([0, 0, 1, 1, 0]), 9, 2)
    wanted = np.zeros((2, 2))
    for step, neuron in ((0, 0), (3, 0), (3, 1), (7, 1)):  # the last step ends no sample
        for k in range(2):
            age = 4 * k + 3 - step
            wanted[k, neuron] += np.exp(-age / 4.0) if age >= 0 else 0.0
    np.testing.assert_allclose(sampled_traces(trace, 4), wanted, rtol=1e-12)


def test_what_is_long_ago_is_forgotten_and_changes_nothing() -> None:
    """A spike 6000 steps back would be a number without bits; mean and square have closed forms."""
    trace = Trace(np.array([0]), np.array([0]), 6000, 1)
    sampled = sampled_traces(trace, 10)
    assert sampled.min() == 0.0
    assert sampled[sampled > 0].min() > 1e-100
    mean, square = (1 / (1 - np.exp(-k / 10)) / 6000 for k in (1, 2))
    wanted = square - mean**2
    np.testing.assert_allclose(trace_covariance(trace, 10.0), [[wanted]], rtol=1e-12)


def test_a_network_keeps_all_of_itself(network: hl.Network, measured: Measured) -> None:
    found = kept(network, network, options=SHORT)
    assert found.compared == {
        "spikes_ratio": 1.0,
        "sops_ratio": 1.0,
        "rate_correlation": pytest.approx(1.0),
        "covariance_correlation": pytest.approx(1.0),
        "trace_correlation": pytest.approx(1.0),
        "exponent_difference": 0.0,
        "memory_difference": 0.0,
    }
    assert found.ceiling["trace_correlation"] <= 1.0
    document = found.to_dict()
    assert document["before"] == document["after"] == measured.figures()
    assert document["input"].startswith("uniform in +-1.73")


def test_the_same_seed_gives_the_same_bits(network: hl.Network, measured: Measured) -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        again = measure(network, options=SHORT)
    other = measure(network, seed=1, options=SHORT)
    for name in ("rates", "exponents", "covariance", "traces", "active"):
        assert np.array_equal(getattr(again, name), getattr(measured, name)), name
        assert not np.array_equal(getattr(other, name), getattr(measured, name)) or name == "active"
    assert again.figures() == measured.figures()
    assert other.memory is not None
    assert again.memory is not None
    assert other.memory.value != again.memory.value


def test_other_potentials_have_the_same_input(network: hl.Network, measured: Measured) -> None:
    other = measure(network, start=1, options=SHORT)
    assert not np.array_equal(other.rates, measured.rates)
    assert np.array_equal(other.exponents, measured.exponents)
    spared = measure(network, start=1, options=SHORT, like=measured)
    assert spared.figures() == other.figures()


def test_what_is_left_of_dropped_neurons_is_compared_by_their_places() -> None:
    """Neurons that speak to none go; those that stay do what they did."""
    line = delay_line(4, ends=3)
    order = np.array([4, 0, 5, 1, 2, 6, 3])  # the silent ones in between
    w_in = line.projection("w_in").weights[order]
    w = line.projection("w_rec").weights[order][:, order]
    before = hl.Network.from_arrays(w_in, w, beta=0.0)
    stay = order < 4
    found = kept(before, drop_neurons(before, stay), survivors=np.flatnonzero(stay), options=LINE)
    assert found.compared["trace_correlation"] == pytest.approx(1.0)
    assert found.compared["covariance_correlation"] == pytest.approx(1.0)
    assert found.compared["spikes_ratio"] == 1.0
    assert found.before.figures()["silent"] == 3
    assert found.after.figures()["silent"] == 0


def test_silent_neurons_count_nothing_before_and_zero_after() -> None:
    line = delay_line(4)
    cut = line.projection("w_rec").weights.tolil()
    cut[3, 2] = 0.0
    weights = sparse.csr_matrix(cut)
    after = line.with_projection(replace(line.projection("w_rec"), weights=weights))
    one = kept(line, after, options=LINE).compared
    assert one["trace_correlation"] == pytest.approx(3 / 4)
    assert one["spikes_ratio"] == pytest.approx(3 / 4, abs=0.01)
    back = kept(after, line, options=LINE).compared
    assert back["trace_correlation"] == pytest.approx(1.0)


def test_a_network_without_recurrence_or_spikes_has_figures_too() -> None:
    quiet = hl.Network.from_arrays(np.zeros((3, 1)), None, tau_mem=0.02)
    found = measure(quiet, options=SHORT)
    assert found.figures() | {"exponents": None, "memory": None} == {
        "spikes_per_step": 0.0,
        "rate": 0.0,
        "silent": 3,
        "sops": 0.0,
        "largest_exponent": pytest.approx(-50.0),  # the leak alone: -1 / tau_mem
        "exponents": None,
        "spectral_radius": 0.0,
        "spectral_abscissa": 0.0,
        "spectrum_exact": True,
        "memory": None,
        "memory_bound": 3,
    }
    assert found.memory is not None
    assert found.memory.value == pytest.approx(0.0, abs=1e-9)
    compared = compare(found, found)
    nothing = {k: v for k, v in compared.items() if v is None}
    assert set(nothing) == {
        "spikes_ratio",
        "sops_ratio",
        "rate_correlation",
        "covariance_correlation",
        "trace_correlation",
    }


def test_a_network_without_inputs_runs_on_its_biases() -> None:
    alone = hl.Network.from_arrays(None, np.zeros((2, 2)), tau_mem=0.01, bias=2.0)
    found = measure(alone, options=SHORT)
    assert found.rates.min() > 0
    assert (found.memory, found.channels) == (None, 0)
    assert random_input(alone, 0).told == "none, biases alone"
    assert kept(alone, alone, options=SHORT).compared["memory_difference"] is None


def test_exponents_follow_the_input_that_is_shown(network: hl.Network) -> None:
    """Held values drive the linearised network as its own kind of recording does."""
    values = np.random.default_rng(0).normal(size=(80, 2))
    lesson = Stimulus(values, SHORT.steps_per_sample)
    found = measure(network, lesson, options=SHORT)
    options = ParticipationOptions(steps=SHORT.exponent_steps, n_exponents=4)
    rng = generator(0, "kept/tangents")
    wanted = participation_exponents(network, options, rng, HeldInput(values, 10))
    np.testing.assert_allclose(
        found.exponents, np.sort(wanted.spectrum.exponents)[::-1], rtol=1e-12
    )


def test_currents_of_spikes_are_filtered_sums() -> None:
    w_in = np.array([[0.5, 0.0], [0.0, -1.0]])
    driven = hl.Network.from_arrays(w_in, np.ones((2, 2)), tau_mem=0.01, tau_syn=0.004)
    spikes = SpikeInput(np.array([1, 2, 2, 9]), np.array([0, 0, 1, 1]), 10, 2)
    found = module._input_currents(driven, Stimulus(spikes, 10), 12)  # the last two repeat it
    sent = np.zeros((12, 2))
    sent[[1, 2, 2, 9, 11], [0, 0, 1, 1, 0]] = 1.0
    wanted, current = np.zeros((12, 2)), np.zeros(2)
    for t in range(1, 12):  # a spike arrives one step later
        current = np.exp(-0.25) * current + w_in @ sent[t - 1]
        wanted[t] = current
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)
    names = [p.name for p in without_recurrence(driven).projections]
    assert names == ["w_in_exc", "w_in_inh"]


def test_currents_of_held_values_are_the_drive(network: hl.Network) -> None:
    values = np.random.default_rng(0).normal(size=(3, 2))
    found = module._input_currents(network, Stimulus(values, 4), 11)
    np.testing.assert_allclose(found, np.repeat(held_drive(network, values), 4, axis=0)[:11])


def test_a_lesson_of_spikes_sets_the_rates_of_the_memorys_input() -> None:
    line = delay_line(4)
    rng = np.random.default_rng(0)
    at = np.flatnonzero(rng.random(3000) < 0.4).astype(np.int32)
    lesson = SpikeInput(at, np.zeros_like(at), 3000, 1)
    found = measure(line, lesson, options=LINE)
    np.testing.assert_allclose(found.rates, at.size / 3000, atol=2e-3)
    given = random_input(line, 0, 5000, 1, np.array([at.size / 3000]))
    assert given.values.mean() == pytest.approx(at.size / 3000, abs=0.03)
    assert given.told == f"spikes with probability {at.size / 3000:.3g} on average a step"
    assert found.memory is not None
    assert found.memory.value == pytest.approx(4.0, abs=0.15)


def test_wrong_lessons_and_survivors_are_refused(network: hl.Network, measured: Measured) -> None:
    with pytest.raises(SpecError, match=r"inputs: 3 channels; allowed: 2, as the network has"):
        measure(network, Stimulus(np.zeros((50, 3)), 10), options=SHORT)
    with pytest.raises(SpecError, match=r"lesson: 10 steps; allowed: >= 20"):
        measure(network, Stimulus(np.zeros((1, 2)), 10), options=SHORT)
    with pytest.raises(SpecError, match=r"survivors: shape \(3,\); allowed: \(50,\)"):
        kept(network, network, survivors=np.arange(3), options=SHORT)
    with pytest.raises(SpecError, match="survivors: shape"):
        compare(measured, measured, np.arange(3))
    some = measure(network, neurons=np.arange(5), options=SHORT)
    with pytest.raises(SpecError, match="neurons: not the same ones"):
        compare(measured, some)
    longer = measure(network, options=replace(SHORT, samples=500))
    with pytest.raises(SpecError, match="samples; allowed: 320, the same input"):
        compare(measured, longer)
    with pytest.raises(SpecError, match=r"samples: 50; allowed: >= 200"):
        KeptOptions(samples=50)
    with pytest.raises(SpecError, match=r"delays: 101; allowed: <= 100"):
        KeptOptions(delays=101)
