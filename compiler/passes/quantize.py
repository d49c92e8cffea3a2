"""Float to integers: one scale per target population, exponents and sign modes per projection.

The potential is kept as ``v / (1 - beta)``, so that synaptic currents enter with the same weight
at every neuron and heterogeneity of tau_mem lives in dv and vth alone. With the scale S of a
population (integer weight units per 1.0 of current)::

    dv = round(4096 (1 - exp(-dt / tau_mem)))         du = round(4096 (1 - exp(-dt / tau_syn))) - 1
    W 2^weight_exp = w S                              vth = v_threshold S 4096 / dv
    bias_mant 2^bias_exp = 64 S bias

S is at most what keeps vth in 17 bits, every bias, the input's drive included, in 13 bits and an
exponent, and the largest weight in 8 bits at the largest exponent. Our choice: the worst-case
drive takes every analog channel at +-`input_range` at once. S, exponents and integer weights
within that are chosen by an option of `hrsnn_lava.compiler.quantization.scaling`. Where
the current could wrap, S is lowered as `headroom` says; see
`hrsnn_lava.compiler.quantization.headroom`.

Of a projection that learns, `w_max` becomes the largest weight the chip holds, 255 2^weight_exp:
S is lowered, by less than a factor of 2, until that is exact for the population's largest such
projection. What else becomes of the rule: `lower_stdp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.headroom import worst_case
from hrsnn_lava.compiler.passes.lower_stdp import LowerSTDP
from hrsnn_lava.compiler.quantization.headroom import Headroom, Observed, caps_of
from hrsnn_lava.compiler.quantization.integer_synapses import (
    GRADED_PAYLOAD_SCALE,
    HELD_PAYLOAD_SCALE,
    counts_of,
    fixed_synapses,
    held_synapses,
    positive,
    target_of,
    weight_error,
)
from hrsnn_lava.compiler.quantization.plastic_synapses import (
    ceiling,
    exact_ceiling,
    plastic_synapses,
)
from hrsnn_lava.compiler.quantization.quantizable import refuse
from hrsnn_lava.compiler.quantization.scaling import Scaling, Target, scaling
from hrsnn_lava.integer_format import NEURON_RANGES as RANGES
from hrsnn_lava.integer_format import WEIGHT_EXP_RANGE
from hrsnn_lava.network import Input, Network, Population
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.spec import QuantizeSpec

Float = NDArray[np.float64]
#: Largest bias there is, in integer weight units.
_BIAS_MAX = RANGES["bias_mant"][1] * 2.0 ** RANGES["bias_exp"][1] / 64.0


@dataclass(frozen=True)
class Quantize:
    """Quantize a network.

    Attributes:
        weight_bits: 1..8.
        input_range: largest magnitude of an analog input that must not saturate a bias.
        stdp: how learning rules are lowered.
        scaling: how weights become integers, a name of `hrsnn_lava.compiler.quantization.scaling`.
        headroom: against a wrap of the current, see `hrsnn_lava.compiler.quantization.headroom`.
        margin: factor over the largest current of a run that must not wrap.
        observed: that run, or None; no part of the record.
    """

    weight_bits: int = 8
    input_range: float = 4.0
    stdp: LowerSTDP = field(default_factory=LowerSTDP)
    scaling: str = "max"
    headroom: Headroom = "auto"
    margin: float = 2.0
    observed: Observed | None = None
    name = "quantize"

    @property
    def options(self) -> dict[str, Any]:
        """The options, for the pass record."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "observed"}
        return own | {"stdp": vars(self.stdp)}

    @property
    def needs_run(self) -> bool:
        """True when a run of the float network has to be `observed`."""
        return self.headroom == "measured" or scaling(self.scaling).needs_rates

    def __call__(self, network: Network) -> QuantizedNetwork:
        """The integer network."""
        return quantize(network, self)[0]

    def apply(self, network: Network) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """The integer network, and what it cost."""
        return quantize(network, self)


def quantize_of(table: QuantizeSpec) -> Quantize:
    """The pass that a spec's ``[quantize]`` asks for; raises `SpecError` for an unknown scaling."""
    made = Quantize(
        table.weight_bits,
        table.input_range,
        scaling=table.scaling,
        headroom=table.headroom,
        margin=table.margin,
    )
    scaling(made.scaling)
    return made


def decay_integers(network: Network, population: Population) -> tuple[Any, Any]:
    """du and dv of a population, (size,) int64 each.

    Both are kept in 0..4095, the 12 bits that chips have: a slower current than 4096 steps, or a
    potential that forgets within a fraction of a step, is as slow or fast as they allow.
    """
    with np.errstate(divide="ignore"):
        du = np.rint(4096 * -np.expm1(-network.dt / population.parameter("tau_syn"))) - 1
        dv = np.rint(4096 * -np.expm1(-network.dt / population.parameter("tau_mem")))
    return np.clip(du, 0, 4095).astype(np.int64), np.clip(dv, 1, 4095).astype(np.int64)


def quantize(network: Network, options: Quantize | None = None) -> tuple[QuantizedNetwork, Any]:
    """Quantize a float network.

    Returns:
        The verified integer network, and a report: scale and head-room per population,
        exponent and weight error per projection.

    Raises:
        SpecError: a parameter has no integer in range, a projection that learns has delays,
            holds its input or mixes signs, or an option needs a run; all of them are named.
    """
    options = options or Quantize()
    network.verify()
    refuse(network, options)
    result, report = _integers(network, options, {})
    caps, kept = caps_of(
        report,
        lambda caps: _integers(network, options, caps)[1],
        network,
        options.headroom,
        options.margin,
        options.observed,
    )
    if caps:
        result, report = _integers(network, options, caps)
    for name, entry in report["populations"].items():
        entry["headroom"] = kept[name]
    return result, report


