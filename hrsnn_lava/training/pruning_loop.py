"""Pruning in many small iterations: prune, bring the rates back, look, keep a checkpoint.

Every iteration prunes the network that the one before it left, so whatever a method measures, it
measures anew: exponents, covariances, rates, betweenness; see `hrsnn_lava.training.loop_plan`. Each
draws from a random stream of its own, and its checkpoint holds all that the next one needs: a loop
that is killed and resumed ends with the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import plain, rounded
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.compiled import PassRecord
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.pipeline import AnyPass, run_pass
from hrsnn_lava.compiler.pruning.pruning_state import PruningState
from hrsnn_lava.compiler.pruning.surgery import pruned_synapses
from hrsnn_lava.findings import Finding, Severity, worst_first
from hrsnn_lava.network import Network
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.seeding import generator
from hrsnn_lava.training.aftercare import aftercare
from hrsnn_lava.training.balance import rates as measured_rates
from hrsnn_lava.training.driven import COVARIANCE_STEPS, observe_driven
from hrsnn_lava.training.loop_checkpoints import (
    Checkpointing,
    forget_others,
    key_of,
    last_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from hrsnn_lava.training.loop_ends import Judgement
from hrsnn_lava.training.loop_plan import Iteration, PruningLoop
from hrsnn_lava.training.simulation import Stimulus

__all__ = ["LoopResult", "PruningLoop", "run_loop"]

Floats = NDArray[np.float64]
Int = NDArray[np.int64]
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class LoopResult:
    """The pruned network, and how it went.

    Attributes:
        network: float.
        survivors: (n_neurons,) index in the unpruned network of each of its neurons.
        rates: (n_neurons,) spikes per step.
        record: of the whole loop, as that of one pass.
        rows: one an iteration, that of the unpruned network first: ``neurons``, ``synapses``
            (recurrent), ``sops`` per step, ``spikes`` per step, ``rate_error``, ``gain``, and what
            the ends of the loop measured.
        iteration: whose network it is.
        why: the loop ended.
        resumed: iterations that were taken from checkpoints.
    """

    network: Network
    survivors: Int
    rates: Floats
    record: PassRecord
    rows: tuple[Mapping[str, Any], ...]
    iteration: int
    why: str
    resumed: int


def run_loop(
    network: Network,
    loop: PruningLoop,
    lesson: Stimulus,
    *,
    seed: int = 0,
    keep: Checkpointing | None = None,
    progress: Progress = silent,
) -> LoopResult:
    """Prune a network in iterations.

    Args:
        network: float, unpruned.
        loop: what to do.
        lesson: input without labels, under which rates are measured and brought back.
        seed: of everything that is drawn.
        keep: folder for a checkpoint an iteration, and whether to go on from the last one that is
            there; by default none is kept.
        progress: told of every iteration, with an estimate of what is left.

    Raises:
        SpecError: the folder holds checkpoints of another loop, and none are to be replaced.
        CapacityError: the loop should end at what fits a chip, and nothing did.
    """
    began = time.perf_counter()
    work = _Work(network, loop, lesson, seed, key_of(network, loop, lesson, seed))
    state = None
    folder = None if keep is None else keep.folder
    if keep is not None:
        if keep.foreign == "replace":
            forget_others(keep.folder, work.key)
        state = last_checkpoint(keep.folder, work.key, keep.resume, progress)
    resumed = 0 if state is None else state.iteration
    before = None
    if state is None:
        state, verdict = work.first()
        if folder is not None:
            save_checkpoint(folder, state)
    else:
        verdict = _verdict(state)
        if verdict.before and folder is not None:
            before = load_checkpoint(folder, state.iteration - 1, work.key)
    while not verdict.ends and state.iteration < loop.iterations:
        progress(_told(state, loop, began, resumed), state.iteration / loop.iterations)
        before = state
        state, verdict = work.next(state, progress)
        if folder is not None:
            save_checkpoint(folder, state)
    if not verdict.ends:
        for end in loop.ends:
            end.require(state.network, state.rates)
    shown = before if verdict.before and before is not None else state
    why = verdict.why or f"all of the {loop.iterations} iterations are done"
    return _result(work, shown, state, why, resumed)


@dataclass(frozen=True, eq=False)
class _Work:
    """One loop under way.

    Attributes:
        full: unpruned. loop, lesson, seed: as given. key: of the checkpoints.
    """

    full: Network
    loop: PruningLoop
    lesson: Stimulus
    seed: int
    key: str

    def first(self) -> tuple[PruningState, Judgement]:
        """The unpruned network, looked at."""
        row: Row = {"rate_error": 0.0, "gain": 1.0}
        everyone = np.arange(self.full.n_neurons)
        start = PruningState(self.key, 0, self.full, everyone, self.target, (row,))
        return self._looked_at(start, ())

    @cached_property
    def target(self) -> Floats:
        """Rates of the unpruned network."""
        return measured_rates(self.full, self.lesson, seed=self.seed)

    def next(self, state: PruningState, progress: Progress) -> tuple[PruningState, Judgement]:
        """One iteration."""
        k = state.iteration + 1
        drawn = int(generator(self.seed, "prune/loop", k).integers(2**31))
        network, survivors, rates = state.network, state.survivors, state.rates
        found: list[Finding] = []
        told = part_of_iteration(progress)
        for planned in self.loop.steps:
            iteration = Iteration(self.loop, k, self.full, self.target, survivors)
            made = iteration.made(planned, network, rates)
            if made is None:
                continue
            step = _drawn_anew(made, drawn, k)
            context = Context(
                observed=self._seen(step, network, rates),
                seed=drawn,
                progress=told,
                pruned=pruned_synapses(self.full, network, survivors),
            )
            network, record = run_pass(network, step, context)
            found += record.findings
            if "kept" in record.report:
                kept = np.asarray(record.report["kept"], dtype=np.int64)
                survivors, rates = survivors[kept], rates[kept]
        network, rates, row, told_of = self._cared_for(network, survivors)
        found += told_of
        for step in self.loop.retrain:
            network, record = run_pass(network, step, Context(seed=drawn))
            found += record.findings
        if self.loop.retrain:
            network, rates, row, told_of = self._cared_for(network, survivors)
            found += told_of
        findings = tuple(finding.to_dict() for finding in worst_first(found))
        rows = (*state.rows, row)
        grown = PruningState(self.key, k, network, survivors, rates, rows, findings)
        return self._looked_at(grown, state.rows)

    def _seen(self, step: AnyPass, network: Network, rates: Floats) -> Observed:
        """Rates, and covariances of a run where the pass goes by them."""
        if not getattr(step, "needs_covariance", False):
            return Observed(rates)
        seen = observe_driven(network, self.lesson.first(COVARIANCE_STEPS))
        return Observed(rates, covariance=seen.covariance)

    def _cared_for(
        self, network: Network, survivors: Int
    ) -> tuple[Network, Floats, Row, tuple[Finding, ...]]:
        """Rates brought back, or measured alone."""
        target = self.target[survivors]
        if self.loop.aftercare is None:
            rates = measured_rates(network, self.lesson, seed=self.seed)
            total = float(target.sum())
            error = float(np.abs(rates - target).sum()) / total if total else 0.0
            return network, rates, {"rate_error": error, "gain": 1.0}, ()
        after = aftercare(network, self.lesson, target, self.loop.aftercare, seed=self.seed)
        row: Row = {"rate_error": after.error, "gain": after.gain}
        return after.network, after.rates, row, after.findings

    def _looked_at(
        self, state: PruningState, earlier: Sequence[Mapping[str, Any]]
    ) -> tuple[PruningState, Judgement]:
        """The state with the full row of its iteration, and what follows from it."""
        edges = recurrent_edges(state.network)
        row: Row = {
            "iteration": state.iteration,
            "neurons": state.network.n_neurons,
            "synapses": edges.n_edges,
            "sops": float(state.rates[edges.pre].sum()),
            "spikes": float(state.rates.sum()),
            "without_input": edges.n_neurons - int(np.unique(edges.post).size),
            "without_output": edges.n_neurons - int(np.unique(edges.pre).size),
            **state.rows[-1],
        }
        verdict = Judgement()
        for end in self.loop.ends:
            judged = end.judge(state.network, state.rates, earlier)
            row |= judged.figures
            if judged.ends and not verdict.ends:
                verdict = judged
        if verdict.ends:
            row |= {"ends": verdict.why, "before": verdict.before}
        # sorted, as a checkpoint gives it back: equal loops make equal reports
        row = dict(sorted(plain(row).items()))
        return replace(state, rows=(*state.rows[:-1], row)), verdict


def part_of_iteration(progress: Progress) -> Progress:
    """Texts of passes go on, their shares do not: those are of one pass."""

    def show(text: str, _: float | None = None, /) -> None:
        progress(text)

    return show


def _drawn_anew(step: AnyPass, drawn: int, k: int) -> AnyPass:
    """The pass with a random stream of this iteration's own."""
    own = getattr(step, "seed", None)
    if own is None:
        return step
    seeded: AnyPass = replace(  # type: ignore[type-var]
        step, seed=int(generator(own, f"prune/loop/{drawn}", k).integers(2**31))
    )
    return seeded


