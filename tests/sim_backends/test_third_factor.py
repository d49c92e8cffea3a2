"""Three-factor rules by hand: which step counts, what arrives when, and how values are cut.

With ``dw = u0 * y2`` and a trace that does not decay, a weight moves by y2 in -128..127 at the end
of every epoch, whatever the spikes do; weights are -256..255 in mixed mode.
"""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SpikeInput,
    count,
)
from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, Trace
from hrsnn_lava.compiler.split import split_network
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.sim_backends.runs.inputs import part_of
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import Session, simulate
from hrsnn_lava.third_factor import RECEIVED_TAU, ThirdFactor

BACKENDS = ["reference", "native", pytest.param("lava", marks=pytest.mark.lava)]
STEADY = 1e18  # exp(-1 / tau) is 1
LOW, HIGH = -(2**31), 2**31 - 1


def rule(variable="y2", tau=STEADY, **options):
    traces = {variable: Trace(options.pop("impulse", 0.0), tau)}
    product = Product("u", 1, 0, (Factor(variable, options.pop("constant", 0)),))
    return LearningRule(dw=(product,), decimate_exponent=0, **traces, **options)


def taught(third, *factors, bias=(0, 0), **options):
    """Two neurons behind one that never fires, to which something else is sent as well."""
    neurons = QuantizedPopulation("post", 2, du=4095, dv=4096, vth=10, bias_mant=bias, bias_exp=0)
    learning = Learning((rule(**options),), plastic_zeros=True, third_factor=third)
    plastic = QuantizedProjection("plastic", "quiet", "post", zeros(2, 1), learning=learning)
    inputs = (QuantizedInput("quiet", 1), QuantizedInput("reward", 2, 1.0))
    return QuantizedNetwork((*inputs, neurons), (plastic, *factors)).verify()


def zeros(*shape):
    from scipy import sparse

    place = tuple(np.indices(shape).reshape(2, -1))
    return sparse.csr_matrix((np.zeros(shape[0] * shape[1], np.int32), place), shape=shape)


def rewards(first, second=None):
    """What is sent to the two neurons, by step; channel 0 is the quiet one."""
    rows = np.array([first, np.zeros_like(first) if second is None else second], dtype=np.int64)
    who, at = np.nonzero(rows)
    order = np.lexsort((who, at))
    return SpikeInput(at[order], who[order] + 1, rows.shape[1], 3, rows[who, at][order])


