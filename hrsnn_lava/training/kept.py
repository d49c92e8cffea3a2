"""What a network keeps when it is pruned, measured without any task.

Two networks are shown the same input, and everything that a readout or an analysis could ask of
their dynamics is compared: rates, spike traces and their covariances, the largest Lyapunov
exponents, eigenvalues of the recurrent weights, and how much of the input is still there later
(linear memory, Jaeger 2001). Nothing here knows of a task, so it serves networks of any origin.

Where no input is given, it is that of `hrsnn_lava.training.random_input`. Memory is always that of
such an input, since it is defined for independent values; where an input is given, the channels
that spike have its rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.arrays import arrays_on
from hrsnn_lava.compiler.analysis.dynamics.driven_lif import HeldInput
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    ParticipationOptions,
    participation_exponents,
)
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.analysis.dynamics.spectral_radius import SpectralEdge, spectral_edge
from hrsnn_lava.compiler.analysis.dynamics.trace_covariance import FORGOTTEN, trace_covariance
from hrsnn_lava.csr import held_drive
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.metrics.memory import MemoryCurve, past_values, squared_correlations
from hrsnn_lava.network import Network
from hrsnn_lava.options import Count, options
from hrsnn_lava.resets import require_single_spikes
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.trace import SpikeInput, Trace
from hrsnn_lava.training.course import Lesson, stimulus_of
from hrsnn_lava.training.random_input import random_input
from hrsnn_lava.training.ridge import ridge_search
from hrsnn_lava.training.simulation import Stimulus

__all__ = [
    "Kept",
    "KeptOptions",
    "Measured",
    "compare",
    "kept",
    "measure",
    "sampled_traces",
    "without_recurrence",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: How an input that was given is told of.
GIVEN = "the events given"
#: First samples that nothing is fitted to or averaged over, and the shares that train and choose.
WASHOUT, TRAIN, VALIDATION = 100, 0.6, 0.15
#: Penalties of the memory's readout, relative to the features' mean square.
ALPHAS = (1e-4, 1e-3, 1e-2, 1e-1)


@options
class KeptOptions:
    """How long a network is watched; all values are our choice.

    Attributes:
        samples: of the random input.
        steps_per_sample: network steps for which a value is held, and time constant of the spike
            traces.
        delays: longest delay of the memory, in samples.
        exponents: largest Lyapunov exponents that are followed, with surrogate slopes.
        exponent_steps: over which they are averaged.
        neurons: at most so many, evenly spread, enter covariances, traces and memory.
        channels: at most so many input channels, evenly spread, are asked for by memory.
    """

    samples: Count = 2000
    steps_per_sample: Count = 10
    delays: Count = 15
    exponents: Count = 4
    exponent_steps: Count = 500
    neurons: Count = 1000
    channels: Count = 32

    def __post_init__(self) -> None:
        problems = []
        least = 2 * WASHOUT
        if self.samples < least:
            problems.append(Problem("samples", f"{self.samples}", f">= {least}"))
        if self.delays > WASHOUT:
            problems.append(Problem("delays", f"{self.delays}", f"<= {WASHOUT}"))
        raise_if(SpecError, "what is kept cannot be measured", problems)


@dataclass(frozen=True, eq=False)
class Measured:
    """What a run showed of one network.

    Attributes:
        rates: (n_neurons,) spikes per step.
        sops: recurrent synaptic operations per step.
        exponents: (k,) largest Lyapunov exponents in 1/s, largest first; None where there is
            nothing to follow.
        edge: outermost eigenvalues of the recurrent weights.
        memory: of the input channels, summed over those that were asked; None without inputs.
        channels: how many of them were asked.
        neurons: (m,) indices of the neurons whose covariances and traces these are.
        covariance: (m, m) of their spike traces.
        traces: (n_samples, m) the traces at the end of every sample, the washout left out.
        active: (m,) whether they fired after the washout.
    """

    rates: Floats
    sops: float
    exponents: Floats
    edge: SpectralEdge
    memory: MemoryCurve | None
    channels: int
    neurons: Ints
    covariance: Floats
    traces: Floats
    active: NDArray[np.bool_]

    def figures(self) -> dict[str, Any]:
        """Single numbers, as tables and JSON show them."""
        return {
            "spikes_per_step": float(self.rates.sum()),
            "rate": float(self.rates.mean()) if self.rates.size else 0.0,
            "silent": int(np.count_nonzero(self.rates == 0)),
            "sops": self.sops,
            "largest_exponent": float(self.exponents[0]),
            "exponents": self.exponents.tolist(),
            "spectral_radius": self.edge.radius,
            "spectral_abscissa": self.edge.abscissa,
            "spectrum_exact": self.edge.exact,
            "memory": None if self.memory is None else self.memory.value,
            "memory_bound": None if self.memory is None else self.memory.bound,
        }


def measure(
    network: Network,
    lesson: Lesson | None = None,
    *,
    seed: int = 0,
    start: int = 0,
    neurons: Ints | None = None,
    options: KeptOptions | None = None,
    like: Measured | None = None,
) -> Measured:
    """Run a network, its weights held, and measure it.

    Args:
        network: float, with neurons.
        lesson: what it is shown, without labels; None: `random_input`. Samples that start afresh
            do so in the run; spike traces go on over such a start.
        seed: of the random input and of the initial potentials.
        start: another number gives other initial potentials under the same input.
        neurons: (m,) indices of those that enter covariances and traces; None: all, or as many as
            the options allow.
        options: how long it is watched.
        like: of the same network and seed, whose exponents and eigenvalues hold here, too: they
            do not depend on the initial potentials.

    Raises:
        SpecError: a lesson of another width, or shorter than two samples, or channels of two
            kinds.
    """
    o = options or KeptOptions()
    network = network.without_plasticity()
    require_single_spikes(network, "what pruning kept")
    stimulus, given = None, None
    if lesson is not None:
        stimulus = _blocks(stimulus_of(lesson, network.n_inputs, o.steps_per_sample), o)
        sent = stimulus.input_rates()
        given = sent if isinstance(sent, np.ndarray) else None
    probe = random_input(network, seed, o.samples, o.steps_per_sample, given)
    chosen = _spread(network.n_neurons, o.neurons) if neurons is None else np.asarray(neurons)
    with arrays_on("cpu").reproducible():
        probed = _run(network, probe.stimulus, generator(seed, "kept/start", start))
        memory, channels = _memory(probed, probe.values, o, seed)
        trace, shown = probed, probe.stimulus
        if stimulus is not None:
            trace = _run(network, stimulus, generator(seed, "kept/start", start))
            shown = stimulus
        part, tau = _part(trace, chosen), float(o.steps_per_sample)
        washout = min(WASHOUT * o.steps_per_sample, trace.n_steps // 5)
        covariance = trace_covariance(part, tau, washout=washout)
    edges = recurrent_edges(network)
    rates = trace.counts() / max(trace.n_steps, 1)
    fan_out = np.bincount(edges.pre, minlength=network.n_neurons)
    return Measured(
        rates,
        float(rates @ fan_out),
        _exponents(network, shown, o, seed) if like is None else like.exponents,
        spectral_edge(edges.matrix) if like is None else like.edge,
        memory,
        channels,
        chosen,
        covariance,
        sampled_traces(part, o.steps_per_sample)[washout // o.steps_per_sample :],
        np.bincount(part.spike_neurons[part.spike_steps >= washout], minlength=chosen.size) > 0,
    )


def _blocks(stimulus: Stimulus, o: KeptOptions) -> Stimulus:
    """A lesson of spikes in blocks of a sample, unless it has samples; long enough."""
    least = 2 * o.steps_per_sample
    if stimulus.n_steps < least:
        problem = Problem("lesson", f"{stimulus.n_steps} steps", f">= {least}", "record more")
        raise SpecError("what is kept cannot be measured", problems=[problem])
    if stimulus.spiking and stimulus.block == 1 and stimulus.starts is None:
        return Stimulus(stimulus.inputs, o.steps_per_sample)
    return stimulus


def _spread(count: int, most: int) -> Ints:
    """Indices of at most so many, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _run(network: Network, stimulus: Stimulus, rng: np.random.Generator) -> Trace:
    """Spikes of a whole run."""
    none = np.zeros(0, dtype=np.int32)
    steps, neurons = [none], [none]
    begins = [int(begin) * stimulus.block for begin, _ in pairwise(stimulus.bounds)]
    played = stimulus.play_samples(FloatSimulator(network), rng)
    for begin, (at, who) in zip(begins, played, strict=True):
        steps.append(at + np.int32(begin))
        neurons.append(who)
    whole = np.concatenate(steps), np.concatenate(neurons)
    return Trace(*whole, stimulus.n_steps, network.n_neurons)


