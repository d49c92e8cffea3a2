"""The pages: what they show runs, what they list is complete, where they point to exists."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hrsnn_lava.cli.main import PROGRAM, cli, command_parts
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.sim_backends.lava.backend import lava_obstacle

ROOT = Path(__file__).resolve().parents[2]


def _load_pages():
    where = ROOT / "docs" / "update_outputs.py"
    spec = importlib.util.spec_from_file_location("update_outputs", where)
    module = importlib.util.module_from_spec(spec)
    sys.modules["update_outputs"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


pages = _load_pages()
CHANGELOG = ROOT / "CHANGELOG.md"
#: Options that every command has; one table of the page describes them.
COMMON = {"--json", "--quiet", "-q", "--traceback", "--help", "-h"}


def page_id(path):
    return path.name


def run_inside(text):
    """Run a plain command of the program in this process: exit code and both outputs."""
    result = CliRunner().invoke(cli, text.split()[1:])
    return result.exit_code, result.stdout, result.stderr


def run_command(command, folder):
    """Run a command of a page; the program itself without a new interpreter."""
    plain = command.text.startswith(f"{PROGRAM} ") and not re.search(r"[|&<>;$'\"]", command.text)
    if plain:
        return run_inside(command.text)
    done = pages.run_shell(command.text, folder)
    return done.returncode, done.stdout, done.stderr


def torch_for(item):
    """Whether a block or a command needs no torch, or torch is there."""
    return not item.needs_torch or importlib.util.find_spec("torch") is not None


def words(lines):
    """What an output says, without its numbers and its layout, which differ between machines."""
    return re.sub(r"\b[0-9a-f]{8,}\b|[-+]?\d[\d.,:]*|[-\s]+", " ", " ".join(lines)).split()


#: A minute each; what they show is tested in small by `test_ci_sample.py` and `test_run_tasks.py`.
LONG_PAGES = ("ci.md", "tasks.md")


def runs():
    """Every page, the long ones marked as slow."""
    for page in pages.PAGES:
        marks = [pytest.mark.slow] if page.name in LONG_PAGES else []
        yield pytest.param(page, marks=marks, id=page_id(page))


@pytest.mark.once
@pytest.mark.parametrize("page", runs())
def test_everything_that_a_page_shows_runs(page, tmp_path, monkeypatch):
    pages.prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    space = {"__name__": "page"}
    for block in pages.blocks(page.read_text(encoding="utf-8")):
        if block.file_name:
            block.write(tmp_path)
        elif block.needs_lava and lava_obstacle() is None:
            done = pages.run_program(block.text, tmp_path)
            assert done.returncode == 0, done.stderr
        elif block.language == "python" and not block.needs_lava and torch_for(block):
            # dont_inherit: the page has not asked for this file's __future__
            code = compile(block.text, f"{page.name}:{block.first}", "exec", dont_inherit=True)
            exec(code, space)
        elif block.language == "console":
            shown = None
            for command, _ in block.commands():
                shown = None  # of the last command, if that can run here
                if command.outside or (command.needs_lava and lava_obstacle() is not None):
                    continue
                if not torch_for(command):
                    continue
                code, output, errors = run_command(command, tmp_path)
                assert code == command.code, f"{command.text}\n{output}{errors}"
                shown = output if code == 0 else errors
            if shown is not None:
                check_shown(block, shown)


def check_shown(block, output):
    """The output that a block shows is the one of its last command."""
    if block.marker not in (None, "manual"):
        shown = block.lines[block.commands()[-1][1] :]
        assert words(shown) == words(pages.select(output, block.marker))


@pytest.mark.once
def test_the_commands_of_the_readme_run(tmp_path):
    """The demo, and that the text is the one of a bare machine."""
    blocks = [b for b in pages.blocks((ROOT / "README.md").read_text()) if b.commands()]
    commands = [c for b in blocks for c, _ in b.commands()]
    assert [c.text for c in commands] == [
        f"{pages.BOOTSTRAP}hrsnn-lava demo",
        f"{pages.BOOTSTRAP}pytest",
    ]
    done = pages.run_shell(commands[0].text.removeprefix(pages.BOOTSTRAP), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PASS")
    if lava_obstacle() is None:
        check_shown(blocks[0], done.stdout)
    assert (tmp_path / "hrsnn-demo" / "report.html").is_file()


def test_the_readme_and_the_checks_start_alike():
    ci = (ROOT / ".ci" / "run").read_text()
    assert "pip install" in ci
    assert "uv run pytest" in ci
    readme = (ROOT / "README.md").read_text()
    assert "pip install uv && uv run hrsnn-lava demo" in readme
    assert "pip install uv && uv run pytest" in readme


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=page_id)
def test_examples_run(example, tmp_path):
    if "from lava" in example.read_text() and lava_obstacle() is not None:
        pytest.skip(lava_obstacle())
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", str(example)]
    done = subprocess.run(
        command, cwd=tmp_path, env=pages.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("program", ["snntorch", "norse", "spikingjelly"])
def test_examples_of_other_programs_differ_in_no_spike(program, tmp_path):
    """Skipped where the program is missing; the example says the command that brings it along."""
    pytest.importorskip(program)
    example = ROOT / "examples" / "interop" / f"{program}_network.py"
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        env=pages.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "differ" in line]
    assert len(lines) > 1
    assert all(" 0 differ" in line for line in lines)


def anchor(heading):
    """The anchor that a heading gets on the usual hosts."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def outside_fences(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


