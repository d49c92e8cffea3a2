"""The whole line of a spec: build, train, prune, quantize, place, verify, report.

Every stage is a function of what it is given, and returns what later stages take. Scores and the
parity check go into ``journal.jsonl`` at once, so a run that was killed resumes where it was; equal
specs give equal files, whether resumed or not.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import __version__
from hrsnn_lava.artifacts.files import FULL
from hrsnn_lava.compiler.analysis.operations.windows import Windows, by_length
from hrsnn_lava.compiler.compiled import CompiledNetwork, PassRecord
from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.compiler.pipeline import History
from hrsnn_lava.compiler.pruning.budget import Amount
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.csr import drives
from hrsnn_lava.errors import CapacityError, OutputError, Problem, SpecError
from hrsnn_lava.experiment.compilation import (
    NOT_PRUNED,
    PORTFOLIO,
    Pruned,
    Pruning,
    Target,
    prune,
    pruning_curve,
)
from hrsnn_lava.experiment.looped import LoopOfRun, looped
from hrsnn_lava.experiment.portfolio import Portfolio, aftercare_record, screened
from hrsnn_lava.experiment.preparation import GradientWork, prepare, trained_by_gradients
from hrsnn_lava.experiment.run_folder import JOURNAL, RunIdentity
from hrsnn_lava.experiment.runner import Journal, Runner, Stage, named_files, own_parts
from hrsnn_lava.experiment.scoring import (
    Arm,
    Row,
    accuracy,
    check_metrics,
    score_network,
    training_counts,
    with_homeostasis,
    with_metrics,
    with_ratios,
)
from hrsnn_lava.experiment.spread import FurtherSeeds, SeedNetwork, spread_row
from hrsnn_lava.findings import Finding
from hrsnn_lava.metrics.base import Metric
from hrsnn_lava.metrics.classification import confusion
from hrsnn_lava.network import Network
from hrsnn_lava.notebook import brief, shown
from hrsnn_lava.progress import Progress
from hrsnn_lava.quantized import QuantizedInput
from hrsnn_lava.report.document import Report, build_report
from hrsnn_lava.report.sections.dynamics import dynamics
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.runs.parity import Parity, verify_parity
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.spec import PruneSpec, Spec
from hrsnn_lava.tasks.base import Outcome, Trial
from hrsnn_lava.trace import SpikeInput, Trace
from hrsnn_lava.training.aftercare import aftercare
from hrsnn_lava.training.difference import compare_float_fixed
from hrsnn_lava.training.driven import COVARIANCE_STEPS, observe_driven
from hrsnn_lava.training.simulation import Stimulus

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
#: Folder of the checkpoints of gradient training, in that of the run.
GRADIENTS = "gradients"
FILES = ("network.hlx", "compiled.hlx", "input.npz", "report.json", "report.html")


@brief(
    "project=report.data.project",
    "verdict=report.data.verdict",
    "mismatches=parity.mismatches",
    "comparison",
    "files",
)
@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run leaves.

    Attributes:
        report: of the program; ``report.to_summary()`` is what answers first.
        summary_text: all of it as text.
        parity: of the backends on the task's own input.
        comparison: the rows of the table of networks.
        files: by name.
        earlier_stages: those whose results were taken from an earlier run.
        new_stages: those that were done now.
    """

    report: Report
    summary_text: str
    parity: Parity
    comparison: list[Row]
    files: dict[str, Path] = field(default_factory=dict)
    earlier_stages: tuple[str, ...] = ()
    new_stages: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """The card of the report."""
        return self.report._repr_html_()


