"""Generated files of lava-dl's network exchange, small ones, as lava-dl would write them.

A case is a file and what is sent into it. Weights, decays and the rest are drawn so that neurons
fire; some cases are at the ends of what 8 bits hold, where netx and Lava disagree.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

import h5py
import numpy as np

from hrsnn_lava.trace import SpikeInput

STEPS = 30
#: Kinds of networks, each of which has cases.
KINDS = ("dense", "recurrent", "convolution", "encoder", "edge")
CASES_OF_EACH = 12


def names():
    """Names of all cases."""
    return [f"{kind}_{k}" for kind in KINDS for k in range(CASES_OF_EACH)]


def write_net(path: Any, layers: list[dict[str, Any]], step_ms: float = 1.0) -> None:
    """A file of these layers; nested keys such as ``neuron/iDecay`` make groups."""
    with h5py.File(path, "w") as file:
        file["simulation/Ts"] = step_ms
        file["simulation/tSample"] = STEPS
        for index, layer in enumerate(layers):
            group = file.create_group(f"layer/{index}")
            for key, value in layer.items():
                if key == "type":
                    group.create_dataset(key, (1,), "S10", [value.encode()])
                else:
                    group[key] = value


def mantissas(layers: list[dict[str, Any]], values: Any) -> Any:
    """The biases that a user of netx sets for values of 256 counts per 1.0, (channels,)."""
    weight, bias = (int(layers[0][key][0]) for key in ("weight", "bias"))
    return ((weight * values) >> 8) + bias


def sent(values: Any, steps: int = STEPS) -> SpikeInput:
    """Spikes (steps, channels), or values (channels,) that are held from step 0 on, as events."""
    if values.ndim == 1:
        channels = np.arange(values.size, dtype=np.int32)
        at = np.zeros(values.size, dtype=np.int32)
        return SpikeInput(at, channels, steps, values.size, values.astype(np.int32))
    at, channels = (index.astype(np.int32) for index in np.nonzero(values))
    return SpikeInput(at, channels, len(values), values.shape[1])


def digest(path: Any) -> str:
    """SHA-256 of what a file holds, whatever HDF5 makes of it."""
    total = hashlib.sha256()

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            value = item[()]
            data = value if isinstance(value, bytes) else np.asarray(value).tobytes()
            total.update(f"{name} {item.shape} {item.dtype} ".encode() + data)

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return total.hexdigest()


def case(name: str) -> tuple[list[dict[str, Any]], np.ndarray[Any, Any]]:
    """Layers of a case, and its input: spikes (steps, channels), or values (channels,) in counts.

    Values are for the biases of an input with neurons, 256 counts per 1.0.
    """
    kind, _, number = name.partition("_")
    rng = np.random.default_rng([KINDS.index(kind), int(number)])
    layers = _BUILDERS[kind](rng, int(number))
    shape = layers[0]["shape"] if layers[0]["type"] == "input" else layers[0]["weight"].shape[1:]
    channels = int(np.prod(shape))
    if kind == "encoder":
        return layers, rng.integers(-100, 257, channels)
    return layers, (rng.random((STEPS, channels)) < 0.3).astype(np.int32)


def neuron(rng: Any, size: int, vth: int, het: bool) -> dict[str, Any]:
    """Parameters of neurons; with `het` one decay for each channel."""
    low, high = 1024, 4096
    n = size if het else ()
    return {
        "neuron/type": "CUBA",
        "neuron/iDecay": rng.integers(low, high + 1, n),
        "neuron/vDecay": rng.integers(50, 1500, n),
        "neuron/vThMant": vth,
        "neuron/refDelay": 1,
        "neuron/gradedSpike": False,
    }


def dense(rng: Any, n_in: int, n: int, weight: Any = None, **more: Any) -> dict[str, Any]:
    """A dense layer whose neurons fire now and then."""
    if weight is None:
        step = rng.choice([1, 2, 4])
        weight = rng.integers(-40, 60, (n, n_in)) * step
    vth = int(max(np.abs(weight).max() * rng.choice([1, 2]), 1))
    layer = {
        "type": "dense",
        "shape": np.array([n]) if rng.random() < 0.5 else np.array([n, 1, 1]),
        "inFeatures": n_in,
        "outFeatures": n,
        "weight": np.asarray(weight, dtype=np.float32),
        **neuron(rng, n, vth, rng.random() < 0.5),
    }
    if rng.random() < 0.6:
        layer["bias"] = rng.integers(-10, 30, n if rng.random() < 0.8 else 1).astype(np.float32)
    return layer | more


def _delays(rng: Any, n: int, n_in: int, form: int) -> Any:
    highest = rng.choice([3, 62, 80])
    shape = ((), (n,), (n_in,), (n, n_in))[form]
    return rng.integers(0, highest + 1, shape).astype(np.float32)


def _dense(rng: Any, number: int) -> list[dict[str, Any]]:
    sizes = rng.integers(2, 9, rng.integers(2, 4)).tolist()
    layers = [] if number % 3 else [{"type": "input", "shape": np.array([sizes[0]])}]
    for n_in, n in pairwise(sizes):
        layer = dense(rng, n_in, n)
        if number % 2:
            layer["delay"] = _delays(rng, n, n_in, int(rng.integers(0, 4)))
        layers.append(layer)
    if number % 4 == 2:  # an output without neurons
        weight = rng.integers(-20, 20, (3, sizes[-1])).astype(np.float32)
        layers.append({"type": "dense", "shape": np.array([3]), "weight": weight})
    return layers


def _recurrent(rng: Any, number: int) -> list[dict[str, Any]]:
    n_in, n = rng.integers(2, 8, 2).tolist()
    if number % 4 == 3:  # delays of both matrices are the same
        n_in = n
    layer = dense(rng, n_in, n, type="dense_rec")
    sign = rng.choice([-1, 1], (n, n) if number % 2 else (1, 1))
    layer["weight_rec"] = (sign * rng.integers(0, 50, (n, n))).astype(np.float32)
    if number % 4 == 3:
        layer["delay"] = _delays(rng, n, n_in, 3)
        layer["neuron/vThMant"] = 4000
    return [layer, dense(rng, n, 3)]


def _conv(rng: Any, source: tuple[int, int, int]) -> dict[str, Any]:
    """A convolution of any geometry that fits."""
    channels, height, width = source
    while True:
        groups = int(rng.choice([g for g in (1, 2, 3) if channels % g == 0]))
        n = groups * int(rng.integers(1, 3))
        kernel = rng.integers(1, 4, 2)
        stride, dilation = rng.integers(1, 3, 2), rng.integers(1, 3, 2)
        padding = rng.integers(0, 3, 2)
        reach = dilation * (kernel - 1) + 1
        out = (np.array([height, width]) + 2 * padding - reach) // stride + 1
        if np.all(out >= 1) and np.all(out <= 6):
            break
    weight = rng.integers(-30, 50, (n, channels // groups, *kernel)) * rng.choice([1, 2])
    layer = {
        "type": "conv",
        "shape": np.array([n, *out]),
        "inChannels": channels,
        "outChannels": n,
        "kernelSize": kernel,
        "stride": stride if rng.random() < 0.8 or stride[0] != stride[1] else stride[0],
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "weight": weight.astype(np.float32)[..., None] if rng.random() < 0.5 else weight,
        **neuron(rng, n, int(np.abs(weight).max() * 2), rng.random() < 0.6),
    }
    if rng.random() < 0.6:
        layer["bias"] = rng.integers(-10, 30, n).astype(np.float32)
    return layer


def _convolution(rng: Any, number: int) -> list[dict[str, Any]]:
    source = (int(rng.integers(1, 4)), int(rng.integers(3, 6)), int(rng.integers(3, 6)))
    layers: list[dict[str, Any]] = [{"type": "input", "shape": np.array(source)}]
    for _ in range(1 + number % 2):
        layers.append(_conv(rng, source))
        source = tuple(int(n) for n in layers[-1]["shape"])
    size = int(np.prod(source))
    if number % 3 != 2:
        layers.append({"type": "flatten", "shape": np.array([size, 1, 1])})
        layers.append(dense(rng, size, 4))
    return layers


def _encoder(rng: Any, number: int) -> list[dict[str, Any]]:
    picture = number % 2 == 0
    source = (2, 3, 4) if picture else (7,)
    first = {
        "type": "input",
        "shape": np.array(source),
        "weight": np.array([float(rng.integers(20, 70))], dtype=np.float32),
        "bias": np.array([float(rng.integers(-10, 40))], dtype=np.float32),
        **neuron(rng, source[0], 60, number % 3 == 0),
    }
    if not picture:
        return [first, dense(rng, 7, 4)]
    layers = [first, _conv(rng, source)]
    size = int(np.prod(layers[-1]["shape"]))
    return [*layers, {"type": "flatten", "shape": np.array([size])}, dense(rng, size, 3)]


def _edge(rng: Any, number: int) -> list[dict[str, Any]]:
    """Matrices that Lava changes, or that take 9 bits, and decays at the ends of their ranges."""
    n_in, n = 5, 6
    weight = [
        -np.full((n, n_in), 64),  # become 0
        -rng.integers(0, 65, (n, n_in)) * 2,  # all inhibitory, 0 the largest
        -rng.integers(1, 129, (n, n_in)) * 2,  # all inhibitory, none 0
        rng.integers(0, 256, (n, n_in)),  # all excitatory
        rng.integers(-255, 255, (n, n_in)),  # odd and large: 9 bits
        rng.choice([-256, 254], (n, n_in)),
        rng.choice([-256, 3], (n, n_in)),
        -rng.integers(0, 2, (n, n_in)),  # shifted by 8
        rng.integers(-400, 400, (n, n_in)),  # clipped, with a warning of lava-dl's
        rng.choice([-1, 1], (n, n_in)),
        rng.choice([0, 1], (n, n_in)),
        rng.choice([-128, 0, 64], (n, n_in)),
    ][number]
    layer = dense(rng, n_in, n, weight)
    layer["neuron/iDecay"] = rng.choice([0, 1, 2, 4095, 4096], n)
    layer["neuron/vDecay"] = rng.choice([0, 1, 4095, 4096], n)
    return [layer, dense(rng, n, 4)]


_BUILDERS = {
    "dense": _dense,
    "recurrent": _recurrent,
    "convolution": _convolution,
    "encoder": _encoder,
    "edge": _edge,
}
