"""Notebooks of the examples: they run from top to bottom, and show what they print."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load():
    where = ROOT / "docs" / "run_notebooks.py"
    spec = importlib.util.spec_from_file_location("run_notebooks", where)
    module = importlib.util.module_from_spec(spec)
    sys.modules["run_notebooks"] = module
    spec.loader.exec_module(module)
    return module


notebooks = load()


def words(text):
    """What a text says without its numbers, which differ a little between machines."""
    return re.sub(r"[-+]?\d[\d.,]*|\s+", " ", text).split()


def test_there_are_some():
    assert [path.name for path in notebooks.NOTEBOOKS] == ["own_arrays.ipynb"]


@pytest.mark.once
@pytest.mark.parametrize("path", notebooks.NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_shows_what_it_prints(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook = notebooks.read(path)
    done = notebooks.run(notebook)
    pairs = list(zip(notebooks.code_cells(notebook), notebooks.code_cells(done), strict=True))
    assert len(pairs) >= 5
    for shown, ran in pairs:
        assert shown["execution_count"] == ran["execution_count"]
        assert words(notebooks.texts(shown)) == words(notebooks.texts(ran))
        assert notebooks.texts(shown)


@pytest.mark.parametrize("path", notebooks.NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_a_valid_file(path):
    """Of format 4.5: every cell has an id of its own, and the file is as Jupyter writes it."""
    notebook = notebooks.read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert path.read_text(encoding="utf-8") == notebooks.written(notebook)
    assert "://" not in path.read_text(encoding="utf-8")


def test_cells_share_a_namespace_and_a_last_expression_is_shown():
    cells = [
        {"cell_type": "code", "source": [line], "outputs": [], "execution_count": None}
        for line in ("x = 3", "print(x)\nx + 1", "")
    ]
    cells.insert(1, {"cell_type": "markdown", "source": ["text"]})
    done = notebooks.run({"cells": cells})
    assert [notebooks.texts(cell) for cell in notebooks.code_cells(done)] == ["", "3\n4", ""]
    assert [cell["execution_count"] for cell in notebooks.code_cells(done)] == [1, 2, 3]
