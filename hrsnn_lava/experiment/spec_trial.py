"""A trial of a spec, for studies: build, balance, train without labels, score.

`figures_of` is the part of a run that comes before pruning and compiling, without its files: the
network of a spec under its task, and its scores by name, with rates beside them, since networks
that fire unalike are not compared by what they compute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hrsnn_lava.compiler.passes.quantize import quantize
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.experiment.preparation import Prepared, prepare
from hrsnn_lava.experiment.scoring import recurrent_fan_out, with_metrics
from hrsnn_lava.metrics.scores import Score
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.seeding import generator
from hrsnn_lava.spec import Spec
from hrsnn_lava.tasks.base import Outcome, Trial
from hrsnn_lava.training.controls import stdp_controls
from hrsnn_lava.training.simulation import observe_if_needed, simulator_of
from hrsnn_lava.training.stdp import STDPOptions, train_stdp

__all__ = [
    "figures_at_speeds",
    "figures_of",
    "figures_with_controls",
    "merged",
    "outcome_figures",
    "scored_figures",
]

Figures = dict[str, float | None]


def merged(base: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a spec with some values replaced, ``{"network.size": 300}``.

    Args:
        base: plain tables; they are not changed.
        settings: values by dotted path; a table replaces a table.

    Raises:
        SpecError: a path goes on behind a value that is no table.
    """
    tables = _copied(base)
    for path, value in settings.items():
        *above, key = path.split(".")
        table = tables
        for part in above:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                measured = f"stands in {part} = {table!r:.40}, which is no table"
                problem = Problem(path, measured, "a path of the spec")
                raise SpecError("a value has no parts", problems=[problem])
        table[key] = _copied(value) if isinstance(value, Mapping) else value
    return tables


def _copied(table: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copied(v) if isinstance(v, Mapping) else v for k, v in table.items()}


def figures_of(spec: Spec, seed: int, integers: bool = False) -> Figures:
    """Scores of a spec's network on its task, in float and, if asked, in integers.

    Args:
        spec: network, balance, STDP and task.
        seed: of all of it, in place of the spec's.
        integers: quantize the network and score it too: names end in ``_integer``.

    Returns:
        The scores by name, ``validation``, ``rate`` (spikes per neuron and step),
        ``spikes_per_sample``, ``sops_per_sample`` (recurrent), ``rate_error`` of the balance.
    """
    return scored_figures(spec, seed, integers)[0]


def scored_figures(spec: Spec, seed: int, integers: bool = False) -> tuple[Figures, Score]:
    """`figures_of` with the headline score of the task, which says what is better."""
    trial = spec.task.trial(seed)
    prepared = _prepared(spec, trial, seed)
    outcome = _outcome(spec, prepared.network, trial, seed)
    figures = outcome_figures(outcome, prepared.network, trial)
    figures["rate_error"] = prepared.rate_error
    if integers:
        figures |= _integer_figures(spec, prepared, trial, seed)
    return figures, outcome.scores.headline


def figures_at_speeds(
    spec: Spec,
    seed: int,
    steps_per_frame: tuple[int, ...],
    *,
    integers: bool = False,
    balance_each: bool = False,
) -> Figures:
    """One network for data of several speeds: the readout is refitted at each, nothing else.

    Args:
        spec: of a classification; the network is balanced and trained at the speed of its task.
        seed: of all of it.
        steps_per_frame: the speeds.
        integers: score the quantized network, too.
        balance_each: balance the rates at every speed by itself, to compare at equal spikes.

    Returns:
        The mean over speeds of every score and of ``validation``, each by itself as
        ``NAME_at_STEPS``, and the accuracy at the worst speed; rates likewise.
    """
    trial, each = spec.task.trial(seed), []
    prepared = _prepared(spec, trial, seed)
    for steps in steps_per_frame:
        shown = trial if steps == spec.task.steps_per_frame else _at(spec, steps).trial(seed)
        if balance_each:
            prepared = _prepared(spec, shown, seed)
        network = prepared.network
        figures = outcome_figures(_outcome(spec, network, shown, seed), network, shown)
        if integers:
            figures |= _integer_figures(spec, prepared, shown, seed)
        each.append(figures)
    result: Figures = {"rate_error": prepared.rate_error}
    for name in each[0]:
        values = [np.nan if figures[name] is None else figures[name] for figures in each]
        result[name] = _number(np.mean(np.array(values, dtype=float)))
        for steps, figures in zip(steps_per_frame, each, strict=True):
            result[f"{name}_at_{steps}"] = figures[name]
    result["accuracy_worst"] = min(figures["accuracy"] or 0.0 for figures in each)
    return result


