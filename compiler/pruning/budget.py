"""How much of the recurrence may stay: a number of synapses, or of synaptic operations.

A synapse costs one synaptic operation (SOP) for every spike of its sender, so that a budget of SOPs
needs rates. All methods take the same budgets, so that networks pruned to one of them differ in
what was kept alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.options import NonNegative, Share, options

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
T = TypeVar("T")
#: The options that state a budget.
BUDGETS = ("density", "sops_per_spike", "sop_ratio", "sops")
#: A silent neuron's synapse costs so much: a share of the mean rate, and spikes per step (ours).
FLOOR_SHARE, FLOOR = 0.01, 1e-5
#: A budget of many synapses is met where no more than this share of it is left.
MISSED = 0.01
#: By how much sums of costs may leave a budget, as a share: they are summed in another order.
ROUNDING = 1e-9


@options
class PruningBudget:
    """Give one of them. All but `density` are about recurrent SOPs, and need rates.

    Attributes:
        density: share of the recurrent synapses to keep, 0 to 1.
        sops_per_spike: SOPs to keep for each spike of the network: where senders do not differ,
            synapses per neuron.
        sop_ratio: by how much the recurrent SOPs are to fall, >= 1.
        sops: recurrent SOPs per step to keep.
    """

    density: Share | None = None
    sops_per_spike: NonNegative | None = None
    sop_ratio: Annotated[float, Field(ge=1)] | None = None
    sops: NonNegative | None = None

    def __post_init__(self) -> None:
        """One budget; a `SpecError` for none, and for several."""
        given = [name for name in BUDGETS if getattr(self, name) is not None]
        if len(given) != 1:
            stated = " and ".join(given) or "none of them"
            problem = Problem("budget", stated, f"one of {', '.join(BUDGETS)}")
            name = getattr(self, "name", "") or "pruning"
            raise SpecError(f"options of {name}", problems=[problem])

    @property
    def in_sops(self) -> bool:
        """Whether it is one of SOPs, so that rates are needed."""
        return self.density is None

    @property
    def needs_rates(self) -> bool:
        """Whether the pass has to be given rates."""
        return self.in_sops

    @property
    def needs_covariance(self) -> bool:
        """Whether the pass has to be given the covariance of a run."""
        return bool(getattr(getattr(self, "rescale", None), "needs_covariance", False))

    @property
    def amount(self) -> Amount:
        """The option that is given."""
        return amount_of(self)


@dataclass(frozen=True)
class Amount:
    """A budget by the name of its option, such as ``Amount("sops_per_spike", 1.0)``.

    Raises:
        SpecError: no option has that name.
    """

    name: str
    value: float

    def __post_init__(self) -> None:
        if self.name not in BUDGETS:
            problem = Problem("budget", repr(self.name), ", ".join(BUDGETS))
            raise SpecError("no budget to prune to", problems=[problem])

    def __str__(self) -> str:
        """In a word or two, as tables show it."""
        return {
            "density": f"{100 * self.value:g} %",
            "sops_per_spike": f"{self.value:g} SOP/spike",
            "sop_ratio": f"{self.value:g}x",
            "sops": f"{self.value:g} SOP/step",
        }[self.name]

    def table(self) -> dict[str, float | None]:
        """All options that state a budget, of which this one is given."""
        return dict.fromkeys(BUDGETS) | {self.name: self.value}


def amount_of(options: Any) -> Amount:
    """The budget that options state; one of SOPs takes the place of a density."""
    return next(
        Amount(name, float(value))
        for name in reversed(BUDGETS)
        if (value := getattr(options, name)) is not None
    )


@dataclass(frozen=True, eq=False)
class Costs:
    """What each synapse takes of the budget.

    Attributes:
        each: (E,) > 0, in synapses or in SOPs per step.
        neuron: (n_neurons,) of any synapse of each sender.
        budget: in the same unit.
        density: where the budget is a share of the synapses.
    """

    each: Float
    neuron: Float
    budget: float
    density: float | None = None

    @property
    def share(self) -> float:
        """The budget as a share of what all synapses cost."""
        if self.density is not None:
            return self.density
        whole = float(self.each.sum())
        return self.budget / whole if whole else 1.0

    @property
    def per_neuron(self) -> float:
        """e, how many synapses a neuron the budget is worth: `budget` over the sum of `neuron`."""
        total = float(self.neuron.sum())
        return self.budget / total if total else 0.0

    @property
    def allowed(self) -> float:
        """What a choice of synapses may cost: the nearest whole number of them under a density,
        else the budget with what rounding may add to a sum."""
        if self.density is not None:
            return float(round(self.budget))
        return self.budget * (1.0 + ROUNDING)

    @property
    def rest(self) -> float:
        """What may be left of it: a hundredth, or what a synapse costs on the average (ours)."""
        return max(MISSED * self.allowed, float(self.each.mean()) if self.each.size else 0.0)


def costs_of(edges: RecurrentEdges, budget: PruningBudget, rates: Float | None) -> Costs:
    """Costs of all synapses under a budget.

    .. math:: c_{ij} = \\max(r_j, 10^{-5} + 0.01\\, \\bar{r})

    in SOPs per step, with r_j the rate of the sender; 1 under a density. The floor (ours) keeps
    synapses of neurons that were silent in the run from being free.

    Args:
        edges: all recurrent synapses.
        budget: what is asked for.
        rates: (n_neurons,) spikes per step.

    Raises:
        SpecError: the budget needs rates, and there are none.
    """
    if budget.density is not None:
        ones = np.ones(edges.n_neurons)
        return Costs(ones[edges.pre], ones, edges.n_edges * budget.density, budget.density)
    measured = checked_rates(edges.n_neurons, rates)
    neuron = np.maximum(measured, FLOOR + FLOOR_SHARE * float(measured.mean()))
    each = neuron[edges.pre]
    if budget.sops_per_spike is not None:
        total = budget.sops_per_spike * float(neuron.sum())
    elif budget.sop_ratio is not None:
        total = float(each.sum()) / budget.sop_ratio
    else:
        total = float(budget.sops or 0.0)
    return Costs(each, neuron, min(total, float(each.sum())))


def of_unpruned(step: T, whole: RecurrentEdges, left: RecurrentEdges, rates: Float | None) -> T:
    """A pass with the budget that it has of the unpruned network, for one that lost neurons since.

    Args:
        step: a pass, with a `PruningBudget` or without: then it stays as it is.
        whole: synapses of the unpruned network.
        left: those of the network that the pass is given.
        rates: (n_neurons,) spikes per step of the unpruned one; for a budget of SOPs.
    """
    if not isinstance(step, PruningBudget):
        return step
    given: dict[str, Any] = dict.fromkeys(BUDGETS)
    if step.density is not None:
        share = whole.n_edges * step.density / left.n_edges if left.n_edges else 1.0
        given["density"] = min(1.0, share)
    else:
        given["sops"] = costs_of(whole, step, rates).budget
    return replace(step, **given)


def stated(step: Any) -> dict[str, float | None]:
    """The options of a pass that state a budget, as they are; empty of a pass without."""
    return {name: getattr(step, name) for name in BUDGETS if hasattr(step, name)}


def checked_rates(n_neurons: int, rates: Float | None) -> Float:
    """The rates as floats; a `SpecError` where there are none, of another size, or wrong ones."""
    problems = []
    if rates is None:
        fix = "give `rates` or `observed` to compile, or measure them: `measure_rates`"
        problems.append(Problem("rates", "not known", f"({n_neurons},)", fix))
        rates = np.zeros(n_neurons)
    values = _numbers(rates)
    if values is None:
        problems.append(Problem("rates", f"{rates!r:.60}", f"({n_neurons},) numbers"))
    elif values.shape != (n_neurons,):
        problems.append(Problem("rates", f"shape {values.shape}", f"({n_neurons},)"))
    elif (wrong := ~(np.isfinite(values) & (values >= 0.0))).any():
        measured = f"{values[wrong][0]:g} at neuron {np.argmax(wrong)} ({wrong.sum()} in all)"
        problems.append(Problem("rates", measured, "numbers >= 0, spikes per step"))
    raise_if(SpecError, "the network cannot be pruned by what its neurons send", problems)
    assert values is not None
    return values


def _numbers(values: Any) -> Float | None:
    """As an array of floats; None where they are no numbers."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def fill(order: Sequence[int] | Int, costs: Costs) -> Bool:
    """Synapses in this order as far as the budget lasts, (E,).

    One that does not fit any more is passed over while more than `Costs.rest` is left: senders
    that fire much more than the others would keep the budget from being spent.

    Args:
        order: indices of synapses, the first one is kept first.
        costs: of all synapses.
    """
    order = np.asarray(order, dtype=np.int64)
    keep = np.zeros(costs.each.size, dtype=np.bool_)
    left = costs.allowed
    while order.size:
        spent = np.cumsum(costs.each[order])
        fitting = int(np.searchsorted(spent, left, side="right"))
        keep[order[:fitting]] = True
        left -= float(spent[fitting - 1]) if fitting else 0.0
        if left <= costs.rest:
            break
        order = order[fitting:]
        order = order[costs.each[order] <= left]
    return keep


