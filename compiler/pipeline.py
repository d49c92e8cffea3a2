"""Runs passes in order, verifies the network after each, and keeps a record of what it did.

`compile_network` is the whole way to a chip: prune and other float passes first, then quantize,
partition, palette, place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from hrsnn_lava.artifacts.container import plain
from hrsnn_lava.compiler.compiled import CompiledNetwork, PassRecord
from hrsnn_lava.compiler.passes.absorb_thresholds import AbsorbThresholds
from hrsnn_lava.compiler.passes.absorb_thresholds import finish as absorb_into_weights
from hrsnn_lava.compiler.passes.absorb_thresholds import plan as plan_thresholds
from hrsnn_lava.compiler.passes.lower_stdp import LowerSTDP
from hrsnn_lava.compiler.passes.palette import Palette
from hrsnn_lava.compiler.passes.partition import Partition
from hrsnn_lava.compiler.passes.place import Place
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.compiler.quantization.headroom import Observed
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork

Progress = Callable[[str], None]


class Pass(Protocol):
    """Network -> network, with a name. `apply` gives the report of what it did as well.

    A pass is a frozen dataclass; its fields are its options.
    """

    @property
    def name(self) -> str:
        """Shown in records and reports."""
        ...

    def apply(self, network: Any) -> tuple[Any, Mapping[str, Any]]:
        """The changed network and the report."""
        ...


def quiet(_: str) -> None:
    """Progress that says nothing."""


def counts(network: Any) -> dict[str, int]:
    """Sizes that a pass record shows."""
    return {"neurons": int(network.n_neurons), "synapses": int(network.n_synapses)}


def options_of(step: Any) -> dict[str, Any]:
    """The options of a pass, as a record shows them."""
    options = getattr(step, "options", None)
    if options is None and is_dataclass(step):
        options = asdict(step)  # type: ignore[arg-type]
    return dict(plain(options or {}))


def run_pass(network: Any, step: Pass) -> tuple[Any, PassRecord]:
    """Apply one pass to a valid network; the result is verified."""
    before, started = counts(network), time.perf_counter()
    changed, report = step.apply(network)
    changed.verify()
    seconds = time.perf_counter() - started
    record = PassRecord(
        step.name, options_of(step), before, counts(changed), seconds, plain(dict(report))
    )
    return changed, record


def run_passes(
    network: Any, passes: Sequence[Pass], progress: Progress = quiet
) -> tuple[Any, tuple[PassRecord, ...]]:
    """Apply `passes` in order; the network is valid before and after every one of them."""
    network.verify()
    records = []
    for step in passes:
        progress(step.name)
        network, record = run_pass(network, step)
        records.append(record)
    return network, tuple(records)


def compile_network(
    network: Network | QuantizedNetwork,
    profile: HardwareProfile,
    passes: Sequence[Pass] | None = None,
    *,
    weight_bits: int | None = None,
    stdp: LowerSTDP | None = None,
    quantize: Quantize | None = None,
    neurons_per_core: int | None = None,
    rates: Any = 1.0,
    input_rates: Any = 1.0,
    absorb: AbsorbThresholds | None = None,
    seed: int | None = None,
    progress: Progress = quiet,
) -> CompiledNetwork:
    """Compile a network for a chip.

    Args:
        network: float, or integer already (then `passes` must be empty).
        profile: the chip.
        passes: float passes that come first, such as pruning.
        weight_bits: 1..8, for a float network; None: what `quantize` says, 8 without it.
        stdp: how learning rules are lowered; the profile bounds the number of their profiles.
        quantize: further options of that pass. Rates that are arrays are its `observed` run
            unless it has one.
        neurons_per_core: upper bound; None lets the partition choose.
        rates: spikes per step of every neuron (n_neurons,), to weigh traffic; a scalar for all.
        input_rates: the same for the input channels.
        absorb: how thresholds that no table has room for go into the weights; None: as usual.
        seed: kept in the artifact.
        progress: called with the name of every pass before it runs.

    Returns:
        A verified `CompiledNetwork`.

    Raises:
        SpecError: the network cannot be expressed in the chip's integers.
        CapacityError: it does not fit; every violation is listed.
    """
    synapses_before = network.n_synapses
    records: tuple[PassRecord, ...] = ()
    if isinstance(network, QuantizedNetwork):
        if passes:
            raise SpecError("passes change float networks; this one is quantized already")
        integer: QuantizedNetwork = network.verify()
    else:
        step = quantize or Quantize()
        lowering = (stdp or step.stdp).for_chip(profile)
        bits = step.weight_bits if weight_bits is None else weight_bits
        network, records = run_passes(network, passes or (), progress)
        step = replace(step, weight_bits=bits, stdp=lowering)
        if step.observed is None:
            step = replace(step, observed=Observed.of_rates(rates, input_rates))
        integer, quantized = run_passes(network, [step], progress)
        records = (*records, *quantized)
    return place_network(
        integer,
        profile,
        records=records,
        neurons_per_core=neurons_per_core,
        rates=rates,
        input_rates=input_rates,
        absorb=absorb,
        seed=seed,
        synapses_before=synapses_before,
        progress=progress,
    )


def place_network(
    network: QuantizedNetwork,
    profile: HardwareProfile,
    *,
    records: tuple[PassRecord, ...] = (),
    neurons_per_core: int | None = None,
    rates: Any = 1.0,
    input_rates: Any = 1.0,
    absorb: AbsorbThresholds | None = None,
    seed: int | None = None,
    synapses_before: int | None = None,
    progress: Progress = quiet,
) -> CompiledNetwork:
    """Partition, palette, place: from integers to a program on a chip; see `compile_network`.

    Thresholds are planned before the partition and go into the weights after the palette.
    """
    network, canonical = run_pass(network, _Canonical())
    added = [canonical] if canonical.report["changed"] else []
    progress("partition")
    absorb = absorb or AbsorbThresholds()
    planned = plan_thresholds(network, profile, absorb, rates=rates, input_rates=input_rates)
    shown = network if planned is None else planned.network
    partition = Partition(
        profile, neurons_per_core, rates=rates, input_rates=input_rates, progress=progress
    )
    placement, cut = _timed(partition, shown, lambda: partition(shown))
    progress("palette")
    palette = Palette(profile, placement.core_of, rates)
    free = None if planned is None else planned.absorbed
    (snapped, report), snap = _timed(palette, shown, lambda: palette.snap(shown, free, network))
    fitted = [snap]
    if planned is not None:
        before = snapped
        (snapped, errors, absorbed), put_in = _timed(
            absorb, before, lambda: absorb_into_weights(planned, before, placement.core_of)
        )
        report = report.with_thresholds(errors)
        fitted.append(replace(put_in, after=counts(snapped), report=plain(absorbed)))
    fitted[0] = replace(snap, report=plain(report.to_dict()))
    progress("place")
    place = Place(profile, rates=rates, input_rates=input_rates, seed=seed or 0)
    placed, put = _timed(place, snapped, lambda: place(snapped, placement))
    cut = replace(cut, report=plain(placement.info))
    put = replace(put, report=plain({k: placed.info[k] for k in ("mapping",) if k in placed.info}))
    return CompiledNetwork(
        snapped,
        profile,
        placed,
        (*records, *added, cut, *fitted, put),
        seed,
        synapses_before=network.n_synapses if synapses_before is None else synapses_before,
    ).verify()


def _timed(step: Any, network: Any, call: Callable[[], Any]) -> tuple[Any, PassRecord]:
    size, started = counts(network), time.perf_counter()
    result = call()
    seconds = time.perf_counter() - started
    return result, PassRecord(step.name, options_of(step), size, size, seconds)


class _Canonical:
    """Replace weights by what acts (Lava's clip and truncation), so that the grid is explicit."""

    name = "canonical"

    def apply(self, network: QuantizedNetwork) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """The same network to the bit, with on-grid weights; counts what changed."""
        changed = 0
        for projection in network.projections:
            effective = projection.effective_weights()
            off = effective.data != projection.weights.data
            if not off.any():
                continue
            changed += int(off.sum())
            learning, delays = projection.learning, projection.delays
            keep = effective.data != 0
            if learning is not None:
                keep = projection.plastic_synapses()
                learning = learning.select(keep)
            if delays is not None and not isinstance(delays, int):
                delays = delays[keep]
            network = network.with_projection(
                replace(
                    projection, weights=_kept(effective, keep), delays=delays, learning=learning
                )
            )
        return network, {"changed": changed}


def _kept(weights: Any, keep: Any) -> Any:
    """The stored values of a CSR matrix for which `keep` (nnz,) is true, zeros included."""
    rows = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))[keep]
    starts = np.append(0, np.cumsum(np.bincount(rows, minlength=weights.shape[0])))
    parts = (weights.data[keep], weights.indices[keep], starts)
    return sparse.csr_matrix(parts, shape=weights.shape)
