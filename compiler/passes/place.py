"""Put cores on the tiles of the mesh, so that messages have few hops to go.

Placing is a quadratic assignment problem, solved in three steps: several starts (see
`hrsnn_lava.compiler.placing`), sweeps of best exchanges from each, and simulated annealing from
the best. The result is never worse than any start, and a seed decides it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.mapping import mapping_report
from hrsnn_lava.compiler.analysis.occupancy.traffic import (
    CoreTraffic,
    neuron_order,
    routes,
    traffic,
)
from hrsnn_lava.compiler.mesh import Mesh, hilbert_tiles, tiles
from hrsnn_lava.compiler.placement import Placement
from hrsnn_lava.compiler.placing import placer
from hrsnn_lava.compiler.placing._best import search
from hrsnn_lava.compiler.placing._task import PlaceTask
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.seeding import generator

__all__ = [
    "Place",
    "hilbert_tiles",
    "mapping_report",
    "neuron_order",
    "routes",
    "tiles",
    "traffic",
]


@dataclass(frozen=True)
class Place:
    """Cores to tiles.

    Attributes:
        profile: the chip; without a mesh the placement gets no coordinates.
        method: ``"search"``, or the name of a placer that is taken as it is, such as ``"row"``
            or ``"hilbert"``.
        rates: spikes per step of every neuron, (n_neurons,), to weigh traffic; a scalar for all
            alike.
        input_rates: the same for the input channels, (n_inputs,).
        crossing: hops that passing from one chip to the next counts for when places are compared.
            Links between chips are slower and dearer than those of the mesh, by how much depends
            on the board; 8, the width of Loihi's mesh, is our choice. It changes no count.
        effort: scales the time spent on annealing; 0 leaves it out.
        seed: of the search.
    """

    profile: HardwareProfile
    method: str = "search"
    rates: Any = 1.0
    input_rates: Any = 1.0
    crossing: int = 8
    effort: float = 1.0
    seed: int = 0
    name = "place"

    @property
    def options(self) -> dict[str, Any]:
        """The options, for the pass record."""
        uniform = np.ndim(self.rates) == 0
        return {
            "profile": self.profile.name,
            "method": self.method,
            "rates": float(self.rates) if uniform else "per neuron",
            "crossing": self.crossing,
            "effort": self.effort,
            "seed": self.seed,
        }

    def __call__(self, network: QuantizedNetwork | Connectivity, placement: Placement) -> Placement:
        """The placement with coordinates; `info["mapping"]` holds traffic, baselines and, under
        ``search``, how the places were found.

        Raises:
            CapacityError: more cores than the mesh of all chips has.
            SpecError: an unknown method, or an option out of range.
        """
        links = network if isinstance(network, Connectivity) else Connectivity.of(network)
        given = {"rates": self.rates, "input_rates": self.input_rates}
        mesh = Mesh.of(self.profile, placement.n_cores)
        coordinates, found = None, dict[str, Any]()
        if mesh is not None:
            flow = CoreTraffic.of(links, placement.core_of, **given)
            if not flow.between.nnz:  # a silent run says nothing; then all neurons count alike
                flow = CoreTraffic.of(links, placement.core_of)
            slots, found = self._slots(flow, mesh)
            coordinates = mesh.coordinates(slots)
        mapping = mapping_report(links, placement.core_of, self.profile, coordinates, **given)
        info = {**placement.info, "mapping": {**mapping, "search": found}}
        return replace(placement, coordinates=coordinates, info=info).verify()

    def _slots(self, flow: CoreTraffic, mesh: Mesh) -> tuple[Any, dict[str, Any]]:
        if self.method == "search":
            found = search(flow, mesh, crossing=self.crossing, effort=self.effort, seed=self.seed)
            return found.slots, found.report
        task = PlaceTask.of(flow, mesh, self.crossing)
        slots = placer(self.method)(task, generator(self.seed, f"place/{self.method}"))
        return slots, {"start": self.method}
