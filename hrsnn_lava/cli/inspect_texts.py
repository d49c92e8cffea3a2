"""What reports, journals, baselines, budgets and folders hold, for `inspect`."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hrsnn_lava.artifacts.files import decoded
from hrsnn_lava.cli.file_kinds import HEAD, PAGES, kind_of


def _report(path: Path) -> dict[str, Any]:
    from hrsnn_lava.budgets.quantities import at, table
    from hrsnn_lava.deploy.compare.files import read_report

    report = read_report(path)
    origin = table(report, "provenance")
    budgets = report.get("budgets")
    rows = [row for row in budgets if isinstance(row, dict)] if isinstance(budgets, list) else []
    return {
        "kind": "report",
        "name": report["project"],
        "profile": str(report["profile"]),
        "verdict": report["verdict"],
        "summary": report.get("summary"),
        "neurons": at(report, ("network", "neurons")),
        "synapses": at(report, ("network", "synapses")),
        "cores": at(report, ("mapping", "cores")),
        "steps": at(report, ("activity", "steps")),
        "synaptic_operations": at(report, ("sop", "total")),
        "energy_j": at(report, ("energy", "total_j")),
        "cost_set": at(report, ("energy", "cost_set")),
        "budgets": len(rows),
        "budgets_not_kept": [row.get("key") for row in rows if row.get("ok") is False],
        "version": origin.get("version"),
        "seed": origin.get("seed"),
        "spec": origin.get("spec_digest"),
    }


def _page(path: Path) -> dict[str, Any]:
    return {"kind": "page", "bytes": path.stat().st_size, "shows": "a report, in a browser"}


def _shown(path: Path) -> dict[str, Any]:
    """What a text for people says first; it has no reader that could check it."""
    kind = kind_of(path) or ""
    with path.open("rb") as handle:
        form = PAGES[kind].search(decoded(handle.read(HEAD), errors="replace").rstrip())
    shown = "" if form is None else next(filter(None, form.groups()), "")
    plain = html.unescape(re.sub(r"<[^>]*>", "", shown)).replace('"', "")
    return {"kind": kind, "bytes": path.stat().st_size, "shows": plain}


def _journal(path: Path) -> dict[str, Any]:
    from hrsnn_lava.experiment.run_folder import STAGE, identity_in

    stages, damaged = [], 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            stages.append(str(json.loads(line)["stage"]))
        except (ValueError, KeyError, TypeError):
            damaged += 1
    run = identity_in(path.parent, path.name)
    return {
        "kind": "journal",
        "name": None if run is None else run.name,
        "seed": None if run is None else run.seed,
        "spec": None if run is None else run.spec_digest,
        "stages": [stage for stage in dict.fromkeys(stages) if stage != STAGE],
        "damaged_lines": damaged,
    }


def _baseline(path: Path) -> dict[str, Any]:
    from hrsnn_lava.deploy.pytest_budget.runs import read_baseline

    runs = read_baseline(path)
    return {
        "kind": "baseline",
        "runs": len(runs),
        "synaptic_operations": sum(run.sops for run in runs.values()),
        "macs": sum(run.macs for run in runs.values()),
        "tests": list(runs),
    }


def _answer(path: Path) -> dict[str, Any]:
    from hrsnn_lava.deploy.compare.files import read_json

    document = read_json(path)
    error = document.get("error") if isinstance(document, dict) else None
    return {
        "kind": "answer",
        "command": document.get("command"),
        "error": error.get("message") if isinstance(error, dict) else None,
        "keys": [key for key in document if key not in ("schema_version", "command")],
    }


def _budgets(path: Path) -> dict[str, Any]:
    from hrsnn_lava.deploy.gate.limits import read_limits

    limits = read_limits(path)
    return {
        "kind": "budgets",
        "budgets": [f"{key} = {value}" for key, value in limits.budgets.items()],
        "tolerances": [f"{key} = {value} %" for key, value in limits.tolerances.items()],
    }


def _recording(path: Path) -> dict[str, Any]:
    from hrsnn_lava.sim_backends.runs.recorded import CHECKPOINT, Recording

    recording = Recording.open(path)
    return {
        "kind": "recording",
        "steps": recording.plan.n_steps,
        "steps_done": recording.steps_done,
        "neurons": recording.plan.n_neurons,
        "complete": recording.complete,
        "checkpoint": (path / CHECKPOINT).is_file(),
    }


def _log(path: Path) -> dict[str, Any]:
    return _recording(path.parent)


def _run(path: Path) -> dict[str, Any]:
    from hrsnn_lava.experiment.run_folder import REPORT, identity_in

    run = identity_in(path)
    verdict = _report(path / REPORT)["verdict"] if (path / REPORT).is_file() else None
    return {
        "kind": "run",
        "name": None if run is None else run.name,
        "seed": None if run is None else run.seed,
        "spec": None if run is None else run.spec_digest,
        "verdict": verdict,
        "files": sorted(file.name for file in path.iterdir() if file.is_file()),
    }


#: What reads each kind that is no artifact, no arrays and no spec, profile or cost set.
TEXTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "report": _report,
    "page": _page,
    "journal": _journal,
    "baseline": _baseline,
    "answer": _answer,
    "budgets": _budgets,
    "recording": _recording,
    "log": _log,
    "run": _run,
    **dict.fromkeys(PAGES, _shown),
}