@dataclass(frozen=True, eq=False)
class Bench:
    """What every stage works with: target and task of the spec, and what runs and records stages.

    Attributes:
        target: chip, prices and integers that the spec asks for.
        trial: the task with its data.
        runner: of the stages.
        findings: of networks beside the one that is compiled.
        folder: of the run, for the checkpoints of loops; None: none are kept.
        resume: go on from them.
    """

    target: Target
    trial: Trial
    runner: Runner
    findings: list[Finding] = field(default_factory=list)
    folder: Path | None = None
    resume: bool = False

    @property
    def spec(self) -> Spec:
        """The whole spec."""
        return self.target.spec

    def row(self, name: str, network: Network, rate_error: float | None = None) -> Row:
        """The row of a network on the task, scored now or taken from the journal."""

        def score() -> Row:
            spec = self.spec
            return score_network(
                name, network, self.trial, spec.seed, rate_error, spec.metrics
            ).row()

        return self.runner.result(Stage(f"arm/{name}", score))

    @property
    def gradient_work(self) -> GradientWork:
        """Checkpoints and progress of gradient training."""
        folder = None if self.folder is None else self.folder / GRADIENTS
        return GradientWork(folder, self.resume, self.runner.within)

    def by_gradients(self, network: Network, name: str) -> tuple[Network, tuple[PassRecord, ...]]:
        """A network as it is scored: trained once more where ``[surrogate]`` comes after pruning.

        Args:
            network: pruned, or the unpruned one beside those.
            name: in the table.
        """
        table = self.spec.surrogate
        if table is None or not table.after:
            return network, ()
        self.runner.say(f"train by gradients: {name}")
        file = re.sub("[^a-z0-9.]+", "-", name.lower()).strip("-")
        trained, record = trained_by_gradients(
            self.spec, self.trial, network, f"{file}-after", work=self.gradient_work
        )
        return trained, (record,)

    def rates(self, network: Network) -> Floats:
        """Spikes per step of every neuron over the training inputs, (n_neurons,)."""
        return training_counts(network, self.trial, self.spec.seed) / self.trial.lesson.n_steps


@dataclass(frozen=True, eq=False)
class Reference:
    """The unpruned network, trained where the spec asks for it.

    Attributes:
        network: float; what is pruned.
        counts: (n_neurons,) its spikes over the training inputs: what homeostasis aims at.
        records: of the training.
        lesson: the training inputs.
        scored: what the pruned ones are compared with: `network`, unless all are trained after
            pruning.
        scored_counts: (n_neurons,) its spikes over the training inputs.
    """

    network: Network
    counts: Counts
    records: tuple[PassRecord, ...]
    lesson: Stimulus
    scored: Network
    scored_counts: Counts

    @cached_property
    def covariance(self) -> Floats:
        """(n_neurons, n_neurons) of the spike traces over the first of them, see `Observed`."""
        seen = observe_driven(self.network, self.lesson.first(COVARIANCE_STEPS)).covariance
        assert seen is not None
        return seen


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pruned network with its rates brought back.

    Attributes:
        pruning: how; of a screening with the method that it chose.
        network: float.
        rate_error: what homeostasis has left of the difference to the unpruned rates; None of the
            unpruned network.
        records: of the passes.
    """

    pruning: Pruning
    network: Network
    rate_error: float | None
    records: tuple[PassRecord, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the rates that aftercare brought back, saying of which network."""
        return tuple(
            replace(finding, where=f"{finding.where} of {self.pruning.label}")
            for record in self.records
            if record.name in ("aftercare", "screening", "pruning_loop", "train_surrogate")
            for finding in record.findings
        )


@dataclass(frozen=True, eq=False)
class Compared:
    """A network of the comparison in float.

    Attributes:
        name: the same whatever the budget.
        candidate: the network; the unpruned one has no rate error and no records.
        row: its scores.
    """

    name: str
    candidate: Candidate
    row: Row


@dataclass(frozen=True, eq=False)
class Check:
    """The program on the task's own input: whether backends agree, and what the native one did."""

    inputs: SpikeInput
    trace: Trace
    parity: Parity


