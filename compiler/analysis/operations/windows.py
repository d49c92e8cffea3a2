"""Samples of a run: windows of steps, cut in one of several ways.

A data set that is run in one go is one trace; where one sample ends and the next begins is told
by a number of equal windows, by their length, or by the step in which each one starts. Several
traces, one per sample, are joined to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError
from hrsnn_lava.trace import SpikeInput, Trace, summed_losses

Int: TypeAlias = NDArray[np.int64]
#: More windows than this are taken for a mistake.
MAX_WINDOWS = 1_000_000


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of steps without a gap between them.

    Attributes:
        bounds: (n + 1,) rising steps; window k is ``bounds[k]..bounds[k + 1] - 1``.
        n_steps: of the run; steps outside every window belong to no sample.
        what: what a window is, in words.
    """

    bounds: Int
    n_steps: int
    what: str

    @property
    def count(self) -> int:
        """Number of windows."""
        return self.bounds.size - 1

    @property
    def samples(self) -> float:
        """Samples of the whole run, with a part of one for the steps outside."""
        return self.count * self.n_steps / (self.n_steps - self.outside)

    @property
    def lengths(self) -> Int:
        """(n,) steps of every window."""
        return np.diff(self.bounds)

    @property
    def outside(self) -> int:
        """Steps of the run in no window."""
        return self.n_steps - int(self.lengths.sum())

    def of(self, steps: Any) -> Int:
        """The window of every step, ``count`` for one outside, same shape."""
        index = np.searchsorted(self.bounds, steps, side="right") - 1
        return np.where((index < 0) | (index >= self.count), self.count, index).astype(np.int64)

    def sums(self, steps: Any, amounts: Any) -> Int:
        """Integer amounts at steps, summed by window; the last is outside, (n + 1,) int64."""
        total = np.zeros(self.count + 1, dtype=np.int64)
        np.add.at(total, self.of(steps), np.asarray(amounts, dtype=np.int64))
        return total


