"""Runs the notebooks of the examples, and writes what their cells print back into them.

    uv run python docs/run_notebooks.py           # all of them
    uv run python docs/run_notebooks.py --check   # change nothing, fail if a text would change

A notebook is a file of JSON, and its cells are run here one after the other in one namespace: no
Jupyter is needed. What a cell prints is its output, and the value of a last line that is an
expression. The tests in ``tests/docs`` use the same functions.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def read(path: Path) -> dict[str, Any]:
    """A notebook."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def written(notebook: dict[str, Any]) -> str:
    """The text of its file, as Jupyter writes it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Its cells that run, in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def texts(cell: dict[str, Any]) -> str:
    """What the outputs of a cell say."""
    parts = [out.get("text") or out["data"]["text/plain"] for out in cell["outputs"]]
    return "".join("".join(part) for part in parts)


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the outputs of a run, in the folder of the moment."""
    space: dict[str, Any] = {"__name__": "notebook"}
    done = json.loads(json.dumps(notebook))
    for count, cell in enumerate(code_cells(done), 1):
        cell["execution_count"], cell["outputs"] = count, []
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(tree, f"cell {count}", "exec", dont_inherit=True), space)
            value = None
            if last is not None:
                code = compile(ast.Expression(last.value), f"cell {count}", "eval")
                value = eval(code, space)  # noqa: S307 - a cell of ours
        if printed.getvalue():
            lines = printed.getvalue().splitlines(keepends=True)
            cell["outputs"].append({"name": "stdout", "output_type": "stream", "text": lines})
        if value is not None:
            data = {"text/plain": repr(value).splitlines(keepends=True)}
            result = {"data": data, "execution_count": count, "metadata": {}}
            cell["outputs"].append({**result, "output_type": "execute_result"})
    return done


def main() -> int:
    """Run them all; 1 where one would change."""
    parser = argparse.ArgumentParser(description="Run the notebooks of the examples.")
    parser.add_argument("--check", action="store_true", help="Change nothing.")
    check = parser.parse_args().check
    stale = []
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            text = written(run(read(path)))
            os.chdir(ROOT)
        if text != path.read_text(encoding="utf-8"):
            stale.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    print("\n".join(stale) if stale else "all up to date")  # noqa: T201
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
