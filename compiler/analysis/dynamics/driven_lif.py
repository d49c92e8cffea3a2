"""The float network in motion, for what follows perturbations of it: drive, state, one step.

The dynamics are those of the float engine, with neuron populations stacked in global order::

    i' = alpha i + W s              s: the spikes of the step before
    v' = beta v + (1 - beta) (bias + drive + i')    from v = 0 after a spike; 0 while held
    s' = v' > v_threshold

With resets by subtraction, v goes on from ``v - v_threshold`` after a spike (``subtract``), or
``v_threshold`` is taken off v' (``subtract_next``).

Delays are left out: every spike arrives one step later.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.exponent_options import ParticipationOptions
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.csr import drives, held_drive
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.fields import real_values
from hrsnn_lava.network import Network
from hrsnn_lava.resets import require_single_spikes

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Int = NDArray[np.int64]


def decay(dt: float, tau: Float) -> Float:
    """``exp(-dt / tau)`` for tau in seconds, 0 where tau is 0."""
    factors: Float = np.zeros_like(tau)
    np.divide(-dt, tau, out=factors, where=tau > 0)
    np.exp(factors, out=factors, where=tau > 0)
    return factors


@dataclass(frozen=True, eq=False)
class HeldInput:
    """Recorded input of a task, a row of values held for a block of steps.

    Attributes:
        values: (n_blocks, n_inputs), what the input channels hold; they act through projections
            with ``target="bias"``, as in the float simulator.
        block_steps: steps for which a row is held.
    """

    values: Float
    block_steps: int = 1

    def __post_init__(self) -> None:
        values = real_values("values", self.values, error=SpecError)
        object.__setattr__(self, "values", values)
        problems = []
        if values.ndim != 2 or not np.isfinite(values).all():
            measured = f"shape {values.shape} or not finite"
            problems.append(Problem("values", measured, "finite numbers (n_blocks, n_inputs)"))
        if isinstance(self.block_steps, bool) or not isinstance(
            self.block_steps, (int, np.integer)
        ):
            problems.append(Problem("block_steps", repr(self.block_steps), "an integer >= 1"))
        elif self.block_steps < 1:
            problems.append(Problem("block_steps", str(self.block_steps), ">= 1"))
        raise_if(SpecError, "the held input is not valid", problems)

    @property
    def steps(self) -> int:
        """Steps that the recording lasts."""
        return int(len(self.values) * self.block_steps)

    def currents(self, network: Network, steps: int) -> Float:
        """What every block adds to the biases, (n_blocks, n_neurons).

        Args:
            steps: that the network will run.

        Raises:
            SpecError: the recording is shorter than that, has another number of channels, or
                drives nothing.
        """
        problems = []
        if self.values.shape[1] != network.n_inputs:
            measured = f"{self.values.shape[1]} channels"
            allowed = f"{network.n_inputs}, as the network has"
            problems.append(Problem("held.values", measured, allowed))
        elif not any(True for _ in drives(network)):
            measured = "no projection of the network holds inputs"
            problems.append(Problem("held", measured, 'at least one with target="bias"'))
        if self.steps < steps:
            measured = f"{len(self.values)} blocks of {self.block_steps} steps"
            fix = "record more, or run fewer steps and a shorter transient"
            problems.append(Problem("held", measured, f">= {steps} steps in all", fix))
        raise_if(SpecError, "the network cannot be driven", problems)
        return held_drive(network, self.values)


@dataclass(frozen=True)
class LinearisedRun:
    """What a linearised run met.

    Attributes:
        mode: ``surrogate``, ``event`` or ``perturbation``.
        parameters: of that mode, by name.
        rate: mean spikes per neuron and step.
        n_spikes: of all neurons and steps, the transient included.
        n_degenerate: spikes of ``event`` whose slope at the threshold was raised to its floor.
        n_flips: spikes of ``perturbation`` that a shadow has and the run has not, or the reverse.
        n_delayed: recurrent synapses whose delay was left out.
    """

    mode: str
    parameters: dict[str, float | bool] = field(default_factory=dict)
    rate: float = 0.0
    n_spikes: int = 0
    n_degenerate: int = 0
    n_flips: int = 0
    n_delayed: int = 0


class Drive:
    """The current of every step that does not come from neurons.

    Args:
        network: whose biases count in.
        options: constant drive and noise.
        rng: draws the noise.
        held: recorded input, or None. steps: that will be asked for, where there is one.
    """

    def __init__(
        self,
        network: Network,
        options: ParticipationOptions,
        rng: np.random.Generator,
        held: HeldInput | None = None,
        steps: int = 0,
    ) -> None:
        self._bias = network.gather("bias") + options.drive
        self._level, self._rng, self._step = options.noise, rng, 0
        self._blocks = None if held is None else held.currents(network, steps)
        self._block_steps = 1 if held is None else held.block_steps

    def add_to(self, current: Float) -> Float:
        """Bias, drive, held input and noise of the next step plus `current`, (N,) or (N, m)."""
        wide = (slice(None), None) if current.ndim > 1 else slice(None)
        bias = self._bias
        if self._blocks is not None:
            bias = bias + self._blocks[self._step // self._block_steps]
        total: Float = bias[wide] + current
        if self._level:
            total = total + (self._level * self._rng.standard_normal(bias.size))[wide]
        self._step += 1
        return total


@dataclass(frozen=True, eq=False)
class LifArrays:
    """Parameters of all neurons by step, (N,) each, and the recurrent synapses.

    Attributes:
        alpha, beta: what a step leaves of the current and of the potential.
        gain: of a current that is held for a step: 1 - beta; 1 without a leak.
        threshold: of the potential.
        refractory: steps for which the potential is held at 0 after a spike.
        columns: W, CSC (N, N).
        slope: ``dv/dt`` in 1/s per unit of ``current - v``: 1 / tau_mem; 1 / dt without a leak.
        leaks: 1 where v takes part in that difference, 0 without a leak.
        n_delayed: synapses with a delay, which is left out.
        taken: what a spike takes off the potential at once, and `taken_next` in the next step; of
            neurons that are set to 0 neither.
        zeroed: whether a spike sets the potential to 0.
    """

    alpha: Float
    beta: Float
    gain: Float
    threshold: Float
    refractory: Int
    columns: sparse.csc_matrix
    slope: Float
    leaks: Float
    n_delayed: int
    taken: Float
    taken_next: Float
    zeroed: Bool

    @classmethod
    def of(cls, network: Network) -> LifArrays:
        """Those of a network.

        Raises:
            SpecError: neurons that may send several spikes in a step: how many is no derivative.
        """
        require_single_spikes(network, "the linearised dynamics")
        dt, tau_mem = network.dt, network.gather("tau_mem")
        beta, threshold = decay(dt, tau_mem), network.gather("v_threshold")
        resets = np.repeat(
            [p.reset for p in network.compute_populations],
            [p.size for p in network.compute_populations],
        )
        lossless = np.isinf(tau_mem)
        edges = recurrent_edges(network)
        delayed = 0
        for name in edges.names:
            projection = network.projection(name)
            delays = 0.0 if projection.delays is None else np.asarray(projection.delays)
            delayed += int(np.count_nonzero(np.broadcast_to(delays, projection.n_synapses)))
        return cls(
            decay(dt, network.gather("tau_syn")),
            beta,
            np.where(lossless, 1.0, 1.0 - beta),
            threshold,
            np.rint(network.gather("refractory") / dt).astype(np.int64),
            edges.matrix.tocsc(),
            1.0 / np.where(lossless, dt, tau_mem),
            np.where(lossless, 0.0, 1.0),
            delayed,
            np.where(resets == "subtract", threshold, 0.0),
            np.where(resets == "subtract_next", threshold, 0.0),
            resets == "zero",
        )

    def after_spikes(self, v: Float, spikes: Bool) -> Float:
        """Potentials (N,) or (N, m) that the next step starts from, of those before the resets."""
        wide = (slice(None), None) if v.ndim > 1 else slice(None)
        left = np.where(self.zeroed[wide], 0.0, v - self.taken[wide])
        after: Float = np.where(spikes, left, v)
        return after


class DrivenLIF:
    """A run of the float network, from rest.

    Attributes:
        lif: parameters.
        v: (N,) potentials at the end of the step, before the reset.
        spikes: (N,) whether v is above the threshold.
        held: (N,) whether v was held at 0 in this step.
        hold_left: (N,) steps for which it will be, this one included.
    """

    def __init__(
        self,
        network: Network,
        options: ParticipationOptions,
        rng: np.random.Generator,
        held: HeldInput | None = None,
        steps: int = 0,
    ) -> None:
        n = network.n_neurons
        self._options = options
        self.lif = LifArrays.of(network)
        self._drive = Drive(network, options, rng, held, steps)
        self.v, self._i = np.zeros(n), np.zeros(n)
        self.spikes = np.zeros(n, dtype=bool)
        self.held = np.zeros(n, dtype=bool)
        self.hold_left = np.zeros(n, dtype=np.int64)
        self._n_spikes, self._n_steps = 0, 0

    @property
    def rate(self) -> float:
        """Mean spikes per neuron and step so far."""
        return self._n_spikes / max(self._n_steps * self.v.size, 1)

    def advance(self) -> Float:
        """Run one step; the whole current that acted in it, (N,)."""
        lif = self.lif
        sources = np.flatnonzero(self.spikes)
        self._i = lif.alpha * self._i
        if sources.size:
            self._i += np.asarray(lif.columns[:, sources].sum(axis=1)).ravel()
        current = self._drive.add_to(self._i)
        v = lif.beta * lif.after_spikes(self.v, self.spikes) + lif.gain * current
        v -= np.where(self.spikes, lif.taken_next, 0.0)
        self.hold_left = np.where(self.spikes, lif.refractory, np.maximum(self.hold_left - 1, 0))
        self.held = self.hold_left > 0
        self.v = np.where(self.held, 0.0, v)
        self.spikes = self.v > lif.threshold
        self._n_spikes += int(np.count_nonzero(self.spikes))
        self._n_steps += 1
        return current
