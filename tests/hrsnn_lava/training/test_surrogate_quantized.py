"""The integers of the quantize pass in the forward run. These tests need torch."""

from __future__ import annotations

import numpy as np
import pytest
from surrogate_cases import DT, small_network, spikes_for

import hrsnn_lava as hl
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.errors import SpecError
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.surrogate_options import SurrogateOptions
from hrsnn_lava.training.surrogate_network import Learnable, Shown, run
from hrsnn_lava.training.surrogate_quantized import check_rounding, rounded, rounding_of
from hrsnn_lava.training.surrogate_steps import spike_step

torch = pytest.importorskip("torch")
EVERYTHING = dict.fromkeys(("tau_mem", "tau_syn", "v_threshold", "bias"), "neuron")


def plain_network(seed):
    """One time constant, so that a scale and an exponent are all there is between the weights."""
    rng = np.random.default_rng(seed)
    lif = hl.LIF(0.02, 0.0, 1.0, bias=0.3)
    return hl.Network(
        DT,
        (hl.Population("inp", 7, hl.Input()), hl.Population("exc", 30, lif, sign="excitatory")),
        (
            hl.Projection("in", "inp", "exc", rng.normal(0.5, 2.0, (30, 7))),
            hl.Projection("rec", "exc", "exc", rng.gamma(2, 0.2, (30, 30))),
        ),
    )


def rounded_parameters(network, step):
    learnable = Learnable(network, SurrogateOptions(**EVERYTHING), torch)
    exact = learnable.parameters()
    return learnable, exact, rounded(learnable, exact, step)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_weights_are_those_of_the_pass_on_its_scale(bits):
    network, step = plain_network(bits), Quantize(weight_bits=bits)
    integers = quantize(network, step)[0]
    # thresholds take their rounding along, of each neuron in all of its numbers
    scale = integers.gather("vth") * (1.0 - np.exp(-DT / 0.02))
    _, _, values = rounded_parameters(network, step)
    for name in ("in", "rec"):
        projection = integers.projection(name)
        dense = projection.effective_weights().toarray() * 2.0**projection.weight_exp
        expected = (dense / scale[:, None])[network.projection(name).weights.nonzero()]
        np.testing.assert_allclose(values.weights[name].detach(), expected, rtol=1e-12, atol=0)


def test_the_scale_is_that_of_the_report():
    network = plain_network(8)
    integers, report = quantize(network, Quantize())
    entry = report["populations"]["exc"]
    assert entry["scale_of"] == "population"
    _, _, values = rounded_parameters(network, Quantize())
    # the chip's decay in place of the exact one, and a rounded threshold
    slack = integers.gather("dv")[0] / 4096 / (1.0 - np.exp(-DT / 0.02)) - 1.0
    projection = integers.projection("rec")
    exact = projection.effective_weights().data * 2.0**projection.weight_exp / entry["scale"]
    ours = values.weights["rec"].detach().numpy()
    np.testing.assert_allclose(ours[ours != 0] / exact[exact != 0], 1.0, atol=abs(slack) + 1e-4)


def test_eight_bits_are_near_and_four_are_farther():
    network = plain_network(0)
    errors = []
    for bits in (8, 4):
        _, exact, values = rounded_parameters(network, Quantize(weight_bits=bits))
        weights = exact.weights["rec"].detach()
        apart = (values.weights["rec"].detach() - weights).abs().max()
        errors.append(float(apart / weights.max()))
    assert errors[0] < 1 / 255
    assert 5 * errors[0] < errors[1] < 0.15


def test_decays_are_in_4096ths():
    network = small_network(3)
    integers = quantize(network, Quantize())[0]
    _, _, values = rounded_parameters(network, Quantize())
    np.testing.assert_array_equal(values.keep_u.detach(), (4095 - integers.gather("du")) / 4096)
    np.testing.assert_array_equal(values.keep_v.detach(), (4096 - integers.gather("dv")) / 4096)


def counted(learnable, parameters, shown):
    """Spikes of every neuron from rest."""
    values = learnable.values(parameters)
    start = learnable.start(1, values, None)
    spikes, _ = run(learnable, values, shown, start, spike_step(torch, "atan"))
    return spikes[:, 0].sum(0).detach().numpy()


@pytest.mark.parametrize("held", [False, True])
def test_the_rounded_network_fires_as_the_program(held):
    steps, block, step = 300, 10, Quantize(weight_bits=3)
    spikes, ours, floats = 0, 0, 0
    for seed in range(8):
        network = small_network(seed, held=held)
        learnable, exact, parameters = rounded_parameters(network, step)
        simulator = IntegerSimulator(quantize(network, step)[0])
        if held:
            x = np.random.default_rng(seed).normal(0, 1, (steps // block, network.n_inputs))
            who = np.concatenate([simulator.run(row, block)[1] for row in x])
            shown = Shown(None, learnable.tensor(x[:, None]), block, steps)
        else:
            inputs = spikes_for(network, seed, steps)
            who = simulator.run_events(inputs, 0, steps)[1]
            dense = np.zeros((learnable.lead + steps, 1, network.n_inputs))
            np.add.at(dense, (learnable.lead + inputs.steps, 0, inputs.neurons), 1.0)
            shown = Shown(learnable.tensor(dense), None, 1, steps)
        expected = np.bincount(who, minlength=network.n_neurons)
        spikes += expected.sum()
        ours += np.abs(counted(learnable, parameters, shown) - expected).sum()
        floats += np.abs(counted(learnable, exact, shown) - expected).sum()
    assert spikes > 500
    assert ours < 0.05 * spikes
    assert ours < 0.4 * floats


def test_errors_pass_through_the_rounding():
    network = small_network(5)
    learnable, exact, values = rounded_parameters(network, Quantize(weight_bits=3))
    gradients = []
    for parameters in (exact, values):
        total = sum((w**1).sum() for w in parameters.weights.values())
        total = total + parameters.keep_u.sum() + parameters.keep_v.sum() + parameters.bias.sum()
        total.backward(retain_graph=True)
        gradients.append(
            {n: t.grad.clone() for n, t in learnable.theta.items() if t.grad is not None}
        )
        for theta in learnable.theta.values():
            theta.grad = None
    assert (
        set(gradients[0]) == set(gradients[1]) >= {"tau_mem", "tau_syn", "bias", "weights/exc_exc"}
    )
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient)


def test_weights_that_are_rounded_away_are_zero():
    network = plain_network(1)
    data = network.projection("rec").weights.copy()
    small = data.toarray()
    small[0, :15] = 1e-6
    network = network.with_projection(hl.Projection("rec", "exc", "exc", small))
    integers = quantize(network, Quantize(weight_bits=2))[0]
    values = rounding_of(network, integers, 1.0 / (1.0 - np.exp(-DT / network.gather("tau_mem"))))
    stored = network.projection("rec").weights
    zero = values["weights/rec"] == 0
    assert zero[np.asarray(stored.data) < 1e-5].all()
    assert not zero.all()


def test_a_pass_that_needs_a_run_is_refused():
    with pytest.raises(SpecError, match="needs no run"):
        check_rounding(Quantize(scaling="activity"))
