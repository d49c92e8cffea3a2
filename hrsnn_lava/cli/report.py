"""``report``: resources, synaptic operations and energy of a compiled network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, POSITIVE, output_option
from hrsnn_lava.cli.console import Console, plain, with_console
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.files import write_text

if TYPE_CHECKING:
    from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile

FORMATS = ("text", "json", "html")
SUFFIXES = {".txt": "text", ".json": "json", ".html": "html", ".htm": "html"}
#: Taken where the chip has it and nothing was asked for: it prices every event (our choice).
PREFERRED_COST_SET = "sanafe_loihi"


@click.command("report")
@click.argument("compiled", type=INPUT_FILE)
@click.option("--trace", type=INPUT_FILE, help="What a run did (.npz); without it, resources only.")
@click.option("--cost-set", help="Prices, see `profiles`.  [default: one of the chip's, if any]")
@click.option(
    "--step-time",
    type=POSITIVE,
    default=1e-3,
    show_default=True,
    metavar="SECONDS",
    help="Wall time of a step, which static power is charged for.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="[default: by the suffix of the file, or text]",
)
@output_option("File to write instead of printing.", required=False)
@with_console
def report(
    console: Console,
    compiled: Path,
    trace: Path | None,
    cost_set: str | None,
    step_time: float,
    form: str | None,
    output: Path | None,
) -> None:
    """Report on COMPILED, a compiled network (.hlx)."""
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.report.model import build_report
    from hrsnn_lava.trace import Trace

    network = CompiledNetwork.load(compiled)
    run = None if trace is None else Trace.load(trace)
    if run is not None and run.n_neurons != network.network.n_neurons:
        raise ArtifactError(
            f"{trace}: {run.n_neurons} neurons; {compiled} has {network.network.n_neurons}. "
            "Simulate this network"
        )
    prices = _prices(console, network.profile, cost_set)
    made = build_report(network, run, cost_set=prices, step_time_s=step_time)
    if output is None:
        text = made.to_text() if form in (None, "text") else render(made, form or "text")
        console.result({"report": made.to_dict()}, text.rstrip())
        return
    form = form or SUFFIXES.get(output.suffix.lower(), "text")
    write_text(output, render(made, form))
    console.result(
        {"output": output, "format": form, "report": made.to_dict()}, f"written to {output}"
    )


def render(made: Any, form: str) -> str:
    """A report in one of `FORMATS`."""
    if form == "json":
        return json.dumps(plain(made.to_dict()), indent=2, sort_keys=True, allow_nan=False) + "\n"
    text: str = made.to_html() if form == "html" else made.to_text()
    return text if text.endswith("\n") else text + "\n"


def _prices(console: Console, profile: HardwareProfile, name: str | None) -> CostSet | None:
    from hrsnn_lava.hardware_profiles import CostSet

    if name is None:
        if not profile.cost_sets:
            console.note(
                f"energy: no cost set describes {profile.name}, so nothing is priced; "
                f"--cost-set takes another chip's as a proxy: {', '.join(CostSet.names())}"
            )
            return None
        name = PREFERRED_COST_SET
        if name not in profile.cost_sets:
            name = profile.cost_sets[0]
    return CostSet.load(name)
