"""The code of a bundle: the modules of this package word for word, complete, and nothing else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
import yaml

from hrsnn_lava.deploy.bundle.contents import template
from hrsnn_lava.deploy.bundle.sources import MODULES, PACKAGE, license_text, sources

FILES = {name: data.decode() for name, data in sources().items() if name.endswith(".py")}
ROOT = Path(__file__).resolve().parents[3]
#: What comes with Lava 0.10.
WITH_LAVA = {"lava", "numpy", "scipy"}


def imports(text):
    """Modules that a source imports when it runs: those for type checkers are not among them."""
    tree = ast.parse(text)
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for part in node.body
        for inner in ast.walk(part)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module


@pytest.mark.parametrize("name", FILES)
def test_every_import_is_there(name):
    for module in imports(FILES[name]):
        if module.split(".")[0] == PACKAGE:
            assert f"{module.replace('.', '/')}.py" in FILES
        else:
            assert module.split(".")[0] in WITH_LAVA | sys.stdlib_module_names, module


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_unpickled_or_evaluated(name):
    assert not {"pickle", "dill", "marshal", "shelve"} & {*imports(FILES[name])}
    called = {
        node.func.id
        for node in ast.walk(ast.parse(FILES[name]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"eval", "exec", "compile", "__import__"}
    assert "allow_pickle=True" not in FILES[name]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_differs_in_its_imports_alone(module):
    """Not a second implementation: what was tested here is what runs there."""
    parts = module.split(".")
    top = ROOT if parts[0] == "deploy" else ROOT / "hrsnn_lava"
    original = (top.joinpath(*parts).with_suffix(".py")).read_text().splitlines()
    place = module.removeprefix("deploy.bundle.").replace(".", "/")
    header, copied = FILES[f"{PACKAGE}/{place}.py"].splitlines()[:2], FILES[f"{PACKAGE}/{place}.py"]
    assert header[1] == "# SPDX-License-Identifier: Apache-2.0"
    for before, after in zip(original, copied.splitlines()[2:], strict=True):
        if before != after:
            assert before.lstrip().startswith(("from hrsnn_lava", "import hrsnn_lava"))
            renamed = after.replace(PACKAGE, "hrsnn_lava")
            assert before.replace("hrsnn_lava.deploy.bundle", "hrsnn_lava") == renamed


def test_the_license_goes_along():
    assert "Apache License" in license_text()


@pytest.mark.parametrize("name", ["github.yml", "gitlab-ci.yml"])
def test_the_jobs_are_yaml_and_run_the_self_test(name):
    """On the one Python that Lava runs on; nothing of an expression reaches a script."""
    text = template("bundle", name)
    job = yaml.safe_load(text)
    steps = (
        job["jobs"]["self-test"]["steps"] if "jobs" in job else job["bundle-self-test"]["script"]
    )
    scripts = [s["run"] if isinstance(s, dict) and "run" in s else s for s in steps]
    assert scripts[-1] == 'python "$BUNDLE" --self-test'
    assert scripts[-2] == 'python -m pip install --quiet -r "$BUNDLE/requirements.txt"'
    assert "3.10" in text
    assert "${{" not in text
