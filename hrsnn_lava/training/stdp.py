"""Unsupervised training by float STDP: rules drawn from distributions, then a run that learns.

Defaults are what was measured to help a reservoir: homogeneous A+ = 0.002, A-/A+ = 1.05, both
time constants 20 ms, weights bounded by 3 times their mean, 600 samples, then frozen. In that
setting STDP raised memory and saved spikes against none; drawing its parameters per synapse at
equal means lowered correlations but cost spikes (`experiments/stdp_memory.py` tells memory and
spikes). The papers give no values: all are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.distributions import Clip, Constant, Distribution, Gamma
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.network import Network, Projection
from hrsnn_lava.notebook import brief
from hrsnn_lava.plasticity import DRAWN_FIELDS, draw_stdp
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import PlasticSimulator, with_weights
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.simulation import Stimulus

__all__ = ["STDPOptions", "TrainSTDP", "TrainedSTDP", "attach_stdp", "train_stdp"]

Floats = NDArray[np.float64]
#: Steps of a spike recording between two calls of `progress`.
_CHUNK = 1000
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
    """

    a_plus: Distribution = _A_PLUS
    a_minus: Distribution = _A_MINUS
    tau_plus: Distribution = _TAU
    tau_minus: Distribution = _TAU
    ceiling: float = 3.0
    projections: tuple[str, ...] | None = None
    steps_per_sample: int = 10
    freeze: bool = True

    def __post_init__(self) -> None:
        problems = []
        if not self.ceiling > 0:
            problems.append(Problem("stdp.ceiling", f"{self.ceiling:g}", "> 0"))
        if self.steps_per_sample < 1:
            problems.append(Problem("stdp.steps_per_sample", f"{self.steps_per_sample}", ">= 1"))
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
    """

    network: Network
    gain: Mapping[str, float]
    at_floor: Mapping[str, float]
    at_ceiling: Mapping[str, float]
    rate: float


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
    inputs: Floats | SpikeInput,
    options: STDPOptions | None = None,
    rng: np.random.Generator | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> TrainedSTDP:
    """Let a network learn from its input.

    Args:
        network: projections that have rules keep them; when none has, `attach_stdp` gives some.
        inputs: (n, n_inputs) analog samples, each held, or a recording of input spikes.
        options: rules and lengths.
        rng: draws rules and initial potentials; None: default rules start from rest. It must be
            given when a distribution is drawn from.
        progress: called with the share that is done.

    Raises:
        SpecError: nothing can learn, or the input does not fit.
    """
    o = options or STDPOptions()
    if all(p.plasticity is None for p in network.projections):
        drawn = (o.a_plus, o.a_minus, o.tau_plus, o.tau_minus)
        if rng is None and not all(isinstance(d, Constant) for d in drawn):
            raise SpecError("rng: None; allowed: a generator, since parameters are drawn")
        network = attach_stdp(network, o, rng or np.random.Generator(np.random.Philox(0)))
    simulator = PlasticSimulator(network)
    simulator.reset(rng)
    spikes, steps = _run(simulator, inputs, o.steps_per_sample, progress)
    plastic = [p for p in network.projections if p.plasticity is not None]
    after = {p.name: simulator.weights(p.name) for p in plastic}
    trained = with_weights(network, after)
    if o.freeze:
        trained = trained.without_plasticity()
    return TrainedSTDP(
        trained.verify(),
        {p.name: _ratio(after[p.name], p.weights.data) for p in plastic},
        {p.name: _share(after[p.name] == 0) for p in plastic},
        {p.name: _share(_at_ceiling(p, after[p.name])) for p in plastic},
        spikes / max(1, steps * network.n_neurons),
    )


def _run(
    simulator: PlasticSimulator,
    inputs: Floats | SpikeInput,
    steps_per_sample: int,
    progress: Callable[[float], None],
) -> tuple[int, int]:
    """Drive the network; return spikes and steps."""
    spikes = 0
    if isinstance(inputs, SpikeInput):
        for first in range(0, inputs.n_steps, _CHUNK):
            steps = min(_CHUNK, inputs.n_steps - first)
            spikes += simulator.run_events(inputs, first, steps)[0].size
            progress((first + steps) / inputs.n_steps)
        return spikes, inputs.n_steps
    values = np.asarray(inputs, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != simulator.n_inputs:
        allowed = f"(n, {simulator.n_inputs}), one per channel"
        raise SpecError(f"inputs: shape {values.shape}; allowed: {allowed}")
    for k, value in enumerate(values):
        spikes += simulator.run(value, steps_per_sample)[0].size
        progress((k + 1) / len(values))
    return spikes, len(values) * steps_per_sample


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

    The rules stay on the network where it is to learn on the chip too. Our choice: the passes
    follow each other without a reset, and the potentials start at random.

    Attributes:
        lesson: what the network is shown, once a pass.
        projections: those that learn, by name, for the record: they have their rules already.
        train_passes: how often it is shown.
        on_chip: leave the rules on the trained network.
    """

    name: ClassVar[str] = "train_stdp"
    lesson: Stimulus = field(metadata={"record": False})
    projections: tuple[str, ...]
    train_passes: int = 1
    on_chip: bool = True

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The trained network, and rate, gain and weights at their bounds by projection."""
        lesson = self.lesson.repeated(self.train_passes)
        options = STDPOptions(steps_per_sample=lesson.block, freeze=not self.on_chip)
        rng = generator(context.seed or 0, self.name)
        result = train_stdp(network, lesson.inputs, options, rng)
        shares = {key: dict(getattr(result, key)) for key in ("gain", "at_floor", "at_ceiling")}
        return result.network, {"rate": result.rate, **shares}
