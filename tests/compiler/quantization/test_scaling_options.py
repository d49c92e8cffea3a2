"""Scaling options: what each one minimises, against brute force, formulas and a simulation."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava import registry
from hrsnn_lava.compiler.quantization.balance import with_coarse_rows_balanced
from hrsnn_lava.compiler.quantization.current_error import CurrentTerms, hopeful_sum
from hrsnn_lava.compiler.quantization.scaling.base import scaling
from hrsnn_lava.compiler.quantization.scaling.mse import squared_error
from hrsnn_lava.compiler.quantization.target import Synapses, Target, exponent_for, nearest
from hrsnn_lava.errors import SpecError
from hrsnn_lava.quantized import SignMode

NAMES = registry.names("scaling")


def target(weights, bits=8, rates=None, mode=SignMode.EXCITATORY, keep=0.95, threshold=1.0):
    """One projection with these weights."""
    weights = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    matrix = sparse.csr_matrix(weights)
    if rates is not None:
        rates = np.broadcast_to(np.asarray(rates, dtype=np.float64), weights.shape[1])
    synapses = Synapses("p", matrix, bits, mode, rates)
    n = weights.shape[0]
    return Target(np.full(n, keep), np.full(n, threshold), (synapses,)), synapses


def current_error(whole, synapses, scale, exponent, found):
    """Mean square error of every neuron's current, in thresholds squared."""
    return CurrentTerms.of(whole, synapses, scale, exponent, found).cost


def integers(option, made, bound=300.0):
    """Scale, exponent and integers of an option."""
    whole, synapses = made
    scale = option.scale(whole, bound)
    exponent = option.exponent(whole, synapses, scale)
    return scale, exponent, option.integers(whole, synapses, scale, exponent)


def test_the_folder_is_the_list():
    assert NAMES == ("activity", "max", "mse", "percentile")
    with pytest.raises(SpecError, match="'lucky'; allowed: activity, max, mse, percentile"):
        scaling("lucky")
    for text in ("max:3", "mse:1", "activity:2", "percentile:0", "percentile:x", "percentile:101"):
        with pytest.raises(SpecError, match=f"scaling: '{text}'; allowed"):
            scaling(text)
    assert scaling("percentile:99.5").percentile == 99.5


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.integers(1, 8),
    st.sampled_from(list(SignMode)),
    st.floats(0.01, 100.0),
    st.integers(0, 2**31),
)
def test_every_option_stays_on_its_grid_and_keeps_signs(name, bits, mode, size, seed):
    rng = np.random.default_rng(seed)
    weights = rng.gamma(0.7, size, (6, 9)) * (rng.random((6, 9)) < 0.7)
    sign = {"excitatory": 1, "inhibitory": -1, "mixed": rng.choice([-1, 1], (6, 9))}[mode.value]
    made = target(weights * sign, bits, rng.random(9) * 0.3, mode)
    scale, exponent, found = integers(scaling(name), made)
    synapses = made[1]
    assert 150.0 <= scale <= 300.0
    assert -7 <= exponent <= 7
    assert np.all(np.abs(found) <= synapses.top)
    assert np.all(found % synapses.grid == 0)
    assert np.all(found * synapses.weights.data >= 0)
    # what is not clipped is a neighbour on the grid
    exact = synapses.weights.data * scale / 2.0**exponent
    free = np.abs(exact) <= synapses.top
    assert np.all(np.abs(found - exact)[free] < synapses.grid)


def test_the_grid_of_a_mixed_sign_is_twice_as_coarse():
    assert target([[1.0]], 8)[1].grid == 1
    assert target([[1.0]], 8, mode=SignMode.MIXED)[1].grid == 2
    assert target([[1.0]], 4)[1].top == 240


@pytest.mark.parametrize(
    ("largest", "bits", "mode", "exponent"),
    [
        (255.4, 8, SignMode.EXCITATORY, 0),
        (255.6, 8, SignMode.EXCITATORY, 1),
        # a finer grid would floor the sum of every step
        (3.0, 8, SignMode.EXCITATORY, 0),
        # sums are multiples of the grid, 16 and 2: shifted by 4 and 1 bits they stay whole
        (42.0, 4, SignMode.INHIBITORY, -2),
        (3.0, 4, SignMode.EXCITATORY, -4),
        (3.0, 8, SignMode.MIXED, -1),
        (120.0, 4, SignMode.EXCITATORY, -1),
    ],
)
def test_the_least_exponent_floors_no_sum(largest, bits, mode, exponent):
    assert exponent_for(target([[1.0]], bits, mode=mode)[1], largest) == exponent


