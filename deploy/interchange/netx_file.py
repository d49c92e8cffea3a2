"""Files of lava-dl's network exchange (``.net``) as plain layers, without lava-dl.

A file holds ``/layer/0``, ``/layer/1`` and so on, one after the other, each a group with a ``type``
and the integers that SLAYER trained: weights of 8 bits with a sign, decays in 1/4096, a threshold.
Read is what lava-dl 0.6.0 writes and reads (``netx/hdf5.py``, ``slayer/block/base.py``). What it
reads over in silence is a finding here; what its netx cannot run is refused by its name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.files import PathLike
from hrsnn_lava.deploy.interchange.guarded_hdf5 import read_hdf5
from hrsnn_lava.errors import ArtifactError, Problem, raise_if
from hrsnn_lava.findings import Finding, Severity

Int = NDArray[np.int64]
#: Types of layers, with the data sets that are read of each beside ``type`` and ``neuron``.
TYPES: Final[dict[str, tuple[str, ...]]] = {
    "input": ("shape", "weight", "bias"),
    "flatten": ("shape",),
    "dense": ("shape", "weight", "bias", "delay", "inFeatures", "outFeatures"),
    "dense_rec": ("shape", "weight", "weight_rec", "bias", "delay", "inFeatures", "outFeatures"),
    "conv": (
        *("shape", "weight", "bias", "delay", "inChannels", "outChannels", "kernelSize"),
        *("stride", "padding", "dilation", "groups"),
    ),
}
#: Types that lava-dl writes and its netx raises NotImplementedError for, or passes over.
UNSUPPORTED: Final = ("average", "concat", "convT", "dense_comp", "kwta", "pool", "unpool")
#: Neurons that are current-based LIF; both names are.
CUBA: Final = ("CUBA", "LOIHI")
#: What SLAYER notes of its training; it changes nothing in a run. ``theta`` is vThMant << 6.
_OF_TRAINING = ("scaleRho", "tauRho", "theta")
_NEURON = ("type", "iDecay", "vDecay", "vThMant", "refDelay", "gradedSpike", "wgtExp", "weight_exp")
#: What lava-dl's `create_dense` takes where a layer has no neurons: they never leak nor fire.
WITHOUT_NEURON: Final = {"iDecay": 0, "vDecay": 4096, "vThMant": 1 << 17}
#: Lava's `Conv` holds strides and the like in 8 bits.
_GEOMETRY_MAX = 127
_WHOLE_MAX = 2**31 - 1


@dataclass(frozen=True, eq=False)
class NetxNeuron:
    """Neurons of a layer as the file has them.

    Attributes:
        i_decay, v_decay: in 1/4096, a number or one for each channel, () or (n,).
        v_th_mant: threshold, likewise.
    """

    i_decay: Int
    v_decay: Int
    v_th_mant: Int


@dataclass(frozen=True, eq=False)
class InputLayer:
    """What comes in: spikes, or with a `neuron` values x, which set biases ``weight x + bias``.

    Attributes:
        index: its number in the file.
        shape: (n,) or (channels, height, width); None where the file does not say.
    """

    index: int
    shape: tuple[int, ...] | None
    neuron: NetxNeuron | None = None
    weight: int = 64
    bias: int = 0


@dataclass(frozen=True, eq=False)
class FlattenLayer:
    """(channels, height, width) as (channels * height * width,), in C order."""

    index: int


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """All to all, and with `weight_rec` among themselves, too.

    Attributes:
        weight: (n, n_in).
        bias: () or (n,), in the unit of the weights.
        delay: (n, n_in) steps, or None.
        weight_rec: (n, n), or None.
    """

    index: int
    weight: Int
    neuron: NetxNeuron | None
    bias: Int
    delay: Int | None = None
    weight_rec: Int | None = None


@dataclass(frozen=True, eq=False)
class ConvLayer:
    """A convolution as PyTorch has it, which is a correlation.

    Attributes:
        shape: of its neurons (channels, height, width).
        weight: (channels, channels in / groups, kernel height, kernel width).
        bias: () or (channels,).
        stride, padding, dilation: (vertical, horizontal).
    """

    index: int
    shape: tuple[int, int, int]
    weight: Int
    neuron: NetxNeuron
    bias: Int
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


Layer: TypeAlias = InputLayer | FlattenLayer | DenseLayer | ConvLayer


@dataclass(frozen=True, eq=False)
class NetxFile:
    """The layers of a file, in order.

    Attributes:
        dt: seconds of a step (``simulation/Ts`` is in ms), or None.
        findings: what lava-dl's netx reads over.
    """

    layers: tuple[Layer, ...]
    dt: float | None
    findings: tuple[Finding, ...] = ()


@dataclass
class Notes:
    """Problems and findings, gathered while a file is looked at."""

    problems: list[Problem] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def refuse(self, where: str, measured: str, allowed: str = "", fix: str = "") -> None:
        """One thing that cannot be taken."""
        self.problems.append(Problem(where, measured, allowed, fix))

    def tell(
        self,
        kind: str,
        where: str,
        measured: str,
        meaning: str,
        fix: str = "",
        severity: Severity = "warning",
    ) -> None:
        """One thing that a user has to know."""
        self.findings.append(Finding(severity, where, measured, meaning, fix, kind=kind))


def read_netx(path: PathLike, num_layers: int | None = None) -> NetxFile:
    """The layers of a file, or the first `num_layers` of them.

    Raises:
        ArtifactError: no HDF5, damaged, unsafe, or with layers that cannot be taken; each of them
            is named.
    """
    notes, where = Notes(), os.fspath(path)
    tree = read_hdf5(path)
    layers = layers_of(tree.get("layer"), notes, num_layers)
    dt = _step(tree.get("simulation"), notes)
    raise_if(ArtifactError, f"{where}: this netx file cannot be taken", notes.problems)
    return NetxFile(layers, dt, tuple(notes.findings))


def layers_of(groups: Any, notes: Notes, num_layers: int | None = None) -> tuple[Layer, ...]:
    """The layers of the group ``/layer``; what cannot be taken is reported and left out."""
    if not isinstance(groups, Mapping) or not groups:
        notes.refuse("/layer", "no layers", "groups 0, 1, 2 ...")
        return ()
    layers: list[Layer] = []
    for index in range(min(len(groups), num_layers or len(groups))):
        values = groups.get(str(index))
        if not isinstance(values, Mapping):
            found = ", ".join(sorted(groups))
            notes.refuse(f"/layer/{index}", f"no such group among {found:.80}", "0, 1, 2 ...")
            return ()
        layer = _layer(_Group(f"/layer/{index}", values, notes), index)
        if layer is not None:
            layers.append(layer)
    return tuple(layers)


def _step(group: Any, notes: Notes) -> float | None:
    """``Ts``, a number of milliseconds, in seconds."""
    if not isinstance(group, Mapping) or "Ts" not in group:
        return None
    value = group["Ts"]
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "iuf":
        seconds = float(value.reshape(-1)[0]) * 1e-3
        if 0 < seconds < np.inf:
            return seconds
    notes.refuse("/simulation/Ts", f"{value!r:.40}", "milliseconds above 0")
    return None


class _Group:
    """One group of a file; what is wrong in it is reported under its path."""

    def __init__(self, where: str, values: Mapping[str, Any], notes: Notes) -> None:
        self.where, self.values, self.notes = where, values, notes

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def group(self, name: str) -> _Group | None:
        """A group in it; None where there is none."""
        values = self.values.get(name)
        if isinstance(values, Mapping):
            return _Group(f"{self.where}/{name}", values, self.notes)
        return None

    def refuse(self, name: str, measured: str, allowed: str = "", fix: str = "") -> None:
        """Report a data set of it."""
        self.notes.refuse(f"{self.where}/{name}", measured, allowed, fix)

    def text(self, name: str) -> str:
        """A text, alone or the only one of an array; "" where there is none."""
        value = self.values.get(name)
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
        return value if isinstance(value, str) else ""

    def whole(self, name: str, default: int | None = None) -> Int:
        """Integers of any shape, whose fractions are cut off as lava-dl cuts them.

        Reported, and 0, where they are missing without a default, or are no finite numbers.
        """
        value = self.values.get(name, default)
        if value is None:
            self.refuse(name, "missing")
            return np.zeros((), dtype=np.int64)
        if not isinstance(value, (int, np.ndarray)) or np.asarray(value).dtype.kind not in "iufb":
            self.refuse(name, "no numbers", "numbers")
            return np.zeros((), dtype=np.int64)
        array = np.asarray(value)
        with np.errstate(invalid="ignore"):  # a signalling NaN
            exact = np.trunc(array) if array.dtype.kind == "f" else array
        if not np.all((exact >= -_WHOLE_MAX) & (exact <= _WHOLE_MAX)):  # NaN neither
            self.refuse(name, "numbers beyond 32 bits, or none", "finite numbers of 32 bits")
            return np.zeros(array.shape, dtype=np.int64)
        if cut := int((exact != array).sum()):
            self.notes.tell(
                "fractions_cut_off",
                f"{self.where}/{name}",
                f"{cut:,} of {array.size:,} values have fractions",
                "lava-dl's netx cuts them off",
                "let SLAYER's export write them, which rounds",
            )
        return exact.astype(np.int64)

    def number(self, name: str, default: int | None = None) -> int:
        """One integer, or the only one of an array."""
        value = self.whole(name, default)
        if value.size != 1:
            self.refuse(name, f"shape {value.shape}", "one number")
            return 0
        return int(value.reshape(-1)[0])

    def pair(self, name: str, default: int, low: int) -> tuple[int, int]:
        """A number for each axis of a picture, (vertical, horizontal)."""
        value = self.whole(name, default).reshape(-1)
        if value.size not in (1, 2) or not np.all((value >= low) & (value <= _GEOMETRY_MAX)):
            allowed = f"one or two numbers in {low}..{_GEOMETRY_MAX}"
            self.refuse(name, f"{value.tolist()!r:.40}", allowed)
            return max(default, low), max(default, low)
        vertical, horizontal = np.broadcast_to(value, 2).tolist()
        return vertical, horizontal

    def shape(self, name: str = "shape") -> tuple[int, ...]:
        """Sizes of 1 to 3 axes, all above 0."""
        value = self.whole(name).reshape(-1)
        if not 1 <= value.size <= 3 or value.min() < 1:
            self.refuse(name, f"{value.tolist()!r:.40}", "1 to 3 sizes above 0")
            return (1,)
        return tuple(value.tolist())

    def tell_unread(self, read: tuple[str, ...]) -> None:
        """Note what nobody reads."""
        unread = sorted(set(self.values) - set(read))
        if unread:
            self.notes.tell(
                "netx_unread",
                self.where,
                f"{', '.join(unread):.80}",
                "no part of the format: not read",
                severity="note",
            )


def _layer(group: _Group, index: int) -> Layer | None:
    kind = group.text("type")
    if kind not in TYPES:
        known = kind in UNSUPPORTED
        allowed = f"layers of type {', '.join(TYPES)}"
        fix = f"take the layers before it, num_layers={index}" if known and index else ""
        group.refuse("type", f"a layer of type {kind!r:.40}" if kind else "missing", allowed, fix)
        return None
    group.tell_unread(("type", "neuron", *TYPES[kind]))
    if kind == "flatten":
        return FlattenLayer(index)
    if kind == "input":
        return _input(group, index)
    if group.group("weight") is not None:
        group.refuse("weight", "complex weights", "real ones: RF neurons have no integers here")
        return None
    return _conv(group, index) if kind == "conv" else _dense(group, index, kind == "dense_rec")


def _input(group: _Group, index: int) -> InputLayer | None:
    if index:
        group.refuse("type", "an input behind other layers", "an input as layer 0")
        return None
    shape = group.shape() if "shape" in group else None
    if "neuron" not in group:
        return InputLayer(index, shape)
    if shape is None:
        group.refuse("shape", "missing", "the shape of its neurons")
    neuron = _neuron(group)
    if neuron is None:
        return None
    weight, bias = group.number("weight", 64), group.number("bias", 0)
    return InputLayer(index, shape, neuron, weight, bias)


def _neuron(group: _Group) -> NetxNeuron | None:
    """The neurons of a layer; None where they are reported."""
    neuron = group.group("neuron")
    if neuron is None:
        group.refuse("neuron", "missing", "a group of parameters")
        return None
    kind = neuron.text("type")
    if kind not in CUBA:
        neuron.refuse("type", f"{kind!r:.40}", f"{' or '.join(CUBA)}: current-based LIF")
        return None
    neuron.tell_unread((*_NEURON, *_OF_TRAINING))
    if np.any(neuron.whole("gradedSpike", 0)):
        fix = "train with graded_spike=False; lava-dl's netx would send plain spikes"
        neuron.refuse("gradedSpike", "spikes with payloads", "neurons that send plain spikes", fix)
    _tell_passed_over(neuron)
    fields = [neuron.whole(name) for name in ("iDecay", "vDecay", "vThMant")]
    return NetxNeuron(*fields)


def _tell_passed_over(neuron: _Group) -> None:
    """Findings of what lava-dl's netx reads over: refractory steps, exponents of weights."""
    steps = neuron.number("refDelay", 1)
    if steps > 1:
        neuron.notes.tell(
            "netx_refractory_ignored",
            f"{neuron.where}/refDelay",
            f"{steps}",
            "lava-dl's netx has no refractory steps, and none are taken here",
            f"set refractory={steps - 1} of the population where they are meant",
        )
    for name in ("wgtExp", "weight_exp"):
        if name in neuron and np.any(exponent := neuron.whole(name)):
            neuron.notes.tell(
                "netx_exponent_ignored",
                f"{neuron.where}/{name}",
                f"{exponent.reshape(-1).tolist()!r:.40}",
                "lava-dl's netx does not scale by it, and nothing here does",
                "",
            )


