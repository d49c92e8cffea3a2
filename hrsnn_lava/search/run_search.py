"""A whole search: its folder, its ledger, its rounds, and what it leaves."""

from __future__ import annotations

from pathlib import Path

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.search.history import History
from hrsnn_lava.search.ledger import LEDGER, Entry, Ledger, locked, read_entries
from hrsnn_lava.search.plan import SearchPlan, differences
from hrsnn_lava.search.pool import Engine, LocalEngine
from hrsnn_lava.search.result import RESULT, SearchResult, result_of, write_specs
from hrsnn_lava.search.rounds import confirm, run_rounds
from hrsnn_lava.search.watcher import Watcher

__all__ = ["PAGE", "run_search"]

PAGE = "search.html"


def run_search(
    plan: SearchPlan,
    out: Path,
    *,
    engine: Engine | None = None,
    resume: bool = False,
    watcher: Watcher | None = None,
    made: str = "",
) -> SearchResult:
    """Run a search into the folder `out`, or go on with the one that is there.

    Args:
        plan: what to do.
        out: made when missing; holds ``ledger.jsonl``, and in the end ``result.json``,
            ``best.toml`` and ``search.html``.
        engine: runs the trials; by default one at a time on this machine. It is closed in the end.
        resume: go on with the ledger in the folder, if there is one.
        watcher: told of every trial.
        made: when and by what command, for the foot of the page.

    Raises:
        SpecError: the folder holds a search and `resume` was not asked for, or holds another one,
            or is in use; or no trial gave a value.
        LedgerError: the ledger was changed.
    """
    from threadpoolctl import threadpool_limits

    from hrsnn_lava.search.page import write_page

    engine = LocalEngine() if engine is None else engine
    told = Watcher() if watcher is None else watcher
    try:
        out.mkdir(parents=True, exist_ok=True)
        # one BLAS thread: sums in another order would give other points
        with locked(out), threadpool_limits(limits=1):
            _check_folder(plan, out / LEDGER, resume)
            with Ledger.open(out / LEDGER, plan.head()) as ledger:
                history = History.of(ledger.entries, plan.objectives)
                earlier = len([n for n in history.results if n < plan.options.trials])
                told.began(plan, history, engine.workers)
                run_rounds(plan, history, ledger, engine, told)
                confirm(plan, history, ledger, engine, told)
            result = result_of(plan, history)
            files = {RESULT: out / RESULT, **write_specs(plan, result, out)}
            write_text(files[RESULT], result.text())
            files[PAGE] = write_page(result, out / PAGE, made)
    finally:
        engine.close()
    return SearchResult(result.data, result.best, result.trials, files, earlier, result.seconds)


def _check_folder(plan: SearchPlan, path: Path, resume: bool) -> None:
    """Refuse a ledger that is not to be gone on with, or is that of another search."""
    if not path.exists() or not path.stat().st_size:
        return
    entries, _, _ = read_entries(path)
    if not entries:  # a first line that was cut off by a kill
        return
    if not resume:
        done = sum(entry.get("kind") == "result" for entry in entries)
        fix = "go on with it with --resume, or give another folder with --out"
        problem = Problem(f"{path.parent}", f"a search with {done} trials", "an empty folder", fix)
        raise SpecError("the folder holds a search", problems=[problem])
    if problems := _different(entries[0], plan):
        raise SpecError(
            f"{path.parent} holds another search: go on with the spec as it was, or give another "
            "folder with --out",
            problems=problems,
        )


def _different(head: Entry, plan: SearchPlan) -> list[Problem]:
    return differences(head, plan.head())
