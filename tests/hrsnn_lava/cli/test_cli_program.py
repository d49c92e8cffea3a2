"""The program itself: help, laziness, tables, signals and pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import children
import click
import pytest

from hrsnn_lava import __version__, registry
from hrsnn_lava.cli.main import cli, command_parts

HEAVY = ("numpy", "scipy", "pydantic", "numba", "matplotlib", "rich", "jinja2", "lava", "networkx")
PROGRAM = [sys.executable, "-m", "hrsnn_lava"]


def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
    return children.start([*PROGRAM, *(str(a) for a in arguments)], **options)


def shell(*arguments: Any) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = children.outputs(process, 120)
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


@pytest.mark.parametrize("name", command_parts())
def test_every_command_exists_and_has_the_common_options(name: str, run: Any) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, click.Command)
    assert command.name == name
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "--quiet", "--traceback"} <= options
    shown = run(name, "--help")
    assert shown.code == 0
    assert f"Usage: hrsnn-lava {name}" in shown.out
    text = registry.summary("command", command_parts()[name])
    assert text.endswith(".")
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
    assert "One of demo, init, run, train" in run("xyzzy").err


def test_the_help_lists_commands_in_the_order_of_work(run: Any) -> None:
    names = cli.list_commands(click.Context(cli))
    assert names[:5] == ["demo", "init", "run", "train", "prune"]
    assert names[-1] == "completion"
    table = run("--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    listed = [line.split()[0] for line in table.splitlines()]
    assert listed == names


PLUGIN = '''"""Say hello."""

import children
import click

from hrsnn_lava.cli.console import Console, with_console


@click.command("say-hello")
@click.argument("name")
@with_console
def say_hello(console: Console, name: str) -> int:
    """Say hello to NAME."""
    console.result({"name": name}, f"hello {name}")
    return 5


COMMAND = say_hello
'''


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path / "parts" / "command"
    folder.mkdir(parents=True)
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(folder.parent))
    registry.forget()
    yield folder
    monkeypatch.undo()
    registry.forget()


def test_a_command_in_a_folder_of_the_user_is_a_command(plugin_folder: Path, run: Any) -> None:
    (plugin_folder / "say_hello.py").write_text(PLUGIN, encoding="utf-8")
    lines = run("--help").out.splitlines()
    assert "  say-hello   Say hello." in lines
    assert lines.index("  say-hello   Say hello.") > lines.index(
        "  completion  Shell completion for bash, zsh or fish."
    )
    outcome = run("say-hello", "you")
    assert (outcome.code, outcome.out) == (5, "hello you\n")
    assert run("say-hello", "you", "--json").json()["command"] == "say-hello"
    assert "Did you mean say-hello?" in run("say-helo").err


def test_order_of_a_command_of_the_user(plugin_folder: Path) -> None:
    (plugin_folder / "say_hello.py").write_text(PLUGIN + "ORDER = 35\n", encoding="utf-8")
    names = cli.list_commands(click.Context(cli))
    assert names[3:7] == ["train", "prune", "say-hello", "compile"]


def test_a_name_that_python_reserves(plugin_folder: Path) -> None:
    (plugin_folder / "global_.py").write_text(PLUGIN, encoding="utf-8")
    parts = command_parts()
    assert (parts["global"], parts["import"]) == ("global_", "import_")


def test_a_command_that_cannot_be_read_spoils_no_other(plugin_folder: Path, run: Any) -> None:
    (plugin_folder / "broken.py").write_text("COMMAND = (", encoding="utf-8")
    shown = run("--help")
    assert shown.code == 0
    assert "broken      (cannot be read:" in shown.out
    outcome = run("broken")
    assert outcome.code == 2
    assert "broken.py: SyntaxError" in outcome.err


def test_a_command_that_is_none(plugin_folder: Path, run: Any) -> None:
    (plugin_folder / "number.py").write_text('"""A number."""\nCOMMAND = 3\n', encoding="utf-8")
    outcome = run("number")
    assert outcome.code == 2
    assert f"command 'number': {plugin_folder}/number.py: COMMAND is of type int" in outcome.err
    assert "allowed: a click.Command" in outcome.err


def test_a_command_of_a_name_that_is_taken(plugin_folder: Path, run: Any) -> None:
    (plugin_folder / "check.py").write_text(PLUGIN, encoding="utf-8")
    outcome = run("doctor")
    assert outcome.code == 2
    assert "command 'check' is there twice" in outcome.err
    shown = run("--help")
    assert (shown.code, shown.out, shown.err) == (2, "", outcome.err)
    assert f"cli/check.py and {plugin_folder}/check.py; allowed: one" in shown.err


FAILING = """import click


