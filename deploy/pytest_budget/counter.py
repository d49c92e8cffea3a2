"""What a test recorded: its runs, and whether they keep their budgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from hrsnn_lava.deploy.pytest_budget.baseline import SopRun
from hrsnn_lava.errors import HrsnnError, SpecError

#: Short names of budgets, for those that are asked for most.
SHORT = {"max_uj": "max_energy_uj", "min_uj": "min_energy_uj"}
#: Projections that a failure names.
NAMED = 3


class SopCounter:
    """Takes down the runs of one test.

    Attributes:
        test: id of the test.
        runs: what was recorded, in order.
    """

    def __init__(
        self, test: str, properties: list[tuple[str, object]], fail: Callable[[str], None]
    ) -> None:
        """`properties` go into the test's report (JUnit); `fail` ends the test with a text."""
        self.test = test
        self.runs: list[SopRun] = []
        self._reports: list[dict[str, Any]] = []
        self._seen: list[tuple[Any, Any]] = []
        self._properties = properties
        self._fail = fail

    def record(self, what: Any, trace: Any = None, **options: Any) -> dict[str, Any]:
        """Take down one run; return its report as plain values.

        The first run of a test is kept under the test's id, further ones as ``#2``, ``#3`` and so
        on, in the order of the calls. The same network and trace are one run.

        Args:
            what: a compiled or quantized network; or a report, its dictionary or its file.
            trace: of the run, or what `hrsnn_lava.count` found in it; with a network.
            options: ``cost_set``, ``step_time_s`` and ``samples``, with a compiled network.

        Raises:
            SpecError: no run in it, or an argument that does not belong.
        """
        from hrsnn_lava.deploy.pytest_budget.measured import as_measured

        report = as_measured(what, trace, **options)
        if any(what is other and trace is run for other, run in self._seen):
            return report
        number = len(self.runs) + 1
        run = SopRun.of_report(self.test if number == 1 else f"{self.test} #{number}", report)
        if run is None:
            raise SpecError("the report has no run: give the trace when it is made")
        self._seen.append((what, trace))
        self.runs.append(run)
        self._reports.append(report)
        self._properties.append(("sops" if number == 1 else f"sops #{number}", run.sops))
        return report

    def budget(
        self,
        what: Any,
        trace: Any = None,
        *,
        cost_set: Any = None,
        step_time_s: float | Literal["fastest"] | None = None,
        samples: float | None = None,
        proxy_ok: bool = True,
        **budgets: float | None,
    ) -> dict[str, Any]:
        """Fail the test where `what` breaks a budget; return its report as plain values.

        Args:
            what, trace: as `record` takes them; the run is recorded, too.
            cost_set: prices; one of the chip's by default.
            step_time_s: wall time of a step, 1 ms by default, or ``"fastest"``.
            samples: inputs that the run processed, for budgets per inference.
            proxy_ok: False fails energies at the prices of another chip.
            budgets: keys of `hrsnn-lava check`, such as ``max_sops``; ``max_uj`` is
                ``max_energy_uj``. None is no limit.

        Raises:
            SpecError: no budget, an unknown key, or an argument that does not belong.
        """
        limits = {key: value for key, value in budgets.items() if value is not None}
        if not limits:
            raise SpecError("no budget: give at least one, such as max_uj=5.0 or max_sops=20_000")
        report = self.record(
            what, trace, cost_set=cost_set, step_time_s=step_time_s, samples=samples
        )
        self._hold(report, limits, proxy_ok)
        return report

    def keep(self, budgets: Mapping[str, Any]) -> None:
        """Hold every recorded run against the budgets of the marker."""
        if not self._reports:
            self._fail(
                f"{self.test}: marked sop_budget, but nothing was recorded: take the fixture "
                "sop_counter and call sop_counter.record(compiled, trace)"
            )
        for report in self._reports:
            try:
                self._hold(report, budgets, proxy_ok=True)
            except HrsnnError as error:
                self._fail(f"{self.test}: marker sop_budget: {error}")

    def plain(self) -> list[dict[str, Any]]:
        """The runs as plain values, to send to another process."""
        return [{"key": run.key, **run.to_plain()} for run in self.runs]

    def _hold(self, report: Mapping[str, Any], budgets: Mapping[str, Any], proxy_ok: bool) -> None:
        from hrsnn_lava.budgets.judge import budgets_of, judge

        named = {SHORT.get(key, key): value for key, value in budgets.items()}
        rows = judge(report, budgets_of(named), proxy_ok=proxy_ok)
        self._properties.extend((row.key, row.value) for row in rows if row.value is not None)
        if any(not row.ok for row in rows):
            self._fail(_told(report, rows))


def _told(report: Mapping[str, Any], rows: Any) -> str:
    """All budgets as a table, why those broken are, and what costs most."""
    from hrsnn_lava.budgets.values import shown
    from hrsnn_lava.deploy.gate.plain_text import visible
    from hrsnn_lava.report.format import UNKNOWN, table

    body = [
        (
            row.key,
            UNKNOWN if row.value is None else shown(row.value, row.unit),
            row.allowed,
            UNKNOWN if row.margin_percent is None else f"{row.margin_percent:+.1f} %",
            "kept" if row.ok else "BROKEN",
        )
        for row in rows
    ]
    broken = [row for row in rows if not row.ok]
    lines = [f"{len(broken)} of {len(rows)} budgets broken", ""]
    lines.append(table(("budget", "measured", "allowed", "margin", ""), body, left=(0, 4)))
    lines += ["", *(row.line() for row in broken)]
    projections = report.get("sop", {}).get("per_projection", {})
    ranked = sorted(projections.items(), key=lambda item: -int(item[1].get("operations") or 0))
    lines += [
        f"projection {visible(name)}: {row['operations']:,} operations, "
        f"{row['synapses']:,} synapses"
        for name, row in ranked[:NAMED]
        if row.get("operations")
    ]
    return "\n".join(lines)
