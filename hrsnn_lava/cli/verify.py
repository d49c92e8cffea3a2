"""Prove that backends agree bit for bit."""

from __future__ import annotations

from pathlib import Path

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, POSITIVE, seed_option, steps_option
from hrsnn_lava.cli.console import Console, with_console
from hrsnn_lava.cli.simulate import (
    BACKENDS,
    DEFAULT_STEPS,
    OPTIONAL_BACKENDS,
    check_memory,
    load_input,
    load_program,
    note_stock,
)
from hrsnn_lava.errors import BackendMissingError, Problem, SpecError


@click.command("verify")
@click.argument("compiled", type=INPUT_FILE)
@steps_option(None, f"Length of the run.  [default: the input's, or {DEFAULT_STEPS}]")
@click.option(
    "--backends",
    metavar="A,B,...",
    help="Two or more of reference, native, lava, lava-stock.  [default: all that can run here, "
    "without lava-stock]",
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
    names = chosen_backends(backends)
    from hrsnn_lava.sim_backends.runs.parity import verify_parity

    network = load_program(compiled)
    inputs, n_steps = load_input(console, network, input_file, steps, seed)
    check_memory(network, n_steps, 4)
    skipped: dict[str, str] = {}
    if backends is None:
        obstacle = lava_missing()
        if obstacle is not None:
            skipped["lava"] = obstacle
            names = tuple(name for name in names if name != "lava")
            console.note(f"lava: left out. {obstacle}")
    elif {"lava", "lava-stock"} & {*names} and (obstacle := lava_missing()) is not None:
        raise BackendMissingError(obstacle)  # before the others have run for nothing
    note_stock(console, network, names)
    with console.progress() as progress:
        parity, trace = verify_parity(
            network,
            inputs,
            n_steps,
            names,
            lambda name: progress(f"verify: {name}, {n_steps} steps"),
            timeout,
        )
    parity.require()
    answer = {**parity.to_dict(), "skipped": skipped}
    console.result({"parity": answer}, f"{parity.line()} ({trace.n_spikes:,} spikes)")


def chosen_backends(text: str | None) -> tuple[str, ...]:
    """The backends of a comma-separated list; every wrong name is reported."""
    if text is None:
        return BACKENDS
    known = (*BACKENDS, *OPTIONAL_BACKENDS)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [
        Problem("--backends", repr(name), ", ".join(known)) for name in names if name not in known
    ]
    if unknown:
        raise SpecError("unknown backend", problems=unknown)
    if len(names) < 2:
        raise SpecError(f"--backends {text}: name at least two of {', '.join(known)}")
    return names


def lava_missing() -> str | None:
    """Why Lava cannot run here, or None."""
    from hrsnn_lava.sim_backends.lava.backend import lava_obstacle

    return lava_obstacle()


ORDER = 60
COMMAND = verify