def equal_windows(n_steps: int, count: int, what: str = "") -> Windows:
    """The run cut into `count` windows of the same length.

    Raises:
        SpecError: the steps do not divide.
    """
    if count < 1 or count > max(n_steps, 0) or n_steps % count:
        near = [k for k in _divisors(n_steps) if k <= MAX_WINDOWS]
        best = sorted(near, key=lambda k: (abs(k - count), k))[:3]
        allowed = ", ".join(str(k) for k in sorted(best)) or "none, there are no steps"
        raise SpecError(
            f"samples: {count} equal windows of {n_steps} steps; allowed: numbers that divide "
            f"them, such as {allowed}"
        )
    return by_length(n_steps, n_steps // count, what)


def by_length(n_steps: int, length: int, what: str = "") -> Windows:
    """Windows of `length` steps from the first step on; a rest that is shorter is outside.

    Raises:
        SpecError: the run is shorter than one window.
    """
    if length < 1 or length > n_steps:
        raise SpecError(f"steps per sample: {length}; allowed: 1..{n_steps} (the run's steps)")
    count = _few(n_steps // length)
    what = what or f"a window of {length} step{'s' * (length > 1)}"
    return Windows(np.arange(count + 1, dtype=np.int64) * length, n_steps, what)


def from_starts(n_steps: int, starts: Any, what: str = "a given stretch") -> Windows:
    """Windows that begin at the given steps; each lasts until the next, the last to the end.

    Raises:
        SpecError: no starts, not rising, or outside the run.
    """
    steps = np.asarray(starts)
    if steps.ndim != 1 or not steps.size or steps.dtype.kind not in "iu":
        raise SpecError(f"samples: shape {steps.shape} of {steps.dtype}; allowed: integers (n,)")
    bounds = np.append(steps.astype(np.int64), n_steps)
    if bounds[0] < 0 or (np.diff(bounds) <= 0).any():
        raise SpecError(
            f"samples: starts {steps[:5].tolist()}{'...' if steps.size > 5 else ''}; allowed: "
            f"rising steps in 0..{n_steps - 1}"
        )
    _few(steps.size)
    return Windows(bounds, n_steps, what)


def from_count(n_steps: int, samples: float, what: str = "") -> Windows | None:
    """Windows for a number of samples that need not be whole, as where a run ends within one.

    None where no whole number of steps is a sample's.
    """
    if not 0 < samples <= n_steps:
        return None
    length = n_steps / samples
    whole = round(length)
    if abs(length - whole) > 1e-9 * length or n_steps // whole > MAX_WINDOWS or whole > n_steps:
        return None
    return by_length(n_steps, whole, what)


def joined(traces: Sequence[Trace], what: str = "one trace") -> tuple[Trace, Windows]:
    """Traces of one network, one after the other as one trace; each is a window.

    States, learned weights and spike traces are left out: they are those of separate runs.

    Raises:
        SpecError: none, of different widths or networks, without a step, or some with inputs and
            some not.
    """
    widths = {trace.n_neurons for trace in traces}
    channels = {None if t.inputs is None else t.inputs.n_neurons for t in traces}
    if len(widths) != 1 or len(channels) != 1:
        raise SpecError(
            f"traces of {sorted(widths)} neurons and {sorted(map(str, channels))} input channels "
            "do not join; allowed: runs of one network, all with their inputs or none"
        )
    origins = {trace.network_digest: trace.origin for trace in traces}
    if len(origins.keys() - {None}) > 1:
        digests = ", ".join(digest[:12] for digest in origins if digest is not None)
        raise SpecError(f"traces of the networks {digests} do not join; allowed: runs of one")
    lengths = np.array([trace.n_steps for trace in traces], dtype=np.int64)
    if (lengths < 1).any():
        raise SpecError("a trace without steps is no sample; leave it out")
    bounds = np.append(0, np.cumsum(lengths)).astype(np.int64)
    steps = [t.spike_steps.astype(np.int64) + b for t, b in zip(traces, bounds, strict=False)]
    n_steps = int(bounds[-1])
    if n_steps >= 2**31:
        raise SpecError(f"traces of {n_steps} steps in all; allowed: fewer than 2^31")
    n_neurons = widths.pop()
    whole = Trace(
        np.concatenate(steps).astype(np.int32),
        np.concatenate([t.spike_neurons for t in traces]),
        n_steps,
        n_neurons,
        inputs=_joined_inputs(traces, bounds),
        active_updates=_joined_counts([t.active_updates for t in traces]),
        membrane_updates=_joined_counts([t.membrane_updates for t in traces]),
        **summed_losses(traces, n_neurons),
        origin=next((origin for origin in origins.values() if origin is not None), None),
    )
    return whole, Windows(bounds, n_steps, what)


def _joined_counts(counts: Sequence[Any]) -> Any:
    """Counts by step, one run after the other; None unless all are known."""
    return None if any(c is None for c in counts) else np.concatenate(counts)


def _joined_inputs(traces: Sequence[Trace], bounds: Int) -> SpikeInput | None:
    runs = [(t.inputs, t.n_steps, int(b)) for t, b in zip(traces, bounds, strict=False)]
    inputs = [(i, n, b) for i, n, b in runs if i is not None]
    if not inputs:
        return None
    # what an input sends after its run has ended would fall into the next one
    parts = [(i, i.steps < n, b) for i, n, b in inputs]
    payloads = None
    if any(i.payloads is not None for i, _, _ in parts):
        payloads = np.concatenate([i.payload_values()[within] for i, within, _ in parts])
    return SpikeInput(
        np.concatenate([i.steps[within].astype(np.int64) + b for i, within, b in parts]),
        np.concatenate([i.neurons[within] for i, within, _ in parts]),
        int(bounds[-1]),
        inputs[0][0].n_neurons,
        payloads,
    )


def _few(count: int) -> int:
    if count > MAX_WINDOWS:
        raise SpecError(f"{count} samples; allowed: <= {MAX_WINDOWS}")
    return count


def _divisors(number: int) -> list[int]:
    """All divisors, rising; none of 0."""
    low = [k for k in range(1, int(number**0.5) + 1) if number % k == 0] if number > 0 else []
    return sorted({*low, *(number // k for k in low)})
