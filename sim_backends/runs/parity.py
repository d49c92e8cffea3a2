"""Do backends agree bit for bit? Runs a program on several, and names the first difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hrsnn_lava.chip_learning import PRE_TRACES
from hrsnn_lava.errors import ParityError, SpecError
from hrsnn_lava.quantized import QuantizedInput, QuantizedNetwork
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.base import Backend, as_quantized
from hrsnn_lava.trace import SpikeInput, Trace, split_trace

NAMES = ("reference", "native", "lava")
#: Those that run on request alone, since they cannot express every network.
OPTIONAL = ("lava-stock",)
#: What a line of a report calls a backend.
_LABELS = {"lava": "lava (fixed_pt)", "lava-stock": "lava-stock (fixed_pt)"}


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
    """

    backends: tuple[str, ...]
    steps: int
    mismatches: int
    first: str | None = None
    compared: tuple[str, ...] = ("spikes", "v", "u")
    spikes: int = 0
    skipped: dict[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """One line for people."""
        sign = " = " if self.mismatches == 0 else " / "
        names = sign.join(_LABELS.get(name, name) for name in self.backends)
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
        }

    def require(self) -> Parity:
        """Return self, or raise `ParityError` that names the first difference."""
        if self.mismatches:
            raise ParityError(self.line())
        return self


def backend(name: str, timeout_s: float | None = None) -> Backend:
    """The backend of that name.

    Raises:
        SpecError: no such backend.
        BackendMissingError: it cannot run here.
    """
    if name == "reference":
        from hrsnn_lava.sim_backends.reference.simulator import ReferenceBackend

        return ReferenceBackend()
    if name == "native":
        from hrsnn_lava.sim_backends.native.simulator import NativeBackend

        return NativeBackend()
    if name == "lava":
        from hrsnn_lava.sim_backends.lava.backend import LavaBackend

        return LavaBackend() if timeout_s is None else LavaBackend(timeout_s=timeout_s)
    if name == "lava-stock":
        from hrsnn_lava.sim_backends.lava.stock import LavaStockBackend

        return LavaStockBackend() if timeout_s is None else LavaStockBackend(timeout_s=timeout_s)
    raise SpecError(f"backend {name!r}; allowed: {', '.join((*NAMES, *OPTIONAL))}")


def random_input(network: QuantizedNetwork, steps: int, seed: int = 0) -> SpikeInput | None:
    """A seeded input that makes most of a network's inputs move.

    Channels with payloads get a normal value (sd 1.0 times their payload scale) every 20 steps,
    others a spike with probability 0.1 a step. None for a network without inputs.
    """
    if network.n_inputs == 0:
        return None
    rng = generator(seed, "random-input")
    at, who, values = [], [], []
    start, graded = 0, False
    for population in network.input_populations:
        scale = population.payload_scale if isinstance(population, QuantizedInput) else None
        if scale is not None:
            graded = True
            held = np.arange(0, steps, 20)
            step, channel = (
                a.ravel() for a in np.meshgrid(held, np.arange(population.size), indexing="ij")
            )
            value = np.rint(np.clip(rng.standard_normal(step.size), -4, 4) * scale)
        else:
            step, channel = np.nonzero(rng.random((steps, population.size)) < 0.1)
            value = np.ones(step.size)
        at.append(step)
        who.append(channel + start)
        values.append(value.astype(np.int64))
        start += population.size
    payloads = np.concatenate(values) if graded else None
    return SpikeInput(np.concatenate(at), np.concatenate(who), max(steps, 1), start, payloads)


def compare(
    first: Trace, second: Trace, names: tuple[str, str], network: QuantizedNetwork | None = None
) -> tuple[int, str | None]:
    """Number of differing spikes, states, learned weights and traces, and the earliest in words.

    Weights and spike traces are those of the end, and one that a run lacks differs; v and u are
    compared where both runs have them. With `network`, a differing synapse is named by its neurons
    and not by its place alone, a differing trace by its population too.
    """
    shape = (first.n_steps, first.n_neurons)
    keys = [
        trace.spike_steps.astype(np.int64) * shape[1] + trace.spike_neurons
        for trace in (first, second)
    ]
    only = np.setxor1d(keys[0], keys[1])
    total, found = int(only.size), []
    if only.size:
        step, neuron = divmod(int(only[0]), shape[1])
        who = names[0] if np.isin(only[0], keys[0]) else names[1]
        found.append((step, f"step {step}, neuron {neuron}: a spike in {who} alone"))
    for probe in ("v", "u"):
        a, b = getattr(first, probe), getattr(second, probe)
        if a is None or b is None:
            continue
        differs = np.asarray(a) != np.asarray(b)
        count = int(np.count_nonzero(differs))
        total += count
        if count:
            step, neuron = (int(k) for k in np.argwhere(differs)[0])
            values = f"{names[0]} {a[step, neuron]}, {names[1]} {b[step, neuron]}"
            found.append((step, f"step {step}, neuron {neuron}: {probe} is {values}"))
    for key in sorted({*first.weights, *second.weights}):
        count, text = _compare_weights(first, second, key, names, network)
        total += count
        if text is not None:
            found.append((first.n_steps, text))
    for key in sorted({*first.traces, *second.traces}):
        count, text = _compare_traces(first, second, key, names, network)
        total += count
        if text is not None:
            found.append((first.n_steps, text))
    return total, min(found)[1] if found else None


