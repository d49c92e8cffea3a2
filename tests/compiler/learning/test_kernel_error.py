"""Expected changes on the chip against closed forms, simulation, and the learning engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, Trace
from hrsnn_lava.compiler.learning.kernel_error import (
    Trains,
    change_summary,
    chip_changes,
    float_changes,
    plain_kernel,
    tag_kernel,
    trace_probabilities,
    train_errors,
)
from hrsnn_lava.plasticity import STDP
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput


def pair_rule(plus, minus, tag=False, seed=0, tau=(9.0, 14.0), impulse=30):
    """``dw = m 2^e y0 x1 [t] - m 2^e x0 y1 [d]``."""
    up, down = (("x1", "t"), ("y1", "d")) if tag else (("x1",), ("y1",))
    return LearningRule(
        dw=(
            Product("x0", -minus[0], minus[1], tuple(Factor(f) for f in down)),
            Product("y0", plus[0], plus[1], tuple(Factor(f) for f in up)),
        ),
        x1=Trace(impulse, tau[0]),
        y1=Trace(impulse, tau[1]),
        rng_seed=seed,
    )


def test_stochastic_decay_is_unbiased():
    found = trace_probabilities(Trace(31, 12.0), 60)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    np.testing.assert_allclose(found @ np.arange(128), 31 * np.exp(-np.arange(61) / 12), rtol=1e-9)


def test_a_fast_trace_has_its_two_outcomes():
    """exp(-1) 10 = 3.68: 3 with probability .32, 4 with .68."""
    found = trace_probabilities(Trace(10, 1.0), 1)[1]
    assert found[4] == pytest.approx(10 * np.exp(-1) - 3)
    assert found[3] == pytest.approx(4 - 10 * np.exp(-1))


def test_a_tag_divides_by_32_and_rounds_down():
    kernel = tag_kernel(Trace(31, 12.0), 2, -3, np.array([0, 100, 255]), 0)[0]
    assert kernel.tolist() == [0.0, (31 * 2 * 100 // 32) / 8, (31 * 2 * 255 // 32) / 8]
    down = tag_kernel(Trace(31, 12.0), -2, -3, np.array([100]), 0)[0, 0]
    assert down == -((31 * 2 * 100 + 31) // 32) / 8


def train(steps, lag, period, count):
    """Pairs (pre first), far enough apart not to meet."""
    pre, post = np.zeros((2, steps, count), dtype=np.bool_)
    pre[5::period] = True
    post[5 + lag :: period] = True
    return pre, post


@pytest.mark.parametrize("tag", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_mean_of_simulated_pairs_is_the_expected_kernel(tag, sign):
    rule, lag = pair_rule((sign * 5, -6), (0, 0), tag), 4
    pre, post = train(5 + lag + 1, lag, 1000, 3)
    tags = np.array([10, 60, 200], dtype=np.int32)
    found = chip_changes(
        Learning((rule,), tag_1=tags, tag_2=tags),
        sign,
        pre,
        post,
        100,
        np.random.default_rng(1),
        4000,
    )
    if tag:
        expected = sign * tag_kernel(rule.x1, sign * 5, -6, tags.astype(np.int64), lag)[lag]
    else:
        expected = np.full(3, plain_kernel(rule.x1, 5, -6, lag)[lag])
    error = 4 * found.std(axis=0) / np.sqrt(4000) + 1e-12
    assert np.all(np.abs(found.mean(axis=0) - expected) < error)


def engine_change(rule, pre, post, tags, start, steps):
    """Weight change per pair in the learning engine: one synapse, spikes on command."""
    network = QuantizedNetwork(
        (
            QuantizedInput("pre", 1),
            QuantizedInput("force", 1),
            QuantizedPopulation("post", 1, du=4095, dv=4096, vth=20000),
        ),
        (
            QuantizedProjection(
                "learns",
                "pre",
                "post",
                sparse.csr_matrix([[start]]),
                sign_mode="excitatory",
                learning=Learning((rule,), tag_1=tags[0], tag_2=tags[1]),
            ),
            QuantizedProjection(
                "commands", "force", "post", sparse.csr_matrix([[255]]), 7, "excitatory"
            ),
        ),
    ).verify()
    steps_in = np.concatenate([pre, np.asarray(post) - 1])
    channels = np.repeat([0, 1], [len(pre), len(post)])
    trace = simulate(network, SpikeInput(steps_in, channels, steps, 2), steps, "reference")
    assert trace.spike_steps.tolist() == sorted(post)
    return int(trace.weights["learns"][0]) - start


@pytest.mark.parametrize("tag", [False, True])
@pytest.mark.parametrize("lag", [0, 2, 6])
def test_the_learning_engine_has_the_expected_kernel(tag, lag):
    rule, pairs = pair_rule((5, -6), (0, 0), tag), 40
    tags = (50, 0)
    if not tag:
        rule = pair_rule((5, -6), (0, 0))
    pre = 5 + 80 * np.arange(pairs)
    found = engine_change(rule, pre, pre + lag, tags, 10, 80 * pairs + 10) / pairs
    kernel = plain_kernel(rule.x1, 5, -6, lag)
    if tag:
        kernel = tag_kernel(rule.x1, 5, -6, np.array([50]), lag)[:, 0]
    assert found == pytest.approx(kernel[lag], abs=4 * 0.6 / np.sqrt(pairs))


@pytest.mark.parametrize("t_epoch", [1, 2, 5])
def test_epochs_are_those_of_the_learning_engine(t_epoch):
    """Without decay and fractions nothing is random: whole trains agree exactly."""
    rng, steps = np.random.default_rng(t_epoch), 100
    endless = Trace(1, 1e12)
    rule = replace(pair_rule((1, 0), (2, -1)), x1=endless, y1=endless, t_epoch=t_epoch)
    pre, post = rng.random((2, steps, 1)) < 0.15
    post[0] = False  # neurons fire one step after the command
    start = 100
    there = engine_change(rule, *(np.flatnonzero(s) for s in (pre, post)), (0, 0), start, steps)
    (here,) = chip_changes(Learning((rule,)), 1, pre, post, start, rng)[0]
    assert here == there
    assert pre.sum() > 8


def test_the_chip_is_right_on_average_over_random_trains():
    """Without tags nothing is biased, so the mean over many runs is the float rule's change."""
    rng, n = np.random.default_rng(3), 40
    rule = pair_rule((4, -6), (4, -6), impulse=20)
    pre, post = rng.random((2, 200, n)) < 0.02
    asked = STDP(20 * 4 / 64, 20 * 4 / 64, 0.009, 0.014)
    exact = float_changes(asked, 1e-3, pre, post, 128, 255.0)
    runs = chip_changes(Learning((rule,)), 1, pre, post, 128, rng, 600)
    # rounding is shared by the synapses of a run, so the runs are the independent samples
    error = runs.std(axis=0) / np.sqrt(600)
    assert np.abs(runs.mean(axis=0) - exact).max() < 5 * error.max()
    assert np.abs(exact).max() > 3


