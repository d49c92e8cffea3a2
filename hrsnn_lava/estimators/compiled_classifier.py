"""Classification by a compiled program alone: what it needs beside its spikes is in its file.

The readout deploys with the program: `CompiledNetwork.readout` has its arrays, and `readout_meta`
says how samples are encoded and shown, which features of the spikes are made, and what the classes
are called. Every ``compiled.hlx`` of a classification has both, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava import api
from hrsnn_lava.artifacts.container import plain
from hrsnn_lava.compiler.analysis.operations.windows import joined
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.errors import ArtifactError, Problem, SpecError, raise_if
from hrsnn_lava.estimators.samples import Samples, classes_of, samples_of, truth_of
from hrsnn_lava.fields import instance
from hrsnn_lava.findings import warn
from hrsnn_lava.hardware_profiles import CostSet
from hrsnn_lava.metrics.classification import ConfusionMatrix, confusion
from hrsnn_lava.notebook import brief
from hrsnn_lava.options import Count, Positive, Seed, options, read_options, table_of
from hrsnn_lava.report.document import Report
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.runs.session import Session, told
from hrsnn_lava.tasks.classification import SampleRuns
from hrsnn_lava.tasks.encoders import EncoderOption
from hrsnn_lava.training.readouts.base import answers_of
from hrsnn_lava.training.sample_features import SampleFeatures, record_samples
from hrsnn_lava.training.simulation import Stimulus

__all__ = ["CompiledClassifier", "Protocol", "SampleOptions", "decision", "protocol_meta"]

Floats = NDArray[np.float64]


@options
class SampleOptions:
    """How samples are shown, and what is read of them.

    Attributes:
        encoder: how values become an input, with its options.
        steps_per_frame: steps of a frame.
        silence_steps: steps without input behind a sample.
        trace_steps: time constants of the traces, steps.
    """

    encoder: EncoderOption = "held"
    steps_per_frame: Count = 10
    silence_steps: Annotated[int, Field(ge=0)] = 0
    trace_steps: tuple[Positive, ...] = (50.0,)

    def __post_init__(self) -> None:
        problems = []
        if self.silence_steps % self.steps_per_frame:
            allowed = f"a multiple of steps_per_frame = {self.steps_per_frame}"
            problems.append(Problem("silence_steps", f"{self.silence_steps}", allowed))
        if not callable(getattr(self.encoder, "encode", None)):
            allowed = "the name of an encoder, or a table with its options"
            problems.append(Problem("encoder", f"{self.encoder!r:.40}", allowed))
        raise_if(SpecError, "options of the samples", problems)

    @property
    def features(self) -> SampleFeatures:
        """What is made of spikes."""
        return SampleFeatures(trace_steps=self.trace_steps)


@options
class Protocol(SampleOptions):
    """The same as ``readout_meta`` of a program has it, with what makes it repeatable.

    Attributes:
        encoder_seed: of what the encoder draws.
        restart: whether every sample starts afresh.
        potentials: key of the potentials with which it does; None: from rest.
    """

    encoder_seed: Seed = 0
    restart: bool = True
    potentials: Seed | None = None


def protocol_meta(protocol: Protocol, classes: NDArray[Any]) -> dict[str, Any]:
    """What a program has to say beside its readout, in plain values."""
    names = [c if isinstance(c, str | int | float | bool) else repr(c) for c in classes.tolist()]
    encoder = protocol.encoder
    if not is_dataclass(encoder):  # one of the user's own, which no file can hold
        encoder = {"kind": getattr(encoder, "name", type(encoder).__name__)}
    else:
        encoder = table_of(encoder)
    own = {field.name: getattr(protocol, field.name) for field in fields(Protocol)}
    table: dict[str, Any] = dict(plain({**own, "encoder": encoder}))
    return {
        "target": "one answer for each class, of which the largest wins",
        "classes": names,
        "features": protocol.features.describe(),
        **table,
    }


def decision(answers: Floats) -> Floats:
    """Answers in scikit-learn's form: of two classes how far the second is ahead, (n,)."""
    ahead: Floats = answers[:, 1] - answers[:, 0] if answers.shape[1] == 2 else answers
    return ahead


