"""Paired arms: what every claim of an experiment needs, written once.

A study compares arms, ways to build or to train a network, by a trial: a plain function of
settings and a seed. It goes in three steps:

1. *Tuning.* Every arm has a grid of settings, equally many in all arms, and each is tried on the
   same tuning seeds. The setting with the best mean validation figure is chosen, arm by arm. One
   that lies at the edge of its grid is named: the optimum may lie outside.
2. *Confirmation.* Every arm runs with the chosen setting on fresh seeds, the same in all arms.
   Nothing of them was looked at before.
3. *Comparison.* Differences of arms, pair by pair, with standard errors and intervals
   (`hrsnn_lava.metrics.paired`).

Every trial is a line in a journal at once, so a study that was killed resumes where it was, and
gives the same result; the number of workers changes nothing, since results are taken in the order
of the trials.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.experiment.runner import Journal, Stage
from hrsnn_lava.metrics.paired import PairedDifference, paired_difference
from hrsnn_lava.progress import Progress, silent

__all__ = ["Arm", "Comparison", "Study", "StudyResult", "Trial", "run_study"]

Settings = Mapping[str, Any]
#: Figures of one trial by name; ``validation`` is what tuning looks at, and nothing else is.
Figures = Mapping[str, float | None]
#: What runs a trial: settings, seed, and whether it is one of the tuning, which needs no figure
#: but ``validation``.
Trial = Callable[[Settings, int, bool], Figures]
JOURNAL = "trials.jsonl"


@dataclass(frozen=True)
class Arm:
    """One way of doing it.

    Attributes:
        name: in tables.
        settings: those that are tried, in the order of the grid; one where nothing is tuned.
        like: name of another arm whose chosen setting is taken, under the arm's own single
            setting: a control that is to differ in nothing else. It is not tuned.
    """

    name: str
    settings: tuple[Settings, ...] = ({},)
    like: str | None = None


@dataclass(frozen=True)
class Study:
    """What is compared, on which seeds.

    Attributes:
        name: of the experiment, that of its files.
        trial: see `Trial`; a function at the top of a module, since workers import it.
        arms: at least one.
        comparisons: pairs of arms, (arm, reference).
        headline: the figure that arms are compared by.
        better: whether ``higher`` or ``lower`` values of the headline are better.
        validation: whether ``higher`` or ``lower`` values of the validation figure are.
        tuning_seeds: of the first step.
        seeds: of the second; none is a tuning seed.
        common: settings of all arms.
        axes: keys of the settings that the grids vary, for the page and for what lies at an edge; a
            trial need not take them, they may stand for several others.
        variants: names of what a trial gives beside the arm itself, such as its controls: a figure
            ``shuffled/accuracy`` is the accuracy of the arm ``ARM, shuffled``.
        searched: in how many regimes an effect was looked for before this one was chosen; a study
            that does not say so claims that it was the first.
    """

    name: str
    trial: Trial
    arms: tuple[Arm, ...]
    comparisons: tuple[tuple[str, str], ...]
    headline: str
    better: Literal["higher", "lower"] = "higher"
    validation: Literal["higher", "lower"] = "higher"
    tuning_seeds: tuple[int, ...] = ()
    seeds: tuple[int, ...] = tuple(range(100, 110))
    common: Settings = field(default_factory=dict)
    axes: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    searched: int = 1

    def __post_init__(self) -> None:
        problems, names = [], [arm.name for arm in self.arms]
        tuned = {arm.name: len(arm.settings) for arm in self.arms if arm.like is None}
        if len(set(names)) < len(names) or not names:
            problems.append(Problem("arms", ", ".join(names) or "none", "each name once"))
        if len({count for count in tuned.values() if count > 1}) > 1:
            counts = ", ".join(f"{name} {count}" for name, count in tuned.items())
            problems.append(Problem("arms.settings", counts, "equally many in all tuned arms"))
        if any(count > 1 for count in tuned.values()) and not self.tuning_seeds:
            problems.append(Problem("tuning_seeds", "none", "one or more, since arms are tuned"))
        if shared := sorted(set(self.tuning_seeds) & set(self.seeds)):
            measured = ", ".join(map(str, shared))
            problems.append(Problem("seeds", f"{measured} tune, too", "seeds that tune nothing"))
        for name in {name for pair in self.comparisons for name in pair} - set(self.all_arms):
            problems.append(Problem("comparisons", repr(name), ", ".join(self.all_arms)))
        for arm in self.arms:
            if arm.like is not None and (arm.like not in tuned or len(arm.settings) != 1):
                allowed = f"one setting, like one of {', '.join(tuned)}"
                problems.append(Problem(f"arm {arm.name!r}", f"like {arm.like!r}", allowed))
        raise_if(SpecError, f"the study {self.name!r} cannot be run", problems)

    @property
    def all_arms(self) -> tuple[str, ...]:
        """Names of the arms, each followed by its variants."""
        return tuple(
            name
            for arm in self.arms
            for name in (arm.name, *(f"{arm.name}, {variant}" for variant in self.variants))
        )


@dataclass(frozen=True)
class Comparison:
    """An arm against another on the fresh seeds, in one figure."""

    arm: str
    reference: str
    figure: str
    difference: PairedDifference


@dataclass(frozen=True, eq=False)
class StudyResult:
    """What a study found.

    Attributes:
        study: that was run.
        chosen: setting of every arm, by its name.
        at_edge: keys whose chosen value is the first or the last of the arm's grid, by arm.
        tuning: mean validation figure of every setting of an arm, in the order of its grid.
        rows: figures of the fresh seeds, (arm, seed) by (arm, seed): plain values under flat keys.
    """

    study: Study
    chosen: Mapping[str, Settings]
    at_edge: Mapping[str, tuple[str, ...]]
    tuning: Mapping[str, tuple[float, ...]]
    rows: Sequence[Mapping[str, Any]]

    def values(self, arm: str, figure: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """A figure of an arm, one value for each fresh seed; NaN where there was none."""
        values = [row.get(figure) for row in self.rows if row["arm"] == arm]
        return np.array([np.nan if value is None else value for value in values])

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures of the trials, the headline first."""
        names = dict.fromkeys(k for row in self.rows for k in row if k not in ("arm", "seed"))
        return tuple(dict.fromkeys((self.study.headline, *names)))

    def compared(self, figure: str | None = None) -> list[Comparison]:
        """All comparisons of the study in one figure, the headline unless said."""
        name = figure or self.study.headline
        return [
            Comparison(arm, base, name, self.difference(arm, base, name))
            for arm, base in self.study.comparisons
        ]

    def difference(self, arm: str, reference: str, figure: str) -> PairedDifference:
        """An arm minus another, seed by seed; seeds without the figure are left out."""
        a, b = self.values(arm, figure), self.values(reference, figure)
        both = np.isfinite(a) & np.isfinite(b)
        return paired_difference(a[both], b[both], names=(arm, reference))


