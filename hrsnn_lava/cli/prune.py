"""Take synapses out of a network, and neurons if asked to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava import registry
from hrsnn_lava.cli.arguments import INPUT_FILE, OutputFile, output_option, seed_option
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.cli.pass_options import as_options, chosen, pass_options, refuse_others
from hrsnn_lava.cli.prune_kept import (
    check_mode,
    compare_methods,
    kept_facts,
    kept_text,
    methods_of,
    steps_of,
)
from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.spec import pruning_methods

if TYPE_CHECKING:
    from hrsnn_lava.compiler.context import Observed
    from hrsnn_lava.network import Network
    from hrsnn_lava.trace import SpikeInput


#: Options classes of all methods that prune synapses to a density or a number of operations.
METHODS: dict[str, Any] = {name: registry.load("pruning", name) for name in pruning_methods()}
DROPPING: Any = registry.load("pruning", "neurons")


@click.command("prune")
@click.argument("network", type=INPUT_FILE)
@click.option("--method", type=click.Choice(list(METHODS)), help="How synapses are chosen.")
@pass_options(METHODS, skip=("seed",))
@click.option(
    "--drop-neurons",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of the neurons to drop first, those of the least score.",
)
@pass_options({"drop": DROPPING}, prefix="drop", skip=("fraction", "seed"))
@click.option(
    "--input",
    "input_file",
    type=INPUT_FILE,
    help="Events (.npz) that rates are measured with.  [default: random]",
)
@click.option(
    "--kept/--no-kept", default=True, help="Measure what is kept, without a task.  [default: on]"
)
@click.option(
    "--compare",
    metavar="METHODS",
    help="Prune by several methods, with commas, or by all, and say what each keeps; writes no "
    "network.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Of --compare: inputs, initial potentials and seeds.",
)
@click.option("--page", type=OutputFile(), help="Of --compare: page to write (.html).")
@seed_option("Of the sampling, and of the input that rates are measured with.")
@output_option("Network to write (.hlx).", required=False)
@with_console
def prune(
    console: Console,
    network: Path,
    method: str,
    drop_neurons: float,
    input_file: Path | None,
    seed: int,
    output: Path,
    **options: Any,
) -> None:
    """Prune the recurrent synapses of NETWORK, a float network (.hlx)."""
    from hrsnn_lava.compiler.context import Context, Observed
    from hrsnn_lava.compiler.pipeline import run_pass
    from hrsnn_lava.network import Network

    check_mode(click.get_current_context())
    measured, compare, draws, page = (options.pop(k) for k in ("kept", "compare", "draws", "page"))
    if compare is not None:
        steps = steps_of(methods_of(compare, METHODS), METHODS, options)
        whole = Network.load(network)
        inputs = None if input_file is None else _spikes(whole, input_file)
        compare_methods(console, whole, steps, inputs, seed, draws, page)
        return
    refuse_others(METHODS, method, options)
    step = chosen(METHODS[method], options)
    before = after = Network.load(network)
    passes: dict[str, Any] = {}
    survivors, facts = None, None
    with console.progress() as progress:
        if drop_neurons:
            progress(f"drop neurons: {drop_neurons:.0%}")
            dropping = chosen(DROPPING, options, prefix="drop", fraction=drop_neurons)
            observed = Observed()
            if dropping.needs_rates:
                observed = _measured(console, after, seed, input_file)
            after, record = run_pass(after, dropping, Context(observed=observed, seed=seed))
            for finding in record.findings:
                console.note(str(finding))
            # the indices of the neurons that stay would drown the rest
            report = {k: v for k, v in record.report.items() if k != "kept"}
            survivors = record.report["kept"]
            passes[record.name] = report
        observed = Observed()
        if input_file is not None or getattr(step, "needs_rates", False):
            observed = _measured(console, after, seed, input_file)
        progress(f"prune: {method}")
        with as_options(METHODS[method]):
            after, record = run_pass(after, step, Context(observed=observed, seed=seed))
        passes[record.name] = record.report
        if measured:
            progress("measure what is kept")
            inputs = None if input_file is None else _spikes(before, input_file)
            facts = kept_facts(console, before, after, survivors, inputs, seed)
    after.save(output)
    spectrum = {"before": spectral_facts(before), "after": spectral_facts(after)}
    data = {
        "output": output,
        "method": method,
        "seed": seed,
        "options": record.options,
        "neurons": {"before": before.n_neurons, "after": after.n_neurons},
        "synapses": {"before": before.n_synapses, "after": after.n_synapses},
        "projections": {
            p.name: {"before": p.n_synapses, "after": after.projection(p.name).n_synapses}
            for p in before.projections
            if p.target == "synapse"
        },
        "spectrum": spectrum,
        "passes": passes,
        "findings": [finding.to_dict() for finding in record.findings],
        "kept": facts,
    }
    console.result(data, _text(data, passes[step.name]))


def _measured(console: Console, network: Network, seed: int, path: Path | None) -> Observed:
    """Rates under the input of a file, or a random one; a note says which."""
    import numpy as np

    from hrsnn_lava.compiler.context import Observed
    from hrsnn_lava.training.simulation import HELD_STEPS, RATE_STEPS, measure_rates, observe

    if path is not None:
        inputs = _spikes(network, path)
        observed = observe(network, inputs)
        console.note(
            f"rates: measured over the {inputs.n_steps} steps of {path}; mean "
            f"{float(np.mean(observed.traffic[0])):.4g} spikes per neuron and step"
        )
        return observed
    rates = measure_rates(network, seed)
    console.note(
        f"rates: measured over {RATE_STEPS} steps with random input, N(0, 1) held for "
        f"{HELD_STEPS} steps, seed {seed}; mean {rates.mean():.4g} spikes per neuron and step"
    )
    return Observed(rates)


def _spikes(network: Network, path: Path) -> SpikeInput:
    """The events of a file for the inputs of a network."""
    from hrsnn_lava.trace import SpikeInput

    inputs = SpikeInput.load(path)
    if any(p.target == "bias" for p in network.projections):
        fix = "leave --input out, or give rates from Python: Context(observed=Observed(rates))"
        allowed = "no events: the inputs of this network hold values"
        problem = Problem("--input", "events", allowed, fix)
        raise SpecError("the rates cannot be measured", problems=[problem])
    if inputs.n_neurons != network.n_inputs:
        raise ArtifactError(
            f"{path}: {inputs.n_neurons} channels; the network has {network.n_inputs}"
        )
    return inputs


def spectral_facts(network: Network) -> dict[str, Any]:
    """Largest real part of the eigenvalues of the recurrent weights, and how it was found."""
    from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
    from hrsnn_lava.compiler.analysis.dynamics.stability import spectral_abscissa

    edges = recurrent_edges(network)
    if not edges.n_edges:
        return {"abscissa": 0.0, "estimate": "no synapses"}
    abscissa = spectral_abscissa(edges.matrix)
    return {"abscissa": abscissa.value, "estimate": abscissa.method}


def _text(data: dict[str, Any], report: dict[str, Any]) -> str:
    from hrsnn_lava.report.sections.verdict import findings_lines

    rows: list[tuple[Any, ...]] = [
        (what, data[what]["before"], data[what]["after"]) for what in ("neurons", "synapses")
    ]
    rows += [
        (f"  {name}", counts["before"], counts["after"])
        for name, counts in data["projections"].items()
    ]
    spectrum = data["spectrum"]
    rows.append(
        ("spectral abscissa of W", *(spectrum[when]["abscissa"] for when in ("before", "after")))
    )
    if "sop_before" in report:
        rows.append(("SOPs per step, recurrent", report["sop_before"], report["sop_after"]))
    lines = [columns(rows, ("", "before", "after"), right=(1, 2))]
    if "budget" in report:
        lines.append(_budget_text(report))
    if gains := report.get("rescale"):  # a method of one's own need not have any
        mean, most = gains["gain_mean"], gains["gain_max"]
        lines.append(f"rescale: {gains['mode']}, gain mean {mean:.3g}, max {most:.3g}")
    for number, entry in enumerate(report.get("rounds", []), 1):
        if "sampled" in entry:
            lines.append(_round_text(number, entry))
    lines += findings_lines(data["findings"])
    if data["kept"] is not None:
        lines.append(kept_text(data["kept"]))
    lines.append(f"written to {data['output']}")
    return "\n".join(lines)


def _budget_text(report: dict[str, Any]) -> str:
    """What was allowed and spent, and who is left without an input or an output."""
    budget = report["budget"]
    return (
        f"budget: {budget['spent']:.5g} of {budget['allowed']:.5g} {budget['unit']}, "
        f"{budget['synapses_per_neuron']:.3g} synapses a neuron; without a recurrent input "
        f"{report['without_input']}, without an output {report['without_output']} neurons"
    )


def _round_text(number: int, entry: dict[str, Any]) -> str:
    sampled, stability = entry["sampled"], entry["stability"]
    return (
        f"round {number}: Lyapunov matrix stable with margin {stability['margin']:g} (abscissa "
        f"{stability['abscissa']:.4g}); sampled: relative spectral change "
        f"{sampled['relative_change_mean']:.3g} on average, {sampled['relative_change_max']:.3g} "
        f"at most, abscissa {sampled['abscissa']:.4g} "
        f"({'stable' if sampled['stable'] else 'not stable'})"
    )


ORDER = 30
COMMAND = prune
