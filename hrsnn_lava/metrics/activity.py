"""How much a network fires, how alike its neurons do, and what that buys: spike efficiency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.fields import choice, is_real, whole_number
from hrsnn_lava.metrics.base import Floats, Metric, finite_values, spike_counts
from hrsnn_lava.metrics.scores import Better, Score
from hrsnn_lava.options import Count, NonNegative, options

__all__ = [
    "ActiveCount",
    "active_neurons",
    "average_activation",
    "mean_correlation",
    "spike_efficiency",
]

#: What a least number of spikes may be.
_SPIKES = (1, 2**31 - 1)
#: Spikes per neuron below which nothing is said of efficiency (our choice): a network in which
#: fewer than one neuron in a hundred fires once is silent.
ACTIVITY_FLOOR = 0.01


def average_activation(spikes: ArrayLike) -> float:
    """Spikes per neuron, ``nu = sum_t sum_i nu_i(t) / N`` (papers on heterogeneous networks).

    Args:
        spikes: (N,) spikes of every neuron, such as ``trace.counts()``, or (T, N) spikes of every
            step or window, which are summed.

    Raises:
        SpecError: no neurons, or negative numbers.
    """
    counts = spike_counts("spikes", spikes, (1, 2), "(N,) or (T, N)")
    return float(counts.sum() / counts.shape[-1])


@dataclass(frozen=True)
class ActiveCount:
    """How many neurons fire.

    Attributes:
        count: of them.
        n_neurons: of the network.
        least: spikes that make a neuron one of them.
    """

    count: int
    n_neurons: int
    least: int = 1

    @property
    def value(self) -> float:
        """Share of the neurons, 0 to 1."""
        return self.count / self.n_neurons

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "active_neurons": self.count,
            "n_neurons": self.n_neurons,
            "share": self.value,
            "least_spikes": self.least,
        }

    def __str__(self) -> str:
        """One line."""
        return f"{self.count:,} of {self.n_neurons:,} neurons active ({100 * self.value:.1f} %)"


def active_neurons(spikes: ArrayLike, least: int = 1) -> ActiveCount:
    """Neurons with `least` spikes or more over a whole test set.

    One spike over the whole set is what the paper on heterogeneous classification counts (its
    sweep of coupling against distance).

    Args:
        spikes: (N,) spikes of every neuron, or (T, N) of every step or sample, which are summed.
        least: >= 1.

    Raises:
        SpecError: no neurons, or negative numbers.
    """
    whole_number("least", least, _SPIKES, error=SpecError)
    counts = spike_counts("spikes", spikes, (1, 2), "(N,) or (T, N)")
    totals = counts if counts.ndim == 1 else counts.sum(axis=0)
    return ActiveCount(int((totals >= least).sum()), totals.size, least)


def mean_correlation(counts: ArrayLike) -> float | None:
    """Mean Pearson correlation of the spike counts of two neurons, over all pairs that vary.

    ``(|sum_i z_i|^2 / n - N) / (N (N - 1))`` with z_i the standardised counts of neuron i over n
    windows. Neurons whose counts do not vary have no correlation, and are left out.

    Args:
        counts: (n_windows, N) spikes of every neuron in every window or sample.

    Returns:
        -1 / (N - 1) to 1; None where fewer than two neurons vary.

    Raises:
        SpecError: no counts, or negative ones.
    """
    values = spike_counts("counts", counts, (2,), "(n_windows, N)")
    varying = values[:, np.ptp(values, axis=0) > 0]
    n, neurons = varying.shape
    if neurons < 2:
        return None
    z = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    together = float((z.sum(axis=1) ** 2).sum() / n)
    return (together - neurons) / (neurons * (neurons - 1))


def spike_efficiency(
    quality: Any,
    spikes: ArrayLike,
    of: Literal["score", "error"] = "score",
    floor: float = ACTIVITY_FLOOR,
) -> float | None:
    """What a network is good for, per spike of a neuron: ``E = C / (sum_j S_j / N)``.

    C is memory capacity (eq. 10 of the summary of Chakraborty et al. 2024) or accuracy; for an
    error it is ``E = 1 / (NRMSE S)``. S_j are spikes over the whole window that C is measured in:
    the paper counts until the first spike of a readout neuron, which a regression does not have.
    Efficiencies of two networks compare where windows, tasks and readouts are the same.

    Args:
        quality: memory capacity or accuracy, or an error such as NRMSE; or a result of a metric,
            whose value is taken.
        spikes: (N,) spikes of every neuron, or a single number: their mean.
        of: whether `quality` is a ``score``, of which more is better, or an ``error``.
        floor: spikes per neuron that there have to be.

    Returns:
        None where mean spikes are at the floor or below, or 0: a network that hardly fires would
        be infinitely efficient. None for an error of 0, too.

    Raises:
        SpecError: negative spikes, or an error below 0.
    """
    choice("of", of, ("score", "error"), SpecError)
    measured = getattr(quality, "value", quality)
    gain = float(finite_values("quality", measured, (0,), "a number"))
    if not is_real(floor) or not floor >= 0:
        raise SpecError(str(Problem("floor", f"{floor!r:.40}", ">= 0 spikes per neuron")))
    if of == "error" and gain < 0:
        raise SpecError(str(Problem("quality", f"{gain:g}", "an error >= 0")))
    per_neuron = _mean_spikes(spikes)
    if per_neuron <= floor or (of == "error" and gain == 0):
        return None
    return gain / per_neuron if of == "score" else 1.0 / (gain * per_neuron)


@options
class AverageActivation(Metric):
    """Spikes per neuron over the whole window."""

    name: ClassVar[str] = "average_activation"
    unit: ClassVar[str] = "spikes/neuron"
    better: ClassVar[Better] = "lower"

    def __call__(self, spikes: ArrayLike) -> float:
        """See `average_activation`."""
        return average_activation(spikes)


@options
class ActiveNeurons(Metric):
    """How many neurons fire over a whole test set; its value is their share.

    Attributes:
        least: spikes that make a neuron an active one.
    """

    name: ClassVar[str] = "active_neurons"
    least: Count = 1

    def __call__(self, spikes: ArrayLike) -> ActiveCount:
        """See `active_neurons`."""
        return active_neurons(spikes, self.least)


@options
class MeanCorrelation(Metric):
    """Mean correlation of the spike counts of two neurons."""

    name: ClassVar[str] = "mean_correlation"

    def __call__(self, counts: ArrayLike) -> float | None:
        """See `mean_correlation`."""
        return mean_correlation(counts)


@options
class SpikeEfficiency(Metric):
    """Memory capacity, accuracy or accuracy of a forecast, per spike of a neuron.

    Attributes:
        of: whether what is given is a ``score``, of which more is better, or an ``error``.
        floor: mean spikes per neuron that there have to be; at or below it there is no efficiency.
    """

    name: ClassVar[str] = "spike_efficiency"
    unit: ClassVar[str] = "neurons/spike"
    better: ClassVar[Better] = "higher"
    of: Literal["score", "error"] = "score"
    floor: NonNegative = ACTIVITY_FLOOR

    def __call__(self, quality: Any, spikes: ArrayLike) -> float | None:
        """See `spike_efficiency`."""
        return spike_efficiency(quality, spikes, self.of, self.floor)

    def measure(self, measured: Mapping[str, Any]) -> Any:
        """See `Metric.measure`; an error is not taken for a score, nor a score for an error."""
        quality = measured.get("quality")
        wanted = {"score": "higher", "error": "lower"}[self.of]
        if isinstance(quality, Score) and quality.better != wanted:
            other = "error" if self.of == "score" else "score"
            measured_as = f"{self.of!r}, but {quality.title} is better where it is {quality.better}"
            problem = Problem("of", measured_as, repr(other))
            raise SpecError("options of spike_efficiency", problems=[problem])
        return super().measure(measured)


def _mean_spikes(spikes: ArrayLike) -> float:
    counts: Floats = spike_counts("spikes", spikes, (0, 1), "(N,) or one number")
    return float(counts.mean())