def largest(score: Float, costs: Costs) -> Bool:
    """The largest scores that the budget allows, (E,); of equal ones those that come first."""
    return fill(np.argsort(-score, kind="stable"), costs)


def budget_report(
    edges: RecurrentEdges, keep: Bool, budget: PruningBudget, costs: Costs, rates: Float | None
) -> dict[str, Any]:
    """What was asked for, what was met, and recurrent SOPs per step where rates are known."""
    return spent_report(edges, edges.select(keep), budget, costs, rates)


def spent_report(
    before: RecurrentEdges,
    after: RecurrentEdges,
    budget: PruningBudget,
    costs: Costs,
    rates: Float | None,
) -> dict[str, Any]:
    """`budget_report` of any other synapses of the same neurons."""
    report: dict[str, Any] = {budget.amount.name: budget.amount.value}
    report["budget"] = {
        "unit": "SOPs per step" if budget.in_sops else "synapses",
        "allowed": costs.allowed if costs.density is not None else costs.budget,
        "spent": float(costs.neuron[after.pre].sum()),
        "synapses_per_neuron": after.n_edges / max(before.n_neurons, 1),
    }
    if rates is not None and rates.shape == (before.n_neurons,):
        report["sop_before"] = float(rates[before.pre].sum())
        report["sop_after"] = float(rates[after.pre].sum())
    return report
