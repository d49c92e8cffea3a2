"""The network as the chip sees it: integers only, with the semantics of Lava 0.10's fixed point.

One step of a neuron, all state int32 (Lava `proc/lif/models.py`, `PyLifModelBitAcc`)::

    u = wrap24(toward_zero(u (4095 - du) / 4096) + (a << 6))
    v = clip(toward_zero(v (4096 - dv) / 4096) + u + (bias_mant << bias_exp), +-(2^23 - 1))
    s = v > (vth << 6);  then v = 0, and v stays 0 in the next `refractory` steps (u goes on)

The other resets have no counterpart in Lava's LIF, and are ours (see `hrsnn_lava.resets`). What is
subtracted is the threshold that v was compared with; a sum wraps in int32, and is clipped last::

    subtract        s = v > (vth << 6);  then v = v - (vth << 6), which lies within the range
    subtract_next   v = clip(toward_zero(v (4096 - dv) / 4096) + u + (bias_mant << bias_exp)
                             - (vth << 6 where the neuron fired one step before))
    subtract_all    s = floor(v / (vth << 6)), at least 0;  then v = v - s (vth << 6); vth >= 1

The last is the number of spikes of one message, which its projections multiply their weights by:
they are graded (`num_message_bits` > 0), and in Lava a payload is what they get.

`a` sums what arrives: per projection and delay, ``(W @ spikes) << weight_exp`` (arithmetic
``>>`` of the sum where the exponent is negative), in int32 that wraps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hrsnn_lava.chip_learning import PER_SYNAPSE, Learning, LearningRule
from hrsnn_lava.csr import as_csr, drives, from_rows, rows_of, with_values
from hrsnn_lava.errors import NetworkError, Problem, SpecError
from hrsnn_lava.fields import (
    choice,
    is_positive,
    is_whole,
    locked,
    number,
    refusal,
    whole_values,
    wide,
)
from hrsnn_lava.findings import Finding
from hrsnn_lava.integer_format import (
    BIAS_WEIGHT_EXP_RANGE,
    DELAY_MAX,
    INT32,
    LEARNING_WEIGHT_RANGE,
    MESSAGE_BITS_MAX,
    NEURON_RANGES,
    SPIKE_COUNT_BITS,
    WEIGHT_BITS,
    WEIGHT_EXP_RANGE,
    WEIGHT_MAX,
    most_spikes,
    shift_sum,
    weight_grid,
)
from hrsnn_lava.network import (
    AnyPopulation,
    AnyProjection,
    Graph,
    Target,
    by_name,
    canonical_csr,
    closed,
    several_with_learning,
)
from hrsnn_lava.notebook import brief
from hrsnn_lava.resets import RESETS, Reset, refractory_problems, sends_several
from hrsnn_lava.third_factor import third_factor_problems
from hrsnn_lava.trace import SpikeInput

Int = NDArray[np.int32]


class SignMode(str, Enum):
    """Signs that the stored weights can have; it decides the grid they are on."""

    MIXED = "mixed"
    EXCITATORY = "excitatory"
    INHIBITORY = "inhibitory"

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest weight of 8 bits in this mode (Lava's `clip_weights`)."""
        if self is SignMode.MIXED:
            return -WEIGHT_MAX - 1, WEIGHT_MAX
        return (0, WEIGHT_MAX) if self is SignMode.EXCITATORY else (-WEIGHT_MAX, 0)

    def grid(self, num_weight_bits: int = WEIGHT_BITS) -> int:
        """Step between the weights that act, a power of two."""
        return weight_grid(num_weight_bits, self is SignMode.MIXED)


