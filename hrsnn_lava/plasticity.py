"""Spike-timing-dependent plasticity of a projection, per synapse, in float."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from hrsnn_lava.csr import select_values
from hrsnn_lava.distributions import Constant, Distribution
from hrsnn_lava.errors import Problem
from hrsnn_lava.fields import real_values
from hrsnn_lava.notebook import brief
from hrsnn_lava.options import options

Float = NDArray[np.float64]
DRAWN_FIELDS = ("a_plus", "a_minus", "tau_plus", "tau_minus")
STDP_FIELDS = (*DRAWN_FIELDS, "w_max")


@brief("a_plus", "a_minus", "tau_plus", "tau_minus", "w_max")
@dataclass(frozen=True, eq=False)
class STDP:
    r"""Pair-based STDP with its own amplitudes and time constants at every synapse.

    .. math::
        dW/dt = A_+ x \sum \delta(t - t_{post}) - A_- y \sum \delta(t - t_{pre}),\\
        \tau_+ dx/dt = -x + \sum \delta(t - t_{pre}), \quad
        \tau_- dy/dt = -y + \sum \delta(t - t_{post})

    (Chakraborty and Mukhopadhyay 2023, eqs. 3-5; every pair of spikes counts.) W is the magnitude
    of the weight: it stays within ``[0, w_max]`` and the weight keeps its sign (Dale). In steps, x
    and y decay, rise by 1 at a spike, and then change W, so a pair of spikes ``lag`` steps apart
    is worth ``A exp(-lag dt / tau)`` and spikes of one step count both ways, as on the chip.

    Our choice, the papers do not say: the bounds, the rule for inhibitory weights (their
    magnitude learns), and that a spike counts when it is sent, whatever its delay.

    Attributes:
        a_plus, a_minus: amplitudes >= 0, scalar or (nnz,), in units of weight.
        tau_plus, tau_minus: time constants in seconds > 0, scalar or (nnz,).
        w_max: bound of the magnitude, scalar or (nnz,); None leaves it free.
    """

    a_plus: ArrayLike
    a_minus: ArrayLike
    tau_plus: ArrayLike = 0.020
    tau_minus: ArrayLike = 0.020
    w_max: ArrayLike | None = None

    def __post_init__(self) -> None:
        for field in STDP_FIELDS:
            value = getattr(self, field)
            if value is not None or field != "w_max":
                array = real_values(f"plasticity.{field}", value)
                object.__setattr__(self, field, array if array.ndim else array.item())

    @property
    def uniform_traces(self) -> bool:
        """True when all synapses share tau_plus and tau_minus, so a trace per neuron suffices."""
        return all(
            np.size(tau) > 0 and np.ptp(np.asarray(tau, dtype=np.float64)) == 0.0
            for tau in (self.tau_plus, self.tau_minus)
        )

    def values(self, field: str, n_synapses: int) -> Float:
        """One parameter of every synapse, (nnz,); infinite where `w_max` is None."""
        value = getattr(self, field)
        array = np.asarray(np.inf if value is None else value, dtype=np.float64)
        return np.array(np.broadcast_to(array, (n_synapses,)))

    def select(self, keep: NDArray[np.bool_]) -> STDP:
        """The rule of the synapses for which `keep` (nnz,) is true, in order."""
        return STDP(**{name: select_values(getattr(self, name), keep) for name in STDP_FIELDS})

    def scaled(self, factor: ArrayLike) -> STDP:
        """The rule for weights that are `factor` times as large, a number or (nnz,) each.

        Amplitudes and bounds are in units of weight, so they go along; time constants stay.
        """
        times = np.asarray(factor, dtype=np.float64)
        return replace(
            self,
            a_plus=np.asarray(self.a_plus) * times,
            a_minus=np.asarray(self.a_minus) * times,
            w_max=None if self.w_max is None else np.asarray(self.w_max) * times,
        )

    def homogeneous(self, fields: Collection[str]) -> STDP:
        """The rule in which each of these parameters is its mean over the synapses.

        Args:
            fields: of `DRAWN_FIELDS`.
        """
        means = {
            name: float(np.mean(getattr(self, name)))
            for name in fields
            if np.size(getattr(self, name))
        }
        return replace(self, **means)

    def problems(self, where: str, n_synapses: int) -> Iterator[Problem]:
        """Everything that is wrong with these parameters for a projection of `n_synapses`."""
        for field, positive in (
            ("a_plus", False),
            ("a_minus", False),
            ("tau_plus", True),
            ("tau_minus", True),
            ("w_max", False),
        ):
            value = getattr(self, field)
            if value is None:
                continue
            array = np.asarray(value, dtype=np.float64)
            if array.shape not in ((), (n_synapses,)):
                yield Problem(f"{where}.{field}", f"shape {array.shape}", f"() or ({n_synapses},)")
            elif not np.all(np.isfinite(array)) or np.any(array <= 0 if positive else array < 0):
                bound = "finite and > 0" if positive else "finite and >= 0"
                yield Problem(f"{where}.{field}", f"smallest value {array.min():g}", bound)


@options
class Schedule:
    """How samples are shown to a network that learns without labels.

    The papers say neither. That a sample finds a network at rest, as the readout does later, and
    that no pair of spikes spans two samples, is our choice. Input without samples, such as a
    series, runs through from its first step to its last, epoch after epoch.

    Attributes:
        reset: ``sample`` clears currents, potentials, spikes on their way and spike traces before
            every sample, weights stay; ``none`` clears nothing.
        potentials: where a reset puts the membrane potentials: ``random`` draws from [0,
            v_threshold) anew for every sample, ``same`` takes one such draw for all, ``rest``
            is 0.
        silence: steps without input after every sample, in which the network goes on to learn.
        shuffle: show the samples in another order in every epoch.
    """

    reset: Literal["sample", "none"] = "sample"
    potentials: Literal["random", "same", "rest"] = "random"
    silence: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    shuffle: bool = True


def draw_stdp(
    sources: Mapping[str, Distribution],
    weights: Float,
    ceiling: float,
    rng: Callable[[str], np.random.Generator],
) -> STDP:
    """A rule whose parameters are drawn for each synapse.

    Args:
        sources: a distribution for a_plus and a_minus, in units of w_max, and for tau_plus and
            tau_minus, in seconds. A `Constant` stays a scalar and draws nothing.
        weights: (nnz,) of the projection.
        ceiling: w_max in units of the mean magnitude of the weights (our choice of a unit).
        rng: gives the generator of a parameter, called in that order.
    """
    w_max = ceiling * float(np.abs(weights).mean()) if weights.size else 0.0
    values: dict[str, ArrayLike] = {}
    for field in DRAWN_FIELDS:
        source, unit = sources[field], w_max if field.startswith("a_") else 1.0
        if isinstance(source, Constant):
            values[field] = source.value * unit
        else:
            values[field] = source.sample(rng(field), weights.size) * unit
    return STDP(**values, w_max=w_max)