def _integers(
    network: Network, options: Quantize, caps: Mapping[str, float]
) -> tuple[QuantizedNetwork, dict[str, Any]]:
    """The integers, with no scale above its cap, and the report."""
    option = scaling(options.scaling)
    rates = {} if options.observed is None else options.observed.by_population(network)
    report: dict[str, Any] = {"populations": {}, "projections": {}}
    scales: dict[str, float] = {}
    targets: dict[str, Target] = {}
    populations: list[Any] = []
    for population in network.populations:
        if isinstance(population.neuron, Input):
            populations.append(_input(network, population))
            continue
        keep = 1.0 - (decay_integers(network, population)[0] + 1.0) / 4096.0
        target = target_of(network, population, keep, options.weight_bits, rates)
        targets[population.name] = target
        integer, scale, entry = _population(
            network, population, options, option, target, caps.get(population.name, np.inf)
        )
        scales[population.name] = scale
        populations.append(integer)
        report["populations"][population.name] = entry
    by_name = {p.name: p for p in populations}
    projections: list[QuantizedProjection] = []
    for projection in network.projections:
        pre, post = by_name[projection.pre], by_name[projection.post]
        scale = scales[projection.post]
        if projection.plasticity is not None:
            unit = scale / counts_of(pre)
            stdp = options.stdp.share(_learning_onto(network, projection.post))
            integer_projection, entry = plastic_synapses(
                projection, unit, network.dt, options.weight_bits, stdp, len(projections)
            )
            exact = projection.weights.data * unit
            entry |= weight_error(exact, integer_projection, projection.weights)
        elif projection.target == "bias":
            integer_projection, entry = held_synapses(projection, scale, pre, post)
        else:
            integer_projection, entry = fixed_synapses(
                network, projection, scale, option, targets[projection.post], pre
            )
        projections.append(integer_projection)
        report["projections"][projection.name] = entry
    result = QuantizedNetwork(tuple(populations), tuple(projections), network.name, network.dt)
    result.verify()
    for population in network.compute_populations:
        entry = report["populations"][population.name]
        entry |= worst_case(result, population.name, options.input_range)
    return result, report


def _learning_onto(network: Network, post: str) -> int:
    """Projections with synapses onto a population that learn."""
    mine = (p for p in network.projections if p.post == post and p.plasticity is not None)
    return sum(p.n_synapses > 0 for p in mine)


def _input(network: Network, population: Population) -> QuantizedInput:
    targets = {p.target for p in network.projections if p.pre == population.name}
    scale = None
    if "bias" in targets:
        scale = HELD_PAYLOAD_SCALE
    elif isinstance(population.neuron, Input) and population.neuron.graded:
        scale = GRADED_PAYLOAD_SCALE
    return QuantizedInput(population.name, population.size, scale)


def _population(
    network: Network,
    population: Population,
    options: Quantize,
    option: Scaling,
    target: Target,
    cap: float,
) -> tuple[QuantizedPopulation, float, dict[str, Any]]:
    du, dv = decay_integers(network, population)
    threshold = population.parameter("v_threshold") * 4096.0 / dv
    bias = population.parameter("bias")
    drive = np.abs(bias) + options.input_range * _held_weight(network, population)
    largest_weight = max(
        (
            ceiling(p)
            for p in network.projections
            if p.post == population.name and p.target == "synapse"
        ),
        default=0.0,
    )
    bounds = {
        "vth": RANGES["vth"][1] / threshold.max(),
        "bias": _BIAS_MAX / positive(drive.max()),
        "weights": 254.0 * 2.0 ** WEIGHT_EXP_RANGE[1] / positive(largest_weight),
        "headroom": cap,
    }
    limited_by = min(bounds, key=lambda key: bounds[key])
    scale = exact_ceiling(network, population, bounds[limited_by], GRADED_PAYLOAD_SCALE)
    scale = option.scale(target, scale)
    exponent = 0
    while drive.max() * scale * 64.0 / 2**exponent > RANGES["bias_mant"][1] + 0.5:
        exponent += 1
    integer = QuantizedPopulation(
        population.name,
        population.size,
        du,
        dv,
        np.clip(np.rint(threshold * scale), 1, RANGES["vth"][1]),
        np.clip(np.rint(bias * scale * 64.0 / 2**exponent), *RANGES["bias_mant"]),
        exponent,
        np.rint(population.parameter("refractory") / network.dt),
    )
    entry = {
        "scale": scale,
        "scale_limited_by": limited_by,
        "bias_exp": exponent,
        "tau_mem_error_max": _tau_error(dv, population.parameter("tau_mem"), network.dt),
        "tau_syn_error_max": _tau_error(du + 1, population.parameter("tau_syn"), network.dt),
        "threshold_error_max": _largest(integer.parameter("vth") / (threshold * scale) - 1),
    }
    return integer, scale, entry


def _largest(errors: Float) -> float:
    return float(np.abs(errors).max(initial=0.0))


def _tau_error(decay: Any, tau: Float, dt: float) -> float:
    """Largest relative error of the time constants that decays of ``decay / 4096`` stand for."""
    made = -dt / np.log1p(-np.minimum(decay, 4095) / 4096.0)
    slow = tau > 0  # without a filter there is nothing to miss
    return _largest(made[slow] / tau[slow] - 1)


def _held_weight(network: Network, population: Population) -> Float:
    """Sum of the magnitudes of the held inputs' weights onto each neuron, (size,)."""
    total = np.zeros(population.size)
    for projection in network.projections:
        if projection.post == population.name and projection.target == "bias":
            total += np.asarray(abs(projection.weights).sum(axis=1)).ravel()
    return total