def _dense(group: _Group, index: int, recurrent: bool) -> DenseLayer | None:
    size = int(np.prod(group.shape(), dtype=object))
    weight = _rows(group, "weight", size)
    weight_rec = _rows(group, "weight_rec", size) if recurrent else None
    neuron = None
    if "neuron" in group:
        neuron = _neuron(group)
        if neuron is None:
            return None
    bias = group.whole("bias", 0)
    if weight is None or (recurrent and weight_rec is None):
        return None
    if bias.size != 1 and bias.shape != (size,):
        group.refuse("bias", f"shape {bias.shape}", f"() or ({size},)")
    if weight_rec is not None and weight_rec.shape != (size, size):
        group.refuse("weight_rec", f"shape {weight_rec.shape}", f"({size}, {size})")
        return None
    delay = _delay(group, weight.shape) if "delay" in group else None
    if delay is not None and weight_rec is not None and weight.shape != weight_rec.shape:
        group.refuse(
            "delay",
            f"delays of {weight.shape} weights, with {weight_rec.shape} recurrent ones",
            "as many inputs as neurons: lava-dl's netx takes the same delays for both",
        )
    return DenseLayer(index, weight, neuron, bias.reshape(-1), delay, weight_rec)


def _rows(group: _Group, name: str, size: int) -> Int | None:
    """Weights (size, n_in); one axis is cut into rows, as lava-dl does."""
    weight = group.whole(name)
    if weight.ndim == 1 and weight.size and weight.size % size == 0:
        weight = weight.reshape(size, -1)
    if weight.ndim != 2 or weight.shape[0] != size or not weight.size:
        group.refuse(name, f"shape {weight.shape}", f"({size}, inputs), as its shape says")
        return None
    return weight


