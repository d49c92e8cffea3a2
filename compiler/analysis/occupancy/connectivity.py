"""The synapses of an integer network by format, in global indices, ready for counting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.chip_learning import LearningRule, Trace
from hrsnn_lava.compiler.analysis.occupancy.fan_out import acting
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection

Int = NDArray[np.int64]
#: Fields of a neuron that make a compartment profile, and a threshold profile.
COMPARTMENT_FIELDS = ("du", "dv", "refractory")


@dataclass(frozen=True, order=True)
class SynapseFormat:
    """What all synapses of a list share; the index width is added per core.

    Attributes:
        weight_bits: as stated by the projection; storage rounds it up.
        weight_exp, sign_mode, learning: as stated by the projection.
        delay_bits: bits that the largest delay of the projection needs.
        rule: index of the learning rule in `Connectivity.rules`; -1 where nothing learns. A format
            names its rule on Loihi, so each rule has synapse lists of its own.
    """

    weight_bits: int
    weight_exp: int
    sign_mode: str
    delay_bits: int
    learning: bool
    rule: int = -1

    @staticmethod
    def of(projection: QuantizedProjection, rule: int = -1) -> SynapseFormat:
        """The format that the synapses of a projection with that rule need."""
        steps = projection.delay_steps
        return SynapseFormat(
            weight_bits=projection.num_weight_bits,
            weight_exp=projection.weight_exp,
            sign_mode=projection.sign_mode.value,
            delay_bits=int(steps.max(initial=0)).bit_length(),
            learning=projection.learning is not None,
            rule=rule,
        )


@dataclass(frozen=True, eq=False)
class Connectivity:
    """The synapses of a network by format, ready for counting.

    Attributes:
        formats: the F distinct formats.
        inbound: per format a CSR (n_neurons, n_sources); its data is the number of synapses
            between the two. Sources: neurons first, input channels after them.
        n_neurons, n_sources: sizes.
        parameters: (n_neurons, 4) int64, columns du, dv, refractory, vth.
        rules: the distinct learning rules, seeds of rounding aside.
    """

    formats: tuple[SynapseFormat, ...]
    inbound: tuple[sparse.csr_matrix, ...]
    n_neurons: int
    n_sources: int
    parameters: Int
    rules: tuple[LearningRule, ...] = ()

    @property
    def learns(self) -> bool:
        """True when some synapse learns."""
        return bool(self.rules)

    @cached_property
    def fan_in(self) -> Int:
        """Synapses onto every neuron, (n_neurons,)."""
        total = np.zeros(self.n_neurons, dtype=np.int64)
        for pattern in self.inbound:
            total += np.asarray(pattern.sum(axis=1)).ravel()
        return total

    @property
    def trace_settings(self) -> tuple[int, ...]:
        """Per format, which setting of the presynaptic traces it needs; -1 for none."""
        setting_of: dict[tuple[Trace, Trace], int] = {}
        traces = [(rule.x1, rule.x2) for rule in self.rules]
        numbers = [setting_of.setdefault(pair, len(setting_of)) for pair in traces]
        return tuple(-1 if form.rule < 0 else numbers[form.rule] for form in self.formats)

    @property
    def epochs(self) -> tuple[int, ...]:
        """Per format, the steps of its learning epoch; -1 where nothing learns."""
        return tuple(-1 if f.rule < 0 else self.rules[f.rule].t_epoch for f in self.formats)

    @staticmethod
    def of(network: QuantizedNetwork) -> Connectivity:
        """Collect the synapses of `network`; those of weight 0 that cannot learn are dropped."""
        n_neurons, n_sources = network.n_neurons, network.n_neurons + network.n_inputs
        collected: dict[SynapseFormat, sparse.csr_matrix] = {}
        rules: dict[LearningRule, int] = {}
        for projection in network.projections:
            if projection.target != "synapse" or not projection.n_synapses:
                continue
            for rule, mask in _by_rule(projection, rules):
                pattern = _pattern(network, projection, n_neurons, n_sources, mask)
                key = SynapseFormat.of(projection, rule)
                collected[key] = collected[key] + pattern if key in collected else pattern
        formats = tuple(sorted(collected))
        columns = [network.gather(field) for field in (*COMPARTMENT_FIELDS, "vth")]
        return Connectivity(
            formats=formats,
            inbound=tuple(collected[key] for key in formats),
            n_neurons=n_neurons,
            n_sources=n_sources,
            parameters=np.stack(columns, axis=1).astype(np.int64),
            rules=tuple(rules),
        )


def _by_rule(
    projection: QuantizedProjection, rules: dict[LearningRule, int]
) -> Iterator[tuple[int, NDArray[np.bool_] | None]]:
    """Index of each learning rule in use and its synapses, (nnz,); rules not yet in `rules` are
    added. One entry (-1, None) for a projection that does not learn."""
    learning = projection.learning
    if learning is None:
        yield -1, None
        return
    profile = learning.profile_of(projection.n_synapses)
    for k in learning.used_rules(projection.n_synapses):
        rule = replace(learning.rules[k], rng_seed=0)
        yield rules.setdefault(rule, len(rules)), profile == k


def _pattern(
    network: QuantizedNetwork,
    projection: QuantizedProjection,
    n_neurons: int,
    n_sources: int,
    mask: NDArray[np.bool_] | None = None,
) -> sparse.csr_matrix:
    """Ones at the synapses of a projection, in global indices (n_neurons, n_sources)."""
    weights = projection.effective_weights()
    row = network.offset(projection.post)
    column = network.offset(projection.pre)
    if network.population(projection.pre).is_input:
        column += n_neurons
    alive = acting(projection)
    if mask is not None:
        alive = alive * mask
    indptr = np.zeros(n_neurons + 1, dtype=np.int64)
    indptr[row + 1 : row + weights.shape[0] + 1] = np.diff(weights.indptr)
    pattern = sparse.csr_matrix(
        (alive.astype(np.int32), weights.indices + column, np.cumsum(indptr)),
        shape=(n_neurons, n_sources),
    )
    pattern.eliminate_zeros()
    return pattern
