"""Messages and hops of a placed network.

A spike sends one message to every core on which it has a synapse, its own core included
(SANA-FE counts so too). A message travels along x, then along y; its hops are the Manhattan
distance of the tiles, 0 within a tile; where chips stand side by side, the step from one to the
next is a passage between chips and no hop. Input channels come from the host: their messages are
counted apart, and their way to the core is not known, so it has no hops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.utilization import fan_in_counts
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Routes:
    """What one spike of every source causes.

    Attributes:
        messages: (n_sources,) destination cores; neurons first, input channels after them.
        hops_x, hops_y: (n_sources,) router hops on the chips, summed over the messages; 0 for
            inputs, and 0 throughout when there is no mesh.
        crossings: (n_sources,) passages from one chip to the next, which are no hops, summed alike.
        longest: (n_sources,) hops and passages of the farthest message.
    """

    messages: Int
    hops_x: Int
    hops_y: Int
    crossings: Int
    longest: Int


def routes(
    destinations: sparse.csr_matrix,
    core_of: Any,
    coordinates: Any | None,
    chip_width: int | None = None,
) -> Routes:
    """Messages and hops of one spike of every source.

    A run's counts are then ``spikes_per_source @ routes.messages`` and so on.

    Args:
        destinations: (n_cores, n_sources), non-zero where a source has a synapse on a core
            (`Utilization.destinations`).
        core_of: (n_neurons,) core of every neuron.
        coordinates: (n_cores, 2) tiles, or None.
        chip_width: tiles of one chip along x; None: all tiles are on one chip.
    """
    cores = np.asarray(core_of, dtype=np.int64)
    n_sources = destinations.shape[1]
    messages = np.bincount(destinations.indices, minlength=n_sources).astype(np.int64)
    hops = np.zeros((2, n_sources), dtype=np.int64)
    crossings, longest = np.zeros((2, n_sources), dtype=np.int64)
    if coordinates is not None:
        places = np.asarray(coordinates, dtype=np.int64)
        target = np.repeat(np.arange(destinations.shape[0]), np.diff(destinations.indptr))
        source = destinations.indices.astype(np.int64)
        onchip = source < cores.size
        target, source = target[onchip], source[onchip]
        steps = np.abs(places[target] - places[cores[source]])
        np.maximum.at(longest, source, steps.sum(axis=1))
        passages = chips_apart(places[target], places[cores[source]], chip_width)
        steps[:, 0] -= passages
        np.add.at(crossings, source, passages)
        for axis in (0, 1):
            np.add.at(hops[axis], source, steps[:, axis])
    return Routes(messages, hops[0], hops[1], crossings, longest)


def chips_apart(here: Int, there: Int, chip_width: int | None) -> Int:
    """Passages from chip to chip between tiles (n, 2) and (n, 2): chips stand side by side along x,
    so each step of x from one to the next is one."""
    if not chip_width:
        return np.zeros(here.shape[0], dtype=np.int64)
    apart: Int = np.abs(here[:, 0] // chip_width - there[:, 0] // chip_width)
    return apart


@dataclass(frozen=True, eq=False)
class CoreTraffic:
    """Messages between cores, whatever tiles they are on.

    Attributes:
        between: CSR (n_cores, n_cores), messages per step from the row's core to the column's,
            its own core included; pairs without traffic are not stored.
        inputs: messages per step of all input channels.
    """

    between: sparse.csr_matrix
    inputs: float

    @staticmethod
    def of(
        network: QuantizedNetwork | Connectivity,
        core_of: Any,
        *,
        rates: ArrayLike = 1.0,
        input_rates: ArrayLike = 1.0,
    ) -> CoreTraffic:
        """Count the messages of a partition.

        Args:
            network: integer network, or its `Connectivity` where several are compared.
            core_of: (n_neurons,) core of every neuron.
            rates, input_rates: spikes per step, (n_neurons,) and (n_inputs,), or scalars.
        """
        links = network if isinstance(network, Connectivity) else Connectivity.of(network)
        cores = np.asarray(core_of, dtype=np.int64)
        n, n_cores = links.n_neurons, int(cores.max(initial=-1)) + 1
        rate = np.full(n, 1.0) * np.asarray(rates, dtype=np.float64)
        input_rate = np.full(links.n_sources - n, 1.0) * np.asarray(input_rates, dtype=np.float64)
        sent = _destinations(links, cores, n_cores)
        reach = np.asarray(sent.sum(axis=0)).ravel()
        member = sparse.csr_matrix((rate, (cores, np.arange(n))), shape=(n_cores, n))
        between = sparse.csr_matrix(member @ sparse.csr_matrix(sent[:, :n].T))
        between.eliminate_zeros()
        between.sort_indices()
        return CoreTraffic(between, float(input_rate @ reach[n:]))

    @property
    def n_cores(self) -> int:
        """Cores in use."""
        return int(self.between.shape[0])

    @property
    def pairs(self) -> tuple[Int, Int, Float]:
        """Sending core, receiving core and messages per step of every pair with traffic."""
        start = np.repeat(np.arange(self.n_cores, dtype=np.int64), np.diff(self.between.indptr))
        return start, self.between.indices.astype(np.int64), self.between.data

    def summary(self, coordinates: Any | None, chip_width: int | None = None) -> dict[str, Any]:
        """Messages and hops per step of cores on the given tiles.

        Args:
            coordinates: (n_cores, 2) tiles, or None without a mesh.
            chip_width: tiles of one chip along x.

        Returns:
            messages_per_step, input_messages_per_step, between_cores_per_step (messages that
            leave their core), inter_chip_messages_per_step, hops_per_step, mean_hops (per message
            of a neuron), max_hops (of neurons that fire at all) and messages_by_hops_per_step (a
            list, from 0 hops on); those from the fourth on None without a mesh. Hops are distances
            of tiles here, so that a passage between chips is one of them.
        """
        sender, receiver, amount = self.pairs
        total = float(amount.sum())
        figures: dict[str, Any] = {
            "messages_per_step": total,
            "input_messages_per_step": self.inputs,
            "between_cores_per_step": float(amount[sender != receiver].sum()),
        }
        if coordinates is None:
            names = ("inter_chip_messages_per_step", "hops_per_step", "mean_hops", "max_hops")
            return figures | dict.fromkeys((*names, "messages_by_hops_per_step"))
        places = np.asarray(coordinates, dtype=np.int64)
        steps = np.abs(places[sender] - places[receiver]).sum(axis=1)
        chip = places[:, 0] // chip_width if chip_width else np.zeros(self.n_cores, np.int64)
        crossing = chip[sender] != chip[receiver]
        hops = float(amount @ steps)
        return figures | {
            "inter_chip_messages_per_step": float(amount[crossing].sum()),
            "hops_per_step": hops,
            "mean_hops": hops / total if total else 0.0,
            "max_hops": int(steps.max(initial=0)),
            "messages_by_hops_per_step": np.bincount(steps, weights=amount, minlength=1).tolist(),
        }


def _destinations(links: Connectivity, cores: Int, n_cores: int) -> sparse.csr_matrix:
    """Ones where a source has a synapse on a core, CSR (n_cores, n_sources)."""
    total = sparse.csr_matrix((n_cores, links.n_sources), dtype=np.int64)
    for counts in fan_in_counts(links, cores, n_cores):
        total = total + counts
    total = sparse.csr_matrix(total)
    total.data = np.ones(total.nnz)
    return total


def traffic(
    network: QuantizedNetwork | Connectivity,
    core_of: Any,
    profile: HardwareProfile,
    coordinates: Any | None,
    *,
    rates: ArrayLike = 1.0,
    input_rates: ArrayLike = 1.0,
) -> dict[str, Any]:
    """Messages and hops per step at the given rates; see `CoreTraffic.summary`."""
    flow = CoreTraffic.of(network, core_of, rates=rates, input_rates=input_rates)
    return flow.summary(coordinates, profile.chip.mesh_width.value)


def neuron_order(core_of: Any) -> NDArray[np.int32]:
    """The baseline: cores of the same sizes, filled with the neurons in network order."""
    cores = np.asarray(core_of, dtype=np.int64)
    sizes = np.bincount(cores)
    return np.repeat(np.arange(sizes.size, dtype=np.int32), sizes)
