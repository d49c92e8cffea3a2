"""What a field may hold: numbers of one kind, looked at before any cast, and then out of reach.

A cast says nothing: to int32 it wraps, from float it cuts fractions off, text becomes a number,
None becomes NaN. So whatever a user gives goes through here, and what a field cannot hold is
refused by its name. What it holds afterwards nobody can write to: an array that its owner could
still change is copied, one that nobody can change is shared.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import HrsnnError, NetworkError, Problem, SpecError
from hrsnn_lava.integer_format import INT32

Float = NDArray[np.float64]
Int = NDArray[np.int32]
#: What `numpy.dtype.kind` says, in words, of everything that is no number.
_KINDS: Final = {
    "b": "booleans",
    "c": "complex numbers",
    "U": "text",
    "S": "bytes",
    "M": "dates",
    "m": "time spans",
}
#: Ends of keys in `Trace.weights`, which the name of a projection is the beginning of.
_KEY_ENDS: Final = ("/tag_1", "/tag_2")
#: Most neurons, or input channels, of a population and of a network. A million are on the largest
#: chip; every field of so many takes 64 to 128 MiB.
SIZE_MAX: Final = 2**24
#: Longest name; a member of a zip has 65,535 bytes.
NAME_LENGTH: Final = 255


def out_of_reach(array: NDArray[Any]) -> bool:
    """True when nobody can write to an array, nor to one that it is a view of."""
    holder: Any = array
    while isinstance(holder, np.ndarray):
        if holder.flags.writeable:
            return False
        holder = holder.base
    return holder is None or isinstance(holder, bytes)


def own(array: NDArray[Any]) -> NDArray[Any]:
    """The same values where nobody can write to them: shared if so already, else copied."""
    if out_of_reach(array) and array.flags.c_contiguous:
        return array
    return locked(np.array(array, order="C"))


def locked(array: NDArray[Any]) -> NDArray[Any]:
    """An array that was just made, closed to writing."""
    array.flags.writeable = False
    return array


def refusal(
    where: str, measured: str, allowed: str, fix: str = "", error: type[HrsnnError] = NetworkError
) -> HrsnnError:
    """The error of one field."""
    return error(str(Problem(where, measured, allowed, fix)))


def plain_array(
    where: str,
    value: Any,
    allowed: str,
    error: type[HrsnnError] = NetworkError,
    *,
    booleans: bool = False,
) -> NDArray[Any]:
    """`value` as an array of integers or floats, whatever their width; no cast.

    Args:
        where: name of the field.
        allowed: what it may hold, in words.
        booleans: they are welcome, too.

    Raises:
        HrsnnError: of type `error`, for anything else: text, None, booleans, complex numbers,
            lists of lists that are no array, arrays in which something is masked.
    """
    if masked := n_masked(value):
        fix = "fill them, or leave them out"
        raise refusal(where, f"masked values ({masked})", allowed, fix, error)
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":  # numbers of Python in a box are the list that they came from
            items = array.ravel().tolist()
            if items and all(is_real(item) for item in items):
                array = np.array(items).reshape(array.shape)
                if array.dtype.kind == "O":  # beyond 64 bits
                    raise refusal(where, f"{max(items, key=abs)}", allowed, error=error)
    except (ValueError, TypeError, OverflowError) as fault:
        raise refusal(where, f"no array ({fault})", allowed, error=error) from fault
    if array.dtype.kind in ("iufb" if booleans else "iuf"):
        return array
    if value is None:
        raise refusal(where, "None", allowed, error=error)
    measured = _KINDS.get(array.dtype.kind, "objects")
    shown = f"{measured}: {value!r:.40}" if array.ndim == 0 else f"{measured} ({array.dtype})"
    raise refusal(where, shown, allowed, error=error)


def n_masked(value: Any) -> int:
    """How many values of an array, or of arrays in a list, are masked; a cast drops the mask."""
    if isinstance(value, np.ma.MaskedArray):
        return int(np.ma.count_masked(value))
    if isinstance(value, (list, tuple)):
        return sum(n_masked(item) for item in value if not isinstance(item, (int, float)))
    return 0


def wide(values: NDArray[Any]) -> NDArray[Any]:
    """The same in 64 bits, so that sums of values that were looked at are exact."""
    return values.astype(np.int64 if values.dtype.kind in "iu" else np.float64)


def whole_values(
    where: str,
    value: Any,
    limits: tuple[int, int] = INT32,
    *,
    floats: bool = True,
    fix: str = "",
    error: type[HrsnnError] = NetworkError,
) -> Int:
    """Integers of 32 bits, of any shape; nobody can write to them.

    Args:
        where: name of the field.
        limits: smallest and largest value.
        floats: floats are welcome if they are integers.
        fix: advice where they are not.

    Raises:
        HrsnnError: of type `error`, for anything else.
    """
    if type(value) is np.ndarray and value.dtype == np.int32 and limits is INT32:
        return own(value)
    low, high = limits
    allowed = "integers of 32 bits" if limits == INT32 else f"integers in {low}..{high}"
    array = plain_array(where, value, allowed, error)
    if array.size and array.dtype.kind == "f":
        advice = f"; {fix}" if fix else ""
        if not floats:
            raise error(f"{where}: integers expected, found {array.dtype}{advice}")
        array = array.astype(np.float64)  # a half has no 32 bits to compare with
        wrong = ~np.isfinite(array) | (array != np.trunc(array))
        if wrong.any():
            raise error(f"{where}: integers expected, found {_first(array, wrong)}{advice}")
    if array.size and (array.dtype != np.int32 or limits != INT32):
        least, most = array.min(), array.max()
        if least < low or most > high:
            first = _first(array, (array < low) | (array > high))
            raise error(f"{where}: {allowed} expected, found {first}")
    if array.dtype == np.int32:
        return own(array)
    return locked(np.array(array, dtype=np.int32, order="C"))


def whole_array(
    where: str,
    value: Any,
    shape: tuple[int, ...],
    limits: tuple[int, int] = INT32,
    error: type[HrsnnError] = NetworkError,
) -> Int:
    """`whole_values` of a type of integers and of one shape, in which -1 stands for any length."""
    array = whole_values(where, value, limits, floats=False, error=error)
    same = len(shape) == array.ndim and all(
        n in (-1, m) for n, m in zip(shape, array.shape, strict=False)
    )
    if not same:
        allowed = str(shape).replace("-1", "any")
        raise refusal(where, f"shape {array.shape}", allowed, error=error)
    return array


def real_values(where: str, value: Any, *, error: type[HrsnnError] = NetworkError) -> Float:
    """Numbers as float64, of any shape, infinite ones and NaN among them; nobody can write."""
    array = plain_array(where, value, "numbers", error)
    if array.dtype == np.float64:
        return own(array)
    return locked(np.array(array, dtype=np.float64, order="C"))


def is_whole(value: Any) -> bool:
    """True for a single integer, Python's or NumPy's; booleans and time spans are none."""
    whole = isinstance(value, (int, np.integer))
    return whole and not isinstance(value, (bool, np.timedelta64))


def is_real(value: Any) -> bool:
    """True for a single number, Python's or NumPy's; booleans are none."""
    return is_whole(value) or isinstance(value, (float, np.floating))


def is_positive(value: Any) -> bool:
    """True for a single number above 0 that a float64 holds."""
    try:
        return is_real(value) and 0.0 < float(value) < np.inf
    except OverflowError:
        return False


def number(value: Any) -> Any:
    """A number of NumPy as Python's, whose sums do not wrap and which files hold; else `value`."""
    if is_whole(value):
        return int(value)
    return float(value) if isinstance(value, np.floating) else value


