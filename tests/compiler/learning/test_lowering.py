"""Float STDP to profiles, literals and tags: exactness, limits, errors reported."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdp_networks import gamma_rule

from hrsnn_lava.compiler.learning.lowering import Lowering, LowerSTDP, lower_stdp
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.plasticity import STDP

DT = 1e-3


def lower(rule, n, unit=1.0, sign=1, **options):
    step = LowerSTDP(**options)
    lowering = Lowering(step, step.limit(None), DT, unit, sign, rng_seed=step.seed or 0)
    return lower_stdp(rule, n, lowering, np.random.default_rng(0))


def holding(trace_profiles):
    """A chip whose cores hold so many settings of presynaptic traces."""
    raw = HardwareProfile.load("loihi1").to_dict()
    raw["core"]["trace_profiles"]["value"] = trace_profiles
    return HardwareProfile.from_dict(raw)


def test_a_uniform_rule_is_one_profile_of_literals():
    learning, report = lower(STDP(0.5, 0.525, 0.020, 0.030), 10)
    (rule,) = learning.rules
    assert report["profiles"] == 1
    assert report["amplitudes"] == "profiles"
    assert (rule.x1.tau, rule.y1.tau) == pytest.approx((20.0, 30.0))
    depression, potentiation = rule.dw
    up = potentiation.mantissa * 2.0**potentiation.exponent * rule.x1.impulse
    down = -depression.mantissa * 2.0**depression.exponent * rule.y1.impulse
    assert (up, down) == pytest.approx((0.5, 0.525), rel=0.02)
    assert potentiation.dependency == "y0"
    assert str(potentiation.factors[0]) == "x1"
    assert depression.dependency == "x0"
    assert str(depression.factors[0]) == "y1"
    assert report["errors"]["a_plus"]["max"] == pytest.approx(abs(up / 0.5 - 1))


def test_the_unit_turns_float_weights_into_integer_ones():
    fine, coarse = (lower(STDP(0.01, 0.01), 4, unit=u)[0].rules[0] for u in (200.0, 25.0))
    ratio = [r.dw[1].mantissa * 2.0 ** r.dw[1].exponent * r.x1.impulse for r in (fine, coarse)]
    assert ratio[0] == pytest.approx(2.0, rel=0.03)
    assert ratio[1] == pytest.approx(0.25, rel=0.03)


def test_inhibitory_synapses_get_the_opposite_signs():
    learning, report = lower(STDP(0.5, 0.5), 10, sign=-1)
    assert learning.rules[0].dw[0].mantissa > 0 > learning.rules[0].dw[1].mantissa
    assert abs(report["trains"]["bias"]) < 2.0


def test_two_kinds_of_synapses_are_two_exact_profiles():
    tau = np.array([0.010, 0.040, 0.010, 0.040])
    learning, report = lower(STDP(1.0, 1.0, tau, 0.020), 4)
    assert report["profiles"] == 2
    assert report["synapses_per_profile"] == [2, 2]
    assert report["errors"]["tau_plus"]["max"] < 1e-12
    assert [learning.rules[k].x1.tau for k in learning.profile] == pytest.approx([10, 40, 10, 40])


def test_heterogeneous_amplitudes_live_in_the_tags():
    n = 3000
    rule = gamma_rule(np.random.default_rng(0), n, 2.0)
    learning, report = lower(rule, n)
    assert report["amplitudes"] == "tags"
    assert report["profiles"] == report["max_profiles"] == 8
    assert report["errors"]["area_plus"]["mean"] < 0.02
    assert report["errors"]["area_minus"]["mean"] < 0.02
    assert report["trains"]["correlation"] > 0.97
    assert report["alternatives"]["profiles"] > 2 * report["alternatives"]["tags"]
    assert np.corrcoef(learning.tag_1, rule.a_plus)[0, 1] > 0.5
    assert str(learning.rules[0].dw[1].factors[1]) == "t"
    assert str(learning.rules[0].dw[0].factors[1]) == "d"


def test_more_profiles_bring_the_expected_kernel_nearer():
    n = 2000
    rule = gamma_rule(np.random.default_rng(1), n, 2.0)
    errors = [lower(rule, n, max_profiles=k)[1]["pair_error"]["mean"] for k in (1, 4, 16)]
    assert errors[0] > 1.4 * errors[1] > 1.4 * errors[2]


def test_profiles_end_at_the_tolerance():
    n = 500
    tau = 0.020 * np.random.default_rng(2).lognormal(0, 0.1, n)
    _, report = lower(STDP(1.0, 1.0, tau, 0.020), n, max_error=0.03, max_profiles=20)
    assert 1 < report["profiles"] <= 4
    assert report["errors"]["tau_plus"]["mean"] <= 0.031


def test_the_peak_can_be_kept_instead_of_the_area():
    n = 500
    rule = gamma_rule(np.random.default_rng(3), n, 2.0)
    errors = {
        match: lower(rule, n, match=match, amplitudes="tags", max_profiles=2)[1]["errors"]
        for match in ("area", "peak")
    }
    assert errors["peak"]["a_plus"]["mean"] < 0.03 < 0.2 < errors["area"]["a_plus"]["mean"]
    assert errors["area"]["area_plus"]["mean"] < 0.03 < 0.2 < errors["peak"]["area_plus"]["mean"]


@given(
    st.integers(1, 30),
    st.floats(1e-4, 100.0),
    st.floats(0.002, 0.1),
    st.sampled_from([1, -1]),
    st.sampled_from(["auto", "tags", "profiles"]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=25)
def test_every_rule_is_one_that_the_chip_can_hold(n, amplitude, tau, sign, mode, seed):
    rule = gamma_rule(np.random.default_rng(seed), n, amplitude, tau, shape=1.0)
    learning, report = lower(rule, n, sign=sign, amplitudes=mode, max_profiles=3)
    assert list(learning.problems("p", n)) == []
    assert len(learning.rules) <= 3
    assert json.loads(json.dumps(report)) == report
    assert sum(report["synapses_per_profile"]) == n


def test_an_epoch_is_that_of_every_rule():
    learning, report = lower(gamma_rule(np.random.default_rng(6), 50, 2.0), 50, t_epoch=4)
    assert {rule.t_epoch for rule in learning.rules} == {4}
    assert report["trains"]["steps"] == 400
    assert lower(STDP(0.0, 0.0), 0, t_epoch=4)[0].t_epoch == 4


def test_projections_share_what_the_chip_holds():
    step = LowerSTDP()
    assert [step.limit(holding(7), n) for n in (1, 2, 3, 7, 8)] == [7, 3, 2, 1, 1]
    assert step.limit(holding(40), 2) == step.limit(None) == 8
    assert LowerSTDP(max_profiles=5).limit(holding(3), 2) == 5
    assert step.limit(holding(3)) == 3


def test_nothing_to_learn_is_still_a_rule():
    for rule, n in ((STDP(0.0, 0.0), 3), (STDP(0.1, 0.1), 0)):
        learning, report = lower(rule, n)
        assert list(learning.problems("p", n)) == []
        assert report["profiles"] == 1
        assert all(product.mantissa == 0 for product in learning.rules[0].dw)


def test_equal_input_gives_equal_rules():
    rule = gamma_rule(np.random.default_rng(4), 100, 1.0)
    first, second = (lower(rule, 100)[0] for _ in range(2))
    assert first.rules == second.rules
    np.testing.assert_array_equal(first.tag_1, second.tag_1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_profiles": 0}, "max_profiles: 0; allowed: >= 1"),
        ({"amplitudes": "both"}, "amplitudes: 'both'; allowed: 'auto', 'tags' or 'profiles'"),
        ({"headroom": 0.5}, "headroom: 0.5; allowed: >= 1"),
        ({"headroom": 16.5}, "headroom: 16.5; allowed: <= 16"),
        ({"match": "mean"}, "match: 'mean'; allowed: 'area' or 'peak'"),
        ({"t_epoch": 64}, "t_epoch: 64; allowed: <= 63"),
        ({"t_epoch": 0}, "t_epoch: 0; allowed: >= 1"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(SpecError, match=message):
        LowerSTDP(**options)
