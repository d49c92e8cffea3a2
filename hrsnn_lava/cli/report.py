"""Resources, synaptic operations and energy."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    unpruned_run,
)
from hrsnn_lava.cli.simulate import DEFAULT_STEPS
from hrsnn_lava.errors import ArtifactError, ParityError, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.compiler.analysis.operations.windows import Windows
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
    from hrsnn_lava.network import Network
    from hrsnn_lava.report.document import Report
    from hrsnn_lava.sim_backends.runs.parity import Parity
    from hrsnn_lava.trace import SpikeInput, Trace

FORMATS = ("text", "json", "html")
#: Engines of ``--verify``: both are always there.
COMPARED = ("reference", "native")
#: The last line of a short text.
MORE = "--full shows all of it, --section NAME one section, --format html a page"
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
    help="The network before pruning (.hlx): it is run on the trace's input, for what pruning "
    "saved; compiled for the same chip, its messages and cores count too.",
)
@click.option(
    "--network",
    "--float",
    "source",
    type=INPUT_FILE,
    help="The float network that COMPILED was made from (.hlx): it is run on the trace's input and "
    "compared with the integers; for values before, and dynamics.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Compare the backends reference and native, bit for bit, on the trace's input; without a "
    f"trace on {DEFAULT_STEPS} steps of random events.",
)
@samples_option
@steps_per_sample_option
@click.option(
    "--cost-set",
    help="Prices: a name, see `profiles`, a .toml file, or none.  [default: one of the chip's, if "
    "any]",
)
@step_time_option
@click.option("--budgets", type=INPUT_FILE, help="Limits (.toml) to judge the report by.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="[default: by the suffix of the file, or text]",
)
@click.option("--full", is_flag=True, help="The whole text, not its first lines alone.")
@click.option(
    "--section", metavar="NAME", help="One section of the text, such as energy or constraints."
)
@output_option("File to write instead of printing; a text is whole there.", required=False)
@with_console
def report(console: Console, compiled: Path, **options: Any) -> int:
    """Report on COMPILED, a compiled network (.hlx).

    Text is the verdict and the figures that matter; --full gives all of it. Exit code 7 if --verify
    finds that backends disagree.
    """
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.deploy.gate.limits import read_limits
    from hrsnn_lava.report.document import build_report

    settings = _Options(**options)
    settings.check()
    limits = None if settings.budgets is None else read_limits(settings.budgets).budgets
    network = CompiledNetwork.load(compiled)
    sampling = (settings.samples, settings.steps_per_sample)
    run, windows = read_runs(
        settings.traces, network.network, compiled, *sampling, recount=settings.recount
    )
    counts, unpruned = settings.counts, settings.unpruned
    agreement = _Agreement(console, network, run, windows)
    parity = agreement.parity() if settings.verify else None
    whole = build_report(
        network,
        run,
        cost_set=_prices(console, network.profile, settings.cost_set),
        step_time_s=settings.step_time,
        sample_windows=windows,
        budgets=limits,
        counts=None if counts is None else stored_counts(counts, network, settings.traces),
        unpruned=None
        if unpruned is None
        else unpruned_run(console, unpruned, network, settings.traces),
        parity=parity,
        **({} if settings.source is None else _source(settings.source, network, agreement)),
    )
    output, form = settings.output, settings.form
    if output is None:
        console.result({"report": whole.to_dict()}, settings.shown(whole).rstrip())
    else:
        whole = replace(whole, made=console.made())
        form = form or SUFFIXES.get(output.suffix.lower(), "text")
        text = render(whole, form) if settings.section is None else settings.shown(whole)
        write_text(output, text)
        data = {"output": output, "format": form, "report": whole.to_dict()}
        console.result(data, f"written to {output}")
    if parity is not None and parity.mismatches and not console.json:
        parity.require()
    return ParityError.exit_code if parity is not None and parity.mismatches else 0


@dataclass(frozen=True)
class _Options:
    """The options of the command, by the names that click gives them."""

    traces: tuple[Path, ...]
    recount: bool
    counts: Path | None
    unpruned: Path | None
    source: Path | None
    verify: bool
    full: bool
    section: str | None
    samples: int | None
    steps_per_sample: int | None
    cost_set: str | None
    step_time: float | Literal["fastest"]
    budgets: Path | None
    form: str | None
    output: Path | None

    def check(self) -> None:
        """Usage errors: forms that exclude each other, and a section that there is not."""
        form = self.form or SUFFIXES.get(self.output.suffix.lower() if self.output else "", "text")
        from hrsnn_lava.report.document import check_section

        context = click.get_current_context()
        if self.full and self.section is not None:
            raise click.UsageError("--full and --section show more and less; give one", context)
        if self.section is not None:
            if form != "text":
                raise click.UsageError(f"--section is one of the text; {form} is whole", context)
            check_section(self.section)

    def shown(self, whole: Report) -> str:
        """What is printed of a report."""
        if self.section is not None:
            return whole.section(self.section)
        if self.form in (None, "text") and not self.full:
            return whole.to_summary(MORE)
        return render(whole, self.form or "text")


@dataclass(frozen=True)
class _Agreement:
    """Runs that say whether a program is right: on the input of the trace, else on random events.

    Attributes:
        run: the trace; `windows`: its samples, None where nothing tells them.
    """

    console: Console
    network: CompiledNetwork
    run: Trace | None
    windows: Windows | None

    def _driven(self) -> tuple[SpikeInput | None, int]:
        from hrsnn_lava.cli.simulate import load_input

        run, integers = self.run, self.network.network
        if run is None:
            return load_input(self.console, integers, None, None, seed=0)
        if run.inputs is None and integers.n_inputs:
            raise SpecError(
                "the trace holds no inputs, which the comparison would run again; simulate it anew"
            )
        return run.inputs, run.n_steps

    def parity(self) -> Parity:
        """`reference` and `native`, bit for bit."""
        from hrsnn_lava.cli.simulate import check_memory
        from hrsnn_lava.sim_backends.runs.parity import verify_parity

        inputs, steps = self._driven()
        check_memory(self.network, steps, 4)
        with self.console.progress() as progress:
            return verify_parity(self.network, inputs, steps, COMPARED, progress)[0]

    def with_float(self, network: Network) -> dict[str, Any] | None:
        """`network` and the integers on the same input; None, with a remark, without a run."""
        from hrsnn_lava.training.difference import compare_float_fixed

        if self.run is None or (self.run.inputs is None and self.network.network.n_inputs):
            why = "no trace" if self.run is None else "a trace without its inputs"
            self.console.note(f"--network: {why}, so the integers are not compared with floats")
            return None
        inputs, steps = self._driven()
        with self.console.progress() as progress:
            progress(f"report: float network, {steps:,} steps")
            return compare_float_fixed(network, self.network, inputs, steps=steps)


def render(whole: Report, form: str) -> str:
    """A report in one of `FORMATS`."""
    if form == "json":
        return whole.to_json()
    text = whole.to_html() if form == "html" else whole.to_text()
    return text if text.endswith("\n") else text + "\n"


def _source(path: Path, compiled: CompiledNetwork, agreement: _Agreement) -> dict[str, Any]:
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
    difference = agreement.with_float(network)
    return {"network_float": network, "dynamics": section, "float_vs_integer": difference}


def _prices(
    console: Console, profile: HardwareProfile, name: str | None
) -> CostSet | Literal[False]:
    from hrsnn_lava.hardware_profiles import CostSet
    from hrsnn_lava.hardware_profiles.cost_set import preferred
    from hrsnn_lava.report.document import NO_PRICES

    if name == NO_PRICES:
        return False
    if name is None:
        name = preferred(profile)
        if name is None:
            console.note(
                f"energy: no cost set describes {profile.name}, so nothing is priced; "
                f"--cost-set takes another chip's as a proxy: {', '.join(CostSet.names())}"
            )
            return False
    prices = CostSet.load(name)
    if prices.is_proxy_for(profile):
        console.note(
            f"energy: {prices.name} prices {prices.chip}, so all of its figures are a proxy for "
            f"{profile.name}"
        )
    return prices


ORDER = 70
COMMAND = report
