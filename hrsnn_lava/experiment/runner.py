"""Stages of a run, and the journal that keeps their results: one line of JSON per finished stage.

A line is written at once, so a run that was killed resumes where it was. The last line of a run
says when it began, by what command, and how long its parts took: what differs between equal runs
stands here, and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter
from typing import Any, Generic, TypeVar

from hrsnn_lava import __version__, registry
from hrsnn_lava.artifacts.files import naming
from hrsnn_lava.progress import Progress, silent

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Stage(Generic[T]):
    """A piece of work whose result is worth keeping.

    Attributes:
        name: unique in a run, such as ``arm/unpruned``.
        run: does the work; returns something that JSON can hold.
        depends_on: what the result depends on beside the program's version and the spec.
    """

    name: str
    run: Callable[[], T]
    depends_on: tuple[str, ...] = ()


def own_parts() -> tuple[str, ...]:
    """Name and SHA-256 of every file of parts in the folders of ``HRSNN_LAVA_PARTS``, in order.

    All of them, whether a spec names them or not: parts may import each other. Where the folders
    are does not matter.
    """
    folders = os.environ.get(registry.PARTS_VARIABLE, "").split(os.pathsep)
    return tuple(
        f"{kind}/{file.name} {_digest(file)}"
        for folder in filter(None, folders)
        for kind, described in sorted(registry.KINDS.items())
        for file in sorted((Path(folder) / kind).glob("*.toml" if described.data else "*.py"))
    )


def named_files(spec: str) -> tuple[str, ...]:
    """Name and SHA-256 of every file that a canonical spec names: recordings, chips, cost sets."""
    texts = sorted(set(_texts(json.loads(spec))))
    return tuple(f"{text} {_digest(Path(text))}" for text in texts if os.path.isfile(text))


def _digest(file: Path) -> str:
    """SHA-256 of a file, which may be a long recording."""
    digest = hashlib.sha256()
    with file.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


class Journal:
    """Finished stages of a run.

    A stage is identified by its name and a key: the hash of the program's version, the complete
    spec, the files that it names, the user's own parts, and whatever else its result depends on. A
    stage found under the same key is not done again. A line that was cut off by a kill is ignored.

    Args:
        path: the ``journal.jsonl``.
        base: what every key depends on, such as the canonical spec.
        resume: read what is there; otherwise start anew.
        files: what else every key depends on, see `own_parts` and `named_files`.
        head: the first line of a journal that is started anew, with which no stage begins.

    Attributes:
        earlier: stages whose results came from an earlier run, in order.
        new: those that were worked out.
    """

    def __init__(
        self, path: Path, base: str, resume: bool, files: tuple[str, ...] = (), head: str = ""
    ) -> None:
        self._path, self._started, self._clock = path, datetime.now(timezone.utc), perf_counter()
        self._base = (base, *files)
        self.earlier: list[str] = []
        self.new: list[str] = []
        self._results: dict[tuple[str, str], Any] = {}
        text = (
            path.read_text(encoding="utf-8", errors="replace") if resume and path.exists() else ""
        )
        if not (text and text.startswith(head)):  # one of another run has nothing to go on from
            with naming(path):
                path.write_text(head, encoding="utf-8")
            return
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                self._results[entry["stage"], entry["key"]] = entry["result"]
            except (ValueError, KeyError, TypeError):
                continue
        if text and not text.endswith("\n"):
            self._append("\n")

    def _key(self, stage: Stage[T]) -> tuple[str, str]:
        text = "\0".join([__version__, *self._base, *stage.depends_on])
        return stage.name, hashlib.sha256(text.encode()).hexdigest()

    def has(self, stage: Stage[T]) -> bool:
        """Whether the result of a stage is in the journal."""
        return self._key(stage) in self._results

    def result(self, stage: Stage[T]) -> T:
        """The result of a stage: from the journal, or computed and recorded."""
        _, key = self._key(stage)
        found = (stage.name, key) in self._results
        names = self.earlier if found else self.new
        if stage.name not in (*self.earlier, *self.new):
            names.append(stage.name)
        if not found:
            began = perf_counter()
            result = stage.run()
            line = {"stage": stage.name, "key": key, "result": result}
            self._append(json.dumps({**line, "seconds": _seconds(began)}) + "\n")
            # what is read back and what is computed must not differ: floats survive JSON exactly
            self._results[stage.name, key] = json.loads(json.dumps(result))
        recorded: T = self._results[stage.name, key]
        return recorded

    def close(self, **values: Any) -> None:
        """The last line: when the run began and how long it took, what it took over, and `values`.

        It has no key, so no stage is ever taken for it.
        """
        moment = self._started.isoformat(timespec="microseconds").replace("+00:00", "Z")
        line = {
            "stage": f"run {moment}",
            "seconds": _seconds(self._clock),
            "from_earlier": self.earlier,
            "new": self.new,
            **values,
        }
        self._append(json.dumps(line) + "\n")

    def _append(self, text: str) -> None:
        with naming(self._path), self._path.open("a", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())


def _seconds(since: float) -> float:
    return round(perf_counter() - since, 3)


class Runner:
    """Runs stages: takes finished ones from the journal, and says how far the run is.

    Args:
        journal: of the run.
        steps: calls of `say` in the whole run; each counts the same.
        progress: told of each.
    """

    def __init__(self, journal: Journal, steps: int, progress: Progress = silent) -> None:
        self._journal, self._steps, self._progress = journal, steps, progress
        self._said = 0

    def say(self, text: str) -> None:
        """Report what is done next."""
        self._progress(text, min(self._said / self._steps, 1.0))
        self._said += 1

    def within(self, text: str, _: float | None = None, /) -> None:
        """Report a part of what is being done; the run is not further for it."""
        self._progress(text, min(max(self._said - 1, 0) / self._steps, 1.0))

    def result(self, stage: Stage[T]) -> T:
        """The result of a stage, computed once."""
        return self._journal.result(stage)

    @property
    def journal(self) -> Journal:
        """What has been done, and what was taken from an earlier run."""
        return self._journal