def _part(trace: Trace, neurons: Ints) -> Trace:
    """The spikes of some neurons, numbered anew."""
    number = np.full(trace.n_neurons, -1, dtype=np.int32)
    number[neurons] = np.arange(neurons.size, dtype=np.int32)
    who = number[trace.spike_neurons]
    there = who >= 0
    return Trace(trace.spike_steps[there], who[there], trace.n_steps, int(neurons.size))


def sampled_traces(trace: Trace, every: int) -> Floats:
    """Spike traces with a time constant of one sample, at the end of every sample.

    Args:
        trace: with its spikes.
        every: steps of a sample.

    Returns:
        (n_samples, n_neurons); steps after the last whole sample are left out.
    """
    count, n = trace.n_steps // every, trace.n_neurons
    inside = trace.spike_steps < count * every
    sample, place = np.divmod(trace.spike_steps[inside].astype(np.int64), every)
    value = np.exp((place - (every - 1)) / every)
    flat = np.bincount(sample * n + trace.spike_neurons[inside], value, minlength=count * n)
    rows: Floats = flat.reshape(count, n).astype(np.float64)
    for k in range(1, count):
        rows[k] += math.exp(-1.0) * rows[k - 1]
    rows[rows < FORGOTTEN] = 0.0
    return rows


def _memory(
    trace: Trace, values: Floats, o: KeptOptions, seed: int
) -> tuple[MemoryCurve | None, int]:
    """How much of independent values a ridge readout of the traces still tells, held out."""
    channels = _spread(values.shape[1], o.channels) if values.shape[1] else np.zeros(0, np.int64)
    if not channels.size or not trace.n_neurons:
        return None, 0
    neurons = _spread(trace.n_neurons, o.neurons)
    features = sampled_traces(_part(trace, neurons), o.steps_per_sample)
    shuffled = values[generator(seed, "kept/shuffle").permutation(len(values))]
    pasts = [past_values(v[:, c], o.delays) for v in (values, shuffled) for c in channels]
    targets = np.concatenate(pasts, axis=1)
    own = channels.size * o.delays
    usable = len(values) - WASHOUT
    trained = WASHOUT + round(TRAIN * usable)
    fitted = WASHOUT + round((TRAIN + VALIDATION) * usable)
    training, all_rows = np.arange(WASHOUT, trained), np.arange(WASHOUT, fitted)
    fitter = ridge_search(features)

    def told(alpha: float) -> float:
        answers = fitter.fit(training, targets[training, :own], alpha)(features[trained:fitted])
        return float(squared_correlations(answers, targets[trained:fitted, :own]).sum())

    best = max(ALPHAS, key=told)
    answers = fitter.fit(all_rows, targets[all_rows], best)(features[fitted:])
    each = squared_correlations(answers, targets[fitted:]).reshape(2, channels.size, o.delays)
    curve, chance = each.sum(axis=1)
    bound = min(neurons.size, own)
    return MemoryCurve(curve, chance, len(values) - fitted, bound), int(channels.size)


