"""Lyapunov Noise Pruning of the recurrent synapses (Chakraborty et al. 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.arrays import Device
from hrsnn_lava.compiler.analysis.dynamics.covariance import Precision
from hrsnn_lava.compiler.analysis.dynamics.driven_lif import HeldInput
from hrsnn_lava.compiler.analysis.dynamics.finite_time import WITH_JACOBIAN
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import ParticipationOptions
from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.compiler.analysis.dynamics.stability import StabiliseMethod, StableSystem
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.budget import PruningBudget, budget_report, costs_of
from hrsnn_lava.compiler.pruning.edge_sampling import (
    Sampling,
    inclusion_probabilities,
    sample_edges,
    spectral_change,
)
from hrsnn_lava.compiler.pruning.edge_scoring import (
    Evidence,
    Exponents,
    Scoring,
    needs_covariance,
    score_edges,
)
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption, rescale_gains
from hrsnn_lava.compiler.pruning.surgery import keep_synapses, synapse_report
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.network import Network
from hrsnn_lava.options import Count, Positive, Registered, Seed, options
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


@options
class PruneLyapunov(PruningBudget, Pass[Network, Network]):
    """Keep recurrent synapses by noise-driven sampling on the Lyapunov matrix.

    The matrix ``A = -D + L`` is a device for scores alone; what is pruned is W. Everything the
    papers leave open is an option, and its default is our choice. The budget is met in expectation
    (``bernoulli``), a density also to one synapse (``systematic``).

    Attributes:
        score: ``lyapunov`` (the paper's), ``weight`` (Moore and Chaudhuri), ``product`` of the
            former and the weight, or the ``noise_distance`` in an observed run (ours), which takes
            the covariance of that run, in every round.
        exponents: of ``isolated`` neurons (-1/tau_mem), by ``participation`` in the spectrum
            of the driven network, or by the growth of a neuron's perturbation in a ``finite_time``.
        participation: how that network is run and linearised, for these two.
        rescale: gains of the kept weights: ``none``, ``inverse``, ``match`` or ``refit``.
        sampling: ``bernoulli`` (the paper's) or ``systematic``.
        per_sop: scores for each synaptic operation; of a budget of SOPs alone.
        iterations: rounds, each keeping the same share of what is left; probabilities multiply,
            and the weights are rescaled once, from their original values.
        signed: the literal harmonic mean, of exponents with their signs.
        union: the literal set union of neighbourhoods: a neuron that both ends share counts once.
        stabilise: how the leaks D are chosen: ``uniform`` adds one shift to all, ``dominant``
            makes A diagonally dominant. They start from 1/tau_mem for L, and from 1 for W, whose
            unit is that of the leak.
        margin: of the stability: by how much D is larger than it has to be, as a share.
        covariance: of the noise-driven system: ``exact`` is dense, N x N; ``sampled`` estimates
            what the scores need on the synapses alone, from independent noisy runs (ours).
        chains: runs of a ``sampled`` covariance: variances have a relative error of
            sqrt(2 / chains).
        precision: of the floats in which an ``exact`` covariance is solved.
        device: where it is solved, and where exponents by ``participation`` have their QR:
            ``cpu``, or ``cuda`` by torch.
        seed: of the random stream ``prune_lyapunov``; by default that of the compilation.
    """

    name: ClassVar[str] = "prune_lyapunov"
    samples: ClassVar[bool] = True

    renamed: ClassVar[Mapping[str, str]] = {"mode": "exponents"}

    score: Annotated[str, Registered("score")] = "lyapunov"
    exponents: Exponents = "isolated"
    participation: ParticipationOptions = field(default_factory=ParticipationOptions)
    rescale: RescaleOption = field(default_factory=lambda: Rescale("match"))
    sampling: Sampling = "bernoulli"
    per_sop: bool = False
    iterations: Count = 1
    signed: bool = False
    union: bool = False
    stabilise: StabiliseMethod = "uniform"
    margin: Positive = 0.1
    covariance: Literal["exact", "sampled"] = "exact"
    chains: Count = 256
    precision: Precision = "auto"
    device: Device = "cpu"
    seed: Seed | None = None

    def __post_init__(self) -> None:
        PruningBudget.__post_init__(self)
        asked = self.participation.linearisation
        problems = []
        if self.exponents == "isolated" and asked != "surrogate":
            allowed = 'with exponents "participation" or "finite_time"'
            measured = f"{asked!r}, of neurons that nothing drives"
            problems.append(Problem("participation.linearisation", measured, allowed))
        if self.exponents == "finite_time" and asked not in WITH_JACOBIAN:
            measured = f"{asked!r}, which has no derivative to multiply"
            fix = 'take exponents "participation" with it'
            allowed = ", ".join(WITH_JACOBIAN)
            problems.append(Problem("participation.linearisation", measured, allowed, fix))
        raise_if(SpecError, f"options of {self.name}", problems)

    @property
    def scoring(self) -> Scoring:
        """The options that say how synapses are scored."""
        return Scoring(**{f.name: getattr(self, f.name) for f in fields(Scoring)})

    @property
    def needs_covariance(self) -> bool:
        """Whether score or rescaling look at the covariance of an observed run."""
        return self.rescale.needs_covariance or needs_covariance(self.score)

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        rng = generator(self.seed or 0, self.name)
        seen = context.observed
        return prune_lyapunov(network, self, rng, seen.neuron_rates, covariance=seen.covariance)


def prune_lyapunov(
    network: Network,
    options: PruneLyapunov,
    rng: np.random.Generator,
    rates: Float | None = None,
    held: HeldInput | None = None,
    covariance: Float | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Score, sample, rescale: step I of Lyapunov Noise Pruning.

    Args:
        network: float.
        options: budget, score, sampling and rescaling.
        rng: samples, and draws the noise of the driven network.
        rates: (n_neurons,) spikes per step, for a budget of SOPs.
        held: input of a task under which the exponents are taken; the paper's rule sees no task.
        covariance: (N, N) of the spike traces of a run, for a score or a rescaling by it.

    Raises:
        SpecError: the scoring system is not stable, there are no rates for a budget of SOPs, or
            the recorded input is of no use here.
        BackendMissingError: ``cuda`` without torch or without a GPU.
    """
    if held is not None and options.exponents == "isolated":
        problem = Problem("held", "a recorded input", 'none with exponents "isolated"')
        raise SpecError("nothing is driven", problems=[problem])
    edges = recurrent_edges(network)
    costs = costs_of(edges, options, rates)
    whole = float(costs.each.sum())
    keep = np.ones(edges.n_edges, dtype=np.bool_)
    p = np.ones(edges.n_edges)
    rounds: list[dict[str, Any]] = []
    current, scorer = network, _Scorer(options, Evidence(rng, held, covariance))
    for step in range(1, options.iterations + 1):
        survivors = edges.select(keep)
        target = whole * costs.share ** (step / options.iterations)
        goal = _Goal(target, costs.each[keep])
        sampled, chance, report = _round(current, survivors, goal, scorer)
        rounds.append(report)
        p[keep] *= chance
        keep[keep] = sampled
        if step < options.iterations:
            current = keep_synapses(network, edges, keep)
    gain, rescaled = rescale_gains(edges, keep, options.rescale, p, covariance)
    keep &= gain > 0.0
    report = synapse_report(network, edges, keep)
    report |= budget_report(edges, keep, options, costs, rates)
    report |= {
        "score": options.score,
        "exponents": options.exponents,
        "sampling": options.sampling,
        "rescale": rescaled,
        "rounds": rounds,
    }
    return keep_synapses(network, edges, keep, gain).verify(), report


class _Scorer(NamedTuple):
    """Options of the pass, and what its scores go by."""

    options: PruneLyapunov
    evidence: Evidence


class _Goal(NamedTuple):
    """What the survivors of a round may cost together, and what each of the edges costs."""

    target: float
    cost: Float

    def probabilities(self, scores: Float, per_sop: bool) -> Float:
        """Those that meet the target; earlier rounds scatter: never more than is left."""
        target = min(self.target, float(self.cost.sum()))
        return inclusion_probabilities(scores / self.cost if per_sop else scores, target, self.cost)


def _round(
    network: Network,
    edges: RecurrentEdges,
    goal: _Goal,
    scorer: _Scorer,
) -> tuple[Bool, Float, dict[str, Any]]:
    """One round: which of `edges` to keep, with what probabilities, and a report."""
    if edges.n_edges == 0:
        return np.zeros(0, dtype=np.bool_), np.zeros(0), {"synapses": 0}
    options, rng = scorer.options, scorer.evidence.rng
    scored = score_edges(network, edges, options.scoring, scorer.evidence)
    scores = scored.values
    chance = goal.probabilities(scores, options.per_sop)
    keep = sample_edges(chance, options.sampling, rng)
    report = scored.report | {
        "synapses": edges.n_edges,
        "score_cv": float(scores.std() / scores.mean()) if scores.any() else 0.0,
        "probability": {
            "min": float(chance.min()),
            "median": float(np.median(chance)),
            "max": float(chance.max()),
            "at_one": int(np.count_nonzero(chance >= 1.0)),
            "at_zero": int(np.count_nonzero(chance == 0.0)),
        },
    }
    if scored.system is not None:
        report["sampled"] = _sampled(edges, scored.coupling, scored.system, keep, chance, rng)
    return keep, chance, report


def _sampled(
    edges: RecurrentEdges,
    coupling: sparse.csr_matrix,
    system: StableSystem,
    keep: Bool,
    chance: Float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """How far the unbiased sample ``a / p`` is from A, whatever the weights are scaled by."""
    factor = np.zeros(edges.n_edges)
    np.divide(1.0, chance, out=factor, where=keep)
    # Parallel synapses share an entry of A: each stands for its part of it.
    share = np.bincount(edges.slot, minlength=coupling.nnz)
    data = coupling.data * np.bincount(edges.slot, weights=factor, minlength=share.size) / share
    sampled = sparse.csr_matrix((data, coupling.indices, coupling.indptr), shape=coupling.shape)
    after = (sampled - sparse.diags(system.leak)).tocsr()
    change = spectral_change(system.matrix, after, rng)
    return {
        "relative_change_mean": change.mean,
        "relative_change_max": change.largest,
        "abscissa": change.abscissa.value,
        "stable": change.abscissa.value < 0,
    }
