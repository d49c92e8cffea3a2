"""What a criterion of screening is: a file ``training/criteria/NAME.py`` with one class.

Screening keeps the best of several pruned networks by what a run shows of each, without labels and
without a readout of the task. A criterion is an options class. It says figures of one network at a
time, so that the traces of all need not be held at once, and then one number of each, higher is
better. By default that is its first figure::

    @options
    class Quiet(Criterion):
        '''Few spikes.'''

        name: ClassVar[str] = "quiet"

        def figures(self, run: DrivenRun) -> dict[str, float]:
            return {"quiet": -float(run.traces.sum())}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import registry
from hrsnn_lava.errors import Problem, SpecError

__all__ = ["Criterion", "DrivenRun", "figures_of", "require_variation", "scores_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Figures = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class DrivenRun:
    """One network under the training input, from two initial states.

    A row is taken after each sample of a series, and at the end of each sample of an input before
    whose samples the network starts afresh (trials).

    Attributes:
        traces: (n_rows, n_neurons) spike traces, ``z = sum over spikes of exp(-age / tau)``.
        again: the same rows from other initial potentials.
        inputs: (n_bins, n_inputs) what was shown: values as they were held, or spikes counted, by
            their payloads where they carry any.
        ends: (n_rows,) bin of `inputs` after which each row was taken.
        begins: (n_rows,) first bin of the row's sample; 0 of a series.
        trials: whether rows are ends of trials; else they follow each other in time.
    """

    traces: Floats
    again: Floats
    inputs: Floats
    ends: Ints
    begins: Ints
    trials: bool


class Criterion(ABC):
    """Base of all criteria; see the module.

    Attributes:
        name: of its file, and the value of ``criterion``.
    """

    name: ClassVar[str] = ""

    @abstractmethod
    def figures(self, run: DrivenRun) -> Figures:
        """Finite numbers of one network by name, the same names for every network."""

    def scores(self, figures: Sequence[Figures]) -> Floats:
        """One finite number of each network, (n,), higher is better.

        Args:
            figures: of all networks that may be kept.
        """
        return np.array([next(iter(of_one.values())) for of_one in figures])


def figures_of(criterion: Any, run: DrivenRun) -> dict[str, float]:
    """Figures of a network by a criterion, looked at.

    Raises:
        SpecError: the criterion has no meaning for such an input.
        PartError: a criterion of the user's fails, or gives anything but finite numbers.
    """
    name = criterion.name
    with registry.guarded("criterion", name):
        figures = {str(key): float(value) for key, value in criterion.figures(run).items()}
    wrong = [key for key, value in figures.items() if not np.isfinite(value)]
    if wrong or not figures:
        what = f"figures {', '.join(wrong)} that are not finite" if wrong else "no figures"
        raise registry.failure("criterion", name, f"{what}; allowed: finite numbers by name")
    return figures


def scores_of(criterion: Any, figures: Sequence[Figures]) -> Floats:
    """One number of each network, looked at; raises as `figures_of` does."""
    with registry.guarded("criterion", criterion.name):
        scores = np.asarray(criterion.scores(figures), dtype=np.float64)
    n = len(figures)
    if scores.shape != (n,) or not np.isfinite(scores).all():
        what = f"scores of shape {scores.shape}, {np.count_nonzero(~np.isfinite(scores))} not"
        text = f"{what} finite; allowed: ({n},) finite numbers"
        raise registry.failure("criterion", criterion.name, text)
    return scores


def require_variation(run: DrivenRun, name: str) -> None:
    """Raise `SpecError` where the input is the same all the time: nothing drives the networks."""
    if not len(run.inputs) or not np.any(np.ptp(run.inputs, axis=0) > 0):
        shown = f"{len(run.inputs)} samples of {run.inputs.shape[1]} channels, all equal"
        problem = Problem("inputs", shown, "values or spikes that vary", "show another input")
        raise SpecError(f"the criterion {name} has no meaning", problems=[problem])
