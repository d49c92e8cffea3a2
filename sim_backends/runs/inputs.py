"""Input of a run: a stretch of it, pieces where it does not fit in memory, and random input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError
from hrsnn_lava.fields import whole_number
from hrsnn_lava.quantized import QuantizedInput, QuantizedNetwork, in_counts
from hrsnn_lava.seeding import generator
from hrsnn_lava.trace import EXTENT, SpikeInput

#: One recording, or pieces of one: each counts its steps from its own start.
Inputs = SpikeInput | Iterable[SpikeInput] | None
#: Of `random_input`: steps for which a value is held, and spikes a step of other channels.
HELD_STEPS, SPIKE_PROBABILITY = 20, 0.1


def part_of(inputs: SpikeInput, first: int, count: int) -> SpikeInput:
    """The events of steps ``first`` to ``first + count``, counted from `first`."""
    if first == 0 and count == inputs.n_steps and inputs.samples is None:
        return inputs
    lo, hi = np.searchsorted(inputs.steps, (first, first + count))
    payloads = None if inputs.payloads is None else inputs.payloads[lo:hi]
    steps = inputs.steps[lo:hi] - np.int32(first)
    return SpikeInput(steps, inputs.neurons[lo:hi], count, inputs.n_neurons, payloads)


def pieces_of(
    steps: NDArray[Any],
    neurons: NDArray[Any],
    n_steps: int,
    n_neurons: int,
    payloads: NDArray[Any] | None = None,
    piece_steps: int = 1000,
) -> Iterator[SpikeInput]:
    """Cut sorted event arrays, such as ``numpy.load("steps.npy", mmap_mode="r")``, into pieces.

    Args:
        steps, neurons, payloads: (E,) integers, rising in `steps`; only slices are ever read.
        n_steps, n_neurons: extent of the recording.
        piece_steps: length of a piece in steps.

    Raises:
        SpecError: the steps are no integers, do not rise, or lie outside 0..n_steps - 1.
    """
    if getattr(steps, "dtype", None) is None or steps.dtype.kind not in "iu":
        raise SpecError(f"steps: {getattr(steps, 'dtype', type(steps))}; allowed: integers")
    n_steps = whole_number("n_steps", n_steps, (0, 2**62), floats=True, error=SpecError)
    piece_steps = whole_number("piece_steps", piece_steps, (1, EXTENT[1]), error=SpecError)
    edge, last = steps.dtype.type, int(np.iinfo(steps.dtype).max)
    lo = 0
    for first in range(0, n_steps, piece_steps):
        count = min(piece_steps, n_steps - first)
        inside = first + count < n_steps and first + count <= last  # else the edge would wrap
        hi = int(np.searchsorted(steps, edge(first + count))) if inside else -1
        part = slice(lo, steps.size if hi < 0 else hi)
        at = np.asarray(steps[part], dtype=np.int64) - first
        if np.any(np.diff(at) < 0):
            raise SpecError(f"input events from {lo} on: steps that fall; allowed: rising ones")
        values = None if payloads is None else np.asarray(payloads[part])
        yield SpikeInput(at, np.asarray(neurons[part]), count, n_neurons, values)
        lo = part.stop


class InputCursor:
    """Hands out the input stretch by stretch; nothing is sent after its end.

    Pieces are in payload counts where the network has a scale, since one may have payloads and the
    next none.
    """

    def __init__(self, source: Inputs, network: QuantizedNetwork) -> None:
        whole = source is None or isinstance(source, SpikeInput)
        pieces: Any = (() if source is None else (source,)) if whole else source
        no_pieces = isinstance(pieces, (str, bytes, Mapping, np.ndarray))
        if not isinstance(pieces, Iterable) or no_pieces:
            found = type(source).__name__
            raise SpecError(f"inputs: {found}; allowed: a SpikeInput, pieces of one, or None")
        self._pieces: Iterator[Any] = iter(pieces)
        self._network, self._convert = network, not whole
        self._n_neurons = network.n_inputs
        self._piece = SpikeInput.empty(0, self._n_neurons)
        self._used = 0
        self._number = 0

    def take(self, count: int) -> SpikeInput:
        """The next `count` steps, counted from the first of them."""
        parts: list[tuple[int, SpikeInput]] = []
        n_filled = 0
        while n_filled < count and self._more():
            part = part_of(self._piece, self._used, min(count - n_filled, self._unused))
            self._used += part.n_steps
            parts.append((n_filled, part))
            n_filled += part.n_steps
        graded = any(part.payloads is not None for _, part in parts)
        none = np.zeros(0, dtype=np.int32)
        return SpikeInput(
            np.concatenate([none, *(part.steps + np.int32(first) for first, part in parts)]),
            np.concatenate([none, *(part.neurons for _, part in parts)]),
            count,
            self._n_neurons,
            np.concatenate([none, *(p.payload_values() for _, p in parts)]) if graded else None,
        )

    @property
    def _unused(self) -> int:
        return self._piece.n_steps - self._used

    def _more(self) -> bool:
        """Make sure that the current piece has a step left; False at the end of the input."""
        while self._unused == 0:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            if not isinstance(piece, SpikeInput):
                found = type(piece).__name__
                raise SpecError(f"input piece {self._number}: {found}; allowed: a SpikeInput")
            if piece.n_neurons != self._n_neurons:
                raise SpecError(
                    f"input piece {self._number}: {piece.n_neurons} channels; "
                    f"allowed: {self._n_neurons} (the network's)"
                )
            self._piece = in_counts(self._network, piece) if self._convert else piece
            self._used = 0
            self._number += 1
        return True


def random_input(network: QuantizedNetwork, steps: int, seed: int = 0) -> SpikeInput | None:
    """A seeded input that makes most of a network's inputs move.

    Channels with payloads get a normal value (sd 1.0 times their payload scale) every 20 steps,
    others a spike with probability 0.1 a step. None for a network without inputs.
    """
    if network.n_inputs == 0:
        return None
    rng = generator(seed, "random-input")
    at, who, values = [], [], []
    start, graded = 0, False
    for population in network.input_populations:
        scale = population.payload_scale if isinstance(population, QuantizedInput) else None
        if scale is not None:
            graded = True
            changes = np.arange(0, steps, HELD_STEPS)
            step, channel = (
                a.ravel() for a in np.meshgrid(changes, np.arange(population.size), indexing="ij")
            )
            value = np.rint(np.clip(rng.standard_normal(step.size), -4, 4) * scale)
        else:
            step, channel = np.nonzero(rng.random((steps, population.size)) < SPIKE_PROBABILITY)
            value = np.ones(step.size)
        at.append(step)
        who.append(channel + start)
        values.append(value.astype(np.int64))
        start += population.size
    payloads = np.concatenate(values) if graded else None
    return SpikeInput(np.concatenate(at), np.concatenate(who), max(steps, 1), start, payloads)
