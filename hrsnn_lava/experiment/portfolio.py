"""What a run does for a pruned network: aftercare, and the screening of several candidates.

The table of a screening goes into the journal, so a run that is resumed makes the winner anew and
none of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.aftercare_options import AftercareOptions
from hrsnn_lava.artifacts.container import plain, rounded
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.compiled import PassRecord
from hrsnn_lava.compiler.pipeline import AnyPass
from hrsnn_lava.compiler.pruning.budget import of_unpruned
from hrsnn_lava.experiment.compilation import PORTFOLIO, Pruning, dropped
from hrsnn_lava.experiment.runner import Runner, Stage
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.options import options_of, table_of
from hrsnn_lava.spec import PruneSpec
from hrsnn_lava.training.aftercare import Aftercare
from hrsnn_lava.training.screening import (
    Candidate,
    ScreeningOptions,
    candidate_passes,
    judge,
    settle,
)
from hrsnn_lava.training.simulation import Stimulus

__all__ = ["Portfolio", "aftercare_record", "screened"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Portfolio:
    """What candidates are made of.

    Attributes:
        table: of the spec: candidates, criterion, aftercare.
        full: the unpruned network.
        rates: (n_neurons,) its spikes per step over the lesson.
        lesson: the training input.
        seed: of all that is drawn.
    """

    table: PruneSpec
    full: Network
    rates: Floats
    lesson: Stimulus
    seed: int


def screened(
    portfolio: Portfolio, pruning: Pruning, runner: Runner
) -> tuple[Pruning, Aftercare, tuple[PassRecord, ...]]:
    """The network that screening keeps: how it was pruned, its rates, and the records.

    Args:
        portfolio: what candidates are made of; neurons are dropped first, where the spec says so.
        pruning: rescaling and budget.
        runner: keeps the table of candidates.
    """
    table, seed = portfolio.table, portfolio.seed
    network, survivors, records = dropped(portfolio.full, table, portfolio.rates, seed)
    rates, options = portfolio.rates[survivors], _options(table)
    passes = candidate_passes(
        pruning.budget,
        options,
        seed,
        lambda method: _budgeted(portfolio, network, replace(pruning, method=method).step(table)),
    )
    made: dict[str, Candidate] = {}

    def candidate(name: str) -> Candidate:
        if name not in made:
            named = (name, passes[name])
            made[name] = settle(
                network, portfolio.lesson, named, rates, options.aftercare, seed=seed
            )
        return made[name]

    def work() -> dict[str, Any]:
        every = [candidate(name) for name in passes]
        screening = judge(network, portfolio.lesson, every, options, seed=seed)
        return {
            "winner": screening.name,
            "table": [row.to_dict() for row in screening.table],
            "findings": [finding.to_dict() for finding in screening.findings],
        }

    told = runner.result(Stage(f"screening/{pruning.budget}", work))
    winner = candidate(told["winner"])
    records = (*records, replace(winner.record, findings=()), _record(told, winner, options))
    chosen = str(told["winner"]).partition(",")[0]
    return replace(pruning, method=PORTFOLIO, chosen=chosen), winner.after, records


def _budgeted(portfolio: Portfolio, network: Network, step: AnyPass) -> AnyPass:
    """A pass with the budget that it has of the unpruned network."""
    if network.n_neurons == portfolio.full.n_neurons:
        return step
    edges = recurrent_edges(portfolio.full), recurrent_edges(network)
    return of_unpruned(step, *edges, portfolio.rates)


def _options(table: PruneSpec) -> ScreeningOptions:
    if table.screen is None:
        raise ValueError("nothing is screened")
    return ScreeningOptions.of(table.screen, table.care)


def _record(told: Mapping[str, Any], winner: Candidate, options: ScreeningOptions) -> PassRecord:
    """The screening as a pass: its table, and findings of the winner's rates among its own."""
    after = winner.after
    size = {"neurons": after.network.n_neurons, "synapses": after.network.n_synapses}
    report = {
        "criterion": options.criterion.name,
        "winner": told["winner"],
        "candidates": told["table"],
        **_report(after),
    }
    findings = tuple(Finding.from_dict(finding) for finding in told["findings"])
    report, stated = rounded(plain(report)), plain(table_of(options))
    return PassRecord("screening", stated, size, size, 0.0, report, findings)


def aftercare_record(after: Aftercare, options: AftercareOptions) -> PassRecord:
    """Aftercare as a pass, with what a user has to know of the rates."""
    size = {"neurons": after.network.n_neurons, "synapses": after.network.n_synapses}
    report, stated = rounded(plain(_report(after))), plain(options_of(options))
    return PassRecord("aftercare", stated, size, size, 0.0, report, after.findings)


def _report(after: Aftercare) -> dict[str, float]:
    return {"gain": after.gain, "spikes_ratio": after.ratio, "rate_error": after.error}
