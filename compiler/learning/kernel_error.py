r"""What the chip's arithmetic makes of pair STDP: the expected weight change, and its error.

A trace of 7 bits starts at the impulse and decays stochastically: from x it goes to floor(a x) or
one more, with the fraction as probability and ``a = exp(-1 / tau)``. That is a Markov chain over
128 states, so the expected change of a weight by one pair of spikes has a closed form (Lava 0.10
`learning_rule_applier.py`; a tag is 9 bits wide, a mantissa 4, the accumulator 15)::

    E[dW](lag) = 2^e \sum_x P(x after lag steps) floor(m x tag / 2^5)          with a tag
    E[dW](lag) = 2^e m \sum_x P(x after lag steps) x = 2^e m impulse a^lag     without

The floor takes half a unit of 2^e off every change with a tag, up or down. `chip_changes` runs
whole spike trains through the same arithmetic, saturation included, one synapse beside the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import Learning, LearningRule, Trace
from hrsnn_lava.integer_format import ACCUMULATOR_RANGE, ACCUMULATOR_SHIFT, TRACE_MAX, WEIGHT_MAX
from hrsnn_lava.plasticity import STDP

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
#: Right shift of a product of a trace (7 bits), a tag (9) and a mantissa (4) to 15 bits.
TAG_SHIFT = 7 + 9 + 4 - 15
#: Magnitude at which the compared weights start: the middle, neither end is near.
_START = 128


def trace_probabilities(trace: Trace, lags: int) -> Float:
    """Probability of every trace value 0, 1, ... `lags` steps after a spike, (lags + 1, 128)."""
    values = np.exp(-1.0 / trace.tau) * np.arange(TRACE_MAX + 1)
    low = np.floor(values).astype(np.int64)
    up = values - low
    step = np.zeros((TRACE_MAX + 1, TRACE_MAX + 1))
    step[np.arange(TRACE_MAX + 1), low] += 1.0 - up
    step[np.arange(TRACE_MAX + 1), np.minimum(low + 1, TRACE_MAX)] += up
    probabilities = np.zeros((lags + 1, TRACE_MAX + 1))
    probabilities[0, int(trace.impulse)] = 1.0
    for lag in range(lags):
        probabilities[lag + 1] = probabilities[lag] @ step
    return probabilities


def tag_kernel(trace: Trace, mantissa: int, exponent: int, tags: Int, lags: int) -> Float:
    """Expected change by a pair at every lag, for every tag, (lags + 1, n_tags), in weight units.

    Args:
        mantissa, exponent: of the product ``mantissa 2^exponent * trace * tag``.
    """
    products = np.multiply.outer(np.arange(TRACE_MAX + 1), tags) * mantissa
    kernel: Float = trace_probabilities(trace, lags) @ (products >> TAG_SHIFT)
    return kernel * 2.0**exponent


def plain_kernel(trace: Trace, mantissa: int, exponent: int, lags: int) -> Float:
    """Expected change by a pair without a tag, (lags + 1,): exact, since decay is unbiased."""
    decay = np.exp(-np.arange(lags + 1) / trace.tau)
    return np.asarray(mantissa * 2.0**exponent * trace.impulse * decay, dtype=np.float64)


def change_summary(exact: Float, chip: Float) -> dict[str, float]:
    """Compare weight changes by the float rule (n,) with R runs on the chip (R, n).

    Returns:
        rms_error: of a single run, over the root mean square of the exact changes; it holds the
        noise of stochastic rounding. rms_error_of_mean: the same for the mean over the runs.
        bias: mean difference over the mean absolute exact change. correlation: of a single run
        with the exact changes, 0 where nothing varies.
    """
    scale, typical = float(np.sqrt(np.mean(exact**2))), float(np.mean(np.abs(exact)))
    if scale == 0.0:
        still = float(np.abs(chip).max(initial=0.0))
        return dict.fromkeys(("rms_error", "rms_error_of_mean", "bias"), still) | {
            "correlation": 0.0
        }
    wrong = chip - exact
    pairs = [np.corrcoef(exact, run)[0, 1] for run in chip if np.std(run) > 0 < np.std(exact)]
    return {
        "rms_error": float(np.sqrt(np.mean(wrong**2))) / scale,
        "rms_error_of_mean": float(np.sqrt(np.mean(wrong.mean(axis=0) ** 2))) / scale,
        "bias": float(np.mean(wrong)) / typical,
        "correlation": float(np.mean(pairs)) if pairs else 0.0,
    }


def float_changes(rule: STDP, dt: float, pre: Bool, post: Bool, start: float, top: float) -> Float:
    """Changes by the float rule in weight units, (n,), of synapses with trains (T, n).

    Args:
        rule: amplitudes in weight units, (n,) each; bounds 0 and `top`.
    """
    n = pre.shape[1]
    keep_x, keep_y = (np.exp(-dt / rule.values(f, n)) for f in ("tau_plus", "tau_minus"))
    a_plus, a_minus = (rule.values(f, n) for f in ("a_plus", "a_minus"))
    x, y, w = np.zeros(n), np.zeros(n), np.full(n, float(start))
    for before, after in zip(pre, post, strict=True):
        x, y = x * keep_x + before, y * keep_y + after
        w = np.clip(w + a_plus * x * after - a_minus * y * before, 0.0, top)
    return w - start


@dataclass(frozen=True, eq=False)
class _RuleProducts:
    """One product of the pair rules at every synapse, (n,) each: a trace, m, e and a tag."""

    decay: Float
    impulse: Int
    mantissa: Int
    exponent: Int
    tag: Int
    shift: int

    @classmethod
    def of(cls, learning: Learning, n: int, target: str) -> _RuleProducts:
        """``plus``: y0 x1 [t]. ``minus``: x0 y1 [d]."""
        index = 1 if target == "plus" else 0
        products = [rule.dw[index] for rule in learning.rules]
        traces = [trace_of(rule, target) for rule in learning.rules]
        tagged = len(products[0].factors) > 1
        tag = learning.tag("tag_1" if target == "plus" else "tag_2", n).astype(np.int64)

        def each(values: list[Any]) -> NDArray[Any]:
            return np.array(values)[learning.profile_of(n)]

        return cls(
            each([np.exp(-1.0 / trace.tau) for trace in traces]),
            each([int(trace.impulse) for trace in traces]),
            each([product.mantissa for product in products]),
            each([product.exponent for product in products]),
            tag if tagged else np.ones(n, np.int64),
            TAG_SHIFT if tagged else 0,  # trace and mantissa alone need 11 bits
        )

    def next(self, trace: Int, spiked: Bool, random: Float) -> Int:
        """The trace after one step: decayed, stochastically rounded, then the impulse."""
        exact = self.decay * trace
        low = np.floor(exact).astype(np.int64)
        decayed = low + (random < exact - low)
        return np.asarray(np.where(spiked, np.minimum(decayed + self.impulse, TRACE_MAX), decayed))

    def epoch(self, trace: Int, spikes: Bool, read_step: Int, random: Float) -> tuple[Int, Int]:
        """The trace at `read_step` (n,) of an epoch of E steps, 1..E, and at its end, (R, n) each.

        A second spike in an epoch raises the trace from the start, as in Lava, and the trace has
        its impulse at the last one. `spikes` (E, n), `random` (E, R, 1).
        """
        count, at = spikes.sum(axis=0), last_spike(spikes)
        trace = np.minimum(trace + self.impulse * np.maximum(count - 1, 0), TRACE_MAX)
        at_read_step = np.zeros_like(trace)
        for step, numbers in enumerate(random, start=1):
            trace = self.next(trace, at == step, numbers)
            at_read_step = np.where(read_step == step, trace, at_read_step)
        return at_read_step, trace

    def change(self, trace: Int, happened: Bool) -> Int:
        """The product in the accumulator's unit of 1/128 weight unit."""
        value = (happened * trace * self.tag * self.mantissa) >> self.shift
        return np.clip(value << (self.exponent + 7), *ACCUMULATOR_RANGE)


