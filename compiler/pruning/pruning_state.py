"""Where a pruning loop stands: what a killed one goes on from, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import Saved
from hrsnn_lava.network import Network


@dataclass(frozen=True, eq=False)
class PruningState(Saved):
    """A pruning under way; nothing in it is pickled.

    Attributes:
        key: SHA-256 of all that the loop depends on: network, passes, input, seed. A state fits no
            other loop.
        iteration: that is done, from 1; 0: the network before the first.
        network: float, as this iteration left it.
        survivors: (n_neurons,) index in the unpruned network of each of its neurons.
        rates: (n_neurons,) spikes per step, as they were last measured.
        rows: one for each iteration so far, plain values.
        findings: of this iteration, as plain values.
    """

    stage: ClassVar[str] = "pruning"

    key: str
    iteration: int
    network: Network
    survivors: NDArray[np.int64]
    rates: NDArray[np.float64]
    rows: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
