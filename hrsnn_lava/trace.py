"""What goes into a run and what comes out: input events and traces, and their ``.npz`` files.

Steps count from 0; step 0 is Lava's time step 1. Neurons are indexed globally: over the
populations of neurons in a trace, over the input populations in an input.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.artifacts.container import parse_npy
from hrsnn_lava.artifacts.files import atomic_write, zip_member_sizes
from hrsnn_lava.errors import ArtifactError, Problem, SpecError, raise_if
from hrsnn_lava.integer_format import INT32

Int = NDArray[np.int32]
#: Arrays of a trace with counts by step, of the run as a whole.
UPDATES = ("active_updates", "membrane_updates")
#: Largest total size of the arrays of one input or trace file that is read, in bytes.
MAX_FILE_BYTES = 8 * 2**30


def _int32(values: ArrayLike) -> Int:
    array = np.ascontiguousarray(values)
    if array.size and array.dtype.kind not in "iub":
        raise SpecError(f"integers expected, found {array.dtype}")
    if array.size and (array.min() < INT32[0] or array.max() > INT32[1]):
        span = f"{array.min()}..{array.max()}"
        raise SpecError(f"integers of 32 bits expected, found {span}")  # a cast would wrap them
    return array.astype(np.int32)


@dataclass(frozen=True, eq=False)
class SpikeInput:
    """Events for the input populations, sorted by step, then channel.

    Attributes:
        steps, neurons: (E,) int32: channel `neurons[k]` sends in step `steps[k]`.
        n_steps, n_neurons: extent of the recording.
        payloads: (E,) int32 for graded input (counted as MACs, not SOPs), or None.
        samples: (n,) int32, rising: the step in which each sample of a data set begins, or None.

    Raises:
        SpecError: lengths differ, an index is out of range, or an event occurs twice.
    """

    steps: Int
    neurons: Int
    n_steps: int
    n_neurons: int
    payloads: Int | None = None
    samples: Int | None = None

    def __post_init__(self) -> None:
        steps, neurons = _int32(self.steps), _int32(self.neurons)
        payloads = None if self.payloads is None else _int32(self.payloads)
        problems = []
        if not (steps.ndim == 1 and steps.shape == neurons.shape):
            problems.append(Problem("neurons", f"shape {neurons.shape}", f"as steps {steps.shape}"))
        elif payloads is not None and payloads.shape != steps.shape:
            problems.append(
                Problem("payloads", f"shape {payloads.shape}", f"as steps {steps.shape}")
            )
        for name, values, limit in (
            ("steps", steps, self.n_steps),
            ("neurons", neurons, self.n_neurons),
        ):
            if values.size and (values.min() < 0 or values.max() >= limit):
                found = f"{values.min()}..{values.max()}"
                problems.append(Problem(name, found, f"0..{limit - 1} (n_{name})"))
        starts = None if self.samples is None else _int32(self.samples)
        if starts is not None and not _rising(starts, self.n_steps):
            problems.append(Problem("samples", f"{starts!r:.60}", f"rising, 0..{self.n_steps - 1}"))
        raise_if(SpecError, "the input events are not valid", problems)
        object.__setattr__(self, "samples", starts)
        order = np.lexsort((neurons, steps))
        steps, neurons = steps[order], neurons[order]
        if np.any((np.diff(steps) == 0) & (np.diff(neurons) == 0)):
            raise SpecError("a channel sends more than one event in a step; send one")
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "neurons", neurons)
        if payloads is not None:
            object.__setattr__(self, "payloads", payloads[order])

    def payload_values(self) -> Int:
        """The payloads, 1 for every event without one, (E,) int32."""
        return np.ones(self.steps.size, np.int32) if self.payloads is None else self.payloads

    @classmethod
    def empty(cls, n_steps: int, n_neurons: int) -> SpikeInput:
        """No event at all."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.int32), n_steps, n_neurons)

    @classmethod
    def held(cls, values: ArrayLike, steps_per_sample: int) -> SpikeInput:
        """Integer samples (n_samples, n_channels), each held for `steps_per_sample` steps.

        One event a sample and channel: a held value is sent once, when it changes.
        """
        payloads = np.asarray(values, dtype=np.int32)
        n_samples, n_channels = payloads.shape
        steps = np.repeat(np.arange(n_samples, dtype=np.int32) * steps_per_sample, n_channels)
        neurons = np.tile(np.arange(n_channels, dtype=np.int32), n_samples)
        return cls(steps, neurons, n_samples * steps_per_sample, n_channels, payloads.ravel())

    def save(self, path: Any) -> None:
        """Write the documented ``.npz``."""
        arrays: dict[str, Any] = {"steps": self.steps, "neurons": self.neurons}
        arrays |= {"n_steps": np.int64(self.n_steps), "n_neurons": np.int64(self.n_neurons)}
        for name in ("payloads", "samples"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        save_npz(path, arrays)

    @classmethod
    def load(cls, path: Any) -> SpikeInput:
        """Read an input file.

        Raises:
            ArtifactError: no such file, no ``.npz``, an array is missing, or the events are wrong.
        """
        arrays = load_npz(path, required=("steps", "neurons", "n_steps", "n_neurons"))
        try:
            return cls(
                arrays["steps"],
                arrays["neurons"],
                int(arrays["n_steps"]),
                int(arrays["n_neurons"]),
                arrays.get("payloads"),
                arrays.get("samples"),
            )
        except (SpecError, TypeError, ValueError) as error:
            problems = getattr(error, "problems", ())
            text = getattr(error, "message", str(error))
            raise ArtifactError(f"{path}: {text}", problems=problems) from error


def _rising(starts: Int, n_steps: int) -> bool:
    """Whether these are first steps of samples, one after the other."""
    inside = starts.ndim == 1 and starts.size > 0 and starts[0] >= 0 and starts[-1] < n_steps
    return bool(inside and (np.diff(starts) > 0).all())


@dataclass(frozen=True, eq=False)
class Trace:
    """What a run did.

    Attributes:
        spike_steps, spike_neurons: (S,) int32, sorted by step, then neuron.
        n_steps, n_neurons: extent.
        v, u: state after every step, (n_steps, n_neurons) int32 (float64 for a float run), when
            probed. `v` is read after the reset, so it is 0 where a spike was sent.
        weights: learned weights by projection name, when there are any.
        inputs: what drove the run, when known; counts of synaptic operations need it.
        traces: spike traces of learning projections after the last step, int32 by
            ``PROJECTION/x1`` .. ``PROJECTION/y3``; x has one value a presynaptic neuron, y one a
            postsynaptic one. With several profiles each has its own, ``PROJECTION/x1/PROFILE``;
            profiles that no synapse follows have none. Kept are the traces that a rule reads, and
            x1 where payloads make it overflow, since nothing else depends on them.
        active_updates: (n_steps,) int32, neurons that had something to update in every step, when
            the backend counted them; see `hrsnn_lava.compiler.analysis.operations.activity`.
        membrane_updates: (n_steps,) int32, neurons whose potential changed, before it was reset.

    A trace is what Lava's learning connection holds in its Var of that name. After the last step
    of an epoch that is the trace in that step: decayed, impulses added. Within an epoch it is the
    value from the end of the epoch before (0 in the first one); of what came since, only the
    impulse of a neuron's second and later spikes is in it, and what payloads do to x1 at once.
    Lava decays traces, and adds the impulse of the spike it has noted, when the epoch ends.
    """

    spike_steps: Int
    spike_neurons: Int
    n_steps: int
    n_neurons: int
    v: NDArray[Any] | None = None
    u: NDArray[Any] | None = None
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    inputs: SpikeInput | None = None
    traces: Mapping[str, Int] = field(default_factory=dict)
    active_updates: Int | None = None
    membrane_updates: Int | None = None

    @property
    def n_spikes(self) -> int:
        """Number of spikes of all neurons."""
        return int(self.spike_steps.size)

    def counts(self) -> NDArray[np.int64]:
        """Spikes of each neuron, (n_neurons,)."""
        return np.bincount(self.spike_neurons, minlength=self.n_neurons)

    def _repr_html_(self) -> str:
        """Steps and spikes, for a notebook."""
        from hrsnn_lava.notebook import card

        slots = self.n_steps * self.n_neurons
        share = f"{100 * self.n_spikes / slots:.3g} % of all neuron steps" if slots else ""
        figures = [
            ("steps", f"{self.n_steps:,}", ""),
            ("neurons", f"{self.n_neurons:,}", ""),
            ("spikes", f"{self.n_spikes:,}", share),
        ]
        return card("Trace", "of a run", figures)

    def save(self, path: Any) -> None:
        """Write the documented ``.npz``; the input goes along as ``input/...``."""
        arrays: dict[str, Any] = {
            "spike_steps": self.spike_steps,
            "spike_neurons": self.spike_neurons,
            "n_steps": np.int64(self.n_steps),
            "n_neurons": np.int64(self.n_neurons),
        }
        known = {name: getattr(self, name) for name in ("v", "u", *UPDATES)}
        arrays |= {name: a for name, a in known.items() if a is not None}
        arrays |= {f"weights/{name}": a for name, a in self.weights.items()}
        arrays |= {f"traces/{name}": a for name, a in self.traces.items()}
        if self.inputs is not None:
            arrays |= {
                "input/steps": self.inputs.steps,
                "input/neurons": self.inputs.neurons,
                "input/n_steps": np.int64(self.inputs.n_steps),
                "input/n_neurons": np.int64(self.inputs.n_neurons),
            }
            for name in ("payloads", "samples"):
                if getattr(self.inputs, name) is not None:
                    arrays[f"input/{name}"] = getattr(self.inputs, name)
        save_npz(path, arrays)

    @classmethod
    def load(cls, path: Any) -> Trace:
        """Read a trace file; raises `ArtifactError`."""
        arrays = load_npz(path, required=("spike_steps", "spike_neurons", "n_steps", "n_neurons"))
        inputs = None
        try:
            if "input/steps" in arrays:
                inputs = SpikeInput(
                    arrays["input/steps"],
                    arrays["input/neurons"],
                    int(arrays["input/n_steps"]),
                    int(arrays["input/n_neurons"]),
                    arrays.get("input/payloads"),
                    arrays.get("input/samples"),
                )
            steps, neurons = _int32(arrays["spike_steps"]), _int32(arrays["spike_neurons"])
            n_steps, n_neurons = int(arrays["n_steps"]), int(arrays["n_neurons"])
        except (SpecError, TypeError, ValueError, KeyError) as error:
            raise ArtifactError(f"{path}: not a trace: {error}") from error
        if steps.shape != neurons.shape or (
            steps.size
            and (
                min(steps.min(), neurons.min()) < 0
                or steps.max() >= n_steps
                or neurons.max() >= n_neurons
            )
        ):
            raise ArtifactError(f"{path}: spikes outside the trace's {n_steps} x {n_neurons}")
        weights, traces = (below(arrays, f"{kind}/") for kind in ("weights", "traces"))
        v, u = arrays.get("v"), arrays.get("u")
        updates = [_updates(path, arrays, name, n_steps) for name in UPDATES]
        return cls(steps, neurons, n_steps, n_neurons, v, u, weights, inputs, traces, *updates)


def _updates(path: Any, arrays: Mapping[str, Any], name: str, n_steps: int) -> Int | None:
    """Counts by step of a trace file, checked; None when it has none."""
    found = arrays.get(name)
    if found is not None and (found.dtype.kind not in "iu" or found.shape != (n_steps,)):
        shape = f"{found.dtype} {found.shape}"
        raise ArtifactError(f"{path}: {name}: {shape}; allowed: integers ({n_steps},)")
    return None if found is None else found.astype(np.int32)


def below(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def split_trace(key: str) -> tuple[str, str, int | None]:
    """Projection, trace and profile (None without one) of a key of `Trace.traces`."""
    head, _, tail = key.rpartition("/")
    if not tail.isdecimal():
        return head, tail, None
    projection, _, name = head.rpartition("/")
    return projection, name, int(tail)


def save_npz(path: Any, arrays: Mapping[str, Any]) -> None:
    """Write arrays as a compressed ``.npz``, whole or not at all."""
    with atomic_write(path) as handle:
        np.savez_compressed(handle, **dict(arrays))


def load_npz(path: Any, required: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Read an ``.npz`` without pickles, its size checked before anything is allocated.

    Raises:
        ArtifactError: missing, damaged, too large, or without a `required` array.
    """
    where = Path(os.fspath(path))
    try:
        total = sum(zip_member_sizes(where).values())
        if total > MAX_FILE_BYTES:
            raise ArtifactError(f"{where}: {total} bytes unpacked; allowed: {MAX_FILE_BYTES}")
        with zipfile.ZipFile(where) as archive:
            names = {n.removesuffix(".npy"): n for n in archive.namelist() if n.endswith(".npy")}
            missing = [name for name in required if name not in names]
            if missing:
                found = ", ".join(names) or "no array"
                raise ArtifactError(f"{where}: missing {', '.join(missing)}; found: {found}")
            return {
                name: parse_npy(f"{where}: {name}", archive.read(member))
                for name, member in names.items()
            }
    except FileNotFoundError:
        raise ArtifactError(f"{where}: no such file") from None
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ArtifactError(f"{where}: not a readable .npz file ({error})") from error
