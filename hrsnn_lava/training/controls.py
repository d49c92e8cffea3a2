"""The rows without which a table about STDP says nothing.

STDP changes three things at once: which synapse has which weight, how large the weights of a
projection are on the whole, and how often the neurons fire. Only the first is learning from the
input. Each control keeps one of the others and leaves the learning out:

====================  ============================================================================
``none``              the network before learning
``stdp``              after it, at the rate that came of it
``stdp_balanced``     after it, rates brought back
``shuffled``          the learned weights, dealt out anew among the synapses of each projection
``scaled``            the weights of the start, times one factor a projection that gives them the
                      learned mean
``none_at_stdp``      the network before learning, at the rates that STDP led to, neuron by neuron
====================  ============================================================================

All but ``stdp`` and ``none_at_stdp`` are held to one target of rates. A claim for STDP needs
``stdp_balanced`` above ``shuffled`` and ``scaled``, or ``stdp`` above ``none_at_stdp``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.csr import rows_of
from hrsnn_lava.errors import SpecError
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.options import options as declared
from hrsnn_lava.progress import Progress, part_of, silent
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import with_weights
from hrsnn_lava.training.balance import BalanceOptions, RateBalance, rate_balance, rates
from hrsnn_lava.training.course import Lesson, stimulus_of
from hrsnn_lava.training.monitoring import Monitoring
from hrsnn_lava.training.stdp import STDPOptions, TrainedSTDP, attach_stdp, train_stdp

__all__ = [
    "ROWS",
    "ControlOptions",
    "ControlRow",
    "StdpControls",
    "scaled",
    "shuffled",
    "stdp_controls",
]

Floats = NDArray[np.float64]
Weights = Mapping[str, Floats]
#: The rows, in the order of a table.
ROWS = ("none", "stdp", "stdp_balanced", "shuffled", "scaled", "none_at_stdp")
Within = Literal["projection", "target"]


@declared
class ControlOptions:
    """How the controls are made.

    Attributes:
        within: weights are shuffled among all synapses of a ``projection``, or among those of each
            ``target`` neuron.
        balance: how rates are brought to their targets.
        monitoring: how the training is watched.
    """

    within: Within = "projection"
    balance: BalanceOptions = BalanceOptions()
    monitoring: Monitoring = Monitoring()


@dataclass(frozen=True, eq=False)
class ControlRow:
    """One network of the table, without rules.

    network:    to score
    rates:      (n_neurons,) spikes per step over the stimulus
    rate_error: ``sum |rate - target| / sum target``; 0 for rows without a target
    findings:   of its homeostasis
    """

    network: Network
    rates: Floats
    rate_error: float
    findings: tuple[Finding, ...] = ()

    @property
    def rate(self) -> float:
        """Spikes per neuron and step."""
        return float(self.rates.mean()) if self.rates.size else 0.0


@dataclass(frozen=True, eq=False)
class StdpControls:
    """All rows, by the names of `ROWS`, and the training that they are about.

    rows:     networks to score
    training: what STDP left
    target:   (n_neurons,) spikes per step that the balanced rows were held to
    """

    rows: Mapping[str, ControlRow]
    training: TrainedSTDP
    target: Floats

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the training, and of the homeostasis of every row, which ``where`` names."""
        rows = (
            replace(finding, where=f"{finding.where} of {name}")
            for name, row in self.rows.items()
            for finding in row.findings
        )
        return (*self.training.findings, *rows)


def shuffled(
    network: Network, weights: Weights, rng: np.random.Generator, within: Within = "projection"
) -> Network:
    """The learned weights, permuted among the synapses of each projection that learned.

    The set of weights stays, synapses at 0 included; which input each follows is lost.

    Args:
        network: that was trained, before it.
        weights: learned, (nnz,) by projection: `TrainedSTDP.weights`.
        rng: draws the permutations.
        within: permute among all synapses of a projection, or among those of each target neuron,
            which keeps what every neuron receives on the whole.
    """
    dealt = {}
    for name, learned in _checked(network, weights).items():
        signs = np.sign(network.projection(name).weights.data)
        if within == "projection":
            magnitudes = rng.permutation(np.abs(learned))
        else:
            rows = rows_of(network.projection(name).weights)
            order = np.lexsort((rng.random(learned.size), rows))
            magnitudes = np.empty_like(learned)
            magnitudes[np.argsort(rows, kind="stable")] = np.abs(learned)[order]
        dealt[name] = signs * magnitudes
    return with_weights(network, dealt)