@brief("program=compiled.network.name", "chip=compiled.profile.name", "classes=classes_")
class CompiledClassifier:
    """A program that classifies, with nothing but what is in its file.

    Args:
        compiled: of `ReservoirClassifier.compile`, or of a run of a task that classifies.
        protocol: how samples are shown and read; None: as the program says.

    Attributes:
        compiled: the program.
        classes_: (n_classes,) labels; those that no file can hold are texts.
        protocol: how samples are shown and read.

    Raises:
        SpecError: the program has no readout that classifies.
        ArtifactError: what the file says of it contradicts itself.
    """

    def __init__(self, compiled: CompiledNetwork, protocol: Protocol | None = None) -> None:
        self.compiled: CompiledNetwork = instance("compiled", compiled, CompiledNetwork)
        meta = compiled.readout_meta
        classes = meta.get("classes")
        if "weights" not in compiled.readout or not isinstance(classes, list):
            measured = f"target {meta.get('target', 'none')!r}"
            problem = Problem("readout", measured, "one answer for each class")
            raise SpecError("this program does not classify", problems=[problem])
        missing = [name for name in ("encoder", "steps_per_frame") if name not in meta]
        if missing:
            problem = Problem(
                "readout_meta",
                f"without {', '.join(missing)}",
                "how samples are shown",
                "compile it anew",
            )
            raise SpecError("this program does not say how it classifies", problems=[problem])
        self.classes_ = classes_of(classes)
        self.protocol = _protocol(meta) if protocol is None else protocol
        self._check_arrays()
        self._simulator: IntegerSimulator | None = None

    @classmethod
    def load(cls, path: str | Path) -> CompiledClassifier:
        """The classifier in a ``compiled.hlx``."""
        return cls(CompiledNetwork.load(path))

    def _check_arrays(self) -> None:
        count = self.protocol.features.kinds * self.compiled.network.n_neurons
        try:
            answers = answers_of(self.compiled.readout, np.zeros((1, count)))
            measured = f"answers for {answers.shape[1]} classes"
        except (ValueError, IndexError, KeyError, TypeError):
            answers, measured = np.zeros(0), "arrays that do not fit"
        if answers.shape != (1, self.classes_.size):
            allowed = f"a map of {count} features to {self.classes_.size} answers"
            problem = Problem("readout", measured, allowed)
            raise ArtifactError("the readout is damaged", problems=[problem])

    def transform(self, X: Any) -> Floats:
        """Features of the program's spikes, (n, kinds * n_neurons)."""
        return self._features(self._stimulus(samples_of(X)))

    def decision_function(self, X: Any) -> Floats:
        """One answer for each class, (n, n_classes); of two classes how far the second is ahead."""
        return decision(self.answers(samples_of(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """The label of each sample, (n,)."""
        labels: NDArray[Any] = self.classes_[self.answers(samples_of(X)).argmax(axis=1)]
        return labels

    def score(self, X: Any, y: Any) -> float:
        """Share of the samples with a label whose label is found."""
        samples = samples_of(X)
        truth, known = truth_of(y, len(samples), self.classes_)
        right = self.answers(samples).argmax(axis=1) == truth
        return float(right[known].mean())

    def _confusion(self, samples: Samples, y: Any) -> ConfusionMatrix:
        """Which class is taken for which, of the samples that have a label."""
        truth, known = truth_of(y, len(samples), self.classes_)
        truth, answers = truth[known], self.answers(samples).argmax(axis=1)[known]
        names = list[str]()
        for k, label in enumerate(self.classes_):
            text = str(label)
            names.append(text if text and text not in names else f"{text} (class {k})")
        if (truth < 0).any():  # a label of no class, which no answer is right about
            truth = np.where(truth < 0, len(names), truth)
            names.append("of no class" + " " * sum(n.startswith("of no class") for n in names))
        return confusion(truth, answers, names)

    def report(
        self,
        X: Any,
        y: Any = None,
        cost_set: CostSet | str | Literal[False] | None = None,
        **evidence: Any,
    ) -> Report:
        """A priced run of the program over samples: energy, operations and time of each.

        Every sample starts from rest, as where `ReservoirClassifier` classifies it, so the run is
        several, one after the other; what a host does to set the chip back has no price. Where
        `protocol` has other starts, as after a run of a task, spikes differ a little from those
        that are classified.

        Args:
            X: the samples.
            y: their labels; with them the report has the accuracy.
            cost_set: prices, see `hrsnn_lava.report`.
            **evidence: what else is known, see `hrsnn_lava.report`.
        """
        samples = samples_of(X)
        stimulus = self._stimulus(samples)
        network = self.compiled.network
        scales = [getattr(p, "payload_scale", None) for p in network.input_populations]
        traces = []
        with Session(self.compiled) as session:
            for k in range(len(samples)):
                session.reset()
                events = stimulus.samples(k, 1).events(next(iter(scales), None))
                traces.append(session.quiet_run(events, events.n_steps))
        trace, windows = joined(traces, "a sample, shown")
        trace = told(trace, network)
        warn(trace.findings)
        facts: dict[str, Any] = {
            "samples": float(len(samples)),
            "sample_windows": windows,
            "findings": stimulus.findings,
        }
        if y is not None:
            known = int(truth_of(y, len(samples), self.classes_)[1].sum())
            accuracy = {"integer": {"accuracy": self.score(samples, y)}, "test_samples": known}
            facts["accuracy"] = {"task": "classification", **accuracy}
            facts["confusion"] = self._confusion(samples, y)
        report: Report = api.report(self.compiled, trace, cost_set, **{**facts, **evidence})
        return report

    def answers(self, samples: Samples) -> Floats:
        """One answer for each class, (n, n_classes), of which the largest wins."""
        return answers_of(self.compiled.readout, self._features(self._stimulus(samples)))

    def _stimulus(self, samples: Samples) -> Stimulus:
        stimulus = samples.stimulus(self.protocol, self.protocol.encoder_seed)
        network = self.compiled.network
        if stimulus.width != network.n_inputs:
            measured = f"{samples.n_channels} channels, {stimulus.width} inputs when encoded"
            problem = Problem("X", measured, f"{network.n_inputs} inputs, as the program has")
            raise SpecError("the samples do not fit the program", problems=[problem])
        return stimulus

    def _features(self, stimulus: Stimulus) -> Floats:
        if self._simulator is None:
            self._simulator = IntegerSimulator(self.compiled)
        runs = SampleRuns(self._simulator, self.protocol.restart, self.protocol.potentials)
        return record_samples(runs, stimulus, self.protocol.features, None).features


def _protocol(meta: Mapping[str, Any]) -> Protocol:
    known = {field.name for field in fields(Protocol)}
    table = {name: value for name, value in meta.items() if name in known}
    try:
        return read_options(Protocol, table, "readout_meta")
    except SpecError as error:
        text = "this program says of its readout what cannot be read here"
        raise ArtifactError(text, problems=error.problems) from None
