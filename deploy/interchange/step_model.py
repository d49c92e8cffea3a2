"""What a source framework does in a step, written down: layers, their exact rule, their wiring.

A layer takes x, which is what its connections bring and a constant, and does in each step::

    i = alpha i + input_gain x
    v = beta v + gain i + leak
    z = v > threshold

and then, by its `reset`::

    zero           v = 0 where z
    subtract       v = v - threshold where z
    subtract_next  threshold z of the step before is subtracted in the line of v, after the decay
    subtract_all   v = v - n threshold, n = floor(v / threshold); n spikes are sent in place of z

``hold`` steps after a spike v stays 0 while i goes on. Layers are updated in order, and spikes
reach the layers behind in the same step. What a layer sends is z of `lag` steps before, 0 or 1; a
layer hears its own z of the step before, in either case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.resets import RESETS, Reset

__all__ = ["RESETS", "Connection", "Layer", "Reset", "Rule", "StepModel", "single"]

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rule:
    """The parameters of a layer, (n,) float64 each; see the module for what they do.

    Attributes:
        alpha: share of the current that a step leaves; 0 without a filter.
        input_gain: of x into the current.
        beta: share of the potential that a step leaves.
        gain: of the current into the potential.
        leak: added to the potential in every step.
        threshold: of the potential.
        reset: what a spike does.
        hold: steps after a spike for which v stays 0.
        lag: steps by which what is sent comes later than the crossing.
        spikes: False for a layer that sends its potential.
        origin: potential of the source that is 0 here, (n,).
    """

    alpha: Float
    input_gain: Float
    beta: Float
    gain: Float
    leak: Float
    threshold: Float
    reset: Reset = "zero"
    hold: int = 0
    lag: int = 0
    spikes: bool = True
    origin: Float | None = None


@dataclass(frozen=True, eq=False)
class Layer:
    """Neurons of one node.

    Attributes:
        name: of the node. type: of the node.
        size: number of neurons.
        rule: what they do.
        constant: (n,) part of x that is there in every step, from biases.
    """

    name: str
    type: str
    size: int
    rule: Rule
    constant: Float


@dataclass(frozen=True, eq=False)
class Connection:
    """What one layer or input brings to a layer.

    Attributes:
        pre, post: names.
        weights: (n_post, n_pre).
        delay: further steps, of Delay nodes.
    """

    pre: str
    post: str
    weights: sparse.csr_matrix
    delay: int = 0

    @property
    def recurrent(self) -> bool:
        """Whether a layer hears itself: one step later."""
        return self.pre == self.post

    def offset(self, lag: int) -> int:
        """Steps from a crossing in `pre`, which sends it `lag` later, to where it acts."""
        return self.delay + (1 if self.recurrent else lag)


@dataclass(frozen=True, eq=False)
class StepModel:
    """A network as its source framework runs it.

    Attributes:
        dt: seconds of a step.
        inputs: name and size of every input, in order.
        layers: in the order in which they are updated.
        connections: of inputs and layers with layers.
        outputs: names of the layers that each Output reads.
        folded: what was multiplied out, in words.
    """

    dt: float
    inputs: tuple[tuple[str, int], ...]
    layers: tuple[Layer, ...]
    connections: tuple[Connection, ...]
    outputs: Mapping[str, tuple[str, ...]]
    folded: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Layer]:
        """Layers by their names."""
        return {layer.name: layer for layer in self.layers}

    def layer(self, name: str) -> Layer:
        """The layer of a name."""
        return self.by_name[name]

    def lag(self, name: str) -> int:
        """Steps from a crossing to what is sent; 0 for inputs."""
        return self.by_name[name].rule.lag if name in self.by_name else 0

    @cached_property
    def _by_post(self) -> dict[str, list[Connection]]:
        found: dict[str, list[Connection]] = {name: [] for name in self.by_name}
        for connection in self.connections:
            found[connection.post].append(connection)
        return found

    def into(self, name: str) -> list[Connection]:
        """Connections to a layer."""
        return self._by_post[name]

    @property
    def n_inputs(self) -> int:
        """Number of input channels."""
        return sum(size for _, size in self.inputs)


def single(rule: Rule) -> Rule:
    """The rule of neurons that send at most one spike in a step."""
    return replace(rule, reset="subtract") if rule.reset == "subtract_all" else rule
