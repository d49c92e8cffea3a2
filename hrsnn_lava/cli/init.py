"""Write a spec to start from, and the files of a CI gate."""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import click

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.cli.arguments import OutputFolder, gathered
from hrsnn_lava.cli.console import Console, with_console
from hrsnn_lava.cli.run import folder_name
from hrsnn_lava.errors import Problem, SpecError

SPEC = "spec.toml"
#: What is written, by the template that it comes from.
SPEC_FILES = {SPEC: "start/spec.toml"}
CI_FILES = {
    "budgets.toml": "start/budgets.toml",
    ".github/workflows/energy.yml": "start/energy.yml",
    ".github/actions/hrsnn-lava-check/action.yml": "github-action/action.yml",
    ".gitlab-ci.yml": "start/gitlab-ci.yml",
    "hrsnn-lava-check.yml": "gitlab/hrsnn-lava-check.yml",
}
#: What pip may install: a file, a folder or a repository, and never a name for an index.
_SOURCE = re.compile(r"git\+\w+://\S+|\.{0,2}/\S*|[^-\s]\S*\.(whl|tar\.gz)")
#: The variable that CI takes it from where it is not said.
VARIABLE = "HRSNN_LAVA_INSTALL"


@dataclass(frozen=True)
class InitArguments:
    """What ``init`` is asked: where to, with a gate or without, what the gate installs."""

    folder: Path
    ci: bool
    install: str | None
    force: bool


@click.command("init")
@click.argument("folder", type=OutputFolder(), default=Path(), metavar="[DIR]")
@click.option("--ci", is_flag=True, help="The files of a CI gate, too: GitHub and GitLab.")
@click.option(
    "--install",
    metavar="WHAT",
    help="What the gate installs: a path (./ first), a wheel or a git URL.  [default: what the "
    f"variable {VARIABLE} of the repository says]",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@with_console
@gathered(InitArguments)
def init(console: Console, arguments: InitArguments) -> None:
    """Write a spec that runs as it is into DIR, and with --ci the files of a CI gate.

    No file that is there is replaced.
    """
    if arguments.install is not None and not arguments.ci:
        raise SpecError("--install says what the gate installs; give --ci, too")
    folder = arguments.folder
    templates = SPEC_FILES | (CI_FILES if arguments.ci else {})
    _refuse_to_replace([folder / name for name in templates], force=arguments.force)
    name = folder_name(folder.resolve().name)
    hub, lab = _sources(arguments.install)
    written = []
    for target, template in templates.items():
        text = _template(template).replace("@NAME@", json.dumps(name))
        text = text.replace("@INSTALL@", lab if template.endswith("gitlab-ci.yml") else hub)
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        written.append(target)
    steps = _next(folder, name, arguments)
    lines = [f"written to {folder}", *(f"  {file}" for file in written), "", "next"]
    text = "\n".join([*lines, *(f"  {step}" for step in steps)])
    console.result({"folder": folder, "files": written, "next": steps}, text)


def _refuse_to_replace(paths: list[Path], *, force: bool) -> None:
    """All files that are in the way at once; nothing is written then."""
    existing = [path for path in paths if os.path.lexists(path)]
    folders = [path for path in existing if path.is_dir()]
    if folders or (existing and not force):
        problems = [
            Problem(f"{path}", "is there already", "no file") for path in folders or existing
        ]
        fix = "they are folders" if folders else "--force replaces them"
        raise SpecError(f"nothing was written; {fix}", problems=problems)


def _sources(install: str | None) -> tuple[str, str]:
    """What is installed, as values of the workflows for GitHub and for GitLab.

    Raises:
        SpecError: a name that an index would be asked for, or what a workflow would expand.
    """
    if install is None:
        return f"${{{{ vars.{VARIABLE} }}}}", f"${VARIABLE}"
    if not _SOURCE.fullmatch(install) or "$" in install or not install.isprintable():
        problem = Problem("--install", repr(install), "a path (./ first), a wheel or a git URL")
        raise SpecError("no package index is asked for hrsnn-lava", problems=[problem])
    return json.dumps(install), json.dumps(install)


def _template(name: str) -> str:
    packaged = resources.files("hrsnn_lava.deploy").joinpath("templates", *name.split("/"))
    return packaged.read_text(encoding="utf-8")


def _next(folder: Path, name: str, arguments: InitArguments) -> list[str]:
    """The commands to go on with."""
    shown = f"./{folder}" if str(folder).startswith("-") else str(folder)
    steps = [] if folder.resolve() == Path.cwd() else [f"cd {shlex.quote(shown)}"]
    steps.append(f"hrsnn-lava run {SPEC}")
    if not arguments.ci:
        return [*steps, f"hrsnn-lava inspect out/{name}/compiled.hlx"]
    steps.append(f"hrsnn-lava check out/{name}/report.json --budgets budgets.toml")
    steps.append(f"cp out/{name}/report.json baseline.json   # a baseline, named in the workflow")
    if arguments.install is None:
        steps.append(f"set the variable {VARIABLE} in CI: a path, a wheel or a git URL")
    return steps


ORDER = 15
COMMAND = init
