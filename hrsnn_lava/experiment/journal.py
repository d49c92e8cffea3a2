"""The journal of a run: one line of JSON per finished stage, written at once, read on resume."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hrsnn_lava import __version__


class Journal:
    """Finished stages of a run.

    A stage is identified by its name and a key: the hash of the program's version, the complete
    spec, and whatever else its result depends on. A stage found under the same key is not done
    again. A line that was cut off by a kill is ignored.

    Args:
        path: the ``journal.jsonl``.
        base: what every key depends on, such as the canonical spec.
        resume: read what is there; otherwise start anew.
    """

    def __init__(self, path: Path, base: str, resume: bool) -> None:
        self._path = path
        self._base = base
        self._done: dict[tuple[str, str], Any] = {}
        if resume and path.exists():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    entry = json.loads(line)
                    self._done[entry["stage"], entry["key"]] = entry["result"]
                except (ValueError, KeyError, TypeError):
                    continue
            text = path.read_text(encoding="utf-8", errors="replace")
            if text and not text.endswith("\n"):
                self._append("\n")
        else:
            path.write_text("", encoding="utf-8")

    def key(self, *parts: str) -> str:
        """Key of a stage that depends on `parts` beside the spec."""
        text = "\0".join([__version__, self._base, *parts])
        return hashlib.sha256(text.encode()).hexdigest()

    def stage(self, name: str, compute: Callable[[], Any], *parts: str) -> Any:
        """The result of a stage: from the journal, or computed and recorded.

        Args:
            name: of the stage.
            compute: returns something that JSON can hold.
            parts: what the result depends on beside the spec.
        """
        key = self.key(*parts)
        if (name, key) in self._done:
            return self._done[name, key]
        result = compute()
        self._append(json.dumps({"stage": name, "key": key, "result": result}) + "\n")
        self._done[name, key] = result
        # what is read back and what is computed must not differ: floats survive JSON exactly
        return json.loads(json.dumps(result))

    def _append(self, text: str) -> None:
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
