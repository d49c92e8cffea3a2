"""The run in torch against the simulator of float networks, and its gradients.

These tests need torch: see "Tests of gradient training" in docs/learning.md.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surrogate_cases import DT, small_network, spikes_for

import hrsnn_lava as hl
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.surrogate_options import SurrogateOptions
from hrsnn_lava.training import surrogate_delays, surrogate_network
from hrsnn_lava.training.surrogate_network import Learnable, Shown, run
from hrsnn_lava.training.surrogate_steps import smooth_step, spike_step

torch = pytest.importorskip("torch")
STEPS, BLOCK = 60, 5
SPIKES = ("fast_sigmoid", "atan", "triangular")


def shown_spikes(learnable, inputs):
    """A recording as a batch of one."""
    dense = np.zeros((learnable.lead + inputs.n_steps, 1, inputs.n_neurons))
    np.add.at(dense, (learnable.lead + inputs.steps, 0, inputs.neurons), 1.0)
    return Shown(learnable.tensor(dense), None, 1, inputs.n_steps)


def torch_spikes(network, shown, seed, options=None):
    """(steps, n_neurons) spikes of a batch of one, and the potentials after."""
    learnable = Learnable(network, options or SurrogateOptions(), torch)
    values = learnable.values(learnable.parameters())
    rng = np.random.Generator(np.random.Philox(seed))
    state = learnable.start(1, values, rng)
    spikes, state = run(learnable, values, shown(learnable), state, spike_step(torch, "atan"))
    return spikes[:, 0].detach().numpy(), state.v[0].detach().numpy()


def trains(spikes, steps, n):
    dense = np.zeros((steps, n))
    dense[spikes[0], spikes[1]] = 1.0
    return dense


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_spikes_are_those_of_the_simulator(seed):
    network = small_network(seed)
    inputs = spikes_for(network, seed, STEPS)
    simulator = FloatSimulator(network)
    simulator.reset(np.random.Generator(np.random.Philox(seed)))
    expected = trains(simulator.run_events(inputs), STEPS, network.n_neurons)
    spikes, v = torch_spikes(network, lambda it: shown_spikes(it, inputs), seed)
    assert np.array_equal(spikes, expected)
    np.testing.assert_allclose(v, simulator.run_arrays.potentials.v, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_held_inputs_are_those_of_the_simulator(seed):
    network = small_network(seed, held=True)
    values = np.random.default_rng(seed).normal(0, 1, (STEPS // BLOCK, network.n_inputs))
    simulator = FloatSimulator(network)
    simulator.reset(np.random.Generator(np.random.Philox(seed)))
    expected = np.concatenate(
        [trains(simulator.run(x, BLOCK), BLOCK, network.n_neurons) for x in values]
    )

    def shown(learnable):
        return Shown(None, learnable.tensor(values[:, None]), BLOCK, STEPS)

    spikes, _ = torch_spikes(network, shown, seed)
    assert np.array_equal(spikes, expected)


def test_networks_of_the_tests_spike():
    counts = []
    for seed in range(20):
        network = small_network(seed)
        who = FloatSimulator(network).run_events(spikes_for(network, seed, STEPS))[1]
        counts.append(np.unique(who).size / network.n_neurons)
    assert np.mean(counts) > 0.5


def test_a_run_goes_on_where_it_stood():
    network = small_network(1)
    inputs = spikes_for(network, 1, STEPS)
    learnable = Learnable(network, SurrogateOptions(), torch)
    values = learnable.values(learnable.parameters())
    step = spike_step(torch, "atan")
    whole = shown_spikes(learnable, inputs)
    at_once, _ = run(learnable, values, whole, learnable.start(1, values, None), step)
    state, pieces = learnable.start(1, values, None), []
    for first in range(0, STEPS, 7):
        steps = min(7, STEPS - first)
        part = whole.events[first : first + learnable.lead + steps]
        spikes, state = run(learnable, values, Shown(part, None, 1, steps), state, step)
        pieces.append(spikes)
    assert at_once.sum() > 0
    assert torch.equal(torch.cat(pieces), at_once)


def test_samples_of_a_batch_are_alone():
    network = small_network(4)
    learnable = Learnable(network, SurrogateOptions(), torch)
    values = learnable.values(learnable.parameters())
    step = spike_step(torch, "atan")
    each = [shown_spikes(learnable, spikes_for(network, seed, STEPS)) for seed in range(3)]
    together = Shown(torch.cat([s.events for s in each], dim=1), None, 1, STEPS)
    batch, _ = run(learnable, values, together, learnable.start(3, values, None), step)
    for k, shown in enumerate(each):
        alone, _ = run(learnable, values, shown, learnable.start(1, values, None), step)
        assert torch.equal(batch[:, k], alone[:, 0])


def everything(**more):
    learned = dict.fromkeys(("tau_mem", "tau_syn", "v_threshold", "bias"), "neuron")
    return SurrogateOptions(**(learned | {"reset_gradient": True} | more))


@pytest.mark.parametrize("kind", SPIKES)
@pytest.mark.parametrize("learned", ["neuron", "population"])
@pytest.mark.parametrize("held", [False, True])
def test_gradients_of_the_smooth_network_are_finite_differences(kind, learned, held):
    options = everything(
        spike=kind, **dict.fromkeys(("tau_mem", "tau_syn", "v_threshold", "bias"), learned)
    )
    network = small_network(11, held=held)
    populations = [
        p if p.is_input else p.with_parameters(refractory=0.0) for p in network.populations
    ]
    network = hl.Network(DT, tuple(populations), network.projections)
    learnable = Learnable(network, options, torch)
    step, steps = smooth_step(torch, kind), 12
    rng = np.random.default_rng(2)
    mix = learnable.tensor(rng.normal(size=(steps, 1, network.n_neurons)))
    if held:
        shown = Shown(None, learnable.tensor(rng.normal(size=(3, 1, network.n_inputs))), 4, steps)
    else:
        shown = shown_spikes(learnable, spikes_for(network, 3, steps, 0.5))

    def loss():
        values = learnable.values(learnable.parameters())
        return (
            run(learnable, values, shown, learnable.start(1, values, None), step)[0] * mix
        ).sum()

    loss().backward()
    fields = {"tau_mem", "tau_syn", "v_threshold", "bias"}
    assert fields < set(learnable.theta)
    for theta in learnable.theta.values():
        for k in range(0, len(theta), 1 + len(theta) // 5):
            sides = []
            for change in (1e-6, -1e-6):
                with torch.no_grad():
                    theta[k] += change
                    sides.append(float(loss()))
                    theta[k] -= change
            measured = (sides[0] - sides[1]) / 2e-6
            assert float(theta.grad[k]) == pytest.approx(measured, rel=2e-4, abs=2e-7)


@pytest.mark.parametrize("kind", SPIKES)
def test_a_spike_has_the_derivative_of_the_smooth_step(kind):
    points = torch.linspace(-4, 4, 81, dtype=torch.float64)
    x, y = (points.clone().requires_grad_() for _ in range(2))
    hard, soft = spike_step(torch, kind)(x), smooth_step(torch, kind)(y)
    assert torch.equal(hard, (points > 0).to(torch.float64))
    assert (soft.diff() >= 0).all()
    assert soft[0] < 0.11
    assert soft[-1] > 0.89
    hard.sum().backward()
    soft.sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-12, atol=1e-12)


def moved(network, options, seed=0):
    """What is learned, moved at random."""
    learnable = Learnable(network, options, torch)
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for theta in learnable.theta.values():
            theta += learnable.tensor(rng.normal(0, 1.5, len(theta)))
    learnable.hold_bounds()
    return learnable


def with_resets(network, resets):
    """The same with a reset for each population; those by subtraction have no refractory period."""
    populations, left = [], iter(resets)
    for population in network.populations:
        if not population.is_input:
            reset = next(left)
            more = {} if reset == "zero" else {"refractory": np.zeros(population.size)}
            population = population.with_parameters(reset=reset, **more)
        populations.append(population)
    return hl.Network(DT, tuple(populations), network.projections)


PAIRS = [("subtract", "subtract_next"), ("subtract_next", "zero"), ("subtract", "zero")]


@pytest.mark.parametrize("resets", PAIRS)
@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_every_reset_is_that_of_the_simulator(resets, seed):
    network = with_resets(small_network(seed), resets)
    inputs = spikes_for(network, seed, STEPS)
    simulator = FloatSimulator(network)
    simulator.reset(np.random.Generator(np.random.Philox(seed)))
    expected = trains(simulator.run_events(inputs), STEPS, network.n_neurons)
    spikes, v = torch_spikes(network, lambda it: shown_spikes(it, inputs), seed)
    assert np.array_equal(spikes, expected)
    np.testing.assert_allclose(v, simulator.run_arrays.potentials.v, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("resets", PAIRS)
def test_gradients_through_every_reset_are_finite_differences(resets):
    network = with_resets(small_network(11), resets)
    populations = [
        p if p.is_input else p.with_parameters(refractory=0.0) for p in network.populations
    ]
    network = hl.Network(DT, tuple(populations), network.projections)
    learnable = Learnable(network, everything(), torch)
    step, steps, rng = smooth_step(torch, "atan"), 12, np.random.default_rng(2)
    mix = learnable.tensor(rng.normal(size=(steps, 1, network.n_neurons)))
    shown = shown_spikes(learnable, spikes_for(network, 3, steps, 0.5))

    def loss():
        values = learnable.values(learnable.parameters())
        return (
            run(learnable, values, shown, learnable.start(1, values, None), step)[0] * mix
        ).sum()

    loss().backward()
    for theta in learnable.theta.values():
        for k in range(0, len(theta), 1 + len(theta) // 3):
            sides = []
            for change in (1e-6, -1e-6):
                with torch.no_grad():
                    theta[k] += change
                    sides.append(float(loss()))
                    theta[k] -= change
            measured = (sides[0] - sides[1]) / 2e-6
            assert float(theta.grad[k]) == pytest.approx(measured, rel=2e-4, abs=2e-7)
    assert [p.reset for p in learnable.learned().compute_populations] == list(resets)


DELAYS = SurrogateOptions(delays="synapse", longest_delay=0.006)


def with_delays(learnable, rng):
    """Learned delays anywhere between their bounds, none at a whole step or halfway."""
    with torch.no_grad():
        for name, theta in learnable.theta.items():
            if name.startswith("delays/"):
                theta.copy_(
                    learnable.tensor(rng.integers(0, 6, len(theta)) + rng.choice([0.2, 0.7]))
                )
                theta -= learnable.tensor(learnable._delays[name.removeprefix("delays/")])
    return learnable


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_learned_delays_spike_as_in_the_simulator(seed):
    network, rng = small_network(seed), np.random.default_rng(seed)
    learnable = with_delays(Learnable(network, DELAYS, torch), rng)
    inputs = spikes_for(network, seed, STEPS)
    values = learnable.values(learnable.parameters())
    shown = shown_spikes(learnable, inputs)
    spikes, _ = run(
        learnable, values, shown, learnable.start(1, values, None), spike_step(torch, "atan")
    )
    learned = learnable.learned()
    assert any(
        not np.array_equal(a.delays, b.delays)
        for a, b in zip(network.projections, learned.projections, strict=True)
    )
    simulator = FloatSimulator(learned)
    expected = trains(simulator.run_events(inputs), STEPS, network.n_neurons)
    assert np.array_equal(spikes[:, 0].detach().numpy(), expected)


def test_gradients_of_delays_between_steps_are_finite_differences(monkeypatch):
    monkeypatch.setattr(
        surrogate_network, "shares", functools.partial(surrogate_delays.shares, whole=False)
    )
    network, rng = small_network(11), np.random.default_rng(4)
    populations = [
        p if p.is_input else p.with_parameters(refractory=0.0) for p in network.populations
    ]
    network = hl.Network(DT, tuple(populations), network.projections)
    learnable = Learnable(network, everything(delays="synapse", longest_delay=0.006), torch)
    with_delays(learnable, rng)
    step, steps = smooth_step(torch, "atan"), 16
    mix = learnable.tensor(rng.normal(size=(steps, 1, network.n_neurons)))
    shown = shown_spikes(learnable, spikes_for(network, 3, steps, 0.5))

    def loss():
        values = learnable.values(learnable.parameters())
        return (
            run(learnable, values, shown, learnable.start(1, values, None), step)[0] * mix
        ).sum()

    loss().backward()
    checked = 0
    for name, theta in learnable.theta.items():
        if not name.startswith(("delays/", "weights/")):
            continue
        for k in range(0, len(theta), 1 + len(theta) // 5):
            sides = []
            for change in (1e-6, -1e-6):
                with torch.no_grad():
                    theta[k] += change
                    sides.append(float(loss()))
                    theta[k] -= change
            measured = (sides[0] - sides[1]) / 2e-6
            assert float(theta.grad[k]) == pytest.approx(measured, rel=2e-4, abs=2e-7)
            checked += name.startswith("delays/") and abs(measured) > 1e-3
    assert checked > 3


@given(st.lists(st.floats(0, 7), min_size=1, max_size=20))
def test_a_delay_is_whole_and_errors_see_both_steps(steps):
    x = torch.tensor(steps, dtype=torch.float64, requires_grad=True)
    hard = surrogate_delays.shares(torch, x, 7)
    soft = surrogate_delays.shares(torch, x, 7, whole=False)
    assert torch.equal(hard, torch.nn.functional.one_hot(x.detach().round().long(), 8).double())
    # the two shares are one weight, whose mean delay is that of the synapse
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(len(steps), dtype=torch.float64))
    torch.testing.assert_close(soft @ torch.arange(8.0, dtype=torch.float64), x)
    # of a weight whose later arrival is worth k, a step more is worth 1
    (hard @ torch.arange(8.0, dtype=torch.float64)).sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x))


def test_delays_stay_between_their_bounds_and_go_with_their_synapses():
    network = small_network(7)
    learned = moved(network, SurrogateOptions(delays="synapse", longest_delay=0.003), 5).learned()
    for before, after in zip(network.projections, learned.projections, strict=True):
        steps = np.asarray(after.delays) / DT
        longest = 3 if before.delays is None else max(3, round(np.max(before.delays) / DT))
        assert steps.min() >= 0
        assert steps.max() <= longest
        assert np.array_equal(before.weights.indices, after.weights.indices)
        np.testing.assert_allclose(steps, np.rint(steps))
    untouched = Learnable(network, DELAYS, torch).learned()
    assert untouched.digest == network.digest


@pytest.mark.parametrize("signs", ["kept", "dale"])
def test_signs_places_and_bounds_are_kept(signs):
    network = small_network(7)
    learned = moved(network, everything(signs=signs)).learned()
    for before, after in zip(network.projections, learned.projections, strict=True):
        assert np.array_equal(before.weights.indices, after.weights.indices)
        assert not np.allclose(before.weights.data, after.weights.data)
        if before.pre != "inp":
            assert np.array_equal(np.sign(before.weights.data), np.sign(after.weights.data))
    tau = learned.gather("tau_mem")
    finite = np.isfinite(network.gather("tau_mem"))
    assert np.array_equal(np.isfinite(tau), finite)
    assert (tau[finite] >= 0.001).all()
    assert (tau[finite] <= 1.0).all()
    assert np.array_equal(learned.gather("tau_syn") == 0, network.gather("tau_syn") == 0)
    assert (learned.gather("v_threshold") > 0).all()


def test_nothing_learned_leaves_the_network_as_it_is():
    network = small_network(8)
    assert Learnable(network, everything(), torch).learned().digest == network.digest


def test_a_population_has_one_factor():
    network = small_network(9)
    options = SurrogateOptions(tau_mem="population", v_threshold="population", bias="none")
    learned = moved(network, options).learned()
    for before, after in zip(network.compute_populations, learned.compute_populations, strict=True):
        for name in ("tau_mem", "v_threshold"):
            with np.errstate(invalid="ignore"):
                factors = after.parameter(name) / before.parameter(name)
            factors = factors[np.isfinite(factors)]
            np.testing.assert_allclose(factors, factors[0], rtol=1e-12)
        assert np.array_equal(after.parameter("bias"), before.parameter("bias"))
        assert np.array_equal(after.parameter("tau_syn"), before.parameter("tau_syn"))


def test_the_moved_network_spikes_as_in_the_simulator():
    network = small_network(10)
    learnable = moved(network, everything(), 3)
    inputs = spikes_for(network, 10, 200, 0.5)
    values = learnable.values(learnable.parameters())
    shown = shown_spikes(learnable, inputs)
    step = spike_step(torch, "atan")
    spikes, _ = run(learnable, values, shown, learnable.start(1, values, None), step)
    expected = FloatSimulator(learnable.learned()).run_events(inputs)
    dense = trains(expected, 200, network.n_neurons)
    assert dense.sum() > 20
    assert np.array_equal(spikes[:, 0].detach().numpy(), dense)
