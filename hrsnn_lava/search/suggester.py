"""What proposes the trials of a search: a file ``search/suggesters/NAME.py`` with one class.

A suggester is an options class. It is given the space and all that is known of earlier trials, and
proposes points. It has no memory of its own: the same trials give the same points, so a search
that is resumed goes on as if nothing had happened::

    @options
    class Middle(Suggester):
        '''The middle of the space, always.'''

        name: ClassVar[str] = "middle"

        def points(self, space, told, count, rng):
            return [(0.5,) * space.size] * count
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from hrsnn_lava import registry
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.options import Part
from hrsnn_lava.search.space import Point, Space

__all__ = ["Explanation", "Suggester", "SuggesterOption", "Told", "objectives"]


@dataclass(frozen=True)
class Told:
    """A trial whose end is known.

    Attributes:
        point: where it was.
        values: objectives by name, higher is better; those of a failed trial are not looked at.
        failed: whether it gave none.
    """

    point: Point
    values: Mapping[str, float] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True)
class Explanation:
    """What a suggester has learned of one objective.

    Attributes:
        length_scales: of every part of the kernel by name, in units of the distance that two
            points of the prior have (root mean square): far above 1 where it hardly matters.
        importance: of every coordinate of the space by name: the share of the objective's variance
            over the prior that is lost when it is not known, others being known (total Sobol
            index of the posterior mean); their sum exceeds 1 where coordinates act together.
        noise: standard deviation of the noise, in units of the objective.
        least_eigenvalue: of the matrix of the kernel between trials, over its largest, before
            anything was clipped; None where the kernel is positive semi-definite by construction.
    """

    length_scales: Mapping[str, float]
    importance: Mapping[str, float]
    noise: float
    least_eigenvalue: float | None = None


class Suggester(ABC):
    """Base of all; see the module.

    Attributes:
        name: of its file.
    """

    name: ClassVar[str] = ""

    @abstractmethod
    def points(
        self, space: Space, told: Sequence[Told], count: int, rng: np.random.Generator
    ) -> Sequence[Point]:
        """`count` points, see `suggest`, which checks what goes in and what comes out."""

    def explain(
        self, space: Space, told: Sequence[Told], objective: str, rng: np.random.Generator
    ) -> Explanation | None:
        """What was learned of an objective; None where nothing is learned, or too little told."""
        del space, told, objective, rng
        return None

    def suggest(
        self, space: Space, told: Sequence[Told], count: int, rng: np.random.Generator
    ) -> list[Point]:
        """Points to try next.

        They follow from the arguments alone. Sequences (`random`, `quasi_random`, the first trials
        of the others) go on where the last call ended, if every call is given the same stream, such
        as ``generator(seed, "search/suggest")``, made anew.

        Args:
            space: where to look.
            told: all trials that have ended, in the order of their suggestion.
            count: how many are wanted at once, >= 1; none of them knows the values of the others.
            rng: what is drawn from.

        Returns:
            `count` points of d coordinates in ``[0, 1)``.

        Raises:
            SpecError: a told point is none of the space, objectives differ between trials or are
                not finite, or the space has nothing free.
            PartError: a suggester of the user's gives other than `count` points of the space.
        """
        _check(space, told, count)
        with registry.guarded("suggester", self.name):
            points = list(self.points(space, told, count, rng))
        return [_checked(point, space, self.name) for point in _counted(points, count, self.name)]


#: A field that names a suggester: its name, or a table of its options with its ``kind``.
SuggesterOption = Annotated[
    Any, Part("suggester", default="wasserstein"), Field(validate_default=True)
]


def objectives(told: Sequence[Told]) -> tuple[str, ...]:
    """Names of the objectives, those of the first trial that has any."""
    return next((tuple(trial.values) for trial in told if not trial.failed), ())


def _check(space: Space, told: Sequence[Told], count: int) -> None:
    problems = []
    if count < 1:
        problems.append(Problem("count", str(count), ">= 1"))
    if not space.size:
        problems.append(Problem("space", "nothing is free", "at least one free number"))
    names = objectives(told)
    for number, trial in enumerate(told):
        where = f"trial {number}"
        if len(trial.point) != space.size:
            allowed = f"{space.size} coordinates, as the space has"
            problems.append(Problem(where, f"{len(trial.point)} coordinates", allowed))
        if trial.failed:
            continue
        if not trial.values or set(trial.values) != set(names):
            measured = ", ".join(trial.values) or "no objective"
            problems.append(Problem(where, measured, ", ".join(names) or "at least one objective"))
        for name, value in trial.values.items():
            if not math.isfinite(value):
                fix = "tell it as failed"
                problems.append(Problem(f"{where}.{name}", f"{value:g}", "finite", fix))
    raise_if(SpecError, "the search cannot go on", problems)


def _counted(points: list[Point], count: int, name: str) -> list[Point]:
    if len(points) != count:
        raise registry.failure("suggester", name, f"{len(points)} points; allowed: {count}")
    return points


def _checked(point: Sequence[float], space: Space, name: str) -> Point:
    """The point as plain numbers."""
    coordinates = np.asarray(point, dtype=np.float64)
    inside = coordinates.shape == (space.size,) and bool(
        ((coordinates >= 0) & (coordinates < 1)).all()
    )
    if not inside:
        text = f"point {point!r:.60}; allowed: {space.size} coordinates in [0, 1)"
        raise registry.failure("suggester", name, text)
    return tuple(map(float, coordinates))
