"""The structure: packages, links, the direction of imports, what start-up loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "hrsnn_lava"
LINKS = ("compiler", "deploy", "hardware_profiles", "sim_backends")

#: A module may import what has a rank at most its own.
RANKS = {
    "errors": 0,
    "budgets": 0,
    "artifacts": 1,
    "notebook": 0,
    "frozen": 0,
    "chip_learning": 1,
    "seeding": 0,
    "network": 1,
    "quantized": 1,
    "plasticity": 1,
    "distributions": 1,
    "trace": 1,
    "spec": 1,
    "spec_problems": 1,
    "hrsnn": 1,
    "processes": 1,
    "metrics": 1,
    "tasks": 2,
    "hardware_profiles": 2,
    "compiler": 3,
    "sim_backends": 4,
    "training": 5,
    "report": 5,
    "experiment": 6,
    "api": 6,
    "deploy": 7,
    "pytest_plugin": 8,
    "cli": 8,
    "__main__": 8,
}


def modules():
    """Every Python file of the package, by its dotted name; links are followed by hand."""
    for path in sorted(PACKAGE.glob("*.py")):
        yield path, f"hrsnn_lava.{path.stem}".removesuffix(".__init__")
    folders = [p for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"]
    for folder in sorted(folders):
        for path in sorted(folder.resolve().rglob("*.py")):
            inner = path.relative_to(folder.resolve()).with_suffix("")
            name = ".".join(("hrsnn_lava", folder.name, *inner.parts))
            yield path, name.removesuffix(".__init__")


def imports_of(path):
    """Dotted names that a file imports, at any depth of its code; `TYPE_CHECKING` ones too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def rank(name):
    """Rank of a module; the package itself offers its version and lazy names alone."""
    parts = name.split(".")
    return RANKS[parts[1]] if len(parts) > 1 else 0


def test_every_module_has_a_rank():
    assert {name.split(".")[1] for _, name in modules() if "." in name} <= set(RANKS)


@pytest.mark.parametrize("found", modules(), ids=lambda m: m[1])
def test_imports_point_one_way(found):
    path, name = found
    if name == "hrsnn_lava":  # its names are loaded lazily, from everywhere
        return
    wrong = [
        other
        for other in imports_of(path)
        if other.startswith("hrsnn_lava.") and rank(other) > rank(name)
    ]
    # the types offer save, load and the like: a method that imports on call
    assert not wrong, f"{name} imports {wrong}"


def test_lava_and_torch_stay_where_they_belong():
    for path, name in modules():
        for other in imports_of(path):
            top = other.split(".")[0]
            if top == "lava":
                assert name.startswith(
                    ("hrsnn_lava.processes", "hrsnn_lava.sim_backends.lava.backend")
                ), f"{name} imports {other}"
            assert top not in ("torch", "pickle"), f"{name} imports {other}"


def test_listed_packages_are_the_folders():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {"hrsnn_lava"}
    for path, name in modules():
        if path.name == "__init__.py":
            found.add(name)
    assert sorted(listed) == sorted(found)


@pytest.mark.parametrize("name", LINKS)
def test_links_are_relative_and_lead_to_the_folder(name):
    link = PACKAGE / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name
    assert (ROOT / name / "__init__.py").is_file()


def loaded(code):
    """Top-level modules that `code` leaves loaded in a fresh interpreter."""
    command = (
        f"{code}\nimport sys\nprint(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded("import hrsnn_lava") & {
        "numpy",
        "scipy",
        "numba",
        "pydantic",
        "lava",
        "torch",
    }


def test_the_integer_core_needs_no_lava():
    code = "import hrsnn_lava as hl; hl.simulate; hl.compile; hl.QuantizedNetwork"
    assert not loaded(code) & {"lava", "torch", "matplotlib", "networkx"}


def test_every_public_name_exists():
    import hrsnn_lava

    for name in hrsnn_lava.__all__:
        assert getattr(hrsnn_lava, name) is not None
    assert set(hrsnn_lava.__all__) <= set(dir(hrsnn_lava))
    with pytest.raises(AttributeError, match="No hrsnn_lava attribute nothing"):
        hrsnn_lava.nothing  # noqa: B018


def test_the_version_is_stated_once():
    import hrsnn_lava

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == hrsnn_lava.__version__
