"""Screening: of several pruned networks of one budget the best is kept, without labels (ours).

No way to prune is best for every network and task, but a run on the training input alone says a
good deal of which one is. Candidates are pruned by several methods to the same budget, rescaled
alike, and each is brought back to the unpruned rates by `aftercare`. Then all are shown the
training input, without labels, from the same two initial states:

1. A candidate with more than ``tolerance * max(S0, min S)`` spikes is dropped, S0 those of the
   unpruned network and min S of the candidate with the fewest: spikes are what a pruned network
   pays with, and more of them look better to any criterion.
2. Of the others that with the highest score by a criterion is kept, see
   `hrsnn_lava.training.criterion`; of equal ones the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.aftercare_options import AftercareOptions, PortfolioOptions
from hrsnn_lava.compiler.compiled import PassRecord
from hrsnn_lava.compiler.context import Context, Observed, Pass
from hrsnn_lava.compiler.pipeline import run_pass
from hrsnn_lava.compiler.pruning.budget import Amount
from hrsnn_lava.errors import SpecError
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.options import options as declared
from hrsnn_lava.progress import Progress, part_of, silent
from hrsnn_lava.seeding import generator
from hrsnn_lava.spec import PruneSpec
from hrsnn_lava.training.aftercare import Aftercare, aftercare
from hrsnn_lava.training.course import Lesson, stimulus_of
from hrsnn_lava.training.criterion import figures_of, scores_of
from hrsnn_lava.training.driven_run import drive, part_of_lesson

__all__ = [
    "Candidate",
    "Screened",
    "Screening",
    "ScreeningOptions",
    "candidate_passes",
    "judge",
    "screen",
    "settle",
]

Floats = NDArray[np.float64]
AnyPass = Pass[Any, Any]


@declared
class ScreeningOptions(PortfolioOptions):
    """Candidates, what is best of them, and how their rates are brought back.

    Attributes:
        aftercare: of every candidate; by default as `AftercareOptions` has it.
    """

    aftercare: AftercareOptions | None = None

    @classmethod
    def of(cls, portfolio: PortfolioOptions, care: AftercareOptions | None) -> ScreeningOptions:
        """The options of a spec, whose aftercare stands elsewhere."""
        stated = {f.name: getattr(portfolio, f.name) for f in fields(portfolio)}
        return cls(**{**stated, "aftercare": care})


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pruned network, its rates brought back.

    Attributes:
        name: of the candidate, such as ``random, draw 2``.
        record: of the pass that pruned it.
        after: the network and its rates.
    """

    name: str
    record: PassRecord
    after: Aftercare


@dataclass(frozen=True)
class Screened:
    """A row of the table of candidates.

    Attributes:
        name: of the candidate.
        score: by the criterion, higher is better; None for one that was dropped.
        figures: what the criterion measured.
        spikes: in the run over those of the unpruned network.
        gain: that its recurrent weights were scaled by.
        rate_error: ``sum |rate - target| / sum target``.
        dropped: why it may not be kept; "" where it may.
    """

    name: str
    score: float | None
    figures: Mapping[str, float]
    spikes: float
    gain: float
    rate_error: float
    dropped: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as records and reports hold them."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Screening:
    """What screening kept, and why.

    Attributes:
        winner: the candidate that was kept.
        table: a row for each candidate, in the order in which they were tried.
        criterion: name of what they were judged by.
        findings: what a user has to know, those of the winner's rates among it.
    """

    winner: Candidate
    table: tuple[Screened, ...]
    criterion: str
    findings: tuple[Finding, ...] = ()

    @property
    def network(self) -> Network:
        """The network that was kept."""
        return self.winner.after.network

    @property
    def name(self) -> str:
        """The name of the winner."""
        return self.winner.name

    def __str__(self) -> str:
        """One line."""
        dropped = sum(bool(row.dropped) for row in self.table)
        return f"{self.name} of {len(self.table)} by {self.criterion}, {dropped} dropped"