def _delay(group: _Group, shape: tuple[int, ...]) -> Int | None:
    """Delays of every weight, as `create_dense` of lava-dl spreads them."""
    delay = group.whole("delay")
    if delay.size and delay.min() < 0:
        group.refuse("delay", f"{delay.min()}", "steps 0..62")
        return None
    if delay.size and delay.max() > 62:
        group.notes.tell(
            "netx_delays_clamped",
            f"{group.where}/delay",
            f"{int((delay > 62).sum()):,} delays up to {delay.max()} steps",
            "clamped to 62, as lava-dl's netx does",
        )
        delay = np.minimum(delay, 62)
    if delay.ndim == 1 and delay.size == shape[0]:  # of the neurons
        delay = delay.reshape(-1, 1)
    elif delay.ndim == 1 and delay.size == shape[1]:  # of the inputs
        delay = delay.reshape(1, -1)
    elif delay.ndim and delay.shape != shape:
        group.refuse("delay", f"shape {delay.shape}", f"(), ({shape[0]},), ({shape[1]},), {shape}")
        return None
    return np.broadcast_to(delay, shape)


def _conv(group: _Group, index: int) -> ConvLayer | None:
    neuron = _neuron(group)
    weight, shape = group.whole("weight"), group.shape()
    if weight.ndim == 5 and weight.shape[4] == 1:  # SLAYER's last axis is time
        weight = weight[..., 0]
    if weight.ndim != 4 or not weight.size:
        allowed = "(channels, channels in / groups, height, width)"
        group.refuse("weight", f"shape {weight.shape}", allowed)
        return None
    if len(shape) != 3 or shape[0] != weight.shape[0]:
        group.refuse("shape", f"{shape}", f"({weight.shape[0]}, height, width)")
        return None
    bias = group.whole("bias", 0)
    if bias.shape not in ((), (shape[0],)):
        group.refuse("bias", f"shape {bias.shape}", f"() or ({shape[0]},)")
    if "delay" in group and np.any(group.whole("delay")):
        group.notes.tell(
            "netx_delays_ignored",
            f"{group.where}/delay",
            "delays of a convolution",
            "lava-dl's netx has none there, and none are taken here",
            "train without delay=True in convolutions",
        )
    groups = group.number("groups", 1)
    if not 1 <= groups <= _GEOMETRY_MAX or weight.shape[0] % groups:
        group.refuse("groups", f"{groups}", f"a divisor of {weight.shape[0]} channels")
        return None
    if neuron is None:
        return None
    channels, height, width = shape
    return ConvLayer(
        index,
        (channels, height, width),
        weight,
        neuron,
        bias,
        stride=group.pair("stride", 1, 1),
        padding=group.pair("padding", 0, 0),
        dilation=group.pair("dilation", 1, 1),
        groups=groups,
    )
