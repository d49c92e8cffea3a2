"""Quantization: room for the current, splits that change nothing, scales that go together."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava import (
    LIF,
    Input,
    Network,
    Population,
    Projection,
    QuantizedNetwork,
    QuantizedProjection,
    SpikeInput,
)
from hrsnn_lava.compiler.analysis.headroom import measured
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.compiler.pipeline import compile_network, run_pass
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.simulation import observe, observe_if_needed


def excited(weight=0.4, n=64, tau_syn=0.02, threshold=1.0, refractory=0.0, **lif):
    """Inputs onto a neuron, and its own neighbour through a negative weight."""
    neuron = LIF(0.02, tau_syn, threshold, refractory=refractory, **lif)
    return Network(
        1e-3,
        (Population("inp", n, Input(), "excitatory"), Population("a", 2, neuron)),
        (Projection("p", "inp", "a", np.array([[weight] * n, [0.5 * weight] * n])),),
    )


def storm(network, steps=200):
    """Every input in every step."""
    n = network.n_inputs
    at = np.repeat(np.arange(steps), n)
    return SpikeInput(at, np.tile(np.arange(n), steps), steps, n)


def run_both(network, options):
    """Counts in float and integers, the integers' head-room as measured, and the report."""
    events = storm(network)
    integer, report = quantize(network, options)
    trace = simulate(integer, events, events.n_steps, "native", ("u", "v"))
    exact = observe(network, events).rates * events.n_steps
    seen = measured(integer, trace, "a")
    return exact, trace.counts(), seen, report["populations"]["a"]


def test_by_default_there_is_room_for_anything_where_that_costs_nothing():
    network = excited()
    _, broken, wrapped, before = run_both(network, Quantize(headroom="none"))
    exact, whole, seen, entry = run_both(network, Quantize())
    assert before["headroom"] == "open"
    assert wrapped["wraps"] > 0
    assert np.any(np.abs(broken - exact) > 20)
    assert (entry["headroom"], entry["scale_limited_by"]) == ("any input", "headroom")
    assert 0.9 < entry["u_worst_case"] < 1.0
    assert seen["wraps"] == 0
    np.testing.assert_array_equal(whole, exact)
    assert entry["threshold_error_max"] <= 1e-3


def test_room_that_costs_is_made_only_when_asked_for():
    network = excited(weight=40.0, tau_syn=0.5)
    default, report = quantize(network)
    plain, before = quantize(network, Quantize(headroom="none"))
    # as many octaves as leave the same weights, and no more
    octaves = plain.projection("p").weight_exp - default.projection("p").weight_exp
    assert octaves > 0
    assert default.projection("p").weight_exp == 0
    np.testing.assert_array_equal(
        default.projection("p").weights.data, plain.projection("p").weights.data
    )
    entry, old = report["populations"]["a"], before["populations"]["a"]
    assert entry["scale"] * 2.0**octaves == pytest.approx(old["scale"])
    assert entry["u_worst_case"] * 2.0**octaves == pytest.approx(old["u_worst_case"])
    assert entry["headroom"] == "open"
    _, forced = quantize(network, Quantize(headroom="worst_case"))
    entry = forced["populations"]["a"]
    assert entry["headroom"] == "any input"
    assert not entry["u_may_wrap"]
    assert entry["threshold_error_max"] > 1e-3


@settings(max_examples=30, deadline=None)
@given(
    st.floats(0.01, 50.0),
    st.floats(0.001, 0.5),
    st.integers(1, 8),
    st.sampled_from(["auto", "worst_case", "none"]),
)
def test_what_is_said_to_be_safe_does_not_wrap(weight, tau_syn, bits, mode):
    network = excited(weight, tau_syn=tau_syn)
    options = Quantize(bits, headroom=mode)
    integer, report = quantize(network, options)
    events = storm(network, 100)
    trace = simulate(integer, events, 100, "reference", ("u", "v"))
    if report["populations"]["a"]["headroom"] == "any input":
        assert measured(integer, trace, "a")["wraps"] == 0


def test_room_for_a_run_and_a_margin():
    network = excited(weight=40.0, tau_syn=0.5)
    quiet = SpikeInput(np.array([0, 40]), np.array([0, 0]), 60, network.n_inputs)
    seen = observe(network, quiet)
    for mode in ("measured", "auto"):
        _, report = quantize(network, Quantize(headroom=mode, margin=4.0), seen)
        entry = report["populations"]["a"]
        assert entry["headroom"] == "run"
        assert entry["scale"] * 64 * 4.0 * seen.current_peak.max() <= 2**23 * (1 + 1e-12)
    loud = replace(seen, current_peak=seen.current_peak * 1e4)
    _, report = quantize(network, Quantize(headroom="measured"), loud)
    assert report["populations"]["a"]["scale_limited_by"] == "headroom"


