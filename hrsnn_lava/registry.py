"""Parts by name: one table of kinds, and for each kind every part there is.

A part is a file, and its name is the file's: ``compiler/passes/prune_random.py`` is the pruning
method ``random``. Nothing lists it a second time, and nothing is imported before it is used. Parts
come from three places:

- the folder of the kind, in this package;
- other installed packages: an entry point ``NAME = module`` of the group ``hrsnn_lava.KIND``;
- folders in the environment variable ``HRSNN_LAVA_PARTS`` (separated as in ``PATH``): a file
  ``FOLDER/KIND/NAME.py``, or ``.toml`` where the kind is data. The code there is run, so name only
  folders of your own.

Two parts of one name are an error, and an unknown name is answered with the known ones. What goes
wrong in a part of another's is a `PartError`, which names its file.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from hrsnn_lava.errors import HrsnnError, PartError, Problem, SpecError
from hrsnn_lava.part_files import (
    KINDS,
    PARTS_VARIABLE,
    PartFile,
    built_in,
    folders,
    in_folder,
    installed,
)
from hrsnn_lava.spelling import did_you_mean

__all__ = [
    "KINDS",
    "PARTS_VARIABLE",
    "failure",
    "forget",
    "given",
    "guarded",
    "load",
    "names",
    "of_part",
    "path",
    "summary",
    "unknown",
]


def names(kind: str) -> tuple[str, ...]:
    """Names of all parts of a kind, sorted."""
    return tuple(sorted(_places(kind)))


def load(kind: str, name: str) -> Any:
    """What the part offers; imported now, if it was not.

    Raises:
        SpecError: no such part, and the message lists those there are.
        PartError: its file cannot be imported, or does not offer what the kind asks for.
    """
    place, described = _place(kind, name), KINDS[kind]
    with guarded(kind, name):
        module = _module(place)
        if not described.attribute:
            return _named(module, kind, name)
        if not hasattr(module, described.attribute):
            raise failure(kind, name, f"its file defines no {described.attribute}")
        part = getattr(module, described.attribute)
        _check(part, kind, name)
    return part


def _named(module: ModuleType, kind: str, name: str) -> Any:
    """The class of a module whose ``name`` is the part's."""
    full = f"{KINDS[kind].prefix}{name}"
    for value in vars(module).values():
        if (
            getattr(value, "name", None) == full
            and getattr(value, "__module__", "") == module.__name__
        ):
            return value
    raise failure(kind, name, f"its file defines no class with name = {full!r}")


def _check(part: Any, kind: str, name: str) -> None:
    """Raise `PartError` where a part is not the object that its kind asks for."""
    attribute, needs = KINDS[kind].attribute, KINDS[kind].needs
    missing = [need for need in needs if not hasattr(part, need)]
    if needs and (missing or isinstance(part, type)):
        lacks = f" without {', '.join(missing)}" if missing else ""
        what = f"the class {part.__name__}" if isinstance(part, type) else type(part).__name__
        allowed = f"an object with {', '.join(needs)}"
        raise failure(kind, name, f"{attribute} is {what}{lacks}; allowed: {allowed}")
    if "name" in needs and part.name != name:
        text = f"{attribute} has the name {part.name!r}; allowed: {name!r}, as of the file"
        raise failure(kind, name, text)


@contextlib.contextmanager
def guarded(kind: str, name: str) -> Iterator[None]:
    """Where code of a part is run: what it raises, but for our errors, is a `PartError`.

    Errors in parts of this package, which are bugs of ours, stay what they are.
    """
    try:
        yield
    except (HrsnnError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        place = _places(kind).get(name)
        if place is None or not place.foreign:
            raise
        raise failure(kind, name, _words(error)) from error


def failure(kind: str, name: str, text: str) -> PartError:
    """The error of a part: its kind, its name, what is wrong, and its file."""
    place = _places(kind).get(name)
    where = "" if place is None else f"{place}: "
    return PartError(f"{kind.replace('_', ' ')} {name!r}: {where}{text}")


def of_part(error: BaseException) -> PartError | None:
    """The error of the part in whose code `error` was raised; None where it was in none."""
    modules = set()
    trace = error.__traceback__
    while trace is not None:
        modules.add(trace.tb_frame.f_globals.get("__name__"))
        trace = trace.tb_next
    for kind in KINDS:
        for name, place in _places(kind).items():
            if place.foreign and place.module in modules:
                part_error = failure(kind, name, _words(error))
                part_error.__cause__ = error
                return part_error
    return None


def _words(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def path(kind: str, name: str) -> Path:
    """The file of a part that is data; raises `SpecError` as `load` does."""
    file = _place(kind, name).path
    if file is None:
        raise SpecError(f"{kind} {name!r} has no file")
    return file


def summary(kind: str, name: str) -> str:
    """The first line of the part's docstring, read without importing it."""
    place = _place(kind, name)
    with guarded(kind, name):
        if place.path is None:
            doc = _module(place).__doc__
        else:
            tree = ast.parse(place.path.read_text(encoding="utf-8-sig"))
            classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and KINDS[kind].nested]
            own = [c for c in classes if any(_names(statement, name) for statement in c.body)]
            doc = ast.get_docstring(own[0] if own else tree)
    return next(iter((doc or "").strip().splitlines()), "")


def _names(statement: ast.stmt, name: str) -> bool:
    """Whether a line of a class is ``name: ClassVar[str] = NAME``."""
    return (
        isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and statement.target.id == "name"
        and isinstance(statement.value, ast.Constant)
        and statement.value.value == name
    )


def forget() -> None:
    """Look for parts anew: for tests that add some."""
    _places.cache_clear()
    folders.cache_clear()


def given() -> dict[Path, dict[str, int]]:
    """Folders of the user's, with how many parts of each kind there are in each."""
    counts = {f: {kind: len(in_folder(f, kind)) for kind in KINDS} for f in folders()}
    return {f: {kind: n for kind, n in of.items() if n} for f, of in counts.items()}


def unknown(kind: str, name: str, known: tuple[str, ...]) -> SpecError:
    """The error that lists the known names, the nearest one as the fix."""
    label = kind.replace("_", " ")
    problem = Problem(label, repr(name), ", ".join(known), did_you_mean(name, known))
    return SpecError(f"there is no {label} {name!r}", problems=[problem])


def _place(kind: str, name: str) -> PartFile:
    places = _places(kind)
    if name not in places:
        raise unknown(kind, name, tuple(sorted(places)))
    return places[name]


@cache
def _places(kind: str) -> Mapping[str, PartFile]:
    places = built_in(KINDS[kind])
    in_folders = [part for folder in folders() for part in in_folder(folder, kind)]
    for name, place in (*installed(kind), *in_folders):
        if name in places:
            raise SpecError(
                f"{kind.replace('_', ' ')} {name!r} is there twice",
                problems=[
                    Problem(name, f"{places[name]} and {place}", "one", "rename one of them")
                ],
            )
        places[name] = place
    return places


def _module(place: PartFile) -> ModuleType:
    """The module of a part; one in a folder of the user's is loaded from its file, once."""
    if place.path is None or not place.in_folder:
        return importlib.import_module(place.module)
    loaded_module = sys.modules.get(place.module)
    if loaded_module is not None and getattr(loaded_module, "__file__", None) == str(place.path):
        return loaded_module
    spec = importlib.util.spec_from_file_location(place.module, place.path)
    if spec is None or spec.loader is None:
        raise SpecError(f"{place.path}: cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[place.module] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[place.module]
        raise
    return module