@dataclass(frozen=True)
class _Task:
    """One call of the trial."""

    trial: Trial
    name: str
    settings: Settings
    seed: int
    tuning: bool

    def run(self) -> dict[str, float | None]:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):  # sums in another order would give other last bits
            return dict(self.trial(self.settings, self.seed, self.tuning))


def run_study(
    study: Study,
    out: Path,
    *,
    resume: bool = True,
    workers: int = 1,
    progress: Progress = silent,
) -> StudyResult:
    """Run all trials of a study that are not in its journal yet.

    Args:
        study: what to compare.
        out: folder of the journal, made when missing.
        resume: take finished trials from the journal; else start anew.
        workers: processes; the result does not depend on it.
        progress: told before every trial is waited for.
    """
    out.mkdir(parents=True, exist_ok=True)
    base = json.dumps([study.name, dict(study.common)], sort_keys=True, default=str)
    journal = Journal(out / JOURNAL, base, resume, (_code_of(study.trial),))
    tuned = [arm for arm in study.arms if arm.like is None and len(arm.settings) > 1]
    first = [
        _task(study, arm, k, seed, True)
        for arm in tuned
        for k in range(len(arm.settings))
        for seed in study.tuning_seeds
    ]
    total = len(first) + len(study.arms) * len(study.seeds)
    with _pool(workers) as run:
        told = _Told(progress, total)
        scores = iter(_results(journal, first, run, told))
        tuning: dict[str, tuple[float, ...]] = {}
        for arm in tuned:
            means = [_validation(islice(scores, len(study.tuning_seeds))) for _ in arm.settings]
            tuning[arm.name] = tuple(means)
        chosen = _chosen(study, tuning)
        second = [
            _fresh(study, arm, chosen[arm.name], seed) for arm in study.arms for seed in study.seeds
        ]
        fresh = list(_results(journal, second, run, told))
    rows = []
    for (name, seed), figures in zip(
        [(arm.name, seed) for arm in study.arms for seed in study.seeds], fresh, strict=True
    ):
        rows += _split(name, seed, figures, study.variants)
    edges = {arm.name: _edges(arm, chosen[arm.name], study.axes) for arm in tuned}
    progress("done", 1.0)
    return StudyResult(study, chosen, edges, tuning, rows)


