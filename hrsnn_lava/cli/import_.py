"""A network of another program, as a network of ours."""

from __future__ import annotations

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, POSITIVE, gathered, output_option
from hrsnn_lava.cli.console import Console, with_console
from hrsnn_lava.cli.import_arguments import ImportArguments
from hrsnn_lava.registry import names
from hrsnn_lava.resets import RESETS

FORMATS = ("nir", "netx")


@click.command("import")
@click.argument("format", type=click.Choice(FORMATS))
@click.argument("file", type=INPUT_FILE)
@click.option(
    "--dialect",
    type=click.Choice(["auto", *names("dialect")]),
    default="auto",
    show_default=True,
    help="Exporter that wrote FILE; auto looks for its marks.",
)
@click.option(
    "--dt",
    type=POSITIVE,
    metavar="SECONDS",
    help="Duration of a step, which no file says.  [default: the exporter's]",
)
@click.option(
    "--reset",
    type=click.Choice(RESETS),
    help="What a spike does to the potential.  [default: the exporter's, if it has one alone]",
)
@click.option(
    "--single-spikes",
    is_flag=True,
    help="Take neurons that may send several spikes in a step for such that send one.",
)
@click.option(
    "--biases",
    type=click.Choice(["exact", "constant"]),
    default="exact",
    show_default=True,
    help="By a neuron that fires in every step, or of the neurons themselves, from step 0 on.",
)
@click.option(
    "--against",
    type=INPUT_FILE,
    metavar="SPIKES",
    help="The source's own spikes (.npz): compare, and name the first difference.",
)
@click.option(
    "--weights",
    type=click.Choice(["lava", "file"]),
    default="lava",
    show_default=True,
    help="Of netx: those that act in Lava, or those in FILE where Lava's are others.",
)
@click.option(
    "--num-layers",
    type=click.IntRange(min=1),
    help="Of netx: take the first so many groups of FILE.  [default: all]",
)
@click.option(
    "--input-shape",
    metavar="C,H,W",
    help="Of netx: channels, height and width, where FILE does not say.",
)
@output_option("Network to write (.hlx).")
@with_console
@gathered(ImportArguments)
def import_model(console: Console, arguments: ImportArguments) -> int:
    """Make a network of a FILE of another program; FORMAT is nir, or netx (lava-dl).

    FILE is read in a process of its own, within limits. Exit code 3 where it is unsafe, invalid, or
    holds what no network here does exactly; 7 where spikes differ from those of --against.
    """
    if arguments.format == "netx":
        from hrsnn_lava.cli.import_netx import import_netx

        return import_netx(console, arguments)
    from hrsnn_lava.cli.import_nir import import_nir

    return import_nir(console, arguments)


ORDER = 86
COMMAND = import_model
