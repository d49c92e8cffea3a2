"""A trial of a search: some networks of one spec, measured; a function of what it is told alone.

    value of an objective = mean over the networks of  A  or  A / B

A, B are figures of one network by name: what `hrsnn_lava.experiment.spec_trial.figures_of` gives
for ``float`` and ``integers``; for ``program`` the scores of the compiled program, those of the
pruned float network as ``pruned.NAME``, and every number that a budget can name, such as
``energy_uj_per_inference`` (`hrsnn_lava.search.network_trial`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hrsnn_lava.errors import HrsnnError
from hrsnn_lava.search_options import Objective

__all__ = [
    "Failure",
    "Figures",
    "Job",
    "Status",
    "TrialResult",
    "gains_of",
    "run_job",
    "sign_of",
    "values_of",
]

#: Figures of one network by name; None where there is none.
Figures = Mapping[str, float | None]
#: Measures one network: complete tables of a spec, seed, what to measure. It answers with
#: ``figures``, and with ``better``, "higher" or "lower", of that called `SCORE`.
Evaluate = Callable[[Mapping[str, Any], int, str], Mapping[str, Any]]
#: ``done``; ``stopped`` before the last of its networks, as hopeless; ``failed``.
Status = Literal["done", "stopped", "failed"]
#: ``error``: of the spec, or of the program; ``memory``, ``time``: more than it may take;
#: ``killed``: its process has gone.
Why = Literal["error", "memory", "time", "killed"]
#: The largest objective that is one: squares of larger ones are none that can be computed with.
_LARGEST = 1e100
#: A message that is kept is at most so long, in characters.
_LONGEST = 2000


@dataclass(frozen=True)
class Failure:
    """Why a trial has no value.

    Attributes:
        kind: in one word, see `Why`.
        message: of the error.
        error: name of its class; empty where none was raised.
    """

    kind: Why
    message: str
    error: str = ""


@dataclass(frozen=True)
class Job:
    """What a trial is told; plain values, so that it can be sent anywhere.

    Attributes:
        trial: its number.
        tables: the complete spec with the settings of the trial.
        seeds: of its networks.
        objectives: see `hrsnn_lava.search_options.Objective`.
        evaluate: what measures a network, ``module:function``; see `Evaluate`.
        measure: told to it.
        thresholds: for a number of networks, gains (`gains_of`) that they have to reach in one
            objective at least; for numbers that are not there nothing is asked.
        seconds, memory_mb: limits; None: none.
        retries: after its process was killed.
        version: of the program that made it, which is also to run it.
    """

    trial: int
    tables: Mapping[str, Any]
    seeds: tuple[int, ...]
    objectives: tuple[str, ...]
    evaluate: str
    measure: str = "float"
    thresholds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    seconds: float | None = None
    memory_mb: int | None = None
    retries: int = 0
    version: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Job:
        """The job that `to_dict` gave, JSON's lists and all."""
        listed = {name: tuple(data[name]) for name in ("seeds", "objectives")}
        thresholds = {key: tuple(gains) for key, gains in data["thresholds"].items()}
        return cls(**{**data, **listed, "thresholds": thresholds})


@dataclass(frozen=True)
class TrialResult:
    """What came of a trial.

    Attributes:
        trial: its number.
        status: how it ended.
        figures: of each of its networks, in order.
        better: of the score, if the trial has said it.
        failure: why, where it failed.
        seconds: wall time. cpu_s: of processors. peak_mb: memory, in 10^6 bytes.
        attempts: processes that it took.
    """

    trial: int
    status: Status
    figures: tuple[Figures, ...] = ()
    better: str = ""
    failure: Failure | None = None
    seconds: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    attempts: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrialResult:
        """The result that `to_dict` gave."""
        failure = None if data["failure"] is None else Failure(**data["failure"])
        return cls(**{**data, "figures": tuple(data["figures"]), "failure": failure})


def values_of(objectives: Sequence[Objective], each: Sequence[Figures]) -> list[float | None]:
    """Every objective as it is told to people: its mean over the networks.

    Returns:
        None for one that is not defined on every network, or beyond 1e100 there.

    Raises:
        KeyError: there is no such figure.
    """
    values = []
    for objective in objectives:
        ratios = [_ratio(objective, figures) for figures in each]
        known = [ratio for ratio in ratios if ratio is not None]
        values.append(math.fsum(known) / len(known) if each and len(known) == len(each) else None)
    return values


def _ratio(objective: Objective, figures: Figures) -> float | None:
    above = figures[objective.figure]
    below = figures[objective.over] if objective.over else 1.0
    if above is None or not below:
        return None
    ratio = above / below
    return ratio if abs(ratio) <= _LARGEST else None


def gains_of(
    objectives: Sequence[Objective], each: Sequence[Figures], better: str
) -> list[float] | None:
    """Every objective as something to make large; None where one of them is not defined.

    Args:
        objectives: that are asked for.
        each: figures of the networks, at least one.
        better: of the score.

    Raises:
        KeyError: there is no such figure.
    """
    values = values_of(objectives, each)
    signs = [sign_of(objective, better) for objective in objectives]
    if any(value is None for value in values):
        return None
    return [s * value for s, value in zip(signs, values, strict=True) if value is not None]


def sign_of(objective: Objective, better: str) -> float:
    """1 where more of it is better, else -1."""
    direction = objective.direction or ("maximize" if better == "higher" else "minimize")
    return 1.0 if direction == "maximize" else -1.0


def run_job(job: Job, evaluate: Evaluate) -> dict[str, Any]:
    """Measure the networks of a trial one by one; what it raises is an answer, too.

    Returns:
        ``status``, ``figures``, ``better`` and ``failure`` of a `TrialResult`, plain values.
    """
    objectives = [Objective.parse(text) for text in job.objectives]
    figures: list[dict[str, float | None]] = []
    answer: dict[str, Any] = {"status": "done", "figures": figures, "better": "", "failure": None}
    try:
        for seed in job.seeds:
            measured = evaluate(job.tables, seed, job.measure)
            figures.append({name: _finite(v) for name, v in measured["figures"].items()})
            answer["better"] = measured.get("better", "")
            if _hopeless(job, objectives, figures, answer["better"]):
                return answer | {"status": "stopped"}
    except MemoryError as error:
        return answer | _failed("memory", str(error) or "out of memory", error)
    except HrsnnError as error:
        return answer | _failed("error", str(error), error)
    except (Exception, SystemExit) as error:  # it would end the trial without a word
        return answer | _failed("error", str(error) or type(error).__name__, error)
    return answer


def _failed(kind: Why, message: str, error: BaseException) -> dict[str, Any]:
    failure = Failure(kind, message[:_LONGEST], type(error).__name__)
    return {"status": "failed", "failure": asdict(failure)}


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _hopeless(
    job: Job, objectives: Sequence[Objective], figures: Sequence[Figures], better: str
) -> bool:
    """Whether the networks so far are worse than the thresholds in every objective."""
    bounds = job.thresholds.get(str(len(figures)))
    if bounds is None or len(figures) == len(job.seeds):
        return False
    try:
        gains = gains_of(objectives, figures, better)
    except KeyError:  # a figure that there is not: told when the trial is over
        return False
    return gains is None or all(a < b for a, b in zip(gains, bounds, strict=True))
