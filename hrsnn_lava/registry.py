"""Parts by name: one table of kinds, and for each kind every part there is.

A part is a file, and its name is the file's: ``compiler/passes/prune_random.py`` is the pruning
method ``random``. Nothing lists it a second time, and nothing is imported before it is used. Parts
come from three places:

- the folder of the kind, in this package;
- other installed packages: an entry point ``NAME = module`` of the group ``hrsnn_lava.KIND``;
- folders in the environment variable ``HRSNN_LAVA_PARTS`` (separated as in ``PATH``): a file
  ``FOLDER/KIND/NAME.py``, or ``.toml`` where the kind is data. The code there is run, so name only
  folders of your own.

Two parts of one name are an error, and an unknown name is answered with the known ones.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from hrsnn_lava.errors import Problem, SpecError

PARTS_VARIABLE = "HRSNN_LAVA_PARTS"


@dataclass(frozen=True)
class Kind:
    """A kind of parts.

    Attributes:
        package: whose modules the parts are, below `hrsnn_lava`.
        prefix: of the files; what follows it is the part's name.
        attribute: what a module offers: the name of a class, function or instance; "" for the
            class that has the part's name in its ``name``.
        data: True for TOML files, which a part's `path` leads to.
        nested: parts are classes anywhere below the package, in folders and several a file too;
            their names are those that stand in the classes.
        hyphens: a name has ``-`` for every ``_`` of its file.
    """

    package: str
    prefix: str = ""
    attribute: str = ""
    data: bool = False
    nested: bool = False
    hyphens: bool = False

    def part(self, stem: str) -> str:
        """Name of the part in the file or folder `stem`."""
        name = stem.removeprefix(self.prefix)
        return name.replace("_", "-") if self.hyphens else name


#: Every kind; the keys are the folders of ``HRSNN_LAVA_PARTS`` and the groups of entry points.
KINDS: Mapping[str, Kind] = {
    "pruning": Kind("compiler.passes", "prune_"),
    "score": Kind("compiler.pruning.scores"),
    "pass": Kind("compiler.passes"),
    "scaling": Kind("compiler.quantization.scaling", attribute="Option"),
    "placer": Kind("compiler.placing", attribute="place"),
    "engine": Kind("sim_backends", attribute="ENGINE", hyphens=True),
    "task": Kind("tasks", nested=True),
    "reader": Kind("tasks.readers", nested=True),
    "encoder": Kind("tasks.encoders", nested=True),
    "chip": Kind("hardware_profiles", data=True),
    "cost_set": Kind("hardware_profiles.cost_sets", data=True),
    "section": Kind("report.sections", attribute="SECTION"),
    "command": Kind("cli", attribute="COMMAND"),
    "codec": Kind("codecs", attribute="CODEC"),
}


@dataclass(frozen=True)
class _PartFile:
    """Where a part is: a file, and the module that it is imported as."""

    path: Path | None
    module: str


def names(kind: str) -> tuple[str, ...]:
    """Names of all parts of a kind, sorted."""
    return tuple(sorted(_places(kind)))


def load(kind: str, name: str) -> Any:
    """What the part offers; imported now, if it was not.

    Raises:
        SpecError: no such part; the message lists those there are.
    """
    place, described = _place(kind, name), KINDS[kind]
    module = _module(place)
    if described.attribute:
        if not hasattr(module, described.attribute):
            raise SpecError(f"{kind} {name!r}: its file defines no {described.attribute}")
        return getattr(module, described.attribute)
    full = f"{described.prefix}{name}"
    for value in vars(module).values():
        if (
            getattr(value, "name", None) == full
            and getattr(value, "__module__", "") == module.__name__
        ):
            return value
    raise SpecError(f"{kind} {name!r}: its file defines no class with name = {full!r}")


def path(kind: str, name: str) -> Path:
    """The file of a part that is data; raises `SpecError` as `load` does."""
    file = _place(kind, name).path
    if file is None:
        raise SpecError(f"{kind} {name!r} has no file")
    return file


def summary(kind: str, name: str) -> str:
    """The first line of the part's docstring, read without importing it."""
    place = _place(kind, name)
    if place.path is None:
        doc = _module(place).__doc__
    else:
        tree = ast.parse(place.path.read_text(encoding="utf-8"))
        classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and KINDS[kind].nested]
        own = [c for c in classes if any(_names(statement, name) for statement in c.body)]
        doc = ast.get_docstring(own[0] if own else tree)
    return (doc or "").strip().splitlines()[0] if doc else ""


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


