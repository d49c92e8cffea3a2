"""What a metric is: a class with options, found by its name, that is called with what was measured.

A metric is one number, or one small result, of labels, series, spikes, states or parameters. The
mathematics is a plain function; the class beside it holds the options and the name::

    hl.metric("accuracy")(truth, answers)
    hl.metric("effective_rank", definition="entropy")(states)

Files of this folder hold several of them each; one of your own is a file ``FOLDER/metric/NAME.py``,
or an entry point of the group ``hrsnn_lava.metric``, see `hrsnn_lava.registry`. Truth comes first,
answers second; samples are rows. A figure that is not defined is None, never NaN, so that it can be
stored. Nothing here knows of tasks, engines or readouts.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from inspect import signature
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import registry
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.fields import instance, listed, plain_array, real_values
from hrsnn_lava.metrics.scores import Answers, Better, Score

__all__ = ["Floats", "Metric", "metric"]

Floats = NDArray[np.float64]


class Metric(ABC):
    """Base of all metrics; see the module.

    Attributes:
        name: what it is asked for by.
        title: heading in tables; empty: the name in words.
        unit: of its value; empty for a plain number.
        better: whether ``lower`` or ``higher`` values are better; None where neither is.
        answers_are: ``classes`` or ``values``, where truth and answers have to be these.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    unit: ClassVar[str] = ""
    better: ClassVar[Better | None] = None
    answers_are: ClassVar[Answers | None] = None

    @abstractmethod
    def __call__(self, *measured: Any, **named: Any) -> Any:
        """A number, None where it is not defined, or a result whose ``value`` is one of these."""

    @property
    def key(self) -> str:
        """Its name, and the options that are not the usual ones: a column of a table."""
        return "_".join([self.name, *(re.sub(r"\W+", "_", text) for text in self._unusual)])

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the arguments that it cannot do without."""
        arguments = signature(self.__call__).parameters.values()
        return tuple(a.name for a in arguments if a.default is a.empty)

    @property
    def _unusual(self) -> list[str]:
        named: tuple[Field[Any], ...] = fields(self) if is_dataclass(self) else ()
        given = [(entry, getattr(self, entry.name)) for entry in named]
        return [f"{e.name} {_short(value)}" for e, value in given if value != _usual(e)]

    def measure(self, measured: Mapping[str, Any]) -> Any:
        """Its value of what was measured, which is given by the names of its arguments.

        Args:
            measured: more than it needs, such as ``truth``, ``answers``, ``states``, ``spikes``;
                what is None cannot be known here, and gives None.

        Raises:
            SpecError: it needs what was not measured.
        """
        kind = measured.get("answers_are")
        if self.answers_are and kind and kind != self.answers_are:
            text = f"{self.answers_are} told from the spikes"
            problem = Problem(f"metric {self.name!r}", f"needs {text}", f"{kind}, as here")
            raise SpecError("a metric cannot be taken of this task", problems=[problem])
        given, missing = {}, []
        for argument in signature(self.__call__).parameters.values():
            if argument.name in measured:
                given[argument.name] = measured[argument.name]
            elif argument.default is argument.empty:
                missing.append(argument.name)
        if missing:
            there = ", ".join(sorted(measured.keys() - {"answers_are"})) or "nothing"
            problem = Problem(f"metric {self.name!r}", f"needs {', '.join(missing)}", there)
            raise SpecError("a metric cannot be taken of this task", problems=[problem])
        return None if any(value is None for value in given.values()) else self(**given)

    def score(self, *measured: Any, better: Better | None = None, **named: Any) -> Score:
        """The value as a `Score`, which a task may return.

        Args:
            measured, named: as for the metric itself.
            better: ``lower`` or ``higher``, where the metric does not say.

        Raises:
            SpecError: neither says whether lower or higher values are better.
        """
        direction = better or self.better
        if direction is None:
            fix = "say which you mean: better='higher'"
            problem = Problem("better", "not said", "lower, higher", fix)
            raise SpecError(f"metric {self.name!r} is neither good nor bad", problems=[problem])
        return self.scored(self(*measured, **named), direction)

    def scored(self, result: Any, better: Better | None = None) -> Score:
        """A `Score` of what the metric gave; its name and title tell of unusual options."""
        value = getattr(result, "value", result)
        number = None if value is None else float(value)
        return Score(self.key, number, self.heading, better or self.better, self.unit)

    @property
    def heading(self) -> str:
        """Its title, and the options that are not the usual ones."""
        title = self.title or self.name.replace("_", " ")
        return ", ".join([title, *self._unusual])


def _short(value: Any) -> str:
    """A value in a heading."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _usual(field: Field[Any]) -> Any:
    """The default of an option."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def metric(name: str, **options: Any) -> Metric:
    """The metric of a name, with its options; call it with what was measured.

    Example:
        >>> metric("accuracy")([0, 1, 1], [0, 1, 0])
        0.6666666666666666

    Args:
        name: one of ``hrsnn_lava.registry.names("metric")``.
        options: of its class.

    Raises:
        SpecError: no such metric, and the message lists those there are; or a wrong option.
        PartError: a file of another's is no metric.
    """
    instance("name of a metric", name, str)
    metric_class = registry.load("metric", name)
    # options take tuples; a list of Python is as good
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    with registry.guarded("metric", name):
        made = metric_class(**given)
    if not isinstance(made, Metric):
        raise registry.failure("metric", name, f"{metric_class.__name__} is no Metric")
    return made


def finite_values(where: str, values: Any, ndims: tuple[int, ...], shape: str) -> Floats:
    """Numbers that are all finite, of one of a few numbers of dimensions and not empty.

    Args:
        where: name of the argument.
        ndims: how many dimensions it may have.
        shape: the same in words, such as ``(n_samples, n_features)``.

    Raises:
        SpecError: anything else.
    """
    array = shaped(where, real_values(where, values, error=SpecError), ndims, shape)
    if wrong := int((~np.isfinite(array)).sum()):
        raise SpecError(str(Problem(where, f"{wrong} values that are not finite", "numbers")))
    return array


def spike_counts(where: str, values: Any, ndims: tuple[int, ...], shape: str) -> Floats:
    """Numbers of spikes, or where there was one; raises `SpecError` as `finite_values` does."""
    array = plain_array(where, values, "numbers of spikes", SpecError, booleans=True)
    counts = finite_values(where, array.astype(np.float64), ndims, shape)
    if (counts < 0).any():
        raise SpecError(str(Problem(where, f"{counts.min():g}", ">= 0 spikes")))
    return counts


def shaped(where: str, array: NDArray[Any], ndims: tuple[int, ...], shape: str) -> NDArray[Any]:
    """The array, if it has one of the numbers of dimensions and is not empty."""
    if array.ndim not in ndims or array.size == 0:
        raise SpecError(str(Problem(where, f"shape {array.shape}", f"{shape}, not empty")))
    return array


def names_in(where: str, values: Any) -> tuple[str, ...]:
    """A list of texts as a tuple; raises `SpecError` for anything else, a single text among it."""
    names = listed(where, values, "names", SpecError)
    return tuple(str(instance(f"a name in {where}", name, str)) for name in names)


def same_shape(first: tuple[str, NDArray[Any]], second: tuple[str, NDArray[Any]]) -> None:
    """Raise `SpecError` where two arguments, each a name and an array, differ in shape."""
    (name, array), (other_name, other) = first, second
    if array.shape != other.shape:
        measured = f"shapes {array.shape}, {other.shape}"
        raise SpecError(str(Problem(f"{name}, {other_name}", measured, "equal shapes")))
