"""Quantize a network and place it on a chip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from hrsnn_lava.artifacts.container import NETWORK_STAGES, load_any
from hrsnn_lava.budgets.quantities import FILLED
from hrsnn_lava.cli.arguments import INPUT_FILE, POSITIVE, output_option, seed_option
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.cli.pass_options import chosen, given, pass_options
from hrsnn_lava.compiler.analysis.occupancy.utilization import utilization
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.absorb_thresholds import AbsorbThresholds
from hrsnn_lava.compiler.passes.lower_stock import LowerStock
from hrsnn_lava.compiler.passes.partition import Partition
from hrsnn_lava.compiler.passes.place import Place
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.compiler.passes.stock_groups import StockGroups
from hrsnn_lava.compiler.pipeline import Pipeline
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.resets import RESETS, Reset
from hrsnn_lava.spec import Spec
from hrsnn_lava.trace import Trace

ACCEPTED = (
    "a network or quantized network (.hlx), a file of NIR (.nir) or of lava-dl (.net), or a spec "
    "(.toml)"
)


@click.command("compile")
@click.argument("model", type=INPUT_FILE)
@click.option("--profile", help="Chip, see `profiles`.  [default: the spec's, where MODEL is one]")
@click.option(
    "--chips",
    type=click.IntRange(min=1),
    help="Chips side by side.  [default: 1, or the spec's]",
)
@pass_options({"quantize": Quantize})
@pass_options({"stock": StockGroups}, prefix="stock")
@click.option(
    "--lower-stock", is_flag=True, help="Split populations into those that stock Lava LIF can hold."
)
@pass_options({"stock": LowerStock}, prefix="stock")
@pass_options({"partition": Partition}, prefix="partition", skip=("neurons_per_core",))
@click.option("--neurons-per-core", type=click.IntRange(min=1), help="At most so many on a core.")
@click.option(
    "--absorb-thresholds/--keep-thresholds",
    "absorb__enabled",
    default=None,
    help="Let weights take up thresholds that no table has room for.  [default: absorb, or the "
    "spec's]",
)
@pass_options({"absorb": AbsorbThresholds}, prefix="absorb", skip=("enabled", "input_range"))
@pass_options({"place": Place}, prefix="place")
@click.option(
    "--rates",
    "run",
    type=INPUT_FILE,
    metavar="TRACE",
    help="A run of the same neurons (.npz): its rates weigh errors and traffic.",
)
@click.option(
    "--dt",
    type=POSITIVE,
    metavar="SECONDS",
    help="Duration of a step.  [default: the model's]",
)
@click.option(
    "--reset",
    type=click.Choice(RESETS),
    help="What a spike does to the potential of every neuron.  [default: the model's]",
)
@click.option("--full", is_flag=True, help="Print limits, integers and passes as tables.")
@seed_option("Of the network that a spec describes, instead of the spec's.", default=None)
@output_option("Compiled network to write (.hlx).")
@with_console
def compile_model(console: Console, model: Path, output: Path, **options: Any) -> None:
    """Compile MODEL for a chip.

    MODEL is a network or quantized network (.hlx), a file of NIR (.nir) or of lava-dl's network
    exchange (.net), or a spec (.toml) whose network is built, but not trained; it learns on the
    chip where the spec says so. A file of NIR is read as `import nir` does, with its defaults; --dt
    and --reset say what the file leaves open.
    """
    network, spec = _load(console, model, options)
    profile = options["profile"] or (None if spec is None else spec.compile.profile)
    if profile is None:
        raise SpecError(f"--profile is missing; one of {', '.join(HardwareProfile.names())}")
    chips = options["chips"] or (None if spec is None else spec.compile.chips)
    chip = HardwareProfile.load(profile)
    chip = chip if chips is None else chip.with_chips(chips)
    if spec is not None and spec.compile.cores is not None:
        chip = chip.with_cores(spec.compile.cores)
    if model.suffix.lower() != ".nir":
        network = _with_reset(_with_dt(network, options["dt"]), options["reset"])
    passes = _passes(network, spec, options)
    quantized = isinstance(network, QuantizedNetwork)
    pipeline = Pipeline.default(chip, passes, quantized=quantized)
    observed = _observed(options["run"], network)
    seed = None if spec is None else spec.seed
    with console.progress() as progress:
        compiled = pipeline.run(network, Context(chip, observed, seed=seed, progress=progress))
    sha256 = compiled.save(output)
    data = {"output": output, "sha256": sha256, **summary(compiled)}
    text = summary_text(data) if options["full"] else short_text(data)
    console.result(data, f"{text}\n\nwritten to {output}")


def _load(
    console: Console, model: Path, options: dict[str, Any]
) -> tuple[Network | QuantizedNetwork, Spec | None]:
    suffix, seed = model.suffix.lower(), options["seed"]
    if suffix == ".nir":
        _refuse_seed(seed)
        return _of_nir(console, model, options["dt"], options["reset"]), None
    if suffix == ".net":
        from hrsnn_lava.deploy.interchange.from_netx import network_of
        from hrsnn_lava.deploy.interchange.netx_file import read_netx

        _refuse_seed(seed)
        return network_of(read_netx(model), f"{model}"), None
    if suffix == ".toml":
        spec = Spec.load(model, () if seed is None else (f"seed={seed}",))
        network = build_hrsnn(spec)
        on_chip = spec.stdp is not None and spec.stdp.on_chip
        return network if on_chip else network.without_plasticity(), spec
    _refuse_seed(seed)
    saved_network = load_any(model, NETWORK_STAGES)
    if isinstance(saved_network, CompiledNetwork):
        raise ArtifactError(f"{model}: holds a compiled network; accepted: {ACCEPTED}")
    return saved_network, None


def _of_nir(console: Console, model: Path, dt: float | None, reset: Reset | None) -> Network:
    """The network of a file of NIR; what was assumed and what was found are notes."""
    from hrsnn_lava.deploy.interchange.from_nir import ImportOptions, imported, own_network
    from hrsnn_lava.deploy.interchange.nir_file import read_nir

    graph, options = read_nir(model), ImportOptions(dt=dt, reset=reset)
    if (network := own_network(graph, options)) is not None:
        return network
    found = imported(graph, options)
    dialect = found.choice.dialect.name
    console.note(f"read as {dialect}: {'; '.join(found.choice.reasons)}")
    for text in (*(f"assumed: {line}" for line in found.choice.assumed), *found.remarks):
        console.note(text)
    return found.network


def _with_reset(
    network: Network | QuantizedNetwork, reset: Reset | None
) -> Network | QuantizedNetwork:
    """The network with one reset for all populations of neurons; None leaves it as it is."""
    if reset is None:
        return network
    if isinstance(network, QuantizedNetwork):
        network = network.with_resets({p.name: reset for p in network.compute_populations})
    else:
        for population in network.compute_populations:
            network = network.with_population(population.with_parameters(reset=reset))
    return network.verify()


def _refuse_seed(seed: int | None) -> None:
    if seed is not None:
        raise SpecError("--seed: only a spec is built at random; this model is built already")


def _with_dt(network: Network | QuantizedNetwork, dt: float | None) -> Network | QuantizedNetwork:
    if dt is None:
        return network
    if not isinstance(network, Network):
        raise _quantized_already("--dt")
    return replace(network, dt=dt)


def _quantized_already(option: str) -> SpecError:
    return SpecError(
        f"{option}: the model is quantized, its integers hold for one step and one number of bits; "
        "compile the float network instead"
    )


def _passes(
    network: Network | QuantizedNetwork, spec: Spec | None, said: dict[str, Any]
) -> list[Any]:
    """The spec's passes, or the default ones, with what the command line says instead."""
    whole = Spec() if spec is None else spec
    steps: list[Any] = []
    changes = given(Quantize, said)
    if isinstance(network, Network):
        base = Quantize() if spec is None else spec.quantize_pass()
        steps.append(chosen(Quantize, said, base=base))
    elif changes:
        raise _quantized_already(f"--{next(iter(changes)).replace('_', '-')}")
    if whole.stock_groups is not None or given(StockGroups, said, prefix="stock"):
        steps.append(chosen(StockGroups, said, prefix="stock", base=whole.stock_groups))
    if said["lower_stock"] or whole.lower_stock or given(LowerStock, said, prefix="stock"):
        steps.append(chosen(LowerStock, said, prefix="stock", base=whole.lower_stock))
    core = (
        {} if said["neurons_per_core"] is None else {"neurons_per_core": said["neurons_per_core"]}
    )
    return [
        *steps,
        chosen(Partition, said, prefix="partition", base=whole.partition, **core),
        whole.palette,
        chosen(AbsorbThresholds, said, prefix="absorb", base=whole.absorb_thresholds),
        chosen(Place, said, prefix="place", base=whole.place),
    ]