@dataclass(frozen=True, eq=False)
class QuantizedInput(AnyPopulation):
    """A population driven from outside.

    Attributes:
        name: unique in the network.
        size: number of channels.
        payload_scale: payload counts per 1.0 of an analog value; None for spikes without payload.
            A spike that a recording gives no payload is 1.0 on either.
    """

    name: str
    size: int
    payload_scale: float | None = None
    is_input = True

    def __post_init__(self) -> None:
        self._take_size()
        object.__setattr__(self, "payload_scale", number(self.payload_scale))

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with this population."""
        yield from self.size_problems()
        scale = self.payload_scale
        if scale is not None and not is_positive(scale):
            yield Problem(f"population {self.name!r}.payload_scale", f"{scale!r:.60}", "> 0")


@brief("name", "size", "du", "dv", "vth", "bias_mant", "refractory")
@dataclass(frozen=True, eq=False)
class QuantizedPopulation(AnyPopulation):
    """Neurons with integer parameters, each a scalar or one value per neuron (size,).

    Attributes:
        name, size: as in the float network.
        du, dv: decays of current and potential; `NEURON_RANGES` has the range of every field.
        vth: threshold mantissa; the potential is compared with ``vth << 6``.
        bias_mant, bias_exp: bias is ``bias_mant << bias_exp`` in units of the potential.
        refractory: steps for which the potential stays 0 after a spike.
        reset: what a spike does to the potential, as in the float network: ``zero``, ``subtract``,
            ``subtract_next`` or ``subtract_all``.
    """

    name: str
    size: int
    du: ArrayLike
    dv: ArrayLike
    vth: ArrayLike
    bias_mant: ArrayLike = 0
    bias_exp: ArrayLike = 0
    refractory: ArrayLike = 0
    reset: Reset = "zero"

    def __post_init__(self) -> None:
        sized = self._take_size()
        reset = choice(f"population {self.name!r}.reset", self.reset, RESETS)
        object.__setattr__(self, "reset", reset)
        for field in NEURON_RANGES:
            value = whole_values(f"population {self.name!r}.{field}", getattr(self, field))
            if value.ndim == 0 and sized:
                value = locked(np.full(self.size, value, dtype=np.int32))
            object.__setattr__(self, field, value)

    def parameter(self, field: str) -> Int:
        """One field as a (size,) int32 array."""
        values: Int = getattr(self, field)
        return values

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with this population."""
        where = f"population {self.name!r}"
        if wrong := list(self.size_problems()):
            yield from wrong
            return
        for field, (low, high) in NEURON_RANGES.items():
            values = self.parameter(field)
            if values.shape != (self.size,):
                yield Problem(f"{where}.{field}", f"shape {values.shape}", f"() or ({self.size},)")
                continue
            bad = np.flatnonzero((values < low) | (values > high))
            if bad.size:
                measured = f"{values[bad[0]]} at neuron {bad[0]} ({bad.size} in all)"
                yield Problem(f"{where}.{field}", measured, f"{low}..{high}")
        yield from refractory_problems(self, "steps")
        vth = self.parameter("vth")
        if self.reset == "subtract_all" and np.any(vth < 1):
            measured = f"{vth.min()} at neuron {int(np.argmin(vth))}, with reset 'subtract_all'"
            yield Problem(f"{where}.vth", measured, ">= 1: no potential holds it without end")

    @property
    def most_spikes(self) -> Int:
        """How many spikes a neuron can send in a step at most, (size,): v is below 2^23."""
        if self.reset != "subtract_all":
            return np.ones(self.size, dtype=np.int32)
        return most_spikes(self.parameter("vth"))