def run_spec(
    spec: Spec,
    out: Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    made: str = "",
    workers: int = 1,
) -> RunResult:
    """Run a spec into the folder `out`.

    Args:
        spec: what to do.
        out: made when missing; holds ``network.hlx``, ``compiled.hlx``, ``input.npz``,
            ``report.json``, ``report.html`` and ``journal.jsonl`` in the end.
        resume: take finished stages from the journal.
        progress: called before every stage; by default a bar in a notebook, and nothing elsewhere.
        made: when and by what command, for the foot of ``report.html``; the journal has the time
            whatever is said here, and ``report.json`` never, so that equal runs give equal bytes.
        workers: processes, this one among them, that work on the seeds of ``prune.repeats``; the
            results do not depend on it. More than one start this program's main module anew, which
            has to allow for that (``if __name__ == "__main__"``).

    Raises:
        SpecError, CapacityError, BackendError, ParityError: see `hrsnn_lava.errors`; a parity
            error comes after the report is written, since the report shows it.
    """
    from threadpoolctl import threadpool_limits

    out, target = Path(out), Target.of(spec)
    trial = trial_of(spec)
    try:
        out.mkdir(parents=True, exist_ok=True)
        text = spec.canonical()
        files, head = (*own_parts(), *named_files(text)), RunIdentity.of(spec).line()
        journal = Journal(out / JOURNAL, text, resume, files, head)
        points = len(pruning_curve(spec.prune, "none"))
        # one BLAS thread: sums in another order would move the last bits of a chaotic forecast
        with threadpool_limits(limits=1), shown(progress) as show:
            programs = 2 * (1 + len(spec.prune.controls)) if spec.prune.integers == "all" else 0
            steps = 8 + len(spec.prune.controls) + points + programs + spec.prune.repeats
            runner = Runner(journal, steps, show)
            bench = Bench(target, trial, runner, folder=out, resume=resume)
            further = FurtherSeeds(spec, seed_networks, out, resume=resume, workers=workers - 1)
            with further as seeds:
                return _run(bench, out, show, made, seeds)
    except OSError as error:
        if error.errno in FULL:  # it says which file there is no room for
            raise
        raise OutputError(f"{out}: cannot be written ({error.strerror})") from error


def _run(bench: Bench, out: Path, progress: Progress, made: str, seeds: FurtherSeeds) -> RunResult:
    """All stages in order."""
    spec, runner = bench.spec, bench.runner
    runner.say("build the network")
    full = reference(bench)
    runner.say("unpruned network")
    unpruned = bench.row("unpruned", full.scored)
    pruning, candidate, row = best_pruning(bench, full)
    compiled, arm = compiled_program(bench, full, pruning.label, candidate)
    program = runner.result(Stage(f"arm/{arm.name}", arm.row))
    others = controls(bench, full, pruning)
    rows = [unpruned, row, program, *(other.row for other in others)]
    points = curve(bench, full, pruning, rows)
    rows = with_ratios([*rows, *baselines(bench)])
    method = Compared(pruning.name, candidate, row)
    networks = [unpruned_of(bench, full, unpruned), method, *others]
    chip = program | {"cores": compiled.placement.n_cores}
    own = with_integers(bench, full, networks, {method.name: chip})
    headline = arm.outcome.scores.headline.name
    check = verification(bench, compiled)
    report = report_of(
        bench,
        Networks(full, candidate.network, compiled),
        check,
        comparison=rows,
        curve=points,
        scores=[score.describe() for score in arm.outcome.scores],
        spread=[
            spread_row(seed, headline, network)
            for seed, pairs in [(spec.seed, own), *further_seeds(bench, seeds)]
            for network in pairs
        ]
        if spec.prune.repeats > 1 or spec.prune.integers == "all"
        else None,
        confusion=confusion_of(arm.outcome),
        accuracy=accuracy(spec.task.kind, arm.outcome.scores, unpruned, row, program)
        | unchosen_rescale(spec.prune, row)
        | unseen_input(bench),
    )
    files = {name: out / name for name in FILES}
    candidate.network.save(files["network.hlx"])
    compiled.save(files["compiled.hlx"])
    check.inputs.save(files["input.npz"])
    report.write(files["report.json"])
    report = replace(report, made=made)
    report.write(files["report.html"])
    journal = runner.journal
    seconds = [[record.name, round(record.seconds, 3)] for record in compiled.records]
    journal.close(made=made, program=__version__, passes=seconds)
    progress("done", 1.0)
    check.parity.require()
    earlier, new = tuple(journal.earlier), tuple(journal.new)
    return RunResult(report, report.to_text(), check.parity, rows, files, earlier, new)