def _observed(run: Path | None, network: Network | QuantizedNetwork) -> Observed:
    """What a run of the same neurons shows; nothing without one."""
    if run is None:
        return Observed()
    trace = Trace.load(run)
    if trace.n_neurons != network.n_neurons:
        raise SpecError(
            f"--rates: {run} has {trace.n_neurons} neurons; allowed: {network.n_neurons}, as the "
            "model has"
        )
    return Observed.of_trace(trace)


def summary(compiled: CompiledNetwork) -> dict[str, Any]:
    """What a compiled network uses of its chip, and the passes that made it."""
    from hrsnn_lava.report.sections.constraints import constraints
    from hrsnn_lava.report.sections.quantization import integers

    network, profile = compiled.network, compiled.profile
    usage = utilization(network, compiled.core_of, profile)
    return {
        "name": network.name,
        "profile": {"name": profile.name, "title": profile.title, "digest": profile.digest},
        "dt_s": network.dt,
        "neurons": network.n_neurons,
        "inputs": network.n_inputs,
        "synapses": network.n_synapses,
        "synapses_before": compiled.synapses_before,
        "cores": usage.n_cores,
        "findings": [finding.to_dict() for finding in compiled.findings],
        "constraints": constraints(usage, profile),
        "quantization": integers(compiled),
        "passes": [record.to_dict() for record in compiled.records],
    }


