"""Put cores on the tiles of the mesh, so that messages have few hops to go.

Placing is a quadratic assignment problem, solved in three steps: several starts (see
`hrsnn_lava.compiler.placing`), sweeps of best exchanges from each, and simulated annealing from
the best. The result is never worse than any start, and a seed decides it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.mapping import mapping_report
from hrsnn_lava.compiler.analysis.occupancy.traffic import CoreTraffic
from hrsnn_lava.compiler.context import Context, Pass, Report, Stage
from hrsnn_lava.compiler.mapped import Mapped
from hrsnn_lava.compiler.mesh import Mesh
from hrsnn_lava.compiler.placing._best import search, slots_of
from hrsnn_lava.compiler.placing._task import PlaceTask
from hrsnn_lava.options import NonNegative, Seed, options
from hrsnn_lava.seeding import generator


def _method(name: str) -> str:
    methods = ("search", *registry.names("placer"))
    if name not in methods:
        raise ValueError(", ".join(methods))
    return name


@options
class Place(Pass[Mapped, Mapped]):
    """Cores to tiles. A chip without a mesh gives no coordinates.

    Attributes:
        method: ``search``, or the name of a placer that is taken as it is, such as ``row`` or
            ``hilbert``.
        crossing: hops that passing from one chip to the next counts for when places are compared.
            Links between chips are slower and dearer than those of the mesh, by how much depends
            on the board; 8, the width of Loihi's mesh, is our choice. It changes no count.
        effort: scales the time spent on annealing; 0 leaves it out.
        seed: of the search; by default that of the compilation.
    """

    name: ClassVar[str] = "place"
    takes: ClassVar[Stage] = "mapped"

    method: Annotated[str, AfterValidator(_method)] = "search"
    crossing: Annotated[int, Field(ge=0)] = 8
    effort: NonNegative = 1.0
    seed: Seed | None = None

    def transform(self, network: Mapped, context: Context) -> tuple[Mapped, Report]:
        """The network with coordinates; reports traffic, baselines, and how places were found.

        Raises:
            CapacityError: more cores than the mesh of all chips has.
        """
        mapped = Mapped.of(network)
        placement, profile = mapped.on_cores, context.chip()
        links = Connectivity.of(mapped.network)
        rates, input_rates = context.observed.traffic
        mesh = Mesh.of(profile, placement.n_cores)
        coordinates, search_report = None, dict[str, Any]()
        if mesh is not None:
            flow = CoreTraffic.of(links, placement.core_of, rates=rates, input_rates=input_rates)
            if not flow.between.nnz:  # a silent run says nothing; then all neurons count alike
                flow = CoreTraffic.of(links, placement.core_of)
            slots, search_report = self._slots(flow, mesh)
            coordinates = mesh.coordinates(slots)
        mapping = mapping_report(
            links,
            placement.core_of,
            profile,
            coordinates,
            rates=rates,
            input_rates=input_rates,
        )
        mapping = {**mapping, "search": search_report}
        placed = replace(
            placement, coordinates=coordinates, info={**placement.info, "mapping": mapping}
        )
        return replace(mapped, placement=placed.verify()), {"mapping": mapping}

    def _slots(self, flow: CoreTraffic, mesh: Mesh) -> tuple[Any, dict[str, Any]]:
        seed = self.seed or 0
        if self.method == "search":
            best = search(flow, mesh, crossing=self.crossing, effort=self.effort, seed=seed)
            return best.slots, best.report
        task = PlaceTask.of(flow, mesh, self.crossing)
        slots = slots_of(self.method, task, generator(seed, f"place/{self.method}"))
        return slots, {"start": self.method}