def _verdict(state: PruningState) -> Judgement:
    """What was judged of a state that was kept."""
    row = state.rows[-1]
    return Judgement("ends" in row, str(row.get("ends", "")), bool(row.get("before", False)))


def _nothing_pruned(why: str, severity: Severity) -> Finding:
    return Finding(
        severity,
        "pruning loop",
        f"it ended with the network as it came: {why}",
        "nothing was pruned",
        "leave out what ends it, or prune to a budget without a loop",
        kind="loop_pruned_nothing",
    )


def _silent() -> Finding:
    return Finding(
        "warning",
        "pruning loop",
        "no neuron of the unpruned network fired under the input that rates are measured with",
        "by spikes all synapses cost alike, and there are no rates to bring back",
        "show an input that the network answers to",
        kind="loop_silent",
    )


def _told(state: PruningState, loop: PruningLoop, began: float, resumed: int) -> str:
    row, done = state.rows[-1], state.iteration - resumed
    text = f"iteration {state.iteration + 1} of {loop.iterations}: {row['synapses']:,} synapses"
    if not done:
        return text
    left = (time.perf_counter() - began) / done * (loop.iterations - state.iteration)
    return f"{text}; at most {_duration(left)} left"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _result(
    work: _Work, shown: PruningState, last: PruningState, why: str, resumed: int
) -> LoopResult:
    full = work.full
    sizes = [{"neurons": n.n_neurons, "synapses": n.n_synapses} for n in (full, shown.network)]
    findings = tuple(Finding.from_dict(finding) for finding in shown.findings)
    if not shown.iteration:
        # a network that fits as it is needs no pruning; one that a loss held back was to be pruned
        severity: Severity = "warning" if last.iteration else "note"
        findings = (*findings, _nothing_pruned(why, severity))
    if not last.rows[0]["spikes"]:
        findings = (_silent(), *findings)
    report = {
        "step": work.loop.step.name,
        "before": [step.name for step in work.loop.before],
        "after": [step.name for step in work.loop.after],
        "iterations": last.iteration,
        "taken": shown.iteration,
        "why": why,
        "rows": [dict(row) for row in last.rows],
    }
    options = work.loop.described()
    report = rounded(plain(report))
    record = PassRecord("pruning_loop", options, sizes[0], sizes[1], 0.0, report, findings)
    return LoopResult(
        shown.network,
        shown.survivors,
        shown.rates,
        record,
        tuple(last.rows),
        shown.iteration,
        why,
        resumed,
    )