def last_spike(spikes: Bool) -> Int:
    """Step 1..E of the last spike in an epoch (E, n), 0 without one, (n,)."""
    steps = np.arange(1, spikes.shape[0] + 1)
    return np.asarray((spikes * steps[:, None]).max(axis=0), dtype=np.int64)


def chip_changes(
    learning: Learning,
    sign: int,
    pre: Bool,
    post: Bool,
    start: int,
    rng: np.random.Generator,
    runs: int = 1,
) -> Float:
    """Changes of magnitude on the chip in weight units, (runs, n), of synapses with trains (T, n).

    For the two products that `lower_stdp` writes, depression first. Weights change at the end of
    every whole epoch. A run draws one random number per step and trace, and per epoch for the
    weights, shared by all its synapses, as in Lava.

    Args:
        learning: of these n synapses. sign: +1, or -1 for inhibitory ones.
        start: magnitude at the start, 0..255.
    """
    n = pre.shape[1]
    plus, minus = (_RuleProducts.of(learning, n, target) for target in ("plus", "minus"))
    x, y = np.zeros((runs, n), np.int64), np.zeros((runs, n), np.int64)
    w = np.full((runs, n), sign * start, np.int64)
    low, high = (0, WEIGHT_MAX) if sign > 0 else (-WEIGHT_MAX, 0)
    epoch = learning.t_epoch
    one = 1 << ACCUMULATOR_SHIFT
    for first in range(0, pre.shape[0] - epoch + 1, epoch):
        before, after = pre[first : first + epoch], post[first : first + epoch]
        random = rng.random((2 * epoch + 1, runs, 1))
        x_then, x = plus.epoch(x, before, last_spike(after), random[:-1:2])
        y_then, y = minus.epoch(y, after, last_spike(before), random[1:-1:2])
        total = w << ACCUMULATOR_SHIFT
        for side, trace, spikes in ((minus, y_then, before), (plus, x_then, after)):
            total = total + side.change(trace, spikes.any(axis=0))
            total = np.clip(total, *ACCUMULATOR_RANGE)
        total = np.clip(total, low * 256, high * 256)
        w = np.clip((total >> ACCUMULATOR_SHIFT) + (random[-1] < total % one / one), low, high)
    return np.asarray(sign * w - start, dtype=np.float64)


