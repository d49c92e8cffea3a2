"""``simulate``: run a compiled network on one backend."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, output_option, seed_option, steps_option
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.errors import ArtifactError, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.quantized import QuantizedNetwork
    from hrsnn_lava.trace import SpikeInput, Trace

BACKENDS = ("reference", "native", "lava")
DEFAULT_STEPS = 1000


@click.command("simulate")
@click.argument("compiled", type=INPUT_FILE)
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default="native",
    show_default=True,
    help="Readable NumPy, fast numba, or Intel Lava.",
)
@click.option("--input", "input_file", type=INPUT_FILE, help="Events (.npz).  [default: random]")
@steps_option(None, "Length of the run.  [default: the input's, or 1000]")
@click.option(
    "--probe",
    "probes",
    type=click.Choice(["v", "u"]),
    multiple=True,
    help="Record potentials or currents; repeatable.",
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
    seed: int,
    output: Path | None,
) -> None:
    """Run COMPILED, a compiled or quantized network (.hlx), from rest."""
    from hrsnn_lava.sim_backends.parity import backend as named

    network = load_program(compiled)
    inputs, n_steps = load_input(console, network, input_file, steps, seed)
    check_memory(network, n_steps, len(probes))
    with console.progress() as progress:
        progress(f"simulate: {backend}, {n_steps} steps")
        trace = named(backend).run(network, inputs, n_steps, ("spikes", *probes))
    if output is not None:
        trace.save(output)
    data = {"backend": backend, "output": output, **_summary(network, trace)}
    console.result(data, _text(data))


def load_program(path: Path) -> CompiledNetwork | QuantizedNetwork:
    """A compiled or quantized network; an `ArtifactError` for a float one."""
    from hrsnn_lava.compiler.compiled import load_any
    from hrsnn_lava.network import Network

    program = load_any(path)
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
    from hrsnn_lava.sim_backends.parity import random_input
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


def check_memory(network: Any, steps: int, n_probes: int) -> None:
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
            f"{needed / 2**30:.1f} GiB; this machine has {there / 2**30:.1f} GiB. Use fewer steps"
        )


def _summary(network: Any, trace: Trace) -> dict[str, Any]:
    from hrsnn_lava.compiler.analysis.synops import synaptic_operations
    from hrsnn_lava.sim_backends.base import as_quantized

    integer = as_quantized(network)
    operations = synaptic_operations(integer, trace)
    neuron_steps = trace.n_steps * trace.n_neurons
    rate = trace.n_spikes / neuron_steps if neuron_steps else 0.0
    states = {
        name: {"min": int(values.min()), "max": int(values.max())}
        for name, values in (("v", trace.v), ("u", trace.u))
        if values is not None and values.size
    }
    return {
        "steps": trace.n_steps,
        "neurons": trace.n_neurons,
        "spikes": trace.n_spikes,
        "spikes_per_neuron_and_step": rate,
        "rate_hz": rate / integer.dt,
        "silent_neurons": int((trace.counts() == 0).sum()),
        "input_events": 0 if trace.inputs is None else int(trace.inputs.steps.size),
        "sop": {"total": operations.total, "recurrent": operations.recurrent},
        "macs": operations.macs,
        "host_macs": operations.host_macs,
        "states": states,
    }


def _text(data: dict[str, Any]) -> str:
    rows = [
        ("backend", data["backend"]),
        ("steps", data["steps"]),
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
    rows += [(name, f"{s['min']:,} to {s['max']:,}") for name, s in data["states"].items()]
    if data["output"] is not None:
        rows.append(("written to", data["output"]))
    return columns(rows)