@pytest.mark.parametrize("page", [*pages.PAGES, CHANGELOG], ids=page_id)
def test_links_lead_somewhere(page):
    text = outside_fences(page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, fragment = target.partition("#")
        where = (page.parent / name).resolve() if name else page
        assert where.exists(), f"{page.name}: {target}"
        if fragment:
            headings = re.findall(r"^#+ (.*)$", outside_fences(where.read_text()), flags=re.M)
            assert fragment in {anchor(h) for h in headings}, f"{page.name}: {target}"


@pytest.mark.parametrize("page", [*pages.PAGES, CHANGELOG], ids=page_id)
def test_pages_know_no_machine(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", text)
    # addresses of a scheduler are none of a site
    assert not re.search(r"(?<!\btcp)(?<!\btls)://", text)


@pytest.mark.once
def test_the_readme_shows_what_its_network_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = pages.blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    (shown,) = (block for block in blocks if block.language == "text")
    program = next(block for block in blocks if block.language == "python")
    exec(compile(program.text, "README.md", "exec", dont_inherit=True), {"__name__": "page"})
    assert capsys.readouterr().out == shown.text


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    readme = (ROOT / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        if page.name != "index.md":
            assert f"({page.name})" in index
        assert f"(docs/{page.name})" in readme


def test_the_spec_page_has_every_key_with_its_default():
    truth = pages.spec_rows()
    rows = pages.spec_table((ROOT / "docs" / "spec.md").read_text(encoding="utf-8"))
    assert set(rows) == set(truth), "write or remove rows, then run docs/update_outputs.py"
    for key, row in truth.items():
        default, allowed, origin, meaning = rows[key]
        assert (default, allowed) == (row.default, row.allowed), f"{key}: run update_outputs.py"
        assert row.meaning in ("", meaning), f"{key}: run docs/update_outputs.py"
        assert origin, f"{key}: where is it from?"
        assert meaning, f"{key}: what is it?"


#: What else a table needs for one of its keys to be read.
NEEDED = {"stock_groups": "groups=3", "prune.drop_neurons": "fraction=0.1"}


def test_defaults_on_the_spec_page_are_valid_toml(tmp_path):
    from hrsnn_lava.spec import Spec

    path = tmp_path / "empty.toml"
    path.write_text("", encoding="utf-8")
    for name, row in pages.spec_rows().items():
        if row.default in (pages.NOT_SET, pages.REQUIRED):
            continue
        key, _, methods = name.partition(" ")
        parent = key.rpartition(".")[0]
        settings = []
        if methods:  # or kinds, of tasks
            chooser = {"prune": "prune.method", "task": "task.kind"}[key.partition(".")[0]]
            settings.append(f"{chooser}={methods.strip('()').split(', ')[0]}")
        if parent not in ("", "prune", "task"):  # may be absent: what an empty table holds
            settings.append(f"{parent}={{}}")
        settings += [f"{parent}.{NEEDED[parent]}"] if parent in NEEDED else []
        try:
            loaded = Spec.load(path, (*settings, f"{key}={row.default}")).model_dump()
            truth = Spec.load(path, tuple(settings)).model_dump()
            assert value_at(loaded, key) == value_at(truth, key), name
        except SpecError as error:
            pytest.fail(f"{key} = {row.default}: {error}")


def value_at(data, key):
    for part in key.split("."):
        data = data[part] if isinstance(data, dict) else getattr(data, part)
    return data


def test_the_spec_page_has_the_options_of_every_method():
    keys = set(pages.spec_rows())
    assert {"prune.score (lyapunov)", "prune.rule (balanced)"} <= keys
    assert {"prune.sampling (lyapunov)", "prune.sampling (random)"} <= keys
    assert {"prune.rescale.cap", "prune.drop_neurons.rounds", "place.effort"} <= keys
    assert not any(key.startswith("quantize.stdp") for key in keys)


def sections_of_commands():
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.*)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True)), parts[0]