def test_observed_are_rates_and_the_largest_current():
    network = excited(weight=0.1, n=3, tau_syn=0.01)
    events = SpikeInput(np.array([0, 0, 7]), np.array([0, 1, 2]), 30, 3)
    seen = observe(network, events, steps_per_sample=4)
    alpha = np.exp(-0.1)
    peak = max(0.2, 0.2 * alpha**7 + 0.1)
    np.testing.assert_allclose(seen.current_peak, [peak, peak / 2], rtol=1e-9)
    np.testing.assert_allclose(seen.input_rates, [1 / 30] * 3)
    simulator = FloatSimulator(network)
    assert seen.rates.shape == (simulator.n_neurons,)


def test_a_run_is_made_only_where_something_depends_on_it():
    calm, risky = excited(0.001), excited(40.0, tau_syn=0.5)
    run = (storm(calm, 20), 20)
    assert observe_if_needed(Quantize(), calm, run).rates is None
    assert observe_if_needed(Quantize(), risky, run).current_peak.shape == (2,)
    assert observe_if_needed(Quantize(headroom="none"), risky, run).rates is None
    assert observe_if_needed(Quantize(scaling="activity"), calm, run).rates.shape == (2,)


def test_options_that_lack_a_run_or_are_unknown_are_refused_all_at_once():
    network = excited()
    with pytest.raises(SpecError, match="options of quantize") as caught:
        Quantize(0, -1.0, headroom="plenty", margin=0.5)
    text = str(caught.value)
    for part in (
        "weight_bits: 0; allowed: >= 1",
        "input_range: -1.0; allowed: > 0",
        "margin: 0.5; allowed: >= 1",
        "headroom: 'plenty'; allowed: 'auto', 'worst_case'",
    ):
        assert part in text
    with pytest.raises(SpecError) as caught:
        quantize(network, Quantize(scaling="activity", headroom="measured"))
    text = str(caught.value)
    for part in (
        "scaling: 'activity'; allowed: with the rates of a run",
        "headroom: 'measured'; allowed: with the largest currents of a run",
    ):
        assert part in text
    wrong = Observed(np.zeros(5))
    with pytest.raises(SpecError, match=r"observed.rates: shape \(5,\); allowed: \(2,\)"):
        quantize(network, observed=wrong)


def test_a_spec_names_the_same_options():
    table = {"weight_bits": 5, "scaling": "percentile:99", "headroom": "none", "input_range": 2.0}
    step = Spec.parse({"quantize": table}).quantize_pass()
    assert (step.weight_bits, step.scaling, step.headroom) == (5, "percentile:99", "none")
    assert (step.input_range, step.margin) == (2.0, 2.0)
    plain = Spec().quantize_pass()
    assert replace(plain, stdp=Quantize().stdp) == Quantize()
    assert plain.stdp == replace(Quantize().stdp, seed=0)
    with pytest.raises(SpecError, match=r"quantize\.scaling: 'best'; allowed: activity, max, mse"):
        Spec.parse({"quantize": {"scaling": "best"}})
    with pytest.raises(SpecError, match="scaling: 'percentile:200'; allowed: percentile:P"):
        Spec.parse({"quantize": {"scaling": "percentile:200"}})


def test_the_record_has_the_options_but_no_run():
    network = excited()
    context = Context(observed=observe(network, storm(network, 20)))
    _, record = run_pass(network, Quantize(scaling="activity"), context)
    assert record.options["scaling"] == "activity"
    assert "observed" not in record.options
    json.dumps(record.to_dict())


def test_the_pipeline_takes_rates_for_traffic_and_for_errors():
    network, chip = excited(), HardwareProfile.load("loihi1")
    rates = {"rates": np.array([0.1, 0.2]), "input_rates": np.full(64, 0.05)}
    done = compile_network(network, chip, quantize=Quantize(5, scaling="activity"), **rates)
    record = next(r for r in done.records if r.name == "quantize")
    assert record.options["weight_bits"] == 5
    again = compile_network(network, chip, weight_bits=3, quantize=Quantize(5))
    assert again.network.projections[0].num_weight_bits == 3


