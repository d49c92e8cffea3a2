"""What the host of a chip does around a program, in NumPy: events in, spikes and answers out.

It goes into a bundle as it is, and needs NumPy alone.

A **held input** is written onto biases by the host, since a chip has no such input. With the
payloads p that the channels hold::

    mantissa_i = clip(bias_mant_i + sum over parts of shift((W p)_i, weight_exp), -4096, 4095)

**Features** are made of spikes alone. Of a sample of T steps, or of a block of a run that goes on::

    rate_i = spikes_i / T
    trace_i = exp(-T / tau) trace_i + sum over its spikes of exp(-(T - 1 - step) / tau)

and a **readout** is one or more layers ``relu(f W1 + b1) W2 + b2``, to which a quadratic one adds
products of what it decodes: ``d = f D + c``, ``(d_i d_j) P`` for i <= j, row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import ArtifactError, SpecError

__all__ = [
    "BlockTraces",
    "Drive",
    "Events",
    "answers",
    "first_difference",
    "held_events",
    "load_arrays",
    "read_answers",
    "sample_features",
]

Int = NDArray[np.int32]
Floats = NDArray[np.float64]
_INT32 = (-(2**31), 2**31 - 1)
#: Bits of a bias mantissa, signed (``integer_format``).
_MANTISSA = (-(2**12), 2**12 - 1)


def load_arrays(path: Any) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz``; nothing is ever unpickled. Raises `ArtifactError`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except Exception as error:  # a zip can be damaged in many ways
        raise ArtifactError(f"{path}: not a readable .npz file ({error})") from error


@dataclass(frozen=True, eq=False)
class Events:
    """What the channels of an input send.

    Attributes:
        steps, channels: (E,) channel ``channels[k]`` sends in step ``steps[k]``, by step.
        values: (E,) payloads; None: plain spikes.
        n_steps, n_channels: extent.
    """

    steps: NDArray[np.int64]
    channels: NDArray[np.int64]
    values: NDArray[np.int64] | None
    n_steps: int
    n_channels: int

    @classmethod
    def load(cls, path: Any) -> Events:
        """Events of a file with ``steps``, ``neurons``, ``n_steps``, ``n_neurons``, ``payloads``.

        Raises:
            ArtifactError: it cannot be read, or holds no such events.
        """
        arrays = load_arrays(path)
        try:
            n_steps, n_channels = (int(arrays[k].reshape(())) for k in ("n_steps", "n_neurons"))
            steps, channels = arrays["steps"], arrays["neurons"]
        except (KeyError, ValueError, TypeError) as error:
            raise ArtifactError(f"{path}: no input; missing or wrong: {error}") from error
        payloads = arrays.get("payloads")
        return cls.of(n_steps, n_channels, steps, channels, payloads, str(path))

    @classmethod
    def of(
        cls,
        n_steps: int,
        n_channels: int,
        steps: ArrayLike,
        channels: ArrayLike,
        values: ArrayLike | None = None,
        where: str = "events",
    ) -> Events:
        """Events in any order; raises `ArtifactError` where they contradict each other."""
        lists = [np.asarray(a) for a in (steps, channels, *(() if values is None else (values,)))]
        if any(a.ndim != 1 or a.shape != lists[0].shape or a.dtype.kind not in "iu" for a in lists):
            raise ArtifactError(f"{where}: lists of integers, of one length; found others")
        at, who, *more = (a.astype(np.int64) for a in lists)
        for name, a, end in (("steps", at, n_steps), ("channels", who, n_channels)):
            if a.size and not (a.min() >= 0 and a.max() < end):
                raise ArtifactError(f"{where}: {name} {a.min()}..{a.max()}; allowed: 0..{end - 1}")
        order = np.lexsort((who, at))
        at, who = at[order], who[order]
        if np.any((np.diff(at) == 0) & (np.diff(who) == 0)):
            raise ArtifactError(f"{where}: a channel sends more than one event in a step")
        payloads = more[0][order] if more else None
        low, high = _INT32
        if payloads is not None and np.any((payloads < low) | (payloads > high)):
            raise ArtifactError(f"{where}: payloads beyond 32 bits")
        return cls(at, who, payloads, n_steps, n_channels)

    def in_counts(self, units: NDArray[np.integer[Any]]) -> Events:
        """With the payload that a plain spike has on each channel, (n_channels,): its 1.0.

        Raises:
            SpecError: a plain spike on a channel on which 1.0 is less than half a count.
        """
        if self.values is not None:
            return self
        values = units.astype(np.int64)[self.channels]
        if values.size and not values.all():
            channel = int(self.channels[values == 0][0])
            raise SpecError(f"a spike without payload on channel {channel}, whose scale has none")
        return Events(self.steps, self.channels, values, self.n_steps, self.n_channels)


def held_events(values: ArrayLike, steps_per_sample: int, scale: float) -> Events:
    """Values (n_samples, n_channels) to hold for some steps each, as payloads ``rint(x scale)``."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise SpecError(f"values: shape {array.shape}; allowed: finite, (n_samples, n_channels)")
    payloads = np.rint(array * scale)
    n_samples, n_channels = array.shape
    steps = np.repeat(np.arange(n_samples) * steps_per_sample, n_channels)
    channels = np.tile(np.arange(n_channels), n_samples)
    extent = (n_samples * steps_per_sample, n_channels)
    return Events.of(*extent, steps, channels, payloads.ravel().astype(np.int64))


