"""Do engines agree bit for bit? Runs a program on several, and names the first difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import PRE_TRACES
from hrsnn_lava.errors import ParityError, SpecError
from hrsnn_lava.fields import instance, listed
from hrsnn_lava.findings import Finding
from hrsnn_lava.notebook import brief
from hrsnn_lava.progress import Progress, part_of, silent
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import (
    PROBES,
    backend_of,
    check_run,
    require_backend,
    runnable,
)
from hrsnn_lava.sim_backends.runs.session import Session, told
from hrsnn_lava.trace import Origin, SpikeInput, Trace, split_trace

#: Engines that are compared unless others are named: those that can express every network.
DEFAULT = ("reference", "native", "lava")


@brief("backends", "steps", "mismatches", "first", "spikes")
@dataclass(frozen=True)
class Parity:
    """Result of a comparison.

    Attributes:
        backends: names, the first one is what the others are compared with.
        steps: length of the run.
        mismatches: spikes, potentials, currents, learned weights, tags and spike traces that
            differ, over all backends.
        first: the first difference in words, or None.
        compared: what was compared.
        spikes: number of spikes of the run.
        skipped: engines that could not run, with the reason.
        findings: what a user has to know of the run.
        origin: the network that ran, None where that is not known; a report takes none of another.
    """

    backends: tuple[str, ...]
    steps: int
    mismatches: int
    first: str | None = None
    compared: tuple[str, ...] = ("spikes", "v", "u")
    spikes: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    origin: Origin | None = field(default=None, compare=False, repr=False)

    def line(self) -> str:
        """One line for people."""
        sign = " = " if self.mismatches == 0 else " / "
        names = sign.join(backend_of(name).label for name in self.backends)
        text = f"parity: {names}, {self.steps} steps, {self.mismatches} mismatches"
        return text if self.first is None else f"{text}; first: {self.first}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a report."""
        return {
            "backends": list(self.backends),
            "steps": self.steps,
            "mismatches": self.mismatches,
            "first": self.first,
            "compared": list(self.compared),
            "spikes": self.spikes,
            "skipped": dict(self.skipped),
            "network_digest": None if self.origin is None else self.origin.digest,
        }

    def require(self) -> Parity:
        """Return self, or raise `ParityError` that names the first difference."""
        if self.mismatches:
            raise ParityError(self.line())
        return self


def obstacles(backends: Iterable[str] = DEFAULT) -> dict[str, str]:
    """Which of the engines cannot run here, and why; raises `SpecError` for an unknown one."""
    reasons = {name: backend_of(name).obstacle() for name in backends}
    return {name: reason for name, reason in reasons.items() if reason is not None}


class _Pair(NamedTuple):
    """Two runs with the names of their engines, and the network, where it is known."""

    first: Trace
    second: Trace
    names: tuple[str, str]
    network: QuantizedNetwork | None

    def values(self, arrays: tuple[Mapping[str, Any], Mapping[str, Any]], key: str, at: int) -> str:
        """The two values of one entry that differs, and when they were read."""
        a, b = (side[key][at] for side in arrays)
        return f"{self.names[0]} {a}, {self.names[1]} {b} after {self.first.n_steps} steps"


def compare(
    first: Trace, second: Trace, names: tuple[str, str], network: QuantizedNetwork | None = None
) -> tuple[int, str | None]:
    """Number of differing spikes, states, learned weights and traces, and the earliest in words.

    A message of another number of spikes differs as a spike does that one run alone has.

    Weights and spike traces are those of the end, and one that a run lacks differs; v and u are
    compared where both runs have them. With `network`, a differing synapse is named by its neurons
    and not by its place alone, a differing trace by its population too.
    """
    pair, n = _Pair(first, second, names, network), first.n_neurons
    keys = [t.spike_steps.astype(np.int64) * n + t.spike_neurons for t in (first, second)]
    single = np.setxor1d(keys[0], keys[1])
    total = int(single.size)
    differences: list[tuple[int, str]] = []
    if single.size:
        step, neuron = divmod(int(single[0]), n)
        who = names[0] if np.isin(single[0], keys[0]) else names[1]
        differences.append((step, f"step {step}, neuron {neuron}: a spike in {who} alone"))
    sent, numbers = _differing_payloads(first, second, keys)
    total += int(sent.size)
    if sent.size:
        step, neuron = divmod(int(sent[0]), n)
        values = f"{numbers[0]} spikes in {names[0]}, {numbers[1]} in {names[1]}"
        differences.append((step, f"step {step}, neuron {neuron}: {values}"))
    for probe in ("v", "u"):
        a, b = getattr(first, probe), getattr(second, probe)
        if a is None or b is None:
            continue
        places = np.argwhere(np.asarray(a) != np.asarray(b))
        total += len(places)
        if len(places):
            step, neuron = (int(k) for k in places[0])
            values = f"{names[0]} {a[step, neuron]}, {names[1]} {b[step, neuron]}"
            differences.append((step, f"step {step}, neuron {neuron}: {probe} is {values}"))
    for arrays, one in (
        ((first.weights, second.weights), _compare_weights),
        ((first.traces, second.traces), _compare_traces),
    ):
        for key in sorted({*arrays[0], *arrays[1]}):
            count, text = one(pair, key)
            total += count
            if text is not None:
                differences.append((first.n_steps, text))
    return total, min(differences)[1] if differences else None


