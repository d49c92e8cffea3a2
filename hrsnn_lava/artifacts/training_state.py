"""Where a training stands: what a killed one goes on from, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import Saved


@dataclass(frozen=True, eq=False)
class TrainingState(Saved):
    """A training under way; nothing in it is pickled.

    Attributes:
        key: SHA-256 of all that the training depends on: network, input, options, seed. A state
            fits no other training.
        done: pieces of the lesson that were shown: samples, or stretches of a long recording.
        pieces: that there are, over all epochs.
        arrays: weights, the state of the network where a sample does not reset it, and what was
            recorded so far, by name; whoever goes on checks their shapes and values.
    """

    stage: ClassVar[str] = "training"

    key: str
    done: int
    pieces: int
    arrays: Mapping[str, NDArray[Any]]
