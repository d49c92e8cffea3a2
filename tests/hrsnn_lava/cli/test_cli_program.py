"""The program itself: help, laziness, tables, signals and pipes."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest

from hrsnn_lava import __version__
from hrsnn_lava.cli.main import COMMANDS, cli

HEAVY = ("numpy", "scipy", "pydantic", "numba", "matplotlib", "rich", "jinja2", "lava", "networkx")
PROGRAM = [sys.executable, "-m", "hrsnn_lava"]


def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
    command = [*PROGRAM, *(str(a) for a in arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, text=True, **pipes)


def shell(*arguments: Any) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_imports_no_heavy_library(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from hrsnn_lava.cli.main import cli\n"
        "try:\n"
        f"    cli.main({arguments!r})\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0, end.code\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_module_and_version() -> None:
    assert shell("--version") == (0, f"hrsnn-lava {__version__}\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_has_the_common_options(name: str, run: Any) -> None:
    module, attribute, text = COMMANDS[name]
    command = getattr(importlib.import_module(f"hrsnn_lava.cli.{module}"), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "--quiet", "--traceback"} <= options
    shown = run(name, "--help")
    assert shown.code == 0
    assert f"Usage: hrsnn-lava {name}" in shown.out
    assert text in run("--help").out


@pytest.mark.parametrize("name", ["prune", "compile", "simulate", "verify", "run", "demo"])
def test_commands_that_compute_take_a_seed(name: str, run: Any) -> None:
    assert "--seed" in run(name, "--help").out


def test_no_command_shows_the_help(run: Any) -> None:
    assert run().code == 0
    assert run().out == run("--help").out


def test_unknown_command_names_the_nearest(run: Any) -> None:
    outcome = run("simulat")
    assert (outcome.code, outcome.out) == (2, "")
    assert "No such command 'simulat'. Did you mean simulate?" in outcome.err
    assert "One of demo, run, prune" in run("xyzzy").err


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts(name: str, run: Any) -> None:
    outcome = run("completion", name)
    assert outcome.code == 0
    assert "_HRSNN_LAVA_COMPLETE" in outcome.out


def test_completion_of_names_and_options(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_HRSNN_LAVA_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "hrsnn-lava comp")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run().out.split() == ["plain,compile", "plain,compare", "plain,completion"]
    monkeypatch.setenv("COMP_WORDS", "hrsnn-lava simulate --bac")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run().out.split() == ["plain,--backend"]


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "terminated"),
        (signal.SIGINT, 130, "interrupted"),
    ],
)
def test_signals_leave_no_partial_file(
    files: Any, tmp_path: Path, number: int, code: int, word: str
) -> None:
    output = tmp_path / "trace.npz"
    long = ("--backend", "reference", "--steps", 5_000_000)
    process = start("simulate", files.clock, *long, "-o", output)
    assert process.stderr is not None
    while "simulate: reference" not in (line := process.stderr.readline()):
        assert line, "it ended before it began"
    time.sleep(0.2)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert word in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_gone_is_no_failure(files: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start("inspect", files.network, stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_a_reader_of_progress_that_has_gone_does_not_stop_the_work(
    files: Any, tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    output = tmp_path / "trace.npz"
    process = start("simulate", files.quantized, "--steps", 10, "-o", output, stderr=writing)
    os.close(writing)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "spikes" in out
    assert output.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_named() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        process = start("profiles", stdout=full)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (2, "error: No space left on device\n")


def test_group_forwards_no_standalone_result() -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"], standalone_mode=False)
    assert end.value.code == 0
