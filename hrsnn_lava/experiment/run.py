"""The whole line of a spec: build, train, prune, quantize, place, verify, report.

Every finished stage goes into ``journal.jsonl`` at once, so a run that was killed resumes where
it was; equal specs give equal files, whether resumed or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn_lava.compiler.analysis.operations.windows import Windows, by_length
from hrsnn_lava.compiler.compiled import PassRecord
from hrsnn_lava.compiler.passes.absorb_thresholds import AbsorbThresholds
from hrsnn_lava.compiler.pipeline import place_network, run_pass
from hrsnn_lava.compiler.quantization.headroom import Observed
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.experiment import arms
from hrsnn_lava.experiment.checks import checked, missing_backends
from hrsnn_lava.experiment.dynamics import of_run
from hrsnn_lava.experiment.journal import Journal
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedInput
from hrsnn_lava.sim_backends.native.simulator import NativeBackend
from hrsnn_lava.sim_backends.runs.parity import Parity, verify_parity
from hrsnn_lava.spec import Spec
from hrsnn_lava.trace import SpikeInput, Trace
from hrsnn_lava.training.difference import compare_float_fixed
from hrsnn_lava.training.forecast import ForecastOptions
from hrsnn_lava.training.observed import with_run

#: (what is being done, share of the whole that is done or None)
Progress = Callable[[str, float | None], None]


def silent(_: str, __: float | None = None) -> None:
    """Progress that says nothing."""


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run leaves: the report, its text, and the files by name."""

    report: Any
    summary_text: str
    parity: Parity
    comparison: list[dict[str, Any]]
    files: dict[str, Path] = field(default_factory=dict)


