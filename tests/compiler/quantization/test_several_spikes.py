"""Several spikes of a neuron in a step through the compiler: how many, and what others need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.dynamics.trace_covariance import trace_covariance
from hrsnn_lava.compiler.analysis.headroom import LIMIT, measured, most_spikes, worst_case
from hrsnn_lava.compiler.pruning.mean_current import scaled_recurrence
from hrsnn_lava.compiler.quantization.input_scaling import largest_gains
from hrsnn_lava.compiler.split import split_network
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.integer_format import SPIKE_COUNT_BITS
from hrsnn_lava.training.difference import compare_float_fixed
from hrsnn_lava.training.kept import measure
from hrsnn_lava.training.simulation import measure_rates, observe

pytestmark = pytest.mark.once

STEPS = 60


def chain(weight, vth=(10, 10), dv=4096, du=4095, bias=0):
    """x -> a -> b, one neuron each, both of which may send several spikes in a step."""
    populations = [hl.QuantizedInput("x", 1)]
    projections = []
    for k, (pre, post) in enumerate((("x", "a"), ("a", "b"))):
        one = hl.QuantizedPopulation(post, 1, du, dv, vth[k], bias, reset="subtract_all")
        populations.append(one)
        projections.append(
            hl.QuantizedProjection(
                f"{pre}_{post}",
                pre,
                post,
                sparse.csr_matrix([[weight]]),
                0,
                "excitatory",
                num_message_bits=0 if k == 0 else SPIKE_COUNT_BITS,
            )
        )
    return hl.QuantizedNetwork(tuple(populations), tuple(projections)).verify()


def test_how_many_follows_layer_by_layer():
    """No leak stays: v is what comes, 100 << 6, which holds 640 ten times; ten times that is 6.4
    million, which holds it 100 times, in place of the 13,107 times of the largest potential."""
    net = chain(100)
    assert most_spikes(net)["a"].tolist() == [10.0]
    assert most_spikes(net)["b"].tolist() == [100.0]
    assert net.population("b").most_spikes.tolist() == [13107]
    trace = hl.simulate(net, hl.SpikeInput.from_dense(np.ones((9, 1), bool)), 9, probes=("v", "u"))
    assert trace.dense().max(axis=0).tolist() == [10, 100]
    found = worst_case(net, "b")
    assert found["u_worst_case"] * LIMIT == 64 * 1000 == trace.u[:, 1].max()
    assert found["v_worst_case"] * LIMIT == 64 * 1000
    assert not found["u_may_wrap"]
    # without a leak a threshold's worth may be left from before, and one more spike is sent
    assert most_spikes(chain(99, dv=0))["a"].tolist() == [10.0]
    assert most_spikes(chain(100, dv=0))["a"].tolist() == [11.0]


def test_a_current_that_may_wrap_gives_no_bound():
    """255 spikes of weight 255 << 5 are beyond 24 bits: all that v holds may come of it."""
    net = chain(255, vth=(1, 10))
    assert most_spikes(net)["a"].tolist() == [255.0]
    assert worst_case(net, "b")["u_worst_case"] * LIMIT == 64 * 255 * 255
    wide = net.with_projection(replace(net.projection("a_b"), weight_exp=5))
    assert worst_case(wide, "b")["u_may_wrap"]
    assert most_spikes(wide)["b"].tolist() == [13107.0]


def test_loops_are_bounded_by_the_potential_alone():
    a = hl.QuantizedPopulation("a", 2, 4095, 4096, [10, 500], reset="subtract_all")
    loop = hl.QuantizedProjection("a_a", "a", "a", np.full((2, 2), 100), num_message_bits=17)
    net = hl.QuantizedNetwork((a,), (loop,))
    assert most_spikes(net)["a"].tolist() == [13107.0, 262.0]
    assert worst_case(net, "a")["u_may_wrap"]
    # and a weak one settles
    weak = net.with_projection(replace(loop, weights=np.full((2, 2), 1), sign_mode="excitatory"))
    assert (most_spikes(weak)["a"] <= [13107.0, 262.0]).all()


@st.composite
def layered(draw):
    """Two or three layers of a few neurons, with weights and exponents as they come."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    names, size = "abc"[: draw(st.integers(2, 3))], draw(st.integers(1, 4))
    populations = [hl.QuantizedInput("x", 3)]
    projections = []
    for k, name in enumerate(names):
        populations.append(
            hl.QuantizedPopulation(
                name,
                size,
                rng.integers(1500, 4096, size),
                rng.integers(500, 4097, size),
                rng.integers(1, draw(st.sampled_from([3, 300, 10_000])), size),
                rng.integers(-100, 300, size),
                draw(st.integers(0, 5)),
                reset="subtract_all",
            )
        )
        pre, n = ("x", 3) if k == 0 else (names[k - 1], size)
        bits = 0 if k == 0 else SPIKE_COUNT_BITS
        for pre_name, width in [(pre, n)] + [(name, size)] * draw(st.integers(0, 1)):
            projections.append(
                hl.QuantizedProjection(
                    f"{pre_name}_{name}",
                    pre_name,
                    name,
                    sparse.csr_matrix(rng.integers(-20, 30, (size, width))),
                    draw(st.integers(-3, 3)),
                    num_message_bits=SPIKE_COUNT_BITS if pre_name == name else bits,
                )
            )
    share = draw(st.sampled_from([0.2, 1.0]))
    net = hl.QuantizedNetwork(tuple(populations), tuple(projections))
    return net, hl.SpikeInput.from_dense(rng.random((STEPS, 3)) < share)


