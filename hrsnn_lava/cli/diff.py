"""What moved between two reports or artifacts, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, FileOrOutput
from hrsnn_lava.cli.console import Console, with_console
from hrsnn_lava.errors import GateError, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.deploy.compare.networks import NetworkDifference
    from hrsnn_lava.deploy.compare.reports import ReportDifference


@click.command("diff")
@click.argument("before", type=INPUT_FILE)
@click.argument("after", type=INPUT_FILE)
@click.option(
    "--markdown",
    type=FileOrOutput(),
    metavar="FILE",
    help="Write it as Markdown, too; - prints Markdown instead of text.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 5 when something moved, else with 0.")
@with_console
def diff(
    console: Console, before: Path, after: Path, markdown: Path | None, exit_code: bool
) -> int:
    """Explain what moved from BEFORE to AFTER.

    Both are reports (.json), or both artifacts (.hlx) of one stage, of which the structure is
    compared. Reports say which projection, core and term of the energy moved, and whether spikes
    or fan-out moved it.
    """
    from hrsnn_lava.deploy.compare.rendering import render_markdown, render_text

    console.refuse_both(markdown)
    difference = compared(before, after)
    console.result_or_markdown(
        {"difference": difference.to_dict()},
        render_text(difference),
        render_markdown(difference),
        markdown,
    )
    return GateError.exit_code if exit_code and difference.moved else 0


def compared(before: Path, after: Path) -> ReportDifference | NetworkDifference:
    """The difference of two files, by what they hold.

    Raises:
        SpecError: one is a report and the other is not.
        ArtifactError: one cannot be read.
    """
    kinds = [path.suffix.lower() == ".json" for path in (before, after)]
    names = (str(before), str(after))
    if all(kinds):
        from hrsnn_lava.deploy.compare.files import read_report
        from hrsnn_lava.deploy.compare.reports import compare_reports

        return compare_reports(read_report(before), read_report(after), names)
    if any(kinds):
        raise SpecError(
            f"{before} and {after}: compare two reports (.json) or two artifacts (.hlx)"
        )
    from hrsnn_lava.artifacts.container import NETWORK_STAGES, load_any
    from hrsnn_lava.deploy.compare.networks import compare_networks

    return compare_networks(
        load_any(before, NETWORK_STAGES), load_any(after, NETWORK_STAGES), names
    )


ORDER = 90
COMMAND = diff
