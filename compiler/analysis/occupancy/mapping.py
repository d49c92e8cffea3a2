"""What a mapping costs, beside what simpler mappings would cost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hrsnn_lava.compiler.analysis.occupancy.congestion import link_loads
from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.traffic import CoreTraffic, neuron_order
from hrsnn_lava.compiler.mesh import Mesh
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.seeding import generator

#: Random placements of which the baseline is the mean.
DRAWS = 16
CURVES = ("row", "hilbert")


def mapping_report(
    network: QuantizedNetwork | Connectivity,
    core_of: Any,
    profile: HardwareProfile,
    coordinates: Any | None,
    *,
    rates: ArrayLike = 1.0,
    input_rates: ArrayLike = 1.0,
) -> dict[str, Any]:
    """Messages, hops and link loads of a placement, and of baselines.

    Args:
        network: integer network, or its `Connectivity`.
        core_of: (n_neurons,) core of every neuron.
        profile: the chip.
        coordinates: (n_cores, 2) tiles, or None without a mesh.
        rates, input_rates: spikes per step of neurons and input channels, arrays or scalars.

    Returns:
        cores, chips, the figures of `CoreTraffic.summary`, congestion (`LinkLoads.summary`; None
        without a mesh) and baselines by name, each with the same figures but for the histogram
        and with max_link_per_step: ``neuron_order_*`` fill the cores with the neurons in network
        order; ``same_cores_*`` keep the partition and put its cores on the tiles in row order,
        along a Hilbert curve, or at random (the mean of 16 draws on as many chips).
    """
    links = network if isinstance(network, Connectivity) else Connectivity.of(network)
    flow = CoreTraffic.of(links, core_of, rates=rates, input_rates=input_rates)
    plain = CoreTraffic.of(links, neuron_order(core_of), rates=rates, input_rates=input_rates)
    mesh = Mesh.of(profile, flow.n_cores)
    if mesh is None or coordinates is None:
        baselines = {"neuron_order": _row(plain.summary(None), None)}
        here = {"chips": _chips(profile, flow.n_cores), **flow.summary(None), "congestion": None}
        return {"cores": flow.n_cores, **here, "baselines": baselines}
    loads = link_loads(flow, coordinates, mesh.total_width, mesh.height)
    places = np.asarray(coordinates)
    return {
        "cores": flow.n_cores,
        "chips": int(np.unique(places[:, 0] // mesh.width).size),
        **flow.summary(coordinates, mesh.width),
        "congestion": loads.summary(),
        "baselines": {
            **{f"neuron_order_{c}": _figures(plain, mesh, _along(mesh, plain, c)) for c in CURVES},
            **{f"same_cores_{c}": _figures(flow, mesh, _along(mesh, flow, c)) for c in CURVES},
            "same_cores_random": _random(flow, mesh),
        },
    }


def per_step(counted: Any, steps: int) -> Any:
    """Figures of a whole run as figures per step: whatever has a name that ends so is divided."""

    def divided(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return per_step(value, steps)
        if value is None or not key.endswith("_per_step"):
            return value
        return [v / steps for v in value] if isinstance(value, list) else value / steps

    return {key: divided(key, value) for key, value in counted.items()}


def _chips(profile: HardwareProfile, n_cores: int) -> int:
    each = profile.chip.cores.value
    return -(-n_cores // each) if each else 1


def _along(mesh: Mesh, flow: CoreTraffic, curve: Any) -> Any:
    return mesh.coordinates(mesh.along(curve)[: flow.n_cores])


def _figures(flow: CoreTraffic, mesh: Mesh, coordinates: Any) -> dict[str, Any]:
    busiest = link_loads(flow, coordinates, mesh.total_width, mesh.height).values.max(initial=0.0)
    return _row(flow.summary(coordinates, mesh.width), float(busiest))


def _row(summary: dict[str, Any], busiest: float | None) -> dict[str, Any]:
    figures = {key: value for key, value in summary.items() if key != "messages_by_hops_per_step"}
    return {**figures, "max_link_per_step": busiest}


def _random(flow: CoreTraffic, mesh: Mesh) -> dict[str, Any]:
    rng = generator(0, "mapping/random")
    rows = []
    for _ in range(DRAWS):
        slots = rng.permutation(mesh.n_slots)[: flow.n_cores]
        rows.append(_figures(flow, mesh, mesh.coordinates(slots)))
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
