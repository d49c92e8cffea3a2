"""Readers: the digits in the package, samples of one's own, and what is refused."""

from __future__ import annotations

import gzip
from importlib import resources

import numpy as np
import pytest

from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.digits import Digits
from hrsnn_lava.tasks.readers.npz import NpzSamples


def test_the_digits_are_those_of_the_data_set():
    """Sizes and class counts as UCI's description of the test set has them."""
    digits = Digits().read()
    assert digits.samples.shape == (1797, 8, 8)
    counts = np.bincount(digits.labels)
    np.testing.assert_array_equal(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert digits.samples.min() == 0.0
    assert digits.samples.max() == 1.0
    # the first image is a 0; its first row is 0 0 5 13 9 1 0 0 of 16
    assert digits.labels[0] == 0
    np.testing.assert_array_equal(digits.samples[0, 0] * 16, [0, 0, 5, 13, 9, 1, 0, 0])


def test_the_licence_lies_beside_the_digits():
    notice = resources.files("hrsnn_lava.tasks.images").joinpath("digits.LICENSE.txt").read_text()
    assert "Copyright (c) 2007-2024 The scikit-learn developers" in notice
    assert "Redistributions of source code must retain" in notice


def test_damaged_digits_are_refused(tmp_path):
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(ArtifactError, match=r"digits.csv.gz: no digits"):
        Digits(str(path)).read()
    path.write_bytes(gzip.compress(b"1,2,3\n"))
    with pytest.raises(ArtifactError, match="no digits"):
        Digits(str(path)).read()
    with pytest.raises(ArtifactError, match="no digits"):
        Digits(str(tmp_path / "nowhere.gz")).read()


def test_samples_of_ones_own(tmp_path):
    path, x = tmp_path / "own.npz", np.arange(24.0).reshape(4, 3, 2)
    np.savez(path, x=x, y=np.array([0, 1, 1, 0]))
    own = NpzSamples(str(path)).read()
    np.testing.assert_array_equal(own.samples, x)
    assert own.classes == ("0", "1")
    np.savez(path, x=x[:, 0], y=np.array([0, 1, 2, 0]))
    own = NpzSamples(str(path)).read()
    assert (own.samples.shape, own.classes) == ((4, 1, 2), ("0", "1", "2"))


def test_wrong_samples_are_refused_with_the_reason(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x=np.zeros((4, 3, 2)))
    with pytest.raises(ArtifactError, match="missing y"):
        NpzSamples(str(path)).read()
    np.savez(path, x=np.zeros((1, 1)), y=np.array([0.5]))
    with pytest.raises(ArtifactError, match="x of float64, y of float64"):
        NpzSamples(str(path)).read()
    np.savez(path, x=np.full((2, 3, 2), np.nan), y=np.array([0, 1, 1]))
    with pytest.raises(ArtifactError, match=r"not finite.*\n.*labels: shape \(3,\)"):
        NpzSamples(str(path)).read()
    with pytest.raises(ArtifactError, match=r"labels: -1..1; allowed: 0..1"):
        Labelled(np.zeros((2, 1, 1)), np.array([-1, 1]), ("a", "b"))
    with pytest.raises(SpecError, match="path: missing"):
        NpzSamples()
