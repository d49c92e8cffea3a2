"""Confirm the Lorenz-63 forecast on many seeds: every arm on the same networks and trajectories.

A seed is a new reservoir and a new trajectory, and every trajectory is forecast from several
starts. Arms: the network as it is built, pruned versions with bias homeostasis and a refitted
readout, the network without any recurrence, integers for the pruned ones, and the forecasters
without spikes. The last columns are paired over seeds: the mean difference of the RMSE to the
unpruned network with its standard error, and the ratio of recurrent synaptic operations.

    uv run python experiments/lorenz63_seeds.py --seeds 15 --first 500 --density 0.02

About ten seconds a seed on one core with the default network of 1000 neurons.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_magnitude import PruneMagnitude
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.compiler.passes.rescale import Rescale
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.metrics.forecast import ForecastScores
from hrsnn_lava.network import Network
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.native import FloatSimulator, IntegerSimulator
from hrsnn_lava.spec import Spec
from hrsnn_lava.tasks.baselines import Persistence, fit_autoregression, fit_nvar
from hrsnn_lava.tasks.esn import ESNOptions, fit_esn
from hrsnn_lava.tasks.lorenz63 import Lorenz63, Lorenz63Options
from hrsnn_lava.tasks.series import ForecastSeries, evaluate
from hrsnn_lava.training.features import Simulator
from hrsnn_lava.training.forecast import ForecastOptions, fit_and_forecast
from hrsnn_lava.training.homeostasis import bias_counter, homeostasis, spike_counts

UNPRUNED = "unpruned"


@dataclass(frozen=True)
class Row:
    """One arm on one seed; spikes and recurrent synaptic operations are per sample."""

    scores: ForecastScores
    spikes: float | None = None
    sops: float | None = None
    rate_error: float | None = None


def without_recurrence(network: Network) -> Network:
    """Return the network with every projection between neurons emptied."""
    for projection in network.projections:
        if projection.target == "synapse":
            empty = sparse.csr_matrix(projection.weights.shape, dtype=np.float64)
            network = network.with_projection(replace(projection, weights=empty, delays=None))
    return network


def with_bias(network: Network, bias: NDArray[np.float64]) -> Network:
    """Return the network with the (n_neurons,) biases put in."""
    for population in network.compute_populations:
        first = network.offset(population.name)
        part = bias[first : first + population.size]
        network = network.with_population(population.with_parameters(bias=part))
    return network


def recurrent_fan_out(network: Network) -> NDArray[np.float64]:
    """Return the recurrent synapses that a spike of each neuron reaches, (n_neurons,)."""
    fan_out = np.zeros(network.n_neurons)
    for projection in network.projections:
        if projection.target == "synapse" and not network.population(projection.pre).is_input:
            first = network.offset(projection.pre)
            columns = np.diff(projection.weights.tocsc().indptr)
            fan_out[first : first + len(columns)] += columns
    return fan_out


def run_arm(
    simulator: Simulator,
    network: Network,
    series: ForecastSeries,
    options: ForecastOptions,
    seed: int,
    rate_error: float | None = None,
) -> Row:
    """Fit a readout on a network, forecast, and count what it costs."""
    result = fit_and_forecast(simulator, series, options, generator(seed, "train"))
    rates = result.neuron_spikes_per_sample
    sops = float(rates @ recurrent_fan_out(network))
    return Row(result.scores, result.spikes_per_sample, sops, rate_error)


def arms_of_seed(
    seed: int, size: int, density: float, options: ForecastOptions, starts: int
) -> Iterator[tuple[str, Row]]:
    """Run all arms of one seed."""
    series = Lorenz63(Lorenz63Options(n_starts=starts)).series(generator(seed, "task"))
    yield "persistence", Row(evaluate(Persistence(), series))
    yield "AR(10)", Row(evaluate(fit_autoregression(series.train), series))
    yield "NVAR, 2 lags", Row(evaluate(fit_nvar(series.train), series))
    esn = fit_esn(series.train, generator(seed, "esn"), ESNOptions(size=size))
    yield f"ESN, {size} units", Row(evaluate(esn, series))

    data: dict[str, Any] = {"network": {"size": size}}
    if size < 1000:  # keep the connection probability of the default network
        data["network"]["connectivity"] = {"mean_degree": 0.1 * size}
    full = build_hrsnn(Spec.parse(data), seed=seed)
    inputs, steps = series.train[:-1], options.steps_per_sample
    simulator = FloatSimulator(full)
    target = spike_counts(simulator, inputs, steps, generator(seed, "homeostasis"))
    yield UNPRUNED, run_arm(simulator, full, series, options, seed)
    yield (
        f"{UNPRUNED}, integers",
        run_arm(IntegerSimulator(Quantize()(full)), full, series, options, seed),
    )

    share = f"{100 * density:g} %"
    none = Rescale("none")
    pruned = {
        f"random {share}": PruneRandom(density, rescale=none, seed=seed)(full),
        f"LNP {share}": PruneLyapunov(density, rescale=none, seed=seed)(full),
        f"magnitude {share}": PruneMagnitude(density, rescale=none)(full),
        "no recurrence": without_recurrence(full),
    }
    for name, network in pruned.items():
        simulator = FloatSimulator(network)
        count = bias_counter(simulator, inputs, steps, lambda: generator(seed, "homeostasis"))
        result = homeostasis(count, simulator.bias, target)
        network = with_bias(network, result.bias)
        error = result.achieved_error
        yield name, run_arm(FloatSimulator(network), network, series, options, seed, error)
        if name.startswith("LNP"):
            integers = IntegerSimulator(Quantize()(network))
            yield f"{name}, integers", run_arm(integers, network, series, options, seed, error)


def table(rows: dict[str, list[Row]]) -> str:
    """Return the text table over all seeds."""
    lines = [
        f"{'arm':<22} {'RMSE':>6} {'+- sd':>6} {'median':>7} {'one-step':>9} "
        f"{'VPT.1':>6} {'VPT.3':>6} {'VPT.5':>6} {'spikes':>7} {'SOPs':>8} "
        f"{'rate err':>8} {'d RMSE':>7} {'s.e.':>6} {'SOP ratio':>9}"
    ]
    base = rows[UNPRUNED]
    base_rmse = np.array([row.scores.mean_rmse for row in base])
    for name, column in rows.items():
        pooled = ForecastScores.pool([row.scores for row in column])
        rmse = np.array([row.scores.mean_rmse for row in column])
        spread = rmse.std(ddof=1) if len(rmse) > 1 else float("nan")
        line = (
            f"{name:<22} {rmse.mean():6.3f} {spread:6.3f} {np.median(rmse):7.3f} "
            f"{pooled.mean_one_step_nrmse:9.5f}"
        )
        line += "".join(f" {value:6.1f}" for value in pooled.vpt_steps.mean(axis=0))
        line += _number(mean_of(column, "spikes"), "8.0f") + _number(
            mean_of(column, "sops"), "9.0f"
        )
        line += _number(mean_of(column, "rate_error"), "9.3f")
        paired = rmse - base_rmse
        error = paired.std(ddof=1) / np.sqrt(len(paired)) if len(paired) > 1 else float("nan")
        line += f" {paired.mean():+7.3f} {error:6.3f}"
        sops, base_sops = mean_of(column, "sops"), mean_of(base, "sops")
        ratio = base_sops / sops if sops and base_sops else None
        lines.append(line + _number(ratio, "10.1f"))
    return "\n".join(lines)


def _number(value: float | None, form: str) -> str:
    return format("-", f">{form.split('.')[0]}") if value is None else format(value, form)


def mean_of(column: list[Row], name: str) -> float | None:
    """Return the mean of a field over seeds; None where the arm does not have it."""
    values = [getattr(row, name) for row in column if getattr(row, name) is not None]
    return float(np.mean(values)) if values else None


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=15)
    parser.add_argument("--first", type=int, default=500, help="first seed")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--density", type=float, default=0.02)
    parser.add_argument("--json", type=Path, help="write the scores of every arm and seed there")
    arguments = parser.parse_args()
    options, rows = ForecastOptions(), dict[str, list[Row]]()
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        began = time.perf_counter()
        for name, row in arms_of_seed(
            seed, arguments.size, arguments.density, options, arguments.starts
        ):
            rows.setdefault(name, []).append(row)
        print(f"seed {seed}: {time.perf_counter() - began:.1f} s", flush=True)
    print(table(rows))
    if arguments.json:
        document = {
            name: [
                {
                    "seed": arguments.first + k,
                    **row.scores.summary(),
                    "spikes_per_sample": row.spikes,
                    "recurrent_sops_per_sample": row.sops,
                    "rate_error": row.rate_error,
                }
                for k, row in enumerate(column)
            ]
            for name, column in rows.items()
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
