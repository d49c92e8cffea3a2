"""What is known of the trials of a search, and what follows from it: what is told, what is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.search.ledger import Entry, LedgerError
from hrsnn_lava.search.suggester import Told
from hrsnn_lava.search.trial import Failure, Figures, Status, TrialResult, gains_of, values_of
from hrsnn_lava.search_options import Objective, StopOptions

__all__ = ["Asked", "History", "Trial"]


@dataclass(frozen=True)
class Asked:
    """A point that was chosen, as it stands in the ledger before it is tried.

    Attributes:
        trial: its number. round: of the choice.
        point: coordinates in ``[0, 1)``.
        settings: values of the spec by dotted path.
        thresholds: see `hrsnn_lava.search.trial.Job`.
    """

    trial: int
    round: int
    point: tuple[float, ...]
    settings: Mapping[str, Any]
    thresholds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        """The line of the ledger."""
        return {
            "kind": "asked",
            "trial": self.trial,
            "round": self.round,
            "point": list(self.point),
            "settings": dict(self.settings),
            "thresholds": {key: list(gains) for key, gains in self.thresholds.items()},
        }

    @classmethod
    def of(cls, entry: Entry) -> Asked:
        """That of a line."""
        thresholds = {key: tuple(gains) for key, gains in entry["thresholds"].items()}
        return cls(
            entry["trial"], entry["round"], tuple(entry["point"]), entry["settings"], thresholds
        )


@dataclass(frozen=True)
class Trial:
    """A trial that has ended.

    Attributes:
        asked: what was tried.
        status: ``failed`` also where an objective is not defined.
        gains: objectives, higher is better; empty of a failed one.
        values: objectives as they are told, by name.
        figures: means over the networks that have them, by name.
        networks: how many were tried.
        failure: why it has no value.
    """

    asked: Asked
    status: Status
    gains: tuple[float, ...]
    values: Mapping[str, float | None]
    figures: Figures
    networks: int
    failure: Failure | None

    @property
    def number(self) -> int:
        """Of the trial."""
        return self.asked.trial

    def told(self, names: Sequence[str]) -> Told:
        """As a suggester is told it."""
        failed = self.status == "failed"
        values = {} if failed else dict(zip(names, self.gains, strict=True))
        return Told(self.asked.point, values, failed)


class History:
    """The trials of a search, read from its ledger and gone on with.

    Args:
        objectives: of the search.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self.objectives = tuple(objectives)
        self.names = tuple(objective.name for objective in objectives)
        self.asked: list[Asked] = []
        self.results: dict[int, TrialResult] = {}
        self.confirmed: list[Entry] = []
        self._trials: dict[int, Trial] = {}

    @classmethod
    def of(cls, entries: Sequence[Entry], objectives: Sequence[Objective]) -> History:
        """The history of a ledger; its first entry, which is none of a trial, is left out.

        Raises:
            LedgerError: entries that no search writes.
        """
        history = cls(objectives)
        for number, entry in enumerate(entries[1:], start=2):
            try:
                history.add(entry)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                problem = Problem(f"line {number}", f"{type(error).__name__}: {error}")
                message = "a ledger with a line that no search writes"
                raise LedgerError(message, problems=[problem]) from None
        return history

    def add(self, entry: Entry) -> None:
        """Take an entry that is on the disk; `ValueError` for one out of place."""
        kind = entry["kind"]
        if kind == "asked":
            asked = Asked.of(entry)
            if asked.trial != len(self.asked):
                raise ValueError(f"trial {asked.trial} asked after {len(self.asked)}")
            self.asked.append(asked)
        elif kind == "result":
            result = TrialResult.from_dict({k: v for k, v in entry.items() if k != "kind"})
            if not 0 <= result.trial < len(self.asked) or result.trial in self.results:
                raise ValueError(f"a result of trial {result.trial}")
            self.results[result.trial] = result
        elif kind == "confirmed":
            self.confirmed.append(entry)
        else:
            raise ValueError(f"kind {kind!r}")

    def trial(self, number: int) -> Trial:
        """A trial that has ended.

        Raises:
            SpecError: an objective is made of a figure that trials do not have.
        """
        if number not in self._trials:
            self._trials[number] = self._ended(self.asked[number], self.results[number])
        return self._trials[number]

    def ended(self, before: int | None = None) -> list[Trial]:
        """Trials that have ended, in the order of their numbers; those below `before`."""
        numbers = sorted(n for n in self.results if before is None or n < before)
        return [self.trial(n) for n in numbers]

    def told(self, before: int) -> list[Told]:
        """What a suggester is told of the trials below a number, in their order."""
        return [trial.told(self.names) for trial in self.ended(before)]

    def thresholds(
        self, before: int, stop: StopOptions | None, networks: int
    ) -> dict[str, tuple[float, ...]]:
        """What trials from `before` on have to reach after 1, 2, ... networks.

        Args:
            before: number of the first of them; earlier ones decide alone.
            stop: how; None: nothing is asked.
            networks: of a trial.
        """
        if stop is None:
            return {}
        bounds = {}
        for count in range(stop.after, networks):
            gains = [g for n in range(before) if (g := self._gains_after(n, count)) is not None]
            if len(gains) >= stop.trials:
                levels = np.quantile(np.array(gains), stop.quantile, axis=0, method="lower")
                bounds[str(count)] = tuple(float(level) for level in levels)
        return bounds

    def best(self, before: int | None = None) -> Trial | None:
        """The trial that is best in the first objective, the earliest of equal ones.

        Args:
            before: number that all others are below; None: any.
        """
        done = [trial for trial in self.ended(before) if trial.status == "done"]
        return max(done, key=lambda trial: (trial.gains[0], -trial.number), default=None)

    def _gains_after(self, number: int, count: int) -> list[float] | None:
        result = self.results.get(number)
        if result is None or result.status == "failed" or len(result.figures) < count:
            return None
        return gains_of(self.objectives, result.figures[:count], result.better)

    def _ended(self, asked: Asked, result: TrialResult) -> Trial:
        figures, failure, status = result.figures, result.failure, result.status
        gains: Sequence[float] = ()
        values: list[float | None] = [None] * len(self.names)
        if status != "failed":
            try:
                found = gains_of(self.objectives, figures, result.better)
                values = values_of(self.objectives, figures)
            except KeyError as error:
                raise self._no_figure(str(error.args[0]), figures[0]) from None
            if found is None:
                missing = [n for n, v in zip(self.names, values, strict=True) if v is None]
                status, failure = "failed", Failure("error", f"not defined: {', '.join(missing)}")
            else:
                gains = found
        return Trial(
            asked,
            status,
            tuple(gains),
            dict(zip(self.names, values, strict=True)),
            _means(figures),
            len(figures),
            failure,
        )

    def _no_figure(self, name: str, figures: Figures) -> SpecError:
        from hrsnn_lava.spelling import did_you_mean

        near = did_you_mean(name, figures)
        problem = Problem("search.objectives", repr(name), ", ".join(sorted(figures)), near)
        return SpecError("an objective that the trials do not measure", problems=[problem])


def _means(each: Sequence[Figures]) -> dict[str, float | None]:
    """The mean of every figure over the networks; None where one of them has none."""
    names = dict.fromkeys(name for figures in each for name in figures)
    means: dict[str, float | None] = {}
    for name in names:
        values = [v for figures in each if (v := figures.get(name)) is not None]
        means[name] = float(np.mean(values)) if len(values) == len(each) else None
    return means
