"""The rounds of a search: choose points, try them, tell what came of it; go on where it stopped.

Points of a round are chosen from the trials of earlier rounds alone, told in the order of their
numbers, and stand in the ledger before the first of them is tried. So neither how many trials run
at once, nor in which order they end, nor a kill at any moment changes what is chosen next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

from hrsnn_lava.errors import BackendError
from hrsnn_lava.search.history import Asked, History
from hrsnn_lava.search.ledger import Ledger
from hrsnn_lava.search.plan import SearchPlan
from hrsnn_lava.search.pool import Engine
from hrsnn_lava.search.trial import Job, TrialResult
from hrsnn_lava.search.watcher import Watcher
from hrsnn_lava.seeding import generator

__all__ = ["STREAM", "confirm", "run_rounds"]

#: Name of the stream that points are drawn from; made anew for every round, see `Suggester`.
STREAM = "search/suggest"


def run_rounds(
    plan: SearchPlan, history: History, ledger: Ledger, engine: Engine, watcher: Watcher
) -> None:
    """Run every trial of the plan that has no result yet.

    Args:
        plan: what to do.
        history: of the ledger; it is gone on with.
        ledger: gets what is asked, and every result at once.
        engine: runs trials.
        watcher: told of each.

    Raises:
        SpecError: an objective is made of a figure that trials do not have.
        BackendError: trials cannot be run at all.
    """
    batch, trials = plan.options.batch, plan.options.trials
    for round_ in range(plan.rounds):
        first = round_ * batch
        wanted = min(batch, trials - first)
        if len(history.asked) < first + wanted:
            began = perf_counter()
            for asked in _choose(plan, history, round_, wanted):
                _keep(ledger, history, asked.entry())
            watcher.chosen(round_, wanted, perf_counter() - began)
        jobs = [
            plan.job(asked.trial, asked.settings, asked.thresholds)
            for asked in history.asked[first : first + wanted]
            if asked.trial not in history.results
        ]
        for result in _runs(engine, jobs):
            _keep(ledger, history, {"kind": "result", **result.to_dict()})
            watcher.ended(history.trial(result.trial), result.seconds)


def _choose(plan: SearchPlan, history: History, round_: int, wanted: int) -> list[Asked]:
    """The points of a round that were not asked yet.

    A whole round is chosen in any case: a search that is given more trials later then goes on as
    if it had had them from the start.
    """
    o, first = plan.options, round_ * plan.options.batch
    told = history.told(first)
    points = plan.suggester.suggest(plan.space, told, o.batch, generator(plan.spec.seed, STREAM))
    thresholds = history.thresholds(first, o.stop, o.repeats)
    return [
        Asked(first + k, round_, tuple(points[k]), plan.settings(points[k]), thresholds)
        for k in range(len(history.asked) - first, wanted)
    ]


def _runs(engine: Engine, jobs: Sequence[Job]) -> Iterator[TrialResult]:
    """The results of jobs as they come.

    Raises:
        BackendError: a machine has another version of this program.
    """
    for result in engine.run(jobs) if jobs else ():
        if result.failure is not None and result.failure.error == "Version":
            raise BackendError(f"trial {result.trial} cannot be run: {result.failure.message}")
        yield result


def _keep(ledger: Ledger, history: History, entry: Mapping[str, Any]) -> None:
    ledger.append(entry)
    history.add(ledger.entries[-1])


def confirm(
    plan: SearchPlan, history: History, ledger: Ledger, engine: Engine, watcher: Watcher
) -> None:
    """Try the winner and the spec as it is on fresh seeds, as many as ``search.confirm``."""
    best, seeds = history.best(plan.options.trials), plan.options.confirm
    if best is None or not seeds:
        return
    wanted: list[tuple[int | None, Mapping[str, Any]]] = [
        (None, {}),
        (best.number, best.asked.settings),
    ]
    there = {(entry["of"], entry["seed"]) for entry in history.confirmed}
    jobs, keys = list[Job](), dict[int, tuple[int | None, int]]()
    for of, settings in wanted:
        for seed in range(seeds):
            if (of, seed) not in there:
                job = plan.confirming(len(jobs), settings, seed)
                keys[job.trial] = (of, seed)
                jobs.append(job)
    done = 2 * seeds - len(jobs)
    for result in _runs(engine, jobs):
        of_trial, seed = keys[result.trial]
        entry = {"kind": "confirmed", "of": of_trial, "seed": seed, "result": result.to_dict()}
        _keep(ledger, history, entry)
        done += 1
        watcher.confirmed(done, 2 * seeds)
