"""Run a compiled network on one backend."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.arguments import (
    INPUT_FILE,
    OutputFile,
    output_option,
    seed_option,
    steps_option,
)
from hrsnn_lava.cli.console import Console, say, with_console
from hrsnn_lava.cli.counted_runs import counted_run, refuse_trace
from hrsnn_lava.cli.run_figures import counts, extremes, text
from hrsnn_lava.errors import ArtifactError, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.quantized import QuantizedNetwork
    from hrsnn_lava.sim_backends.runs.session import State
    from hrsnn_lava.trace import SpikeInput, Trace

BACKENDS = ("reference", "native", "lava")
#: Backends that cannot express every network, so that none of them is a default.
OPTIONAL_BACKENDS = ("lava-stock",)
DEFAULT_STEPS = 1000


def _neuron_range(_: click.Context, param: click.Parameter, value: str | None) -> slice | None:
    """``A:B``, as in Python: neurons A to B - 1; either end may be left out."""
    if value is None:
        return None
    first, colon, last = value.partition(":")
    if not colon or not all(end == "" or end.isdecimal() for end in (first, last)):
        raise click.BadParameter(f"{value} is no range of neurons such as 0:100", param=param)
    return slice(*(int(end) if end else None for end in (first, last)))


@click.command("simulate")
@click.argument("compiled", type=INPUT_FILE)
@click.option(
    "--backend",
    type=click.Choice((*BACKENDS, *OPTIONAL_BACKENDS)),
    default="native",
    show_default=True,
    help="Readable NumPy, fast numba, Intel Lava, or Lava's stock Processes alone.",
)
@click.option("--input", "input_file", type=INPUT_FILE, help="Events (.npz).  [default: random]")
@steps_option(None, "Length of the run.  [default: the input's, or 1000]")
@click.option(
    "--probe",
    "probes",
    type=click.Choice(["v", "u", "weights", "traces"]),
    multiple=True,
    help="Record potentials or currents; with --stream learned weights or spike traces over time, "
    "whose last values every trace has. Repeatable.",
)
@click.option("--stream", is_flag=True, help="Write to disk as the run goes; memory stays flat.")
@click.option("--resume", is_flag=True, help="Go on with what a killed --stream run left.")
@click.option(
    "--probe-every",
    type=click.IntRange(min=1),
    metavar="K",
    help="With --stream: record states in every K-th step, weights and traces after every K steps.",
)
@click.option(
    "--probe-neurons",
    callback=_neuron_range,
    metavar="A:B",
    help="With --stream: record states of neurons A to B - 1.",
)
@click.option("--state-in", type=INPUT_FILE, help="Start from this state (.hlx), not from rest.")
@click.option("--state-out", type=OutputFile(), metavar="FILE", help="Write the last state (.hlx).")
@click.option(
    "--counts",
    "counts_file",
    type=OutputFile(),
    metavar="FILE",
    help="Count as the run goes, keep no trace, and write the counts (.hlx) for `report --counts`.",
)
@seed_option("Of the random input.")
@output_option("Trace to write (.npz).", required=False)
@with_console
def simulate(
    console: Console,
    compiled: Path,
    backend: str,
    input_file: Path | None,
    steps: int | None,
    probes: tuple[str, ...],
    stream: bool,
    resume: bool,
    probe_every: int | None,
    probe_neurons: slice | None,
    state_in: Path | None,
    state_out: Path | None,
    counts_file: Path | None,
    seed: int,
    output: Path | None,
) -> None:
    """Run COMPILED, a compiled or quantized network (.hlx), from rest or from a state."""
    chosen = [("--probe-every", probe_every), ("--probe-neurons", probe_neurons)]
    learned = [(f"--probe {name}", name in probes) for name in ("weights", "traces")]
    _require(stream, [("--resume", resume), *chosen, *learned], "--stream")
    states = [("--state-in", state_in), ("--state-out", state_out)]
    _require(backend == "native", [("--stream", stream)], "--backend native")
    handed = backend in ("native", "reference")
    _require(handed, states, "--backend native or reference; lava hands no state out")
    _require(output is not None, [("--stream", stream)], "-o")
    if counts_file is not None:
        refuse_trace({"-o": output, "--probe": probes or None, "--state-out": state_out})
        _require(handed, [("--counts", counts_file)], "--backend native or reference")
    network = load_program(compiled)
    inputs, n_steps = load_input(console, network, input_file, steps, seed)
    state = None if state_in is None else _load_state(network, state_in)
    run = _Run(console, network, inputs, n_steps, probes, state, state_out)
    if counts_file is not None:
        found = counted_run(
            console, network, compiled, (inputs, n_steps, state), backend, counts_file
        )
    elif stream and output is not None:
        found = run.stream(output, probe_every or 1, probe_neurons, resume)
    else:
        check_memory(network, n_steps, len(probes), "Use fewer steps, or --stream")
        found = run.in_memory(backend, output)
    data = {"backend": backend, "output": output, "state_out": state_out, **found}
    console.result(data, text(data))


def _require(there: bool, options: Iterable[tuple[str, Any]], needed: str) -> None:
    """A usage error when one of `options` is used without what it needs."""
    used = [name for name, value in options if value is not None and value is not False]
    if used and not there:
        raise click.UsageError(f"{used[0]} needs {needed}", click.get_current_context())


def _load_state(network: Any, path: Path) -> State:
    from hrsnn_lava.sim_backends.runs.session import Session, State

    state = State.load(path)
    if state.network_digest != Session(network).network_digest:
        raise ArtifactError(f"{path}: the state of another network; a state fits its own alone")
    return state


@dataclass(frozen=True)
class _Run:
    """What both ways of running share."""

    console: Console
    network: Any
    inputs: SpikeInput | None
    steps: int
    probes: tuple[str, ...]
    state: State | None
    state_out: Path | None

    def in_memory(self, backend: str, output: Path | None) -> dict[str, Any]:
        """The whole trace at once."""
        from hrsnn_lava.sim_backends.runs.parity import backend as named
        from hrsnn_lava.sim_backends.runs.session import Session

        probes = ("spikes", *self.probes)
        note_stock(self.console, self.network, (backend,))
        with self.console.progress() as progress:
            progress(f"simulate: {backend}, {self.steps} steps")
            if self.state is None and self.state_out is None:
                trace = named(backend).run(self.network, self.inputs, self.steps, probes)
            else:
                session = Session(self.network, self.state, backend)
                trace = session.run(self.inputs, self.steps, probes)
        if output is not None:
            trace.save(output)
        if self.state_out is not None:
            session.state().save(self.state_out)
        states = {name: [getattr(trace, name)] for name in self.probes}
        return self._summary([trace], states)

    def stream(
        self, output: Path, every: int, neurons: slice | None, resume: bool
    ) -> dict[str, Any]:
        """Chunk by chunk to disk; what was recorded stays readable when this is interrupted."""
        from hrsnn_lava.sim_backends.base import as_quantized
        from hrsnn_lava.sim_backends.runs.probe_plan import ProbePlan
        from hrsnn_lava.sim_backends.runs.recording import Recorder

        plan = ProbePlan.of(
            as_quantized(self.network), self.steps, self.probes, every, neurons=neurons
        )
        recorder = Recorder(self.network, output, plan, self.state, resume)
        if resume:
            self.console.note(f"resume: from step {recorder.step:,} of {self.steps:,}")
        try:
            with self.console.progress() as progress, contextlib.closing(recorder):
                doing = f"simulate: native, {self.steps} steps to disk"
                progress(doing, recorder.step / self.steps)
                recorder.run(self.inputs, lambda done, steps: progress(doing, done / steps))
                recording = recorder.recording()
                states = {name: recording.blocks(name) for name in plan.states}
                found = self._summary(recording.pieces(), states)
                if self.state_out is not None:
                    recorder.state().save(self.state_out)
                progress("simulate: trace file", 1.0)
                recorder.finish()
        except BaseException:
            if recorder.step:
                say(f"{recorder.step:,} of {self.steps:,} steps are recorded; --resume goes on")
            raise
        return found

    def _summary(
        self, pieces: Iterable[Trace], states: Mapping[str, Iterable[Any]]
    ) -> dict[str, Any]:
        """Figures of a run, added up over its pieces."""
        return {
            "first_step": 0 if self.state is None else self.state.step,
            **counts(self.network, pieces),
            "states": {name: extremes(blocks) for name, blocks in states.items()},
        }


def note_stock(console: Console, network: Any, backends: Iterable[str]) -> None:
    """Say how many stock Processes a network becomes, where one of the backends runs them.

    Raises `CapacityError` at once where they cannot express it.
    """
    if "lava-stock" not in backends:
        return
    from hrsnn_lava.compiler.passes.lower_stock import require_stock, stock_report
    from hrsnn_lava.sim_backends.base import as_quantized

    integer = as_quantized(network)
    require_stock(integer)
    found = stock_report(integer)
    console.note(
        f"lava-stock: {found['processes']:,} Processes, {found['lif']:,} LIF, "
        f"{found['connections']:,} connections, {found['sources']:,} sources"
    )


def load_program(path: Path) -> CompiledNetwork | QuantizedNetwork:
    """A compiled or quantized network; an `ArtifactError` for a float one."""
    from hrsnn_lava.artifacts.container import NETWORK_STAGES, load_any
    from hrsnn_lava.network import Network

    program = load_any(path, NETWORK_STAGES)
    if isinstance(program, Network):
        raise ArtifactError(
            f"{path}: holds a float network; backends run integers: `hrsnn-lava compile` it first"
        )
    loaded: CompiledNetwork | QuantizedNetwork = program
    return loaded


def load_input(
    console: Console,
    network: Any,
    path: Path | None,
    steps: int | None,
    seed: int,
    default_steps: int = DEFAULT_STEPS,
) -> tuple[SpikeInput | None, int]:
    """The events of a run, seeded random ones where there is no file, and its length."""
    from hrsnn_lava.sim_backends.base import as_quantized
    from hrsnn_lava.sim_backends.runs.parity import random_input
    from hrsnn_lava.trace import SpikeInput

    if path is not None:
        given = SpikeInput.load(path)
        integer = as_quantized(network)
        if given.n_neurons != integer.n_inputs:
            raise ArtifactError(
                f"{path}: {given.n_neurons} channels; the network has {integer.n_inputs}"
            )
        n_steps = given.n_steps if steps is None else steps
        if n_steps > given.n_steps:
            console.note(f"input: ends after {given.n_steps} steps; nothing is sent after them")
        return given, n_steps
    n_steps = default_steps if steps is None else steps
    made = random_input(as_quantized(network), n_steps, seed)
    if made is None:
        console.note("input: none, the network has no inputs")
    else:
        console.note(f"input: random, {made.steps.size:,} events, seed {seed}")
    return made, n_steps


def check_memory(network: Any, steps: int, n_probes: int, advice: str = "Use fewer steps") -> None:
    """Refuse probes that the memory of this machine cannot hold; the system would kill us."""
    from hrsnn_lava.sim_backends.base import as_quantized

    n_neurons = as_quantized(network).n_neurons
    needed = 4 * steps * n_neurons * n_probes
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # not every system can tell
        return
    if needed > there:
        raise SpecError(
            f"{n_probes} states of {n_neurons:,} neurons over {steps:,} steps take "
            f"{needed / 2**30:.1f} GiB; this machine has {there / 2**30:.1f} GiB. {advice}"
        )


ORDER = 50
COMMAND = simulate