class _Run:
    """One run of a spec into a folder; each method is a stage."""

    def __init__(self, spec: Spec, out: Path, resume: bool, progress: Progress) -> None:
        self.spec, self.out, self.seed = spec, out, spec.seed
        self.progress = progress
        # fail on a wrong name before hours of work, not after
        self.profile, self.cost_set, self.quantize = checked(spec)
        out.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(out / "journal.jsonl", spec.canonical(), resume)
        self.options: ForecastOptions = arms.forecast_options(spec.task)
        self.curve = list(arms.pruning_curve(spec.prune))
        self.done, self.total = 0, 9 + len(spec.prune.controls) + len(self.curve)
        self.trained: list[PassRecord] = []

    def say(self, text: str) -> None:
        """Report progress; every stage counts the same."""
        self.progress(text, min(self.done / self.total, 1.0))
        self.done += 1

    def build(self) -> None:
        """Network, trajectory, and the counts that homeostasis aims at."""
        self.say("build the network and the trajectory")
        self.series = arms.task_series(self.spec.task, self.seed)
        self.full = build_hrsnn(self.spec, n_inputs=self.series.dimension)
        self.train()
        self.target = arms.training_counts(self.full, self.series, self.options, self.seed)
        self.steps = self.options.steps_per_sample * (len(self.series.train) - 1)

    def train(self) -> None:
        """Unsupervised training by float STDP, where the spec asks for passes."""
        table = self.spec.stdp
        if table is None or not table.train_passes:
            return
        self.say(f"train by STDP, passes: {table.train_passes}")
        step = arms.TrainSTDP(table, self.series, self.options.steps_per_sample, self.seed)
        self.full, record = run_pass(self.full, step)
        self.trained = [record]

    def arm(self, name: str, network: Any, rate_error: float | None = None) -> dict[str, Any]:
        """Score a network on the task, or take the score from the journal."""

        def compute() -> dict[str, Any]:
            scored = arms.spiking_arm(
                name, network, self.series, self.options, self.seed, rate_error
            )
            return scored[0].row()

        row: dict[str, Any] = self.journal.stage(f"arm/{name}", compute)
        return row

    def prune(
        self, method: str, rescale: Any, density: float | None = None
    ) -> tuple[Network, float, list[PassRecord]]:
        """Prune, to the density of the spec or another one, and bring the rates back."""
        table = self.spec.prune
        if density is not None:
            table = table.model_copy(update={"density": density})
        network, records, target = self.full, [], self.target
        for step in arms.node_passes(table, self.seed) if method == table.method else []:
            network, record = run_pass(network, step)
            kept = np.asarray(record.report["kept"])
            target = target[kept]
            report = {k: v for k, v in record.report.items() if k != "kept"}
            records.append(replace(record, report=report))
        if method not in ("none", "no-recurrence"):
            step = arms.pruning_pass(table, method, rescale, self.seed, target / self.steps)
            network, record = run_pass(network, step)
            records.append(record)
        elif method == "no-recurrence":
            network = arms.without_recurrence(network)
        network, error = arms.with_homeostasis(
            network, target, self.series, self.options, table, self.seed
        )
        return network, error, records

    def pruned(self) -> None:
        """The network that is compiled: pruned by the asked method, rescaled as asked."""
        table = self.spec.prune
        candidates = ["none", "match"] if table.rescale == "auto" else [table.rescale]
        best: tuple[float, Any] | None = None
        for rescale in candidates:
            self.say(f"prune: {table.method}, rescale {rescale}")
            network, error, records = self.prune(table.method, arms.RESCALE[rescale])
            name = arms.arm_name(table.method, table.density)
            label = f"{name}, rescale {rescale}" if len(candidates) > 1 else name
            row = self.arm(label, network, error)
            loss = row["validation"] if row["validation"] is not None else row["rmse_mean"]
            if best is None or loss < best[0]:
                best = (loss, (network, error, records, row, rescale))
        if best is None:
            raise SpecError("prune.rescale: nothing to try")
        self.network, self.rate_error, self.records, row, self.rescale = best[1]
        self.rows.append(row)

    def controls(self) -> None:
        """The same density by other methods, and no recurrence at all, all with homeostasis."""
        table = self.spec.prune
        for method in table.controls:
            if method == table.method:
                continue
            self.say(f"control: {method}")
            name = arms.arm_name(method, table.density)
            network, error, _ = self.prune(method, arms.RESCALE[self.rescale])
            self.rows.append(self.arm(name, network, error))

    def further_densities(self) -> list[dict[str, Any]]:
        """The points of the pruning curve: scores at the densities that are not compiled, then
        those of the comparison."""
        points = []
        for method, density in self.curve:
            name = arms.arm_name(method, density)
            self.say(f"pruning curve: {name}")
            network, error, _ = self.prune(method, arms.RESCALE[self.rescale], density)
            points.append(self.arm(name, network, error) | {"method": method, "density": density})
        table = self.spec.prune
        names = {arms.arm_name(m, table.density): m for m in (table.method, *table.controls)}
        known = [
            row | {"method": names[key], "density": table.density}
            if (key := str(row["name"]).split(", rescale")[0]) in names and "recurrence" not in key
            else row
            for row in self.rows
        ]
        return [*points, *known]

    def baselines(self) -> None:
        """Forecasters without spikes."""
        self.say("baselines")
        made = arms.baselines(self.series, self.spec.network.size, self.seed)
        for name, make in made.items():

            def compute(name: str = name, make: Callable[[], Any] = make) -> dict[str, Any]:
                return arms.baseline_arm(name, make(), self.series).row()

            self.rows.append(self.journal.stage(f"baseline/{name}", compute))

    def quantizer(self, network: Network) -> Any:
        """The quantize pass for a network, with what a run shows of it where that is needed."""
        if self.spec.network.input.target == "bias":
            run = (self.series.train[:-1], self.options.steps_per_sample)
            return with_run(self.quantize, network, run)
        if not self.quantize.needs_run:
            return self.quantize
        counts = arms.training_counts(network, self.series, self.options, self.seed)
        return replace(self.quantize, observed=Observed(counts / self.steps))

    def compile(self) -> None:
        """Integers on cores; the integer arm runs on exactly this program."""
        self.say(f"quantize and place on {self.profile.name}")
        integer, quantized = run_pass(self.network, self.quantizer(self.network))
        rates = arms.training_counts(self.network, self.series, self.options, self.seed)
        compiled = place_network(
            integer,
            self.profile,
            records=(*self.trained, *self.records, quantized),
            neurons_per_core=self.spec.compile.neurons_per_core,
            absorb=AbsorbThresholds(
                self.spec.compile.absorb_thresholds, self.spec.quantize.input_range
            ),
            rates=rates / self.steps,
            input_rates=0.0,
            seed=self.seed,
            synapses_before=self.full.n_synapses,
        )
        self.say("closed loop on the integer program")
        name = f"{arms.arm_name(self.spec.prune.method, self.spec.prune.density)}, integers"
        scored, result = arms.spiking_arm(
            name, compiled.network, self.series, self.options, self.seed, self.rate_error
        )
        self.rows.append(self.journal.stage(f"arm/{name}", scored.row))
        features = self.options.features
        self.compiled = replace(
            compiled,
            readout=result.readout.arrays(),
            readout_meta={
                "alpha": result.readout.alpha,
                "target": "increment",
                "steps_per_sample": self.options.steps_per_sample,
                "trace_samples": list(features.trace_samples),
                "squared": list(features.squared),
                "features": "traces, then squares, each over all neurons",
                "products": "x_i x_j of the decoded values, i <= j, row by row",
                "series_mean": self.series.mean.tolist(),
                "series_scale": self.series.scale.tolist(),
            },
        )

    def stimulus(self) -> SpikeInput:
        """The first training samples as payloads of the compiled input population."""
        population = self.compiled.network.input_populations[0]
        scale = population.payload_scale if isinstance(population, QuantizedInput) else None
        per_sample = self.options.steps_per_sample
        count = min(-(-self.spec.verify.steps // per_sample), len(self.series.train))
        payloads = np.rint(self.series.train[:count] * (scale or 1.0)).astype(np.int64)
        return SpikeInput.held(payloads, per_sample)

    def verify(self) -> None:
        """Bit-exact parity on the task's own input; the trace goes into the report."""
        self.inputs = self.stimulus()
        self.verified_steps = min(self.spec.verify.steps, self.inputs.n_steps)
        wanted = [n for n in self.spec.verify.backends if n not in missing_backends(self.spec)]
        self.say("verify: " + ", ".join(wanted))
        native = NativeBackend().run(
            self.compiled, self.inputs, self.verified_steps, ("spikes", "v", "u")
        )
        self.trace: Trace = native

        def compute() -> dict[str, Any]:
            if len(wanted) < 2:
                return Parity(
                    tuple(wanted), self.verified_steps, 0, spikes=native.n_spikes
                ).to_dict()
            result, _ = verify_parity(self.compiled, self.inputs, self.verified_steps, wanted)
            return result.to_dict()

        found = self.journal.stage("verify", compute, self.compiled.network_digest, *wanted)
        self.parity = Parity(
            tuple(found["backends"]),
            found["steps"],
            found["mismatches"],
            found["first"],
            tuple(found["compared"]),
            found["spikes"],
            missing_backends(self.spec),
        )

    def unpruned_operations(self) -> Trace:
        """The unpruned network in integers on the same input: what the SOP ratio refers to."""
        self.unpruned = self.quantizer(self.full)(self.full)
        return NativeBackend().run(self.unpruned, self.inputs, self.verified_steps)

    def difference(self) -> dict[str, Any]:
        """The float network against the program, on the samples of the parity check."""
        samples = self.series.train[: -(-self.verified_steps // self.options.steps_per_sample)]
        held = self.spec.network.input.target == "bias"
        found = compare_float_fixed(
            self.network,
            self.compiled,
            samples if held else self.inputs,
            steps_per_sample=self.options.steps_per_sample,
        )
        return {key: value for key, value in found.items() if value not in ({}, None)}

    def samples(self) -> Windows | None:
        """Where the points of the series begin and end in the run that is reported."""
        length = self.options.steps_per_sample
        if length > self.verified_steps:
            return None
        what = f"one point of the series, held for {length} step{'s' * (length > 1)}"
        return by_length(self.verified_steps, length, what)

    def report(self) -> RunResult:
        """Write everything, the reports last."""
        from hrsnn_lava.report.document import build_report

        self.say("dynamics")
        dynamics = of_run(
            self.full, self.network, self.compiled.network, self.series.train, self.seed
        )
        self.say("report")
        before = self.unpruned_operations()
        base = self.rows[0]["recurrent_sops_per_sample"]
        for row in self.rows:
            sops = row["recurrent_sops_per_sample"]
            row["recurrent_sop_ratio"] = base / sops if base and sops else None
        report = build_report(
            self.compiled,
            self.trace,
            cost_set=self.cost_set,
            step_time_s=self.spec.report.step_time_s,
            accuracy=arms.accuracy(self.rows, self.spec),
            float_vs_integer=self.difference(),
            parity=self.parity.to_dict() | {"line": self.parity.line()},
            comparison=self.rows,
            curve=self.points,
            dynamics=dynamics,
            network_before=self.unpruned,
            trace_before=before,
            network_float=self.network,
            samples=self.verified_steps / self.options.steps_per_sample,
            sample_windows=self.samples(),
            spec_digest=hashlib.sha256(self.spec.canonical().encode()).hexdigest(),
            budgets=self.spec.budgets,
        )
        files = {
            name: self.out / name
            for name in ("network.hlx", "compiled.hlx", "input.npz", "report.json", "report.html")
        }
        self.network.save(files["network.hlx"])
        self.compiled.save(files["compiled.hlx"])
        self.inputs.save(files["input.npz"])
        report.write(files["report.json"])
        report.write(files["report.html"])
        self.progress("done", 1.0)
        return RunResult(report, report.to_text(), self.parity, self.rows, files)

    def run(self) -> RunResult:
        """All stages in order."""
        self.rows: list[dict[str, Any]] = []
        self.build()
        self.say("unpruned network")
        self.rows.append(self.arm("unpruned", self.full))
        self.pruned()
        self.compile()
        self.controls()
        self.points = self.further_densities()
        self.baselines()
        self.verify()
        result = self.report()
        self.parity.require()
        return result


def run_spec(
    spec: Spec, out: Path, *, resume: bool = False, progress: Progress = silent
) -> RunResult:
    """Run a spec into the folder `out`.

    Args:
        spec: what to do.
        out: made when missing; holds ``network.hlx``, ``compiled.hlx``, ``input.npz``,
            ``report.json``, ``report.html`` and ``journal.jsonl`` in the end.
        resume: take finished stages from the journal.
        progress: called before every stage.

    Raises:
        SpecError, CapacityError, BackendError, ParityError: see `hrsnn_lava.errors`; a parity
            error comes after the report is written, since the report shows it.
    """
    from threadpoolctl import threadpool_limits

    try:
        # one BLAS thread: sums in another order would move the last bits of a chaotic forecast
        with threadpool_limits(limits=1):
            return _Run(spec, Path(out), resume, progress).run()
    except OSError as error:
        raise ArtifactError(f"{out}: cannot be written ({error.strerror})") from error