def test_bounds_hold_on_both_sides():
    pre, post = train(40, 1, 4, 1)
    for sign in (1, -1):
        up = Learning((pair_rule((sign * 7, 0), (0, 0)),))
        down = Learning((pair_rule((0, 0), (sign * 7, 0)),))
        rng = np.random.default_rng(0)
        assert chip_changes(up, sign, pre, post, 128, rng).tolist() == [[127.0]]
        assert chip_changes(down, sign, pre, post, 128, rng).tolist() == [[-128.0]]


def test_the_summary_tells_noise_from_bias():
    exact = np.array([1.0, -1.0, 2.0, -2.0])
    noisy = exact + np.array([[0.5], [-0.5]])
    found = change_summary(exact, noisy)
    assert found["rms_error"] == pytest.approx(0.5 / np.sqrt(2.5))
    assert found["rms_error_of_mean"] == 0.0
    assert found["bias"] == 0.0
    assert found["correlation"] == pytest.approx(1.0)
    assert change_summary(np.zeros(2), np.zeros((1, 2)))["rms_error"] == 0.0


def test_train_errors_do_not_depend_on_what_else_was_drawn():
    rule = STDP(np.full(9, 2.0), np.full(9, 2.0), 0.009, 0.014)
    learning = Learning((pair_rule((4, -6), (4, -6)),))
    found = [
        train_errors(
            rule, 1e-3, learning, 1, np.random.default_rng(0), Trains(synapses=5, steps=50)
        )
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert found[0]["synapses"] == 5
