"""Resets by subtraction through the compiler: room above the threshold, and what scales with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.headroom import LIMIT, measured, worst_case
from hrsnn_lava.compiler.passes.stock_groups import StockGroups
from hrsnn_lava.compiler.pruning.surgery import drop_neurons
from hrsnn_lava.compiler.quantization.constant_error import largest_threshold
from hrsnn_lava.compiler.quantization.input_scaling import largest_gains
from hrsnn_lava.compiler.quantization.row_gains import with_row_gains
from hrsnn_lava.compiler.split import split_network
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.resets import RESETS
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator

#: What it says does not depend on the Python: the oldest alone runs it in CI.
pytestmark = pytest.mark.once

SUBTRACTING = ("subtract", "subtract_next", "subtract_all")
DT, SIZE, STEPS = 1e-3, 40, 600


def network(reset, seed=0, drive=1.0, **fields):
    """A recurrent network with inputs; mostly at a few per cent of its steps."""
    rng = np.random.default_rng(seed)
    lif = hl.LIF(
        rng.gamma(3.0, 0.007, SIZE).clip(0.003, 0.1),
        rng.uniform(0.002, 0.01, SIZE),
        rng.uniform(0.7, 1.4, SIZE),
        rng.uniform(0.0, 0.9, SIZE),
        reset=reset,
        **fields,
    )
    recurrent = rng.normal(0.0, 0.4, (SIZE, SIZE)) * (rng.random((SIZE, SIZE)) < 0.2)
    inputs = drive * rng.uniform(0.2, 1.0, (SIZE, 12))
    return hl.Network(
        DT,
        (hl.Population("in", 12, hl.Input()), hl.Population("a", SIZE, lif)),
        (
            hl.Projection("in_a", "in", "a", sparse.csr_matrix(inputs)),
            hl.Projection("a_a", "a", "a", sparse.csr_matrix(recurrent)),
        ),
    )


def events(seed=1, rate=0.05, channels=12):
    rng = np.random.default_rng(seed)
    return hl.SpikeInput.from_dense(rng.random((STEPS, channels)) < rate)


def in_floats(net, inputs):
    simulator = FloatSimulator(net, several=True)
    at, who = simulator.run_events(inputs)
    sent = None if simulator.sent is None else simulator.sent.astype(np.int64)
    return hl.Trace(at, who, STEPS, net.n_neurons, payloads=sent)


def plain_loop(net, inputs):
    """The equations of `hrsnn_lava.network` in NumPy: spikes and potentials after each step."""
    lif = net.population("a").lif
    alpha, beta = (np.exp(-DT / np.asarray(tau)) for tau in (lif.tau_syn, lif.tau_mem))
    gain = np.where(np.isinf(lif.tau_mem), 1.0, 1.0 - beta)
    w_in, w_rec = (net.projection(name).weights.toarray() for name in ("in_a", "a_a"))
    x = np.zeros((STEPS, 12))
    x[inputs.steps, inputs.neurons] = 1.0
    v, i, s, row = np.zeros(SIZE), np.zeros(SIZE), np.zeros(SIZE), np.zeros(12)
    spikes, potentials = np.zeros((STEPS, SIZE), int), np.zeros((STEPS, SIZE))
    for t in range(STEPS):
        i = alpha * i + w_in @ row + w_rec @ s
        v = beta * v + gain * (lif.bias + i)
        if lif.reset == "subtract_next":
            v = v - s * lif.v_threshold
        s, row = (v > lif.v_threshold).astype(float), x[t]
        if lif.reset == "subtract_all":
            s = np.maximum(np.floor(v / lif.v_threshold), 0.0)
        if lif.reset in ("subtract", "subtract_all"):
            v = v - s * lif.v_threshold
        if lif.reset == "zero":
            v = np.where(s > 0, 0.0, v)
        spikes[t], potentials[t] = s, v
    return spikes, potentials


@pytest.mark.parametrize("leak", [True, False])
@pytest.mark.parametrize("reset", RESETS)
def test_floats_follow_the_equations(reset, leak):
    net, inputs = network(reset, drive=2.0), events()
    if not leak:
        net = net.with_population(net.population("a").with_parameters(tau_mem=np.inf, bias=0.001))
        net = net.with_projection(
            replace(net.projection("in_a"), weights=0.1 * net.projection("in_a").weights)
        )
        net = net.with_projection(
            replace(net.projection("a_a"), weights=0.05 * net.projection("a_a").weights)
        )
    spikes, potentials = plain_loop(net, inputs)
    simulator = FloatSimulator(net, several=True)
    found = []
    for t in range(STEPS):
        at, who = simulator.run_events(inputs, t, 1)
        assert not at.any()
        found.append(np.zeros(SIZE, dtype=int))
        found[-1][who] = 1 if simulator.sent is None else simulator.sent
        assert np.abs(simulator.potential - potentials[t]).max() < 1e-12 * max(
            1.0, np.abs(potentials[t]).max()
        )
    assert (np.array(found) == spikes).all()
    assert 0.01 < spikes.mean() < 0.9
    above = (potentials > net.population("a").lif.v_threshold).any()
    assert above == (
        reset in ("subtract", "subtract_next")
    )  # more than a spike's worth may be left
    assert (spikes.max() > 1) == (reset == "subtract_all")


@pytest.mark.parametrize("reset", SUBTRACTING[:2])
def test_plastic_networks_reset_alike(reset):
    """The loop of networks that learn in floats, with a rule that changes nothing."""
    from hrsnn_lava.sim_backends.floating.simulator import PlasticSimulator

    net, inputs = network(reset, drive=2.0), events()
    rule = hl.STDP(a_plus=0.0, a_minus=0.0)
    plastic = net.with_projection(replace(net.projection("in_a"), plasticity=rule))
    at, who = PlasticSimulator(plastic).run_events(inputs)
    trace = in_floats(net, inputs)
    np.testing.assert_array_equal(at, trace.spike_steps)
    np.testing.assert_array_equal(who, trace.spike_neurons)


@pytest.mark.lava
@pytest.mark.parametrize("reset", SUBTRACTING)
def test_floats_in_live_lava(reset):
    from hrsnn_lava.sim_backends.lava.backend import LavaBackend

    net, inputs = network(reset, drive=2.0), events()
    trace = LavaBackend(runtime="threads").run(net, inputs, STEPS, ("spikes", "v"))
    spikes, potentials = plain_loop(net, inputs)
    assert (trace.dense() == spikes).all()
    assert np.abs(trace.v - potentials).max() < 1e-9


@pytest.mark.parametrize("reset", RESETS)
def test_integers_fire_as_often_as_floats(reset):
    net, inputs = network(reset, drive=2.0), events()
    integers = hl.quantize(net)
    assert integers.population("a").reset == reset
    trace = hl.simulate(integers, inputs, STEPS)
    floats = in_floats(net, inputs).payload_counts().sum()
    assert trace.payload_counts().sum() == pytest.approx(floats, rel=0.05)
    assert not trace.saturations.any()


@pytest.mark.parametrize("reset", SUBTRACTING)
def test_a_slow_neuron_leaves_room_for_what_is_above_its_threshold(reset):
    """Long time constants fill vth: with the 17 bits of a reset to 0 nothing would be kept."""
    slow = network(reset).population("a").with_parameters(tau_mem=0.5, v_threshold=3.0, bias=0.0)
    net = network(reset).with_population(slow)
    scaled = replace(net.projection("in_a"), weights=40.0 * net.projection("in_a").weights)
    net = net.with_projection(scaled)
    integers, inputs = hl.quantize(net), events(rate=0.7)
    vth = integers.population("a").parameter("vth")
    assert largest_threshold(reset) == 2**14
    assert largest_threshold("zero") == 2**17 - 1
    assert vth.max() == 2**14
    zero = net.with_population(slow.with_parameters(reset="zero"))
    assert hl.quantize(zero).population("a").parameter("vth").max() > 2**15
    trace = hl.simulate(integers, inputs, STEPS, probes=("v",))
    assert (trace.v > 64 * vth).any() == (reset != "subtract_all")
    floats = in_floats(net, inputs).payload_counts().sum()
    assert trace.payload_counts().sum() == pytest.approx(floats, rel=0.05)


def test_a_run_tells_what_was_lost_above_the_range():
    """A drive of more than a threshold a step, which no leak takes away in time."""
    integers = hl.quantize(network("subtract", drive=200.0))
    assert worst_case(integers, "a")["v_may_saturate"]
    with pytest.warns(hl.FindingWarning, match="an end of its range"):
        trace = hl.simulate(integers, events(rate=0.5), STEPS)
    assert trace.saturations.sum() > 100
    zero = hl.quantize(network("zero", drive=200.0))
    assert not worst_case(zero, "a")["v_may_saturate"]


@st.composite
def strongly_driven(draw):
    """A few neurons with any reset, and inputs that send at every step, or at random."""
    n = draw(st.integers(1, 5))

    def values(low, high):
        return draw(st.lists(st.integers(low, high), min_size=n, max_size=n))

    population = hl.QuantizedPopulation(
        "a",
        n,
        values(300, 4095),
        values(100, 4096),
        values(1, 4000),
        values(-300, 4095),
        draw(st.integers(0, 6)),
        reset=draw(st.sampled_from(SUBTRACTING)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = sparse.csr_matrix(rng.integers(-255, 256, (n, 4)))
    exponent = draw(st.integers(-2, 4))
    projection = hl.QuantizedProjection("p", "x", "a", weights, exponent)
    net = hl.QuantizedNetwork((hl.QuantizedInput("x", 4), population), (projection,))
    share = draw(st.sampled_from([0.2, 0.5, 1.0]))
    return net, hl.SpikeInput.from_dense(rng.random((60, 4)) < share)


@pytest.mark.filterwarnings("ignore::hrsnn_lava.findings.FindingWarning")
@given(strongly_driven())
@settings(max_examples=60, deadline=None)
def test_no_run_leaves_the_bounds_of_the_worst_case(case):
    net, inputs = case
    bound = worst_case(net, "a")
    trace = hl.simulate(net, inputs, 60, probes=("v", "u"))
    seen = measured(net, trace, "a")
    assert seen["v_saturated"] * 60 * net.n_neurons == pytest.approx(trace.saturations.sum())
    if bound["u_may_wrap"]:
        return
    taken = np.zeros_like(trace.v)
    if net.population("a").reset in ("subtract", "subtract_all"):
        taken[trace.spike_steps, trace.spike_neurons] = trace.payload_values() * (
            net.population("a").parameter("vth")[trace.spike_neurons] << 6
        )
    extent = np.abs(trace.v.astype(np.int64) + taken).max()
    if not bound["v_may_saturate"]:
        assert extent <= bound["v_worst_case"] * LIMIT
        assert not trace.saturations.any()


@pytest.mark.parametrize(("reset", "bound"), [("subtract", 8000), ("subtract_next", 7040)])
def test_the_bound_is_met(reset, bound):
    """A drive of 4480 a step, a threshold of 960 and half a leak: (4480 - 480) / (1 / 2), and
    (4480 - 960) / (1 / 2)."""
    population = hl.QuantizedPopulation("a", 1, 4095, 2048, 15, 2240, 1, reset=reset)
    net = hl.QuantizedNetwork((population,))
    trace = hl.simulate(net, None, 200, probes=("v",))
    assert worst_case(net, "a")["v_worst_case"] * LIMIT == pytest.approx(bound)
    peak = trace.v.max() + (960 if reset == "subtract" else 0)
    assert bound - 8 <= peak <= bound


@pytest.mark.parametrize("reset", RESETS)
def test_gains_of_rows_change_no_spike(reset):
    """What quantization and absorbed thresholds rest on: a neuron is linear in its threshold."""
    net, inputs = network(reset, drive=2.0), events()
    gains = 2.0 ** np.random.default_rng(0).integers(-3, 4, SIZE)
    scaled = with_row_gains(net, {"a": gains})
    assert scaled.population("a").reset == reset
    expected, found = in_floats(net, inputs), in_floats(scaled, inputs)
    np.testing.assert_array_equal(expected.spike_steps, found.spike_steps)
    np.testing.assert_array_equal(expected.spike_neurons, found.spike_neurons)
    np.testing.assert_array_equal(expected.payload_values(), found.payload_values())


@pytest.mark.parametrize("reset", SUBTRACTING)
def test_what_rebuilds_populations_keeps_their_reset(reset):
    net = network(reset)
    integers = hl.quantize(net)
    parts = split_network(integers, np.arange(SIZE) % 3).network
    assert {p.reset for p in parts.compute_populations} == {reset}
    assert StockGroups(4)(integers).population("a").reset == reset
    smaller = drop_neurons(net, np.arange(SIZE) >= 5)
    assert smaller.population("a").reset == reset
    assert (largest_gains(integers, 1.0) >= 1.0).all()
    vth = integers.population("a").parameter("vth")
    assert (largest_gains(integers, 1.0) * vth <= np.maximum(2**14, vth)).all()


@pytest.mark.parametrize("reset", SUBTRACTING)
def test_a_chip_that_only_resets_to_zero_says_so(reset):
    net = network(reset)
    with pytest.raises(CapacityError) as caught:
        hl.compile(net, "loihi1")
    violation, *others = caught.value.violations
    graded = ["graded_spikes"] * any(p.num_message_bits for p in hl.quantize(net).projections)
    assert [other.rule for other in others] == graded
    assert violation.rule == "subtractive_reset"
    assert violation.measured == f"reset {reset!r}"
    assert "set its reset to 'zero'" in violation.fix
    compiled = hl.compile(net, "loihi2")
    trace = hl.simulate(compiled, events(), STEPS)
    assert hl.verify(compiled, events(), 100, ("reference", "native")).mismatches == 0
    report = hl.report(compiled, trace)
    assert report.to_dict()["heterogeneity"]["resets"] == {"a": reset}
    when = {
        "subtract": "at once",
        "subtract_next": "in the next step",
        "subtract_all": "at once, and as many are sent in a step as it holds",
    }[reset]
    line = f"spike of a takes the threshold off the potential {when} (reset {reset})"
    assert line in " ".join(report.to_text().split())
    assert line in report.to_html()
