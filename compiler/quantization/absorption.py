"""Thresholds that weights and biases take up: which, and what it costs on integers.

See `hrsnn_lava.compiler.passes.absorb_thresholds` for why this may be done at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.context import INPUT_RANGE, Observed
from hrsnn_lava.compiler.mapped import ThresholdPlan
from hrsnn_lava.compiler.palettes.clustering import activity_weights
from hrsnn_lava.compiler.palettes.snapping import parameters_of, with_parameters
from hrsnn_lava.compiler.palettes.threshold_tables import common_table, nearest_entries, reassign
from hrsnn_lava.compiler.quantization.input_scaling import (
    RowRounding,
    expected_change,
    largest_gains,
    plastic_targets,
    scale_rows,
)
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.integer_format import NEURON_RANGES, STATE_UNIT, current_leak, firing_current
from hrsnn_lava.quantized import QuantizedNetwork

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


#: Columns of `parameters_of`.
_DV, _VTH = 1, 3


class Absorption(Protocol):
    """The options; see `hrsnn_lava.compiler.passes.absorb_thresholds.AbsorbThresholds`."""

    @property
    def enabled(self) -> bool: ...
    @property
    def input_range(self) -> float | None: ...
    @property
    def typical_rate(self) -> float: ...
    @property
    def reserve(self) -> float: ...
    @property
    def tolerance(self) -> float: ...


def plan_thresholds(
    network: QuantizedNetwork, profile: HardwareProfile, options: Absorption, observed: Observed
) -> ThresholdPlan | None:
    """Pick thresholds for the whole network; None where there is nothing to do.

    That is: the chip has no table of thresholds, it is long enough, or nobody can be moved.

    Args:
        options: with `input_range` settled.
        observed: rates of a run; sources of unknown rate have `typical_rate`.
    """
    table_length = profile.core.threshold_profiles.value
    old = network.gather("vth").astype(np.int64)
    if not options.enabled or table_length is None or np.unique(old).size <= table_length:
        return None
    plastic = plastic_targets(network)
    free = ~plastic & (old > 0)
    if not free.any():
        return None
    sources = _source_rates(network, observed, options.typical_rate)
    room = largest_gains(
        network, INPUT_RANGE if options.input_range is None else options.input_range
    )
    # the palette moves thresholds once more, so a part of the room stays free for it
    reachable = 1.0 + (room - 1.0) * (1.0 - options.reserve)
    others = np.unique(old[~free]).size
    weights = activity_weights(observed.neuron_rates, old.size)
    # Neurons that keep their thresholds get about half of the table, if they need it.
    entries = max(table_length - min(others, table_length // 2), 1)
    table = common_table(old[free], weights[free], entries)
    target = old.copy()
    target[free] = nearest_entries(old[free].astype(np.float64), table, reachable[free])
    firing = _leaky_firing_current(target, network.gather("dv"))
    change = expected_change(network, sources)
    # A neuron that does not leak fires at any current: no share of it can be said.
    share = np.divide(change, firing, out=np.full(old.size, np.inf), where=firing > 0)
    gain = target / np.maximum(old, 1)
    cost = np.minimum(share, np.abs(gain - 1.0))
    roomy = target <= reachable * old
    absorbed = free & roomy & (cost <= options.tolerance)
    if not absorbed.any():
        return None
    parameters = parameters_of(network)
    parameters[:, _VTH] = np.where(absorbed, target, old)
    untouched = {
        "plastic": int(plastic.sum()),
        "no_room": int((free & ~roomy).sum()),
        "dear": int((free & roomy & ~absorbed).sum()),
    }
    planned = with_parameters(network, parameters)
    return ThresholdPlan(network, planned, absorbed, room, sources, untouched)


def absorb(
    plan: ThresholdPlan, snapped: QuantizedNetwork, core_of: NDArray[np.int32]
) -> tuple[QuantizedNetwork, Float, dict[str, Any]]:
    """Scale weights and biases once, after the palette.

    Args:
        plan: of `plan_thresholds`. snapped: its `network` after the palette.
        core_of: (n_neurons,).

    Returns:
        The network; (n_neurons,) relative errors of the current that just fires each neuron,
        0 where the threshold was absorbed and against the planned one elsewhere; the report.
    """
    before, after = parameters_of(plan.original), parameters_of(snapped)
    # a changed dv changes the gain of the membrane; dv = 0 has none that could change
    leak = np.where(before[:, _DV] == 0, 1.0, after[:, _DV] / np.maximum(before[:, _DV], 1))
    exact = np.maximum(before[:, _VTH], 1) / leak
    cores = np.asarray(core_of, dtype=np.int64)
    after[:, _VTH] = reassign(after[:, _VTH], exact, plan.absorbed, plan.room, cores)
    snapped = with_parameters(snapped, after)
    silent = (before[:, _VTH] == 0) & (after[:, _VTH] == 0)
    gain = np.where(silent, 1.0, after[:, _VTH] / exact)
    error = np.abs(gain - 1.0)
    firing = _leaky_firing_current(after[:, _VTH], after[:, _DV])
    possible = plan.absorbed & (after[:, _VTH] > 0) & (gain != 1.0) & (gain <= plan.room)
    chosen = possible & (expected_change(snapped, plan.rates) < error * firing)
    scaled = _scaled(snapped, gain, chosen, plan.rates, firing)
    error[chosen] = 0.0
    change = scaled.change[chosen]
    report = {
        "absorbed": int(chosen.sum()),
        "kept": int((plan.absorbed & ~chosen & (gain != 1.0)).sum()),
        "left": plan.untouched,
        "thresholds_before": int(np.unique(before[:, _VTH]).size),
        "thresholds_planned": int(np.unique(plan.network.gather("vth")).size),
        "gain_min": float(gain[chosen].min(initial=np.inf)) if chosen.any() else 1.0,
        "gain_max": float(gain[chosen].max(initial=0.0)) if chosen.any() else 1.0,
        "weight_error_max": float(scaled.weight_error[chosen].max(initial=0.0)),
        "current_change_median": float(np.median(change)) if change.size else 0.0,
        "current_change_max": float(change.max(initial=0.0)),
        "zeroed": snapped.n_synapses - scaled.network.n_synapses,
    }
    return scaled.network, error, report


def _leaky_firing_current(vth: NDArray[Any], dv: NDArray[Any]) -> Float:
    """`firing_current`, with dv = 0 taken as 1: a neuron that never forgets fires at any."""
    return firing_current(vth, np.maximum(dv, 1))


def _source_rates(network: QuantizedNetwork, observed: Observed, typical: float) -> Float:
    """Spikes per step of every source, neurons first, (n_sources,)."""

    def full(rates: Float | None, size: int) -> Float:
        return np.full(size, typical) if rates is None else np.clip(rates, 0.0, 1.0)

    return np.concatenate(
        [
            full(observed.neuron_rates, network.n_neurons),
            full(observed.channel_rates, network.n_inputs),
        ]
    )


@dataclass(frozen=True, eq=False)
class _Scaled:
    """A network with scaled inputs; (n_neurons,) change of the current, largest weight error."""

    network: QuantizedNetwork
    change: Float
    weight_error: Float


def _scaled(
    network: QuantizedNetwork, gain: Float, chosen: Bool, rates: Float, firing: Float
) -> _Scaled:
    """`network` with the inputs of the `chosen` neurons times `gain`, both (n_neurons,).

    Args:
        rates: (n_sources,). firing: (n_neurons,) constant current that then just fires a neuron,
            in units of the weights.
    """
    gain = np.where(chosen, gain, 1.0)
    n = gain.size
    mean, square, largest_error, largest_weight = np.zeros((4, n))
    result = network
    for projection in network.projections:
        start = network.offset(projection.post)
        rows = slice(start, start + projection.weights.shape[0])
        if not chosen[rows].any() or projection.learning is not None:
            continue  # nobody chosen has a synapse that learns
        scaled, errors = scale_rows(projection, gain[rows], chosen[rows])
        result = result.with_projection(scaled)
        if projection.target == "bias":
            continue  # 15 bits on the host: their rounding is far below that of the bias
        first = network.offset(projection.pre)
        first += n if network.population(projection.pre).is_input else 0
        rate = rates[first : first + projection.weights.shape[1]]
        rounding = RowRounding.of(projection, errors, rate)
        mean[rows] += rounding.mean
        square[rows] += rounding.square
        largest_error[rows] = np.maximum(largest_error[rows], rounding.worst)
        largest_weight[rows] = np.maximum(largest_weight[rows], rounding.largest)
    result, bias_error = _with_scaled_biases(network, result, gain)
    leak = current_leak(network.gather("du"))
    with np.errstate(divide="ignore", invalid="ignore"):
        drift = np.where(leak > 0, mean / leak, np.where(mean == 0, 0.0, np.inf))
        noise = np.where(leak > 0, square / (leak * (2.0 - leak)), np.where(square == 0, 0, np.inf))
        relative = np.where(largest_error > 0, largest_error / (gain * largest_weight), 0.0)
        change = np.sqrt((drift + bias_error) ** 2 + noise) / firing
    return _Scaled(result, np.nan_to_num(change, nan=0.0, posinf=np.inf), relative)


def _with_scaled_biases(
    network: QuantizedNetwork, result: QuantizedNetwork, gain: Float
) -> tuple[QuantizedNetwork, Float]:
    """`result` with biases times `gain`, and their rounding errors in units of the weights."""
    errors = []
    for population in network.compute_populations:
        first = network.offset(population.name)
        part = gain[first : first + population.size]
        exact = population.parameter("bias_mant") * part
        mantissa = np.clip(np.rint(exact), *NEURON_RANGES["bias_mant"])
        errors.append((mantissa - exact) * 2.0 ** population.parameter("bias_exp") / STATE_UNIT)
        bias_mant = mantissa.astype(np.int32)
        if not np.array_equal(bias_mant, population.parameter("bias_mant")):
            now = result.population(population.name)
            result = result.with_population(replace(now, bias_mant=bias_mant))
    return result, np.concatenate(errors)
