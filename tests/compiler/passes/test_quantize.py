"""Quantization: decays, scales and grids against their formulas, and against the float net."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava import LIF, STDP, Input, Network, Population, Projection, Spec, build_hrsnn
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.errors import SpecError
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator


def chain(weights, pre_sign=None, **lif):
    """Two populations, one projection."""
    neuron = LIF(**({"tau_mem": 0.020, "tau_syn": 0.005} | lif))
    weights = np.atleast_2d(weights)
    return Network(
        1e-3,
        (
            Population("a", weights.shape[1], neuron, pre_sign),
            Population("b", weights.shape[0], neuron),
        ),
        (Projection("ab", "a", "b", weights),),
    )


def test_decays_are_those_of_the_design():
    integer, _ = quantize(chain([[1.0]]))
    population = integer.population("b")
    assert population.parameter("dv")[0] == round(4096 * (1 - np.exp(-1 / 20)))
    assert population.parameter("du")[0] == round(4096 * (1 - np.exp(-1 / 5))) - 1


def test_no_synaptic_filter_is_full_decay():
    integer, _ = quantize(chain([[1.0]], tau_syn=0.0))
    assert integer.population("b").parameter("du")[0] == 4095


@given(
    st.floats(1e-3, 10.0),
    st.floats(0.002, 0.2),
    st.floats(0.1, 10.0),
    st.integers(1, 8),
    st.sampled_from([None, "excitatory", "inhibitory"]),
)
def test_ratios_to_the_threshold_survive(weight, tau, threshold, bits, sign):
    """What counts is weight (1 - beta) / threshold: the kick of a spike in units of threshold.

    Its charge, that is: with a decay that was rounded, the weight makes up for that.
    """
    values = np.array([[0.3, 1.0], [0.7, -0.5]]) * weight
    if sign is not None:
        values = np.abs(values) * (1 if sign == "excitatory" else -1)
    network = chain(values, sign, tau_mem=tau, v_threshold=threshold)
    integer, report = quantize(network, Quantize(weight_bits=bits))
    population, projection = integer.population("b"), integer.projection("ab")
    leak = population.parameter("dv") / 4096
    # every neuron has its own scale where one would serve them badly
    scale = (population.parameter("vth") * leak / threshold)[:, None]
    entry = report["populations"]["b"]
    assert scale.min() == pytest.approx(entry["scale"], rel=1e-2, abs=0.51 * leak.min() / threshold)
    assert scale.max() == pytest.approx(entry["scale_max"], rel=1e-2, abs=0.51)
    effective = projection.effective_weights().toarray() * 2.0**projection.weight_exp
    tau_syn = network.population("b").parameter("tau_syn")
    charge = (population.parameter("du") + 1) / 4096 / -np.expm1(-network.dt / tau_syn)
    scale = scale * charge[:, None]
    mixed = projection.sign_mode.value == "mixed"
    grid = 2 ** (8 - bits + mixed) * 2.0**projection.weight_exp
    # to one of the two neighbours on the grid: the nearest, or the one that keeps the row's sum;
    # the largest may be clipped by less than one step
    off = np.abs(effective - values * scale)
    assert off.max() <= grid * 1.01
    clipped = np.abs(effective).max(axis=1) >= (255 * 2.0**projection.weight_exp // grid) * grid
    sums = np.abs((effective - values * scale).sum(axis=1))[~clipped]
    assert sums.max(initial=0.0) <= 1.01 * grid
    assert population.parameter("vth").max() <= 131071
    assert projection.effective_weights().nnz <= projection.weights.nnz
    np.testing.assert_array_equal(projection.effective_weights().data, projection.weights.data)


def test_the_report_counts_weights_that_became_zero():
    _, report = quantize(chain([[1.0, 1e-6]]))
    assert report["projections"]["ab"]["zeroed"] == 1
    assert report["projections"]["ab"]["synapses"] == 2


def test_worst_case_wrap_of_the_current_is_reported():
    calm, heavy = chain([[0.01]], v_threshold=10.0), chain([[5.0] * 200], tau_syn=0.5)
    assert not quantize(calm)[1]["populations"]["b"]["u_may_wrap"]
    assert quantize(heavy)[1]["populations"]["b"]["u_may_wrap"]


def test_what_has_no_integer_is_refused_all_at_once():
    base = chain([[1.0]], refractory=0.1)
    projection = Projection("ab", "a", "b", np.ones((1, 1)), delays=0.1, plasticity=STDP(0.1, 0.1))
    with pytest.raises(SpecError) as caught:
        quantize(base.with_projection(projection))
    text = str(caught.value)
    for part in (
        "plasticity: with delays",
        "100 steps of 0.001 s; allowed: <= 62",
        "<= 63 steps",
    ):
        assert part in text
    with pytest.raises(SpecError, match="weight_bits: 9; allowed: <= 8"):
        Quantize(weight_bits=9)


def test_delays_stay_with_the_synapses_that_are_left():
    network = chain([[1.0, 1e-9, 0.5]])
    projection = Projection("ab", "a", "b", [[1.0, 1e-9, 0.5]], delays=[0.001, 0.002, 0.003])
    integer, _ = quantize(network.with_projection(projection))
    assert integer.projection("ab").delay_steps.tolist() == [1, 3]


def test_a_graded_input_keeps_its_current():
    network = Network(
        1e-3,
        (Population("inp", 1, Input(graded=True)), Population("b", 1, LIF(0.02, 0.005, 5.0))),
        (Projection("p", "inp", "b", np.array([[0.8]])),),
    )
    integer, report = quantize(network)
    projection = integer.projection("p")
    assert projection.num_message_bits == 24
    payload = 1.5 * integer.population("inp").payload_scale
    current = projection.weights[0, 0] * 2.0**projection.weight_exp * payload
    assert current == pytest.approx(0.8 * 1.5 * report["populations"]["b"]["scale"], rel=0.01)


@pytest.mark.parametrize("graded", [True, False])
def test_an_input_onto_biases_and_synapses_has_one_unit(graded):
    """Its payload is the same for both: a 1.0 is a current of 0.8 here and a bias of 0.5 there."""
    neuron = LIF(0.02, 0.005, 5.0)
    network = Network(
        1e-3,
        (
            Population("inp", 1, Input(graded=graded)),
            Population("b", 1, neuron),
            Population("c", 1, neuron),
        ),
        (
            Projection("p", "inp", "b", np.array([[0.8]])),
            Projection("q", "inp", "c", np.array([[0.5]]), target="bias"),
        ),
    )
    integer, report = quantize(network)
    p, q = integer.projection("p"), integer.projection("q")
    payload = integer.population("inp").payload_scale
    current = p.weights[0, 0] * 2.0**p.weight_exp * payload
    assert current == pytest.approx(0.8 * report["populations"]["b"]["scale"], rel=0.01)
    exponent = q.weight_exp + integer.population("c").parameter("bias_exp")[0]
    bias = q.weights[0, 0] * 2.0**exponent * payload / 64
    assert bias == pytest.approx(0.5 * report["populations"]["c"]["scale"], rel=0.01)


def test_integers_behave_as_the_float_network():
    spec = Spec.parse({"network": {"size": 200, "connectivity": {"mean_degree": 20.0}}})
    network = build_hrsnn(spec, seed=4)
    counts = []
    for simulator in (FloatSimulator(network), IntegerSimulator(Quantize()(network))):
        rng, total, x = generator(0, "x"), np.zeros(200), np.zeros(3)
        for _ in range(150):
            x = 0.9 * x + 0.3 * rng.normal(size=3)
            total += np.bincount(simulator.run(x, 20)[1], minlength=200)
        counts.append(total)
    assert counts[1].sum() == pytest.approx(counts[0].sum(), rel=0.01)
    assert np.corrcoef(*counts)[0, 1] > 0.999
