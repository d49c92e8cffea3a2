"""Which way to prune keeps what of a network: every method at one budget, side by side.

Each draw has a random input, initial potentials and seed of its own, the same for all methods. The
network is measured, pruned by each method, brought back to its own rates without labels
(`hrsnn_lava.training.aftercare`), and measured again. Beside the methods stand two rows that no
pruning reaches: the unpruned network from other initial potentials, beyond which nothing can be
kept, and the network without its recurrence, which keeps what the input alone keeps up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.pipeline import AnyPass, run_pass
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.options import Count, options
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.training.aftercare import AftercareOptions, aftercare
from hrsnn_lava.training.balance import rates
from hrsnn_lava.training.course import Lesson, stimulus_of
from hrsnn_lava.training.kept import (
    GIVEN,
    KeptOptions,
    Measured,
    compare,
    measure,
    without_recurrence,
)
from hrsnn_lava.training.random_input import RandomInput, random_input
from hrsnn_lava.training.simulation import Stimulus

__all__ = ["FIGURES", "Figure", "KeptByMethod", "MethodOptions", "kept_by_method"]

Floats = NDArray[np.float64]
#: Names of the rows that no method makes.
CEILING, FLOOR = "unpruned again", "no recurrence"
#: Standard errors by which two methods have to differ, draw by draw, to be told apart (ours).
APART = 2.0


@dataclass(frozen=True)
class Figure:
    """A column: what is compared, and which value is best.

    Attributes:
        name: key of the figure.
        title: its heading.
        best: ``highest``; ``one``: nearest 1; ``unpruned``: nearest the unpruned network's; or
            ``none``.
        told: what a method keeps that is best there; empty for spikes and rates, which homeostasis
            holds, so that they say nothing of the method.
    """

    name: str
    title: str
    best: str
    told: str = ""

    def loss(self, values: Floats, unpruned: Floats) -> Floats:
        """How far from the best a value is, draw by draw; the lower the better."""
        if self.best == "highest":
            return -values
        wanted = np.ones(1) if self.best == "one" else unpruned
        distance: Floats = np.abs(values - wanted)
        return distance


#: The columns.
FIGURES = (
    Figure("sops_ratio", "SOPs", "none"),
    Figure("spikes_ratio", "spikes", "one"),
    Figure("rate_correlation", "rates", "highest"),
    Figure("covariance_correlation", "covariances", "highest", "covariances"),
    Figure("trace_correlation", "traces", "highest", "traces"),
    Figure("largest_exponent", "exponent", "unpruned", "the largest exponent"),
    Figure("memory", "memory", "highest", "memory of the input"),
)


@options
class MethodOptions:
    """How methods are compared.

    Attributes:
        draws: inputs, initial potentials and seeds of the methods.
        rate_samples: of the input that homeostasis sees in a pass.
        kept: how long networks are watched.
        aftercare: how rates are brought back.
    """

    draws: Count = 4
    rate_samples: Count = 450
    kept: KeptOptions = field(default_factory=KeptOptions)
    aftercare: AftercareOptions = field(default_factory=AftercareOptions)


@dataclass(frozen=True, eq=False)
class KeptByMethod:
    """Figures of all rows, draw by draw.

    Attributes:
        rows: figure by name, (draws,) each, of every row; those of the methods come first, then
            `FLOOR` and `CEILING`.
        methods: names of the rows that methods made.
        unpruned: the same figures of the unpruned network, as far as it has them.
        told: what was shown.
        memory_bound: largest memory there can be; None where there is no input.
        findings: what a user has to know of the rates, with the row that it is about.
    """

    rows: Mapping[str, Mapping[str, Floats]]
    methods: tuple[str, ...]
    unpruned: Mapping[str, Floats]
    told: str
    memory_bound: int | None
    findings: tuple[tuple[str, Finding], ...] = ()

    @property
    def n_draws(self) -> int:
        """Of every figure."""
        return next(iter(self.rows[FLOOR].values())).size

    def mean(self, row: str, figure: str) -> float:
        """Over the draws; NaN where a figure is not defined."""
        return float(self.rows[row][figure].mean())

    def spread(self, row: str, figure: str) -> float:
        """Standard deviation over the draws; NaN for one draw."""
        values = self.rows[row][figure]
        return float(values.std(ddof=1)) if values.size > 1 else float("nan")

    def best(self, figure: Figure) -> tuple[str, ...]:
        """The best method, and those that the draws do not tell from it, in order.

        They differ, draw by draw, by no more than two standard errors (ours). A single draw tells
        no method from another: none is best.
        """
        if figure.best == "none" or self.n_draws < 2:
            return ()
        unpruned = self.unpruned.get(figure.name, np.zeros(1))
        losses = {m: figure.loss(self.rows[m][figure.name], unpruned) for m in self.methods}
        losses = {m: loss for m, loss in losses.items() if np.isfinite(loss).all()}
        if not losses:
            return ()
        order = sorted(losses, key=lambda m: float(losses[m].mean()))
        first = losses[order[0]]
        return tuple(m for m in order if m == order[0] or _not_apart(losses[m] - first))

    def sentence(self) -> str:
        """Which method keeps what."""
        if self.n_draws < 2:
            return "A single draw tells no method from another: compare by two or more."
        parts: dict[tuple[str, ...], list[str]] = {}
        for figure in FIGURES:
            if figure.told and (names := self.best(figure)):
                parts.setdefault(names, []).append(figure.told)
        told = []
        for names, what in parts.items():
            if len(names) == len(self.methods) > 1:
                told.append(f"all keep {_listed(what)} alike")
            elif len(names) > 1:
                told.append(f"{_listed(names)}, not told apart, keep {_listed(what)} best")
            else:
                told.append(f"{names[0]} keeps {_listed(what)} best")
        text = "; ".join(told) or "nothing that could be measured differs"
        return f"{text[:1].upper()}{text[1:]}."

    def no_better(self, figure: Figure) -> tuple[str, ...]:
        """Methods that keep no more than the network without its recurrence does.

        Their mean is not higher; asked only where the highest value is best.
        """
        if figure.best != "highest" or not figure.told:
            return ()
        least = self.mean(FLOOR, figure.name)
        return tuple(m for m in self.methods if self.mean(m, figure.name) <= least)

    def caution(self) -> str:
        """Which methods keep no more than no recurrence does; empty where all keep more."""
        none: dict[tuple[str, ...], list[str]] = {}
        for figure in FIGURES:
            if names := self.no_better(figure):
                none.setdefault(names, []).append(figure.told)
        each = "; ".join(f"of {_listed(what)} by {_listed(names)}" for names, what in none.items())
        return f"No more is kept than without any recurrence {each}." if each else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        columns = [figure.name for figure in FIGURES]
        return {
            "input": self.told,
            "memory_bound": self.memory_bound,
            "unpruned": {name: values.tolist() for name, values in self.unpruned.items()},
            "rows": [
                {
                    "name": name,
                    "method": name in self.methods,
                    **{
                        column: {
                            "mean": self.mean(name, column),
                            "sd": self.spread(name, column),
                            "draws": row[column].tolist(),
                        }
                        for column in columns
                    },
                    "rate_error": row["rate_error"].tolist(),
                    "gain": row["gain"].tolist(),
                }
                for name, row in self.rows.items()
            ],
            "best": {f.name: list(self.best(f)) for f in FIGURES if f.best != "none"},
            "sentence": self.sentence(),
            "caution": self.caution(),
            "findings": [{"row": row, **finding.to_dict()} for row, finding in self.findings],
        }


def _not_apart(difference: Floats) -> bool:
    """Whether a loss in excess of the best one's is within its standard errors."""
    error = float(difference.std(ddof=1)) / np.sqrt(difference.size)
    return bool(difference.mean() <= APART * error)


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def kept_by_method(
    network: Network,
    steps: Mapping[str, AnyPass],
    lesson: Lesson | None = None,
    *,
    seed: int = 0,
    options: MethodOptions | None = None,
    progress: Progress = silent,
) -> KeptByMethod:
    """Prune a network by several methods, bring its rates back, and measure what each keeps.

    Args:
        network: float, with inputs, recurrence, and neurons that fire.
        steps: passes that prune synapses, by the name of their row.
        lesson: what the networks are shown, without labels; None: `random_input`, another one in
            every draw.
        seed: of the first draw; the others count on from there.
        options: draws, and how long networks are watched.
        progress: told after every row.

    Raises:
        SpecError: no inputs, no recurrence, no spikes, or no method, or one cannot prune it.
    """
    o = options or MethodOptions()
    _check(network, steps)
    figures: dict[str, list[dict[str, float | None]]] = {}
    unpruned: list[dict[str, float | None]] = []
    findings: dict[tuple[str, str], tuple[str, Finding]] = {}
    total, done, bound = o.draws * (len(steps) + 2), 0, None
    for draw in range(seed, seed + o.draws):
        bench = _Bench.of(network, lesson, draw, o)
        bound = None if bench.before.memory is None else bench.before.memory.bound
        unpruned.append(bench.before.figures())
        for name in (*steps, FLOOR, CEILING):
            progress(f"{name}, draw {draw - seed + 1} of {o.draws}", done / total)
            row, found = bench.row(name, steps.get(name))
            figures.setdefault(name, []).append(row)
            findings |= {(name, str(finding.kind)): (name, finding) for finding in found}
            done += 1
    rows = {name: _stacked(entries) for name, entries in figures.items()}
    told = GIVEN if lesson is not None else _random(network, seed, o.kept).told
    singles = ("largest_exponent", "memory", "rate", "sops", "spectral_radius")
    before = _stacked([{key: entry[key] for key in singles} for entry in unpruned])
    return KeptByMethod(rows, tuple(steps), before, told, bound, tuple(findings.values()))


