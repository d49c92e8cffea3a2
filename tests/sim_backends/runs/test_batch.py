"""Many trials: in order, the same for any number of workers, errors with their number."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from hrsnn_lava import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    Spec,
    SpikeInput,
    build_hrsnn,
    quantize,
)
from hrsnn_lava.api import simulate_batch
from hrsnn_lava.chip_learning import pair_stdp
from hrsnn_lava.errors import BackendError, NetworkError, SpecError
from hrsnn_lava.sim_backends.runs.inputs import random_input
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate

SPEC = Spec.parse({"network": {"size": 40, "connectivity": {"mean_degree": 8.0}}})
TRIALS = 9


def clock(period: int) -> QuantizedNetwork:
    """One neuron that fires every `period` steps: v grows by 64 a step up to the threshold."""
    ticker = QuantizedPopulation("t", 1, 4095, 0, period - 1, bias_mant=64)
    return QuantizedNetwork((ticker,)).verify()


@pytest.fixture(scope="module")
def network():
    return quantize(build_hrsnn(SPEC))


@pytest.fixture(scope="module")
def inputs(network):
    return [random_input(network, 60, seed) for seed in range(TRIALS)]


@pytest.mark.parametrize("workers", [1, 2, 5, None])
def test_every_number_of_workers_gives_what_single_runs_give(network, inputs, workers):
    traces = list(simulate_batch(network, inputs, 60, ("v", "u"), workers=workers))
    assert len(traces) == TRIALS
    for given, trace in zip(inputs, traces, strict=True):
        truth = simulate(network, given, 60, "reference", ("v", "u"))
        assert compare(truth, trace, ("single", "batch")) == (0, None)
        assert trace.inputs is given


def test_every_trial_starts_with_the_initial_weights():
    """A worker keeps its session; what one trial learned must not reach the next one."""
    rng = np.random.default_rng(0)
    group = QuantizedPopulation("a", 20, 800, 200, 60, rng.integers(0, 900, 20), 3)
    rule = pair_stdp((3, -4), (2, -4), 12.0, 15.0)
    net = QuantizedNetwork(
        (QuantizedInput("in", 5), group),
        (
            QuantizedProjection("ia", "in", "a", rng.integers(0, 99, (20, 5)), learning=rule),
            QuantizedProjection("aa", "a", "a", rng.integers(-50, 50, (20, 20)), learning=rule),
        ),
    ).verify()
    given = random_input(net, 80)
    truth = simulate(net, given, 80, "reference")
    initial = net.projection("aa").effective_weights().data
    assert np.any(truth.weights["aa"] != initial)
    for trace in simulate_batch(net, [given] * 5, 80, workers=2):
        assert trace.weights.keys() == truth.weights.keys()
        for name, expected in truth.weights.items():
            np.testing.assert_array_equal(trace.weights[name], expected)


def test_networks_and_lengths_by_trial():
    periods, steps = [2, 3, 5, 7], [20, 30, 50, 70]
    traces = list(simulate_batch([clock(p) for p in periods], None, steps, workers=2))
    for period, length, trace in zip(periods, steps, traces, strict=True):
        expected = np.arange(period - 1, length, period)
        np.testing.assert_array_equal(trace.spike_steps, expected)


def test_parameter_sets_are_made_in_order_and_only_when_needed():
    made, taken = [], []

    def make(k):
        assert threading.current_thread() is threading.main_thread()
        made.append(k)
        return clock(k + 1), None

    batch = simulate_batch(make, steps=60, trials=50, workers=2)
    assert made == []
    for k, trace in enumerate(batch):
        taken.append(trace.n_spikes)
        assert len(made) - k <= 4, "more than two trials a worker are in flight"
    assert made == list(range(50))
    assert taken == [60 // (k + 1) for k in range(50)]


def test_progress_counts_what_was_taken():
    seen = []
    list(simulate_batch(clock(3), None, 5, trials=3, workers=2, progress=lambda *a: seen.append(a)))
    assert seen == [(f"trial {k} of 3", k / 3) for k in (1, 2, 3)]


@pytest.mark.parametrize("workers", [1, 4])
def test_the_first_failing_trial_is_named(network, inputs, workers):
    wrong = [*inputs[:2], SpikeInput.empty(5, 99), SpikeInput.empty(5, 98)]
    batch = simulate_batch(network, wrong, 60, workers=workers)
    assert [next(batch).n_steps, next(batch).n_steps] == [60, 60]
    with pytest.raises(SpecError, match=r"^trial 2: the run is not possible") as caught:
        next(batch)
    assert caught.value.problems[0].measured == "99 channels"


def test_a_failing_make_is_named_with_its_error():
    def make(k):
        if k == 1:
            raise ValueError("no such parameter")
        if k == 2:
            raise NetworkError("never reached")
        return clock(4), None

    batch = simulate_batch(make, steps=8, trials=3, workers=2)
    assert next(batch).n_spikes == 2
    with pytest.raises(BackendError, match="trial 1: ValueError: no such parameter"):
        next(batch)


def test_results_that_nobody_wants_are_not_computed():
    """Leaving early ends the workers, also in the middle of a long trial."""
    batch = simulate_batch(clock(9), None, [10, 2**31 - 1, 2**31 - 1], workers=2)
    assert next(batch).n_spikes == 1
    batch.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("trial")]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"inputs": [None], "trials": 2}, "inputs 1, trials 2"),
        ({"steps": [1, 2], "trials": 3}, "steps 2, trials 3"),
        ({}, "say how many"),
        ({"trials": -1}, "trials: -1"),
        ({"trials": 1, "workers": 0}, "workers: 0"),
    ],
)
def test_arguments_that_contradict_each_other_fail_at_once(arguments, match):
    with pytest.raises(SpecError, match=match):
        simulate_batch(clock(2), **arguments)


def test_make_and_inputs_exclude_each_other():
    with pytest.raises(SpecError, match="leave them out"):
        simulate_batch(lambda _: (clock(2), None), [None])


def test_no_trials_is_an_empty_batch():
    assert list(simulate_batch(clock(2), [])) == []
