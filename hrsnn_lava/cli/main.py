"""The program ``hrsnn-lava``: a group whose commands are imported only when they are used.

A command is a file of this folder (or of another package, or of the user, see
`hrsnn_lava.registry`) that defines ``COMMAND``, a `click.Command`. The first line of the file is
its line in the help, and ``ORDER = 30`` its place there. The help of the group imports no command
and no numerical library; a test watches that.
"""

from __future__ import annotations

import math
import re
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from hrsnn_lava import registry
from hrsnn_lava.cli.console import ReaderGone, say, warnings_as
from hrsnn_lava.cli.failure import Terminated, has_flag, report_failure
from hrsnn_lava.errors import BackendError, HrsnnError, PartError
from hrsnn_lava.spelling import nearest

PROGRAM = "hrsnn-lava"
#: An integer by which the help is sorted, read from the text of a command's file.
_ORDER = re.compile(r"^ORDER = (\d+)$", re.MULTILINE)


def command_parts() -> dict[str, str]:
    """Name of every command, and that of its part: ``nir-check`` is the file ``nir_check.py``.

    A file whose stem Python reserves ends in ``_``: ``import`` is ``import_.py``.
    """
    return {part.rstrip("_").replace("_", "-"): part for part in registry.names("command")}


def _order(part: str) -> float:
    """``ORDER`` of a command's file; those without one come last."""
    try:
        text = registry.path("command", part).read_text(encoding="utf-8-sig")
    except (HrsnnError, OSError, ValueError):  # of another package, which names no file
        return math.inf
    order = _ORDER.search(text)
    return math.inf if order is None else int(order[1])


def _summary(part: str) -> str:
    try:
        return registry.summary("command", part)
    except PartError as error:
        return f"(cannot be read: {error.__cause__})"


class Program(click.Group):
    """The group; it turns every exception into a message and an exit code."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Names in the order of work, as ``ORDER`` of their files says."""
        parts = command_parts()
        return sorted(parts, key=lambda name: (_order(parts[name]), name))

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command; None for an unknown name.

        Raises:
            PartError: its file cannot be imported, or holds no command.
        """
        part = command_parts().get(cmd_name)
        if part is None:
            return None
        command = registry.load("command", part)
        if not isinstance(command, click.Command):
            text = f"COMMAND is of type {type(command).__name__}; allowed: a click.Command"
            raise registry.failure("command", part, text)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown name is answered with the nearest known ones."""
        name = args[0] if args else ""
        names = self.list_commands(ctx)
        if name and name not in names and not name.startswith("-"):
            near = nearest(name, names, 2)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"One of {', '.join(names)}."
            raise click.UsageError(f"No such command {name!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(self._summaries(ctx))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names without importing them, and the group's options."""
        names = [
            CompletionItem(name, help=text)
            for name, text in self._summaries(ctx)
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def _summaries(self, ctx: click.Context) -> list[tuple[str, str]]:
        parts = command_parts()
        return [(name, _summary(parts[name])) for name in self.list_commands(ctx)]

    def main(self, args: Sequence[str] | None = None, *_: Any, **kwargs: Any) -> NoReturn:
        """Run and exit with the code that `failure` lists for the outcome."""
        arguments = list(sys.argv[1:] if args is None else args)
        kwargs.update(prog_name=PROGRAM, standalone_mode=False, obj=tuple(arguments))
        quiet = has_flag(arguments, "-q") or has_flag(arguments, "--quiet")
        try:
            with warnings_as((lambda _: None) if quiet else say):
                outcome = super().main(arguments, **kwargs)
            code = outcome if isinstance(outcome, int) else 0
        except BaseException as error:
            code = report_failure(error, _command_of(arguments), arguments)
        sys.exit(code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click would take any broken pipe for our standard output."""
        try:
            return super().invoke(ctx)
        except ReaderGone:
            return 0
        except BrokenPipeError as error:
            raise BackendError(f"a process that this command started has gone ({error})") from error


def _command_of(arguments: list[str]) -> str | None:
    try:
        names = command_parts()
    except HrsnnError:  # two parts of one name, which is then what is being reported
        return None
    return next((a for a in arguments if a in names), None)


def _version(ctx: click.Context, _: click.Parameter, flag: bool) -> None:
    if flag and not ctx.resilient_parsing:
        from hrsnn_lava import __version__

        click.echo(f"{PROGRAM} {__version__}")
        ctx.exit()


@click.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 a bug, 2 usage or spec, 3 input file, 4 does not fit the chip, "
    "5 budget, 6 backend, 7 parity, 75 timed out, 130 interrupted.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """From a heterogeneous recurrent spiking network to a neuromorphic chip.

    Prune, quantize, place, prove bit for bit, and price. `hrsnn-lava demo` shows the whole line.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _unwind_when_told_to_end() -> None:
    """Turn SIGTERM and SIGHUP into an exception: temporary files and children are cleaned up."""

    def stop(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not stop the cleaning
        raise Terminated(number)

    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, stop)


def main() -> None:
    """The entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # an encoding without some letter must not end a run
            stream.reconfigure(errors="backslashreplace")
    _unwind_when_told_to_end()
    cli.main()
