"""A NIR file as a plain graph: nodes by name with their arrays, and edges; nothing of it trusted.

The layout is that of ``nir`` 0.2 to 1.0: ``/version`` and ``/node``, a group with ``type``,
``nodes`` and ``edges``; every node is a group with its ``type`` and arrays, and may be a graph of
its own. Such graphs within graphs are made flat, with dotted names; edges to one lead to its
input, edges from one come from its output. The type inference of ``nir`` is not used: it fails on
files of three exporters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.files import PathLike
from hrsnn_lava.deploy.interchange.guarded_hdf5 import Limits, Tree, read_hdf5
from hrsnn_lava.errors import ArtifactError, Problem, raise_if
from hrsnn_lava.fields import locked
from hrsnn_lava.spelling import did_you_mean

Array = NDArray[Any]

#: Arrays that a node of each type must have, and those that it may have.
SCHEMA: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "Input": (("shape",), ()),
    "Output": (("shape",), ()),
    "Affine": (("weight", "bias"), ()),
    "Linear": (("weight",), ()),
    "Scale": (("scale",), ()),
    "Conv1d": (
        ("weight", "stride", "padding", "dilation", "groups", "bias"),
        ("input_shape",),
    ),
    "Conv2d": (
        ("weight", "stride", "padding", "dilation", "groups", "bias"),
        ("input_shape",),
    ),
    "SumPool2d": (("kernel_size", "stride", "padding"), ()),
    "AvgPool2d": (("kernel_size", "stride", "padding"), ()),
    "Flatten": (("start_dim", "end_dim"), ("input_type", "input_shape")),
    "Delay": (("delay",), ()),
    "Threshold": (("threshold",), ()),
    "I": (("r",), ()),
    "IF": (("r", "v_threshold"), ("v_reset",)),
    "LI": (("tau", "r", "v_leak"), ()),
    "LIF": (("tau", "r", "v_leak", "v_threshold"), ("v_reset",)),
    "CubaLI": (("tau_mem", "tau_syn", "r", "v_leak"), ("w_in",)),
    "CubaLIF": (("tau_mem", "tau_syn", "r", "v_leak", "v_threshold"), ("v_reset", "w_in")),
}
#: Types with a state, whose parameters have the shape of the layer.
NEURONS: Final = ("I", "IF", "LI", "LIF", "CubaLI", "CubaLIF", "Threshold")
#: Arrays that hold indices and sizes, not parameters.
WHOLE: Final = (
    "shape",
    "stride",
    "padding",
    "dilation",
    "groups",
    "input_shape",
    "kernel_size",
    "start_dim",
    "end_dim",
    "input_type",
)
TIME_CONSTANTS: Final = ("tau", "tau_mem", "tau_syn")
#: The group of a file with what this program says beside the graph.
HINTS: Final = "hrsnn_lava"
MAX_NODES: Final = 10_000
MAX_EDGES: Final = 1_000_000
MAX_NESTING: Final = 16
#: Parameters beyond this overflow in one step or another; time constants beyond it are none.
_LARGEST: Final = 1e30
_LONGEST_TAU: Final = 1e12


@dataclass(frozen=True)
class Fault(Problem):
    """Something that is wrong with a file.

    Attributes:
        kind: its name in the list of `nir-check`.
    """

    kind: str = "structure"


@dataclass(frozen=True, eq=False)
class Node:
    """A node of a graph.

    Attributes:
        name: with the names of the graphs around it, joined by dots.
        type: of NIR, such as ``LIF``.
        arrays: by name, as they stand in the file: float64 for parameters, int64 for sizes. Texts
            (``padding = "same"``) are arrays of one text.
    """

    name: str
    type: str
    arrays: Mapping[str, Array]

    def parameter(self, name: str, default: float = 0.0) -> Array:
        """One array of numbers, or the default where the file has none."""
        found = self.arrays.get(name)
        return np.asarray(default, dtype=np.float64) if found is None else found

    @property
    def has_state(self) -> bool:
        """Whether it is a neuron."""
        return self.type in NEURONS


@dataclass(frozen=True, eq=False)
class NirGraph:
    """A flat graph.

    Attributes:
        nodes: by name, sorted; those within other graphs have dotted names.
        edges: from, to; sorted, as they come in any order.
        version: of ``nir``, as the file says; "" where it does not.
        inner: inputs and outputs of graphs that were within it: what they get, they pass on.
        source: the file.
        hints: what this program wrote beside the graph, see `nir_hints`; empty for other files.
    """

    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]
    version: str = ""
    inner: frozenset[str] = frozenset()
    source: str = "graph"
    hints: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def before(self) -> dict[str, list[str]]:
        """Names of the nodes with an edge to a node, by its name."""
        before: dict[str, list[str]] = {name: [] for name in self.nodes}
        for a, b in self.edges:
            before[b].append(a)
        return before

    @cached_property
    def after(self) -> dict[str, list[str]]:
        """Names of the nodes that a node has an edge to, by its name."""
        after: dict[str, list[str]] = {name: [] for name in self.nodes}
        for a, b in self.edges:
            after[a].append(b)
        return after

    @cached_property
    def inputs(self) -> list[Node]:
        """Where events come in from outside."""
        return [node for node in self.of_type("Input") if node.name not in self.inner]

    @cached_property
    def outputs(self) -> list[Node]:
        """What is read from outside."""
        return [node for node in self.of_type("Output") if node.name not in self.inner]

    @cached_property
    def neurons(self) -> list[Node]:
        """Nodes with a state."""
        return [node for node in self.nodes.values() if node.has_state]

    def of_type(self, *types: str) -> list[Node]:
        """Nodes of these types."""
        return [node for node in self.nodes.values() if node.type in types]


@dataclass
class Flattening:
    """Nodes and edges of a tree on the way to a flat graph, and what is wrong with it."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    nested: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    problems: list[Fault] = field(default_factory=list)
    n_edges: int = 0


