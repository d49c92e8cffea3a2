"""Time of a suggestion after 20 to 500 trials: ours beside scikit-learn's and BoTorch's processes.

Six gamma distributions with free shape and mean, noisy trials at random points, one thread of BLAS.
A suggestion is everything from the trials to the next point: features, hyper-parameters, the
acquisition and its maximum. Peers have a Matern kernel on the twelve numbers, which is our
`matern`: none has one on distributions. scikit-learn has no acquisition; the expected improvement
of 2,000 candidates is added by hand. Its posterior has to be ours to 1e-8 at the same
hyper-parameters, or the script fails.

    uv run python benchmarks/search_suggest.py
    uv run python benchmarks/search_suggest.py --botorch-python ENV/bin/python
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from simulation import parser
from threadpoolctl import threadpool_limits
from timing import cpu_seconds, rounds, table, write

from hrsnn_lava import registry
from hrsnn_lava.bayesian.acquisition import expected_improvement
from hrsnn_lava.bayesian.gaussian_process import GaussianProcess, Hyperparameters
from hrsnn_lava.bayesian.proposing import process_of
from hrsnn_lava.search.features import geometry_of
from hrsnn_lava.search.space import Space
from hrsnn_lava.search.suggester import Told
from hrsnn_lava.seeding import generator

MARGINALS = 6
CANDIDATES = 2000
#: What posteriors may differ by, relative to the spread of the values.
TOLERANCE = 1e-8


def space_of(marginals: int = MARGINALS) -> Space:
    """Gamma distributions with free shape and mean."""
    gamma = {
        "distribution": "gamma",
        "shape": {"low": 1.0, "high": 10.0, "prior": "log"},
        "mean": {"low": 0.005, "high": 0.08, "prior": "log"},
        "low": 0.003,
    }
    return Space.parse({f"network.p{k}": gamma for k in range(marginals)})


def trials_of(space: Space, count: int) -> list[Told]:
    """Noisy values of a smooth function at random points."""
    rng = generator(0, "benchmark/search", count)
    points = rng.random((count, space.size))
    values = -((points - 0.4) ** 2).sum(axis=1) + 0.1 * rng.standard_normal(count)
    pairs = zip(points.tolist(), values.tolist(), strict=True)
    return [Told(tuple(point), {"score": value}) for point, value in pairs]


def arrays(told: list[Told]) -> tuple[Any, Any]:
    """Points (n, d) and values (n,)."""
    return np.array([t.point for t in told]), np.array([t.values["score"] for t in told])


def ours(name: str, space: Space, told: list[Told]) -> Callable[[], Any]:
    """A suggestion of ours."""
    suggester = registry.load("suggester", name)()
    return lambda: suggester.suggest(space, told, 1, generator(0, "search"))


def our_fit(distance: Any, space: Space, told: list[Told]) -> Callable[[], GaussianProcess]:
    """The part of a suggestion that is spent on hyper-parameters."""
    geometry = geometry_of(space, distance)
    points, values = arrays(told)
    return lambda: process_of(geometry, points, values, generator(0, "fit"))


def sklearn_suggestion(space: Space, told: list[Told]) -> Callable[[], Any]:
    """Its optimiser from one start, and the expected improvement of candidates."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    points, values = arrays(told)
    candidates = generator(0, "candidates").random((CANDIDATES, space.size))

    def suggestion() -> Any:
        import warnings

        kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(
            np.ones(space.size), (1e-2, 1e6), nu=2.5
        ) + WhiteKernel(0.03, (1e-6, 10.0))
        model = GaussianProcessRegressor(kernel, alpha=0.0, normalize_y=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # length scales at their bound
            model.fit(points, values)
        mean, deviation = model.predict(candidates, return_std=True)
        gain = expected_improvement(mean, deviation, values.max())
        return candidates[int(np.argmax(gain))]

    return suggestion


def check_posterior(space: Space, told: list[Told]) -> float:
    """Largest difference to scikit-learn's posterior means, over the spread of the values.

    Raises:
        RuntimeError: it is above `TOLERANCE`.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    points, values = arrays(told)
    geometry = geometry_of(space, None)
    lengths = np.linspace(1.0, 4.0, space.size)
    process = GaussianProcess.given(
        geometry, geometry.features(points), values, Hyperparameters(1.5, lengths, 0.05)
    )
    at = generator(1, "candidates").random((100, space.size))
    mean, _ = process.posterior(geometry.features(at))
    scales = geometry.features(np.full((1, space.size), 1.0))[0]  # of a coordinate of 1
    theirs = GaussianProcessRegressor(
        ConstantKernel(1.5) * Matern(lengths / scales, nu=2.5),
        alpha=0.05,
        optimizer=None,
        normalize_y=True,
    ).fit(points, values)
    difference = float(np.abs(mean - theirs.predict(at)).max() / values.std())
    if not difference < TOLERANCE:
        raise RuntimeError(f"scikit-learn: the posteriors differ by {difference:.2g}")
    return difference


def botorch_seconds(python: str, told: list[Told]) -> float:
    """CPU seconds of a suggestion by BoTorch, in an interpreter that has it."""
    points, values = arrays(told)
    with tempfile.TemporaryDirectory() as text:
        file = Path(text) / "trials.npz"
        np.savez(file, points=points, values=values)
        script = str(Path(__file__).with_name("peer_botorch.py"))
        done = subprocess.run(
            [python, script, str(file)], check=True, capture_output=True, text=True
        )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures["cpu_s"]


def measure(count: int, repeats: int, botorch: str | None) -> list[dict[str, Any]]:
    """One row for each tool, after so many trials."""
    space = space_of()
    told = trials_of(space, count)
    calls = {
        "wasserstein": ours("wasserstein", space, told),
        "of it, hyper-parameters": our_fit("marginals", space, told),
        "matern": ours("matern", space, told),
    }
    if importlib.util.find_spec("sklearn") is not None:
        check_posterior(space, told)
        calls["scikit-learn"] = sklearn_suggestion(space, told)
    for call in calls.values():
        call()  # tables and imports
    timed = {name: (lambda call=call: cpu_seconds(call)) for name, call in calls.items()}
    best = rounds(timed, repeats)
    if botorch is not None:
        best["BoTorch"] = min(botorch_seconds(botorch, told) for _ in range(repeats))
    base = best["wasserstein"]
    return [
        {"trials": count, "tool": name, "cpu_s": seconds, "ratio": seconds / base}
        for name, seconds in best.items()
    ]


COLUMNS = {"trials": "trials", "tool": "suggestion by", "cpu": "CPU s", "ratio": "of ours"}


def display(row: dict[str, Any]) -> dict[str, str]:
    """A row of figures as text."""
    return {
        "trials": str(row["trials"]),
        "tool": row["tool"],
        "cpu": f"{row['cpu_s']:.3f}",
        "ratio": f"{row['ratio']:.2f} x",
    }


def main() -> int:
    """Measure and print."""
    options: argparse.ArgumentParser = parser(__doc__.splitlines()[0])
    options.add_argument("--trials", nargs="+", type=int, default=[20, 100, 500])
    named = os.environ.get("HRSNN_BOTORCH_PYTHON")
    options.add_argument("--botorch-python", default=named, help="interpreter that has BoTorch")
    arguments = options.parse_args()
    rows = []
    with threadpool_limits(limits=1):
        for count in arguments.trials:
            rows += measure(count, arguments.repeats, arguments.botorch_python)
    print(table([display(row) for row in rows], COLUMNS))
    if arguments.botorch_python is None:
        print("BoTorch: left out; --botorch-python names an interpreter that has it")
    write(arguments.json, "search_suggest", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
