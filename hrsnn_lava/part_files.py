"""Where parts are: the kinds there are, and the files of each, by name.

Nothing is imported here: a part of the package is known by the text of its file, one of the user's
by its place, one of another package by its entry point. `hrsnn_lava.registry` loads them.
"""

from __future__ import annotations

import importlib.util
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.spelling import did_you_mean

PARTS_VARIABLE = "HRSNN_LAVA_PARTS"
#: Package that the files of the user's folders are imported into.
_FOLDERS = "hrsnn_lava_parts"


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
        needs: what the object of `attribute` must have; empty where it may be a class.
    """

    package: str
    prefix: str = ""
    attribute: str = ""
    data: bool = False
    nested: bool = False
    hyphens: bool = False
    needs: tuple[str, ...] = ()

    def part(self, stem: str) -> str:
        """Name of the part in the file or folder `stem`."""
        name = stem.removeprefix(self.prefix)
        return name.replace("_", "-") if self.hyphens else name


#: Every kind; the keys are the folders of ``HRSNN_LAVA_PARTS`` and the groups of entry points.
KINDS: Mapping[str, Kind] = {
    "pruning": Kind("compiler.passes", "prune_"),
    "score": Kind("compiler.pruning.scores"),
    "pass": Kind("compiler.passes"),
    "neuron_score": Kind("compiler.pruning.neuron_scores"),
    "searcher": Kind("compiler.pruning.searchers"),
    "suggester": Kind("search.suggesters"),
    "scaling": Kind("compiler.quantization.scaling", attribute="Option"),
    "placer": Kind("compiler.placing", attribute="place", needs=("__call__",)),
    "engine": Kind(
        "sim_backends",
        attribute="ENGINE",
        hyphens=True,
        needs=("name", "keeps_state", "open", "obstacle", "check", "remark", "within", "label"),
    ),
    "task": Kind("tasks", nested=True),
    "reader": Kind("tasks.readers", nested=True),
    "encoder": Kind("tasks.encoders", nested=True),
    "readout": Kind("training.readouts", nested=True),
    "criterion": Kind("training.criteria"),
    "metric": Kind("metrics", nested=True),
    "model": Kind("models", data=True),
    "chip": Kind("hardware_profiles", data=True),
    "cost_set": Kind("hardware_profiles.cost_sets", data=True),
    "section": Kind(
        "report.sections",
        attribute="SECTION",
        needs=("name", "title", "data", "text", "html", "after"),
    ),
    "dialect": Kind(
        "deploy.interchange.dialects",
        attribute="DIALECT",
        needs=("name", "title", "dt", "resets", "reset", "marks", "rewired", "rule", "remarks"),
    ),
    "command": Kind("cli", attribute="COMMAND"),
    "codec": Kind("codecs", attribute="CODEC", needs=("to_artifact", "from_artifact")),
}


@dataclass(frozen=True)
class PartFile:
    """Where a part is: a file, and the module that it is imported as."""

    path: Path | None
    module: str

    @property
    def in_folder(self) -> bool:
        """Whether it is a file of the user's."""
        return self.path is not None and self.module.startswith(f"{_FOLDERS}.")

    @property
    def foreign(self) -> bool:
        """Whether it is none of this package's."""
        return self.path is None or self.in_folder

    def __str__(self) -> str:
        return f"module {self.module}" if self.path is None else str(self.path)


def built_in(kind: Kind) -> dict[str, PartFile]:
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
            places[entry.stem] = PartFile(entry, "")
        file = entry / "__init__.py" if entry.is_dir() else entry
        is_part = entry.stem.startswith(kind.prefix) and not entry.stem.startswith("_")
        if not kind.data and is_part and file.suffix == ".py" and _offers(file, kind, entry.stem):
            name = kind.part(entry.stem)
            places[name] = PartFile(file, f"{package}.{entry.stem}")
    return places


#: A class that is a part, at the top of a file.
_NAMED = re.compile(r'^    name: ClassVar\[str\] = "(\w+)"', re.M)


def _nested(kind: Kind, origin: Path, package: str) -> dict[str, PartFile]:
    """Parts in a module, or anywhere below a package but where parts of another kind are."""
    root = origin.parent if origin.stem == "__init__" else origin
    others = {f"hrsnn_lava.{k.package}" for k in KINDS.values() if k.package != kind.package}
    places = {}
    for file in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
        below = file.relative_to(root).with_suffix("").parts if root.is_dir() else ()
        stems = [package, *(stem for stem in below if stem != "__init__")]
        modules = [".".join(stems[: k + 1]) for k in range(len(stems))]
        if others.isdisjoint(modules):
            for name in _NAMED.findall(file.read_text(encoding="utf-8-sig")):
                places[name] = PartFile(file, modules[-1])
    return places


def _offers(file: Path, kind: Kind, stem: str) -> bool:
    """Whether a file defines what the kind asks for, by its text: it is not imported for that."""
    if not file.is_file():
        return False
    text = file.read_text(encoding="utf-8-sig")
    if kind.attribute:
        starts = tuple(
            form.format(kind.attribute) for form in ("{} =", "{}:", "class {}", "def {}(")
        )
        return any(line.startswith(starts) for line in text.splitlines())
    return f'name: ClassVar[str] = "{stem}"' in text


def installed(kind: str) -> list[tuple[str, PartFile]]:
    """Parts of other packages."""
    from importlib.metadata import entry_points

    return [(e.name, PartFile(None, e.value)) for e in entry_points(group=f"hrsnn_lava.{kind}")]


@cache
def folders() -> tuple[Path, ...]:
    """The folders of ``HRSNN_LAVA_PARTS``; warns of folders in them that are of no kind.

    Raises:
        SpecError: one of them is not there.
    """
    named = [f for f in os.environ.get(PARTS_VARIABLE, "").split(os.pathsep) if f]
    problems = [
        Problem(PARTS_VARIABLE, f, "folders that are there", "create it, or do not name it")
        for f in named
        if not Path(f).is_dir()
    ]
    if problems:
        raise SpecError(f"{PARTS_VARIABLE}: there is no such folder", problems=problems)
    for folder in map(Path, named):
        if strange := of_no_kind(folder):
            text = f"{PARTS_VARIABLE}: {', '.join(map(str, strange))}: of no kind, left out"
            near = did_you_mean(strange[0].name, KINDS)
            hint = f". {near[:1].upper()}{near[1:]}" if near else ""
            warnings.warn(f"{text}; kinds: {', '.join(KINDS)}{hint}", UserWarning, stacklevel=2)
    return tuple(map(Path, named))


def of_no_kind(folder: Path) -> list[Path]:
    """Folders that hold what looks like parts, but of no kind."""
    return [
        entry
        for entry in sorted(folder.iterdir())
        if entry.is_dir()
        and entry.name not in KINDS
        and not entry.name.startswith((".", "_"))
        and any(file.suffix in (".py", ".toml") for file in entry.iterdir())
    ]


def in_folder(folder: Path, kind: str) -> list[tuple[str, PartFile]]:
    """Parts of a folder of the user's."""
    suffix = ".toml" if KINDS[kind].data else ".py"
    return [
        (KINDS[kind].part(file.stem), PartFile(file, f"{_FOLDERS}.{kind}.{file.stem}"))
        for file in sorted((folder / kind).glob(f"*{suffix}"))
        if not file.stem.startswith("_")
    ]
