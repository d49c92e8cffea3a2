"""Networks under an input: what is shown to them, what runs them, how often their neurons fire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, cast, overload

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.csr import held_drive
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator, PlasticSimulator
from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.trace import SpikeInput

__all__ = [
    "EventSimulator",
    "Simulator",
    "Stimulus",
    "measure_rates",
    "observe",
    "observe_if_needed",
    "random_blocks",
    "simulator_of",
    "spike_counts",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
#: Steps, counted from the start of the call, and neurons of spikes, (n_spikes,) each.
Spikes = tuple[NDArray[np.int32], NDArray[np.int32]]
#: Steps over which `measure_rates` runs, and for how many of them a value is held (ours).
RATE_STEPS, HELD_STEPS = 2000, 20
#: Steps of a recording of spikes that are run in one go at most.
LONGEST = 4096
#: Probability of a spike in a step, for input channels that carry no values (ours).
INPUT_SPIKES = 0.1


class Simulator(Protocol):
    """A network that runs block by block and keeps its state in between."""

    @property
    def n_neurons(self) -> int:
        """Number of neurons, inputs not counted."""

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Start afresh; with a generator, from random potentials in [0, v_threshold)."""

    def run(self, x: Floats, steps: int) -> Spikes:
        """Hold the analog input x, (n_inputs,), for `steps` steps; return the block's spikes."""


class EventSimulator(Simulator, Protocol):
    """A simulator whose inputs may send spikes, too."""

    def run_events(self, inputs: SpikeInput, first: int, steps: int) -> Spikes:
        """Run over steps `first` to ``first + steps`` of a recording; return the block's spikes."""