def read_nir(path: PathLike, limits: Limits | None = None) -> NirGraph:
    """The graph of a file.

    Raises:
        ArtifactError: damaged, unsafe, or no NIR graph; with every problem that there is.
    """
    return graph_of(read_hdf5(path, limits), str(path))


def graph_of(tree: Tree, source: str = "graph") -> NirGraph:
    """The graph in the tree of a file, see `guarded_hdf5.read_hdf5`.

    Raises:
        ArtifactError: it is none; with every problem that there is.
    """
    flat = flattened(tree, source)
    problems = [*flat.problems, *edge_problems(flat)]
    for node in flat.nodes.values():
        problems += node_problems(node)
    if not any(node.has_state for node in flat.nodes.values()) and not problems:
        problems.append(Fault("/node/nodes", "no neuron", f"one of {', '.join(NEURONS)}"))
    raise_if(ArtifactError, f"{source}: not a valid NIR graph", problems)
    version = tree.get("version")
    return NirGraph(
        MappingProxyType(dict(sorted(flat.nodes.items()))),
        tuple(sorted(flat.edges)),
        version if isinstance(version, str) else "",
        frozenset(name for ends in flat.nested.values() for side in ends for name in side),
        source,
        hints if isinstance(hints := tree.get(HINTS), Mapping) else {},
    )


def flattened(tree: Tree, source: str = "graph") -> Flattening:
    """Nodes, edges and graphs within graphs, before edges and values are checked.

    Raises:
        ArtifactError: there is no graph in it at all.
    """
    root = tree.get("node")
    if not isinstance(root, Mapping) or "type" not in root:
        present = ", ".join(sorted(tree)) or "nothing"
        problem = Fault("/node", f"no graph; found: {present}", "a group with type, nodes, edges")
        fix = "the program that wrote it may have failed half-way" if "version" in tree else ""
        raise ArtifactError(
            f"{source}: not a NIR file",
            problems=[replace(problem, fix=fix)],
        )
    flat = Flattening()
    if root.get("type") != "NIRGraph":
        text = f"type {root.get('type')!r:.60}"
        flat.problems.append(Fault("/node/type", text, "'NIRGraph'"))
        return flat
    _take_graph(flat, root, "", 0)
    _resolve(flat)
    return flat


