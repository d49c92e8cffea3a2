"""Public data sets: their files, and whether those are right."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.errors import SpecError

if TYPE_CHECKING:
    from hrsnn_lava.tasks.readers.facts import Checked, DataSet


@click.command("data")
@click.argument("name", required=False)
@click.option(
    "--check",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Read every sample in DIR, which is what the task's path would be.",
)
@with_console
def data(console: Console, name: str | None, folder: Path | None) -> None:
    """List the public data sets, or the files that NAME needs; nothing is ever fetched."""
    from hrsnn_lava.tasks.readers.facts import check, facts_of, public_readers, reader_of

    if name is None:
        if folder is not None:
            raise SpecError("--check: say which set it is: hrsnn-lava data NAME --check DIR")
        sets = {known: facts_of(known) for known in public_readers()}
        listed = [{"name": known, **asdict(facts)} for known, facts in sets.items()]
        console.result({"sets": listed}, _list_text(sets))
        return
    facts = facts_of(name)
    if folder is None:
        console.result({"name": name, **asdict(facts)}, _text(name, facts))
        return
    with console.progress() as progress:
        checked = check(reader_of(name, folder), progress)
    answer = {"name": name, "path": folder, "checked": asdict(checked)}
    console.result(answer, _checked_text(name, folder, checked))


def _list_text(sets: dict[str, DataSet]) -> str:
    rows = [
        (name, facts.numbers or "not fixed", facts.classes, facts.needs or "-", facts.title)
        for name, facts in sets.items()
    ]
    header = ("set", "samples", "classes", "extra", "")
    foot = "hrsnn-lava data NAME shows the files; --check DIR reads them. Nothing is fetched."
    return f"{columns(rows, header, right=(2,))}\n\n{foot}"


def _text(name: str, facts: DataSet) -> str:
    rows: list[tuple[str, Any]] = [
        ("from", facts.home),
        ("licence", facts.licence),
        ("cite", facts.cite),
        ("samples", facts.numbers or "not fixed"),
        ("classes", facts.classes),
    ]
    needs = f'videos are read by PyAV: pip install "hrsnn-lava[{facts.needs}]"'
    rows += [("needs", needs)] * bool(facts.needs)
    files = [(f.name, f.what + (" (may be missing)" if f.optional else "")) for f in facts.files]
    use = f'[task]\nkind = "{name}"\npath = "DIR"'
    note = [textwrap.fill(f"{facts.note[0].upper()}{facts.note[1:]}.", 98)] if facts.note else []
    table = columns(files, ("file below DIR", "holds"))
    return "\n\n".join([facts.title, columns(rows), table, *note, use])


def _checked_text(name: str, folder: Path, checked: Checked) -> str:
    counts = ", ".join(f"{count:,} {part}" for part, count in checked.samples.items())
    extent = (
        f"{checked.events:,} events, the longest sample {checked.longest:.4g} s"
        if checked.events
        else f"{checked.frames:,} frames, the longest sample {checked.longest:g}"
    )
    rows = [
        ("samples", counts),
        ("classes", checked.classes),
        ("channels", checked.channels),
        ("in all", extent),
        ("groups", checked.groups),
    ]
    return f"{name}: {folder} is right\n{columns(rows)}"


ORDER = 112
COMMAND = data