@dataclass(frozen=True, eq=False)
class Stimulus:
    """What a network is shown: values that are held block after block, or spikes.

    Attributes:
        inputs: (n_blocks, n_inputs) values, each held for a block; or spikes of the inputs, whose
            recording is a whole number of blocks long.
        block: steps of a block.
        starts: (n_samples,) rising blocks before which the network starts afresh, such as the
            first one of every sample, 0 first; None: it starts once and runs through.
        findings: what one has to know of how it came about, such as events that were lost.
    """

    inputs: Floats | SpikeInput
    block: int
    starts: NDArray[np.int64] | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def spiking(self) -> bool:
        """Whether the inputs send spikes."""
        return isinstance(self.inputs, SpikeInput)

    @property
    def width(self) -> int:
        """Number of input channels."""
        if isinstance(self.inputs, SpikeInput):
            return self.inputs.n_neurons
        return int(self.inputs.shape[1])

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        if isinstance(self.inputs, SpikeInput):
            return self.inputs.n_steps // self.block
        return len(self.inputs)

    @property
    def n_steps(self) -> int:
        """Steps of the network in all."""
        return self.n_blocks * self.block

    @property
    def bounds(self) -> NDArray[np.int64]:
        """Blocks at which samples begin, and the end of the last one, (n_samples + 1,)."""
        starts = np.zeros(1, dtype=np.int64) if self.starts is None else self.starts
        return np.append(starts, self.n_blocks)

    def play(self, simulator: Simulator, rng: np.random.Generator | None) -> Iterator[Spikes]:
        """Run a network through it; yields the spikes of every block.

        Args:
            simulator: the network; an `EventSimulator` where the inputs send spikes.
            rng: draws the initial potentials, the same ones at every start; None: from rest.
        """
        bounds = self.bounds
        for _, (begin, end) in self._fresh(simulator, bounds, rng):
            for block in range(begin, end):
                yield self._run(simulator, block, 1)

    def play_samples(
        self, simulator: Simulator, rng: np.random.Generator | None
    ) -> Iterator[Spikes]:
        """The same; yields the spikes of every sample, steps counted from its first one."""
        for _, (begin, end) in self._fresh(simulator, self.bounds, rng):
            yield self._run(simulator, begin, end - begin)

    def _fresh(
        self, simulator: Simulator, bounds: NDArray[np.int64], rng: np.random.Generator | None
    ) -> Iterator[tuple[int, tuple[int, int]]]:
        """Index and blocks of every sample, the network started afresh before each."""
        many = self.starts is not None and rng is not None
        key = int(rng.integers(2**62)) if many and rng is not None else 0
        for k, (begin, end) in enumerate(pairwise(bounds.tolist())):
            simulator.reset(np.random.Generator(np.random.Philox(key)) if many else rng)
            yield k, (begin, end)

    def _run(self, simulator: Simulator, first: int, blocks: int) -> Spikes:
        """Run through some blocks; steps count from the first of them."""
        steps, length = blocks * self.block, self.block
        if isinstance(self.inputs, SpikeInput):
            events, longest = cast(EventSimulator, simulator), max(length, LONGEST)
            pieces = [
                (at, events.run_events(self.inputs, first * length + at, min(longest, steps - at)))
                for at in range(0, steps, longest)
            ]
        else:
            pieces = [
                (k * length, simulator.run(self.inputs[first + k], length)) for k in range(blocks)
            ]
        if len(pieces) == 1:
            return pieces[0][1]
        none = np.zeros(0, dtype=np.int32)
        at = [none, *(piece[0] + np.int32(begin) for begin, piece in pieces)]
        return np.concatenate(at), np.concatenate([none, *(piece[1] for _, piece in pieces)])

    def run_blocks(self, simulator: Simulator, begin: int, end: int) -> Spikes:
        """Run blocks `begin` to `end` on a network as it stands; steps count from the first."""
        return self._run(simulator, begin, end - begin)

    def first(self, n_steps: int) -> Stimulus:
        """Its first blocks, as many as `n_steps` steps touch, or all there are."""
        return self.part(0, min(-(-n_steps // self.block), self.n_blocks))

    def samples(self, first: int, count: int) -> Stimulus:
        """Some samples, from sample `first` on."""
        begin, end = self.bounds[first], self.bounds[first + count]
        return self.part(int(begin), int(end))

    def part(self, begin: int, end: int) -> Stimulus:
        """Blocks `begin` to `end`; the network starts afresh at the first of them."""
        starts = self.starts
        if starts is not None:
            inside = starts[(starts > begin) & (starts < end)]
            starts = np.append(np.zeros(1, dtype=np.int64), inside - begin)
        if not isinstance(self.inputs, SpikeInput):
            return Stimulus(self.inputs[begin:end], self.block, starts)
        low, high = begin * self.block, end * self.block
        within = slice(*np.searchsorted(self.inputs.steps, (low, high)))
        payloads = self.inputs.payloads
        spikes = SpikeInput(
            self.inputs.steps[within] - np.int32(low),
            self.inputs.neurons[within],
            high - low,
            self.width,
            None if payloads is None else payloads[within],
        )
        return Stimulus(spikes, self.block, starts)

    def repeated(self, times: int) -> Stimulus:
        """All blocks, so many times over."""
        starts = self.starts
        if starts is not None:
            each = np.arange(times, dtype=np.int64)[:, None] * self.n_blocks
            starts = (starts + each).ravel()
        if not isinstance(self.inputs, SpikeInput):
            return Stimulus(np.tile(self.inputs, (times, 1)), self.block, starts)
        length, spikes = self.inputs.n_steps, self.inputs
        shifts = np.repeat(np.arange(times, dtype=np.int32) * np.int32(length), spikes.steps.size)
        steps = np.tile(spikes.steps, times) + shifts
        neurons = np.tile(spikes.neurons, times)
        payloads = None if spikes.payloads is None else np.tile(spikes.payloads, times)
        together = SpikeInput(steps, neurons, length * times, spikes.n_neurons, payloads)
        return Stimulus(together, self.block, starts)

    def events(self, payload_scale: float | None) -> SpikeInput:
        """It as events of a compiled input population.

        Args:
            payload_scale: payload counts per 1.0 of a held value; None: 1.
        """
        if isinstance(self.inputs, SpikeInput):
            if self.starts is None:
                return self.inputs
            return replace(self.inputs, samples=self.starts * self.block)
        payloads = np.rint(self.inputs * (payload_scale or 1.0)).astype(np.int64)
        return SpikeInput.held(payloads, self.block)

    def input_rates(self) -> Floats | float:
        """Messages per step of every channel, (n_inputs,); values that the host holds send none."""
        if not isinstance(self.inputs, SpikeInput):
            return 0.0
        counts = np.bincount(self.inputs.neurons, minlength=self.width)
        return counts / max(self.inputs.n_steps, 1)


class _Learning(PlasticSimulator):
    """A float network that learns, and that starts every run with the weights it was given: so
    does the program on the chip."""

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Return to rest, and to the first weights."""
        super().reset(rng)
        self.forget()


@overload
def simulator_of(network: Network) -> FloatSimulator: ...


@overload
def simulator_of(network: QuantizedNetwork) -> IntegerSimulator: ...


def simulator_of(network: Network | QuantizedNetwork) -> FloatSimulator | IntegerSimulator:
    """What runs a network: in float or integers, learning where it has rules."""
    if not isinstance(network, Network):
        return IntegerSimulator(network)
    learns = any(p.plasticity is not None for p in network.projections)
    return _Learning(network) if learns else FloatSimulator(network)


def spike_counts(
    simulator: Simulator, stimulus: Stimulus, rng: np.random.Generator | None
) -> Counts:
    """Return each neuron's spikes, (n_neurons,), over a run of the stimulus."""
    counts = np.zeros(simulator.n_neurons, dtype=np.int64)
    for _, neurons in stimulus.play_samples(simulator, rng):
        counts += np.bincount(neurons, minlength=simulator.n_neurons)
    return counts


def observe(network: Network, inputs: Floats | SpikeInput, steps_per_sample: int = 20) -> Observed:
    """Rates and largest synaptic currents of a run from rest.

    A network that learns runs with the weights it has: they are what is quantized.

    Args:
        inputs: (n, n_inputs) analog samples, each held for `steps_per_sample` steps, or spikes.
    """
    # several spikes in a step are one message, as rates count them; currents are those of them all
    simulator = FloatSimulator(network.without_plasticity(), several=True)
    n = network.n_neurons
    spikes, peak, steps = np.zeros(n), np.zeros(n), 0
    total = inputs.n_steps if isinstance(inputs, SpikeInput) else len(inputs) * steps_per_sample
    while steps < total:
        count = min(steps_per_sample, total - steps)
        if isinstance(inputs, SpikeInput):
            events, bias = Events.of(inputs, steps, count, n), simulator.bias
        else:
            events = Events.none(count, np.float64)
            bias = simulator.bias + held_drive(network, inputs[steps // steps_per_sample])
        current = np.zeros((count, n))
        _, who = simulator.advance(count, events, bias, np.zeros((count, n)), current)
        spikes += np.bincount(who, minlength=n)
        peak = np.maximum(peak, np.abs(current).max(axis=0, initial=0.0))
        steps += count
    sent = None
    if isinstance(inputs, SpikeInput):
        sent = np.bincount(inputs.neurons, minlength=network.n_inputs) / max(steps, 1)
    return Observed(spikes / max(steps, 1), sent, peak)


def observe_if_needed(
    options: Quantize, network: Network, run: tuple[Floats | SpikeInput, int]
) -> Observed:
    """What a run shows, where the integers depend on it; nothing otherwise.

    That is so where the options ask for one, and where the current might wrap in a worst case
    that costs too much to avoid.

    Args:
        run: inputs and steps per sample, see `observe`.
    """
    if not options.needs_run:
        guards = quantize(network, options)[1]["populations"].values()
        if options.headroom != "auto" or all(p["headroom"] != "open" for p in guards):
            return Observed()
    return observe(network, *run)


def measure_rates(network: Network, seed: int, steps: int = RATE_STEPS) -> Floats:
    """Spikes per step of every neuron, (n_neurons,), with its bias and a seeded random input.

    Channels that carry values get one of N(0, 1) every 20 steps, others spikes with probability
    0.1 a step: our choice, where the task's own input is not known.
    """
    counts, n = np.zeros(network.n_neurons, dtype=np.int64), network.n_neurons
    for _, neurons in random_blocks(network, seed, steps):
        counts += np.bincount(neurons, minlength=n)
    return counts / (HELD_STEPS * -(-steps // HELD_STEPS))


def random_blocks(network: Network, seed: int, steps: int) -> Iterator[Spikes]:
    """Run a network with the input of `measure_rates`; yields the spikes of every 20 steps.

    Steps count from the first one of the run, whose length is rounded up to whole blocks.
    """
    simulator, rng = FloatSimulator(network), generator(seed, "prune/rates")
    n, n_inputs = network.n_neurons, network.n_inputs
    valued = np.zeros(n_inputs, dtype=np.bool_)
    for population in network.input_populations:
        first = network.offset(population.name)
        valued[first : first + population.size] = population.graded
    for _ in range(-(-steps // HELD_STEPS)):
        x = rng.standard_normal(n_inputs)
        sent = rng.random((HELD_STEPS, n_inputs)) < INPUT_SPIKES
        sent[:, valued] = False
        sent[:1, valued] = True
        at, channel = np.nonzero(sent)
        value = np.where(valued[channel], x[channel], 1.0)
        starts = np.searchsorted(at, np.arange(HELD_STEPS + 1)).astype(np.int64)
        events = Events(starts, (channel + n).astype(np.int32), value)
        yield simulator.advance(HELD_STEPS, events, simulator.bias + held_drive(network, x))
