r"""Float STDP to on-chip learning: K trace profiles, amplitudes per profile or per synapse.

A chip keeps few trace profiles, so the (tau_plus, tau_minus) of all synapses are clustered, in
the logarithm, into K. Amplitudes become what the rule's arithmetic can hold, in one of two ways::

    profiles:  dW = m 2^e y0 x1 - m' 2^e' x0 y1            amplitude = impulse m 2^e per profile
    tags:      dW = m 2^e y0 x1 t - m' 2^e' x0 y1 d        amplitude ~ impulse m 2^(e-5) t

with m of 4 bits, e from -7 to 8, and t, d the synapse's own 8-bit tags. With uniform amplitudes
the first is exact but for the grid; with heterogeneous ones the second keeps every synapse's own,
at the price of a floor to 2^e in each change, which the tags make up for on average: they are
chosen by the chip's expected area under the kernel (`analysis.stdp_error`). ``auto`` compares the
expected error for a pair of spikes, and takes tags where they are better by more than 2 %.

Which synapses share a profile, and that the area ``A tau`` under a kernel is kept rather than its
height, is our choice: the area is what decides whether unrelated spikes let a weight rise or fall.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, Trace
from hrsnn_lava.compiler.learning.kernel_error import (
    lags_of,
    plain_kernel,
    tag_kernel,
    trace_of,
    train_errors,
)
from hrsnn_lava.compiler.learning.literals import TAG_MAX, nearest_tag, plain_grid, tag_grid
from hrsnn_lava.compiler.learning.options import LowerSTDP, lowering_of
from hrsnn_lava.compiler.learning.profiles import cluster_points
from hrsnn_lava.plasticity import STDP

__all__ = ["LowerSTDP", "Lowered", "is_uniform", "lower_stdp", "lowering_of"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
#: Error that tags must save: they take memory, and Lava's sparse learning does not know them.
_TAGS_COST = 0.02
#: Synapses whose whole kernels are compared, for the report.
_KERNELS = 512


@dataclass(frozen=True, eq=False)
class Lowered:
    """On-chip learning of a projection, and what became of its parameters.

    Attributes:
        learning: K rules, the profile of each synapse and its tags.
        tau: (n, 2) steps, peak and area: (n, 2) weight units: plus and minus on the chip, expected.
        kernel_error: mean and largest relative error of the expected change by a pair of spikes.
    """

    learning: Learning
    tau: Float
    peak: Float
    area: Float
    kernel_error: tuple[float, float]


def is_uniform(rule: STDP, n_synapses: int) -> bool:
    """True when every synapse has the same rule, so that one profile is enough."""
    fields = ("a_plus", "a_minus", "tau_plus", "tau_minus")
    return n_synapses == 0 or all(np.ptp(rule.values(f, n_synapses)) == 0.0 for f in fields)


def lower_stdp(
    rule: STDP,
    n_synapses: int,
    dt: float,
    unit: float,
    sign: int,
    options: LowerSTDP,
    rng: np.random.Generator,
) -> tuple[Learning, dict[str, Any]]:
    """Lower the rule of one projection.

    Args:
        rule: of the float projection. unit: integer weight units per 1.0 of float weight.
        dt: seconds of a step. sign: +1, or -1 for inhibitory synapses.
        rng: draws the spike trains of the report; the learning does not depend on it.

    Returns:
        The learning, and a report: K, errors per parameter (relative to every synapse's own),
        error of the expected change by a pair, and of changes over random spike trains.
    """
    if n_synapses == 0:
        return Learning((_silent(options),)), {"profiles": 1, "synapses": 0}
    values = _Values.of(rule, n_synapses, dt, unit)
    modes: tuple[str, ...] = (options.amplitudes,)
    if options.amplitudes == "auto":
        modes = ("profiles", "tags")
    made = {mode: _MAKERS[mode](values, sign, options) for mode in modes}
    cost = {name: made[name].kernel_error[0] + (name == "tags") * _TAGS_COST for name in made}
    mode = min(cost, key=lambda name: cost[name])
    chosen = made[mode]
    in_units = replace(
        rule,
        a_plus=values.amplitude[:, 0],
        a_minus=values.amplitude[:, 1],
        tau_plus=values.tau[:, 0] * dt,
        tau_minus=values.tau[:, 1] * dt,
        w_max=None,
    )
    report = _report(values, chosen, mode, options)
    report["trains"] = train_errors(in_units, dt, chosen.learning, sign, rng)
    if len(made) > 1:
        report["alternatives"] = {name: low.kernel_error[0] for name, low in made.items()}
    return chosen.learning, report


@dataclass(frozen=True, eq=False)
class _Values:
    """What is asked, (n, 2) each, plus and minus.

    Attributes:
        tau: steps. amplitude: weight units. area: sum of the kernel over all lags >= 0.
    """

    tau: Float
    amplitude: Float
    area: Float

    @classmethod
    def of(cls, rule: STDP, n: int, dt: float, unit: float) -> _Values:
        tau = np.stack([rule.values(f, n) / dt for f in ("tau_plus", "tau_minus")], axis=1)
        size = np.stack([rule.values(f, n) * unit for f in ("a_plus", "a_minus")], axis=1)
        return cls(tau, size, size / -np.expm1(-1.0 / tau))


def _silent(options: LowerSTDP) -> LearningRule:
    product = Product("y0", 0, 0, (Factor("x1"),))
    return LearningRule(
        dw=(product,),
        x1=Trace(1, 1),
        y1=Trace(1, 1),
        t_epoch=options.t_epoch,
        rng_seed=options.rng_seed,
    )


def _with_profiles(values: _Values, sign: int, options: LowerSTDP) -> Lowered:
    """Amplitudes per profile, from the grid impulse m 2^e."""
    smallest = np.maximum(values.amplitude.max(axis=0) * 1e-3, 1e-12)
    points = np.log(np.hstack([values.tau, np.maximum(values.amplitude, smallest)]))
    labels, centres = cluster_points(points, options.limit, options.tolerance)
    rules = []
    for k in range(centres.shape[0]):
        mine, taus = labels == k, np.exp(centres[k, :2])
        wanted = values.amplitude[mine].mean(axis=0)
        if options.match == "area":
            wanted = values.area[mine].mean(axis=0) * -np.expm1(-1.0 / taus)
        grids = [plain_grid(float(a), options.impulse) for a in wanted]
        rules.append(_rule(taus, grids, sign, options, tags=False))
    return _lowered(values, Learning(tuple(rules), labels.astype(np.int32)), tags=False)


def _with_tags(values: _Values, sign: int, options: LowerSTDP) -> Lowered:
    """Amplitudes per synapse, in its tags; the profiles share time constants alone."""
    labels, centres = cluster_points(np.log(values.tau), options.limit, options.tolerance)
    tags = np.zeros(values.tau.shape, dtype=np.int32)
    rules = []
    for k in range(centres.shape[0]):
        mine, taus = np.flatnonzero(labels == k), np.exp(centres[k])
        grids = []
        for side in (0, 1):
            sums = slice(None) if options.match == "area" else slice(0, 1)
            wanted = (values.area if options.match == "area" else values.amplitude)[mine, side]
            signed = sign if side == 0 else -sign
            grid, table = tag_grid(wanted, taus[side], signed, options.impulse, sums)
            tags[mine, side] = nearest_tag(table, wanted)
            grids.append(grid)
        rules.append(_rule(taus, grids, sign, options, tags=True))
    learning = Learning(tuple(rules), labels.astype(np.int32), tags[:, 0], tags[:, 1])
    return _lowered(values, learning, tags=True)


_MAKERS = {"profiles": _with_profiles, "tags": _with_tags}


def _rule(
    taus: Float, grids: list[tuple[int, int, int]], sign: int, options: LowerSTDP, tags: bool
) -> LearningRule:
    """``dw = m 2^e y0 x1 [t] - m' 2^e' x0 y1 [d]``, times the sign of the synapses."""
    (rise, m, e), (fall, m_minus, e_minus) = grids
    plus = (Factor("x1"), Factor("t")) if tags else (Factor("x1"),)
    minus = (Factor("y1"), Factor("d")) if tags else (Factor("y1"),)
    return LearningRule(
        dw=(Product("x0", -sign * m_minus, e_minus, minus), Product("y0", sign * m, e, plus)),
        x1=Trace(float(rise), float(taus[0])),
        y1=Trace(float(fall), float(taus[1])),
        t_epoch=options.t_epoch,
        rng_seed=options.rng_seed,
    )


def _lowered(values: _Values, learning: Learning, tags: bool) -> Lowered:
    """Expected kernels of all synapses on the chip against those asked for."""
    n = values.tau.shape[0]
    profile = learning.profile_of(n)
    tag = np.stack([learning.tag("tag_1", n), learning.tag("tag_2", n)], axis=1)
    tau, peak, area = (np.zeros((n, 2)) for _ in range(3))
    errors = []
    for k, rule in enumerate(learning.rules):
        mine = np.flatnonzero(profile == k)
        few = mine[:: max(1, len(learning.rules) * mine.size // _KERNELS)]
        for side, target in enumerate(("plus", "minus")):
            trace, product = trace_of(rule, target), rule.dw[1 - side]
            tau[mine, side] = trace.tau
            lags = 2 * lags_of(np.append(values.tau[few, side], trace.tau))
            if tags:
                table = tag_kernel(
                    trace, product.mantissa, product.exponent, np.arange(TAG_MAX + 1), lags
                )
                peak[mine, side] = np.abs(table[0])[tag[mine, side]]
                area[mine, side] = np.abs(table.sum(axis=0))[tag[mine, side]]
                got = np.abs(table[:, tag[few, side]])
            else:
                column = np.abs(plain_kernel(trace, product.mantissa, product.exponent, lags))
                peak[mine, side], area[mine, side] = column[0], column.sum()
                got = column[:, None]
            steps = np.arange(lags + 1)[:, None]
            asked = values.amplitude[few, side] * np.exp(-steps / values.tau[few, side])
            total = asked.sum(axis=0)
            wrong = np.abs(got - asked).sum(axis=0)
            errors.append(wrong[total > 0] / total[total > 0])
    every = np.concatenate([np.zeros(0), *errors])
    pair = (float(every.mean()), float(every.max())) if every.size else (0.0, 0.0)
    return Lowered(learning, tau, peak, area, pair)


def _report(values: _Values, chosen: Lowered, mode: str, options: LowerSTDP) -> dict[str, Any]:
    asked = {"tau": values.tau, "a": values.amplitude, "area": values.area}
    got = {"tau": chosen.tau, "a": chosen.peak, "area": chosen.area}
    errors: dict[str, Any] = {}
    for name, wanted in asked.items():
        for side, label in enumerate(("plus", "minus")):
            some = wanted[:, side] > 0
            ratio = np.abs(got[name][some, side] / wanted[some, side] - 1.0)
            mean, largest = (float(ratio.mean()), float(ratio.max())) if ratio.size else (0.0, 0.0)
            errors[f"{name}_{label}"] = {"mean": mean, "max": largest}
    rules = chosen.learning.rules
    return {
        "profiles": len(rules),
        "max_profiles": options.limit,
        "amplitudes": mode,
        "synapses_per_profile": np.bincount(
            chosen.learning.profile_of(values.tau.shape[0]), minlength=len(rules)
        ).tolist(),
        "tau_steps": [[rule.x1.tau, rule.y1.tau] for rule in rules],
        "mean_amplitude_in_weight_units": values.amplitude.mean(axis=0).tolist(),
        "errors": errors,
        "pair_error": {"mean": chosen.kernel_error[0], "max": chosen.kernel_error[1]},
    }
