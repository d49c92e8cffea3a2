"""Assign neurons to cores, within every limit of the profile.

Neurons are put in an order, cores are filled along it by exact counts, and cores that send to
too many others are divided. On chips whose neurons share short tables of parameters, the order
puts like neurons together, and the number of neurons a core is chosen as the largest that keeps
the error of the tables small: fewer, fuller cores mean fewer messages, which cost more than
synaptic operations do (111 pJ against 34 pJ in SANA-FE's fit of Loihi).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.utilization import utilization
from hrsnn_lava.compiler.clustering import decay_rate
from hrsnn_lava.compiler.filling import cores_from_bounds, fill, split_out_axons
from hrsnn_lava.compiler.learning_limits import learning_groups
from hrsnn_lava.compiler.passes.palette import snap
from hrsnn_lava.compiler.placement import Placement
from hrsnn_lava.compiler.rules import CAPACITY_RULES, VALUE_RULES, Placed, check
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork

Int = NDArray[np.int64]
Order = Literal["auto", "index", "parameters"]


@dataclass(frozen=True)
class Partition:
    """Neurons to cores.

    Attributes:
        profile: the chip.
        neurons_per_core: upper bound; None chooses it (see `tolerance`).
        order: ``"index"``: as in the network; ``"parameters"``: like neurons together;
            ``"auto"``: the latter where the chip has tables that would otherwise overflow.
        tolerance: relative error of time constants and thresholds that 95 % of the neurons
            shall stay below when `neurons_per_core` is chosen. 5 % is our choice.
    """

    profile: HardwareProfile
    neurons_per_core: int | None = None
    order: Order = "auto"
    tolerance: float = 0.05
    name = "partition"

    @property
    def options(self) -> dict[str, Any]:
        """The options, for the pass record."""
        return {
            "profile": self.profile.name,
            "neurons_per_core": self.neurons_per_core,
            "order": self.order,
            "tolerance": self.tolerance,
        }

    def __call__(self, network: QuantizedNetwork) -> Placement:
        """The placement; raises `CapacityError` with every violation."""
        return partition(
            network,
            self.profile,
            neurons_per_core=self.neurons_per_core,
            order=self.order,
            tolerance=self.tolerance,
        )


def partition(
    network: QuantizedNetwork,
    profile: HardwareProfile,
    *,
    neurons_per_core: int | None = None,
    order: Order = "auto",
    tolerance: float = 0.05,
) -> Placement:
    """Place the neurons of `network` on cores; see `Partition` for the options.

    `Placement.info` holds the order taken, the neurons a core, and per size tried the cores and
    the 95th percentile of the error that the tables cause.

    Raises:
        CapacityError: with every violation; the tables are not among them, since the palette
            pass makes parameters fit them.
    """
    if neurons_per_core is not None and neurons_per_core < 1:
        raise SpecError(f"neurons_per_core: {neurons_per_core}; allowed: >= 1")
    if order not in ("auto", "index", "parameters"):
        raise SpecError(f"order: {order!r}; allowed: auto, index, parameters")
    links = Connectivity.of(network)
    crowded = profile.has_profile_tables and _overflows(links, profile)
    by_parameters = order == "parameters" or (order == "auto" and crowded)
    sequence = parameter_order(links.parameters) if by_parameters else np.arange(links.n_neurons)
    groups = learning_groups(links, profile)
    if groups is not None:  # cores hold the rules of one group
        sequence = sequence[np.argsort(groups[sequence], kind="stable")]
    limit = profile.core.neurons.value or links.n_neurons
    largest = min(limit, links.n_neurons)
    if neurons_per_core is not None:
        sizes = [min(neurons_per_core, largest)]
    else:
        # Not below the shortest table, where the error is 0 already.
        least = min(profile.core.threshold_profiles.value or 1, largest)
        sizes = [s for s in (largest >> k for k in range(largest.bit_length())) if s >= least]
    best, tried = _choose(links, sequence, sizes, profile, tolerance)
    placement = Placement.of(
        best,
        order="parameters" if by_parameters else "index",
        neurons_per_core=int(np.bincount(best).max()),
        tried=tried,
    )
    placed = Placed(
        network, profile, placement.core_of, links, utilization(links, placement.core_of, profile)
    )
    violations = check(placed, (*CAPACITY_RULES, *VALUE_RULES))
    if violations:
        raise CapacityError(
            f"network {network.name!r} does not fit profile {profile.name!r}",
            violations=violations,
        )
    return placement


def _choose(
    links: Connectivity,
    sequence: Int,
    sizes: list[int],
    profile: HardwareProfile,
    tolerance: float,
) -> tuple[NDArray[np.int32], list[dict[str, Any]]]:
    """The largest size that fits within tolerance; else, of those that fit, the least error."""
    tried: list[dict[str, Any]] = []
    best, best_error, best_fits = None, np.inf, False
    for size in sizes:
        bounds = _fill_balanced(links, sequence, profile, size)
        core_of = cores_from_bounds(sequence, bounds)
        fits = _fits(links, core_of, profile)
        error = 0.0
        if profile.has_profile_tables:
            _, report = snap(links.parameters, core_of, profile)
            error = max(report.tau_mem.p95, report.tau_syn.p95, report.threshold.p95)
        tried.append(
            {
                "neurons_per_core": size,
                "cores": int(bounds.size - 1),
                "fits": fits,
                "error_p95": error,
            }
        )
        if best is None or (fits and (not best_fits or error < best_error)):
            best, best_error, best_fits = core_of, error, fits
        enough = best_fits and best_error <= tolerance
        if enough or (best_fits and not fits) or _hopeless(bounds, profile):
            break  # smaller cores only need more of them
    if best is None:
        raise CapacityError("no neurons to place")
    return best, tried


def _fill_balanced(links: Connectivity, sequence: Int, profile: HardwareProfile, size: int) -> Int:
    """Bounds of cores of at most `size` neurons.

    Cores that all reach each other have (neurons a core) x (cores) output axons, so uneven sizes
    cost: where that overflows, the same number of cores is filled evenly before any is divided.
    """
    bounds = fill(links, sequence, profile, neurons_per_core=size)
    limit = profile.core.out_axons.value
    if limit is None or _hopeless(bounds, profile):
        return bounds
    used = utilization(links, cores_from_bounds(sequence, bounds), profile)["out_axons"]
    if used.over().size:
        even = -(-sequence.size // (bounds.size - 1))
        candidate = fill(links, sequence, profile, neurons_per_core=even)
        evened = utilization(links, cores_from_bounds(sequence, candidate), profile)["out_axons"]
        if evened.over().size <= used.over().size:
            bounds = candidate
    return split_out_axons(links, sequence, bounds, profile)


def _hopeless(bounds: Int, profile: HardwareProfile) -> bool:
    return profile.total_cores is not None and bounds.size - 1 > profile.total_cores


def _fits(links: Connectivity, core_of: NDArray[np.int32], profile: HardwareProfile) -> bool:
    used = utilization(links, core_of, profile)
    tables = ("compartment_profiles", "threshold_profiles")
    return (used.cores_limit is None or used.n_cores <= used.cores_limit) and not any(
        resource.over().size for resource in used.resources if resource.name not in tables
    )


def _overflows(links: Connectivity, profile: HardwareProfile) -> bool:
    """True when the parameters of the whole network are more than one core's tables hold."""
    core, rows = profile.core, links.parameters
    compartments, thresholds = core.compartment_profiles.value, core.threshold_profiles.value
    return (
        compartments is not None and np.unique(rows[:, :3], axis=0).shape[0] > compartments
    ) or (thresholds is not None and np.unique(rows[:, 3]).size > thresholds)


