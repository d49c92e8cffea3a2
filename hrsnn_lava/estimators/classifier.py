"""Classification of arrays by a spiking reservoir, in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.context import INPUT_RANGE
from hrsnn_lava.compiler.pipeline import AnyPass
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.estimators.compiled_classifier import (
    CompiledClassifier,
    Protocol,
    SampleOptions,
    decision,
    protocol_meta,
)
from hrsnn_lava.estimators.parameters import Estimator, Where, one_thread, plain_options
from hrsnn_lava.estimators.programs import Shown, program_of
from hrsnn_lava.estimators.readouts import FittedReadout, Lesson, ReadoutPlan, held_out
from hrsnn_lava.estimators.reservoirs import ReservoirPlan, rate_findings, reservoir
from hrsnn_lava.estimators.samples import Samples, labels_of, samples_of, truth_of
from hrsnn_lava.findings import Finding, warn
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.options import Count, Positive, Seed, options
from hrsnn_lava.report.document import Report
from hrsnn_lava.seeding import generator
from hrsnn_lava.training.readout import Positives
from hrsnn_lava.training.readouts.base import ReadoutOption
from hrsnn_lava.training.sample_features import SampleRecording, record_samples
from hrsnn_lava.training.simulation import Stimulus, simulator_of

__all__ = ["ReservoirClassifier"]

Floats = NDArray[np.float64]
#: Steps of training samples by which rates are brought back, and the currents of integers are
#: judged; and how many samples there are at least (both ours).
PART_STEPS, PART_LEAST = 5_000, 20
#: Right answers that integers may lose on the validation samples before that is told (ours).
ACCURACY_LOSS = 0.05


@options
class ClassifierOptions(SampleOptions):
    """The parameters of `ReservoirClassifier` that are checked as options are.

    Attributes:
        readout: what tells classes apart.
        alphas: penalties.
        validation: share of the labelled samples.
        stdp_passes: over the training samples.
        rate: spikes per neuron and step.
        seed: of everything that is drawn.
        dt: of a step, seconds.
    """

    name: ClassVar[str] = "ReservoirClassifier"
    readout: ReadoutOption = "ridge"
    alphas: Positives = (1e-4, 1e-3, 1e-2, 1e-1)
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.2
    stdp_passes: Count = 1
    rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    seed: Seed = 0
    dt: Positive | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(getattr(self.readout, "fit", None)):
            allowed = "the name of a readout, or a table with its options"
            problem = Problem("readout", f"{self.readout!r:.40}", allowed)
            raise SpecError(f"options of {self.name}", problems=[problem])

    @property
    def protocol(self) -> Protocol:
        """What a program that is compiled says of it."""
        own = {f.name: getattr(self, f.name) for f in fields(SampleOptions)}
        return Protocol(**own, encoder_seed=self.seed)


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What a fit leaves for compilation: the training samples as an input, and their labels."""

    stimulus: Stimulus
    part: Stimulus
    labelled: Lesson
    plan: ReadoutPlan
    options: ClassifierOptions


