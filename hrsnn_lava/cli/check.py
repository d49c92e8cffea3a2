"""Fail when a report breaks a budget or is worse than a baseline."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.cli.arguments import INPUT_FILE, FileOrOutput, OutputFile, gathered
from hrsnn_lava.cli.console import STANDARD_OUTPUT, Console, answer, with_console
from hrsnn_lava.errors import GateError, HrsnnError, Problem, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.deploy.gate.check import CheckResult

#: Looked at when the check begins, so that what is wrong with it gets into the files, too.
LATER_FILE = click.Path(path_type=Path)


@dataclass(frozen=True)
class CheckArguments:
    """What ``check`` is asked: a report, limits on the command line and in a file, a baseline."""

    report: Path
    budgets: tuple[str, ...]
    file: Path | None
    baseline: Path | None
    tolerances: tuple[str, ...]
    no_proxy: bool
    markdown: Path | None
    junit: Path | None


@click.command("check")
@click.argument("report", type=LATER_FILE, metavar="REPORT.json")
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="KEY=VALUE",
    help="A limit, such as max_sops=20000 or max:energy.dynamic_j=1e-6; repeatable.",
)
@click.option("--budgets", "file", type=LATER_FILE, help="Limits and tolerances (.toml).")
@click.option("--baseline", type=LATER_FILE, help="An older report (.json) to compare with.")
@click.option(
    "--max-regress",
    "tolerances",
    multiple=True,
    metavar="KEY=PCT",
    help="By how many percent a number may be worse than the baseline's; repeatable.  "
    "[default: sops, cores and energy 0]",
)
@click.option("--no-proxy", is_flag=True, help="Fail on energies at the prices of another chip.")
@click.option(
    "--markdown", type=FileOrOutput(), metavar="FILE", help="A summary for pull requests; - prints."
)
@click.option("--junit", type=OutputFile(), metavar="FILE", help="Results as JUnit XML.")
@with_console
@gathered(CheckArguments)
def check(console: Console, arguments: CheckArguments) -> int:
    """Fail with exit code 5 when REPORT.json breaks a budget or is worse than a baseline.

    A report whose own verdict is FAIL fails, too, and so does a budget on a number that the
    report does not have. Where nothing could be checked, the files say why.
    """
    console.refuse_both(arguments.markdown)
    try:
        result = _judged(arguments)
    except Exception as error:
        _write_error(arguments, error)
        raise
    return _told(console, arguments, result)


def _judged(arguments: CheckArguments) -> CheckResult:
    """The verdict, before anything is said of it."""
    from hrsnn_lava.deploy.gate import limits as limit_forms
    from hrsnn_lava.deploy.gate.check import check as judged

    context = click.get_current_context()
    for parameter in context.command.params:
        value = getattr(arguments, parameter.name or "", None)
        if parameter.type is LATER_FILE and value is not None:
            INPUT_FILE.convert(value, parameter, context)
    if arguments.tolerances and arguments.baseline is None:
        raise SpecError("--max-regress needs a --baseline to compare with")
    file = arguments.file
    limits = limit_forms.Limits() if file is None else limit_forms.read_limits(file)
    limits = limits.updated(limit_forms.parse_budgets(arguments.budgets))
    limits = limits.updated(limit_forms.parse_tolerances(arguments.tolerances))
    return judged(
        arguments.report,
        limits.budgets,
        arguments.baseline,
        # a file may hold the tolerances of a comparison that this call does not make
        {} if arguments.baseline is None else limits.tolerances,
        proxy_ok=not arguments.no_proxy,
    )


def _write_error(arguments: CheckArguments, error: Exception) -> None:
    """Write the files that were asked for, with the error in place of a verdict."""
    from hrsnn_lava.cli.failure import describe
    from hrsnn_lava.deploy.gate import rendering

    failure = describe(error)
    lines = [failure.message, *map(str, failure.problems)]
    page = rendering.error_markdown(str(arguments.report), lines, failure.exit_code)
    suite = rendering.error_junit(str(arguments.report), failure.kind, lines)
    with contextlib.suppress(OSError, HrsnnError):  # the first error is the one to be told
        if arguments.junit is not None:
            write_text(arguments.junit, suite)
        if arguments.markdown == STANDARD_OUTPUT:
            answer(page.rstrip("\n"))
        elif arguments.markdown is not None:
            write_text(arguments.markdown, page)


def _told(console: Console, arguments: CheckArguments, result: CheckResult) -> int:
    """Say the verdict, and write the files; the exit code, or the breaches as an error."""
    from hrsnn_lava.deploy.gate import rendering

    if not result.rows and arguments.baseline is None:
        console.note("no budget and no baseline: only the report's own verdict was checked")
    if arguments.junit is not None:
        write_text(arguments.junit, rendering.render_junit(result))
    console.result_or_markdown(
        {"check": result.to_dict()},
        rendering.render_text(result),
        rendering.render_markdown(result),
        arguments.markdown,
    )
    if result.breaches and not console.json:
        raise GateError(
            f"{len(result.breaches)} of {result.checked} checks failed",
            problems=[_problem(line) for line in result.breaches],
        )
    return result.exit_code


def _problem(line: str) -> Problem:
    from hrsnn_lava.deploy.compare.rendering import visible

    return Problem(*visible(line, 1000).split(": ", 1))


ORDER = 80
COMMAND = check
