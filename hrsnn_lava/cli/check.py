"""``check``: the gate. A report against budgets and a baseline; exit code 5 when it fails."""

from __future__ import annotations

from pathlib import Path

import click

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.cli.arguments import INPUT_FILE, OutputFile
from hrsnn_lava.cli.console import Console, answer, with_console
from hrsnn_lava.errors import GateError, Problem, SpecError


class FileOrOutput(OutputFile):
    """A file that will be written, or ``-`` for standard output."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """The path; that of ``-`` as it is."""
        return Path("-") if str(value) == "-" else super().convert(value, param, ctx)


@click.command("check")
@click.argument("report", type=INPUT_FILE, metavar="REPORT.json")
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="KEY=VALUE",
    help="A limit, such as max_sops=20000 or max:energy.dynamic_j=1e-6; repeatable.",
)
@click.option("--budgets", "file", type=INPUT_FILE, help="Limits and tolerances (.toml).")
@click.option("--baseline", type=INPUT_FILE, help="An older report (.json) to compare with.")
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
def check(
    console: Console,
    report: Path,
    budgets: tuple[str, ...],
    file: Path | None,
    baseline: Path | None,
    tolerances: tuple[str, ...],
    no_proxy: bool,
    markdown: Path | None,
    junit: Path | None,
) -> int:
    """Fail with exit code 5 when REPORT.json breaks a budget or is worse than a baseline.

    A report whose own verdict is FAIL fails, too, and so does a budget on a number that the
    report does not have.
    """
    from hrsnn_lava.deploy.gate import budget_files, plain_text
    from hrsnn_lava.deploy.gate import check as gate
    from hrsnn_lava.deploy.gate import junit as junit_file
    from hrsnn_lava.deploy.gate import markdown as markdown_file

    if console.json and markdown == Path("-"):
        raise SpecError("--markdown - and --json both print; give --markdown a file")
    if tolerances and baseline is None:
        raise SpecError("--max-regress needs a --baseline to compare with")
    asked = budget_files.Asked() if file is None else budget_files.read_budgets(file)
    asked = asked.updated(budget_files.parse_budgets(budgets))
    asked = asked.updated(budget_files.parse_tolerances(tolerances))
    # a file may hold the tolerances of a comparison that this call does not make
    allowed = asked.tolerances if baseline is not None else {}
    result = gate.check(report, asked.budgets, baseline, allowed, proxy_ok=not no_proxy)
    if not result.rows and baseline is None:
        console.note("no budget and no baseline: only the report's own verdict was checked")
    if junit is not None:
        write_text(junit, junit_file.render(result))
    if markdown is not None and markdown != Path("-"):
        write_text(markdown, markdown_file.render(result))
    if markdown == Path("-"):
        answer(markdown_file.render(result).rstrip("\n"))
    else:
        console.result({"check": result.to_dict()}, plain_text.render(result))
    if result.breaches and not console.json:
        raise GateError(
            f"{len(result.breaches)} of {result.checked} checks failed",
            problems=[_problem(line) for line in result.breaches],
        )
    return result.exit_code


def _problem(line: str) -> Problem:
    from hrsnn_lava.deploy.gate.plain_text import visible

    return Problem(*visible(line, 1000).split(": ", 1))
