"""The comparison of networks on further seeds, beside the run of the first one.

A further seed is a new network, new data and new pruning: everything that draws, draws anew. Each
has a journal of its own in the folder ``seeds`` of the run, in which every score stands as soon as
it is known, so that a run that was killed goes on where it was. Seeds are worked on by other
processes while the run goes on with its own; results do not depend on how many there are.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from threadpoolctl import threadpool_limits

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.experiment.run_folder import RunIdentity
from hrsnn_lava.experiment.runner import Journal, Runner, Stage, named_files, own_parts
from hrsnn_lava.experiment.scoring import Row
from hrsnn_lava.spec import Spec

__all__ = ["FurtherSeeds", "SeedNetwork", "SeedResult", "further_specs", "spread_row"]

#: Folder of the journals of further seeds, in that of the run.
FOLDER = "seeds"
#: Of the journal of a seed: everything that it gives.
STAGE = "networks"


@dataclass(frozen=True)
class SeedNetwork:
    """A network of the comparison on one seed.

    Attributes:
        name: the same on every seed.
        row: of the float network, see `hrsnn_lava.experiment.scoring.Arm.row`.
        program: the same of its program, with ``cores``; empty where it does not fit the chip, None
            where it was not asked for.
    """

    name: str
    row: Row
    program: Row | None


#: What a seed is worked out by: its spec and the runner of its stages to its networks.
Compare = Callable[[Spec, Runner], list[SeedNetwork]]


@dataclass(frozen=True)
class SeedResult:
    """What one further seed gave.

    Attributes:
        networks: of the comparison.
        earlier, new: stages that its journal had, and those that were worked out.
    """

    networks: list[SeedNetwork]
    earlier: tuple[str, ...]
    new: tuple[str, ...]


def spread_row(seed: int, score: str, network: SeedNetwork) -> Row:
    """A network on one seed, as `hrsnn_lava.report.sections.spread` takes it.

    Args:
        seed: of network, data and pruning.
        score: name of the headline score.
        network: with its rows.
    """
    program = network.program or {}
    return {
        "name": network.name,
        "seed": seed,
        "float": network.row[score],
        "integers": program.get(score),
        "sops_per_sample": network.row["recurrent_sops_per_sample"],
        "spikes_per_sample": network.row["spikes_per_sample"],
        "cores": program.get("cores"),
        "fits": None if network.program is None else bool(program),
    }


def further_specs(spec: Spec) -> list[Spec]:
    """The spec at each of its further seeds: the one behind its own, and so on."""
    seeds = range(spec.seed + 1, spec.seed + spec.prune.repeats)
    return [spec.model_copy(update={"seed": seed}) for seed in seeds]


class FurtherSeeds:
    """Works the further seeds of a spec out, in other processes where there are any.

    A context: leaving it ends the processes. Seeds are begun on entry and in order.

    Args:
        spec: of the run.
        compare: a function at the top of a module, since workers import it.
        out: folder of the run.
        resume: take finished stages from the journals.
        workers: processes beside this one; 0 works them out here, when they are asked for.
    """

    def __init__(
        self, spec: Spec, compare: Compare, out: Path, *, resume: bool, workers: int = 0
    ) -> None:
        if workers < 0:
            raise SpecError(f"workers: {workers}; allowed: >= 0")
        self._jobs = [
            _Job(one.seed, one.canonical(), compare, out / FOLDER, resume)
            for one in further_specs(spec)
        ]
        self._workers = min(workers, len(self._jobs))
        self._executor: ProcessPoolExecutor | None = None
        self._line: Connection | None = None
        self._waiting: list[Callable[[], SeedResult]] = []

    def __enter__(self) -> FurtherSeeds:
        if self._workers:
            # started afresh: a process that was forked from one with threads may hang
            context = get_context("spawn")
            end, self._line = context.Pipe(duplex=False)
            self._executor = ProcessPoolExecutor(
                self._workers, context, initializer=_end_with, initargs=(end,)
            )
            self._waiting = [self._executor.submit(job.run).result for job in self._jobs]
        else:
            self._waiting = [job.run for job in self._jobs]
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._executor is None or self._line is None:
            return
        if kind is not None:  # nobody waits for seeds of a run that failed
            self._line.close()
        self._executor.shutdown(cancel_futures=True)
        self._line.close()

    def results(self, say: Callable[[str], object]) -> Iterator[tuple[int, SeedResult]]:
        """Every seed and what it gave, in order; `say` is told which one is waited for.

        Raises:
            SpecError: a process ended before its work.
        """
        for job, result in zip(self._jobs, self._waiting, strict=True):
            say(f"the networks of seed {job.seed}")
            try:
                found = result()
            except BrokenProcessPool:
                fix = (
                    "let workers = 1, or give it more memory; a script has to run behind "
                    'if __name__ == "__main__":'
                )
                problem = Problem(f"seed {job.seed}", "its process ended early", fix=fix)
                raise SpecError("further seeds were not worked out", problems=[problem]) from None
            yield job.seed, found


@dataclass(frozen=True)
class _Job:
    """One further seed; what a worker is sent. The spec goes as text: the class of a table of
    options is made for its method, and cannot be sent."""

    seed: int
    text: str
    compare: Compare
    folder: Path
    resume: bool

    def run(self) -> SeedResult:
        """Its networks, from its journal as far as they are there."""
        spec, text = Spec.parse(json.loads(self.text)), self.text
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.seed}.jsonl"
        files, head = (*own_parts(), *named_files(text)), RunIdentity.of(spec).line()
        journal = Journal(path, text, self.resume, files, head)
        runner = Runner(journal, 1)

        def compared() -> list[Row]:
            return [asdict(network) for network in self.compare(spec, runner)]

        # one BLAS thread, as in the run itself: sums in another order give other last bits
        with threadpool_limits(limits=1):
            rows = runner.result(Stage(STAGE, compared))
        networks = [SeedNetwork(**row) for row in rows]
        earlier, new = (
            tuple(f"seed {self.seed}/{name}" for name in names)
            for names in (journal.earlier, journal.new)
        )
        return SeedResult(networks, earlier, new)


def _end_with(line: Connection) -> None:
    """End this worker at once when the other end of a line is closed, by a run that failed or was
    killed: a resumed one writes into the same journals."""

    def watch() -> None:
        with suppress(EOFError, OSError):
            line.recv_bytes()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
