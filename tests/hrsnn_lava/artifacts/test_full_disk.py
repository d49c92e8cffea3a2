"""A disk without room: one line that names the file, exit code 2, and no half of it stays."""

from __future__ import annotations

import contextlib
import errno
import gc
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import hrsnn_lava as hl
from hrsnn_lava.artifacts.container import save_npz
from hrsnn_lava.artifacts.files import FULL, write_text
from hrsnn_lava.cli.main import cli
from hrsnn_lava.experiment.runner import Journal, Stage
from hrsnn_lava.sim_backends.runs.recorded import write_members

resource = pytest.importorskip("resource", reason="limits of file sizes are POSIX's")
LIMIT = 4096


@contextlib.contextmanager
def room_for(size):
    """Files may have `size` bytes; the system answers EFBIG to what goes beyond."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    bytecode = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # Python would leave half a file of what is imported now
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = bytecode


def noise(count=100_000):
    return np.random.default_rng(0).integers(0, 2**31, count)


def writers():
    blocks = (np.dtype(np.int64), (100_000,), (noise(),))
    yield "text", lambda path: write_text(path, "x" * 100_000)
    yield "npz", lambda path: save_npz(path, {"a": noise(), "b": noise()})
    yield "members", lambda path: write_members(path, [("a", blocks), ("b", blocks)])
    weights = hl.QuantizedPopulation("a", 5000, du=0, dv=1, vth=np.arange(1, 5001))
    yield "hlx", lambda path: hl.QuantizedNetwork((weights,)).save(path)


@pytest.mark.parametrize("write", [w for _, w in writers()], ids=[n for n, _ in writers()])
def test_nothing_is_left_of_a_file_that_has_no_room(write, tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    with room_for(LIMIT), pytest.raises(OSError, match="File too large") as caught:
        write(path)
    assert caught.value.errno in FULL
    assert caught.value.filename == str(path)
    del caught
    gc.collect()  # writers that were not closed must not complain when they go
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_without_room_for_a_name(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("hrsnn_lava.artifacts.files.tempfile.mkstemp", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(tmp_path / "t", "x")
    assert caught.value.filename == str(tmp_path / "t")


def test_the_journal_names_itself(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, "spec", resume=False)
    journal.result(Stage("a", lambda: 1))
    with room_for(LIMIT), pytest.raises(OSError, match="File too large") as caught:
        journal.result(Stage("b", lambda: "x" * 10_000))
    assert caught.value.filename == str(path)
    resumed = Journal(path, "spec", resume=True)
    assert resumed.result(Stage("a", lambda: 2)) == 1  # what was written stays
    assert resumed.result(Stage("b", lambda: 3)) == 3


def test_commands_end_with_code_2_and_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    population = hl.QuantizedPopulation("a", 200, du=0, dv=1, vth=1, bias_mant=noise(200) % 100)
    compiled = hl.compile(hl.QuantizedNetwork((population,)), "loihi1")
    compiled.save("c.hlx")
    trace = hl.simulate(compiled, None, 500)
    trace.save("t.npz")
    before = {path.name for path in Path().iterdir()}
    calls = (
        ("report", "c.hlx", "-o", "r.html"),
        ("report", "c.hlx", "-o", "r.json"),
        ("simulate", "c.hlx", "--steps", "500", "-o", "u.npz"),
        ("compile", "c2.hlx", "--profile", "loihi1", "-o", "d.hlx"),
    )
    compiled.network.save("c2.hlx")
    for call in calls:
        with room_for(LIMIT):
            result = CliRunner().invoke(cli, [*call, "--quiet"])
        assert result.exit_code == 2, result.output
        assert result.stderr == f"error: {call[-1]}: File too large\n"
    assert {path.name for path in Path().iterdir()} == before | {"c2.hlx"}


def test_a_recording_without_room_goes_on_later(tmp_path):
    population = hl.QuantizedPopulation("a", 200, du=0, dv=1, vth=1, bias_mant=noise(200) % 100)
    network, path = hl.QuantizedNetwork((population,)), tmp_path / "r.npz"
    with room_for(LIMIT), pytest.raises(OSError, match="File too large") as caught:
        hl.record(network, None, 3000, path)
    assert Path(caught.value.filename).name in ("chunks.log", "checkpoint.hlx")
    assert not path.exists()
    hl.record(network, None, 3000, path, resume=True)
    assert hl.Trace.load(path).n_spikes == hl.simulate(network, None, 3000).n_spikes
    assert [file.name for file in tmp_path.iterdir()] == ["r.npz"]
