"""One network on several chips, side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.cli.arguments import INPUT_FILE, output_option, seed_option, steps_option
from hrsnn_lava.cli.console import Console, plain, with_console
from hrsnn_lava.cli.run_options import step_time_option
from hrsnn_lava.errors import ArtifactError, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.network import Network
    from hrsnn_lava.quantized import QuantizedNetwork
    from hrsnn_lava.trace import SpikeInput

SUFFIXES = (".json", ".md", ".csv", ".txt")


@click.command("compare")
@click.argument("model", type=INPUT_FILE)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    help="Chip, see `profiles`; repeatable.  [default: all that are known]",
)
@click.option(
    "--cost-set",
    "cost_sets",
    multiple=True,
    help="Prices for every chip, repeatable.  [default: those that describe the chip]",
)
@click.option("--input", "input_file", type=INPUT_FILE, help="Events (.npz).  [default: random]")
@steps_option(None, "Length of the run.  [default: the input's, or 1000]")
@step_time_option
@seed_option("Of the random input.")
@output_option("File to write: .json, .md, .csv or .txt.", required=False)
@with_console
def compare(
    console: Console, model: Path, input_file: Path | None, output: Path | None, **options: Any
) -> None:
    """Compile MODEL for several chips, run each on the same input, and price the runs.

    MODEL is a network, quantized or compiled network (.hlx), or a spec (.toml) whose network is
    built, but not trained. A chip that it does not fit is a row that says why.
    """
    if output is not None and output.suffix.lower() not in SUFFIXES:
        raise SpecError(f"{output}: suffix {output.suffix!r}; allowed: {', '.join(SUFFIXES)}")
    from hrsnn_lava.experiment.chips import compare as compare_profiles

    network = _load(model)
    steps, seed = options["steps"], options["seed"]
    inputs = _input(console, network, input_file, steps, seed)
    with console.progress() as progress:
        comparison = compare_profiles(
            network,
            options["profiles"] or None,
            inputs,
            steps,
            options["cost_sets"] or None,
            step_time_s=options["step_time"],
            seed=seed,
            progress=progress,
        )
    data = comparison.to_dict()
    if output is None:
        console.result(data, comparison.to_text().rstrip())
        return
    texts = {".md": comparison.to_markdown, ".csv": comparison.to_csv, ".txt": comparison.to_text}
    text = texts.get(output.suffix.lower())
    document = json.dumps(plain(data), indent=2, allow_nan=False) + "\n"
    write_text(output, document if text is None else text())
    console.result({"output": output, **data}, f"written to {output}")


def _load(model: Path) -> Network | QuantizedNetwork | CompiledNetwork:
    if model.suffix.lower() == ".toml":
        from hrsnn_lava.hrsnn import build_hrsnn
        from hrsnn_lava.spec import Spec

        spec = Spec.load(model)
        network = build_hrsnn(spec)
        on_chip = spec.stdp is not None and spec.stdp.on_chip
        return network if on_chip else network.without_plasticity()
    from hrsnn_lava.artifacts.container import NETWORK_STAGES, load_any

    saved_network: Network | QuantizedNetwork | CompiledNetwork = load_any(model, NETWORK_STAGES)
    return saved_network


def _input(
    console: Console, model: Any, path: Path | None, steps: int | None, seed: int
) -> SpikeInput | None:
    from hrsnn_lava.cli.simulate import note_length
    from hrsnn_lava.trace import SpikeInput

    network = getattr(model, "network", model)
    if path is None:
        if network.n_inputs:
            console.note(f"input: random, the same on every chip, seed {seed}")
        else:
            console.note("input: none, the network has no inputs")
        return None
    events = SpikeInput.load(path)
    if events.n_neurons != network.n_inputs:
        raise ArtifactError(
            f"{path}: {events.n_neurons} channels; the network has {network.n_inputs}"
        )
    if steps is not None:
        note_length(console, events, steps)
    return events


ORDER = 100
COMMAND = compare
