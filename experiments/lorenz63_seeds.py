"""Confirm the Lorenz-63 forecast on many seeds: every arm on the same networks and trajectories.

A seed is a new reservoir and a new trajectory, and every trajectory is forecast from several
starts. Arms: the network as it is built, pruned versions with bias homeostasis and a refitted
readout, the network without any recurrence, integers, and the forecasters without spikes. The last
columns are paired over seeds: the mean difference of the RMSE to the unpruned network with its
standard error, and the ratio of recurrent synaptic operations.

    uv run python experiments/lorenz63_seeds.py --seeds 15 --first 500 --density 0.02

About fifteen seconds a seed on one core with the default network of 1000 neurons.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.experiment import arms
from hrsnn_lava.experiment.arms import Arm
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.metrics.forecast import ForecastScores
from hrsnn_lava.network import Network
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.homeostasis import HomeostasisOptions

UNPRUNED = "unpruned"


def spec_of(size: int, density: float, starts: int) -> Spec:
    """Return the default spec at another size, density and number of starts."""
    network: dict[str, Any] = {"size": size}
    if size < 1000:  # keep the connection probability of the default network
        network["connectivity"] = {"mean_degree": 0.1 * size}
    passes = HomeostasisOptions().passes
    prune = {"density": density, "rescale": "none", "homeostasis_passes": passes}
    return Spec.parse({"network": network, "task": {"starts": starts}, "prune": prune})


def arms_of_seed(spec: Spec, seed: int) -> Iterator[Arm]:
    """Run all arms of one seed."""
    series, options = arms.task_series(spec.task, seed), arms.forecast_options(spec.task)
    for name, make in arms.baselines(series, spec.network.size, seed).items():
        yield arms.baseline_arm(name, make(), series)

    def score(name: str, network: Any, rate_error: float | None = None) -> Arm:
        return arms.spiking_arm(name, network, series, options, seed, rate_error)[0]

    full = build_hrsnn(spec, seed=seed)
    target = arms.training_counts(full, series, options, seed)
    yield score(UNPRUNED, full)
    yield score(f"{UNPRUNED}, integers", Quantize()(full))
    for name, network in pruned_networks(full, spec, seed):
        restored, error = arms.with_homeostasis(network, target, series, options, spec.prune, seed)
        yield score(name, restored, error)
        if name.startswith("LNP"):
            yield score(f"{name}, integers", Quantize()(restored), error)


def pruned_networks(full: Network, spec: Spec, seed: int) -> Iterator[tuple[str, Network]]:
    """Prune by every method to the same density; last, take all recurrence away."""
    share = f"{100 * spec.prune.density:g} %"
    for method, label in (("random", "random"), ("lyapunov", "LNP"), ("magnitude", "magnitude")):
        yield f"{label} {share}", arms.pruning_pass(spec.prune, method, "none", seed)(full)
    yield "no recurrence", arms.without_recurrence(full)


def table(rows: dict[str, list[Arm]]) -> str:
    """Return the text table over all seeds; "all med" is the median over all forecasts."""
    lines = [
        f"{'arm':<30} {'RMSE':>6} {'+- sd':>6} {'all med':>7} {'one-step':>9} "
        f"{'VPT.1':>6} {'VPT.3':>6} {'VPT.5':>6} {'spikes':>7} {'SOPs':>8} "
        f"{'rate err':>8} {'d RMSE':>7} {'s.e.':>6} {'SOP ratio':>9}"
    ]
    base = rows[UNPRUNED]
    base_rmse = np.array([row.scores.mean_rmse for row in base])
    for name, column in rows.items():
        pooled = ForecastScores.pool([row.scores for row in column])
        rmse = np.array([row.scores.mean_rmse for row in column])
        line = (
            f"{name:<30} {rmse.mean():6.3f} {_spread(rmse):6.3f} {np.median(pooled.rmse):7.3f} "
            f"{pooled.mean_one_step_nrmse:9.5f}"
        )
        line += "".join(f" {value:6.1f}" for value in pooled.vpt_steps.mean(axis=0))
        line += _number(mean_of(column, "spikes"), "8.0f") + _number(
            mean_of(column, "sops"), "9.0f"
        )
        line += _number(mean_of(column, "rate_error"), "9.3f")
        paired = rmse - base_rmse
        line += f" {paired.mean():+7.3f} {_spread(paired) / np.sqrt(len(paired)):6.3f}"
        sops, base_sops = mean_of(column, "sops"), mean_of(base, "sops")
        ratio = base_sops / sops if sops and base_sops else None
        lines.append(line + _number(ratio, "10.1f"))
    return "\n".join(lines)


def _spread(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _number(value: float | None, form: str) -> str:
    return format("-", f">{form.split('.')[0]}") if value is None else format(value, form)


def mean_of(column: list[Arm], name: str) -> float | None:
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
    spec = spec_of(arguments.size, arguments.density, arguments.starts)
    rows = dict[str, list[Arm]]()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    for seed in seeds:
        began = time.perf_counter()
        for arm in arms_of_seed(spec, seed):
            rows.setdefault(arm.name, []).append(arm)
        print(f"seed {seed}: {time.perf_counter() - began:.1f} s", flush=True)
    print(table(rows))
    if arguments.json:
        document = {
            name: [{"seed": seed, **arm.row()} for seed, arm in zip(seeds, column, strict=True)]
            for name, column in rows.items()
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
