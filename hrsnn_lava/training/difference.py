"""How far an integer program is from the float network it was made of, on the same input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.csr import held_drive
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.fields import instance, real_values, whole_number
from hrsnn_lava.integer_format import DECAY_ONE, INT32, STATE_UNIT
from hrsnn_lava.metrics.spike_distance import spike_distance
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork, in_counts
from hrsnn_lava.resets import require_single_spikes
from hrsnn_lava.sim_backends.base import Backend, as_quantized, run_steps
from hrsnn_lava.sim_backends.floating.simulator import PlasticSimulator
from hrsnn_lava.sim_backends.runs.inputs import part_of
from hrsnn_lava.sim_backends.runs.session import simulate, told
from hrsnn_lava.trace import SpikeInput, Trace

__all__ = ["compare_float_fixed"]

Floats = NDArray[np.float64]
Int = NDArray[np.int32]


def compare_float_fixed(
    network: Network,
    integer: Any,
    inputs: Floats | SpikeInput | None,
    *,
    steps: int | None = None,
    steps_per_sample: int | None = 20,
    backend: str | Backend = "native",
) -> dict[str, Any]:
    """Run both networks from rest and compare spikes, potentials and learned weights.

    A recurrent network is chaotic, so single spikes part sooner or later; counts and rates are
    what can agree.

    Args:
        network: float. integer: `QuantizedNetwork` or `CompiledNetwork` made of it.
        inputs: (n, n_inputs) analog samples, each held for `steps_per_sample` steps; or events,
            whose payloads are those of the integer network, also where they are held; or None.
        steps: of the run; by default as many as the input has, or 1000 without one.
        steps_per_sample: also how often potentials are read; None for no samples but steps.
        backend: runs the integers.

    Returns:
        steps; spikes {float, integer}, and populations, the same by name; rate_ratio (integer /
        float); count_correlation (over
        neurons, None where nothing varies); count_error (sum |difference| / sum float), and
        count_error_by_chance, that of two runs of Poisson neurons at these rates;
        coincidence (share of float spikes that the integers send in the same step);
        first_difference (step of the first spike that differs, or None); potential_error (mean
        |difference| in thresholds, read every `steps_per_sample` steps); spike_distance (see
        `hrsnn_lava.metrics.spike_distance`, within half a sample); weights by projection that
        learns; network_digest of the integers; findings, what a user has to know of their run.

    Raises:
        SpecError: the networks differ in size, or the input is of the wrong kind.
    """
    instance("network", network, Network)
    quantized, longest = as_quantized(integer), (1, INT32[1])
    for either in (network, quantized):
        require_single_spikes(either, "the comparison of floats with integers")
    if steps_per_sample is None:
        steps_per_sample = 1
    steps_per_sample = whole_number("steps_per_sample", steps_per_sample, longest, error=SpecError)
    events = _events(network, quantized, inputs, steps_per_sample)
    if steps is not None or inputs is None:
        steps = run_steps(None, steps)
        events = (
            part_of(events, 0, steps) if events.n_steps >= steps else replace(events, n_steps=steps)
        )
    trace = told(simulate(quantized, events, events.n_steps, backend, ("spikes", "v")), quantized)
    simulator = PlasticSimulator(network)
    start = {p.name: simulator.weights(p.name) for p in network.projections}
    at, who, potential = _run_float(simulator, quantized, events, inputs, steps_per_sample)
    n = network.n_neurons
    counts = np.bincount(who, minlength=n), trace.counts()
    exact, fixed = (
        a.astype(np.int64) * n + b for a, b in ((at, who), (trace.spike_steps, trace.spike_neurons))
    )
    apart = np.setxor1d(exact, fixed)
    read_steps = np.minimum(np.arange(1, len(potential) + 1) * steps_per_sample, events.n_steps) - 1
    v = np.zeros((events.n_steps, n)) if trace.v is None else trace.v
    v = v[read_steps] / (float(STATE_UNIT) * quantized.gather("vth"))
    return {
        "steps": events.n_steps,
        "spikes": {"float": int(at.size), "integer": trace.n_spikes},
        "populations": _by_population(network, counts),
        "rate_ratio": trace.n_spikes / at.size if at.size else None,
        "count_correlation": _correlation(*counts),
        "count_error": float(np.abs(counts[1] - counts[0]).sum() / max(1, at.size)),
        "count_error_by_chance": _by_chance(counts, at.size),
        "coincidence": float(np.isin(exact, fixed).mean()) if at.size else None,
        "first_difference": int(apart[0] // n) if apart.size else None,
        "potential_error": float(np.abs(v - potential).mean()) if v.size else 0.0,
        "spike_distance": spike_distance(
            (at, who), (trace.spike_steps, trace.spike_neurons), n, max(steps_per_sample / 2, 1.0)
        ),
        "weights": _weights(network, quantized, simulator, trace, start),
        "network_digest": quantized.digest,
        "findings": [finding.to_dict() for finding in trace.findings],
    }


def _by_chance(counts: tuple[Any, Any], spikes: int) -> float:
    """`count_error` of two runs whose neurons fire at random at these rates (Poisson)."""
    mean = (counts[0] + counts[1]) / 2.0
    # of two Poisson counts of mean m, |difference| has the mean 2 sqrt(m / pi), m not small
    return float(np.minimum(2.0 * np.sqrt(mean / np.pi), 2.0 * mean).sum() / max(1, spikes))


def _by_population(network: Network, counts: tuple[Any, Any]) -> dict[str, dict[str, int]]:
    """Spikes of every population in floats and integers."""
    parts = {}
    for population in network.populations:
        if not population.is_input:
            first = network.offset(population.name)
            exact, fixed = (int(c[first : first + population.size].sum()) for c in counts)
            parts[population.name] = {"float": exact, "integer": fixed}
    return parts


def _held(network: Network) -> bool:
    """True when inputs are held currents; events alone when False."""
    return any(p.target == "bias" for p in network.projections)


def _events(
    network: Network,
    integer: QuantizedNetwork,
    inputs: Floats | SpikeInput | None,
    per_sample: int,
) -> SpikeInput:
    """The input of the integer network."""
    problems = []
    if (integer.n_neurons, integer.n_inputs) != (network.n_neurons, network.n_inputs):
        sizes = f"{integer.n_neurons} neurons, {integer.n_inputs} inputs"
        allowed = f"{network.n_neurons} and {network.n_inputs}, as the float network has"
        problems.append(Problem("integer", sizes, allowed))
    analog = inputs is not None and not isinstance(inputs, SpikeInput)
    if analog and not _held(network):
        problems.append(Problem("inputs", "analog samples", "events"))
    raise_if(SpecError, "the networks cannot be compared", problems)
    if inputs is None:
        return SpikeInput.empty(run_steps(None, None), network.n_inputs)
    if isinstance(inputs, SpikeInput):
        return inputs
    samples = real_values("inputs", inputs, error=SpecError)
    if samples.ndim != 2 or samples.shape[1] != network.n_inputs:
        allowed = f"(n_samples, {network.n_inputs})"
        raise SpecError(str(Problem("inputs", f"shape {samples.shape}", allowed)))
    return SpikeInput.held(np.rint(samples * _scales(integer)), per_sample)


def _scales(integer: QuantizedNetwork) -> Floats:
    """Payload counts per 1.0 of every channel, (n_inputs,)."""
    populations = integer.input_populations
    return np.repeat([p.payload_scale or 1.0 for p in populations], [p.size for p in populations])


def _run_float(
    simulator: PlasticSimulator,
    integer: QuantizedNetwork,
    events: SpikeInput,
    inputs: Floats | SpikeInput | None,
    per_sample: int,
) -> tuple[Int, Int, Floats]:
    """Steps and neurons of the spikes; v / v_threshold at the ends of samples, (n, n_neurons)."""
    threshold = simulator.network.gather("v_threshold")
    unit = 1.0 / _scales(integer)
    change, values = _held_values(simulator.network, integer, events, inputs, per_sample)
    reads = range(0, events.n_steps, per_sample)
    starts = np.unique(np.concatenate([reads, change[change < events.n_steps]]).astype(np.int64))
    bias = simulator.bias.copy()
    steps, neurons, potentials = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], []
    ends = np.append(starts, events.n_steps)[1:]
    for first, end in zip(starts, ends, strict=True):
        row = int(np.searchsorted(change, first, side="right")) - 1
        if row >= 0:
            simulator.bias = bias + held_drive(simulator.network, values[row])
        at, who = simulator.run_events(events, int(first), int(end - first), unit)
        steps.append(at + np.int32(first))
        neurons.append(who)
        if end % per_sample == 0 or end == events.n_steps:
            potentials.append(simulator.potential / threshold)
    shape = (len(potentials), threshold.size)
    return np.concatenate(steps), np.concatenate(neurons), np.reshape(potentials, shape)


def _held_values(
    network: Network,
    integer: QuantizedNetwork,
    events: SpikeInput,
    inputs: Floats | SpikeInput | None,
    per_sample: int,
) -> tuple[NDArray[Any], Floats]:
    """Steps (K,) at which held values change, and the values from then on, (K, n_inputs).

    Analog samples are taken as they are, not as the payloads round them.
    """
    if inputs is not None and not isinstance(inputs, SpikeInput):
        samples = np.asarray(inputs, dtype=np.float64)
        return np.arange(len(samples)) * per_sample, samples
    if not _held(network):
        return np.zeros(0, np.int64), np.zeros((0, network.n_inputs))
    change, payloads = in_counts(integer, events).held_values(events.n_steps)
    return change, payloads / _scales(integer)


def _correlation(a: NDArray[Any], b: NDArray[Any]) -> float | None:
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _weights(
    network: Network,
    integer: QuantizedNetwork,
    simulator: PlasticSimulator,
    trace: Trace,
    before: dict[str, Floats],
) -> dict[str, Any]:
    """Learned weights in float units: how far they are apart, and how far they have moved.

    The unit of an integer weight follows from the thresholds, ``vth = v_threshold S 4096 / dv``.
    """
    compared: dict[str, Any] = {}
    for projection in network.projections:
        fixed = integer.projection(projection.name)
        if projection.plasticity is None or projection.name not in trace.weights:
            continue
        post, pre = network.population(projection.post), integer.population(projection.pre)
        target = integer.population(projection.post)
        scale = np.mean(
            target.parameter("vth")
            * target.parameter("dv")
            / (DECAY_ONE * post.parameter("v_threshold"))
        )
        unit = 2.0**fixed.weight_exp / scale * (getattr(pre, "payload_scale", None) or 1.0)
        start, end = before[projection.name], simulator.weights(projection.name)
        learned = trace.weights[projection.name] * unit
        size = float(np.sqrt(np.mean(end**2))) or 1.0
        compared[projection.name] = {
            "rms_error": float(np.sqrt(np.mean((learned - end) ** 2))) / size,
            "mean_ratio": float(learned.sum() / end.sum()) if end.sum() else None,
            "correlation": _correlation(learned, end),
            "change_correlation": _correlation(learned - fixed.weights.data * unit, end - start),
        }
    return compared
