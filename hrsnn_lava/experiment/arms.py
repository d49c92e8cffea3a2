"""The arms of an experiment: the same task on the network unpruned, pruned, controls, integers.

Every pruned arm gets what the unpruned one has: bias homeostasis to the unpruned spike counts
and a readout of its own. Only so does a table compare the pruning, not the aftercare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pipeline import AnyPass
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.metrics.forecast import ForecastScores
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.plasticity import PlasticSimulator
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.spec import PruneSpec, Spec, StdpSpec, TaskSpec
from hrsnn_lava.tasks.baselines import Persistence, fit_autoregression, fit_nvar
from hrsnn_lava.tasks.esn import ESNOptions, fit_esn
from hrsnn_lava.tasks.lorenz63 import Lorenz63, Lorenz63Options
from hrsnn_lava.tasks.series import ForecastSeries, evaluate
from hrsnn_lava.training.features import FeatureOptions
from hrsnn_lava.training.forecast import ForecastOptions, ForecastResult, fit_and_forecast
from hrsnn_lava.training.homeostasis import (
    HomeostasisOptions,
    bias_counter,
    homeostasis,
    spike_counts,
)
from hrsnn_lava.training.readout import ReadoutOptions
from hrsnn_lava.training.stdp import STDPOptions, train_stdp

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Arm:
    """One line of the comparison; spikes and recurrent operations are per sample.

    Attributes:
        name: shown in the table.
        scores: of the forecast.
        neurons, synapses: recurrent network of the arm; None for a baseline without spikes.
        spikes, sops: mean per sample over the training runs.
        rate_error: sum |count - target| / sum target after homeostasis; None where none was done.
        validation: smallest closed-loop validation loss inside the training samples.
    """

    name: str
    scores: ForecastScores
    neurons: int | None = None
    synapses: int | None = None
    spikes: float | None = None
    sops: float | None = None
    rate_error: float | None = None
    validation: float | None = None

    def row(self) -> dict[str, Any]:
        """Plain values for a table and the journal."""
        row = {"name": self.name, **self.scores.summary()}
        row |= {"neurons": self.neurons, "synapses": self.synapses}
        row |= {"spikes_per_sample": self.spikes, "recurrent_sops_per_sample": self.sops}
        row |= {"rate_error": self.rate_error, "validation": self.validation}
        return row


def task_series(task: TaskSpec, seed: int) -> ForecastSeries:
    """The trajectory of a seed, cut into training samples and windows."""
    options = Lorenz63Options(
        dt=task.dt, n_train=task.train, horizon=task.horizon, n_starts=task.starts
    )
    return Lorenz63(options).series(generator(seed, "task"))


def forecast_options(task: TaskSpec) -> ForecastOptions:
    """The protocol of a spec."""
    return ForecastOptions(
        steps_per_sample=task.steps_per_sample,
        washout=task.washout,
        replays=task.replays,
        features=FeatureOptions(tuple(task.trace_samples)),
        readout=ReadoutOptions(products=task.readout == "quadratic"),
    )


def without_recurrence(network: Network) -> Network:
    """`network` with every projection between neurons emptied."""
    for projection in network.projections:
        recurrent = not network.population(projection.pre).is_input
        if projection.target == "synapse" and recurrent:
            empty = sparse.csr_matrix(projection.weights.shape, dtype=np.float64)
            network = network.with_projection(
                replace(projection, weights=empty, delays=None, plasticity=None)
            )
    return network


def recurrent_fan_out(network: Network | QuantizedNetwork) -> Float:
    """Recurrent synapses that a spike of each neuron reaches, (n_neurons,)."""
    fan_out = np.zeros(network.n_neurons)
    for projection in network.projections:
        if projection.target == "synapse" and not network.population(projection.pre).is_input:
            first = network.offset(projection.pre)
            columns = np.bincount(projection.weights.indices, minlength=projection.weights.shape[1])
            fan_out[first : first + columns.size] += columns
    return fan_out


def recurrent_synapses(network: Network | QuantizedNetwork) -> int:
    """Number of synapses between neurons."""
    return int(recurrent_fan_out(network).sum())


class _Learning(PlasticSimulator):
    """A float network that learns, and that starts every run with the weights it was given: so
    does the program on the chip."""

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Return to rest, and to the first weights."""
        super().reset(rng)
        self.forget()


def simulator_of(network: Network | QuantizedNetwork) -> Any:
    """What runs a network: in float or integers, learning where it has rules."""
    if not isinstance(network, Network):
        return IntegerSimulator(network)
    learns = any(p.plasticity is not None for p in network.projections)
    return _Learning(network) if learns else FloatSimulator(network)


