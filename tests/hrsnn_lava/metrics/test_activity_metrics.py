"""Activity, correlation and spike efficiency against hand computations and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.activity import (
    active_neurons,
    average_activation,
    mean_correlation,
    spike_efficiency,
)

count_tables = arrays.arrays(np.int64, (7, 5), elements=st.integers(0, 9))


def test_activation_by_hand():
    raster = np.array([[1, 0, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0]])
    assert average_activation(raster) == 5 / 4
    assert average_activation(raster.astype(bool)) == 5 / 4
    assert average_activation(raster.sum(axis=0)) == 5 / 4
    assert average_activation([0, 0]) == 0.0


def test_active_neurons_by_hand():
    raster = np.array([[1, 0, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0]])
    made = active_neurons(raster)
    assert (made.count, made.n_neurons, made.value) == (3, 4, 0.75)
    assert active_neurons(raster, least=2).count == 1
    assert str(made) == "3 of 4 neurons active (75.0 %)"
    assert made.to_dict()["share"] == 0.75


@settings(max_examples=25)
@given(count_tables, st.permutations(range(5)), st.permutations(range(7)))
def test_order_does_not_matter(counts, neurons, windows):
    mixed = counts[windows][:, neurons]
    assert average_activation(mixed) == average_activation(counts)
    assert active_neurons(mixed) == active_neurons(counts)
    assert mean_correlation(mixed) == pytest.approx(mean_correlation(counts), abs=1e-12)


@settings(max_examples=25)
@given(count_tables)
def test_correlation_is_the_mean_over_pairs(counts):
    varying = counts[:, counts.min(axis=0) < counts.max(axis=0)]
    made = mean_correlation(counts)
    if varying.shape[1] < 2:
        assert made is None
    else:
        table = np.corrcoef(varying.T)
        truth = table[np.triu_indices(len(table), 1)].mean()
        assert made == pytest.approx(truth, abs=1e-12)
        assert -1.0 / (len(table) - 1) - 1e-12 <= made <= 1.0 + 1e-12


def test_correlation_of_a_common_drive():
    # counts a + b_i with variances s and 1: correlation s / (s + 1) of every pair
    rng = np.random.default_rng(3)
    common = rng.poisson(4.0, (20_000, 1))
    made = mean_correlation(common + rng.poisson(12.0, (20_000, 30)))
    assert made == pytest.approx(0.25, abs=0.01)


def test_efficiency_is_what_is_told_by_a_spike():
    assert spike_efficiency(12.0, [2, 4, 6]) == 3.0  # eq. 10
    assert spike_efficiency(0.9, 4.5) == pytest.approx(0.2)
    assert spike_efficiency(0.2, [2, 2], of="error") == pytest.approx(2.5)


@settings(max_examples=25)
@given(st.floats(0.1, 10.0), st.floats(0.1, 10.0), st.floats(1.0, 5.0))
def test_equal_quality_at_more_spikes_is_less_efficient(quality, spikes, factor):
    once = spike_efficiency(quality, spikes)
    assert spike_efficiency(quality, spikes * factor) == pytest.approx(once / factor)
    assert spike_efficiency(1.0 / quality, spikes, "error") == pytest.approx(once)


def test_a_silent_network_has_no_efficiency():
    assert spike_efficiency(3.0, [0, 0, 0]) is None
    assert spike_efficiency(3.0, [0] * 100 + [1]) is None  # below one neuron in a hundred
    assert spike_efficiency(3.0, [0] * 98 + [1]) == pytest.approx(3.0 * 99)
    assert spike_efficiency(3.0, [0, 0, 0], floor=0.0) is None
    assert spike_efficiency(3.0, 0.5, floor=1.0) is None
    assert spike_efficiency(0.0, [1.0], of="error") is None
    assert spike_efficiency(0.0, [1.0]) == 0.0


def test_the_quality_may_be_a_result():
    from hrsnn_lava.metrics.classification import confusion

    assert spike_efficiency(confusion([0, 1], [0, 0]), [5.0]) == pytest.approx(0.1)


@pytest.mark.parametrize("call", [average_activation, active_neurons])
@pytest.mark.parametrize(
    ("spikes", "told"),
    [
        ([], "not empty"),
        ([-1, 2], "spikes: -1; allowed: >= 0 spikes"),
        ([np.nan, 1.0], "1 values that are not finite"),
        ("spikes", "text"),
    ],
)
def test_what_are_no_spikes_is_refused(call, spikes, told):
    with pytest.raises(SpecError, match=told):
        call(spikes)


def test_wrong_options_of_functions_are_refused():
    with pytest.raises(SpecError, match="least: 0"):
        active_neurons([1], 0)
    with pytest.raises(SpecError, match="least: 'two'"):
        active_neurons([1], "two")
    with pytest.raises(SpecError, match="of: 'loss'; allowed: score, error"):
        spike_efficiency(1.0, 1.0, "loss")
    with pytest.raises(SpecError, match=r"quality: -1; allowed: an error >= 0"):
        spike_efficiency(-1.0, 1.0, "error")
    with pytest.raises(SpecError, match="floor: -1"):
        spike_efficiency(1.0, 1.0, floor=-1)