def unknown(kind: str, name: str, known: tuple[str, ...]) -> SpecError:
    """The error that lists the known names, the nearest one as the fix."""
    near = difflib.get_close_matches(name, known, n=1)
    fix = f"did you mean {near[0]!r}?" if near else ""
    label = kind.replace("_", " ")
    problem = Problem(label, repr(name), ", ".join(known), fix)
    return SpecError(f"there is no {label} {name!r}", problems=[problem])


def _place(kind: str, name: str) -> _PartFile:
    places = _places(kind)
    if name not in places:
        raise unknown(kind, name, tuple(sorted(places)))
    return places[name]


@cache
def _places(kind: str) -> Mapping[str, _PartFile]:
    described = KINDS[kind]
    places = _built_in(described)
    for name, place in (*_installed(kind), *_in_folders(kind, described)):
        if name in places:
            raise SpecError(
                f"{kind.replace('_', ' ')} {name!r} is there twice",
                problems=[
                    Problem(name, f"{places[name]} and {place}", "one", "rename one of them")
                ],
            )
        places[name] = place
    return places


def _built_in(kind: Kind) -> dict[str, _PartFile]:
    """Modules, and packages, of the kind's folder; those that begin with _ are its own affair."""
    package = f"hrsnn_lava.{kind.package}"
    package_spec = importlib.util.find_spec(package)
    if kind.nested and package_spec is not None and package_spec.origin:
        return _nested(kind, Path(package_spec.origin), package)
    if package_spec is None or not package_spec.submodule_search_locations:
        return {}
    places = {}
    for entry in sorted(Path(next(iter(package_spec.submodule_search_locations))).iterdir()):
        if kind.data and entry.suffix == ".toml":
            places[entry.stem] = _PartFile(entry, "")
        file = entry / "__init__.py" if entry.is_dir() else entry
        is_part = entry.stem.startswith(kind.prefix) and not entry.stem.startswith("_")
        if not kind.data and is_part and file.suffix == ".py" and _offers(file, kind, entry.stem):
            name = kind.part(entry.stem)
            places[name] = _PartFile(file, f"{package}.{entry.stem}")
    return places


#: A class that is a part, at the top of a file.
_NAMED = re.compile(r'^    name: ClassVar\[str\] = "(\w+)"', re.M)


def _nested(kind: Kind, origin: Path, package: str) -> dict[str, _PartFile]:
    """Parts in a module, or anywhere below a package but where parts of another kind are."""
    root = origin.parent if origin.stem == "__init__" else origin
    others = {f"hrsnn_lava.{k.package}" for k in KINDS.values() if k.package != kind.package}
    places = {}
    for file in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
        below = file.relative_to(root).with_suffix("").parts if root.is_dir() else ()
        stems = [package, *(stem for stem in below if stem != "__init__")]
        modules = [".".join(stems[: k + 1]) for k in range(len(stems))]
        if others.isdisjoint(modules):
            for name in _NAMED.findall(file.read_text(encoding="utf-8")):
                places[name] = _PartFile(file, modules[-1])
    return places


def _offers(file: Path, kind: Kind, stem: str) -> bool:
    """Whether a file defines what the kind asks for, by its text: it is not imported for that."""
    if not file.is_file():
        return False
    text = file.read_text(encoding="utf-8")
    if kind.attribute:
        starts = tuple(
            form.format(kind.attribute) for form in ("{} =", "{}:", "class {}", "def {}(")
        )
        return any(line.startswith(starts) for line in text.splitlines())
    return f'name: ClassVar[str] = "{stem}"' in text


def _installed(kind: str) -> list[tuple[str, _PartFile]]:
    from importlib.metadata import entry_points

    return [(e.name, _PartFile(None, e.value)) for e in entry_points(group=f"hrsnn_lava.{kind}")]


def _in_folders(kind: str, described: Kind) -> list[tuple[str, _PartFile]]:
    suffix = ".toml" if described.data else ".py"
    return [
        (
            described.part(file.stem),
            _PartFile(file, f"hrsnn_lava_parts.{kind}.{file.stem}"),
        )
        for folder in os.environ.get(PARTS_VARIABLE, "").split(os.pathsep)
        if folder
        for file in sorted((Path(folder) / kind).glob(f"*{suffix}"))
        if not file.stem.startswith("_")
    ]


def _module(place: _PartFile) -> ModuleType:
    """The module of a part; one in a folder of the user's is loaded from its file, once."""
    if place.path is None or not place.module.startswith("hrsnn_lava_parts."):
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
    except Exception as error:
        del sys.modules[place.module]
        raise SpecError(f"{place.path}: {type(error).__name__}: {error}") from error
    return module
