"""The benchmark of placement runs at a tiny size; no timing."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.once

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("placement")
    for name in ("placement", "timing"):
        sys.modules.pop(name, None)


def test_every_way_is_measured_and_none_beats_the_search(script, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(script, "CASES", ((12, "plane"),))
    monkeypatch.setattr(script, "LARGE", ())
    monkeypatch.setattr(script, "SCIPY_SLOTS", 0)
    out = tmp_path / "placement.json"
    monkeypatch.setattr(sys, "argv", ["placement", "--json", str(out)])
    script.main()
    rows = json.loads(out.read_text())["rows"]
    assert {"row", "hilbert", "random", "spectral", "search"} <= {row["way"] for row in rows}
    assert min(row["cost"] for row in rows) == 1.0
    assert "mean hops" in capsys.readouterr().out


def test_the_peer_gets_the_same_costs(script):
    from hrsnn_lava.compiler.mesh import Mesh
    from hrsnn_lava.compiler.placing._task import PlaceTask

    flow = script.generated(8, "communities", 0)
    task = PlaceTask.of(flow, Mesh(4, 2, 1, np.full(8, 2)), 0)
    slots = script.scipy_slots(task, 0)
    assert np.unique(slots).size == 8
    assert slots.max() < 16
