"""The form in which a state is kept, the same for every engine that keeps states.

All arrays are int32 and none depends on how an engine goes about its work, so equal states are
equal arrays. N neurons, J input channels, S live synapses of a learning projection, in the order
in which the network stores them, and P profiles:

====================  ============  ==============================================================
``u``, ``v``          (N,)          current and potential
``waiting``           (N,)          steps for which v is still held at 0; with the reset
                                    ``subtract_next`` 1 where the threshold is still to be taken off
``held``              (J,)          value last sent by every channel (``target="bias"``)
``sent/age``          (E,)          what was sent ``age`` steps before the last one and may still
                                    be on its way, sorted by age, then source
``sent/source``       (E,)          neuron, or N + channel
``sent/value``        (E,)          payload of a channel; spikes of a neuron, 1 unless it may send
                                    several in a step
``pending``           (N,)          what learning synapses deliver in the next step
``learning/K/...``                  of the K-th learning projection:
``weights``, ``tag_1``, ``tag_2``   (S,) values now
``x``, ``y``          (P, 2, n_pre), (P, 3, n_post)  traces x1, x2 and y1, y2, y3; 0 where no
                                    product of the profile's rule reads them; y1, y2, y3 of a
                                    three-factor rule are what arrived in the last step
``tx``, ``ty``        (P, n_pre), (P, n_post)  step of the last spike in this epoch, from 1; or 0
====================  ============  ==============================================================

Random numbers need no room here: which ones come next follows from the number of steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import POST_TRACES, PRE_TRACES
from hrsnn_lava.errors import ArtifactError, Problem, raise_if
from hrsnn_lava.integer_format import (
    INT32,
    POTENTIAL_MAX,
    TAG_RANGES,
    TRACE_MAX,
    TRACE_VALUES,
)
from hrsnn_lava.sim_backends.base import LAST_STEP, Program
from hrsnn_lava.sim_backends.learning_program import Arrays, Int, Plastic, traces_read

SYNAPTIC = ("weights", "tag_1", "tag_2")
SENT = ("sent/age", "sent/source", "sent/value")


@dataclass(frozen=True, eq=False)
class Field:
    """One array: its shape, -1 for any length, and the lowest and highest values, both allowed."""

    shape: tuple[int, ...]
    low: Any = INT32[0]
    high: Any = INT32[1]

    def fault(self, array: Any) -> Problem | None:
        """What is wrong with `array`, if anything; the name is left to the caller."""
        kind = f"int32 {_text(self.shape)}"
        if array.dtype != np.int32 or array.ndim != len(self.shape):
            return Problem("", f"{array.dtype} {_text(array.shape)}", kind)
        if any(n not in (-1, size) for n, size in zip(self.shape, array.shape, strict=True)):
            return Problem("", f"int32 {_text(array.shape)}", kind)
        if np.any(array < self.low) or np.any(array > self.high):
            limits = f"{np.min(self.low)}..{np.max(self.high)}"
            return Problem("", f"{array.min()}..{array.max()}", limits)
        return None


def _text(shape: tuple[int, ...]) -> str:
    """A shape, ``2 x 3``; E stands for any length."""
    return " x ".join("E" if n < 0 else str(n) for n in shape) or "scalar"


def fields_of(program: Program) -> dict[str, Field]:
    """Every array of a state of this network, by name."""
    n, n_inputs = program.n_neurons, program.n_inputs
    fields = {
        "u": Field((n,)),
        "v": Field((n,), -POTENTIAL_MAX, POTENTIAL_MAX),
        "waiting": Field((n,), 0, program.refractory),
        "held": Field((n_inputs,)),
        "sent/age": Field((-1,), 0, program.past_steps - 1),
        "sent/source": Field((-1,), 0, n + n_inputs - 1),
        "sent/value": Field((-1,)),
    }
    if program.plastic:
        fields["pending"] = Field((n,))
    for k, plastic in enumerate(program.plastic):
        fields |= {f"learning/{k}/{name}": f for name, f in _learning_fields(plastic).items()}
    return fields


def _learning_fields(plastic: Plastic) -> dict[str, Field]:
    size, profiles = plastic.rows.size, len(plastic.rules)

    def between(start: Int, limits: tuple[int, int]) -> Field:
        """The start may lie beyond the limits: it is truncated to the grid, not clipped."""
        low, high = limits
        return Field((size,), int(start.min(initial=low)), int(start.max(initial=high)))

    x_high = np.full((profiles, 2, 1), TRACE_MAX)
    x_high[:, 0] = TRACE_VALUES - 1  # payloads can set x1 beyond 7 bits
    y_range = (0, TRACE_MAX) if plastic.factor is None else INT32
    return {
        "weights": between(plastic.weights, plastic.sign_mode.limits),
        "tag_1": between(plastic.tag_1, TAG_RANGES["dt"]),
        "tag_2": between(plastic.tag_2, TAG_RANGES["dd"]),
        "x": Field((profiles, 2, plastic.n_pre), 0, x_high),
        "y": Field((profiles, 3, plastic.n_post), *y_range),
        "tx": Field((profiles, plastic.n_pre), 0, plastic.t_epoch),
        "ty": Field((profiles, plastic.n_post), 0, plastic.t_epoch),
    }


def check_state(program: Program, step: int, arrays: Mapping[str, Any]) -> None:
    """Refuse what no run reaches: the kernels test no index, so none may lead out of its array.

    Raises:
        ArtifactError: an array is missing, unknown, of another shape or type, or has values that
            no state of this network has.
    """
    fields = fields_of(program)
    problems = [Problem(name, "nothing", "an array") for name in fields.keys() - arrays.keys()]
    problems += [Problem(name, "an array", "nothing") for name in arrays.keys() - fields.keys()]
    for name in fields.keys() & arrays.keys():
        if fault := fields[name].fault(arrays[name]):
            problems.append(Problem(name, fault.measured, fault.allowed))
    if not 0 <= step <= LAST_STEP:
        problems.append(Problem("step", f"{step}", f"0..{LAST_STEP}"))
    if not problems:
        problems = _message_faults(program, step, *(arrays[name] for name in SENT))
    message = "the state holds values that no run of this network reaches"
    raise_if(ArtifactError, message, sorted(problems, key=lambda p: p.where))


def _message_faults(
    program: Program, step: int, age: Int, source: Int, value: Int
) -> list[Problem]:
    """Messages: of past steps, in order and once each, and never 0."""
    if not age.size == source.size == value.size:
        return [Problem("sent", f"{age.size}, {source.size}, {value.size} entries", "equal counts")]
    problems = []
    if age.max(initial=-1) >= step:
        problems.append(Problem("sent/age", f"{age.max()}", f"below {step}, the steps since rest"))
    if age.size > 1 and np.diff(age * 2.0**32 + source).min() <= 0:
        problems.append(Problem("sent", "unsorted or repeated", "by age, then source, once each"))
    inner = source < program.n_neurons
    sent, most = value[inner], np.int32(1)
    if program.most is not None:
        most = program.most[source[inner]]
    if np.any(value == 0) or np.any(sent < 1) or np.any(sent > most):
        measured, allowed = "0, or no 1 of a neuron", "1 of a neuron, never 0"
        if program.most is not None:
            measured, allowed = "0, or more spikes than v holds", "what a neuron can send, never 0"
        problems.append(Problem("sent/value", measured, allowed))
    return problems


def at_rest(arrays: Arrays) -> dict[str, Int]:
    """The arrays of a state with weights and tags as they are, and all else at rest."""
    result = {}
    for name, array in arrays.items():
        if name.startswith("sent/"):
            result[name] = array[:0]
        elif name.rpartition("/")[2] in SYNAPTIC:
            result[name] = array
        else:
            result[name] = np.zeros_like(array)
    return result


def messages(sent: Sequence[tuple[Int, Int]]) -> dict[str, Int]:
    """Arrays of what was sent: sources and values of every step, the latest step first."""
    columns: tuple[list[Int], ...] = ([], [], [])
    for age, (sources, values) in enumerate(sent):
        order = np.argsort(sources, kind="stable")
        order = order[values[order] != 0]
        entry = (np.full(order.size, age, np.int32), sources[order], values[order])
        for column, part in zip(columns, entry, strict=True):
            column.append(part)
    none = np.zeros(0, dtype=np.int32)
    return {name: np.concatenate([none, *c]) for name, c in zip(SENT, columns, strict=True)}


def sent_by_age(arrays: Arrays, count: int) -> list[tuple[Int, Int]]:
    """The inverse of `messages`, for `count` steps."""
    age, source, value = (arrays[name] for name in SENT)
    edges = np.searchsorted(age, np.arange(count + 1))
    return [(source[a:b], value[a:b]) for a, b in pairwise(edges)]


def learning_arrays(k: int, plastic: Plastic, values: Mapping[str, Any]) -> dict[str, Int]:
    """Arrays of learning projection k, from arrays of the same shape; unread traces become 0."""
    read_masks = dict(zip("xy", _read_traces(plastic), strict=True))
    arrays = {**values, **{side: np.where(read_masks[side], values[side], 0) for side in "xy"}}
    return {f"learning/{k}/{name}": np.asarray(a).astype(np.int32) for name, a in arrays.items()}


def learning_values(k: int, arrays: Arrays) -> dict[str, Int]:
    """The inverse of `learning_arrays`."""
    return {name: arrays[f"learning/{k}/{name}"] for name in (*SYNAPTIC, "x", "y", "tx", "ty")}


def _read_traces(plastic: Plastic) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which traces the rule of each profile reads: x (P, 2, 1) and y (P, 3, 1)."""
    names_by_rule = [traces_read(rule, plastic.graded_spikes) for rule in plastic.rules]
    x, y = (
        np.array([[name in names for name in side] for names in names_by_rule])[:, :, None]
        for side in (PRE_TRACES, POST_TRACES)
    )
    return x, y
