"""Where output goes: results to standard output, progress and remarks to standard error."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, TextIO

import click

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.errors import SpecError
from hrsnn_lava.progress import Progress, silent

SCHEMA_VERSION = 1
#: What ``-`` stands for where a file is asked for.
STANDARD_OUTPUT = Path("-")
#: Control characters that a name from a file could smuggle to a terminal; newline and tab stay.
_CONTROL = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)
}


class ReaderGone(Exception):  # noqa: N818 - it is none
    """Nobody reads standard output any more."""


@dataclass
class Console:
    """The output of one command.

    Attributes:
        command: its name.
        json: one JSON document instead of text.
        quiet: neither progress nor remarks.
        notes: remarks made so far; they are part of the JSON document.
        line: the command line.
    """

    command: str
    json: bool = False
    quiet: bool = False
    notes: list[str] = field(default_factory=list)
    line: str = ""

    def note(self, text: str) -> None:
        """A remark on what was chosen or left out."""
        self.notes.append(text)
        if not self.quiet:
            say(text)

    def result(self, data: Mapping[str, Any], text: str) -> None:
        """The answer: `data` with ``--json``, else `text`."""
        if self.json:
            answer(json_document(self.command, {**data, "notes": self.notes}))
        else:
            answer(clean(text))

    def result_or_markdown(
        self, data: Mapping[str, Any], text: str, markdown: str, target: Path | None
    ) -> None:
        """The answer, with its Markdown in the file `target`, or instead of it where that is -."""
        if target == STANDARD_OUTPUT:
            answer(markdown.rstrip("\n"))
            return
        if target is not None:
            write_text(target, markdown)
        self.result(data, text)

    def refuse_both(self, markdown: Path | None) -> None:
        """A `SpecError` where JSON and Markdown are both to be printed; before any work is done."""
        if self.json and markdown == STANDARD_OUTPUT:
            raise SpecError("--markdown - and --json both print; give --markdown a file")

    def made(self) -> str:
        """When and by what command, for the foot of what is written.

        ``SOURCE_DATE_EPOCH`` takes the place of the clock, as wherever files are to be the same.
        """
        epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
        now = time.gmtime(int(epoch)) if epoch.isdecimal() else time.gmtime()
        return f"{time.strftime('%Y-%m-%d %H:%M:%S UTC', now)} by {clean(self.line)}"

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """A bar on a terminal, plain lines off it, nothing when quiet."""
        if self.quiet:
            yield silent
        elif sys.stderr.isatty():
            with _bar() as show:
                yield show
        else:
            yield _PlainLines()


def say(text: str) -> None:
    """A line on standard error; a reader that has gone does not stop the work."""
    try:
        click.echo(clean(text), err=True)
    except BrokenPipeError:
        forget(sys.stderr)


def answer(text: str) -> None:
    """Text on standard output.

    Raises:
        ReaderGone: the reader has closed the pipe, which only says that it had enough.
    """
    try:
        click.echo(text)
    except BrokenPipeError:
        forget(sys.stdout)
        raise ReaderGone from None
    except OSError:
        forget(sys.stdout)  # a full disk would fail once more at exit, and hide the exit code
        raise


def forget(stream: TextIO) -> None:
    """Send what is buffered nowhere, so that Python does not fail on it again at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class _PlainLines:
    """A line when the text changes, and one at every further quarter."""

    def __init__(self) -> None:
        self._text, self._quarter = "", 0

    def __call__(self, text: str, fraction: float | None = None, /) -> None:
        quarter = 0 if fraction is None or not math.isfinite(fraction) else int(4 * fraction)
        if text != self._text:
            say(text)
        elif self._quarter < quarter < 4:
            say(f"{text}: {25 * quarter} %")
        self._text, self._quarter = text, quarter


@contextlib.contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console as Terminal
    from rich.markup import escape
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    parts = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Bars(*parts, console=Terminal(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)

        def show(text: str, fraction: float | None = None, /) -> None:
            total = None if fraction is None else 1.0
            bars.update(task, description=escape(clean(text)), total=total, completed=fraction or 0)

        yield show


@contextlib.contextmanager
def warnings_as(note: Callable[[str], None]) -> Iterator[None]:
    """Hand over what is warned of for users, old spellings and the like, as a remark.

    Without package, file and line, which say nothing to who uses the program. Warnings of other
    categories are for developers, and stay as they are.
    """
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Any, category: type[Warning], *rest: Any, **named: Any) -> None:
            if issubclass(category, (FutureWarning, UserWarning)):
                note(str(message))
            else:
                usual(message, category, *rest, **named)

        warnings.showwarning = show
        yield


def with_console(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--json``, ``--quiet`` and ``--traceback``, and a `Console` to write to."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
    @click.option("--quiet", "-q", is_flag=True, help="No progress and no remarks.")
    # read from the arguments by `failure`: a bug may strike before this is parsed
    @click.option("--traceback", is_flag=True, expose_value=False, help="Show a bug's traceback.")
    @functools.wraps(function)
    def command(*args: Any, as_json: bool, quiet: bool, **kwargs: Any) -> Any:
        context = click.get_current_context()
        words = [context.find_root().info_name or "", *(context.obj or ())]
        console = Console(context.info_name or "", as_json, quiet, line=shlex.join(words))
        with warnings_as(console.note):
            return function(console, *args, **kwargs)

    return command


def json_document(command: str | None, data: Mapping[str, Any]) -> str:
    """One document with schema version and command; pure ASCII, no NaN."""
    document = {"schema_version": SCHEMA_VERSION, "command": command, **data}
    return json.dumps(plain(document), indent=2, allow_nan=False)


def plain(value: Any) -> Any:
    """`value` as JSON holds it; arrays become lists, numbers that are not finite null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # NumPy's arrays and scalars, without importing NumPy here
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def clean(text: str) -> str:
    """`text` with control characters shown and not obeyed."""
    return text.translate(_CONTROL)


def columns(
    rows: Iterable[Sequence[Any]], header: Sequence[str] = (), right: Iterable[int] = ()
) -> str:
    """An aligned table; columns `right` are flushed right, the last one is not padded."""
    to_right = set(right)
    body = [[_cell(value) for value in row] for row in rows]
    table = [list(header), *body] if header else body
    if not table:
        return ""
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if k in to_right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    if header:
        lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("\n", " ")
