"""On-chip learning in plain NumPy, as Lava 0.10's fixed point defines it; the readable truth.

In every step: the spikes that were sent are delivered with the weights of now, then they are
noted; at the end of an epoch traces, weights and tags are brought up to date, in that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import PRE_TRACES, SYNAPTIC, LearningRule, Product
from hrsnn_lava.integer_format import (
    ACCUMULATOR_RANGE,
    ACCUMULATOR_SHIFT,
    TAG_RANGES,
    TRACE_MAX,
    TRACE_VALUES,
    shift_sum,
    wrapped_32,
)
from hrsnn_lava.sim_backends.learning_program import (
    WIDTH,
    Plastic,
    Streams,
    impulse_parts,
    kept_share,
    right_shift,
    scale,
)

Int = NDArray[np.int64]


class ReferenceLearning:
    """One learning projection with its state.

    Attributes:
        weights, tag_1, tag_2: (S,) values of the live synapses.
    """

    def __init__(self, plastic: Plastic, steps: int) -> None:
        self.plastic = plastic
        self.weights, self.tag_1, self.tag_2 = (
            a.astype(np.int64) for a in (plastic.weights, plastic.tag_1, plastic.tag_2)
        )
        self.draw(0, steps)
        self._profiles = [
            _Profile(rule, plastic, np.flatnonzero(plastic.profile == k))
            for k, rule in enumerate(plastic.rules)
        ]

    def draw(self, first: int, steps: int) -> None:
        """Make the random numbers of `steps` steps from step `first` on."""
        self._streams = Streams.of(self.plastic.rules[0], first, steps)

    def total(self, message: Any) -> NDArray[np.int64]:
        """Sum of weights times `message` (n_pre,), payloads, before the shift; (n_post,)."""
        p = self.plastic
        sent = message.astype(np.int64) if p.graded else (message != 0).astype(np.int64)
        total = np.zeros(p.n_post, dtype=np.int64)
        np.add.at(total, p.rows, self.weights * sent[p.cols])
        return total

    def received(self, sent: Any) -> Int | None:
        """What is sent to y1, y2 and y3 in a step, (3, n_post); None with two factors.

        Args:
            sent: payloads of all sources (neurons, then inputs) in this step and those before,
                this one last.
        """
        if self.plastic.factor is None:
            return None
        total = np.zeros((3, self.plastic.n_post), dtype=np.int32)
        for part in self.plastic.factor:
            message = sent[-2 - part.delay].astype(np.int64)
            if not part.graded:
                message = (message != 0).astype(np.int64)
            arriving = shift_sum(wrapped_32(part.weights @ message), part.weight_exp)
            with np.errstate(over="ignore"):  # int32 wraps, as Lava's ports do
                total[part.trace] += arriving.astype(np.int32)
        return total.astype(np.int64)

    def step(
        self, t: int, message: Any, spikes: NDArray[np.bool_], received: Int | None = None
    ) -> None:
        """Note the spikes of step `t` (from 0); learn if an epoch ends.

        Args:
            message: (n_pre,) payloads, 0 for silence.
            spikes: (n_post,) which postsynaptic neurons fired.
            received: see the method of that name.
        """
        p, streams = self.plastic, self._streams
        at = t - streams.first
        if not p.graded:
            message = message != 0
        if not p.hears_spikes:
            spikes = np.zeros_like(spikes)
        within = t % p.t_epoch + 1
        for profile in self._profiles:
            profile.note_pre(message.astype(np.int64), within)
            profile.note_post(spikes, within, int(streams.y_repeat[at]))
            if received is not None:
                profile.y[:] = received
        if within != p.t_epoch:
            return
        new = {"dw": self.weights.copy(), "dt": self.tag_1.copy(), "dd": self.tag_2.copy()}
        old = {"w": self.weights, "t": self.tag_1, "d": self.tag_2}
        for profile in self._profiles:
            synapses = profile.synapses
            profile.end_epoch(streams, at)
            for target, values in new.items():
                if getattr(profile.rule, target):
                    variables = {name: variable[synapses] for name, variable in old.items()}
                    total = profile.accumulate(target, variables, values[synapses], t)
                    # all targets see w, t, d from before the epoch's end: `new` is not read here
                    values[synapses] = self._rounded(target, total, float(streams.synapse[at]))
            profile.forget_spikes()
        self.weights, self.tag_1, self.tag_2 = new["dw"], new["dt"], new["dd"]

    def learned(self) -> dict[str, NDArray[np.int32]]:
        """Entries of `Trace.weights`."""
        return self.plastic.learned(self.weights, self.tag_1, self.tag_2)

    def traces(self) -> dict[str, NDArray[np.int32]]:
        """Entries of `Trace.traces`."""
        return self.plastic.traces(lambda k, name: self._profiles[k].trace(name))

    def snapshot(self) -> dict[str, Any]:
        """All that the next step depends on, shapes as in `hrsnn_lava.sim_backends.state`."""
        profiles = self._profiles
        synapses = {"weights": self.weights, "tag_1": self.tag_1, "tag_2": self.tag_2}
        return synapses | {
            name: np.array([getattr(p, name) for p in profiles]) for name in ("x", "y", "tx", "ty")
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go to what `snapshot` returned."""
        self.weights, self.tag_1, self.tag_2 = (
            values[name].astype(np.int64) for name in ("weights", "tag_1", "tag_2")
        )
        for k, profile in enumerate(self._profiles):
            for name in ("x", "y", "tx", "ty"):
                getattr(profile, name)[:] = values[name][k]

    def _rounded(self, target: str, total: Int, random: float) -> Int:
        """Accumulators to values: sign, stochastic rounding, limits."""
        p = self.plastic
        if target == "dw":
            total = np.clip(total, *p.accumulator_limits)
        elif target == "dd":
            total = np.maximum(total, 0)
        # below zero too: floor and a fraction in [0, 1), one random number for all synapses
        quotient = total / 2**ACCUMULATOR_SHIFT
        whole = np.floor(quotient).astype(np.int64) + (random < quotient % 1)
        # weights are not cut back to their grid: after learning a mixed weight may be odd
        limits = p.sign_mode.limits if target == "dw" else TAG_RANGES[target]
        clipped: Int = np.clip(whole, *limits)
        return clipped


