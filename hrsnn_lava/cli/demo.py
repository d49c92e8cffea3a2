"""The whole line on a packaged example, in a minute or two."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from hrsnn_lava.cli.arguments import OutputFolder, seed_option
from hrsnn_lava.cli.console import Console, with_console
from hrsnn_lava.cli.run import whole_line

DEMO_SPEC = "demo.toml"
DEMO_FOLDER = "hrsnn-demo"


@click.command("demo")
@click.option(
    "--out",
    type=OutputFolder(),
    default=Path(DEMO_FOLDER),
    show_default=True,
    help="Folder for the results.",
)
@click.option("--full", is_flag=True, help="Print the whole report, not its first lines alone.")
@seed_option("Instead of the example's.", default=None)
@with_console
def demo(console: Console, out: Path, full: bool, seed: int | None) -> int:
    """Compare ways to prune on a task of memory, and compile, verify and price a network.

    Three seeds, each in float and in integers. Seeds are worked on by as many processes as there
    are cores.
    """
    from hrsnn_lava.spec import Spec

    overrides = () if seed is None else (f"seed={seed}",)
    packaged = resources.files("hrsnn_lava.tasks").joinpath(DEMO_SPEC)
    with resources.as_file(packaged) as path:
        spec = Spec.load(path, overrides)
    return whole_line(console, spec, out, resume=False, full=full)


ORDER = 10
COMMAND = demo
