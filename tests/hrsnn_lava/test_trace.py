"""Input and trace files."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava import SpikeInput, Trace
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.trace import split_trace


def test_events_are_sorted_with_their_payloads():
    inputs = SpikeInput([3, 1, 1], [0, 2, 0], 5, 3, payloads=[30, 12, 10])
    assert inputs.steps.tolist() == [1, 1, 3]
    assert inputs.neurons.tolist() == [0, 2, 0]
    assert inputs.payload_values().tolist() == [10, 12, 30]


def test_held_samples_are_sent_once_each():
    inputs = SpikeInput.held([[1, 2], [3, 4]], 10)
    assert inputs.steps.tolist() == [0, 0, 10, 10]
    assert inputs.payload_values().tolist() == [1, 2, 3, 4]
    assert (inputs.n_steps, inputs.n_neurons) == (20, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([5], [0], 5, 1), r"steps: 5..5; allowed: 0..4"),
        (([0], [-1], 5, 1), r"neurons: -1..-1; allowed: 0..0"),
        (([0, 0], [0, 0], 5, 1), "more than one event"),
        (([0], [0, 1], 5, 2), "as steps"),
        (([0.5], [0], 5, 2), "integers expected"),
    ],
)
def test_wrong_events_are_refused(arguments, message):
    with pytest.raises(SpecError, match=message):
        SpikeInput(*arguments)


def test_files_come_back_whole(tmp_path):
    inputs = SpikeInput([0, 2], [1, 0], 4, 2, payloads=[5, -6])
    inputs.save(tmp_path / "i.npz")
    assert SpikeInput.load(tmp_path / "i.npz").payload_values().tolist() == [5, -6]
    v = np.arange(8, dtype=np.int32).reshape(4, 2)
    traces = {"p/x1": np.array([3, 4], np.int32), "a/b/y2/10": np.array([5], np.int32)}
    made = Trace(np.array([1]), np.array([0]), 4, 2, v=v, inputs=inputs, traces=traces)
    made.save(tmp_path / "t.npz")
    trace = Trace.load(tmp_path / "t.npz")
    assert (trace.n_spikes, trace.n_steps, trace.n_neurons) == (1, 4, 2)
    np.testing.assert_array_equal(trace.v, v)
    assert trace.u is None
    assert trace.inputs.steps.tolist() == [0, 2]
    assert trace.weights == {}
    assert {key: a.tolist() for key, a in trace.traces.items()} == {
        "p/x1": [3, 4],
        "a/b/y2/10": [5],
    }
    assert trace.counts().tolist() == [1, 0]


def test_keys_of_traces_name_projection_trace_and_profile():
    assert split_trace("p/x1") == ("p", "x1", None)
    assert split_trace("a/b/y3/12") == ("a/b", "y3", 12)


def test_a_plain_numpy_file_of_the_documented_arrays_is_read(tmp_path):
    np.savez(tmp_path / "i.npz", steps=[0], neurons=[1], n_steps=3, n_neurons=2)
    assert SpikeInput.load(tmp_path / "i.npz").neurons.tolist() == [1]


def test_wrong_files_are_refused(tmp_path):
    np.savez(tmp_path / "missing.npz", steps=[0])
    with pytest.raises(ArtifactError, match="missing neurons, n_steps, n_neurons; found: steps"):
        SpikeInput.load(tmp_path / "missing.npz")
    np.savez(tmp_path / "range.npz", steps=[9], neurons=[1], n_steps=3, n_neurons=2)
    with pytest.raises(ArtifactError, match=r"0..2 \(n_steps\)"):
        SpikeInput.load(tmp_path / "range.npz")
    (tmp_path / "text.npz").write_text("no")
    with pytest.raises(ArtifactError, match="not a zip"):
        Trace.load(tmp_path / "text.npz")
    with pytest.raises(ArtifactError, match="no such file"):
        Trace.load(tmp_path / "none.npz")
    whole = (tmp_path / "range.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError):
        SpikeInput.load(tmp_path / "cut.npz")
    np.savez(tmp_path / "o.npz", steps=np.array([{}]), neurons=[1], n_steps=3, n_neurons=2)
    with pytest.raises(ArtifactError, match="plain numbers"):
        SpikeInput.load(tmp_path / "o.npz")


def test_a_value_is_held_until_the_next_one_of_its_channel():
    inputs = SpikeInput([2, 2, 5], [0, 1, 0], 9, 2, payloads=[7, -3, 4])
    change, values = inputs.held_values(9)
    assert (change.tolist(), values.tolist()) == ([2, 5], [[7, -3], [4, -3]])
    change, values = inputs.held_values(5, start=np.array([1, 2], dtype=np.int32))
    assert (change.tolist(), values.tolist()) == ([0, 2], [[1, 2], [7, -3]])
    for nothing in (inputs.held_values(2), SpikeInput.empty(4, 2).held_values(4)):
        assert [part.shape for part in nothing] == [(0,), (0, 2)]