def parameter_order(parameters: Int, leaf: int = 8) -> Int:
    """An order of neurons in which neighbours are alike, (N,).

    Recursive halving at the median of the coordinate that varies most, among log vth, log
    membrane rate, log synaptic rate and the refractory period. vth counts four times as much as
    the rates: its table is about four times shorter, so the same spread costs four times more.
    Ties keep the index order, so the result is deterministic.

    Args:
        parameters: (N, 4) columns du, dv, refractory, vth.
        leaf: groups up to this size are sorted along one coordinate only.
    """
    du, dv, refractory, vth = np.asarray(parameters, dtype=np.int64).T
    coordinates = np.stack(
        [
            4.0 * np.log(np.maximum(vth, 0.5)),
            np.log(decay_rate(np.maximum(dv, 0.5))),
            np.log(decay_rate(np.maximum(du + 1, 0.5))),
            refractory.astype(np.float64),
        ],
        axis=1,
    )
    pieces: list[Int] = []
    stack = [np.arange(du.size, dtype=np.int64)]
    while stack:
        part = stack.pop()
        if part.size == 0:
            continue
        extent = np.ptp(coordinates[part], axis=0)
        axis = int(np.argmax(extent))
        part = part[np.argsort(coordinates[part, axis], kind="stable")]
        if part.size <= leaf or np.count_nonzero(extent) <= 1:
            pieces.append(part)
            continue
        half = part.size // 2
        stack += [part[half:], part[:half]]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)
