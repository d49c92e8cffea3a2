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
from hrsnn_lava.cli.console import Console, columns, say, with_console
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.registry import names

if TYPE_CHECKING:
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.quantized import QuantizedNetwork
    from hrsnn_lava.sim_backends.runs.session import State
    from hrsnn_lava.trace import SpikeInput, Trace

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
    type=click.Choice(names("engine")),
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
def simulate(console: Console, compiled: Path, **options: Any) -> None:
    """Run COMPILED, a compiled or quantized network (.hlx), from rest or from a state."""
    settings = _Options(**options)
    settings.check()
    network = load_program(compiled)
    inputs, steps = load_input(console, network, settings.input_file, settings.steps, settings.seed)
    state = None if settings.state_in is None else _load_state(network, settings.state_in)
    run = _Run(console, network, inputs, steps, state, settings)
    if settings.counts_file is not None:
        figures = run.counted(compiled, settings.counts_file)
    elif settings.stream and settings.output is not None:
        figures = run.streamed(settings.output)
    else:
        check_memory(network, steps, len(settings.probes), "Use fewer steps, or --stream")
        figures = run.in_memory()
    paths = {name: getattr(settings, name) for name in ("backend", "output", "state_out")}
    data = {**paths, **figures}
    console.result(data, text(data))


@dataclass(frozen=True)
class _Options:
    """The options of the command, by the names that click gives them."""

    backend: str
    input_file: Path | None
    steps: int | None
    probes: tuple[str, ...]
    stream: bool
    resume: bool
    probe_every: int | None
    probe_neurons: slice | None
    state_in: Path | None
    state_out: Path | None
    counts_file: Path | None
    seed: int
    output: Path | None

    def check(self) -> None:
        """Usage errors: an option without what it needs, or beside what makes it idle."""
        from hrsnn_lava.sim_backends.base import backend_of

        learned = [(f"--probe {name}", name in self.probes) for name in ("weights", "traces")]
        chunks = [("--probe-every", self.probe_every), ("--probe-neurons", self.probe_neurons)]
        _require(self.stream, [("--resume", self.resume), *chunks, *learned], "--stream")
        _require(self.output is not None, [("--stream", self.stream)], "-o")
        keeping = [name for name in names("engine") if backend_of(name).keeps_state]
        states = [("--state-in", self.state_in), ("--state-out", self.state_out)]
        _require(
            self.backend in keeping,
            [*states, ("--resume", self.resume)],
            f"--backend {' or '.join(keeping)}; {self.backend} hands no state out",
        )
        others = {"-o": self.output, "--probe": self.probes or None, "--state-out": self.state_out}
        option_names = [name for name, value in others.items() if value is not None]
        if self.counts_file is not None and option_names:
            message = (
                f"--counts keeps nothing but counts, so {option_names[0]} gets nothing; "
                "leave one out"
            )
            raise click.UsageError(message, click.get_current_context())


def _require(met: bool, options: Iterable[tuple[str, Any]], requirement: str) -> None:
    """A usage error when one of `options` is used without what it needs."""
    option_names = [name for name, value in options if value is not None and value is not False]
    if option_names and not met:
        raise click.UsageError(
            f"{option_names[0]} needs {requirement}", click.get_current_context()
        )


def _load_state(network: Any, path: Path) -> State:
    from hrsnn_lava.sim_backends.base import as_quantized
    from hrsnn_lava.sim_backends.runs.session import State

    state = State.load(path)
    if state.network_digest != as_quantized(network).digest:
        raise ArtifactError(f"{path}: the state of another network; a state fits its own alone")
    return state


