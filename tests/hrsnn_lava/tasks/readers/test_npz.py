"""Labelled arrays of one's own, in every form that is read."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.tasks.readers.npz import NpzSamples

X = np.arange(24.0).reshape(4, 3, 2)
Y = np.array([0, 1, 1, 0])


def read(folder, **arrays):
    np.savez(folder / "own.npz", **arrays)
    return NpzSamples(str(folder / "own.npz")).read()


def test_samples_of_frames_and_of_one_frame(tmp_path):
    own = read(tmp_path, x=X, y=Y)
    np.testing.assert_array_equal(own.samples, X)
    assert (own.classes, own.groups, own.parts) == (("0", "1"), None, None)
    own = read(tmp_path, x=X[:, 0], y=np.array([0, 1, 2, 0]))
    assert (own.samples.shape, own.classes) == ((4, 1, 2), ("0", "1", "2"))


def test_labels_are_what_occurs(tmp_path):
    own = read(tmp_path, x=X, y=np.array([10, -3, 9, 10**12]))
    assert (own.labels.tolist(), own.classes) == ([2, 0, 1, 3], ("-3", "9", "10", str(10**12)))
    own = read(tmp_path, x=X, y=np.array(["no", "yes", "yes", "äh"]))
    assert (own.labels.tolist(), own.classes) == ([0, 1, 1, 2], ("no", "yes", "äh"))
    assert read(tmp_path, x=X[:2], y=np.array([b"b", b"a"])).classes == ("a", "b")


def test_samples_of_different_lengths(tmp_path):
    rows = np.arange(12.0).reshape(6, 2)
    own = read(tmp_path, x=rows, lengths=np.array([1, 3, 2]), y=Y[:3])
    for k, (begin, end) in enumerate([(0, 1), (1, 4), (4, 6)]):
        np.testing.assert_array_equal(own.sample(k), rows[begin:end])


def test_events(tmp_path):
    table = {
        "times": np.array([0.0, 0.5, 0.25, 0.125], dtype=np.float32),
        "channels": np.array([3, 0, 1, 2], dtype=np.uint8),
        "lengths": np.array([2, 0, 2]),
        "n_channels": np.array(4),
        "y": Y[:3],
    }
    own = read(tmp_path, **table)
    first, silent = own.sample(0), own.sample(1)
    assert (first.times.tolist(), first.channels.tolist()) == ([0.0, 0.5], [3, 0])
    assert (first.n_channels, first.duration, silent.duration) == (4, 0.5, 0.0)
    assert read(tmp_path, **table, duration=np.array(2.0)).sample(1).duration == 2.0
    each = read(tmp_path, **table, duration=np.array([1.0, 2.0, 3.0]))
    assert [each.sample(k).duration for k in range(3)] == [1.0, 2.0, 3.0]
    with pytest.raises(
        ArtifactError, match=r"own.npz.*\n.*sample 2, times: 0.125..0.25 s; .*0..0.2"
    ):
        read(tmp_path, **table, duration=np.array([1.0, 2.0, 0.2])).sample(2)
    with pytest.raises(ArtifactError, match=r"sample 0, channels: 0..3; allowed: 0..2"):
        read(tmp_path, **table | {"n_channels": np.array(3)}).sample(0)


def test_groups_and_parts(tmp_path):
    own = read(tmp_path, x=X, y=Y, groups=np.array([7, 3, 3, 9]), parts=np.array([0, 0, 1, 2]))
    assert (own.groups.tolist(), own.parts.tolist()) == ([1, 0, 0, 2], [0, 0, 1, 2])
    parts = np.array(["train", "test", "validation", "train"])
    own = read(tmp_path, x=X, y=Y, groups=np.array(list("baab")), parts=parts)
    assert (own.groups.tolist(), own.parts.tolist()) == ([1, 0, 0, 1], [0, 2, 1, 0])


EVENTS = {"times": np.zeros(2), "channels": np.zeros(2, int), "lengths": np.array([2])}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, r"missing y"),
        ({"y": Y}, r"missing x, or times and channels; found: y"),
        ({"x": np.zeros((1, 1)), "y": np.array([0.5])}, r"x of float64, y of float64"),
        ({"x": X, "y": np.zeros((4, 1), int)}, r"shape \(4, 1\)"),
        ({"x": np.array([["a"], ["b"]]), "y": Y[:2]}, r"x of <U1"),
        (
            {"x": np.full((2, 3, 2), np.nan), "y": np.array([0, 1, 1])},
            r"not finite.*\n.*labels: shape",
        ),
        ({"x": np.zeros(4), "y": Y}, r"x: shape \(4,\); allowed: \(samples, frames, channels\)"),
        ({"x": np.zeros((0, 2)), "y": Y[:0]}, r"samples: shape \(0, 1, 2\)"),
        ({"x": X, "lengths": np.array([4]), "y": Y[:1]}, r"with lengths: \(sum of lengths"),
        ({"x": X[0], "lengths": np.array([1, 1]), "y": Y[:2]}, r"lengths: sum 2; allowed: 3"),
        ({"x": X[0], "lengths": np.array([3, 0]), "y": Y[:2]}, r"lengths: 0..3; allowed: 1..3"),
        ({"x": X[0], "lengths": np.array([2**62] * 4), "y": Y}, r"lengths: 4611686018427387904"),
        ({**EVENTS, "y": Y[:1]}, r"times without n_channels"),
        ({**EVENTS, "y": Y[:1], "n_channels": np.array([1])}, r"n_channels: array\(\[1\]\)"),
        ({**EVENTS, "y": Y[:1], "n_channels": np.array(0)}, r"one integer above 0"),
        (
            {**EVENTS, "y": Y[:1], "n_channels": np.array(1), "channels": np.zeros(2)},
            r"times, channels: float64 \(2,\), float64 \(2,\)",
        ),
        (
            {**EVENTS, "y": Y[:1], "n_channels": np.array(1), "duration": np.ones(3)},
            r"duration: float64, shape \(3,\)",
        ),
        (
            {**EVENTS, "y": Y[:1], "n_channels": np.array(1), "duration": np.array(np.inf)},
            r"duration: below 0 or not finite",
        ),
        ({"x": X, "y": Y, "groups": np.zeros(4)}, r"groups: float64"),
        ({"x": X, "y": Y, "groups": np.zeros(3, int)}, r"groups: shape \(3,\)"),
        ({"x": X, "y": Y, "parts": np.array([0, 1, 2, 3])}, r"parts: 0..3; allowed: 0..2"),
        ({"x": X, "y": Y, "parts": np.array(["train"] * 3 + ["tset"])}, r"parts: 'tset'"),
        ({"x": X, "y": np.array([None] * 4)}, r"y: dtype object; allowed: plain numbers or texts"),
    ],
)
def test_wrong_samples_are_refused_with_the_reason(tmp_path, arrays, message):
    with pytest.raises(ArtifactError, match=message):
        read(tmp_path, **arrays)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(tmp_path, share):
    read(tmp_path, x=X, y=Y)
    data = (tmp_path / "own.npz").read_bytes()
    (tmp_path / "own.npz").write_bytes(data[: int(share * len(data))])
    with pytest.raises(ArtifactError, match=r"own.npz"):
        NpzSamples(str(tmp_path / "own.npz")).read()


def test_a_path_is_needed_and_a_file(tmp_path):
    with pytest.raises(SpecError, match="path: missing"):
        NpzSamples()
    with pytest.raises(ArtifactError, match=r"not a regular file"):
        NpzSamples(str(tmp_path)).read()
    with pytest.raises(ArtifactError, match=r"none.npz: no such file"):
        NpzSamples(str(tmp_path / "none.npz")).read()
