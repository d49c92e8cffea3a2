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
from hrsnn_lava.experiment.compilation import Pruning, prune
from hrsnn_lava.experiment.scoring import (
    Arm,
    Row,
    score_network,
    training_counts,
    with_homeostasis,
)
from hrsnn_lava.hrsnn import build_hrsnn
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


def arms_of_seed(spec: Spec, seed: int) -> Iterator[Row]:
    """Rows of all arms of one seed."""
    trial = spec.task.trial(seed)
    for name, outcome in trial.baselines(spec.network.size).items():
        yield Arm(name, outcome()).row()

    def score(name: str, network: Any, rate_error: float | None = None) -> Row:
        return score_network(name, network, trial, seed, rate_error).row()

    full = build_hrsnn(spec, seed=seed)
    target = training_counts(full, trial, seed)
    yield score(UNPRUNED, full)
    yield score(f"{UNPRUNED}, integers", Quantize()(full))
    for method in ("random", "lyapunov", "magnitude", "no-recurrence"):
        pruning = Pruning(method, "none", spec.prune.budget)
        network: Network = prune(
            full, pruning, spec.prune, target / trial.lesson.n_steps, seed
        ).network
        passes = spec.prune.homeostasis_passes
        restored, error = with_homeostasis(network, target, trial, passes, seed)
        yield score(pruning.label, restored, error)
        if method == "lyapunov":
            yield score(f"{pruning.label}, integers", Quantize()(restored), error)


def table(rows: dict[str, list[Row]]) -> str:
    """Return the text table over all seeds; "all med" is the median over all forecasts."""
    lines = [
        f"{'arm':<30} {'RMSE':>6} {'+- sd':>6} {'all med':>7} {'one-step':>9} "
        f"{'VPT.1':>6} {'VPT.3':>6} {'VPT.5':>6} {'spikes':>7} {'SOPs':>8} "
        f"{'rate err':>8} {'d RMSE':>7} {'s.e.':>6} {'SOP ratio':>9}"
    ]
    base = rows[UNPRUNED]
    base_rmse = np.array([row["rmse_mean"] for row in base])
    for name, column in rows.items():
        rmse = np.array([row["rmse_mean"] for row in column])
        pooled = np.concatenate([row["rmse"] for row in column])
        line = (
            f"{name:<30} {rmse.mean():6.3f} {_spread(rmse):6.3f} {np.median(pooled):7.3f} "
            f"{mean_of(column, 'one_step_nrmse_mean') or np.nan:9.5f}"
        )
        for threshold in (0.1, 0.3, 0.5):
            line += _number(mean_of(column, f"vpt_{threshold}_steps_mean"), "7.1f")
        sops, base_sops = (mean_of(c, "recurrent_sops_per_sample") for c in (column, base))
        line += _number(mean_of(column, "spikes_per_sample"), "8.0f") + _number(sops, "9.0f")
        line += _number(mean_of(column, "rate_error"), "9.3f")
        paired = rmse - base_rmse
        line += f" {paired.mean():+7.3f} {_spread(paired) / np.sqrt(len(paired)):6.3f}"
        ratio = base_sops / sops if sops and base_sops else None
        lines.append(line + _number(ratio, "10.1f"))
    return "\n".join(lines)


def _spread(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _number(value: float | None, form: str) -> str:
    return format("-", f">{form.split('.')[0]}") if value is None else format(value, form)


def mean_of(column: list[Row], name: str) -> float | None:
    """Return the mean of a figure over seeds; None where the arm does not have it."""
    values = [row[name] for row in column if row[name] is not None]
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
    rows = dict[str, list[Row]]()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    for seed in seeds:
        began = time.perf_counter()
        for row in arms_of_seed(spec, seed):
            rows.setdefault(row["name"], []).append(row)
        print(f"seed {seed}: {time.perf_counter() - began:.1f} s", flush=True)
    print(table(rows))
    if arguments.json:
        document = {
            name: [{"seed": seed, **row} for seed, row in zip(seeds, column, strict=True)]
            for name, column in rows.items()
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
