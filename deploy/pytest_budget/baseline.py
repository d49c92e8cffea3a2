"""Synaptic operations by test, kept in a file beside the tests.

They are deterministic: the same network on the same input has the same count on every machine, so
the file can be compared exactly. The file is JSON with sorted keys; equal content gives equal
bytes, and a pull request shows which count it changes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.budgets.values import table
from hrsnn_lava.deploy.compare.causes import ProjectionChange, projection_changes
from hrsnn_lava.errors import ArtifactError

SCHEMA_VERSION = 1
#: Largest file that is read, in bytes; an entry of a test takes some hundred.
MAX_BYTES = 64 * 2**20
Status = Literal["same", "grew", "fell", "new"]


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
    projections: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of_report(cls, key: str, report: Mapping[str, Any]) -> SopRun | None:
        """The run of a report; None when it reports none."""
        sop = table(report, "sop")
        if sop.get("total") is None:
            return None
        kept = ("kind", "operations", "events", "synapses")
        projections = {
            str(name): {k: row[k] for k in kept if k in row}
            for name, row in table(sop, "per_projection").items()
        }
        steps = table(report, "activity").get("steps") or 0
        return cls(key, int(sop["total"]), int(sop.get("macs") or 0), int(steps), projections)

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
class Judged:
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
        was = 0 if self.before is None else self.before.sops
        return 100.0 * (self.run.sops - was) / was if was else None

    def changes(self) -> tuple[ProjectionChange, ...]:
        """Projections that moved, the largest change first; none without a baseline."""
        if self.before is None:
            return ()
        return projection_changes(self.before.as_report(), self.run.as_report())

    def grown(self) -> tuple[ProjectionChange, ...]:
        """Projections with more operations than before, the largest growth first."""
        return tuple(change for change in self.changes() if change.delta > 0)


def judge_run(run: SopRun, baseline: Mapping[str, SopRun], tolerance_percent: float) -> Judged:
    """Compare a run with its entry; growth up to `tolerance_percent` is none."""
    before = baseline.get(run.key)
    if before is None:
        return Judged(run, None, "new")
    pairs = ((run.sops, before.sops), (run.macs, before.macs))
    allowed = 1 + Fraction(tolerance_percent) / 100
    if any(now > was * allowed for now, was in pairs):
        return Judged(run, before, "grew")
    return Judged(run, before, "fell" if any(now < was for now, was in pairs) else "same")


def read_baseline(path: Path) -> dict[str, SopRun]:
    """The entries of a file by key.

    Raises:
        ArtifactError: missing, too large, or not such a file.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ArtifactError(f"{path}: {path.stat().st_size} bytes; allowed: {MAX_BYTES}")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path}: cannot be read ({error})") from error
    try:
        document = json.loads(text, parse_constant=_refuse)
        version = document["schema_version"]
        if version != SCHEMA_VERSION:
            raise ArtifactError(
                f"{path}: schema_version {version!r}; this program reads {SCHEMA_VERSION}"
            )
        return {key: SopRun.of_plain(key, entry) for key, entry in document["tests"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a baseline of operations ({error!r})") from error


def write_baseline(path: Path, runs: Iterable[SopRun]) -> None:
    """Write the entries, sorted, whole or not at all.

    Raises:
        ArtifactError: the file cannot be written.
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


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of a baseline")