class _Currents(HeldInput):
    """What every step adds to the biases of the neurons themselves, (n_steps, n_neurons)."""

    def currents(self, network: Network, steps: int) -> Floats:
        """The values as they are."""
        del network, steps
        return self.values


def _exponents(network: Network, stimulus: Stimulus, o: KeptOptions, seed: int) -> Floats:
    """The largest exponents of the driven network, largest first."""
    k = min(o.exponents, 2 * network.n_neurons)
    followed = ParticipationOptions(steps=o.exponent_steps, n_exponents=k)
    every = followed.qr_every
    steps = sum(-(-count // every) * every for count in (followed.transient, followed.steps))
    drive = _Currents(_input_currents(network, stimulus, steps))
    found = participation_exponents(network, followed, generator(seed, "kept/tangents"), drive)
    return np.sort(found.spectrum.exponents)[::-1]


def _input_currents(network: Network, stimulus: Stimulus, steps: int) -> Floats:
    """The current of the inputs alone in every step, (steps, n_neurons); a short one is repeated.

    Synaptic currents are linear in the spikes, so those of the inputs are what is left in a run
    without recurrence, where the neurons have no one to speak to.
    """
    if stimulus.n_steps < steps:
        stimulus = stimulus.repeated(-(-steps // stimulus.n_steps))
    if not isinstance(stimulus.inputs, SpikeInput):
        blocks = held_drive(network, stimulus.inputs[: -(-steps // stimulus.block)])
        return np.repeat(blocks, stimulus.block, axis=0)[:steps]
    alone = FloatSimulator(without_recurrence(network))
    current = np.zeros((steps, network.n_neurons))
    events = Events.of(stimulus.inputs, 0, steps, network.n_neurons)
    alone.advance(steps, events, alone.bias, np.zeros_like(current), current)
    return current


def without_recurrence(network: Network) -> Network:
    """The network without its projections between neurons."""
    inputs = {p.name for p in network.input_populations}
    return replace(network, projections=tuple(p for p in network.projections if p.pre in inputs))


def correlation(a: Floats, b: Floats) -> float | None:
    """Pearson's; None where one of them does not vary."""
    if a.size < 2:
        return None
    x, y = a - a.mean(), b - b.mean()
    power = float(x @ x) * float(y @ y)
    return float(x @ y) / math.sqrt(power) if power > 0 else None


def compare(before: Measured, after: Measured, survivors: Ints | None = None) -> dict[str, Any]:
    """How alike two networks are, over the neurons that both have.

    Args:
        before, after: measured under the same input, covariances and traces of the same neurons.
        survivors: (n_neurons of `after`,) index in `before` of every neuron of `after`; None where
            all stayed.

    Returns:
        ``spikes_ratio`` and ``sops_ratio``, after over before; ``rate_correlation`` over neurons;
        ``covariance_correlation`` over pairs of neurons, of the covariances off the diagonal;
        ``trace_correlation``, the mean over neurons of how each one's trace follows the one it
        had; and the differences ``exponent_difference`` (1/s) and ``memory_difference``. Neurons
        that were silent before are in none of the last two correlations; one that is silent after
        counts 0 in that of traces. None where nothing varies.

    Raises:
        SpecError: `survivors` does not fit the networks, or other neurons or samples were
            measured.
    """
    places = np.arange(before.rates.size) if survivors is None else np.asarray(survivors)
    _check_alike(before, after, places)
    fired = before.active
    upper = np.triu_indices(int(fired.sum()), 1)
    pairs = [m.covariance[np.ix_(fired, fired)][upper] for m in (before, after)]
    follow = None
    if fired.any():
        traces = (m.traces[:, fired] * m.active[fired] for m in (before, after))
        follow = float(_columnwise(*traces).mean())
    memories = [m.memory for m in (before, after)]
    return {
        "spikes_ratio": _ratio(after.rates.sum(), before.rates.sum()),
        "sops_ratio": _ratio(after.sops, before.sops),
        "rate_correlation": correlation(before.rates[places], after.rates),
        "covariance_correlation": correlation(*pairs),
        "trace_correlation": follow,
        "exponent_difference": float(after.exponents[0] - before.exponents[0]),
        "memory_difference": None
        if memories[0] is None or memories[1] is None
        else memories[1].value - memories[0].value,
    }


def _check_alike(before: Measured, after: Measured, places: Ints) -> None:
    n, n_before = after.rates.size, before.rates.size
    problems = []
    if places.shape != (n,) or (n and not 0 <= places.min() <= places.max() < n_before):
        allowed = f"({n},) indices from 0 to {n_before - 1}"
        problems.append(Problem("survivors", f"shape {places.shape}", allowed))
    elif not np.array_equal(places[after.neurons], before.neurons):
        problems.append(Problem("neurons", "not the same ones", "those of `after` in `before`"))
    elif before.traces.shape != after.traces.shape:
        measured = f"{len(after.traces)} samples"
        problems.append(Problem("lesson", measured, f"{len(before.traces)}, the same input"))
    raise_if(SpecError, "what two networks have in common cannot be told", problems)


def _columnwise(a: Floats, b: Floats) -> Floats:
    """Pearson's correlation of every column; 0 where one of the two does not vary."""
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    power = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return np.divide((x * y).sum(axis=0), power, out=np.zeros(a.shape[1]), where=power > 0)


def _ratio(a: float, b: float) -> float | None:
    return float(a / b) if b else None


@dataclass(frozen=True, eq=False)
class Kept:
    """A network before and after pruning, and before from another initial state.

    Attributes:
        before, after, again: measured; `again` is the unpruned network from other potentials.
        compared, ceiling: `after` and `again` against `before`, see `compare`.
        told: what the networks were shown.
    """

    before: Measured
    after: Measured
    again: Measured
    compared: Mapping[str, Any]
    ceiling: Mapping[str, Any]
    told: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        return {
            "input": self.told,
            "neurons_compared": int(self.after.neurons.size),
            "channels_asked": self.before.channels,
            "before": self.before.figures(),
            "after": self.after.figures(),
            "compared": dict(self.compared),
            "ceiling": dict(self.ceiling),
        }


def kept(
    before: Network,
    after: Network,
    lesson: Lesson | None = None,
    *,
    survivors: Ints | None = None,
    seed: int = 0,
    options: KeptOptions | None = None,
) -> Kept:
    """Measure what a pruned network has of the one it came from.

    Args:
        before, after: float networks with the same inputs.
        lesson: what both are shown; None: `random_input`.
        survivors: (n_neurons of `after`,) index in `before` of every neuron of `after`, as passes
            that drop neurons report them under ``kept``; None where all stayed.
        seed: of the random input and of the initial potentials.
        options: how long they are watched.

    Raises:
        SpecError: see `measure` and `compare`.
    """
    o = options or KeptOptions()
    places = np.arange(before.n_neurons) if survivors is None else np.asarray(survivors)
    if places.shape != (after.n_neurons,):
        problem = Problem("survivors", f"shape {places.shape}", f"({after.n_neurons},)")
        raise SpecError("what two networks have in common cannot be told", problems=[problem])
    common = _spread(after.n_neurons, o.neurons)
    watched: dict[str, Any] = {"seed": seed, "options": o}
    own: dict[str, Any] = watched | {"neurons": places[common]}
    first = measure(before, lesson, **own)
    again = measure(before, lesson, start=1, like=first, **own)
    second = measure(after, lesson, neurons=common, **watched)
    told = GIVEN
    if lesson is None:
        told = random_input(before, seed, o.samples, o.steps_per_sample).told
    return Kept(first, second, again, compare(first, second, places), compare(first, again), told)
