"""Options of gradient training, whose work `hrsnn_lava.training.surrogate` does.

They stand below the spec, whose ``[surrogate]`` holds them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hrsnn_lava.notebook import brief
from hrsnn_lava.options import Count, NonNegative, Positive, Share, options

__all__ = ["Learned", "Spike", "SurrogateOptions"]

#: Whether a parameter of neurons learns, and whether each neuron has its own factor.
Learned = Literal["none", "population", "neuron"]
#: Steps in whose place a smooth one is differentiated, see `hrsnn_lava.training.surrogate_steps`.
Spike = Literal["fast_sigmoid", "atan", "triangular"]


@brief("stage", "epochs", "tau_mem", "tau_syn", "v_threshold", "bias", "bits", in_cells=False)
@options
class SurrogateOptions:
    """Gradient training through time, with the derivative of a smooth step in place of the spikes'.

    Every learned number is in a unit of its own, so that one learning rate fits all: a weight in
    mean magnitudes of its projection, a bias in thresholds, time constants and thresholds as
    logarithms of a factor. The papers say that networks are trained by surrogate gradients and no
    more: all values are ours.

    Attributes:
        stage: when a run trains: ``before_pruning`` the unpruned network alone, ``after_pruning``
            every network of the comparison and none that is pruned, or ``both``.
        epochs: how often all training samples are shown.
        batch: samples of an update; of a series, stretches of it that are run side by side.
        window: samples of a series that an update runs through, and that errors go back.
        learning_rate: of Adam, at the start.
        schedule: the rate falls by a ``cosine`` to 0 at the end, or not at all.
        clip: largest norm of a gradient.
        readout: how the readout that learns along does: by ``gradients``, as all else; or by a
            ``ridge`` that is fitted before every epoch to what the network answers by then, and
            held meanwhile, so that the network learns for the readout that it is scored with; of a
            series alone.
        alpha: penalty of that ridge, relative to the mean power of the features.
        spike: the smooth step: ``fast_sigmoid``, ``atan`` or ``triangular``.
        width: of the smooth step, in thresholds.
        reset_gradient: let errors pass through the reset of the potential, too.
        input_weights, recurrent_weights: whether these learn.
        tau_mem, tau_syn, v_threshold, bias: learn by a factor (of the bias: a shift) for each
            ``neuron`` (HeNB of the papers) or one for the ``population`` (HoNB), or not.
        shortest, longest: bounds of learned time constants, in seconds; one that is beyond them
            already stays within its own value.
        delays: of each ``synapse`` whose weight learns, or of none: a step that a spike comes later
            or sooner. Every whole step up to the longest takes a matrix of its own.
        longest_delay: bound of learned delays, in seconds; one that is beyond it already stays
            within its own value.
        signs: ``kept``: projections whose weights have one sign keep it, which spares a bit on the
            chip; ``dale``: those alone whose population has a sign, which all keep in any case.
        potentials: before a sample: drawn for each, or at ``rest``.
        rate: spikes per neuron and step that `rate_weight` draws the mean of every neuron to.
        rate_weight: of the mean over neurons of (rate / target - 1)^2 in the loss.
        sop_weight: in the loss, of the share of the recurrent synapses that carry a spike in a
            step.
        bits: of weights, 1 to 8: weights, decays, thresholds and biases are those of the integers
            of ``[quantize]`` while the network runs, and errors pass through the rounding; by
            default none are rounded.
        device: ``cpu`` or ``cuda``.
        precision: of the numbers; with ``float64`` a network spikes as it does everywhere else.
        threads: of the CPU; other numbers of them may change the last bits.
    """

    stage: Literal["before_pruning", "after_pruning", "both"] = "before_pruning"
    epochs: Count = 10
    batch: Count = 32
    window: Count = 10
    learning_rate: Positive = 0.05
    schedule: Literal["cosine", "none"] = "cosine"
    clip: Positive = 1.0
    readout: Literal["gradients", "ridge"] = "gradients"
    alpha: Positive = 1e-3
    spike: Spike = "fast_sigmoid"
    width: Positive = 0.5
    reset_gradient: bool = False
    input_weights: bool = True
    recurrent_weights: bool = True
    tau_mem: Learned = "neuron"
    tau_syn: Learned = "none"
    v_threshold: Learned = "none"
    bias: Learned = "neuron"
    shortest: Positive = 0.001
    longest: Positive = 1.0
    delays: Literal["none", "synapse"] = "none"
    longest_delay: Positive = 0.01
    signs: Literal["kept", "dale"] = "kept"
    potentials: Literal["random", "rest"] = "random"
    rate: Annotated[Share, Field(gt=0)] = 0.03
    rate_weight: NonNegative = 0.0
    sop_weight: NonNegative = 0.0
    bits: Annotated[int, Field(ge=1, le=8)] | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["float64", "float32"] = "float64"
    threads: Count = 1

    def __post_init__(self) -> None:
        if self.shortest > self.longest:
            raise ValueError(f"shortest: at most longest = {self.longest:g}")
        learned = (self.tau_mem, self.tau_syn, self.v_threshold, self.bias)
        if not (self.input_weights or self.recurrent_weights) and set(learned) == {"none"}:
            raise ValueError("input_weights: something has to learn")

    @property
    def before(self) -> bool:
        """Whether the unpruned network is trained before anything is pruned."""
        return self.stage != "after_pruning"

    @property
    def after(self) -> bool:
        """Whether networks are trained once they are pruned."""
        return self.stage != "before_pruning"
