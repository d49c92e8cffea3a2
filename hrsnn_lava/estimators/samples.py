"""A user's arrays as samples, and labels of any kind as numbers of classes.

What is drawn to encode a sample depends on the seed and on the sample itself, not on its place:
a sample has the same spikes alone and among others, in training and in a test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.tasks.classification import Showing, encoded
from hrsnn_lava.tasks.readers.base import Events, Sample
from hrsnn_lava.training.simulation import Stimulus

__all__ = [
    "Labels",
    "Samples",
    "classes_of",
    "finite_table",
    "labels_of",
    "numbered",
    "samples_of",
    "truth_of",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: What is allowed as X.
FORMS = (
    "an array (n, frames, channels) or (n, channels), or a list of arrays (frames, channels) or "
    "of Events"
)
#: The label of a sample that has none; None and not-a-number will do as well.
UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class Samples:
    """Checked samples.

    Attributes:
        values: frames (n_frames, n_channels), or events, of each.
        n_channels: of all of them.
    """

    values: Sequence[Sample]
    n_channels: int

    def __len__(self) -> int:
        return len(self.values)

    def stimulus(self, showing: Showing, seed: int, order: Ints | None = None) -> Stimulus:
        """The samples as an input, one after the other.

        Args:
            showing: encoder and steps.
            seed: of what the encoder draws.
            order: (k,) indices of those that are shown; None: all.

        Raises:
            SpecError: the encoder takes no such samples.
        """
        chosen = range(len(self)) if order is None else order.tolist()
        keys = np.array([_key(self.values[k]) for k in chosen], dtype=np.int64)
        by_key = dict(zip(keys.tolist(), (self.values[k] for k in chosen), strict=True))
        return encoded(by_key.__getitem__, keys, showing, seed)


def _key(sample: Sample) -> int:
    """A number below 2^63 that tells samples apart by what is in them."""
    parts: tuple[Any, ...] = (sample,)
    if isinstance(sample, Events):
        parts = (sample.times, sample.channels, np.float64(sample.duration))
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes() + str(np.shape(part)).encode())
    return int.from_bytes(digest.digest(), "little") >> 1


def samples_of(x: Any, channels: int | None = None, where: str = "X") -> Samples:
    """What a user gave, checked.

    Args:
        x: see `FORMS`; what turns into an array, such as a data frame, will do.
        channels: that each sample has to have; None: as many as the first.
        where: what messages call it.

    Raises:
        SpecError: another form, no sample, other channels, or values that are not finite.
    """
    if isinstance(x, Samples):
        return _same_channels(x.values, [x.n_channels], channels, where)
    if hasattr(x, "toarray"):
        raise _wrong(where, "a sparse matrix", FORMS, "use its toarray()")
    # arrays of one shape, and rows of one length, are one array; events are none
    items: Any = x
    if isinstance(x, list | tuple) or getattr(getattr(x, "dtype", None), "kind", "") == "O":
        items = list(x)
        if not items:
            raise _wrong(where, "no sample", FORMS)
        if all(isinstance(item, Events) for item in items):
            return _same_channels(items, [e.n_channels for e in items], channels, where)
        if any(isinstance(item, Events) for item in items):
            raise _wrong(where, "events and frames", "one of them")
        if all(np.ndim(item) == 2 for item in items):
            frames = [_frames(item, f"{where}[{k}]") for k, item in enumerate(items)]
            return _same_channels(frames, [f.shape[1] for f in frames], channels, where)
    values = _numbers(items, where)
    if values.ndim == 2:
        values = values[:, None, :]
    if values.ndim != 3:
        fix = "use X.reshape(-1, 1) for samples of one value" if values.ndim == 1 else ""
        raise _wrong(where, f"shape {values.shape}", FORMS, fix)
    if not values.size:
        shape = np.shape(items)
        raise _wrong(where, f"shape {shape}", "no extent of 0")
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=(1, 2)))
    if wrong.size:
        raise _not_finite(where, f"{wrong.size} of {len(values)} samples, the first is {wrong[0]}")
    return _same_channels(list(values), [values.shape[2]], channels, where)


def finite_table(x: Any, where: str, channels: int | None = None, least: int = 1) -> Floats:
    """A series (n, d) as an array, checked; (n,) is (n, 1).

    Raises:
        SpecError: another shape, fewer than `least` rows, other channels, values not finite.
    """
    values = _numbers(x, where)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.shape[1]:
        raise _wrong(where, f"shape {values.shape}", "a series (n, d)")
    if len(values) < least:
        raise _wrong(where, f"{len(values)} values", f">= {least}")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise _not_finite(where, f"the first in row {row}")
    if channels is not None and values.shape[1] != channels:
        raise _wrong(where, f"{values.shape[1]} channels", f"{channels}, as in fit")
    return values


def _same_channels(
    values: Sequence[Sample], widths: Iterable[int], channels: int | None, where: str
) -> Samples:
    found = sorted(set(widths))
    if len(found) > 1:
        text = ", ".join(map(str, found))
        raise _wrong(where, f"samples of {text} channels", "the same in all")
    if channels is not None and found != [channels]:
        raise _wrong(where, f"{found[0]} channels", f"{channels}, as in fit")
    return Samples(values, found[0])


def _frames(item: Any, where: str) -> Floats:
    frames = _numbers(item, where)
    if not frames.size:
        raise _wrong(where, f"shape {frames.shape}", "no extent of 0")
    if not np.isfinite(frames).all():
        raise _not_finite(where, "at least one")
    return frames


def _numbers(value: Any, where: str) -> Floats:
    try:
        array = np.asarray(value)
        if (
            value is None or array.dtype.kind not in "biufO"
        ):  # texts that look like numbers are none
            raise TypeError(type(value).__name__)
        # one order and one 0: what is drawn for a sample follows its bytes
        numbers: Floats = np.ascontiguousarray(array, dtype=np.float64) + 0.0
        return numbers
    except (TypeError, ValueError) as error:
        shapes = {np.shape(item) for item in value} if isinstance(value, list) else set()
        many = f"shapes {', '.join(map(str, sorted(shapes)[:3]))}"
        measured = many if len(shapes) > 1 else f"no numbers ({error})"
        raise _wrong(where, measured, FORMS) from None
    except Exception as error:  # of an array of somebody else
        raise _wrong(where, type(value).__name__, FORMS) from error


def _wrong(where: str, measured: str, allowed: str, fix: str = "") -> SpecError:
    problem = Problem(where, measured, allowed, fix)
    return SpecError("the samples cannot be used", problems=[problem])


def _not_finite(where: str, measured: str) -> SpecError:
    return _wrong(where, f"values that are not finite: {measured}", "finite numbers")


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels as numbers.

    Attributes:
        classes: (n_classes,) the labels there are, in their order.
        index: (n,) number of the class of each sample; -1 where it has none.
    """

    classes: NDArray[Any]
    index: Ints

    @property
    def labelled(self) -> Ints:
        """Indices of samples that have a label, rising."""
        return np.flatnonzero(self.index >= 0)


