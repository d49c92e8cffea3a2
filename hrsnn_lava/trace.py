"""What goes into a run and what comes out: input events and traces.

Steps count from 0; step 0 is Lava's time step 1. Neurons are indexed globally: over the
populations of neurons in a trace, over the input populations in an input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.artifacts.container import Saved
from hrsnn_lava.dense import MAX_BYTES, Duplicates, dense, events_of, merged
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.fields import (
    locked,
    plain_array,
    real_values,
    refusal,
    whole_array,
    whole_number,
    whole_values,
)
from hrsnn_lava.findings import Finding
from hrsnn_lava.integer_format import INT32, POTENTIAL_MAX
from hrsnn_lava.notebook import brief, card

Int = NDArray[np.int32]
#: Arrays of a trace with states of neurons after every step.
STATES = ("v", "u")
#: Arrays of a trace with counts by step, of the run as a whole.
UPDATES = ("active_updates", "membrane_updates")
#: Arrays of a trace with counts by neuron, of the run as a whole.
LOSSES = ("wraps", "saturations")


#: Extents: the last step and the last neuron have an index of 32 bits.
EXTENT = (0, INT32[1] + 1)
_DIGEST = re.compile("[0-9a-f]{64}")
#: What to do with values that are no integers.
_SCALE = "multiply by the input's payload_scale, and round"


def _integers(where: str, values: Any, fix: str = "") -> Int:
    return whole_values(where, values, floats=False, fix=fix, error=SpecError)


def _counts_or_states(
    name: str, value: Any, shape: tuple[int, ...], limits: tuple[int, int]
) -> NDArray[Any]:
    """An array of a trace that nobody can write to: integers of a shape within limits, or states
    of a float run."""
    dtype = getattr(value, "dtype", None)
    if name in STATES and dtype == np.float64 and np.shape(value) == shape:
        states = real_values(name, value, error=SpecError)
        if not np.isfinite(states).all():
            raise refusal(name, "not all finite", "finite numbers", error=SpecError)
        return states
    array = whole_array(name, value, shape, limits, SpecError)
    return locked(array.astype(np.int64)) if name in LOSSES else array


def _extent(where: str, value: Any) -> int:
    return whole_number(where, value, EXTENT, floats=True, error=SpecError)


def _index_problems(
    places: tuple[tuple[str, Int, int], tuple[str, Int, int]],
) -> list[Problem]:
    """Lists of steps and neurons that do not belong together, or lead out of their extent."""
    (first, steps, _), (second, neurons, _) = places
    if steps.ndim != 1 or steps.shape != neurons.shape:
        allowed = f"as {first} {steps.shape}, one-dimensional"
        return [Problem(second, f"shape {neurons.shape}", allowed)]
    problems = []
    for name, values, limit in places:
        if values.size and (values.min() < 0 or values.max() >= limit):
            measured = f"{values.min()}..{values.max()}"
            extent = "n_steps" if name == first else "n_neurons"
            problems.append(Problem(name, measured, f"0..{limit - 1} ({extent})"))
    return problems


def _sorted(steps: Int, neurons: Int, n_neurons: int) -> bool:
    """Whether events are by step, then neuron, and none occurs twice."""
    if steps.size < 2:
        return True
    keys = steps.astype(np.int64) * n_neurons + neurons
    return bool((keys[1:] > keys[:-1]).all())


@brief("n_steps", "n_neurons", "events=steps.size", "payloads")
@dataclass(frozen=True, eq=False)
class SpikeInput(Saved):
    """Events for the input populations, sorted by step, then channel; saved as ``.npz``.

    Attributes:
        steps, neurons: (E,) int32: channel `neurons[k]` sends in step `steps[k]`.
        n_steps, n_neurons: extent of the recording.
        payloads: (E,) int32 for graded input (counted as MACs, not SOPs), or None.
        samples: (n,) int32, rising: the step in which each sample of a data set begins, or None.

    Raises:
        SpecError: lengths differ, an index is out of range, or an event occurs twice.
    """

    stage: ClassVar[str] = "input"

    steps: Int
    neurons: Int
    n_steps: int
    n_neurons: int
    payloads: Int | None = None
    samples: Int | None = None

    def __post_init__(self) -> None:
        steps, neurons = _integers("steps", self.steps), _integers("neurons", self.neurons)
        payloads = None if self.payloads is None else _integers("payloads", self.payloads, _SCALE)
        for name in ("n_steps", "n_neurons"):
            object.__setattr__(self, name, _extent(name, getattr(self, name)))
        places = (("steps", steps, self.n_steps), ("neurons", neurons, self.n_neurons))
        problems = _index_problems(places)
        if payloads is not None and payloads.shape != steps.shape:
            allowed = f"as steps {steps.shape}"
            problems.append(Problem("payloads", f"shape {payloads.shape}", allowed))
        starts = None if self.samples is None else _integers("samples", self.samples)
        if starts is not None and not _rising(starts, self.n_steps):
            problems.append(Problem("samples", f"{starts!r:.60}", f"rising, 0..{self.n_steps - 1}"))
        raise_if(SpecError, "the input events are not valid", problems)
        if not _sorted(steps, neurons, self.n_neurons):
            order = np.lexsort((neurons, steps))
            steps, neurons = locked(steps[order]), locked(neurons[order])
            payloads = None if payloads is None else locked(payloads[order])
            if not _sorted(steps, neurons, self.n_neurons):
                raise SpecError("a channel sends more than one event in a step; send one")
        arrays = {"steps": steps, "neurons": neurons, "payloads": payloads, "samples": starts}
        for name, array in arrays.items():
            object.__setattr__(self, name, array)

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

        What `numpy.rint` gives are integers, too.

        One event a sample and channel: a held value is sent once, when it changes.

        Raises:
            SpecError: `values` are no integers of 32 bits in two dimensions, or the recording
                would be longer than 2^31 steps.
        """
        array = plain_array("values", values, "integers of 32 bits", SpecError)
        if array.dtype.kind == "f" and not np.all(array == np.trunc(array)):
            raise SpecError(f"values: integers expected, found {array.dtype}; {_SCALE}")
        payloads = whole_values("values", array, fix=_SCALE, error=SpecError)
        if payloads.ndim != 2:
            raise SpecError(f"values: shape {payloads.shape}; allowed: (n_samples, n_channels)")
        n_samples, n_channels = payloads.shape
        longest = (1, EXTENT[1] // max(n_samples, 1))
        steps_per_sample = whole_number(
            "steps_per_sample", steps_per_sample, longest, floats=True, error=SpecError
        )
        steps = np.repeat(np.arange(n_samples, dtype=np.int32) * steps_per_sample, n_channels)
        neurons = np.tile(np.arange(n_channels, dtype=np.int32), n_samples)
        return cls(steps, neurons, n_samples * steps_per_sample, n_channels, payloads.ravel())

    def held_values(
        self, steps: int, start: NDArray[np.integer[Any]] | None = None
    ) -> tuple[Int, NDArray[np.int64]]:
        """Payloads as analog inputs take them: every value is held until its channel's next one.

        Args:
            steps: of the run; later events are left out.
            start: (n_neurons,) what the channels hold from before, for a run that goes on; then
                row 0 holds from step 0 on. None: all are 0 until something is sent.

        Returns:
            change_steps (K,) int32, rising, and values (K, n_neurons): row k holds from
            ``change_steps[k]`` on.
        """
        inside = self.steps < steps
        times, channels = self.steps[inside], self.neurons[inside]
        payloads = self.payload_values()[inside]
        change = np.unique(times if start is None else np.append(np.int32(0), times))
        ends = np.searchsorted(times, change, side="right")
        values = np.zeros((change.size, self.n_neurons), dtype=np.int64)
        current = np.zeros(self.n_neurons, dtype=np.int64) if start is None else start.copy()
        for row, first, end in zip(values, np.append(0, ends)[:-1], ends, strict=True):
            current[channels[first:end]] = payloads[first:end]
            row[:] = current
        return change.astype(np.int32), values

    @classmethod
    def from_dense(cls, array: ArrayLike, graded: bool | None = None) -> SpikeInput:
        """The events of an array (n_steps, n_channels): 0 is none, 1 a spike.

        Args:
            array: booleans, 0 and 1, or integers, which are sent as payloads; whole floats, too.
            graded: whether events have payloads; None: where some value is neither 0 nor 1.

        Raises:
            SpecError: it is no such array.
        """
        events, extent = events_of(array, graded)
        return cls(events.steps, events.neurons, *extent, events.payloads)

    @classmethod
    def from_events(
        cls,
        steps: ArrayLike,
        channels: ArrayLike,
        *,
        n_steps: int,
        n_neurons: int,
        payloads: ArrayLike | None = None,
        duplicates: Duplicates = "error",
    ) -> SpikeInput:
        """Events in any order, ``channels[k]`` sends in ``steps[k]``; whole floats, too.

        Args:
            steps, channels: (E,) each. payloads: (E,), or None for plain spikes.
            n_steps, n_neurons: extent of the recording; `n_neurons` is the number of channels.
            duplicates: of a channel in a step: ``error``; ``once``, one event with the first
                payload; ``sum``, one event with the sum of the payloads.

        Raises:
            SpecError: lengths differ, an index leads out of the extent, an event occurs twice.
        """
        events = merged(steps, channels, payloads, duplicates)
        return cls(events.steps, events.neurons, n_steps, n_neurons, events.payloads)

    def dense(self, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
        """What each channel sends in each step, (n_steps, n_neurons): booleans, or int32 payloads.

        Raises:
            SpecError: the array would have more than `max_bytes`, 1 GiB by default.
        """
        places, shape = (self.steps, self.neurons), (self.n_steps, self.n_neurons)
        values: Any = True if self.payloads is None else self.payloads
        return dense("input", places, shape, values, max_bytes)


def _rising(starts: Int, n_steps: int) -> bool:
    """Whether these are first steps of samples, one after the other."""
    inside = starts.ndim == 1 and starts.size > 0 and starts[0] >= 0 and starts[-1] < n_steps
    return bool(inside and (np.diff(starts) > 0).all())


@brief("digest", in_cells=False)
class Origin:
    """Which integer network ran. Its digest is worked out when somebody asks for it: that takes
    as long as a short run, and most traces are read beside the very object that ran.

    Args:
        network: that ran.
        digest: SHA-256 of it, where the network is not at hand.

    Raises:
        SpecError: `digest` is none.
    """

    __slots__ = ("_digest", "_network")

    def __init__(self, network: Saved | None = None, digest: str | None = None) -> None:
        if network is None and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
            raise SpecError(f"network_digest: {digest!r:.80}; allowed: 64 hexadecimal digits")
        self._network, self._digest = network, digest

    @property
    def network(self) -> Any:
        """The network itself; None where only its digest is known."""
        return self._network

    @property
    def digest(self) -> str:
        """SHA-256 of the network."""
        return self._digest or self._network.digest  # type: ignore[union-attr] # one is there

    def is_of(self, network: Saved) -> bool:
        """Whether it is this network, one made of the same parts, or one equal to it."""
        if self._network is network:
            return True
        if self._network is not None and _same_parts(self._network, network):
            return True
        return self.digest == network.digest

    def __reduce__(self) -> tuple[type[Origin], tuple[None, str]]:
        return Origin, (None, self.digest)  # a trace goes to other processes without its network


def _same_parts(first: Any, second: Any) -> bool:
    """Whether two networks differ in their titles alone, which nothing that runs depends on."""
    parts = [(*network.populations, *network.projections) for network in (first, second)]
    same = len(parts[0]) == len(parts[1]) and all(a is b for a, b in zip(*parts, strict=True))
    return same and first.dt == second.dt


@brief("n_steps", "n_neurons", "n_spikes", "v", "u", "weights")
@dataclass(frozen=True, eq=False)
class Trace(Saved):
    """What a run did; saved as ``.npz``.

    Attributes:
        spike_steps, spike_neurons: (S,) int32, sorted by step, then neuron.
        n_steps, n_neurons: extent.
        v, u: state after every step, (n_steps, n_neurons) int32 (float64 for a float run), when
            probed. `v` is read after the reset, so it is 0 where a spike was sent and reset to 0.
        weights: learned weights by projection name, when there are any.
        inputs: what drove the run, when known; counts of synaptic operations need it.
        traces: spike traces of learning projections after the last step, int32 by
            ``PROJECTION/x1`` .. ``PROJECTION/y3``; x has one value a presynaptic neuron, y one a
            postsynaptic one. With several profiles each has its own, ``PROJECTION/x1/PROFILE``;
            profiles that no synapse follows have none. Kept are the traces that a rule reads, and
            x1 where payloads make it overflow, since nothing else depends on them.
        active_updates: (n_steps,) int32, neurons that had something to update in every step, when
            the backend counted them; see `hrsnn_lava.compiler.analysis.operations.activity`.
        membrane_updates: (n_steps,) int32, neurons whose potential changed, or that sent a spike.
        wraps: (n_neurons,) int64, how often each current left its 24 bits and wrapped; None when
            not known.
        saturations: (n_neurons,) int64, in how many steps each potential was at its lower end,
            or, where a reset subtracts, was clipped at its upper one.
        findings: what a user has to know of the run; not saved, since it follows from the rest.
        origin: the network that ran, None where that is not known. What reads a trace beside a
            network refuses one of another network, see `require_network`.
        payloads: (S,) int32, >= 1, how many spikes each message is; None where every one is one.
            Given of networks whose neurons may send several in a step (reset ``subtract_all``).

    Everything that counts spikes here counts messages, several spikes of a neuron in a step once.

    A trace is what Lava's learning connection holds in its Var of that name. After the last step
    of an epoch that is the trace in that step: decayed, impulses added. Within an epoch it is the
    value from the end of the epoch before (0 in the first one); of what came since, only the
    impulse of a neuron's second and later spikes is in it, and what payloads do to x1 at once.
    Lava decays traces, and adds the impulse of the spike it has noted, when the epoch ends.
    """

    stage: ClassVar[str] = "trace"

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
    wraps: NDArray[np.int64] | None = None
    saturations: NDArray[np.int64] | None = None
    origin: Origin | None = None
    findings: tuple[Finding, ...] = ()
    payloads: Int | None = None

    def __post_init__(self) -> None:
        for name in ("n_steps", "n_neurons"):
            object.__setattr__(self, name, _extent(name, getattr(self, name)))
        steps, neurons = (_integers(n, getattr(self, n)) for n in ("spike_steps", "spike_neurons"))
        payloads = None if self.payloads is None else _integers("payloads", self.payloads)
        problems = _index_problems(
            (("spike_steps", steps, self.n_steps), ("spike_neurons", neurons, self.n_neurons))
        )
        if payloads is not None and payloads.shape != steps.shape:
            allowed = f"as spike_steps {steps.shape}"
            problems.append(Problem("payloads", f"shape {payloads.shape}", allowed))
        elif payloads is not None and payloads.size and payloads.min() < 1:
            problems.append(Problem("payloads", f"{payloads.min()}", ">= 1: spikes of a message"))
        problems += self._array_problems()
        raise_if(SpecError, "the trace is not valid", problems)
        if not _sorted(steps, neurons, self.n_neurons):
            order = np.lexsort((neurons, steps))
            steps, neurons = locked(steps[order]), locked(neurons[order])
            payloads = None if payloads is None else locked(payloads[order])
        object.__setattr__(self, "spike_steps", steps)
        object.__setattr__(self, "spike_neurons", neurons)
        object.__setattr__(self, "payloads", payloads)
        for name, (shape, limits) in self.forms.items():
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, _counts_or_states(name, value, shape, limits))
        for name in ("weights", "traces"):
            arrays = {
                key: whole_values(f"{name}[{key!r}]", value, error=SpecError)
                for key, value in getattr(self, name).items()
            }
            object.__setattr__(self, name, arrays)

    @property
    def forms(self) -> dict[str, tuple[tuple[int, ...], tuple[int, int]]]:
        """Shape, smallest and largest value of every array of states and counts."""
        steps, n = self.n_steps, self.n_neurons
        return {
            "v": ((steps, n), (-POTENTIAL_MAX, POTENTIAL_MAX)),
            "u": ((steps, n), INT32),  # a sum of many bits more leaves it beyond 24
            **{name: ((steps,), (0, min(n, INT32[1]))) for name in UPDATES},
            **{name: ((n,), (0, min(steps, INT32[1]))) for name in LOSSES},
        }

    def _array_problems(self) -> list[Problem]:
        """What is of another type."""
        problems = []
        for field_name in ("weights", "traces"):
            values = getattr(self, field_name)
            if not isinstance(values, Mapping):
                problems.append(Problem(field_name, type(values).__name__, "arrays by name"))
        if self.inputs is not None and not isinstance(self.inputs, SpikeInput):
            problems.append(Problem("inputs", type(self.inputs).__name__, "a SpikeInput or None"))
        if self.origin is not None and not isinstance(self.origin, Origin):
            problems.append(Problem("origin", type(self.origin).__name__, "an Origin or None"))
        return problems

    @property
    def network_digest(self) -> str | None:
        """SHA-256 of the integer network that ran, as `CompiledNetwork.network_digest` has it:
        with the weights before they learned. None where that is not known."""
        return None if self.origin is None else self.origin.digest

    def require_network(self, network: Saved) -> None:
        """Refuse a trace of another integer network; one of unknown origin passes.

        Raises:
            SpecError: the digests differ.
        """
        if self.origin is not None and not self.origin.is_of(network):
            name = getattr(network, "name", "the network")
            raise SpecError(
                f"trace: of the network {self.origin.digest[:12]}; allowed: one of {name!r}, "
                f"{network.digest[:12]}. Run that network, or read the trace beside its own"
            )

    @property
    def n_spikes(self) -> int:
        """Number of spikes of all neurons; several of a neuron in a step are one message, and 1."""
        return int(self.spike_steps.size)

    def payload_values(self) -> Int:
        """How many spikes each message is, (S,) int32; 1 without payloads."""
        return np.ones(self.spike_steps.size, np.int32) if self.payloads is None else self.payloads

    def counts(self) -> NDArray[np.int64]:
        """Spikes of each neuron, (n_neurons,); several in a step are one message, and 1."""
        return np.bincount(self.spike_neurons, minlength=self.n_neurons)

    def payload_counts(self) -> NDArray[np.int64]:
        """Spikes of each neuron, (n_neurons,), all of a message counted."""
        total = np.zeros(self.n_neurons, dtype=np.int64)
        np.add.at(total, self.spike_neurons, self.payload_values().astype(np.int64))
        return total

    def dense(self, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
        """What each neuron sends in each step, (n_steps, n_neurons), neurons in global order.

        Booleans; int32 numbers of spikes of a network whose neurons may send several in a step.

        Raises:
            SpecError: the array would have more than `max_bytes`, 1 GiB by default.
        """
        places, shape = (self.spike_steps, self.spike_neurons), (self.n_steps, self.n_neurons)
        values: Any = True if self.payloads is None else self.payloads
        return dense("trace", places, shape, values, max_bytes)

    def _repr_html_(self) -> str:
        """Steps and spikes, for a notebook."""
        slots = self.n_steps * self.n_neurons
        share = f"{100 * self.n_spikes / slots:.3g} % of all neuron steps" if slots else ""
        figures = [
            ("steps", f"{self.n_steps:,}", ""),
            ("neurons", f"{self.n_neurons:,}", ""),
            ("spikes", f"{self.n_spikes:,}", share),
        ]
        return card("Trace", "of a run", figures)


def summed_losses(parts: Iterable[Trace], n_neurons: int) -> dict[str, Any]:
    """`Trace.wraps` and `Trace.saturations` of a run in parts; without those some part lacks."""
    traces, sums = list(parts), {}
    for name in LOSSES:
        counts = [getattr(trace, name) for trace in traces]
        if all(count is not None for count in counts):
            sums[name] = np.sum([np.zeros(n_neurons), *counts], axis=0).astype(np.int64)
    return sums


def digest_array(digest: str) -> NDArray[np.uint8]:
    """A digest as a file of plain numbers holds it: its 32 bytes."""
    return np.frombuffer(bytes.fromhex(digest), dtype=np.uint8)


def split_trace(key: str) -> tuple[str, str, int | None]:
    """Projection, trace and profile (None without one) of a key of `Trace.traces`."""
    head, _, tail = key.rpartition("/")
    if not tail.isdecimal():
        return head, tail, None
    projection, _, name = head.rpartition("/")
    return projection, name, int(tail)