def trial_of(spec: Spec) -> Trial:
    """The task of a spec with the data of its seed.

    Raises:
        SpecError: the data cannot be had, the task sends spikes where the network takes values, or
            it gives values where the network takes spikes: nothing sends those while it is scored.
    """
    check_metrics(spec.metrics, spec.task)
    trial: Trial = spec.task.trial(spec.seed)
    spiking, target = trial.lesson.spiking, spec.network.input.target
    unseen = input_is_unseen(spec, trial)
    if (spiking and target == "bias") or (unseen and not spec.task.runs_without_input):
        allowed = "'synapse', since inputs spike" if spiking else "'bias', since values are held"
        other = "gives values to hold" if spiking else "sends spikes"
        fix = f"or an encoder that {other}"
        problem = Problem("network.input.target", repr(target), allowed, fix)
        raise SpecError(f"task {spec.task.kind!r} does not fit the network", problems=[problem])
    if unseen and spec.network.input.graded is False:
        problem = Problem("network.input.graded", "false", "true, since values are sent")
        raise SpecError(f"task {spec.task.kind!r} does not fit the network", problems=[problem])
    if unseen and spec.quantize.headroom == "measured":
        raise SpecError(
            'quantize.headroom: "measured" needs inputs that are held; set '
            'network.input.target = "bias", or another head-room'
        )
    return trial


def input_is_unseen(spec: Spec, trial: Trial) -> bool:
    """Whether held values go to synapses: training and scoring hold them through biases alone."""
    return not trial.lesson.spiking and spec.network.input.target == "synapse"


def reference(bench: Bench) -> Reference:
    """The network before pruning, see `prepare`, and its spikes over the training inputs."""
    spec, trial = bench.spec, bench.trial
    prepared = prepare(spec, trial, say=bench.runner.say, work=bench.gradient_work)
    counts = training_counts(prepared.network, trial, spec.seed)
    scored, again = bench.by_gradients(prepared.network, "unpruned")
    scored_counts = training_counts(scored, trial, spec.seed) if again else counts
    return Reference(
        prepared.network, counts, prepared.records, trial.lesson, scored, scored_counts
    )


def candidate_of(bench: Bench, full: Reference, pruning: Pruning) -> Candidate:
    """Prune a network as asked, bring the rates of its neurons back, and train it if asked."""
    candidate = _untrained_candidate(bench, full, pruning)
    chosen = candidate.pruning
    name = f"{chosen.label} {chosen.mode}"
    network, records = bench.by_gradients(candidate.network, name)
    return replace(candidate, network=network, records=(*candidate.records, *records))


def _untrained_candidate(bench: Bench, full: Reference, pruning: Pruning) -> Candidate:
    """The network pruned, with its rates brought back."""
    table, seed = bench.spec.prune, bench.spec.seed
    rates, lesson = full.counts / bench.trial.lesson.n_steps, bench.trial.lesson
    if pruning.method == PORTFOLIO:
        portfolio = Portfolio(table, full.network, rates, lesson, seed)
        pruning, after, records = screened(portfolio, pruning, bench.runner)
        return Candidate(pruning, after.network, after.error, records)
    if table.loop is not None and pruning.method not in NOT_PRUNED:
        work = LoopOfRun(
            bench.target, bench.trial, full.network, bench.folder, bench.resume, bench.runner.within
        )
        pruning, result = looped(work, pruning)
        error = float(result.rows[result.iteration]["rate_error"])
        return Candidate(pruning, result.network, error, (result.record,))
    pruned: Pruned = prune(full.network, pruning, table, rates, seed, lambda: full.covariance)
    if table.care is not None:
        after = aftercare(pruned.network, lesson, rates[pruned.survivors], table.care, seed=seed)
        records = (*pruned.records, aftercare_record(after, table.care))
        return Candidate(pruning, after.network, after.error, records)
    passes = table.homeostasis_passes if table.homeostasis else 0
    counts = full.counts[pruned.survivors]
    network, error = with_homeostasis(pruned.network, counts, bench.trial, passes, seed)
    return Candidate(pruning, network, error, pruned.records)


def best_pruning(bench: Bench, full: Reference) -> tuple[Pruning, Candidate, Row]:
    """The network that is compiled: pruned by the spec's method, rescaled as it says.

    ``auto`` tries two ways to rescale, and keeps the one of the smaller validation loss: ``none``
    where the task has no such loss. Candidates that are screened are rescaled by ``match`` then.
    """
    table = bench.spec.prune
    ways: tuple[str | Rescale, ...] = (
        ("none", "match") if table.rescale == "auto" else (table.rescale,)
    )
    ways = ways if table.screen is None else ways[-1:]
    tried = []
    for rescale in ways:
        pruning = Pruning.of(table, rescale)
        bench.runner.say(f"prune: {pruning.method}, rescale {pruning.mode}")
        candidate = candidate_of(bench, full, pruning)
        pruning = candidate.pruning
        name = pruning.label if len(ways) == 1 else f"{pruning.label}, rescale {pruning.mode}"
        tried.append((pruning, candidate, bench.row(name, candidate.network, candidate.rate_error)))
    return min(tried, key=lambda entry: _validation_loss(entry[2]))


