"""Add synapses that spread the network's eigenvectors: step III of Lyapunov Noise Pruning."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.centrality import weakly_connected_sizes
from hrsnn_lava.compiler.analysis.dynamics.localisation import (
    laplacian_localisation,
    weights_localisation,
)
from hrsnn_lava.compiler.analysis.dynamics.neighbours import neighbours
from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.budget import checked_rates
from hrsnn_lava.compiler.pruning.grafting import Donors, add_synapses, donors
from hrsnn_lava.compiler.pruning.new_pairs import Graph, Objective, Within, choose_pairs
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.options import Seed, Share, options
from hrsnn_lava.seeding import generator

Int = NDArray[np.int64]
#: Rise of a ratio, as a share of it, that is more than rounding.
RISE = 1e-6


@options
class Delocalize(Pass[Network, Network]):
    r"""Add recurrent synapses between neurons that share a neighbour.

    Step III of Lyapunov Noise Pruning adds the m edges E' that solve

    .. math:: \max_{E'} \frac{1}{|V|} \sum_v (d_v - \bar d)^2, \quad |E'| = m, \quad
              E' \cap E_{pruned} = \emptyset, \quad
              (u, v) \in E' \Rightarrow \exists w: u, v \in N(w)

    (eq. 17 of the summary of Chakraborty et al. 2024), so that eigenvectors are spread over more
    neurons. **Taken literally it does the opposite**: it makes hubs, and hubs localise eigenvectors
    (Hata and Nakao 2017). Inverse participation ratios before and after stand in the report, and a
    finding says when they rose. Degrees count neighbours, whatever the direction. How many edges,
    which direction, weights, and the other objectives are ours: a new synapse is a copy, with
    weight, delay and learning parameters, of one drawn from the projections between its
    populations, of the sign that the presynaptic neuron has. Inputs stay as they are.

    Attributes:
        share: new synapses, as a share of the recurrent ones that there are.
        objective: ``max_degree_variance`` (the paper's), ``min_degree_variance``, ``min_ipr``,
            which lowers the participation ratios of the leading Laplacian eigenvectors to first
            order, or ``random``.
        within: ``neighbourhoods``: neurons that have a common neighbour (the paper's); or
            ``anywhere``, which can also join what is not connected.
        seed: of the random stream ``delocalize``; by default that of the compilation.
    """

    name: ClassVar[str] = "delocalize"

    share: Share = 0.05
    objective: Objective = "max_degree_variance"
    within: Within = "neighbourhoods"
    seed: Seed | None = None

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The network with more synapses, and the report of what was done."""
        rng = generator(self.seed or 0, self.name)
        rates = context.observed.neuron_rates
        return delocalize(network, self, rng, pruned=context.pruned, rates=rates)


def delocalize(
    network: Network,
    options: Delocalize,
    rng: np.random.Generator,
    *,
    pruned: Int | None = None,
    rates: NDArray[np.float64] | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Add synapses as the objective has it; fewer where no pair is left.

    Args:
        pruned: (P, 2) post and pre of synapses that must not come back, global indices.
        rates: (n_neurons,) spikes per step; where they are known, the report has recurrent SOPs.

    Raises:
        SpecError: pruned synapses of neurons that are not there, or rates of another network.
    """
    edges = recurrent_edges(network)
    forbidden = _forbidden(network, pruned)
    available = donors(network, edges)
    adjacency = neighbours(edges.matrix)
    blocked = _blocked(available, forbidden)
    graph = Graph(adjacency, available.group, available.joinable, blocked)
    asked = round(options.share * edges.n_edges)
    chosen = choose_pairs(graph, asked, options.objective, options.within, rng)
    draws = rng.random(len(chosen.pairs))
    ways = [
        available.draw(int(u), int(v), forbidden, float(number))
        for (u, v), number in zip(chosen.pairs, draws, strict=True)
    ]
    post, pre, donor = np.array(ways, dtype=np.int64).reshape(-1, 3).T
    grown = add_synapses(network, edges, post, pre, donor).verify()
    report: dict[str, Any] = {
        "objective": options.objective,
        "within": options.within,
        "asked": asked,
        "added": len(ways),
        "synapses_before": edges.n_edges,
        "synapses_after": edges.n_edges + len(ways),
        "projections": _counts(edges, recurrent_edges(grown)),
        "before": graph_facts(edges),
        "after": graph_facts(recurrent_edges(grown)),
    }
    if rates is not None:
        rates = checked_rates(edges.n_neurons, rates)
        report["sop_before"] = float(rates[edges.pre].sum())
        report["sop_after"] = report["sop_before"] + float(rates[pre].sum())
    if options.objective == "min_ipr":
        report["by_degree"] = chosen.by_degree
    findings = [*_localised(report), *_fewer(report)]
    if findings:
        report["findings"] = [finding.to_dict() for finding in findings]
    return grown, report


def graph_facts(edges: RecurrentEdges) -> dict[str, Any]:
    """Degrees, components and inverse participation ratios of a network; None: not known."""
    adjacency = neighbours(edges.matrix)
    degree = np.diff(adjacency.indptr)
    sizes = weakly_connected_sizes(edges.matrix)
    spread = laplacian_localisation(adjacency)
    driven = weights_localisation(edges.matrix)
    return {
        "degree_mean": float(degree.mean()) if degree.size else 0.0,
        "degree_variance": float(degree.var()) if degree.size else 0.0,
        "degree_max": int(degree.max(initial=0)),
        "components": len(sizes),
        "largest_component": sizes[0] if sizes else 0,
        "laplacian_ipr": {"top": spread.top, "leading": spread.leading, "mean": spread.mean},
        "weights_ipr": {"top": driven.top, "leading": driven.leading},
    }


def _counts(before: RecurrentEdges, after: RecurrentEdges) -> dict[str, dict[str, int]]:
    counts = zip(before.names, np.diff(before.bounds), np.diff(after.bounds), strict=True)
    return {name: {"before": int(b), "after": int(a)} for name, b, a in counts}


def _forbidden(network: Network, pruned: Int | None) -> set[tuple[int, int]]:
    if pruned is None:
        return set()
    n, ends = network.n_neurons, np.asarray(pruned)
    if ends.ndim != 2 or ends.shape[1] != 2 or not np.issubdtype(ends.dtype, np.integer):
        problem = Problem("pruned", f"shape {ends.shape}, {ends.dtype}", "(P, 2) integers")
        raise SpecError("pruned synapses", problems=[problem])
    wrong = ends[((ends < 0) | (ends >= n)).any(axis=1)]
    if len(wrong):
        fix = "number them as the network at hand does, after neurons were dropped"
        found = f"{wrong[0].tolist()}, {len(wrong)} such"
        problem = Problem("pruned", found, f"neurons 0 to {n - 1}", fix)
        raise SpecError("pruned synapses", problems=[problem])
    return {(int(post), int(pre)) for post, pre in ends}


def _blocked(available: Donors, forbidden: set[tuple[int, int]]) -> Int:
    """Pairs that are forbidden in every direction in which they could be joined."""
    group = available.group
    blocked = [
        (post, pre)
        for post, pre in sorted(forbidden)
        if (pre, post) in forbidden or not available.of(group[post], group[pre]).size
    ]
    return np.array(blocked, dtype=np.int64).reshape(-1, 2)


def _localised(report: dict[str, Any]) -> list[Finding]:
    """That eigenvectors are on fewer neurons than before, where an objective was to prevent it."""
    if report["objective"] == "random":
        return []
    rises = []
    for matrix, words in (("laplacian_ipr", "Laplacian"), ("weights_ipr", "weights")):
        for which, after in report["after"][matrix].items():
            before = report["before"][matrix][which]
            if before is not None and after is not None and after > before * (1.0 + RISE):
                rises.append(f"{words}, {which}: {before:.3g} to {after:.3g}")
    if not rises:
        return []
    literal = report["objective"] == "max_degree_variance"
    meaning = "eigenvectors are on fewer neurons than before"
    if literal:
        meaning += ": the variance of degrees makes hubs, and hubs localise"
    return [
        Finding(
            "warning" if literal else "note",
            f"objective {report['objective']!r}",
            f"inverse participation ratios rose ({'; '.join(rises)})",
            meaning,
            "set objective = 'min_degree_variance' or 'min_ipr'" if literal else "",
            kind="eigenvectors_localised",
        )
    ]


def _fewer(report: dict[str, Any]) -> list[Finding]:
    if report["added"] == report["asked"]:
        return []
    anywhere = report["within"] == "anywhere"
    return [
        Finding(
            "warning",
            "new synapses",
            f"{report['added']} of {report['asked']} could be added",
            "no other pair of neurons may be joined",
            "ask for a smaller share" + ("" if anywhere else ", or set within = 'anywhere'"),
            kind="synapses_not_added",
        )
    ]