def figures_with_controls(spec: Spec, seed: int, samples: int | None, tuning: bool) -> Figures:
    """A network that learns by STDP, and the rows without which its figures say nothing.

    Rates are balanced before it learns, and those of the controls as
    `hrsnn_lava.training.controls` says.

    Args:
        spec: with ``[balance]`` and ``[stdp]``.
        seed: of all of it.
        samples: of the training part that STDP is shown, without their labels; None: all.
        tuning: leave the controls out.

    Returns:
        Figures of the network after STDP, at the rates that came of it, and of every row of
        `ROWS` but that, under ``ROW/``.
    """
    if spec.surrogate is not None:
        raise SpecError("surrogate: a table; allowed: none, since the study is about STDP alone")
    trial = spec.task.trial(seed)
    network = prepare(_with_passes(spec, 0), trial, seed).network
    lesson = trial.lesson
    if samples is not None and lesson.starts is not None:
        lesson = lesson.samples(0, min(samples, lesson.starts.size))
    if spec.stdp is None:
        raise SpecError("stdp: none; allowed: a table, since the study is about it")
    options = STDPOptions(
        steps_per_sample=lesson.block,
        epochs=max(spec.stdp.train_passes, 1),
        schedule=spec.stdp.schedule,
    )
    if tuning:
        trained = train_stdp(network, lesson, replace(options, freeze=True), seed=seed).network
        return outcome_figures(_outcome(spec, trained, trial, seed), trained, trial)
    controls = stdp_controls(network, lesson, options, seed=seed)
    figures: Figures = {}
    for name, row in controls.rows.items():
        of_row = outcome_figures(_outcome(spec, row.network, trial, seed), row.network, trial)
        of_row["rate_error"] = row.rate_error
        start = "" if name == "stdp" else f"{name}/"
        figures |= {f"{start}{key}": value for key, value in of_row.items()}
    return figures


def _prepared(spec: Spec, trial: Trial, seed: int) -> Prepared:
    """The network; nothing is pruned here, so gradients train it whatever their stage."""
    if spec.surrogate is not None:
        table = replace(spec.surrogate, stage="before_pruning")
        spec = spec.model_copy(update={"surrogate": table})
    return prepare(spec, trial, seed)


def _with_passes(spec: Spec, passes: int) -> Spec:
    """The spec with another number of passes of float STDP; its rules stay."""
    if spec.stdp is None:
        return spec
    table = replace(spec.stdp, train_passes=passes, on_chip=spec.stdp.on_chip or not passes)
    return spec.model_copy(update={"stdp": table})


def _at(spec: Spec, steps: int) -> Any:
    """The task at another speed; a silence stays as many frames as it was."""
    task = spec.task
    silence = task.silence_steps // task.steps_per_frame * steps
    return replace(task, steps_per_frame=steps, silence_steps=silence)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def outcome_figures(
    outcome: Outcome, network: Network | QuantizedNetwork, trial: Trial, ending: str = ""
) -> Figures:
    """Scores of an outcome, its validation loss, and what the network fired for it."""
    figures: Figures = {f"{s.name}{ending}": s.value for s in outcome.scores}
    figures[f"validation{ending}"] = outcome.validation
    if outcome.neuron_spikes is not None:
        spikes = outcome.neuron_spikes
        figures[f"spikes_per_sample{ending}"] = float(spikes.sum())
        figures[f"rate{ending}"] = float(spikes.mean()) / trial.steps_per_sample
        sops = float(spikes @ recurrent_fan_out(network))
        figures[f"sops_per_sample{ending}"] = sops
    return figures


def _outcome(spec: Spec, network: Network | QuantizedNetwork, trial: Trial, seed: int) -> Outcome:
    return with_metrics(
        trial.evaluate(simulator_of(network), generator(seed, "train")), spec.metrics
    )


def _integer_figures(spec: Spec, prepared: Prepared, trial: Trial, seed: int) -> Figures:
    step, lesson = spec.quantize_pass(), trial.lesson
    observed = observe_if_needed(step, prepared.network, (lesson.inputs, lesson.block))
    network, _ = quantize(prepared.network, step, observed)
    return outcome_figures(_outcome(spec, network, trial, seed), network, trial, "_integer")