@dataclass(frozen=True)
class _Run:
    """What all ways of running share."""

    console: Console
    network: Any
    inputs: SpikeInput | None
    steps: int
    state: State | None
    options: _Options

    def in_memory(self) -> dict[str, Any]:
        """The whole trace at once."""
        from hrsnn_lava.sim_backends.runs.session import Session

        options = self.options
        remark(self.console, self.network, (options.backend,))
        with (
            self.console.progress() as progress,
            Session(self.network, self.state, options.backend) as session,
        ):
            moving = session.telling(
                progress, f"simulate: {options.backend}, {self.steps} steps", self.steps
            )
            moving()
            trace = session.quiet_run(self.inputs, self.steps, ("spikes", *options.probes), moving)
            if options.output is not None:
                trace.save(options.output)
            if options.state_out is not None:
                session.state().save(options.state_out)
        return self._figures([trace], {name: [getattr(trace, name)] for name in options.probes})

    def streamed(self, output: Path) -> dict[str, Any]:
        """Chunk by chunk to disk; what was recorded stays readable when this is interrupted."""
        from hrsnn_lava.sim_backends.base import as_quantized
        from hrsnn_lava.sim_backends.runs.recorded import ProbePlan
        from hrsnn_lava.sim_backends.runs.recording import Recorder, RecordOptions

        options, integer = self.options, as_quantized(self.network)
        every, neurons = options.probe_every or 1, options.probe_neurons
        plan = ProbePlan.of(integer, self.steps, options.probes, every, neurons=neurons)
        remark(self.console, self.network, (options.backend,))
        with self.console.progress() as progress:
            text = f"simulate: {options.backend}, {self.steps} steps to disk"
            how = RecordOptions(
                state=self.state,
                backend=options.backend,
                resume=options.resume,
                progress=lambda _, fraction=None: progress(text, fraction),
            )
            recorder = Recorder(self.network, output, plan, how)
            if options.resume:
                self.console.note(f"resume: from step {recorder.step:,} of {self.steps:,}")
            try:
                with contextlib.closing(recorder):
                    progress(text, recorder.step / self.steps if self.steps else 1.0)
                    recorder.run(self.inputs)
                    recording = recorder.recording()
                    states = {name: recording.blocks(name) for name in plan.states}
                    figures = self._figures(recording.pieces(), states)
                    if options.state_out is not None:
                        recorder.state().save(options.state_out)
                    progress("simulate: trace file", 1.0)
                    recorder.finish()
            except BaseException:
                if recorder.step and recorder.keeps_state:
                    say(f"{recorder.step:,} of {self.steps:,} steps are recorded; --resume goes on")
                raise
        return figures

    def counted(self, program: Path, output: Path) -> dict[str, Any]:
        """Counted as it goes; raises `ArtifactError` without a placement to count messages by."""
        from hrsnn_lava.compiler.compiled import CompiledNetwork
        from hrsnn_lava.sim_backends.runs.counting import count, run_figures

        if not isinstance(self.network, CompiledNetwork):
            raise ArtifactError(
                f"{program}: not placed on cores, by which messages are counted; "
                "`hrsnn-lava compile` it first"
            )
        backend = self.options.backend
        remark(self.console, self.network, (backend,))
        with self.console.progress() as progress:
            text = f"simulate: {backend}, {self.steps} steps, counted"
            progress(text, 0.0)
            counts = count(
                self.network,
                self.inputs,
                self.steps,
                state=self.state,
                backend=backend,
                progress=lambda _, fraction=None: progress(text, fraction),
            )
        counts.save(output, self.network)
        figures = run_figures(self.network, counts)
        return {"first_step": self._first, **figures, "states": {}, "counts": output}

    @property
    def _first(self) -> int:
        return 0 if self.state is None else self.state.step

    def _figures(
        self, pieces: Iterable[Trace], states: Mapping[str, Iterable[Any]]
    ) -> dict[str, Any]:
        """Figures of a run, added up over its pieces."""
        from hrsnn_lava.sim_backends.runs.counting import count_pieces, run_figures

        figures = run_figures(self.network, count_pieces(self.network, pieces))
        extremes = {name: _extremes(blocks) for name, blocks in states.items()}
        return {"first_step": self._first, **figures, "states": extremes}


def _extremes(blocks: Iterable[Any]) -> dict[str, int | None]:
    """Smallest and largest value of an array that comes in blocks."""
    ends = [(int(block.min()), int(block.max())) for block in blocks if block.size]
    if not ends:
        return {"min": None, "max": None}
    return {"min": min(low for low, _ in ends), "max": max(high for _, high in ends)}


