"""A run that prunes in iterations: what its loop does, and where it ends.

The network of the spec may end its loop early, at what fits the chip or before its loss rises. The
controls go through loops of as many iterations, to the operations that it ended with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.compiler.pipeline import AnyPass, History
from hrsnn_lava.compiler.pruning.budget import Amount
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.experiment.compilation import Pruning, Target
from hrsnn_lava.experiment.preparation import built_network, lesson_of
from hrsnn_lava.experiment.scoring import score_network
from hrsnn_lava.network import Network
from hrsnn_lava.progress import Progress
from hrsnn_lava.tasks.base import Trial
from hrsnn_lava.training.loop_checkpoints import Checkpointing
from hrsnn_lava.training.loop_ends import Fits, LoopEnd, LossRises
from hrsnn_lava.training.loop_plan import PruningLoop
from hrsnn_lava.training.pruning_loop import LoopResult, run_loop
from hrsnn_lava.training.stdp import TrainSTDP
from hrsnn_lava.training.surrogate import TrainSurrogate
from hrsnn_lava.training.surrogate_torch import find_torch

__all__ = ["LoopOfRun", "looped"]

Floats = NDArray[np.float64]
#: Folder of the checkpoints, in that of the run.
FOLDER = "pruning"


@dataclass(frozen=True, eq=False)
class LoopOfRun:
    """What a loop works with.

    Attributes:
        target: chip and passes of the spec.
        trial: the task.
        full: the unpruned network.
        folder: of the run, for checkpoints; None: none are kept.
        resume: go on from them.
        progress: told of every iteration.
    """

    target: Target
    trial: Trial
    full: Network
    folder: Path | None
    resume: bool
    progress: Progress


def looped(work: LoopOfRun, pruning: Pruning) -> tuple[Pruning, LoopResult]:
    """The network of a method after its loop, and the budget that it has in the end.

    Raises:
        SpecError: the loop is to end by a loss that the task does not have, or to retrain a
            network without rules, or by gradients without a table for them or answers to learn.
        BackendMissingError: it is to retrain by gradients, and there is no torch.
        CapacityError: the loop is to end at what fits the chip, and nothing did.
    """
    spec = work.target.spec
    table, options, seed = spec.prune, spec.prune.loop, spec.seed
    if options is None:
        raise ValueError("there is no loop")
    own = pruning.method == table.way
    steps = (table.delocalize, table.rescale_time) if own else ()
    network, retrain = _with_rules(work) if options.retrain else (work.full, ())
    loop = PruningLoop(
        pruning.step(table),
        options.iterations,
        before=(table.drop_neurons,) if own and table.drop_neurons is not None else (),
        after=tuple(step for step in steps if step is not None),
        ends=tuple(_ends(work)) if own else (),
        aftercare=table.care,
        retrain=(*retrain, *_by_gradients(work)),
    )
    keep = None
    if work.folder is not None:
        name = re.sub("[^a-z0-9]+", "-", f"{pruning.label} {pruning.mode}".lower()).strip("-")
        keep = Checkpointing(work.folder / FOLDER / name, work.resume, "replace")
    result = run_loop(
        network,
        loop,
        work.trial.lesson,
        seed=seed,
        keep=keep,
        progress=work.progress,
    )
    if retrain and spec.stdp is not None and not spec.stdp.on_chip:
        result = replace(result, network=result.network.without_plasticity())
    if own and result.iteration < options.iterations:
        budget = Amount("sops", float(result.rows[result.iteration]["sops"]))
        pruning = replace(pruning, budget=budget)
    return pruning, result


def _ends(work: LoopOfRun) -> list[LoopEnd]:
    """Where the loop of the spec's own network may end early."""
    spec, ends = work.target.spec, list[LoopEnd]()
    options = spec.prune.loop
    assert options is not None
    if options.until_fits:
        ends.append(Fits(work.target.profile, _program_of(work), spec.canonical()))
    if options.tolerated_loss is not None:

        def loss(network: Network) -> float | None:
            return score_network("", network, work.trial, spec.seed).outcome.validation

        ends.append(LossRises(loss, options.tolerated_loss, spec.canonical()))
    return ends


def _by_gradients(work: LoopOfRun) -> tuple[AnyPass, ...]:
    """What trains the network of an iteration by gradients, where the loop asks for it."""
    spec = work.target.spec
    options = spec.prune.loop
    if options is None or not options.gradients:
        return ()
    if spec.surrogate is None:
        allowed = "0, or a spec with a table [surrogate], whose options train"
        problem = Problem("prune.loop.gradients", str(options.gradients), allowed)
        raise SpecError("nothing says how to train by gradients", problems=[problem])
    find_torch(spec.surrogate.device)
    table = replace(spec.surrogate, epochs=options.gradients)
    lesson = lesson_of(spec, work.trial)
    return (TrainSurrogate(lesson, table, quantize=spec.quantize),)


def _program_of(work: LoopOfRun) -> Callable[[Network, Floats], CompiledNetwork]:
    """Compiles as the run does in the end."""
    target, lesson = work.target, work.trial.lesson

    def program(network: Network, rates: Floats) -> CompiledNetwork:
        integers, record = target.quantized(network, lesson, rates)
        observed = Observed(rates, lesson.input_rates())
        return target.placed(integers, observed, History((record,), network.n_synapses))

    return program


def _with_rules(work: LoopOfRun) -> tuple[Network, tuple[AnyPass, ...]]:
    """The network with the rules that its training took off, and what trains it again."""
    spec, network = work.target.spec, work.full
    if spec.stdp is None:
        allowed = "0, or a spec with a table [stdp], whose rules train"
        problem = Problem("prune.loop.retrain", str(spec.prune.loop.retrain), allowed)  # type: ignore[union-attr]
        raise SpecError("nothing can be trained again", problems=[problem])
    built = built_network(spec, work.trial)
    for name in spec.stdp.projections:
        rule, trained = built.projection(name).plasticity, network.projection(name)
        if trained.plasticity is None:
            network = network.with_projection(replace(trained, plasticity=rule))
    names, epochs = tuple(spec.stdp.projections), spec.prune.loop.retrain  # type: ignore[union-attr]
    step = TrainSTDP(work.trial.lesson, names, epochs, True, spec.stdp.schedule)
    return network.verify(), (step,)
