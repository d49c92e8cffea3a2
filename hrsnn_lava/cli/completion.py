"""Shell completion for bash, zsh or fish."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from hrsnn_lava.cli.console import Console, with_console

HOW = {
    "bash": 'eval "$(hrsnn-lava completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(hrsnn-lava completion zsh)" in ~/.zshrc, after compinit',
    "fish": "hrsnn-lava completion fish > ~/.config/fish/completions/hrsnn-lava.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(HOW)))
@with_console
def completion(console: Console, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash: eval "$(hrsnn-lava completion bash)" in ~/.bashrc
    zsh:  eval "$(hrsnn-lava completion zsh)" in ~/.zshrc, after compinit
    fish: hrsnn-lava completion fish > ~/.config/fish/completions/hrsnn-lava.fish
    """
    program = click.get_current_context().find_root()
    name = program.info_name or ""
    kind = get_completion_class(shell)
    if kind is None:  # a shell that click has dropped
        raise click.UsageError(f"no completion for {shell}; there is one for {', '.join(HOW)}")
    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
    script = kind(program.command, {}, name, variable).source()
    console.result({"shell": shell, "script": script, "use": HOW[shell]}, script.rstrip())


ORDER = 140
COMMAND = completion
