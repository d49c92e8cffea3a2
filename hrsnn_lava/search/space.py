"""The space of a search: which numbers, choices and distributions of a spec are free, and where.

It is read from a table, whose keys are paths of the spec::

    "network.connectivity.gain" = { low = 0.05, high = 0.5, prior = "log" }
    "network.size" = { low = 100, high = 400, integer = true }
    "network.input.target" = { values = ["bias", "synapse"] }
    "stdp.tau_plus" = { distribution = "gamma", cv = [0.1, 1.0], mean = 0.02 }

A number is free where an interval stands for it: ``[low, high]``, or a table with its ``prior``,
``"uniform"`` (the default) or ``"log"``. Two whole numbers, ``[100, 400]``, are an interval of
whole numbers. Everything that is wrong with a table is said at once.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import ValidationError

from hrsnn_lava import distributions as dist
from hrsnn_lava.distribution_options import (
    ExponentialSpec,
    GammaSpec,
    LogNormalSpec,
    NormalSpec,
    Section,
    UniformSpec,
    distribution,
)
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.options import problems_of
from hrsnn_lava.search.dimensions import (
    CLIPPED,
    FAMILIES,
    Choice,
    Dimension,
    Distribution,
    Fixed,
    Float,
    Free,
    Integer,
    Range,
    Real,
    parted,
)
from hrsnn_lava.spelling import did_you_mean

__all__ = ["Point", "Space"]

#: Coordinates of a trial, each in ``[0, 1)``.
Point = tuple[float, ...]
#: Ends of intervals are no larger, so that widths are finite; of whole numbers, so that all numbers
#: between them are whole as floats.
_LARGEST, _LARGEST_WHOLE = 1e100, 2**53
#: A path of a spec.
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Space:
    """What a search varies, in the order of its table.

    Attributes:
        dimensions: each with a path of its own.
    """

    dimensions: tuple[Dimension, ...]

    @classmethod
    def parse(cls, table: Mapping[str, Any], where: str = "space") -> Space:
        """Read a table, see the module.

        Args:
            table: definitions by dotted path of the spec.
            where: what messages call the table.

        Raises:
            SpecError: with every path and every definition that is wrong, or where nothing is free.
        """
        problems, dimensions = list(_path_problems(table, where)), []
        for path, definition in table.items():
            try:
                dimensions.append(_dimension(str(path), definition, f"{where}.{path}"))
            except _Wrong as wrong:
                problems += wrong.problems
        space = cls(tuple(dimensions))
        if not problems and not space.size:
            fix = "give an interval, such as [0.1, 0.5]"
            problems.append(Problem(where, "nothing is free", "at least one free number", fix))
        raise_if(SpecError, f"{where} is not valid", problems)
        return space

    @property
    def size(self) -> int:
        """Number of coordinates of a point, d."""
        return sum(dimension.size for dimension in self.dimensions)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates, (d,): a path, with the number of a distribution behind it."""
        return tuple(name for dimension in self.dimensions for name in dimension.names)

    def table(self) -> dict[str, Any]:
        """Plain values, as JSON has them, that `parse` makes the same space of."""
        return {dimension.path: dimension.table() for dimension in self.dimensions}

    def settings(self, point: Sequence[float]) -> dict[str, Any]:
        """What a spec has at a point, by dotted path; `merged` puts it into a spec's tables.

        Raises:
            SpecError: the point has other than d coordinates in ``[0, 1)``.
        """
        parts = self.parts(point)
        return {d.path: d.setting(u) for d, u in zip(self.dimensions, parts, strict=True)}

    def marginals(self, point: Sequence[float]) -> dict[str, dist.Distribution]:
        """The distributions of a point by path, those of the space's distributions alone."""
        return {
            d.path: distribution(_SPEC_TABLES[d.family].model_validate(d.setting(u)))
            for d, u in zip(self.dimensions, self.parts(point), strict=True)
            if isinstance(d, Distribution)
        }

    def parts(self, point: Sequence[float]) -> list[Float]:
        """Coordinates of a point, (size,) for every dimension; raises as `settings` does."""
        coordinates = np.asarray(point, dtype=np.float64)
        if coordinates.shape != (self.size,):
            allowed = f"{self.size}: {', '.join(self.names) or 'none'}"
            problem = Problem("point", f"shape {coordinates.shape}", allowed)
            raise SpecError("no point of the space", problems=[problem])
        if not ((coordinates >= 0) & (coordinates < 1)).all():
            problem = Problem("point", f"{list(point)!r:.60}", "coordinates in [0, 1)")
            raise SpecError("no point of the space", problems=[problem])
        return parted(coordinates, self.dimensions)

    @property
    def homogeneous(self) -> Space:
        """The same space with every distribution collapsed to its mean.

        A mean that is free stays free over its interval, as far as the bounds of what is drawn
        allow; one that is not becomes a fixed value. So both spaces can be searched at the same
        budget. This one may have nothing free (size 0).
        """
        return Space(tuple(dimension.homogeneous() for dimension in self.dimensions))


class _Wrong(Exception):  # noqa: N818 - caught in this module, never seen
    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