def short_text(data: dict[str, Any]) -> str:
    """What it takes of the chip, what a user has to know, and what was done, in a few lines."""
    from hrsnn_lava.report.sections.verdict import findings_lines

    shares = [c for c in data["constraints"] if c["fraction"] and c["rule"] not in FILLED]
    most = max(shares, key=lambda c: float(c["fraction"]), default=None)
    lines = [head(data), *findings_lines(data["findings"])]
    if most is not None:
        where = "" if most["worst_core"] is None else f" on core {most['worst_core']}"
        used = f"{most['used']:,} of {most['limit']:,}"
        rule = most["rule"].replace("_", " ")
        lines.append(f"fullest: {rule}{where}, {used} ({_percent(most['fraction'])})")
    before, synapses = data["synapses_before"], data["synapses"]
    if before is not None and before > synapses:
        lines.append(f"synapses: {synapses:,} of {before:,} ({_percent(synapses / before)})")
    lines.append(f"passes: {', '.join(p['name'] for p in data['passes'])}; --full shows tables")
    return "\n".join(lines)


def head(data: dict[str, Any]) -> str:
    """Sizes and cores."""
    return (
        f"{data['name']} on {data['profile']['name']} ({data['profile']['title']}): "
        f"{data['neurons']:,} neurons, {data['synapses']:,} synapses, {data['inputs']:,} inputs, "
        f"{data['cores']:,} core{'' if data['cores'] == 1 else 's'}"
    )


def summary_text(data: dict[str, Any]) -> str:
    """`summary` as tables."""
    from hrsnn_lava.report.sections.quantization import tables
    from hrsnn_lava.report.sections.verdict import findings_lines

    integers = data["quantization"]
    limits = [
        (c["rule"], c["worst_core"], c["used"], c["limit"], _percent(c["fraction"]))
        for c in data["constraints"]
    ]
    passes = [
        (p["name"], p["after"].get("neurons"), p["after"].get("synapses")) for p in data["passes"]
    ]
    quantized = [columns(rows, names, range(1, len(names))) for names, rows in tables(integers)]
    return "\n\n".join(
        [
            "\n".join([head(data), *findings_lines(data["findings"], None)]),
            columns(limits, ("resource", "worst core", "used", "limit", "share"), (1, 2, 3, 4)),
            *quantized,
            columns(passes, ("pass", "neurons after", "synapses after"), (1, 2)),
        ]
    )


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.1f} %"


ORDER = 40
COMMAND = compile_model