@dataclass(kw_only=True, eq=False, repr=False)
class ReservoirClassifier(Estimator):
    """Classify samples by a heterogeneous recurrent spiking network and a readout of its spikes.

    Samples are frames or events; a frame is shown for `steps_per_frame` steps. Every sample starts
    from rest. The readout sees how often each neuron fired and its traces at the end of a sample
    (`hrsnn_lava.training.sample_features`); its penalty is chosen on validation samples, which then
    train, too. It works with scikit-learn's `clone`, `Pipeline`, `cross_val_score` and
    `GridSearchCV`, and without scikit-learn.

    Attributes:
        network: a table of ``[network]``, a `Spec` (of which ``[network]`` and ``[stdp]`` with
            ``train_passes`` are taken), the path of a spec or a network, or a ready-made `Network`;
            None: 300 neurons. What a table leaves open is the spec's default, but for the mean
            degree, a tenth of the size, and the target of the input, which the encoder decides.
        encoder: ``held``, ``rate``, ``latency``, ``population`` ..., or a table with its options.
        steps_per_frame: steps for which a frame is shown.
        silence_steps: steps without input at the end of each sample, a multiple of that.
        trace_steps: time constants, in steps, of the traces; may be empty.
        readout: ``ridge``, ``logistic``, ``network``, or a table with its options.
        alphas: penalties to choose from, relative to the features' mean square.
        validation: share of the labelled samples that choose; one of every class trains in any
            case, and groups are held out whole.
        stdp: train the network without labels first: a table of rules (``{}`` for the defaults),
            `STDPOptions`, or None. Rules are taken off then, and off a `Network` that has some: a
            readout needs weights that stand still.
        stdp_passes: how often STDP is shown all training samples.
        rate: spikes per neuron and step to which every neuron is brought through its bias; None:
            as they fire.
        seed: of the network, the validation samples, and what an encoder draws.
        dt: of a step, seconds; None: that of the network.
        classes_: (n_classes,) labels, sorted.
        network_: the network, trained where that was asked for.
        readout_: fitted, with ``answers(features)`` and ``arrays()``.
        n_features_in_: channels of a sample.
        rates_: (n_neurons,) spikes per step over the training samples.
        validation_score_: accuracy on the validation samples, of the readout without them; None
            without any. The penalty was chosen on them, so it flatters a little.
        validation_losses_: error on them, by penalty.
        findings_: what one has to know, also told as `FindingWarning`.
        compiled_: the program, after `compile`.
        chip_validation_score_: as `validation_score_`, of the program.

    Raises (when fitted):
        SpecError: wrong options, or samples and labels that cannot be used.
    """

    _estimator_type: ClassVar[str | None] = "classifier"

    network: Any = None
    encoder: Any = "held"
    steps_per_frame: int = 10
    silence_steps: int = 0
    trace_steps: Sequence[float] = (50.0,)
    readout: Any = "ridge"
    alphas: Sequence[float] = (1e-4, 1e-3, 1e-2, 1e-1)
    validation: float = 0.2
    stdp: Any = None
    stdp_passes: int = 1
    rate: float | None = None
    seed: int = 0
    dt: float | None = None

    @one_thread
    def fit(self, X: Any, y: Any = None, groups: Any = None) -> ReservoirClassifier:
        """Build the network and fit the readout.

        Args:
            X: (n, frames, channels), or (n, channels) for samples of one frame, or a list of
                (frames, channels) arrays of any number of frames, or of events.
            y: (n,) labels of any kind that can be hashed; -1, None and not-a-number mark samples
                without a label, which STDP and homeostasis see alone.
            groups: (n,) who or what each sample is of: validation samples are whole groups.
        """
        o = self._options()
        samples = samples_of(X)
        labels = labels_of(y, len(samples))
        validates = held_out(labels, o.validation, groups, o.seed, len(o.alphas) > 1)
        stimulus = samples.stimulus(o, o.seed)
        part = samples.stimulus(o, o.seed, _some(stimulus, o.seed))
        plan = ReservoirPlan(self.network, self.stdp, o.stdp_passes, o.rate, o.seed, o.dt)
        network = reservoir(plan, stimulus, part)
        readout = ReadoutPlan(o.readout, o.alphas, o.features.kinds, o.seed)
        self._forget()
        self._lesson = _Lesson(stimulus, part, Lesson(labels, validates), readout, o)
        recording, fitted = self._fitted_to(network)
        self.network_, self.readout_ = network, fitted.classifier
        self.classes_, self.n_features_in_ = labels.classes, samples.n_channels
        self.rates_ = recording.counts.sum(axis=0) / stimulus.n_steps
        self.validation_score_, self.validation_losses_ = fitted.score, dict(fitted.losses)
        self.findings_ = (*stimulus.findings, *rate_findings(self.rates_, o.rate))
        warn(self.findings_)
        return self

    def transform(self, X: Any, on: Where = "float") -> Floats:
        """What the readout sees of samples, (n, kinds * n_neurons): rates, then traces."""
        if self._on_chip(on):
            return self._program.transform(self._checked(X))
        return self._features(self._checked(X))

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Floats:
        """`fit`, then `transform` of the same samples."""
        return self.fit(X, y, **fit_params).transform(X)

    def decision_function(self, X: Any, on: Where = "float") -> Floats:
        """One answer for each class, (n, n_classes); of two classes how far the second is ahead."""
        return decision(self._answers(X, on))

    def predict(self, X: Any, on: Where = "float") -> NDArray[Any]:
        """The label of each sample, (n,): by the float network, or by the compiled program."""
        answers = self._answers(X, on)
        labels: NDArray[Any] = self.classes_[answers.argmax(axis=1)]
        return labels

    def score(self, X: Any, y: Any, on: Where = "float") -> float:
        """Share of the samples with a label whose label is found."""
        answers = self._answers(X, on)
        truth, known = truth_of(y, len(answers), self.classes_)
        right = answers.argmax(axis=1) == truth
        return float(right[known].mean())

    def score_compiled(self, X: Any, y: Any) -> float:
        """`score` of the program."""
        return self.score(X, y, on="chip")

    @one_thread
    def compile(
        self,
        profile: HardwareProfile | str = "loihi1",
        passes: Sequence[AnyPass] | None = None,
        **compilation: Any,
    ) -> CompiledNetwork:
        """The network as a program for a chip, with a readout that is fitted to its own spikes.

        Rates and currents of training samples, and the largest value that is held, are known to
        the compiler; options override them.

        Args:
            profile: the chip.
            passes: of the compiler, such as one that prunes.
            **compilation: options of `hrsnn_lava.compile`.

        Raises:
            CapacityError: it does not fit.
        """
        self._require_fit()
        lesson = self._lesson
        inputs, largest = lesson.stimulus.inputs, None
        if isinstance(inputs, np.ndarray):
            largest = max(INPUT_RANGE, float(np.abs(inputs).max()))
        shown = Shown(lesson.part, self.rates_, largest, lesson.options.seed)
        program = program_of(self.network_, profile, passes, shown, compilation)
        _, fitted = self._fitted_to(program.network)
        classifier, samples = fitted.classifier, lesson.stimulus.bounds.size - 1
        meta = {
            "readout": getattr(lesson.options.readout, "name", ""),
            "alpha": float(classifier.alpha),
            "steps_per_sample": lesson.stimulus.n_steps / samples,
            **protocol_meta(lesson.options.protocol, self.classes_),
        }
        program = replace(program, readout=dict(classifier.arrays()), readout_meta=meta)
        self._program = CompiledClassifier(program, lesson.options.protocol)
        self._program.classes_ = self.classes_  # the file's own are texts where it holds no others
        self.compiled_, self.chip_validation_score_ = program, fitted.score
        self._tell_loss()
        return program

    def report(
        self,
        X: Any,
        y: Any = None,
        cost_set: CostSet | str | Literal[False] | None = None,
        **evidence: Any,
    ) -> Report:
        """A priced run of the compiled program over samples, see `CompiledClassifier.report`."""
        self._require_program()
        evidence = {"network_float": self.network_, **evidence}
        return self._program.report(self._checked(X), y, cost_set, **evidence)

    def _options(self) -> ClassifierOptions:
        parameters = self.get_params().items()
        checked: ClassifierOptions = plain_options(
            ClassifierOptions, parameters, ("alphas", "trace_steps")
        )
        return checked

    def _checked(self, X: Any) -> Samples:
        return samples_of(X, self.n_features_in_)

    def _answers(self, X: Any, on: Where) -> Floats:
        """One answer for each class, (n, n_classes), of which the largest wins."""
        if self._on_chip(on):
            return self._program.answers(self._checked(X))
        answers: Floats = self.readout_.answers(self._features(self._checked(X)))
        return answers

    def _features(self, samples: Samples) -> Floats:
        o = self._lesson.options
        stimulus = samples.stimulus(o, o.seed)
        return record_samples(simulator_of(self.network_), stimulus, o.features, None).features

    def _fitted_to(self, network: Any) -> tuple[SampleRecording, FittedReadout]:
        """What the training samples show of a network, in float or integers, and a readout."""
        lesson = self._lesson
        features = lesson.options.features
        recording = record_samples(simulator_of(network), lesson.stimulus, features, None)
        return recording, lesson.labelled.fit(recording.features, lesson.plan, network)

    def _tell_loss(self) -> None:
        """Warn where the integers answer worse than the float network."""
        before, after = self.validation_score_, self.chip_validation_score_
        self.findings_ = tuple(f for f in self.findings_ if f.kind != "integers_err_more")
        if before is None or after is None or before - after <= ACCURACY_LOSS:
            return
        finding = Finding(
            "warning",
            "the program",
            f"{100 * after:.1f} % of the validation samples right, {100 * before:.1f} % in float",
            "the integers tell classes apart less well",
            "see the findings of the compilation, and compare with a profile of more bits",
            kind="integers_err_more",
        )
        self.findings_ = (*self.findings_, finding)
        warn([finding])


def _some(stimulus: Stimulus, seed: int) -> NDArray[np.int64]:
    """Samples, drawn from all, that last about `PART_STEPS` together; rising."""
    count = stimulus.bounds.size - 1
    wanted = max(PART_LEAST, -(-PART_STEPS * count // stimulus.n_steps))
    return np.sort(generator(seed, "part").permutation(count)[:wanted])
