"""`prune` in iterations: with checkpoints, brought back rates, and an end at what fits a chip."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hrsnn_lava.cli.console import columns
from hrsnn_lava.compiler.pruning.budget import BUDGETS
from hrsnn_lava.compiler.pruning.loop_options import LoopOptions
from hrsnn_lava.errors import Problem, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.network import Network
    from hrsnn_lava.progress import Progress
    from hrsnn_lava.trace import SpikeInput
    from hrsnn_lava.training.loop_checkpoints import Checkpointing
    from hrsnn_lava.training.pruning_loop import LoopResult

#: Iterations where only a chip says when it is enough (ours).
ITERATIONS = 20
#: Samples of random input, ten steps each, and passes over them that bring rates back (ours).
SAMPLES, PASSES = 300, 30

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class PruningSteps(NamedTuple):
    """What one pruning consists of.

    Attributes:
        method: prunes synapses. dropping: drops neurons before it, or None. adding: adds synapses
            after it, or None.
    """

    method: Any
    dropping: Any = None
    adding: Any = None


@dataclass(frozen=True)
class LoopArguments:
    """What the command line says of the loop.

    Attributes:
        loop: iterations; None where nothing is said.
        until_fits: name of a chip. cores: of it that may be used.
        checkpoints: folder; None: beside the output, and removed at the end.
        resume: go on from them.
        homeostasis: bring rates back after every iteration.
    """

    loop: int | None
    until_fits: str | None
    cores: int | None
    checkpoints: Path | None
    resume: bool
    homeostasis: bool

    @classmethod
    def taken(cls, parameters: dict[str, Any]) -> LoopArguments:
        """Those of a command's parameters, which lose them.

        Raises:
            SpecError: an option that is about a loop, where there is none.
        """
        arguments = cls(**{field.name: parameters.pop(field.name) for field in fields(cls)})
        problems = []
        if arguments.until_fits is None and arguments.cores is not None:
            allowed = "with --until-fits CHIP, whose cores they are"
            problems.append(Problem("--cores", str(arguments.cores), allowed))
        if not arguments.asked:
            said = {
                "--checkpoints": arguments.checkpoints is not None,
                "--resume": arguments.resume,
                "--no-homeostasis": not arguments.homeostasis,
            }
            allowed = "with --loop N or --until-fits CHIP"
            problems += [Problem(name, "given", allowed) for name, given in said.items() if given]
        if problems:
            raise SpecError("these options do not go together", problems=problems)
        return arguments

    @property
    def asked(self) -> bool:
        """Whether there is a loop."""
        return self.loop is not None or self.until_fits is not None

    @property
    def iterations(self) -> int:
        """How many, at most."""
        return self.loop or ITERATIONS

    def with_budget(self, options: dict[str, Any]) -> dict[str, Any]:
        """Options of a method; a chip that says when it is enough stands for a budget."""
        if self.until_fits is None or any(options.get(name) is not None for name in BUDGETS):
            return options
        return options | {"density": LoopOptions().keep ** self.iterations}

    def keep(self, output: Path) -> Checkpointing:
        """How; those beside the output are the command's own, and make room for another loop."""
        from hrsnn_lava.training.loop_checkpoints import Checkpointing

        own = self.checkpoints is None and not self.resume
        return Checkpointing(self.folder(output), self.resume, "replace" if own else "refuse")

    def folder(self, output: Path) -> Path:
        """Where the checkpoints are."""
        return self.checkpoints or output.with_name(f"{output.name}.pruning")


