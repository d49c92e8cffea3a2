"""Rates brought to a target by the biases: homeostasis of a whole network under its own input.

Two networks can be compared by what they compute only where they fire alike, so every table of
controls starts here. `homeostasis` moves biases by a fixed rule; here the step of each neuron
adapts, so that 30 passes bring most networks to one per cent, neurons that were silent included::

    bias_i += clip(g_i ln((target_i + 1) / (count_i + 1)), +-limit_i)

g_i (in units of v_threshold) halves when the error of a neuron changes its sign and grows by half
while it keeps its sign and does not halve by itself; limit_i grows with it. Our choice, as are all
numbers here. Networks of few strong synapses ring under such steps: `GENTLE` holds their rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.aftercare_options import GENTLE, BalanceOptions
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.distributions import Clip, LogNormal
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.findings import Finding, warn
from hrsnn_lava.network import Network
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.training.course import Lesson, stimulus_of
from hrsnn_lava.training.homeostasis import rate_error
from hrsnn_lava.training.simulation import Stimulus

__all__ = [
    "GENTLE",
    "Balance",
    "BalanceOptions",
    "RateBalance",
    "balance",
    "lognormal_rates",
    "rate_balance",
    "rates",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RateBalance:
    """Where biases and rates went.

    network: with the biases of the pass that came nearest
    rates:   (n_neurons,) spikes per step with these biases, over the samples that were shown
    target:  (n_neurons,) spikes per step that were asked for
    errors:  rate error, ``sum |count - target| / sum target``, with the first biases and after
             every pass
    findings: what a user has to know: a rate that is off, neurons that stayed silent
    """

    network: Network
    rates: Floats
    target: Floats
    errors: Floats
    findings: tuple[Finding, ...]

    @property
    def ratio(self) -> float:
        """Rate of the network / target."""
        total = float(self.target.sum())
        return float(self.rates.sum()) / total if total else 1.0


def lognormal_rates(
    n_neurons: int, mean: float, sigma: float = 0.5, rng: np.random.Generator | None = None
) -> Floats:
    """Target rates of neurons that fire unalike, (n_neurons,) spikes per step.

    Args:
        n_neurons: number of neurons.
        mean: of the rates, exact in the sample.
        sigma: standard deviation of their logarithm.
        rng: draws them; None: a fixed seed.
    """
    if not (0 < mean < 1 and sigma >= 0):
        raise SpecError(f"mean, sigma: {mean:g}, {sigma:g}; allowed: 0 < mean < 1, sigma >= 0")
    drawn = LogNormal(mean, sigma, Clip(exact_mean=True)).sample(
        rng or generator(0, "balance/targets"), n_neurons
    )
    return np.asarray(drawn, dtype=np.float64)


def balance(
    network: Network,
    stimulus: Lesson,
    target_rate: ArrayLike,
    options: BalanceOptions | None = None,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Network:
    """The network with biases at which its neurons fire as asked; see `rate_balance`.

    Gives a `hrsnn_lava.findings.FindingWarning` where the rate is off in the end.
    """
    result = rate_balance(network, stimulus, target_rate, options, seed=seed, progress=progress)
    warn(result.findings)
    return result.network


def rate_balance(
    network: Network,
    stimulus: Lesson,
    target_rate: ArrayLike,
    options: BalanceOptions | None = None,
    *,
    seed: int = 0,
    steps_per_sample: int = 10,
    progress: Progress = silent,
) -> RateBalance:
    """Move the biases until the neurons fire as asked, with the weights the network has.

    Args:
        network: float. Rules of plasticity stay on it, but nothing learns here.
        stimulus: what it is shown, in any form that `train_stdp` takes; the network starts afresh
            with every sample.
        target_rate: spikes per neuron and step: one number, or (n_neurons,), such as those of
            another network by `rates`, or of `lognormal_rates`.
        options: passes, step, tolerance, and a part of the samples.
        seed: of the initial potentials, the same in every pass.
        steps_per_sample: steps for which a value is held, where `stimulus` is an array of values.
        progress: told after every pass.

    Raises:
        SpecError: the target is of another shape, negative or above one spike a step.
    """
    o = options or BalanceOptions()
    lesson = stimulus_of(stimulus, network.n_inputs, steps_per_sample)
    parts = _parts(lesson, o.samples)
    simulator = FloatSimulator(network.without_plasticity())
    target = _target(target_rate, network.n_neurons)
    steps = sum(end - begin for begin, end in parts) * lesson.block
    goal, unit = target * steps, network.gather("v_threshold")
    bias = simulator.bias.copy()
    counts = _counts(simulator, lesson, parts, seed)
    best = (rate_error(counts, goal), bias, counts)
    errors, gain, before = [best[0]], np.full(bias.size, o.gain), np.zeros(bias.size)
    for k in range(o.passes):
        if errors[-1] <= o.enough:
            break
        error = np.log((goal + 1.0) / (counts + 1.0))
        flipped, slow = error * before < 0, np.abs(error) > 0.5 * np.abs(before)
        grown = np.where((error * before > 0) & slow, o.growth * gain, gain)
        gain = np.clip(np.where(flipped, 0.5 * gain, grown), o.gain / o.most, o.gain * o.most)
        limit = o.limit * np.maximum(gain / o.gain, 1.0)
        bias = bias + unit * np.clip(gain * error, -limit, limit)
        simulator.bias = bias
        counts, before = _counts(simulator, lesson, parts, seed), error
        errors.append(rate_error(counts, goal))
        if errors[-1] < best[0]:
            best = (errors[-1], bias, counts)
        progress("balance rates", (k + 1) / o.passes)
    _, bias, counts = best
    found = tuple(_findings(counts, goal, steps, len(errors) - 1, o))
    rates_now = counts / max(steps, 1)
    return RateBalance(network.with_biases(bias), rates_now, target, np.array(errors), found)


def rates(
    network: Network, stimulus: Lesson, *, seed: int = 0, steps_per_sample: int = 10
) -> Floats:
    """Spikes per step of every neuron over a stimulus, weights held, (n_neurons,)."""
    lesson = stimulus_of(stimulus, network.n_inputs, steps_per_sample)
    simulator = FloatSimulator(network.without_plasticity())
    counts = _counts(simulator, lesson, _parts(lesson, None), seed)
    return counts / max(lesson.n_steps, 1)


def _target(rate: ArrayLike, n: int) -> Floats:
    try:
        values = np.asarray(rate, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError(f"target_rate: {rate!r:.60}; allowed: numbers, 0 to 1") from None
    problems = []
    if values.shape not in ((), (n,)):
        problems.append(Problem("target_rate", f"shape {values.shape}", f"() or ({n},)"))
    elif not np.all((values >= 0) & (values <= 1)):
        spread = f"{values.min():g}..{values.max():g}"
        problems.append(Problem("target_rate", spread, "0 to 1, spikes per neuron and step"))
    raise_if(SpecError, "the rates cannot be balanced", problems)
    return np.array(np.broadcast_to(values, (n,)))


def _parts(stimulus: Stimulus, count: int | None) -> list[tuple[int, int]]:
    """Blocks of every sample, or of some, spread evenly; the first ones where there is none."""
    if stimulus.starts is None:
        return [(0, stimulus.n_blocks if count is None else min(count, stimulus.n_blocks))]
    bounds = list(pairwise(stimulus.bounds.tolist()))
    if count is None or count >= len(bounds):
        return bounds
    places = np.unique(np.linspace(0, len(bounds) - 1, count).round().astype(int))
    return [bounds[k] for k in places]


def _counts(
    simulator: FloatSimulator, stimulus: Stimulus, parts: Sequence[tuple[int, int]], seed: int
) -> Counts:
    """Spikes of every neuron over all parts; each has potentials of its own, or biases would make
    up for one draw of them, and they are the same in every pass."""
    total = np.zeros(simulator.n_neurons, dtype=np.int64)
    for k, (begin, end) in enumerate(parts):
        simulator.reset(generator(seed, "homeostasis", k))
        who = stimulus.run_blocks(simulator, begin, end)[1]
        total += np.bincount(who, minlength=simulator.n_neurons)
    return total


def _findings(
    counts: Counts, goal: Floats, steps: int, passes: int, o: BalanceOptions
) -> list[Finding]:
    found = []
    total, n = float(goal.sum()), max(counts.size, 1)
    ratio = float(counts.sum()) / total if total else 1.0
    if abs(ratio - 1) > o.tolerance:
        off = int(np.sum(np.abs(counts - goal) > np.maximum(0.1 * goal, 3.0)))
        found.append(
            Finding(
                "warning",
                "homeostasis",
                f"{counts.sum() / n / max(steps, 1):.4g} spikes per neuron and step after {passes} "
                f"passes, target {total / n / max(steps, 1):.4g}, x{ratio:.4g}; {off} of {n} "
                "neurons are off by more than a tenth",
                f"the rate is off by more than {o.tolerance:.0%}, so what is compared at this rate "
                "is not",
                "use more passes, or a target that the network can reach",
                kind="balance_off",
            )
        )
    quiet = int(np.sum((counts == 0) & (goal >= 3.0)))
    if quiet:
        found.append(
            Finding(
                "note",
                "homeostasis",
                f"{quiet} of {n} neurons sent no spike, though 3 or more were asked of each",
                "their biases did not get there",
                "use more passes",
                kind="balance_silent",
            )
        )
    return found


@dataclass(frozen=True, eq=False)
class Balance(Pass[Network, Network]):
    """Biases at which the neurons fire as asked, each at a rate of its own.

    Attributes:
        lesson: what the network is shown.
        rate: mean of the target rates, spikes per neuron and step.
        spread: standard deviation of their logarithm.
        options: passes, samples and tolerance.
    """

    name: ClassVar[str] = "balance"
    lesson: Stimulus = field(metadata={"record": False})
    rate: float = 0.03
    spread: float = 0.5
    options: BalanceOptions = field(default_factory=BalanceOptions)

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The network with such biases; the rate error before and after, and the rate."""
        seed = context.seed or 0
        target = lognormal_rates(
            network.n_neurons, self.rate, self.spread, generator(seed, "balance/targets")
        )
        result = rate_balance(network, self.lesson, target, self.options, seed=seed)
        report = {
            "rate": float(result.rates.mean()),
            "rate_error": float(result.errors.min()),
            "rate_error_before": float(result.errors[0]),
            "passes": len(result.errors) - 1,
            "findings": result.findings,
        }
        return result.network, report
