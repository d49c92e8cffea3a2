"""The readout of an estimator: fitted on some of the labelled samples, chosen by the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.estimators.samples import Labels
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.splits import groups_of, stratified
from hrsnn_lava.training.readouts.base import Classifier, LabelledFeatures

__all__ = ["FittedReadout", "Lesson", "ReadoutPlan", "held_out"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ReadoutPlan:
    """How a readout is fitted.

    Attributes:
        readout: options of a part of the kind ``readout``.
        alphas: penalties to choose from.
        kinds: features of each neuron.
        seed: of what it draws.
    """

    readout: Any
    alphas: tuple[float, ...]
    kinds: int
    seed: int


@dataclass(frozen=True, eq=False)
class FittedReadout:
    """A readout, and how it did on samples that did not train it.

    Attributes:
        classifier: fitted on all labelled samples.
        score: share of the validation samples that it got right when it was fitted on the others
            with the same penalty; None without any.
        losses: error of every penalty on them.
    """

    classifier: Classifier
    score: float | None
    losses: Mapping[float, float]


@dataclass(frozen=True, eq=False)
class Lesson:
    """Labelled samples, and which of them validate.

    Attributes:
        labels: of all samples, those without a label among them.
        validates: (n_labelled,) which of the labelled ones choose the penalty.
    """

    labels: Labels
    validates: NDArray[np.bool_]

    def fit(self, features: Floats, plan: ReadoutPlan, network: Any) -> FittedReadout:
        """A readout of features.

        Args:
            features: (n, kinds * n_neurons) of all samples.
            plan: how.
            network: whose neurons they are of.
        """
        rows = self.labels.labelled
        seen, index = features[rows], self.labels.index[rows]
        wiring = recurrent_edges(network).matrix

        def fitted(chosen: NDArray[np.bool_], alphas: tuple[float, ...]) -> Classifier:
            lesson = LabelledFeatures(
                seen[chosen],
                index[chosen],
                self.labels.classes.size,
                ~self.validates[chosen],
                alphas,
                plan.kinds,
                wiring,
                int(generator(plan.seed, "readout").integers(2**31)),
            )
            classifier: Classifier = plan.readout.fit(lesson)
            return classifier

        everything = fitted(np.ones(rows.size, dtype=np.bool_), plan.alphas)
        if not self.validates.any():
            return FittedReadout(everything, None, {})
        alone = fitted(~self.validates, (everything.alpha,))
        answers = alone.answers(seen[self.validates]).argmax(axis=1)
        score = float(np.mean(answers == index[self.validates]))
        return FittedReadout(everything, score, dict(everything.losses))


def held_out(labels: Labels, share: float, groups: Any, seed: int, many: bool) -> NDArray[np.bool_]:
    """Which labelled samples validate, (n_labelled,).

    One sample of every class trains in any case; a group is held out whole.

    Args:
        labels: of all samples.
        share: of the labelled samples.
        groups: (n,) who or what each sample is of, or None.
        seed: of the draw.
        many: whether there is a penalty to choose.

    Raises:
        SpecError: too few samples or groups for that.
    """
    rows = labels.labelled
    index, chosen = labels.index[rows], np.zeros(rows.size, dtype=np.bool_)
    count = round(share * rows.size)
    rng = generator(seed, "validation")
    if share and groups is not None:
        own = _groups(groups, labels.index.size)[rows]
        if np.unique(own).size < 2:
            raise _too_few("groups", "one group", "two or more, or validation=0")
        return groups_of(own, max(count, 1), rng)
    order = rng.permutation(rows.size)
    first = order[np.unique(index[order], return_index=True)[1]]
    others = np.setdiff1d(np.arange(rows.size), first)
    count = min(max(count, 1) if share else 0, others.size)
    chosen[others[stratified(index[others], rng)[:count]]] = True
    if many and not chosen.any():
        measured = f"{rows.size} labelled samples of {labels.classes.size} classes"
        measured += f", validation={share:g}" if not share else ""
        allowed = "a sample more than classes and validation > 0, or one value of alphas"
        raise _too_few("y", measured, allowed)
    return chosen


def _groups(groups: Any, count: int) -> Ints:
    values = np.asarray(groups)
    if values.shape != (count,):
        raise _too_few("groups", f"shape {values.shape}", f"({count},), one for each sample")
    members: Ints = np.unique(values, return_inverse=True)[1].astype(np.int64)
    return members


def _too_few(where: str, measured: str, allowed: str) -> SpecError:
    problem = Problem(where, measured, allowed)
    return SpecError("the penalty of the readout cannot be chosen", problems=[problem])