@brief("name", "pre", "post", "weights", "weight_exp", "sign_mode", "learning")
@dataclass(frozen=True, eq=False)
class QuantizedProjection(AnyProjection):
    """Integer synapses, with everything that decides their grid stated.

    Attributes:
        name, pre, post: as in the float network.
        weights: CSR int32 (n_post, n_pre); what acts is `effective_weights()`.
        weight_exp: exponent -7..7 applied to the sum of a step (``target="bias"``: -31..7).
        sign_mode: `SignMode` or its text.
        num_weight_bits: 1..8.
        delays: None (0), a scalar, or one int per stored weight (nnz,), in steps 0..62; a sparse
            matrix of the shape of `weights` is read at the places of the stored weights.
        learning: on-chip learning, or None; a single `LearningRule` is taken as one profile.
        num_message_bits: 0 for binary spikes, 1..32 for graded ones, of inputs and of neurons that
            may send several spikes in a step.
        target: ``"synapse"``, ``"bias"`` (inputs only, see `drive_schedule`), or ``"factor"``: what
            arrives is a trace of a three-factor rule, and no current (see `ThirdFactor`).
    """

    name: str
    pre: str
    post: str
    weights: sparse.csr_matrix
    weight_exp: int = 0
    sign_mode: SignMode = SignMode.MIXED
    num_weight_bits: int = WEIGHT_BITS
    delays: Any = None
    learning: Learning | None = None
    num_message_bits: int = 0
    target: Target = "synapse"
    targets: ClassVar[tuple[Target, ...]] = ("synapse", "bias", "factor")

    def __post_init__(self) -> None:
        where = f"projection {self.name!r}"
        self._take_target()
        if not isinstance(self.sign_mode, SignMode):
            choice(f"{where}.sign_mode", self.sign_mode, [mode.value for mode in SignMode])
            object.__setattr__(self, "sign_mode", SignMode(self.sign_mode))
        if isinstance(self.learning, LearningRule):
            object.__setattr__(self, "learning", Learning((self.learning,)))
        for field in ("weight_exp", "num_weight_bits", "num_message_bits"):
            object.__setattr__(self, field, number(getattr(self, field)))
        delays = self.delays
        if sparse.issparse(delays):
            matrix = as_csr(f"{where}.weights", self.weights, np.int32)
            delays = _aligned_delays(where, matrix, delays)
        elif delays is not None:
            delays = whole_values(f"{where}.delays", delays)
        if delays is not None and delays.ndim == 0 and delays == 0:
            delays = None
        if self.learning is None:
            weights, delays = canonical_csr(where, self.weights, delays, np.int32)
        elif not isinstance(self.learning, Learning):
            measured = type(self.learning).__name__
            raise refusal(f"{where}.learning", measured, "Learning, LearningRule or None")
        else:
            weights, learning = _canonical_learning(where, self.weights, self.learning)
            object.__setattr__(self, "learning", learning)
            delays = delays.item() if delays is not None and delays.ndim == 0 else delays
        self._take_weights(weights)
        object.__setattr__(self, "delays", delays)

    @property
    def delay_steps(self) -> Int:
        """Delay of every stored weight, (nnz,) int32."""
        zeros = np.zeros(self.n_synapses, dtype=np.int32)
        return zeros if self.delays is None else zeros + np.asarray(self.delays, dtype=np.int32)

    def effective_weights(self) -> sparse.csr_matrix:
        """The weights that act: clipped and truncated to the grid, as Lava does it once.

        MIXED floors to a multiple of ``2^k``, the one-signed modes round toward zero, with
        ``k = 8 - num_weight_bits + (1 if MIXED)`` (Lava `utils/weightutils.py`). The pattern is
        kept; weights that become 0 are stored as explicit zeros here. With learning these are the
        weights at the start, which Lava truncates but does not clip before the first epoch.
        """
        weights = self.weights.copy()
        if self.target == "bias":
            return weights  # applied by the host, which has no such grid
        data = weights.data
        if self.learning is None:
            data = np.clip(data, *self.sign_mode.limits)
        # x & -2^k clears k low bits, which in two's complement floors negative numbers too
        mask = -self.sign_mode.grid(self.num_weight_bits)
        data = -(-data & mask) if self.sign_mode is SignMode.INHIBITORY else data & mask
        weights.data = data.astype(np.int32)
        return weights

    def plastic_synapses(self) -> NDArray[np.bool_]:
        """Which stored weights learn, (nnz,); see `Learning.plastic_zeros`."""
        if self.learning is None:
            return np.zeros(self.n_synapses, dtype=np.bool_)
        if self.learning.plastic_zeros:
            return np.ones(self.n_synapses, dtype=np.bool_)
        alive: NDArray[np.bool_] = self.effective_weights().data != 0
        return alive

    def problems(self, populations: Mapping[str, AnyPopulation]) -> Iterator[Problem]:
        """Everything that is wrong with this projection, given the populations by name."""
        where = f"projection {self.name!r}"
        yield from self.connection_problems(populations)
        low, high = BIAS_WEIGHT_EXP_RANGE if self.target == "bias" else WEIGHT_EXP_RANGE
        fields = [
            ("weight_exp", self.weight_exp, low, high),
            ("num_weight_bits", self.num_weight_bits, 1, WEIGHT_BITS),
            ("num_message_bits", self.num_message_bits, 0, MESSAGE_BITS_MAX),
        ]
        if self.n_synapses and self.delays is not None:
            steps = self.delay_steps
            worst = steps.max() if steps.max() > DELAY_MAX else steps.min()
            fields.append(("delays", int(worst), 0, DELAY_MAX))
        for field, value, low, high in fields:
            if not is_whole(value):
                yield Problem(f"{where}.{field}", repr(value), f"a whole number in {low}..{high}")
            elif not low <= value <= high:
                yield Problem(f"{where}.{field}", str(value), f"{low}..{high}")
        if self.learning is not None:
            yield from self.learning.problems(f"{where}.learning", self.n_synapses)
            data = self.weights.data
            low, high = LEARNING_WEIGHT_RANGE
            if data.size and (data.min() < low or data.max() > high):
                measured = f"{data.min()}..{data.max()}, with learning"
                yield Problem(f"{where}.weights", measured, f"{low}..{high}", "clip them first")
            if self.delays is not None or self.target != "synapse":
                clash = "delays" if self.delays is not None else f"target {self.target}"
                yield Problem(f"{where}.learning", f"with {clash}", "plain synapses only")
            yield from several_with_learning(self, "learning", populations)
        pre = by_name(populations, self.pre)
        if pre is not None and not pre.is_input and is_whole(self.num_message_bits):
            yield from self._message_problems(pre)

    def _message_problems(self, pre: Any) -> Iterator[Problem]:
        """Payloads of neurons that send none, and room for those of neurons that do."""
        where, bits = f"projection {self.name!r}.num_message_bits", self.num_message_bits
        if not sends_several(pre):
            if bits:
                measured = f"{bits}, from neurons of {self.pre!r}"
                yield Problem(where, measured, "0: these neurons send binary spikes")
            return
        most = int(pre.most_spikes.max(initial=1)) if pre.parameter("vth").size else 1
        if bits < most.bit_length():
            yield Problem(
                where,
                f"{bits}, from {self.pre!r}, which sends up to {most} spikes in a step",
                f"{most.bit_length()}..{MESSAGE_BITS_MAX}",
            )


