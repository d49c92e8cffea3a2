"""Training on the chip, in integers: the program learns by its own rules while samples are shown.

The same course as float training takes (`hrsnn_lava.training.course`), run by an engine. Before a
sample the state goes back to rest (currents, potentials, messages on their way, spike traces),
while learned weights and tags stay, and so does the number of steps: the random numbers of
stochastic rounding go on, or every sample would be rounded by the same ones. That is our choice; a
host does it on a chip by writing zeros to the states and leaving the synaptic memory alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.csr import from_rows, rows_of, with_values
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.findings import Finding, worst_first
from hrsnn_lava.integer_format import STATE_SHIFT
from hrsnn_lava.options import Count, options
from hrsnn_lava.plasticity import Schedule
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import Backend, backend_of, runnable
from hrsnn_lava.sim_backends.runs.inputs import part_of
from hrsnn_lava.sim_backends.runs.session import Session, State
from hrsnn_lava.sim_backends.state import at_rest
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
from hrsnn_lava.training.stdp import source_fan_out

__all__ = ["ChipLearner", "ChipTraining", "TrainedProgram", "learned_network", "train_on_chip"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
#: Engine of a run with the weights held, where no other is asked for.
_HELD = "native"
_TEXT = "train on the chip"


@dataclass(frozen=True, eq=False)
class TrainedProgram:
    """What training on the chip left.

    network:   with the learned weights and tags
    weights:   learned weights, and tags that rules change, (nnz,) int32, named as in
               `hrsnn_lava.trace.Trace.weights`
    gain:      mean magnitude after / before, by projection that learned
    at_floor, at_ceiling: share of its synapses at 0 and at the largest weight of its sign mode
    outline:   spikes, steps, time, and the history of rates and weights
    findings:  what a user has to know
    """

    network: QuantizedNetwork
    weights: dict[str, NDArray[Any]]
    gain: dict[str, float]
    at_floor: dict[str, float]
    at_ceiling: dict[str, float]
    outline: Outline
    findings: tuple[Finding, ...]

    @property
    def rate(self) -> float:
        """Spikes per neuron and step over the training."""
        return self.outline.rate

    @property
    def history(self) -> History:
        """Rates and weights, row by row."""
        return self.outline.history


@options
class ChipTraining:
    """How a program is shown its lesson.

    Attributes:
        epochs: how often all of the input is shown.
        schedule: resets, silence and order of the samples.
        steps_per_sample: steps for which a value is held, where the input is values.
        freeze: take the rules off the trained network.
    """

    epochs: Count = 1
    schedule: Schedule = Schedule()
    steps_per_sample: Count = 10
    freeze: bool = True


def train_on_chip(
    network: Any,
    inputs: Lesson,
    options: ChipTraining | None = None,
    *,
    seed: int = 0,
    backend: str | Backend = "native",
    progress: Progress = silent,
    monitoring: Monitoring | None = None,
) -> TrainedProgram:
    """Let a program learn from its input by its own rules.

    Args:
        network: `QuantizedNetwork` or `CompiledNetwork` with projections that learn.
        inputs: see `hrsnn_lava.training.stdp.train_stdp`; held values are in the float network's
            unit, and go in by the payload scales of the inputs.
        options: epochs, resets and order.
        seed: of the order and of the initial potentials; not of the rounding, which is the rule's.
        backend: engine; one that hands out no states, as Lava, takes ``reset = "none"`` alone and
            keeps no checkpoints.
        progress, monitoring: see `hrsnn_lava.training.stdp.train_stdp`.

    Raises:
        SpecError: nothing learns, the input does not fit, or the engine cannot reset.
        ArtifactError: the checkpoint is damaged.
    """
    o = options or ChipTraining()
    program = runnable(network)
    if all(p.learning is None for p in program.projections):
        raise SpecError("network: no projection learns; allowed: one with learning rules")
    stimulus = stimulus_of(inputs, program.n_inputs, o.steps_per_sample)
    limits = monitoring or Monitoring()
    course = Course(stimulus, o.schedule, o.epochs, seed)
    engine = backend_of(backend)
    if not engine.keeps_state:
        course = _without_states(engine, course, limits)
    checkpoint = Checkpoint.of(limits, course, program.digest, "chip")
    with Session(program, backend=engine) as session:
        learner = ChipLearner(session, stimulus)
        outline = run_course(learner, course, limits, checkpoint, progress, _TEXT)
        after, shares = session.weights(), learner.shares()
    gain = {}
    for name in learner.names:
        start = np.abs(program.projection(name).effective_weights().data.astype(np.float64)).sum()
        gain[name] = float(np.abs(after[name].astype(np.float64)).sum() / start) if start else 1.0
    trained = learned_network(program, after, freeze=o.freeze)
    told = findings_of(outline.history, limits)
    return TrainedProgram(
        trained,
        after,
        gain,
        {name: share[0] for name, share in shares.items()},
        {name: share[1] for name, share in shares.items()},
        outline,
        worst_first((*told, *(_off_grid(program, after) if o.freeze else ()))),
    )


def _off_grid(program: QuantizedNetwork, weights: dict[str, NDArray[Any]]) -> Iterator[Finding]:
    """Learned weights that a projection without rules cannot hold."""
    for projection in program.projections:
        if projection.learning is None:
            continue
        grid = projection.sign_mode.grid(projection.num_weight_bits)
        off = int(np.sum(weights[projection.name] % grid != 0))
        if off:
            yield Finding(
                "warning",
                f"projection {projection.name!r}",
                f"{off} of {weights[projection.name].size} weights are between the steps "
                f"of {grid} that fixed weights of this sign mode have",
                "they were truncated when the rules were taken off",
                "keep the rules, or use one sign a projection, whose grid has steps of 1",
                kind="training_frozen",
            )


def _without_states(engine: Backend, course: Course, limits: Monitoring) -> Course:
    """The course of an engine that hands out no states: it starts at rest and runs through."""
    if course.stimulus.starts is not None and course.schedule.reset == "sample":
        raise SpecError(
            f"schedule.reset: 'sample' on {engine.name}, whose state stays where it runs; allowed: "
            "'none', or another engine"
        )
    if limits.checkpoint is not None:
        raise SpecError(f"checkpoint: given; allowed: None on {engine.name}, which hands out none")
    return replace(course, potentials=False)


def learned_network(
    network: QuantizedNetwork, weights: dict[str, NDArray[Any]], *, freeze: bool = True
) -> QuantizedNetwork:
    """The network with learned weights.

    Args:
        network: that learned.
        weights: as `hrsnn_lava.trace.Trace.weights` has them, (nnz,) int32; tags, too.
        freeze: take the rules off, and what sends third factors to them. Otherwise they stay, with
            the tags as learned, and a synapse whose weight became 0 goes on to learn.
    """
    for projection in network.projections:
        if projection.learning is None:
            continue
        name = projection.name
        data = np.asarray(weights[name], dtype=np.int32)
        matrix = with_values(projection.weights, data)
        new = replace(projection, weights=matrix, learning=None)
        if not freeze:
            # a synapse that was truncated to 0 at the start never learns, one that got there may
            live = np.flatnonzero(projection.plastic_synapses())
            values: dict[str, Any] = {
                tag: weights[f"{name}/{tag}"]
                for tag in ("tag_1", "tag_2")
                if f"{name}/{tag}" in weights
            }
            learning = replace(projection.learning, plastic_zeros=True, **values).select(live)
            rows = rows_of(matrix)[live]
            matrix = from_rows(rows, matrix.indices[live], data[live], matrix.shape)
            new = replace(projection, weights=matrix, learning=learning)
        network = network.with_projection(new)
    if freeze:  # third factors are heard by rules alone
        spikes = tuple(p for p in network.projections if p.target != "factor")
        network = replace(network, projections=spikes)
    return network.verify()


class ChipLearner:
    """A program on an engine, as a `hrsnn_lava.training.course.Learner`.

    Args:
        session: of the program, at rest.
        stimulus: that it is shown.
    """

    def __init__(self, session: Session, stimulus: Stimulus) -> None:
        self._session, self._stimulus = session, stimulus
        self._network = network = session.network
        self.names = tuple(p.name for p in network.projections if p.learning is not None)
        self.fan_out = source_fan_out(network)
        self._events = _events(network, stimulus)
        self._threshold = network.gather("vth").astype(np.int64) << STATE_SHIFT
        self._states = session.backend.keeps_state

    @property
    def n_neurons(self) -> int:
        """See `Learner.n_neurons`."""
        return self._network.n_neurons

    def fresh(self, rng: np.random.Generator | None) -> None:
        """See `Learner.fresh`; without states there is nothing to do, since it is at rest."""
        if not self._states:
            return
        potential = None
        if rng is not None:
            drawn = np.floor(rng.random(self.n_neurons) * self._threshold)
            potential = drawn.astype(np.int32)
        self._session.rest(potential)

    def show(self, begin: int, end: int) -> Counts:
        """See `Learner.show`."""
        block = self._stimulus.block
        return self._run(self._session, self._events, begin * block, (end - begin) * block)

    def quiet(self, steps: int) -> Counts:
        """See `Learner.quiet`."""
        return self._run(self._session, _nothing(self._network, self._stimulus, steps), 0, steps)

    def _run(self, session: Session, events: SpikeInput, first: int, steps: int) -> Counts:
        counts = np.zeros(self.n_neurons, dtype=np.int64)
        for at in range(first, first + steps, session.stretch_steps):
            count = min(session.stretch_steps, first + steps - at)
            trace = session.advance(part_of(events, at, count))
            counts += trace.counts()
        return counts

    def weights(self) -> dict[str, NDArray[Any]]:
        """See `Learner.weights`."""
        now = self._session.weights()
        return {name: now[name] for name in self.names}

    def shares(self) -> dict[str, tuple[float, float]]:
        """See `Learner.shares`; weights of both signs have a ceiling on either side."""
        result = {}
        for name, weights in self.weights().items():
            low, high = self._network.projection(name).sign_mode.limits
            ends = [end for end in (low, high) if end]
            top = np.isin(weights, ends)
            empty = not weights.size
            floor = 0.0 if empty else float(np.mean(weights == 0))
            result[name] = (floor, 0.0 if empty else float(np.mean(top)))
        return result

    def held_spikes(self, pieces: Sequence[Piece], rng: np.random.Generator | None) -> int:
        """See `Learner.held_spikes`: the program without its rules, in a run of its own."""
        held = learned_network(self._network, self._session.weights())
        key = None if rng is None else int(rng.integers(2**62))
        total, block = 0, self._stimulus.block
        with Session(held, backend=_HELD) as session:
            rest = session.state()
            for k, piece in enumerate(pieces):
                if piece.fresh or k == 0:
                    arrays = dict(rest.arrays)
                    if key is not None:
                        draw = np.random.Generator(np.random.Philox(key)).random(self.n_neurons)
                        arrays["v"] = np.floor(draw * self._threshold).astype(np.int32)
                    session.restore(State(0, rest.network_digest, arrays))
                steps = (piece.end - piece.begin) * block
                total += int(self._run(session, self._events, piece.begin * block, steps).sum())
        return total

    def state(self, whole: bool) -> dict[str, NDArray[Any]]:
        """See `Learner.state`; the number of steps is always part of it."""
        state = self._session.state()
        arrays = dict(state.arrays) if whole else at_rest(state.arrays)
        return arrays | {"step": np.array(state.step, dtype=np.int64)}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """See `Learner.restore`."""
        step = arrays.get("step")
        if step is None or step.shape != () or step.dtype.kind != "i":
            raise ArtifactError("step: not the number of steps of a run")
        rest = {name: array for name, array in arrays.items() if name != "step"}
        if "held" not in rest or rest["held"].shape != (self._network.n_inputs,):
            raise ArtifactError("held: not the values of this network's channels")
        self._session.restore(State(int(step), self._session.network_digest, rest))


def _events(network: QuantizedNetwork, stimulus: Stimulus) -> SpikeInput:
    """The whole stimulus as the program takes it."""
    if isinstance(stimulus.inputs, SpikeInput):
        return stimulus.inputs
    counts = np.rint(stimulus.inputs * payload_scales(network)).astype(np.int64)
    return SpikeInput.held(counts, stimulus.block)


def _nothing(network: QuantizedNetwork, stimulus: Stimulus, steps: int) -> SpikeInput:
    """Silence: no event, and 0 on channels that were held."""
    if stimulus.spiking:
        return SpikeInput.empty(steps, network.n_inputs)
    return SpikeInput.held(np.zeros((1, network.n_inputs), dtype=np.int64), steps)


def payload_scales(network: QuantizedNetwork) -> Floats:
    """Payload counts of 1.0 on every channel, (n_inputs,); 1 on channels of plain spikes."""
    scales = [p.payload_scale or 1.0 for p in network.input_populations]
    sizes = [p.size for p in network.input_populations]
    return np.repeat(np.asarray(scales, dtype=np.float64), sizes)