def _take_graph(flat: Flattening, group: Mapping[str, Any], prefix: str, depth: int) -> None:
    where = f"graph {prefix!r}" if prefix else "the graph"
    if depth >= MAX_NESTING:
        flat.problems.append(Fault(where, "graphs too deep", f"{MAX_NESTING} within each other"))
        return
    nodes, edges = group.get("nodes"), group.get("edges", [])
    if not isinstance(nodes, Mapping) or not nodes:
        flat.problems.append(Fault(where, "no nodes", "a group with nodes"))
        return
    if len(flat.nodes) + len(nodes) > MAX_NODES:
        count = len(flat.nodes) + len(nodes)
        flat.problems.append(Fault(where, f"{count:,} nodes", f"at most {MAX_NODES:,}"))
        return
    inputs: list[str] = []
    outputs: list[str] = []
    for name, content in nodes.items():
        full = _full(prefix, name)
        kind = content.get("type") if isinstance(content, Mapping) else None
        if full in flat.nodes or full in flat.nested:
            flat.problems.append(Fault(f"node {full!r}", "the name is there twice", "once"))
        elif kind == "NIRGraph":
            flat.nested[full] = ([], [])
            _take_graph(flat, content, full, depth + 1)
        elif isinstance(kind, str) and kind in SCHEMA:
            flat.nodes[full] = _node(flat, full, kind, content)
            inputs += [full] if kind == "Input" else []
            outputs += [full] if kind == "Output" else []
        else:
            near = did_you_mean(kind, SCHEMA) if isinstance(kind, str) else ""
            allowed = f"NIRGraph or one of {', '.join(SCHEMA)}"
            shown = "no type" if kind is None else f"type {kind!r:.60}"
            flat.problems.append(Fault(f"node {full!r}", shown, allowed, near, "unknown_type"))
    if prefix:
        flat.nested[prefix] = (inputs, outputs)
    _take_edges(flat, edges, prefix, where)


def _full(prefix: str, name: str) -> str:
    """The dotted name of a node; exporters that repeat the graph's name are not repeated."""
    return name if not prefix or name.startswith(f"{prefix}.") else f"{prefix}.{name}"


def _node(flat: Flattening, name: str, kind: str, content: Mapping[str, Any]) -> Node:
    needed, optional = SCHEMA[kind]
    arrays: dict[str, Array] = {}
    for key in (*needed, *optional):
        if key not in content:
            if key in needed:
                flat.problems.append(
                    Fault(f"node {name!r}.{key}", "missing", f"every {kind}", "", "missing_array")
                )
            continue
        value = content[key]
        if isinstance(value, Mapping):  # some versions write {"input": shape}
            inner = [item for item in value.values() if isinstance(item, np.ndarray)]
            value = inner[0] if len(inner) == 1 else None
        if isinstance(value, str) and key == "padding" and kind in ("Conv1d", "Conv2d"):
            arrays[key] = np.array(value)
        elif isinstance(value, np.ndarray):
            arrays[key] = _numbers(key, value)
        else:
            measured = f"{type(content[key]).__name__}"
            flat.problems.append(Fault(f"node {name!r}.{key}", measured, "numbers"))
    return Node(name, kind, MappingProxyType(arrays))


def _numbers(key: str, value: Array) -> Array:
    """Sizes as int64 where they are whole, everything else as float64."""
    with np.errstate(invalid="ignore"):  # a signalling NaN, which is not finite as any other
        wide = value.astype(np.float64)
        if key in WHOLE and np.isfinite(wide).all():
            small = bool((np.abs(wide) < 2.0**53).all())
            if small and (value == np.rint(value)).all():
                return locked(value.astype(np.int64))
    return locked(wide)


def _take_edges(flat: Flattening, edges: Any, prefix: str, where: str) -> None:
    pairs = edges if isinstance(edges, list) else []
    if isinstance(edges, np.ndarray) and not edges.size:
        pairs = []
    elif not isinstance(edges, list):
        flat.problems.append(Fault(f"{where}: edges", "not texts", "pairs of names"))
    flat.n_edges += len(pairs)
    if flat.n_edges > MAX_EDGES:
        measured = f"{flat.n_edges:,} edges"
        flat.problems.append(Fault(where, measured, f"at most {MAX_EDGES:,}"))
        return
    for pair in pairs:
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(p, str) for p in pair):
            flat.edges.append((_full(prefix, pair[0]), _full(prefix, pair[1])))
        else:
            flat.problems.append(Fault(f"{where}: edges", f"{pair!r:.60}", "pairs of names"))


def _resolve(flat: Flattening) -> None:
    """Let edges to and from graphs lead to their inputs and come from their outputs."""

    def end(name: str, side: int) -> str:
        while name in flat.nested:
            inner = flat.nested[name][side]
            if len(inner) != 1:
                what = ("inputs", "outputs")[side]
                text = f"{len(inner)} {what}: an edge cannot say which"
                flat.problems.append(Fault(f"graph {name!r}", text, "one"))
                return inner[0] if inner else name
            name = inner[0]
        return name

    flat.edges = [(end(a, 1), end(b, 0)) for a, b in flat.edges]


