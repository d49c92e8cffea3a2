"""Spikes from rates: drawn, or as evenly as rates allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.trace import SpikeInput

Floats = NDArray[np.float64]
#: Added before a sum is rounded down, so that 10 times 0.1 is 1.
ROUNDING = 1e-9


def poisson(rates: Floats, block: int, rng: np.random.Generator) -> SpikeInput:
    """Spikes drawn in every step of a block with the probabilities of its row.

    Args:
        rates: (n_frames, n_channels) probabilities in a step.
        block: steps of a frame.
        rng: draws them.
    """
    active = rng.random((len(rates) * block, rates.shape[1])) < np.repeat(rates, block, axis=0)
    steps, channels = np.nonzero(active)
    return SpikeInput(steps, channels, len(active), rates.shape[1])


def regular(rates: Floats, block: int, phase: float) -> SpikeInput:
    """Spikes of an accumulator for each channel: ``a += rate``; where a whole is passed, a spike.

    After t steps at rate r a channel has sent ``floor(phase + r t)``, so a phase of 0.5 gives the
    count that is nearest to ``r t``. What is left over goes on into the next frame.

    Args:
        rates: (n_frames, n_channels) spikes per step, 0 to 1.
        block: steps of a frame.
        phase: of all accumulators at the start.
    """
    before = phase + block * (np.cumsum(rates, axis=0) - rates)
    within = rates[:, None, :] * np.arange(block + 1)[:, None]
    wholes = np.floor(before[:, None, :] + within + ROUNDING)
    frames, at, channels = np.nonzero(np.diff(wholes, axis=1))
    return SpikeInput(frames * block + at, channels, len(rates) * block, rates.shape[1])


def burst(counts: NDArray[np.int64], block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of ``counts`` spikes in each channel's block: which entry, and its step in the block.

    k spikes are ``block / k`` steps apart, the first at the block's start; k is `block` at most.
    """
    sent = np.minimum(counts, block)
    entry = np.repeat(np.arange(sent.size), sent)
    rank = np.arange(entry.size) - np.repeat(np.cumsum(sent) - sent, sent)
    return entry, rank * block // np.maximum(sent[entry], 1)
