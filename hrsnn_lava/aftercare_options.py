"""Options of what follows pruning: rates brought back, and pruned networks chosen among.

They stand below the spec, whose ``[prune]`` holds them, and below `hrsnn_lava.training`, which does
the work: `balance`, `aftercare` and `screening` there.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from hrsnn_lava import registry
from hrsnn_lava.options import Count, Part, Positive, options

__all__ = [
    "GENTLE",
    "AftercareOptions",
    "BalanceOptions",
    "GentleBalance",
    "PortfolioOptions",
    "pruning_methods",
]


@options
class BalanceOptions:
    """How biases are moved, and from where on it is told that they did not get there.

    Attributes:
        passes: over the input, at most.
        gain: bias per unit of log ratio at the start, in units of v_threshold.
        limit: largest change of a bias in the first pass, in the same unit.
        growth: factor by which the step of a neuron grows.
        most: largest step of a neuron over `gain`; the smallest is one over it.
        enough: rate error, ``sum |count - target| / sum target``, at which no further pass is
            made.
        tolerance: ``|rate / target - 1|`` of the whole network above which it is told.
        samples: how many samples of the stimulus a pass takes, spread evenly over it, or blocks of
            one without samples; by default all.
    """

    passes: Annotated[int, Field(ge=0)] = 30
    gain: Positive = 0.25
    limit: Positive = 0.3
    growth: Annotated[float, Field(ge=1)] = 1.5
    most: Annotated[float, Field(ge=1)] = 64.0
    enough: Annotated[float, Field(ge=0)] = 0.005
    tolerance: Positive = 0.02
    samples: Count | None = None


@options
class GentleBalance(BalanceOptions):
    """Small steps that grow slowly: of networks with about one synapse a neuron."""

    passes: Annotated[int, Field(ge=0)] = 120
    gain: Positive = 0.02
    limit: Positive = 0.04
    growth: Annotated[float, Field(ge=1)] = 1.2


GENTLE = GentleBalance()


def _gentle(value: Any) -> Any:
    """Other options of a balance are taken as they are; a table has the gentle ones behind it."""
    if isinstance(value, BalanceOptions) and not isinstance(value, GentleBalance):
        return GentleBalance(**asdict(value))
    return value


@options
class AftercareOptions:
    """How the rates of a pruned network are brought back.

    Attributes:
        gains: of the recurrent weights, tried in this order; the first that keeps the spikes
            within `cap` is taken, or else the one with the fewest.
        cap: all spikes over those of the unpruned network.
        confirm: count them over the whole input, from other potentials than those that biases were
            moved by: networks of few strong synapses may hold their rates on the samples that the
            balance saw, and burst on others.
        balance: of the biases, at each gain.
    """

    gains: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 0.7, 0.5)
    cap: Annotated[float, Field(ge=1)] = 1.1
    confirm: bool = True
    balance: Annotated[GentleBalance, BeforeValidator(_gentle)] = GENTLE


def pruning_methods() -> tuple[str, ...]:
    """Methods that prune synapses to a density; those that drop neurons are none of a spec's."""
    keys = {
        name: [f.name for f in fields(registry.load("pruning", name))]
        for name in registry.names("pruning")
    }
    return tuple(name for name, own in keys.items() if "density" in own and "fraction" not in own)


def _candidate(name: str) -> str:
    """A method that prunes synapses to a budget, or a `ValueError` that lists them."""
    known = pruning_methods()
    if name not in known:
        raise ValueError(", ".join(known))
    return name


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or len(set(names)) < len(names):
        raise ValueError("one or more names, each once")
    return names


#: A criterion of screening, by its name or as a table of its options.
CriterionOption = Annotated[Any, Part("criterion"), Field(validate_default=True)]


@options
class PortfolioOptions:
    """Which pruned networks are tried, and which of them is kept (ours).

    Attributes:
        candidates: methods that prune to the same budget, each rescaled alike.
        criterion: what is best, without labels: a name, or a table with its options.
        draws: networks of each method that draws; one of each other.
        tolerance: no network is kept with more spikes than this times those of the unpruned
            network or, where they are more, times those of the candidate with the fewest.
        samples: of the training input that candidates are judged on, spread evenly over it, or the
            first of an input that is one series.
        washout: first samples of a series, on which nothing is judged.
        bin_steps: steps of a sample where the input is spikes in blocks of one step.
        trace: time constant of the spike traces that are judged, in samples, or in frames of one.
    """

    candidates: Annotated[
        tuple[Annotated[str, AfterValidator(_candidate)], ...], AfterValidator(_once)
    ] = ("balanced", "random", "magnitude", "activity")
    criterion: CriterionOption = "memory"
    draws: Count = 2
    tolerance: Annotated[float, Field(ge=1)] = 1.1
    samples: Count = 1500
    washout: Annotated[int, Field(ge=0)] = 50
    bin_steps: Count = 10
    trace: Positive = 1.0