def by_step(network, inputs, backend):
    """Weights of the two synapses after every step, (steps, 2)."""
    with Session(network, backend=backend) as session:
        parts = [part_of(inputs, k, 1) for k in range(inputs.n_steps)]
        return np.array([session.run(part, 1).weights["plastic"] for part in parts])


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_sent_acts_in_its_own_step_and_is_cut_to_the_width_of_a_factor(backend):
    network = taught(ThirdFactor(y2="reward"))
    inputs = rewards([3, -200, 500, 0, LOW, HIGH], [0, 0, 0, -1, 0, 1])
    found = by_step(network, inputs, backend)
    assert found[:, 0].tolist() == [3, -125, 2, 2, -126, 1]
    assert found[:, 1].tolist() == [0, 0, 0, -1, -1, 0]
    last = simulate(network, inputs, 6, backend).traces["plastic/y2"]
    assert last.tolist() == [HIGH, 1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_constant_is_added_before_the_cut(backend):
    network = taught(ThirdFactor(y2="reward"), constant=-128)
    inputs = rewards([255, 254, 0, HIGH], [-1, 128, 130, LOW])
    steps = np.diff(by_step(network, inputs, backend), axis=0, prepend=0)
    assert steps[:, 0].tolist() == [127, 126, -128, 127]
    assert steps[:2, 1].tolist() == [-128, 0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_last_step_of_an_epoch_counts(backend):
    network = taught(ThirdFactor(y2="reward"), t_epoch=3)
    inputs = rewards([50, 60, 7, 0, 0, 0, 1, 2, 0])
    found = by_step(network, inputs, backend)[:, 0]
    assert found.tolist() == [0, 0, 7, 7, 7, 7, 7, 7, 7]


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_sent_by_nobody(backend):
    network = taught(ThirdFactor(y1="reward"))
    run = simulate(network, rewards([50, 60, 7]), 3, backend)
    assert run.weights["plastic"].tolist() == [0, 0]
    assert run.traces["plastic/y2"].tolist() == [0, 0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_spike_cuts_what_arrived_to_a_trace_and_adds_the_impulse(backend):
    """The first neuron fires in every step, the second never."""
    network = taught(ThirdFactor(y2="reward"), bias=(4000, 0), impulse=5)
    inputs = rewards([-100, 10, 4000], [-100, 10, 100])
    found = by_step(network, inputs, backend)
    assert np.diff(found[:, 0], prepend=0).tolist() == [0, 15, 127]
    assert np.diff(found[:, 1], prepend=0).tolist() == [-100, 10, 100]


@pytest.mark.parametrize("backend", BACKENDS)
def test_spikes_that_do_not_come_back_cut_nothing(backend):
    network = taught(ThirdFactor(y2="reward", y0=False), bias=(4000, 0), impulse=5)
    inputs = rewards([-100, 10, 4000])
    found = by_step(network, inputs, backend)
    assert np.diff(found[:, 0], prepend=0).tolist() == [-100, 10, 127]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_weighed_factor_arrives_a_step_later_and_later_by_its_delays(backend):
    """1 and 2 units of a payload of 10, the second neuron's two steps later."""
    weights, delays = np.array([[2, 0], [0, 4]]), np.array([0, 2])
    options = {"delays": delays, "weight_exp": -1, "num_message_bits": 8, "target": "factor"}
    factor = QuantizedProjection("weigh", "reward", "post", weights, **options)
    network = taught(ThirdFactor(y2="weigh"), factor)
    inputs = rewards([10, 0, 0, 0, 0], [10, 0, 0, -1, 0])
    found = by_step(network, inputs, backend)
    assert found[:, 0].tolist() == [0, 10, 10, 10, 10]
    assert found[:, 1].tolist() == [0, 0, 0, 20, 20]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_weighed_factor_wraps_at_32_bits_before_it_is_shifted_down(backend):
    """254 (2^31 - 1) = 127 2^32 - 254 is -254, and -254 >> 7 = -2."""
    weights, delays = np.array([[254, 0], [0, 254]]), np.array([0, 1])
    for delayed in (None, delays):
        options = {"delays": delayed, "weight_exp": -7, "num_message_bits": 32}
        factor = QuantizedProjection("weigh", "reward", "post", weights, target="factor", **options)
        network = taught(ThirdFactor(y2="weigh"), factor)
        found = by_step(network, rewards([HIGH, 0, 0, 0], [0, HIGH, 0, 0]), backend)
        assert found[:, 0].tolist() == [0, -2, -2, -2]
        assert found[:, 1].tolist() == [0, 0, -2, -2] if delayed is None else [0, 0, 0, -2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_neurons_send_their_spikes_in_the_same_step(backend):
    network = taught(ThirdFactor(y2="post"), bias=(700, 0))
    run = simulate(network, None, 8, backend, ("v",))
    spikes = np.zeros(8, int)
    spikes[run.spike_steps[run.spike_neurons == 0]] = 1
    assert spikes.sum() > 2
    assert (
        by_step(network, rewards(np.zeros(8)), backend)[:, 0].tolist() == spikes.cumsum().tolist()
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_large_values_decay_as_floats(backend):
    """floor(v exp(-1 / 2)) of -1000 and 1000, plus one where the random number is small."""
    network = taught(ThirdFactor(y2="reward"), tau=0.05)
    run = simulate(network, rewards([HIGH], [LOW]), 1, backend)
    kept = HIGH * np.exp(-1 / 0.05)
    assert run.weights["plastic"][0] in (np.floor(kept), np.ceil(kept))
    assert run.weights["plastic"][1] in (np.floor(-kept), np.ceil(-kept))
    assert 2 < kept < 127


def test_two_factors_keep_their_narrow_traces_beside_one_with_three():
    """The other projection onto the same neurons does what it does alone."""
    third = taught(ThirdFactor(y2="reward"), bias=(900, 500))
    pair = LearningRule(
        dw=(Product("x0", 2, 0, (Factor("y1"),)), Product("y0", 1, 0, (Factor("x1"),))),
        x1=Trace(20, 8),
        y1=Trace(30.5, 5),
        rng_seed=3,
    )
    weights = np.array([[20], [-30]])
    plain = QuantizedProjection("pair", "quiet", "post", weights, learning=pair)
    alone = QuantizedNetwork(third.populations, (plain,))
    both = QuantizedNetwork(third.populations, (*third.projections, plain))
    rng = np.random.default_rng(1)
    at = np.flatnonzero(rng.random(40) < 0.4)
    inputs = SpikeInput(at, np.zeros(at.size, int), 40, 3)
    expected = simulate(alone, inputs, 40, "reference")
    for backend in ("reference", "native"):
        run = simulate(both, inputs, 40, backend)
        np.testing.assert_array_equal(run.weights["pair"], expected.weights["pair"])
        np.testing.assert_array_equal(run.traces["pair/y1"], expected.traces["pair/y1"])
    assert np.any(expected.weights["pair"] != weights.ravel())


def test_twins_and_resets_share_no_third_factor():
    network = taught(ThirdFactor(y2="reward"))
    inputs = rewards([3, 4])
    for backend in ("reference", "native"):
        with Session(network, backend=backend) as session:
            first = session.run(inputs, 2)
            session.reset()
            assert session.run(None, 0).traces["plastic/y2"].tolist() == [0, 0]
            again = session.run(inputs, 2)
        assert compare(first, again, ("first", "again"), network) == (0, None)


def test_a_weighed_factor_counts_no_operation_and_reaches_no_current():
    factor = QuantizedProjection(
        "weigh", "reward", "post", np.full((2, 2), 100), target="factor", num_message_bits=8
    )
    network = taught(ThirdFactor(y2="weigh"), factor)
    inputs = rewards([9, 9, 9])
    run = simulate(network, inputs, 3, "native", ("v", "u"))
    assert not np.any(run.v)
    assert not np.any(run.u)
    counts = count(network, inputs, 3)
    assert (counts.ops.total, counts.ops.macs, counts.ops.issued) == (0, 0, 0)
    assert counts.ops.dense == 2 * 3  # of the one that learns
    assert counts.done.learning_updates == 2 * 3


def test_what_has_no_place_for_it_says_so():
    network = taught(ThirdFactor(y2="reward"))
    with pytest.raises(SpecError, match="a three-factor rule is not cut into parts"):
        split_network(network, [0, 1])
    assert split_network(network, [0, 0]).network.projections[0].learning.third_factor is not None
    from hrsnn_lava import compile as compile_network

    with pytest.raises(CapacityError) as caught:
        compile_network(network, "loihi2")
    found = [v.where for v in caught.value.violations if v.rule == "third_factor"]
    assert found == ["projection 'plastic'"]
    from hrsnn_lava.compiler.passes.lower_stock import lower_stock

    with pytest.raises(CapacityError, match="third factor: projection 'plastic'"):
        lower_stock(network)


def test_the_time_constant_of_lava():
    assert np.iinfo(np.uint16).max == RECEIVED_TAU
