"""What a bundle does around the program, against what the package does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava.csr import drives, rows_of
from hrsnn_lava.deploy.bundle.host import (
    BlockTraces,
    Drive,
    Events,
    answers,
    first_difference,
    held_events,
    read_answers,
    sample_features,
)
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.quantized import drive_schedule, in_counts, unit_counts
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training import sample_features as features
from hrsnn_lava.training.readout import FeatureOptions, Readout, SpikeFeatures
from hrsnn_lava.training.readouts.base import Layers
from hrsnn_lava.training.ridge import LinearMap


def events_of(inputs):
    lists = (inputs.steps, inputs.neurons, inputs.payloads)
    return Events.of(inputs.n_steps, inputs.n_neurons, *lists)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([-31, -5, 0, 7]), st.integers(1, 60))
def test_held_inputs_write_the_same_biases(seed, exponent, steps):
    rng = np.random.default_rng(seed)
    pops = [
        hl.QuantizedPopulation(n, 4, 10, 10, 100, rng.integers(-4096, 4096, 4)) for n in ("a", "b")
    ]
    spread = int(rng.choice([5, 2**20]))
    projections = [
        hl.QuantizedProjection(
            f"{pre}_{post}",
            pre,
            post,
            rng.integers(-spread, spread, (4, 3)),
            exponent,
            target="bias",
        )
        for pre, post in (("i", "a"), ("j", "a"), ("j", "b"))
    ]
    inputs = [hl.QuantizedInput(name, 3, 100.0) for name in ("i", "j")]
    network = hl.QuantizedNetwork((*inputs, *pops), tuple(projections)).verify()
    at, who = np.nonzero(rng.random((50, 6)) < 0.1)
    sent = SpikeInput(at, who, 50, 6, rng.integers(-(2**20), 2**20, at.size))
    change, rows = drive_schedule(network, sent, steps)
    parts = [
        Drive(
            rows_of(p.weights) + neurons.start,
            p.weights.indices + channels.start,
            p.weights.data.astype(np.int64),
            p.weight_exp,
        )
        for p, channels, neurons in drives(network)
    ]
    found = Drive.mantissas(parts, network.gather("bias_mant"), events_of(sent), steps)
    np.testing.assert_array_equal(found[0], change)
    np.testing.assert_array_equal(found[1], rows)


def test_plain_spikes_get_the_payload_of_their_scale():
    inputs = (hl.QuantizedInput("v", 2, 64.4), hl.QuantizedInput("s", 1))
    network = hl.QuantizedNetwork((*inputs, hl.QuantizedPopulation("p", 1, 0, 0, 1)))
    plain = SpikeInput([0, 0, 3], [0, 2, 1], 5, 3)
    counted = events_of(plain).in_counts(unit_counts(network))
    np.testing.assert_array_equal(counted.values, in_counts(network, plain).payloads)
    with pytest.raises(SpecError, match="channel 0"):
        events_of(plain).in_counts(np.array([0, 1, 1]))


def test_held_values_are_the_events_of_a_held_input():
    values = np.array([[0.1, -2.0], [0.26, 4.0]])
    found = held_events(values, 5, 64.0)
    wanted = SpikeInput.held(np.rint(values * 64.0), 5)
    np.testing.assert_array_equal(found.steps, wanted.steps)
    np.testing.assert_array_equal(found.values, wanted.payloads)
    assert (found.n_steps, found.n_channels) == (10, 2)
    for wrong in ([1.0], [[np.nan]]):
        with pytest.raises(SpecError):
            held_events(wrong, 5, 64.0)


def test_events_are_sorted_and_checked(tmp_path):
    found = Events.of(9, 3, [5, 1, 5], [2, 0, 1], [7, 8, 9])
    assert found.steps.tolist() == [1, 5, 5]
    assert found.channels.tolist() == [0, 1, 2]
    assert found.values.tolist() == [8, 9, 7]
    for lists in (
        ([9], [0]),
        ([-1], [0]),
        ([0], [3]),
        ([0, 0], [1, 1]),
        ([0.5], [1]),
        ([0], [1, 2]),
        ([0], [1], [2**40]),
        ([[0]], [[1]]),
    ):
        with pytest.raises(ArtifactError):
            Events.of(9, 3, *map(np.array, lists))
    path = tmp_path / "events.npz"
    SpikeInput([1], [2], 9, 3, [4]).save(path)
    assert Events.load(path).values.tolist() == [4]
    np.savez(path, steps=[1])
    with pytest.raises(ArtifactError, match="no input"):
        Events.load(path)
    np.savez(path, steps=np.array([{}], dtype=object))
    with pytest.raises(ArtifactError, match="pickle"):
        Events.load(path)
    with pytest.raises(ArtifactError, match="no such file"):
        Events.load(tmp_path / "nowhere.npz")


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_features_are_those_of_the_training(seed, steps):
    rng = np.random.default_rng(seed)
    options = FeatureOptions((3.0, 1.5, 0.2), (0, 2))
    mine = BlockTraces(6, steps, options.trace_samples, options.squared)
    theirs = SpikeFeatures(6, steps, options)
    for _ in range(3):
        at, who = np.nonzero(rng.random((steps, 6)) < 0.3)
        spikes = at.astype(np.int32), who.astype(np.int32)
        np.testing.assert_allclose(mine.update(*spikes), theirs.update(*spikes), rtol=1e-12)
        wanted = features.sample_features(
            spikes, steps, 6, features.SampleFeatures(trace_steps=(50.0, 2.0))
        )
        found = sample_features(at, who, steps, 6, (50.0, 2.0))
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert mine.n_features == theirs.n_features
    counts = sample_features(at, who, steps, 6, (), "counts")
    assert counts.tolist() == np.bincount(who, minlength=6).tolist()


def test_answers_are_those_of_every_kind_of_readout():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((5, 8))
    decoder = LinearMap(rng.standard_normal((8, 3)), rng.standard_normal(3))
    quadratic = Readout(
        rng.standard_normal((8, 3)), rng.standard_normal(3), 1.0, decoder, rng.random((6, 3))
    )
    np.testing.assert_allclose(answers(quadratic.arrays(), x), quadratic.predict(x), rtol=1e-12)
    layers = Layers(
        [rng.standard_normal((4, 7)), rng.standard_normal((7, 2))],
        [rng.standard_normal(7), rng.standard_normal(2)],
        1.0,
        features=np.array([1, 3, 4, 6]),
    )
    np.testing.assert_allclose(answers(layers.arrays(), x), layers.answers(x), rtol=1e-12)


def test_a_run_is_read_block_by_block_or_as_one_sample():
    rng = np.random.default_rng(4)
    at, who = (a.astype(np.int32) for a in np.nonzero(rng.random((23, 4)) < 0.4))
    trace = {"spike_steps": at, "spike_neurons": who, "n_steps": 23, "n_neurons": 4}
    arrays = {"weights": rng.standard_normal((8, 2)), "offset": np.zeros(2)}
    blocks = {"kind": "blocks", "steps": 10, "trace_samples": [1.0], "squared": [0]}
    found = read_answers({"features": blocks}, arrays, trace)
    theirs = SpikeFeatures(4, 10, FeatureOptions((1.0,), (0,)))
    for k in range(2):  # three steps at the end are no block
        inside = (at >= 10 * k) & (at < 10 * k + 10)
        wanted = theirs.update(at[inside] - 10 * k, who[inside])
        np.testing.assert_allclose(found[k], wanted @ arrays["weights"])
    assert found.shape == (2, 2)
    sample = {"kind": "sample", "first": "rates", "trace_steps": [5.0]}
    whole = read_answers({"features": sample}, arrays, trace)
    np.testing.assert_allclose(whole[0], sample_features(at, who, 23, 4, [5.0]) @ arrays["weights"])
    with pytest.raises(SpecError, match="which features"):
        read_answers({"features": None}, arrays, trace)


@settings(max_examples=60)
@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 4))), st.integers(0, 200))
def test_the_first_difference_is_the_first(spikes, pick):
    rows = sorted(spikes)
    as_lists = [list(column) for column in zip(*rows, strict=True)] or [[], []]
    assert first_difference(as_lists, as_lists, 5) is None
    if not rows:
        return
    gone = rows[pick % len(rows)]
    fewer = [list(c) for c in zip(*(r for r in rows if r != gone), strict=True)] or [[], []]
    assert first_difference(as_lists, fewer, 5) == (*gone, True)
    assert first_difference(fewer, as_lists, 5) == (*gone, False)
