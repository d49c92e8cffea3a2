"""Head-room: bounds that runs reach and never exceed, wraps counted, saturation seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava import QuantizedInput, QuantizedNetwork, QuantizedPopulation, QuantizedProjection
from hrsnn_lava.compiler.analysis.headroom import LIMIT, measured, worst_case
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput, Trace


def driven(weights, steps=400, period=1, du=99, dv=400, exp=0, delays=None, vth=131071, **fields):
    """Inputs that all send every `period` steps onto neurons; the network and its run."""
    weights = np.atleast_2d(np.asarray(weights))
    n_post, n_pre = weights.shape
    network = QuantizedNetwork(
        (QuantizedInput("inp", n_pre), QuantizedPopulation("a", n_post, du, dv, vth, **fields)),
        (QuantizedProjection("p", "inp", "a", weights, exp, delays=delays),),
    ).verify()
    at = np.repeat(np.arange(0, steps, period), n_pre)
    who = np.tile(np.arange(n_pre), at.size // n_pre)
    events = SpikeInput(at, who, steps, n_pre)
    return network, simulate(network, events, steps, "reference", ("u", "v"))


def test_the_bound_is_the_geometric_sum_and_a_run_reaches_it():
    network, trace = driven([[200, 54]], du=99, vth=131071, dv=4095)
    found = worst_case(network, "a")
    assert found["u_worst_case"] == pytest.approx(64 * 254 * 4096 / 100 / LIMIT)
    assert not found["u_may_wrap"]
    seen = measured(network, trace, "a")
    # decays round toward zero, by less than one unit a step
    assert seen["u_peak"] == pytest.approx(found["u_worst_case"], rel=1e-3)
    assert seen["u_peak"] <= found["u_worst_case"]
    assert seen["wraps"] == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-128, 127).map(lambda w: 2 * w), min_size=1, max_size=4),
    st.integers(1, 4000),
    st.integers(-3, 2),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_no_run_exceeds_the_bounds(weights, du, exp, late, seed):
    delays = np.random.default_rng(seed).integers(0, 4, (1, len(weights))) if late else None
    delays = None if delays is None else delays[0][np.asarray(weights) != 0]
    network, trace = driven([weights], 80, 1, du, 300, exp, delays)
    found, seen = worst_case(network, "a"), measured(network, trace, "a")
    if not found["u_may_wrap"]:
        assert seen["u_peak"] <= found["u_worst_case"]
        assert seen["wraps"] == 0
        if not found["v_may_saturate"]:
            assert seen["v_low"] <= found["v_worst_case"]
            assert seen["v_saturated"] == 0.0


def test_a_refractory_source_sends_less_often():
    weights = np.array([[100]])
    for r, gain in ((0, 1 / (1 - 0.75)), (2, 1 / (1 - 0.75**3))):
        network = QuantizedNetwork(
            (
                QuantizedPopulation("a", 1, 4095, 0, 10, refractory=r),
                QuantizedPopulation("b", 1, 1023, 0, 100),
            ),
            (QuantizedProjection("p", "a", "b", weights),),
        )
        assert worst_case(network, "b")["u_worst_case"] == pytest.approx(64 * 100 * gain / LIMIT)


@pytest.mark.parametrize(("weight", "may"), [(252, False), (254, False), (258, True)])
def test_wraps_are_foreseen_and_counted(weight, may):
    # 64 w 4096 / (du + 1) is 2^23 at w = 256
    network, trace = driven([[128, weight - 128]], 8000, du=7, dv=4095)
    found, seen = worst_case(network, "a"), measured(network, trace, "a")
    assert found["u_may_wrap"] is may
    assert (seen["wraps"] > 0) is may
    assert seen["wraps"] == trace.wraps.sum()
    # where the run counted none, they are told from u
    assert measured(network, replace(trace, wraps=None), "a")["wraps"] == seen["wraps"]


def test_an_inhibited_neuron_that_meets_the_end_is_seen():
    network, trace = driven([[-254, -254], [-2, 0]], 300, du=999, dv=20)
    found, seen = worst_case(network, "a"), measured(network, trace, "a")
    assert found["v_may_saturate"]
    assert seen["v_low"] == pytest.approx(1.0)
    assert seen["v_saturated_neurons"] == 1
    assert 0 < seen["v_saturated"] < 0.5
    assert seen["v_saturated"] == np.mean(trace.v <= 1 - LIMIT)


def test_the_upper_end_never_matters():
    # the largest threshold lies below it: saturated there is a spike in the same step
    assert LIMIT - 1 > (131071 << 6)
    network, trace = driven([[254, 254]], 50, du=60, dv=0, vth=131071)
    assert trace.n_spikes
    assert trace.v.max() <= 131071 << 6
    assert not worst_case(network, "a")["v_may_saturate"]


def test_biases_pull_the_potential_down_too():
    network, _ = driven([[2]], dv=1, bias_mant=-3000, bias_exp=2)
    assert worst_case(network, "a")["v_worst_case"] == pytest.approx(3000 * 4 * 4096 / LIMIT)


def test_payloads_have_the_bound_that_is_stated():
    network = QuantizedNetwork(
        (QuantizedInput("inp", 1, 64.0), QuantizedPopulation("a", 1, 4095, 4095, 10)),
        (QuantizedProjection("p", "inp", "a", np.array([[10]]), num_message_bits=24),),
    )
    assert worst_case(network, "a")["bounded"] is False
    found = worst_case(network, "a", input_range=3.0)
    assert found["bounded"]
    assert found["u_worst_case"] == pytest.approx(64 * 10 * 3 * 64 / LIMIT)


def test_a_current_that_stays_for_ever_has_no_bound():
    network, _ = driven([[2]], 5, du=-1, dv=0)
    found = worst_case(network, "a")
    assert found["u_worst_case"] is None
    assert found["u_may_wrap"]


def test_a_trace_without_states_measures_nothing():
    network, _ = driven([[2]], 5)
    assert measured(network, Trace(np.zeros(0), np.zeros(0), 5, 1), "a") is None
