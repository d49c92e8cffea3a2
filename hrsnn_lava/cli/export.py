"""A network of ours, as a file of another program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, output_option
from hrsnn_lava.cli.console import Console, with_console
from hrsnn_lava.errors import SpecError

if TYPE_CHECKING:
    from hrsnn_lava.deploy.interchange.to_nir import ToDialect

FORMATS = ("nir", "netx")


@click.command("export")
@click.argument("format", type=click.Choice(FORMATS))
@click.argument("network", type=INPUT_FILE)
@click.option(
    "--dialect",
    type=click.Choice(["literal", "snntorch"]),
    default="literal",
    show_default=True,
    help="Of nir: its equations, with hints for this program; or what snnTorch's importer takes.",
)
@output_option("File to write.")
@with_console
def export_model(
    console: Console, format: str, network: Path, dialect: ToDialect, output: Path
) -> None:
    """Write NETWORK as a file of another program; FORMAT is nir, or netx (lava-dl, .net).

    For nir NETWORK is a float network (.hlx), for netx a quantized or a compiled one, whose
    integers are written. Exit code 2 where the format cannot hold it, with every reason.
    """
    if format == "nir":
        from hrsnn_lava.cli.export_nir import export_nir

        export_nir(console, network, output, dialect)
        return
    if dialect != "literal":
        raise SpecError(f"--dialect: {dialect}; export netx has no dialects")
    from hrsnn_lava.cli.export_netx import export_netx

    export_netx(console, network, output)


ORDER = 87
COMMAND = export_model
