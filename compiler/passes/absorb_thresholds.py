r"""Move thresholds into weights and biases, where that costs less than an entry of a table.

Below threshold a neuron is linear, and only v / vth decides when it fires. So

.. math:: w_{ij} \to g_i w_{ij}, \quad b_i \to g_i b_i, \quad \vartheta_i \to g_i \vartheta_i

leaves every spike as it is. In floats that is exact; on integers it costs the rounding of the
weights, and a table of 7 thresholds (Loihi 1) then serves any number of thresholds. Two steps,
since the palette moves thresholds once more (a changed dv changes the gain of the membrane):

- `plan`, before the partition: pick as many thresholds for the whole network as a core's table
  has, and give every neuron the nearest that its weights and bias have room for;
- `finish`, after the palette: multiply weights and bias once by what has become of the
  threshold, ``g = vth' dv' / (vth dv)``, where the rounding changes the neuron's input less than
  leaving the weights would.

What rounding changes is the expected difference of the current, in units of the current that just
fires the neuron, if sources fire as Bernoulli processes of rate r (our measure):

.. math:: \delta_i^2 = \Big[\Big(\tfrac{\sum_j e_{ij} r_j}{1-\alpha_i} + e_{b,i}\Big)^2
    + \tfrac{\sum_j e_{ij}^2 r_j (1 - r_j)}{1-\alpha_i^2}\Big] / (g_i I_i)^2,
    \qquad \alpha = (4095 - du) / 4096

with e the rounding errors. Weights of a row are rounded so that their sum stays (largest
remainder), which takes the first sum away where sources fire alike; so the choice is made by
what is left with errors of variance 1/12 of a grid step squared, and the report measures.

Neurons onto which a projection learns are left alone: a rule moves weights by absolute steps.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.palettes.clustering import activity_weights
from hrsnn_lava.compiler.palettes.threshold_tables import common_table, nearest_entries, reassign
from hrsnn_lava.compiler.passes.palette import parameters_of, with_parameters
from hrsnn_lava.compiler.quantization.gain_limits import (
    expected_change,
    largest_gains,
    plastic_targets,
)
from hrsnn_lava.compiler.quantization.row_scaling import RowRounding, scale_rows
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.integer_format import NEURON_RANGES as RANGES
from hrsnn_lava.quantized import QuantizedNetwork

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class AbsorbThresholds:
    """Options; the numbers are our choice.

    Attributes:
        enabled: False leaves all thresholds to the palette.
        input_range: largest analog input that must not saturate a bias, as in `Quantize`.
        typical_rate: spikes per step of sources whose rate is not known.
        reserve: share of the room above weights and biases that is kept for the palette.
        tolerance: neurons whose input would change by more than this share of the current that
            fires them are left to the palette's table.
    """

    enabled: bool = True
    input_range: float = 4.0
    typical_rate: float = 0.05
    reserve: float = 0.05
    tolerance: float = 0.05
    name = "absorb_thresholds"

    def __post_init__(self) -> None:
        unit = "0 to 1"
        checks = [
            ("input_range", self.input_range >= 0, ">= 0"),
            ("typical_rate", 0 <= self.typical_rate <= 1, unit),
            ("reserve", 0 <= self.reserve < 1, unit),
            ("tolerance", self.tolerance > 0, "> 0"),
        ]
        raise_if(
            SpecError,
            "thresholds cannot be absorbed so",
            [Problem(n, str(getattr(self, n)), allowed) for n, ok, allowed in checks if not ok],
        )

    @property
    def options(self) -> dict[str, Any]:
        """The options, for the pass record."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Plan:
    """Thresholds to be, weights not yet changed.

    Attributes:
        original: the network as it was.
        network: the same with the planned thresholds: what partition and palette see.
        absorbed: (n_neurons,) neurons whose threshold will be absorbed; the table of a core
            can give them any value.
        room: (n_neurons,) largest gains, see `largest_gains`.
        rates: (n_sources,) spikes per step, neurons first.
        left: neurons left alone, by reason.
    """

    original: QuantizedNetwork
    network: QuantizedNetwork
    absorbed: Bool
    room: Float
    rates: Float
    left: dict[str, int] = field(default_factory=dict)


