"""What every task is: options, the data of a seed, a way to show them, and scores by name.

A task is an options class made by `hrsnn_lava.options.options`, with `name` as its ``[task] kind``;
it stands in a file of its own anywhere under `hrsnn_lava.tasks`, and nothing lists it. `Task.trial`
draws or reads the data of a seed. What it returns drives any simulator, float or integer, fits what
it needs off the chip, and answers with an `Outcome`::

    @options
    class Parity(Task):
        '''Whether the last bits shown were even in number.

        Attributes:
            bits: that count.
        '''

        name: ClassVar[str] = "parity"
        bits: Count = 3

        def trial(self, seed: int) -> Trial:
            return ParityTrial(self, generator(seed, "task"))

`run`, comparison tables, pruning curves, reports, budgets and search know a task by this module and
by `hrsnn_lava.metrics.scores` alone: none of them knows the name of a score beforehand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.findings import Finding
from hrsnn_lava.metrics.scores import Answers, Scores
from hrsnn_lava.training.simulation import EventSimulator, Stimulus
from hrsnn_lava.training.surrogate_lesson import Supervised

__all__ = ["OF_CLASSES", "Outcome", "Task", "Trial"]

#: What a task measures that tells the classes of samples, sample by sample.
OF_CLASSES = ("truth", "answers", "labels", "states", "counts", "spikes")

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one network, or one baseline without spikes, did on a task.

    Attributes:
        scores: by name, the headline first.
        details: further plain values for the row of a table, such as scores of single starts.
        neuron_spikes: (n_neurons,) mean spikes of each neuron in a sample; None without spikes.
        validation: a loss on data that neither train nor score, to compare networks by without a
            look at the scores; None where there is none.
        readout: arrays that a host needs to read the answer from spikes.
        readout_meta: what they mean, in plain values.
        measured: what further metrics can be taken of, by the names of their arguments (see
            `hrsnn_lava.metrics.base.Metric.measure`): ``truth``, ``answers``, ``labels`` and
            ``states`` of what was scored, ``spikes`` of every neuron over it, ``counts`` by sample.
    """

    scores: Scores
    details: Mapping[str, Any] = field(default_factory=dict)
    neuron_spikes: Floats | None = None
    validation: float | None = None
    readout: Mapping[str, Floats] = field(default_factory=dict)
    readout_meta: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)


class Trial(ABC):
    """A task with the data of one seed.

    Attributes:
        lesson: the training inputs: what rates are measured on, for homeostasis, quantization and
            placement, and what unsupervised training is shown.
        steps_per_sample: network steps of a sample, in the mean where they differ; spikes and
            operations are counted by it.
        lengths: (n,) steps of the samples of the lesson; None: all of `steps_per_sample`.
        sample: what a sample is, in words that a number of steps follows, such as "one point of
            the series, held".
        findings: what a user has to know of the data, such as events that were lost.
    """

    lesson: Stimulus
    steps_per_sample: float
    sample: str
    lengths: NDArray[np.int64] | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def stimulus(self) -> Stimulus:
        """What the compiled program is verified and priced on; the lesson, unless said here."""
        return self.lesson

    @property
    def supervised(self) -> Supervised | None:
        """The training inputs with their answers, for gradient training; None without any."""
        return None

    @abstractmethod
    def evaluate(self, simulator: EventSimulator, rng: np.random.Generator) -> Outcome:
        """Train what is off the chip on a network's answers, and score it on held-out data.

        Args:
            simulator: the network, float or integer.
            rng: draws the initial potentials.
        """

    @abstractmethod
    def baselines(self, size: int) -> Mapping[str, Callable[[], Outcome]]:
        """Contenders without spikes, by name: a table without them would mislead.

        Args:
            size: neurons of the network, for baselines that are to have as many units.
        """


class Task(ABC):
    """Base of the options of all tasks; see the module."""

    name: ClassVar[str] = ""
    #: Whether a run is allowed in which held values go to synapses: nothing sends them while the
    #: network is trained and scored, so it never sees its input.
    runs_without_input: ClassVar[bool] = False
    #: Names in `Outcome.measured` of every network, and what its answers are; None: not known
    #: before it was scored.
    measures: ClassVar[tuple[str, ...] | None] = None
    answers_are: ClassVar[Answers | None] = None

    @property
    def kind(self) -> str:
        """Its name, as a spec has it."""
        return self.name

    @abstractmethod
    def trial(self, seed: int) -> Trial:
        """The task with the data of a seed; raises `SpecError` where they cannot be had."""
