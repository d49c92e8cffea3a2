"""The benchmark of suggestions runs at a tiny size, and notices another posterior. No timing."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MODULES = ("search_suggest", "simulation", "timing", "bounds", "networks", "peers")


@pytest.fixture(scope="module")
def bench():
    """The script as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("search_suggest")
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in MODULES:
            sys.modules.pop(name, None)


def test_every_tool_has_a_row(bench, tmp_path, monkeypatch, capsys):
    out = tmp_path / "s.json"
    arguments = ["--trials", "16", "--repeats", "1", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", ["search_suggest", *arguments])
    monkeypatch.delenv("HRSNN_BOTORCH_PYTHON", raising=False)
    assert bench.main() == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["tool"] for row in rows][:3] == [
        "wasserstein",
        "of it, hyper-parameters",
        "matern",
    ]
    assert rows[0]["ratio"] == 1.0
    assert all(row["cpu_s"] > 0 and row["trials"] == 16 for row in rows)
    assert "BoTorch: left out" in capsys.readouterr().out


def test_another_posterior_is_an_error(bench, monkeypatch):
    pytest.importorskip("sklearn")
    space = bench.space_of(2)
    told = bench.trials_of(space, 12)
    assert bench.check_posterior(space, told) < 1e-8
    monkeypatch.setattr(bench, "TOLERANCE", 1e-30)
    with pytest.raises(RuntimeError, match="scikit-learn: the posteriors differ by"):
        bench.check_posterior(space, told)
