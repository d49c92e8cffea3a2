"""A network under a part of its training input, from two initial states, as a criterion sees it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.aftercare_options import PortfolioOptions
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.network import Network
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.course import stimulus_of
from hrsnn_lava.training.criterion import DrivenRun
from hrsnn_lava.training.readout import FeatureOptions, record_features
from hrsnn_lava.training.sample_features import SampleFeatures, record_samples
from hrsnn_lava.training.simulation import Stimulus

__all__ = ["drive", "part_of_lesson"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def part_of_lesson(lesson: Stimulus, options: PortfolioOptions) -> Stimulus:
    """What candidates are shown: as many samples as the options say.

    Trials are spread evenly over the lesson. Spikes of a series in blocks of one step are taken
    together in bins.

    Raises:
        SpecError: nothing of a series is left behind its first samples, the washout.
    """
    if lesson.starts is not None:
        return _spread(lesson, options.samples)
    if lesson.spiking and lesson.block == 1:
        lesson = Stimulus(lesson.inputs, options.bin_steps)
    count = min(lesson.n_blocks, options.washout + options.samples)
    if count <= options.washout:
        allowed = f"more than washout = {options.washout}"
        problem = Problem("lesson", f"{lesson.n_blocks} samples", allowed, "lower the washout")
        raise SpecError("there is nothing to judge candidates on", problems=[problem])
    return lesson.part(0, count)


def _spread(lesson: Stimulus, count: int) -> Stimulus:
    """Some trials, evenly spread."""
    bounds = list(pairwise(lesson.bounds.tolist()))
    if count >= len(bounds):
        return lesson
    places = np.unique(np.linspace(0, len(bounds) - 1, count).round().astype(int))
    pieces = [lesson.part(*bounds[k]).inputs for k in places]
    joined = stimulus_of(pieces, lesson.width, lesson.block)
    if joined.starts is None or joined.block == lesson.block:
        return joined
    return Stimulus(joined.inputs, lesson.block, joined.starts // lesson.block)


def drive(
    network: Network, shown: Stimulus, options: PortfolioOptions, seed: int
) -> tuple[DrivenRun, int]:
    """Show an input to a network from two initial states; and all spikes of both runs.

    Args:
        network: float; what learns does not, here.
        shown: see `part_of_lesson`.
        options: washout, bins and traces.
        seed: of the potentials: equal ones for every network.
    """
    simulator = FloatSimulator(network.without_plasticity())
    width = _bin(shown, options)
    rngs = [generator(seed, "screening", k) for k in range(2)]
    tau = options.trace * width
    if shown.starts is not None:
        kinds = SampleFeatures(rates=False, trace_steps=(tau,))
        first, again = (record_samples(simulator, shown, kinds, rng) for rng in rngs)
        inputs, ends, begins = _trial_inputs(shown, width)
        spikes = int(first.counts.sum() + again.counts.sum())
        return DrivenRun(first.features, again.features, inputs, ends, begins, True), spikes
    traces = FeatureOptions((options.trace,), squared=())
    runs = [record_features(simulator, shown, traces, rng) for rng in rngs]
    ends = np.arange(options.washout, shown.n_blocks, dtype=np.int64)
    a, b = (run.features[options.washout :] for run in runs)
    inputs = _binned(shown, np.zeros(1, dtype=np.int64), width)
    spikes = sum(int(run.spike_counts.sum()) for run in runs)
    return DrivenRun(a, b, inputs, ends, np.zeros_like(ends), False), spikes


def _bin(shown: Stimulus, options: PortfolioOptions) -> int:
    """Steps of a sample of a series, or of a frame of a trial."""
    return options.bin_steps if shown.spiking and shown.block == 1 else shown.block


def _trial_inputs(shown: Stimulus, width: int) -> tuple[Floats, Ints, Ints]:
    """Bins of all trials, one after the other, and the last and the first bin of each.

    Bins are counted from the end of a trial, where its traces are read; what is left over at its
    beginning goes into the first one.
    """
    lengths = np.maximum(np.diff(shown.bounds) * shown.block // width, 1)
    begins = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return _binned(shown, begins[:-1], width), begins[1:] - 1, begins[:-1]


def _binned(shown: Stimulus, begins: Ints, width: int) -> Floats:
    """Values of all bins, or spikes counted in them, (n_bins, n_inputs)."""
    inputs: Any = shown.inputs
    if not isinstance(inputs, SpikeInput):
        return np.asarray(inputs, dtype=np.float64)
    bounds = shown.bounds * shown.block
    trial = np.searchsorted(bounds, inputs.steps, side="right") - 1
    last = np.append(begins[1:], begins[-1] + max((bounds[-1] - bounds[-2]) // width, 1)) - 1
    bins = last[trial] - (bounds[trial + 1] - 1 - inputs.steps) // width
    bins = np.maximum(bins, begins[trial])
    counts = np.zeros((int(last[-1]) + 1, shown.width))
    np.add.at(counts, (bins, inputs.neurons), 1.0 if inputs.payloads is None else inputs.payloads)
    return counts
