"""Training alone: of a spec on the inputs of its task, of a network on a recording or a task."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.learning.lowering import LowerSTDP
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.compiler.pipeline import run_pass
from hrsnn_lava.csr import drives
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.experiment.compilation import Target
from hrsnn_lava.experiment.preparation import built_network, lesson_of, prepare
from hrsnn_lava.experiment.run import input_is_unseen, trial_of
from hrsnn_lava.findings import worst_first
from hrsnn_lava.network import Network
from hrsnn_lava.plasticity import Schedule
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.seeding import generator
from hrsnn_lava.spec import Spec
from hrsnn_lava.surrogate_options import SurrogateOptions
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.balance import rates
from hrsnn_lava.training.chip_stdp import ChipTraining, TrainedProgram, train_on_chip
from hrsnn_lava.training.monitoring import Monitoring
from hrsnn_lava.training.simulation import Stimulus
from hrsnn_lava.training.stdp import STDPOptions, TrainedSTDP, attach_stdp, train_stdp
from hrsnn_lava.training.surrogate import TrainedSurrogate, train_surrogate
from hrsnn_lava.training.surrogate_checkpoint import Keep
from hrsnn_lava.training.surrogate_torch import find_torch

__all__ = ["TrainingPlan", "train_by_gradients", "train_network", "train_spec"]

#: Spikes at once that a trace of the chip holds, where a network and no spec is lowered: as a spec
#: has it by default.
HEADROOM = 16.0


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    Attributes:
        epochs: how often all of the input is shown; None: the spec's ``train_passes``, else 1.
        on_chip: learn in the chip's integers; a quantized network always does.
        schedule: resets, silence and order; None: the spec's, else the default.
        keep_rules: leave the rules on the network, so that it goes on to learn.
        seed: of rules, order and potentials; None: the spec's, else 0.
        backend: engine that learns on the chip's integers.
        monitoring: how often the training is watched and saved, and where.
    """

    epochs: int | None = None
    on_chip: bool = False
    schedule: Schedule | None = None
    keep_rules: bool = False
    seed: int | None = None
    backend: str = "native"
    monitoring: Monitoring | None = None


def train_spec(
    spec: Spec, plan: TrainingPlan | None = None, progress: Progress = silent
) -> TrainedSTDP | TrainedProgram:
    """Build the network of a spec and train it on what its task shows in training.

    Rules are those of ``[stdp]``; without that table, `attach_stdp` gives the default ones.

    Raises:
        SpecError: the data cannot be had, or the network would not see its input.
        CapacityError: learning on a chip that cannot.
    """
    plan = plan or TrainingPlan()
    if plan.seed is not None:
        spec = spec.model_copy(update={"seed": plan.seed})
    trial = trial_of(spec)
    if input_is_unseen(spec, trial):
        raise SpecError(
            'network.input.target: "synapse"; allowed: "bias" to train on held values, since '
            "nothing sends those to synapses while a network is trained"
        )
    progress("build the network", None)
    network = built_network(spec, trial)
    table = spec.stdp
    if table is not None:
        schedule = plan.schedule or table.schedule
        plan = replace(plan, epochs=plan.epochs or table.train_passes or 1, schedule=schedule)
    plan = replace(plan, seed=spec.seed)
    result: TrainedSTDP | TrainedProgram
    if plan.on_chip:
        network = _with_rules(network, spec.seed)
        measured = rates(network, trial.lesson, seed=spec.seed)
        integers = Target.of(spec).quantized(network, trial.lesson, measured)[0]
        result = _on_chip(integers, trial.lesson, plan, progress)
    else:
        result = _in_float(network, trial.lesson, plan, progress)
    return replace(result, findings=worst_first((*trial.findings, *result.findings)))


def train_by_gradients(
    spec: Spec,
    network: Network | None = None,
    *,
    epochs: int | None = None,
    keep: Keep | None = None,
    progress: Progress = silent,
) -> TrainedSurrogate:
    """Train a network by gradients on the task of a spec, as ``[surrogate]`` there says.

    Args:
        spec: task and options; without that table, the default ones.
        network: float, such as a pruned one; None: that of the spec, its rates balanced and
            trained by STDP where the spec has tables for it.
        epochs: overrides the spec's.
        keep: where the training is kept.
        progress: told how far it is.

    Raises:
        SpecError: the task has no answers to its training inputs, or does not fit the network.
        BackendMissingError: there is no torch.
    """
    options = spec.surrogate or SurrogateOptions()
    if epochs is not None:
        options = replace(options, epochs=epochs)
    find_torch(options.device)
    trial = trial_of(spec)
    lesson = lesson_of(spec, trial)
    if network is None:
        plain = spec.model_copy(update={"surrogate": None})
        network = prepare(plain, trial, say=lambda text: progress(text, None)).network
    result = train_surrogate(
        network,
        lesson,
        options,
        seed=spec.seed,
        progress=progress,
        keep=keep,
        quantize=spec.quantize,
    )
    return replace(result, findings=worst_first((*trial.findings, *result.findings)))


def train_network(
    network: Network | QuantizedNetwork,
    inputs: Stimulus | SpikeInput,
    plan: TrainingPlan | None = None,
    progress: Progress = silent,
) -> TrainedSTDP | TrainedProgram:
    """Train a network on a recording.

    Args:
        network: float; or quantized, whose rules are its own, and which learns on the chip.
        inputs: spikes of its channels; ``samples`` say where the network starts afresh.

    Raises:
        SpecError: nothing can learn, or the input does not fit.
    """
    plan = plan or TrainingPlan()
    if isinstance(network, QuantizedNetwork):
        return _on_chip(network, inputs, plan, progress)
    held = [p.name for p, _, _ in drives(network)]
    if held and isinstance(inputs, SpikeInput):
        problem = Problem(
            f"projection {held[0]!r}",
            "takes held values",
            "spikes, which the input has",
            "train the spec of its task, or the quantized network",
        )
        raise SpecError("the network does not take this input", problems=[problem])
    if not plan.on_chip:
        return _in_float(network, inputs, plan, progress)
    seed = plan.seed or 0
    network = _with_rules(network, seed)
    step = Quantize(stdp=LowerSTDP(headroom=HEADROOM, seed=seed))
    integers: QuantizedNetwork = run_pass(network, step, Context(seed=seed))[0]
    return _on_chip(integers, inputs, plan, progress)


def _with_rules(network: Network, seed: int) -> Network:
    if any(p.plasticity is not None for p in network.projections):
        return network
    return attach_stdp(network, STDPOptions(), generator(seed, "train_stdp/rules"))


def _in_float(
    network: Network, inputs: Stimulus | SpikeInput, plan: TrainingPlan, progress: Progress
) -> TrainedSTDP:
    seed = plan.seed or 0
    options = STDPOptions(
        epochs=plan.epochs or 1, schedule=plan.schedule or Schedule(), freeze=not plan.keep_rules
    )
    return train_stdp(
        _with_rules(network, seed),
        inputs,
        options,
        progress=progress,
        seed=seed,
        monitoring=plan.monitoring,
    )


def _on_chip(
    network: QuantizedNetwork, inputs: Stimulus | SpikeInput, plan: TrainingPlan, progress: Progress
) -> TrainedProgram:
    return train_on_chip(
        network,
        inputs,
        ChipTraining(
            epochs=plan.epochs or 1,
            schedule=plan.schedule or Schedule(),
            freeze=not plan.keep_rules,
        ),
        seed=plan.seed or 0,
        backend=plan.backend,
        progress=progress,
        monitoring=plan.monitoring,
    )
