"""Hierarchical Processes: entered through their SubProcessModels, and left as they were.

Lava builds the inner Processes when it compiles: it looks for the models of a Process, its run
configuration picks one, and a SubProcessModel creates and connects the inner Processes. The same is
done here, for as long as the graph is read. Then the connections, parameters and random generators
are put back, so that Lava can still run the graph, with the same inner values.
"""

import importlib
import logging
import pkgutil
import random
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from hrsnn_lava.processes._foreign_processes import (
    CONNECTIONS,
    NEURONS,
    REFUSED,
    SINKS,
    SOURCES,
    Process,
    kind,
    label,
    ports,
    reachable,
)

__all__ = ["Entered", "entered", "model_of"]

Model: TypeAlias = type[Any]
_STOCK = (*NEURONS, *SOURCES, *CONNECTIONS, *SINKS, *REFUSED)
_SUB = "lava.magma.core.model.sub.model.AbstractSubProcessModel"
_TAG, _FLOAT_TAG = "fixed_pt", "floating_pt"


@dataclass
class Entered:
    """The Processes of a graph once all hierarchical ones are entered.

    Attributes:
        processes: those that Lava runs, in order of creation.
        outer: the entered ones by ``id``.
        places: where an inner Process stands, in words, by ``id``.
        causes: why a Process of the user's was not entered, by ``id``.
    """

    processes: list[Process] = field(default_factory=list)
    outer: dict[int, Process] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)
    causes: dict[int, str] = field(default_factory=dict)


@contextmanager
def entered(
    process: Process, run_config: Any = None, closed: Collection[int] = ()
) -> Iterator[Entered]:
    """Enter every hierarchical Process of the graph of `process`; leave them all at the end.

    Args:
        process: any Process of the graph.
        run_config: Lava's `RunConfig` that picks the models; None: see `model_of`.
        closed: ``id`` of Processes that are not entered.
    """
    outside = reachable(process)
    before = _State(outside)
    try:
        graph = Entered()
        for part in outside:
            if id(part) in closed:
                graph.processes.append(part)
            else:
                _enter(part, run_config, graph)
        _add_strays(graph)
        graph.processes = sorted(
            {id(p): p for p in graph.processes}.values(), key=lambda p: int(p.id)
        )
        yield graph
    finally:
        before.restore()


def _enter(process: Process, run_config: Any, graph: Entered) -> None:
    """Add `process`, or what is inside it."""
    if id(process) in graph.outer:
        return
    inner: dict[str, Process] = {}
    if kind(process) not in _STOCK:
        inner = _inner_processes(process, run_config, graph)
    if id(process) not in graph.outer:
        graph.processes.append(process)
    for name, part in inner.items():
        around = graph.places.get(id(process), label(process))
        graph.places[id(part)] = f"{type(part).__name__} {name!r} of {around}"
        _enter(part, run_config, graph)


def _inner_processes(process: Process, run_config: Any, graph: Entered) -> dict[str, Process]:
    """The Processes of a SubProcessModel by their attributes; none where it has none."""
    if process.model_class is not None and _is_sub(process.model_class):  # compiled by Lava
        graph.outer[id(process)] = process
        return dict(zip(process.procs.member_names, process.procs.members, strict=True))
    try:
        model = model_of(process, run_config)
    except LookupError as error:
        graph.causes[id(process)] = f"{_owner(process)}, {error}"
        return {}
    if not _is_sub(model):
        graph.causes[id(process)] = f"{_owner(process)}, computed by {model.__name__}"
        return {}
    try:
        inner: dict[str, Process] = model(process).find_sub_procs()
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        graph.causes[id(process)] = f"its {model.__name__} cannot be built: {told}"
        return {}
    graph.outer[id(process)] = process
    return inner


def _owner(process: Process) -> str:
    theirs = type(process).__module__.startswith("lava.")
    return "a Process without a counterpart here" if theirs else "a Process of your own"


def _add_strays(graph: Entered) -> None:
    """Name inner Processes that no attribute of a SubProcessModel holds: Lava loses them."""
    known = {id(p) for p in (*graph.processes, *graph.outer.values())}
    walked: set[int] = set()
    for process in list(graph.processes):
        if id(process) in walked or not graph.outer:
            continue
        connected = reachable(process)
        walked |= {id(p) for p in connected}
        for stray in (p for p in connected if id(p) not in known):
            graph.processes.append(stray)
            graph.causes[id(stray)] = (
                "inside a hierarchical Process, and no attribute of its SubProcessModel holds it, "
                "so that Lava does not run it"
            )