@pytest.mark.parametrize("name", command_parts())
def test_the_commands_page_has_every_option(name):
    sections, head = sections_of_commands()
    command = cli.get_command(click.Context(cli), name)
    options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
    listed = set(re.findall(r"`(--?[\w-]+)`", sections[name]))
    assert f"{PROGRAM} {name}" in sections[name]
    missing = {o for o in options - COMMON if f"`{o}`" not in sections[name]}
    assert not missing, f"{name}: {missing}"
    foreign = listed - all_options() - COMMON
    assert not foreign, f"{name}: {foreign} is no option of any command"
    assert all(f"`{o}`" in head for o in COMMON)


def all_options():
    commands = (cli.get_command(click.Context(cli), name) for name in command_parts())
    return {o for c in commands for p in c.params for o in (*p.opts, *p.secondary_opts)}


def test_the_commands_page_has_every_exit_code():
    from hrsnn_lava import errors

    sections, _ = sections_of_commands()
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", sections["Exit codes"], re.M)}
    kinds = (getattr(errors, name) for name in errors.__all__)
    raised = {kind.exit_code for kind in kinds if hasattr(kind, "exit_code")}
    assert raised | {0, 130} <= listed


@pytest.mark.parametrize("kind", [HardwareProfile, CostSet], ids=lambda k: k.__name__)
def test_the_hardware_page_has_every_file(kind):
    text = (ROOT / "docs" / "hardware.md").read_text(encoding="utf-8")
    for name in kind.names():
        assert f"| `{name}` |" in text


def test_the_hardware_page_explains_every_grade_of_evidence():
    from typing import get_args

    from hrsnn_lava.hardware_profiles.documents import Evidence

    text = (ROOT / "docs" / "hardware.md").read_text(encoding="utf-8")
    for grade in get_args(Evidence):
        assert f"| `{grade}` |" in text


def test_the_files_page_has_every_key_of_a_report(tmp_path, monkeypatch):
    import hrsnn_lava as hl

    monkeypatch.chdir(tmp_path)
    compiled = hl.compile(
        hl.QuantizedNetwork((hl.QuantizedPopulation("a", 1, du=0, dv=1, vth=1),)), "loihi1"
    )
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    for key in hl.report(compiled).to_dict():
        assert f"`{key}`" in text, key


def test_the_changelog_names_the_version():
    import hrsnn_lava

    assert f"## [{hrsnn_lava.__version__}]" in CHANGELOG.read_text()


def test_selected_output_marks_what_it_leaves_out():
    output = "one\ntwo\n\nENERGY\nfour\nfive\n\nlast\n"
    assert pages.select(output, "all") == ["one", "two", "", "ENERGY", "four", "five", "", "last"]
    assert pages.select(output, "head 1") == ["one", "[...]"]
    assert pages.select(output, "head 2; section ENERGY 2") == [
        "one",
        "two",
        "",
        "ENERGY",
        "four",
        "[...]",
    ]
    with pytest.raises(SystemExit, match="begins with 'NONE'"):
        pages.select(output, "section NONE")


def test_environment_finds_the_program():
    first = pages.environment()["PATH"].split(os.pathsep)[0]
    assert Path(first) == Path(sys.executable).parent


def test_rows_of_the_spec_page_follow_their_owners():
    """A task more shares an option: the row is renamed; two rows that became one are one."""
    head = "| key | default | allowed | from | meaning |\n|---|---|---|---|---|\n"
    row = "| `task.{}` ({}) | `{}` | integer | {} | text |\n"
    text = head + row.format("n", "a", 1, "paper") + row.format("n", "b", 1, "ours")
    text += row.format("m", "a", 2, "ours") + row.format("gone", "a", 3, "ours")
    truth = {
        "task.n (a, b)": pages.Row("1", "integer"),
        "task.m (b)": pages.Row("5", "integer"),
        "task.m (a, c)": pages.Row("2", "integer"),
    }
    new = pages.with_owners(text, truth)
    assert new == (
        head
        + row.format("n", "a, b", 1, "paper")
        + row.format("m", "a, c", 2, "ours")
        + row.format("gone", "a", 3, "ours")
    )
    assert pages.with_owners(new, pages.spec_table(new)) == new