class _Profile:
    """Traces of one rule: `x` (2, n_pre), `y` (3, n_post), and the last spike in the epoch."""

    def __init__(self, rule: LearningRule, plastic: Plastic, synapses: Any) -> None:
        self.rule, self.mode = rule, plastic.graded_spikes
        self.three_factors = plastic.factor is not None
        self.synapses = synapses
        self.pre, self.post = plastic.cols[synapses], plastic.rows[synapses]
        self.x = np.zeros((2, plastic.n_pre), dtype=np.int64)
        self.y = np.zeros((3, plastic.n_post), dtype=np.int64)
        self.tx = np.zeros(plastic.n_pre, dtype=np.int64)
        self.ty = np.zeros(plastic.n_post, dtype=np.int64)

    def trace(self, name: str) -> Int:
        """A trace as it is now, (n_pre,) or (n_post,)."""
        rows: Int = self.x if name in PRE_TRACES else self.y
        values: Int = rows[int(name[1]) - 1]
        return values

    def note_pre(self, message: Int, within: int) -> None:
        """Presynaptic spikes: a second one in an epoch raises x at once; payloads act on x1."""
        fired = message != 0
        again = fired & (self.tx > 0)
        # half a payload, rounded half to even, in 8 bits
        half = np.round(message / 2).astype(np.int64) & (TRACE_VALUES - 1)
        noted = fired
        if self.mode == "regular":
            self.x[0, again] = _raised(self.x[0, again], self.rule.x1.impulse, 0)
        elif self.mode == "overwrite":
            self.x[0, fired] = half[fired]
        else:
            total = (self.x[0] + half) & (TRACE_VALUES - 1)
            if self.mode == "add_saturating":
                self.x[0] = np.minimum(total, TRACE_MAX)
            else:
                over = total > TRACE_MAX
                noted, again = fired & over, again & over
                self.x[0] = np.where(over, total - TRACE_MAX, total)
        # Lava compares the fraction with 0 here, not with a random number: it always rounds up
        self.x[1, again] = _raised(self.x[1, again], self.rule.x2.impulse, 0)
        self.tx[noted] = within

    def note_post(self, spikes: NDArray[np.bool_], within: int, random: int) -> None:
        """Postsynaptic spikes: a second one in an epoch raises y at once."""
        again = spikes & (self.ty > 0)
        for k, trace in enumerate((self.rule.y1, self.rule.y2, self.rule.y3)):
            self.y[k, again] = _raised(self.y[k, again], trace.impulse, random)
        self.ty[spikes] = within

    def end_epoch(self, streams: Streams, at: int) -> None:
        """Histories of all traces over the epoch, (t_epoch + 1, n); the traces take the last.

        With a third factor y1, y2 and y3 stay what arrived, until something else does.

        Row `at` of `streams` holds the random numbers of the epoch's end.
        """
        rule = self.rule
        self.history: dict[str, Int] = {}
        for name, state, spike in (
            ("x1", self.x[0], self.tx),
            ("x2", self.x[1], self.tx),
            ("y1", self.y[0], self.ty),
            ("y2", self.y[1], self.ty),
            ("y3", self.y[2], self.ty),
        ):
            trace = getattr(rule, name)
            decay, impulse = (
                (streams.x_decay[at], streams.x_impulse[at])
                if name[0] == "x"
                else (streams.y_decay[at], streams.y_impulse[at])
            )
            rows = [state.copy()]
            for k in range(1, rule.t_epoch + 1):
                row = _decayed(rows[-1], trace.tau, float(decay))
                now = spike == k
                row[now] = _raised(row[now], trace.impulse, int(impulse))
                rows.append(row)
            self.history[name] = np.stack(rows)
            if not (self.three_factors and name[0] == "y"):
                state[:] = rows[-1]

    def accumulate(self, target: str, variables: dict[str, Int], value: Int, t: int) -> Int:
        """Accumulators of one target, (S,): the value 7 bits up, plus every product, clipped.

        `variables` holds the variables w, d, t from before the epoch's end for all targets.
        """
        total = np.left_shift(value.astype(np.int32), ACCUMULATOR_SHIFT).astype(np.int64)
        for product in getattr(self.rule, target):
            total = np.clip(total + self._product(product, variables, t), *ACCUMULATOR_RANGE)
        return total

    def _product(self, product: Product, variables: dict[str, Int], t: int) -> Int:
        """One product for every synapse, int32 arithmetic that wraps, clipped."""
        gate, when = self._dependency(product, t)
        value = gate.astype(np.int32)
        mantissa, exponent = scale(product)
        with np.errstate(over="ignore"):
            for factor in product.factors:
                term = self._factor(factor.variable, when, variables) + factor.constant
                if factor.sign:
                    term = np.sign(term)
                limit = 2 ** WIDTH[factor.variable]
                value = value * np.clip(term, -limit, limit - 1).astype(np.int32)
            value = value * np.int32(mantissa)
            # floors: a product of -1 stays -1 however far it is shifted
            value = value >> np.int32(min(right_shift(product), 31))
            value = value << np.int32(exponent + 7)
        clipped: Int = np.clip(value.astype(np.int64), *ACCUMULATOR_RANGE)
        return clipped

    def _dependency(self, product: Product, t: int) -> tuple[NDArray[np.bool_], Int]:
        """Per synapse: does the product act, and in which step of the epoch are traces read."""
        tx, ty = self.tx[self.pre], self.ty[self.post]
        if product.dependency == "x0":
            return tx > 0, tx
        if product.dependency == "y0":
            return ty > 0, ty
        epoch = (t + 1) // self.rule.t_epoch
        on = epoch % 2 ** (self.rule.decimate_exponent or 0) == 0
        return np.full(tx.shape, on), np.full(tx.shape, self.rule.t_epoch)

    def _factor(self, variable: str, when: Int, variables: dict[str, Int]) -> Any:
        if variable in SYNAPTIC:
            return variables[variable]
        if variable == "x0":
            return (self.tx[self.pre] > 0).astype(np.int64)
        if variable == "y0":
            return (self.ty[self.post] > 0).astype(np.int64)
        return self.history[variable][when, self.pre if variable[0] == "x" else self.post]

    def forget_spikes(self) -> None:
        """A new epoch begins."""
        self.tx[:] = 0
        self.ty[:] = 0


def _decayed(values: Int, tau: float, random: float) -> Int:
    """Traces a step later; what a third factor sends may be any int32, negative ones too."""
    product = kept_share(tau) * values
    result: Int = (np.floor(product) + (random < product % 1)).astype(np.int64)
    return result


def _raised(values: Int, impulse: float, random: int) -> Int:
    """Trace plus impulse, its fraction rounded stochastically, in 7 bits."""
    whole, fraction = impulse_parts(impulse)
    raised: Int = np.clip(values + whole + (random < fraction), 0, TRACE_MAX)
    return raised