def labels_of(y: Any, count: int) -> Labels:
    """Labels of samples, and their classes.

    Args:
        y: (count,) labels, anything that can be hashed; -1, None and not-a-number are none.
        count: of the samples.

    Raises:
        SpecError: another number of labels, or fewer than two classes.
    """
    values = _listed(y, count)
    known = {value for value in values if not _missing(value)}
    missing = sum(map(_missing, values))
    if len(known) < 2:
        names = ", ".join(map(repr, known)) or "none"
        minus = any(isinstance(v, int | float) and v == UNLABELLED for v in values)
        fix = "-1 means: without a label; use 0 and 1" if minus else ""
        measured = f"{len(known)} class{'es' * (len(known) != 1)}: {names}"
        measured += f", and {missing} samples without a label" if missing else ""
        problem = Problem("y", measured, "two classes or more", fix)
        raise SpecError("the labels cannot be used", problems=[problem])
    classes = classes_of(_in_order(known))
    return Labels(classes, numbered(values, classes))


def numbered(y: Any, classes: NDArray[Any]) -> Ints:
    """(n,) index of the class of each label; -1 for none, or one of no class."""
    place = {value: k for k, value in enumerate(classes.tolist())}
    values = [-1 if _missing(value) else place.get(value, -1) for value in y]
    return np.array(values, dtype=np.int64)


