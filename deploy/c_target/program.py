"""An integer network as the arrays that a C program is made of.

Synapses are blocks: one for each projection and delay, in columns by source, so that a step costs
what its spikes cost. Lava rounds the sum of a projection and delay down where the exponent is
negative, which a block keeps. Every weight fits a byte: the grid of a mixed sign has step 2 at
least, which goes into the exponent, and the other modes have one sign, which goes to the block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.csr import drives
from hrsnn_lava.errors import CapacityError, SpecError, Violation
from hrsnn_lava.integer_format import STATE_SHIFT, kept_of_current, kept_of_potential
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection, unit_counts
from hrsnn_lava.resets import any_several, steps_after_spike
from hrsnn_lava.sim_backends.base import runnable

__all__ = ["Block", "CProgram", "Part", "c_program"]

Int = NDArray[np.int32]
_BYTE = 256
_INT32_MAX = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Block:
    """Synapses of a projection with one delay, in columns by source.

    Attributes:
        delay: a spike of step t arrives in step t + 1 + delay.
        up: left shift of the sum of a step. down: right shift of that, in 32 bits, rounded down.
        sign: 0 for bytes in two's complement; 1 or -1 for magnitudes.
        graded: multiplied by the payload.
        from_input: the sources are channels of an input, and not neurons.
        first, sources: first source, and how many there are.
        row, n_rows: first target, and how many there are.
        starts: (sources + 1,) place of the first entry of each source.
        rows: (nnz,) target, from `row` on.
        weights: (nnz,) uint8.
    """

    delay: int
    up: int
    down: int
    sign: int
    graded: bool
    from_input: bool
    first: int
    sources: int
    row: int
    n_rows: int
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    weights: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Part:
    """A held input, in rows by neuron.

    Attributes:
        shift: of the sum.
        row, n_rows: first neuron, and how many there are.
        starts: (n_rows + 1,) place of the first entry of each.
        channels, weights: (nnz,).
    """

    shift: int
    row: int
    n_rows: int
    starts: NDArray[np.int64]
    channels: NDArray[np.int64]
    weights: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CProgram:
    """Everything that goes into the source; per-neuron arrays are (n_neurons,) int32.

    Attributes:
        network: that it is of.
        keep_u, keep_v: what a step leaves of u and v, in 1/4096.
        threshold: compared with v.
        bias_mant, bias_exp: of the biases.
        wait: steps for which a spike acts on v after its own.
        reset: what a spike does to v, by its place in `hrsnn_lava.resets.RESETS`.
        several: whether a neuron may send several spikes in a step.
        units: (n_inputs,) payload of a plain spike.
        blocks, parts: synapses and held inputs.
    """

    network: QuantizedNetwork
    keep_u: Int
    keep_v: Int
    threshold: Int
    bias_mant: Int
    bias_exp: Int
    wait: Int
    reset: Int
    units: Int
    blocks: tuple[Block, ...]
    parts: tuple[Part, ...]
    several: bool = False

    def past(self, from_input: bool) -> int:
        """Steps whose messages are kept, of neurons or of channels; 0 where none are sent."""
        delays = [block.delay for block in self.blocks if block.from_input == from_input]
        return max(delays) + 1 if delays else 0


def c_program(network: Any) -> CProgram:
    """The arrays of an integer network, compiled or not.

    Raises:
        CapacityError: a projection learns, or sends a third factor: there is no learning in C.
        NetworkError: the network contradicts itself.
        SpecError: there is no neuron.
    """
    integer = runnable(network)
    violations = [
        Violation(
            "fixed_weights",
            f"projection {p.name!r}",
            "learns" if p.learning is not None else "sends a third factor of learning",
            "fixed weights",
            "deploy what it has learned as fixed weights, or with --target lava",
        )
        for p in integer.projections
        if p.learning is not None or p.target == "factor"
    ]
    if violations:
        raise CapacityError(f"{integer.name!r} cannot run in C", violations=violations)
    if not integer.n_neurons:
        raise SpecError(f"{integer.name!r} has no neuron; allowed: one at least")
    codes = integer.reset_codes
    units = unit_counts(integer)
    blocks = tuple(
        block for p in integer.projections if p.target == "synapse" for block in _blocks(integer, p)
    )
    parts = tuple(
        Part(
            int(p.weight_exp),
            neurons.start,
            neurons.stop - neurons.start,
            p.weights.indptr.astype(np.int64),
            p.weights.indices.astype(np.int64) + channels.start,
            p.weights.data.astype(np.int64),
        )
        for p, channels, neurons in drives(integer)
        if p.n_synapses
    )
    return CProgram(
        integer,
        kept_of_current(integer.gather("du")).astype(np.int32),
        kept_of_potential(integer.gather("dv")).astype(np.int32),
        integer.gather("vth") << STATE_SHIFT,
        integer.gather("bias_mant"),
        integer.gather("bias_exp"),
        steps_after_spike(integer.gather("refractory"), codes),
        np.zeros(integer.n_neurons, dtype=np.int32) if codes is None else codes,
        np.ones(integer.n_inputs, dtype=np.int32) if units is None else units,
        blocks,
        parts,
        any_several(integer),
    )


def _blocks(network: QuantizedNetwork, projection: QuantizedProjection) -> Iterator[Block]:
    """One for each delay; synapses that are truncated to 0 are left out."""
    pre = network.population(projection.pre)
    matrix = projection.effective_weights().tocoo()
    delays = projection.delay_steps
    for delay in np.unique(delays[matrix.data != 0]).tolist():
        part = (delays == delay) & (matrix.data != 0)
        entries = (matrix.data[part].astype(np.int64), (matrix.row[part], matrix.col[part]))
        columns = sparse.csc_matrix(entries, shape=matrix.shape)
        columns.sort_indices()
        common, sign, weights = _bytes(columns.data)
        graded, exponent = projection.num_message_bits > 0, int(projection.weight_exp)
        up, down = common + max(exponent, 0), max(-exponent, 0)
        if not graded:  # the sum wraps with payloads alone, which is before it is shifted down
            up, down = up - min(up, down), down - min(up, down)
        yield Block(
            int(delay),
            up,
            down,
            sign,
            graded,
            pre.is_input,
            network.offset(projection.pre),
            pre.size,
            network.offset(projection.post),
            matrix.shape[0],
            columns.indptr.astype(np.int64),
            columns.indices.astype(np.int64),
            weights,
        )


def _bytes(weights: NDArray[np.int64]) -> tuple[int, int, NDArray[np.uint8]]:
    """Common power of two, sign (0: both), and what is left of every weight in a byte."""
    common = int(np.bitwise_or.reduce(np.abs(weights)))
    shift = (common & -common).bit_length() - 1
    small = weights >> shift
    low, high = int(small.min()), int(small.max())
    if low >= -_BYTE // 2 and high < _BYTE // 2:
        return shift, 0, (small & (_BYTE - 1)).astype(np.uint8)
    sign = 1 if low > 0 else -1
    magnitudes = sign * small
    if magnitudes.min() < 0 or magnitudes.max() >= _BYTE:
        raise AssertionError("weights of 8 bits fit a byte: `SignMode.limits` and its grid say so")
    return shift, sign, magnitudes.astype(np.uint8)
