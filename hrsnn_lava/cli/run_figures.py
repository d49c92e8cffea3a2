"""What ``simulate`` says of a run: figures added up over its pieces, and their table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hrsnn_lava.cli.console import columns

if TYPE_CHECKING:
    from hrsnn_lava.compiler.analysis.operations.counting import Counts
    from hrsnn_lava.quantized import QuantizedNetwork
    from hrsnn_lava.trace import Trace


def counts(network: Any, pieces: Iterable[Trace]) -> dict[str, Any]:
    """Spikes, events and operations of a run that comes in pieces."""
    from hrsnn_lava.compiler.analysis.operations.counting import Counting
    from hrsnn_lava.sim_backends.base import as_quantized

    integer = as_quantized(network)
    counting = Counting(integer, per_step=False)
    for trace in pieces:
        counting.add(trace)
    return figures(integer, counting.result())


def figures(network: QuantizedNetwork, counts: Counts) -> dict[str, Any]:
    """Spikes, events and operations of a run."""
    ops, done = counts.ops, counts.done
    neuron_steps = done.neuron_updates
    rate = done.spikes / neuron_steps if neuron_steps else 0.0
    return {
        "steps": counts.steps,
        "neurons": network.n_neurons,
        "spikes": done.spikes,
        "spikes_per_neuron_and_step": rate,
        "rate_hz": rate / network.dt,
        "silent_neurons": int((done.spikes_of == 0).sum()),
        "input_events": ops.input_events,
        "sop": {"total": ops.total, "recurrent": ops.recurrent},
        "macs": ops.macs,
        "host_macs": ops.host_macs,
    }


def extremes(blocks: Iterable[Any]) -> dict[str, int | None]:
    """Smallest and largest value of an array that comes in blocks."""
    ends = [(int(block.min()), int(block.max())) for block in blocks if block.size]
    if not ends:
        return {"min": None, "max": None}
    return {"min": min(low for low, _ in ends), "max": max(high for _, high in ends)}


def _span(data: Mapping[str, Any]) -> str:
    return f"{data['steps']:,}, after {data['first_step']:,} before"


def text(data: Mapping[str, Any]) -> str:
    """The table for people."""
    rows = [
        ("backend", data["backend"]),
        ("steps", data["steps"] if not data["first_step"] else _span(data)),
        ("neurons", f"{data['neurons']:,} ({data['silent_neurons']:,} silent)"),
        ("input events", data["input_events"]),
        ("spikes", data["spikes"]),
        (
            "rate",
            f"{data['spikes_per_neuron_and_step']:.4g} a neuron and step, {data['rate_hz']:.4g} Hz",
        ),
        (
            "synaptic operations",
            f"{data['sop']['total']:,} ({data['sop']['recurrent']:,} recurrent)",
        ),
    ]
    rows += [
        (label, data[key])
        for key, label in (("macs", "graded operations"), ("host_macs", "MACs of the host"))
        if data[key]
    ]
    rows += [
        (name, f"{s['min']:,} to {s['max']:,}")
        for name, s in data["states"].items()
        if s["min"] is not None
    ]
    rows += [
        (label, data[key])
        for key, label in (
            ("output", "written to"),
            ("counts", "counts written to"),
            ("state_out", "state written to"),
        )
        if data.get(key) is not None
    ]
    return columns(rows)
