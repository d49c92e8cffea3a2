"""Synaptic operations by test, told: on failure, in the terminal, in a pull request."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from hrsnn_lava.deploy.compare.causes import ProjectionChange, cause
from hrsnn_lava.deploy.gate.markdown import escape
from hrsnn_lava.deploy.gate.plain_text import visible
from hrsnn_lava.deploy.pytest_budget.baseline import Judged

#: Projections that are named for each test.
NAMED = 3
_WORDS = {"same": "as before", "grew": "grew", "fell": "fell", "new": "not in the baseline"}


def verdict(judged: Judged, tolerance_percent: float, baseline: str) -> str:
    """Why a test fails, and the command that accepts what it does; empty when it does not fail."""
    if judged.status not in ("grew", "new"):
        return ""
    node = judged.run.key.split(" #")[0]
    command = f"pytest {shlex.quote(node)} --sop-baseline {shlex.quote(baseline)} --sop-update"
    if judged.before is None:
        return (
            f"{judged.run.key}: no entry in {baseline}; measured {judged.run.sops:,} synaptic "
            f"operations. Add it with\n  {command}"
        )
    lines = [
        f"{line(judged)}; allowed: {tolerance_percent:+g} %",
        *(f"  {told(change)}" for change in judged.grown()[:NAMED]),
        f"If this is meant: {command}",
    ]
    return "\n".join(lines)


def line(judged: Judged) -> str:
    """One line on one run."""
    run, before = judged.run, judged.before
    text = f"{run.key}: {run.sops:,} synaptic operations"
    if run.macs:
        text += f" and {run.macs:,} MACs"
    if before is None:
        return f"{text}, {_WORDS[judged.status]}"
    text += f", baseline {before.sops:,}"
    if before.macs:
        text += f" and {before.macs:,}"
    return f"{text} ({_percent(judged)})"


def told(change: ProjectionChange) -> str:
    """One line on a projection that moved."""
    return f"projection {visible(change.name)}: {change.delta:+,} ({cause(change)})"


def markdown(rows: Sequence[Judged]) -> str:
    """A table of all runs for a pull request; what grew comes first."""
    order = {"grew": 0, "new": 1, "fell": 2, "same": 3}
    ranked = sorted(rows, key=lambda row: (order[row.status], row.run.key))
    grew = sum(row.status == "grew" for row in rows)
    lines = [
        "## Synaptic operations by test",
        "",
        f"{grew} of {len(rows)} grew." if grew else f"None of {len(rows)} grew.",
        "",
        "| test | operations | baseline | change | most of it |",
        "|:--|--:|--:|--:|:--|",
    ]
    for row in ranked:
        changes = row.grown() if row.status == "grew" else row.changes()
        cells = (
            escape(row.run.key),
            f"{row.run.sops:,}",
            "" if row.before is None else f"{row.before.sops:,}",
            _WORDS["new"] if row.before is None else _percent(row),
            escape(told(changes[0])) if changes else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _percent(judged: Judged) -> str:
    if judged.status == "same" and judged.percent in (0.0, None):
        return "the same"
    return _WORDS[judged.status] if judged.percent is None else f"{judged.percent:+.2f} %"
