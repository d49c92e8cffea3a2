"""Input that does not fit in memory: events in pieces that follow one another in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError
from hrsnn_lava.sim_backends.runs.session import part_of
from hrsnn_lava.trace import SpikeInput

#: One recording, or pieces of one: each counts its steps from its own start.
Inputs = SpikeInput | Iterable[SpikeInput] | None


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
        SpecError: the steps do not rise, or lie outside 0..n_steps - 1.
    """
    edge = steps.dtype.type
    lo = 0
    for first in range(0, n_steps, piece_steps):
        count = min(piece_steps, n_steps - first)
        hi = int(np.searchsorted(steps, edge(first + count))) if first + count < n_steps else -1
        part = slice(lo, steps.size if hi < 0 else hi)
        at = np.asarray(steps[part], dtype=np.int64) - first
        if np.any(np.diff(at) < 0):
            raise SpecError(f"input events from {lo} on: steps that fall; allowed: rising ones")
        values = None if payloads is None else np.asarray(payloads[part])
        yield SpikeInput(at, np.asarray(neurons[part]), count, n_neurons, values)
        lo = part.stop


class InputCursor:
    """Hands out the input stretch by stretch; nothing is sent after its end."""

    def __init__(self, source: Inputs, n_neurons: int) -> None:
        whole = source is None or isinstance(source, SpikeInput)
        pieces: Any = (() if source is None else (source,)) if whole else source
        self._pieces: Iterator[SpikeInput] = iter(pieces)
        self._n_neurons = n_neurons
        self._piece = SpikeInput.empty(0, n_neurons)
        self._used = 0
        self._number = 0

    def take(self, count: int) -> SpikeInput:
        """The next `count` steps, counted from the first of them."""
        parts: list[tuple[int, SpikeInput]] = []
        done = 0
        while done < count and self._more():
            part = part_of(self._piece, self._used, min(count - done, self._left))
            self._used += part.n_steps
            parts.append((done, part))
            done += part.n_steps
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
    def _left(self) -> int:
        return self._piece.n_steps - self._used

    def _more(self) -> bool:
        """Make sure that the current piece has a step left; False at the end of the input."""
        while self._left == 0:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            if piece.n_neurons != self._n_neurons:
                raise SpecError(
                    f"input piece {self._number}: {piece.n_neurons} channels; "
                    f"allowed: {self._n_neurons} (the network's)"
                )
            self._piece, self._used = piece, 0
            self._number += 1
        return True
