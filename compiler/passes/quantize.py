"""Float to integers: one scale per target population, exponents and sign modes per projection.

The potential is kept as ``v / (1 - beta)``, so that synaptic currents enter with the same weight
at every neuron and heterogeneity of tau_mem lives in dv and vth alone. With the scale S of a
population (integer weight units per 1.0 of current)::

    dv = round(4096 (1 - exp(-dt / tau_mem)))         du = round(4096 (1 - exp(-dt / tau_syn))) - 1
    W 2^weight_exp = w S                              vth = v_threshold S 4096 / dv
    bias_mant 2^bias_exp = 64 S bias

S is at most what keeps vth in 17 bits, every bias, the input's drive included, in 13 bits and an
exponent, and the largest weight in 8 bits at the largest exponent. Our choice: the worst-case
drive takes every analog channel at +-`input_range` at once. S, exponents and integer weights
within that are chosen by an option of `hrsnn_lava.compiler.quantization.scaling`. Where
the current could wrap, S is lowered as `headroom` says; see
`hrsnn_lava.compiler.quantization.headroom`.

Of a projection that learns, `w_max` becomes the largest weight the chip holds, 255 2^weight_exp:
S is lowered, by less than a factor of 2, until that is exact for the population's largest such
projection. What else becomes of the rule:
`hrsnn_lava.compiler.learning.lowering`, which needs that scale and so is no pass of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from hrsnn_lava.compiler.analysis.headroom import worst_case
from hrsnn_lava.compiler.context import INPUT_RANGE, Context, Observed, Pass
from hrsnn_lava.compiler.learning.lowering import LowerSTDP
from hrsnn_lava.compiler.quantization.headroom import Headroom, caps_of
from hrsnn_lava.compiler.quantization.scaling.base import Target, scaling
from hrsnn_lava.compiler.quantization.synapses import (
    GRADED_PAYLOAD_SCALE,
    HELD_PAYLOAD_SCALE,
    LearningPlan,
    counts_of,
    exact_w_max,
    fixed_synapses,
    held_synapses,
    learning_problems,
    plastic_synapses,
    positive,
    reach,
    target_of,
    weight_error,
)
from hrsnn_lava.csr import drives
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.integer_format import (
    DECAY_ONE,
    DELAY_MAX,
    NEURON_RANGES,
    STATE_UNIT,
    WEIGHT_EXP_RANGE,
    WEIGHT_MAX,
    current_leak,
    decay_integers,
    decay_rate,
)
from hrsnn_lava.network import Input, Network, Population, Projection
from hrsnn_lava.options import Positive, Registered, options
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

Float = NDArray[np.float64]
#: Largest bias there is, in integer weight units.
_BIAS_MAX = NEURON_RANGES["bias_mant"][1] * 2.0 ** NEURON_RANGES["bias_exp"][1] / STATE_UNIT
#: Largest weight of any grid and sign mode: one of both signs ends at 254.
_WEIGHT_MAX = WEIGHT_MAX - 1.0


def _scaling(text: str) -> str:
    try:
        scaling(text)
    except SpecError as error:
        raise ValueError("; ".join(problem.allowed for problem in error.problems)) from None
    return text


@options
class Quantize(Pass[Network, QuantizedNetwork]):
    """Quantize a network.

    Attributes:
        weight_bits: bits of a weight, 1 to 8.
        input_range: largest magnitude of an analog input that must not saturate a bias; by
            default that of the compilation, which is 4.
        stdp: how learning rules are lowered.
        scaling: how weights become integers: ``max``, ``percentile:P``, ``mse`` or ``activity``.
        headroom: room against a wrap of the current: ``auto``, ``worst_case``, ``measured`` or
            ``none``.
        margin: factor over the largest current of a run that must not wrap.
    """

    name: ClassVar[str] = "quantize"

    weight_bits: Annotated[int, Field(ge=1, le=8)] = 8
    input_range: Positive | None = None
    stdp: LowerSTDP = field(default_factory=LowerSTDP)
    scaling: Annotated[str, Registered("scaling"), AfterValidator(_scaling)] = "max"
    headroom: Headroom = "auto"
    margin: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0

    @property
    def needs_run(self) -> bool:
        """True when a run of the float network has to be observed."""
        return self.headroom == "measured" or scaling(self.scaling).needs_rates

    def transform(
        self, network: Network, context: Context
    ) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """The integer network, and what it cost."""
        return quantize(network, self, context.observed, context.profile)

    def settled(self, context: Context) -> Quantize:
        """With the seed of the compilation in the learning rules, too, if they have none."""
        step = super().settled(context)
        if step.stdp.seed is not None:
            return step
        return replace(step, stdp=replace(step.stdp, seed=context.seed or 0))


def quantize(
    network: Network,
    options: Quantize | None = None,
    observed: Observed | None = None,
    profile: HardwareProfile | None = None,
) -> tuple[QuantizedNetwork, dict[str, Any]]:
    """Quantize a float network.

    Args:
        observed: what a run showed, for the options that ask for it.
        profile: the chip, whose cores bound the number of learning profiles.

    Returns:
        The verified integer network, and a report: scale and head-room per population,
        exponent and weight error per projection.

    Raises:
        SpecError: a parameter has no integer in range, a projection that learns has delays,
            holds its input or mixes signs, or an option needs a run; all of them are named.
    """
    work = _Quantization(network, options or Quantize(), observed or Observed(), profile)
    network.verify()
    raise_if(SpecError, "the network cannot be quantized", list(work.problems()))
    result, report = work.integers({})
    caps, headroom = caps_of(
        report,
        lambda caps: work.integers(caps)[1],
        network,
        work.options.headroom,
        work.options.margin,
        work.observed,
    )
    if caps:
        result, report = work.integers(caps)
    for name, entry in report["populations"].items():
        entry["headroom"] = headroom[name]
    return result, report


@dataclass(frozen=True, eq=False)
class _Quantization:
    """One network with everything that its integers depend on but the caps of its scales."""

    network: Network
    options: Quantize
    observed: Observed
    profile: HardwareProfile | None

    @property
    def input_range(self) -> float:
        return INPUT_RANGE if self.options.input_range is None else self.options.input_range

    def problems(self) -> Iterator[Problem]:
        """Everything that keeps the network from being quantized."""
        network, run = self.network, self.observed
        yield from run.problems(network)
        fix = "give one: `--rates TRACE`, or `rates` or `observed` of `compile`"
        if scaling(self.options.scaling).needs_rates and run.neuron_rates is None:
            yield Problem("scaling", repr(self.options.scaling), "with the rates of a run", fix)
        if self.options.headroom == "measured" and run.current_peak is None:
            yield Problem("headroom", "'measured'", "with the largest currents of a run", fix)
        for projection in network.projections:
            yield from learning_problems(projection)
            if projection.delays is not None:
                steps = np.rint(np.asarray(projection.delays) / network.dt)
                if np.any(steps > DELAY_MAX):
                    where = f"projection {projection.name!r}.delays"
                    yield Problem(where, f"{steps.max():.0f} steps", f"<= {DELAY_MAX} steps")
        longest = NEURON_RANGES["refractory"][1]
        for population in network.compute_populations:
            periods = np.rint(population.parameter("refractory") / network.dt)
            if np.any(periods > longest):
                where = f"population {population.name!r}.refractory"
                yield Problem(where, f"{periods.max():.0f} steps", f"<= {longest} steps")

    def integers(self, caps: Mapping[str, float]) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """The integers, with no scale above its cap, and the report."""
        network = self.network
        rates = self.observed.by_population(network)
        report: dict[str, Any] = {"populations": {}, "projections": {}}
        scales: dict[str, float] = {}
        targets: dict[str, Target] = {}
        populations: list[QuantizedInput | QuantizedPopulation] = []
        for population in network.populations:
            if isinstance(population.neuron, Input):
                populations.append(_input(network, population))
                continue
            name = population.name
            keep = 1.0 - current_leak(neuron_decays(network, population)[0])
            target = target_of(network, population, keep, self.options.weight_bits, rates)
            targets[name] = target
            integer, scales[name], entry = self._population(
                population, target, caps.get(name, np.inf)
            )
            populations.append(integer)
            report["populations"][name] = entry
        by_name = {p.name: p for p in populations}
        projections: list[QuantizedProjection] = []
        for projection in network.projections:
            pre, post = by_name[projection.pre], by_name[projection.post]
            scale = scales[projection.post]
            if projection.plasticity is not None:
                quantized, entry = self._plastic(
                    projection, scale / counts_of(pre), len(projections)
                )
            elif isinstance(pre, QuantizedInput) and projection.target == "bias":
                quantized, entry = held_synapses(projection, scale, pre, _neurons(post))
            else:
                option = scaling(self.options.scaling)
                target = targets[projection.post]
                quantized, entry = fixed_synapses(network, projection, scale, option, target, pre)
            projections.append(quantized)
            report["projections"][projection.name] = entry
        result = QuantizedNetwork(tuple(populations), tuple(projections), network.name, network.dt)
        result.verify()
        for population in network.compute_populations:
            entry = report["populations"][population.name]
            entry |= worst_case(result, population.name, self.input_range)
        return result, report

    def _plastic(
        self, projection: Projection, unit: float, index: int
    ) -> tuple[QuantizedProjection, dict[str, Any]]:
        """A projection that learns; those onto the same neurons share a core's profiles."""
        onto = (
            p
            for p in self.network.projections
            if p.post == projection.post and p.plasticity is not None and p.n_synapses > 0
        )
        stdp = self.options.stdp
        limit = stdp.limit(self.profile, sum(1 for _ in onto))
        plan = LearningPlan(stdp, limit, self.network.dt, self.options.weight_bits, index)
        integer, entry = plastic_synapses(projection, unit, plan)
        exact = projection.weights.data * unit
        return integer, entry | weight_error(exact, integer, projection.weights)

    def _population(
        self, population: Population, target: Target, cap: float
    ) -> tuple[QuantizedPopulation, float, dict[str, Any]]:
        """Integer neurons, their scale S, and what limited it."""
        network = self.network
        du, dv = neuron_decays(network, population)
        threshold = population.parameter("v_threshold") * DECAY_ONE / dv
        bias = population.parameter("bias")
        drive = np.abs(bias) + self.input_range * _held_weight(network, population)
        onto = [
            p for p in network.projections if p.post == population.name and p.target == "synapse"
        ]
        largest_weight = max((reach(p) for p in onto), default=0.0)
        bounds = {
            "vth": NEURON_RANGES["vth"][1] / threshold.max(),
            "bias": _BIAS_MAX / positive(drive.max()),
            "weights": _WEIGHT_MAX * 2.0 ** WEIGHT_EXP_RANGE[1] / positive(largest_weight),
            "headroom": cap,
        }
        limited_by = min(bounds, key=lambda key: bounds[key])
        scale = exact_w_max(network, population, bounds[limited_by])
        scale = scaling(self.options.scaling).scale(target, scale)
        low, high = NEURON_RANGES["bias_mant"]
        exponent = 0
        # half a unit above the largest mantissa still rounds to it
        while drive.max() * scale * STATE_UNIT / 2**exponent > high + 0.5:
            exponent += 1
        integer = QuantizedPopulation(
            population.name,
            population.size,
            du,
            dv,
            np.clip(np.rint(threshold * scale), 1, NEURON_RANGES["vth"][1]),
            np.clip(np.rint(bias * scale * STATE_UNIT / 2**exponent), low, high),
            exponent,
            np.rint(population.parameter("refractory") / network.dt),
        )
        entry = {
            "scale": scale,
            "scale_limited_by": limited_by,
            "bias_exp": exponent,
            "tau_mem_error_max": _tau_error(dv, population.parameter("tau_mem"), network.dt),
            "tau_syn_error_max": _tau_error(du + 1, population.parameter("tau_syn"), network.dt),
            "threshold_error_max": _largest(integer.parameter("vth") / (threshold * scale) - 1),
        }
        return integer, scale, entry


