"""The program ``hrsnn-lava``: a group whose commands are imported only when they are used.

The help of the group needs no numerical library; a test watches that it imports none.
"""

from __future__ import annotations

import difflib
import importlib
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from hrsnn_lava.cli.console import ReaderGone
from hrsnn_lava.cli.failure import Terminated, report_failure
from hrsnn_lava.errors import BackendError

PROGRAM = "hrsnn-lava"
#: Command: module below `hrsnn_lava.cli`, attribute, and the line that the help shows.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("run", "demo", "The whole line on a packaged example, in a minute or two."),
    "run": ("run", "run", "Build, train, prune, quantize, place, verify and report a spec."),
    "prune": ("prune", "prune", "Take synapses out of a network, and neurons if asked to."),
    "compile": ("compile", "compile_model", "Quantize a network and place it on a chip."),
    "simulate": ("simulate", "simulate", "Run a compiled network on one backend."),
    "verify": ("verify", "verify", "Prove that backends agree bit for bit."),
    "report": ("report", "report", "Resources, synaptic operations and energy."),
    "check": ("check", "check", "Fail when a report breaks a budget or is worse than a baseline."),
    "diff": ("diff", "diff", "What moved between two reports or artifacts, and why."),
    "compare": ("compare", "compare", "One network on several chips, side by side."),
    "profiles": ("profiles", "profiles", "The chips and cost sets that are known."),
    "inspect": ("inspect", "inspect", "What a file holds."),
    "doctor": ("doctor", "doctor", "Diagnose the installation."),
    "completion": ("completion", "completion", "Shell completion for bash, zsh or fish."),
}


class Program(click.Group):
    """The group; it turns every exception into a message and an exit code."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Names in the order of the table, which is the order of work."""
        return list(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _text = COMMANDS[cmd_name]
        command: click.Command = getattr(
            importlib.import_module(f"hrsnn_lava.cli.{module}"), attribute
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown name is answered with the nearest known ones."""
        name = args[0] if args else ""
        if name and name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=2)
            hint = (
                f"Did you mean {' or '.join(near)}?" if near else f"One of {', '.join(COMMANDS)}."
            )
            raise click.UsageError(f"No such command {name!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (*_where, text) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names without importing them, and the group's options."""
        names = [
            CompletionItem(name, help=text)
            for name, (*_where, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def main(self, args: Sequence[str] | None = None, *_: Any, **kwargs: Any) -> NoReturn:
        """Run and exit with the code that `failure` lists for the outcome."""
        arguments = list(sys.argv[1:] if args is None else args)
        kwargs.update(prog_name=PROGRAM, standalone_mode=False)
        try:
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
    return next((a for a in arguments if a in COMMANDS), None)


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
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
