"""Write a network that runs by itself: in Lava, or in C."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.arguments import (
    INPUT_FILE,
    OutputFolder,
    gathered,
    seed_option,
    steps_option,
)
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.cli.simulate import load_input, load_program

if TYPE_CHECKING:
    from hrsnn_lava.deploy.write import Target
    from hrsnn_lava.trace import SpikeInput

#: Steps of the random input that is shipped where none is given.
DEFAULT_STEPS = 100


@dataclass(frozen=True)
class DeployArguments:
    """What ``deploy`` is asked: of which network, what for, where to."""

    compiled: Path
    output: Path
    target: Target
    input_file: Path | None
    steps: int | None
    reports: tuple[Path, ...]
    force: bool
    seed: int


@click.command("deploy")
@click.argument("compiled", type=INPUT_FILE)
@click.option(
    "-o",
    "--output",
    type=OutputFolder(),
    required=True,
    metavar="DIR",
    help="Folder to write; it must not be there, or be empty.",
)
@click.option(
    "--target",
    type=click.Choice(["lava", "c"]),
    default="lava",
    show_default=True,
    help="A bundle for Intel Lava, or one file of C11.",
)
@click.option(
    "--input",
    "input_file",
    type=INPUT_FILE,
    help="Events (.npz) to ship and to test with.  [default: random]",
)
@steps_option(None, f"Length of the shipped run.  [default: the input's, or {DEFAULT_STEPS}]")
@click.option(
    "--report",
    "reports",
    type=INPUT_FILE,
    multiple=True,
    metavar="FILE",
    help="Report to ship (.html, .json). Repeatable.",
)
@click.option("--force", is_flag=True, help="Replace a bundle that is there.")
@seed_option("Of the random input.")
@with_console
@gathered(DeployArguments)
def deploy(console: Console, arguments: DeployArguments) -> None:
    """Write COMPILED, a compiled or quantized network (.hlx), as a folder that runs by itself."""
    from hrsnn_lava.deploy.bundle.folder import require_room
    from hrsnn_lava.deploy.write import DeployOptions
    from hrsnn_lava.deploy.write import deploy as write

    require_room(arguments.output, force=arguments.force)
    model = load_program(arguments.compiled)
    inputs, steps = load_input(
        console, model, arguments.input_file, arguments.steps, arguments.seed, DEFAULT_STEPS
    )
    with console.progress() as progress:
        bundle = write(
            model,
            arguments.output,
            inputs,
            steps,
            DeployOptions(
                arguments.target, _source(arguments, inputs), arguments.reports, arguments.force
            ),
            progress,
        )
    manifest = bundle.manifest
    data = {
        "folder": arguments.output,
        "target": arguments.target,
        "digest": bundle.digest,
        "bytes": bundle.size,
        "files": sorted(manifest["members"]),
        "steps": manifest["input"]["steps"],
        "spikes": manifest["expected"]["spikes"],
    }
    if arguments.target == "c":
        data |= manifest["footprint"]
    else:
        data["stock"] = manifest["stock"]["obstacle"] is None
    console.result(data, _text(data))


def _source(arguments: DeployArguments, inputs: SpikeInput | None) -> str:
    """Where the shipped input comes from."""
    if arguments.input_file is not None:
        return "the shipped input was given"
    if inputs is None:
        return "the network has no input"
    return f"the shipped input is random, seed {arguments.seed}"


def _text(data: dict[str, Any]) -> str:
    rows = [
        ("files", len(data["files"])),
        ("bytes", data["bytes"]),
        ("shipped run", f"{data['steps']:,} steps, {data['spikes']:,} spikes"),
        ("digest", data["digest"]),
    ]
    folder = shlex.quote(str(data["folder"]))
    if data["target"] == "c":
        rows[1:1] = [("constants", data["flash_bytes"]), ("variables", data["ram_bytes"])]
        command = f"cc -std=c11 -O2 -c {folder}/network.c"
    else:
        rows.append(("Lava's own LIF", "can run it" if data["stock"] else "cannot run it"))
        command = f"python {folder} --self-test"
    return f"written to {data['folder']}\n{columns(rows)}\n\nnext\n  {command}"


ORDER = 85
COMMAND = deploy
