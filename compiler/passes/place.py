"""Put cores on the tiles of the mesh, and count messages and hops.

A spike sends one message to every core on which it has a synapse, its own core included
(SANA-FE counts so too). A message travels along x, then along y; its hops are the Manhattan
distance of the tiles, 0 within a tile. Tile k of a chip is at x = k // height, y = k % height;
chips stand side by side along x. Input channels come from the host: their messages are counted
apart, and their way to the core is not known, so it has no hops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.utilization import utilization
from hrsnn_lava.compiler.placement import Placement
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Curve = Literal["row", "hilbert"]


@dataclass(frozen=True)
class Place:
    """Cores to tiles.

    Attributes:
        profile: the chip; without a mesh the placement gets no coordinates.
        curve: order in which the tiles are filled: ``"row"`` as the chip numbers them, or along
            a ``"hilbert"`` curve, on which cores of near numbers are near.
        rates: spikes per step of every neuron, (n_neurons,), to weigh traffic; a scalar for all
            alike.
        input_rates: the same for the input channels, (n_inputs,).
    """

    profile: HardwareProfile
    curve: Curve = "hilbert"
    rates: Any = 1.0
    input_rates: Any = 1.0
    name = "place"

    @property
    def options(self) -> dict[str, Any]:
        """The options, for the pass record."""
        uniform = np.ndim(self.rates) == 0
        return {
            "profile": self.profile.name,
            "curve": self.curve,
            "rates": float(self.rates) if uniform else "per neuron",
        }

    def __call__(self, network: QuantizedNetwork, placement: Placement) -> Placement:
        """The placement with coordinates; `info["mapping"]` holds traffic and baselines."""
        coordinates = tiles(placement.n_cores, self.profile, self.curve)
        mapping = mapping_report(
            network,
            placement.core_of,
            self.profile,
            coordinates,
            rates=self.rates,
            input_rates=self.input_rates,
        )
        info = {**placement.info, "mapping": mapping, "curve": self.curve}
        return replace(placement, coordinates=coordinates, info=info).verify()


def tiles(n_cores: int, profile: HardwareProfile, curve: Curve = "row") -> NDArray[np.int32] | None:
    """Tile (x, y) of cores 0..n_cores-1, (n_cores, 2); None when the profile has no mesh.

    Raises:
        CapacityError: more cores than the mesh of all chips has.
    """
    if curve not in ("row", "hilbert"):
        raise SpecError(f"curve: {curve!r}; allowed: row, hilbert")
    chip = profile.chip
    width, height, per_tile = (
        chip.mesh_width.value,
        chip.mesh_height.value,
        chip.cores_per_tile.value,
    )
    if width is None or height is None or per_tile is None:
        return None
    order = hilbert_tiles(width, height) if curve == "hilbert" else _numbered(width, height)
    per_chip = min(chip.cores.value or width * height * per_tile, width * height * per_tile)
    chip_of, within = np.divmod(np.arange(n_cores), per_chip)
    if n_cores and int(chip_of[-1]) >= (chip.chips.value or 1):
        raise CapacityError(
            f"{n_cores} cores; profile {profile.name!r} has {per_chip} cores on each of "
            f"{chip.chips.value} chips"
        )
    places = order[within // per_tile].copy()
    places[:, 0] += chip_of * width
    result: NDArray[np.int32] = places.astype(np.int32)
    return result


def _numbered(width: int, height: int) -> Int:
    index = np.arange(width * height, dtype=np.int64)
    return np.stack([index // height, index % height], axis=1)


def hilbert_tiles(width: int, height: int) -> Int:
    """Tiles along the Hilbert curve of the smallest square of 2^k that holds them, (n, 2).

    Tiles outside the mesh are left out, so a step is at times longer than 1 on a mesh that is
    no such square.
    """
    side = 1
    while side < max(width, height):
        side *= 2
    index = np.arange(side * side, dtype=np.int64)
    x, y = np.zeros_like(index), np.zeros_like(index)
    rest, size = index.copy(), 1
    while size < side:
        right = (rest // 2) & 1
        up = (rest ^ right) & 1
        flip = (up == 0) & (right == 1)
        x, y = np.where(flip, size - 1 - x, x), np.where(flip, size - 1 - y, y)
        x, y = np.where(up == 0, y, x), np.where(up == 0, x, y)
        x, y = x + size * right, y + size * up
        rest //= 4
        size *= 2
    inside = (x < width) & (y < height)
    return np.stack([x[inside], y[inside]], axis=1)


@dataclass(frozen=True, eq=False)
class Routes:
    """What one spike of every source causes.

    Attributes:
        messages: (n_sources,) destination cores; neurons first, input channels after them.
        hops_x, hops_y: (n_sources,) router hops summed over the messages; 0 for inputs, and
            0 throughout when there is no mesh.
        longest: (n_sources,) hops of the farthest message.
    """

    messages: Int
    hops_x: Int
    hops_y: Int
    longest: Int


def routes(destinations: sparse.csr_matrix, core_of: Any, coordinates: Any | None) -> Routes:
    """Messages and hops of one spike of every source.

    A run's counts are then ``spikes_per_source @ routes.messages`` and so on.

    Args:
        destinations: (n_cores, n_sources), non-zero where a source has a synapse on a core
            (`Utilization.destinations`).
        core_of: (n_neurons,) core of every neuron.
        coordinates: (n_cores, 2) tiles, or None.
    """
    cores = np.asarray(core_of, dtype=np.int64)
    n_sources = destinations.shape[1]
    messages = np.bincount(destinations.indices, minlength=n_sources).astype(np.int64)
    hops = np.zeros((2, n_sources), dtype=np.int64)
    longest = np.zeros(n_sources, dtype=np.int64)
    if coordinates is not None:
        places = np.asarray(coordinates, dtype=np.int64)
        target = np.repeat(np.arange(destinations.shape[0]), np.diff(destinations.indptr))
        source = destinations.indices.astype(np.int64)
        onchip = source < cores.size
        target, source = target[onchip], source[onchip]
        steps = np.abs(places[target] - places[cores[source]])
        for axis in (0, 1):
            np.add.at(hops[axis], source, steps[:, axis])
        np.maximum.at(longest, source, steps.sum(axis=1))
    return Routes(messages, hops[0], hops[1], longest)


def traffic(
    network: QuantizedNetwork | Connectivity,
    core_of: Any,
    profile: HardwareProfile,
    coordinates: Any | None,
    *,
    rates: ArrayLike = 1.0,
    input_rates: ArrayLike = 1.0,
) -> dict[str, float | None]:
    """Messages and hops per step at the given rates.

    Returns:
        messages_per_step, input_messages_per_step, between_cores_per_step (messages that leave
        their core), hops_per_step, mean_hops (per message of a neuron) and max_hops (of neurons
        that fire at all); the last three None without a mesh.
    """
    links = network if isinstance(network, Connectivity) else Connectivity.of(network)
    cores = np.asarray(core_of, dtype=np.int64)
    destinations = utilization(links, cores, profile).destinations
    found = routes(destinations, cores, coordinates)
    n = links.n_neurons
    # Full arrays, so that a scalar and as many equal numbers are summed alike.
    rate = np.full(n, 1.0) * np.asarray(rates, dtype=np.float64)
    input_rate = np.full(links.n_sources - n, 1.0) * np.asarray(input_rates, dtype=np.float64)
    total = float(rate @ found.messages[:n])
    target = np.repeat(np.arange(destinations.shape[0]), np.diff(destinations.indptr))
    source = destinations.indices
    leaving = source < n
    leaving[leaving] = cores[source[leaving]] != target[leaving]
    hops = float(rate @ (found.hops_x + found.hops_y)[:n])
    meshed = coordinates is not None
    return {
        "messages_per_step": total,
        "input_messages_per_step": float(input_rate @ found.messages[n:]),
        "between_cores_per_step": float(rate[source[leaving]].sum()),
        "hops_per_step": hops if meshed else None,
        "mean_hops": (hops / total if total else 0.0) if meshed else None,
        "max_hops": float(found.longest[:n][rate > 0].max(initial=0)) if meshed else None,
    }


def neuron_order(core_of: Any) -> NDArray[np.int32]:
    """The baseline: cores of the same sizes, filled with the neurons in network order."""
    cores = np.asarray(core_of, dtype=np.int64)
    sizes = np.bincount(cores)
    return np.repeat(np.arange(sizes.size, dtype=np.int32), sizes)


def mapping_report(
    network: QuantizedNetwork | Connectivity,
    core_of: Any,
    profile: HardwareProfile,
    coordinates: Any | None,
    *,
    rates: ArrayLike = 1.0,
    input_rates: ArrayLike = 1.0,
    curves: Sequence[Curve] = ("row", "hilbert"),
) -> dict[str, Any]:
    """Traffic of a placement, and of baselines: neuron order on each curve."""
    links = network if isinstance(network, Connectivity) else Connectivity.of(network)
    plain = neuron_order(core_of)
    n_cores = int(plain.max(initial=-1)) + 1
    here = traffic(links, core_of, profile, coordinates, rates=rates, input_rates=input_rates)
    baselines = {
        f"neuron_order_{curve}": traffic(
            links,
            plain,
            profile,
            tiles(n_cores, profile, curve),
            rates=rates,
            input_rates=input_rates,
        )
        for curve in curves
    }
    return {"cores": n_cores, **here, "baselines": baselines}
