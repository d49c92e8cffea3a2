"""Small artifacts on disk, and a runner that tells standard output from standard error."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.cli.main import cli

SPEC = """
name = "small"
seed = 3
[network]
size = 60
[network.connectivity]
mean_degree = 8.0
[task]
train = 260
horizon = 10
starts = 1
steps_per_sample = 5
washout = 10
replays = 1
[prune]
density = 0.3
rescale = "none"
homeostasis_passes = 1
controls = []
[verify]
backends = ["reference", "native"]
steps = 50
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The one document on standard output."""
        document: dict[str, Any] = json.loads(self.out)
        return document


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the program in a fresh folder, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HRSNN_LAVA_TRACEBACK", raising=False)

    def call(*arguments: Any) -> Outcome:
        result = CliRunner().invoke(cli, [str(a) for a in arguments])
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture(scope="session")
def network() -> hl.Network:
    """60 neurons of the usual kind."""
    spec = hl.Spec.parse(
        {"seed": 3, "network": {"size": 60, "connectivity": {"mean_degree": 8.0}}, "name": "small"}
    )
    return hl.build_hrsnn(spec)


@pytest.fixture(scope="session")
def clock() -> hl.QuantizedNetwork:
    """A neuron that fires every 7th step, by its bias alone, onto two that it never moves.

    v grows by 100 a step without leak and is reset when it exceeds 10 * 64: in steps 6, 13, ...
    """
    ticker = hl.QuantizedPopulation("ticker", 1, du=4095, dv=0, vth=10, bias_mant=100)
    quiet = hl.QuantizedPopulation("quiet", 2, du=4095, dv=0, vth=100000)
    fan_out = hl.QuantizedProjection(
        "out",
        "ticker",
        "quiet",
        sparse.csr_matrix(np.array([[2], [4]])),
        sign_mode=hl.SignMode.EXCITATORY,
    )
    return hl.QuantizedNetwork((ticker, quiet), (fan_out,), "clock")


@dataclass(frozen=True)
class Files:
    """Paths of valid input files."""

    spec: Path
    network: Path
    quantized: Path
    compiled: Path
    clock: Path


@pytest.fixture(scope="session")
def files(
    tmp_path_factory: pytest.TempPathFactory, network: hl.Network, clock: hl.QuantizedNetwork
) -> Files:
    """A spec and one artifact of every stage."""
    folder = tmp_path_factory.mktemp("artifacts")
    names = ("spec.toml", "network.hlx", "quantized.hlx", "compiled.hlx", "clock.hlx")
    spec, floats, integers, placed, ticking = (folder / name for name in names)
    found = Files(spec, floats, integers, placed, ticking)
    found.spec.write_text(SPEC, encoding="utf-8")
    network.save(found.network)
    quantized = hl.quantize(network)
    quantized.save(found.quantized)
    hl.compile(quantized, "loihi1").save(found.compiled)
    clock.save(found.clock)
    return found
