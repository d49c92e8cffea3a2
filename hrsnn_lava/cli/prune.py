"""Take synapses out of a network, and neurons if asked to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hrsnn_lava import registry
from hrsnn_lava.aftercare_options import pruning_methods
from hrsnn_lava.cli.arguments import INPUT_FILE, OutputFile, output_option, seed_option
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.cli.pass_options import (
    as_options,
    chosen,
    fields_of,
    given,
    pass_options,
    refuse_others,
)
from hrsnn_lava.cli.prune_kept import (
    check_mode,
    compare_methods,
    kept_facts,
    kept_text,
    methods_of,
    steps_of,
)
from hrsnn_lava.cli.prune_loop import (
    LoopArguments,
    PruningSteps,
    forget_checkpoints,
    loop_facts,
    loop_options,
    loop_text,
    pruned_in_loop,
)
from hrsnn_lava.compiler.pruning.budget import BUDGETS
from hrsnn_lava.errors import ArtifactError, Problem, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.compiler.compiled import PassRecord
    from hrsnn_lava.compiler.context import Observed
    from hrsnn_lava.findings import Finding
    from hrsnn_lava.network import Network
    from hrsnn_lava.progress import Progress
    from hrsnn_lava.trace import SpikeInput


#: Options classes of all methods that prune synapses to a density or a number of operations.
METHODS: dict[str, Any] = {name: registry.load("pruning", name) for name in pruning_methods()}
DROPPING: Any = registry.load("pruning", "neurons")
ADDING: Any = registry.load("pass", "delocalize")


@click.command("prune")
@click.argument("network", type=INPUT_FILE)
@click.option("--method", type=click.Choice(list(METHODS)), help="How synapses are chosen.")
@pass_options(METHODS, skip=("seed",))
@click.option(
    "--drop-neurons",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of the neurons to drop first, those of the least score; or give a budget.",
)
@pass_options({"drop": DROPPING}, prefix="drop", skip=("fraction", "seed"))
@loop_options()
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
def prune(console: Console, network: Path, compare: str | None, **parameters: Any) -> None:
    """Prune the recurrent synapses of NETWORK, a float network (.hlx).

    A loop that is killed goes on with --resume, and ends with the same bits.
    """
    check_mode(click.get_current_context())
    loop = LoopArguments.taken(parameters)
    if compare is None:
        del parameters["draws"], parameters["page"]
        _prune(console, network, loop, **parameters)
        return
    if loop.asked:
        raise click.UsageError("--loop and --until-fits do not go with --compare")
    _compare(console, network, compare, parameters)


def _compare(console: Console, path: Path, methods: str, parameters: dict[str, Any]) -> None:
    """Several methods at one budget, side by side."""
    from hrsnn_lava.network import Network

    steps = steps_of(methods_of(methods, METHODS), METHODS, parameters)
    network = Network.load(path)
    input_file, page = parameters["input_file"], parameters["page"]
    inputs = None if input_file is None else _spikes(network, input_file)
    draws, seed = parameters["draws"], parameters["seed"]
    compare_methods(console, network, steps, inputs, seed, draws, page)


class _Done(NamedTuple):
    """What pruning left, and what it says.

    Attributes:
        network: float.
        record: of the method, or of the whole loop.
        passes: reports by the name of the pass.
        survivors: indices of the neurons that stayed; None for all.
        loop: see `loop_facts`; None without one.
    """

    network: Network
    record: PassRecord
    passes: dict[str, Any]
    survivors: Any = None
    loop: dict[str, Any] | None = None


def _prune(
    console: Console,
    network: Path,
    loop: LoopArguments,
    method: str,
    kept: bool,
    seed: int,
    output: Path,
    **options: Any,
) -> None:
    """One method, and a network to write."""
    from hrsnn_lava.network import Network

    input_file: Path | None = options.pop("input_file")
    options = loop.with_budget(options)
    delocalize: float = options.pop("delocalize")
    refuse_others(METHODS, method, options)
    if given(ADDING, options, prefix="delocalize") and not delocalize:
        raise click.UsageError("--delocalize-objective and --delocalize-within need --delocalize")
    step = chosen(METHODS[method], options)
    _check_drops(options)
    dropping = _dropping(options.pop("drop_neurons"), options)
    adding = None
    if delocalize:
        adding = chosen(ADDING, options, prefix="delocalize", share=delocalize)
    steps = PruningSteps(step, dropping, adding)
    before, facts = Network.load(network), None
    with console.progress() as progress, as_options(METHODS[method]):
        if loop.asked:
            inputs = None if input_file is None else _spikes(before, input_file)
            looped = pruned_in_loop(before, steps, inputs, loop, output, seed, progress)
            record = looped.record
            reports = {record.name: record.report}
            told = loop_facts(looped)
            done = _Done(looped.network, record, reports, looped.survivors, told)
        else:
            measure = partial(_measured, console, seed=seed, path=input_file)
            needed = input_file is not None
            done = _pruned_at_once(before, steps, measure, needed, seed, progress)
        if kept:
            progress("measure what is kept")
            inputs = None if input_file is None else _spikes(before, input_file)
            facts = kept_facts(console, before, done.network, done.survivors, inputs, seed)
    after, record, passes = done.network, done.record, done.passes
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
    if done.loop is not None:
        data["loop"] = done.loop
    forget_checkpoints(loop, output)
    console.result(data, _text(data, passes[record.name]))


def _pruned_at_once(
    network: Network,
    steps: PruningSteps,
    measure: Callable[..., Observed],
    needed: bool,
    seed: int,
    progress: Progress,
) -> _Done:
    """Drop neurons first, where asked to, then synapses, and add some in the end.

    Args:
        network: float.
        steps: the passes.
        measure: what a run shows of a network.
        needed: it is shown to the method in any case.
        seed: of the passes.
        progress: told of each.
    """
    from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
    from hrsnn_lava.compiler.context import Context, Observed
    from hrsnn_lava.compiler.pipeline import run_pass
    from hrsnn_lava.compiler.pruning.budget import of_unpruned, stated
    from hrsnn_lava.compiler.pruning.surgery import pruned_synapses

    step, dropping, adding = steps
    asked = stated(step)
    passes: dict[str, Any] = {}
    survivors: Any = None
    found: tuple[Finding, ...] = ()
    sops_before: dict[str, float] = {}
    if dropping is not None:
        rates = measure(network).neuron_rates if getattr(step, "needs_rates", False) else None
        edges = recurrent_edges(network)
        if rates is not None:
            sops_before["sop_before"] = float(rates[edges.pre].sum())
        progress(f"drop neurons: {_amount(dropping)}")
        observed = measure(network) if dropping.needs_rates else Observed()
        network, record = run_pass(network, dropping, Context(observed=observed, seed=seed))
        found = record.findings
        # the indices of the neurons that stay would drown the rest
        survivors = record.report["kept"]
        passes[record.name] = {k: v for k, v in record.report.items() if k != "kept"}
        step = of_unpruned(step, edges, recurrent_edges(network), rates)
    observed, together = Observed(), getattr(step, "needs_covariance", False)
    if needed or together or getattr(step, "needs_rates", False):
        observed = measure(network, covariance=together)
    progress(f"prune: {step.name.removeprefix('prune_')}")
    whole, context = network, Context(observed=observed, seed=seed)
    network, record = run_pass(network, step, context)
    passes[record.name] = {**record.report, **sops_before}
    found = (*found, *record.findings)
    if adding is not None:
        progress(f"delocalize: {adding.share:.0%} more synapses")
        gone = pruned_synapses(whole, network)
        network, added = run_pass(network, adding, replace(context, pruned=gone))
        passes[added.name] = added.report
        found = (*found, *added.findings)
    record = replace(record, findings=found, options={**record.options, **asked})
    return _Done(network, record, passes, survivors)


def _check_drops(options: dict[str, Any]) -> None:
    """A usage error for options of dropping neurons where none are dropped."""
    said = given(DROPPING, options, prefix="drop")
    if said and not options["drop_neurons"] and not set(said) & set(BUDGETS):
        shown = next(f.dashed for f in fields_of(DROPPING) if f.path[0] in said)
        raise click.UsageError(f"--drop-{shown} needs --drop-neurons, or a budget of --drop-")


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
    console: Console, network: Network, *, seed: int, path: Path | None, covariance: bool = False
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
    if not mean:
        console.note(
            "no neuron fired: by spikes all synapses cost alike, and no method can tell by rates "
            "which matter; give --input that the network answers to"
        )
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
    from hrsnn_lava.compiler.analysis.dynamics.spectral_radius import spectral_edge

    edges = recurrent_edges(network)
    if not edges.n_edges:
        return {"abscissa": 0.0, "estimate": "no synapses"}
    edge = spectral_edge(edges.matrix)
    return {"abscissa": edge.abscissa, "estimate": "eigenvalues" if edge.exact else "gershgorin"}


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
    if "loop" in data:
        lines.append(loop_text(data["loop"]))
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
    if data["kept"] is not None:
        lines.append(kept_text(data["kept"]))
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