def scaled(network: Network, weights: Weights) -> Network:
    """The weights of the start, times ``mean |learned| / mean |start|`` of each projection.

    Args:
        network: that was trained, before it.
        weights: learned, (nnz,) by projection: `TrainedSTDP.weights`.
    """
    factors = {}
    for name, learned in _checked(network, weights).items():
        start = network.projection(name).weights.data
        total = float(np.abs(start).sum())
        factors[name] = start * (float(np.abs(learned).sum()) / total if total else 1.0)
    return with_weights(network, factors)


def _checked(network: Network, weights: Weights) -> Weights:
    for name, learned in weights.items():
        count = network.projection(name).n_synapses
        if np.shape(learned) != (count,):
            raise SpecError(f"weights[{name!r}]: shape {np.shape(learned)}; allowed: ({count},)")
    return weights


def stdp_controls(
    network: Network,
    inputs: Lesson,
    options: STDPOptions | None = None,
    *,
    target_rate: ArrayLike | None = None,
    control: ControlOptions | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> StdpControls:
    """Train by STDP, and make every row that a table about it needs.

    Args:
        network: float; its rules are kept, and where it has none, the options give some.
        inputs: what it is shown, see `train_stdp`; rates are measured and balanced on it, too.
        options: of the training.
        target_rate: spikes per neuron and step that rows are balanced to, one number or
            (n_neurons,); by default the rates before learning, so that ``none`` is as it was.
        control: of the shuffling, of the homeostasis and of what watches the training.
        seed: of rules, order, potentials and permutation.
        progress: told how far all of it is.
    """
    o, c = options or STDPOptions(), control or ControlOptions()
    stimulus = stimulus_of(inputs, network.n_inputs, o.steps_per_sample)
    if all(p.plasticity is None for p in network.projections):
        network = attach_stdp(network, o, generator(seed, "train_stdp/rules"))
    start = network.without_plasticity()
    parts = iter(range(len(ROWS)))

    def step() -> Progress:
        return part_of(progress, next(parts), len(ROWS))

    first = rates(start, stimulus, seed=seed)
    if target_rate is None:
        none, target = ControlRow(start, first, 0.0), first
        step()
    else:
        row = rate_balance(start, stimulus, target_rate, c.balance, seed=seed, progress=step())
        # the network is balanced before it learns, too, or STDP would start from another rate
        none, target, start = _row(row, stimulus, seed), row.target, row.network
        network = network.with_biases(start.gather("bias"))
    o = replace(o, freeze=True)
    training = train_stdp(network, stimulus, o, None, step(), seed=seed, monitoring=c.monitoring)
    learned = training.network
    stdp_rates = rates(learned, stimulus, seed=seed)
    arms = {
        "stdp_balanced": (learned, target),
        "shuffled": (
            shuffled(start, training.weights, generator(seed, "train_stdp/shuffle"), c.within),
            target,
        ),
        "scaled": (scaled(start, training.weights), target),
        "none_at_stdp": (start, stdp_rates),
    }
    rows = {"none": none, "stdp": ControlRow(learned, stdp_rates, 0.0)}
    for name, (arm, goal) in arms.items():
        result = rate_balance(arm, stimulus, goal, c.balance, seed=seed, progress=step())
        rows[name] = _row(result, stimulus, seed)
    return StdpControls(rows, training, target)


def _row(result: RateBalance, stimulus: Lesson, seed: int) -> ControlRow:
    """A balanced network with its rates over the whole stimulus."""
    now = rates(result.network, stimulus, seed=seed)
    off = float(np.abs(now - result.target).sum() / max(float(result.target.sum()), 1e-300))
    return ControlRow(result.network, now, off, result.findings)