def _canonical_learning(
    where: str, matrix: Any, learning: Learning
) -> tuple[sparse.csr_matrix, Learning]:
    """`canonical_csr` for weights that learn, with profile and tags in the order of the weights.

    Stored zeros stay if they learn (`Learning.plastic_zeros`), otherwise they go. Duplicates are
    refused, since they could carry different tags.
    """
    csr = as_csr(f"{where}.weights", matrix, np.int32)
    rows = rows_of(csr)
    order = np.lexsort((csr.indices, rows))
    rows, cols = rows[order], csr.indices[order]
    data = whole_values(f"{where}.weights", csr.data)[order]
    if np.any((np.diff(rows) == 0) & (np.diff(cols) == 0)):
        raise NetworkError(f"{where}: two weights for one pair of neurons, with learning")
    keep = np.ones(data.size, dtype=np.bool_) if learning.plastic_zeros else data != 0
    for field in PER_SYNAPSE:
        value = getattr(learning, field)
        if value is not None and np.ndim(value) > 0 and np.shape(value) != data.shape:
            allowed = f"one per stored weight ({data.size},)"
            raise refusal(f"{where}.learning.{field}", f"shape {np.shape(value)}", allowed)
    weights = from_rows(rows[keep], cols[keep], data[keep], csr.shape)
    for array in (weights.data, weights.indices, weights.indptr):
        locked(array)
    return closed(weights), learning.select(order[keep])


