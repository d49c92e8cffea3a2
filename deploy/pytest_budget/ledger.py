"""The baseline of operations during one run of pytest: read, compared, written, summed up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.deploy.pytest_budget.runs import (
    RunChange,
    SopRun,
    compare_run,
    markdown,
    projection_line,
    read_baseline,
    tolerance,
    write_baseline,
)
from hrsnn_lava.errors import HrsnnError, SpecError

if TYPE_CHECKING:
    import pytest

#: Runs that the summary lists; the Markdown table has all of them.
LISTED = 20


class SopLedger:
    """All runs that were recorded, beside the baseline; a plugin of the controlling process.

    Entries of tests that did not run, or did not pass, stay as they are.
    """

    def __init__(
        self,
        name: str | None,
        path: Path | None,
        *,
        update: bool = False,
        tolerance_percent: float = 0.0,
        page: Path | None = None,
    ) -> None:
        """A ledger of one session.

        Args:
            name: the baseline as it was written on the command line.
            path: where it is.
            update: write it, instead of comparing with it.
            tolerance_percent: growth that is none.
            page: where to write a table of all runs, as Markdown.

        Raises:
            SpecError: there is nothing to update, or nothing to compare with.
            ArtifactError: the baseline cannot be read.
        """
        if update and path is None:
            raise SpecError("--sop-update: name the file with --sop-baseline FILE")
        self.name, self.path, self.update = name or "", path, update
        self.tolerance_percent, self.page = tolerance_percent, page
        self.baseline: dict[str, SopRun] = {}
        if path is not None and path.exists():
            self.baseline = read_baseline(path)
        elif path is not None and not update:
            raise SpecError(f"--sop-baseline {name}: no such file; --sop-update makes it")
        self._recorded: dict[str, tuple[bool, list[SopRun]]] = {}
        self._remarks: list[str] = []

    @classmethod
    def of_config(cls, config: pytest.Config) -> SopLedger:
        """From the options of pytest; files are relative to where it was started.

        Raises:
            HrsnnError: an option is wrong or a file cannot be read.
        """
        folder = config.invocation_params.dir
        name, page = config.getoption("sop_baseline"), config.getoption("sop_markdown")
        try:
            percent = tolerance(config.getoption("sop_tolerance"))
        except ValueError as error:
            raise SpecError(f"--sop-tolerance: {error}") from None
        return cls(
            name,
            None if name is None else folder / name,
            update=bool(config.getoption("sop_update")),
            tolerance_percent=percent,
            page=None if page is None else folder / page,
        )

    def objections(self, runs: Iterable[SopRun]) -> str:
        """Why a test that recorded `runs` fails; empty when it does not."""
        if self.path is None or self.update:
            return ""
        changes = map(self._compared, runs)
        texts = (change.objection(self.tolerance_percent, self.name) for change in changes)
        return "\n".join(text for text in texts if text)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test recorded, here or in a worker; of a test that is run again, the last."""
        entries = getattr(report, "sop_runs", None)
        if entries is not None:
            runs = [SopRun.of_plain(entry["key"], entry) for entry in entries]
            self._recorded[report.nodeid] = (report.passed, runs)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files that were asked for."""
        try:
            if self.update and self.path is not None:
                self._write(self.path)
            if self.page is not None:
                write_text(self.page, markdown(self._rows()))
        except HrsnnError as error:
            self._remarks.append(str(error))
            session.exitstatus = 4  # as pytest's own usage errors

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What grew and what else differs, with the projection that grew most."""
        rows = [row for row in self._rows() if row.status != "same"]
        terminalreporter.section("synaptic operations")
        for row in rows[:LISTED] if self.path is not None else []:
            terminalreporter.write_line(row.line())
            for change in row.projections()[:1]:
                terminalreporter.write_line(f"  {projection_line(change)}")
        if len(rows) > LISTED and self.path is not None:
            terminalreporter.write_line(f"and {len(rows) - LISTED} more")
        for text in (*self._remarks, self._closing(rows)):
            terminalreporter.write_line(text)

    def _closing(self, rows: list[RunChange]) -> str:
        total = len(self._rows())
        if self.path is None or self.update:
            return f"{total} runs recorded"
        text = f"{total - len(rows)} of {total} runs as in {self.name}"
        fell = sum(row.status == "fell" for row in rows)
        return f"{text}; {fell} fell: --sop-update keeps the gain" if fell else text

    def _compared(self, run: SopRun) -> RunChange:
        return compare_run(run, self.baseline, self.tolerance_percent)

    def _rows(self) -> list[RunChange]:
        return [self._compared(run) for _, runs in self._recorded.values() for run in runs]

    def _write(self, path: Path) -> None:
        entries = dict(self.baseline)
        for test, (passed, runs) in self._recorded.items():
            if not passed:
                self._remarks.append(f"{test}: did not pass, so its entry stays as it is")
                continue
            own = [key for key in entries if key == test or key.startswith(f"{test} #")]
            for key in own:  # a test may record fewer runs than it did
                del entries[key]
            entries.update({run.key: run for run in runs})
        write_baseline(path, entries.values())
        self._remarks.append(f"written: {self.name}, {len(entries)} entries")