def test_counts_of_a_payload_leave_room_for_the_floor():
    graded = replace(target([[1.0]])[1], counts=64.0)
    assert exponent_for(graded, 3.0) == -6


def test_max_clips_nothing_and_percentile_only_what_is_silent():
    weights = np.linspace(0.5, 1.0, 100)
    weights[0] = 40.0
    rates = np.full(100, 0.1)
    made = target([weights], rates=rates)
    _, exponent, found = integers(scaling("max"), made, 200.0)
    assert (exponent, found.max()) == (5, 250)
    # clipping would take 38.7 of 114 from the mean current
    assert integers(scaling("percentile:99"), made, 200.0)[1] == 5
    rates[0] = 0.0
    _, finer, clipped = integers(scaling("percentile:99"), target([weights], rates=rates), 200.0)
    assert finer == 0
    assert np.count_nonzero(clipped == 255) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.floats(0.3, 30.0), st.integers(0, 2**31))
def test_mse_is_never_worse_than_max_and_best_of_its_exponents(bits, size, seed):
    weights = np.random.default_rng(seed).lognormal(0.0, 1.0, (4, 12)) * size
    made = target(weights, bits)
    whole, synapses = made
    scale, exponent, _ = integers(scaling("mse"), made)
    least = squared_error(whole, synapses, scale, exponent)
    plain_scale, plain, _ = integers(scaling("max"), made)
    assert least <= squared_error(whole, synapses, plain_scale, plain) + 1e-12
    lowest = max(exponent - 2, synapses.exact_exponents.start)
    for other in range(lowest, exponent_for(synapses, synapses.largest * scale) + 1):
        assert least <= squared_error(whole, synapses, scale, other) + 1e-12


def test_a_scale_that_meets_the_grid_is_found():
    # 300 w = 256: one more octave than 255 holds; a slightly smaller scale saves the octave
    made = target([[256.0 / 300.0, 0.8333, 0.4171, 0.2099]])
    scale, exponent, _ = integers(scaling("mse"), made)
    assert exponent == 0
    assert scale <= 300.0
    learns = Target(made[0].keep, made[0].threshold, made[0].synapses, free=False)
    assert scaling("mse").scale(learns, 300.0) == 300.0


def test_the_cost_of_activity_is_the_error_of_the_current():
    """Mean square error of a filtered current, from a long simulation of the sources."""
    rng = np.random.default_rng(3)
    rates, keep = rng.random(20) * 0.2, 0.9
    weights = rng.gamma(1.0, 1.0, (1, 20))
    whole, synapses = target(weights, 3, rates, keep=keep, threshold=2.0)
    scale, exponent = 300.0, 1
    rounded = nearest(synapses, synapses.weights.data * scale, exponent)
    error = (rounded * 2.0**exponent / scale - synapses.weights.data) / 2.0
    current, squares, steps = 0.0, 0.0, 100_000
    for spikes in rng.random((steps, 20)) < rates:
        current = keep * current + float(error[spikes].sum())
        squares += current**2
    terms = CurrentTerms.of(whole, synapses, scale, exponent, rounded)
    # the simulated current does not truncate its decay
    shift = terms.shift + rates.sum() * whole.truncation(scale) / 2.0**exponent
    expected = ((terms.mean_unit * shift) ** 2 + terms.variance_unit * terms.shake)[0]
    assert squares / steps == pytest.approx(expected, rel=0.05)


def test_sums_that_are_rounded_down_are_counted():
    """With a negative exponent the loss is that of the floor of random sums."""
    rng = np.random.default_rng(5)
    rates = np.full(30, 0.4)
    weights = rng.integers(1, 40, (1, 30)) / 8.0 / 300.0  # exact at exponent -3
    whole, synapses = target(weights, 8, rates, keep=0.0)
    rounded = nearest(synapses, synapses.weights.data * 300.0, -3)
    sums = (rng.random((20_000, 30)) < rates) @ rounded
    lost = np.floor(sums / 8.0) - sums / 8.0
    found = current_error(whole, synapses, 300.0, -3, rounded)[0] * 300.0**2
    assert found == pytest.approx(np.mean(lost**2), rel=0.05)