def plan(
    network: QuantizedNetwork,
    profile: HardwareProfile,
    options: AbsorbThresholds | None = None,
    *,
    rates: Any = None,
    input_rates: Any = None,
) -> Plan | None:
    """Pick thresholds for the whole network; None where there is nothing to do.

    That is: the chip has no table of thresholds, it is long enough, or nobody can be moved.

    Args:
        rates: (n_neurons,) spikes per step; a scalar or None: `typical_rate`.
        input_rates: the same for input channels, (n_inputs,).
    """
    options = options or AbsorbThresholds()
    limit = profile.core.threshold_profiles.value
    old = network.gather("vth").astype(np.int64)
    if not options.enabled or limit is None or np.unique(old).size <= limit:
        return None
    plastic = plastic_targets(network)
    free = ~plastic & (old > 0)
    if not free.any():
        return None
    sources = _source_rates(network, rates, input_rates, options.typical_rate)
    room = largest_gains(network, options.input_range)
    less = 1.0 + (room - 1.0) * (1.0 - options.reserve)
    others = np.unique(old[~free]).size
    weights = activity_weights(rates, old.size)
    # Neurons that keep their thresholds get about half of the table, if they need it.
    table = common_table(old[free], weights[free], max(limit - min(others, limit // 2), 1))
    target = old.copy()
    target[free] = nearest_entries(old[free].astype(np.float64), table, less[free])
    gain = target / np.maximum(old, 1)
    firing = _firing_current(target, network.gather("dv"))
    change = expected_change(network, sources)
    # A neuron that does not leak fires at any current: no share of it can be said.
    share = np.divide(change, firing, out=np.full(old.size, np.inf), where=firing > 0)
    cost = np.minimum(share, np.abs(gain - 1.0))
    roomy = target <= less * old
    absorbed = free & roomy & (cost <= options.tolerance)
    target = np.where(absorbed, target, old)
    left = {
        "plastic": int(plastic.sum()),
        "no_room": int((free & ~roomy).sum()),
        "dear": int((free & roomy & ~absorbed).sum()),
    }
    if not absorbed.any():
        return None
    parameters = parameters_of(network)
    parameters[:, 3] = target
    return Plan(network, with_parameters(network, parameters), absorbed, room, sources, left)


def finish(
    planned: Plan, snapped: QuantizedNetwork, core_of: Any
) -> tuple[QuantizedNetwork, Float, dict[str, Any]]:
    """Scale weights and biases once, after the palette.

    Args:
        planned: of `plan`. snapped: its `network` after the palette. core_of: (n_neurons,).

    Returns:
        The network; (n_neurons,) relative errors of the current that just fires each neuron,
        0 where the threshold was absorbed and against the planned one elsewhere; the report.
    """
    before, after = parameters_of(planned.original), parameters_of(snapped)
    leak = np.where(before[:, 1] == 0, 1.0, after[:, 1] / np.maximum(before[:, 1], 1))
    wanted = np.maximum(before[:, 3], 1) / leak
    cores = np.asarray(core_of, dtype=np.int64)
    after[:, 3] = reassign(after[:, 3], wanted, planned.absorbed, planned.room, cores)
    snapped = with_parameters(snapped, after)
    gain = np.where((before[:, 3] == 0) & (after[:, 3] == 0), 1.0, after[:, 3] / wanted)
    error = np.abs(gain - 1.0)
    asked = planned.absorbed & (after[:, 3] > 0) & (gain != 1.0) & (gain <= planned.room)
    firing = _firing_current(after[:, 3], after[:, 1])
    worth = asked & (expected_change(snapped, planned.rates) < error * firing)
    done = _scaled(snapped, gain, worth, planned.rates, firing)
    error[worth] = 0.0
    shown = done.change[worth]
    report = {
        "absorbed": int(worth.sum()),
        "kept": int((planned.absorbed & ~worth & (gain != 1.0)).sum()),
        "left": planned.left,
        "thresholds_before": int(np.unique(before[:, 3]).size),
        "thresholds_planned": int(np.unique(planned.network.gather("vth")).size),
        "gain_min": float(gain[worth].min(initial=np.inf)) if worth.any() else 1.0,
        "gain_max": float(gain[worth].max(initial=0.0)) if worth.any() else 1.0,
        "weight_error_max": float(done.weight_error[worth].max(initial=0.0)),
        "current_change_median": float(np.median(shown)) if shown.size else 0.0,
        "current_change_max": float(shown.max(initial=0.0)),
        "zeroed": snapped.n_synapses - done.network.n_synapses,
    }
    return done.network, error, report


def _firing_current(vth: Any, dv: Any) -> Float:
    """The constant current that just fires a neuron, in units of the weights; dv = 0 as 1."""
    return np.asarray(vth * np.maximum(dv, 1) / 4096.0, dtype=np.float64)


def _source_rates(network: QuantizedNetwork, rates: Any, inputs: Any, typical: float) -> Float:
    def full(values: Any, size: int) -> Float:
        if values is None or np.ndim(values) == 0:
            return np.full(size, typical)
        return np.clip(np.asarray(values, dtype=np.float64), 0.0, 1.0)

    return np.concatenate([full(rates, network.n_neurons), full(inputs, network.n_inputs)])


@dataclass(frozen=True, eq=False)
class _Scaled:
    """A network with scaled inputs; `change` as the module says; largest weight error."""

    network: QuantizedNetwork
    change: Float
    weight_error: Float


def _scaled(
    network: QuantizedNetwork, gain: Any, chosen: Bool, rates: Float, fires: Any
) -> _Scaled:
    """`network` with the inputs of the `chosen` neurons times `gain`, both (n_neurons,).

    Args:
        rates: (n_sources,). fires: (n_neurons,) constant current that then just fires a neuron,
            in units of the weights.
    """
    gain = np.where(chosen, gain, 1.0)
    n, du = gain.size, network.gather("du").astype(np.float64)
    lost = (du + 1.0) / 4096.0
    mean, square = np.zeros(n), np.zeros(n)
    worst, own = np.zeros(n), np.zeros(n)
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
        found = RowRounding.of(projection, errors, rate)
        mean[rows] += found.mean
        square[rows] += found.square
        worst[rows] = np.maximum(worst[rows], found.worst)
        own[rows] = np.maximum(own[rows], found.largest)
    with np.errstate(divide="ignore", invalid="ignore"):
        drift = np.where(lost > 0, mean / lost, np.where(mean == 0, 0.0, np.inf))
        noise = np.where(lost > 0, square / (lost * (2.0 - lost)), np.where(square == 0, 0, np.inf))
        relative = np.where(worst > 0, worst / (gain * own), 0.0)
    start, bias_error = 0, np.zeros(n)
    for population in network.compute_populations:
        part = slice(start, start + population.size)
        start += population.size
        mantissa, exact = _scaled_bias(population, gain[part])
        bias_error[part] = (mantissa - exact) * 2.0 ** population.parameter("bias_exp")
        bias_error[part] /= 64.0
        changed = mantissa.astype(np.int32)
        if not np.array_equal(changed, population.parameter("bias_mant")):
            result = result.with_population(
                replace(result.population(population.name), bias_mant=changed)
            )
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.sqrt((drift + bias_error) ** 2 + noise) / fires
    return _Scaled(result, np.nan_to_num(change, nan=0.0, posinf=np.inf), relative)


def _scaled_bias(population: Any, gain: Float) -> tuple[Float, Float]:
    """Mantissas times `gain`, rounded and exact."""
    exact = population.parameter("bias_mant") * gain
    return np.clip(np.rint(exact), *RANGES["bias_mant"]), exact