def text(data: Mapping[str, Any]) -> str:
    """The table for people, and what they have to know."""
    from hrsnn_lava.report.sections.verdict import findings_lines

    steps = data["steps"]
    if data["first_step"]:
        steps = f"{data['steps']:,}, after {data['first_step']:,} before"
    rows = [
        ("backend", data["backend"]),
        ("steps", steps),
        ("neurons", f"{data['neurons']:,} ({data['silent_neurons']:,} silent)"),
        ("input events", data["input_events"]),
        ("spikes", data["spikes"]),
        (
            "rate",
            f"{data['spikes_per_neuron_and_step']:.4g} a neuron and step, {data['rate_hz']:.4g} Hz",
        ),
        (
            "synaptic operations",
            f"{data['sop']['total']:,} ({data['sop']['recurrent']:,} recurrent)",
        ),
    ]
    rows += [
        (label, data[key])
        for key, label in (("macs", "graded operations"), ("host_macs", "MACs of the host"))
        if data[key]
    ]
    rows += [
        (name, f"{s['min']:,} to {s['max']:,}")
        for name, s in data["states"].items()
        if s["min"] is not None
    ]
    files = [
        (label, data[key])
        for key, label in (
            ("output", "written to"),
            ("counts", "counts written to"),
            ("state_out", "state written to"),
        )
        if data.get(key) is not None
    ]
    lines = columns([*rows, *files]).split("\n")
    found = findings_lines(data["findings"])
    return "\n".join([*lines[: len(rows)], *found, *lines[len(rows) :]])


def remark(console: Console, network: Any, backends: Iterable[str]) -> None:
    """Say what engines have to say of a network; `CapacityError` where one cannot express it."""
    from hrsnn_lava.sim_backends.base import backend_of, runnable

    integer = runnable(network)
    for name in backends:
        backend = backend_of(name)
        backend.check(integer)
        if line := backend.remark(integer):
            console.note(line)


def load_program(path: Path) -> CompiledNetwork | QuantizedNetwork:
    """A compiled or quantized network; an `ArtifactError` for a float one."""
    from hrsnn_lava.artifacts.container import NETWORK_STAGES, load_any
    from hrsnn_lava.network import Network

    program = load_any(path, NETWORK_STAGES)
    if isinstance(program, Network):
        raise ArtifactError(
            f"{path}: holds a float network; backends run integers: `hrsnn-lava compile` it first"
        )
    integer_program: CompiledNetwork | QuantizedNetwork = program
    return integer_program


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
    from hrsnn_lava.sim_backends.runs.inputs import random_input
    from hrsnn_lava.trace import SpikeInput

    if path is not None:
        inputs = SpikeInput.load(path)
        integer = as_quantized(network)
        if inputs.n_neurons != integer.n_inputs:
            raise ArtifactError(
                f"{path}: {inputs.n_neurons} channels; the network has {integer.n_inputs}"
            )
        n_steps = inputs.n_steps if steps is None else steps
        note_length(console, inputs, n_steps)
        return inputs, n_steps
    n_steps = default_steps if steps is None else steps
    drawn = random_input(as_quantized(network), n_steps, seed)
    if drawn is None:
        console.note("input: none, the network has no inputs")
    else:
        console.note(f"input: random, {drawn.steps.size:,} events, seed {seed}")
    return drawn, n_steps


def note_length(console: Console, inputs: SpikeInput, steps: int) -> None:
    """A remark where an input and a run have different lengths."""
    if steps > inputs.n_steps:
        console.note(f"input: ends after {inputs.n_steps} steps; nothing is sent after them")
    elif steps < inputs.n_steps:
        console.note(f"input: has {inputs.n_steps} steps; those after {steps} are not sent")


def check_memory(network: Any, steps: int, n_probes: int, advice: str = "Use fewer steps") -> None:
    """Refuse probes that the memory of this machine cannot hold; the system would kill us."""
    from hrsnn_lava.sim_backends.base import as_quantized

    n_neurons = as_quantized(network).n_neurons
    n_bytes = 4 * steps * n_neurons * n_probes
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # not every system can tell
        return
    if n_bytes > memory:
        raise SpecError(
            f"{n_probes} states of {n_neurons:,} neurons over {steps:,} steps take "
            f"{n_bytes / 2**30:.1f} GiB; this machine has {memory / 2**30:.1f} GiB. {advice}"
        )


ORDER = 50
COMMAND = simulate