@dataclass(frozen=True, eq=False)
class Drive:
    """Held inputs: what a part adds to the mantissas of some neurons.

    Attributes:
        rows, columns, weights: (S,) of a part: neuron (global), channel, weight.
        weight_exp: of the part.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    weights: NDArray[np.int64]
    weight_exp: int

    @staticmethod
    def mantissas(
        parts: Sequence[Drive], bias: NDArray[np.integer[Any]], events: Events, steps: int
    ) -> tuple[NDArray[np.int64], Int]:
        """Bias mantissas of a run from rest.

        Args:
            parts: all held inputs.
            bias: (n_neurons,) `bias_mant`.
            events: with payloads.
            steps: of the run.

        Returns:
            (K,) steps and (K, n_neurons) rows, each of which holds from its step on.
        """
        inside = events.steps < steps
        times, channels = events.steps[inside], events.channels[inside]
        values = np.ones(times.size, np.int64) if events.values is None else events.values[inside]
        change = np.unique(times) if parts else times[:0]
        held = np.zeros(events.n_channels, dtype=np.int64)
        rows = np.empty((change.size, bias.size), dtype=np.int32)
        for k, step in enumerate(change):
            now = slice(*np.searchsorted(times, (step, step + 1)))
            held[channels[now]] = values[now]
            total = bias.astype(np.int64)
            for part in parts:
                sums = np.zeros(bias.size, dtype=np.int64)
                np.add.at(sums, part.rows, part.weights * held[part.columns])
                e = part.weight_exp
                total = total + (sums << e if e >= 0 else sums >> -e)
            rows[k] = np.clip(total, *_MANTISSA)
        return change, rows


def first_difference(
    expected: tuple[ArrayLike, ArrayLike], measured: tuple[ArrayLike, ArrayLike], n_neurons: int
) -> tuple[int, int, bool] | None:
    """The first spike, by step and neuron, that only one of two runs has.

    Args:
        expected, measured: steps and neurons of all spikes.
        n_neurons: in all.

    Returns:
        Step, neuron, and whether the spike was expected; None where both are the same.
    """
    keys = [
        np.unique(np.asarray(at, np.int64) * n_neurons + np.asarray(who, np.int64))
        for at, who in (expected, measured)
    ]
    apart = np.setxor1d(*keys)
    if not apart.size:
        return None
    step, neuron = divmod(int(apart[0]), n_neurons)
    return step, neuron, bool(np.isin(apart[0], keys[0]))


class BlockTraces:
    """Features of a run that goes on: traces brought forward one block at a time, and squares.

    Args:
        n_neurons: of the network.
        steps: of a block.
        trace_samples: time constants of the traces, in blocks.
        squared: indices of the traces that enter squared, too.
    """

    def __init__(
        self, n_neurons: int, steps: int, trace_samples: Sequence[float], squared: Sequence[int]
    ) -> None:
        taus = steps * np.asarray(trace_samples, dtype=np.float64)
        ages = np.arange(steps - 1, -1, -1)
        self._kept = np.exp(-steps / taus)
        self._worth = np.exp(-ages[None, :] / taus[:, None])
        self._squared, self._n_neurons = list(squared), n_neurons
        self._traces = np.zeros((len(taus), n_neurons))

    @property
    def n_features(self) -> int:
        """Length of the feature vector."""
        return self._n_neurons * (len(self._traces) + len(self._squared))

    def update(self, spike_steps: ArrayLike, spike_neurons: ArrayLike) -> Floats:
        """Features at the end of a block, (n_features,); its steps count from its own start."""
        at, who = np.asarray(spike_steps, np.int64), np.asarray(spike_neurons, np.int64)
        for k, worth in enumerate(self._worth):
            self._traces[k] *= self._kept[k]
            self._traces[k] += np.bincount(who, weights=worth[at], minlength=self._n_neurons)
        return np.concatenate([self._traces.ravel(), (self._traces[self._squared] ** 2).ravel()])


def sample_features(
    spike_steps: ArrayLike,
    spike_neurons: ArrayLike,
    n_steps: int,
    n_neurons: int,
    trace_steps: Sequence[float] = (),
    first: str | None = "rates",
) -> Floats:
    """Features of one sample, (n_features,).

    Args:
        spike_steps, spike_neurons: its spikes; steps count from its own start.
        n_steps: its length.
        n_neurons: of the network.
        trace_steps: time constants of the traces, in steps.
        first: what stands before the traces: "rates" (spikes a step), "counts", or None.
    """
    at, who = np.asarray(spike_steps, np.int64), np.asarray(spike_neurons, np.int64)
    counts = np.bincount(who, minlength=n_neurons).astype(np.float64)
    parts: list[NDArray[Any]] = []
    if first is not None:
        parts.append(counts / n_steps if first == "rates" else counts)
    for tau in trace_steps:
        worth = np.exp(-(n_steps - 1 - at) / tau)
        parts.append(np.bincount(who, weights=worth, minlength=n_neurons))
    return np.concatenate(parts)


def answers(readout: Mapping[str, NDArray[Any]], features: Floats) -> Floats:
    """What a readout says of features (..., n_features), from its arrays in ``readout.npz``."""
    values = features[..., readout["features"]] if "features" in readout else features
    values = values @ readout["weights"] + readout["offset"]
    layer = 2
    while f"weights_{layer}" in readout:
        values = np.maximum(values, 0.0) @ readout[f"weights_{layer}"] + readout[f"offset_{layer}"]
        layer += 1
    if "product_weights" in readout:
        decoded = features @ readout["decoder_weights"] + readout["decoder_offset"]
        i, j = np.triu_indices(decoded.shape[-1])
        values = values + (decoded[..., i] * decoded[..., j]) @ readout["product_weights"]
    result: Floats = values
    return result


def read_answers(
    readout: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], trace: Mapping[str, Any]
) -> Floats:
    """What the readout of a bundle says of a run, (n_samples, n_answers).

    Args:
        readout: ``readout`` of the manifest. A readout of blocks answers after each of them; one of
            samples takes the whole run for one.
        arrays: of ``readout.npz``.
        trace: ``spike_steps``, ``spike_neurons``, ``n_steps``, ``n_neurons`` of the run.

    Raises:
        SpecError: the manifest does not say what features it reads.
    """
    form = readout.get("features")
    if form is None:
        raise SpecError("the bundle does not say which features its readout reads")
    at, who = trace["spike_steps"], trace["spike_neurons"]
    n_steps, n_neurons = int(trace["n_steps"]), int(trace["n_neurons"])
    if form["kind"] == "sample":
        taus, first = form["trace_steps"], form["first"]
        return answers(arrays, sample_features(at, who, n_steps, n_neurons, taus, first))[None]
    steps, rows = int(form["steps"]), []
    traces = BlockTraces(n_neurons, steps, form["trace_samples"], form["squared"])
    for start in range(0, n_steps - steps + 1, steps):
        inside = slice(*np.searchsorted(at, (start, start + steps)))
        rows.append(traces.update(at[inside] - start, who[inside]))
    width = traces.n_features
    return answers(arrays, np.array(rows).reshape(len(rows), width))
