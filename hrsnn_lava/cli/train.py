"""Train by STDP without labels, or by gradients on a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.arguments import SPEC_FILE, InputFile, gathered, output_option, seed_option
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.cli.train_arguments import TrainArguments
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.registry import names

if TYPE_CHECKING:
    from hrsnn_lava.experiment.training import TrainingPlan

#: Ways to train.
METHODS = ("stdp", "surrogate")
INPUT = InputFile()


@click.command("train")
@click.argument("model", type=SPEC_FILE)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="stdp",
    show_default=True,
    help="How weights learn: without labels by STDP, or by surrogate gradients, which need torch.",
)
@click.option(
    "--input",
    "input_file",
    type=INPUT,
    help="Spikes (.npz) that a network is shown; a spec is shown the training inputs of its task.",
)
@click.option(
    "--task",
    type=SPEC_FILE,
    help="Spec (.toml) whose task and [surrogate] a network is trained by gradients on.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value of the spec, such as stdp.silence=20; repeatable.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="How often all samples are shown.  [default: the spec's stdp.train_passes, or 1; its "
    "surrogate.epochs]",
)
@click.option(
    "--on-chip",
    is_flag=True,
    help="Learn in the chip's integers, and write a quantized network; one that is quantized "
    "already always does.",
)
@click.option(
    "--backend",
    type=click.Choice(names("engine")),
    default="native",
    show_default=True,
    help="Engine that learns on the chip's integers.",
)
@click.option(
    "--reset",
    type=click.Choice(["sample", "none"]),
    help="Clear state and traces before every sample, or never.  [default: sample, or the spec's]",
)
@click.option(
    "--potentials",
    type=click.Choice(["random", "same", "rest"]),
    help="Potentials after a reset: drawn for every sample, one draw for all, or 0.  [default: "
    "random, or the spec's]",
)
@click.option(
    "--silence",
    type=click.IntRange(min=0, max=1_000_000),
    help="Steps without input after every sample.  [default: 0, or the spec's]",
)
@click.option("--keep-order", is_flag=True, help="Show the samples in the same order every time.")
@click.option("--keep-rules", is_flag=True, help="Leave the rules on, so that it goes on to learn.")
@click.option(
    "--every",
    type=click.IntRange(min=1),
    metavar="K",
    help="Samples between two checkpoints, and rows of the history; by gradients, epochs between "
    "two checkpoints.  [default: a twentieth; 1]",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the training is kept while it is under way.  [default: OUTPUT.training]",
)
@click.option("--resume", is_flag=True, help="Go on with what a killed training left.")
@seed_option("Of rules, order and potentials.  [default: the spec's, or 0]", default=None)
@output_option("Trained network to write (.hlx).")
@with_console
@gathered(TrainArguments)
def train(console: Console, arguments: TrainArguments) -> None:
    """Train MODEL: a spec (.toml), or a network or quantized network (.hlx).

    By STDP, without labels, every sample starts from rest, and the weights stay. By gradients, with
    the labels of the task's training samples, time constants and biases learn, too. A training
    that is killed goes on with --resume, and ends with the same bits.
    """
    if arguments.method == "surrogate":
        from hrsnn_lava.cli.train_gradients import train_gradients

        train_gradients(console, arguments)
        return
    if arguments.task is not None:
        raise SpecError("--task: by gradients alone; add --method surrogate, or leave it out")
    from hrsnn_lava.cli.simulate import remark
    from hrsnn_lava.quantized import QuantizedNetwork

    plan = _plan(arguments)
    with console.progress() as progress:
        if arguments.model.suffix == ".hlx":
            from hrsnn_lava.experiment.training import train_network

            network, inputs = _network(arguments)
            if isinstance(network, QuantizedNetwork):
                remark(console, network, (arguments.backend,))
                if not arguments.on_chip:
                    console.note("on the chip: the network is quantized")
            result: Any = train_network(network, inputs, plan, progress)
        else:
            from hrsnn_lava.experiment.training import train_spec

            result = train_spec(_spec(arguments), plan, progress)
    sha256 = result.network.save(arguments.output)
    if arguments.checkpoint is None:
        arguments.state_file.unlink(missing_ok=True)
    data = {
        "output": arguments.output,
        "sha256": sha256,
        "method": arguments.method,
        "on_chip": isinstance(result.network, QuantizedNetwork),
        "seed": arguments.seed,
        "neurons": result.network.n_neurons,
        "synapses": result.network.n_synapses,
        **_figures(result),
    }
    console.result(data, _text(data))


def _plan(a: TrainArguments) -> TrainingPlan:
    from dataclasses import replace

    from hrsnn_lava.experiment.training import TrainingPlan
    from hrsnn_lava.plasticity import Schedule
    from hrsnn_lava.training.monitoring import Monitoring

    if a.checkpoint is not None and not a.checkpoint.parent.is_dir():
        raise SpecError(f"--checkpoint: there is no folder {a.checkpoint.parent}; create it first")
    said = {"reset": a.reset, "potentials": a.potentials, "silence": a.silence}
    changes: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
    if a.keep_order:
        changes["shuffle"] = False
    schedule = None
    if changes:
        spec = _spec(a) if a.model.suffix != ".hlx" else None
        base = Schedule() if spec is None or spec.stdp is None else spec.stdp.schedule
        schedule = replace(base, **changes)
    return TrainingPlan(
        a.epochs,
        a.on_chip,
        schedule,
        a.keep_rules,
        a.seed,
        a.backend,
        Monitoring(every=a.every, checkpoint=a.state_file, resume=a.resume),
    )


def _spec(a: TrainArguments) -> Any:
    from hrsnn_lava.spec import Spec

    if a.input_file is not None:
        raise SpecError("--input: the task of a spec gives the input; leave it out")
    return Spec.load(a.model, a.overrides)


def _network(a: TrainArguments) -> tuple[Any, Any]:
    """The network and what it is shown."""
    from hrsnn_lava.artifacts.container import load_any
    from hrsnn_lava.trace import SpikeInput

    if a.overrides:
        raise SpecError("--set: only a spec has keys; MODEL is a network")
    if a.input_file is None:
        raise SpecError(f"--input is missing: what is {a.model} to be shown? Spikes (.npz)")
    network = load_any(a.model, ("network", "quantized"))
    inputs = SpikeInput.load(a.input_file)
    if inputs.n_neurons != network.n_inputs:
        raise ArtifactError(
            f"{a.input_file}: {inputs.n_neurons} channels; the network has {network.n_inputs}"
        )
    return network, inputs


def _figures(result: Any) -> dict[str, Any]:
    outline, history = result.outline, result.history
    return {
        "unit": outline.unit,
        "samples": outline.samples,
        "resumed": outline.resumed,
        "steps": outline.steps,
        "spikes": int(outline.counts.sum()),
        "synaptic_events": outline.events,
        **outline.speed(),
        "rate": outline.rate,
        "rate_before": float(history.rate[0]),
        "rate_after": history.rate_after,
        "projections": {
            name: {
                "gain": result.gain[name],
                "at_floor": result.at_floor[name],
                "at_ceiling": result.at_ceiling[name],
                "drift": history.last("drift")[name],
            }
            for name in history.names
        },
        "history": history.table(),
        "findings": [finding.to_dict() for finding in result.findings],
    }


def _text(data: dict[str, Any]) -> str:
    from hrsnn_lava.report.sections.verdict import findings_lines

    taken = f", {data['resumed']:,} of them before it was resumed" if data["resumed"] else ""
    rows: list[tuple[Any, ...]] = [
        (data["unit"], f"{data['samples']:,}{taken}"),
        ("steps", data["steps"]),
        (
            "rate",
            f"{data['rate']:.4g} a neuron and step; weights held: {data['rate_before']:.4g} "
            f"before, {data['rate_after']:.4g} after",
        ),
        ("synaptic events", data["synaptic_events"]),
    ]
    if data["samples_per_s"] is not None:
        rows.append(
            (
                "time",
                f"{data['seconds']:.3g} s, {data['samples_per_s']:.3g} {data['unit']}/s, "
                f"{data['events_per_s']:.3g} synaptic events/s",
            )
        )
    table = [
        (name, *(f"{entry[key]:.3g}" for key in ("gain", "drift", "at_floor", "at_ceiling")))
        for name, entry in data["projections"].items()
    ]
    header = ("projection", "gain", "drift", "at 0", "at w_max")
    lines = [columns(rows), "", columns(table, header, right=(1, 2, 3, 4))]
    lines += findings_lines(data["findings"])
    return "\n".join([*lines, "", f"written to {data['output']}"])


ORDER = 25
COMMAND = train
