"""Spikes as one array over steps and neurons, and back: how most programs hold them.

Lists of events are what runs take and give. An array of all steps and neurons is easier to handle
and much larger: it is made only where it is no larger than asked for.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import HrsnnError, Problem, SpecError
from hrsnn_lava.fields import choice, is_real, locked, plain_array, refusal, whole_values

Int = NDArray[np.int32]
#: What to do with events that occur twice.
Duplicates = Literal["error", "once", "sum"]
#: Largest array that is made unless more is asked for, in bytes.
MAX_BYTES = 2**30
_ALLOWED = "0 and 1, or integers of 32 bits (payloads), (n_steps, n_channels)"


class Events(NamedTuple):
    """Events by step, then channel.

    Attributes:
        steps, neurons: (E,) int32.
        payloads: (E,) int32, or None where every event is a plain spike.
    """

    steps: Int
    neurons: Int
    payloads: Int | None


def events_of(array: Any, graded: bool | None) -> tuple[Events, tuple[int, int]]:
    """The events of an array (n_steps, n_channels), and its extent.

    Args:
        array: booleans, 0 and 1, or integers; floats that are whole, too.
        graded: whether events have payloads; None: where some value is neither 0 nor 1.

    Raises:
        SpecError: it is no such array, or has values that plain spikes cannot have.
    """
    choice("graded", graded, (None, True, False), SpecError)
    values = _plain_spikes(array)
    if values.ndim != 2:
        raise refusal("array", f"shape {values.shape}", _ALLOWED, error=SpecError)
    steps, neurons = np.nonzero(values)
    payloads = values[steps, neurons]
    other = payloads != 1
    if graded is None:
        graded = bool(other.any())
    elif not graded and other.any():
        first = int(np.flatnonzero(other)[0])
        measured = f"{payloads[first]} in step {steps[first]}, channel {neurons[first]}"
        measured += f" ({int(other.sum())} in all)"
        fix = "leave `graded` out to send them as payloads"
        raise refusal("array", measured, "0 and 1", fix, error=SpecError)
    places = locked(steps.astype(np.int32)), locked(neurons.astype(np.int32))
    n_steps, n_channels = values.shape
    return Events(*places, locked(payloads) if graded else None), (n_steps, n_channels)


def _plain_spikes(array: Any) -> Int:
    """The values as integers of 32 bits; booleans are 0 and 1."""
    detached = array.detach().cpu() if hasattr(array, "detach") else array  # a tensor of torch
    values = plain_array("array", detached, _ALLOWED, SpecError, booleans=True)
    if values.dtype == np.bool_:
        return values.astype(np.int32)
    fix = "round, or scale held values and use `SpikeInput.held`"
    return whole_values("array", values, fix=fix, error=SpecError)


def merged(steps: Any, channels: Any, payloads: Any, duplicates: Duplicates) -> Events:
    """Events in any order, sorted, with those that occur twice handled as asked.

    Args:
        steps, channels: (E,) whole numbers.
        payloads: (E,) whole numbers, or None.
        duplicates: ``error`` refuses them; ``once`` makes one event of those of a channel in a
            step, with the first one's payload; ``sum`` adds their payloads.

    Raises:
        SpecError: lengths differ, no whole numbers, duplicates where none are allowed, a sum
            beyond 32 bits.
    """
    choice("duplicates", duplicates, get_args(Duplicates), SpecError)
    at, who = (
        whole_values(name, values, error=SpecError)
        for name, values in (("steps", steps), ("channels", channels))
    )
    if at.ndim != 1 or who.shape != at.shape:
        measured = f"shapes {at.shape} and {who.shape}"
        raise refusal("steps, channels", measured, "(E,) each", error=SpecError)
    sent = None if payloads is None else whole_values("payloads", payloads, error=SpecError)
    if sent is not None and sent.shape != at.shape:
        raise refusal("payloads", f"shape {sent.shape}", f"as steps {at.shape}", error=SpecError)
    order = np.lexsort((who, at))
    at, who = at[order], who[order]
    first = np.ones(at.size, dtype=np.bool_)
    first[1:] = (np.diff(at) != 0) | (np.diff(who) != 0)
    if first.all():
        return Events(at, who, None if sent is None else sent[order])
    if duplicates == "error":
        raise _twice(at, who, first)
    values = np.ones(at.size, dtype=np.int64) if sent is None else sent[order].astype(np.int64)
    at, who = at[first], who[first]
    if duplicates == "once":
        return Events(at, who, None if sent is None else values[first].astype(np.int32))
    sums = np.add.reduceat(values, np.flatnonzero(first))
    return Events(at, who, whole_values("payloads", sums, error=SpecError))


def _twice(steps: Int, channels: Int, first: NDArray[np.bool_]) -> HrsnnError:
    """The error of events that occur twice: the first, and how many there are."""
    again = np.flatnonzero(~first)
    measured = f"channel {channels[again[0]]} twice in step {steps[again[0]]}"
    return refusal(
        "events",
        f"{measured} ({again.size} such event{'s' * (again.size > 1)})",
        "one event of a channel in a step",
        "say duplicates='once' for one spike, or duplicates='sum' to add them up as payloads",
        SpecError,
    )


def dense(
    where: str, places: tuple[Int, Int], shape: tuple[int, int], values: Any, max_bytes: int
) -> NDArray[Any]:
    """An array of `shape` with `values` at the places, else 0.

    Args:
        where: what it is an array of.
        places: steps and neurons, (E,) each.
        values: True, or (E,) int32.
        max_bytes: largest size of the array.

    Raises:
        SpecError: it would be larger, or `max_bytes` is no size.
    """
    if not (is_real(max_bytes) and max_bytes >= 0):
        raise refusal("max_bytes", f"{max_bytes!r:.40}", "a number >= 0", error=SpecError)
    kind = np.dtype(np.bool_) if values is True else np.dtype(np.int32)
    size = shape[0] * shape[1] * kind.itemsize
    if size > max_bytes:
        measured = f"{shape[0]:,} steps x {shape[1]:,} neurons are {_room(size)}"
        allowed = _room(max_bytes)
        fix = f"use the list of events, or say max_bytes={size}"
        raise SpecError(str(Problem(where, measured, allowed, fix)))
    array: NDArray[Any] = np.zeros(shape, dtype=kind)
    array[places] = values
    return array


def _room(n_bytes: float) -> str:
    return f"{n_bytes / 2**20:,.0f} MiB" if n_bytes >= 2**20 else f"{n_bytes:,.0f} bytes"
