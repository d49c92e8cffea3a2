"""Commands on a spec that learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hrsnn_lava import CompiledNetwork

SPEC = """
[network]
size = 60
[network.connectivity]
mean_degree = 10.0
[stdp]
tau_plus = { distribution = "gamma", shape = 3.0, mean = 0.02, low = 0.002 }
t_epoch = 2
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.toml"
    path.write_text(SPEC)
    return path


def test_compile_takes_the_rules_of_a_spec(run: Any, spec: Path, tmp_path: Path) -> None:
    result = run("compile", spec, "-o", tmp_path / "c.hlx", "--full")
    assert result.code == 0
    learning = CompiledNetwork.load(tmp_path / "c.hlx").network.projection("exc_exc").learning
    assert (len(learning.rules), learning.t_epoch) == (3, 2)
    assert "trace_profiles" in result.out


def test_compile_leaves_rules_for_training_out(run: Any, spec: Path, tmp_path: Path) -> None:
    spec.write_text(SPEC + "on_chip = false\ntrain_passes = 1\n")
    assert run("compile", spec, "-o", tmp_path / "c.hlx").code == 0
    network = CompiledNetwork.load(tmp_path / "c.hlx").network
    assert all(p.learning is None for p in network.projections)


def test_too_many_profiles_do_not_fit(run: Any, spec: Path, tmp_path: Path) -> None:
    spec.write_text(SPEC + "max_profiles = 6\n")
    result = run("compile", spec, "-o", tmp_path / "c.hlx")
    assert result.code == 4
    assert "trace_profiles" in result.err
    assert "max_profiles" in result.err


def test_profiles_shows_the_limit_and_its_source(run: Any) -> None:
    result = run("profiles", "loihi1")
    line = next(row for row in result.out.splitlines() if "core.trace_profiles" in row)
    assert line.split()[:4] == ["core.trace_profiles", "3", "profile", "code"]
    assert "validate.py" in line
