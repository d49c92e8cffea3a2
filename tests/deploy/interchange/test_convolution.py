"""Convolutions as matrices against SciPy's correlation and, where it runs, Lava's `Conv`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d

from hrsnn_lava.deploy.interchange.convolution import (
    convolution_matrix,
    count_of_synapses,
    output_size,
)

#: What it says does not depend on the Python: the oldest alone runs it in CI.
pytestmark = pytest.mark.once

pair = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolutions(draw):
    """A kernel, a picture, stride, padding, dilation and groups."""
    groups = draw(st.integers(1, 3))
    per_group, of_group = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    size, kernel = draw(st.tuples(st.integers(1, 7), st.integers(1, 7))), draw(pair)
    stride, dilation = draw(pair), draw(pair)
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = rng.integers(-9, 10, (groups * of_group, per_group, *kernel))
    picture = rng.integers(-9, 10, (groups * per_group, *size))
    geometry = (stride, padding, dilation)
    assume(min(output_size(size, kernel, *geometry)) >= 1)
    return weights, picture, *geometry, groups


def correlated(weights, picture, stride, padding, dilation, groups):
    """The same by SciPy: a padded picture, a kernel with holes, every so-and-so-many place."""
    per_group, of_group = weights.shape[1], len(weights) // groups
    (down, right), (top, left) = dilation, padding
    padded = np.pad(picture, ((0, 0), (top, top), (left, left)))
    maps = []
    for channel, kernel in enumerate(weights):
        total = 0
        for k in range(per_group):
            holes = np.zeros((down * (kernel.shape[1] - 1) + 1, right * (kernel.shape[2] - 1) + 1))
            holes[::down, ::right] = kernel[k]
            source = padded[channel // of_group * per_group + k]
            total = total + correlate2d(source, holes, mode="valid")
        maps.append(total[:: stride[0], :: stride[1]])
    return np.array(maps)


@settings(max_examples=80)
@given(convolutions())
def test_the_matrix_does_what_scipys_correlation_does(drawn):
    weights, picture, *geometry, groups = drawn
    matrix = convolution_matrix(weights, picture.shape, *geometry, groups)
    expected = correlated(weights, picture, *geometry, groups)
    np.testing.assert_array_equal(matrix @ picture.ravel(), expected.ravel())
    assert expected.shape[1:] == output_size(picture.shape[1:], weights.shape[2:], *geometry)
    assert matrix.has_sorted_indices
    assert np.all(matrix.data != 0)
    ones = convolution_matrix(np.ones_like(weights), picture.shape, *geometry, groups)
    assert ones.nnz == count_of_synapses(weights, picture.shape[1:], *geometry)


def test_a_kernel_of_the_size_of_the_picture_is_a_row():
    kernel = np.arange(1, 13).reshape(1, 2, 2, 3)
    matrix = convolution_matrix(kernel, (2, 2, 3))
    np.testing.assert_array_equal(matrix.toarray(), kernel.reshape(1, -1))


def test_nothing_fits_where_the_kernel_is_larger():
    assert output_size((3, 3), (4, 1), (1, 1), (0, 0), (1, 1)) == (0, 3)
    assert count_of_synapses(np.ones((1, 1, 4, 1)), (3, 3), (1, 1), (0, 0), (1, 1)) == 0


@pytest.mark.lava
def test_lavas_conv_does_the_same():
    """With the kernel that lava-dl hands over: (channels out, width, height, in), flipped."""
    from lava.proc.conv.utils import conv

    rng = np.random.default_rng(0)
    for _ in range(20):
        groups = int(rng.integers(1, 3))
        weights = rng.integers(-99, 99, (2 * groups, 2, *rng.integers(1, 4, 2)))
        picture = rng.integers(0, 2, (2 * groups, *rng.integers(5, 9, 2)))
        stride, padding, dilation = rng.integers(1, 3, (3, 2)) - np.array([[0], [1], [0]])
        matrix = convolution_matrix(
            weights, picture.shape, tuple(stride), tuple(padding), tuple(dilation), groups
        )
        kernel = weights[:, :, ::-1, ::-1].transpose(0, 3, 2, 1).astype(np.int32)
        geometry = (stride[::-1], padding[::-1], dilation[::-1])
        found = conv(picture.T, kernel, kernel.shape[1:3], *geometry, groups)
        np.testing.assert_array_equal(matrix @ picture.ravel(), found.T.ravel())
