r"""The linearisation `event`: spikes keep their size, and their times move (saltation).

In steps, a spike cannot move by less than a step: almost everywhere the derivative of the map is
``diag(beta)`` with zeros at the resets and no coupling at all, and says nothing about the network.
What is differentiated here is the network in continuous time that the run solves exactly.

**That network.** Between spikes, neuron k follows ``dv/dt = c_k (I_k - v)``, with
``c_k = 1 / tau_mem``. When v reaches the threshold :math:`\vartheta`, it is set to 0 and held
there for the refractory period; at that moment a current of w starts in every target, a staircase
that falls by ``alpha`` every dt (in the limit of short steps an exponential of time constant
tau_syn). Let :math:`\vartheta` of each spike be the potential that the engine found at the end
of the step, ``>= v_threshold`` by less than a step's rise: then the spikes of this network are
those of the engine, to the bit, and so are its potentials and currents at the ends of all steps.
No trajectory is approximated; what the engine rounds is the threshold, not the derivative.

**Its derivative** (Aizerman and Gantmakher 1958; for integrate-and-fire networks Zhou et al. 2010,
Monteforte and Wolf 2010, Bizzarri et al. 2013). Let v be perturbed by dv when it reaches
:math:`\vartheta`. The spike comes earlier by

.. math:: \varepsilon = dv / \dot v^-, \qquad \dot v^- = c\,(I - \vartheta),

and with it everything that the spike does:

- the neuron restarts from 0 earlier: ``dv = c I eps`` after the reset (the saltation factor
  ``I / (I - threshold)``);
- a refractory neuron has no potential. Its coordinate is its time since the spike,
  ``x = c v_threshold eps`` in the unit of v, until it is released: then ``dv = c I eps``, with I of
  that moment, and where I is 0 it has forgotten;
- the staircases in its targets move: their potential has risen for eps longer,
  ``dv_k += c_k W_kj eps``, and at every later step the fall by ``(1 - alpha) i`` comes earlier.
  With di the change of the current over a step that has the same effect,
  ``di_k -= kappa_k W_kj eps`` with ``kappa = (1 - alpha) c / (1 - beta)``, about ``1 / tau_syn``;
  then ``di' = alpha di``, ``dv' = beta dv + (1 - beta) di`` as for every current. The two sum to
  the slope of the postsynaptic potential times eps.

**State**: (v or x, i) of every neuron at the end of a step, after resets and arrivals, i being the
current of the next step. Without spikes: exponents ``-1/tau_mem`` and ``-1/tau_syn`` exactly; a
neuron that fires tonically under constant drive: exactly 0 for v, with and without a refractory
period, at any dt.

**Assumptions** (ours). Everything that changes at the end of a step happens in this order: spikes,
resets and releases (with the current of the step that ends), then arrivals, then the drive of the
next step. The drive is not perturbed. An arrival while a neuron is held moves its current alone.
Perturbations are small against all gaps between events: an event does not change its place in the
order, and none is born or lost (that is what `perturbation` shows).

**Resets to zero alone.** Where a spike subtracts the threshold, a neuron may still be above it in
the next step and fire there because the step ended, not because it crossed the threshold: the
network in continuous time has no such spike, so there is nothing to differentiate. Such networks
are refused; `surrogate` and `perturbation` take them.

**Degenerate spikes.** Since the current is constant within a step, v rises at every crossing and
the slope is never <= 0; but it may be nearly 0, or be rounded to it where ``dt >> tau_mem``. A
slope below ``slope_floor`` thresholds per membrane time constant is raised to that, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.driven_lif import (
    Bool,
    DrivenLIF,
    Float,
    HeldInput,
    Int,
    LifArrays,
    LinearisedRun,
)
from hrsnn_lava.compiler.analysis.dynamics.exponent_options import ParticipationOptions
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.network import Network


@dataclass(frozen=True, eq=False)
class EventJacobian:
    """Derivative of one step, events at its end included; see the module.

    Attributes:
        lif: parameters of the network.
        keep, gain: (N,) factors of v and of i in v just before the events.
        fired: (S,) neurons that spike. lead: (S, 1), ``eps / dv``, seconds per unit of v.
        factor: (N,) of v in v after resets and releases.
        columns: what the spiking neurons send, CSC (N, S).
        rise: (N,) c where an arrival moves v, 0 while held. fall: (N,) kappa.
    """

    lif: LifArrays
    keep: Float
    gain: Float
    fired: Int
    lead: Float
    factor: Float
    columns: sparse.csc_matrix
    rise: Float
    fall: Float

    def times(self, tangent: Float) -> Float:
        """The product with tangent vectors (2N, k), of v and then of i."""
        n = self.keep.size
        result = np.empty_like(tangent)
        potential, current = result[:n], result[n:]
        np.multiply(tangent[:n], self.keep[:, None], out=potential)
        potential += self.gain[:, None] * tangent[n:]
        np.multiply(tangent[n:], self.lif.alpha[:, None], out=current)
        if not self.fired.size:
            potential *= self.factor[:, None]
            return result
        shift = self.columns @ (self.lead * potential[self.fired])
        potential *= self.factor[:, None]
        potential += self.rise[:, None] * shift
        current -= self.fall[:, None] * shift
        return result


class EventLIF(DrivenLIF):
    """Runs the float network and carries perturbations that move its spikes; see the module."""

    def __init__(
        self,
        network: Network,
        options: ParticipationOptions,
        rng: np.random.Generator,
        held: HeldInput | None = None,
        steps: int = 0,
    ) -> None:
        problems = [
            Problem(
                f"population {population.name!r}.reset",
                f"{population.reset!r}, with linearisation 'event'",
                "'zero': spikes that follow a subtraction cross no threshold",
                "use linearisation 'surrogate' or 'perturbation'",
            )
            for population in network.compute_populations
            if population.reset != "zero"
        ]
        raise_if(SpecError, "the network cannot be linearised", problems)
        super().__init__(network, options, rng, held, steps)
        lif = self.lif
        self._fall = (1.0 - lif.alpha) * lif.slope / lif.gain
        self._n_degenerate = 0

    def step(self) -> EventJacobian:
        """Advance the network by one step; the derivative of that step."""
        lif = self.lif
        current = self.advance()
        fired = np.flatnonzero(self.spikes)
        slope = self._slope(current, fired)
        held_next: Bool = (self.hold_left > 1) | (self.spikes & (lif.refractory > 0))
        factor = np.ones(current.size)
        released = self.held & ~held_next
        factor[released] = current[released] / lif.threshold[released]
        after = np.where(held_next, lif.threshold, current)[fired]
        factor[fired] = after / slope
        return EventJacobian(
            lif,
            np.where(self.held, 1.0, lif.beta),
            np.where(self.held, 0.0, lif.gain),
            fired,
            (1.0 / (slope * lif.slope[fired]))[:, None],
            factor,
            lif.columns[:, fired],
            np.where(held_next, 0.0, lif.slope),
            self._fall,
        )

    def _slope(self, current: Float, fired: Int) -> Float:
        """``I - v`` of the spiking neurons, (S,), not below its floor."""
        lif = self.lif
        slope = current[fired] - lif.leaks[fired] * self.v[fired]
        least = self._options.slope_floor * lif.threshold[fired]
        self._n_degenerate += int(np.count_nonzero(slope < least))
        values: Float = np.maximum(slope, least)
        return values

    def __call__(self, tangent: Float) -> Float:
        """Advance the network by one step; return the Jacobian times `tangent` (2N, k)."""
        return self.step().times(tangent)

    def record(self) -> LinearisedRun:
        """What the run met so far."""
        return LinearisedRun(
            "event",
            {"slope_floor": self._options.slope_floor},
            self.rate,
            self._n_spikes,
            self._n_degenerate,
            n_delayed=self.lif.n_delayed,
        )