def _aligned_delays(where: str, weights: sparse.csr_matrix, delays: sparse.spmatrix) -> Int:
    """Delays given as a matrix, read at the places of the stored weights, (nnz,)."""
    matrix = as_csr(f"{where}.delays", delays, np.int32)
    if matrix.shape != weights.shape:
        raise refusal(f"{where}.delays", f"shape {matrix.shape}", f"{weights.shape}")
    matrix = with_values(matrix, wide(whole_values(f"{where}.delays", matrix.data)))
    picked = np.asarray(matrix[rows_of(weights), weights.indices]).ravel()
    return whole_values(f"{where}.delays", picked)


@brief("name", "n_neurons", "n_inputs", "n_synapses", "populations", "projections", "dt")
@dataclass(frozen=True, eq=False)
class QuantizedNetwork(Graph[QuantizedInput, QuantizedPopulation, QuantizedProjection]):
    """Populations and projections in integers; `dt` in seconds is kept for reports.

    `findings` are what a user has to know of how it was made. They go with it into files and
    programs, and are no part of its digest: the integers are the same.
    """

    stage: ClassVar[str] = "quantized"
    population_types = (QuantizedInput, QuantizedPopulation)
    projection_types = (QuantizedProjection,)

    populations: tuple[QuantizedPopulation | QuantizedInput, ...]
    projections: tuple[QuantizedProjection, ...] = ()
    name: str = "network"
    dt: float = 1e-3
    findings: tuple[Finding, ...] = ()

    def with_resets(self, resets: Mapping[str, Reset]) -> QuantizedNetwork:
        """A copy in which populations have other resets, by name.

        Projections of those that may send several spikes in a step get room for their number, and
        those of others send spikes without payloads.
        """
        populations = [
            replace(p, reset=resets[p.name])
            if isinstance(p, QuantizedPopulation) and p.name in resets
            else p
            for p in self.populations
        ]
        several = {p.name for p in populations if sends_several(p)}
        bits = {name: SPIKE_COUNT_BITS if name in several else 0 for name in resets}
        projections = [
            replace(p, num_message_bits=bits[p.pre])
            if bool(p.num_message_bits) != bool(bits.get(p.pre, p.num_message_bits))
            else p
            for p in self.projections
        ]
        return replace(self, populations=tuple(populations), projections=tuple(projections))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the integers, worked out once."""
        if self.findings:
            return replace(self, findings=()).digest
        whole: str = super().digest
        return whole

    def part_problems(
        self, populations: Mapping[str, QuantizedInput | QuantizedPopulation]
    ) -> Iterator[Problem]:
        """What is wrong with any population or projection."""
        for population in self.populations:
            yield from population.problems()
        for projection in self.projections:
            yield from projection.problems(populations)
        yield from third_factor_problems(self)


def learning_problems(network: QuantizedNetwork) -> Iterator[Problem]:
    """Learning that K connections of Lava, one for each profile, could not do."""
    for projection in network.projections:
        learning = projection.learning
        if learning is None or projection.weight_exp >= 0:
            continue
        n_profiles = len(learning.used_rules(projection.n_synapses))
        if n_profiles > 1:
            yield Problem(
                f"projection {projection.name!r}.weight_exp",
                f"{projection.weight_exp} with {n_profiles} learning profiles",
                ">= 0: each profile is a connection of its own, whose sum would be rounded down "
                "apart",
                "set weight_exp to 0 or more, or use one profile",
            )


def unit_counts(network: QuantizedNetwork) -> Int | None:
    """Payload counts of a plain spike, one without a payload, on every channel, (n_inputs,).

    A spike is 1.0: `payload_scale` counts, rounded, on channels with values, and 1 on others. 0
    where the scale has no count for it. None where all are 1.
    """
    populations = network.input_populations
    if all(p.payload_scale is None for p in populations):
        return None
    scales = [1.0 if p.payload_scale is None else p.payload_scale for p in populations]
    counts = np.rint(np.minimum(scales, float(INT32[1]))).astype(np.int64)
    return np.repeat(counts, [p.size for p in populations]).astype(np.int32)


def in_counts(network: QuantizedNetwork, inputs: SpikeInput) -> SpikeInput:
    """The input as engines take it: plain spikes get their payloads, see `unit_counts`.

    Raises:
        SpecError: a plain spike on a channel whose scale has no count for 1.0.
    """
    units = None if inputs.payloads is not None else unit_counts(network)
    if units is None:
        return inputs
    payloads = units[inputs.neurons]
    if not payloads.all():
        channel = int(inputs.neurons[payloads == 0][0])
        raise SpecError(
            f"inputs: a spike without payload on channel {channel}, which is 1.0; allowed: "
            "payloads, since the channel's payload_scale rounds 1.0 to 0"
        )
    return replace(inputs, payloads=payloads)


class HeldInput:
    """What values held on the input channels make of the bias mantissas of a network::

        mantissa_i = clip(bias_mant_i + sum over projections of shift((W p)_i, weight_exp))

    with the clip to 13 bits, for the payloads p of ``target="bias"`` projections. Our definition:
    Lava has no such input, it corresponds to setting ``bias_mant`` between runs.
    """

    def __init__(self, network: QuantizedNetwork) -> None:
        self._base = network.gather("bias_mant").astype(np.int64)
        self._parts = [
            (projection.weights.astype(np.int64), channels, neurons, projection.weight_exp)
            for projection, channels, neurons in drives(network)
        ]

    def __bool__(self) -> bool:
        """True when the network has such projections."""
        return bool(self._parts)

    def totals(self, payloads: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sums before the clip, (n_neurons,), while the channels hold `payloads`."""
        total = self._base.copy()
        for matrix, channels, neurons, exponent in self._parts:
            total[neurons] += shift_sum(matrix @ payloads[channels], exponent)
        return total

    def mantissas(self, payloads: NDArray[np.int64]) -> Int:
        """Mantissas (n_neurons,) int32 while the channels hold `payloads` (n_inputs,)."""
        return np.clip(self.totals(payloads), *NEURON_RANGES["bias_mant"]).astype(np.int32)


def drive_schedule(
    network: QuantizedNetwork, inputs: SpikeInput | None, steps: int, held: Int | None = None
) -> tuple[Int, Int]:
    """Bias mantissas that the host writes, from the payloads sent to ``target="bias"``.

    A payload of a channel, sent in step s, is held from step s on; see `HeldInput`.

    Args:
        network, inputs, steps: of the run.
        held: (n_inputs,) what the channels hold from before, for a run that goes on; then row 0
            holds from step 0 on.

    Returns:
        change_steps (K,) int32, rising, and mantissas (K, n_neurons) int32: row k holds from
        ``change_steps[k]`` on. K = 0 when the network has no such projection, or when nothing is
        sent in a run from rest.
    """
    drive, n_inputs = HeldInput(network), network.n_inputs
    if not drive or (inputs is None and held is None):
        return np.zeros(0, np.int32), np.zeros((0, network.n_neurons), np.int32)
    sent = SpikeInput.empty(max(steps, 1), n_inputs) if inputs is None else inputs
    change, values = sent.held_values(steps, held)
    rows = np.empty((change.size, network.n_neurons), dtype=np.int32)
    for row, payloads in zip(rows, values, strict=True):
        row[:] = drive.mantissas(payloads)
    return change, rows
