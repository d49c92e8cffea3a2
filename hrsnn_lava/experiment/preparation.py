"""The network of a spec before it is pruned: built, its rates balanced, and trained.

Training is float STDP, without labels, and then gradient training, with those of the training
samples, each where the spec has its table. By gradients networks are trained again, or for the
first time, once they are pruned, where the spec says so: `trained_by_gradients`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hrsnn_lava.compiler.compiled import PassRecord
from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.pipeline import run_pass
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.network import Network
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.spec import BalanceSpec, Spec
from hrsnn_lava.tasks.base import Trial
from hrsnn_lava.training.balance import Balance
from hrsnn_lava.training.stdp import TrainSTDP
from hrsnn_lava.training.surrogate import TrainSurrogate
from hrsnn_lava.training.surrogate_lesson import Supervised
from hrsnn_lava.training.surrogate_torch import find_torch

__all__ = [
    "GradientWork",
    "Prepared",
    "built_network",
    "lesson_of",
    "prepare",
    "trained_by_gradients",
]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A network ready for its task.

    Attributes:
        network: float.
        records: of what was done to it.
        rate_error: sum |count - target| / sum target of the last balance; None without one.
    """

    network: Network
    records: tuple[PassRecord, ...]
    rate_error: float | None = None


@dataclass(frozen=True, eq=False)
class GradientWork:
    """What gradient training works with beside spec and trial.

    Attributes:
        folder: for checkpoints; None: none are kept.
        resume: go on from them.
        progress: told of every update.
    """

    folder: Path | None = None
    resume: bool = False
    progress: Progress = silent

    def checkpoint(self, name: str) -> Path | None:
        """The file of a network."""
        return None if self.folder is None else self.folder / f"{name}.safetensors"


def prepare(
    spec: Spec,
    trial: Trial,
    seed: int | None = None,
    say: Callable[[str], None] = lambda _: None,
    work: GradientWork | None = None,
) -> Prepared:
    """Build the network of a spec, balance its rates, and train it where asked.

    Args:
        spec: network, balance, STDP and gradient training.
        trial: its training inputs are what the network is shown; only gradient training sees the
            labels of these.
        seed: overrides the spec's.
        say: told what is done next.
        work: of gradient training.
    """
    if spec.surrogate is not None:
        find_torch(spec.surrogate.device)  # better found missing before hours of work than after
    context = Context(seed=spec.seed if seed is None else seed)
    network, records, error = built_network(spec, trial, seed), list[PassRecord](), None
    if spec.balance is not None:
        say(f"balance the rates at {spec.balance.rate:g}")
        network, record = run_pass(network, _balance(spec.balance, trial), context)
        records.append(record)
        error = float(record.report["rate_error"])
    if spec.stdp is not None and spec.stdp.train_passes:
        table = spec.stdp
        say(f"train by STDP, passes: {table.train_passes}")
        names = tuple(table.projections)
        step = TrainSTDP(trial.lesson, names, table.train_passes, table.on_chip, table.schedule)
        network, record = run_pass(network, step, context)
        records.append(record)
        if spec.balance is not None and spec.balance.after_stdp:
            say("balance the rates after STDP")
            network, record = run_pass(network, _balance(spec.balance, trial), context)
            records.append(record)
            error = float(record.report["rate_error"])
    if spec.surrogate is not None and spec.surrogate.before:
        say(f"train by gradients, epochs: {spec.surrogate.epochs}")
        network, record = trained_by_gradients(spec, trial, network, "unpruned", seed, work)
        records.append(record)
    return Prepared(network, tuple(records), error)


def lesson_of(spec: Spec, trial: Trial) -> Supervised:
    """The training inputs of a task with their answers; raises `SpecError` where it has none."""
    lesson = trial.supervised
    if lesson is None:
        problem = Problem(
            "task.kind",
            f"{spec.task.kind!r}, which gives no answers to its training inputs",
            "a classification, a forecast, or a task that tells one series from another",
            "leave [surrogate] out",
        )
        raise SpecError("gradient training needs answers", problems=[problem])
    return lesson


def trained_by_gradients(
    spec: Spec,
    trial: Trial,
    network: Network,
    name: str,
    seed: int | None = None,
    work: GradientWork | None = None,
) -> tuple[Network, PassRecord]:
    """A network after the training that ``[surrogate]`` asks for, and the record.

    Args:
        spec: with that table.
        trial: gives inputs and answers.
        network: float.
        name: of the checkpoint.
        seed: overrides the spec's.
        work: checkpoints and progress.

    Raises:
        SpecError: the spec has no such table, or the task no answers to its training inputs.
        BackendMissingError: there is no torch.
    """
    if spec.surrogate is None:
        raise SpecError("surrogate: no such table; allowed: one, for gradient training")
    lesson = lesson_of(spec, trial)
    work = work or GradientWork()
    step = TrainSurrogate(lesson, spec.surrogate, work.checkpoint(name), work.resume, spec.quantize)
    context = Context(seed=spec.seed if seed is None else seed, progress=work.progress)
    return run_pass(network, step, context)


def _balance(table: BalanceSpec, trial: Trial) -> Balance:
    return Balance(trial.lesson, table.rate, table.spread, table.options)


def built_network(spec: Spec, trial: Trial, seed: int | None = None) -> Network:
    """The network of a spec with the channels of its task; nothing has learned yet."""
    driven = _driven(spec, trial.lesson.spiking)
    return build_hrsnn(driven, seed, n_inputs=trial.lesson.width)


def _driven(spec: Spec, spiking: bool) -> Spec:
    """The spec with input channels that carry what the task gives, where it does not say itself."""
    network = spec.network
    if network.input.target == "bias" or network.input.graded is not None:
        return spec
    layer = network.input.model_copy(update={"graded": not spiking})
    return spec.model_copy(update={"network": network.model_copy(update={"input": layer})})
