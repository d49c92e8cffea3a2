"""What K learning profiles make of time constants that differ from synapse to synapse.

Draws tau_plus and tau_minus of 2000 synapses from gamma distributions of shape 3 and clusters them
as the compiler does, for several K, and beside it by the best of many restarts of k-means.
"""
# ruff: noqa: T201 - a script prints

from __future__ import annotations

import numpy as np

from hrsnn_lava.compiler.learning.profiles import assign, cluster_points

SYNAPSES, RESTARTS, ROUNDS = 2000, 10, 40


def k_means(points, k, rng):
    """Centres by Lloyd's rounds from k-means++ seeds, (k, 2)."""
    centres = points[rng.integers(len(points))][None]
    while len(centres) < k:
        nearest = ((points - centres[assign(points, centres)]) ** 2).sum(axis=1)
        chosen = rng.choice(len(points), p=nearest / nearest.sum())
        centres = np.vstack([centres, points[chosen]])
    for _ in range(ROUNDS):
        labels = assign(points, centres)
        centres = np.array(
            [
                points[labels == j].mean(axis=0) if np.any(labels == j) else centres[j]
                for j in range(k)
            ]
        )
    return centres


def errors(points, chosen):
    """Mean relative error of a time constant, and mean square error of its logarithm."""
    return np.abs(np.expm1(chosen - points)).mean(), ((chosen - points) ** 2).mean()


def main():
    """Print one line for each K."""
    rng = np.random.default_rng(0)
    points = np.log(rng.gamma(3.0, 1.0 / 3.0, (SYNAPSES, 2)))
    print(f"mean error of tau_plus and tau_minus, {SYNAPSES} synapses, gamma of shape 3")
    print(" K  compiler  best of k-means  squares, compiler / best")
    for k in (1, 2, 3, 4, 6, 8, 12, 16):
        labels, centres = cluster_points(points, k, 0.0)
        mean, square = errors(points, centres[labels])
        tries = (k_means(points, k, rng) for _ in range(RESTARTS))
        found = min((errors(points, c[assign(points, c)]) for c in tries), key=lambda e: e[1])
        print(f"{k:2d}  {mean:8.1%}  {found[0]:15.1%}  {square / found[1]:24.3f}")


if __name__ == "__main__":
    main()
