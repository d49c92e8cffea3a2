"""A network of another program, as a network of ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, POSITIVE, gathered, output_option
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.errors import ParityError
from hrsnn_lava.registry import names

if TYPE_CHECKING:
    from hrsnn_lava.deploy.interchange.against import Agreement
    from hrsnn_lava.deploy.interchange.from_nir import Imported

FORMATS = ("nir", "netx")


@dataclass(frozen=True)
class ImportArguments:
    """Arguments of the command."""

    format: str
    file: Path
    output: Path
    dialect: str
    dt: float | None
    reset: str | None
    single_spikes: bool
    biases: str
    against: Path | None
    weights: str
    num_layers: int | None
    input_shape: str | None


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
    type=click.Choice(["zero", "subtract", "subtract_next"]),
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
    from hrsnn_lava.cli.import_netx import OF_NETX, import_netx, refuse_given

    if arguments.format == "netx":
        return import_netx(console, arguments)
    refuse_given(arguments, OF_NETX)
    from hrsnn_lava.deploy.interchange.against import against
    from hrsnn_lava.deploy.interchange.from_nir import ImportOptions, imported
    from hrsnn_lava.deploy.interchange.nir_file import read_nir
    from hrsnn_lava.deploy.interchange.recording import load_recording

    options = ImportOptions(
        arguments.dialect,
        arguments.dt,
        arguments.reset,
        arguments.single_spikes,
        arguments.biases,  # type: ignore[arg-type]
    )
    found = imported(read_nir(arguments.file), options)
    agreement = None
    if arguments.against is not None:
        agreement = against(found, load_recording(arguments.against, found.model))
    sha256 = found.network.save(arguments.output)
    for remark in found.remarks:
        console.note(remark)
    data = {"output": arguments.output, "sha256": sha256, **_data(found)}
    if agreement is not None:
        data["against"] = agreement.to_dict()
    text = _text(arguments, found)
    console.result(data, text if agreement is None else f"{text}\n\n{_compared(agreement)}")
    return 0 if agreement is None or agreement.exact else ParityError.exit_code


def _data(found: Imported) -> dict[str, Any]:
    choice, network = found.choice, found.network
    return {
        "dialect": choice.dialect.name,
        "reasons": choice.reasons,
        "dt_s": choice.setting.dt,
        "file_step": choice.setting.step,
        "reset": choice.setting.reset,
        "assumed": choice.assumed,
        "folded": found.model.folded,
        "shifts": found.timing.visible,
        "outputs": found.model.outputs,
        "neurons": network.n_neurons,
        "inputs": network.n_inputs,
        "synapses": network.n_synapses,
        "populations": [{"name": p.name, "size": p.size} for p in network.populations],
    }


def _text(arguments: ImportArguments, found: Imported) -> str:
    choice, network = found.choice, found.network
    assumed = dict(line.split(" = ", 1) for line in choice.assumed)
    rows = [("dialect", f"{choice.dialect.name} ({'; '.join(choice.reasons)})")]
    rows += [("rule", choice.dialect.equations)]
    rows += [("dt", f"{choice.setting.dt:g} s{_why(assumed.get('dt'))}")]
    rows += [("reset", f"{choice.setting.reset}{_why(assumed.get('reset'))}")]
    rows += [("folded" if not k else "", line) for k, line in enumerate(found.model.folded)]
    later = ", ".join(f"{name} {shift}" for name, shift in found.timing.visible.items())
    rows += [("steps later", later)]
    clocks = (
        {p.name for p in network.populations}
        - {name for name, _ in found.model.inputs}
        - {layer.name for layer in found.model.layers}
    )
    rows += [("biases", f"by a neuron that fires in every step, {name!r}") for name in clocks]
    head = (
        f"{arguments.output}: {network.n_neurons:,} neurons, {network.n_inputs:,} inputs, "
        f"{network.n_synapses:,} synapses, of {arguments.file}"
    )
    return f"{head}\n{columns(rows)}"


def _why(assumed: str | None) -> str:
    """``, assumed: why``."""
    return "" if assumed is None else f", assumed: {assumed.partition(': ')[2]}"


def _compared(agreement: Agreement) -> str:
    rows = [
        (r.layer, r.source, r.floats, r.differing, r.integers, r.moved) for r in agreement.layers
    ]
    header = ("layer", "source", "float", "differ", "integers", "moved by rounding")
    table = columns(rows, header, right=range(1, 6))
    end = "every recorded spike is the same" if agreement.exact else str(agreement.first)
    return f"spikes in {agreement.steps:,} steps\n{table}\n{end}"


ORDER = 86
COMMAND = import_model