@pytest.mark.filterwarnings("ignore::hrsnn_lava.findings.FindingWarning")
@given(layered())
@settings(max_examples=60, deadline=None)
def test_no_run_leaves_the_bounds(case):
    net, inputs = case
    trace = hl.simulate(net, inputs, STEPS, probes=("v", "u"))
    most = np.concatenate([most_spikes(net)[p.name] for p in net.compute_populations])
    assert (trace.dense() <= most).all()
    for population in net.compute_populations:
        bound, seen = worst_case(net, population.name), measured(net, trace, population.name)
        first = net.offset(population.name)
        part = slice(first, first + population.size)
        assert seen["wraps"] == trace.wraps[part].sum()
        assert seen["v_saturated"] * STEPS * population.size == pytest.approx(
            trace.saturations[part].sum()
        )
        if bound["u_may_wrap"]:
            continue
        assert not trace.wraps[part].any()
        assert seen["u_peak"] <= bound["u_worst_case"]
        theta = population.parameter("vth").astype(np.int64) << 6
        before = trace.v[:, part] + trace.dense()[:, part] * theta
        if not bound["v_may_saturate"]:
            assert np.abs(before).max() <= bound["v_worst_case"] * LIMIT
            assert not trace.saturations[part].any()


def floats(weight=0.6, bias=0.0):
    """Two layers, of which the first sends bursts, in floats."""
    rng = np.random.default_rng(7)
    lif = hl.LIF(rng.uniform(0.003, 0.02, 12), 0.0, rng.uniform(0.5, 1.0, 12), bias)
    several = replace(lif, reset="subtract_all")
    second = hl.LIF(0.01, 0.002, 1.0, reset="subtract_all")
    return hl.Network(
        1e-3,
        (
            hl.Population("x", 5, hl.Input()),
            hl.Population("a", 12, several),
            hl.Population("b", 3, second),
        ),
        (
            hl.Projection("x_a", "x", "a", 20.0 * rng.random((12, 5))),
            hl.Projection("a_b", "a", "b", weight * rng.normal(0.4, 1.0, (3, 12))),
        ),
    )


def events(steps=300):
    return hl.SpikeInput.from_dense(np.random.default_rng(2).random((steps, 5)) < 0.3)


def test_quantized_networks_have_room_for_the_number():
    net = floats()
    integers = hl.quantize(net)
    assert [p.num_message_bits for p in integers.projections] == [0, SPIKE_COUNT_BITS]
    for name in ("a", "b"):
        assert not worst_case(integers, name)["u_may_wrap"]
    assert (largest_gains(integers, 1.0) >= 1.0).all()
    # neurons that hear messages of many spikes have less room than if these were one
    one = integers.with_resets({"a": "subtract", "b": "subtract"})
    assert (largest_gains(one, 1.0) >= largest_gains(integers, 1.0)).all()
    seen = observe(net, events())
    trace = hl.simulate(hl.quantize(net, observed=seen), events(), 300)
    assert trace.payloads.max() > 2
    assert not trace.wraps.any()
    # rates count messages, and at most one a step
    rates = trace.counts() / 300
    assert seen.rates.max() <= 1.0
    assert np.abs(seen.rates - rates).max() < 0.05


def test_chips_that_send_no_payload_refuse_and_say_what_to_do():
    compiled = hl.compile(floats(), "loihi2")
    inputs = events()
    assert hl.verify(compiled, inputs, 100, ("reference", "native")).mismatches == 0
    with pytest.raises(CapacityError) as caught:
        hl.compile(floats(), "loihi1")
    rules = {violation.rule: violation for violation in caught.value.violations}
    assert set(rules) == {"subtractive_reset", "graded_spikes"}
    assert "'subtract'" in rules["graded_spikes"].fix
    with pytest.raises(CapacityError) as caught:
        hl.compile(floats(), "dynap_cnn")
    where = [v.where for v in caught.value.violations if v.rule == "graded_spikes"]
    # the last layer has no synapses, and still no way to say how many spikes it sends
    assert where == ["population 'b'", "projection 'a_b'"]
    subtracting = floats()
    for name in ("a", "b"):
        population = subtracting.population(name).with_parameters(reset="subtract")
        subtracting = subtracting.with_population(population)
    assert all(p.num_message_bits == 0 for p in hl.quantize(subtracting).projections)


def test_parts_on_several_cores_send_the_same_messages():
    integers = hl.quantize(floats())
    parts = split_network(integers, np.arange(15) % 4).network.verify()
    assert {p.reset for p in parts.compute_populations} == {"subtract_all"}
    whole, split = (hl.simulate(net, events(), 200).dense() for net in (integers, parts))
    assert len(parts.compute_populations) > 4
    np.testing.assert_array_equal(np.sort(whole, axis=1), np.sort(split, axis=1))


def test_what_takes_a_rate_for_a_drive_is_refused():
    net = floats()
    rates = np.full(15, 0.1)
    for call in (
        lambda: scaled_recurrence(net, 0.5, rates),
        lambda: measure_rates(net, 0, 40),
        lambda: measure(net),
    ):
        with pytest.raises(SpecError, match="knows one spike a step alone") as caught:
            call()
        assert [p.where for p in caught.value.problems] == [
            "population 'a'.reset",
            "population 'b'.reset",
        ]


def test_spike_traces_take_all_spikes_of_a_message():
    """Twice the spikes, four times the covariance."""
    trace = hl.simulate(hl.quantize(floats()), events(), 200)
    double = replace(trace, payloads=2 * trace.payloads)
    once, twice = (trace_covariance(t, 5.0) for t in (trace, double))
    np.testing.assert_allclose(twice, 4.0 * once)
    single = trace_covariance(replace(trace, payloads=None), 5.0)
    assert (single != once).any()


def test_floats_are_not_compared_with_integers_by_single_spikes():
    net = floats()
    with pytest.raises(SpecError, match="the comparison of floats with integers knows one spike"):
        compare_float_fixed(net, hl.quantize(net), events())
