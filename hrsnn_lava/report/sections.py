"""The parts of a report as plain data, one function each."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hrsnn_lava import __version__
from hrsnn_lava.budgets.quantities import FILLED
from hrsnn_lava.compiler.analysis.occupancy.utilization import Utilization
from hrsnn_lava.compiler.analysis.operations.activity import Activity
from hrsnn_lava.compiler.analysis.operations.counting import Counts
from hrsnn_lava.compiler.analysis.operations.synops import SynapticOperations
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.errors import Violation
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.trace import Trace

Plain = dict[str, Any]
#: What a synaptic operation is taken to be, word for word in every report.
CONVENTION = (
    "one operation is one spike meeting one synapse whose weight is not 0; inputs included, "
    "counted when sent, summed over all steps (NeuroBench Effective_ACs)"
)
UPDATES = (
    "every neuron is updated in every step; an update is active where the potential, the current, "
    "what arrives or the bias is not 0"
)
#: The same where neither counts nor states were recorded.
BOUND = (
    "every neuron is updated in every step, and all updates count as active: an upper bound, "
    "since the run recorded none of them"
)


def constraints(used: Utilization, profile: HardwareProfile) -> list[Plain]:
    """Use against limit of every resource, on the core that uses most; the tightest is marked."""
    units = {"cores": "core", **{r.name: r.unit for r in used.resources}}
    rows = [{**row, "unit": units[row["rule"]]} for row in used.constraints()]
    if profile.synapse_memory is None:  # no encoding is published, so no use can be counted
        for row in rows:
            if row["rule"] == "synapse_memory":
                row["used"] = row["worst_core"] = None
    shares = [row["fraction"] for row in rows if row["fraction"] is not None]
    tightest = max(shares, default=None)
    for row in rows:
        row["binding"] = row["fraction"] is not None and row["fraction"] == tightest
    return rows


def verdict(
    compiled: CompiledNetwork,
    rows: Sequence[Plain],
    violations: Sequence[Violation],
    parity: Mapping[str, Any] | None,
) -> Plain:
    """PASS or FAIL, one sentence of why, and every violation."""
    profile = compiled.profile.name
    cores = next(row for row in rows if row["rule"] == "cores")
    limit = "" if cores["limit"] is None else f" of {cores['limit']:,}"
    mismatches = (parity or {}).get("mismatches") or 0
    if violations:
        some = "rule is" if len(violations) == 1 else "rules are"
        text = f"does not fit {profile}: {len(violations)} design {some} broken"
        if mismatches:
            text += f"; backends disagree: {mismatches:,} mismatches"
    elif mismatches:
        text = f"fits {profile}, but backends disagree: {mismatches:,} mismatches"
    else:
        text = f"fits {profile} on {cores['used']:,}{limit} cores"
        known = [r for r in rows if r["fraction"] is not None and r["rule"] not in FILLED]
        tight = max(known, key=lambda r: float(r["fraction"]), default=None)
        if tight is not None:
            rule = tight["rule"].replace("_", " ")
            text += f"; tightest: {rule} on core {tight['worst_core']}, "
            text += f"{tight['used']:,} of {tight['limit']:,}"
    return {
        "verdict": "FAIL" if violations or mismatches else "PASS",
        "summary": text,
        "violations": [vars(v) for v in violations],
    }


def cores(
    compiled: CompiledNetwork,
    used: Utilization,
    ops: SynapticOperations | None,
    done: Activity | None,
) -> list[Plain]:
    """Per core its use of every resource, its tile, and what it did in the run."""
    network, placement = compiled.network, compiled.placement
    sizes = [p.size for p in network.compute_populations]
    population = np.repeat(np.arange(len(sizes)), sizes)
    groups = np.unique(np.stack([placement.core_of, population]), axis=1)[0]
    n_groups = np.bincount(groups, minlength=placement.n_cores)
    senders = np.unique(used.destinations.indices)
    senders = senders[senders < placement.core_of.size]
    mapped = np.bincount(placement.core_of[senders], minlength=placement.n_cores)
    rows = []
    for row in used.cores():
        core = row["core"]
        tile = None if placement.coordinates is None else placement.coordinates[core].tolist()
        extra: Plain = {
            "tile": tile,
            "neuron_groups": int(n_groups[core]),
            "axon_map": int(mapped[core]),
        }
        if compiled.profile.synapse_memory is None:  # no encoding is published
            extra["synapse_memory"] = None
        if done is not None and ops is not None:
            spikes = np.bincount(
                placement.core_of, weights=done.spikes_of, minlength=placement.n_cores
            )
            extra["spikes"] = int(spikes[core])
            extra["sops"] = None if ops.per_core is None else int(ops.per_core[core])
            extra["messages_in"] = int(done.messages_in_of[core])
            extra["messages_out"] = int(done.messages_out_of[core])
        rows.append({**row, **extra})
    return rows


def sop(
    ops: SynapticOperations | None,
    reference: float | Mapping[str, float] | None,
    samples: float | None,
) -> Plain:
    """Synaptic operations of the run, and their ratio to a reference run."""
    keys = ("total", "recurrent", "per_step", "per_step_max", "dense", "issued", "macs")
    if ops is None:
        return {**dict.fromkeys(keys), "per_projection": {}, "ratio": None}
    against: Plain = {}
    if isinstance(reference, Mapping):
        against = dict(reference)
    elif reference is not None:
        against = {"total": reference}
    projections = {
        p.name: {
            "kind": p.kind,
            "pre": p.pre,
            "post": p.post,
            "synapses": p.synapses,
            "events": p.events,
            "operations": p.operations,
            "issued": p.issued,
            "dense": p.dense,
        }
        for p in ops.projections
    }
    return {
        "total": ops.total,
        "recurrent": ops.recurrent,
        "per_step": ops.total / ops.steps if ops.steps else None,
        "per_step_max": ops.per_step_max,
        "per_sample": ops.total / samples if samples else None,
        "dense": ops.dense,
        "issued": ops.issued,
        "macs": ops.macs,
        "host_macs": ops.host_macs,
        "bias_writes": ops.bias_writes,
        "per_core": None if ops.per_core is None else ops.per_core.tolist(),
        "per_projection": projections,
        "reference": against or None,
        "ratio": _ratio(against.get("total"), ops.total),
        "ratio_recurrent": _ratio(against.get("recurrent"), ops.recurrent),
        "inputs_known": ops.inputs_known,
        "convention": CONVENTION,
    }


def _ratio(reference: float | None, own: int) -> float | None:
    return None if reference is None or not own else float(reference) / own


def activity_section(network: QuantizedNetwork, counts: Counts | None) -> Plain:
    """Spikes, updates, messages and hops of the run."""
    if counts is None:
        keys = ("steps", "spikes", "neuron_updates", "messages", "hops")
        return dict.fromkeys(keys)
    done, steps = counts.done, counts.steps
    hops = None if done.hops_x is None or done.hops_y is None else done.hops_x + done.hops_y
    rate = done.spikes / (network.n_neurons * steps) if steps else None
    return {
        "steps": steps,
        "dt_s": network.dt,
        "spikes": done.spikes,
        "spikes_per_neuron_step": rate,
        "rate_hz": None if rate is None else rate / network.dt,
        "active_neurons": int(np.count_nonzero(done.spikes_of)),
        "input_events": done.input_events,
        "neuron_updates": done.neuron_updates,
        "neuron_updates_active": done.neuron_updates_active,
        "neuron_updates_inactive": done.neuron_updates_inactive,
        "updates_exact": done.updates_exact,
        "membrane_updates": done.membrane_updates,
        "messages": done.messages,
        "input_messages": done.input_messages,
        "messages_in": done.messages_in,
        "hops": hops,
        "hops_x": done.hops_x,
        "hops_y": done.hops_y,
        "max_hops": done.max_hops,
        "learning_updates": done.learning_updates,
        "convention": UPDATES if done.updates_exact else BOUND,
    }


def provenance(
    compiled: CompiledNetwork,
    spec_digest: str | None,
    extra: Mapping[str, Any] | None,
    trace: Trace | None,
) -> Plain:
    """What produced the report; no time and no path, so that equal input gives equal bytes."""
    program = compiled.digest
    return {
        "program": "hrsnn-lava",
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seed": compiled.seed,
        "spec_digest": spec_digest,
        "profile_digest": compiled.profile.digest,
        "compiled_digest": program,
        "input_digest": _input_digest(trace),
        **(extra or {}),
    }


def _input_digest(trace: Trace | None) -> str | None:
    """SHA-256 of the events that drove the run, whatever the machine; None when not known."""
    if trace is None or trace.inputs is None:
        return None
    events = trace.inputs
    digest = hashlib.sha256(f"{events.n_steps} {events.n_neurons}".encode())
    for array in (events.steps, events.neurons, events.payloads):
        digest.update(b"none" if array is None else array.astype("<i8").tobytes())
    return digest.hexdigest()
