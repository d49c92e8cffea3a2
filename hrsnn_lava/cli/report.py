"""Resources, synaptic operations and energy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.cli.arguments import INPUT_FILE, output_option
from hrsnn_lava.cli.console import Console, with_console
from hrsnn_lava.cli.run_options import (
    read_runs,
    recount_option,
    samples_option,
    step_time_option,
    steps_per_sample_option,
    stored_counts,
    trace_option,
    unpruned_operations,
)
from hrsnn_lava.errors import ArtifactError

if TYPE_CHECKING:
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
    from hrsnn_lava.report.document import Report

FORMATS = ("text", "json", "html")
SUFFIXES = {".txt": "text", ".json": "json", ".html": "html", ".htm": "html"}


@click.command("report")
@click.argument("compiled", type=INPUT_FILE)
@trace_option
@recount_option
@click.option(
    "--counts",
    type=INPUT_FILE,
    help="Counts of a run (.hlx), as `simulate --counts` writes them, in place of a trace.",
)
@click.option(
    "--unpruned",
    type=INPUT_FILE,
    help="The network before pruning (.hlx): it is run on the trace's input, for the SOP ratio.",
)
@click.option(
    "--network",
    "source",
    type=INPUT_FILE,
    help="The float network that COMPILED was made from (.hlx): for values before, and dynamics.",
)
@samples_option
@steps_per_sample_option
@click.option(
    "--cost-set",
    help="Prices: a name, see `profiles`, or a .toml file.  [default: one of the chip's, if any]",
)
@step_time_option
@click.option("--budgets", type=INPUT_FILE, help="Limits (.toml) to judge the report by.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="[default: by the suffix of the file, or text]",
)
@output_option("File to write instead of printing.", required=False)
@with_console
def report(console: Console, compiled: Path, **options: Any) -> None:
    """Report on COMPILED, a compiled network (.hlx)."""
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.deploy.gate.limits import read_limits
    from hrsnn_lava.report.document import build_report

    settings = _Options(**options)
    limits = None if settings.budgets is None else read_limits(settings.budgets).budgets
    network = CompiledNetwork.load(compiled)
    sampling = (settings.samples, settings.steps_per_sample)
    run, windows = read_runs(
        settings.traces, network.network, compiled, *sampling, recount=settings.recount
    )
    counts, unpruned = settings.counts, settings.unpruned
    whole = build_report(
        network,
        run,
        cost_set=_prices(console, network.profile, settings.cost_set),
        step_time_s=settings.step_time,
        sample_windows=windows,
        budgets=limits,
        counts=None if counts is None else stored_counts(counts, network, settings.traces),
        sop_reference=None
        if unpruned is None
        else unpruned_operations(console, unpruned, network, settings.traces),
        **({} if settings.source is None else _source(settings.source, network)),
    )
    output, form = settings.output, settings.form
    if output is None:
        text = render(whole, form or "text")
        console.result({"report": whole.to_dict()}, text.rstrip())
        return
    form = form or SUFFIXES.get(output.suffix.lower(), "text")
    write_text(output, render(whole, form))
    console.result(
        {"output": output, "format": form, "report": whole.to_dict()}, f"written to {output}"
    )


@dataclass(frozen=True)
class _Options:
    """The options of the command, by the names that click gives them."""

    traces: tuple[Path, ...]
    recount: bool
    counts: Path | None
    unpruned: Path | None
    source: Path | None
    samples: int | None
    steps_per_sample: int | None
    cost_set: str | None
    step_time: float | Literal["fastest"]
    budgets: Path | None
    form: str | None
    output: Path | None


def render(whole: Report, form: str) -> str:
    """A report in one of `FORMATS`."""
    if form == "json":
        return whole.to_json()
    text = whole.to_html() if form == "html" else whole.to_text()
    return text if text.endswith("\n") else text + "\n"


def _source(path: Path, compiled: CompiledNetwork) -> dict[str, Any]:
    """What the report takes from the float network that was compiled."""
    from hrsnn_lava.network import Network
    from hrsnn_lava.report.sections.dynamics import dynamics
    from hrsnn_lava.seeding import generator

    network = Network.load(path)
    if network.n_neurons != compiled.network.n_neurons:
        raise ArtifactError(
            f"{path}: {network.n_neurons} neurons; the program has {compiled.network.n_neurons}. "
            "Give the network that was compiled"
        )
    rng = generator(compiled.seed or 0, "dynamics")
    section = dynamics(after=network, on_chip=compiled.network, rng=rng)
    return {"network_float": network, "dynamics": section}


def _prices(console: Console, profile: HardwareProfile, name: str | None) -> CostSet | None:
    from hrsnn_lava.hardware_profiles import CostSet
    from hrsnn_lava.hardware_profiles.cost_set import preferred

    if name is None:
        name = preferred(profile)
        if name is None:
            console.note(
                f"energy: no cost set describes {profile.name}, so nothing is priced; "
                f"--cost-set takes another chip's as a proxy: {', '.join(CostSet.names())}"
            )
            return None
    prices = CostSet.load(name)
    if prices.is_proxy_for(profile):
        console.note(
            f"energy: {prices.name} prices {prices.chip}, so all of its figures are a proxy for "
            f"{profile.name}"
        )
    return prices


ORDER = 70
COMMAND = report