def neuron_decays(
    network: Network, population: Population
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """du and dv of a population, (size,) each.

    Both are kept in 0..4095, the 12 bits that chips have: a slower current than 4096 steps, or a
    potential that forgets within a fraction of a step, is as slow or fast as they allow.
    """
    du = decay_integers(population.parameter("tau_syn"), network.dt) - 1
    dv = decay_integers(population.parameter("tau_mem"), network.dt)
    top = DECAY_ONE - 1
    return np.clip(du, 0, top).astype(np.int64), np.clip(dv, 1, top).astype(np.int64)


def _neurons(population: QuantizedInput | QuantizedPopulation) -> QuantizedPopulation:
    if isinstance(population, QuantizedInput):
        raise SpecError(f"population {population.name!r} is an input; nothing projects onto it")
    return population


def _input(network: Network, population: Population) -> QuantizedInput:
    targets = {p.target for p in network.projections if p.pre == population.name}
    scale = None
    if "bias" in targets:
        scale = HELD_PAYLOAD_SCALE
    elif isinstance(population.neuron, Input) and population.neuron.graded:
        scale = GRADED_PAYLOAD_SCALE
    return QuantizedInput(population.name, population.size, scale)


def _largest(errors: NDArray[Any]) -> float:
    return float(np.abs(errors).max(initial=0.0))


def _tau_error(decay: Any, tau: Float, dt: float) -> float:
    """Largest relative error of the time constants that decays of ``decay / 4096`` stand for."""
    on_chip = dt / decay_rate(decay)
    slow = tau > 0  # without a filter there is nothing to miss
    return _largest(on_chip[slow] / tau[slow] - 1)


def _held_weight(network: Network, population: Population) -> Float:
    """Sum of the magnitudes of the held inputs' weights onto each neuron, (size,)."""
    total = np.zeros(network.n_neurons)
    for projection, _, neurons in drives(network):
        total[neurons] += np.asarray(abs(projection.weights).sum(axis=1)).ravel()
    first = network.offset(population.name)
    return total[first : first + population.size]
