"""Search the best distributions, or other values, of a spec."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.arguments import SPEC_FILE, OutputFolder, gathered, seed_option
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.cli.failure import Terminated
from hrsnn_lava.cli.run import default_folder
from hrsnn_lava.errors import Problem, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.search.cluster import Credentials
    from hrsnn_lava.search.plan import SearchPlan
    from hrsnn_lava.search.pool import Engine
    from hrsnn_lava.search.result import SearchResult
    from hrsnn_lava.search.watcher import Watcher
    from hrsnn_lava.spec import Spec

#: Rows of the table of a front that are printed.
FRONT_ROWS = 10


@dataclass(frozen=True)
class SearchArguments:
    """What ``search`` is asked: the spec, how many trials, who runs them, and where it all goes."""

    spec: Path
    trials: int | None
    workers: int | None
    scheduler: str | None
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    out: Path | None
    overrides: tuple[str, ...]
    resume: bool
    seed: int | None

    def credentials(self) -> Credentials | None:
        """The files of TLS; all three, or none.

        Raises:
            SpecError: some of them are missing, or there is no scheduler that they are for.
        """
        from hrsnn_lava.search.cluster import Credentials

        files = {"--tls-ca": self.tls_ca, "--tls-cert": self.tls_cert, "--tls-key": self.tls_key}
        given = {name: path for name, path in files.items() if path is not None}
        if not given:
            return None
        problems = [Problem(name, "missing", "all three") for name in files if name not in given]
        if self.scheduler is None:
            problems.append(Problem("--scheduler", "missing", "with the files of TLS"))
        problems += [
            Problem(name, f"{path}", "a file that is there")
            for name, path in given.items()
            if not path.is_file()
        ]
        if problems:
            raise SpecError("TLS", problems=problems)
        return Credentials(given["--tls-ca"], given["--tls-cert"], given["--tls-key"])

    def engine(self, batch: int) -> Engine:
        """What runs the trials: processes of this machine, or a cluster."""
        if self.scheduler is not None:
            if self.workers is not None:
                problem = Problem("--workers", str(self.workers), "without --scheduler")
                raise SpecError("the workers are those of the cluster", problems=[problem])
            from hrsnn_lava.search.cluster import ClusterEngine

            return ClusterEngine(self.scheduler, self.credentials())
        from hrsnn_lava.search.pool import LocalEngine
        from hrsnn_lava.threads import available_cores

        self.credentials()
        return LocalEngine(self.workers or min(available_cores(), batch))


#: Certificates and keys, which are no files of this program.
PEM_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("search")
@click.argument("spec", type=SPEC_FILE)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    metavar="N",
    help="Points that are tried.  [default: the spec's]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="W",
    help="Trials at once on this machine; the result does not depend on it.  [default: one a "
    "core, at most search.batch]",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Run the trials on the workers of this Dask scheduler: tcp://HOST:PORT on this machine, "
    "tls://HOST:PORT anywhere.",
)
@click.option("--tls-ca", type=PEM_FILE, help="Certificate of the authority, for tls://.")
@click.option("--tls-cert", type=PEM_FILE, help="Certificate of this side.")
@click.option("--tls-key", type=PEM_FILE, help="Key of this side.")
@click.option(
    "--out",
    type=OutputFolder(),
    help="Folder for the results.  [default: out/search-NAME, and what was overridden]",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value of the spec, such as search.batch=8; repeatable.",
)
@click.option("--resume", is_flag=True, help="Go on with the search in the folder.")
@seed_option("Instead of the spec's.", default=None)
@with_console
@gathered(SearchArguments)
def search(console: Console, arguments: SearchArguments) -> None:
    """Search the best values in the space that [search] of SPEC gives.

    Writes ledger.jsonl, and in the end result.json, best.toml (a spec that `run` takes) and
    search.html. A search that was ended, however, goes on with --resume and gives the same result.
    """
    from hrsnn_lava.search.plan import SearchPlan
    from hrsnn_lava.search.run_search import run_search
    from hrsnn_lava.spec import Spec

    seed = () if arguments.seed is None else (f"seed={arguments.seed}",)
    changes = (*arguments.overrides, *seed)
    spec = Spec.load(arguments.spec, changes)
    plan = SearchPlan.of(_with_trials(spec, arguments.trials))
    out = arguments.out or _folder(arguments.spec, spec, changes)
    engine = arguments.engine(plan.options.batch)
    with _saying_how_to_go_on(console, out), _watching(console) as watcher:
        result = run_search(
            plan,
            out,
            engine=engine,
            resume=arguments.resume,
            watcher=watcher,
            made=console.made(),
        )
    if arguments.resume:
        found = f"{result.earlier} of {len(result.trials)} trials"
        console.note(f"resume: {found} came from an earlier run")
    files = {name: str(path) for name, path in result.files.items()}
    facts = {"out": out, "digest": result.digest, "files": files, "result": result.data}
    console.result(facts, _text(plan, result, out))


def _with_trials(spec: Spec, trials: int | None) -> Spec:
    if trials is None or spec.search is None:
        return spec
    return spec.model_copy(update={"search": replace(spec.search, trials=trials)})


def _folder(path: Path, spec: Spec, changes: tuple[str, ...]) -> Path:
    """``out/search-NAME``, and behind it what was overridden."""
    folder = default_folder(path, spec, changes)
    return folder.with_name(f"search-{folder.name}")


@contextlib.contextmanager
def _saying_how_to_go_on(console: Console, out: Path) -> Iterator[None]:
    """Whoever ends a search is told that nothing is lost."""
    from hrsnn_lava.search.ledger import LEDGER

    try:
        yield
    except (KeyboardInterrupt, Terminated):
        if (out / LEDGER).is_file():
            console.note(f"the trials that have ended are in {out}; --resume goes on")
        raise


@contextlib.contextmanager
def _watching(console: Console) -> Iterator[Watcher]:
    """A live table on a terminal, a line a trial off it, nothing when quiet."""
    import sys

    from hrsnn_lava.search.watcher import ProgressWatcher

    if sys.stderr.isatty() and not console.quiet:
        from hrsnn_lava.cli.search_live import live_table

        with live_table() as watcher:
            yield watcher
    else:
        with console.progress() as progress:
            yield ProgressWatcher(progress)


def _text(plan: SearchPlan, result: SearchResult, out: Path) -> str:
    """What was found, as text."""
    from hrsnn_lava.search.watcher import values

    data = result.data
    counts = dict.fromkeys(("done", "stopped", "failed"), 0)
    for trial in result.trials:
        counts[trial.status] += 1
    said = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    lines = [
        f"best     {values(result.best)}: trial {result.best.number} of {len(result.trials)} "
        f"({said})"
    ]
    lines += [f"         {path} = {_short(v)}" for path, v in result.best.asked.settings.items()]
    if len(plan.objectives) > 1:
        lines += ["", _front(data)]
    lines += _confirmed(data)
    lines += ["", f"written to {out}; run the winner with: hrsnn-lava run {out / 'best.toml'}"]
    return "\n".join(lines)


def _short(value: Any) -> str:
    """A setting in a line."""
    if isinstance(value, Mapping):
        inner = {k: v for k, v in value.items() if k != "distribution"}
        numbers = ", ".join(f"{key} {_short(v)}" for key, v in inner.items())
        return f"{value.get('distribution', '')}({numbers})"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _front(data: Mapping[str, Any]) -> str:
    """The Pareto front as a table, evenly thinned where it is long."""
    front = data["front"]
    count = min(len(front), FRONT_ROWS)
    steps = [round(k * (len(front) - 1) / max(count - 1, 1)) for k in range(count)]
    names = [objective["name"] for objective in data["objectives"]]
    rows = [
        (front[k], *(data["trials"][front[k]]["values"][name] for name in names)) for k in steps
    ]
    shown = "" if count == len(front) else f", {count} of them"
    title = f"front    {len(front)} trials that none is better than in everything{shown}"
    return f"{title}\n{columns(rows, ('trial', *names), range(len(names) + 1))}"


def _confirmed(data: Mapping[str, Any]) -> list[str]:
    """The winner against the spec as it is."""
    if data["confirmed"] is None:
        return []
    lines = []
    for name, found in data["confirmed"]["differences"].items():
        if found is None:
            lines.append(f"fresh    {name}: fewer than two seeds with a value on both sides")
            continue
        low, high = found["interval"]
        lines.append(
            f"fresh    {name}: {found['winner']:.4g}, the spec as it is {found['start']:.4g} on "
            f"{found['pairs']} fresh seeds; difference {found['mean']:+.4g}, 95 % CI {low:+.4g} to "
            f"{high:+.4g}"
        )
    return ["", *lines]


ORDER = 105
COMMAND = search
