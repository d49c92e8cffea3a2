"""What a test recorded: whatever it hands over as a report, its runs, and their budgets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from hrsnn_lava.deploy.pytest_budget.runs import SopRun
from hrsnn_lava.errors import HrsnnError, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.budgets.judge import JudgedBudget
    from hrsnn_lava.budgets.quantities import ReportData

#: Short names of budgets, for those that are asked for most.
SHORT = {
    "max_uj": "max_energy_uj",
    "min_uj": "min_energy_uj",
    "max_dynamic_uj": "max_dynamic_energy_uj",
    "min_dynamic_uj": "min_dynamic_energy_uj",
}
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
        self._sources: list[tuple[Any, Any]] = []
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
        report = as_measured(what, trace, **options)
        if any(what is other and trace is run for other, run in self._sources):
            return report
        number = len(self.runs) + 1
        run = SopRun.of_report(self.test if number == 1 else f"{self.test} #{number}", report)
        if run is None:
            raise SpecError("the report has no run: give the trace when it is made")
        self._sources.append((what, trace))
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
            budgets: keys of `hrsnn-lava check`, such as ``max_sops``; ``max_dynamic_uj`` is
                ``max_dynamic_energy_uj``, and ``max_uj`` is ``max_energy_uj``, which holds the
                static energy of every step. None is no limit.

        Raises:
            SpecError: no budget, an unknown key, or an argument that does not belong.
        """
        limits = {key: value for key, value in budgets.items() if value is not None}
        if not limits:
            raise SpecError(
                "no budget: give at least one, such as max_dynamic_uj=5.0 or max_sops=20_000"
            )
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

    def _hold(self, report: ReportData, budgets: Mapping[str, Any], proxy_ok: bool) -> None:
        from hrsnn_lava.budgets.judge import budgets_of, judge

        limits = {SHORT.get(key, key): value for key, value in budgets.items()}
        rows = judge(report, budgets_of(limits), proxy_ok=proxy_ok)
        self._properties.extend((row.key, row.value) for row in rows if row.value is not None)
        if any(not row.ok for row in rows):
            self._fail(_failure(report, rows))


def _failure(report: ReportData, rows: Sequence[JudgedBudget]) -> str:
    """All budgets as a table, why those broken are, and what costs most."""
    from hrsnn_lava.budgets.quantities import shown
    from hrsnn_lava.deploy.compare.differences import projection_counts
    from hrsnn_lava.deploy.compare.rendering import visible
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
    ranked = sorted(projection_counts(report).items(), key=lambda item: -item[1].operations)
    lines += [
        f"projection {visible(name)}: {row.operations:,} operations, {row.synapses:,} synapses"
        for name, row in ranked[:NAMED]
        if row.operations
    ]
    return "\n".join(lines)


def as_measured(
    what: Any,
    trace: Any = None,
    *,
    cost_set: Any = None,
    step_time_s: float | Literal["fastest"] | None = None,
    samples: float | None = None,
) -> dict[str, Any]:
    """The report of `what`, as plain values.

    Args:
        what: a `Report`, its dictionary, the path of a ``report.json``, or a `CompiledNetwork` or
            `QuantizedNetwork` together with the `trace` of its run. Without a chip there are
            operations and spikes, and no more.
        trace: the run, or the `Counts` that `hrsnn_lava.count` found without one; only with a
            network.
        cost_set, step_time_s, samples: as `hrsnn_lava.report` takes them; only with a compiled
            network. Without a cost set one of the chip's is taken, if it has any.

    Raises:
        SpecError: none of these, or an argument that does not belong to it.
        ArtifactError: a file that is no report.
    """
    options = {"cost_set": cost_set, "step_time_s": step_time_s, "samples": samples}
    if isinstance(what, (str, os.PathLike, Mapping)) or hasattr(what, "to_dict"):
        extra = [name for name, value in (("trace", trace), *options.items()) if value is not None]
        if extra:
            raise SpecError(f"{', '.join(extra)}: only with a network; a report has its own")
        return _report(what)
    if trace is None:
        raise SpecError(
            f"{type(what).__name__} without a trace: give what `hl.simulate` or `hl.count` "
            "returned, or a report"
        )
    return _of_run(what, trace, {k: v for k, v in options.items() if v is not None})


def _report(what: Any) -> dict[str, Any]:
    from hrsnn_lava.deploy.compare.files import as_report, read_report

    if isinstance(what, (str, os.PathLike)):
        return read_report(what)
    return as_report(what if isinstance(what, Mapping) else what.to_dict())


def _of_run(network: Any, trace: Any, options: dict[str, Any]) -> dict[str, Any]:
    from hrsnn_lava.compiler.analysis.operations.counting import Counts
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.quantized import QuantizedNetwork

    if isinstance(network, CompiledNetwork):
        from hrsnn_lava.hardware_profiles.cost_set import preferred
        from hrsnn_lava.report.document import build_report

        options.setdefault("cost_set", preferred(network.profile))
        options["counts" if isinstance(trace, Counts) else "trace"] = trace
        return build_report(network, **options).to_dict()
    if isinstance(network, QuantizedNetwork):
        if options:
            raise SpecError(f"{', '.join(options)}: only with a network that is compiled")
        return _unplaced(network, trace)
    raise SpecError(
        f"{type(network).__name__}: expected a report, a compiled or a quantized network"
    )


def _unplaced(network: Any, trace: Any) -> dict[str, Any]:
    from hrsnn_lava.artifacts.container import plain
    from hrsnn_lava.compiler.analysis.operations.counting import Counts
    from hrsnn_lava.compiler.analysis.operations.synops import synaptic_operations
    from hrsnn_lava.report.sections.sop import operations

    if isinstance(trace, Counts):
        ops, spikes = trace.ops, trace.done.spikes
    else:
        ops, spikes = synaptic_operations(network, trace), trace.n_spikes
    return {"sop": plain(operations(ops)), "activity": {"steps": ops.steps, "spikes": spikes}}
