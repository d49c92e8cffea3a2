"""The network of an estimator: built from what the user gave, brought to a rate, trained by STDP.

In this order, all of it our choice: rates first where a rate is asked for, since a silent network
learns nothing; then STDP over all samples; then the rates again, which STDP has moved.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.findings import Finding
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.hrsnn_options import NetworkSpec, RuleOptions, distribution
from hrsnn_lava.network import Input, Network
from hrsnn_lava.options import read_options
from hrsnn_lava.plasticity import DRAWN_FIELDS
from hrsnn_lava.seeding import generator
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.homeostasis import HomeostasisOptions, bias_counter, homeostasis
from hrsnn_lava.training.simulation import Stimulus, simulator_of
from hrsnn_lava.training.stdp import STDPOptions, train_stdp

__all__ = ["ReservoirPlan", "rate_findings", "reservoir"]

Floats = NDArray[np.float64]
#: Passes of homeostasis: at first, and after STDP, which moves rates less (ours).
PASSES, AGAIN = 30, 10
#: Neurons where nobody says how many.
SIZE = 300
#: Mean rate, spikes per neuron and step, above which a network tells little (ours): with a
#: threshold and no pause, a neuron that fires in every other step hardly weighs its inputs.
SATURATED = 0.4
#: Share of the asked spikes that may be missing or too many after homeostasis (ours).
RATE_ERROR = 0.5


@dataclass(frozen=True)
class ReservoirPlan:
    """What a network is made of.

    Attributes:
        network: None, a table of ``[network]``, a `Spec`, the path of either kind of file, or a
            `Network`.
        stdp: rules: None, a table of `RuleOptions`, or `STDPOptions`.
        stdp_passes: over the training samples.
        rate: spikes per neuron and step to bring every neuron to; None: as they fire.
        seed: of everything that is drawn.
        dt: of a step, seconds; None: that of `network`.
    """

    network: Any
    stdp: Any
    stdp_passes: int
    rate: float | None
    seed: int
    dt: float | None


@dataclass(frozen=True)
class _Described:
    """What `build_hrsnn` builds."""

    name: str
    seed: int
    network: NetworkSpec
    stdp: RuleOptions | None


def reservoir(plan: ReservoirPlan, lesson: Stimulus, part: Stimulus) -> Network:
    """The network of a plan, once it has seen the training samples.

    Args:
        plan: what it is made of.
        lesson: all training samples, labelled or not: what STDP is shown.
        part: some of them, by which rates are brought back.

    Raises:
        SpecError: the network cannot take such an input, or an option is wrong.
    """
    network, rules, passes = _network(plan, lesson)
    if plan.rate is not None:
        network = _at_rate(network, plan.rate, part)
    if rules is not None:
        network = _trained(network, rules, lesson.repeated(passes), plan.seed)
        if plan.rate is not None:
            network = _at_rate(network, plan.rate, part, AGAIN)
    return network


def _network(plan: ReservoirPlan, lesson: Stimulus) -> tuple[Network, STDPOptions | None, int]:
    """The network before any training, the rules that train it, and how often."""
    source, rules, passes = plan.network, plan.stdp, plan.stdp_passes
    name = "reservoir"
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        source = Network.load(path) if path.suffix == ".hlx" else Spec.load(path)
    if isinstance(source, Mapping) and "network" in source:
        source = Spec.parse(dict(source), "network")
    if isinstance(source, Spec):
        if rules is None and source.stdp is not None:
            rules, passes = source.stdp, source.stdp.train_passes
            if not passes:
                problem = Problem("stdp.train_passes", "0", ">= 1", "rules on the chip would move")
                raise SpecError("a readout needs weights that stand still", problems=[problem])
        name, source = source.name, source.network
    if rules is not None and not isinstance(rules, STDPOptions | RuleOptions):
        if not isinstance(rules, Mapping):
            measured = type(rules).__name__
            problem = Problem("stdp", measured, "a table of rules, STDPOptions, or None")
            raise SpecError("no learning rules", problems=[problem])
        rules = read_options(RuleOptions, rules, "stdp")
    if isinstance(source, Network):
        return _given(source, plan, lesson), _as_training(rules), passes
    table = _table(source, lesson.spiking, plan.dt)
    own = rules if isinstance(rules, RuleOptions) else None
    built = build_hrsnn(_Described(name, plan.seed, table, own), n_inputs=lesson.width)
    rules = rules if own is None else STDPOptions()  # the network has its rules already
    return _receiving(built, lesson.spiking), rules, passes


def _table(source: Any, spiking: bool, dt: float | None) -> NetworkSpec:
    """The ``[network]`` table, with what the user left open settled by the input and the size."""
    if source is None:
        source = {"size": SIZE}
    if isinstance(source, Mapping):
        source = Spec.parse({"network": dict(source)}, "network").network
    if not isinstance(source, NetworkSpec):
        allowed = "a table of [network], a Spec, a Network, or the path of one"
        problem = Problem("network", type(source).__name__, allowed)
        raise SpecError("no network", problems=[problem])
    data = source.model_dump(exclude_unset=True)
    wiring, entry = data.setdefault("connectivity", {}), data.setdefault("input", {})
    if not {"mean_degree", "length"} & wiring.keys():
        wiring["mean_degree"] = 0.1 * source.size  # as the default has it: 100 of 1000
    target = "synapse" if spiking else "bias"
    if entry.setdefault("target", target) != target:
        sends = "sends spikes" if spiking else "gives values to hold"
        fix = f"leave it out, or take an encoder that {'holds values' if spiking else 'spikes'}"
        problem = Problem(
            "network.input.target", repr(entry["target"]), f"{target!r}: the encoder {sends}", fix
        )
        raise SpecError("the encoder does not fit the network", problems=[problem])
    if dt is not None:
        data["dt"] = dt
    return Spec.parse({"network": data}, "network").network


def _given(network: Network, plan: ReservoirPlan, lesson: Stimulus) -> Network:
    """A ready-made network, checked against the input."""
    network.verify()
    problems = []
    if network.n_inputs != lesson.width:
        allowed = f"{lesson.width}, as the encoder makes of the samples"
        problems.append(Problem("network", f"{network.n_inputs} input channels", allowed))
    if plan.dt is not None and plan.dt != network.dt:
        allowed = f"{network.dt:g}, as the network has, or None"
        problems.append(Problem("dt", f"{plan.dt:g}", allowed))
    target = "synapse" if lesson.spiking else "bias"
    for projection in network.projections:
        if network.population(projection.pre).is_input and projection.target != target:
            sends = "spikes" if lesson.spiking else "held values"
            where = f"projection {projection.name!r}"
            allowed = f"{target!r}, where the encoder gives {sends}"
            fix = f"take an encoder that {'holds values' if lesson.spiking else 'spikes'}"
            problems.append(Problem(where, f"target {projection.target!r}", allowed, fix))
    if problems:
        raise SpecError("the network does not fit the samples", problems=problems)
    network = network if plan.stdp is not None else network.without_plasticity()
    return _receiving(network, lesson.spiking)


def _receiving(network: Network, spiking: bool) -> Network:
    """The network with inputs that send spikes, or carry values.

    A plain spike on a graded channel would be worth one count of its payload.
    """
    populations = tuple(
        replace(p, neuron=Input(graded=not spiking)) if p.is_input else p
        for p in network.populations
    )
    return replace(network, populations=populations).verify()


def _as_training(rules: Any) -> STDPOptions | None:
    """Rules of a spec as a training of a ready-made network takes them."""
    if not isinstance(rules, RuleOptions):
        return rules if isinstance(rules, STDPOptions) else None
    drawn: dict[str, Any] = {n: distribution(getattr(rules, n)) for n in DRAWN_FIELDS}
    return STDPOptions(**drawn, ceiling=rules.w_max, projections=tuple(rules.projections))


def _trained(network: Network, rules: STDPOptions, lesson: Stimulus, seed: int) -> Network:
    options = replace(rules, steps_per_sample=lesson.block, freeze=True)
    return train_stdp(network, lesson.inputs, options, generator(seed, "train_stdp")).network


def _at_rate(network: Network, rate: float, part: Stimulus, passes: int = PASSES) -> Network:
    """The network with every neuron at the asked rate, by its bias; every sample from rest."""
    simulator = simulator_of(network.without_plasticity())
    count = bias_counter(simulator, part, lambda: None)
    target = np.full(network.n_neurons, rate * part.n_steps)
    options = HomeostasisOptions(passes=passes)
    return network.with_biases(homeostasis(count, simulator.bias, target, options).bias)


def rate_findings(rates: Floats, asked: float | None) -> tuple[Finding, ...]:
    """What a user has to know of the rates of the training samples, spikes per neuron and step."""
    findings, mean = [], float(rates.mean())
    if mean == 0.0:
        findings.append(
            Finding(
                "warning",
                "the network",
                "no spike in any training sample",
                "the readout sees nothing, and gives one answer to everything",
                "ask for a rate, such as rate=0.05, or for larger weights of the input",
                kind="silent_reservoir",
            )
        )
    elif mean > SATURATED:
        findings.append(
            Finding(
                "warning",
                "the network",
                f"{mean:.2f} spikes per neuron and step in training",
                "neurons that fire in almost every step hardly tell inputs apart",
                "scale the samples to about -1 to 1, or ask for a rate, such as rate=0.05",
                kind="saturated_reservoir",
            )
        )
    elif asked is not None:
        error = float(np.abs(rates - asked).mean()) / asked
        if error > RATE_ERROR:
            findings.append(
                Finding(
                    "warning",
                    "the network",
                    f"rates are {100 * error:.0f} % off the asked {asked:g} in the mean",
                    "homeostasis did not bring the neurons there",
                    "ask for another rate, or for longer samples",
                    kind="rate_not_reached",
                )
            )
    return tuple(findings)
