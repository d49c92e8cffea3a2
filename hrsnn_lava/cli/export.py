"""A network of ours, as a file of another program."""

from __future__ import annotations

from pathlib import Path

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, output_option
from hrsnn_lava.cli.console import Console, with_console

FORMATS = ("nir", "netx")


@click.command("export")
@click.argument("format", type=click.Choice(FORMATS))
@click.argument("network", type=INPUT_FILE)
@output_option("File to write.")
@with_console
def export_model(console: Console, format: str, network: Path, output: Path) -> None:
    """Write NETWORK as a file of another program; FORMAT is nir, or netx (lava-dl, .net).

    For nir NETWORK is a float network (.hlx), for netx a quantized or a compiled one, whose
    integers are written. Exit code 2 where the format cannot hold it, with every reason.
    """
    if format == "nir":
        from hrsnn_lava.cli.export_nir import export_nir

        export_nir(console, network, output)
        return
    from hrsnn_lava.cli.export_netx import export_netx

    export_netx(console, network, output)


ORDER = 87
COMMAND = export_model
