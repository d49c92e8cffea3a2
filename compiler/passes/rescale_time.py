"""Move the membrane time constants to the edge of stability: step IV of Lyapunov Noise Pruning."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    ParticipationOptions,
    participation_exponents,
)
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.searcher import Box, Found
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.network import Network
from hrsnn_lava.options import (
    Count,
    NonNegative,
    Number,
    Positive,
    Registered,
    Seed,
    options,
)
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]


@options
class RescaleTime(Pass[Network, Network]):
    r"""Search distributions of tau_mem by what they do to the Lyapunov spectrum.

    .. math:: \max_{m, s} \; -(\tau\lambda_1 - \lambda^*)^2
              - \alpha \overline{\max(\tau\lambda_k, 0)}, \qquad
              \ln\tau_i' = \mu + m + s (\ln\tau_i - \mu)

    with lambda_k the leading exponents of the driven network, tau the geometric mean of the time
    constants as they were, and m and s a number each for the excitatory, the inhibitory and all
    other neurons; mu is the mean of ln tau_i over those. The papers optimise the distributions of
    tau by a criterion on the Lyapunov spectrum that they do not state: objective, parameters and
    bounds are ours. Neurons keep their order, every point is tried with the same noise, and the
    distributions as they are are one of the points, so the objective never falls.

    Attributes:
        evaluations: points that are tried, at most.
        target: lambda*, of the largest exponent, in 1 / tau: 0 is the edge of stability.
        penalty: alpha, of positive exponents.
        shift: largest factor by which a geometric mean moves, either way.
        stretch: largest factor by which a spread of ln tau changes, either way.
        tau_min, tau_max: bounds of every time constant, in seconds.
        search: what proposes the points.
        spectrum: how the network is run and linearised; 8 exponents where it does not say.
        seed: of the random stream ``rescale_time``; by default that of the compilation.
    """

    name: ClassVar[str] = "rescale_time"

    evaluations: Count = 30
    target: Number = 0.0
    penalty: NonNegative = 1.0
    shift: Annotated[float, Field(ge=1)] = 2.0
    stretch: Annotated[float, Field(ge=1)] = 2.0
    tau_min: Positive = 1e-3
    tau_max: Positive = 0.5
    search: Annotated[str, Registered("searcher")] = "quasi_random"
    spectrum: ParticipationOptions = field(
        default_factory=lambda: ParticipationOptions(n_exponents=8)
    )
    seed: Seed | None = None

    def __post_init__(self) -> None:
        if self.tau_min > self.tau_max:
            problem = Problem("tau_min", f"{self.tau_min:g}", f"<= tau_max, {self.tau_max:g}")
            raise SpecError(f"options of {self.name}", problems=[problem])

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The network with the best time constants, and the report of the search."""
        return rescale_time(network, self, self.seed or 0, context)


def rescale_time(
    network: Network, options: RescaleTime, seed: int, context: Context | None = None
) -> tuple[Network, dict[str, Any]]:
    """Try distributions of time constants, and keep the best.

    Args:
        network: float.
        options: objective, bounds and search.
        seed: of the points, and of the noise, which is the same for all of them.
        context: told of every point.
    """
    progress = (context or Context()).progress
    groups = _types(network)
    tau = network.gather("tau_mem")
    unit = float(np.exp(np.log(tau).mean())) if tau.size else 1.0
    largest: list[float] = []

    def objective(point: Float) -> float:
        tried = len(largest)
        progress(f"time constants: point {tried + 1}", tried / options.evaluations)
        candidate = _moved(network, groups, point, options)
        value, exponents = _objective(candidate, options, unit, seed)
        largest.append(float(exponents.max()))
        return value

    bounds = np.log([options.shift, options.stretch])
    high = np.tile(bounds, len(groups))
    box = Box(-high, high, np.zeros(high.size))
    searcher = registry.load("searcher", options.search)()
    with registry.guarded("searcher", options.search):
        rng = generator(seed, "rescale_time/points")
        found: Found = searcher.maximise(objective, box, options.evaluations, rng)
    moved = _moved(network, groups, found.best, options)
    best = int(np.argmax(found.values))
    report: dict[str, Any] = {
        "unit_s": unit,
        "evaluations": len(found.values),
        "objective_before": float(found.values[0]),
        "objective_after": float(found.values[best]),
        "largest_before": largest[0],
        "largest_after": largest[best],
        "types": {
            name: {
                "geometric_mean_before_s": float(np.exp(np.log(tau[who]).mean())),
                "geometric_mean_after_s": float(
                    np.exp(np.log(moved.gather("tau_mem")[who]).mean())
                ),
                "shift": float(np.exp(found.best[2 * k])),
                "stretch": float(np.exp(found.best[2 * k + 1])),
            }
            for k, (name, who) in enumerate(groups.items())
        },
    }
    return moved.verify(), report


def _types(network: Network) -> dict[str, NDArray[np.int64]]:
    """Neurons by the sign of their synapses, those types alone that there are."""
    found: dict[str, list[Any]] = {}
    for population in network.compute_populations:
        first = network.offset(population.name)
        name = population.sign or "unsigned"
        found.setdefault(name, []).append(np.arange(first, first + population.size))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _moved(
    network: Network, groups: dict[str, NDArray[np.int64]], point: Float, options: RescaleTime
) -> Network:
    """The network with its time constants shifted and stretched in their logarithm."""
    if not point.any():
        return network
    log_tau = np.log(network.gather("tau_mem"))
    for k, who in enumerate(groups.values()):
        shift, stretch = point[2 * k], np.exp(point[2 * k + 1])
        mean = log_tau[who].mean()
        log_tau[who] = mean + shift + stretch * (log_tau[who] - mean)
    # bounds hold for what moves: a time constant outside of them may stay where it is
    was = network.gather("tau_mem")
    low, high = np.minimum(options.tau_min, was), np.maximum(options.tau_max, was)
    tau = np.clip(np.exp(log_tau), low, high)
    populations = []
    for population in network.populations:
        if not population.is_input:
            first = network.offset(population.name)
            population = population.with_parameters(tau_mem=tau[first : first + population.size])
        populations.append(population)
    return replace(network, populations=tuple(populations))


def _objective(
    network: Network, options: RescaleTime, unit: float, seed: int
) -> tuple[float, Float]:
    """J, higher is better, and the exponents in 1/s."""
    run = options.spectrum
    most = 2 * network.n_neurons
    if run.n_exponents is not None and run.n_exponents > most:
        run = replace(run, n_exponents=most)
    rng = generator(seed, "rescale_time/noise")
    exponents = participation_exponents(network, run, rng).spectrum.exponents
    scaled = unit * exponents
    largest = float(scaled.max(initial=-np.inf))
    value = -((largest - options.target) ** 2)
    value -= options.penalty * float(np.maximum(scaled, 0.0).mean())
    return value, exponents
