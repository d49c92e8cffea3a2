"""Which run a folder holds, so that none is replaced by another one unasked."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrsnn_lava.errors import Problem, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.spec import Spec

JOURNAL, REPORT = "journal.jsonl", "report.json"
#: Of the line that says which run it is.
STAGE = "run"
#: The first line of a journal is longer than this only by mistake, in bytes.
_LINE = 65536


@dataclass(frozen=True)
class RunIdentity:
    """What tells runs apart: equal ones give equal files.

    Attributes:
        spec_digest: SHA-256 of the complete spec, its seed among the rest.
        name, seed: of the spec, to be shown; None where the folder does not say.
    """

    spec_digest: str
    name: str | None = None
    seed: int | None = None

    @classmethod
    def of(cls, spec: Spec) -> RunIdentity:
        """That of a spec."""
        digest = hashlib.sha256(spec.canonical().encode()).hexdigest()
        return cls(digest, spec.name, spec.seed)

    def line(self) -> str:
        """The first line of the journal of such a run, in the form of a finished stage."""
        entry = {"stage": STAGE, "key": self.spec_digest, "result": asdict(self)}
        return json.dumps(entry) + "\n"

    def __str__(self) -> str:
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"spec {self.name or ''} {self.spec_digest[:12]}{seed}".replace("  ", " ")


def identity_in(folder: Path, journal: str = JOURNAL) -> RunIdentity | None:
    """Which run a folder holds, finished or not; None where it does not say.

    The journal says it in its first line, else the report in its provenance.
    """
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        with (folder / journal).open("rb") as handle:
            entry = json.loads(handle.readline(_LINE))
        if entry["stage"] == STAGE:
            stated = entry["result"]
            return RunIdentity(str(stated["spec_digest"]), str(stated["name"]), int(stated["seed"]))
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        report: Mapping[str, Any] = json.loads((folder / REPORT).read_bytes())
        origin = report["provenance"]
        if isinstance(origin["spec_digest"], str):
            seed = origin.get("seed")
            return RunIdentity(
                origin["spec_digest"], str(report["project"]), None if seed is None else int(seed)
            )
    return None


def require_own(folder: Path, spec: Spec, fix: str) -> None:
    """Refuse a folder that holds the run of another spec.

    Raises:
        SpecError: it does; `fix` is what to do.
    """
    there, wanted = identity_in(folder), RunIdentity.of(spec)
    if there is None or there.spec_digest == wanted.spec_digest:
        return
    problem = Problem(f"{folder}", f"the run of {there}", f"that of {wanted}", fix)
    raise SpecError("the folder holds another run", problems=[problem])
