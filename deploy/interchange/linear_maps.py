"""Nodes of NIR without a state as sparse matrices: y = A x + b, x and y flat in C order.

Convolutions are PyTorch's, as NIR defines them: cross-correlation, padding with zeros, weights
(n_out, n_in / groups, *kernel). An average pool divides by the size of its window, also where that
reaches over the edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.deploy.interchange.nir_file import Node
from hrsnn_lava.errors import ArtifactError, Problem

Float = NDArray[np.float64]
Int = NDArray[np.int64]
#: Stored weights of one node; a convolution of more belongs on a chip that shares them.
MAX_WEIGHTS = 50_000_000
#: A mark, in no file, of a Flatten whose pictures are flat in the order row, column, channel.
CHANNELS_LAST = "channels_last"


@dataclass(frozen=True, eq=False)
class LinearMap:
    """One node without a state.

    Attributes:
        weights: (n_out, n_in).
        bias: (n_out,).
        shape: of what it gives; n_out is its product.
        delay: (n_out,) in the unit of the file, or None.
    """

    weights: sparse.csr_matrix
    bias: Float
    shape: tuple[int, ...]
    delay: Float | None = None


def pooled_or_convolved(node: Node) -> int | None:
    """Axes of what a convolution or a pool takes, channels included; None for other nodes."""
    axes = {"Conv1d": 2, "Conv2d": 3, "SumPool2d": 3, "AvgPool2d": 3}
    return axes.get(node.type)


def linear_map(node: Node, source: tuple[int, ...]) -> LinearMap:
    """The matrix of a node behind one that gives the shape `source`.

    Raises:
        ArtifactError: the shapes do not fit.
    """
    if node.type in ("Affine", "Linear"):
        return _dense(node)
    if node.type in ("Conv1d", "Conv2d"):
        return _convolution(node, source)
    if node.type in ("SumPool2d", "AvgPool2d"):
        return _pool(node, source)
    size = math.prod(source)
    if node.type == "Scale":
        values, shape = _elementwise(node, "scale", source)
        return LinearMap(sparse.diags(values, format="csr"), np.zeros(values.size), shape)
    identity = sparse.identity(size, format="csr")
    if node.type == "Delay":
        values, shape = _elementwise(node, "delay", source)
        identity = sparse.identity(values.size, format="csr")
        return LinearMap(identity, np.zeros(values.size), shape, values)
    if CHANNELS_LAST in node.arrays and len(source) == 3:
        order = np.moveaxis(np.arange(size).reshape(source), 0, -1).reshape(-1)
        identity = identity[order]
    shape = (size,) if node.type == "Flatten" else source
    return LinearMap(identity, np.zeros(size), shape)


def _elementwise(node: Node, key: str, source: tuple[int, ...]) -> tuple[Float, tuple[int, ...]]:
    values = node.arrays[key]
    if values.size == 1:
        return np.full(math.prod(source), float(values.reshape(-1)[0])), source
    return values.reshape(-1).astype(np.float64), values.shape


def _dense(node: Node) -> LinearMap:
    weight = node.arrays["weight"]
    bias = node.arrays.get("bias", np.zeros(()))
    rows = int(weight.shape[0])
    full: Float = np.broadcast_to(bias.reshape(-1), (rows,)).astype(np.float64)
    return LinearMap(sparse.csr_matrix(weight.astype(np.float64)), full, (rows,))


def _pairs(node: Node, key: str, axes: int) -> Int:
    """A size for each axis: (axes,)."""
    values = node.arrays[key].reshape(-1)
    if values.size not in (1, axes):
        problem = Problem(f"node {node.name!r}.{key}", f"{values.size} values", f"1 or {axes}")
        raise ArtifactError("shapes do not fit", problems=[problem])
    return np.broadcast_to(values, (axes,)).astype(np.int64)


def _padding(node: Node, kernel: Int, dilation: Int) -> Int:
    """Zeros in front of each axis."""
    padding = node.arrays["padding"]
    if padding.dtype.kind != "U":
        return _pairs(node, "padding", kernel.size)
    word = str(padding)
    if word == "valid":
        return np.zeros(kernel.size, dtype=np.int64)
    reach = dilation * (kernel - 1)
    plain = (_pairs(node, "stride", kernel.size) == 1).all() and (reach % 2 == 0).all()
    if word != "same" or not plain:
        allowed = "numbers, 'valid', or 'same' with odd kernels and stride 1"
        problem = Problem(f"node {node.name!r}.padding", f"{word!r:.40}", allowed)
        raise ArtifactError("shapes do not fit", problems=[problem])
    half: Int = reach // 2
    return half


@dataclass(frozen=True, eq=False)
class _Windows:
    """Which place of the input each place of a kernel looks at.

    Attributes:
        out_shape: places of the output, by axis.
        out, place, kernel: flat indices of output, input and kernel; one entry for each pair
            within the input.
    """

    out_shape: tuple[int, ...]
    out: Int
    place: Int
    kernel: Int


def _windows(
    node: Node, places: tuple[int, ...], kernel: Int, spread: tuple[Int, Int, Int]
) -> _Windows:
    """Windows over `places`; `spread` is stride, padding, dilation."""
    stride, padding, dilation = spread
    sizes = np.array(places, dtype=np.int64)
    counts = (sizes + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    if (counts < 1).any():
        problem = Problem(f"node {node.name!r}", f"a kernel of {kernel.tolist()}", f"{places}")
        raise ArtifactError("shapes do not fit", problems=[problem])
    if math.prod(int(n) for n in (*counts, *kernel)) > MAX_WEIGHTS:
        raise _too_many(node)
    out = np.zeros(1, dtype=np.int64)
    place, tap = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for axis in range(kernel.size):
        at = np.repeat(np.arange(counts[axis]), kernel[axis])
        k = np.tile(np.arange(kernel[axis]), counts[axis])
        where = at * stride[axis] - padding[axis] + k * dilation[axis]
        inside = (where >= 0) & (where < sizes[axis])
        at, k, where = at[inside], k[inside], where[inside]
        out = (out[:, None] * counts[axis] + at).reshape(-1)
        place = (place[:, None] * sizes[axis] + where).reshape(-1)
        tap = (tap[:, None] * kernel[axis] + k).reshape(-1)
    return _Windows(tuple(int(n) for n in counts), out, place, tap)


def _too_many(node: Node) -> ArtifactError:
    problem = Problem(f"node {node.name!r}", "too many weights", f"{MAX_WEIGHTS:,} synapses")
    return ArtifactError("a convolution is too large", problems=[problem])


def _places(node: Node, source: tuple[int, ...], axes: int) -> tuple[int, tuple[int, ...]]:
    """Channels, and the other axes, of what comes in; `axes` are without the channels."""
    if len(source) != axes + 1:
        problem = Problem(f"node {node.name!r}", f"input of shape {source}", f"{axes + 1} axes")
        raise ArtifactError("shapes do not fit", problems=[problem])
    return source[0], source[1:]


def _convolution(node: Node, source: tuple[int, ...]) -> LinearMap:
    weight = node.arrays["weight"].astype(np.float64)
    axes = weight.ndim - 2
    channels, places = _places(node, source, axes)
    groups = int(node.arrays["groups"].reshape(-1)[0])
    n_out, n_in = int(weight.shape[0]), int(weight.shape[1])
    if n_in * groups != channels or n_out % groups:
        text = f"{channels} channels, {groups} groups"
        problem = Problem(f"node {node.name!r}.weight", text, f"{n_in * groups} channels")
        raise ArtifactError("shapes do not fit", problems=[problem])
    kernel = np.array(weight.shape[2:], dtype=np.int64)
    dilation = _pairs(node, "dilation", axes)
    padding = _padding(node, kernel, dilation)
    seen = _windows(node, places, kernel, (_pairs(node, "stride", axes), padding, dilation))
    if seen.out.size * n_out * n_in > MAX_WEIGHTS:
        raise _too_many(node)
    taps = weight.reshape(n_out, n_in, -1)
    per_group = n_out // groups
    o, c = (index.reshape(-1) for index in np.indices((n_out, n_in)))
    from_channel = o // per_group * n_in + c
    n_places, n_seen = math.prod(places), math.prod(seen.out_shape)
    rows = (o[:, None] * n_seen + seen.out).reshape(-1)
    columns = (from_channel[:, None] * n_places + seen.place).reshape(-1)
    values = taps[o[:, None], c[:, None], seen.kernel].reshape(-1)
    shape = (n_out * n_seen, channels * n_places)
    bias = np.broadcast_to(node.arrays["bias"].reshape(-1), (n_out,)).astype(np.float64)
    matrix = sparse.csr_matrix((values, (rows, columns)), shape=shape)
    return LinearMap(matrix, np.repeat(bias, n_seen), (n_out, *seen.out_shape))


def _pool(node: Node, source: tuple[int, ...]) -> LinearMap:
    channels, places = _places(node, source, 2)
    kernel = _pairs(node, "kernel_size", 2)
    one = np.ones(2, dtype=np.int64)
    spread = (_pairs(node, "stride", 2), _pairs(node, "padding", 2), one)
    seen = _windows(node, places, kernel, spread)
    if seen.out.size * channels > MAX_WEIGHTS:
        raise _too_many(node)
    n_places, n_seen = math.prod(places), math.prod(seen.out_shape)
    channel = np.arange(channels)[:, None]
    rows = (channel * n_seen + seen.out).reshape(-1)
    columns = (channel * n_places + seen.place).reshape(-1)
    value = 1.0 / float(kernel.prod()) if node.type == "AvgPool2d" else 1.0
    values = np.full(rows.size, value)
    matrix = sparse.csr_matrix(
        (values, (rows, columns)), shape=(channels * n_seen, channels * n_places)
    )
    return LinearMap(matrix, np.zeros(channels * n_seen), (channels, *seen.out_shape))