def _differing(
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    key: str,
    names: tuple[str, str],
    words: tuple[str, str, str],
) -> tuple[int, int | None, str | None]:
    """How many values of one array differ, and the place of the first.

    No place where an array is missing or of another shape; a text in `words` says so then: what
    the other run did not do, the array's label, and what its values belong to.
    """
    missing, label, kind = words
    for one, other, who in ((first, second, names[1]), (second, first, names[0])):
        if key not in other:
            return int(one[key].size) or 1, None, f"{missing} by {who}"
    a, b = first[key], second[key]
    if a.shape != b.shape:
        return max(a.size, b.size), None, f"{label}: {a.size} {kind} in {names[0]}, {b.size} else"
    places = np.flatnonzero(a != b)
    return int(places.size), int(places[0]) if places.size else None, None


def _compare_weights(
    first: Trace,
    second: Trace,
    key: str,
    names: tuple[str, str],
    network: QuantizedNetwork | None,
) -> tuple[int, str | None]:
    """The same for one entry of `Trace.weights`: ``PROJECTION`` or ``PROJECTION/tag_1``."""
    count, synapse, text = _differing(
        first.weights,
        second.weights,
        key,
        names,
        (f"{key!r} was not learned", f"{key!r}", "synapses"),
    )
    if synapse is None:
        return count, text
    a, b = first.weights[key], second.weights[key]
    tag = next((t for t in ("tag_1", "tag_2") if key.endswith(f"/{t}")), "")
    projection = key.removesuffix(f"/{tag}") if tag else key
    where = f"synapse {synapse}"
    if network is not None:
        matrix = network.projection(projection).weights
        row = int(np.searchsorted(matrix.indptr, synapse, side="right")) - 1
        where += f" (from neuron {matrix.indices[synapse]} to {row})"
    values = f"{names[0]} {a[synapse]}, {names[1]} {b[synapse]}"
    end = f"after {first.n_steps} steps"
    return (
        count,
        f"projection {projection!r}, {where}: {tag or 'weight'} is {values} {end}",
    )


def _compare_traces(
    first: Trace,
    second: Trace,
    key: str,
    names: tuple[str, str],
    network: QuantizedNetwork | None,
) -> tuple[int, str | None]:
    """The same for one entry of `Trace.traces`: ``PROJECTION/x1`` or ``PROJECTION/x1/PROFILE``."""
    label = f"trace {key!r}"
    count, neuron, text = _differing(
        first.traces, second.traces, key, names, (f"{label} was not kept", label, "neurons")
    )
    if neuron is None:
        return count, text
    a, b = first.traces[key], second.traces[key]
    projection, name, profile = split_trace(key)
    which = name if profile is None else f"{name} of profile {profile}"
    side = "pre" if name in PRE_TRACES else "post"
    where = f"{side}synaptic neuron {neuron}"
    if network is not None:
        where += f" of {getattr(network.projection(projection), side)!r}"
    values = f"{names[0]} {a[neuron]}, {names[1]} {b[neuron]}"
    end = f"after {first.n_steps} steps"
    return count, f"projection {projection!r}, {where}: trace {which} is {values} {end}"


def verify_parity(
    network: Any,
    inputs: SpikeInput | None,
    steps: int,
    backends: Sequence[str] = NAMES,
    progress: Callable[[str], None] = lambda _: None,
    timeout_s: float | None = None,
) -> tuple[Parity, Trace]:
    """Run `network` on every backend; compare all that they did with the first one's.

    That is spikes, v, u, and in the end learned weights, tags and spike traces.

    Args:
        network: compiled or quantized.
        inputs: events, or None.
        steps: length of the run, > 0.
        backends: two or more of `NAMES` and `OPTIONAL`.
        progress: called with a backend's name before it runs.
        timeout_s: limit for the Lava child process.

    Returns:
        The result and the trace of the first backend, potentials included.

    Raises:
        SpecError: fewer than two backends, or an unknown one.
        BackendError: a backend is missing or failed.
    """
    names = tuple(dict.fromkeys(backends))
    if len(names) < 2:
        raise SpecError(f"backends {', '.join(names) or 'none'}; name at least two of {NAMES}")
    runners = [backend(name, timeout_s) for name in names]
    integer = as_quantized(network)
    total, first, truth = 0, None, None
    for name, runner in zip(names, runners, strict=True):
        progress(name)
        trace = runner.run(integer, inputs, steps, ("spikes", "v", "u"))
        if truth is None:
            truth = trace
            continue
        count, difference = compare(truth, trace, (names[0], name), integer)
        total += count
        first = first or difference
    if truth is None:
        raise SpecError("no backend ran")
    weights, traces = sorted(truth.weights), sorted(truth.traces)
    ends = (*(f"weights/{key}" for key in weights), *(f"traces/{key}" for key in traces))
    compared = ("spikes", "v", "u", *ends)
    return Parity(names, steps, total, first, compared, spikes=truth.n_spikes), truth
