"""From a network to the score of every synapse: exponents, the linear system, its covariance.

What `PruneLyapunov` samples by, and what balanced pruning may weigh its covers by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.arrays import Arrays, Device
from hrsnn_lava.compiler.analysis.dynamics.covariance import Precision
from hrsnn_lava.compiler.analysis.dynamics.driven_lif import HeldInput, LinearisedRun
from hrsnn_lava.compiler.analysis.dynamics.edge_variances import VarianceSettings, edge_variances
from hrsnn_lava.compiler.analysis.dynamics.exponent_options import ParticipationOptions
from hrsnn_lava.compiler.analysis.dynamics.finite_time import finite_time_exponents
from hrsnn_lava.compiler.analysis.dynamics.lyapunov_matrix import lyapunov_matrix
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    isolated_exponents,
    participation_exponents,
)
from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges
from hrsnn_lava.compiler.analysis.dynamics.stability import StabiliseMethod, StableSystem, stabilise
from hrsnn_lava.compiler.analysis.dynamics.trace_covariance import checked_covariance
from hrsnn_lava.compiler.pruning.edge_score import ScoredSystem
from hrsnn_lava.csr import rows_of
from hrsnn_lava.network import Network

Float = NDArray[np.float64]
Exponents = Literal["isolated", "participation", "finite_time"]


@dataclass(frozen=True, eq=False)
class Scoring:
    """A score, and how the linear system is found that it looks at; see `PruneLyapunov`."""

    score: str = "lyapunov"
    exponents: Exponents = "isolated"
    participation: ParticipationOptions = field(default_factory=ParticipationOptions)
    signed: bool = False
    union: bool = False
    stabilise: StabiliseMethod = "uniform"
    margin: float = 0.1
    covariance: Literal["exact", "sampled"] = "exact"
    chains: int = 256
    precision: Precision = "auto"
    device: Device | Arrays = "cpu"


@dataclass(frozen=True, eq=False)
class Evidence:
    """What scores may go by beside the network.

    Attributes:
        rng: draws the noise of a driven network, and the runs of a sampled covariance.
        held: recorded input under which exponents are taken; None: noise alone.
        covariance: C, (N, N), of the spike traces of a run; None: not measured.
    """

    rng: np.random.Generator
    held: HeldInput | None = None
    covariance: Float | None = None


@dataclass(frozen=True, eq=False)
class ScoredEdges:
    """Scores, and the system that they come from.

    Attributes:
        values: (E,) >= 0, in the order of the edges.
        coupling: the matrix a, CSR (N, N), of the structure of ``edges.matrix``.
        system: ``A = -D + a``, stabilised; None where a run was looked at, and no system.
        report: JSON: which coupling, and what went into it, stability and covariance.
    """

    values: Float
    coupling: sparse.csr_matrix
    system: StableSystem | None
    report: dict[str, Any]


def needs_covariance(score: str) -> bool:
    """Whether a score looks at the covariance of an observed run."""
    return bool(registry.load("score", score).coupling == "observed")


def score_edges(
    network: Network, edges: RecurrentEdges, scoring: Scoring, evidence: Evidence
) -> ScoredEdges:
    """Score every recurrent synapse.

    Args:
        network: float.
        edges: its recurrent synapses, one at least.
        scoring: which score, and how.
        evidence: the random generator, and what a run showed.

    Raises:
        SpecError: the linear system is not stable, or the score asks for a covariance that nobody
            measured, or that is of another network.
        BackendMissingError: ``cuda`` without torch or without a GPU.
    """
    score = registry.load("score", scoring.score)
    if score.coupling == "observed":
        c = checked_covariance(edges.n_neurons, evidence.covariance)
        values = score().of(ScoredSystem(edges.matrix, edges.matrix, c))[edges.slot]
        return ScoredEdges(values, edges.matrix, None, {"coupling": "observed"})
    coupling, leak, report = _coupling(network, edges, scoring, evidence)
    system = stabilise(coupling, leak, method=scoring.stabilise, margin=scoring.margin)
    variances = edge_variances(
        system.matrix,
        rows_of(edges.matrix),
        edges.matrix.indices,
        np.sign(coupling.data),
        VarianceSettings(
            scoring.covariance,
            abscissa=system.abscissa,
            precision=scoring.precision,
            chains=scoring.chains,
            device=scoring.device,
        ),
        rng=evidence.rng,
    )
    scored = ScoredSystem(edges.matrix, coupling, variances.covariance, variances.values)
    report |= {
        "stability": {
            "method": system.method,
            "margin": system.margin,
            "shift": system.shift,
            "abscissa": system.abscissa,
            "estimate": system.estimate,
        },
        "covariance": variances.report,
    }
    return ScoredEdges(score().of(scored)[edges.slot], coupling, system, report)


def _coupling(
    network: Network, edges: RecurrentEdges, scoring: Scoring, evidence: Evidence
) -> tuple[sparse.csr_matrix, Float, dict[str, Any]]:
    """The off-diagonal part of A, the leaks D0, and what went into them."""
    if registry.load("score", scoring.score).coupling == "weights":
        return edges.matrix, np.ones(edges.n_neurons), {"coupling": "weights"}
    values, spectrum = _exponents(network, scoring, evidence)
    result = lyapunov_matrix(edges.matrix, values, signed=scoring.signed, union=scoring.union)
    report = {"coupling": "lyapunov", **spectrum}
    report |= {
        "exponents_floored": result.n_floored,
        "floor": result.floor,
        "edges_without_neighbours": result.n_empty,
        "edges_cancelling": result.n_cancelling,
    }
    return result.matrix, 1.0 / network.gather("tau_mem"), report


def _exponents(
    network: Network, scoring: Scoring, evidence: Evidence
) -> tuple[Float, dict[str, Any]]:
    """One exponent a neuron, (N,) in 1/s, and ``spectrum`` for the report, if there is one."""
    run, given = scoring.participation, (evidence.rng, evidence.held)
    if scoring.exponents == "isolated":
        return isolated_exponents(network.gather("tau_mem")), {}
    if scoring.exponents == "finite_time":
        finite = finite_time_exponents(network, run, *given)
        report = _run_report(finite.run) | {
            "horizon": finite.horizon,
            "windows": finite.n_windows,
            "largest": float(finite.per_neuron.max()),
            "floored": finite.n_floored,
        }
        return finite.per_neuron, {"spectrum": report}
    driven = participation_exponents(network, run, *given, device=scoring.device)
    report = _run_report(driven.run) | {
        "steps": driven.spectrum.steps,
        "exponents": int(driven.spectrum.exponents.size),
        "largest": float(driven.spectrum.exponents.max()),
        "floored": driven.spectrum.n_floored,
    }
    return driven.per_neuron, {"spectrum": report}


def _run_report(run: LinearisedRun) -> dict[str, Any]:
    """Kind of linearisation, its parameters, and what the run met."""
    return {
        "mode": run.mode,
        **run.parameters,
        "rate": run.rate,
        "spikes": run.n_spikes,
        "degenerate": run.n_degenerate,
        "flips": run.n_flips,
        "delays_left_out": run.n_delayed,
    }
