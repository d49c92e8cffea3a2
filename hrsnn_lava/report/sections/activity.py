"""What the run did beside synaptic operations: spikes, updates, messages, hops."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from hrsnn_lava.report import plots
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain
from hrsnn_lava.report.section import Section, render

UPDATES = (
    "every neuron is updated in every step; an update is active where the potential, the current, "
    "what arrives or the bias is not 0"
)
#: The same where the run recorded neither counts nor states.
BOUND = (
    "every neuron is updated in every step, and all updates count as active: an upper bound, "
    "since the run recorded none of them; `report --recount`, in Python hl.count, runs it again "
    "and counts them"
)


def data(facts: Facts) -> Plain:
    """``activity``; null without a run."""
    counts, network = facts.counts, facts.compiled.network
    if counts is None:
        keys = ("steps", "spikes", "neuron_updates", "messages", "hops")
        return {"activity": dict.fromkeys(keys)}
    run, steps = counts.done, counts.steps
    rate = run.spikes / (network.n_neurons * steps) if steps else None
    return {
        "activity": {
            "steps": steps,
            "dt_s": network.dt,
            "spikes": run.spikes,
            "spikes_per_neuron_step": rate,
            "rate_hz": None if rate is None else rate / network.dt,
            "active_neurons": int(np.count_nonzero(run.spikes_of)),
            "input_events": run.input_events,
            "neuron_updates": run.neuron_updates,
            "neuron_updates_active": run.neuron_updates_active,
            "neuron_updates_inactive": run.neuron_updates_inactive,
            "updates_exact": run.updates_exact,
            "membrane_updates": run.membrane_updates,
            "messages": run.messages,
            "input_messages": run.input_messages,
            "messages_in": run.messages_in,
            "hops": None if run.hops_x is None or run.hops_y is None else run.hops_x + run.hops_y,
            "hops_x": run.hops_x,
            "hops_y": run.hops_y,
            "max_hops": run.max_hops,
            "chip_crossings": run.chip_crossings,
            "learning_updates": run.learning_updates,
            "wraps": None if run.wraps_of is None else int(run.wraps_of.sum()),
            "saturations": None if run.saturations_of is None else int(run.saturations_of.sum()),
            "convention": UPDATES if run.updates_exact else BOUND,
        }
    }


def html(report: Plain, facts: Facts) -> Markup:
    """Spikes by neuron and time, spikes per step, and the totals."""
    trace, network = facts.trace, facts.compiled.network
    if facts.counts is None:
        return Markup("")
    raster = rate = None
    if trace is not None:
        bands = [(p.name, p.size) for p in network.compute_populations]
        spikes = np.bincount(trace.spike_steps, minlength=trace.n_steps)
        raster = plots.raster(
            trace.spike_steps, trace.spike_neurons, trace.n_steps, bands, network.dt
        )
        rate = plots.over_time("Spikes per step", spikes, network.dt, "spikes", "p2")
    return render("activity.html.j2", report, raster=raster, rate=rate)


# the text has these figures among the synaptic operations
SECTION = Section("activity", "Activity", data, html=html)
