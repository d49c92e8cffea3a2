"""From a NIR graph to layers and connections: everything between neurons is multiplied out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.deploy.interchange.linear_maps import MAX_WEIGHTS
from hrsnn_lava.deploy.interchange.nir_file import NirGraph, Node
from hrsnn_lava.deploy.interchange.shapes import Shapes, shapes_of
from hrsnn_lava.deploy.interchange.step_model import Connection, Layer, Rule, StepModel
from hrsnn_lava.errors import ArtifactError, Problem, raise_if

Float = NDArray[np.float64]
#: Names and matrices by source and delay in steps.
Terms = dict[tuple[str, int], sparse.csr_matrix]
#: A delay may be off a whole number of steps by so much of one, as files hold 32 bits.
_WHOLE = 1e-3
_MAX_NAMED = 6
_MAX_DELAYS = 1024
#: Steps of a delay.
_LONGEST = 2**16


@dataclass(frozen=True, eq=False)
class Drive:
    """What a node without a state gives: a matrix for each source and delay, and a constant."""

    terms: Terms
    constant: Float


@dataclass(frozen=True, eq=False)
class NeuronPlace:
    """What the rule of a neuron may depend on.

    Attributes:
        node: with its parameters.
        size: number of neurons.
        recurrent: whether its own spikes come back to it through a connection.
    """

    node: Node
    size: int
    recurrent: bool

    def values(self, name: str, default: float = 0.0) -> Float:
        """One parameter, (size,)."""
        flat = self.node.parameter(name, default).reshape(-1).astype(np.float64)
        full: Float = np.broadcast_to(flat, (self.size,)).copy()
        return full


def step_model(
    graph: NirGraph, rule: Callable[[NeuronPlace], Rule], dt: float, file_step: float
) -> StepModel:
    """Layers and connections of a graph.

    Args:
        graph: of the file.
        rule: of each neuron.
        dt: seconds of a step. file_step: the same in the unit of the file.

    Raises:
        ArtifactError: shapes that do not fit, a circle without a neuron, a circle of layers
            without a delay, delays that are no whole steps.
    """
    shapes = shapes_of(graph)
    before = graph.before
    drives = _drives(graph, shapes, before, file_step)
    connections: list[Connection] = []
    layers: list[Layer] = []
    problems: list[Problem] = []
    for node in graph.neurons:
        drive = _summed(graph, shapes, before[node.name], drives, shapes.size(node.name))
        own = [
            Connection(pre, node.name, weights, delay)
            for (pre, delay), weights in sorted(drive.terms.items(), key=lambda item: item[0])
        ]
        connections += own
        place = NeuronPlace(node, shapes.size(node.name), any(c.recurrent for c in own))
        try:
            found = rule(place)
        except ArtifactError as error:
            problems += error.problems
            continue
        layers.append(Layer(node.name, node.type, place.size, found, drive.constant))
    raise_if(ArtifactError, f"{graph.source}: cannot be imported", problems)
    return StepModel(
        dt,
        tuple((node.name, shapes.size(node.name)) for node in graph.inputs),
        _in_order(graph, layers, connections),
        tuple(connections),
        {node.name: _read_by(graph, node, before) for node in graph.outputs},
        tuple(_folded(graph, shapes)),
    )


def _drives(
    graph: NirGraph, shapes: Shapes, before: Mapping[str, list[str]], file_step: float
) -> dict[str, Drive]:
    """What every node without a state gives, in the order of the graph."""
    drives: dict[str, Drive] = {}
    plain = {n for n, node in graph.nodes.items() if not node.has_state and n in shapes.maps}
    waiting = {name: sum(b in plain for b in before[name]) for name in plain}
    ready = deque(sorted(name for name, count in waiting.items() if not count))
    after: dict[str, list[str]] = {name: [] for name in plain}
    for name in plain:
        for b in before[name]:
            if b in plain:
                after[b].append(name)
    while ready:
        name = ready.popleft()
        drives[name] = _through(graph, shapes, before[name], drives, name, file_step)
        for behind in after[name]:
            waiting[behind] -= 1
            if not waiting[behind]:
                ready.append(behind)
    if left := sorted(plain - set(drives)):
        text = f"a circle without a neuron: {', '.join(left[:_MAX_NAMED])}"
        problem = Problem("edges", text, "circles through a neuron, which has a state")
        raise ArtifactError(f"{graph.source}: not a valid NIR graph", problems=[problem])
    return drives


def _summed(
    graph: NirGraph,
    shapes: Shapes,
    sources: Iterable[str],
    drives: Mapping[str, Drive],
    size: int,
) -> Drive:
    """What several nodes bring together."""
    terms: Terms = {}
    constant = np.zeros(size)
    for name in sources:
        node = graph.nodes[name]
        if node.has_state or node.name not in drives:
            key = (name, 0)
            one = sparse.identity(shapes.size(name), format="csr")
            terms[key] = terms[key] + one if key in terms else one
            continue
        for key, matrix in drives[name].terms.items():
            terms[key] = terms[key] + matrix if key in terms else matrix
        constant = constant + drives[name].constant
    return Drive(terms, constant)


def _through(
    graph: NirGraph,
    shapes: Shapes,
    sources: Iterable[str],
    drives: Mapping[str, Drive],
    name: str,
    file_step: float,
) -> Drive:
    """What a node without a state makes of what comes to it."""
    of_node = shapes.maps[name]
    came = _summed(graph, shapes, sources, drives, of_node.weights.shape[1])
    constant = of_node.weights @ came.constant + of_node.bias
    if of_node.delay is None:
        terms = {key: _product(name, of_node.weights, m) for key, m in came.terms.items()}
        return Drive(terms, constant)
    steps = _steps(name, of_node.delay, file_step)
    if (late := (steps > 0) & (came.constant != 0)).any():
        text = f"delays a bias ({int(late.sum())} values)"
        problem = Problem(f"node {name!r}", text, "biases behind the Delay")
        raise ArtifactError(f"{graph.source}: cannot be imported", problems=[problem])
    if (count := np.unique(steps).size) > _MAX_DELAYS:
        problem = Problem(f"node {name!r}", f"{count:,} different delays", f"{_MAX_DELAYS:,}")
        raise ArtifactError(f"{graph.source}: cannot be imported", problems=[problem])
    terms = {}
    for (source, before), matrix in came.terms.items():
        for step in np.unique(steps):
            rows = sparse.diags((steps == step).astype(np.float64), format="csr")
            part = (rows @ matrix).tocsr()
            part.eliminate_zeros()
            if part.nnz:
                key = (source, before + int(step))
                terms[key] = terms[key] + part if key in terms else part
    return Drive(terms, constant)


def _product(name: str, first: sparse.csr_matrix, second: sparse.csr_matrix) -> sparse.csr_matrix:
    """Two matrices one after the other; two thin ones can make one of any size.

    Raises:
        ArtifactError: of more weights than `MAX_WEIGHTS`.
    """
    rows = np.bincount(first.indices, minlength=first.shape[1])
    count = int(rows.astype(np.int64) @ np.diff(second.indptr).astype(np.int64))
    if count > MAX_WEIGHTS and first.shape[0] * second.shape[1] > MAX_WEIGHTS:
        text = f"up to {count:,} weights when multiplied out"
        problem = Problem(f"node {name!r}", text, f"{MAX_WEIGHTS:,}")
        raise ArtifactError("a chain of weights is too large", problems=[problem])
    return (first @ second).tocsr()


def _steps(name: str, delay: Float, file_step: float) -> NDArray[np.int64]:
    """Delays in steps."""
    exact = delay / file_step
    whole = np.rint(exact)
    wrong = (np.abs(exact - whole) > _WHOLE * np.maximum(1.0, whole)) | (whole > _LONGEST)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        text = f"{delay[first]:g}, which is {exact[first]:g} steps of {file_step:g}"
        problem = Problem(f"node {name!r}.delay", text, "a whole number of steps")
        raise ArtifactError("delays do not fit the step", problems=[problem])
    steps: NDArray[np.int64] = whole.astype(np.int64)
    return steps


def _in_order(
    graph: NirGraph, layers: list[Layer], connections: list[Connection]
) -> tuple[Layer, ...]:
    """Layers in the order of their updates: each behind those that it hears in the same step."""
    by_name = {layer.name: layer for layer in layers}
    hears: dict[str, set[str]] = {layer.name: set() for layer in layers}
    heard: dict[str, set[str]] = {layer.name: set() for layer in layers}
    for c in connections:
        if c.pre in by_name and not c.recurrent and not c.delay:
            hears[c.post].add(c.pre)
            heard[c.pre].add(c.post)
    ready = deque(name for name in hears if not hears[name])
    order: list[Layer] = []
    while ready:
        name = ready.popleft()
        order.append(by_name[name])
        for behind in sorted(heard[name]):
            hears[behind].discard(name)
            if not hears[behind]:
                ready.append(behind)
    if len(order) < len(layers):
        loop = _loop({name: before for name, before in hears.items() if before})
        text = f"a circle of layers without a Delay: {' -> '.join(loop)}"
        fix = "in which order they are updated, no file says, and programs differ"
        problem = Problem("edges", text, "feedback within a layer, or with a Delay", fix)
        raise ArtifactError(f"{graph.source}: cannot be imported", problems=[problem])
    return tuple(order)


def _loop(hears: Mapping[str, set[str]]) -> list[str]:
    """The names along one circle, the first one twice."""
    name = min(hears)
    path: dict[str, None] = {}
    while name not in path:
        path[name] = None
        name = min(hears[name])
    names = list(path)
    return [*names[names.index(name) :], name][::-1]


def _read_by(graph: NirGraph, output: Node, before: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Layers that an Output reads; it must read them as they are.

    Raises:
        ArtifactError: a node changes what it reads.
    """
    read: list[str] = []
    inputs = {node.name for node in graph.inputs}
    todo = deque(before[output.name])
    seen: set[str] = set()
    while todo:
        name = todo.popleft()
        node = graph.nodes[name]
        if name in seen:
            continue
        seen.add(name)
        if node.has_state:
            read.append(name)
        elif name in inputs:
            raise _unread(graph, output, f"the input {name!r} itself", "a layer of neurons")
        elif node.type in ("Flatten", "Output", "Input"):
            todo += before[name]
        else:
            text = f"what the {node.type} {name!r} makes of spikes"
            raise _unread(graph, output, text, "spikes of a layer of neurons")
    return tuple(read)


def _unread(graph: NirGraph, output: Node, measured: str, allowed: str) -> ArtifactError:
    fix = "a readout without neurons is no part of a spiking network: leave it out of the file"
    problem = Problem(f"node {output.name!r}", measured, allowed, fix)
    return ArtifactError(f"{graph.source}: cannot be imported", problems=[problem])


def _folded(graph: NirGraph, shapes: Shapes) -> Iterable[str]:
    """What was multiplied out, in words."""
    kinds: dict[str, list[str]] = {}
    for node in graph.nodes.values():
        if node.name in shapes.maps and node.type not in ("Input", "Output"):
            kinds.setdefault(node.type, []).append(node.name)
    for kind, names in sorted(kinds.items()):
        more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
        yield f"{kind} {', '.join(names[:_MAX_NAMED])}{more}: into the weights"
    for name, axes in sorted(shapes.stripped.items()):
        shape = tuple(int(n) for n in graph.nodes[name].arrays["shape"].reshape(-1))
        yield f"{name}: shape {shape} without {axes}, an axis of a batch or of time"