def unchosen_rescale(table: PruneSpec, row: Row) -> dict[str, str]:
    """What the report says where ``auto`` had nothing to choose by; empty where it had."""
    if table.rescale != "auto" or table.screen or row["validation"] is not None:
        return {}
    return {"rescale": 'none: the task has no validation loss, by which "auto" would choose'}


def unseen_input(bench: Bench) -> dict[str, str]:
    """What the report says where no network saw the input that its scores are about."""
    if not input_is_unseen(bench.spec, bench.trial):
        return {}
    where = 'network.input.target is "synapse", and held values are sent while verifying alone'
    return {"input": f"not seen while training and scoring: {where}"}


def confusion_of(outcome: Outcome) -> dict[str, Any] | None:
    """Which class was taken for which; None of a task without classes."""
    classes = outcome.readout_meta.get("classes")
    if not {"truth", "answers"} <= outcome.measured.keys() or not classes:
        return None
    return confusion(outcome.measured["truth"], outcome.measured["answers"], classes).to_dict()


def _validation_loss(row: Row) -> float:
    loss = row["validation"]
    return float("inf") if loss is None else float(loss)


def compiled_program(
    bench: Bench, full: Reference, name: str, candidate: Candidate
) -> tuple[CompiledNetwork, Arm]:
    """Integers on cores with the readout that was fitted to them, and the score of this program.

    Args:
        bench: of the spec.
        full: unpruned.
        name: of the network in float, which the row of the program has, too.
        candidate: the network.
    """
    target, trial = bench.target, bench.trial
    bench.runner.say(f"quantize and place on {target.profile.name}")
    rates = bench.rates(candidate.network)
    integers, record = target.quantized(candidate.network, trial.lesson, rates)
    # what the host sends through the biases are no messages
    observed = Observed(rates, trial.lesson.input_rates())
    records = (*full.records, *candidate.records, record)
    compiled = target.placed(integers, observed, History(records, full.network.n_synapses))
    bench.runner.say("the task on the integer program")
    label, seed = f"{name}, integers", bench.spec.seed
    arm = score_network(
        label, compiled.network, trial, seed, candidate.rate_error, bench.spec.metrics
    )
    readout, meta = dict(arm.outcome.readout), dict(arm.outcome.readout_meta)
    return replace(compiled, readout=readout, readout_meta=meta), arm


def controls(bench: Bench, full: Reference, pruning: Pruning) -> list[Compared]:
    """The same budget by other methods, and no recurrence at all, all with homeostasis."""
    rows = []
    for method in bench.spec.prune.controls:
        if method != pruning.method:
            bench.runner.say(f"control: {method}")
            rows.append(_pruned(bench, full, replace(pruning, method=method)))
    return rows


def _pruned(bench: Bench, full: Reference, pruning: Pruning) -> Compared:
    candidate = candidate_of(bench, full, pruning)
    bench.findings.extend(candidate.findings)
    row = bench.row(candidate.pruning.label, candidate.network, candidate.rate_error)
    return Compared(pruning.name, candidate, row)


def unpruned_of(bench: Bench, full: Reference, row: Row) -> Compared:
    """The unpruned network as one of those that are compared."""
    nothing = Pruning("none", "none", bench.spec.prune.budget)
    return Compared("unpruned", Candidate(nothing, full.scored, None, ()), row)


def seed_networks(spec: Spec, runner: Runner) -> list[SeedNetwork]:
    """The networks of the comparison on the seed of `spec`: what `FurtherSeeds` works out."""
    bench = Bench(Target.of(spec), trial_of(spec), runner)
    full = reference(bench)
    unpruned = unpruned_of(bench, full, bench.row("unpruned", full.scored))
    pruning, candidate, row = best_pruning(bench, full)
    method = Compared(pruning.name, candidate, row)
    networks = [unpruned, method, *controls(bench, full, pruning)]
    return with_integers(bench, full, networks, {})


