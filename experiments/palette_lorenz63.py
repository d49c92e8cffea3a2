"""What the tables of a Loihi 1 core cost the Lorenz-63 forecast, paired over seeds.

Every seed is a new HRSNN with Gamma time constants and a new trajectory. Arms: the float network,
its integers, the compiled program, the naive palette (k-means of the time constants on every core,
neurons in their order) on as many cores, and the program without absorbed thresholds. Columns:
errors of the time constants and of the current that just fires a neuron, over all neurons of all
seeds; mean scores over several trainings of the readout and many starts of the closed loop; their
relative difference to the float network's, with the 95 % interval of the paired mean (Student's t
over seeds).

    uv run python experiments/palette_lorenz63.py --seeds 15 --page docs/palettes.md

Most of a minute a seed on one core.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.palettes.clustering import Snapped, relative_errors
from hrsnn_lava.compiler.palettes.naive import snap_naively
from hrsnn_lava.compiler.palettes.snapping import parameters_of, with_parameters
from hrsnn_lava.compiler.passes.absorb_thresholds import AbsorbThresholds
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.experiment.scoring import score_network, training_counts
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.spec import Spec

Float = NDArray[np.float64]
FLOAT = "float"
SCORES = ("rmse_mean", "one_step_nrmse_mean", "vpt_0.1_steps_mean")
BEGIN, END = "<!-- palette_lorenz63: begin -->", "<!-- palette_lorenz63: end -->"


@dataclass(frozen=True, eq=False)
class Row:
    """One arm of one seed.

    Attributes:
        name: of the arm.
        scores: RMSE, one-step NRMSE, steps of valid prediction (at .1 of the error).
        cores: used; None off the chip.
        errors: (n_neurons, 3) relative errors of tau_mem, tau_syn and threshold; None likewise.
    """

    name: str
    scores: tuple[float, ...]
    cores: int | None = None
    errors: Float | None = None


def rows_of_seed(seed: int, spec: Spec, profile: HardwareProfile, trainings: int) -> Iterator[Row]:
    """Run all arms of one seed."""
    trial = spec.task.trial(seed)

    def score(network: Any) -> tuple[float, ...]:
        trainings_of = [
            score_network("", network, trial, seed + 1000 * training).outcome.scores
            for training in range(trainings)
        ]
        each = [[scores[name].value for name in SCORES] for scores in trainings_of]
        return tuple(float(value) for value in np.mean(each, axis=0))

    network = build_hrsnn(spec, seed=seed)
    integer = Quantize()(network)
    rates = training_counts(network, trial, seed) / trial.lesson.n_steps
    yield Row(FLOAT, score(network))
    yield Row("integers", score(integer))
    for name, absorb in (("compiled", True), ("compiled, tables only", False)):
        compiled = compile_network(
            integer, profile, rates=rates, absorb=AbsorbThresholds(enabled=absorb)
        )
        yield Row(name, score(compiled.network), *_fit(compiled, integer))
        if absorb:
            yield _naive("naive, cores as compiled", compiled, integer, score)


def _fit(compiled: CompiledNetwork, integer: Any) -> tuple[int, Float]:
    """Cores, and errors of every neuron; those of thresholds as the palette's record has them."""
    old, new = parameters_of(integer), parameters_of(compiled.network)
    errors = relative_errors(old, Snapped.of(new))
    planned = [r for r in compiled.records if r.name == "absorb_thresholds"]
    if planned:  # the threshold moved with the weights
        errors[:, 2] = np.nan
    return compiled.placement.n_cores, errors


def _naive(name: str, compiled: CompiledNetwork, integer: Any, score: Any) -> Row:
    old, sizes = parameters_of(integer), np.bincount(compiled.core_of)
    new = snap_naively(old, sizes, compiled.profile)
    scores = score(with_parameters(integer, new))
    return Row(name, scores, sizes.size, relative_errors(old, Snapped.of(new)))


def table(rows: dict[str, list[Row]]) -> str:
    """Two tables in Markdown: what the chip does to the neurons, and what to the forecast."""
    lines = [
        "| arm | cores | tau error, median | 95 % | threshold error, median |",
        "|---" * 5 + "|",
    ]
    for name, column in rows.items():
        if column[0].cores is not None:
            lines.append("| " + " | ".join([name, _cores(column), *_errors(column)]) + " |")
    heads = ["RMSE", "one-step NRMSE", "VPT(.1), steps"]
    lines += ["", "| arm | " + " | | ".join(heads) + " | |", "|---" * 7 + "|"]
    base = np.array([row.scores for row in rows[FLOAT]])
    for name, column in rows.items():
        scores, cells = np.array([row.scores for row in column]), [name]
        for which, digits in enumerate((3, 5, 1)):
            own, reference = scores[:, which], base[:, which]
            cells.append(f"{own.mean():.{digits}f}")
            cells.append("" if name == FLOAT else _paired(own - reference, reference.mean()))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cores(column: list[Row]) -> str:
    used = [row.cores for row in column if row.cores is not None]
    if not used:
        return ""
    return f"{min(used)}" if min(used) == max(used) else f"{min(used)} to {max(used)}"


def _errors(column: list[Row]) -> list[str]:
    found = [row.errors for row in column if row.errors is not None]
    if not found:
        return ["", "", ""]
    whole = np.concatenate(found)
    middle, high = np.quantile(whole[:, 0], [0.5, 0.95])
    threshold = whole[:, 2]
    absorbed = "absorbed"
    if not np.isnan(threshold).any():
        absorbed = f"{100 * np.median(threshold):.1f} %"
    return [f"{100 * middle:.2f} %", f"{100 * high:.2f} %", absorbed]


def _paired(differences: Float, base: float) -> str:
    """Mean difference in percent of `base`, with its 95 % interval."""
    n = differences.size
    mean = 100 * differences.mean() / base
    if n < 2:
        return f"{mean:+.1f} %"
    half = 100 * stats.t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n) / base
    return f"{mean:+.1f} % ({mean - half:+.1f} to {mean + half:+.1f})"


def write_between(page: Path, text: str) -> None:
    """Put `text` between the two marks of a page."""
    whole = page.read_text(encoding="utf-8")
    head, rest = whole.split(BEGIN)
    tail = rest.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=15)
    parser.add_argument("--first", type=int, default=500, help="first seed")
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--trainings", type=int, default=2, help="of the readout, per arm")
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--page", type=Path, help="put the table between the marks of this page")
    parser.add_argument("--json", type=Path, help="write the scores of every arm and seed there")
    arguments = parser.parse_args()
    network: dict[str, Any] = {"size": arguments.size}
    if arguments.size < 1000:  # keep the connection probability of the default network
        network["connectivity"] = {"mean_degree": 0.1 * arguments.size}
    spec = Spec.parse({"network": network, "task": {"starts": arguments.starts}})
    profile = HardwareProfile.load("loihi1")
    rows = dict[str, list[Row]]()
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        began = time.perf_counter()
        for row in rows_of_seed(seed, spec, profile, arguments.trainings):
            rows.setdefault(row.name, []).append(row)
        print(f"seed {seed}: {time.perf_counter() - began:.1f} s", flush=True)
    text = table(rows)
    print(text)
    if arguments.page:
        write_between(arguments.page, text)
    if arguments.json:
        scores = {name: [list(row.scores) for row in column] for name, column in rows.items()}
        arguments.json.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