def whole_number(
    where: str,
    value: Any,
    limits: tuple[int, int],
    *,
    floats: bool = False,
    error: type[HrsnnError] = NetworkError,
) -> int:
    """One integer within `limits`; with `floats` also such as 10.0.

    Raises:
        HrsnnError: of type `error`, for anything else.
    """
    low, high = limits
    number = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    whole = is_whole(number) or (floats and is_real(number) and float(number).is_integer())
    if not whole or not low <= number <= high:
        raise refusal(where, f"{value!r:.60}", f"a whole number in {low}..{high}", error=error)
    return int(number)


def is_flag(value: Any) -> bool:
    """True for True and False, Python's or NumPy's."""
    return isinstance(value, (bool, np.bool_))


def choice(
    where: str, value: Any, allowed: Iterable[Any], error: type[HrsnnError] = NetworkError
) -> Any:
    """`value`, one of a few texts, or None or a flag where they are among them.

    Raises:
        HrsnnError: of type `error`, for anything else, arrays among it.
    """
    value = bool(value) if is_flag(value) else value
    value = str(value) if isinstance(value, str) else value  # NumPy's too
    plain = value is None or isinstance(value, (str, bool))
    choices = tuple(allowed)
    if not plain or not any(type(one) is type(value) and one == value for one in choices):
        words = ", ".join(f"{one}" for one in choices)
        raise refusal(where, f"{value!r:.60}", words, error=error)
    return value


