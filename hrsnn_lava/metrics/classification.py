"""How well labels are told: accuracy, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.fields import locked, plain_array
from hrsnn_lava.metrics.base import Metric, names_in, same_shape, shaped
from hrsnn_lava.metrics.scores import Answers, Better
from hrsnn_lava.options import options

__all__ = ["ConfusionMatrix", "accuracy", "confusion", "label_array"]

Int = NDArray[np.int64]


def accuracy(truth: ArrayLike, answers: ArrayLike) -> float:
    """Share of samples whose label is told, ``mean(answers == truth)``, 0 to 1.

    Args:
        truth: (n,) labels: integers, truth values or texts.
        answers: (n,) labels of the same kind.

    Raises:
        SpecError: no samples, shapes that differ, or something else than labels.
    """
    first, second = _label_pair(truth, answers)
    return float(np.mean(first == second))


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """How often each class was taken for each.

    Attributes:
        counts: (C, C) samples; rows are the truth, columns the answers.
        classes: (C,) names, in the order of the rows.
    """

    counts: Int
    classes: tuple[str, ...]

    @property
    def value(self) -> float:
        """Accuracy, ``trace(counts) / sum(counts)``."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def recall(self) -> tuple[float | None, ...]:
        """Share of every class that is told, (C,); None for a class without a sample."""
        return _shares(np.diag(self.counts), self.counts.sum(axis=1))

    @property
    def precision(self) -> tuple[float | None, ...]:
        """Share of the answers of every class that are right, (C,); None for one never given."""
        return _shares(np.diag(self.counts), self.counts.sum(axis=0))

    def most_confused(self, count: int = 3) -> list[tuple[str, str, int]]:
        """Pairs that are mistaken most: the class, what it is taken for, how often."""
        off = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-off, axis=None, kind="stable")[:count]
        pairs = [divmod(int(k), len(self.classes)) for k in order]
        return [(self.classes[i], self.classes[j], int(off[i, j])) for i, j in pairs if off[i, j]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        return {
            "classes": list(self.classes),
            "counts": self.counts.tolist(),
            "accuracy": self.value,
            "recall": list(self.recall),
            "precision": list(self.precision),
        }

    def __str__(self) -> str:
        """A table: a row for every true class, its recall at the end."""
        shares = ["-" if share is None else f"{share:.3f}" for share in self.recall]
        rows = [["truth \\ answer", *self.classes, "recall"]]
        for name, row, share in zip(self.classes, self.counts.tolist(), shares, strict=True):
            rows.append([name, *map(str, row), share])
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = []
        for name, *cells in rows:
            right = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
            lines.append("  ".join([name.ljust(widths[0]), *right]).rstrip())
        total = int(self.counts.sum())
        return "\n".join([*lines, f"accuracy {self.value:.4f} of {total:,} samples"])


def confusion(
    truth: ArrayLike, answers: ArrayLike, classes: Sequence[str] | None = None
) -> ConfusionMatrix:
    """Numbers of samples by truth and answer, ``counts[i, j] = |{truth = i, answer = j}|``.

    Args:
        truth: (n,) labels: integers, truth values or texts.
        answers: (n,) labels of the same kind.
        classes: names, in the order of the rows. Integers are places in it, texts are among it.
            None: the labels that occur, sorted.

    Raises:
        SpecError: as of `accuracy`, and for a label that is none of the classes.
    """
    first, second = _label_pair(truth, answers)
    if classes is None:
        known, places = np.unique(np.concatenate([first, second]), return_inverse=True)
        names = tuple(str(label) for label in known.tolist())
        rows, columns = np.split(places.ravel(), 2)
    else:
        names = names_in("classes", classes)
        if not names or len(set(names)) < len(names):
            problem = Problem("classes", f"{len(names)} names", "one or more, each once")
            raise SpecError(str(problem))
        rows, columns = (
            _places(where, labels, names)
            for where, labels in (("truth", first), ("answers", second))
        )
    size = len(names)
    counts = np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)
    return ConfusionMatrix(locked(counts.astype(np.int64)), names)


@options
class Accuracy(Metric):
    """Share of samples whose label is told."""

    name: ClassVar[str] = "accuracy"
    answers_are: ClassVar[Answers] = "classes"
    better: ClassVar[Better] = "higher"

    def __call__(self, truth: ArrayLike, answers: ArrayLike) -> float:
        """See `accuracy`."""
        return accuracy(truth, answers)


@options
class Confusion(Metric):
    """How often each class is taken for each; its value is the accuracy.

    Attributes:
        classes: names, in the order of the rows; empty: the labels that occur.
    """

    name: ClassVar[str] = "confusion"
    answers_are: ClassVar[Answers] = "classes"
    title: ClassVar[str] = "accuracy, by confusion"
    better: ClassVar[Better] = "higher"
    classes: tuple[str, ...] = ()

    def __call__(self, truth: ArrayLike, answers: ArrayLike) -> ConfusionMatrix:
        """See `confusion`."""
        return confusion(truth, answers, self.classes or None)


def _shares(part: Int, whole: Int) -> tuple[float | None, ...]:
    return tuple(int(p) / int(w) if w else None for p, w in zip(part, whole, strict=True))


def _label_pair(truth: ArrayLike, answers: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as arrays of labels, (n,) each, of one kind."""
    first, second = label_array("truth", truth), label_array("answers", answers)
    same_shape(("truth", first), ("answers", second))
    if (first.dtype.kind == "U") != (second.dtype.kind == "U"):
        problem = Problem("truth, answers", "texts and numbers", "labels of one kind")
        raise SpecError(str(problem))
    return first, second


def label_array(where: str, values: ArrayLike) -> NDArray[Any]:
    """Labels of one kind, (n,): integers of 64 bits, or texts."""
    try:
        array = np.asarray(values)
    except ValueError:  # lists of several lengths
        array = plain_array(where, values, "(n,) labels", SpecError)
    if array.dtype.kind == "O" and all(isinstance(item, str) for item in array.ravel().tolist()):
        array = array.astype(str)
    if array.dtype.kind != "U":
        array = plain_array(where, values, "integers or texts", SpecError, booleans=True)
        whole = array.dtype.kind != "f" or bool(np.all(np.abs(array) < 2.0**53))
        whole = whole and bool(np.all(array == np.trunc(array)))
        if not whole or (array.dtype.kind == "f" and array.ndim > 1):
            fix = "the class of the largest answer is answers.argmax(axis=1)"
            raise SpecError(str(Problem(where, f"floats, {array.shape}", "(n,) labels", fix)))
        array = array.astype(np.int64)
    return shaped(where, array, (1,), "(n,)")


def _places(where: str, labels: NDArray[Any], names: tuple[str, ...]) -> Int:
    """Rows of labels among the names."""
    if labels.dtype.kind == "U":
        row = {name: k for k, name in enumerate(names)}
        places = np.array([row.get(label, -1) for label in labels.tolist()], dtype=np.int64)
    else:
        places = labels.astype(np.int64)
    outside = (places < 0) | (places >= len(names))
    if outside.any():
        label = labels[outside][0]
        allowed = f"one of {', '.join(names)}" if labels.dtype.kind == "U" else f"< {len(names)}"
        raise SpecError(str(Problem(where, f"label {label}", allowed, "name every class")))
    return places
