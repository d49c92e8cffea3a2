"""Float to integers: one scale per target population, exponents and sign modes per projection.

The potential is kept as ``v / (1 - beta)``, so that synaptic currents enter with the same weight
at every neuron and heterogeneity of tau_mem lives in dv and vth alone. With the scale S of a
population (integer weight units per 1.0 of current)::

    dv = round(4096 (1 - exp(-dt / tau_mem)))         du = round(4096 (1 - exp(-dt / tau_syn))) - 1
    W 2^weight_exp = w S                              vth = v_threshold S 4096 / dv
    bias_mant 2^bias_exp = 64 S bias

S is the largest that keeps vth in 17 bits, every bias, the input's drive included, in 13 bits
and an exponent, and the largest weight in 8 bits at the largest exponent. Our choice: the
worst-case drive takes every analog channel at +-`input_range` at once.

Of a projection that learns, `w_max` becomes the largest weight the chip holds, 255 2^weight_exp:
S is lowered, by less than a factor of 2, until that is exact for the population's largest such
projection. What else becomes of the rule: `lower_stdp`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.passes.lower_stdp import LowerSTDP
from hrsnn_lava.compiler.passes.plastic_synapses import (
    ceiling,
    exact_ceiling,
    learning_problems,
    plastic_synapses,
)
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.network import Input, Network, Population, Projection
from hrsnn_lava.quantized import (
    DELAY_MAX,
    RANGES,
    WEIGHT_EXP_RANGE,
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SignMode,
)

Float = NDArray[np.float64]
#: Payload counts per 1.0 of an analog input that is held through the biases: 11 bits and sign.
HELD_PAYLOAD_SCALE = 1024.0
#: Payload counts per 1.0 of a graded spike, which multiplies an 8-bit weight.
GRADED_PAYLOAD_SCALE = 64.0
#: With weights at least this large at exponent 0, no negative exponent is used: such a
#: projection can be split exactly, and its sum is not rounded down in every step.
_ENOUGH_RESOLUTION = 31
_U_LIMIT = 2**23


@dataclass(frozen=True)
class Quantize:
    """Quantize a network.

    Attributes:
        weight_bits: 1..8.
        input_range: largest magnitude of an analog input that must not saturate a bias.
        stdp: how learning rules are lowered.
    """

    weight_bits: int = 8
    input_range: float = 4.0
    stdp: LowerSTDP = field(default_factory=LowerSTDP)
    name = "quantize"

    @property
    def options(self) -> dict[str, Any]:
        """The options, for the pass record."""
        return asdict(self)

    def __call__(self, network: Network) -> QuantizedNetwork:
        """The integer network."""
        return quantize(network, self)[0]

    def apply(self, network: Network) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """The integer network, and what it cost."""
        return quantize(network, self)


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
        SpecError: a parameter has no integer in range, or a projection that learns has delays,
            holds its input or mixes signs; all of them are named.
    """
    options = options or Quantize()
    network.verify()
    _refuse(network, options)
    report: dict[str, Any] = {"populations": {}, "projections": {}}
    scales: dict[str, float] = {}
    populations: list[Any] = []
    for population in network.populations:
        if isinstance(population.neuron, Input):
            populations.append(_input(network, population))
            continue
        integer, scale, entry = _population(network, population, options)
        scales[population.name] = scale
        populations.append(integer)
        report["populations"][population.name] = entry
    by_name = {p.name: p for p in populations}
    projections: list[QuantizedProjection] = []
    for projection in network.projections:
        pre, post = by_name[projection.pre], by_name[projection.post]
        scale = scales[projection.post]
        if projection.plasticity is not None:
            unit = scale / (getattr(pre, "payload_scale", None) or 1.0)
            stdp = options.stdp.share(_learning_onto(network, projection.post))
            integer_projection, entry = plastic_synapses(
                projection, unit, network.dt, options.weight_bits, stdp, len(projections)
            )
            exact = projection.weights.data * unit
            entry |= _weight_error(exact, integer_projection, projection.weights)
        else:
            make = _held if projection.target == "bias" else _synapses
            integer_projection, entry = make(network, projection, scale, pre, post, options)
        projections.append(integer_projection)
        report["projections"][projection.name] = entry
    result = QuantizedNetwork(tuple(populations), tuple(projections), network.name, network.dt)
    result.verify()
    for population in network.compute_populations:
        report["populations"][population.name] |= _head_room(result, population.name)
    return result, report


