"""What a task measures of a network: scores by name, the first of which is the headline.

Tables, pruning curves, budgets, search and reports know a task by these alone: a name, how it is
headed, whether less or more is better. They never know a score's name beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hrsnn_lava.errors import SpecError

Better = Literal["lower", "higher"]
#: What is told from spikes: the class of a sample, or values of a series.
Answers = Literal["classes", "values"]


@dataclass(frozen=True)
class Score:
    """One figure.

    Attributes:
        name: key in rows of comparisons, such as ``rmse_mean``.
        value: the figure; None where it is not defined.
        title: heading in tables.
        better: whether ``lower`` or ``higher`` values are better; None: neither, which a headline
            cannot be, and no budget can be kept of.
        unit: of the value; empty for a plain number.
    """

    name: str
    value: float | None
    title: str
    better: Better | None = "lower"
    unit: str = ""

    def describe(self) -> dict[str, Any]:
        """Everything but the value: what a report needs to head a column."""
        return {
            "name": self.name,
            "title": self.title,
            "better": self.better,
            "unit": self.unit,
        }


@dataclass(frozen=True)
class Scores:
    """Figures of one network on one task, the headline first."""

    entries: tuple[Score, ...]

    def __post_init__(self) -> None:
        names = [score.name for score in self.entries]
        if not names or len(set(names)) < len(names):
            raise SpecError(
                f"scores: {', '.join(names) or 'none'}; allowed: one or more, each name once"
            )

    def __iter__(self) -> Iterator[Score]:
        return iter(self.entries)

    def __getitem__(self, name: str) -> Score:
        for score in self.entries:
            if score.name == name:
                return score
        names = ", ".join(score.name for score in self.entries)
        raise SpecError(f"there is no score {name!r}; there are: {names}")

    @property
    def headline(self) -> Score:
        """The figure that networks are compared by."""
        return self.entries[0]

    def values(self) -> Mapping[str, float | None]:
        """Values by name, in order."""
        return {score.name: score.value for score in self.entries}


def loss(score: Score) -> float:
    """The score as something to make small; infinity where it is not defined."""
    if score.value is None:
        return float("inf")
    return score.value if score.better == "lower" else -score.value
