"""Take synapses out of a network, and neurons if asked to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava import registry
from hrsnn_lava.cli.arguments import INPUT_FILE, output_option, seed_option
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.cli.pass_options import as_options, chosen, given, pass_options, refuse_others
from hrsnn_lava.compiler.pruning.budget import BUDGETS
from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.spec import pruning_methods

if TYPE_CHECKING:
    from hrsnn_lava.compiler.context import Observed
    from hrsnn_lava.network import Network
    from hrsnn_lava.trace import SpikeInput


#: Options classes of all methods that prune synapses to a density or a number of operations.
METHODS: dict[str, Any] = {name: registry.load("pruning", name) for name in pruning_methods()}
DROPPING: Any = registry.load("pruning", "neurons")
ADDING: Any = registry.load("pass", "delocalize")


@click.command("prune")
@click.argument("network", type=INPUT_FILE)
@click.option(
    "--method", type=click.Choice(list(METHODS)), required=True, help="How synapses are chosen."
)
@pass_options(METHODS, skip=("seed",))
@click.option(
    "--drop-neurons",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of the neurons to drop first, those of the least score; or give a budget.",
)
@pass_options({"drop": DROPPING}, prefix="drop", skip=("fraction", "seed"))
@click.option(
    "--delocalize",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the synapses that are left to add afterwards, so that eigenvectors spread.",
)
@pass_options({"delocalize": ADDING}, prefix="delocalize", skip=("share", "seed"))
@click.option(
    "--input",
    "input_file",
    type=INPUT_FILE,
    help="Events (.npz) that rates, and covariances, are measured with.  [default: random]",
)
@seed_option("Of the sampling, and of the input that rates are measured with.")
@output_option("Network to write (.hlx).")
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
    from hrsnn_lava.compiler.pruning.surgery import pruned_synapses
    from hrsnn_lava.network import Network

    delocalize: float = options.pop("delocalize")
    refuse_others(METHODS, method, options)
    if given(ADDING, options, prefix="delocalize") and not delocalize:
        raise click.UsageError("--delocalize-objective and --delocalize-within need --delocalize")
    step = chosen(METHODS[method], options)
    before = after = Network.load(network)
    passes: dict[str, Any] = {}
    with console.progress() as progress:
        dropping = _dropping(drop_neurons, options)
        if dropping is not None:
            progress(f"drop neurons: {_amount(dropping)}")
            observed = Observed()
            if dropping.needs_rates:
                observed = _measured(console, after, seed, input_file)
            after, record = run_pass(after, dropping, Context(observed=observed, seed=seed))
            for finding in record.findings:
                console.note(str(finding))
            # the indices of the neurons that stay would drown the rest
            report = {k: v for k, v in record.report.items() if k != "kept"}
            passes[record.name] = report
        observed, together = Observed(), getattr(step, "needs_covariance", False)
        if input_file is not None or together or getattr(step, "needs_rates", False):
            observed = _measured(console, after, seed, input_file, covariance=together)
        progress(f"prune: {method}")
        whole = after
        with as_options(METHODS[method]):
            after, record = run_pass(after, step, Context(observed=observed, seed=seed))
        passes[record.name] = record.report
        findings = [finding.to_dict() for finding in record.findings]
        if delocalize:
            progress(f"delocalize: {delocalize:.0%} more synapses")
            adding = chosen(ADDING, options, prefix="delocalize", share=delocalize)
            gone = pruned_synapses(whole, after)
            context = Context(observed=observed, seed=seed, pruned=gone)
            after, added = run_pass(after, adding, context)
            passes[added.name] = added.report
            findings += [finding.to_dict() for finding in added.findings]
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
        "findings": findings,
    }
    console.result(data, _text(data, passes[step.name]))


def _dropping(fraction: float, options: dict[str, Any]) -> Any:
    """The pass that drops neurons, to a share of them or to a budget; None where none are."""
    budgets = [name for name in BUDGETS if options.get(f"drop__{name}") is not None]
    if not fraction and not budgets:
        return None
    share = {"fraction": fraction} if fraction else {}
    return chosen(DROPPING, options, prefix="drop", **share)


def _amount(dropping: Any) -> str:
    """How many neurons go, in a word or two."""
    budget = dropping.budget
    return f"{dropping.fraction:.0%}" if budget is None else f"to {budget.amount}"


def _measured(
    console: Console, network: Network, seed: int, path: Path | None, *, covariance: bool = False
) -> Observed:
    """Rates under the input of a file, or a random one, and how neurons vary together, if asked
    for; a note says which."""
    import numpy as np

    from hrsnn_lava.compiler.context import Observed
    from hrsnn_lava.training.driven import COVARIANCE_STEPS, measure_driven, observe_driven
    from hrsnn_lava.training.simulation import (
        HELD_STEPS,
        RATE_STEPS,
        Stimulus,
        measure_rates,
        observe,
    )

    what = "rates and covariance" if covariance else "rates"
    if path is not None:
        inputs = _spikes(network, path)
        seen = observe_driven(network, Stimulus(inputs, 1)) if covariance else None
        observed = seen or observe(network, inputs)
        over = f"the {inputs.n_steps} steps of {path}"
    else:
        steps = COVARIANCE_STEPS if covariance else RATE_STEPS
        seen = measure_driven(network, seed, steps) if covariance else None
        observed = seen or Observed(measure_rates(network, seed, steps))
        over = f"{steps} steps with random input, N(0, 1) held for {HELD_STEPS} steps, seed {seed}"
    mean = float(np.mean(observed.traffic[0]))
    console.note(f"{what}: measured over {over}; mean {mean:.4g} spikes per neuron and step")
    return observed


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
    added = data["passes"].get("delocalize", {})
    if "sop_before" in report:
        sops = added.get("sop_after", report["sop_after"])
        rows.append(("SOPs per step, recurrent", report["sop_before"], sops))
    rows += _spread(added) if added else []
    lines = [columns(rows, ("", "before", "after"), right=(1, 2))]
    if "budget" in report:
        lines.append(_budget_text(report))
    if gains := report.get("rescale"):  # a method of one's own need not have any
        mean, most = gains["gain_mean"], gains["gain_max"]
        kept = gains.get("variance_kept")
        more = "" if kept is None else f", {kept:.1%} of the variance of the currents kept"
        lines.append(f"rescale: {gains['mode']}, gain mean {mean:.3g}, max {most:.3g}{more}")
    for number, entry in enumerate(report.get("rounds", []), 1):
        if "sampled" in entry:
            lines.append(_round_text(number, entry))
    lines += findings_lines(data["findings"])
    lines.append(f"written to {data['output']}")
    return "\n".join(lines)


def _spread(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Inverse participation ratios before and after synapses were added, where they are known."""
    names = {"laplacian_ipr": "Laplacian", "weights_ipr": "W"}
    found = [
        (f"IPR of {name}, {which}", before, report["after"][matrix][which])
        for matrix, name in names.items()
        for which, before in report["before"][matrix].items()
    ]
    added = ("synapses added", "", report["added"])
    return [added, *(row for row in found if row[1] is not None and row[2] is not None)]


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
