"""The code of a bundle: modules of this package, copied word for word under another name.

A bundle runs without hrsnn-lava, on the very code that was tested here: nothing is written twice.
Only the imports change, ``hrsnn_lava`` into `PACKAGE`, and modules of this folder move to its top.
"""

from __future__ import annotations

import importlib.util
import re
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from hrsnn_lava import __version__

__all__ = ["MODULES", "PACKAGE", "license_text", "sources"]

#: Name of the package in a bundle.
PACKAGE = "hrsnn_program"
_HOME = "hrsnn_lava"
_BUNDLE = f"{_HOME}.deploy.bundle"
#: Everything that the runner imports, directly or not; a test follows the imports.
MODULES = (
    "errors",
    "integer_format",
    "fields",
    "csr",
    "resets",
    "third_factor",
    "chip_learning",
    "processes.program",
    "processes.lif",
    "processes.mapped_files",
    "processes.connections",
    "processes.stock",
    "processes.graph",
    "processes.runtimes",
    "processes.hardware",
    "deploy.bundle.manifest",
    "deploy.bundle.host",
    "deploy.bundle.runner",
)
_IMPORT = re.compile(rf"^(\s*)(from|import) {_HOME}(\.deploy\.bundle)?(?=[.\s])", re.MULTILINE)
_HEADER = """\
# {name} of hrsnn-lava {version}, copied; only its imports were renamed.
# SPDX-License-Identifier: Apache-2.0
"""
#: What notebooks show is no part of a bundle; `chip_learning` asks for it.
_NOTEBOOK = '''\
"""In the place of what notebooks show of a class: nothing."""


def brief(*_, **__):
    return lambda shown: shown
'''
_PACKAGE_TEXT = '"""Runs the program of this bundle in Intel Lava; see `runner`."""\n'
_RUN = f'''\
"""Runs the program of this folder in Intel Lava: ``python -m run --help``."""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

if __name__ == "__main__":  # Lava forks
    sys.dont_write_bytecode = True  # the folder stays as its manifest says
    sys.path.insert(0, str(FOLDER))
    from {PACKAGE}.runner import main

    try:
        code = main(sys.argv[1:], FOLDER)
    except SystemExit as error:  # of --help, and of wrong options
        code = error.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # what Lava registers for the end can wait for ever after a failure
'''


def sources() -> dict[str, bytes]:
    """Files of the package and its starters, by their name in a bundle."""
    texts = {"run.py": _RUN, "__main__.py": _RUN, f"{PACKAGE}/__init__.py": _PACKAGE_TEXT}
    texts[f"{PACKAGE}/processes/__init__.py"] = '"""Lava Processes, and graphs of them."""\n'
    texts[f"{PACKAGE}/notebook.py"] = _NOTEBOOK
    for name in MODULES:
        place = name.removeprefix("deploy.bundle.").replace(".", "/")
        texts[f"{PACKAGE}/{place}.py"] = _copied(name)
    return {name: text.encode() for name, text in texts.items()}


def _copied(name: str) -> str:
    """A module with its imports renamed."""
    spec = importlib.util.find_spec(f"{_HOME}.{name}")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{_HOME}.{name}")
    text = _IMPORT.sub(rf"\1\2 {PACKAGE}", Path(spec.origin).read_text(encoding="utf-8"))
    return _HEADER.format(name=f"{_HOME}.{name}", version=__version__) + text


def license_text() -> str:
    """The license of the copied code."""
    with suppress(metadata.PackageNotFoundError):
        for where in ("licenses/LICENSE", "LICENSE"):
            if text := metadata.distribution("hrsnn-lava").read_text(where):
                return text
    return (Path(__file__).resolve().parents[2] / "LICENSE").read_text(encoding="utf-8")
