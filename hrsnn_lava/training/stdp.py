"""Unsupervised training by float STDP: rules drawn from distributions, then a run that learns.

Defaults are what was measured to help a reservoir: homogeneous A+ = 0.002, A-/A+ = 1.05, both
time constants 20 ms, weights bounded by 3 times their mean, 600 samples, then frozen. In that
setting STDP raised memory and saved spikes against none; drawing its parameters per synapse at
equal means lowered correlations but cost spikes (`experiments/stdp_memory.py` tells memory and
spikes). The papers give no values: all are our choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.csr import fan_out
from hrsnn_lava.distributions import Clip, Constant, Distribution, Gamma
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network, Projection
from hrsnn_lava.notebook import brief
from hrsnn_lava.plasticity import DRAWN_FIELDS, Schedule, draw_stdp
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.floating.simulator import PlasticSimulator, with_weights
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.course import (
    Checkpoint,
    Course,
    Lesson,
    Outline,
    Piece,
    run_course,
    stimulus_of,
)
from hrsnn_lava.training.monitoring import History, Monitoring, findings_of
from hrsnn_lava.training.simulation import Stimulus

__all__ = [
    "FloatLearner",
    "STDPOptions",
    "TrainSTDP",
    "TrainedSTDP",
    "attach_stdp",
    "source_fan_out",
    "train_stdp",
]

Floats = NDArray[np.float64]
#: A learned weight below this share of the largest one before training is 0 (ours).
REMAINS = 1e-30
Counts = NDArray[np.int64]
_A_PLUS, _A_MINUS, _TAU = Constant(0.002), Constant(0.0021), Constant(0.020)


@brief("a_plus", "a_minus", "tau_plus", "tau_minus", "ceiling", in_cells=False)
@dataclass(frozen=True)
class STDPOptions:
    """Rules of the plastic projections, and how long they act.

    Attributes:
        a_plus, a_minus: amplitudes in units of the projection's w_max.
        tau_plus, tau_minus: time constants in seconds.
        ceiling: w_max in units of the mean weight of the projection.
        projections: names of those that learn; None: all synapses with positive weights onto
            excitatory neurons, inputs' included.
        steps_per_sample: steps for which an analog sample is held.
        freeze: take the rules off the trained network.
        epochs: how often all of the input is shown.
        schedule: resets, silence and order of the samples.
    """

    a_plus: Distribution = _A_PLUS
    a_minus: Distribution = _A_MINUS
    tau_plus: Distribution = _TAU
    tau_minus: Distribution = _TAU
    ceiling: float = 3.0
    projections: tuple[str, ...] | None = None
    steps_per_sample: int = 10
    freeze: bool = True
    epochs: int = 1
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        problems = []
        if not self.ceiling > 0:
            problems.append(Problem("stdp.ceiling", f"{self.ceiling:g}", "> 0"))
        if self.steps_per_sample < 1:
            problems.append(Problem("stdp.steps_per_sample", f"{self.steps_per_sample}", ">= 1"))
        if self.epochs < 1:
            problems.append(Problem("stdp.epochs", f"{self.epochs}", ">= 1"))
        raise_if(SpecError, "options of the STDP", problems)

    @classmethod
    def heterogeneous(
        cls, shape: float = 3.0, a_plus: float = 0.002, ratio: float = 1.05, tau: float = 0.020
    ) -> STDPOptions:
        """The same means, each parameter of each synapse drawn from a Gamma of its own.

        The mean of every drawn sample is forced to be exact, so that this arm differs from the
        homogeneous one in spread alone.
        """

        def gamma(mean: float) -> Gamma:
            return Gamma(shape, mean, Clip(exact_mean=True))

        return cls(gamma(a_plus), gamma(a_plus * ratio), gamma(tau), gamma(tau))


@dataclass(frozen=True, eq=False)
class TrainedSTDP:
    """What training left.

    network:            with the learned weights; synapses at 0 are gone
    gain:               mean magnitude after / before, by projection that learned
    at_floor, at_ceiling: share of its synapses at 0 and at w_max
    rate:               spikes per neuron and step over the training
    weights:            learned, (nnz,) by projection, in the order of the network that was given,
                        synapses at 0 among them: what controls are made of
    outline:            spikes, steps, time, and the history of rates and weights
    findings:           what a user has to know: runaway rates, weights that have not settled or
                        are at their bounds
    """

    network: Network
    gain: Mapping[str, float]
    at_floor: Mapping[str, float]
    at_ceiling: Mapping[str, float]
    rate: float
    weights: Mapping[str, Floats]
    outline: Outline
    findings: tuple[Finding, ...]

    @property
    def history(self) -> History:
        """Rates and weights, row by row."""
        return self.outline.history


def _learning(network: Network, names: tuple[str, ...] | None) -> list[Projection]:
    if names is not None:
        return [network.projection(name) for name in names]
    return [
        p
        for p in network.projections
        if p.target == "synapse"
        and network.population(p.post).sign != "inhibitory"
        and p.n_synapses
        and p.weights.data.min() > 0
    ]


def attach_stdp(network: Network, options: STDPOptions, rng: np.random.Generator) -> Network:
    """Give the chosen projections rules drawn from the options' distributions.

    Args:
        rng: drawn from for each projection in order: a_plus, a_minus, tau_plus, tau_minus.

    Raises:
        SpecError: no projection can learn.
    """
    projections = _learning(network, options.projections)
    if not projections:
        raise SpecError(
            "stdp.projections: none; allowed: at least one with positive weights onto excitatory "
            "neurons. Name the projections that are to learn"
        )
    for projection in projections:
        sources = {field: getattr(options, field) for field in DRAWN_FIELDS}
        rule = draw_stdp(sources, projection.weights.data, options.ceiling, lambda _: rng)
        network = network.with_projection(replace(projection, plasticity=rule))
    return network.verify()


def train_stdp(
    network: Network,
    inputs: Lesson,
    options: STDPOptions | None = None,
    rng: np.random.Generator | None = None,
    progress: Progress = silent,
    *,
    seed: int | None = None,
    monitoring: Monitoring | None = None,
) -> TrainedSTDP:
    """Let a network learn from its input, without labels.

    Args:
        network: projections that have rules keep them; when none has, `attach_stdp` gives some.
        inputs: (n, n_inputs) analog samples, each held; a recording of input spikes, whose
            ``samples`` say where samples begin; a list of recordings, or of arrays, one a sample;
            a `Stimulus`.
        options: rules, lengths, epochs, resets and order.
        rng: draws rules and, where `seed` is not given, that; it must be given when a
            distribution is drawn from.
        progress: told how far the training is.
        seed: of the order of the samples and of their initial potentials. Without one and without
            `rng` it is 0, and all potentials start at rest.
        monitoring: how often it is watched, what is told of, and where it is kept to go on from
            after a kill.

    Raises:
        SpecError: nothing can learn, the input does not fit, or the checkpoint is another's.
        ArtifactError: the checkpoint is damaged.
    """
    o, limits = options or STDPOptions(), monitoring or Monitoring()
    if all(p.plasticity is None for p in network.projections):
        drawn = (o.a_plus, o.a_minus, o.tau_plus, o.tau_minus)
        if rng is None and not all(isinstance(d, Constant) for d in drawn):
            raise SpecError("rng: None; allowed: a generator, since parameters are drawn")
        network = attach_stdp(network, o, rng or np.random.Generator(np.random.Philox(0)))
    random = seed is not None or rng is not None
    if seed is None:
        seed = 0 if rng is None else int(rng.integers(2**62))
    stimulus = stimulus_of(inputs, network.n_inputs, o.steps_per_sample)
    course = Course(stimulus, o.schedule, o.epochs, seed, random)
    learner = FloatLearner(network, stimulus)
    checkpoint = Checkpoint.of(limits, course, network.digest, "float")
    outline = run_course(learner, course, limits, checkpoint, progress)
    shares = learner.shares()
    after = {
        name: without_remains(weights, network.projection(name).weights.data)
        for name, weights in learner.weights().items()
    }
    trained = with_weights(network, after)
    if o.freeze:
        trained = trained.without_plasticity()
    return TrainedSTDP(
        trained.verify(),
        {name: _ratio(after[name], network.projection(name).weights.data) for name in after},
        {name: share[0] for name, share in shares.items()},
        {name: share[1] for name, share in shares.items()},
        outline.rate,
        after,
        outline,
        findings_of(outline.history, limits),
    )


def without_remains(weights: Floats, before: Floats) -> Floats:
    """Learned weights, 0 where next to nothing is left of them, (nnz,).

    At the lower bound a trace that has decayed for thousands of steps still adds something to a
    weight, such as 1e-61, by which no integer can be scaled. What is below `REMAINS` times the
    largest weight before training is 0.
    """
    least = REMAINS * float(np.abs(before).max(initial=0.0))
    return np.where(np.abs(weights) < least, 0.0, weights)


class FloatLearner:
    """A float network on the compiled kernels, as a `Learner`.

    Args:
        network: with its rules.
        stimulus: that it is shown.
    """

    def __init__(self, network: Network, stimulus: Stimulus) -> None:
        self.simulator = PlasticSimulator(network)
        self._network, self._stimulus = network, stimulus
        self.names = tuple(p.name for p in network.projections if p.plasticity is not None)
        self.fan_out = source_fan_out(network)

    @property
    def n_neurons(self) -> int:
        """See `Learner.n_neurons`."""
        return self.simulator.n_neurons

    def fresh(self, rng: np.random.Generator | None) -> None:
        """See `Learner.fresh`."""
        self.simulator.reset(rng)

    def show(self, begin: int, end: int) -> Counts:
        """See `Learner.show`."""
        who = self._stimulus.run_blocks(self.simulator, begin, end)[1]
        return np.bincount(who, minlength=self.n_neurons)

    def quiet(self, steps: int) -> Counts:
        """See `Learner.quiet`."""
        none = SpikeInput.empty(steps, self.simulator.n_inputs)
        who = self.simulator.run_events(none)[1]
        return np.bincount(who, minlength=self.n_neurons)

    def weights(self) -> dict[str, NDArray[Any]]:
        """See `Learner.weights`."""
        return {name: self.simulator.weights(name) for name in self.names}

    def shares(self) -> dict[str, tuple[float, float]]:
        """See `Learner.shares`."""
        result = {}
        for name, weights in self.weights().items():
            at_ceiling = _at_ceiling(self._network.projection(name), weights)
            result[name] = (_share(weights == 0), _share(at_ceiling))
        return result

    def held_spikes(self, pieces: Sequence[Piece], rng: np.random.Generator | None) -> int:
        """See `Learner.held_spikes`; the state is as it was before."""
        simulator, total = self.simulator, 0
        before = simulator.snapshot()
        simulator.learning = False
        key = None if rng is None else int(rng.integers(2**62))
        for k, piece in enumerate(pieces):
            if piece.fresh or k == 0:
                simulator.reset(None if key is None else np.random.Generator(np.random.Philox(key)))
            total += int(self.show(piece.begin, piece.end).sum())
        simulator.learning = True
        simulator.restore(before)
        return total

    def state(self, whole: bool) -> dict[str, NDArray[Any]]:
        """See `Learner.state`."""
        return self.simulator.state_arrays() if whole else self.weights()

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """See `Learner.restore`."""
        if set(arrays) == set(self.names):
            self.simulator.set_weights(arrays)
        else:
            self.simulator.restore_arrays(arrays)


def source_fan_out(network: Network | QuantizedNetwork) -> NDArray[Any]:
    """Synapses that a spike of each neuron and channel reaches, (n_neurons + n_inputs,)."""
    n = network.n_neurons
    pieces = []
    for p in network.projections:
        if p.target == "synapse":
            first = network.offset(p.pre) + (n if network.population(p.pre).is_input else 0)
            pieces.append((p.weights, first))
    return fan_out(pieces, n + network.n_inputs)


def _ratio(after: Floats, before: Floats) -> float:
    total = float(np.abs(before).sum())
    return float(np.abs(after).sum()) / total if total else 1.0


def _share(which: NDArray[np.bool_]) -> float:
    return float(np.mean(which)) if which.size else 0.0


def _at_ceiling(projection: Projection, weights: Floats) -> NDArray[np.bool_]:
    rule = projection.plasticity
    if rule is None:
        return np.zeros(weights.size, dtype=np.bool_)
    bound = rule.values("w_max", weights.size)
    return np.asarray(np.abs(weights) >= bound * (1 - 1e-12))


@dataclass(frozen=True, eq=False)
class TrainSTDP(Pass[Network, Network]):
    """Float STDP over what a task shows in training, `train_passes` times.

    The rules stay on the network where it is to learn on the chip too. Where the task starts
    afresh with every sample, so does the network here, by the schedule; a series runs through,
    pass after pass. Potentials start at random.

    Attributes:
        lesson: what the network is shown, once a pass.
        projections: those that learn, by name, for the record: they have their rules already.
        train_passes: how often it is shown.
        on_chip: leave the rules on the trained network.
        schedule: resets, silence and order of the samples.
    """

    name: ClassVar[str] = "train_stdp"
    lesson: Stimulus = field(metadata={"record": False})
    projections: tuple[str, ...]
    train_passes: int = 1
    on_chip: bool = True
    schedule: Schedule = field(default_factory=Schedule)

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The trained network; rate, gain, weights at their bounds by projection, and history."""
        options = STDPOptions(
            steps_per_sample=self.lesson.block,
            freeze=not self.on_chip,
            epochs=self.train_passes,
            schedule=self.schedule,
        )
        seed = context.seed or 0
        result = train_stdp(network, self.lesson, options, progress=context.progress, seed=seed)
        shares = {key: dict(getattr(result, key)) for key in ("gain", "at_floor", "at_ceiling")}
        report = {"rate": result.rate, **shares, "history": result.history.table()}
        return result.network, report | {"findings": result.findings}
