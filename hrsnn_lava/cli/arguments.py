"""Options and argument types that several commands share."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hrsnn_lava.cli.console import STANDARD_OUTPUT
from hrsnn_lava.cli.file_kinds import misplaced
from hrsnn_lava.errors import ArtifactError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def gathered(cls: Callable[..., Any]) -> Decorator:
    """Hand a command its parameters as one object, for commands of many options.

    Put it below `with_console`; `cls` is a frozen dataclass with a field for every parameter::

        @click.command("check")
        @click.argument("report", type=INPUT_FILE)
        @click.option("--baseline", type=INPUT_FILE)
        @with_console
        @gathered(CheckArguments)
        def check(console: Console, arguments: CheckArguments) -> int: ...
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(*args: Any, **parameters: Any) -> Any:
            return function(*args, cls(**parameters))

        return command

    return decorate


def nearest_folder(path: Path) -> Path:
    """What is there of a path: itself, or the nearest of its parents."""
    return next(p for p in (path, *path.parents) if p.exists() or p == p.parent)


class OutputFile(click.Path):
    """A file that will be written: its folder is checked before any work is done."""

    name = "file"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, or a usage error that says what is in the way."""
        path = Path(os.fspath(value))
        if path.is_dir():
            self.fail(f"{path} is a folder; give the name of a file", param, ctx)
        if path.exists() and not path.is_file():  # a device or a pipe
            if not os.access(path, os.W_OK):
                self.fail(f"{path} is not writable", param, ctx)
            return path
        folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
        if not folder.is_dir():
            self.fail(f"there is no folder {folder}; create it first", param, ctx)
        if not os.access(folder, os.W_OK | os.X_OK):
            self.fail(f"the folder {folder} is not writable", param, ctx)
        return path


class FileOrOutput(OutputFile):
    """A file that will be written, or ``-`` for standard output."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; that of ``-`` as it is."""
        return STANDARD_OUTPUT if str(value) == "-" else super().convert(value, param, ctx)


class OutputFolder(click.Path):
    """A folder that will be created, with its parents, once there is something to write."""

    name = "folder"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, or a usage error when a file is in the way or nothing may be written."""
        path = Path(os.fspath(value))
        nearest = nearest_folder(path)
        if not nearest.is_dir():
            self.fail(f"{nearest} is a file; give the name of a folder", param, ctx)
        if not os.access(nearest, os.W_OK | os.X_OK):
            self.fail(f"the folder {nearest} is not writable", param, ctx)
        return path


class InputFile(click.Path):
    """A file to read. Whether it is there is left to its reader, which knows the exit code.

    Args:
        pipes: whether it may come from a pipe.
    """

    name = "file"

    def __init__(self, pipes: bool = False) -> None:
        super().__init__(path_type=Path)
        self.pipes = pipes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; an `ArtifactError` for a pipe or a device, which may never end, and for a file
        of a kind that the command does not take here."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.exists() and not (path.is_file() or path.is_dir()) and not self.pipes:
            raise ArtifactError(f"{path}: not a regular file")
        if ctx is not None and param is not None:
            fault = misplaced(ctx.info_name or "", param.name or "", path)
            if fault is not None:
                raise fault.error()
        return path


class PositiveNumber(click.FloatRange):
    """A finite number above 0."""

    name = "number"

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number, or a usage error; click lets NaN through."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


INPUT_FILE = InputFile()
#: A spec may come from a pipe.
SPEC_FILE = InputFile(pipes=True)
POSITIVE = PositiveNumber()


def output_option(what: str, *, required: bool = True) -> Decorator:
    """``-o FILE``."""
    return click.option(
        "-o", "--output", type=OutputFile(), required=required, metavar="FILE", help=what
    )


def seed_option(what: str, default: int | None = 0) -> Decorator:
    """``--seed N``."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=default,
        show_default=default is not None,
        help=what,
    )


def steps_option(default: int | None, what: str) -> Decorator:
    """``--steps N``; at least one."""
    return click.option(
        "--steps",
        type=click.IntRange(min=1, max=2**31 - 1),
        default=default,
        show_default=default is not None,
        help=what,
    )
