"""The flat arrays that the kernels read and write: synapses, events, and the state of a network.

The groups are named tuples in compiled code. On the way into it they go array by array, since
taking a named tuple apart costs the dispatcher half a microsecond a field: `kernels.grouped` puts
them together again. Integer and float networks share them; arrays of values are int32 for the one
and float64 for the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.integer_format import WEIGHT_MAX
from hrsnn_lava.resets import SUBTRACT_ALL
from hrsnn_lava.sim_backends.base import Program
from hrsnn_lava.trace import SpikeInput

Int = NDArray[np.int32]
#: Steps and neurons of spikes, (S,) each, sorted by step, then neuron.
Spikes = tuple[Int, Int]


class Synapses(NamedTuple):
    """Columns of all B blocks, one after the other.

    Attributes:
        delay, shift, graded: (B,): steps; 0, or right shift of the block's sum; multiply by the
            payload or add the weight.
        indptr: (B, n_sources + 1) int64, absolute positions in `targets` and `weights`.
        targets: (nnz,) uint16, uint32 above 65,536 neurons.
        weights: (nnz,) int8, int16 or float64; non-negative exponents are multiplied in.
    """

    delay: NDArray[np.int64]
    shift: NDArray[np.int64]
    graded: NDArray[np.bool_]
    indptr: NDArray[np.int64]
    targets: NDArray[Any]
    weights: NDArray[Any]


class Events(NamedTuple):
    """Input events of a stretch of steps: slices `ptr` (n_steps + 1,), sources and values (E,)."""

    ptr: NDArray[np.int64]
    source: Int
    value: NDArray[Any]

    @classmethod
    def none(cls, n_steps: int, kind: Any = np.int32) -> Events:
        """No events in `n_steps` steps."""
        empty = np.zeros(0, np.int32)
        return cls(np.zeros(n_steps + 1, np.int64), empty, empty.astype(kind))

    @classmethod
    def of(cls, inputs: SpikeInput, first: int, n_steps: int, n_neurons: int) -> Events:
        """The events of steps `first` to `first + n_steps`; inputs are sources from `n_neurons`."""
        edges = np.searchsorted(inputs.steps, np.arange(first, first + n_steps + 1))
        part = slice(edges[0], edges[-1])
        source = inputs.neurons[part] + np.int32(n_neurons)
        value = inputs.payload_values()[part]
        value = value if value.flags.writeable else value.copy()  # one kind of array, one kernel
        return cls((edges - edges[0]).astype(np.int64), source, value)


class Neurons(NamedTuple):
    """Parameters (n,): what a step leaves of u and v (integers: in 1/4096), threshold, steps and
    resets; the last two as of a `Program`.

    Kernels are compiled apart for `reset` None, so that networks that reset to 0 pay for no other.
    """

    keep_u: NDArray[Any]
    keep_v: NDArray[Any]
    threshold: NDArray[Any]
    refractory: Int
    reset: Int | None = None


class Drive(NamedTuple):
    """Biases of an integer network.

    Attributes:
        bias_exp: (n,).
        bias: (n,) int32, the shifted bias of the current step, updated at `starts`.
        starts, mantissas: row k of `mantissas` (K, n) holds from step ``starts[k]``, since rest.
    """

    bias_exp: Int
    bias: Int
    starts: NDArray[np.int64]
    mantissas: Int


class Potentials(NamedTuple):
    """Current, potential, and steps for which a spike still acts on the potential, (n,)."""

    u: NDArray[Any]
    v: NDArray[Any]
    waiting: Int


class Ring(NamedTuple):
    """What was sent in the last D steps: sources and values (D, n_sources), how many (D,)."""

    source: Int
    value: NDArray[Any]
    counts: NDArray[np.int64]


class Scratch(NamedTuple):
    """Of a step, (n,): what arrives, the sum of a block before its shift, who spiked.

    `wide` (2,): whether as much may arrive in a step as the current holds, and more than 32 bits
    hold in its unit; then `before` (n,) is the current before the step. `losses` (2, n): since it
    was cleared, how often the current wrapped, and in how many steps the potential was clipped at
    an end that matters: the lower one, and the upper one where a reset subtracts.

    The third of `wide` says whether sums may leave 32 bits in this call, which they do as Lava's
    do. Then `exact` (n,) is what arrives in a step without that, and `later` (n,) what learning
    synapses add to it in the next.
    """

    arriving: NDArray[Any]
    partial: NDArray[np.int64]
    spiked: NDArray[np.bool_]
    wide: NDArray[np.bool_]
    before: NDArray[Any]
    losses: NDArray[np.int64]
    exact: NDArray[np.int64]
    later: NDArray[np.int64]


class Run(NamedTuple):
    """All that a call of a kernel needs of a network beside what changes from call to call."""

    neurons: Neurons
    synapses: Synapses
    potentials: Potentials
    ring: Ring
    scratch: Scratch


class Out(NamedTuple):
    """What a call writes: step and neuron of every spike; v, u (n_steps, n), or (0, 0); how many
    spikes each is, or (0,) where no neuron sends more than one in a step."""

    step: Int
    neuron: Int
    v: NDArray[Any]
    u: NDArray[Any]
    value: NDArray[Any]


def most_that_arrives(program: Program) -> tuple[float, float]:
    """Largest sum of weights that may arrive at a neuron in a step, from synapses that count spikes
    and from those that multiply by the payload: these before a shift down, where they wrap."""
    totals = np.zeros((2, program.n_neurons))
    for block in program.blocks:
        sums = np.asarray(abs(block.weights.astype(np.float64)).sum(axis=1)).ravel()
        totals[int(block.graded)] += sums * _scale(block)
    for plastic in program.plastic:
        fan_in = np.bincount(plastic.rows, minlength=plastic.n_post)
        targets = slice(plastic.target, plastic.target + plastic.n_post)
        # before the first epoch weights may lie beyond what an epoch leaves
        largest = max(WEIGHT_MAX + 1, largest_magnitude(plastic.weights))
        totals[int(plastic.graded), targets] += fan_in * largest * _scale(plastic)
    plain, graded = totals.max(axis=1, initial=0.0)
    return float(plain), float(graded)


def _scale(part: Any) -> float:
    """What a block's or learning projection's sum is multiplied by, see `most_that_arrives`."""
    exponent = max(part.weight_exp, 0) if part.graded else part.weight_exp
    return float(2.0**exponent)


def largest_magnitude(values: NDArray[Any]) -> int:
    """Of integers; -2^31 has none in 32 bits."""
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))


def flatten(
    matrices: list[sparse.csc_matrix],
    delay: list[int],
    shift: list[int],
    graded: list[bool],
    shape: tuple[int, int],
) -> Synapses:
    """Concatenate CSC blocks of one shape (n_neurons, n_sources)."""
    n, n_sources = shape
    target_type = np.uint16 if n <= 2**16 else np.uint32
    base = np.cumsum([0, *(m.nnz for m in matrices)])
    indptr = np.zeros((len(matrices), n_sources + 1), dtype=np.int64)
    for b, matrix in enumerate(matrices):
        indptr[b] = matrix.indptr + base[b]
    targets = np.concatenate([np.zeros(0, dtype=np.int32), *(m.indices for m in matrices)])
    return Synapses(
        np.array(delay, dtype=np.int64),
        np.array(shift, dtype=np.int64),
        np.array(graded, dtype=np.bool_),
        indptr,
        targets.astype(target_type),
        np.concatenate([m.data for m in matrices]) if matrices else np.zeros(0, np.int8),
    )


def integer_synapses(program: Program) -> Synapses:
    """Fixed synapses of an integer program, in the narrowest weight type.

    A network that learns has int16 always: its kernels take longer to compile than to run.
    """
    matrices = []
    for block in program.blocks:
        folded = block.weights.copy()
        folded.data = folded.data << max(block.weight_exp, 0)
        matrices.append(folded)
    synapses = flatten(
        matrices,
        [block.delay for block in program.blocks],
        [max(-block.weight_exp, 0) for block in program.blocks],
        [block.graded for block in program.blocks],
        (program.n_neurons, program.n_neurons + program.n_inputs),
    )
    weights = synapses.weights
    narrow = weights.size == 0 or (weights.min() >= -128 and weights.max() <= 127)
    kind = np.int8 if narrow and not program.plastic else np.int16
    return synapses._replace(weights=weights.astype(kind))


class NetworkState:
    """A network with its state at rest, and the buffers of a call; both arithmetics share it.

    Args:
        neurons, synapses: of the network.
        n_inputs: input channels, which are sources after the neurons.
        past_steps: steps of history that some synapse still needs; one more than the layout's.

    Attributes:
        sent: (S,) how many spikes each of those of the last call is; None where all are one.
    """

    kind: Any = np.int32

    def __init__(
        self, neurons: Neurons, synapses: Synapses, n_inputs: int, past_steps: int = 0
    ) -> None:
        self._several = neurons.reset is not None and bool(np.any(neurons.reset == SUBTRACT_ALL))
        self.sent: NDArray[Any] | None = None
        self.n_neurons, self.n_inputs = n, _ = neurons.threshold.size, n_inputs
        # the largest delay, this step and the one before
        depth, n_sources = max(int(synapses.delay.max(initial=0)) + 2, past_steps), n + n_inputs
        self.run_arrays = Run(
            neurons,
            synapses,
            Potentials(np.zeros(n, self.kind), np.zeros(n, self.kind), np.zeros(n, np.int32)),
            Ring(
                np.zeros((depth, n_sources), np.int32),
                np.zeros((depth, n_sources), self.kind),
                np.zeros(depth, np.int64),
            ),
            Scratch(
                np.zeros(n, self.kind),
                np.zeros(n, np.int64),
                np.zeros(n, np.bool_),
                np.zeros(3, np.bool_),
                np.zeros(n, self.kind),
                np.zeros((2, n), np.int64),
                np.zeros(n, np.int64),
                np.zeros(n, np.int64),
            ),
        )
        self.arrays = tuple(array for group in self.run_arrays for array in group)
        self._spikes: Spikes = (np.zeros(0, np.int32), np.zeros(0, np.int32))
        self._unwanted = np.zeros((0, 0), dtype=self.kind)
        self._values = np.zeros(0, dtype=self.kind)
        self.time = 0

    def reset(self) -> None:
        """Return to rest at step 0."""
        for array in (*self.run_arrays.potentials, self.run_arrays.ring.counts):
            array[:] = 0
        self.time = 0

    def snapshot(self) -> tuple[Any, ...]:
        """A copy of the whole state, for `restore` of the same network."""
        run = self.run_arrays
        return (*(array.copy() for array in (*run.potentials, *run.ring)), self.time)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to a state that `snapshot` returned."""
        run = self.run_arrays
        arrays: tuple[NDArray[Any], ...] = (*run.potentials, *run.ring)
        for array, saved in zip(arrays, state[:-1], strict=True):
            array[:] = saved
        self.time = state[-1]

    def out(self, steps: int, v: NDArray[Any] | None, u: NDArray[Any] | None) -> Out:
        """Where a call of `steps` steps writes; `v` and `u` (steps, n) where states are wanted."""
        if self._spikes[0].size < steps * self.n_neurons:
            size = steps * self.n_neurons
            self._spikes = (np.empty(size, np.int32), np.empty(size, np.int32))
            if self._several:
                self._values = np.empty(size, self.kind)
        steps_of, neurons_of = self._spikes
        return Out(
            steps_of,
            neurons_of,
            self._unwanted if v is None else v,
            self._unwanted if u is None else u,
            self._values,
        )

    def written(self, count: int) -> Spikes:
        """The first `count` spikes that a call wrote, in arrays of their own; see `sent`."""
        steps, neurons = self._spikes
        self.sent = self._values[:count].copy() if self._several else None
        return steps[:count].copy(), neurons[:count].copy()
