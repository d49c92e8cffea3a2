"""Synaptic operations by test: taken down, kept in a file beside the tests, compared and told.

They are deterministic: the same network on the same input has the same count on every machine, so
the file, the baseline, can be compared exactly. It is JSON with sorted keys; equal content gives
equal bytes, and a pull request shows which count it changes.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.budgets.quantities import ReportData, table
from hrsnn_lava.deploy.compare.differences import (
    ProjectionChange,
    cause,
    movement,
    projection_changes,
    run_length,
    whole,
)
from hrsnn_lava.deploy.compare.files import read_json
from hrsnn_lava.deploy.compare.rendering import escape, visible
from hrsnn_lava.errors import ArtifactError

SCHEMA_VERSION = 1
#: Projections that are named for each test.
NAMED = 3
Status = Literal["same", "grew", "fell", "new"]
_WORDS = {"same": "as before", "grew": "grew", "fell": "fell", "new": "not in the baseline"}


@dataclass(frozen=True)
class SopRun:
    """What one run of a network in a test cost.

    Attributes:
        key: id of the test, with the name of the run behind it when there are several.
        sops, macs: operations of binary and of graded spikes.
        steps: of the run.
        projections: by name, each with ``kind``, ``operations``, ``events`` and ``synapses``.
    """

    key: str
    sops: int
    macs: int
    steps: int
    projections: Mapping[str, ReportData]

    @classmethod
    def of_report(cls, key: str, report: ReportData) -> SopRun | None:
        """The run of a report; None when it reports none."""
        sop = table(report, "sop")
        total = sop.get("total")
        if total is None:
            return None
        figures = ("kind", "operations", "events", "synapses")
        projections = {
            str(name): {key: row[key] for key in figures if key in row}
            for name, row in table(sop, "per_projection").items()
            if isinstance(row, Mapping)
        }
        return cls(key, whole(total), whole(sop.get("macs")), run_length(report), projections)

    @classmethod
    def of_plain(cls, key: str, entry: Mapping[str, Any]) -> SopRun:
        """An entry of the file.

        Raises:
            ValueError, KeyError, TypeError: it is not one.
        """
        numbers = [int(entry[name]) for name in ("sops", "macs", "steps")]
        projections = {
            str(name): {k: v if k == "kind" else int(v) for k, v in dict(row).items()}
            for name, row in dict(entry["projections"]).items()
        }
        return cls(key, numbers[0], numbers[1], numbers[2], projections)

    def to_plain(self) -> dict[str, Any]:
        """The entry of the file, without its key."""
        return {key: value for key, value in asdict(self).items() if key != "key"}

    def as_report(self) -> dict[str, Any]:
        """As much of a report as a comparison of operations reads."""
        return {"sop": {"per_projection": self.projections}, "activity": {"steps": self.steps}}


@dataclass(frozen=True)
class RunChange:
    """A run beside its entry in the baseline.

    Attributes:
        run: as it is now.
        before: the entry; None when there is none.
        status: ``grew`` only beyond the tolerance, ``fell`` when any count is lower.
    """

    run: SopRun
    before: SopRun | None
    status: Status

    @property
    def percent(self) -> float | None:
        """Relative change of the operations in percent; None without a baseline above 0."""
        return None if self.before is None else movement(self.run.sops, self.before.sops).percent

    def projections(self) -> tuple[ProjectionChange, ...]:
        """Projections that moved, the largest change first; none without a baseline."""
        if self.before is None:
            return ()
        return projection_changes(self.before.as_report(), self.run.as_report())

    def grown(self) -> tuple[ProjectionChange, ...]:
        """Projections with more operations than before, the largest growth first."""
        return tuple(change for change in self.projections() if change.delta > 0)

    def line(self) -> str:
        """One line."""
        run, before = self.run, self.before
        text = f"{run.key}: {run.sops:,} synaptic operations"
        if run.macs:
            text += f" and {run.macs:,} MACs"
        if before is None:
            return f"{text}, {_WORDS[self.status]}"
        text += f", baseline {before.sops:,}"
        if before.macs:
            text += f" and {before.macs:,}"
        return f"{text} ({self.change_text()})"

    def change_text(self) -> str:
        """``+1.25 %``, or a word where there is no percentage."""
        if self.status == "same" and self.percent in (0.0, None):
            return "the same"
        return _WORDS[self.status] if self.percent is None else f"{self.percent:+.2f} %"

    def objection(self, tolerance_percent: float, baseline: str) -> str:
        """Why the test fails, and the command that accepts what it does; empty when it does not."""
        if self.status not in ("grew", "new"):
            return ""
        node = self.run.key.split(" #")[0]
        command = f"pytest {shlex.quote(node)} --sop-baseline {shlex.quote(baseline)} --sop-update"
        if self.before is None:
            return (
                f"{self.run.key}: no entry in {baseline}; measured {self.run.sops:,} synaptic "
                f"operations. Add it with\n  {command}"
            )
        lines = [
            f"{self.line()}; allowed: {tolerance_percent:+g} %",
            *(f"  {projection_line(change)}" for change in self.grown()[:NAMED]),
            f"If this is meant: {command}",
        ]
        return "\n".join(lines)


def projection_line(change: ProjectionChange) -> str:
    """One line on a projection that moved."""
    return f"projection {visible(change.name)}: {change.delta:+,} ({cause(change)})"


def compare_run(run: SopRun, baseline: Mapping[str, SopRun], tolerance_percent: float) -> RunChange:
    """Compare a run with its entry; growth up to `tolerance_percent` is none."""
    before = baseline.get(run.key)
    if before is None:
        return RunChange(run, None, "new")
    pairs = ((run.sops, before.sops), (run.macs, before.macs))
    movements = [movement(now, was, "higher", tolerance_percent) for now, was in pairs]
    if not all(change.within for change in movements):
        return RunChange(run, before, "grew")
    return RunChange(
        run, before, "fell" if any(change.improved for change in movements) else "same"
    )


def markdown(rows: Sequence[RunChange]) -> str:
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
        changes = row.grown() if row.status == "grew" else row.projections()
        cells = (
            escape(row.run.key),
            f"{row.run.sops:,}",
            "" if row.before is None else f"{row.before.sops:,}",
            _WORDS["new"] if row.before is None else row.change_text(),
            escape(projection_line(changes[0])) if changes else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def read_baseline(path: Path) -> dict[str, SopRun]:
    """The entries of a file by key.

    Raises:
        ArtifactError: missing, too large, or not such a file.
    """
    document = read_json(path, "not a baseline of operations: ")
    try:
        version = document["schema_version"]
        if version != SCHEMA_VERSION:
            raise ArtifactError(
                f"{path}: schema_version {version!r}; this program reads {SCHEMA_VERSION}"
            )
        return {key: SopRun.of_plain(key, entry) for key, entry in document["tests"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path}: not a baseline of operations ({error!r})") from error


def write_baseline(path: Path, runs: Iterable[SopRun]) -> None:
    """Write the entries, sorted, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "unit": "synaptic operations",
        "tests": {run.key: run.to_plain() for run in runs},
    }
    write_text(path, json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n")


def tolerance(text: str) -> float:
    """A tolerance in percent.

    Raises:
        ValueError: not a finite number of at least 0.
    """
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{text!r}; allowed: a finite number of percent >= 0")
    return value
