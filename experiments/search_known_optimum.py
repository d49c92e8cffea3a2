"""Searches over distributions whose optimum is known: every suggester at the same budget.

Two gamma distributions of a time constant, each with a free mean (5 to 80 ms) and coefficient of
variation (0.1 to 1.5), clipped at 3 ms; noisy values. Four objectives, each 0 at its best:

- `near`: minus the W2 distances from two target distributions,
- `windows`: how much of each distribution lies near two time scales at once, less its maximum,
- `numbers`: a parabola of the logarithms of means and coefficients of variation,
- `means`: a parabola of the logarithms of means alone.

What is compared is the true value of the trial with the best measured one.

    uv run python experiments/search_known_optimum.py
    uv run python experiments/search_known_optimum.py --seeds 2 --trials 20
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from hrsnn_lava import distributions as dist
from hrsnn_lava import registry
from hrsnn_lava.bayesian.geometry import reference_points
from hrsnn_lava.search.quantiles import normal_nodes, quantiles
from hrsnn_lava.search.space import Space
from hrsnn_lava.search.suggester import Suggester, Told
from hrsnn_lava.search.wasserstein import w2
from hrsnn_lava.seeding import generator

Marginals = Sequence[dist.Distribution]

CLIP = dist.Clip(0.003, None)
TARGETS = (dist.Gamma(4.0, 0.02, CLIP), dist.Gamma(1.0, 0.04, CLIP))
WINDOWS = ((0.010, 0.040), (0.006, 0.012))
NOISE = 0.05


def space_of(metric: str) -> Space:
    """Two gamma distributions."""
    table = {
        "distribution": "gamma",
        "cv": {"low": 0.1, "high": 1.5, "prior": "log"},
        "mean": {"low": 0.005, "high": 0.08, "prior": "log"},
        "low": 0.003,
        "metric": metric,
    }
    return Space.parse({"exc.tau_mem": table, "inh.tau_mem": table})


def near(marginals: Marginals) -> float:
    """Minus the distances from the targets, in units of 20 ms."""
    return -sum(w2(d, t) for d, t in zip(marginals, TARGETS, strict=True)) / 0.02


def _covered(marginals: Marginals) -> float:
    z, weights = normal_nodes(64)
    total = 0.0
    for distribution, scales in zip(marginals, WINDOWS, strict=True):
        values = np.log(quantiles(distribution, z))
        total += min(weights @ np.exp(-(((values - np.log(s)) / 0.4) ** 2)) for s in scales)
    return 4.0 * total


@cache
def _most_covered() -> float:
    """The maximum of `_covered`, of 20,000 even points."""
    space = space_of("linear")
    points = reference_points(space.size, 20_000).tolist()
    return max(_covered(list(space.marginals(point).values())) for point in points)


def windows(marginals: Marginals) -> float:
    """What lies near two time scales, the lesser of both."""
    return _covered(marginals) - _most_covered()


def numbers(marginals: Marginals) -> float:
    """Means of 20 ms and coefficients of variation of 0.5 are best."""
    of: Any = marginals
    return -sum(np.log(d.mean / 0.02) ** 2 + np.log(d.shape**-0.5 / 0.5) ** 2 for d in of)


def means(marginals: Marginals) -> float:
    """Means of 20 ms are best."""
    return -sum(float(np.log(d.mean / 0.02)) ** 2 for d in marginals)


OBJECTIVES: dict[str, Callable[[Marginals], float]] = {
    "near": near,
    "windows": windows,
    "numbers": numbers,
    "means": means,
}


def ways() -> dict[str, tuple[Suggester, str]]:
    """Every suggester, and the metric of what is drawn."""

    def made(name: str, **options: Any) -> Suggester:
        suggester: Suggester = registry.load("suggester", name)(**options)
        return suggester

    return {
        "random": (made("random"), "linear"),
        "quasi_random": (made("quasi_random"), "linear"),
        "matern": (made("matern"), "linear"),
        "wasserstein, linear": (made("wasserstein"), "linear"),
        "wasserstein, log": (made("wasserstein"), "log"),
        "location, log": (made("wasserstein", distance="location"), "log"),
        "sliced, log": (made("wasserstein", distance="sliced"), "log"),
        "wasserstein, log, ei": (made("wasserstein", acquisition="ei"), "log"),
        "wasserstein, log, product": (made("wasserstein", kernel="product"), "log"),
    }


def regret(suggester: Suggester, metric: str, objective: str, seed: int, trials: int) -> float:
    """Minus the true value of the trial that measured best."""
    space, told, truth = space_of(metric), [], []
    noise = generator(seed, "noise").standard_normal(trials)
    for number in range(trials):
        (point,) = suggester.suggest(space, told, 1, generator(seed, "search"))
        truth.append(OBJECTIVES[objective](list(space.marginals(point).values())))
        told.append(Told(point, {objective: truth[-1] + NOISE * float(noise[number])}))
    measured = [trial.values[objective] for trial in told]
    return -truth[int(np.argmax(measured))]


def main() -> int:
    """Print a row for every suggester, a column for every objective."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--first", type=int, default=100)
    options.add_argument("--trials", type=int, default=40)
    options.add_argument("--only", nargs="+", choices=list(ways()), default=list(ways()))
    arguments = options.parse_args()
    print(f"{arguments.seeds} seeds, {arguments.trials} trials, noise {NOISE}: mean regret +- s.e.")
    print("| suggester | " + " | ".join(OBJECTIVES) + " |")
    print("|---" * (len(OBJECTIVES) + 1) + "|")
    for name in arguments.only:
        cells = []
        for objective in OBJECTIVES:
            found = [
                regret(*ways()[name], objective, seed, arguments.trials)
                for seed in range(arguments.first, arguments.first + arguments.seeds)
            ]
            error = np.std(found, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else 0.0
            cells.append(f"{np.mean(found):.3f} ± {error:.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
