"""Float to integers: one scale per target population, exponents and sign modes per projection.

The potential is kept as ``v / (1 - beta)``, so that synaptic currents enter with the same weight
at every neuron and heterogeneity of tau_mem lives in dv and vth alone. With the scale S of a
population (integer weight units per 1.0 of current)::

    dv = round(4096 (1 - exp(-dt / tau_mem)))         du = round(4096 (1 - exp(-dt / tau_syn))) - 1
    W 2^weight_exp = w S                              vth = v_threshold S 4096 / dv
    bias_mant 2^bias_exp = 64 S bias

Where the potential does not decay on the chip (dv = 0), ``vth = v_threshold S / (1 - beta)``.

S is at most what keeps vth in 17 bits (14 where a spike subtracts the threshold, so that v holds 8
of them), every bias, the input's drive included, in 13 bits and an
exponent, and the largest weight in 8 bits at the largest exponent. Our choice: the worst-case
drive takes every analog channel at +-`input_range` at once. S, exponents and integer weights
within that are chosen by an option of `hrsnn_lava.compiler.quantization.scaling`. Where
the current could wrap, S is lowered as `headroom` says; see
`hrsnn_lava.compiler.quantization.headroom`.

Where one scale would cost neurons their bits, each gets a scale of its own, ``S g_i``; see
`hrsnn_lava.compiler.quantization.row_gains`. Weights of a neuron that are coarse all the same are
rounded so that its mean current stays, see `hrsnn_lava.compiler.quantization.balance`.

Of a projection that learns, `w_max` becomes the largest weight the chip holds, 255 2^weight_exp:
S is lowered, by less than a factor of 2, until that is exact for the population's largest such
projection. What else becomes of the rule:
`hrsnn_lava.compiler.learning.lowering`, which needs that scale and so is no pass of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from hrsnn_lava.compiler.analysis.headroom import worst_case
from hrsnn_lava.compiler.context import INPUT_RANGE, Context, Observed, Pass
from hrsnn_lava.compiler.learning.lowering import LowerSTDP
from hrsnn_lava.compiler.quantization.constant_error import (
    BIAS_MAX,
    Constants,
    bias_exponents,
    largest_threshold,
)
from hrsnn_lava.compiler.quantization.current_error import Chosen, NeuronErrors
from hrsnn_lava.compiler.quantization.decays import (
    charge_factors,
    neuron_decays,
    tau_errors,
    threshold_units,
)
from hrsnn_lava.compiler.quantization.findings import (
    CURRENT_ERROR,
    quantization_findings,
    time_error,
)
from hrsnn_lava.compiler.quantization.headroom import Headroom, caps_of
from hrsnn_lava.compiler.quantization.row_gains import Rows, row_scales, with_row_gains
from hrsnn_lava.compiler.quantization.scaling.base import scaling
from hrsnn_lava.compiler.quantization.synapses import (
    LearningPlan,
    counts_of,
    exact_w_max,
    fixed_synapses,
    held_synapses,
    payload_scale,
    plastic_synapses,
    positive,
    reach,
    target_of,
    weight_error,
)
from hrsnn_lava.compiler.quantization.target import Target
from hrsnn_lava.compiler.quantization.unquantizable import unquantizable
from hrsnn_lava.csr import drives, scaled_rows
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.integer_format import (
    DECAY_ONE,
    NEURON_RANGES,
    STATE_UNIT,
    STATE_WRAP,
    WEIGHT_EXP_RANGE,
    WEIGHT_MAX,
    current_leak,
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
#: Largest weight of any grid and sign mode: one of both signs ends at 254.
_WEIGHT_MAX = WEIGHT_MAX - 1.0
_MANTISSAS = NEURON_RANGES["bias_mant"]
#: Largest `input_range`: beyond it no weight is left beside a held input.
_INPUT_RANGE_MAX = 1e6


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
    input_range: Annotated[Positive, Field(le=_INPUT_RANGE_MAX)] | None = None
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
        exponent and weight error per projection, and the findings.

    Raises:
        SpecError: a parameter has no integer in range, a projection that learns has delays,
            holds its input or mixes signs, or an option needs a run; all of them are named.
    """
    work = _Quantization(network, options or Quantize(), observed or Observed(), profile)
    network.verify()
    raise_if(SpecError, "the network cannot be quantized", list(work.problems()))
    result, report = work.integers({})
    latest: dict[frozenset[tuple[str, float]], tuple[QuantizedNetwork, dict[str, Any]]] = {}

    def attempt(caps: Mapping[str, float]) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """Under caps; the latest is kept, since it is often what is taken."""
        key = frozenset(caps.items())
        if key not in latest:
            latest.clear()
            latest[key] = work.integers(caps)
        return latest[key]

    caps, headroom = caps_of(
        report,
        lambda caps: attempt(caps)[1],
        network,
        work.options.headroom,
        work.options.margin,
        work.observed.scaled(work.gains_of_neurons),
    )
    if caps:
        result, report = attempt(caps)
    for name, entry in report["populations"].items():
        entry["headroom"] = headroom[name]
    report["findings"] = tuple(quantization_findings(network, report))
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
            name = repr(self.options.scaling)
            if run.rates is None:
                yield Problem("scaling", name, "with the rates of a run", fix)
            else:
                yield Problem("scaling", f"{name}, with one rate for all", "a rate for each neuron")
        if self.options.headroom == "measured" and run.current_peak is None:
            yield Problem("headroom", "'measured'", "with the largest currents of a run", fix)
        yield from unquantizable(network)

    @cached_property
    def rates(self) -> dict[str, Float]:
        """Spikes per step by population, as far as a run told."""
        rates = self.observed.by_population(self.network)
        if self.observed.channel_rates is None:  # nothing is known of inputs, not that they rest
            rates = {n: r for n, r in rates.items() if not self.network.population(n).is_input}
        return rates

    @cached_property
    def decays(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """du and dv of every population of neurons, (size,) each."""
        populations = self.network.compute_populations
        return {p.name: neuron_decays(self.network, p) for p in populations}

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Every population of neurons with the fixed synapses onto it, gains included."""
        network = self.scaled
        return {p.name: self._target(network, p) for p in network.compute_populations}

    @cached_property
    def gains(self) -> dict[str, Float]:
        """Scales of the neurons, by population, where they do not share one: with these as gains,
        what is left for the population is a scale of 1."""
        gains = {}
        for population in self.charged.compute_populations:
            du, _ = self.decays[population.name]
            target = self._target(self.charged, population)
            constants = self._constants(self.charged, population)
            rows = Rows(target, constants, self._room(population, du, target))
            of_neurons = row_scales(rows)
            if of_neurons is not None:
                gains[population.name] = of_neurons
        return gains

    @cached_property
    def charges(self) -> dict[str, Float]:
        """Factors of weights by population, (size,), that keep the charge of a spike."""
        return {
            p.name: charge_factors(self.network, p, self.decays[p.name][0])
            for p in self.network.compute_populations
        }

    @cached_property
    def charged(self) -> Network:
        """The network with these factors on all weights that do not learn."""
        network = self.network
        for p in network.projections:
            if p.target == "synapse" and p.plasticity is None:
                weights = scaled_rows(p.weights, self.charges[p.post])
                network = network.with_projection(replace(p, weights=weights))
        return network

    @cached_property
    def scaled(self) -> Network:
        """That with the gains: the same spikes in floats."""
        return with_row_gains(self.charged, self.gains)

    @cached_property
    def gains_of_neurons(self) -> Float:
        """Gain of every neuron, (n_neurons,), 1 where the population has one scale."""
        parts = [self._gains_of(p) for p in self.network.compute_populations]
        return np.concatenate(parts)

    def _gains_of(self, population: Population) -> Float:
        return self.gains.get(population.name, np.ones(population.size))

    def _target(self, network: Network, population: Population) -> Target:
        keep = 1.0 - current_leak(self.decays[population.name][0])
        return target_of(network, population, keep, self.options.weight_bits, self.rates)

    def _drive(self, network: Network, population: Population) -> Float:
        """Largest magnitude of the bias that a neuron may need, (size,)."""
        held: Float = self.input_range * _held_weight(network, population)
        return np.abs(population.parameter("bias")) + held

    def _constants(self, network: Network, population: Population) -> Constants:
        """Thresholds and biases, with the decays of the chip."""
        return Constants(
            population.parameter("v_threshold"),
            threshold_units(network, population, self.decays[population.name][1]),
            population.parameter("bias"),
            self._drive(network, population),
            largest_threshold(population.reset),
        )

    def _room(self, population: Population, du: Any, target: Target) -> Float:
        """Largest scale of each neuron at which its current cannot wrap, (size,).

        In the run that was observed, times the margin, or whatever is sent, whichever is larger.
        """
        if self.options.headroom == "none":
            return np.full(population.size, np.inf)
        rows = [
            abs(s.weights).sum(axis=1) * (s.counts * self.input_range if s.counts > 1 else 1.0)
            for s in target.synapses
        ]
        largest = sum((np.asarray(total).ravel() for total in rows), np.zeros(population.size))
        worst = largest / np.maximum(current_leak(du), 0.5 / DECAY_ONE)
        if self.observed.current_peak is not None and self.options.headroom != "worst_case":
            first = self.network.offset(population.name)
            peak = self.observed.current_peak[first : first + population.size]
            worst = np.minimum(worst, self.options.margin * np.abs(peak))
        room = np.full(population.size, np.inf)
        np.divide(0.99 * STATE_WRAP / STATE_UNIT, worst, out=room, where=worst > 0)
        return room

    def integers(self, caps: Mapping[str, float]) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """The integers, with no scale above its cap, and the report."""
        network = self.scaled
        report: dict[str, Any] = {"populations": {}, "projections": {}}
        scales: dict[str, float] = {}
        populations: list[QuantizedInput | QuantizedPopulation] = []
        for population in network.populations:
            if isinstance(population.neuron, Input):
                sent = payload_scale(network, population.name)
                populations.append(QuantizedInput(population.name, population.size, sent))
                continue
            name = population.name
            integer, scales[name], entry = self._population(population, caps.get(name, np.inf))
            populations.append(integer)
            report["populations"][name] = entry
        by_name = {p.name: p for p in populations}
        projections: list[QuantizedProjection] = []
        chosen: dict[str, list[Chosen]] = {name: [] for name in scales}
        for projection in network.projections:
            pre, post = by_name[projection.pre], _neurons(by_name[projection.post])
            scale, target = scales[projection.post], self.targets[projection.post]
            unit = scale * self._gains_of(self.network.population(projection.post)) / counts_of(pre)
            if projection.plasticity is not None:
                quantized, entry = self._plastic(
                    projection, scale / counts_of(pre), len(projections)
                )
            elif isinstance(pre, QuantizedInput) and projection.target == "bias":
                quantized, entry = held_synapses(projection, scale, pre, post)
                unit *= STATE_UNIT / 2.0 ** post.parameter("bias_exp")
            else:
                option = scaling(self.options.scaling)
                quantized, entry, chosen_integers = fixed_synapses(
                    network, projection, scale, option, target, pre
                )
                chosen[projection.post].append(chosen_integers)
                unit *= self.charges[projection.post]
            projections.append(quantized)
            exact = self.network.projection(projection.name).weights
            rates = self.rates.get(projection.pre)
            entry |= weight_error(exact, quantized, unit, rates, counts_of(pre))
            report["projections"][projection.name] = entry
        result = QuantizedNetwork(tuple(populations), tuple(projections), network.name, network.dt)
        result.verify()
        for population in network.compute_populations:
            name, entry = population.name, report["populations"][population.name]
            entry |= worst_case(result, name, self.input_range)
            entry |= _current_errors(self.targets[name], scales[name], chosen[name])
            vth = _neurons(by_name[name]).parameter("vth")[entry["current_error_neuron"]]
            entry["current_error_vth"] = int(vth)
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
        return plastic_synapses(projection, unit, plan)

    def _population(
        self, population: Population, cap: float
    ) -> tuple[QuantizedPopulation, float, dict[str, Any]]:
        """Integer neurons, their scale S, and what limited it."""
        network = self.scaled
        du, dv = self.decays[population.name]
        constants = self._constants(network, population)
        threshold, bias, drive = constants.vth_unit, constants.bias, constants.drive
        onto = [
            p for p in network.projections if p.post == population.name and p.target == "synapse"
        ]
        largest_weight = max((reach(p) for p in onto), default=0.0)
        bounds = {
            "vth": constants.vth_max / threshold.max(),
            "bias": BIAS_MAX / positive(drive.max()),
            "weights": _WEIGHT_MAX * 2.0 ** WEIGHT_EXP_RANGE[1] / positive(largest_weight),
            "headroom": cap,
            "neuron": 1.0 if population.name in self.gains else np.inf,
        }
        limited_by = min(bounds, key=lambda key: bounds[key])
        scale = exact_w_max(network, population, bounds[limited_by])
        scale = scaling(self.options.scaling).scale(self.targets[population.name], scale)
        exponents = bias_exponents(drive * scale * STATE_UNIT)
        if population.name not in self.gains:
            exponents[:] = exponents.max(initial=0)
        integer = QuantizedPopulation(
            population.name,
            population.size,
            du,
            dv,
            np.clip(np.rint(threshold * scale), 1, NEURON_RANGES["vth"][1]),
            np.clip(np.rint(bias * scale * STATE_UNIT / 2.0**exponents), *_MANTISSAS),
            exponents,
            np.rint(population.parameter("refractory") / network.dt),
            population.reset,
        )
        scales = scale * self._gains_of(population)
        entry = {
            "scale": float(scales.min()),
            "scale_max": float(scales.max()),
            "scale_of": "neuron" if population.name in self.gains else "population",
            "scale_limited_by": limited_by,
            "scale_neuron": int(np.argmax(threshold)),
            "bias_exp": int(exponents.max()),
            "largest_bias": float(drive.max()),
            "largest_bias_neuron": int(np.argmax(drive)),
            **tau_errors("tau_mem", dv, population, network.dt),
            **tau_errors("tau_syn", du + 1, population, network.dt),
            "refractory_error_max": time_error(population.parameter("refractory"), network.dt),
            "threshold_error_max": _largest(integer.parameter("vth") / (threshold * scale) - 1),
            **_rate_errors(constants, integer, scale),
        }
        return integer, scale, entry


def _neurons(population: QuantizedInput | QuantizedPopulation) -> QuantizedPopulation:
    if isinstance(population, QuantizedInput):
        raise SpecError(f"population {population.name!r} is an input; nothing projects onto it")
    return population


def _largest(errors: NDArray[Any]) -> float:
    return float(np.abs(errors).max(initial=0.0))


def _rate_errors(
    constants: Constants, integer: QuantizedPopulation, scale: float
) -> dict[str, Any]:
    """Expected errors of rates by rounding thresholds and biases: the largest, where, how many."""
    vth, mantissas, exponents = (integer.parameter(f) for f in ("vth", "bias_mant", "bias_exp"))
    errors = constants.errors(scale, vth, mantissas, exponents)
    return {
        "rate_error_max": float(errors.max()),
        "rate_error_neuron": int(np.argmax(errors)),
        "rate_errors": int(np.count_nonzero(errors > CURRENT_ERROR)),
    }


def _current_errors(target: Target, scale: float, chosen: list[Chosen]) -> dict[str, Any]:
    """Expected errors of the currents by fixed synapses: the largest, where, how many."""
    errors = NeuronErrors.of(target, scale, chosen).size
    return {
        "current_error_max": float(errors.max()),
        "current_error_neuron": int(np.argmax(errors)),
        "current_errors": int(np.count_nonzero(errors > CURRENT_ERROR)),
    }


def _held_weight(network: Network, population: Population) -> Float:
    """Sum of the magnitudes of the held inputs' weights onto each neuron, (size,)."""
    total = np.zeros(network.n_neurons)
    for projection, _, neurons in drives(network):
        total[neurons] += np.asarray(abs(projection.weights).sum(axis=1)).ravel()
    first = network.offset(population.name)
    return total[first : first + population.size]
