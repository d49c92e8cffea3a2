"""How a network is run and linearised for its Lyapunov exponents."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hrsnn_lava.options import Count, NonNegative, Number, Positive, options

#: What stands for the derivative of a spiking network; see the modules `surrogate_lif`,
#: `event_lif` and `perturbed_lif`.
Linearisation = Literal["surrogate", "event", "perturbation"]


@options
class ParticipationOptions:
    """How the driven network is run and linearised; all defaults are our choice.

    Attributes:
        steps: averaged over.
        transient: steps discarded before them.
        qr_every: steps between orthonormalisations.
        width: half width of the triangular surrogate slope, in units of the threshold.
        n_exponents: leading exponents to follow; not set: all up to a state of 600, else 200; of a
            `perturbation` 16 at most.
        drive: constant current added to the biases, in units of the potential.
        noise: standard deviation of a current drawn anew for every neuron and step.
        reset_gradient: also differentiate the reset (usually left out, as in training).
        floor: smallest ``|R_kk|`` let through.
        linearisation: what stands for the derivative: ``surrogate`` slopes of the spikes,
            ``event`` (spike times move, by saltation), or ``perturbation`` (shadow copies of the
            network, finitely far away).
        slope_floor: of ``event``: smallest slope with which a potential may cross its threshold,
            in thresholds per membrane time constant; flatter crossings count as degenerate.
        eps: of ``perturbation``: distance of a shadow, relative to the norm of the thresholds.
        window: steps of one finite time, of the exponents ``finite_time`` alone.
    """

    steps: Count = 500
    transient: Annotated[int, Field(ge=0)] = 100
    qr_every: Count = 5
    width: Positive = 0.5
    n_exponents: Count | None = None
    drive: Number = 0.0
    noise: NonNegative = 0.0
    reset_gradient: bool = False
    floor: Positive = 1e-12
    linearisation: Linearisation = "surrogate"
    slope_floor: Positive = 1e-3
    eps: Positive = 1e-2
    window: Count = 50