def model_of(process: Process, run_config: Any = None) -> Model:
    """The model that Lava would take for a Process.

    With a `run_config` it is that one's choice. Without one a SubProcessModel goes first, as with
    ``Loihi2SimCfg(select_tag="fixed_pt", select_sub_proc_model=True)``: the one tagged
    ``fixed_pt``, or the only one, unless it is tagged for floats.

    Raises `LookupError` where there is none.
    """
    overrides = getattr(run_config, "exception_proc_model_map", None) or {}
    if process in overrides:
        chosen: Model = overrides[process]
        return chosen
    models = _models(process)
    if not models:
        raise LookupError("and Lava finds no ProcessModel of it")
    if run_config is not None:
        try:
            picked: Model | None = run_config.select(process, models)
        except Exception as error:
            raise LookupError(
                f"and the run configuration takes none of its models ({error})"
            ) from None
        if picked is None:
            raise LookupError("and the run configuration takes none of its models")
        return picked
    subs = [model for model in models if _is_sub(model)]
    if not subs:
        return next((model for model in models if _TAG in model.tags), models[0])
    tagged = [model for model in subs if _TAG in model.tags]
    if tagged:
        return tagged[0]
    if len(subs) == 1 and _FLOAT_TAG not in subs[0].tags:
        return subs[0]
    listed = ", ".join(f"{m.__name__} ({', '.join(m.tags) or 'no tag'})" for m in subs)
    raise LookupError(
        f"and none of its SubProcessModels is tagged {_TAG}: {listed}; "
        "run_config=Loihi2SimCfg(select_tag=..., select_sub_proc_model=True) takes another"
    )


def _is_sub(model: Model) -> bool:
    return any(f"{c.__module__}.{c.__qualname__}" == _SUB for c in model.__mro__)


def _models(process: Process) -> list[Model]:
    """All models of a Process in Lava's order: its own module, then the modules beside it.

    Lava executes every module beside it; here one is imported if its text has the class's name.
    Classes made inside a function are in no module, so they are looked for last.
    """
    made = type(process)
    module = sys.modules.get(made.__module__)
    models: list[Model] = []
    for place in [] if module is None else [module, *_modules_beside(module, made.__name__)]:
        for value in list(vars(place).values()):
            if _implements(value, made) and value.__module__ == place.__name__:
                models.append(value)
    if not models:
        models = [model for model in _all_models() if _implements(model, made)]
    return list(dict.fromkeys(models))


def _implements(value: Any, made: type) -> bool:
    model = isinstance(value, type) and hasattr(value, "tags")
    return model and getattr(value, "implements_process", None) is made


def _all_models() -> Iterator[Model]:
    """Every ProcessModel class that is loaded, in the order of definition within a class."""
    base = sys.modules.get("lava.magma.core.model.model")
    waiting: list[Model] = [] if base is None else [base.AbstractProcessModel]
    while waiting:
        model = waiting.pop(0)
        yield model
        waiting += model.__subclasses__()


def _modules_beside(module: ModuleType, name: str) -> Iterator[ModuleType]:
    package = getattr(module.__spec__, "parent", "") if module.__spec__ else ""
    around = sys.modules.get(package or "")
    for finder, stem, is_package in pkgutil.iter_modules(getattr(around, "__path__", [])):
        full = f"{package}.{stem}"
        path = Path(getattr(finder, "path", "")) / f"{stem}.py"
        if is_package or full == module.__name__ or not path.is_file():
            continue
        if name in path.read_text(encoding="utf-8", errors="replace"):
            try:
                yield importlib.import_module(full)
            except (Exception, SystemExit):  # a script, perhaps; Lava goes on, too
                continue


class _State:
    """What a SubProcessModel can change outside itself, as it was."""

    def __init__(self, processes: list[Process]) -> None:
        self._generators = (random.getstate(), np.random.get_state())
        self._handlers = list(logging.getLogger().handlers)  # every Process adds one
        own = [process for process in processes if kind(process) not in _STOCK]
        self._attributes = [
            (thing, dict(vars(thing)))
            for thing in (*_linked_ports(processes), *(part for p in own for part in _parts(p)))
        ]
        self._contents: list[tuple[Any, Any]] = [
            (value, value.copy())
            for _, attributes in self._attributes
            for value in attributes.values()
            if isinstance(value, (list, dict))
        ]
        arrays = [
            value
            for process in own
            for value in (
                *(var.init for var in process.vars.members),
                *process.proc_params._parameters.values(),
            )
            if isinstance(value, np.ndarray)
        ]
        self._arrays = [(array, array.copy()) for array in arrays if array.flags.writeable]

    def restore(self) -> None:
        """Put everything back."""
        for thing, attributes in self._attributes:
            vars(thing).clear()
            vars(thing).update(attributes)
        for container, items in self._contents:
            container.clear()
            add = container.extend if isinstance(container, list) else container.update
            add(items)
        for array, content in self._arrays:
            array[...] = content
        random.setstate(self._generators[0])
        np.random.set_state(self._generators[1])
        logging.getLogger().handlers[:] = self._handlers


def _parts(process: Process) -> list[Any]:
    """A Process with its parameters, collections and Vars."""
    names = ("in_ports", "out_ports", "ref_ports", "var_ports", "vars", "procs")
    collections = [getattr(process, name) for name in names]
    return [process, process.proc_params, *collections, *process.vars.members]


def _linked_ports(processes: list[Process]) -> list[Any]:
    """All ports of the Processes, and those between them."""
    waiting = [port for process in processes for port in ports(process)]
    by_id: dict[int, Any] = {}
    while waiting:
        port = waiting.pop()
        if id(port) not in by_id:
            by_id[id(port)] = port
            waiting += [*port.in_connections, *port.out_connections]
    return list(by_id.values())
