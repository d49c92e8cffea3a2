r"""Float STDP to on-chip learning: K trace profiles, amplitudes per profile or per synapse.

A chip keeps few trace profiles, so the (tau_plus, tau_minus) of all synapses are clustered, in
the logarithm, into K. Amplitudes become what the rule's arithmetic can hold, in one of two ways::

    profiles:  dW = m 2^e y0 x1 - m' 2^e' x0 y1            amplitude = impulse m 2^e per profile
    tags:      dW = m 2^e y0 x1 t - m' 2^e' x0 y1 d        amplitude ~ impulse m 2^(e-5) t

with m of 4 bits, e from -7 to 8, and t, d the synapse's own 8-bit tags. With uniform amplitudes
the first is exact but for the grid; with heterogeneous ones the second keeps every synapse's own,
at the price of a floor to 2^e in each change, which the tags make up for on average: they are
chosen by the chip's expected area under the kernel (`kernel_error`). ``auto`` compares the
expected error for a pair of spikes, and takes tags where they are better by more than 2 %.

Which synapses share a profile, and that the area ``A tau`` under a kernel is kept rather than its
height, is our choice: the area is what decides whether unrelated spikes let a weight rise or fall.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, Trace
from hrsnn_lava.compiler.learning.kernel_error import (
    lags_of,
    plain_kernel,
    tag_kernel,
    trace_of,
    train_errors,
)
from hrsnn_lava.compiler.learning.profiles import cluster_points
from hrsnn_lava.errors import HrsnnError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.integer_format import (
    EPOCH_RANGE,
    EXPONENT_RANGE,
    MANTISSA_RANGE,
    TAG_RANGES,
    TRACE_MAX,
)
from hrsnn_lava.options import Count, NonNegative, Seed, options
from hrsnn_lava.plasticity import STDP

Float = NDArray[np.float64]
Int = NDArray[np.int64]
#: Error that tags must save: they take memory, and Lava's sparse learning does not know them.
_TAGS_COST = 0.02
#: Synapses whose whole kernels are compared, for the report.
_KERNELS = 512
#: Profiles when neither the user nor the chip gives a number: more are slow in Lava on a CPU.
DEFAULT_PROFILES = 8
#: Largest tag, and mantissa, of one sign.
TAG_MAX = TAG_RANGES["dt"][1]
MANTISSA_MAX = MANTISSA_RANGE[1]


@options
class LowerSTDP:
    """How float STDP becomes on-chip learning; part of `Quantize`, which knows the weights' unit.

    Attributes:
        max_profiles: most profiles per projection; not set: what the chip's core holds, shared by
            projections onto the same neurons, and 8 at most.
        max_error: mean relative error of a time constant below which no profile is added.
        amplitudes: where amplitudes are kept: in ``profiles``, in the ``tags`` of each synapse, or
            ``auto``, whichever is nearer.
        match: keep the ``area`` under the kernel, or its ``peak``, where tau is changed.
        headroom: spikes at once that a 7-bit trace can hold: the impulse is 127 over this.
        t_epoch: steps of a learning epoch. The weight changes at its end; of several spikes of a
            neuron in one epoch only the last meets the other side's trace (Lava).
        seed: of stochastic rounding on the chip; by default that of the compilation.
    """

    max_profiles: Count | None = None
    max_error: NonNegative = 0.05
    amplitudes: Literal["auto", "tags", "profiles"] = "auto"
    match: Literal["area", "peak"] = "area"
    headroom: Annotated[float, Field(ge=1, le=16)] = 4.0
    t_epoch: Annotated[int, Field(ge=EPOCH_RANGE[0], le=EPOCH_RANGE[1])] = 1
    seed: Seed | None = None

    @property
    def impulse(self) -> int:
        """Rise of a trace at a spike; whole, since Lava rounds fractions wrongly."""
        return int(TRACE_MAX // self.headroom)

    def limit(self, profile: HardwareProfile | None, projections: int = 1) -> int:
        """Most profiles of one of several learning projections onto the same neurons.

        Their synapses are on the same cores, so without `max_profiles` each gets an equal part of
        the settings of presynaptic traces that a core holds (our choice); one profile at least,
        and the design rules refuse the rest.
        """
        if self.max_profiles is not None:
            return self.max_profiles
        core = None if profile is None else profile.trace_profiles
        if core is None:
            return DEFAULT_PROFILES
        return min(DEFAULT_PROFILES, max(1, core // max(1, projections)))


@dataclass(frozen=True)
class Lowering:
    """What the rule of one projection is lowered with.

    Attributes:
        options: of all rules.
        limit: most profiles of this projection.
        dt: seconds of a step.
        unit: integer weight units per 1.0 of float weight.
        sign: +1, or -1 for inhibitory synapses.
        rng_seed: of stochastic rounding on the chip.
    """

    options: LowerSTDP
    limit: int
    dt: float
    unit: float
    sign: int
    rng_seed: int


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
    rule: STDP, n_synapses: int, lowering: Lowering, rng: np.random.Generator
) -> tuple[Learning, dict[str, Any]]:
    """Lower the rule of one projection.

    Args:
        rule: of the float projection.
        rng: draws the spike trains of the report; the learning does not depend on it.

    Returns:
        The learning, and a report: K, errors per parameter (relative to every synapse's own),
        error of the expected change by a pair, and of changes over random spike trains.
    """
    if n_synapses == 0:
        return Learning((_silent(lowering),)), {"profiles": 1, "synapses": 0}
    values = _Values.of(rule, n_synapses, lowering.dt, lowering.unit)
    modes: tuple[str, ...] = (lowering.options.amplitudes,)
    if modes[0] == "auto":
        modes = ("profiles", "tags")
    lowered = {mode: _MAKERS[mode](values, lowering) for mode in modes}
    cost = {
        name: low.kernel_error[0] + (name == "tags") * _TAGS_COST for name, low in lowered.items()
    }
    mode = min(cost, key=lambda name: cost[name])
    best = lowered[mode]
    in_units = replace(
        rule,
        a_plus=values.amplitude[:, 0],
        a_minus=values.amplitude[:, 1],
        tau_plus=values.tau[:, 0] * lowering.dt,
        tau_minus=values.tau[:, 1] * lowering.dt,
        w_max=None,
    )
    report = _report(values, best, mode, lowering)
    report["trains"] = train_errors(in_units, lowering.dt, best.learning, lowering.sign, rng)
    if len(lowered) > 1:
        report["alternatives"] = {name: low.kernel_error[0] for name, low in lowered.items()}
    return best.learning, report


@dataclass(frozen=True, eq=False)
class _Values:
    """Float parameters of all synapses, (n, 2) each, plus and minus.

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


def _silent(lowering: Lowering) -> LearningRule:
    product = Product("y0", 0, 0, (Factor("x1"),))
    return LearningRule(
        dw=(product,),
        x1=Trace(1, 1),
        y1=Trace(1, 1),
        t_epoch=lowering.options.t_epoch,
        rng_seed=lowering.rng_seed,
    )


def _with_profiles(values: _Values, lowering: Lowering) -> Lowered:
    """Amplitudes per profile, from the grid impulse m 2^e."""
    options = lowering.options
    smallest = np.maximum(values.amplitude.max(axis=0) * 1e-3, 1e-12)
    points = np.log(np.hstack([values.tau, np.maximum(values.amplitude, smallest)]))
    labels, centres = cluster_points(points, lowering.limit, options.max_error)
    rules = []
    for k in range(centres.shape[0]):
        members, taus = labels == k, np.exp(centres[k, :2])
        amplitude = values.amplitude[members].mean(axis=0)
        if options.match == "area":
            amplitude = values.area[members].mean(axis=0) * -np.expm1(-1.0 / taus)
        grids = [plain_grid(float(a), options.impulse) for a in amplitude]
        rules.append(_rule(taus, grids, lowering, tags=False))
    return _lowered(values, Learning(tuple(rules), labels.astype(np.int32)), tags=False)


def _with_tags(values: _Values, lowering: Lowering) -> Lowered:
    """Amplitudes per synapse, in its tags; the profiles share time constants alone."""
    options, sign = lowering.options, lowering.sign
    labels, centres = cluster_points(np.log(values.tau), lowering.limit, options.max_error)
    tags = np.zeros(values.tau.shape, dtype=np.int32)
    rules = []
    for k in range(centres.shape[0]):
        members, taus = np.flatnonzero(labels == k), np.exp(centres[k])
        grids = []
        for side in (0, 1):
            sums = slice(None) if options.match == "area" else slice(0, 1)
            target = (values.area if options.match == "area" else values.amplitude)[members, side]
            signed = sign if side == 0 else -sign
            grid, table = tag_grid(target, taus[side], signed, options.impulse, sums)
            tags[members, side] = nearest_tag(table, target)
            grids.append(grid)
        rules.append(_rule(taus, grids, lowering, tags=True))
    learning = Learning(tuple(rules), labels.astype(np.int32), tags[:, 0], tags[:, 1])
    return _lowered(values, learning, tags=True)


_MAKERS = {"profiles": _with_profiles, "tags": _with_tags}


def _rule(
    taus: Float, grids: list[tuple[int, int, int]], lowering: Lowering, tags: bool
) -> LearningRule:
    """``dw = m 2^e y0 x1 [t] - m' 2^e' x0 y1 [d]``, times the sign of the synapses."""
    (rise, m, e), (fall, m_minus, e_minus) = grids
    sign = lowering.sign
    plus = (Factor("x1"), Factor("t")) if tags else (Factor("x1"),)
    minus = (Factor("y1"), Factor("d")) if tags else (Factor("y1"),)
    return LearningRule(
        dw=(Product("x0", -sign * m_minus, e_minus, minus), Product("y0", sign * m, e, plus)),
        x1=Trace(float(rise), _steady(taus[0])),
        y1=Trace(float(fall), _steady(taus[1])),
        t_epoch=lowering.options.t_epoch,
        rng_seed=lowering.rng_seed,
    )


def _steady(tau: float) -> float:
    """A time constant in nine digits: those after them depend on the machine that worked it out."""
    return float(f"{tau:.9g}")


def _lowered(values: _Values, learning: Learning, tags: bool) -> Lowered:
    """Expected kernels of all synapses on the chip against those asked for."""
    n = values.tau.shape[0]
    profile = learning.profile_of(n)
    tag = np.stack([learning.tag("tag_1", n), learning.tag("tag_2", n)], axis=1)
    tau, peak, area = (np.zeros((n, 2)) for _ in range(3))
    errors = []
    for k, rule in enumerate(learning.rules):
        members = np.flatnonzero(profile == k)
        few = members[:: max(1, len(learning.rules) * members.size // _KERNELS)]
        for side, target in enumerate(("plus", "minus")):
            trace, product = trace_of(rule, target), rule.dw[1 - side]
            tau[members, side] = trace.tau
            lags = 2 * lags_of(np.append(values.tau[few, side], trace.tau))
            if tags:
                table = tag_kernel(
                    trace, product.mantissa, product.exponent, np.arange(TAG_MAX + 1), lags
                )
                peak[members, side] = np.abs(table[0])[tag[members, side]]
                area[members, side] = np.abs(table.sum(axis=0))[tag[members, side]]
                chip_kernel = np.abs(table[:, tag[few, side]])
            else:
                column = np.abs(plain_kernel(trace, product.mantissa, product.exponent, lags))
                peak[members, side], area[members, side] = column[0], column.sum()
                chip_kernel = column[:, None]
            steps = np.arange(lags + 1)[:, None]
            float_kernel = values.amplitude[few, side] * np.exp(-steps / values.tau[few, side])
            total = float_kernel.sum(axis=0)
            wrong = np.abs(chip_kernel - float_kernel).sum(axis=0)
            errors.append(wrong[total > 0] / total[total > 0])
    every = np.concatenate([np.zeros(0), *errors])
    pair = (float(every.mean()), float(every.max())) if every.size else (0.0, 0.0)
    return Lowered(learning, tau, peak, area, pair)


def _report(values: _Values, lowered: Lowered, mode: str, lowering: Lowering) -> dict[str, Any]:
    targets = {"tau": values.tau, "a": values.amplitude, "area": values.area}
    on_chip = {"tau": lowered.tau, "a": lowered.peak, "area": lowered.area}
    errors: dict[str, Any] = {}
    for name, target in targets.items():
        for side, label in enumerate(("plus", "minus")):
            some = target[:, side] > 0
            ratio = np.abs(on_chip[name][some, side] / target[some, side] - 1.0)
            mean, largest = (float(ratio.mean()), float(ratio.max())) if ratio.size else (0.0, 0.0)
            errors[f"{name}_{label}"] = {"mean": mean, "max": largest}
    rules = lowered.learning.rules
    return {
        "profiles": len(rules),
        "max_profiles": lowering.limit,
        "amplitudes": mode,
        "synapses_per_profile": np.bincount(
            lowered.learning.profile_of(values.tau.shape[0]), minlength=len(rules)
        ).tolist(),
        "tau_steps": [[rule.x1.tau, rule.y1.tau] for rule in rules],
        "mean_amplitude_in_weight_units": values.amplitude.mean(axis=0).tolist(),
        "errors": errors,
        "pair_error": {"mean": lowered.kernel_error[0], "max": lowered.kernel_error[1]},
    }


def plain_grid(target: float, impulse: int) -> tuple[int, int, int]:
    """Impulse, m and e whose product is nearest to `target`; the impulse is above half its top."""
    if target == 0.0:
        return impulse, 0, 0
    low, high = EXPONENT_RANGE
    heights = np.arange(impulse // 2 + 1, impulse + 1)
    mantissas, exponents = np.arange(1, MANTISSA_MAX + 1), np.arange(low, high + 1)
    values = heights[:, None, None] * mantissas[:, None] * 2.0**exponents
    error = np.abs(values - target)
    if values.min() > target:  # a smaller impulse alone goes lower
        return max(1, min(impulse, round(target * 2.0**-low))), 1, low
    best = np.argwhere(error <= error.min() * (1 + 1e-9))[-1]  # the highest impulse of the best
    return int(heights[best[0]]), int(mantissas[best[1]]), int(exponents[best[2]])


def tag_grid(
    target: Float, tau: float, sign: int, impulse: int, sums: slice
) -> tuple[tuple[int, int, int], Float]:
    """Impulse, m and e at which tags up to 255 just reach the largest of `target`.

    Returns:
        The grid, and the expected size of the change for every tag, (256,), rising.
    """
    low, high = EXPONENT_RANGE
    choices = [(m * 2.0**e, e, m) for m in range(1, MANTISSA_MAX + 1) for e in range(low, high + 1)]
    top = float(target.max(initial=0.0))
    scale: tuple[tuple[int, int, int], Float] | None = None
    trace, lags = Trace(impulse, tau), 2 * lags_of(np.array([tau]))
    reach = impulse * TAG_MAX / 32.0 * (1.0 if sums.stop == 1 else 1.0 / -np.expm1(-1.0 / tau))
    for factor, e, m in sorted(choices):
        if factor * reach < 0.9 * top and (m, e) != (MANTISSA_MAX, high):
            continue
        kernel = tag_kernel(trace, sign * m, e, np.arange(TAG_MAX + 1), lags)
        table = np.abs(kernel[sums].sum(axis=0))
        scale = (impulse, m, e), table
        if table[-1] >= top:
            break
    if scale is None:
        raise HrsnnError("no scale for the tags; this is a fault of the compiler")
    return scale


def nearest_tag(table: Float, target: Float) -> Int:
    """Index of the nearest entry of a rising table, (n,)."""
    right = np.clip(np.searchsorted(table, target), 1, table.size - 1)
    left_is_nearer = target - table[right - 1] < table[right] - target
    return np.asarray(right - left_is_nearer, dtype=np.int64)
