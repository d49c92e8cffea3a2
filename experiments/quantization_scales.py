"""Integers against floats on generated networks of every scale, for every option for weights.

The networks are those of `tests/support/float_networks.py`. Columns: networks in which all spikes
together are more than 5 % off the float network's; in which the differences of the neurons' counts
sum up to more than 5 %; the median of that sum; and networks that are off in the first sense
without a finding of severity warning.

    uv run python experiments/quantization_scales.py --networks 300
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from float_networks import STEPS, driven_network

from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.sim_backends.runs.session import simulate

OPTIONS = ("max", "percentile", "percentile:99", "mse", "activity")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=300)
    networks = parser.parse_args().networks
    total, neurons = np.zeros((2, networks, len(OPTIONS)))
    silent = np.zeros((networks, len(OPTIONS)), dtype=bool)
    for k in range(networks):
        driven = driven_network(k)
        spikes = max(int(driven.counts.sum()), 1)
        for j, option in enumerate(OPTIONS):
            step = Quantize(scaling=option)
            integer, report = quantize(driven.network, step, driven.observed)
            counts = simulate(integer, driven.inputs, STEPS, "native").counts()
            total[k, j] = abs(int(counts.sum()) - int(driven.counts.sum())) / spikes
            neurons[k, j] = np.abs(counts - driven.counts).sum() / spikes
            silent[k, j] = not any(f.severity != "note" for f in report.get("findings", ()))
    print("| option | total | neurons | median | without a finding |")
    print("|---|---|---|---|---|")
    for j, option in enumerate(OPTIONS):
        off = total[:, j] > 0.05
        print(
            f"| `{option}` | {off.sum()} | {(neurons[:, j] > 0.05).sum()} "
            f"| {100 * np.median(neurons[:, j]):.2f} % | {(off & silent[:, j]).sum()} |"
        )


if __name__ == "__main__":
    main()
