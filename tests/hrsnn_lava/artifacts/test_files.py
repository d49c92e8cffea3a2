"""What a writer does with what is there: links stay, devices and pipes are written to."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest
from click.testing import CliRunner

import hrsnn_lava as hl
from hrsnn_lava.artifacts.container import save_npz
from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.cli.main import cli
from hrsnn_lava.errors import OutputError

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="devices and pipes are POSIX's")
NULL, FULL = (1, 3), (1, 7)


def network():
    return hl.QuantizedNetwork((hl.QuantizedPopulation("a", 4, du=0, dv=1, vth=1, bias_mant=9),))


WRITERS = {
    "text": lambda path: write_text(path, "new"),
    "npz": lambda path: save_npz(path, {"a": np.arange(9)}),
    "hlx": lambda path: network().save(path),
    "input": lambda path: hl.SpikeInput.empty(3, 2).save(path),
    "recording": lambda path: hl.record(network(), None, 20, path) and None,
}
each_writer = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@pytest.fixture
def device(tmp_path):
    """Makes a device of our own: those of the system must survive a failing test."""

    def make(number):
        path = tmp_path / "device"
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(*number))
            path.open("wb").close()
        except OSError:
            pytest.skip("needs the right to make devices, on a file system that has them")
        return path

    return make


@pytest.fixture
def pipe(tmp_path):
    """A named pipe, and a function that waits for what came out of it."""
    path, came = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: came.append(path.read_bytes()), daemon=True)
    reader.start()

    def content():
        reader.join(20)
        return came[0]

    return path, content


def expected(write, tmp_path):
    (tmp_path / "plain").mkdir()
    write(tmp_path / "plain" / "file")
    return (tmp_path / "plain" / "file").read_bytes()


@each_writer
def test_a_link_stays_and_its_file_is_replaced(write, tmp_path):
    (tmp_path / "far").mkdir()
    file, link = tmp_path / "far" / "file", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to("far/file")
    write(link)
    assert os.readlink(link) == "far/file"
    assert file.read_bytes() == expected(write, tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(p.name for p in tmp_path.glob("*")) == ["far", "link", "plain"]
    assert os.listdir(tmp_path / "far") == ["file"]


@each_writer
def test_a_file_hands_on_its_mode(write, tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o604)
    write(path)
    assert path.read_bytes() == expected(write, tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@each_writer
def test_a_link_to_nothing_makes_the_file(write, tmp_path):
    (tmp_path / "link").symlink_to("file")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == expected(write, tmp_path)


@each_writer
def test_a_pipe_gets_the_whole_file(write, tmp_path, pipe):
    path, content = pipe
    write(path)
    assert content() == expected(write, tmp_path)
    assert path.is_fifo()


@each_writer
def test_a_device_stays_one(write, device):
    path = device(NULL)
    write(path)
    assert path.is_char_device()


@each_writer
def test_a_full_device_is_named(write, device):
    path = device(FULL)
    with pytest.raises(OSError, match="No space left") as caught:
        write(path)
    assert caught.value.filename == str(path)
    assert path.is_char_device()


def test_nothing_reaches_a_pipe_when_the_writer_fails(pipe):
    path, content = pipe
    with pytest.raises(AttributeError):
        write_text(path, None)
    path.open("wb").close()  # for the reader to end
    assert content() == b""


@each_writer
@pytest.mark.parametrize("there", ["folder", "circle", "no folder", "below a file"])
def test_what_cannot_be_written_is_named(write, there, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").touch()
    names = {"no folder": "no/file", "below a file": "file/x"}
    path = tmp_path / names.get(there, there)
    with pytest.raises(OutputError, match=f"{path}.*: cannot be written") as caught:
        write(path)
    assert caught.value.exit_code == 2
    assert (tmp_path / "circle").is_symlink()


def test_a_log_that_standard_output_adds_to_is_not_replaced(tmp_path):
    log = tmp_path / "log"
    log.write_text("first\n")
    code = "from hrsnn_lava.artifacts.files import write_text\nprint('second')\n"
    code += "write_text('/dev/stdout', 'third\\n')\nprint('fourth')"
    with log.open("ab") as handle:
        subprocess.run([sys.executable, "-c", code], stdout=handle, check=True)
    assert log.read_text() == "first\nsecond\nthird\nfourth\n"


def commands(target):
    yield "report", "c.hlx", "--format", "html", "-o", target
    yield "simulate", "c.hlx", "--steps", "20", "-o", target
    yield "simulate", "c.hlx", "--steps", "20", "--stream", "-o", target
    yield "simulate", "c.hlx", "--steps", "20", "--state-out", target
    yield "simulate", "c.hlx", "--steps", "20", "--counts", target
    yield "compile", "n.hlx", "--profile", "loihi1", "-o", target
    yield "check", "r.json", "--markdown", target
    yield "check", "r.json", "--junit", target
    yield "diff", "r.json", "r.json", "--markdown", target


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network().save("n.hlx")
    compiled = hl.compile(network(), "loihi1")
    compiled.save("c.hlx")
    hl.report(compiled, hl.simulate(compiled, None, 20)).write("r.json")


@pytest.mark.parametrize("command", commands("device"), ids=lambda c: " ".join(c[::3]))
def test_commands_name_a_full_device(command, files, device):
    device(FULL)
    result = CliRunner().invoke(cli, [*command, "--quiet"])
    assert result.exit_code == 2, result.output
    assert result.stderr.endswith("error: device: No space left on device\n")


@pytest.mark.parametrize("command", commands("device"), ids=lambda c: " ".join(c[::3]))
def test_commands_write_to_a_device(command, files, device):
    path = device(NULL)
    result = CliRunner().invoke(cli, [*command, "--quiet"])
    assert result.exit_code == 0, result.output
    assert path.is_char_device()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that takes no file")
@pytest.mark.parametrize("command", commands("/proc/x"), ids=lambda c: " ".join(c[::3]))
def test_commands_that_cannot_write_end_with_code_2(command, files):
    result = CliRunner().invoke(cli, [*command, "--quiet"])
    assert result.exit_code == 2, result.output
    assert "/proc" in result.stderr
