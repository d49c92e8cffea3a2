"""Convolutions, pools and the rest as matrices, against SciPy and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from hrsnn_lava.deploy.interchange.linear_maps import linear_map
from hrsnn_lava.deploy.interchange.nir_file import Node
from hrsnn_lava.errors import ArtifactError


def made(kind, **arrays):
    values = {
        k: np.asarray(v, dtype=np.int64 if np.asarray(v).dtype.kind in "iu" else None)
        for k, v in arrays.items()
    }
    return Node("n", kind, values)


def convolved(x, weight, bias, stride, padding, dilation, groups):
    """PyTorch's convolution by SciPy, one pair of channels at a time."""
    axes = weight.ndim - 2
    x = np.pad(x, [(0, 0)] + [(p, p) for p in padding])
    spread = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    out = []
    per_group = weight.shape[0] // groups
    for o in range(weight.shape[0]):
        total = bias[o]
        for c in range(weight.shape[1]):
            kernel = np.zeros(spread)
            kernel[tuple(slice(None, None, d) for d in dilation)] = weight[o, c]
            channel = o // per_group * weight.shape[1] + c
            total = total + signal.correlate(x[channel], kernel, mode="valid", method="direct")
        out.append(total[tuple(slice(None, None, stride[a]) for a in range(axes))])
    return np.array(out)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([1, 2]))
def test_convolutions(data, axes):
    pick = data.draw
    groups = pick(st.sampled_from([1, 2, 3]))
    n_in, per_group = groups * pick(st.integers(1, 2)), pick(st.integers(1, 2))
    kernel = [pick(st.integers(1, 3)) for _ in range(axes)]
    stride, padding, dilation = (
        [pick(st.integers(low, 2)) for _ in range(axes)] for low in (1, 0, 1)
    )
    places = [pick(st.integers(5, 8)) for _ in range(axes)]
    rng = np.random.default_rng(pick(st.integers(0, 99)))
    weight = rng.normal(size=(groups * per_group, n_in // groups, *kernel))
    bias = rng.normal(size=groups * per_group)
    x = rng.normal(size=(n_in, *places))
    found = linear_map(
        made(
            f"Conv{axes}d",
            weight=weight,
            bias=bias,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        ),
        x.shape,
    )
    truth = convolved(x, weight, bias, stride, padding, dilation, groups)
    assert found.shape == truth.shape
    result = found.weights @ x.reshape(-1) + found.bias
    np.testing.assert_allclose(result, truth.reshape(-1), atol=1e-12)


@pytest.mark.parametrize("word", ["same", "valid"])
def test_padding_in_words(word):
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(2, 1, 3, 3)), rng.normal(size=(1, 6, 5))
    options = {"stride": [1, 1], "dilation": [1, 1], "groups": 1, "bias": np.zeros(2)}
    conv = Node(
        "n",
        "Conv2d",
        {**made("Conv2d", weight=weight, **options).arrays, "padding": np.array(word)},
    )
    found = linear_map(conv, x.shape)
    truth = np.array([signal.correlate(x[0], weight[o, 0], mode=word) for o in range(2)])
    assert found.shape == truth.shape
    np.testing.assert_allclose(found.weights @ x.reshape(-1), truth.reshape(-1), atol=1e-12)


@pytest.mark.parametrize("kind", ["SumPool2d", "AvgPool2d"])
def test_pools(kind):
    x = np.random.default_rng(0).normal(size=(2, 5, 6))
    pool = made(kind, kernel_size=[2, 3], stride=[2, 1], padding=[1, 0])
    found = linear_map(pool, x.shape)
    padded = np.pad(x, [(0, 0), (1, 1), (0, 0)])
    truth = np.array(
        [
            [[padded[c, 2 * i : 2 * i + 2, j : j + 3].sum() for j in range(4)] for i in range(3)]
            for c in range(2)
        ]
    )
    truth = truth / (6.0 if kind == "AvgPool2d" else 1.0)
    assert found.shape == (2, 3, 4)
    np.testing.assert_allclose(found.weights @ x.reshape(-1), truth.reshape(-1))


def test_elementwise_nodes():
    x = np.arange(6.0).reshape(2, 3)
    scale = linear_map(made("Scale", scale=np.float64(2)), x.shape)
    np.testing.assert_array_equal(scale.weights @ x.reshape(-1), 2 * x.reshape(-1))
    delay = linear_map(made("Delay", delay=np.arange(6.0).reshape(2, 3)), x.shape)
    np.testing.assert_array_equal(delay.delay, np.arange(6.0))
    flat = linear_map(made("Flatten", start_dim=0, end_dim=-1), x.shape)
    assert flat.shape == (6,)
    np.testing.assert_array_equal(flat.weights @ x.reshape(-1), x.reshape(-1))


def test_convolutions_that_do_not_fit():
    base = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": np.zeros(1)}
    conv = made("Conv1d", weight=np.ones((1, 2, 3)), **base)
    for source, words in (((2, 2), "kernel"), ((3, 5), "channels"), ((5,), "2 axes")):
        with pytest.raises(ArtifactError) as caught:
            linear_map(conv, source)
        assert words in str(caught.value)
    with pytest.raises(ArtifactError, match="too many"):
        linear_map(made("Conv1d", weight=np.ones((1000, 1000, 9)), **base), (1000, 10000))
    strange = Node("n", "Conv1d", {**conv.arrays, "padding": np.array("reflect")})
    with pytest.raises(ArtifactError, match="'valid'"):
        linear_map(strange, (2, 5))
    with pytest.raises(ArtifactError, match="1 or 1"):
        linear_map(made("Conv1d", weight=np.ones((1, 2, 3)), **(base | {"stride": [1, 2]})), (2, 5))