def _learning_onto(network: Network, post: str) -> int:
    """Projections with synapses onto a population that learn."""
    mine = (p for p in network.projections if p.post == post and p.plasticity is not None)
    return sum(p.n_synapses > 0 for p in mine)


def _refuse(network: Network, options: Quantize) -> None:
    problems = []
    if not 1 <= options.weight_bits <= 8:
        problems.append(Problem("weight_bits", str(options.weight_bits), "1..8"))
    for projection in network.projections:
        where = f"projection {projection.name!r}"
        problems += learning_problems(projection)
        if projection.delays is not None:
            steps = np.rint(np.asarray(projection.delays) / network.dt)
            if np.any(steps > DELAY_MAX):
                found = f"{steps.max():.0f} steps"
                problems.append(Problem(f"{where}.delays", found, f"<= {DELAY_MAX} steps"))
    for population in network.compute_populations:
        periods = np.rint(population.parameter("refractory") / network.dt)
        limit = RANGES["refractory"][1]
        if np.any(periods > limit):
            problems.append(
                Problem(
                    f"population {population.name!r}.refractory",
                    f"{periods.max():.0f} steps",
                    f"<= {limit} steps",
                )
            )
    raise_if(SpecError, "the network cannot be quantized", problems)


def _input(network: Network, population: Population) -> QuantizedInput:
    targets = {p.target for p in network.projections if p.pre == population.name}
    scale = None
    if "bias" in targets:
        scale = HELD_PAYLOAD_SCALE
    elif isinstance(population.neuron, Input) and population.neuron.graded:
        scale = GRADED_PAYLOAD_SCALE
    return QuantizedInput(population.name, population.size, scale)


def _population(
    network: Network, population: Population, options: Quantize
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
        "bias": RANGES["bias_mant"][1] * 2.0 ** RANGES["bias_exp"][1] / 64.0 / _safe(drive.max()),
        "weights": 254.0 * 2.0 ** WEIGHT_EXP_RANGE[1] / _safe(largest_weight),
    }
    limited_by = min(bounds, key=lambda key: bounds[key])
    scale = exact_ceiling(network, population, bounds[limited_by], GRADED_PAYLOAD_SCALE)
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
    tau = -network.dt / np.log1p(-np.minimum(dv, 4095) / 4096.0)
    entry = {
        "scale": scale,
        "scale_limited_by": limited_by,
        "bias_exp": exponent,
        "tau_mem_error_max": float(np.abs(tau / population.parameter("tau_mem") - 1).max()),
        "threshold_error_max": float(
            np.abs(integer.parameter("vth") / (threshold * scale) - 1).max()
        ),
    }
    return integer, scale, entry


def _safe(value: float) -> float:
    return value if value > 0 else float(np.finfo(np.float64).tiny)


def _held_weight(network: Network, population: Population) -> Float:
    """Sum of the magnitudes of the held inputs' weights onto each neuron, (size,)."""
    total = np.zeros(population.size)
    for projection in network.projections:
        if projection.post == population.name and projection.target == "bias":
            total += np.asarray(abs(projection.weights).sum(axis=1)).ravel()
    return total


def _held(
    network: Network,
    projection: Projection,
    scale: float,
    pre: QuantizedInput,
    post: QuantizedPopulation,
    options: Quantize,
) -> tuple[QuantizedProjection, dict[str, Any]]:
    """Weights of a held input: the host computes with them, so they keep 15 bits."""
    del network, options
    per_count = scale * 64.0 / 2.0 ** int(post.parameter("bias_exp")[0])
    exact = projection.weights.data * per_count / (pre.payload_scale or 1.0)
    largest = float(np.abs(exact).max(initial=0.0))
    shift = int(np.clip(np.floor(np.log2(2.0**14 / _safe(largest))), -7, 31)) if largest else 0
    weights = projection.weights.copy()
    weights.data = np.rint(exact * 2.0**shift)
    integer = QuantizedProjection(
        projection.name, projection.pre, projection.post, weights, -shift, target="bias"
    )
    return integer, {"weight_exp": -shift, **_weight_error(exact, integer, projection.weights)}


