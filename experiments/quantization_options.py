"""Compare the ways to make weights integers: options, bits, sizes, on the same HRSNNs.

A seed is a new network and a new Lorenz-63 trajectory. Every network is quantized with every option
and number of bits; rates for ``activity`` come from training samples, spikes are compared on
others. Columns, means over seeds: spikes of the integers over those of the float network; error of
the spike counts (sum of differences over neurons, relative); van Rossum and Victor-Purpura distance
of the spike trains within half a sample, as shares of the distance to silence; and the error of the
integers over that of the float network, both with a readout of their own, in forecasts of one
sample and in closed loop: geometric means with their standard error in logarithms.

    uv run python experiments/quantization_options.py --sizes 200 1000 --seeds 5

A network of 1000 takes about ten seconds per line on one core, most of it the forecast; `--no-task`
leaves that out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.experiment.scoring import score_network
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.difference import compare_float_fixed
from hrsnn_lava.training.simulation import observe

OPTIONS = ("max", "percentile:99", "mse", "activity")
KEYS = ("rate_ratio", "count_error", "van_rossum", "victor_purpura")
#: Samples that rates are taken from, and samples after them on which spikes are compared.
RUN, COMPARED = 300, 100


def spec_of(size: int, starts: int) -> Spec:
    """The default spec at another size, with the same connection probability."""
    network: dict[str, Any] = {"size": size}
    if size < 1000:
        network["connectivity"] = {"mean_degree": 0.1 * size}
    return Spec.parse({"network": network, "task": {"starts": starts}})


def rows_of_seed(
    spec: Spec, seed: int, bits: list[int], options: list[str], task: bool
) -> Iterator[dict[str, Any]]:
    """One row per number of bits and option."""
    trial = spec.task.trial(seed)
    network, per_sample = build_hrsnn(spec, seed=seed), trial.steps_per_sample
    values = trial.stimulus.inputs
    seen = observe(network, values[:RUN], per_sample)
    base = None
    if task:
        base = score_network("float", network, trial, seed).outcome.scores
    for count in bits:
        for option in options:
            step = Quantize(count, scaling=option)
            began = time.perf_counter()
            integer, report = quantize(network, step, seen)
            row: dict[str, Any] = {"size": spec.network.size, "bits": count, "option": option}
            row |= {"seed": seed, "seconds": time.perf_counter() - began}
            synaptic = [e for e in report["projections"].values() if "sign_mode" in e]
            row["weight_error"] = float(np.mean([e["rms_error"] for e in synaptic]))
            samples = values[RUN : RUN + COMPARED]
            found = compare_float_fixed(network, integer, samples, steps_per_sample=per_sample)
            row |= {k: v for k, v in {**found, **found["spike_distance"]}.items() if k in KEYS}
            if base is not None:
                scores = score_network("integers", integer, trial, seed).outcome.scores
                for key, name in (("rmse", "rmse_mean"), ("one_step", "one_step_nrmse_mean")):
                    row[f"{key}_ratio"] = scores[name].value / base[name].value
            yield row


def table(rows: list[dict[str, Any]]) -> str:
    """Means over seeds as a Markdown table."""
    lines = [
        "| neurons | bits | option | weight error | spikes | count error | van Rossum "
        "| Victor-Purpura | one sample | closed loop |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["size"], row["bits"], row["option"]), []).append(row)
    for (size, bits, option), group in groups.items():
        cells = [str(size), str(bits), f"`{option}`"]
        for key in ("weight_error", *KEYS):
            cells.append(f"{100 * np.mean([row[key] for row in group]):.1f} %")
        for key in ("one_step_ratio", "rmse_ratio"):
            cells.append(_ratio([row[key] for row in group if key in row]))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratio(values: list[float]) -> str:
    if not values:
        return "-"
    logs = np.log(values)
    error = logs.std(ddof=1) / np.sqrt(len(logs)) if len(logs) > 1 else float("nan")
    return f"x {np.exp(logs.mean()):.2f} +- {error:.2f}"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 6, 4, 3, 2])
    parser.add_argument("--options", nargs="+", default=list(OPTIONS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=900, help="first seed")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--no-task", action="store_true", help="no forecasts")
    parser.add_argument("--json", type=Path, help="write every row there")
    a = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for size in a.sizes:
        spec = spec_of(size, a.starts)
        for seed in range(a.first, a.first + a.seeds):
            began = time.perf_counter()
            rows += rows_of_seed(spec, seed, a.bits, a.options, not a.no_task)
            took = time.perf_counter() - began
            print(f"{size} neurons, seed {seed}: {took:.1f} s", file=sys.stderr, flush=True)
            if a.json:
                a.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
