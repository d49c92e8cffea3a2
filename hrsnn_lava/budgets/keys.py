"""The numbers of a ``report.json`` that a budget can be set on, by name or by path.

::

    max_sops=20000                                    a name of the table below
    max:sop.per_projection.exc_exc.operations=1000    any number of the report, dots between keys
    min:/comparison/0/vpt_0.1_steps_mean=5            the same as a JSON pointer (RFC 6901)

A report is read as plain data here, so that the gate needs nothing that made it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Any

Path = tuple[str, ...]
#: Tables that the compiler fills on purpose, and the cores: how full they are says nothing.
FILLED = (
    "cores",
    "compartment_profiles",
    "threshold_profiles",
    "trace_profiles",
    "learning_epochs",
)


@dataclass(frozen=True)
class Quantity:
    """A number of a report.

    Attributes:
        name: without ``max_`` or ``min_``.
        unit: of a budget, which is `scale` times the unit of the report.
        paths: where the report may have it; the first that is there is taken.
        scale: factor from the report's unit to `unit`.
        over: path of what it is divided by, such as the steps.
        worse: ``higher`` or ``lower``.
        per_run: it grows with the length of the run.
        text: what it is, for people.
    """

    name: str
    unit: str
    paths: tuple[Path, ...]
    text: str
    scale: float = 1.0
    over: Path | None = None
    worse: str = "higher"
    per_run: bool = False

    @property
    def budget(self) -> str:
        """Name of the usual budget, such as ``max_sops``."""
        return f"{'max' if self.worse == 'higher' else 'min'}_{self.name}"

    @property
    def where(self) -> str:
        """The path that is read, for messages."""
        text = " or ".join(".".join(path) for path in self.paths)
        return text if self.over is None else f"{text} / {'.'.join(self.over)}"


def _q(name: str, unit: str, path: str, text: str, **more: Any) -> Quantity:
    paths = tuple(tuple(p.split(".")) for p in path.split(" "))
    over = more.pop("over", None)
    return Quantity(name, unit, paths, text, over=over and tuple(over.split(".")), **more)


_STEPS, _SAMPLES = "activity.steps", "energy.samples"
_RUN = {"per_run": True}
_LOWER = {"worse": "lower"}
#: Not a path: the largest share of any limit of a core, see `core_fill`.
CORE_FILL: Path = ("constraints", "*", "fraction")
CORE_SOPS: Path = ("sop", "per_core", "*")

QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        _q("sops", "SOP", "sop.total", "synaptic operations of the run", **_RUN),
        _q("sops_per_step", "SOP", "sop.per_step", "synaptic operations a step, mean"),
        _q("sops_peak_step", "SOP", "sop.per_step_max", "synaptic operations of the busiest step"),
        _q("sops_per_inference", "SOP", "sop.per_sample", "synaptic operations a sample, mean"),
        _q("sops_worst_inference", "SOP", "per_sample.sops.max", "those of the dearest sample"),
        _q("sops_issued", "SOP", "sop.issued", "operations with weights of 0", **_RUN),
        _q("sops_busiest_core", "SOP", "sop.per_core.*", "operations of one core", **_RUN),
        _q("macs", "MAC", "sop.macs", "graded operations on the chip", **_RUN),
        _q("host_macs", "MAC", "sop.host_macs", "multiplications of the host", **_RUN),
        _q("energy_uj", "µJ", "energy.total_j", "energy of the run", scale=1e6, **_RUN),
        _q("energy_high_uj", "µJ", "energy.total_high_j", "the same, dearest", scale=1e6, **_RUN),
        _q("energy_uj_per_inference", "µJ", "energy.per_sample_j", "energy a sample", scale=1e6),
        _q(
            "energy_uj_worst_inference",
            "µJ",
            "per_sample.total_j.max",
            "energy of the dearest sample",
            scale=1e6,
        ),
        _q("energy_uj_per_step", "µJ", "energy.per_step_j", "energy a step", scale=1e6),
        _q(
            "dynamic_energy_uj",
            "µJ",
            "energy.dynamic_j",
            "energy without static power",
            scale=1e6,
            **_RUN,
        ),
        _q(
            "dynamic_energy_uj_per_inference",
            "µJ",
            "energy.dynamic_j",
            "the same a sample",
            scale=1e6,
            over=_SAMPLES,
        ),
        _q(
            "dynamic_energy_uj_per_step",
            "µJ",
            "energy.dynamic_j",
            "the same a step",
            scale=1e6,
            over=_STEPS,
        ),
        _q(
            "energy_pj_per_sop",
            "pJ",
            "energy.total_j",
            "energy over synaptic operations",
            scale=1e12,
            over="sop.total",
        ),
        _q("power_mw", "mW", "energy.total_j", "mean power", scale=1e3, over="energy.wall_time_s"),
        _q(
            "energy_delay_ujs",
            "µJ s",
            "timing.energy_delay_js",
            "energy times wall time",
            scale=1e6,
            **_RUN,
        ),
        _q("step_time_us", "µs", "timing.step_mean_s", "estimated time of a step", scale=1e6),
        _q("slowest_step_us", "µs", "timing.step_max_s", "that of the slowest step", scale=1e6),
        _q("cores", "core", "mapping.cores", "cores in use"),
        _q("chips", "chip", "mapping.chips", "chips in use"),
        _q("neurons", "neuron", "network.neurons", "neurons"),
        _q("synapses", "synapse", "network.synapses", "synapses"),
        _q("footprint_bytes", "byte", "neurobench.Footprint", "NeuroBench's footprint"),
        _q(
            "footprint_on_chip_bytes",
            "byte",
            "neurobench.footprint_on_chip_bytes",
            "weights, indices and neurons at their bit widths",
        ),
        _q(
            "core_fill_percent",
            "%",
            "constraints.*.fraction",
            "fullest resource of a core; tables that are filled on purpose left out",
            scale=100.0,
        ),
        _q("spikes", "spike", "activity.spikes", "spikes of the run", **_RUN),
        _q("spikes_per_step", "spike", "activity.spikes", "spikes a step", over=_STEPS),
        _q("spikes_per_inference", "spike", "activity.spikes", "spikes a sample", over=_SAMPLES),
        _q("rate_hz", "Hz", "activity.rate_hz", "mean rate of a neuron"),
        _q("messages", "message", "activity.messages", "one per spike and target core", **_RUN),
        _q("messages_per_step", "message", "activity.messages", "the same a step", over=_STEPS),
        _q(
            "inter_chip_messages_per_step",
            "message",
            "mapping.inter_chip_messages_per_step",
            "messages between chips a step",
        ),
        _q("hops", "hop", "activity.hops", "hops of all messages", **_RUN),
        _q("hops_per_step", "hop", "activity.hops", "the same a step", over=_STEPS),
        _q("mean_hops", "hop", "mapping.mean_hops", "hops of a message, mean"),
        _q("longest_hops", "hop", "activity.max_hops", "hops of the farthest message"),
        _q(
            "learning_updates",
            "update",
            "activity.learning_updates",
            "updates of learning synapses",
            **_RUN,
        ),
        _q("mismatches", "value", "parity.mismatches", "differences between backends"),
        _q(
            "rmse",
            "",
            "accuracy.rmse_pruned_integer accuracy.integer.rmse accuracy.rmse",
            "error of the integer network",
        ),
        _q("rmse_ratio", "", "accuracy.rmse_ratio_integer", "error of the integers over floats"),
        _q(
            "accuracy",
            "",
            "accuracy.accuracy_integer accuracy.integer.accuracy accuracy.accuracy",
            "score of the integer network, in the unit of the report",
            **_LOWER,
        ),
        _q("sop_ratio", "", "sop.ratio", "operations of the reference run over these", **_LOWER),
        _q("connection_sparsity", "", "neurobench.ConnectionSparsity", "absent synapses", **_LOWER),
        _q("activation_sparsity", "", "neurobench.ActivationSparsity", "silent steps", **_LOWER),
        _q(
            "throughput_steps_per_s",
            "step/s",
            "timing.throughput_steps_per_s",
            "estimated steps a second",
            **_LOWER,
        ),
    )
}
#: What one also says, mostly against a baseline.
ALIASES = {"energy": "energy_uj", "sop": "sops", "energy_per_step": "energy_uj_per_step"}
_BY_PATH = {q.paths[0]: q for q in QUANTITIES.values() if q.over is None}
#: Parts of a report whose numbers add up over the steps, and those of them that do not.
_ADD_UP = {"sop", "activity", "energy", "energy_by_cost_set", "timing"}
_MEANS = {
    "step",
    "sample",
    "second",
    "ratio",
    "rate",
    "mean",
    "max",
    "coefficient",
    "sop",
    "factor",
}
_FIXED = {"coefficient_j", "steps", "dt_s", "samples", "power_w", "chips", "synapses"}
_UNITS = {"j": "J", "s": "s", "w": "W", "hz": "Hz", "js": "J s"}


def parts(text: str) -> Path:
    """The keys of a path in dots, or of a JSON pointer.

    Raises:
        ValueError: an empty key, or an escape that RFC 6901 does not know.
    """
    if text.startswith("/"):
        keys = text[1:].split("/")
        if any("~" in key.replace("~0", "").replace("~1", "") for key in keys):
            raise ValueError("in a JSON pointer, ~ is written ~0 and / is written ~1")
        return tuple(key.replace("~1", "/").replace("~0", "~") for key in keys)
    keys = text.split(".")
    if not all(keys):
        raise ValueError("an empty key; names with dots need the form /a/b.c/d")
    return tuple(keys)


def of_path(path: Path) -> Quantity:
    """The number at a path, in the report's own unit; what no row knows is worse when higher."""
    units = [_UNITS.get(key.rpartition("_")[2], "") for key in reversed(path) if "_" in key]
    name, unit = ".".join(path), next((unit for unit in units if unit), "")
    if path in _BY_PATH:
        return replace(_BY_PATH[path], name=name, unit=unit, scale=1.0)
    words = [part for key in path[1:] for part in key.split("_")]
    adds = path[0] in _ADD_UP and path[-1] not in _FIXED and _MEANS.isdisjoint(words)
    return Quantity(name, unit, (path,), "a number of the report", per_run=adds)


def near(name: str) -> str:
    """Known names close to `name`, or all of them."""
    known = [q.budget for q in QUANTITIES.values()]
    bare = name.removeprefix("max_").removeprefix("min_")
    found = difflib.get_close_matches(bare, QUANTITIES, n=3, cutoff=0.5)
    names = [QUANTITIES[f].budget for f in found]
    if names:
        return f"did you mean {' or '.join(names)}?"
    return f"one of {', '.join(known)}, or max:PATH and min:PATH"