def _synapses(
    network: Network,
    projection: Projection,
    scale: float,
    pre: Any,
    post: QuantizedPopulation,
    options: Quantize,
) -> tuple[QuantizedProjection, dict[str, Any]]:
    del post
    per_event = getattr(pre, "payload_scale", None)
    exact = projection.weights.data * scale / (per_event or 1.0)
    mode = SignMode.MIXED
    if exact.size and exact.min() >= 0:
        mode = SignMode.EXCITATORY
    elif exact.size and exact.max() <= 0:
        mode = SignMode.INHIBITORY
    grid = 2 ** (8 - options.weight_bits + (mode is SignMode.MIXED))
    top = (255 // grid) * grid
    exponent = _exponent(float(np.abs(exact).max(initial=0.0)), top)
    weights = projection.weights.copy()
    weights.data = np.clip(np.rint(exact / 2.0**exponent / grid) * grid, -top, top)
    delays = None
    if projection.delays is not None:
        steps = np.rint(np.asarray(projection.delays) / network.dt).astype(np.int64)
        # weights that become 0 are dropped, and their delays with them
        delays = steps if steps.ndim == 0 else steps[weights.data != 0]
        if steps.ndim:
            weights.eliminate_zeros()
    integer = QuantizedProjection(
        projection.name,
        projection.pre,
        projection.post,
        sparse.csr_matrix(weights),
        exponent,
        mode,
        options.weight_bits,
        delays,
        num_message_bits=24 if per_event else 0,
    )
    entry = {"weight_exp": exponent, "sign_mode": mode.value}
    return integer, entry | _weight_error(exact, integer, projection.weights)


def _exponent(largest: float, top: int) -> int:
    """The smallest exponent that holds the largest weight, 0 where that is fine enough."""
    low, high = WEIGHT_EXP_RANGE
    fits = low if largest == 0 else int(np.ceil(np.log2(largest / (top + 0.5))))
    fits = min(max(fits, low), high)
    return 0 if fits < 0 and largest >= _ENOUGH_RESOLUTION else fits


def _weight_error(
    exact: Float, integer: QuantizedProjection, weights: sparse.csr_matrix
) -> dict[str, Any]:
    """Synapses that became 0, and the error relative to the root mean square weight."""
    if not exact.size:
        return {"synapses": 0, "zeroed": 0, "rms_error": 0.0}
    target = sparse.csr_matrix((exact, weights.indices, weights.indptr), shape=weights.shape)
    kept = integer.effective_weights().astype(np.float64) * 2.0**integer.weight_exp
    difference = (target - kept).power(2).sum()
    return {
        "synapses": int(exact.size),
        "zeroed": int(exact.size - np.count_nonzero(kept.data)),
        "rms_error": float(np.sqrt(difference / _safe(float((exact**2).sum())))),
    }


def _head_room(network: QuantizedNetwork, name: str) -> dict[str, Any]:
    """Worst case of |u| over its 24-bit wrap: every source sends in every step, for ever."""
    population = network.population(name)
    positive = np.zeros(population.size)
    negative = np.zeros(population.size)
    for projection in network.projections:
        if projection.post != name or projection.target != "synapse":
            continue
        if projection.num_message_bits:
            continue  # a payload has no bound that the network states
        weights = projection.effective_weights().astype(np.float64) * 2.0**projection.weight_exp
        positive += np.asarray(weights.maximum(0).sum(axis=1)).ravel()
        negative -= np.asarray(weights.minimum(0).sum(axis=1)).ravel()
    lost = (population.parameter("du") + 1) / 4096.0
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = 64.0 * np.maximum(positive, negative) / lost
    worst = float(np.nan_to_num(bound, nan=0.0).max(initial=0.0)) / _U_LIMIT
    return {"u_worst_case": worst if np.isfinite(worst) else None, "u_may_wrap": worst >= 1.0}
