"""What is wrong with a NIR file, or may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, POSITIVE, OutputFile
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.errors import ArtifactError, GateError


@click.command("nir-check")
@click.argument("file", type=INPUT_FILE)
@click.option(
    "--fix",
    type=OutputFile(),
    metavar="OUT",
    help="Write a copy with everything mended that has one meaning alone.",
)
@click.option(
    "--dt",
    type=POSITIVE,
    metavar="SECONDS",
    help="Step that time constants must not be below, in the unit of FILE.",
)
@click.option("--strict", is_flag=True, help="Exit with 5 where there is a warning.")
@with_console
def nir_check(
    console: Console, file: Path, fix: Path | None, dt: float | None, strict: bool
) -> int:
    """Check a NIR FILE: is it safe and sound, and does it say what its source does?

    Exit code 3 where it is unsafe or invalid, else 0.
    """
    from hrsnn_lava.deploy.interchange.lint import check_nir, repaired, write_tree

    checked = check_nir(file, dt)
    changes: tuple[str, ...] = ()
    if fix is not None:
        if checked.tree is None:
            raise ArtifactError(f"{file}: unsafe, so nothing is written; {checked.findings[0]}")
        tree, changes = repaired(checked.tree, str(file))
        write_tree(fix, tree, file)
    data: dict[str, Any] = {
        "file": file,
        "valid": checked.valid,
        "dialect": checked.dialect or None,
        "findings": [finding.to_dict() for finding in checked.findings],
    }
    if fix is not None:
        data |= {"fixed": fix, "changes": changes}
    console.result(data, _text(file, checked, fix, changes))
    if not checked.valid:
        return ArtifactError.exit_code
    warned = any(finding.severity == "warning" for finding in checked.findings)
    return GateError.exit_code if strict and warned else 0


def _text(file: Path, checked: Any, fix: Path | None, changes: tuple[str, ...]) -> str:
    verdict = "valid" if checked.valid else "not valid"
    named = f", written by {checked.dialect}" if checked.dialect else ""
    lines = [f"{file}: {verdict}{named}"]
    if checked.findings:
        rows = [(f.severity, f.kind, f.where, f.measured, f.fix) for f in checked.findings]
        lines.append(columns(rows, ("severity", "finding", "where", "measured", "fix")))
    if fix is not None:
        lines.append(f"{fix}: {len(changes)} changes")
        lines += [f"  {change}" for change in changes]
    return "\n".join(lines)


ORDER = 88
COMMAND = nir_check
