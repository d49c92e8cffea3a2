"""The live table of a search on a terminal: the best so far, those that came last, what is left."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from typing import Any

from hrsnn_lava.cli.console import clean
from hrsnn_lava.search.history import History, Trial
from hrsnn_lava.search.plan import SearchPlan
from hrsnn_lava.search.watcher import Watcher, duration

#: Rows of the best trials, and of the last ones.
BEST, LAST = 5, 4


class LiveTable(Watcher):
    """Draws itself anew after every trial.

    Args:
        live: `rich.live.Live`.
    """

    def __init__(self, live: Any) -> None:
        self._live = live
        self._last: deque[tuple[Trial, float]] = deque(maxlen=LAST)
        self._note = ""

    def began(self, plan: SearchPlan, history: History, workers: int) -> None:
        """The search."""
        super().began(plan, history, workers)
        self._show()

    def chosen(self, round_: int, count: int, seconds: float) -> None:
        """Points of a round."""
        points = f"{count} point{'s' * (count > 1)} chosen in {seconds:.2f} s"
        self._note = f"round {round_ + 1} of {self.plan.rounds}, {points}"
        self._show()

    def ended(self, trial: Trial, seconds: float) -> None:
        """A trial."""
        super().ended(trial, seconds)
        self._last.append((trial, seconds))
        self._show()

    def confirmed(self, done: int, of: int) -> None:
        """Networks on fresh seeds."""
        self._note = f"fresh seeds: {done} of {of} networks"
        self._show()

    def _show(self) -> None:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        total, names = self.plan.options.trials, self.history.names
        table = Table(box=None, pad_edge=False)
        table.add_column("trial", justify="right")
        for name in names:
            table.add_column(clean(name), justify="right")
        table.add_column("")
        done = [t for t in self.history.ended(total) if t.status == "done"]
        for trial in sorted(done, key=lambda t: (-t.gains[0], t.number))[:BEST]:
            table.add_row(*_cells(trial, names), "best so far" if trial == self.best else "")
        table.add_section()
        for trial, seconds in self._last:
            table.add_row(*_cells(trial, names), f"{_end(trial)}{seconds:.1f} s", style="dim")
        left = self.seconds_left
        parts = [f"{self.done} of {total} trials", f"{self.failed} failed" if self.failed else ""]
        parts.append("" if left is None or self.done == total else f"about {duration(left)} left")
        head = Text(", ".join(filter(None, [*parts, self._note])))
        bar = ProgressBar(total=total, completed=self.done, width=40)
        self._live.update(Group(head, bar, table), refresh=True)


def _cells(trial: Trial, names: tuple[str, ...]) -> list[str]:
    values = [trial.values[name] for name in names]
    return [str(trial.number), *("-" if v is None else f"{v:.4g}" for v in values)]


def _end(trial: Trial) -> str:
    if trial.failure is not None:
        return f"failed: {trial.failure.kind}, "
    return "stopped, " if trial.status == "stopped" else ""


@contextlib.contextmanager
def live_table() -> Iterator[LiveTable]:
    """The table on standard error; it goes when the search is over."""
    from rich.console import Console as Terminal
    from rich.live import Live

    with Live(console=Terminal(stderr=True), transient=True, auto_refresh=False) as live:
        yield LiveTable(live)
