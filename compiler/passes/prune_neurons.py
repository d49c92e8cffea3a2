"""Prune the neurons that matter least: step II of Lyapunov Noise Pruning."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.dynamics.centrality import weakly_connected_sizes
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed, Pass
from hrsnn_lava.compiler.pruning.neuron_choice import choose_neurons
from hrsnn_lava.compiler.pruning.neuron_score import Float, ScoredNeurons
from hrsnn_lava.compiler.pruning.surgery import drop_neurons
from hrsnn_lava.errors import SpecError, raise_if
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.options import Count, Positive, Registered, Seed, options
from hrsnn_lava.seeding import generator


@options
class PruneNeurons(Pass[Network, Network]):
    """Drop the neurons with the lowest score, the same share of every population.

    Step II of Lyapunov Noise Pruning goes by betweenness; its threshold is not published, so a
    share is asked for (ours), which also keeps the ratio of excitatory to inhibitory neurons. The
    other scores, that the network stays connected and that no input loses all its neurons are ours.

    Attributes:
        fraction: share of the neurons to drop, 0 <= fraction < 1; every population keeps at
            least one neuron.
        rounds: the share is dropped in that many equal parts, the scores computed anew.
        score: ``betweenness`` (the paper's), ``leverage``, ``activity`` or ``random``.
        connected: neurons that are connected, in whatever direction, stay so: one whose loss would
            split others off stays, and the next one in order goes.
        n_pivots: of ``betweenness``. Not set: exact up to 2000 neurons, 256 pivots above; 0: always
            exact.
        ridge: of ``leverage``, in units of the mean variance.
        seed: of the random stream ``prune_neurons`` that draws pivots and random scores; by default
            that of the compilation.
    """

    name: ClassVar[str] = "prune_neurons"

    fraction: Annotated[float, Field(ge=0, lt=1)]
    rounds: Count = 1
    score: Annotated[str, Registered("neuron_score")] = "betweenness"
    connected: bool = True
    n_pivots: Annotated[int, Field(ge=0)] | None = None
    ridge: Positive = 1e-3
    seed: Seed | None = None

    @property
    def needs_rates(self) -> bool:
        """Whether the score asks for the rates of a run."""
        return bool(registry.load("neuron_score", self.score).needs_rates)

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        rng = generator(self.seed or 0, self.name)
        return prune_neurons(network, self, context.observed, rng)


def prune_neurons(
    network: Network, options: PruneNeurons, observed: Observed, rng: np.random.Generator
) -> tuple[Network, dict[str, Any]]:
    """Drop the neurons that matter least; of equal ones those that come last.

    The report's ``kept`` lists the global indices, before pruning, of the neurons that stay;
    ``spared`` counts those that their score alone would have dropped, in all rounds.

    Raises:
        SpecError: the score asks for what no run showed, or what was shown does not fit.
    """
    sizes = {p.name: p.size for p in network.compute_populations}
    before = recurrent_edges(network).n_edges
    survivors = np.arange(network.n_neurons)
    seen = _seen(options.score, network, observed)
    facts: dict[str, list[Any]] = {}
    spared = last_fed = 0
    missing: dict[str, int] = {}
    for step in range(1, options.rounds + 1):
        share = options.fraction * step / options.rounds
        targets = {name: max(1, size - round(share * size)) for name, size in sizes.items()}
        here = seen.of_neurons(survivors)
        scored = ScoredNeurons(network, here, rng, options.n_pivots, options.ridge)
        score, found = neuron_scores(options.score, scored)
        choice = choose_neurons(network, score, targets, connected=options.connected)
        network, survivors = drop_neurons(network, choice.keep), survivors[choice.keep]
        for key, value in found.items():
            facts.setdefault(key, []).append(value)
        spared, last_fed = spared + choice.spared, last_fed + choice.last_fed
        missing = dict(choice.missing)
    edges = recurrent_edges(network)
    components = weakly_connected_sizes(edges.matrix)
    report = facts | {
        "neurons_before": sum(sizes.values()),
        "synapses_before": before,
        "fraction": options.fraction,
        "score": options.score,
        "neurons_after": network.n_neurons,
        "kept": [int(neuron) for neuron in survivors],
        "synapses_after": edges.n_edges,
        "populations": {
            p.name: {"before": sizes[p.name], "after": p.size} for p in network.compute_populations
        },
        "largest_component": components[0],
        "components": len(components),
        "connected": options.connected,
        "spared": spared,
        "last_fed": last_fed,
        "missing": missing,
    }
    if missing:
        report["findings"] = [_fewer(missing).to_dict()]
    return network.verify(), report


def neuron_scores(name: str, scored: ScoredNeurons) -> tuple[Float, dict[str, Any]]:
    """What a score of neurons says, looked at: (N,) finite, and facts for the report.

    Raises:
        SpecError: it asks for what no run showed.
        PartError: a score of the user's fails, or gives anything else.
    """
    part = registry.load("neuron_score", name)
    with registry.guarded("neuron_score", name):
        values, facts = part().of(scored)
        score: Float = np.asarray(values, dtype=np.float64)
    n = scored.network.n_neurons
    if score.shape != (n,) or not np.isfinite(score).all():
        what = f"scores of shape {score.shape}, {np.count_nonzero(~np.isfinite(score))} not finite"
        raise registry.failure("neuron_score", name, f"{what}; allowed: ({n},) finite numbers")
    return score, dict(facts)


def _seen(name: str, network: Network, observed: Observed) -> Observed:
    """What the run showed, for a score that looks at it: then it has to fit."""
    part = registry.load("neuron_score", name)
    if not (part.uses_run or part.needs_rates):
        return Observed()
    problems = list(observed.problems(network))
    raise_if(SpecError, "what a run showed does not fit the network", problems)
    return observed


def _fewer(missing: dict[str, int]) -> Finding:
    counts = ", ".join(f"{count} of {name!r}" for name, count in missing.items())
    return Finding(
        "warning",
        "pruning of neurons",
        f"{counts} stay that were to be dropped",
        "every neuron left of the population would split others off, or is the last that an "
        "input feeds",
        "drop a smaller fraction, or set connected = false",
        kind="neurons_not_dropped",
    )