def _random(network: Network, seed: int, o: KeptOptions) -> RandomInput:
    return random_input(network, seed, o.samples, o.steps_per_sample)


def _check(network: Network, steps: Mapping[str, AnyPass]) -> None:
    problems = []
    if not steps:
        problems.append(Problem("methods", "none", "one or more"))
    if not recurrent_edges(network).n_edges:
        problems.append(
            Problem("network", "no synapses between neurons", "a recurrent network, to prune")
        )
    if not network.n_inputs:
        fix = "give the network an input, or prune it with --method"
        problems.append(Problem("network", "no inputs", "one or more, to compare by", fix))
    raise_if(SpecError, "methods cannot be compared", problems)


def _stacked(entries: Sequence[Mapping[str, Any]]) -> dict[str, Floats]:
    """Figures of all draws, (draws,) each; NaN for None."""
    return {
        key: np.array([np.nan if e[key] is None else e[key] for e in entries], dtype=np.float64)
        for key in entries[0]
    }


@dataclass(frozen=True, eq=False)
class _Bench:
    """The unpruned network in one draw, and what the others are brought back to."""

    network: Network
    lesson: Lesson | None
    before: Measured
    again: Measured
    shown: Stimulus
    target: Floats
    seed: int
    options: MethodOptions

    @classmethod
    def of(cls, network: Network, lesson: Lesson | None, seed: int, o: MethodOptions) -> _Bench:
        watched: dict[str, Any] = {"seed": seed, "options": o.kept}
        before = measure(network, lesson, **watched)
        if not before.rates.any():
            fix = "raise biases or input weights, or give events with --input"
            problem = Problem("network", "no neuron fires", "spikes", fix)
            raise SpecError("methods cannot be compared", problems=[problem])
        again = measure(network, lesson, start=1, like=before, **watched)
        whole = _random(network, seed, o.kept).stimulus
        if lesson is not None:
            whole = stimulus_of(lesson, network.n_inputs, o.kept.steps_per_sample)
        shown = whole.first(o.rate_samples * o.kept.steps_per_sample)
        target = rates(network, shown, seed=seed)
        return cls(network, lesson, before, again, shown, target, seed, o)

    def row(self, name: str, step: AnyPass | None) -> tuple[dict[str, Any], Sequence[Finding]]:
        """Figures of a row, and findings of its aftercare."""
        if name == CEILING:
            return self._figures(self.again, 0.0, 1.0), ()
        if step is None:
            pruned = without_recurrence(self.network)
        else:
            context = Context(observed=Observed(self.before.rates), seed=self.seed)
            pruned, _ = run_pass(self.network, step, context)
        cared = aftercare(pruned, self.shown, self.target, self.options.aftercare, seed=self.seed)
        after = measure(cared.network, self.lesson, seed=self.seed, options=self.options.kept)
        return self._figures(after, cared.error, cared.gain), cared.findings

    def _figures(self, after: Measured, error: float, gain: float) -> dict[str, Any]:
        own = after.figures()
        return {
            **compare(self.before, after),
            "largest_exponent": own["largest_exponent"],
            "memory": own["memory"],
            "rate_error": error,
            "gain": gain,
        }
