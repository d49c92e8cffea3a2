"""Memory-mapped sources, sinks and probes, in the threads of this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [
    pytest.mark.lava,
    # networkx, in Lava's compiler, names every graph library that it did not find
    pytest.mark.filterwarnings("ignore:.* not found, skipping conversion test:ImportWarning"),
]
if sys.version_info >= (3, 11):
    pytest.skip("Lava 0.10.0 needs Python 3.10", allow_module_level=True)


def run(processes: list[Any], steps: int, precision: str) -> None:
    from hrsnn_lava.processes.graph import run_config
    from hrsnn_lava.processes.runtimes import run_in_threads

    run_in_threads(processes[0], steps, run_config(processes, precision))


def chain(tmp_path: Path, rows: Any, steps: int, dtype: Any) -> list[Any]:
    from hrsnn_lava.processes.mapped_files import MmapSink, MmapSource

    np.save(tmp_path / "in.npy", rows)
    source = MmapSource(path=tmp_path / "in.npy")
    sink = MmapSink(shape=rows.shape[1:], path=tmp_path / "out.npy", steps=steps, dtype=dtype)
    source.s_out.connect(sink.a_in)
    return [source, sink]


def test_rows_arrive_step_by_step_and_zeros_follow_the_last(tmp_path: Path) -> None:
    rows = np.array([[1, -2, 2**31 - 1], [0, 5, -(2**31)]], dtype=np.int32)
    run(chain(tmp_path, rows, 4, np.int32), 4, "fixed_pt")
    found = np.load(tmp_path / "out.npy", mmap_mode="r")
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, [*rows.tolist(), [0, 0, 0], [0, 0, 0]])


def test_floats_arrive_unchanged(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(20, 3, 2))
    run(chain(tmp_path, rows, 20, np.float64), 20, "floating_pt")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), rows)


def test_bool_file_takes_an_eighth_of_float_and_keeps_spikes(tmp_path: Path) -> None:
    rows = np.eye(4, dtype=np.int8)
    run(chain(tmp_path, rows, 4, bool), 4, "fixed_pt")
    found = np.load(tmp_path / "out.npy")
    assert found.dtype == bool
    np.testing.assert_array_equal(found, rows.astype(bool))


def test_a_run_beyond_the_file_fails_and_ends_every_thread(tmp_path: Path) -> None:
    with pytest.raises(IndexError, match="out of bounds"):
        run(chain(tmp_path, np.ones((9, 2), np.int32), 3, np.int32), 9, "fixed_pt")


def test_a_source_without_rows_is_refused(tmp_path: Path) -> None:
    from hrsnn_lava.processes.mapped_files import MmapSource

    np.save(tmp_path / "flat.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"\(steps, n\)"):
        MmapSource(path=tmp_path / "flat.npy")


def test_a_probe_writes_what_a_sink_would_and_only_the_files_that_are_named(
    tmp_path: Path,
) -> None:
    from hrsnn_lava.processes.lif import HeterogeneousLIF
    from hrsnn_lava.processes.mapped_files import MmapProbe, MmapSink

    lif = HeterogeneousLIF(shape=(2,), bias_mant=[3, 100], vth=10, dv=[0, 50])
    probe = MmapProbe(
        shape=(2,), steps=6, files={"spikes": tmp_path / "s.npy", "v": tmp_path / "v.npy"}
    )
    sink = MmapSink(shape=(2,), path=tmp_path / "sink.npy", steps=6)
    lif.s_out.connect(probe.s_in)
    lif.v_out.connect(probe.v_in)
    lif.v_out.connect(sink.a_in)
    run([lif, probe, sink], 6, "fixed_pt")
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), np.load(tmp_path / "sink.npy"))
    assert np.load(tmp_path / "v.npy")[:, 0].tolist() == [3, 6, 9, 12, 15, 18]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.npy", "sink.npy", "v.npy"]
