"""Build, train, prune, quantize, place, verify and report a spec."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.budgets.judge import JudgedBudget
from hrsnn_lava.cli.arguments import SPEC_FILE, OutputFolder, seed_option
from hrsnn_lava.cli.console import Console, with_console
from hrsnn_lava.errors import GateError, Problem

if TYPE_CHECKING:
    from hrsnn_lava.spec import Spec

#: Longest text of overrides in the name of a folder, in characters.
LONGEST = 80


@click.command("run")
@click.argument("spec", type=SPEC_FILE)
@click.option(
    "--out",
    type=OutputFolder(),
    help="Folder for the results.  [default: out/NAME, and what was overridden]",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value of the spec, such as prune.density=0.05; repeatable.",
)
@click.option("--resume", is_flag=True, help="Go on where an earlier run into the folder stopped.")
@click.option("--force", is_flag=True, help="Replace the run of another spec in the folder.")
@click.option("--full", is_flag=True, help="Print the whole report, not its first lines alone.")
@click.option("--profile", help="Chip, instead of the spec's; see `profiles`.")
@click.option("--cost-set", help="Prices, instead of the spec's; see `profiles`.")
@seed_option("Instead of the spec's.", default=None)
@with_console
def run(
    console: Console,
    spec: Path,
    out: Path | None,
    overrides: tuple[str, ...],
    resume: bool,
    force: bool,
    full: bool,
    **instead: Any,
) -> int:
    """Build, train, prune, quantize, place, verify and report the network of SPEC.

    Writes network.hlx, compiled.hlx, report.json, report.html and journal.jsonl; then exit code 5
    when a budget of the spec is not kept. A folder that holds the run of another spec, or of
    another seed, is left as it is.
    """
    from hrsnn_lava.spec import Spec

    keys = {"seed": "seed", "profile": "compile.profile", "cost_set": "report.cost_set"}
    # JSON's texts and integers are TOML's
    extra = [f"{keys[k]}={json.dumps(v)}" for k, v in instead.items() if v is not None]
    changes = (*overrides, *extra)
    loaded_spec = Spec.load(spec, changes)
    folder = out or default_folder(spec, loaded_spec, changes)
    return whole_line(console, loaded_spec, folder, resume=resume, force=force, full=full)


def default_folder(path: Path, spec: Spec, changes: Sequence[str]) -> Path:
    """``out/NAME``, and behind it what was overridden, where that makes it another run.

    Args:
        path: of the spec.
        spec: with the changes.
        changes: ``KEY=VALUE`` each; their order does not matter.
    """
    name = folder_name(spec.name)
    if changes and not _is_own(path, spec):
        texts = sorted(text.replace('"', "").replace(" ", "") for text in changes)
        tail = "-".join(texts)
        if len(tail) > LONGEST:
            tail = f"{tail[:LONGEST]}-{hashlib.sha256(tail.encode()).hexdigest()[:8]}"
        name = folder_name(f"{name}-{tail}")
    return Path("out") / name


def _is_own(path: Path, spec: Spec) -> bool:
    """Whether a spec with changes is the one in its file."""
    from hrsnn_lava.errors import SpecError
    from hrsnn_lava.spec import Spec as AnySpec

    try:  # what comes through a pipe cannot be read again
        return path.is_file() and AnySpec.load(path).canonical() == spec.canonical()
    except SpecError:  # the changes make it one
        return False


def folder_name(name: str) -> str:
    """`name` as one harmless path component."""
    return re.sub(r"[^\w.=-]+", "_", name).strip("._") or "run"


def whole_line(
    console: Console,
    spec: Spec,
    out: Path,
    *,
    resume: bool,
    force: bool | None = None,
    full: bool = False,
) -> int:
    """Run a spec into a folder, print its report, and return 5 where a budget is not kept.

    `force` replaces the run of another spec in the folder; None where the command has no such
    option.
    """
    from hrsnn_lava.experiment import run_spec
    from hrsnn_lava.experiment.run_folder import require_own
    from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
    from hrsnn_lava.threads import available_cores

    # an unknown name is better found now than after training
    HardwareProfile.load(spec.compile.profile)
    CostSet.load(spec.report.cost_set)
    if not force:
        replace = "" if force is None else ", or replace what is there with --force"
        require_own(out, spec, f"give another folder with --out{replace}")
    out.mkdir(parents=True, exist_ok=True)
    with console.progress() as progress:
        result = run_spec(
            spec,
            out,
            resume=resume,
            progress=progress,
            made=console.made(),
            workers=available_cores(),
        )
    if resume:
        console.note(taken_over(result.earlier_stages, result.new_stages))
    text = (result.summary_text if full else result.report.to_summary()).rstrip()
    more = "" if full else "; report.html there and --full show all of it"
    report = result.report.to_dict()
    console.result({"out": out, "report": report}, f"{text}\n\nwritten to {out}{more}")
    return unmet(console, report.get("budgets", ()))


def taken_over(earlier: Sequence[str], new: Sequence[str]) -> str:
    """What a resumed run took from the one before it."""
    stages = f"{len(earlier)} of {len(earlier) + len(new)} stages"
    if not earlier:
        return f"resume: {stages} came from an earlier run: there is none with this spec"
    names = f"{', '.join(earlier[:3])}{', ...' if len(earlier) > 3 else ''}"
    return f"resume: {stages} came from the earlier run ({names})"


def unmet(console: Console, budgets: Sequence[Mapping[str, Any]]) -> int:
    """0, or 5 with ``--json``, which has said everything; otherwise the broken budgets, raised."""
    lines = [JudgedBudget(**row).line() for row in budgets if not row["ok"]]
    if lines and not console.json:
        message = f"{len(lines)} of {len(budgets)} budgets are not kept"
        raise GateError(message, problems=[Problem(*line.split(": ", 1)) for line in lines])
    return GateError.exit_code if lines else 0


ORDER = 20
COMMAND = run
