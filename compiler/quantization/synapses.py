"""Integer synapses of a projection: spiking, held through the biases, or learning.

With the scale S of the target population (integer weight units per 1.0 of current) a weight w
becomes ``W = w S / 2^weight_exp`` on the grid of its bits and sign mode. Each function gives the
projection and what it cost: what became 0, what was clipped, how far the rest is off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.learning.lowering import Lowering, LowerSTDP, is_uniform, lower_stdp
from hrsnn_lava.compiler.quantization.balance import with_coarse_rows_balanced
from hrsnn_lava.compiler.quantization.current_error import Chosen, NeuronErrors
from hrsnn_lava.compiler.quantization.findings import time_error
from hrsnn_lava.compiler.quantization.scaling.base import Scaling
from hrsnn_lava.compiler.quantization.target import Synapses, Target, exponent_for, nearest
from hrsnn_lava.csr import rows_of
from hrsnn_lava.errors import Problem
from hrsnn_lava.integer_format import (
    BIAS_WEIGHT_EXP_RANGE,
    DECAY_ONE,
    SPIKE_COUNT_BITS,
    STATE_UNIT,
    WEIGHT_EXP_RANGE,
    WEIGHT_MAX,
    weight_grid,
)
from hrsnn_lava.network import Network, Population, Projection
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedPopulation,
    QuantizedProjection,
    SignMode,
)
from hrsnn_lava.resets import sends_several
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]
#: Payload counts per 1.0 of an analog input that is held through the biases: 11 bits and sign.
HELD_PAYLOAD_SCALE = 1024.0
#: Payload counts per 1.0 of a graded spike, which multiplies an 8-bit weight.
GRADED_PAYLOAD_SCALE = 64.0
#: Error of a neuron's current that no other neuron is worth.
_PAID = 0.05
#: Bits of a graded payload: enough for an input of +-131,072 at that scale.
_GRADED_MESSAGE_BITS = 24
#: Bits of the magnitude of a held input's weight; the host computes with it, no chip stores it.
_HELD_WEIGHT_BITS = 14
#: Streams of random numbers that a rule takes, counted from its seed (Lava: two each for x and y).
_STREAMS = 4


def payload_scale(network: Network, source: str) -> float | None:
    """Payload counts per 1.0 of what a population of a float network will send; None: spikes.

    An input that drives biases and synapses sends the same payload to both.
    """
    if any(p.pre == source and p.target == "bias" for p in network.projections):
        return HELD_PAYLOAD_SCALE
    return GRADED_PAYLOAD_SCALE if network.population(source).graded else None


def counts_of(pre: Any) -> float:
    """Payload counts per 1.0 of what a `QuantizedInput` sends; 1 for spikes."""
    return float(getattr(pre, "payload_scale", None) or 1.0)


def target_of(
    network: Network,
    population: Population,
    keep: Float,
    weight_bits: int,
    rates: Mapping[str, Float],
) -> Target:
    """The fixed synapses onto a population, as the scaling options see them.

    Args:
        keep: (size,) what is left of a current after a step. rates: of a run, by population.
    """
    every = [p for p in network.projections if p.post == population.name and p.target == "synapse"]
    fixed = [p for p in every if p.plasticity is None]
    synapses = []
    for projection in fixed:
        counts = payload_scale(network, projection.pre) or 1.0
        data, mode = projection.weights.data, SignMode.MIXED
        if data.size and data.min() >= 0:
            mode = SignMode.EXCITATORY
        elif data.size and data.max() <= 0:
            mode = SignMode.INHIBITORY
        weights = projection.weights if counts == 1.0 else projection.weights / counts
        source_rates = rates.get(projection.pre)
        synapses.append(Synapses(projection.name, weights, weight_bits, mode, source_rates, counts))
    threshold = population.parameter("v_threshold")
    return Target(keep, threshold, tuple(synapses), free=len(fixed) == len(every))


def held_synapses(
    projection: Projection, scale: float, pre: QuantizedInput, post: QuantizedPopulation
) -> tuple[QuantizedProjection, dict[str, Any]]:
    """Weights of a held input: the host computes with them, so they keep 15 bits.

    They keep more where the biases of the targets have exponents of their own, so that the
    smallest still has 15.
    """
    exponents = post.parameter("bias_exp")
    per_count = scale * STATE_UNIT / 2.0 ** exponents[rows_of(projection.weights)]
    exact = projection.weights.data * per_count / (pre.payload_scale or 1.0)
    largest = float(np.abs(exact).max(initial=0.0))
    shift = 0
    if largest:
        bits = _HELD_WEIGHT_BITS + int(np.ptp(exponents))
        octaves = np.floor(np.log2(2.0**bits / positive(largest)))
        low, high = BIAS_WEIGHT_EXP_RANGE
        shift = int(np.clip(octaves, -high, -low))
    weights = projection.weights.copy()
    weights.data = np.rint(exact * 2.0**shift)
    integer = QuantizedProjection(
        projection.name, projection.pre, projection.post, weights, -shift, target="bias"
    )
    return integer, {"weight_exp": -shift}


def fixed_synapses(
    network: Network,
    projection: Projection,
    scale: float,
    option: Scaling,
    target: Target,
    pre: Any,
) -> tuple[QuantizedProjection, dict[str, Any], Chosen]:
    """Synapses that do not learn: exponent and weights as `option` chooses them."""
    synapses = next(s for s in target.synapses if s.name == projection.name)
    exact, mode = projection.weights.data * scale / counts_of(pre), synapses.mode
    exponent = _fair_exponent(target, synapses, scale, option.exponent(target, synapses, scale))
    weights = projection.weights.copy()
    integers = option.integers(target, synapses, scale, exponent)
    integers = with_coarse_rows_balanced(target, synapses, scale, exponent, integers)
    weights.data = integers.copy()
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
        synapses.bits,
        delays,
        num_message_bits=_message_bits(pre),
    )
    top = synapses.top * 2.0**exponent
    entry: dict[str, Any] = {
        "weight_exp": exponent,
        "sign_mode": mode.value,
        "clipped": int(np.count_nonzero(np.abs(exact) > top + 0.5 * synapses.grid * 2.0**exponent)),
        "zeroed_current_max": _zeroed_current(target, synapses, integers),
    }
    if projection.delays is not None:
        entry["delay_error_max"] = time_error(projection.delays, network.dt)
    return integer, entry, Chosen(synapses, exponent, integers)


def _message_bits(pre: QuantizedInput | QuantizedPopulation) -> int:
    """Payload bits of what a population sends; 0 for plain spikes."""
    if isinstance(pre, QuantizedInput):
        return _GRADED_MESSAGE_BITS if pre.payload_scale else 0
    return SPIKE_COUNT_BITS if sends_several(pre) else 0


def _fair_exponent(target: Target, synapses: Synapses, scale: float, exponent: int) -> int:
    """`exponent`, or the one that clips and floors nothing where a neuron pays for the others.

    That is one whose current is more than `_PAID` off, twice as far as it would be, and half as far
    again as that of any neuron would be; where bits are few all are far off. Ours.
    """
    whole = exponent_for(synapses, synapses.largest * scale)
    if exponent >= whole:
        return exponent
    exact = synapses.weights.data * scale
    errors, errors_of_whole = (
        NeuronErrors.of(target, scale, [Chosen(synapses, e, nearest(synapses, exact, e))]).size
        for e in (exponent, whole)
    )
    limit = max(_PAID, 1.5 * float(errors_of_whole.max()))
    return whole if np.any((errors > limit) & (errors > 2.0 * errors_of_whole)) else exponent


def _zeroed_current(target: Target, synapses: Synapses, integers: Float) -> float | None:
    """Largest mean current that a neuron lost with weights that became 0, in thresholds.

    At typical rates; None where a run tells the rates, and so what part of the drive was lost.
    """
    if synapses.rates is not None:
        return None
    gone = np.flatnonzero(integers == 0)
    if not gone.size:
        return 0.0
    currents = synapses.source_rates[synapses.weights.indices[gone]]
    currents *= np.abs(synapses.weights.data[gone]) * synapses.counts
    lost = np.bincount(synapses.rows[gone], currents, target.keep.size)
    leak = np.maximum(1.0 - target.keep, 0.5 / DECAY_ONE)
    return float((lost / (leak * target.threshold)).max(initial=0.0))


def learning_problems(projection: Projection) -> Iterator[Problem]:
    """What keeps a projection with a learning rule off the chip."""
    if projection.plasticity is None:
        return
    where, data = f"projection {projection.name!r}.plasticity", projection.weights.data
    if projection.target != "synapse":
        yield Problem(where, "with target bias", "synapses only")
    if projection.delays is not None and np.any(projection.delays):
        yield Problem(where, "with delays", "no delays: learning connections have none")
    if data.size and data.min() < 0 < data.max():
        fix = "split the projection by sign: on the chip a mixed weight may change its sign"
        yield Problem(where, "weights of both signs", "one sign", fix)


def reach(projection: Projection) -> float:
    """Largest magnitude that the weights must be able to reach, in float weight.

    A rule without bounds gets twice the largest weight (our choice): the chip does have a bound.
    """
    largest = float(np.abs(projection.weights.data).max(initial=0.0))
    if projection.plasticity is None:
        return largest
    if projection.plasticity.w_max is None:
        return 2.0 * largest
    return float(np.max(projection.plasticity.w_max, initial=0.0))


def exact_w_max(network: Network, population: Population, scale: float) -> float:
    """A scale within a factor 2 below `scale` at which one w_max is exactly 255 2^weight_exp.

    That of the population's largest projection that learns; `scale` itself when there is none,
    or when the exponent would fall below the smallest it may have.

    Args:
        scale: integer weight units per 1.0 of current.
    """
    learning = [
        p
        for p in network.projections
        if p.post == population.name and p.plasticity is not None and reach(p) > 0
    ]
    if not learning:
        return scale
    main = max(learning, key=lambda p: p.n_synapses)
    one = WEIGHT_MAX * (payload_scale(network, main.pre) or 1.0) / reach(main)
    exponent = int(np.floor(np.log2(scale / one) + 1e-9))
    return scale if exponent < _lowest_exponent(main) else float(one * 2.0**exponent)


def _lowest_exponent(projection: Projection) -> int:
    """0 for synapses that may need several profiles: their sums must not be floored one by one."""
    rule = projection.plasticity
    single = rule is None or is_uniform(rule, projection.n_synapses)
    return WEIGHT_EXP_RANGE[0] if single else 0


@dataclass(frozen=True)
class LearningPlan:
    """How the rules of a network are lowered.

    Attributes:
        options: of all rules, with their seed.
        limit: most profiles of this projection.
        dt: seconds of a step.
        weight_bits: 1..8.
        index: number of the projection; rules of different ones round with different streams.
    """

    options: LowerSTDP
    limit: int
    dt: float
    weight_bits: int
    index: int


def plastic_synapses(
    projection: Projection, unit: float, plan: LearningPlan
) -> tuple[QuantizedProjection, dict[str, Any]]:
    """Integer synapses with their learning, and a report of both.

    A weight that rounds to 0 becomes the smallest there is: Lava drops synapses of weight 0, and
    a dropped synapse could never grow. All these choices are ours.

    Args:
        unit: integer weight units per 1.0 of float weight, before the exponent.
    """
    rule = projection.plasticity
    if rule is None:
        raise ValueError(f"projection {projection.name!r} has no learning rule")
    exact = projection.weights.data * unit
    negative = bool(exact.size and exact.min() < 0)
    w_max = reach(projection)
    low, high = WEIGHT_EXP_RANGE
    exponent = low
    if w_max > 0:
        exponent = int(np.ceil(np.log2(w_max * unit / (WEIGHT_MAX + 0.5))))
    exponent = min(max(exponent, _lowest_exponent(projection)), high)
    grid = weight_grid(plan.weight_bits, mixed=False)
    size = np.rint(np.abs(exact) / 2.0**exponent / grid) * grid
    top = WEIGHT_MAX // grid * grid
    weights = projection.weights.copy()
    weights.data = np.clip(size, grid, top) * (-1 if negative else 1)
    seed = plan.options.seed or 0
    lowering = Lowering(
        plan.options,
        plan.limit,
        plan.dt,
        unit / 2.0**exponent,
        -1 if negative else 1,
        rng_seed=seed + _STREAMS * plan.index,
    )
    trains = generator(seed, f"lower_stdp/{projection.name}")
    learning, report = lower_stdp(rule, projection.n_synapses, lowering, trains)
    mode = SignMode.INHIBITORY if negative else SignMode.EXCITATORY
    integer = QuantizedProjection(
        projection.name,
        projection.pre,
        projection.post,
        sparse.csr_matrix(weights),
        exponent,
        mode,
        plan.weight_bits,
        learning=learning,
    )
    on_chip = WEIGHT_MAX * 2.0**exponent / unit
    return integer, {
        "weight_exp": exponent,
        "sign_mode": mode.value,
        "lifted": int(np.count_nonzero(size == 0)),
        "w_max": {
            "asked": w_max,
            "on_chip": on_chip,
            "error_max": _w_max_error(rule.w_max, on_chip),
        },
        "learning": report,
    }


def _w_max_error(w_max: Any, on_chip: float) -> float | None:
    """Largest relative difference of the chip's one `w_max` from every synapse's own."""
    if w_max is None or np.size(w_max) == 0 or np.any(np.asarray(w_max) <= 0):
        return None
    return float(np.abs(on_chip / np.asarray(w_max, dtype=np.float64) - 1.0).max())


def weight_error(
    exact: sparse.csr_matrix,
    integer: QuantizedProjection,
    unit: Float,
    rates: Float | None = None,
    counts: float = 1.0,
) -> dict[str, Any]:
    """Synapses that became 0, and how far the others are off, in the unit of the float network.

    What acts is what a spike that arrives alone adds to the current: a negative exponent floors it.

    Args:
        exact: (n_post, n_pre) float weights. unit: (n_post,) integer units per 1.0 of each row.
        rates: (n_pre,) of the sources, by which lost drive is weighed; None: all alike.
        counts: payload counts of a 1.0, which is what a graded source is taken to send.

    Returns:
        synapses; zeroed; zeroed_drive: share of the drive ``sum r |w|`` that went with them, of
        the whole projection; zeroed_drive_max: of the neuron that lost most; rms_error: root mean
        square error relative to that of the weights.
    """
    none = {"synapses": 0, "zeroed": 0, "zeroed_drive": 0.0, "zeroed_drive_max": 0.0}
    if not exact.nnz:
        return none | {"rms_error": 0.0}
    acting = isolated_current(integer, counts)
    acting.data /= unit[rows_of(acting)]
    difference = (exact - acting).power(2).sum()
    drive = abs(exact)
    if rates is not None and rates[exact.indices].any():  # where no source fired all are alike
        drive = drive.multiply(rates[None, :]).tocsr()
    alive = drive.multiply(acting != 0).tocsr()
    of_row, alive_of_row = (np.asarray(m.sum(axis=1)).ravel() for m in (drive, alive))
    alive_of_row = np.minimum(alive_of_row, of_row)  # sums of other orders may be a little larger
    lost_share = 1.0 - alive_of_row / np.maximum(of_row, np.finfo(np.float64).tiny)
    lost_share = np.where(of_row > 0, lost_share, 0.0)
    return {
        "synapses": int(exact.nnz),
        "zeroed": int(exact.nnz - np.count_nonzero(acting.data)),
        "zeroed_drive": float(1.0 - alive_of_row.sum() / positive(float(of_row.sum()))),
        "zeroed_drive_max": float(lost_share.max()),
        "rms_error": float(np.sqrt(difference / positive(float((exact.data**2).sum())))),
    }


def isolated_current(integer: QuantizedProjection, counts: float = 1.0) -> sparse.csr_matrix:
    """What a spike of each synapse alone adds to the current, per payload count, float CSR.

    In integer weight units. The held inputs of ``target="bias"`` act on the bias mantissa and are
    summed by the host.
    """
    weights = integer.effective_weights().astype(np.float64)
    weights.data *= 2.0**integer.weight_exp
    if integer.target == "synapse":
        weights.data = np.floor(weights.data * counts) / counts
    return weights


def positive(value: float) -> float:
    """`value`, or where it is 0 the smallest number above, to divide by."""
    return value if value > 0 else float(np.finfo(np.float64).tiny)
