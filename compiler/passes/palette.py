"""Snap neuron parameters to the short tables that the neurons of a core share.

Loihi 1 gives a core 31 usable profiles of (du, dv, refractory) and 7 of vth. After placement,
this pass replaces the parameters of every core by few values, at the least relative error in
the time constants, and keeps the constant current that just fires each neuron: where dv moves,
vth moves against it, and only then is vth snapped. Refractory periods never change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.clustering import relative_errors, snap_core
from hrsnn_lava.compiler.rules import Violation
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork

Int = NDArray[np.int64]
QUANTITIES = ("tau_mem", "tau_syn", "threshold")


@dataclass(frozen=True)
class Spread:
    """Relative error of one quantity over all neurons."""

    max: float
    mean: float
    median: float
    p95: float


@dataclass(frozen=True, eq=False)
class PaletteReport:
    """What snapping did.

    Attributes:
        tau_mem, tau_syn, threshold: relative errors; the threshold's is that of the constant
            current that just fires a neuron.
        changed: neurons of which any parameter changed.
        compartments_before, compartments_after, thresholds_before, thresholds_after: distinct
            profiles per core, (n_cores,).
        errors: (n_neurons, 3), columns as `QUANTITIES`.
    """

    tau_mem: Spread
    tau_syn: Spread
    threshold: Spread
    changed: int
    compartments_before: Int
    compartments_after: Int
    thresholds_before: Int
    thresholds_after: Int
    errors: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for a report."""
        spreads = {name: vars(getattr(self, name)) for name in QUANTITIES}
        counts = {
            name: getattr(self, name).tolist()
            for name in (
                "compartments_before",
                "compartments_after",
                "thresholds_before",
                "thresholds_after",
            )
        }
        return {**spreads, "changed": self.changed, **counts}


def snap(parameters: Int, core_of: Any, profile: HardwareProfile) -> tuple[Int, PaletteReport]:
    """New parameters of all neurons, and the report.

    Args:
        parameters: (n_neurons, 4) columns du, dv, refractory, vth.
        core_of: (n_neurons,) cores from 0.

    Raises:
        CapacityError: the refractory periods on a core alone are more than its profiles.
    """
    cores = np.asarray(core_of, dtype=np.int64)
    tables = profile.core.compartment_profiles.value, profile.core.threshold_profiles.value
    new = np.asarray(parameters, dtype=np.int64).copy()
    errors = np.zeros((cores.size, 3))
    counts = np.zeros((int(cores.max(initial=-1)) + 1, 4), dtype=np.int64)
    violations = []
    by_core = np.argsort(cores, kind="stable")
    for core, members in enumerate(
        np.split(by_core, np.cumsum(np.bincount(cores, minlength=counts.shape[0]))[:-1])
    ):
        old = new[members]
        snapped = snap_core(old, *tables)
        if snapped is None:
            violations.append(_too_many_classes(core, old, tables[0] or 0))
            continue
        errors[members] = relative_errors(old, snapped)
        new[members] = np.stack([snapped.du, snapped.dv, old[:, 2], snapped.vth], axis=1)
        counts[core] = [*_distinct(old), *_distinct(new[members])]
    if violations:
        raise CapacityError(
            f"the refractory periods do not fit profile {profile.name!r}", violations=violations
        )
    changed = int(np.count_nonzero((new != parameters).any(axis=1)))
    report = PaletteReport(
        tau_mem=_spread(errors[:, 0]),
        tau_syn=_spread(errors[:, 1]),
        threshold=_spread(errors[:, 2]),
        changed=changed,
        compartments_before=counts[:, 0],
        compartments_after=counts[:, 2],
        thresholds_before=counts[:, 1],
        thresholds_after=counts[:, 3],
        errors=errors,
    )
    return new, report


def _distinct(rows: Int) -> tuple[int, int]:
    return np.unique(rows[:, :3], axis=0).shape[0], np.unique(rows[:, 3]).size


def _spread(errors: NDArray[np.float64]) -> Spread:
    if not errors.size:
        return Spread(0.0, 0.0, 0.0, 0.0)
    middle, high = np.quantile(errors, [0.5, 0.95])
    return Spread(float(errors.max()), float(errors.mean()), float(middle), float(high))


def _too_many_classes(core: int, rows: Int, limit: int) -> Violation:
    periods = np.unique(rows[:, 2]).size
    return Violation(
        "compartment_profiles",
        f"core {core}",
        f"{periods} refractory periods, which cannot be merged",
        str(limit),
        f"use at most {limit} refractory periods a core",
    )


def snap_network(
    network: QuantizedNetwork, core_of: Any, profile: HardwareProfile
) -> tuple[QuantizedNetwork, PaletteReport]:
    """`network` with the parameters of every core snapped, and the report."""
    fields = ("du", "dv", "refractory", "vth")
    parameters = np.stack([network.gather(f) for f in fields], axis=1).astype(np.int64)
    new, report = snap(parameters, core_of, profile)
    start = 0
    for population in network.compute_populations:
        part = new[start : start + population.size].astype(np.int32)
        start += population.size
        snapped = replace(population, du=part[:, 0], dv=part[:, 1], vth=part[:, 3])
        network = network.with_population(snapped)
    return network, report


@dataclass(frozen=True, eq=False)
class Palette:
    """Snap the neurons of every core to the profile's tables.

    A profile without tables leaves the network as it is.

    Attributes:
        profile: gives the lengths of the tables.
        core_of: (n_neurons,) core of every neuron.
    """

    profile: HardwareProfile
    core_of: NDArray[np.int32]
    name = "palette"

    @property
    def options(self) -> dict[str, Any]:
        """The options, for the pass record."""
        return {"profile": self.profile.name}

    def __call__(self, network: QuantizedNetwork) -> QuantizedNetwork:
        """The snapped network; `snap_network` gives the report too."""
        return snap_network(network, self.core_of, self.profile)[0]