#: The table of a spec of every family.
_SPEC_TABLES: Mapping[str, type[Section]] = {
    "gamma": GammaSpec,
    "lognormal": LogNormalSpec,
    "normal": NormalSpec,
    "uniform": UniformSpec,
    "exponential": ExponentialSpec,
}
_FORMS = (
    "[low, high], { low = ..., high = ... }, { values = [...] }, "
    '{ distribution = "...", ... } or { value = ... }'
)


def _path_problems(table: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Paths that are none, and those that stand in another."""
    for path in table:
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            yield Problem(
                where, f"{path!r:.60}", "a dotted path, such as network.connectivity.gain"
            )
    texts = [path for path in table if isinstance(path, str)]
    for path, other in itertools.permutations(texts, 2):
        if other.startswith(f"{path}."):
            fix = "search the whole, or parts of it"
            yield Problem(f"{where}.{other}", f"stands in {path}", "paths apart", fix)


def _dimension(path: str, value: Any, where: str) -> Dimension:
    """A dimension of its definition; `_Wrong` says what is the matter with it."""
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and all(isinstance(v, int) and not isinstance(v, bool) for v in value):
            value = {"low": value[0], "high": value[1], "integer": True}
        else:
            return Real(path, _range(value, where))
    if not isinstance(value, Mapping):
        raise _Wrong(Problem(where, f"{value!r:.40}", _FORMS, "give an interval"))
    kinds = {"distribution": _distribution, "values": _choice, "value": _fixed, "low": _number}
    for key, read in kinds.items():
        if key in value:
            return read(path, value, where)
    raise _Wrong(Problem(where, f"a table of {', '.join(map(str, value)) or 'nothing'}", _FORMS))


def _choice(path: str, table: Mapping[str, Any], where: str) -> Dimension:
    _refuse_unknown(table, ("values",), where)
    values = table["values"]
    if not isinstance(values, (list, tuple)) or not values:
        raise _Wrong(Problem(f"{where}.values", f"{values!r:.40}", "a list, not empty"))
    if twice := [v for k, v in enumerate(values) if _same(v, values[:k])]:
        raise _Wrong(Problem(f"{where}.values", f"{twice[0]!r:.40} twice", "each value once"))
    _refuse_unwritable(values, f"{where}.values")
    return Choice(path, tuple(values))


def _same(value: Any, others: Sequence[Any]) -> bool:
    return any(value == other and type(value) is type(other) for other in others)


def _refuse_unwritable(values: Sequence[Any], where: str) -> None:
    """Refuse what the ledger cannot hold: nan, dates."""
    for value in values:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            allowed = "texts, finite numbers, true and false, lists and tables of them"
            raise _Wrong(Problem(where, f"{value!r:.40}", allowed)) from None


def _fixed(path: str, table: Mapping[str, Any], where: str) -> Dimension:
    _refuse_unknown(table, ("value",), where)
    _refuse_unwritable([table["value"]], f"{where}.value")
    return Fixed(path, table["value"])


def _number(path: str, table: Mapping[str, Any], where: str) -> Dimension:
    _refuse_unknown(table, ("low", "high", "prior", "integer"), where)
    whole = table.get("integer", False)
    if not isinstance(whole, bool):
        raise _Wrong(Problem(f"{where}.integer", f"{whole!r:.40}", "true or false"))
    interval = _range({k: v for k, v in table.items() if k != "integer"}, where)
    if not whole:
        return Real(path, interval)
    ends = (interval.low, interval.high)
    if any(end != int(end) for end in ends):
        raise _Wrong(Problem(where, f"{ends[0]:g} to {ends[1]:g}", "whole numbers"))
    if max(map(abs, ends)) >= _LARGEST_WHOLE:
        raise _Wrong(Problem(where, f"{ends[0]:g} to {ends[1]:g}", "whole numbers below 2^53"))
    return Integer(path, int(ends[0]), int(ends[1]), interval.log)


def _range(value: Any, where: str) -> Range:
    """An interval: two numbers, or a table of them with a prior."""
    if isinstance(value, Mapping):
        _refuse_unknown(value, ("low", "high", "prior"), where)
        missing = [key for key in ("low", "high") if key not in value]
        if missing:
            raise _Wrong(Problem(f"{where}.{missing[0]}", "missing", "a number"))
        ends, prior = (value["low"], value["high"]), value.get("prior", "uniform")
    else:
        ends, prior = tuple(value), "uniform"
        if len(ends) != 2:
            raise _Wrong(Problem(where, f"{len(ends)} values", "two: [low, high]"))
    for end in ends:
        if not _is_number(end):
            raise _Wrong(Problem(where, f"{end!r:.40}", "finite numbers, at most 1e100"))
    if prior not in ("uniform", "log"):
        near = did_you_mean(str(prior), ("uniform", "log"))
        raise _Wrong(Problem(f"{where}.prior", f"{prior!r:.40}", "uniform, log", near))
    low, high = float(ends[0]), float(ends[1])
    if not low < high:
        fix = "exchange them" if low > high else "give the number alone"
        raise _Wrong(Problem(where, f"low {low:g}, high {high:g}", "low < high", fix))
    if prior == "log" and low <= 0:
        raise _Wrong(
            Problem(where, f"low {low:g} with prior log", "low > 0", 'set prior = "uniform"')
        )
    return Range(low, high, prior == "log")


def _is_number(value: Any) -> bool:
    """Whether a value is a number that intervals can be computed with."""
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and abs(value) <= _LARGEST  # not so of nan


def _distribution(path: str, table: Mapping[str, Any], where: str) -> Dimension:
    family = table["distribution"]
    if not isinstance(family, str) or family not in FAMILIES:
        near = did_you_mean(str(family), FAMILIES)
        where, allowed = f"{where}.distribution", ", ".join(FAMILIES)
        raise _Wrong(Problem(where, f"{family!r:.40}", allowed, near))
    given = _number_names(family, table, where)
    clipped = ("low", "high", "exact_mean") if family in CLIPPED else ()
    _refuse_unknown(table, ("distribution", "metric", *given, *clipped), where)
    numbers = tuple((name, _free(table[name], f"{where}.{name}")) for name in given)
    bounds = {name: table[name] for name in clipped if name in table}
    for name in ("low", "high"):
        if name in bounds and not _is_number(bounds[name]):
            allowed = "a number, since bounds of what is drawn are not searched"
            raise _Wrong(Problem(f"{where}.{name}", f"{bounds[name]!r:.40}", allowed))
    plain = Distribution(path, family, numbers)
    _check_corners(plain, bounds, where)
    log = _metric(plain, table.get("metric"), bounds.get("low"), where)
    return replace(plain, clip=dist.Clip(**bounds), log=log)


def _number_names(family: str, table: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """The set of numbers that a table gives a distribution by."""
    sets = FAMILIES[family]
    for names in sets:
        if all(name in table for name in names):
            other = [n for s in sets for n in s if n not in names and n in table]
            if other:
                allowed = " or ".join(" and ".join(s) for s in sets)
                raise _Wrong(Problem(where, f"{' and '.join((*names, other[0]))}", allowed))
            return names
    allowed = " or ".join(" and ".join(names) for names in sets)
    measured = ", ".join(str(key) for key in table if key != "distribution")
    raise _Wrong(Problem(where, measured or "no number", allowed))


def _free(value: Any, where: str) -> Free:
    if isinstance(value, (list, tuple, Mapping)):
        return _range(value, where)
    if not _is_number(value):
        allowed = "a finite number, or an interval of them; at most 1e100"
        raise _Wrong(Problem(where, f"{value!r:.40}", allowed))
    return float(value)


def _check_corners(dimension: Distribution, bounds: Mapping[str, Any], where: str) -> None:
    """Whether the spec would take the distribution at every end of its intervals.

    Numbers of a distribution are allowed in intervals, so ends are enough.
    """
    problems: dict[str, Problem] = {}
    highest = np.nextafter(1.0, 0.0)
    for corner in itertools.product((0.0, highest), repeat=dimension.size):
        with np.errstate(divide="ignore", invalid="ignore"):
            setting = dimension.setting(np.array(corner)) | dict(bounds)
        table_class = _SPEC_TABLES[dimension.family]
        try:
            table_class.model_validate(setting)
        except ValidationError as error:
            for problem in problems_of(error, table_class, where):
                problems.setdefault(problem.where, problem)
    given = dict(dimension.numbers)
    cv = given.get("cv")
    lowest = cv.low if isinstance(cv, Range) else cv
    if lowest is not None and not lowest > 0:
        problems = {where: Problem(f"{where}.cv", f"{lowest:g}", "> 0", "give a small low end")}
    if problems:
        raise _Wrong(*problems.values())


def _metric(dimension: Distribution, name: Any, clip_low: float | None, where: str) -> bool:
    """Whether distances are between logarithms."""
    given = dict(dimension.numbers)
    mean = given.get("mean")
    if dimension.family == "uniform" and "low" in given:
        low = given["low"]
        positive = (low.low if isinstance(low, Range) else low) > 0
    elif dimension.family in ("normal", "uniform"):
        positive = dimension.family == "normal" and clip_low is not None and clip_low > 0
    else:
        positive = clip_low is None or clip_low > 0
    if name is None:
        # quantiles of a gamma distribution near 0 have no bound in the logarithm
        bounded = clip_low is not None or dimension.family == "lognormal"
        return positive and bounded and isinstance(mean, Range) and mean.log
    if name not in ("linear", "log"):
        near = did_you_mean(str(name), ("linear", "log"))
        raise _Wrong(Problem(f"{where}.metric", f"{name!r:.40}", "linear, log", near))
    if name == "log" and not positive:
        allowed = "linear, since values may be 0 or less"
        raise _Wrong(Problem(f"{where}.metric", "'log'", allowed))
    return bool(name == "log")


def _refuse_unknown(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    problems = [
        Problem(f"{where}.{key}", "unknown key", ", ".join(known), did_you_mean(str(key), known))
        for key in table
        if key not in known
    ]
    if problems:
        raise _Wrong(*problems)
