"""What is wrong with a NIR file, or may be, and a repaired copy where a repair is certain."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from hrsnn_lava import registry
from hrsnn_lava.artifacts.files import PathLike, atomic_write
from hrsnn_lava.deploy.interchange.dialect import recognized
from hrsnn_lava.deploy.interchange.guarded_hdf5 import Tree, read_hdf5
from hrsnn_lava.deploy.interchange.nir_file import (
    SCHEMA,
    TIME_CONSTANTS,
    WHOLE,
    NirGraph,
    Node,
    edge_problems,
    flattened,
    graph_of,
    node_problems,
)
from hrsnn_lava.deploy.interchange.shapes import Shapes, shapes_of
from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.findings import Finding, worst_first

#: Every finding: what it says, and whether `repaired` mends it.
FINDINGS: Final[Mapping[str, tuple[str, bool]]] = {
    "unsafe": ("the file is damaged, or asks for what no file may", False),
    "not_nir": ("HDF5, but no NIR graph", False),
    "structure": ("nodes or edges that make no graph", False),
    "unknown_type": ("a node of a type that NIR does not have", False),
    "missing_array": ("a node lacks an array of its type", False),
    "not_finite": ("a parameter is NaN or infinite", False),
    "out_of_range": ("a parameter that no neuron can have", False),
    "wrong_shape": ("arrays of one node, or neighbours, do not fit each other", False),
    "dangling_edge": ("an edge to or from a node that is not there", False),
    "duplicate_edge": ("an edge is there twice", True),
    "short_tau": ("a time constant below the step given", False),
    "batch_axis": ("an Input or Output has an axis of a batch or of time", True),
    "scaled_tau": ("time constants multiplied by the step, as Norse writes them", False),
    "lost_recurrence": ("recurrent weights may be missing, as Rockpool leaves them out", False),
    "lost_tau_syn": ("synaptic time constants may be missing, as sinabs leaves them out", False),
    "recurrent_bias": ("the weights of a circle have a bias: a constant input", False),
    "integer_parameter": ("parameters are integers", True),
    "scalar_parameter": ("one number for a whole layer", True),
    "missing_v_reset": ("v_reset is left out: 0", True),
    "several_dialects": ("the marks of several exporters", False),
    "missing_dt": ("no file says the step, and no exporter is recognized", False),
    "missing_reset": ("no file says what a reset does, and the exporter has several", False),
}


@dataclass(frozen=True, eq=False)
class Checked:
    """What was found in a file.

    Attributes:
        findings: the worst first.
        tree: of the file; None where it is unsafe.
        graph: None where the file is invalid.
        dialect: the exporter that is recognized; "" for none, or several.
    """

    findings: tuple[Finding, ...]
    tree: Tree | None = None
    graph: NirGraph | None = None
    dialect: str = ""

    @property
    def valid(self) -> bool:
        """Whether nothing is an error."""
        return not any(finding.severity == "error" for finding in self.findings)


def check_nir(path: PathLike, dt: float | None = None) -> Checked:
    """Look for everything that `FINDINGS` lists; `dt` in seconds also for time constants below it.

    Raises:
        ArtifactError: there is no such file, or it is no HDF5.
    """
    with Path(path).open("rb") if Path(path).is_file() else io.BytesIO() as handle:
        if not handle.read(8).startswith(b"\x89HDF"):
            read_hdf5(path)  # says what it is
    try:
        tree = read_hdf5(path)
    except ArtifactError as error:
        return Checked(tuple(_errors("unsafe", error)))
    return check_tree(tree, str(path), dt)


def check_tree(tree: Tree, source: str = "graph", dt: float | None = None) -> Checked:
    """The same of the tree of a file."""
    try:
        flat = flattened(tree, source)
    except ArtifactError as error:
        return Checked(tuple(_errors("not_nir", error)), tree)
    findings = [*_typed(tree.get("node", {}), "")]
    faults = [*flat.problems, *edge_problems(flat)]
    for node in flat.nodes.values():
        faults += node_problems(node)
    findings += [_error(fault.kind, fault) for fault in faults]
    if faults:
        return Checked(worst_first(findings), tree)
    try:
        graph = graph_of(tree, source)
        shapes = shapes_of(graph)
    except ArtifactError as error:
        findings += _errors("wrong_shape", error)
        return Checked(worst_first(findings), tree)
    marks = recognized(graph)
    findings += _of_graph(graph, shapes, marks, dt)
    name = next(iter(marks)) if len(marks) == 1 else ""
    return Checked(worst_first(findings), tree, graph, name)


def _error(kind: str, problem: Problem) -> Finding:
    allowed = f"; allowed: {problem.allowed}" if problem.allowed else ""
    fix = problem.fix or "write the file anew"
    meaning = FINDINGS[kind][0]
    return Finding("error", problem.where, f"{problem.measured}{allowed}", meaning, fix, kind=kind)


def _errors(kind: str, error: ArtifactError) -> Iterator[Finding]:
    for problem in error.problems or [Problem("the file", error.message)]:
        yield _error(kind, problem)


def _finding(severity: Any, kind: str, where: str, measured: str, fix: str) -> Finding:
    return Finding(severity, where, measured, FINDINGS[kind][0], fix, kind=kind)


def _typed(group: Mapping[str, Any], prefix: str) -> Iterator[Finding]:
    """Of the types in which numbers are written."""
    fix = "`nir-check --fix` writes what is meant"
    nodes = group.get("nodes")
    for name, content in nodes.items() if isinstance(nodes, Mapping) else ():
        kind = content.get("type") if isinstance(content, Mapping) else None
        where = f"node {prefix}{name}"
        if kind == "NIRGraph":
            yield from _typed(content, f"{prefix}{name}.")
        if not isinstance(kind, str) or kind not in SCHEMA:
            continue
        needed, optional = SCHEMA[kind]
        arrays = {k: v for k, v in content.items() if isinstance(v, np.ndarray)}
        numbers = {k: v for k, v in arrays.items() if k not in WHOLE}
        whole = [k for k, v in numbers.items() if v.dtype.kind in "iu"]
        if whole:
            text = f"{', '.join(whole)} ({numbers[whole[0]].dtype})"
            yield _finding("warning", "integer_parameter", where, text, fix)
        single = [k for k, v in numbers.items() if v.ndim == 0 and k in needed]
        if single:
            yield _finding("note", "scalar_parameter", where, ", ".join(single), fix)
        if "v_reset" in optional and "v_reset" not in content:
            yield _finding("note", "missing_v_reset", where, "no v_reset", fix)


def _of_graph(
    graph: NirGraph, shapes: Shapes, marks: Mapping[str, tuple[str, ...]], dt: float | None
) -> Iterator[Finding]:
    for name, axes in shapes.stripped.items():
        text = f"{axes} in front of {shapes.of[name]}"
        fix = "leave the axis out: `nir-check --fix` does"
        yield _finding("warning", "batch_axis", f"node {name}", text, fix)
    yield from _lost(graph, marks)
    yield from _biases(graph)
    yield from _unsaid(marks)
    if dt is not None:
        for node in graph.neurons:
            for key in TIME_CONSTANTS:
                if key in node.arrays and node.arrays[key].min() < dt * (1 - 1e-6):
                    where, text = f"node {node.name}.{key}", f"{node.arrays[key].min():g} s"
                    fix = f"a step below it; {dt:g} s is given"
                    yield _finding("error", "short_tau", where, text, fix)


def _lost(graph: NirGraph, marks: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    """What exporters are known to leave out, or to write otherwise."""
    for node in graph.neurons:
        where = f"node {node.name}"
        if node.name.endswith("_LIFTorch"):
            fix = "compare with the module: with has_rec=True, write the weights by hand"
            yield _finding("warning", "lost_recurrence", where, "Rockpool's LIFTorch", fix)
        if "norse" in marks and node.type in ("LIF", "CubaLIF"):
            tau = node.arrays["tau" if node.type == "LIF" else "tau_mem"]
            text = f"{tau.min():g} to {tau.max():g} s"
            fix = "read it with the dialect norse"
            yield _finding("warning", "scaled_tau", where, text, fix)
        if "sinabs" in marks and node.type == "LIF":
            fix = "compare with the module: with a tau_syn the file does not say what it does"
            yield _finding("warning", "lost_tau_syn", where, "sinabs' LIF", fix)


def _biases(graph: NirGraph) -> Iterator[Finding]:
    """Affine nodes between a layer and itself."""
    for node in graph.of_type("Affine"):
        if not node.arrays["bias"].any():
            continue
        if set(graph.before[node.name]) & set(graph.after[node.name]):
            text = f"{int(np.count_nonzero(node.arrays['bias']))} values"
            fix = (
                "a program that takes it for weights alone gives other spikes; add it to the input"
            )
            yield _finding("warning", "recurrent_bias", f"node {node.name}", text, fix)


def _unsaid(marks: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    """Step and reset, where nothing says them."""
    if len(marks) > 1:
        text = "; ".join(f"{name}: {', '.join(why)}" for name, why in marks.items())
        fix = f"give --dialect {next(iter(marks))} or another"
        yield _finding("warning", "several_dialects", "the file", text, fix)
    chosen = [registry.load("dialect", name) for name in marks]
    if not chosen:
        text = "no exporter is recognized"
        yield _finding("note", "missing_dt", "the file", text, "give --dt to `import nir`")
    if not chosen or any(dialect.reset is None for dialect in chosen):
        names = ", ".join(dialect.title for dialect in chosen) or "no exporter is recognized"
        fix = "give --reset to `import nir`"
        yield _finding("note", "missing_reset", "the file", names, fix)


@dataclass
class _Repair:
    """Changes made to a tree."""

    changes: list[str] = field(default_factory=list)

    def graph(self, group: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        """Edges once, floats for integers, the v_reset that is meant."""
        new = dict(group)
        edges = group.get("edges")
        if isinstance(edges, list):
            once = [list(pair) for pair in dict.fromkeys(tuple(pair) for pair in edges)]
            if len(once) < len(edges):
                self.changes.append(
                    f"{prefix}edges: {len(edges) - len(once)} left out, there twice"
                )
            new["edges"] = once
        new["nodes"] = {
            name: self.node(content, f"{prefix}{name}")
            for name, content in group.get("nodes", {}).items()
        }
        return new

    def node(self, content: Mapping[str, Any], name: str) -> dict[str, Any]:
        """The same of a node."""
        if content.get("type") == "NIRGraph":
            return self.graph(content, f"{name}.")
        new = dict(content)
        for key, value in content.items():
            whole = isinstance(value, np.ndarray) and value.dtype.kind in "iu"
            if whole and key not in WHOLE:
                new[key] = value.astype(np.float64)
                self.changes.append(f"{name}.{key}: {value.dtype} to float64")
        kind = content.get("type")
        optional = SCHEMA[kind][1] if isinstance(kind, str) and kind in SCHEMA else ()
        if "v_reset" in optional and "v_reset" not in content:
            threshold = new.get("v_threshold")
            if isinstance(threshold, np.ndarray):
                new["v_reset"] = np.zeros(threshold.shape)
                self.changes.append(f"{name}.v_reset: zeros")
        return new

    def shaped(
        self, group: Mapping[str, Any], prefix: str, graph: NirGraph, shapes: Shapes
    ) -> dict[str, Any]:
        """Shapes without axes in front, and parameters of whole layers."""
        nodes = {}
        for name, content in group["nodes"].items():
            full = name if not prefix or name.startswith(f"{prefix}.") else f"{prefix}.{name}"
            if content.get("type") == "NIRGraph":
                nodes[name] = self.shaped(content, full, graph, shapes)
                continue
            new = dict(content)
            node = graph.nodes[full]
            if full in shapes.stripped:
                size = len(shapes.stripped[full])
                new["shape"] = content["shape"].reshape(-1)[size:]
                self.changes.append(f"{full}.shape: without {shapes.stripped[full]}")
            for key in _single(node):
                new[key] = np.full(shapes.of[full], float(content[key]))
                self.changes.append(f"{full}.{key}: one number to shape {shapes.of[full]}")
            nodes[name] = new
        return {**group, "nodes": nodes}


def _single(node: Node) -> list[str]:
    """Parameters of a layer that are single numbers."""
    if not (node.has_state or node.type in ("Scale", "Delay")):
        return []
    return [key for key, value in node.arrays.items() if key not in WHOLE and value.ndim == 0]


def repaired(tree: Tree, source: str = "graph") -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tree of a file with everything mended that has one meaning alone, and what was done.

    Raises:
        ArtifactError: what else is wrong with it is not for a program to mend.
    """
    repair = _Repair()
    root = tree.get("node")
    if not isinstance(root, Mapping) or not isinstance(root.get("nodes"), Mapping):
        flattened(tree, source)  # says what it is
        raise ArtifactError(f"{source}: not a NIR graph")
    new = dict(tree) | {"node": repair.graph(root, "")}
    graph = graph_of(new, source)
    new["node"] = repair.shaped(new["node"], "", graph, shapes_of(graph))
    return new, tuple(repair.changes)


def write_tree(path: PathLike, tree: Tree, source: PathLike | None = None) -> None:
    """Write a tree as an HDF5 file, whole or not at all.

    Raises:
        SpecError: `path` is the file `source` that the tree is of.
    """
    target = Path(path)
    if source is not None and target.exists() and target.samefile(source):
        raise SpecError(f"{path}: is the file that was read; give --fix another name")
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        _write(file, tree)
    with atomic_write(target) as handle:
        handle.write(stream.getvalue())


def _write(group: Any, tree: Mapping[str, Any]) -> None:
    import h5py

    for name, value in sorted(tree.items()):
        if isinstance(value, Mapping):
            _write(group.create_group(name), value)
        elif isinstance(value, np.ndarray):
            options = {"compression": "gzip"} if value.ndim else {}
            group.create_dataset(name, data=value, **options)
        else:
            group.create_dataset(name, data=value, dtype=h5py.string_dtype())
