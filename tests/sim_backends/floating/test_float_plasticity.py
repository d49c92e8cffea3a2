"""Float STDP: closed forms of pairs and triplets, bounds, signs, kernel against plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_plasticity import plain_run
from stdp_networks import DT, commanded, commands, gamma_rule, noise, recurrent

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.plasticity import STDP
from hrsnn_lava.sim_backends.floating.simulator import (
    FloatSimulator,
    PlasticSimulator,
    with_weights,
)
from hrsnn_lava.trace import SpikeInput

START = 5.0


def change(rule, pre, post, start=START, steps=120):
    """Change of one synapse that saw spikes at these steps."""
    simulator = PlasticSimulator(commanded(rule, [[start]]))
    at, _ = simulator.run_events(commands({0: pre}, {0: post}, steps))
    assert at.tolist() == sorted(post)
    return float(simulator.weights("learns")[0] - start)


@pytest.mark.parametrize("lag", [0, 1, 3, 20, 70])
@pytest.mark.parametrize("uneven", [False, True])
def test_a_single_pair_has_its_closed_form(lag, uneven):
    rule = STDP(0.3, 0.2, 0.020, 0.035)
    if uneven:  # the same through traces of synapses: a second synapse differs
        rule = STDP(0.3, 0.2, np.array([0.020, 0.5]), 0.035)
    weights = [[START, START]] if uneven else [[START]]
    gains = []
    for pre, post in ((10, 10 + lag), (10 + lag, 10)):
        simulator = PlasticSimulator(commanded(rule, weights))
        spikes = {0: [pre], 1: []} if uneven else {0: [pre]}
        simulator.run_events(commands(spikes, {0: [post]}, 120))
        gains.append(simulator.weights("learns")[0] - START)
    up, down = 0.3 * np.exp(-lag / 20), 0.2 * np.exp(-lag / 35)
    if lag == 0:
        up = down = up - down  # spikes of one step count both ways
        down = -down
    assert gains == pytest.approx([up, -down], rel=1e-12)


def test_triplets_are_sums_of_pairs():
    rule = STDP(0.3, 0.2, 0.020, 0.035)
    x, y = (lambda d: 0.3 * np.exp(-d / 20)), (lambda d: 0.2 * np.exp(-d / 35))
    assert change(rule, [10, 30], [18]) == pytest.approx(x(8) - y(12), rel=1e-12)
    assert change(rule, [20], [10, 31]) == pytest.approx(x(11) - y(10), rel=1e-12)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=20)
def test_every_pair_counts(seed, het):
    rng = np.random.default_rng(seed)
    n_pre, n_post, steps = 4, 3, 80
    n = n_pre * n_post
    rule = gamma_rule(rng, n, 0.05) if het else STDP(0.05, 0.06, 0.015, 0.03)
    pre = {j: (np.flatnonzero(rng.random(steps) < 0.1)).tolist() for j in range(n_pre)}
    post = {i: (1 + np.flatnonzero(rng.random(steps - 1) < 0.1)).tolist() for i in range(n_post)}
    simulator = PlasticSimulator(commanded(rule, np.full((n_post, n_pre), 50.0), n_post))
    simulator.run_events(commands(pre, post, steps))
    expected = np.full(n, 50.0)
    for q in range(n):
        a, b, tau_x, tau_y = (
            rule.values(f, n)[q] for f in ("a_plus", "a_minus", "tau_plus", "tau_minus")
        )
        for s in pre[q % n_pre]:
            for t in post[q // n_pre]:
                expected[q] += a * np.exp(-(t - s) * DT / tau_x) if t >= s else 0.0
                expected[q] -= b * np.exp(-(s - t) * DT / tau_y) if s >= t else 0.0
    np.testing.assert_allclose(simulator.weights("learns"), expected, rtol=1e-10)


def test_weights_stay_within_their_bounds_and_keep_their_sign():
    assert change(STDP(3.0, 0.0, w_max=6.0), [10], [11]) == pytest.approx(1.0)
    assert change(STDP(0.0, 30.0, w_max=6.0), [11], [10]) == pytest.approx(-START)
    inhibitory = STDP(0.3, 0.2, 0.020, 0.035, 6.0)
    assert change(inhibitory, [10], [12], -START) == pytest.approx(-0.3 * np.exp(-0.1))
    assert change(STDP(0.0, 30.0), [11], [10], -START) == pytest.approx(START)
    assert change(STDP(0.0, 0.0, w_max=2.0), [10], [11]) == pytest.approx(2.0 - START)


def test_a_spike_is_sent_with_the_weight_of_before_its_own_learning():
    network = commanded(STDP(100.0, 0.0), [[START]])
    simulator = PlasticSimulator(network)
    leak = -np.expm1(-1 / 20)
    simulator.run_events(commands({0: [5]}, {0: [5]}, 6))
    simulator.run_events(SpikeInput.empty(1, 2))
    assert simulator.weights("learns")[0] == START + 100.0
    assert simulator.potential[0] == pytest.approx(leak * START)


def rules_of(network, kind):
    """The network with time constants that are alike, of few values, or of their own."""
    rng = np.random.default_rng(5)
    for k, projection in enumerate(p for p in network.projections if p.plasticity is not None):
        rule, n = projection.plasticity, projection.n_synapses
        few = rng.choice([0.005, 0.02, 0.1], n), rng.choice([0.01, 0.03], n)
        if kind == "classes":
            rule = replace(rule, tau_plus=few[0], tau_minus=few[1])
        if kind == "mixed":  # each projection in a form of its own
            own = rule.values("a_plus", n) * rng.gamma(3, 1 / 3, n)
            forms = (
                {"tau_plus": few[0], "a_plus": own},
                {"tau_minus": 0.02 * rng.gamma(3, 1 / 3, n)},
                {"a_minus": own, "w_max": rule.values("w_max", n) * rng.uniform(0.8, 1, n)},
            )
            rule = replace(rule, **forms[k])
        network = network.with_projection(replace(projection, plasticity=rule))
    return network


@pytest.mark.parametrize("kind", ["alike", "own", "classes", "mixed"])
@pytest.mark.parametrize("seed", range(3))
def test_the_kernel_equals_plain_numpy_on_a_whole_network(seed, kind):
    network, steps = rules_of(recurrent(seed, het=kind == "own"), kind), 300
    inputs = noise(seed, steps, 10)
    simulator = PlasticSimulator(network)
    at, who = simulator.run_events(inputs)
    dense = np.zeros((steps, 10))
    dense[inputs.steps, inputs.neurons] = 1.0
    spikes, weights = plain_run(network, dense, network.gather("bias"))
    assert spikes.any(axis=0).mean() > 0.5
    assert np.argwhere(spikes).tolist() == np.stack([at, who], axis=1).tolist()
    for name, expected in weights.items():
        np.testing.assert_allclose(simulator.weights(name), expected, rtol=1e-9, atol=1e-12)
        moved = not np.allclose(expected, network.projection(name).weights.data)
        assert moved is (network.projection(name).plasticity is not None)


def test_without_amplitudes_it_is_the_float_simulator():
    """Rules of amplitude 0 change nothing, whatever delay the plastic projection has."""
    base = recurrent(4)
    for delay in (None, 0.003):
        network = base
        for projection in base.projections:
            rule = None if projection.plasticity is None else STDP(0.0, 0.0)
            network = network.with_projection(replace(projection, plasticity=rule, delays=delay))
        x = np.zeros(10)
        learns, fixed = PlasticSimulator(network), FloatSimulator(network)
        learns.bias[:] = fixed.bias[:] = 1.2
        for _ in range(3):
            ours, theirs = learns.run(x, 60), fixed.run(x, 60)
            assert ours[0].size > 0
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])
        np.testing.assert_allclose(learns.potential, fixed.potential, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("het", [False, True])
def test_a_run_in_parts_is_the_run(het):
    network, inputs = recurrent(5, het=het), noise(5, 200, 10)
    whole, parts = PlasticSimulator(network), PlasticSimulator(network)
    at, _ = whole.run_events(inputs)
    first = parts.run_events(inputs, 0, 120)
    saved = parts.snapshot()
    parts.run_events(inputs, 0, 50)
    parts.restore(saved)
    second = parts.run_events(inputs, 120)
    assert np.concatenate([first[0], second[0] + 120]).tolist() == at.tolist()
    np.testing.assert_array_equal(whole.weights("exc_exc"), parts.weights("exc_exc"))


def test_reset_keeps_what_was_learned_and_forget_does_not():
    network, inputs = recurrent(6), noise(6, 100, 10)
    simulator = PlasticSimulator(network)
    simulator.run_events(inputs)
    learned = simulator.weights("exc_exc")
    start = PlasticSimulator(network).weights("exc_exc")
    assert not np.allclose(learned, start)
    simulator.reset()
    np.testing.assert_array_equal(simulator.weights("exc_exc"), learned)
    simulator.forget()
    np.testing.assert_array_equal(simulator.weights("exc_exc"), start)
    simulator.learning = False
    simulator.run_events(inputs)
    np.testing.assert_array_equal(simulator.weights("exc_exc"), start)
    simulator.forget()
    simulator.reset()
    simulator.learning = True
    simulator.run_events(inputs)
    np.testing.assert_array_equal(simulator.weights("exc_exc"), learned)


def test_the_network_of_now_drops_dead_synapses_with_their_parameters():
    rule = STDP([0.1, 0.2, 0.3], 0.1, w_max=[7.0, 8.0, 9.0])
    network = commanded(rule, [[1.0, 2.0, 3.0]])
    changed = with_weights(network, {"learns": np.array([1.5, 0.0, 2.5])}).projection("learns")
    assert changed.weights.toarray().tolist() == [[1.5, 0.0, 2.5]]
    assert changed.plasticity.a_plus.tolist() == [0.1, 0.3]
    assert changed.plasticity.w_max.tolist() == [7.0, 9.0]
    simulator = PlasticSimulator(recurrent(7))
    simulator.bias[:] = 0.5
    now = simulator.network_now().verify()
    assert np.all(now.gather("bias") == 0.5)
    assert now.n_synapses == recurrent(7).n_synapses


def test_payloads_weigh_the_current_but_not_the_traces():
    gains, potentials = [], []
    for payload in (1, 4):
        network = commanded(STDP(0.3, 0.0), [[START]])
        simulator = PlasticSimulator(network)
        inputs = SpikeInput([3], [0], 5, 2, [payload])
        simulator.run_events(inputs, unit=0.5)
        potentials.append(simulator.potential[0])
        simulator.run_events(commands({}, {0: [2]}, 5))
        gains.append(simulator.weights("learns")[0])
    assert potentials[1] == pytest.approx(4 * potentials[0])
    assert gains[0] == gains[1] > START


def test_what_cannot_learn_is_refused():
    network = commanded(STDP(0.1, 0.1), [[1.0, 2.0]], delays=np.array([0.001, 0.002]))
    with pytest.raises(SpecError, match=r"'learns'.*a delay per synapse; allowed: one delay"):
        PlasticSimulator(network)
    held = Network(
        DT,
        (Population("inp", 1, Input()), Population("a", 1, LIF(0.02))),
        (Projection("p", "inp", "a", [[1.0]], plasticity=STDP(0.1, 0.1), target="bias"),),
    )
    with pytest.raises(SpecError, match="with target bias; allowed: synapses only"):
        PlasticSimulator(held)
    with pytest.raises(SpecError, match="inputs: 3 channels; allowed: 2"):
        PlasticSimulator(commanded(STDP(0.1, 0.1), [[1.0]])).run_events(SpikeInput.empty(5, 3))


def test_one_scalar_delay_moves_the_arrival_alone():
    moved = []
    for delay in (None, 0.004):
        simulator = PlasticSimulator(commanded(STDP(0.3, 0.0), [[START]], delays=delay))
        trace = np.zeros(8)
        for t in range(8):
            simulator.run_events(SpikeInput([0], [0], 1, 2) if t == 0 else SpikeInput.empty(1, 2))
            trace[t] = simulator.potential[0]
        moved.append(int(np.flatnonzero(trace)[0]))
    assert moved == [1, 5]


def test_a_neuron_without_leak_adds_its_input_up():
    """v[t] = v[t-1] + bias + i[t], with the factor 1 where 1 - beta would be 0."""
    populations = (
        hl.Population("i", 1, hl.Input()),
        hl.Population("a", 1, hl.LIF(np.inf, tau_syn=0.0, v_threshold=2.0, bias=0.25)),
    )
    network = hl.Network(DT, populations, (hl.Projection("p", "i", "a", [[0.5]]),))
    inputs = hl.SpikeInput([0, 1, 2], [0, 0, 0], 20, 1)
    at, _ = PlasticSimulator(network).run_events(inputs)
    # 0.25, then three times 0.75: 2.5 in step 3; then nine steps of 0.25 are above 2
    assert at.tolist() == [3, 12]
    trace = hl.simulate(hl.quantize(network), inputs)
    assert trace.spike_steps.tolist() == [3, 12]


def test_few_time_constants_are_traces_of_neurons_and_many_of_synapses():
    def layout(count):
        taus = np.linspace(0.01, 0.03, count)[np.arange(400) % count]
        return PlasticSimulator(commanded(STDP(0.1, 0.1, taus, 0.02), np.ones((20, 20)), 20))

    few, many = layout(16), layout(17)
    assert (few._records.size, many._records.size) == (0, 4 * 400)
    assert few._source_trace.size == 20 * 16
    lesson = noise(0, 400, 40, 0.05)
    for simulator in (few, many):
        simulator.run_events(lesson)
        assert np.ptp(simulator.weights("learns")) > 0.1


def test_a_long_gap_decays_as_an_exponential():
    """Beyond 63 steps the power by squaring takes another way; traces of synapses alone."""
    for lag in (1, 5, 63, 64, 65, 200, 1000):
        taus = np.append(0.5, np.linspace(0.1, 0.9, 29))
        network = commanded(STDP(0.3, 0.0, taus, 0.02), np.full((1, 30), START))
        simulator = PlasticSimulator(network)
        simulator.run_events(commands({0: [10], 29: []}, {0: [10 + lag]}, 1200))
        gain = simulator.weights("learns")[0] - START
        assert gain == pytest.approx(0.3 * np.exp(-lag * DT / 0.5), rel=1e-12)