def _differing_payloads(
    first: Trace, second: Trace, keys: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Messages that both runs have with different numbers of spikes, and those of the first one.

    Args:
        keys: of the messages of either, rising.
    """
    a, b = keys
    shared, of_first, of_second = np.intersect1d(a, b, assume_unique=True, return_indices=True)
    one, two = first.payload_values()[of_first], second.payload_values()[of_second]
    places = np.flatnonzero(one != two)
    numbers = (int(one[places[0]]), int(two[places[0]])) if places.size else (0, 0)
    return shared[places], numbers


def _differing(
    arrays: tuple[Mapping[str, Any], Mapping[str, Any]],
    key: str,
    names: tuple[str, str],
    words: tuple[str, str, str],
) -> tuple[int, int | None, str | None]:
    """How many values of one array differ, and the place of the first.

    No place where an array is missing or of another shape; a text in `words` says so then: what
    the other run did not do, the array's label, and what its values belong to.
    """
    absence, label, kind = words
    first, second = arrays
    for one, other, who in ((first, second, names[1]), (second, first, names[0])):
        if key not in other:
            return int(one[key].size) or 1, None, f"{absence} by {who}"
    a, b = first[key], second[key]
    if a.shape != b.shape:
        return max(a.size, b.size), None, f"{label}: {a.size} {kind} in {names[0]}, {b.size} else"
    places = np.flatnonzero(a != b)
    return int(places.size), int(places[0]) if places.size else None, None


def _compare_weights(pair: _Pair, key: str) -> tuple[int, str | None]:
    """The same for one entry of `Trace.weights`: ``PROJECTION`` or ``PROJECTION/tag_1``."""
    arrays = (pair.first.weights, pair.second.weights)
    words = (f"{key!r} was not learned", f"{key!r}", "synapses")
    count, synapse, text = _differing(arrays, key, pair.names, words)
    if synapse is None:
        return count, text
    tag = next((t for t in ("tag_1", "tag_2") if key.endswith(f"/{t}")), "")
    projection = key.removesuffix(f"/{tag}") if tag else key
    where = f"synapse {synapse}"
    if pair.network is not None:
        matrix = pair.network.projection(projection).weights
        row = int(np.searchsorted(matrix.indptr, synapse, side="right")) - 1
        where += f" (from neuron {matrix.indices[synapse]} to {row})"
    values = pair.values(arrays, key, synapse)
    return count, f"projection {projection!r}, {where}: {tag or 'weight'} is {values}"


def _compare_traces(pair: _Pair, key: str) -> tuple[int, str | None]:
    """The same for one entry of `Trace.traces`: ``PROJECTION/x1`` or ``PROJECTION/x1/PROFILE``."""
    arrays, label = (pair.first.traces, pair.second.traces), f"trace {key!r}"
    words = (f"{label} was not kept", label, "neurons")
    count, neuron, text = _differing(arrays, key, pair.names, words)
    if neuron is None:
        return count, text
    projection, name, profile = split_trace(key)
    which = name if profile is None else f"{name} of profile {profile}"
    side = "pre" if name in PRE_TRACES else "post"
    where = f"{side}synaptic neuron {neuron}"
    if pair.network is not None:
        where += f" of {getattr(pair.network.projection(projection), side)!r}"
    values = pair.values(arrays, key, neuron)
    return count, f"projection {projection!r}, {where}: trace {which} is {values}"


def verify_parity(
    network: Any,
    inputs: SpikeInput | None,
    steps: int | None = None,
    backends: Sequence[str] = DEFAULT,
    progress: Progress = silent,
    timeout_s: float | None = None,
) -> tuple[Parity, Trace]:
    """Run `network` on every engine; compare all that they did with the first one's.

    That is spikes, v, u, and in the end learned weights, tags and spike traces.

    Args:
        network: compiled or quantized.
        inputs: events, or None.
        steps: length of the run; None: the input's, see `simulate`.
        backends: names of two or more engines.
        progress: told an engine's name before it runs, and how far it is.
        timeout_s: limit for engines that have one, such as the child process of Lava.

    Returns:
        The result and the trace of the first engine, potentials included.

    Raises:
        SpecError: fewer than two engines, or an unknown one.
        CapacityError: an engine cannot express the network.
        BackendError: an engine is missing or failed.
    """
    several = listed("backends", backends, "names of two or more engines", SpecError)
    names = tuple(dict.fromkeys(instance("backends", name, str) for name in several))
    if len(names) < 2:
        raise SpecError(f"backends {', '.join(names) or 'none'}; name at least two of {DEFAULT}")
    integer = runnable(network)
    steps = check_run(integer, inputs, steps)[1]
    engines = [require_backend(name).within(timeout_s) for name in names]
    for engine in engines:  # before the others have run for nothing
        engine.check(integer)
    truth, total, first = None, 0, None
    for k, engine in enumerate(engines):
        text = f"verify: {engine.name}, {steps:,} steps"
        progress(text, k / len(engines))
        with Session(integer, backend=engine) as session:
            share = part_of(progress, k, len(engines))
            trace = session.quiet_run(inputs, steps, PROBES, session.telling(share, text, steps))
        truth = truth or trace
        if k:
            count, difference = compare(truth, trace, (names[0], engine.name), integer)
            total += count
            first = first or difference
    if truth is None:
        raise SpecError("no backend ran")
    ends = (
        f"{kind}/{key}" for kind in ("weights", "traces") for key in sorted(getattr(truth, kind))
    )
    compared = (*PROBES, *ends)
    truth = told(truth, integer)
    result = Parity(
        names,
        steps,
        total,
        first,
        compared,
        spikes=truth.n_spikes,
        findings=truth.findings,
        origin=truth.origin,
    )
    return result, truth
