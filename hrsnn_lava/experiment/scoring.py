"""Networks and baselines on a task, one row of a comparison each, and the rates they are held to.

Every pruned network gets what the unpruned one has: bias homeostasis to the unpruned spike counts
and a readout of its own. Only so does a table compare the pruning, not the aftercare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.pruning.budget import BUDGETS
from hrsnn_lava.csr import fan_out
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.metrics.base import Metric
from hrsnn_lava.metrics.heterogeneity import neuron_parameters
from hrsnn_lava.metrics.scores import Scores
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.base import Outcome, Task, Trial
from hrsnn_lava.training.homeostasis import HomeostasisOptions, bias_counter, homeostasis
from hrsnn_lava.training.simulation import simulator_of, spike_counts

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Row = dict[str, Any]
#: Columns that a row has of its own, here, in `with_ratios` and on a pruning curve.
COLUMNS = (
    "name",
    "neurons",
    "synapses",
    "spikes_per_sample",
    "recurrent_sops_per_sample",
    "recurrent_sop_ratio",
    "rate_error",
    "validation",
    "method",
    "budget",
    *BUDGETS,
)


@dataclass(frozen=True, eq=False)
class Arm:
    """One line of the comparison; spikes and recurrent operations are per sample.

    Attributes:
        name: shown in the table.
        outcome: scores by name, and what comes with them.
        neurons, synapses: of the recurrent network; None for a baseline without spikes.
        sops: recurrent synaptic operations, mean over the training runs; None likewise.
        rate_error: sum |count - target| / sum target after homeostasis; None where none was done.

    Raises:
        SpecError: a score is called like a column that is there anyway.
    """

    name: str
    outcome: Outcome
    neurons: int | None = None
    synapses: int | None = None
    sops: float | None = None
    rate_error: float | None = None

    def __post_init__(self) -> None:
        allowed, fix = f"none of {', '.join(COLUMNS)}", "rename the score"
        problems = [
            Problem("score", repr(score.name), allowed, fix)
            for score in self.outcome.scores
            if score.name in COLUMNS
        ]
        raise_if(SpecError, "a score of the task is called like a column of the table", problems)

    @property
    def spikes(self) -> float | None:
        """Mean spikes of the whole network in a sample."""
        each = self.outcome.neuron_spikes
        return None if each is None else float(np.sum(each))

    def row(self) -> Row:
        """Plain values under flat keys, for a table and the journal."""
        return {
            "name": self.name,
            **self.outcome.details,
            **self.outcome.scores.values(),
            "neurons": self.neurons,
            "synapses": self.synapses,
            "spikes_per_sample": self.spikes,
            "recurrent_sops_per_sample": self.sops,
            "rate_error": self.rate_error,
            "validation": self.outcome.validation,
        }


def score_network(
    name: str,
    network: Network | QuantizedNetwork,
    trial: Trial,
    seed: int,
    rate_error: float | None = None,
    metrics: Sequence[Metric] = (),
) -> Arm:
    """Train what is off the chip on a network, float or integer, and score it.

    Args:
        name: of the row.
        network: float or integer.
        trial: what it is scored on.
        seed: of the initial potentials.
        rate_error: see `Arm`.
        metrics: further scores, behind those of the task.
    """
    outcome = trial.evaluate(simulator_of(network), generator(seed, "train"))
    # of integers there are none: a decay is no time constant any more
    parameters = neuron_parameters(network) if isinstance(network, Network) else None
    outcome = replace(outcome, measured={**outcome.measured, "parameters": parameters})
    outcome = with_metrics(outcome, metrics)
    each = recurrent_fan_out(network)
    sops = None if outcome.neuron_spikes is None else float(outcome.neuron_spikes @ each)
    return Arm(name, outcome, network.n_neurons, int(each.sum()), sops, rate_error)


def with_metrics(outcome: Outcome, metrics: Sequence[Metric]) -> Outcome:
    """An outcome with the scores that metrics give of what was measured.

    One that is a score of the task in any case is left as it is; one that is called like another
    column of its table has ``metric_`` before its name. A baseline without spikes has none of them.

    Raises:
        SpecError: a metric cannot be taken of what the task measures of a network.
    """
    headline = outcome.scores.headline
    measured = {"quality": headline, **outcome.measured}
    scores = list(outcome.scores)
    for metric in metrics:
        if metric.key in {score.name for score in scores}:
            continue
        value = None
        if outcome.neuron_spikes is not None:
            try:
                value = metric.measure(measured)
            except SpecError as error:
                text = f"metrics: {metric.key}: {error}"
                raise SpecError(text, problems=()) from None
        score = metric.scored(value)
        if score.name in {*COLUMNS, *outcome.details}:
            score = replace(score, name=f"metric_{score.name}")
        scores.append(score)
    return replace(outcome, scores=Scores(tuple(scores)))


def check_metrics(metrics: Sequence[Metric], task: Task) -> None:
    """Raise `SpecError` for metrics that need what no network on the task is measured for."""
    if task.measures is None:
        return
    there = {"quality", "parameters", *task.measures}
    problems = [
        Problem(
            f"metrics.{k}",
            f"{metric.name!r}, which needs {', '.join(metric.needs)}",
            f"metrics of {', '.join(sorted(there))}",
        )
        for k, metric in enumerate(metrics)
        if not set(metric.needs) <= there
        or (metric.answers_are or task.answers_are) != task.answers_are
    ]
    raise_if(SpecError, f"metrics that the task {task.kind} does not give", problems)


def recurrent_fan_out(network: Network | QuantizedNetwork) -> Floats:
    """Recurrent synapses that a spike of each neuron reaches, (n_neurons,)."""
    recurrent = [
        (p.weights, network.offset(p.pre))
        for p in network.projections
        if p.target == "synapse" and not network.population(p.pre).is_input
    ]
    return fan_out(recurrent, network.n_neurons).astype(np.float64)


def training_counts(network: Network, trial: Trial, seed: int) -> Counts:
    """Spikes of every neuron over the training inputs, (n_neurons,): what homeostasis aims at."""
    return spike_counts(simulator_of(network), trial.lesson, generator(seed, "homeostasis"))


def with_homeostasis(
    network: Network, target: Counts, trial: Trial, passes: int, seed: int
) -> tuple[Network, float]:
    """`network` with its biases moved until its counts meet `target`, and the error that remains.

    Args:
        network: float.
        target: (n_neurons,) spikes over the training inputs.
        trial: has the training inputs.
        passes: over them; 0 only measures.
        seed: of the initial potentials, the same in every pass.
    """
    simulator = simulator_of(network)
    count = bias_counter(simulator, trial.lesson, lambda: generator(seed, "homeostasis"))
    result = homeostasis(count, simulator.bias, target, HomeostasisOptions(passes=passes))
    return network.with_biases(result.bias), result.achieved_error


def accuracy(task: str, scores: Scores, full: Row, pruned: Row, integers: Row) -> dict[str, Any]:
    """The headline of the networks that a report compares at a glance, and all scores in integers.

    Keys are those of the headline, ``_mean`` left out: ``rmse_unpruned``, ``rmse_pruned_float``,
    ``rmse_pruned_integer``, ``rmse_ratio_pruned`` (to unpruned), ``rmse_ratio_integer`` (to pruned
    float); ``integer`` holds every score of the integers by name.

    Args:
        task: its kind.
        scores: of any network: names and order.
        full, pruned, integers: rows of the networks.
    """
    name = scores.headline.name
    stem = name.removesuffix("_mean")
    return {
        "task": task,
        f"{stem}_unpruned": full[name],
        f"{stem}_pruned_float": pruned[name],
        f"{stem}_pruned_integer": integers[name],
        f"{stem}_ratio_pruned": _ratio(pruned[name], full[name]),
        f"{stem}_ratio_integer": _ratio(integers[name], pruned[name]),
        "integer": {score.name: integers[score.name] for score in scores},
    }


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


def with_ratios(rows: Sequence[Row]) -> list[Row]:
    """The rows, each with how many times fewer recurrent operations it takes than the first."""
    base = rows[0]["recurrent_sops_per_sample"]
    return [
        row | {"recurrent_sop_ratio": _ratio(base or None, row["recurrent_sops_per_sample"])}
        for row in rows
    ]