def _as_texts(values: list[Any], classes: NDArray[Any]) -> list[Any]:
    """Labels as the texts that a file holds of them, where it has texts alone.

    A run of a task keeps the names of classes. -1 is a class then, if it is one of the names.
    """
    texts = classes.dtype.kind == "U"
    if not texts or any(isinstance(value, str) for value in values):
        return values
    names = set(classes.tolist())
    return [str(value) if str(value) in names or not _missing(value) else None for value in values]


def truth_of(y: Any, count: int, classes: NDArray[Any]) -> tuple[Ints, NDArray[np.bool_]]:
    """Index of the class of each sample to be scored, and which of them have a label.

    A label of no class stays -1: no answer is right. Labels of a program whose classes are texts
    are compared as texts.

    Raises:
        SpecError: another number of labels, none at all, or none that is a class.
    """
    values = _as_texts(_listed(y, count), classes)
    known = np.array([not _missing(value) for value in values])
    if not known.any():
        problem = Problem("y", "no label", "one or more")
        raise SpecError("the labels cannot be used", problems=[problem])
    index = numbered(values, classes)
    if (index[known] < 0).all():
        some = next(value for value, there in zip(values, known, strict=True) if there)
        listed = ", ".join(map(repr, classes.tolist()[:10])) + (
            ", ..." if len(classes) > 10 else ""
        )
        problem = Problem("y", f"labels such as {some!r:.40}, none of which is a class", listed)
        raise SpecError("the labels cannot be used", problems=[problem])
    return index, known


def classes_of(values: Sequence[Any]) -> NDArray[Any]:
    """Labels in an array: of numbers or texts where all are, else of objects."""
    kinds = {type(value) for value in values}
    if kinds in ({int}, {float}, {bool}, {str}):
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _listed(y: Any, count: int) -> list[Any]:
    """Labels as plain values, as many as there are samples."""
    shape = getattr(y, "shape", None)
    if y is None or isinstance(y, str) or not hasattr(y, "__len__"):
        problem = Problem("y", f"{y!r:.40}", f"{count} labels, one for each sample")
        raise SpecError("the labels cannot be used", problems=[problem])
    if shape is not None and len(shape) != 1:
        problem = Problem("y", f"shape {tuple(shape)}", f"({count},), one for each sample")
        raise SpecError("the labels cannot be used", problems=[problem])
    values = y.tolist() if hasattr(y, "tolist") else list(y)
    values = [v.item() if isinstance(v, np.generic) else v for v in values]
    problems = []
    if len(values) != count:
        problems.append(Problem("y", f"{len(values)} labels", f"{count}, one for each sample"))
    unhashable = next((v for v in values if getattr(v, "__hash__", None) is None), None)
    if unhashable is not None:
        measured = f"a {type(unhashable).__name__}"
        problems.append(Problem("y", measured, "labels that can be hashed: numbers, texts"))
    if problems:
        raise SpecError("the labels cannot be used", problems=problems)
    return values


def _missing(value: Any) -> bool:
    if value is None or value != value:  # not a number equals nothing
        return True
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and value == UNLABELLED


def _in_order(values: Iterable[Any]) -> list[Any]:
    """Sorted where that is defined, else by type and text."""
    listed = list(values)
    try:
        return sorted(listed)
    except TypeError:
        return sorted(listed, key=lambda value: (type(value).__name__, repr(value)))