@dataclass(frozen=True, eq=False)
class TrainSTDP(Pass[Network, Network]):
    """Float STDP over the training inputs, `train_passes` times; a pass of the pipeline.

    The rules stay on the network where it is to learn on the chip too. Our choice: the passes
    follow each other without a reset, and the potentials start at random.
    """

    table: StdpSpec
    series: ForecastSeries
    steps_per_sample: int
    seed: int
    name: ClassVar[str] = "train_stdp"

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The trained network, and rate, gain and weights at their bounds by projection."""
        del context
        inputs = np.tile(self.series.train[:-1], (self.table.train_passes, 1))
        options = STDPOptions(steps_per_sample=self.steps_per_sample, freeze=not self.table.on_chip)
        done = train_stdp(network, inputs, options, generator(self.seed, "train_stdp"))
        shares = {key: dict(getattr(done, key)) for key in ("gain", "at_floor", "at_ceiling")}
        return done.network, {"rate": done.rate, **shares}


def spiking_arm(
    name: str,
    network: Network | QuantizedNetwork,
    series: ForecastSeries,
    options: ForecastOptions,
    seed: int,
    rate_error: float | None = None,
) -> tuple[Arm, ForecastResult]:
    """Fit a readout on a network, float or integer, and forecast."""
    simulator = simulator_of(network)
    result = fit_and_forecast(simulator, series, options, generator(seed, "train"))
    losses = result.trained.validation_losses
    arm = Arm(
        name,
        result.scores,
        network.n_neurons,
        recurrent_synapses(network),
        result.spikes_per_sample,
        float(result.neuron_spikes_per_sample @ recurrent_fan_out(network)),
        rate_error,
        min(losses.values()) if losses else None,
    )
    return arm, result


def training_counts(
    network: Network, series: ForecastSeries, options: ForecastOptions, seed: int
) -> NDArray[np.int64]:
    """Spikes of every neuron over the training inputs, (n_neurons,): what homeostasis aims at."""
    inputs = series.train[:-1]
    rng = generator(seed, "homeostasis")
    return spike_counts(simulator_of(network), inputs, options.steps_per_sample, rng)


def with_homeostasis(
    network: Network,
    target: NDArray[np.int64],
    series: ForecastSeries,
    options: ForecastOptions,
    prune: PruneSpec,
    seed: int,
) -> tuple[Network, float]:
    """`network` with its biases moved until the counts meet `target`, and the error left."""
    simulator = simulator_of(network)
    count = bias_counter(
        simulator,
        series.train[:-1],
        options.steps_per_sample,
        lambda: generator(seed, "homeostasis"),
    )
    passes = prune.homeostasis_passes if prune.homeostasis else 0
    result = homeostasis(count, simulator.bias, target, HomeostasisOptions(passes=passes))
    return network.with_biases(result.bias), result.achieved_error


def pruning_pass(
    prune: PruneSpec, method: str, rescale: str | Rescale, density: float | None = None
) -> AnyPass:
    """The pass of a method; one that samples no synapses has no inverse of a probability."""
    mode = rescale if isinstance(rescale, str) else rescale.mode
    if mode == "inverse" and method in ("magnitude", "activity"):
        rescale = "none"
    return prune.step(method, rescale, density)


def pruning_curve(prune: PruneSpec) -> Iterator[tuple[str, float]]:
    """(method, density) of every point of the pruning curve that the comparison does not have."""
    methods = dict.fromkeys((prune.method, *prune.controls))
    for density in sorted(set(prune.curve) - {prune.density}):
        yield from ((m, density) for m in methods if m not in ("none", "no-recurrence"))


def baselines(series: ForecastSeries, size: int, seed: int) -> dict[str, Any]:
    """Forecasters without spikes, by name: a table without them would mislead."""
    return {
        "persistence": lambda: Persistence(),
        "AR(10)": lambda: fit_autoregression(series.train),
        "NVAR, 2 lags, quadratic": lambda: fit_nvar(series.train),
        f"echo-state network, {size} units": lambda: fit_esn(
            series.train, generator(seed, "esn"), ESNOptions(size=size)
        ),
    }


def baseline_arm(name: str, forecaster: Any, series: ForecastSeries) -> Arm:
    """Score one of `baselines`."""
    return Arm(name, evaluate(forecaster, series))


def arm_name(method: str, density: float) -> str:
    """What an arm is called in tables."""
    if method in ("no-recurrence", "none"):
        return {"no-recurrence": "no recurrence", "none": "not pruned"}[method]
    label = {"lyapunov": "LNP"}.get(method, method)
    return f"{label} {100 * density:g} %"


def accuracy(rows: list[dict[str, Any]], spec: Spec) -> dict[str, Any]:
    """The scores of the arms that a report compares at a glance."""
    by_name = {row["name"]: row for row in rows}
    name = arm_name(spec.prune.method, spec.prune.density)
    pruned = next((row for row in rows if row["name"].startswith(name)), rows[0])
    integers = by_name.get(f"{name}, integers", pruned)
    full = by_name["unpruned"]
    return {
        "task": spec.task.kind,
        "rmse_unpruned": full["rmse_mean"],
        "rmse_pruned_float": pruned["rmse_mean"],
        "rmse_pruned_integer": integers["rmse_mean"],
        "rmse_ratio_pruned": pruned["rmse_mean"] / full["rmse_mean"],
        "rmse_ratio_integer": integers["rmse_mean"] / pruned["rmse_mean"],
    }
