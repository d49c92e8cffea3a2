"""Spike features against the recursion, written out step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.readout import FeatureOptions, SpikeFeatures, record_features
from hrsnn_lava.training.simulation import Stimulus


@settings(max_examples=30, deadline=None)
@given(
    taus=st.lists(st.floats(0.5, 200.0), min_size=1, max_size=3),
    steps=st.integers(1, 25),
    blocks=st.integers(1, 6),
    rate=st.floats(0.0, 1.0),
    seed=st.integers(0, 1000),
)
def test_blocks_equal_the_recursion(
    taus: list[float], steps: int, blocks: int, rate: float, seed: int
) -> None:
    """z(t) = exp(-1/tau) z(t-1) + s(t), step by step."""
    n = 7
    spikes = np.random.default_rng(seed).random((blocks, steps, n)) < rate
    features = SpikeFeatures(
        n, steps, FeatureOptions(tuple(tau / steps for tau in taus), squared=(0,))
    )
    traces = np.zeros((len(taus), n))
    for block in spikes:
        for row in block:
            traces = traces * np.exp(-1.0 / np.array(taus))[:, None] + row
        when, who = np.nonzero(block)
        got = features.update(when.astype(np.int32), who.astype(np.int32))
        expected = np.concatenate([traces.ravel(), traces[0] ** 2])
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    assert features.n_features == n * (len(taus) + 1)


def test_a_regular_train_settles_at_the_geometric_sum() -> None:
    """A spike in the last of S steps, block after block: z -> 1 / (1 - lambda^S)."""
    features = SpikeFeatures(1, 20, FeatureOptions((3.0,), squared=()))
    for _ in range(200):
        value = features.update(np.array([19], dtype=np.int32), np.array([0], dtype=np.int32))
    assert value[0] == pytest.approx(1.0 / (1.0 - np.exp(-20 / 60)), rel=1e-12)


def test_reset_forgets() -> None:
    features = SpikeFeatures(2, 5, FeatureOptions())
    none = np.array([], dtype=np.int32)
    features.update(np.array([0], dtype=np.int32), np.array([1], dtype=np.int32))
    features.reset()
    np.testing.assert_array_equal(features.update(none, none), 0.0)


def test_record_starts_afresh_and_counts(reservoir: Any) -> None:
    inputs = np.random.default_rng(0).normal(size=(6, 3))
    one, two = (
        record_features(reservoir, Stimulus(inputs, 20), FeatureOptions(), np.random.default_rng(4))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.features, two.features)
    assert one.features.shape == (6, 300)
    reservoir.reset(np.random.default_rng(4))
    neurons = np.concatenate([reservoir.run(value, 20)[1] for value in inputs])
    np.testing.assert_array_equal(one.spike_counts, np.bincount(neurons, minlength=100))


def test_options_name_the_fault() -> None:
    with pytest.raises(SpecError, match=r"trace_samples: \(\)"):
        FeatureOptions(trace_samples=(), squared=())
    with pytest.raises(SpecError, match=r"squared: \(2,\); allowed: indices 0 to 1"):
        FeatureOptions(squared=(2,))