def screen(
    network: Network,
    lesson: Lesson,
    budget: Amount | Mapping[str, AnyPass],
    rates: Floats,
    options: ScreeningOptions | None = None,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Screening:
    """Prune a network in several ways to one budget, and keep the best by a label-free criterion.

    Args:
        network: float, unpruned.
        lesson: the training input, in any form that `train_stdp` takes; values of an array are
            held for 10 steps each. No label is seen.
        budget: of all candidates, such as ``Amount("sops_per_spike", 1.0)``; or passes of one's
            own by the names of the candidates.
        rates: (n_neurons,) spikes per step of the unpruned network under it: what SOPs are counted
            by, and what the rates of candidates are brought back to.
        options: candidates, criterion, and aftercare.
        seed: of what is drawn, and of the initial potentials; equal seeds, equal results.
        progress: told after every candidate.

    Raises:
        SpecError: the criterion has no meaning for such an input, or a method has no such budget.
    """
    o = options or ScreeningOptions()
    stimulus = stimulus_of(lesson, network.n_inputs, 10)
    passes = candidate_passes(budget, o, seed) if isinstance(budget, Amount) else dict(budget)
    if not passes:
        raise SpecError("budget: no passes; allowed: an Amount, or passes by name, at least one")
    candidates = []
    for k, (name, step) in enumerate(passes.items()):
        part_of(progress, k, len(passes) + 1)(f"candidate: {name}", 0.0)
        candidates.append(settle(network, stimulus, (name, step), rates, o.aftercare, seed=seed))
    part_of(progress, len(passes), len(passes) + 1)(f"screening by {o.criterion.name}", 0.0)
    return judge(network, stimulus, candidates, o, seed=seed)


def candidate_passes(
    budget: Amount,
    options: PortfolioOptions,
    seed: int,
    make: Callable[[str], AnyPass] | None = None,
) -> dict[str, AnyPass]:
    """The passes of all candidates, by their names.

    The first draw of a method is what the method alone would give with this seed.

    Args:
        budget: of all of them.
        options: methods, and how often each is drawn.
        seed: of the draws.
        make: the pass of a method; by default with the options that it has, rescaled by ``match``.

    Raises:
        SpecError: a method has no such budget.
    """
    made = make or partial(_default_pass, budget)
    passes: dict[str, AnyPass] = {}
    for method in options.candidates:
        step: Any = made(method)
        draws = options.draws if hasattr(step, "seed") else 1
        for draw in range(draws):
            name = method if draws == 1 else f"{method}, draw {draw + 1}"
            first = seed if getattr(step, "seed", None) is None else step.seed
            own = int(generator(first, f"screening/{method}", draw).integers(2**31))
            passes[name] = step if draw == 0 else replace(step, seed=own)
    return passes


def _default_pass(budget: Amount, method: str) -> AnyPass:
    return PruneSpec().step(method, "match", budget)


def settle(
    network: Network,
    lesson: Lesson,
    candidate: tuple[str, AnyPass],
    rates: Floats,
    care: AftercareOptions | None = None,
    *,
    seed: int = 0,
) -> Candidate:
    """Make one candidate: prune, and bring the rates back.

    Args:
        network, lesson, rates, seed: see `screen`.
        candidate: its name, and the pass that prunes it.
        care: how rates are brought back.
    """
    name, step = candidate
    pruned, record = run_pass(network, step, Context(observed=Observed(rates), seed=seed))
    return Candidate(name, record, aftercare(pruned, lesson, rates, care, seed=seed))


def judge(
    network: Network,
    lesson: Lesson,
    candidates: Sequence[Candidate],
    options: ScreeningOptions | None = None,
    *,
    seed: int = 0,
) -> Screening:
    """Show all candidates the training input, and keep the best.

    Args:
        network: unpruned.
        lesson: see `screen`.
        candidates: see `settle`.
        options: criterion, tolerance, and how much of the input is shown.
        seed: of the initial potentials, the same for all.
    """
    from threadpoolctl import threadpool_limits

    o = options or ScreeningOptions()
    shown = part_of_lesson(stimulus_of(lesson, network.n_inputs, 10), o)
    spikes: list[int] = []
    figures: list[dict[str, float]] = []
    with threadpool_limits(limits=1):  # sums in another order would give other last bits
        before = drive(network, shown, o, seed)[1]
        for candidate in candidates:
            run, counted = drive(candidate.after.network, shown, o, seed)
            spikes.append(counted)
            figures.append(figures_of(o.criterion, run))
        most = o.tolerance * max(before, min(spikes))
        kept = [k for k, counted in enumerate(spikes) if counted <= most]
        scores = scores_of(o.criterion, [figures[k] for k in kept])
    of_kept = dict(zip(kept, scores.tolist(), strict=True))
    scale = max(before, 1)
    table = tuple(
        Screened(
            candidate.name,
            of_kept.get(k),
            figures[k],
            spikes[k] / scale,
            candidate.after.gain,
            candidate.after.error,
            "" if k in of_kept else f"spikes x{spikes[k] / scale:.3g}, above {most / scale:.3g}",
        )
        for k, candidate in enumerate(candidates)
    )
    winner = candidates[kept[int(np.argmax(scores))]]
    found = (*winner.record.findings, *winner.after.findings)
    return Screening(winner, table, o.criterion.name, (*found, *_findings(table, o)))


def _findings(table: Sequence[Screened], options: ScreeningOptions) -> list[Finding]:
    """That the cap had to give way, or that the criterion told nothing apart."""
    found, fewest = [], min(row.spikes for row in table)
    if fewest > options.tolerance:
        found.append(
            Finding(
                "warning",
                "screening",
                f"the candidate with the fewest spikes has x{fewest:.3g} of the unpruned network's",
                f"none is within {options.tolerance:g}, so that one was kept that costs more",
                "allow smaller gains in the aftercare, or leave fewer synapses",
                kind="screening_inflated",
            )
        )
    scores = [row.score for row in table if row.score is not None]
    if len(scores) > 1 and len(set(scores)) == 1:
        found.append(
            Finding(
                "warning",
                "screening",
                f"{len(scores)} candidates have the same score, {scores[0]:.4g}",
                f"the criterion {options.criterion.name} tells nothing apart, and the first of "
                "them was kept",
                "try another criterion, or more samples",
                kind="screening_tied",
            )
        )
    return found
