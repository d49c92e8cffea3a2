"""One network, four ways to prune it to the same density: what is left of each neuron's input.

uv run python examples/compare_pruning.py
"""
# ruff: noqa: T201 - a script prints

import hrsnn_lava as hl
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_magnitude import PruneMagnitude
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.pruning.rescale import Rescale

DENSITY = 0.1


def main() -> None:
    """Print a line for each method."""
    spec = hl.Spec.parse({"network": {"size": 300, "connectivity": {"mean_degree": 30.0}}})
    network = hl.build_hrsnn(spec, seed=7)
    methods = {
        "LNP": PruneLyapunov(DENSITY, rescale=Rescale("none"), seed=7),
        "LNP, match": PruneLyapunov(DENSITY, seed=7),
        "random": PruneRandom(DENSITY, rescale=Rescale("none"), seed=7),
        "magnitude": PruneMagnitude(DENSITY),
    }
    before = {p.name: abs(p.weights).sum() for p in network.projections if p.target == "synapse"}
    print(f"{'method':<12} {'synapses':>8}  share of the summed weight that is left")
    for name, step in methods.items():
        pruned, report = step.apply(network)
        left = {key: abs(pruned.projection(key).weights).sum() / before[key] for key in before}
        shares = "  ".join(f"{key} {100 * share:.0f} %" for key, share in left.items())
        print(f"{name:<12} {report['synapses_after']:>8}  {shares}")


if __name__ == "__main__":
    main()