@dataclass(frozen=True)
class Trains:
    """Random spike trains that a rule is tried on; a rate of 3 % is our choice: a reservoir's.

    Attributes:
        synapses: how many are tried, drawn from all.
        steps, rate: length of the trains, whole epochs of it, and spikes per step.
        runs: on the chip, with other random numbers each.
    """

    synapses: int = 128
    steps: int = 400
    rate: float = 0.03
    runs: int = 8


def train_errors(
    rule: STDP,
    dt: float,
    learning: Learning,
    sign: int,
    rng: np.random.Generator,
    trains: Trains = Trains(),
) -> dict[str, Any]:
    """Error of the weight changes over random spike trains, chip against float rule.

    Every synapse sees two independent Bernoulli trains; the weight starts in the middle of its
    range.

    Args:
        rule: amplitudes in weight units, one value per synapse of `learning`.
    """
    total = int(np.size(rule.a_plus))
    sample = np.sort(rng.permutation(total)[: trains.synapses])
    steps = trains.steps - trains.steps % learning.t_epoch
    keep = np.zeros(total, dtype=np.bool_)
    keep[sample] = True
    part, few = learning.select(keep), rule.select(keep)
    pre, post = (rng.random((steps, sample.size)) < trains.rate for _ in range(2))
    exact = float_changes(few, dt, pre, post, _START, float(WEIGHT_MAX))
    chip = chip_changes(part, sign, pre, post, _START, rng, trains.runs)
    settings = {
        "synapses": int(sample.size),
        "steps": steps,
        "rate": trains.rate,
        "runs": trains.runs,
    }
    return settings | change_summary(exact, chip)


def lags_of(taus: Float) -> int:
    """Steps until the slowest of these time constants (in steps) has decayed to 1 %."""
    return int(np.ceil(5.0 * float(np.max(taus, initial=1.0))))


def trace_of(rule: LearningRule, target: str) -> Trace:
    """The trace behind potentiation ("plus": x1) or depression ("minus": y1)."""
    return rule.x1 if target == "plus" else rule.y1
