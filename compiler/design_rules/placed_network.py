"""What design rules look at, and what they yield."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.utilization import Utilization, utilization
from hrsnn_lava.errors import Violation
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.notebook import brief
from hrsnn_lava.quantized import QuantizedNetwork


@brief("network=network.name", in_cells=False)
@dataclass(frozen=True, eq=False)
class PlacedNetwork:
    """What the rules look at; the counts are made once."""

    network: QuantizedNetwork
    profile: HardwareProfile
    core_of: NDArray[np.int32]
    links: Connectivity
    used: Utilization

    @staticmethod
    def of(network: QuantizedNetwork, core_of: Any, profile: HardwareProfile) -> PlacedNetwork:
        """Count the use of every core, then hold it for the rules."""
        cores = np.ascontiguousarray(core_of, dtype=np.int32)
        links = Connectivity.of(network)
        return PlacedNetwork(network, profile, cores, links, utilization(links, cores, profile))


Rule = Callable[[PlacedNetwork], Iterator[Violation]]
