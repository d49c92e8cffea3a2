"""The structure: packages, links, the direction of imports, what start-up loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "hrsnn_lava"
LINKS = ("compiler", "deploy", "hardware_profiles", "sim_backends")


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


def test_imports_keep_the_contracts_of_pyproject():
    """Layers, no circles, Lava in its places; see ``[tool.importlinter]``."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_contracts_see_every_module_through_the_links():
    graph = grimp.build_graph("hrsnn_lava", cache_dir=None)
    assert graph.modules == {name for _, name in modules()}


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


def test_the_picture_of_the_rooms_is_what_the_imports_say():
    command = [sys.executable, str(ROOT / "docs" / "draw_rooms.py"), "--check"]
    drawn = subprocess.run(command, capture_output=True, text=True, check=False)
    assert drawn.returncode == 0, drawn.stderr


def test_no_function_takes_eight_arguments():
    """Those of numba kernels apart."""
    long = []
    for path, name in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            if any(
                "jit" in ast.unparse(d) or "kernel" in ast.unparse(d) for d in node.decorator_list
            ):
                continue
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len([a for a in every if a.arg not in ("self", "cls")])
            if count >= 8:
                long.append(f"{name}.{node.name}")
    assert not long
