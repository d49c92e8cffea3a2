"""Runs that are counted as they go, for ``simulate --counts`` and ``report``; no trace is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.run_figures import figures
from hrsnn_lava.errors import ArtifactError, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.cli.console import Console
    from hrsnn_lava.compiler.analysis.operations.counting import Counts
    from hrsnn_lava.sim_backends.runs.session import State
    from hrsnn_lava.trace import SpikeInput


def refuse_trace(options: Mapping[str, Any]) -> None:
    """A usage error where ``--counts`` meets an option of runs that keep something else."""
    used = [name for name, value in options.items() if value is not None]
    if used:
        message = f"--counts keeps nothing but counts, so {used[0]} gets nothing; leave one out"
        raise click.UsageError(message, click.get_current_context())


def counted_run(
    console: Console,
    network: Any,
    program: Path,
    run: tuple[SpikeInput | None, int, State | None],
    backend: str,
    output: Path,
) -> dict[str, Any]:
    """Run stretch by stretch, write the counts, and return what ``simulate`` says of a run.

    Args:
        console: for progress.
        network, program: what is run, and its file.
        run: inputs, steps, and the state to start from.
        backend: ``native`` or ``reference``.
        output: file of the counts.

    Raises:
        ArtifactError: the network is not placed, so messages cannot be counted.
    """
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.sim_backends.runs.counting import count

    if not isinstance(network, CompiledNetwork):
        raise ArtifactError(
            f"{program}: not placed on cores, by which messages are counted; "
            "`hrsnn-lava compile` it first"
        )
    inputs, steps, state = run
    with console.progress() as progress:
        doing = f"simulate: {backend}, {steps} steps, counted"
        progress(doing, 0.0)
        found = count(
            network,
            inputs,
            steps,
            state=state,
            backend=backend,
            progress=lambda done, of: progress(doing, done / of),
        )
    found.save(output, network)
    first = 0 if state is None else state.step
    return {
        "first_step": first,
        **figures(network.network, found),
        "states": {},
        "counts": output,
    }


def stored_counts(path: Path, network: Any, traces: Sequence[Path]) -> Counts:
    """The counts of ``report --counts``; they take the place of a trace."""
    from hrsnn_lava.compiler.analysis.operations.counting import Counts

    if traces:
        raise SpecError("--counts and --trace both say what a run did; give one of them")
    return Counts.load(path, network)


def unpruned_operations(
    console: Console, other: Path, network: Any, traces: Sequence[Path]
) -> dict[str, int]:
    """Synaptic operations of the unpruned network over the runs of the pruned one.

    Every trace is run again from rest, counted as it goes; nothing of these runs is kept.

    Args:
        console: for progress.
        other: the unpruned network, compiled or quantized (.hlx).
        network: the pruned one, `CompiledNetwork`.
        traces: its runs, which hold their inputs.

    Raises:
        SpecError: there is no trace, or one without its inputs.
        ArtifactError: the two networks have different numbers of input channels.
    """
    from hrsnn_lava.cli.simulate import load_program
    from hrsnn_lava.sim_backends.base import as_quantized
    from hrsnn_lava.sim_backends.runs.counting import count
    from hrsnn_lava.trace import Trace

    if not traces:
        raise SpecError("--unpruned runs the other network on the input of a run; give --trace")
    unpruned, pruned = as_quantized(load_program(other)), as_quantized(network)
    if unpruned.n_inputs != pruned.n_inputs:
        raise ArtifactError(
            f"{other}: {unpruned.n_inputs} input channels; the pruned network has {pruned.n_inputs}"
        )
    total = recurrent = 0
    with console.progress() as progress:
        for k, path in enumerate(traces):
            progress(f"report: {other.name} on the input of {path.name}", k / len(traces))
            trace = Trace.load(path)
            if trace.inputs is None and unpruned.n_inputs:
                raise SpecError(f"{path}: holds no inputs, which --unpruned would run again")
            ops = count(unpruned, trace.inputs, trace.n_steps, per_step=False).ops
            total += ops.total
            recurrent += ops.recurrent
    return {"total": total, "recurrent": recurrent}
