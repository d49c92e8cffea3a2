"""The table ``[search]`` of a spec: what is looked for, how, and what each trial may take.

It stands below the spec, which holds it, and below `hrsnn_lava.search`, which does the work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from hrsnn_lava.options import Count, Part, Positive, Share, options

__all__ = ["MEASURES", "SCORE", "Direction", "Objective", "SearchOptions", "StopOptions"]

Direction = Literal["maximize", "minimize"]
#: What stands for the headline score of the task, whatever that is called.
SCORE = "score"
#: What a trial measures, from the cheapest.
MEASURES = ("float", "integers", "program")
_FIGURE = r"[A-Za-z_][\w.]*"
_TEXT = re.compile(rf"(maximize|minimize) +({_FIGURE})(?: */ *({_FIGURE}))?")


@dataclass(frozen=True)
class Objective:
    """What is made large or small: a figure of a trial, or one over another.

    Attributes:
        figure: its name; `SCORE` for the headline of the task.
        over: what it is divided by; "" for nothing.
        direction: None for the score, whose task says it.
    """

    figure: str
    over: str = ""
    direction: Direction | None = None

    @classmethod
    def parse(cls, text: str) -> Objective:
        """``"score"``, ``"maximize A"``, ``"minimize A / B"``.

        Raises:
            ValueError: anything else; it says what is allowed.
        """
        if text.strip() == SCORE:
            return cls(SCORE)
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise ValueError('"score", "maximize FIGURE" or "minimize FIGURE / FIGURE"')
        direction: Direction = "maximize" if match[1] == "maximize" else "minimize"
        return cls(match[2], match[3] or "", direction)

    @property
    def name(self) -> str:
        """The figure in words, such as ``memory_capacity / spikes_per_sample``."""
        return f"{self.figure} / {self.over}" if self.over else self.figure

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures that it is made of."""
        return (self.figure, self.over) if self.over else (self.figure,)

    def __str__(self) -> str:
        return self.name if self.direction is None else f"{self.direction} {self.name}"


def _objective(text: str) -> str:
    return str(Objective.parse(text))


ObjectiveText = Annotated[str, AfterValidator(_objective)]
#: Paths of the spec with what they may be; `hrsnn_lava.search.space` reads them.
SpaceTable = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "object"}}),
]


@options
class StopOptions:
    """When a trial is given up before all of its networks were tried (ours).

    Attributes:
        after: networks of a trial that are tried in any case.
        quantile: of the trials of earlier rounds after equally many networks; one that is worse in
            every objective is given up. 0.5: than half of them.
        trials: that have to be there before any is given up.
    """

    after: Count = 1
    quantile: Share = 0.5
    trials: Count = 8


@options
class SearchOptions:
    """A search of the best distributions, and of any other values of the spec.

    Attributes:
        trials: how many points are tried; more of them later go on where these end.
        batch: points that are chosen at once, before any of them is tried: as many trials can run
            side by side. Results depend on it, and not on how many do.
        suggester: how points are chosen, a name or a table with its options.
        objectives: `score`, the task's own; `maximize FIGURE` or `minimize FIGURE`, of a trial, or
            one over another as `A / B`. Several make a Pareto front.
        measure: what a trial tries: the `float` network before pruning, its `integers` too, or the
            `program`: pruned, placed on the chip and priced, as by `run`.
        repeats: networks of a trial, each of another seed; objectives are means over them.
        fresh_seeds: every trial has seeds of its own; else all have the same, and differences
            between them are smaller for it.
        confirm: fresh seeds that the winner and the spec as it is are compared on at the end.
        seconds: wall time of a trial, after which it is ended and counts as failed; by default any.
        memory_mb: address space of a trial in MB (10^6 bytes), some 500 of the program itself among
            them; by default any.
        retries: of a trial whose process was killed, before it counts as failed.
        space: by path of the spec, what may stand there.
    """

    trials: Count = 40
    batch: Annotated[int, Field(ge=1, le=10_000)] = 4
    suggester: Annotated[Any, Part("suggester"), Field(validate_default=True)] = "wasserstein"
    objectives: tuple[ObjectiveText, ...] = (SCORE,)
    measure: Literal["float", "integers", "program"] = "float"
    repeats: Count = 1
    fresh_seeds: bool = False
    stop: StopOptions | None = None
    confirm: Annotated[int, Field(ge=0)] = 0
    seconds: Positive | None = None
    memory_mb: Count | None = None
    retries: Annotated[int, Field(ge=0)] = 1
    space: SpaceTable = Field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks of several options.

        Raises:
            ValueError: no objective, or one twice, be it in opposite directions.
        """
        if not self.objectives:
            raise ValueError('objectives: at least one, such as "score"')
        names = {Objective.parse(text).name for text in self.objectives}
        if len(names) < len(self.objectives):
            raise ValueError("objectives: each of them once")
