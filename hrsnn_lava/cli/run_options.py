"""Options that say what runs a report is about: traces, samples, and the pace of a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, PositiveNumber
from hrsnn_lava.errors import ArtifactError, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.cli.console import Console
    from hrsnn_lava.compiler.analysis.operations.counting import Counts
    from hrsnn_lava.compiler.analysis.operations.windows import Windows
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.progress import Progress
    from hrsnn_lava.quantized import QuantizedNetwork
    from hrsnn_lava.report.unpruned import UnprunedRun
    from hrsnn_lava.trace import Trace

FASTEST = "fastest"


class StepTimeType(PositiveNumber):
    """Seconds above 0, or the word ``fastest``."""

    name = "seconds|fastest"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or the word; a usage error that names both."""
        if value == FASTEST:
            return FASTEST
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message.rstrip('.')}; or say {FASTEST}", param, ctx)


step_time_option = click.option(
    "--step-time",
    type=StepTimeType(),
    default=1e-3,
    show_default=True,
    metavar="SECONDS|fastest",
    help="Wall time of a step, which static power is charged for; fastest: as long as the chip "
    "needs, estimated.",
)
trace_option = click.option(
    "--trace",
    "traces",
    type=INPUT_FILE,
    multiple=True,
    help="What a run did (.npz); without it, resources only. Several: each is a sample.",
)
recount_option = click.option(
    "--recount",
    is_flag=True,
    help="Run each trace's input again and count active updates, where the trace holds none; "
    "without it all updates count as active.",
)
samples_option = click.option(
    "--samples",
    type=click.IntRange(min=1),
    metavar="N",
    help="The run holds N samples of equal length.  [default: as its input says, if it does]",
)
steps_per_sample_option = click.option(
    "--steps-per-sample",
    type=click.IntRange(min=1),
    metavar="S",
    help="A sample lasts S steps.",
)


def read_runs(
    paths: Sequence[Path],
    network: QuantizedNetwork,
    program: Path,
    samples: int | None = None,
    steps_per_sample: int | None = None,
    *,
    recount: bool = False,
) -> tuple[Trace | None, Windows | None]:
    """The run of all traces, and its samples as far as anything says where they are.

    Args:
        paths: files of the traces.
        network: that was run; `program` is its file.
        samples, steps_per_sample: how one trace is cut.
        recount: run those again that do not say which updates were active.

    Raises:
        SpecError: options that exclude each other, or that no run is there for; a trace that
            cannot be run again.
        ArtifactError: a trace of another network.
    """
    from hrsnn_lava.compiler.analysis.operations.windows import by_length, equal_windows, joined
    from hrsnn_lava.sim_backends.runs.counting import with_recorded_updates
    from hrsnn_lava.trace import Trace

    cuts = {"--samples": samples, "--steps-per-sample": steps_per_sample}
    names = [name for name, value in cuts.items() if value is not None]
    if len(names) > 1:
        raise SpecError(f"{' and '.join(names)} say the same in two ways; give one of them")
    if names and len(paths) != 1:
        why = "none is given" if not paths else "with several, each of them is a sample"
        raise SpecError(f"{names[0]} cuts one --trace; {why}")
    if recount and not paths:
        raise SpecError("--recount counts the run of a --trace again; none is given")
    traces = [Trace.load(path) for path in paths]
    for path, trace in zip(paths, traces, strict=True):
        if trace.n_neurons != network.n_neurons:
            raise ArtifactError(
                f"{path}: {trace.n_neurons} neurons; {program} has {network.n_neurons}. "
                "Simulate this network"
            )
        if trace.origin is not None and not trace.origin.is_of(network):
            raise ArtifactError(
                f"{path}: a trace of the network {trace.origin.digest[:12]}; {program} has "
                f"{network.digest[:12]}. Simulate this network"
            )
    if recount:
        traces = [_counted(path, t, network) for path, t in zip(paths, traces, strict=True)]
    if len(traces) > 1:
        _check_epochs(paths, traces, network)
        # each starts from rest, so what v and u tell of updates is read before they are joined
        return joined([with_recorded_updates(network, trace) for trace in traces])
    if not traces:
        return None, None
    if samples is not None:
        return traces[0], equal_windows(traces[0].n_steps, samples)
    if steps_per_sample is not None:
        return traces[0], by_length(traces[0].n_steps, steps_per_sample)
    return traces[0], None


def _counted(path: Path, trace: Trace, network: QuantizedNetwork) -> Trace:
    from hrsnn_lava.sim_backends.runs.counting import recount

    trace = recount(network, trace)
    if trace.active_updates is None:
        raise SpecError(
            f"{path}: cannot be counted again: it holds no inputs, or its run did not start from "
            "rest; simulate it anew on native, or leave out --recount"
        )
    return trace


def _check_epochs(
    paths: Sequence[Path], traces: Sequence[Trace], network: QuantizedNetwork
) -> None:
    """Learning epochs are counted from the start of a run: joined runs have to end with one."""
    epochs = {p.learning.t_epoch for p in network.projections if p.learning is not None}
    for path, trace in zip(paths[:-1], traces[:-1], strict=True):
        for epoch in sorted(epochs):
            if trace.n_steps % epoch:
                raise SpecError(
                    f"{path}: {trace.n_steps} steps, no multiple of the learning epoch of {epoch}; "
                    "report this run on its own"
                )


def stored_counts(path: Path, network: CompiledNetwork, traces: Sequence[Path]) -> Counts:
    """The counts of ``report --counts``; they take the place of a trace."""
    from hrsnn_lava.compiler.analysis.operations.counting import Counts

    if traces:
        raise SpecError("--counts and --trace both say what a run did; give one of them")
    return Counts.load(path, network)


def unpruned_run(
    console: Console, other: Path, network: CompiledNetwork, traces: Sequence[Path]
) -> UnprunedRun:
    """What the unpruned network in file `other` does over the runs of the pruned one.

    Raises:
        SpecError: there is no trace, or one without its inputs.
        ArtifactError: the two networks have different numbers of input channels.
    """
    from hrsnn_lava.cli.simulate import load_program
    from hrsnn_lava.report.unpruned import UnprunedRun, comparable
    from hrsnn_lava.sim_backends.base import as_quantized
    from hrsnn_lava.sim_backends.runs.counting import counts_on
    from hrsnn_lava.trace import Trace

    if not traces:
        raise SpecError("--unpruned runs the other network on the input of a run; give --trace")
    unpruned, n_inputs = load_program(other), network.network.n_inputs
    channels = as_quantized(unpruned).n_inputs
    if channels != n_inputs:
        raise ArtifactError(
            f"{other}: {channels} input channels; the pruned network has {n_inputs}"
        )
    unpruned = comparable(unpruned, network.profile)

    def loaded(progress: Progress) -> Iterator[Trace]:
        for k, path in enumerate(traces):
            progress(f"report: {other.name} on the input of {path.name}", k / len(traces))
            trace = Trace.load(path)
            if trace.inputs is None and n_inputs:
                raise SpecError(f"{path}: holds no inputs, which --unpruned would run again")
            yield trace

    with console.progress() as progress:
        return UnprunedRun.of(unpruned, counts_on(unpruned, loaded(progress)))
