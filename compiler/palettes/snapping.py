"""New parameters for the neurons of every core, few enough for its tables, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.palettes.clustering import (
    Snapped,
    activity_weights,
    relative_errors,
    snap_core,
)
from hrsnn_lava.compiler.palettes.naive import snap_naively
from hrsnn_lava.errors import CapacityError, Violation
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork

Int = NDArray[np.int64]
QUANTITIES = ("tau_mem", "tau_syn", "threshold")
#: Starts of the clustering in the plane for the palette that is kept; while cores are being
#: chosen, one start has to do.
RESTARTS = 4
#: Weight of a threshold that can be absorbed, against one that cannot (our choice).
_FREE_SHARE = 1e-2


@dataclass(frozen=True)
class ErrorSummary:
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
        weights: (n_neurons,) how much each neuron's errors count.
        weighted: root mean square of the errors, neurons counted by activity, by quantity.
        naive: errors by quantity of the palette of `palettes.naive`, on cores of the same sizes;
            empty where nothing was snapped or it was not asked for.
    """

    tau_mem: ErrorSummary
    tau_syn: ErrorSummary
    threshold: ErrorSummary
    changed: int
    compartments_before: Int
    compartments_after: Int
    thresholds_before: Int
    thresholds_after: Int
    errors: NDArray[np.float64]
    weights: NDArray[np.float64]
    weighted: dict[str, float] = field(default_factory=dict)
    naive: dict[str, ErrorSummary] = field(default_factory=dict)

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
        more: dict[str, Any] = {"weighted": self.weighted} if self.changed else {}
        if self.naive:
            more |= {"naive": {name: vars(s) for name, s in self.naive.items()}}
        return {**spreads, "changed": self.changed, **counts, **more}

    def with_thresholds(self, errors: Any) -> PaletteReport:
        """The same with other errors of the thresholds, (n_neurons,)."""
        columns = self.errors.copy()
        columns[:, 2] = errors
        weighted = _weighted(columns, self.weights)
        return replace(self, errors=columns, threshold=_summary(columns[:, 2]), weighted=weighted)


def snap(
    parameters: Int,
    core_of: Any,
    profile: HardwareProfile,
    *,
    rates: Any = None,
    free_thresholds: Any = None,
    restarts: int = 0,
    compared: Int | None = None,
) -> tuple[Int, PaletteReport]:
    """New parameters of all neurons, and the report.

    Args:
        parameters: (n_neurons, 4) columns du, dv, refractory, vth.
        core_of: (n_neurons,) cores from 0.
        rates: (n_neurons,) spikes per step, see `activity_weights`; a scalar or None: all alike.
        free_thresholds: (n_neurons,) true where any threshold will do, since the rest is absorbed
            into weights; the table is made for the others first.
        restarts: of the clustering in the plane.
        compared: (n_neurons, 4) parameters for which the naive palette is made; None: no such.

    Raises:
        CapacityError: the refractory periods on a core alone are more than its profiles.
    """
    cores = np.asarray(core_of, dtype=np.int64)
    tables = profile.core.compartment_profiles.value, profile.core.threshold_profiles.value
    new = np.asarray(parameters, dtype=np.int64).copy()
    errors = np.zeros((cores.size, 3))
    counts = np.zeros((int(cores.max(initial=-1)) + 1, 4), dtype=np.int64)
    weights = activity_weights(rates, cores.size)
    for_thresholds = weights
    if free_thresholds is not None:
        for_thresholds = weights * np.where(free_thresholds, _FREE_SHARE, 1.0)
    violations = []
    by_core = np.argsort(cores, kind="stable")
    for core, members in enumerate(
        np.split(by_core, np.cumsum(np.bincount(cores, minlength=counts.shape[0]))[:-1])
    ):
        old = new[members]
        snapped = snap_core(
            old,
            *tables,
            weights=weights[members],
            threshold_weights=for_thresholds[members],
            restarts=restarts,
        )
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
    n_changed = int(np.count_nonzero((new != parameters).any(axis=1)))
    report = PaletteReport(
        tau_mem=_summary(errors[:, 0]),
        tau_syn=_summary(errors[:, 1]),
        threshold=_summary(errors[:, 2]),
        changed=n_changed,
        compartments_before=counts[:, 0],
        compartments_after=counts[:, 2],
        thresholds_before=counts[:, 1],
        thresholds_after=counts[:, 3],
        errors=errors,
        weights=weights,
        weighted=_weighted(errors, weights),
    )
    if compared is not None and n_changed:
        sizes = np.bincount(cores, minlength=counts.shape[0])
        naive = Snapped.of(snap_naively(compared, sizes, profile))
        columns = relative_errors(compared, naive).T
        report = replace(report, naive=dict(zip(QUANTITIES, map(_summary, columns), strict=True)))
    return new, report


def _distinct(rows: Int) -> tuple[int, int]:
    return np.unique(rows[:, :3], axis=0).shape[0], np.unique(rows[:, 3]).size


def _summary(errors: NDArray[np.float64]) -> ErrorSummary:
    if not errors.size:
        return ErrorSummary(0.0, 0.0, 0.0, 0.0)
    middle, high = np.quantile(errors, [0.5, 0.95])
    return ErrorSummary(float(errors.max()), float(errors.mean()), float(middle), float(high))


def _weighted(errors: NDArray[np.float64], weights: NDArray[np.float64]) -> dict[str, float]:
    """Root mean square by quantity, neurons counted by their weights of mean 1."""
    squares = weights @ errors**2 / max(weights.size, 1)
    return {name: float(value) for name, value in zip(QUANTITIES, np.sqrt(squares), strict=True)}


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
    network: QuantizedNetwork,
    core_of: Any,
    profile: HardwareProfile,
    *,
    rates: Any = None,
    free_thresholds: Any = None,
    original: QuantizedNetwork | None = None,
) -> tuple[QuantizedNetwork, PaletteReport]:
    """`network` with the parameters of every core snapped, and the report; see `snap`.

    Args:
        original: the network for which the naive palette is made; `network` by default.
    """
    parameters = parameters_of(network)
    new, report = snap(
        parameters,
        core_of,
        profile,
        rates=rates,
        free_thresholds=free_thresholds,
        restarts=RESTARTS,
        compared=parameters if original is None else parameters_of(original),
    )
    return with_parameters(network, new), report


def with_parameters(network: QuantizedNetwork, parameters: Int) -> QuantizedNetwork:
    """`network` with other du, dv and vth, columns as `parameters_of` has them."""
    start = 0
    for population in network.compute_populations:
        part = parameters[start : start + population.size].astype(np.int32)
        start += population.size
        new_population = replace(population, du=part[:, 0], dv=part[:, 1], vth=part[:, 3])
        network = network.with_population(new_population)
    return network


def parameters_of(network: QuantizedNetwork) -> Int:
    """Columns du, dv, refractory, vth of all neurons, (n_neurons, 4)."""
    fields = ("du", "dv", "refractory", "vth")
    columns = [network.gather(f) for f in fields]
    return np.asarray(np.stack(columns, axis=1), dtype=np.int64)
