"""Shapes of what the nodes of a NIR graph give, from parameters and weights alone.

The shapes of Input and Output in files cannot be trusted: Norse writes a batch axis in front,
sinabs the length of its recording, Rockpool both. What the nodes behind an input need says which
axes are its own; the others are left out.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hrsnn_lava.deploy.interchange.linear_maps import LinearMap, linear_map, pooled_or_convolved
from hrsnn_lava.deploy.interchange.nir_file import WHOLE, NirGraph, Node
from hrsnn_lava.errors import ArtifactError, Problem, raise_if

Shape = tuple[int, ...]
#: Values that all nodes give together: shapes of a few bytes must not ask for memory.
MAX_VALUES = 2**24


@dataclass(frozen=True, eq=False)
class Shapes:
    """Shapes of a graph.

    Attributes:
        of: what each node gives, by name, batch and time axes left out.
        maps: matrix and bias of each node without a state, by name.
        stripped: axes that were left out in front of inputs and outputs, by name.
    """

    of: Mapping[str, Shape]
    maps: Mapping[str, LinearMap]
    stripped: Mapping[str, Shape]

    def size(self, name: str) -> int:
        """Number of values that a node gives."""
        return math.prod(self.of[name])


def own_shape(node: Node) -> Shape | None:
    """The shape that the parameters of a node say; None where they are single numbers, which may be
    those of any layer."""
    if node.type in ("Affine", "Linear"):
        return (int(node.arrays["weight"].shape[0]),)
    shapes = [a.shape for key, a in node.arrays.items() if key not in WHOLE and a.size > 1]
    elementwise = node.has_state or node.type in ("Scale", "Delay")
    if not elementwise:
        return None
    return max(shapes, key=len) if shapes else None


def shapes_of(graph: NirGraph) -> Shapes:
    """The shape of every node, and the matrix of every one without a state.

    Raises:
        ArtifactError: nodes that do not fit each other; all of them.
    """
    before, after, inputs = graph.before, graph.after, {node.name for node in graph.inputs}
    of: dict[str, Shape] = {}
    stripped: dict[str, Shape] = {}
    problems: list[Problem] = []
    for node in graph.inputs:
        of[node.name], stripped[node.name] = _input_shape(graph, node, after, problems)
    for node in graph.nodes.values():
        shape = own_shape(node)
        if shape is not None:
            of[node.name] = shape
        elif node.has_state and not before[node.name]:
            of[node.name] = (1,)
    maps: dict[str, LinearMap] = {}
    todo = deque(graph.nodes.values())
    waited = total = 0
    while todo and waited <= len(todo):
        node = todo.popleft()
        sources = [of[name] for name in before[node.name] if name in of]
        if before[node.name] and not sources:
            todo.append(node)
            waited += 1
            continue
        waited = 0
        if node.name not in inputs and sources:
            _settle(node, sources[0], of, maps, problems)
        total += math.prod(of.get(node.name, ()))
        if total > MAX_VALUES:
            text = f"more than {MAX_VALUES:,} values up to here"
            problems.append(Problem(f"node {node.name!r}", text, "a smaller network"))
            todo.clear()
    for node in graph.nodes.values() if total <= MAX_VALUES else ():
        if node.name not in of and (before[node.name] or after[node.name]):
            text = "its shape follows from nothing: no weights, no parameters before it"
            problems.append(Problem(f"node {node.name!r}", text, "a path from an Input"))
    if not problems:
        problems += _mismatches(graph, before, of, maps)
        for node in graph.outputs:
            if node.name in of:
                stripped[node.name] = _output_axes(node, of[node.name], problems)
    raise_if(ArtifactError, f"{graph.source}: shapes do not fit", problems)
    return Shapes(of, maps, {name: axes for name, axes in stripped.items() if axes})


def _settle(
    node: Node,
    source: Shape,
    of: dict[str, Shape],
    maps: dict[str, LinearMap],
    problems: list[Problem],
) -> None:
    """The shape of a node behind one of shape `source`, and its matrix."""
    if node.has_state:
        of.setdefault(node.name, source)
        return
    if node.name not in of and math.prod(source) > MAX_VALUES:
        return
    try:
        found = linear_map(node, source)
    except ArtifactError as error:
        problems += error.problems
        of.setdefault(node.name, source)
        return
    maps[node.name], of[node.name] = found, found.shape


def _mismatches(
    graph: NirGraph,
    before: Mapping[str, list[str]],
    of: Mapping[str, Shape],
    maps: Mapping[str, LinearMap],
) -> Iterable[Problem]:
    for node in graph.nodes.values():
        wanted = of[node.name] if node.has_state else None
        size = maps[node.name].weights.shape[1] if node.name in maps else None
        for name in before[node.name]:
            given = math.prod(of[name])
            needed = math.prod(wanted) if wanted is not None else size
            if needed is not None and given != needed:
                text = f"{given} values, shape {of[name]}"
                allowed = f"{needed}, as {node.name!r} needs"
                yield Problem(f"edge {name!r} -> {node.name!r}", text, allowed)


def _input_shape(
    graph: NirGraph, node: Node, after: Mapping[str, list[str]], problems: list[Problem]
) -> tuple[Shape, Shape]:
    """The shape of an input, and the axes in front that are none of its own."""
    shape: Shape = tuple(int(n) for n in node.arrays["shape"].reshape(-1))
    needed, rank = _needed(graph, after[node.name], after)
    if rank is not None:
        cut = max(0, len(shape) - rank)
    elif needed is not None:
        # the last one: axes of one value in front are none of its own either
        fits = [k for k in range(len(shape)) if math.prod(shape[k:]) == needed]
        if not fits:
            text = f"shape {shape}"
            allowed = f"{needed} values, as what is behind it needs"
            problems.append(Problem(f"node {node.name!r}.shape", text, allowed))
            return (needed,), ()
        cut = fits[-1]
    else:
        cut = next((k for k in range(len(shape) - 1) if shape[k] != 1), len(shape) - 1)
    if math.prod(shape[cut:]) > MAX_VALUES:
        allowed = f"{MAX_VALUES:,} values at most"
        problems.append(Problem(f"node {node.name!r}.shape", f"{shape}", allowed))
        return (1,), ()
    return shape[cut:], shape[:cut]


def _needed(
    graph: NirGraph, names: list[str], after: Mapping[str, list[str]]
) -> tuple[int | None, int | None]:
    """How many values the nodes behind an input need, or of how many axes."""
    todo, seen = deque(names), set(names)
    while todo:
        node = graph.nodes[todo.popleft()]
        if (axes := pooled_or_convolved(node)) is not None:
            return None, axes
        if node.type in ("Affine", "Linear"):
            return int(node.arrays["weight"].shape[1]), None
        shape = own_shape(node)
        if shape is not None and math.prod(shape) > 1:
            return math.prod(shape), len(shape)
        for name in after[node.name]:
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return None, None


def _output_axes(node: Node, given: Shape, problems: list[Problem]) -> Shape:
    """The axes in front of an output that are none of its own."""
    shape: Shape = tuple(int(n) for n in node.arrays["shape"].reshape(-1))
    size = math.prod(given)
    for k in reversed(range(len(shape))):
        if math.prod(shape[k:]) == size and len(shape) - k >= min(len(given), len(shape)):
            return shape[:k]
    allowed = f"{size} values, as what leads to it gives"
    problems.append(Problem(f"node {node.name!r}.shape", f"shape {shape}", allowed))
    return ()