def sizes(network, factor):
    """Thresholds, biases and weights `factor` times as large."""
    populations = tuple(
        p
        if p.is_input
        else replace(
            p,
            neuron=replace(
                p.neuron,
                v_threshold=p.parameter("v_threshold") * factor,
                bias=p.parameter("bias") * factor,
            ),
        )
        for p in network.populations
    )
    projections = tuple(replace(p, weights=p.weights * factor) for p in network.projections)
    return Network(network.dt, populations, projections)


@given(st.integers(-6, 6), st.integers(0, 2**31), st.sampled_from(["max", "mse", "percentile"]))
@settings(max_examples=30, deadline=None)
def test_the_unit_of_the_potential_does_not_matter(octaves, seed, scaling):
    """Thresholds, biases and weights go together: in another unit the integers are the same."""
    rng = np.random.default_rng(seed)
    neuron = LIF(rng.uniform(0.005, 0.05, 5), 0.01, rng.uniform(0.5, 2, 5), rng.uniform(-1, 1, 5))
    network = Network(
        1e-3,
        (Population("inp", 3, Input()), Population("a", 5, neuron)),
        (
            Projection("h", "inp", "a", rng.normal(size=(5, 3)), target="bias"),
            Projection("r", "a", "a", rng.gamma(1.0, 0.3, (5, 5))),
        ),
    )
    options = Quantize(scaling=scaling)
    one, other = (quantize(n, options)[0] for n in (network, sizes(network, 2.0**octaves)))
    for field in ("du", "dv", "vth", "bias_mant", "bias_exp"):
        np.testing.assert_array_equal(one.gather(field), other.gather(field))
    for a, b in zip(one.projections, other.projections, strict=True):
        assert (a.weight_exp, a.sign_mode) == (b.weight_exp, b.sign_mode)
        assert (a.weights != b.weights).nnz == 0


def part_of(projection: QuantizedProjection, keep, name):
    """The synapses of `projection` where `keep` (nnz,) is true, with all that fixes the grid."""
    coo = projection.weights.tocoo()
    weights = sparse.csr_matrix(
        (coo.data[keep], (coo.row[keep], coo.col[keep])), shape=coo.shape, dtype=np.int32
    )
    delays = None if projection.delays is None else projection.delay_steps[keep]
    return replace(projection, name=name, weights=weights, delays=delays)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 8),
    st.sampled_from(["max", "mse", "percentile:90", "activity"]),
    st.sampled_from([-1.0, 0.0, 1.0]),
    st.booleans(),
    st.booleans(),
)
def test_a_split_projection_behaves_as_the_whole(seed, bits, scaling, sign, delayed, by_rows):
    """Mode, bits and exponent are frozen before: any split by targets gives the same bits, and by
    any mask where the exponent is not negative, even if a part has one sign alone."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(12, 10)) * rng.choice([0.01, 0.3, 3.0])
    weights = np.abs(weights) * sign if sign else weights
    neuron = LIF(rng.uniform(0.005, 0.03, 12), 0.005, 0.8, rng.uniform(0, 1.2, 12))
    network = Network(
        1e-3,
        (Population("inp", 10, Input()), Population("a", 12, neuron)),
        (
            Projection(
                "p",
                "inp",
                "a",
                weights,
                delays=rng.integers(0, 5, 120) * 1e-3 if delayed else None,
            ),
        ),
    )
    seen = Observed(np.full(12, 0.1), np.full(10, 0.3))
    integer, _ = quantize(network, Quantize(bits, scaling=scaling), seen)
    whole = integer.projection("p")
    mask = rng.random(whole.n_synapses) < 0.5
    if by_rows or whole.weight_exp < 0:
        mask = (whole.weights.tocoo().row % 2).astype(bool)
    parts = (part_of(whole, mask, "p1"), part_of(whole, ~mask, "p2"))
    split = QuantizedNetwork(integer.populations, parts).verify()
    at, who = np.nonzero(rng.random((60, 10)) < 0.3)
    events = SpikeInput(at, who, 60, 10)
    one, two = (simulate(n, events, 60, "reference", ("u", "v")) for n in (integer, split))
    np.testing.assert_array_equal(one.spike_steps, two.spike_steps)
    np.testing.assert_array_equal(one.spike_neurons, two.spike_neurons)
    np.testing.assert_array_equal(one.u, two.u)
    np.testing.assert_array_equal(one.v, two.v)
