"""Values of Vars as Lava's fixed-point models take them.

Most Vars are cast to a type of Lava's: fractions are cut off, what is beyond 32 bits wraps. Others
are computed with as they were given, so that the type of the user's array decides. Both are checked
here against the exact value. What wraps is refused, since nobody means it; fractions are noted.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.integer_format import INT32, NEURON_RANGES
from hrsnn_lava.processes._foreign_graph import ForeignGraph
from hrsnn_lava.processes._foreign_processes import NEURONS, Process, kind

__all__ = [
    "array_of",
    "message_bits",
    "neuron_field",
    "note_float_neurons",
    "number",
    "option",
    "whole",
]

#: u or v, which Lava widens to 64 bits before it multiplies them by a decay.
_STATE = np.ones(1, dtype=np.int64)
#: Calculations of stock LIF in the type of what it is given (`proc/lif/models.py`).
_IN_OWN_TYPE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "du": ("adds 1 to it", lambda value: _STATE * (4096 - (value + 1))),
    "dv": ("subtracts it", lambda value: _STATE * (4096 - (value + 0))),
    "vth": ("shifts it left by 6", lambda value: np.left_shift(value, 6)),
}


def array_of(graph: ForeignGraph, where: str, values: Any) -> NDArray[Any]:
    """What a Var is given, as an array; zeros where it is none, which is reported."""
    try:
        return np.asarray(values)
    except ValueError as error:
        graph.report(where, f"no array ({error})", "numbers")
        return np.zeros((), dtype=np.int32)


def number(graph: ForeignGraph, where: str, value: Any, limits: tuple[int, int] = INT32) -> int:
    """One number, whose fraction Lava cuts off; the smallest where it is none."""
    low, high = limits
    try:
        taken = int(value)
    except (TypeError, ValueError, OverflowError):
        taken = low - 1
    if not low <= taken <= high:
        graph.report(where, f"{value!r:.40}", f"a whole number in {low}..{high}")
    return min(max(taken, low), high)


def whole(graph: ForeignGraph, where: str, values: Any) -> NDArray[np.int32]:
    """Values cast to int32 as Lava casts them; what that loses is reported or noted."""
    init = array_of(graph, where, values)
    if init.dtype.kind not in "iufb":
        graph.report(where, f"{init.dtype} values", "numbers")
        return np.zeros(init.shape, dtype=np.int32)
    exact = np.trunc(init) if init.dtype.kind == "f" else init
    outside = ~((exact >= INT32[0]) & (exact <= INT32[1]))  # NaN is outside as well
    if np.any(outside):
        measured = f"{init[outside].flat[0]} ({int(outside.sum())} in all)"
        graph.report(where, measured, "32 bits: Lava wraps the rest")
        exact = np.where(outside, 0, exact)
    cut = int((exact != init).sum()) - int(outside.sum()) if init.dtype.kind == "f" else 0
    if cut > 0:
        lost = int(((exact == 0) & (init != 0)).sum())
        graph.note(
            "fractions_cut_off",
            where,
            f"{cut} of {init.size} values have fractions, of which {lost} become 0",
            "Lava's fixed-point models cut fractions off, its float models do not",
            "scale them to integers first",
        )
    whole_values: NDArray[np.int32] = exact.astype(np.int32)
    return whole_values


def option(graph: ForeignGraph, process: Process, name: str, default: int) -> int:
    """A whole number among the parameters of a Process."""
    value = process.proc_params.get(name, default)
    if isinstance(value, (int, np.integer)):
        return int(value)
    graph.report(f"{graph.label(process)}.{name}", repr(value), "a whole number")
    return default


def message_bits(graph: ForeignGraph, process: Process) -> int:
    """Bits of a payload, as Lava puts them into a Var of one integer."""
    init, bits = process.num_message_bits.init, np.zeros(1, dtype=np.int64)
    try:
        bits[:] = init
    except (TypeError, ValueError, OverflowError):
        where = f"{graph.label(process)}.num_message_bits"
        graph.report(where, f"{init!r:.40}, on which Lava fails", "a whole number")
    return int(bits[0])


def neuron_field(
    graph: ForeignGraph, process: Process, field: str, shape: tuple[int, ...]
) -> NDArray[np.int32] | None:
    """A parameter of neurons, one value for each; None where something is reported."""
    where, init = f"{graph.label(process)}.{field}", getattr(process, field).init
    before = len(graph.problems)
    if field not in _IN_OWN_TYPE:
        value = whole(graph, where, init)
    else:
        value = array_of(graph, where, init)
        if value.dtype.kind not in "iu":
            # Lava's fixed-point models fail on them, so the graph is meant for the float ones
            allowed = "integers, as for select_tag='fixed_pt'"
            graph.report(where, f"{value.dtype} values", allowed)
        elif np.any(outside := (value < INT32[0]) | (value > INT32[1])):
            low, high = NEURON_RANGES[field]
            measured = f"{value[outside].flat[0]} ({int(outside.sum())} in all)"
            graph.report(where, measured, f"{low}..{high}")
        elif kind(process) in NEURONS[:2] and len(graph.problems) == before:
            _check_own_type(graph, where, field, init)  # HeterogeneousLIF casts all of it
    if len(graph.problems) > before:
        return None
    try:
        value = np.broadcast_to(value, shape).ravel()
    except ValueError:
        graph.report(where, f"shape {value.shape}", f"() or {shape}")
        return None
    flat: NDArray[np.int32] = value.astype(np.int32)
    return flat


def _check_own_type(graph: ForeignGraph, where: str, field: str, init: Any) -> None:
    """Do what Lava does in the type of the value, and compare with 64 bits."""
    what, compute = _IN_OWN_TYPE[field]
    try:
        with np.errstate(over="ignore"):
            result = np.asarray(compute(init))
        fails = result.dtype.kind == "f"  # 64 bits with and without sign; Lava shifts them then
    except TypeError:
        fails = True
    if fails:
        is_list = isinstance(init, (list, tuple))
        measured = f"a {type(init).__name__}" if is_list else f"{np.asarray(init).dtype} values"
        graph.report(where, f"{measured}, on which Lava fails", fix="use an array of int32")
        return
    values = np.asarray(init)
    exact = np.asarray(compute(values.astype(np.int64)))
    wrapped = np.flatnonzero(result.ravel() != exact.ravel())
    if wrapped.size:
        value = values.ravel()[wrapped[0]]
        measured = f"{value} in {values.dtype}: Lava {what} in that type, and wraps it"
        graph.report(where, measured, fix="use int32")


def note_float_neurons(graph: ForeignGraph, process: Process) -> None:
    """Note decays of 1, which mean all in floating point and next to nothing in integers."""
    ones = [f for f in ("du", "dv") if np.all(np.asarray(getattr(process, f).init) == 1)]
    if ones:
        share = {"du": "2/4096 of the current", "dv": "1/4096 of the potential"}
        graph.note(
            "float_parameters",
            graph.label(process),
            f"{' = '.join(ones)} = 1",
            f"{' and '.join(share[f] for f in ones)} goes in a step of fixed point, all of it in "
            "Lava's float models, which Loihi2SimCfg() without a select_tag runs",
            "where all of it is meant, write du=4095 and dv=4096",
        )