def test_balanced_rounding_keeps_the_mean_current():
    weights = np.full((1, 16), 0.25 * 64 / 300.0)  # a quarter of the grid of 2 bits: all round to 0
    whole, synapses = target(weights, 2, 0.1)
    option = scaling("activity")
    assert not nearest(synapses, synapses.weights.data * 300.0, 0).any()
    found = option.integers(whole, synapses, 300.0, 0)
    assert found.sum() == pytest.approx(16 * 0.25 * 64, abs=64)
    plain = current_error(whole, synapses, 300.0, 0, np.zeros(16))[0]
    assert current_error(whole, synapses, 300.0, 0, found)[0] < 0.2 * plain


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_balanced_rounding_is_near_the_best_there_is(seed):
    rng = np.random.default_rng(seed)
    weights = rng.random((1, 7)) * 200 / 300.0
    whole, synapses = target(weights, 3, 0.02 + 0.2 * rng.random(7), keep=0.9)
    found = scaling("activity").integers(whole, synapses, 300.0, 0)
    near = nearest(synapses, synapses.weights.data * 300.0, 0)
    exact = synapses.weights.data * 300.0
    lower = np.floor(exact / synapses.grid) * synapses.grid
    best = min(
        current_error(whole, synapses, 300.0, 0, lower + synapses.grid * np.array(ups))[0]
        for ups in itertools.product((0.0, 1.0), repeat=7)
        if np.all(lower + synapses.grid * np.array(ups) <= synapses.top)
    )
    ours = current_error(whole, synapses, 300.0, 0, found)[0]
    plain = current_error(whole, synapses, 300.0, 0, near)[0]
    assert best - 1e-15 <= ours <= plain + 1e-15


def test_silent_sources_are_rounded_to_the_nearest():
    weights = np.random.default_rng(0).random((3, 10))
    whole, synapses = target(weights, 4, np.zeros(10))
    exact = synapses.weights.data * 300.0
    found = scaling("activity").integers(whole, synapses, 300.0, 0)
    np.testing.assert_array_equal(found, nearest(synapses, exact, 0))


def test_without_a_run_all_sources_count_alike():
    whole, synapses = target([[1.0, 2.0]])
    same, known = target([[1.0, 2.0]], rates=0.05)
    assert scaling("activity").exponent(whole, synapses, 300.0) == 2
    one = CurrentTerms.of(whole, synapses, 300.0, 2)
    np.testing.assert_array_equal(one.cost, CurrentTerms.of(same, known, 300.0, 2).cost)


@pytest.mark.parametrize(("keep", "weight"), [(0.8187, 40), (0.99, 40), (0.998, 200), (0.0, 9)])
def test_the_charge_that_a_truncated_decay_takes(keep, weight):
    """A lone spike, in Lava's integers: u <- toward zero (u (4096 - (du + 1)) / 4096)."""
    kept = round(4096 * keep)
    u, charge = 64 * weight, 0
    while u:
        charge, u = charge + u, u * kept // 4096
    exact = 64 * weight / (1 - kept / 4096)
    # rates so low that no two spikes overlap
    whole, _ = target([[weight / 300.0]], rates=1e-9, keep=kept / 4096)
    loss = whole.truncation(300.0)[0] / weight
    assert loss == pytest.approx(1 - charge / exact, rel=0.15, abs=0.002)


def test_a_lone_spike_loses_the_remainder_of_its_weight():
    """115 >> 7 is 0: all of it; many together lose half a unit."""
    for rate, expected in ((1e-6, 1e-6 * 115), (0.5, 63.5)):
        whole, synapses = target([np.full(60, 115 / 128 / 300.0)], rates=rate, keep=0.0)
        terms = CurrentTerms.of(whole, synapses, 300.0, -7)
        lost = 60 * expected if rate < 0.1 else expected
        assert -terms.shift[0] == pytest.approx(lost, rel=0.01)


def test_rows_that_rounding_shifts_are_balanced_and_others_stay():
    weights = np.full((2, 400), 0.9 / 300.0)  # all would round to 1, 11 % too much
    weights[1] = 90.0 / 300.0
    whole, synapses = target(weights, keep=0.8)
    near = nearest(synapses, synapses.weights.data * 300.0, 0)
    found = with_coarse_rows_balanced(whole, synapses, 300.0, 0, near).reshape(2, 400)
    assert found[0].sum() == pytest.approx(360, abs=3)
    assert set(np.unique(found[0])) == {0.0, 1.0}
    np.testing.assert_array_equal(found[1], near.reshape(2, 400)[1])


def test_a_hopeless_neuron_counts_once():
    assert hopeful_sum(np.array([1e9, 0.0])) == pytest.approx(1.0)
    assert hopeful_sum(np.array([0.01, 0.01])) == pytest.approx(1.0)