def edge_problems(flat: Flattening) -> Iterator[Fault]:
    seen: set[tuple[str, str]] = set()
    inner = {name for sides in flat.nested.values() for side in sides for name in side}
    for a, b in flat.edges:
        for name in dict.fromkeys((a, b)):
            if name not in flat.nodes and name not in flat.nested:
                near = did_you_mean(name, flat.nodes)
                yield Fault(
                    f"edge {a!r} -> {b!r}",
                    f"there is no node {name!r}",
                    "a node",
                    near,
                    "dangling_edge",
                )
        if (a, b) in seen:
            fix = "spikes would count twice in some programs; `nir-check --fix` keeps one"
            yield Fault(f"edge {a!r} -> {b!r}", "is there twice", "once", fix, "duplicate_edge")
        seen.add((a, b))
        outer_in, outer_out = flat.nodes.get(b), flat.nodes.get(a)
        if outer_in is not None and outer_in.type == "Input" and b not in inner:
            yield Fault(f"edge {a!r} -> {b!r}", "leads into an Input", "edges from an Input")
        if outer_out is not None and outer_out.type == "Output" and a not in inner:
            yield Fault(f"edge {a!r} -> {b!r}", "leaves an Output", "edges to an Output")


def node_problems(node: Node) -> Iterator[Fault]:
    """Values that no node can have: not finite, not positive, of the wrong shape."""
    for key, values in node.arrays.items():
        where = f"node {node.name!r}.{key}"
        if values.dtype.kind == "U":
            continue
        if key in WHOLE:
            if values.dtype.kind != "i":
                yield Fault(where, f"{values.reshape(-1)[:4]}", "whole numbers")
            elif key in ("shape", "stride", "kernel_size", "dilation", "groups"):
                if not values.size or (values < 1).any() or (values > 2**31).any():
                    yield Fault(where, f"{values.reshape(-1)[:4]}", "whole numbers from 1 on")
            elif key == "padding" and (values < 0).any():
                yield Fault(where, f"{values.reshape(-1)[:4]}", "whole numbers from 0 on")
            continue
        if not values.size:
            yield Fault(where, f"shape {values.shape}", "at least one value", "", "wrong_shape")
            continue
        bad = ~np.isfinite(values) | (np.abs(values) > _LARGEST)
        if key in TIME_CONSTANTS:
            bad |= (values <= 0) | (values > _LONGEST_TAU)
        elif key == "delay":
            bad |= values < 0
        if bad.any():
            allowed = "finite numbers"
            if key in TIME_CONSTANTS:
                allowed = f"above 0, at most {_LONGEST_TAU:g}"
            elif key == "delay":
                allowed = "numbers from 0 on"
            first = values.reshape(-1)[np.flatnonzero(bad.reshape(-1))[0]]
            kind = "out_of_range" if np.isfinite(first) else "not_finite"
            yield Fault(where, f"{first:g} ({int(bad.sum())} in all)", allowed, "", kind)
    yield from _shape_problems(node)


def _shape_problems(node: Node) -> Iterator[Fault]:
    arrays, where = node.arrays, f"node {node.name!r}"
    ranks = {"Affine": 2, "Linear": 2, "Conv1d": 3, "Conv2d": 4}
    if node.type in ranks and "weight" in arrays:
        shape, rank = arrays["weight"].shape, ranks[node.type]
        if len(shape) != rank or 0 in shape:
            yield Fault(
                f"{where}.weight",
                f"shape {shape}",
                f"{rank} dimensions, none empty",
                "",
                "wrong_shape",
            )
        elif "bias" in arrays and arrays["bias"].shape not in ((shape[0],), ()):
            measured = f"shape {arrays['bias'].shape}"
            yield Fault(
                f"{where}.bias",
                measured,
                f"({shape[0]},), as the weight has rows",
                "",
                "wrong_shape",
            )
    if not node.has_state:
        return
    shapes = {key: a.shape for key, a in arrays.items() if key not in WHOLE and a.size != 1}
    if len(set(shapes.values())) > 1:
        text = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
        yield Fault(
            where, f"shapes differ: {text}", "one shape, or single numbers", "", "wrong_shape"
        )
    elif "v_threshold" in arrays:
        reset, threshold = node.parameter("v_reset").ravel(), arrays["v_threshold"].ravel()
        low = np.isfinite(threshold) & np.isfinite(reset) & (threshold <= reset)
        if low.any():
            measured = f"{np.min(threshold):g}, with v_reset {np.max(reset):g}"
            yield Fault(f"{where}.v_threshold", measured, "above v_reset", "", "out_of_range")
