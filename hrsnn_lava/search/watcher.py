"""What is told of a search while it goes on: trials done, the best so far, what is left."""

from __future__ import annotations

from collections import deque
from time import monotonic

from hrsnn_lava.progress import Progress
from hrsnn_lava.search.history import History, Trial
from hrsnn_lava.search.plan import SearchPlan

__all__ = ["ProgressWatcher", "Watcher", "duration", "outcome", "values"]

#: Trials that the time that is left is judged by.
_RECENT = 20


class Watcher:
    """Told of a search as it goes on; this one says nothing.

    Attributes:
        plan, history: of the search, from `began` on.
        workers: trials at once; 0 where that is not known.
    """

    plan: SearchPlan
    history: History
    workers: int

    def began(self, plan: SearchPlan, history: History, workers: int) -> None:
        """The search begins, or goes on with the trials that are in its history."""
        self.plan, self.history, self.workers = plan, history, workers
        self._ends: deque[float] = deque([monotonic()], maxlen=_RECENT)

    def chosen(self, round_: int, count: int, seconds: float) -> None:
        """So many points were chosen for a round, in so many seconds."""

    def ended(self, trial: Trial, seconds: float) -> None:
        """A trial has ended, and stands in the ledger; it took so many seconds."""
        del trial, seconds
        self._ends.append(monotonic())

    def confirmed(self, done: int, of: int) -> None:
        """So many networks on fresh seeds are there."""

    @property
    def done(self) -> int:
        """Trials that have ended."""
        return sum(n < self.plan.options.trials for n in self.history.results)

    @property
    def best(self) -> Trial | None:
        """The best so far."""
        return self.history.best(self.plan.options.trials)

    @property
    def failed(self) -> int:
        """Trials without a value."""
        ended = self.history.ended(self.plan.options.trials)
        return sum(trial.status == "failed" for trial in ended)

    @property
    def seconds_left(self) -> float | None:
        """By the pace of the last trials of this run; None before the first of them."""
        if len(self._ends) < 2:
            return None
        each = (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
        return each * (self.plan.options.trials - self.done)


class ProgressWatcher(Watcher):
    """Tells a `Progress`, a line a trial."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def began(self, plan: SearchPlan, history: History, workers: int) -> None:
        """The search."""
        super().began(plan, history, workers)
        if history.results:
            text = f"{self.done} of {plan.options.trials} trials are in the ledger"
            self._progress(text, self.done / plan.options.trials)

    def chosen(self, round_: int, count: int, seconds: float) -> None:
        """Points of a round."""
        points = f"{count} point{'s' * (count > 1)} chosen in {seconds:.2f} s"
        text = f"round {round_ + 1} of {self.plan.rounds}: {points}"
        self._progress(text, self.done / self.plan.options.trials)

    def ended(self, trial: Trial, seconds: float) -> None:
        """A trial."""
        super().ended(trial, seconds)
        total, left = self.plan.options.trials, self.seconds_left
        parts = [f"trial {trial.number} {outcome(trial)} in {seconds:.1f} s"]
        if self.best is not None:
            parts.append(f"best {values(self.best)} (trial {self.best.number})")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.done < total and left is not None:
            parts.append(f"about {duration(left)} left")
        self._progress(f"{self.done} of {total}: {'; '.join(parts)}", self.done / total)

    def confirmed(self, done: int, of: int) -> None:
        """Networks on fresh seeds."""
        self._progress(f"fresh seeds: {done} of {of} networks", done / of)


def outcome(trial: Trial) -> str:
    """What came of a trial, in a few words."""
    if trial.failure is not None:
        first = next(iter(trial.failure.message.splitlines()), "")
        return f"failed ({trial.failure.kind}: {first:.60})"
    return f"{values(trial)}{' (stopped)' if trial.status == 'stopped' else ''}"


def values(trial: Trial) -> str:
    """Objectives with their names."""
    told = ((name, value) for name, value in trial.values.items() if value is not None)
    return ", ".join(f"{name} {value:.4g}" for name, value in told)


def duration(seconds: float) -> str:
    """Seconds in the unit that they are read in."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
