"""Paired statistics against SciPy, brute force and hand computations."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.intervals import bootstrap_interval, equivalence_p, wilcoxon_p
from hrsnn_lava.metrics.paired import holm, plus_minus

RNG = np.random.default_rng(8)
FIRST, SECOND = RNG.normal(0.62, 0.05, 14), RNG.normal(0.60, 0.05, 14)


def test_it_is_the_paired_t_test_of_scipy():
    made = hl.paired_difference(FIRST, SECOND)
    truth = stats.ttest_rel(FIRST, SECOND)
    assert made.p_t == pytest.approx(truth.pvalue)
    interval = truth.confidence_interval(0.95)
    assert made.interval == pytest.approx((interval.low, interval.high))
    assert made.standard_error == pytest.approx(stats.sem(FIRST - SECOND))
    assert made.mean == pytest.approx((FIRST - SECOND).mean())
    assert made.pairs == 14


def test_ranks_and_signs_are_those_of_scipy():
    made = hl.paired_difference(FIRST, SECOND)
    assert made.p_wilcoxon == pytest.approx(stats.wilcoxon(FIRST, SECOND).pvalue)
    above = int((FIRST > SECOND).sum())
    assert (made.above, made.below, made.equal) == (above, 14 - above, 0)
    assert made.p_sign == pytest.approx(stats.binomtest(above, 14).pvalue)


@settings(max_examples=40)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_signed_ranks_are_exact_with_ties_and_zeros(whole):
    d = np.array(whole) / 10.0
    kept = d[d != 0]
    if not len(kept):
        assert wilcoxon_p(d) is None
        return
    ranks = stats.rankdata(np.abs(np.array(whole)[d != 0]))
    centre = ranks.sum() / 2
    observed = abs(ranks[kept > 0].sum() - centre)
    sums = [ranks[np.array(signs)].sum() for signs in product([False, True], repeat=len(kept))]
    truth = np.mean([abs(s - centre) >= observed - 1e-9 for s in sums])
    assert wilcoxon_p(d) == pytest.approx(truth)


def test_differences_that_tie_but_for_rounding_tie():
    d = np.array([0.85 - 0.80, 0.75 - 0.70, 0.30 - 0.35, 0.10 - 0.20])
    assert len(set(np.abs(d))) == 4
    made = hl.paired_difference([0.85, 0.75, 0.30, 0.10], [0.80, 0.70, 0.35, 0.20])
    assert made.differences.tolist() == [0.05, 0.05, -0.05, -0.1]
    assert made.p_wilcoxon == wilcoxon_p(np.array([1.0, 1.0, -1.0, -2.0]))


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e100])
def test_a_shift_is_one_whatever_rounding_makes_of_it(scale):
    first = np.array([0.81, 0.79, 0.84, 0.30])
    made = hl.paired_difference(scale * first, scale * (first - 0.1))
    assert made.mean == pytest.approx(0.1 * scale)
    if scale == 1.0:
        assert (made.standard_error, made.interval) == (0.0, (0.1, 0.1))
        assert str(made) == "+.100 +- .000 (4 pairs, 95 % CI +.100 to +.100)"


def test_ranks_of_many_pairs_are_as_exact_ones():
    d = RNG.normal(0.05, 1.0, 700)
    truth = stats.wilcoxon(d).pvalue
    assert wilcoxon_p(d) == pytest.approx(truth)
    exact = stats.wilcoxon(d[:100], method="exact").pvalue
    assert wilcoxon_p(d[:100]) == pytest.approx(exact, rel=1e-9)


def test_the_bootstrap_is_that_of_scipy():
    skewed = RNG.exponential(size=20)
    made = bootstrap_interval(skewed, 0.9, 20_000, 3)
    truth = stats.bootstrap(
        (skewed,), np.mean, confidence_level=0.9, n_resamples=20_000, method="BCa"
    ).confidence_interval
    assert made == pytest.approx((truth.low, truth.high), abs=0.03)
    # longer on the long side, where Student's t is symmetric
    assert made[1] - skewed.mean() > 1.1 * (skewed.mean() - made[0])


def test_the_bootstrap_is_the_seed_s():
    made = [hl.paired_difference(FIRST, SECOND, seed=s).bootstrap for s in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert made[0] == pytest.approx(made[2], abs=0.003)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(14)))
def test_the_order_of_pairs_does_not_matter(order):
    made = hl.paired_difference(FIRST[order], SECOND[order], margin=0.1, resamples=200)
    truth = hl.paired_difference(FIRST, SECOND, margin=0.1, resamples=200)
    assert made.bootstrap == truth.bootstrap
    assert made.p_wilcoxon == truth.p_wilcoxon
    assert (made.mean, made.p_t, made.p_equivalence) == pytest.approx(
        (truth.mean, truth.p_t, truth.p_equivalence)
    )


def test_swapping_the_arms_swaps_the_signs():
    made, back = hl.paired_difference(FIRST, SECOND), hl.paired_difference(SECOND, FIRST)
    assert back.mean == pytest.approx(-made.mean)
    assert back.interval == pytest.approx((-made.interval[1], -made.interval[0]))
    assert (back.above, back.below) == (made.below, made.above)
    assert (back.p_t, back.p_wilcoxon, back.p_sign) == pytest.approx(
        (made.p_t, made.p_wilcoxon, made.p_sign)
    )


def test_equivalence_is_two_one_sided_tests():
    d = FIRST - SECOND
    for margin in (0.01, 0.05, 0.2):
        made = hl.paired_difference(FIRST, SECOND, margin=margin)
        below = stats.ttest_1samp(d, -margin, alternative="greater").pvalue
        above = stats.ttest_1samp(d, margin, alternative="less").pvalue
        assert made.p_equivalence == pytest.approx(max(below, above))
        # equivalent at 5 % where the interval of 90 % is within the margin
        low, high = hl.paired_difference(FIRST, SECOND, confidence=0.9).interval
        assert made.equivalent == (-margin < low and high < margin)
    assert hl.paired_difference(FIRST, SECOND).equivalent is None
    assert (equivalence_p(0.1, 0.0, 3, 0.2), equivalence_p(0.3, 0.0, 3, 0.2)) == (0.0, 1.0)


def test_pairs_are_those_of_a_seed():
    first, second = {1: 0.5, 2: 0.7, 3: 0.6}, {3: 0.5, 1: 0.4, 2: 0.5}
    made = hl.paired_difference(first, second, ("het", "hom"))
    assert made.differences.tolist() == pytest.approx([0.1, 0.2, 0.1])
    assert str(made) == "+.133 +- .033 (3 pairs, 95 % CI -.010 to +.277)"


def test_one_pair_and_equal_arms_say_what_they_can():
    single = hl.paired_difference([0.5], [0.25])
    assert (single.interval, single.p_t, single.standard_error) == (None, None, None)
    assert (single.p_wilcoxon, single.p_sign) == (1.0, 1.0)
    assert str(single) == "+.250 (1 pair)"
    same = hl.paired_difference([0.5, 0.6], [0.5, 0.6], margin=0.01)
    assert (same.mean, same.interval, same.bootstrap) == (0.0, (0.0, 0.0), (0.0, 0.0))
    assert (same.p_t, same.p_wilcoxon, same.p_sign) == (None, None, None)
    assert same.equivalent
    assert str(same) == "+.000 +- .000 (2 pairs, 95 % CI +.000 to +.000)"
    shifted = hl.paired_difference([1.0, 2.0], [0.5, 1.5])
    assert (shifted.p_t, shifted.interval) == (0.0, (0.5, 0.5))


@pytest.mark.parametrize(
    ("mean", "error", "text"),
    [
        (0.021, 0.004, "+.021 +- .004"),
        (0.178, 0.012, "+.178 +- .012"),
        (-0.0231, 0.0019, "-.0231 +- .0019"),
        (1.07, 0.06, "+1.07 +- .06"),
        (-6.9, 0.5, "-6.9 +- .5"),
        (120.4, 43.0, "+120 +- 43"),
        (0.5, 0.0, "+.500 +- .000"),
        (0.25, None, "+.250"),
        (0.0, None, "+.000"),
        (1234.5, None, "+1234"),
    ],
)
def test_a_number_and_its_error(mean, error, text):
    assert plus_minus(mean, error)[0] == text


def test_plain_values_for_json():
    made = hl.paired_difference(FIRST, SECOND, ("a", "b"), margin=0.1)
    facts = json.loads(json.dumps(made.describe(), allow_nan=False))
    assert (facts["arm"], facts["reference"], facts["pairs"]) == ("a", "b", 14)
    assert facts["interval"] == list(made.interval)
    assert facts["equivalent"] is bool(made.equivalent)
    single = hl.paired_difference([0.5], [0.25]).describe()
    assert json.loads(json.dumps(single, allow_nan=False))["interval"] is None


def test_holm_is_the_step_down_of_the_paper():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()
    assert holm([0.6, 0.9]) == (1.0, 1.0)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_holm_is_between_nothing_and_bonferroni(p_values, random):
    corrected = holm(p_values)
    for before, after in zip(p_values, corrected, strict=True):
        assert before <= after <= min(1.0, len(p_values) * before) or after == before
    order = list(range(len(p_values)))
    random.shuffle(order)
    assert holm([p_values[k] for k in order]) == tuple(corrected[k] for k in order)


def test_several_arms_against_one():
    arms = {"het": FIRST, "hom": SECOND, "none": SECOND - 0.2 + RNG.normal(0, 0.01, 14)}
    made = hl.compare_arms(arms, "hom")
    assert [row.names for row in made.rows] == [("het", "hom"), ("none", "hom")]
    assert made.p_holm == pytest.approx(holm([row.p_t for row in made.rows]))
    assert made["none"].mean == pytest.approx((arms["none"] - SECOND).mean())
    first, second, third = str(made).splitlines()
    assert first == "minus hom:"
    assert second.startswith("het   +")
    assert "0 of 14 above, p " in third
    facts = json.loads(json.dumps(made.describe(), allow_nan=False))
    assert facts["comparisons"][1]["p_holm"] == made.p_holm[1]
    by_rank = hl.compare_arms(arms, "hom", test="wilcoxon")
    assert by_rank.p_holm == pytest.approx(holm([row.p_wilcoxon for row in made.rows]))
    with pytest.raises(SpecError, match="arm: 'net'; allowed: het, none"):
        made["net"]


def test_an_arm_without_a_p_value_is_not_counted():
    made = hl.compare_arms({"a": [1.0, 2.0], "same": [1.0, 2.0], "b": [1.5, 2.7]}, "a")
    assert made.p_holm[0] is None
    assert made.p_holm[1] == made["b"].p_t


@pytest.mark.parametrize(
    ("arm", "reference", "told"),
    [
        ({1: 0.5, 2: 0.5}, {1: 0.5, 3: 0.5}, "seeds of one alone: 2, 3"),
        ({1: 0.5, 7: None}, {1: 0.5, 7: 0.4}, "arm: no number at seed 7"),
        ([0.5, np.nan], [0.5, 0.5], "arm: no number at pair 1"),
        ([0.5], [0.5, 0.5], "1 and 2 values; allowed: pairs"),
        ({1: 0.5}, [0.5], "one by seed, one not"),
        ([], [], r"shape \(0,\)"),
        ({}, {}, r"shape \(0,\)"),
        (["a"], ["b"], "arm: text"),
        ([[0.5]], [[0.5]], r"shape \(1, 1\)"),
        (None, [0.5], "arm: None"),
    ],
)
def test_what_are_no_pairs_is_refused(arm, reference, told):
    with pytest.raises(SpecError, match=told):
        hl.paired_difference(arm, reference)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"confidence": 1.0}, "0 < confidence < 1"),
        ({"confidence": 95}, "confidence: 95"),
        ({"margin": 0.0}, "margin: 0.0; allowed: > 0"),
        ({"test": "z"}, "test: 'z'; allowed: 't', 'wilcoxon' or 'sign'"),
        ({"margins": 1.0}, "margins: unknown key"),
    ],
)
def test_wrong_options_are_refused(options, told):
    with pytest.raises(SpecError, match=told):
        hl.paired_difference([1.0, 2.0], [0.0, 1.0], **options)


def test_wrong_arms_are_refused():
    with pytest.raises(SpecError, match="arms: a, b; allowed: two arms or more, the reference"):
        hl.compare_arms({"a": [1.0], "b": [2.0]}, "c")
    with pytest.raises(SpecError, match="names: 3; allowed: two"):
        hl.paired_difference([1.0], [2.0], ("a", "b", "c"))
    with pytest.raises(SpecError, match="names: str; allowed: names"):
        hl.paired_difference([1.0], [2.0], "ab")
    with pytest.raises(SpecError, match="reference: list; allowed: a str"):
        hl.compare_arms({"a": [1.0], "b": [2.0]}, ["a"])
    with pytest.raises(SpecError, match="two arms or more"):
        hl.compare_arms({"a": [1.0]}, "a")
    with pytest.raises(SpecError, match="probabilities"):
        holm([0.2, 1.2])
