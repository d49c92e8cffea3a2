"""Spike traces of learning projections: closed forms, what is kept, every backend, every length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_strategies import collected, driven_learning_networks

from hrsnn_lava import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SpikeInput,
    Trace,
)
from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, pair_stdp
from hrsnn_lava.chip_learning import Trace as Shape
from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob
from hrsnn_lava.sim_backends.runs.parity import compare, verify_parity
from hrsnn_lava.sim_backends.runs.recording import Recording, record
from hrsnn_lava.sim_backends.runs.session import simulate

BACKENDS = ("reference", "native")
both = pytest.mark.parametrize("backend", BACKENDS)


def driven(learning, weights=((2, 0), (2, 2), (0, 2)), **options):
    """Two channels onto three neurons that no weight of this size makes fire."""
    neurons = QuantizedPopulation("a", 3, du=4095, dv=4096, vth=1000)
    projection = QuantizedProjection(
        "p", "inp", "a", np.array(weights), learning=learning, **options
    )
    return QuantizedNetwork((QuantizedInput("inp", 2), neurons), (projection,)).verify()


def ticking(learning):
    """Two neurons, the first of which fires in every 4th step: v rises by 256 a step."""
    neurons = QuantizedPopulation(
        "a", 2, du=4095, dv=0, vth=15, bias_mant=[256, 0], bias_exp=0, refractory=0
    )
    projection = QuantizedProjection("p", "a", "a", [[0, 2], [2, 0]], learning=learning)
    return QuantizedNetwork((neurons,), (projection,)).verify()


def sent(*steps, channel=0, n_steps=100, payloads=None):
    return SpikeInput(steps, [channel] * len(steps), n_steps, 2, payloads)


def over_time(network, inputs, steps, path, key, **options):
    """A trace after every step."""
    record(network, inputs, steps, path, ("traces",), **options)
    return Recording.open(path).probed().traces[key]


def test_a_trace_decays_from_its_impulse_as_an_exponential(tmp_path):
    """Rounding up or down by less than 1 a step adds up to less than 1 / (1 - exp(-1 / tau))."""
    tau, steps = 10.0, 40
    found = []
    for seed in range(25):
        rule = pair_stdp((1, 0), (1, 0), tau, 20.0, impulse=127, rng_seed=seed)
        network = driven(rule)
        values = over_time(network, sent(3), steps, tmp_path / f"{seed}.npz", "p/x1")
        assert values.shape == (steps, 2)
        assert not values[:, 1].any()
        assert not values[:3, 0].any()
        assert values[3, 0] == 127
        found.append(values[3:, 0])
    expected = 127 * np.exp(-np.arange(steps - 3) / tau)
    assert np.abs(np.array(found) - expected).max() < 1 / (1 - np.exp(-1 / tau))
    # stochastic rounding has no bias: the mean of the runs is closer
    assert np.abs(np.mean(found, axis=0) - expected).max() < 0.75


@both
@pytest.mark.parametrize(
    ("impulse", "tau", "after", "values"),
    [
        (16, 0, 0, {16}),  # tau 0 keeps nothing
        (16, 0, 1, {0}),
        (20.5, 50, 0, {21}),  # a fraction of a half and more is always rounded up
        (16.25, 50, 0, {16, 17}),
        (0, 10, 0, {0}),
        (127, 1e9, 5, {127, 126}),
    ],
)
def test_impulses_and_time_constants_at_their_ends(backend, impulse, tau, after, values):
    rule = pair_stdp((1, 0), (1, 0), tau, 20.0, impulse=impulse)
    seen = {
        int(
            simulate(driven(replace(rule, rng_seed=k)), sent(2), 3 + after, backend).traces["p/x1"][
                0
            ]
        )
        for k in range(12)
    }
    assert seen == values or (len(values) > 1 and seen <= values)


@both
def test_a_postsynaptic_trace_rises_where_the_neuron_fires(backend):
    trace = simulate(ticking(pair_stdp((1, 0), (1, 0), 5.0, 0.0, impulse=30)), None, 4, backend)
    assert trace.spike_steps.tolist() == [3]
    assert trace.traces["p/y1"].tolist() == [30, 0]
    assert trace.traces["p/x1"].tolist() == [30, 0]
    # tau 0: in the step after the spike it is gone
    later = simulate(ticking(pair_stdp((1, 0), (1, 0), 5.0, 0.0, impulse=30)), None, 5, backend)
    assert later.traces["p/y1"].tolist() == [0, 0]
    assert 24 <= later.traces["p/x1"][0] <= 25  # 30 exp(-1/5) = 24.56


@both
def test_within_an_epoch_only_second_spikes_show(backend):
    """Spikes in steps 0, 1 and 5 of epochs of 4 steps; a trace that keeps still otherwise."""
    network = driven(pair_stdp((1, 0), (1, 0), 1e9, 1e9, impulse=16, t_epoch=4))
    after = [
        int(simulate(network, sent(0, 1, 5), steps, backend).traces["p/x1"][0])
        for steps in range(10)
    ]
    assert after == [0, 0, 16, 16, 32, 32, 32, 32, 48, 48]


@both
def test_payloads_set_a_trace_at_once(backend):
    learning = Learning(
        (pair_stdp((1, 0), (1, 0), 1e9, 1e9, t_epoch=4),), graded_spikes="overwrite"
    )
    network = driven(learning, num_message_bits=8)
    after = [
        int(simulate(network, sent(0, 1, payloads=[60, 30]), steps, backend).traces["p/x1"][0])
        for steps in range(4)
    ]
    assert after == [0, 30, 15, 15]


X1, X2, Y1, Y3 = (Factor(name) for name in ("x1", "x2", "y1", "y3"))


@both
def test_kept_are_the_traces_that_a_rule_reads(backend):
    shapes = {"x1": Shape(10, 5), "x2": Shape(20, 9), "y3": Shape(5, 4)}
    first = LearningRule(dw=(Product("y0", 1, 0, (X2,)),), **shapes)
    second = LearningRule(dw=(Product("x0", 1, 0, (Y1,)),), dt=(Product("x0", 1, 0, (Y3,)),))
    alone = simulate(driven(first), sent(2), 3, backend).traces
    assert {key: values.tolist() for key, values in alone.items()} == {"p/x2": [20, 0]}
    three = Learning((first, second, first), profile=[0, 1, 1, 0])
    together = simulate(driven(three), sent(2), 3, backend).traces
    sizes = {key: values.size for key, values in together.items()}
    assert sizes == {"p/x2/0": 2, "p/y1/1": 3, "p/y3/1": 3}  # no synapse follows the third
    constant = LearningRule(dw=(Product("x0", 1, 0),), **shapes)
    assert simulate(driven(constant), sent(2), 3, backend).traces == {}
    overflow = Learning((constant,), graded_spikes="add_overflow")
    kept = simulate(
        driven(overflow, num_message_bits=8), sent(2, payloads=[200]), 3, backend
    ).traces
    assert kept["p/x1"][0] in (81, 82)  # half the payload, decayed once: 100 exp(-1/5) = 81.9


def test_networks_that_do_not_learn_have_none():
    network = driven(None)
    assert all(simulate(network, sent(1), 5, b).traces == {} for b in BACKENDS)


@both
def test_no_step_gives_zeros(backend):
    traces = simulate(driven(pair_stdp((1, 0), (1, 0), 5, 5)), None, 0, backend).traces
    assert {key: values.tolist() for key, values in traces.items()} == {
        "p/x1": [0, 0],
        "p/y1": [0, 0, 0],
    }


@settings(max_examples=80)
@given(driven_learning_networks(20), st.integers(0, 20))
def test_native_equals_reference_after_any_step(case, steps):
    """Epochs of 1 to 8 steps, so most runs end within one."""
    network, inputs = case
    reference, native = (simulate(network, inputs, steps, backend) for backend in BACKENDS)
    assert reference.traces.keys() == native.traces.keys()
    assert compare(reference, native, ("reference", "native"), network) == (0, None)


@pytest.mark.lava
@pytest.mark.parametrize("steps", [0, 5, 19])
def test_live_lava_has_the_same_traces(steps):
    """Its own Vars x1 .. y3: epochs of 1 to 8 steps, fractions, payloads, several profiles."""
    cases = collected(driven_learning_networks(20), 30, number=steps)
    jobs = [LavaJob(network, inputs, steps) for network, inputs in cases]
    risen = 0
    for (network, inputs), lava in zip(
        cases, LavaBackend(runtime="threads").run_many(jobs), strict=True
    ):
        assert not isinstance(lava, Exception), lava
        for backend in BACKENDS:
            run = simulate(network, inputs, steps, backend)
            assert compare(lava, run, ("lava", backend), network) == (0, None)
        risen += any(np.any(values) for values in lava.traces.values())
    assert risen > (5 if steps else -1)


@pytest.mark.lava
def test_lavas_own_runtime_has_the_same_traces():
    learning = Learning(
        tuple(pair_stdp((4, 0), (3, 0), tau, 9, impulse=20.25, t_epoch=3) for tau in (4, 30)),
        profile=[0, 1, 0, 1],
    )
    network = driven(learning, weights=((2, 4), (0, 90), (4, 0)))
    result, trace = verify_parity(network, sent(1, 2, 6), 8)
    assert result.line() == "parity: reference = native = lava (fixed_pt), 8 steps, 0 mismatches"
    keys = ("p/x1/0", "p/x1/1", "p/y1/0", "p/y1/1")
    assert result.compared[-4:] == tuple(f"traces/{key}" for key in keys)
    # 21 at once, decayed for an epoch, 20.25 added; decayed for another; the third is not over
    expected = (21 * np.exp(-0.1) + 20.25) * np.exp(-0.1)
    assert abs(trace.traces["p/x1/1"][0] - expected) < 4


def test_a_differing_trace_is_named():
    network = driven(pair_stdp((1, 0), (1, 0), 1e9, 5, impulse=16))
    run = simulate(network, sent(2), 3, "native")
    changed = {**run.traces, "p/x1": run.traces["p/x1"] + np.int32([0, 3])}
    other = replace(run, traces=changed)
    end = "trace x1 is native 0, other 3 after 3 steps"
    plain = f"projection 'p', presynaptic neuron 1: {end}"
    assert compare(run, other, ("native", "other")) == (1, plain)
    named = f"projection 'p', presynaptic neuron 1 of 'inp': {end}"
    assert compare(run, other, ("native", "other"), network) == (1, named)
    without = replace(run, traces={"p/y1": run.traces["p/y1"]})
    missing = (2, "trace 'p/x1' was not kept by other")
    assert compare(run, without, ("native", "other")) == missing
    assert compare(without, run, ("other", "native")) == missing
    short = replace(run, traces={**run.traces, "p/y1": np.zeros(2, np.int32)})
    found = compare(run, short, ("native", "other"))
    assert found == (3, "trace 'p/y1': 3 neurons in native, 2 else")


def test_a_differing_trace_of_a_profile_is_named():
    rule = pair_stdp((1, 0), (1, 0), 1e9, 5)
    network = driven(Learning((rule, rule), profile=[0, 1, 1, 0]))
    run = simulate(network, sent(2), 3, "native")
    wrong = run.traces["p/y1/1"].copy()
    wrong[2] = 7
    other = replace(run, traces={**run.traces, "p/y1/1": wrong})
    _, text = compare(run, other, ("native", "other"), network)
    assert text.startswith("projection 'p', postsynaptic neuron 2 of 'a': trace y1 of profile 1 is")


def test_a_trace_file_has_them_and_an_old_one_has_none(tmp_path):
    rule = pair_stdp((1, 0), (1, 0), 9, 5)
    run = simulate(driven(Learning((rule, rule), profile=[0, 1, 1, 0])), sent(2), 7, "native")
    run.save(tmp_path / "t.npz")
    again = Trace.load(tmp_path / "t.npz")
    assert compare(run, again, ("run", "file")) == (0, None)
    assert sorted(again.traces) == ["p/x1/0", "p/x1/1", "p/y1/0", "p/y1/1"]
    with np.load(tmp_path / "t.npz") as file:
        arrays = {name: file[name] for name in file.files if not name.startswith("traces/")}
        assert file["traces/p/x1/0"].dtype == np.int32
    np.savez(tmp_path / "old.npz", **arrays)
    old = Trace.load(tmp_path / "old.npz")
    assert (old.traces, sorted(old.weights)) == ({}, ["p"])


def test_chosen_steps_are_those_of_a_window(tmp_path):
    """After every 3rd step from step 4 on; each row is what a run of that length ends with."""
    network = driven(pair_stdp((1, 0), (1, 0), 20, 20, impulse=50, t_epoch=2))
    inputs = sent(1, 5, 6, 11, n_steps=30)
    path = tmp_path / "t.npz"
    record(network, inputs, 30, path, ("traces", "weights"), every=3, between=(4, 15))
    probed = Recording.open(path).probed()
    assert probed.trace_steps.tolist() == probed.weight_steps.tolist() == [6, 9, 12]
    for row, step in enumerate(probed.trace_steps):
        truth = simulate(network, inputs, int(step) + 1, "reference")
        for key, values in truth.traces.items():
            np.testing.assert_array_equal(probed.traces[key][row], values)
        np.testing.assert_array_equal(probed.weights["p"][row], truth.weights["p"])
    end = simulate(network, inputs, 30, "reference")
    assert compare(end, Trace.load(path), ("reference", "file")) == (0, None)
    with np.load(path) as file:
        assert file["probe/traces/p/x1"].shape == (3, 2)
        assert file["probe/trace_steps"].tolist() == [6, 9, 12]


def test_traces_alone_are_recorded_alone(tmp_path):
    network = driven(pair_stdp((1, 0), (1, 0), 20, 20, impulse=50))
    record(network, sent(1), 10, tmp_path / "t.npz", ("traces",), every=4)
    probed = Recording.open(tmp_path / "t.npz").probed()
    assert (probed.weights, probed.weight_steps.size) == ({}, 0)
    assert probed.trace_steps.tolist() == [3, 7]
    assert probed.traces["p/x1"].dtype == np.int32
