"""What goes into a run and what comes out: input events and traces.

Steps count from 0; step 0 is Lava's time step 1. Neurons are indexed globally: over the
populations of neurons in a trace, over the input populations in an input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.artifacts.container import Saved
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.findings import Finding
from hrsnn_lava.integer_format import INT32

Int = NDArray[np.int32]
#: Arrays of a trace with counts by step, of the run as a whole.
UPDATES = ("active_updates", "membrane_updates")
#: Arrays of a trace with counts by neuron, of the run as a whole.
LOSSES = ("wraps", "saturations")


def _int32(values: ArrayLike) -> Int:
    array = np.ascontiguousarray(values)
    if array.size and array.dtype.kind not in "iub":
        raise SpecError(f"integers expected, found {array.dtype}")
    if array.size and (array.min() < INT32[0] or array.max() > INT32[1]):
        span = f"{array.min()}..{array.max()}"
        raise SpecError(f"integers of 32 bits expected, found {span}")  # a cast would wrap them
    return array.astype(np.int32)


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
                measured = f"{values.min()}..{values.max()}"
                problems.append(Problem(name, measured, f"0..{limit - 1} (n_{name})"))
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


def _rising(starts: Int, n_steps: int) -> bool:
    """Whether these are first steps of samples, one after the other."""
    inside = starts.ndim == 1 and starts.size > 0 and starts[0] >= 0 and starts[-1] < n_steps
    return bool(inside and (np.diff(starts) > 0).all())


@dataclass(frozen=True, eq=False)
class Trace(Saved):
    """What a run did; saved as ``.npz``.

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
        wraps: (n_neurons,) int64, how often each current left its 24 bits and wrapped; None when
            not known.
        saturations: (n_neurons,) int64, in how many steps each potential was at its lower end.
        findings: what a user has to know of the run; not saved, since it follows from the rest.

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
    findings: tuple[Finding, ...] = ()

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


def summed_losses(parts: Iterable[Trace], n_neurons: int) -> dict[str, Any]:
    """`Trace.wraps` and `Trace.saturations` of a run in parts; without those some part lacks."""
    traces, sums = list(parts), {}
    for name in LOSSES:
        counts = [getattr(trace, name) for trace in traces]
        if all(count is not None for count in counts):
            sums[name] = np.sum([np.zeros(n_neurons), *counts], axis=0).astype(np.int64)
    return sums


def split_trace(key: str) -> tuple[str, str, int | None]:
    """Projection, trace and profile (None without one) of a key of `Trace.traces`."""
    head, _, tail = key.rpartition("/")
    if not tail.isdecimal():
        return head, tail, None
    projection, _, name = head.rpartition("/")
    return projection, name, int(tail)
