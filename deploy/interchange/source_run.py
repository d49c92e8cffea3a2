"""A run of a network as its source framework runs it, step by step in NumPy.

It is the oracle of every import: `step_model` says what is done, and this does it, plainly. In
float32 it gives the spikes that the frameworks recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hrsnn_lava.deploy.interchange.dialect import Choice, chosen
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Layer, StepModel
from hrsnn_lava.deploy.interchange.wiring import step_model
from hrsnn_lava.errors import Problem, SpecError

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class SourceRun:
    """What a run gave.

    Attributes:
        sent: (T, n) by layer: spikes, how many, in each step; potentials of layers without spikes.
        v, i: (T, n) by layer: potential and current after every step; None where not asked for.
    """

    sent: Mapping[str, Array]
    v: Mapping[str, Array] | None = None
    i: Mapping[str, Array] | None = None

    def most(self) -> dict[str, int]:
        """The most spikes that a neuron of each layer sends in a step."""
        return {name: int(sent.max(initial=0)) for name, sent in self.sent.items()}


def source_model(graph: NirGraph, choice: Choice) -> StepModel:
    """What the source framework of a file does, by the rule of its dialect.

    Raises:
        ArtifactError: the graph cannot be brought into layers and connections.
    """
    dialect, setting = choice.dialect, choice.setting
    return step_model(
        dialect.rewired(graph),
        lambda place: dialect.rule(place, setting),
        setting.dt,
        setting.step,
    )


def source_run(
    graph: NirGraph,
    inputs: Array,
    *,
    dialect: str = "auto",
    dt: float | None = None,
    reset: str | None = None,
    dtype: DTypeLike = np.float32,
) -> SourceRun:
    """Run a graph on inputs (T, n_inputs) as its source framework does.

    Raises:
        SpecError: dialect, dt, reset or inputs do not fit.
    """
    return run_model(source_model(graph, chosen(graph, dialect, dt, reset)), inputs, dtype)


@dataclass
class _State:
    """State of a layer, and its parameters in the type of the run."""

    layer: Layer
    dtype: Any
    v: Array = field(init=False)
    i: Array = field(init=False)
    crossed: Array = field(init=False)
    held: Array = field(init=False)

    def __post_init__(self) -> None:
        n, rule = self.layer.size, self.layer.rule
        self.v, self.i, self.crossed = (np.zeros(n, dtype=self.dtype) for _ in range(3))
        self.held = np.zeros(n, dtype=np.int64)
        names = ("alpha", "input_gain", "beta", "gain", "leak", "threshold")
        self.of = {name: getattr(rule, name).astype(self.dtype) for name in names}
        self.constant = self.layer.constant.astype(self.dtype)

    def step(self, x: Array) -> Array:
        """One step on what came in; what crosses, (n,)."""
        of, rule = self.of, self.layer.rule
        self.i = of["alpha"] * self.i + of["input_gain"] * x
        v = of["beta"] * self.v + of["gain"] * self.i + of["leak"]
        if rule.reset == "subtract_next":
            v = v - of["threshold"] * self.crossed
        v = np.where(self.held > 0, v.dtype.type(0), v)
        self.held = np.maximum(self.held - 1, 0)
        if not rule.spikes:
            self.v = v
            return v
        if rule.reset == "subtract_all":
            # the quotient that floor sees, not the comparison, is the rule
            n = np.where(v > 0, np.floor(v / of["threshold"]), v.dtype.type(0))
        else:
            n = (v > of["threshold"]).astype(v.dtype)
        if rule.reset == "zero":
            v = np.where(n > 0, v.dtype.type(0), v)
        elif rule.reset in ("subtract", "subtract_all"):
            v = v - n * of["threshold"]
        self.held = np.where(n > 0, rule.hold, self.held)
        self.v, self.crossed = v, n
        return n


def run_model(
    model: StepModel, inputs: Array, dtype: DTypeLike = np.float32, *, states: bool = False
) -> SourceRun:
    """Run `model` from rest on inputs (T, n_inputs), the inputs of the model side by side.

    Args:
        model: see `step_model`.
        inputs: spikes, how many, or any values.
        dtype: float32, as the frameworks have, or float64.
        states: whether to keep potentials and currents.

    Raises:
        SpecError: inputs of another shape.
    """
    given = np.asarray(inputs)
    if given.ndim != 2 or given.shape[1] != model.n_inputs or given.dtype.kind not in "fiub":
        measured = f"{given.dtype.name}, shape {given.shape}"
        raise SpecError(str(Problem("inputs", measured, f"numbers (steps, {model.n_inputs})")))
    kind = np.dtype(dtype)
    steps = given.shape[0]
    sent: dict[str, Array] = {}
    start = 0
    for name, size in model.inputs:
        sent[name] = given[:, start : start + size].astype(kind)
        start += size
    layers = {layer.name: _State(layer, kind) for layer in model.layers}
    for layer in model.layers:
        sent[layer.name] = np.zeros((steps, layer.size), dtype=kind)
    into = {name: tuple(model.into(name)) for name in layers}
    weights = {id(c): c.weights.astype(kind) for c in model.connections}
    kept: tuple[dict[str, Array], ...] = ()
    if states:
        kept = tuple(
            {n: np.zeros((steps, s.layer.size), dtype=kind) for n, s in layers.items()}
            for _ in range(2)
        )
    for t in range(steps):
        for name, state in layers.items():
            lag = state.layer.rule.lag
            if lag:  # what it sends is known before it is updated
                sent[name][t] = state.crossed
            x = state.constant
            for c in into[name]:
                at = t - c.delay - (1 - lag if c.recurrent else 0)
                if at >= 0:
                    x = x + weights[id(c)] @ sent[c.pre][at]
            now = state.step(x)
            if not lag:
                sent[name][t] = now
            for values, array in zip(kept, (state.v, state.i), strict=False):
                values[name][t] = array
    return SourceRun({n: sent[n] for n in layers}, *(kept or (None, None)))


def counts_of(run: SourceRun, names: Iterable[str]) -> dict[str, int]:
    """Spikes of each layer in a run."""
    return {name: int(run.sent[name].sum()) for name in names}