def with_integers(
    bench: Bench, full: Reference, networks: Sequence[Compared], programs: Mapping[str, Row]
) -> list[SeedNetwork]:
    """Each network with the row of its program, as far as ``prune.integers`` asks for it.

    Args:
        bench: of the spec.
        full: unpruned.
        networks: the unpruned one first, then that of the spec's method.
        programs: rows that are there already, by the name of the network, with ``cores``.
    """
    every = bench.spec.prune.integers == "all"
    rows = []
    for k, network in enumerate(networks):
        program = programs.get(network.name)
        if program is None and (every or k == 1):
            program = _program_row(bench, full, network)
        rows.append(SeedNetwork(network.name, network.row, program))
    return rows


def _program_row(bench: Bench, full: Reference, network: Compared) -> Row:
    """The score of a network's program and its ``cores``; empty where it does not fit the chip."""

    def score() -> Row:
        try:
            compiled, arm = compiled_program(bench, full, network.name, network.candidate)
        except CapacityError:
            return {}
        return arm.row() | {"cores": compiled.placement.n_cores}

    return bench.runner.result(Stage(f"arm/{network.name}, integers", score))


def further_seeds(bench: Bench, seeds: FurtherSeeds) -> list[tuple[int, list[SeedNetwork]]]:
    """What the further seeds gave; waits for those that are not done yet."""
    found = []
    for seed, result in seeds.results(bench.runner.say):
        bench.runner.journal.earlier += result.earlier
        bench.runner.journal.new += result.new
        found.append((seed, result.networks))
    return found


def curve(bench: Bench, full: Reference, pruning: Pruning, rows: Sequence[Row]) -> list[Row]:
    """The points of the pruning curve: scores at the budgets that are not compiled, then `rows`,
    those of the comparison."""
    points = []
    for point in pruning_curve(bench.spec.prune, pruning.rescale):
        bench.runner.say(f"pruning curve: {point.label}")
        row = _pruned(bench, full, point).row
        points.append(row | _place(point.method, point.budget))
    methods = {
        replace(pruning, method=method).label: method
        for method in (pruning.method, *bench.spec.prune.controls)
        if method != "no-recurrence"
    }
    compared = []
    for row in rows:
        method = methods.get(str(row["name"]).split(", rescale")[0])
        compared.append(row if method is None else row | _place(method, pruning.budget))
    return [*points, *compared]


def _place(method: str, budget: Amount) -> Row:
    """Where a row stands on the pruning curve."""
    return {"method": method, "budget": str(budget), budget.name: budget.value}


def baselines(bench: Bench) -> list[Row]:
    """Contenders without spikes, each with a row."""
    bench.runner.say("baselines")
    rows = []
    for name, score in bench.trial.baselines(bench.spec.network.size).items():
        run = partial(_baseline_row, name, score, bench.spec.metrics)
        rows.append(bench.runner.result(Stage(f"baseline/{name}", run)))
    return rows


def _baseline_row(name: str, score: Callable[[], Outcome], metrics: Sequence[Metric] = ()) -> Row:
    return Arm(name, with_metrics(score(), metrics)).row()


def verification(bench: Bench, compiled: CompiledNetwork) -> Check:
    """Bit-exact parity on the task's own input; the trace goes into the report."""
    target = bench.target
    population = compiled.network.input_populations[0]
    scale = population.payload_scale if isinstance(population, QuantizedInput) else None
    inputs = bench.trial.stimulus.first(bench.spec.verify.steps).events(scale)
    steps = min(bench.spec.verify.steps, inputs.n_steps)
    names = target.backends
    bench.runner.say("verify: " + ", ".join(names))
    native = simulate(compiled, inputs, steps, "native", ("spikes", "v", "u"))

    def compare() -> dict[str, Any]:
        if len(names) < 2:
            alone = Parity(tuple(names), steps, 0, spikes=native.n_spikes, origin=native.origin)
            return alone.to_dict()
        return verify_parity(compiled, inputs, steps, names)[0].to_dict()

    stage = Stage("verify", compare, (compiled.network_digest, *names))
    agreed = bench.runner.result(stage)
    parity = Parity(
        tuple(agreed["backends"]),
        agreed["steps"],
        agreed["mismatches"],
        agreed["first"],
        tuple(agreed["compared"]),
        agreed["spikes"],
        dict(target.missing_backends),
        origin=native.origin,
    )
    return Check(inputs, native, parity)


