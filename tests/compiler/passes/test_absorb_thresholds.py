"""Thresholds in weights: what is kept, what rounding costs, who is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.chip_learning import Factor, LearningRule, Product, Trace
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.palettes.snapping import parameters_of, snap_network
from hrsnn_lava.compiler.passes.absorb_thresholds import AbsorbThresholds
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.compiler.quantization.absorption import _scaled, absorb, plan_thresholds
from hrsnn_lava.compiler.quantization.input_scaling import expected_change, largest_gains
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput

LOIHI = HardwareProfile.load("loihi1")


def network(n=60, seed=0, *, held=False, learning=None, delays=False, bits=8):
    """Neurons with thresholds and leaks of their own, inputs and recurrence."""
    rng = np.random.default_rng(seed)
    exc = QuantizedPopulation(
        "exc",
        n,
        199,
        rng.integers(200, 900, n),
        rng.integers(300, 3000, n),
        rng.integers(5, 60, n),
        6,
    )
    inp = QuantizedInput("inp", 8, 64.0 if held else None)
    rows = sparse.random(n, 8, 0.8, random_state=seed, data_rvs=lambda k: rng.integers(20, 120, k))
    inner = sparse.random(n, n, 0.3, random_state=seed, data_rvs=lambda k: rng.integers(1, 40, k))
    inner = sparse.csr_matrix(inner.astype(int))
    inhibition = sparse.random(
        n, n, 0.1, random_state=seed + 1, data_rvs=lambda k: -rng.integers(4, 90, k)
    ).astype(int)
    steps = rng.integers(0, 5, inner.nnz) if delays else None
    return QuantizedNetwork(
        (inp, exc),
        (
            QuantizedProjection(
                "inp_exc",
                "inp",
                "exc",
                rows.astype(int),
                target="bias" if held else "synapse",
                weight_exp=-3 if held else 0,
                sign_mode="excitatory",
            ),
            QuantizedProjection(
                "e",
                "exc",
                "exc",
                inner,
                sign_mode="excitatory",
                delays=steps,
                learning=learning,
                num_weight_bits=bits,
            ),
            QuantizedProjection("i", "exc", "exc", inhibition, 1, "inhibitory"),
        ),
    ).verify()


def plan(net, profile=LOIHI, options=None):
    """Which thresholds go into weights, where no run was made."""
    return plan_thresholds(net, profile, options or AbsorbThresholds(), Observed())


def through(net):
    """Plan, palette on one core, scaling."""
    planned = plan(net)
    one_core = np.zeros(net.n_neurons, np.int32)
    snapped, _ = snap_network(planned.network, one_core, LOIHI, free_thresholds=planned.absorbed)
    return planned, *absorb(planned, snapped, one_core)


def test_in_floats_every_spike_stays() -> None:
    """v / v_threshold is what counts: gains of 2^k change no bit, others no spike."""
    rng = np.random.default_rng(4)
    lif = LIF(
        rng.uniform(5e-3, 30e-3, 30), 10e-3, rng.uniform(0.6, 1.4, 30), rng.uniform(0, 1.5, 30)
    )
    weights = sparse.csr_matrix(rng.normal(0, 0.3, (30, 30)))
    inputs = sparse.csr_matrix(rng.uniform(-1, 1, (30, 2)))

    def made(gain):
        scale = sparse.diags(gain)
        neuron = replace(lif, v_threshold=lif.v_threshold * gain, bias=lif.bias * gain)
        return Network(
            1e-3,
            (Population("inp", 2, Input()), Population("exc", 30, neuron)),
            (
                Projection("inp_exc", "inp", "exc", scale @ inputs, target="bias"),
                Projection("exc_exc", "exc", "exc", scale @ weights),
            ),
        )

    def spikes(gain):
        at, who = FloatSimulator(made(gain)).run(np.array([0.7, -0.4]), 150)
        return at.tolist(), who.tolist()

    plain = spikes(np.ones(30))
    assert len(plain[0]) > 50
    assert spikes(2.0 ** rng.integers(-2, 3, 30)) == plain
    assert spikes(rng.uniform(0.5, 2.0, 30)) == plain


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    held=st.booleans(),
    delays=st.booleans(),
    bits=st.sampled_from([4, 8]),
)
def test_tables_hold_and_nothing_leaves_its_range(seed, held, delays, bits) -> None:
    net = network(50, seed, held=held, delays=delays, bits=bits)
    planned, done, error, report = through(net)
    done.verify()
    new = parameters_of(done)
    assert np.unique(new[:, 3]).size <= 7
    assert np.unique(new[:, :3], axis=0).shape[0] <= 31
    absorbed = report["absorbed"]
    assert absorbed + report["kept"] <= planned.absorbed.sum()
    assert done.n_synapses == net.n_synapses - report["zeroed"]
    for projection in done.projections:  # same sign, same format
        before = net.projection(projection.name)
        assert (projection.weight_exp, projection.sign_mode) == (
            before.weight_exp,
            before.sign_mode,
        )
        was = before.weights[projection.weights.nonzero()]
        assert (np.sign(was) == np.sign(projection.weights.data)).all()
    before = parameters_of(net)
    gain = new[:, 3] * new[:, 1] / (before[:, 3] * before[:, 1])
    moved = planned.absorbed & (error == 0)
    assert (gain[moved] <= largest_gains(net, 4.0)[moved] * (1 + 1e-12)).all()


def test_absorbed_rows_are_their_gain_times_the_old_ones() -> None:
    net = network(60, 1)
    _, done, error, report = through(net)
    old, new = parameters_of(net), parameters_of(done)
    gain = new[:, 3] * new[:, 1] / (old[:, 3] * old[:, 1])
    rows = net.projection("inp_exc").weights.toarray() * gain[:, None]
    found = done.projection("inp_exc").weights.toarray()
    moved = (error == 0) & (gain != 1)
    assert moved.sum() == report["absorbed"] > 50
    assert np.abs(found - rows)[moved].max() <= 1.0
    assert np.abs((found - rows).sum(axis=1))[moved].max() <= 0.5 + 1e-9
    bias = done.gather("bias_mant") - net.gather("bias_mant") * gain
    assert np.abs(bias[moved]).max() <= 0.5
    assert report["thresholds_before"] > 50
    assert report["thresholds_planned"] <= 7 + report["left"]["dear"] + report["left"]["no_room"]


def test_the_measure_is_the_difference_of_the_current() -> None:
    """Filtered Bernoulli spikes through old and new weights, against the formula."""
    net = network(40, 2)
    rng = np.random.default_rng(3)
    rates = np.concatenate([np.zeros(40), rng.uniform(0.02, 0.3, 8)])
    gain = rng.uniform(0.7, 1.3, 40)
    fires = gain * net.gather("vth") * net.gather("dv") / 4096
    trial = _scaled(net, gain, np.ones(40, bool), rates, fires)
    steps = 40_000
    spikes = rng.random((steps, 8)) < rates[40:]
    weights = net.projection("inp_exc").weights.toarray()
    new = trial.network.projection("inp_exc").weights.toarray()
    arriving = spikes @ (new - gain[:, None] * weights).T
    keep, current = 1 - 200 / 4096, np.zeros(40)
    bias = (trial.network.gather("bias_mant") - gain * net.gather("bias_mant")) * 2.0**6 / 64
    squares, counted = np.zeros(40), 0
    for t in range(steps):
        current = keep * current + arriving[t]
        if t > 500:
            squares += (current + bias) ** 2
            counted += 1
    assert trial.change == pytest.approx(np.sqrt(squares / counted) / fires, rel=0.1)


def test_the_expected_change_is_the_mean_of_the_measured_one() -> None:
    net = network(300, 2)
    rates = np.full(308, 0.1)
    gain = np.random.default_rng(3).uniform(0.7, 1.3, 300)
    one = np.ones(300)
    found = _scaled(net, gain, one.astype(bool), rates, one).change
    expected = expected_change(net, rates)
    assert np.sqrt((found**2).mean()) == pytest.approx(np.sqrt((expected**2).mean()), rel=0.2)


def test_neurons_that_learn_are_left_alone() -> None:
    rule = LearningRule(dw=(Product("y0", 1, -2, (Factor("x1"),)),), x1=Trace(16.0, 10.0))
    net = network(60, 0, learning=rule)
    assert plan(net) is None  # every neuron has a synapse that learns
    matrix = net.projection("e").weights.tolil()
    matrix[20:] = 0
    some = net.with_projection(replace(net.projection("e"), weights=matrix.tocsr()))
    planned, done, _, report = through(some)
    assert not planned.absorbed[:20].any()
    assert planned.absorbed[20:].sum() > 30
    assert report["left"]["plastic"] == 20
    before, after = some.projection("e"), done.projection("e")
    assert (before.weights != after.weights).nnz == 0
    before, after = some.projection("i").weights[:20], done.projection("i").weights[:20]
    assert (before != after).nnz == 0


def test_nothing_to_do() -> None:
    net = network(30)
    assert plan(net, HardwareProfile.load("loihi2")) is None
    assert plan(net, LOIHI, AbsorbThresholds(enabled=False)) is None
    few = replace(net.population("exc"), vth=np.arange(30) % 7 * 100 + 300)
    assert plan(net.with_population(few)) is None


def test_no_room_above_the_largest_weight() -> None:
    """A row at 255 cannot be scaled up, so its neuron gets a threshold below its own."""
    net = network(60, 5)
    weights = net.projection("e").weights.tolil()
    weights[:30, 0] = 255
    net = net.with_projection(replace(net.projection("e"), weights=weights.tocsr()))
    assert (largest_gains(net, 4.0)[:30] == 1.0).all()
    planned = plan(net)
    assert (planned.network.gather("vth")[:30] <= net.gather("vth")[:30]).all()


def test_room_of_current_and_bias() -> None:
    population = QuantizedPopulation("p", 2, 99, 400, 500, [1000, 0], 7)
    weights = sparse.csr_matrix(np.full((2, 20), 100))
    net = QuantizedNetwork(
        (QuantizedInput("inp", 20), population),
        (QuantizedProjection("w", "inp", "p", weights, sign_mode="excitatory"),),
    )
    # weights: 255 / 100; bias: 4095 / 1000; u: 2^23 / (64 * 2000 * 40.96) = 1.6
    assert largest_gains(net, 4.0) == pytest.approx([1.6, 1.6], rel=1e-3)
    few = sparse.csr_matrix(np.repeat([[100, 0]], [10, 10], axis=1).repeat(2, axis=0))
    half = net.with_projection(replace(net.projection("w"), weights=few))
    # half the worst case leaves the weights as the bound: 255 / 100
    assert largest_gains(half, 4.0) == pytest.approx([2.55, 2.55])


def test_the_program_is_the_same_on_all_backends() -> None:
    net = network(80, 6, held=False, delays=True)
    compiled = compile_network(net, LOIHI)
    names = [record.name for record in compiled.records]
    assert names == ["partition", "palette", "absorb_thresholds", "place"]
    report = compiled.records[1].report
    assert report["threshold"]["median"] == 0.0
    rng = np.random.default_rng(8)
    at = np.argwhere(rng.random((120, 8)) < 0.2)
    inputs = SpikeInput(at[:, 0], at[:, 1], 120, 8)
    probes = ("spikes", "v", "u")
    native = simulate(compiled, inputs, 120, "native", probes)
    truth = simulate(compiled, inputs, 120, "reference", probes)
    assert native.spike_steps.size > 100
    assert np.array_equal(native.spike_neurons, truth.spike_neurons)
    assert np.array_equal(native.v, truth.v)
    assert np.array_equal(native.u, truth.u)
    again = compile_network(net, LOIHI)
    assert again.network_digest == compiled.network_digest
    tables = compile_network(net, LOIHI, absorb=AbsorbThresholds(enabled=False))
    assert tables.records[1].report["threshold"]["median"] > 0.001

    def rates(program):
        trace = simulate(program, inputs, 120, "native", ("spikes",))
        return np.bincount(trace.spike_neurons, minlength=80)

    exact = rates(net)
    assert np.abs(rates(compiled) - exact).sum() < np.abs(rates(tables) - exact).sum()


def test_options_out_of_range() -> None:
    with pytest.raises(SpecError, match="typical_rate") as caught:
        AbsorbThresholds(typical_rate=2.0, tolerance=0.0)
    assert [p.where for p in caught.value.problems] == ["typical_rate", "tolerance"]
    assert AbsorbThresholds().settled(Context(input_range=4.0)).input_range == 4.0
