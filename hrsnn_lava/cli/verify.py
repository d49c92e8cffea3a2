"""Prove that backends agree bit for bit."""

from __future__ import annotations

from pathlib import Path

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, POSITIVE, seed_option, steps_option
from hrsnn_lava.cli.console import Console, with_console
from hrsnn_lava.cli.simulate import (
    DEFAULT_STEPS,
    check_memory,
    load_input,
    load_program,
    remark,
)
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.registry import names


@click.command("verify")
@click.argument("compiled", type=INPUT_FILE)
@steps_option(None, f"Length of the run.  [default: the input's, or {DEFAULT_STEPS}]")
@click.option(
    "--backends",
    metavar="A,B,...",
    help=f"Two or more of {', '.join(names('engine'))}.  [default: all that can run here and "
    "express every network]",
)
@click.option("--input", "input_file", type=INPUT_FILE, help="Events (.npz).  [default: random]")
@click.option(
    "--timeout",
    type=POSITIVE,
    metavar="SECONDS",
    help="Time limit of Lava's process.  [default: 600]",
)
@seed_option("Of the random input.")
@with_console
def verify(
    console: Console,
    compiled: Path,
    steps: int | None,
    backends: str | None,
    input_file: Path | None,
    timeout: float | None,
    seed: int,
) -> None:
    """Compare spikes, potentials and currents of COMPILED between backends.

    COMPILED is a compiled or quantized network (.hlx). Exit code 7 if a single bit differs.
    """
    from hrsnn_lava.report.sections.verdict import findings_lines
    from hrsnn_lava.sim_backends.base import require_backend
    from hrsnn_lava.sim_backends.runs.parity import obstacles, verify_parity

    engines = chosen_engines(backends)
    network = load_program(compiled)
    inputs, n_steps = load_input(console, network, input_file, steps, seed)
    check_memory(network, n_steps, 4)
    obstacle_of: dict[str, str] = {}
    if backends is None:
        obstacle_of = obstacles(engines)
        engines = tuple(name for name in engines if name not in obstacle_of)
        for name, obstacle in obstacle_of.items():
            console.note(f"{name}: left out. {obstacle}")
    for name in engines:  # before the others have run for nothing
        require_backend(name)
    remark(console, network, engines)
    with console.progress() as progress:
        parity, trace = verify_parity(network, inputs, n_steps, engines, progress, timeout)
    parity.require()
    findings = [finding.to_dict() for finding in parity.findings]
    answer = {**parity.to_dict(), "skipped": obstacle_of, "findings": findings}
    lines = [f"{parity.line()} ({trace.n_spikes:,} spikes)", *findings_lines(findings)]
    console.result({"parity": answer}, "\n".join(lines))


def chosen_engines(text: str | None) -> tuple[str, ...]:
    """The engines of a comma-separated list; every wrong name is reported."""
    from hrsnn_lava.sim_backends.runs.parity import DEFAULT

    if text is None:
        return DEFAULT
    engine_names = names("engine")
    engines = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [
        Problem("--backends", repr(name), ", ".join(engine_names))
        for name in engines
        if name not in engine_names
    ]
    if unknown:
        raise SpecError("unknown backend", problems=unknown)
    if len(engines) < 2:
        raise SpecError(f"--backends {text}: name at least two of {', '.join(engine_names)}")
    return engines


ORDER = 60
COMMAND = verify