@dataclass(frozen=True, eq=False)
class Networks:
    """One network at its stages: unpruned and pruned in float, and compiled."""

    full: Reference
    pruned: Network
    compiled: CompiledNetwork


def report_of(bench: Bench, networks: Networks, check: Check, **facts: Any) -> Report:
    """The report of a run; `facts` are arguments of `build_report` that are given already."""
    spec, trial, target = bench.spec, bench.trial, bench.target
    compiled, steps = networks.compiled, check.trace.n_steps
    bench.runner.say("dynamics")
    moving = dynamics_of(networks, trial.stimulus, spec.seed)
    bench.runner.say("report")
    # what the SOP ratio refers to: the unpruned network in integers, on the same input
    rates = networks.full.scored_counts / trial.lesson.n_steps
    unpruned, _ = target.quantized(networks.full.scored, trial.lesson, rates)
    before = simulate(unpruned, check.inputs, steps, "native")
    return build_report(
        compiled,
        check.trace,
        cost_set=target.cost_set,
        step_time_s=spec.report.step_time_s,
        float_vs_integer=difference(networks, trial.stimulus, check),
        parity=check.parity.to_dict() | {"line": check.parity.line()},
        dynamics=moving,
        network_before=unpruned,
        trace_before=before,
        network_float=networks.pruned,
        samples=steps / trial.steps_per_sample,
        sample_windows=sample_windows(trial, steps),
        provenance={"spec": json.loads(spec.canonical())},
        spec_digest=hashlib.sha256(spec.canonical().encode()).hexdigest(),
        budgets=spec.budgets,
        findings=(*trial.findings, *bench.findings),
        **facts,
    )


def difference(networks: Networks, stimulus: Stimulus, check: Check) -> dict[str, Any]:
    """The float network against the program, on the input of the parity check."""
    holds = any(p.target == "bias" for p in networks.pruned.projections)
    values = stimulus.first(check.trace.n_steps).inputs if holds else check.inputs
    compared: Mapping[str, Any] = compare_float_fixed(
        networks.pruned,
        networks.compiled,
        values,
        steps=check.trace.n_steps,  # the last sample may be cut
        steps_per_sample=stimulus.block,
    )
    return {key: value for key, value in compared.items() if value not in ({}, None)}


def sample_windows(trial: Trial, steps: int) -> Windows | None:
    """Where samples begin and end in a run of so many steps; None where not one is whole."""
    lengths, each = trial.lengths, int(trial.steps_per_sample)
    if lengths is None or (lengths == each).all():
        if each > steps:
            return None
        what = f"{trial.sample} for {each} step{'s' * (each > 1)}"
        return by_length(steps, each, what)
    ends = np.cumsum(lengths)
    whole = ends[ends <= steps]
    return Windows(np.append(0, whole), steps, trial.sample) if whole.size else None


def dynamics_of(networks: Networks, stimulus: Stimulus, seed: int) -> dict[str, Any]:
    """Spectra of the networks before and after pruning, as the task drives them, and on the chip.

    It takes about a second for 1000 neurons, and no thread: not every LAPACK may be called twice
    at a time, and equal runs have to give equal reports.
    """
    noise = {
        "before": drive_noise(networks.full.scored, stimulus),
        "after": drive_noise(networks.pruned, stimulus),
    }
    program, rng = networks.compiled.network, generator(seed, "dynamics")
    before = networks.full.scored
    return dynamics(before, networks.pruned, program, rng=rng, drive_noise=noise)


def drive_noise(network: Network, stimulus: Stimulus) -> float:
    """Root mean square, over neurons, of the standard deviation of the held drive ``W x``.

    0 for inputs that spike: they drive through synapses, whose currents are the network's own.
    """
    if isinstance(stimulus.inputs, SpikeInput) or not network.n_neurons:
        return 0.0
    drive = np.zeros((stimulus.n_blocks, network.n_neurons))
    for projection, channels, neurons in drives(network):
        # dense: the exponents of a chaotic network depend on the last bit of this sum
        drive[:, neurons] += stimulus.inputs[:, channels] @ projection.weights.T.toarray()
    return float(np.sqrt(np.mean(drive.var(axis=0))))