@click.command()
def fail():
    {}["nothing"]


COMMAND = fail
"""


def test_a_command_of_the_user_that_fails_is_named(plugin_folder: Path, run: Any) -> None:
    (plugin_folder / "fail.py").write_text(FAILING, encoding="utf-8")
    outcome = run("fail")
    assert (outcome.code, outcome.out) == (2, "")
    told = f"error: command 'fail': {plugin_folder}/fail.py: KeyError: 'nothing'"
    hint = "--traceback or HRSNN_LAVA_TRACEBACK=1 shows where it was raised."
    assert outcome.err.splitlines() == [told, hint]


def test_the_traceback_of_a_part_is_shown_when_it_is_asked_for(
    plugin_folder: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plugin_folder / "fail.py").write_text(FAILING, encoding="utf-8")
    (plugin_folder / "broken.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.setenv("HRSNN_LAVA_TRACEBACK", "1")
    failed = run("fail").err
    assert failed.startswith("Traceback (most recent call last)")
    assert f'File "{plugin_folder}/fail.py", line 6, in fail' in failed
    broken = run("broken").err
    assert "ZeroDivisionError: division by zero\n\nThe above exception was" in broken
    assert "was raised." not in broken


def test_a_folder_of_no_kind_is_a_remark(plugin_folder: Path) -> None:
    (plugin_folder.parent / "prunning").mkdir()
    (plugin_folder.parent / "prunning" / "mine.py").write_text("", encoding="utf-8")
    code, _, told = shell("profiles", "loihi1")
    assert code == 0
    assert told.startswith(f"HRSNN_LAVA_PARTS: {plugin_folder.parent}/prunning: of no kind")
    assert len(told.splitlines()) == 1
    assert shell("profiles", "loihi1", "-q")[2] == ""


def test_a_folder_that_is_not_there_is_named(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.PARTS_VARIABLE, "nowhere")
    registry.forget()
    try:
        outcome = run("doctor")
    finally:
        monkeypatch.undo()
        registry.forget()
    assert (outcome.code, outcome.out) == (2, "")
    assert "HRSNN_LAVA_PARTS: nowhere; allowed: folders that are there" in outcome.err


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
    out, err = children.outputs(process, 60)
    assert (process.returncode, out) == (code, "")
    assert word in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_gone_is_no_failure(files: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start("inspect", files.network, stdout=writing)
    os.close(writing)
    _, err = children.outputs(process, 60)
    assert (process.returncode, err) == (0, "")


def test_a_reader_of_progress_that_has_gone_does_not_stop_the_work(
    files: Any, tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    output = tmp_path / "trace.npz"
    process = start("simulate", files.quantized, "--steps", 10, "-o", output, stderr=writing)
    os.close(writing)
    out, _ = children.outputs(process, 60)
    assert process.returncode == 0
    assert "spikes" in out
    assert output.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_named() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        process = start("profiles", stdout=full)
        _, err = children.outputs(process, 60)
    assert (process.returncode, err) == (2, "error: No space left on device\n")


def test_group_forwards_no_standalone_result() -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"], standalone_mode=False)
    assert end.value.code == 0
