"""What every backend offers, and the form of a network that `reference` and `native` run.

`lower` merges all projections into few event blocks: one CSC matrix per (delay, exponent) over
all sources (neurons first, then input channels), so a step is "for every source that sent
`delay + 1` steps ago, add its column". Merging keeps Lava's rounding: a negative exponent floors
the sum of one projection and delay, so only projections onto different neurons share such a block.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.quantized import QuantizedNetwork, drive_schedule, learning_problems
from hrsnn_lava.sim_backends.learning_program import Plastic, plastic_projections
from hrsnn_lava.trace import SpikeInput, Trace

Int = NDArray[np.int32]
PROBES = ("spikes", "v", "u")


class Backend(Protocol):
    """Runs a compiled or a plain integer network."""

    name: str

    def run(
        self,
        compiled: Any,
        inputs: SpikeInput | None,
        steps: int,
        probes: Collection[str] = ("spikes",),
    ) -> Trace:
        """Run `steps` steps from rest (u = v = 0).

        Args:
            compiled: `CompiledNetwork` or `QuantizedNetwork`.
            inputs: events for the input populations; None for none.
            steps: number of steps, >= 0; events after them are ignored.
            probes: any of ``spikes`` (always recorded), ``v``, ``u``.

        Raises:
            SpecError: unknown probe, inputs of another width than the network's, or learning with
                several profiles and a negative exponent.
            BackendError: the backend is missing or failed.
        """
        ...


@dataclass(frozen=True, eq=False)
class Block:
    """Synapses with one delay and one exponent, in columns by source.

    Attributes:
        weights: CSC int32 (n_neurons, n_neurons + n_inputs), on Lava's grid.
        delay: a spike of step t is added in step t + 1 + delay.
        weight_exp: applied to the sum of a step.
        graded: multiply by the payload (True) or add the weight (False).
    """

    weights: sparse.csc_matrix
    delay: int
    weight_exp: int
    graded: bool


@dataclass(frozen=True, eq=False)
class Program:
    """An integer network ready to run; all arrays (n_neurons,) int32 in global order.

    `blocks` hold the fixed synapses, `plastic` the projections that learn.
    """

    n_neurons: int
    n_inputs: int
    keep_u: Int  # 4096 - (du + 1), what remains of u, in 1/4096
    keep_v: Int  # 4096 - dv
    threshold: Int  # vth << 6
    bias_mant: Int
    bias_exp: Int
    refractory: Int
    blocks: tuple[Block, ...]
    plastic: tuple[Plastic, ...] = ()

    @property
    def max_delay(self) -> int:
        """Largest delay of any block."""
        return max((block.delay for block in self.blocks), default=0)


def as_quantized(network: Any) -> QuantizedNetwork:
    """The integer network of a `CompiledNetwork`, or the argument itself."""
    inner = getattr(network, "network", network)
    if not isinstance(inner, QuantizedNetwork):
        raise SpecError(
            f"cannot simulate a {type(network).__name__}: compile or quantize the network first"
        )
    return inner


def check_run(
    network: QuantizedNetwork, inputs: SpikeInput | None, steps: int, probes: Collection[str]
) -> SpikeInput:
    """Check the arguments of a run; return the inputs, empty ones for None."""
    problems = []
    if steps < 0:
        problems.append(Problem("steps", str(steps), ">= 0"))
    for probe in probes:
        if probe not in PROBES:
            problems.append(Problem("probes", repr(probe), ", ".join(PROBES)))
    if inputs is not None and inputs.n_neurons != network.n_inputs:
        problems.append(
            Problem("inputs", f"{inputs.n_neurons} channels", f"{network.n_inputs} (the network's)")
        )
    problems += learning_problems(network)
    raise_if(SpecError, "the run is not possible", problems)
    return SpikeInput.empty(max(steps, 1), network.n_inputs) if inputs is None else inputs


def lower(network: QuantizedNetwork) -> Program:
    """Merge an integer network into a `Program`."""
    n, n_in = network.n_neurons, network.n_inputs
    pieces: dict[tuple[int, int, bool, int], list[Any]] = {}
    for projection in network.projections:
        if projection.target != "synapse" or projection.learning is not None:
            continue
        pre = network.offset(projection.pre)
        if network.population(projection.pre).is_input:
            pre += n
        post = network.offset(projection.post)
        weights = projection.effective_weights().tocoo()
        graded = projection.num_message_bits > 0
        delays = projection.delay_steps
        for delay in np.unique(delays):
            mine = (delays == delay) & (weights.data != 0)
            entry = (weights.data[mine], weights.row[mine] + post, weights.col[mine] + pre)
            key = _free_slot(pieces, int(delay), projection.weight_exp, graded, projection.post)
            pieces.setdefault(key, []).append((projection.post, *entry))
    blocks = []
    for (delay, exponent, graded, _), parts in sorted(pieces.items()):
        data, rows, cols = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
        matrix = sparse.csc_matrix((data, (rows, cols)), shape=(n, n + n_in), dtype=np.int32)
        blocks.append(Block(matrix, delay, exponent, graded))
    return Program(
        n,
        n_in,
        keep_u=(4096 - (network.gather("du").astype(np.int64) + 1)).astype(np.int32),
        keep_v=(4096 - network.gather("dv").astype(np.int64)).astype(np.int32),
        threshold=network.gather("vth") << 6,
        bias_mant=network.gather("bias_mant"),
        bias_exp=network.gather("bias_exp"),
        refractory=network.gather("refractory"),
        blocks=tuple(blocks),
        plastic=plastic_projections(network),
    )


def _free_slot(
    pieces: dict[tuple[int, int, bool, int], list[Any]],
    delay: int,
    exponent: int,
    graded: bool,
    post: str,
) -> tuple[int, int, bool, int]:
    """Key of the block to join; with a negative exponent, one without `post` as yet."""
    slot = 0
    while exponent < 0 and any(
        p[0] == post for p in pieces.get((delay, exponent, graded, slot), ())
    ):
        slot += 1
    return (delay, exponent, graded, slot)


def bias_rows(
    network: QuantizedNetwork, inputs: SpikeInput, steps: int
) -> tuple[NDArray[np.int64], Int]:
    """Mantissas over time: row k of (K, n_neurons) holds from step ``starts[k]``; starts[0] = 0."""
    change, rows = drive_schedule(network, inputs, steps)
    if change.size and change[0] == 0:
        return change.astype(np.int64), rows
    base = network.gather("bias_mant")[None, :]
    return np.append(0, change).astype(np.int64), np.vstack([base, rows]).astype(np.int32)
