"""Why a layer of a source does not do what its rule says: the terms of one step, and what if.

The layer alone is run on what the recording says that came in, its own spikes included, so that
nothing before it counts. What then differs is in its own rule: each term of it is changed in turn,
and the change after which most spikes agree names the term. Where layers before it were not
recorded, the whole network is run, and every layer changed alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.deploy.interchange.source_run import run_model
from hrsnn_lava.deploy.interchange.step_model import (
    Layer,
    Reset,
    Rule,
    StepModel,
)

Array = NDArray[Any]
_OWN = "\0own spikes"


@dataclass(frozen=True)
class Cause:
    """What a layer does differently.

    Attributes:
        term: input, recurrence, bias, decay or reset; "" where no single change explains it.
        change: in words.
        before, after: differing spikes without and with the change.
    """

    term: str
    change: str
    before: int
    after: int

    def __str__(self) -> str:
        if not self.term:
            return f"no single term explains it ({self.before} spikes differ)"
        counts = f"{self.before} spikes differ by the rule, {self.after} so"
        return f"{self.term}: in the source {self.change} ({counts})"


@dataclass(frozen=True, eq=False)
class Suspect:
    """A layer with all that comes to it.

    Attributes:
        name: of the layer.
        model: of the layer alone, its own spikes an input; of the whole network where not all that
            comes to it was recorded.
        inputs: (T, n) of that model.
        sent: (T, n) spikes of the source.
    """

    name: str
    model: StepModel
    inputs: Array
    sent: Array

    @property
    def layer(self) -> Layer:
        """The layer."""
        return self.model.layer(self.name)

    def differing(self, model: StepModel | None = None) -> int:
        """Spikes in which the layer, by its rule or by others, differs from the source."""
        run = run_model(model or self.model, self.inputs, np.float64)
        return int((run.sent[self.name] != self.sent).sum())


def suspect(model: StepModel, name: str, inputs: Array, recorded: Mapping[str, Array]) -> Suspect:
    """A layer of a model, alone where all that comes to it is known.

    Args:
        model: of the network. name: of the layer.
        inputs: (T, n_inputs) of the model.
        recorded: (T, n) spikes by layer; those of `name` are there.
    """
    known = dict(recorded)
    start = 0
    for pre, size in model.inputs:
        known[pre] = inputs[:, start : start + size]
        start += size
    if any(c.pre not in known for c in model.into(name)):
        return Suspect(name, model, inputs, recorded[name])
    connections, own = [], {}
    for c in model.into(name):
        if c.recurrent:
            own[_OWN] = known[name]
            # what it sends `lag` later comes back a step after the crossing
            lag = model.layer(name).rule.lag
            connections.append(replace(c, pre=_OWN, delay=c.delay + 1 - lag))
        else:
            own[c.pre] = known[c.pre]
            connections.append(c)
    sizes = tuple((pre, int(array.shape[1])) for pre, array in own.items())
    given = np.hstack([*own.values()]) if own else np.zeros((inputs.shape[0], 0))
    part = StepModel(model.dt, sizes, (model.layer(name),), tuple(connections), {})
    return Suspect(name, part, given, recorded[name])


def cause(of: Suspect) -> Cause:
    """The single change of the rule after which most spikes agree."""
    base = of.differing()
    best = Cause("", "", base, base)
    for term, change, model in _changes(of.model):
        left = of.differing(model)
        if left < best.after and 2 * left <= base:
            best = Cause(term, change, base, left)
    return best


def _changes(model: StepModel) -> Iterator[tuple[str, str, StepModel]]:
    """Models in which one term is another: its name, the change in words, the model."""
    for (term, change), vary in _CHANGES.items():
        layers = tuple(vary(layer) for layer in model.layers)
        yield term, change, replace(model, layers=layers)
    for term, change, moved in (
        ("recurrence", "there is none", None),
        ("recurrence", "it acts one step later", 1),
        ("input", "it acts one step later", 1),
    ):
        connections = []
        for c in model.connections:
            if (c.recurrent or c.pre == _OWN) != (term == "recurrence"):
                connections.append(c)
            elif moved is not None:
                connections.append(replace(c, delay=c.delay + moved))
        yield term, change, replace(model, connections=tuple(connections))


def _ruled(change: Callable[[Rule], Rule]) -> Callable[[Layer], Layer]:
    return lambda layer: replace(layer, rule=change(layer.rule))


def _reset(reset: Reset, **others: Any) -> Callable[[Layer], Layer]:
    return _ruled(lambda rule: replace(rule, reset=reset, **others))


def _decay(share: Callable[[Array], Array], gain: bool) -> Callable[[Layer], Layer]:
    """Another share for the one that a step leaves, with the gain of the current or without."""

    def change(rule: Rule) -> Rule:
        inside = (rule.beta > 0) & (rule.beta < 1)
        beta = share(np.where(inside, rule.beta, 0.5))
        beta = np.where(inside & (beta >= 0), beta, rule.beta)
        scale = np.where(inside, (1.0 - beta) / np.where(inside, 1.0 - rule.beta, 1.0), 1.0)
        return replace(rule, beta=beta, gain=rule.gain * scale if gain else rule.gain)

    return _ruled(change)


def _exponential(beta: Array) -> Array:
    share: Array = np.exp(beta - 1.0)
    return share


def _linear(beta: Array) -> Array:
    share: Array = 1.0 + np.log(beta)
    return share


def _slower(factor: float) -> Callable[[Array], Array]:
    return lambda beta: 1.0 - factor * (1.0 - beta)


def _without_bias(layer: Layer) -> Layer:
    return replace(layer, constant=np.zeros(layer.size))


def _unfiltered_bias(layer: Layer) -> Layer:
    rule = layer.rule
    past = layer.constant * rule.input_gain * rule.gain / (1.0 - rule.alpha)
    return replace(_without_bias(layer), rule=replace(rule, leak=rule.leak + past))


def _whole(rule: Rule) -> Rule:
    return replace(rule, gain=np.ones_like(rule.gain))


def _share(rule: Rule) -> Rule:
    return replace(rule, gain=np.where(rule.beta < 1, 1.0 - rule.beta, rule.gain))


def _whole_current(rule: Rule) -> Rule:
    return replace(rule, input_gain=np.ones_like(rule.input_gain))


#: What may be otherwise, by term and in words.
_CHANGES: dict[tuple[str, str], Callable[[Layer], Layer]] = {
    ("reset", "v goes to zero"): _reset("zero", hold=0),
    ("reset", "v goes to zero and stays there for a step"): _reset("zero", hold=1),
    ("reset", "the threshold is subtracted at once"): _reset("subtract", hold=0),
    ("reset", "the threshold is subtracted one step later, after the decay"): _reset(
        "subtract_next", hold=0
    ),
    ("reset", "several spikes are sent in a step, and subtracted"): _reset("subtract_all", hold=0),
    ("reset", "a spike is sent one step after the crossing"): _ruled(
        lambda rule: replace(rule, lag=1, reset="subtract_next")
    ),
    ("bias", "there is none"): _without_bias,
    ("bias", "it does not pass the synaptic filter"): _unfiltered_bias,
    ("decay", "a step leaves exp(-dt / tau), not 1 - dt / tau"): _decay(_exponential, True),
    ("decay", "a step leaves exp(-dt / tau), with the gain of 1 - dt / tau"): _decay(
        _exponential, False
    ),
    ("decay", "a step leaves 1 - dt / tau, not exp(-dt / tau)"): _decay(_linear, True),
    ("input", "its gain is 1"): _ruled(_whole),
    ("input", "its gain is 1 - beta"): _ruled(_share),
    ("input", "it goes whole into the current"): _ruled(_whole_current),
}
for _factor in (1e-3, 1e-2, 0.1, 0.5, 2.0, 10.0, 100.0, 1e3):
    _CHANGES["decay", f"a step is {_factor:g} times as long"] = _decay(_slower(_factor), True)


def terms(of: Suspect, step: int, neuron: int) -> dict[str, float]:
    """What made up the potential of a neuron in a step, by the rule: the terms of its line."""
    run = run_model(of.model, of.inputs, np.float64, states=True)
    assert run.v is not None
    assert run.i is not None
    layer, rule = of.layer, of.layer.rule
    v, i = run.v[layer.name], run.i[layer.name]
    old_v, old_i = (array[step - 1, neuron] if step else 0.0 for array in (v, i))
    per_x = float(rule.gain[neuron] * rule.input_gain[neuron])
    brought = {"input": 0.0, "recurrence": 0.0}
    start = {}
    at = 0
    for name, size in of.model.inputs:
        start[name] = (at, at + size)
        at += size
    for c in of.model.into(of.name):
        at = step - c.delay - (1 - rule.lag if c.recurrent else 0)
        if at >= 0:
            low, high = start.get(c.pre, (0, 0))
            sent = of.inputs[at, low:high] if c.pre in start else run.sent[c.pre][at]
            value = float(c.weights.getrow(neuron).toarray().reshape(-1) @ sent)
            own = c.recurrent or c.pre == _OWN
            brought["recurrence" if own else "input"] += per_x * value
    return {
        "decayed potential": float(rule.beta[neuron] * old_v),
        "decayed current": float(rule.gain[neuron] * rule.alpha[neuron] * old_i),
        **brought,
        "bias": per_x * float(layer.constant[neuron]) + float(rule.leak[neuron]),
        "threshold": float(rule.threshold[neuron]),
    }
