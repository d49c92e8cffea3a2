"""Ridge regression on the one-hot classes: the default, and the quickest."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.options import options
from hrsnn_lava.training.readout import Readout, ReadoutFitter, ReadoutOptions, select_readout
from hrsnn_lava.training.readouts.base import LabelledFeatures, Layers

#: Linear in features as they are, but for one factor a kind.
LINEAR = ReadoutOptions(products=False)


@options
class Ridge:
    """Linear answers, ``f W + b``, fitted to 1 for the class of a sample and 0 for the others.

    Its penalty is chosen by the squared error on the validation samples.
    """

    name: ClassVar[str] = "ridge"

    def fit(self, lesson: LabelledFeatures) -> Layers:
        """See `Fitter`."""
        targets, held_out = lesson.one_hot, ~lesson.training
        fitter = ReadoutFitter(lesson.features, targets, targets, lesson.kinds, LINEAR)

        def loss(readout: Readout) -> float:
            answers = readout.predict(lesson.features[held_out])
            return float(np.mean((answers - targets[held_out]) ** 2))

        validated = loss if held_out.any() else None
        readout, losses = select_readout(fitter, lesson.training, lesson.alphas, validated)
        return Layers([readout.weights], [readout.offset], readout.alpha, losses)
