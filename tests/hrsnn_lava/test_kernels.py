"""Kernels without a cache, and with one that is damaged: compiled anew, with the same results."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import hrsnn_lava as hl
from hrsnn_lava.cli.failure import describe

#: A kernel small enough to be compiled in a moment; prints its result, and whether it was cached.
PROGRAM = """
from hrsnn_lava.kernels import kernel

@kernel(error_model="numpy")
def square(x):
    return x * x

@kernel()
def cube(x):
    return square(x) * x

print(cube(3), sum(cube.stats.cache_hits.values()))
"""
#: The same where no folder can be written.
NOWHERE = f"""
import numba.core.caching
numba.core.caching.CacheImpl._locator_classes = []
{PROGRAM}
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The module of the small kernel."""
    path = tmp_path / "small.py"
    path.write_text(PROGRAM)
    return path


def run(path: Path, *options: str) -> tuple[str, list[str]]:
    """Standard output and the lines of standard error of a program with a cache of its own."""
    env = os.environ | {"NUMBA_CACHE_DIR": str(path.parent / "cache")}
    command = [sys.executable, *options, str(path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr.strip().splitlines()


def cached(path: Path, kind: str) -> list[Path]:
    return sorted((path.parent / "cache").rglob(f"*.{kind}"))


def test_the_second_process_compiles_nothing(program: Path) -> None:
    assert run(program) == ("27 0", [])
    assert run(program) == ("27 1", [])


@pytest.mark.parametrize("options", [(), ("-W", "error")])
def test_without_a_folder_it_says_so_once(program: Path, options: tuple[str, ...]) -> None:
    program.write_text(NOWHERE)
    out, lines = run(program, *options)
    assert out == "27 0"
    said = [line for line in lines if "NUMBA_CACHE_DIR" in line]
    assert len(said) == (0 if options else 1), lines  # where warnings are errors, nobody asked
    assert not cached(program, "nbc")


def flipped(data: bytes) -> bytes:
    return data[:-200] + bytes([data[-200] ^ 1]) + data[-199:]


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_damaged_files_are_written_anew(program: Path, kind: str) -> None:
    for content in (b"", b"no kernel\n", None):  # None: cut in the middle
        run(program)
        for path in cached(program, kind):
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2] if content is None else content)
        assert run(program) == ("27 0", [])
    assert run(program) == ("27 1", [])  # whole again


def test_a_flipped_bit_of_machine_code_does_not_run(program: Path) -> None:
    run(program)
    for path in cached(program, "nbc"):
        path.write_bytes(flipped(path.read_bytes()))
    assert run(program) == ("27 0", [])


def test_a_disk_that_fills_up_ends_no_run(program: Path) -> None:
    full = """
from hrsnn_lava import kernels

def full(self, name, data):
    raise OSError(28, "No space left on device")

kernels._CacheFile._save_data = full
"""
    program.write_text(full + PROGRAM)
    out, lines = run(program)
    assert out == "27 0"
    said = [line for line in lines if "NUMBA_CACHE_DIR" in line]
    assert len(said) == 1
    assert "No space left on device" in said[0]


def test_index_that_cannot_be_replaced(program: Path) -> None:
    """A damaged index in a folder that turned read-only: compiled, and said once."""
    broken = """
from hrsnn_lava import kernels

def read_only(self, path):
    raise PermissionError(13, "Permission denied", path)

kernels._CacheFile._open_for_write = read_only
"""
    run(program)
    for path in cached(program, "nbi"):
        path.write_bytes(b"")
    # the cache is of the program's bytes, so the fault comes in from outside
    outside = program.with_name("outside.py")
    outside.write_text(f"{broken}\nimport runpy\nrunpy.run_path({str(program)!r})\n")
    out, lines = run(outside)
    assert out == "27 0"
    assert len([line for line in lines if "Permission denied" in line]) == 1


def test_the_engine_runs_without_a_cache(tmp_path: Path) -> None:
    """A package that another user installed, no home: nine spikes, as on `reference`."""
    script = tmp_path / "engine.py"
    script.write_text(
        """
import numba.core.caching
numba.core.caching.CacheImpl._locator_classes = []
import numpy as np
import hrsnn_lava as hl
from hrsnn_lava.cli.doctor import diagnose

net = hl.QuantizedNetwork(
    (hl.QuantizedInput("i", 1), hl.QuantizedPopulation("a", 1, du=4095, dv=4095, vth=10)),
    (hl.QuantizedProjection("p", "i", "a", np.array([[100]])),),
)
inputs = hl.SpikeInput(np.arange(10), np.zeros(10, int), 10, 1)
print(hl.simulate(net, inputs, 10).n_spikes)
print([f.status for f in diagnose() if f.what == "numba cache"])
"""
    )
    out, lines = run(script)
    assert out.splitlines() == ["9", "['note']"]
    assert len([line for line in lines if "NUMBA_CACHE_DIR" in line]) == 1


def test_the_commands_mend_an_empty_index(tmp_path: Path) -> None:
    neurons = hl.QuantizedPopulation("a", 1, du=4095, dv=4095, vth=10)
    hl.QuantizedNetwork((neurons,)).save(tmp_path / "n.hlx")
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "hrsnn_lava", "simulate", "n.hlx", "--steps", "5", "--quiet"]
    for _ in range(2):
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        indices = list((tmp_path / "cache").rglob("*.nbi"))
        assert indices
        for path in indices:
            os.truncate(path, 0)


def test_an_unexpected_end_of_a_file_is_no_interrupt() -> None:
    try:
        try:
            raise EOFError("Ran out of input")
        except EOFError as error:
            raise click.Abort from error  # as click does with any EOFError
    except click.Abort as abort:
        failure = describe(abort)
    assert (failure.exit_code, failure.kind) == (1, "EOFError")
    assert describe(click.Abort()).exit_code == 130
    assert describe(KeyboardInterrupt()).exit_code == 130