def loop_options() -> Decorator:
    """Options of a command that `LoopArguments.taken` takes."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(
            (
                click.option(
                    "--loop",
                    type=click.IntRange(1, 1000),
                    metavar="N",
                    help="Prune in N iterations, each of what the one before left, and bring the "
                    "rates back after each.",
                ),
                click.option(
                    "--until-fits",
                    metavar="CHIP",
                    help="End as soon as the network fits; without a budget every iteration "
                    f"leaves {LoopOptions().keep:.0%}, of {ITERATIONS} at most. Neurons that no "
                    "core has room for are dropped first.",
                ),
                click.option(
                    "--cores",
                    type=click.IntRange(min=1),
                    help="Of the chip of --until-fits that may be used.  [default: all]",
                ),
                click.option(
                    "--checkpoints",
                    type=click.Path(file_okay=False, path_type=Path),
                    help="Folder for one file an iteration.  [default: OUTPUT.pruning, removed "
                    "at the end]",
                ),
                click.option("--resume", is_flag=True, help="Go on with what a killed loop left."),
                click.option(
                    "--homeostasis/--no-homeostasis",
                    default=True,
                    help="Bring the rates back after every iteration of a loop.  [default: on]",
                ),
            )
        ):
            function = option(function)
        return function

    return decorate


def pruned_in_loop(
    network: Network,
    steps: PruningSteps,
    inputs: SpikeInput | None,
    arguments: LoopArguments,
    output: Path,
    seed: int,
    progress: Progress,
) -> LoopResult:
    """The loop of the command line on a network.

    Args:
        network: float.
        steps: the passes of an iteration.
        inputs: events that rates are measured and brought back with; None: random ones.
        arguments: of the command line.
        output: beside which the checkpoints are.
        seed: of everything that is drawn.
        progress: told of every iteration.
    """
    from dataclasses import replace

    from hrsnn_lava.hardware_profiles import HardwareProfile
    from hrsnn_lava.training.aftercare import AftercareOptions
    from hrsnn_lava.training.balance import GENTLE
    from hrsnn_lava.training.loop_ends import Fits, LoopEnd
    from hrsnn_lava.training.loop_plan import PruningLoop
    from hrsnn_lava.training.pruning_loop import run_loop
    from hrsnn_lava.training.random_input import random_input
    from hrsnn_lava.training.simulation import Stimulus

    ends: tuple[LoopEnd, ...] = ()
    if arguments.until_fits is not None:
        chip = HardwareProfile.load(arguments.until_fits)
        ends = (Fits(chip if arguments.cores is None else chip.with_cores(arguments.cores)),)
    care = AftercareOptions(balance=replace(GENTLE, passes=PASSES))
    loop = PruningLoop(
        steps.method,
        arguments.iterations,
        before=() if steps.dropping is None else (steps.dropping,),
        after=() if steps.adding is None else (steps.adding,),
        ends=ends,
        aftercare=care if arguments.homeostasis else None,
    )
    if inputs is None:
        lesson = random_input(network, seed, SAMPLES).stimulus
    else:
        lesson = Stimulus(inputs, 1)
    return run_loop(
        network,
        loop,
        lesson,
        seed=seed,
        keep=arguments.keep(output),
        progress=progress,
    )


def forget_checkpoints(arguments: LoopArguments, output: Path) -> None:
    """Remove those that nobody asked for, and their folder, where nothing else is in it."""
    if not arguments.asked or arguments.checkpoints is not None:
        return
    from hrsnn_lava.training.loop_checkpoints import remove_checkpoints

    folder = arguments.folder(output)
    remove_checkpoints(folder)
    with contextlib.suppress(OSError):
        folder.rmdir()


def loop_facts(result: LoopResult) -> dict[str, Any]:
    """What the JSON says of a loop."""
    return {
        "why": result.why,
        "iterations": len(result.rows) - 1,
        "taken": result.iteration,
        "resumed": result.resumed,
        "rows": [dict(row) for row in result.rows],
    }


def loop_text(facts: Mapping[str, Any]) -> str:
    """A row an iteration, at most a dozen: the first, the last, and some between."""
    rows = facts["rows"]
    spikes = rows[0]["spikes"]
    shown = sorted({round(k * (len(rows) - 1) / 11) for k in range(12)})
    table = [
        (
            row["iteration"],
            row["neurons"],
            row["synapses"],
            row["sops"],
            row["spikes"] / spikes if spikes else 1.0,
            row["rate_error"],
            "" if "fits" not in row else _fit(row),
        )
        for row in (rows[k] for k in shown)
    ]
    heads = ("iteration", "neurons", "synapses", "SOPs per step", "spikes", "rate error", "")
    lines = [columns(table, heads, right=(0, 1, 2, 3, 4, 5))]
    last = rows[facts["taken"]]
    lines.append(
        f"loop: {facts['why']}; the network is that of iteration {facts['taken']}: without a "
        f"recurrent input {last['without_input']}, without an output {last['without_output']} "
        "neurons"
    )
    return "\n".join(lines)


def _fit(row: Mapping[str, Any]) -> str:
    return f"fits, {row['cores']} cores" if row["fits"] else ", ".join(row["broken"])