def _split(
    arm: str, seed: int, figures: Figures, variants: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The row of an arm, and one for each of its variants."""
    own = {key: value for key, value in figures.items() if "/" not in key}
    rows = [{"arm": arm, "seed": seed, **own}]
    for variant in variants:
        start = f"{variant}/"
        theirs = {k.removeprefix(start): v for k, v in figures.items() if k.startswith(start)}
        rows.append({"arm": f"{arm}, {variant}", "seed": seed, **theirs})
    return rows


def _task(study: Study, arm: Arm, k: int, seed: int, tuning: bool) -> _Task:
    settings = {**study.common, **arm.settings[k]}
    return _Task(study.trial, f"tune {arm.name} {k} seed {seed}", settings, seed, tuning)


def _fresh(study: Study, arm: Arm, settings: Settings, seed: int) -> _Task:
    everything = {**study.common, **settings}
    return _Task(study.trial, f"{arm.name} seed {seed}", everything, seed, False)


def _validation(scores: Iterator[Mapping[str, float | None]]) -> float:
    values = [figures.get("validation") for figures in scores]
    return float(np.mean([np.nan if value is None else value for value in values]))


def _chosen(study: Study, tuning: Mapping[str, tuple[float, ...]]) -> dict[str, Settings]:
    """The setting of every arm; one that gave no number is never chosen."""
    sign, chosen = (1.0 if study.validation == "higher" else -1.0), dict[str, Settings]()
    for arm in study.arms:
        if arm.like is None:
            means = np.array(tuning.get(arm.name, (0.0,)))
            best = int(np.argmax(np.where(np.isfinite(means), sign * means, -np.inf)))
            chosen[arm.name] = arm.settings[best]
    for arm in study.arms:
        if arm.like is not None:
            chosen[arm.name] = {**chosen[arm.like], **arm.settings[0]}
    return chosen


def _edges(arm: Arm, chosen: Settings, axes: tuple[str, ...]) -> tuple[str, ...]:
    """Axes that were chosen at one of the ends of the grid; without axes, any such key."""
    keys = []
    for key, value in chosen.items():
        if axes and key not in axes:
            continue
        values = [v for v in (s.get(key) for s in arm.settings) if isinstance(v, int | float)]
        if len(values) < len(arm.settings):
            continue
        if len(set(values)) > 2 and value in (min(values), max(values)):
            keys.append(key)
    return tuple(keys)


class _Told:
    """Tells progress trial by trial."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, max(total, 1), 0

    def next(self, text: str) -> None:
        self._progress(text, min(self._done / self._total, 1.0))
        self._done += 1


class _pool:  # noqa: N801 - reads as a function
    """Runs tasks in this process, or in others; gives what runs a list of them in order."""

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise SpecError(f"workers: {workers}; allowed: >= 1")
        # started afresh: a process that was forked from one with threads may hang
        context = get_context("spawn")
        self._executor = ProcessPoolExecutor(workers, context) if workers > 1 else None

    def __enter__(self) -> Callable[[list[_Task]], Iterator[dict[str, float | None]]]:
        executor = self._executor
        if executor is None:
            return lambda tasks: (task.run() for task in tasks)
        return lambda tasks: executor.map(_Task.run, tasks)

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)


def _results(
    journal: Journal,
    tasks: list[_Task],
    run: Callable[[list[_Task]], Iterator[dict[str, float | None]]],
    told: _Told,
) -> Iterator[Mapping[str, float | None]]:
    """Results in the order of the tasks, each in the journal as soon as its turn comes."""
    coming = iter(run([task for task in tasks if not journal.has(_stage(task, dict))]))
    following = partial(next, coming)  # asked for where the journal has nothing, in this order
    for task in tasks:
        told.next(task.name)
        yield journal.result(_stage(task, following))


def _stage(task: _Task, run: Callable[[], Figures]) -> Stage[Figures]:
    return Stage(task.name, run, (_key(task),))


def _key(task: _Task) -> str:
    """What the result of a trial depends on, but for the code: its settings and its seed."""
    return json.dumps([dict(task.settings), task.seed, task.tuning], sort_keys=True, default=str)


def _code_of(trial: Trial) -> str:
    """SHA-256 of the program that a trial runs: its folder's modules, and all of this package.

    A version is not enough: a result of other code must never be taken for one of this.
    """
    source = inspect.getsourcefile(trial)
    beside = sorted(Path(source).parent.glob("*.py")) if source else []
    package = Path(__file__).resolve().parents[1]
    inside = [
        Path(folder, name)
        for folder, _, names in os.walk(package, followlinks=True)
        for name in names
        if name.endswith(".py")
    ]
    digest = hashlib.sha256()
    for file in (*beside, *sorted(inside)):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
