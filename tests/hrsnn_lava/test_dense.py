"""Spikes as arrays of all steps and neurons, and back."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint16, np.int64, np.float32, float])
def test_an_array_and_its_events(kind):
    array = (np.random.default_rng(0).random((50, 8)) < 0.2).astype(kind)
    inputs = hl.SpikeInput.from_dense(array)
    assert (inputs.n_steps, inputs.n_neurons) == (50, 8)
    assert inputs.payloads is None
    assert list(zip(inputs.steps.tolist(), inputs.neurons.tolist(), strict=True)) == [
        (t, k) for t in range(50) for k in range(8) if array[t, k]
    ]
    assert inputs.dense().dtype == bool
    assert (inputs.dense() == array.astype(bool)).all()


def test_other_integers_are_payloads():
    array = [[0, 3, -2], [1, 0, 0]]
    inputs = hl.SpikeInput.from_dense(array)
    assert inputs.payloads.tolist() == [3, -2, 1]
    assert inputs.dense().tolist() == array
    assert hl.SpikeInput.from_dense([[0, 1]], graded=True).payloads.tolist() == [1]
    with pytest.raises(SpecError, match=r"3 in step 0, channel 1 \(2 in all\); allowed: 0 and 1"):
        hl.SpikeInput.from_dense(array, graded=False)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        ([[0.0, 0.5]], "found 0.5 at 0, 1"),
        ([[0.0, np.nan]], "found nan"),
        ([0, 1], r"shape \(2,\)"),
        ([[2**40]], "integers of 32 bits"),
        ([["1"]], "text"),
        ([[1], [0, 1]], "no array"),
        (None, "None"),
    ],
)
def test_what_is_no_such_array_is_refused(array, text):
    with pytest.raises(SpecError, match=text):
        hl.SpikeInput.from_dense(array)


def test_events_in_any_order():
    inputs = hl.SpikeInput.from_events(
        [4, 0, 4.0], [1, 2, 0], n_steps=5, n_neurons=3, payloads=[7, 8, 9]
    )
    assert inputs.steps.tolist() == [0, 4, 4]
    assert inputs.neurons.tolist() == [2, 0, 1]
    assert inputs.payloads.tolist() == [8, 9, 7]
    assert hl.SpikeInput.from_events([], [], n_steps=5, n_neurons=3).steps.size == 0


def test_events_that_occur_twice():
    steps, channels, extent = [3, 1, 3, 3], [0, 1, 0, 0], {"n_steps": 4, "n_neurons": 2}
    with pytest.raises(SpecError, match=r"channel 0 twice in step 3 \(2 such events\)"):
        hl.SpikeInput.from_events(steps, channels, **extent)
    once = hl.SpikeInput.from_events(steps, channels, **extent, duplicates="once")
    assert once.dense().tolist() == [[0, 0], [0, 1], [0, 0], [1, 0]]
    assert once.payloads is None
    total = hl.SpikeInput.from_events(steps, channels, **extent, duplicates="sum")
    assert total.payloads.tolist() == [1, 3]
    given = {"payloads": [5, 6, 7, 8], **extent}
    kept = hl.SpikeInput.from_events(steps, channels, **given, duplicates="once")
    assert kept.payloads.tolist() == [6, 5]
    assert hl.SpikeInput.from_events(
        steps, channels, **given, duplicates="sum"
    ).payloads.tolist() == [6, 20]
    with pytest.raises(SpecError, match="error, once, sum"):
        hl.SpikeInput.from_events(steps, channels, **extent, duplicates="last")
    with pytest.raises(SpecError, match="32 bits"):
        hl.SpikeInput.from_events(
            [0, 0], [0, 0], payloads=[2**31 - 1, 1], duplicates="sum", **extent
        )


@pytest.mark.parametrize(
    ("steps", "channels", "text"),
    [
        ([0, 1], [0], "steps, channels"),
        ([0.5], [0], "found 0.5"),
        ([4], [0], "n_steps"),
        ([0], [2], "n_neurons"),
        ([-1], [0], "n_steps"),
    ],
)
def test_events_that_are_none(steps, channels, text):
    with pytest.raises(SpecError, match=text):
        hl.SpikeInput.from_events(steps, channels, n_steps=4, n_neurons=2)


def test_a_trace_as_an_array():
    trace = hl.Trace([0, 2, 2], [1, 0, 2], 4, 3)
    assert trace.dense().dtype == bool
    assert trace.dense().tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1], [0, 0, 0]]
    assert hl.Trace([], [], 0, 3).dense().shape == (0, 3)


def test_an_array_that_memory_may_not_hold_is_not_made():
    huge = hl.Trace([0], [0], 2**31 - 1, 2**20)
    with pytest.raises(SpecError, match=r"2,147,483,647 steps x 1,048,576 neurons are .* MiB"):
        huge.dense()
    small = hl.SpikeInput([0], [0], 10, 10)
    with pytest.raises(SpecError, match="max_bytes=100"):
        small.dense(max_bytes=99)
    assert small.dense(max_bytes=100).sum() == 1
    assert small.dense(max_bytes=float("inf")).sum() == 1
    with pytest.raises(SpecError, match=r"are 100 bytes; allowed: 99 bytes"):
        small.dense(max_bytes=99)


@pytest.mark.parametrize("size", [-1, -0.5, float("nan"), None, "1", True, [1], 1j])
def test_a_size_of_an_array_that_is_none(size):
    for holder in (hl.SpikeInput([0], [0], 10, 10), hl.Trace([0], [0], 10, 10)):
        with pytest.raises(SpecError) as caught:
            holder.dense(max_bytes=size)
        assert str(caught.value) == f"max_bytes: {size!r}; allowed: a number >= 0"
