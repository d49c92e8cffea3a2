"""Integer synapses of a projection that learns: ceiling, exponent, weights, rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from hrsnn_lava.compiler.passes.lower_stdp import LowerSTDP, is_uniform, lower_stdp
from hrsnn_lava.errors import Problem
from hrsnn_lava.integer_format import WEIGHT_EXP_RANGE
from hrsnn_lava.network import Input, Network, Population, Projection
from hrsnn_lava.quantized import QuantizedProjection, SignMode
from hrsnn_lava.seeding import generator

#: Largest magnitude of a weight that keeps its sign.
WEIGHT_MAX = 255
#: Streams of random numbers that a rule takes, counted from its seed (Lava: two each for x and y).
_STREAMS = 4


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


def ceiling(projection: Projection) -> float:
    """Largest magnitude that the weights must be able to reach, in float weight.

    A rule without bounds gets twice the largest weight (our choice): the chip does have a bound.
    """
    largest = float(np.abs(projection.weights.data).max(initial=0.0))
    if projection.plasticity is None:
        return largest
    if projection.plasticity.w_max is None:
        return 2.0 * largest
    return float(np.max(projection.plasticity.w_max, initial=0.0))


def exact_ceiling(
    network: Network, population: Population, scale: float, graded_scale: float
) -> float:
    """A scale within a factor 2 below `scale` at which one ceiling is exactly 255 2^weight_exp.

    That of the population's largest projection that learns; `scale` itself when there is none,
    or when the exponent would fall below the smallest it may have.

    Args:
        scale: integer weight units per 1.0 of current. graded_scale: payload counts per 1.0.
    """
    learning = [
        p
        for p in network.projections
        if p.post == population.name and p.plasticity is not None and ceiling(p) > 0
    ]
    if not learning:
        return scale
    main = max(learning, key=lambda p: p.n_synapses)
    neuron = network.population(main.pre).neuron
    counts = graded_scale if isinstance(neuron, Input) and neuron.graded else 1.0
    one = WEIGHT_MAX * counts / ceiling(main)
    exponent = int(np.floor(np.log2(scale / one) + 1e-9))
    return scale if exponent < _lowest_exponent(main) else float(one * 2.0**exponent)


def _lowest_exponent(projection: Projection) -> int:
    """0 for synapses that may need several profiles: their sums must not be floored one by one."""
    rule = projection.plasticity
    single = rule is None or is_uniform(rule, projection.n_synapses)
    return WEIGHT_EXP_RANGE[0] if single else 0


def plastic_synapses(
    projection: Projection,
    unit: float,
    dt: float,
    weight_bits: int,
    options: LowerSTDP,
    index: int,
) -> tuple[QuantizedProjection, dict[str, Any]]:
    """Integer synapses with their learning, and a report of both.

    A weight that rounds to 0 becomes the smallest there is: Lava drops synapses of weight 0, and
    a dropped synapse could never grow. All these choices are ours.

    Args:
        unit: integer weight units per 1.0 of float weight, before the exponent.
        index: number of the projection; rules of different ones round with different streams.
    """
    rule = projection.plasticity
    if rule is None:
        raise ValueError(f"projection {projection.name!r} has no learning rule")
    exact = projection.weights.data * unit
    negative = bool(exact.size and exact.min() < 0)
    asked = ceiling(projection)
    low, high = WEIGHT_EXP_RANGE
    exponent = low
    if asked > 0:
        exponent = int(np.ceil(np.log2(asked * unit / (WEIGHT_MAX + 0.5))))
    exponent = min(max(exponent, _lowest_exponent(projection)), high)
    grid = 2 ** (8 - weight_bits)
    size = np.rint(np.abs(exact) / 2.0**exponent / grid) * grid
    top = WEIGHT_MAX // grid * grid
    weights = projection.weights.copy()
    weights.data = np.clip(size, grid, top) * (-1 if negative else 1)
    learning, report = lower_stdp(
        rule,
        projection.n_synapses,
        dt,
        unit / 2.0**exponent,
        -1 if negative else 1,
        replace(options, rng_seed=options.rng_seed + _STREAMS * index),
        generator(options.rng_seed, f"lower_stdp/{projection.name}"),
    )
    mode = SignMode.INHIBITORY if negative else SignMode.EXCITATORY
    integer = QuantizedProjection(
        projection.name,
        projection.pre,
        projection.post,
        sparse.csr_matrix(weights),
        exponent,
        mode,
        weight_bits,
        learning=learning,
    )
    on_chip = WEIGHT_MAX * 2.0**exponent / unit
    return integer, {
        "weight_exp": exponent,
        "sign_mode": mode.value,
        "lifted": int(np.count_nonzero(size == 0)),
        "ceiling": {
            "asked": asked,
            "on_chip": on_chip,
            "error_max": _ceiling_error(rule.w_max, on_chip),
        },
        "learning": report,
    }


def _ceiling_error(w_max: Any, on_chip: float) -> float | None:
    """Largest relative difference of the chip's one ceiling from every synapse's own."""
    if w_max is None or np.size(w_max) == 0 or np.any(np.asarray(w_max) <= 0):
        return None
    return float(np.abs(on_chip / np.asarray(w_max, dtype=np.float64) - 1.0).max())