def listed(
    where: str, value: Any, allowed: str, error: type[HrsnnError] = NetworkError
) -> tuple[Any, ...]:
    """The items of a list, or of anything else that has some; texts, bytes and mappings have none.

    Raises:
        HrsnnError: of type `error`, for these, for a single value and for an array of one.
    """
    try:
        if not isinstance(value, (str, bytes, bytearray, Mapping)):
            return tuple(value)
    except TypeError:
        pass
    raise refusal(where, type(value).__name__, allowed, error=error)


def instance(
    where: str,
    value: Any,
    kinds: type | tuple[type, ...],
    fix: str = "",
    error: type[HrsnnError] = SpecError,
) -> Any:
    """`value`, of one of some types.

    Raises:
        HrsnnError: of type `error`, for one of another.
    """
    if not isinstance(value, kinds):
        names = [kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]
        allowed = " or ".join(names).replace("NoneType", "None")
        raise refusal(where, type(value).__name__, f"a {allowed}", fix, error)
    return value


def table(
    where: str,
    value: Any,
    kinds: Mapping[str, type | tuple[type, ...]],
    error: type[HrsnnError] = SpecError,
) -> Mapping[str, Any]:
    """`value`, a table whose entries of these names, as far as it has them, are of these types.

    Raises:
        HrsnnError: of type `error`, for anything else.
    """
    instance(where, value, Mapping, error=error)
    for key, kind in kinds.items():
        if key in value:
            instance(f"{where}.{key}", value[key], kind, error=error)
    entries: Mapping[str, Any] = value
    return entries


def name_fault(name: Any) -> str | None:
    """Why a name cannot be one: what was found, or None where it can be stored and shown.

    Names are part of the keys of arrays in files, such as ``projection/NAME/delays``, and of
    those of a trace, such as ``NAME/tag_1``. A backslash in a file's member is a slash elsewhere.
    """
    if not isinstance(name, str) or not name:
        return "no name"
    if len(name) > NAME_LENGTH:
        return f"{len(name)} characters"
    if fault := text_fault(name):
        return fault
    if name != name.strip():
        return "blanks at an end"
    if "\\" in name:
        return "a backslash"
    return "the end of a key of its own" if name.endswith(_KEY_ENDS) else None


def text_fault(text: Any) -> str | None:
    """Why a text cannot be stored: what was found, or None."""
    if not isinstance(text, str):
        return f"{type(text).__name__}, no text"
    for character in text:
        kind = unicodedata.category(character)
        if kind in ("Cc", "Cs", "Zl", "Zp"):
            what = "a lone surrogate" if kind == "Cs" else "a control character"
            return f"{what}, U+{ord(character):04X}"
    return None


def _first(array: NDArray[Any], wrong: NDArray[np.bool_]) -> str:
    """The first wrong value, where it is, and how many there are."""
    if array.ndim == 0:
        return f"{array[()]}"
    places = np.argwhere(wrong)
    at = ", ".join(str(int(k)) for k in places[0])
    return f"{array[tuple(places[0])]} at {at} ({len(places)} in all)"
