"""Projections that learn, through quantization: bounds, exponents, units, and the record."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from stdp_networks import DT, gamma_rule, recurrent

from hrsnn_lava.compiler.learning.lowering import LowerSTDP
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.compiler.pipeline import run_pass
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.plasticity import STDP


def one_projection(rule, weights, sign=None, threshold=1.0, delays=None, target="synapse"):
    """An input onto neurons through synapses with this rule."""
    weights = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    return Network(
        DT,
        (
            Population("inp", weights.shape[1], Input(), sign),
            Population("a", weights.shape[0], LIF(0.020, v_threshold=threshold)),
        ),
        (Projection("p", "inp", "a", weights, delays, rule, target),),
    )


@pytest.mark.parametrize("w_max", [0.05, 0.3, 1.7])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_bound_becomes_the_largest_weight_of_the_chip(w_max, sign):
    rule = STDP(0.01 * w_max, 0.01 * w_max, w_max=w_max)
    integer, report = quantize(one_projection(rule, [[sign * 0.5 * w_max]]))
    projection = integer.projection("p")
    scale = report["populations"]["a"]["scale"]
    assert 255 * 2.0**projection.weight_exp / scale == pytest.approx(w_max, rel=1e-9)
    assert report["projections"]["p"]["w_max"]["error_max"] < 1e-9
    assert abs(projection.weights.data[0]) in (127, 128)
    assert projection.sign_mode.value == ("excitatory" if sign > 0 else "inhibitory")


def test_amplitudes_are_in_the_unit_of_the_integer_weights():
    rule = STDP(0.004, 0.002, w_max=0.4)
    integer, _ = quantize(one_projection(rule, [[0.1, 0.2]]))
    (lowered,) = integer.projection("p").learning.rules
    down, up = lowered.dw
    rise = up.mantissa * 2.0**up.exponent * lowered.x1.impulse
    fall = -down.mantissa * 2.0**down.exponent * lowered.y1.impulse
    assert (rise, fall) == pytest.approx((0.004 / 0.4 * 255, 0.002 / 0.4 * 255), rel=0.03)


def test_several_profiles_keep_the_exponent_from_being_negative():
    rng = np.random.default_rng(0)
    for het in (False, True):
        rule = gamma_rule(rng, 20, 1e-5, w_max=1e-3) if het else STDP(1e-5, 1e-5, w_max=1e-3)
        network = one_projection(rule, np.full((4, 5), 5e-4), threshold=10.0)
        projection = quantize(network)[0].projection("p")
        assert (projection.weight_exp >= 0) is het
        assert (len(projection.learning.rules) > 1) is het


def test_a_weight_that_rounds_to_zero_lives_on():
    rule = STDP(0.01, 0.01, w_max=1.0)
    integer, report = quantize(one_projection(rule, [[0.5, 1e-5]]))
    assert integer.projection("p").weights.data.tolist() == [128, 1]
    assert report["projections"]["p"]["lifted"] == 1


def test_without_a_bound_there_is_room_to_double():
    _, report = quantize(one_projection(STDP(0.01, 0.01), [[0.5, 0.2]]))
    assert report["projections"]["p"]["w_max"]["on_chip"] == pytest.approx(1.0)
    assert report["projections"]["p"]["w_max"]["error_max"] is None


def test_bounds_of_their_own_are_reported_as_lost():
    rule = STDP(0.01, 0.01, w_max=np.array([0.5, 1.0]))
    _, report = quantize(one_projection(rule, [[0.5, 0.2]]))
    assert report["projections"]["p"]["w_max"]["error_max"] == pytest.approx(1.0)


def test_what_the_chip_cannot_learn_is_refused_all_at_once():
    rule = STDP(0.01, 0.01)
    network = one_projection(rule, [[0.5, -0.2]], delays=0.002)
    with pytest.raises(SpecError) as caught:
        quantize(network)
    text = str(caught.value)
    assert "projection 'p'.plasticity: with delays; allowed: no delays" in text
    assert "weights of both signs; allowed: one sign. Split the projection by sign" in text
    with pytest.raises(SpecError, match="with target bias; allowed: synapses only"):
        quantize(one_projection(rule, [[0.5]], target="bias"))


def test_the_pass_record_holds_profiles_and_errors():
    network = recurrent(0, het=True)
    integer, record = run_pass(network, Quantize(stdp=LowerSTDP(max_profiles=4)))
    assert record.options["stdp"]["max_profiles"] == 4
    entry = json.loads(json.dumps(record.report))["projections"]["exc_exc"]["learning"]
    assert entry["profiles"] == 4
    assert set(entry["errors"]["tau_plus"]) == {"mean", "max"}
    assert integer.projection("exc_inh").learning is None
    seeds = [p.learning.rules[0].rng_seed for p in integer.projections if p.learning]
    assert len(set(np.add.outer(seeds, range(4)).ravel())) == 4 * len(seeds)


def test_a_network_without_rules_is_quantized_as_ever():
    network = recurrent(0)
    for projection in network.projections:
        network = network.with_projection(replace(projection, plasticity=None))
    _, report = quantize(network)
    assert report["populations"]["exc"]["scale_limited_by"] == "vth"
    assert all("learning" not in entry for entry in report["projections"].values())
