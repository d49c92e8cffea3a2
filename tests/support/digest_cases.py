"""A dozen small specs on four chips, and digests of everything that is computed of them.

`figures_of_spec` is what does not depend on the chip, `figures_of_chip` what does. Integers enter
exactly, and so do energies, which are made of counts and prices by a fixed sequence of products
and sums. Floats of a network enter by 9 significant digits, since their last bits depend on the
builds of NumPy and libm; of a pruned network the synapses that were kept enter, and not the
probabilities they were drawn with.
"""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import hrsnn_lava as hl

# all that is used beside the public names: a module that moves, moves here
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import ParticipationOptions
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.absorb_thresholds import AbsorbThresholds
from hrsnn_lava.compiler.passes.partition import Partition
from hrsnn_lava.compiler.passes.prune_activity import PruneActivity
from hrsnn_lava.compiler.passes.prune_betweenness import PruneBetweenness
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_magnitude import PruneMagnitude
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.pipeline import History, Pipeline, run_pass
from hrsnn_lava.compiler.pruning.rescale import Rescale

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CHIPS = ("loihi1", "loihi2_lava", "spinnaker2", "truenorth")
STEPS = 200
DIGITS = 9
#: Characters of a SHA-256 that are kept.
LENGTH = 16


@dataclass(frozen=True)
class Case:
    """A spec, and how it is compiled.

    Attributes:
        file: of ``examples``. overrides: as ``--set`` takes them.
        prune: makes the passes; the spec's own table is not used.
        spiking: inputs send plain spikes, in place of graded ones.
        observed: give quantization a run.
        compile: further options of `hrsnn_lava.compile`.
        given_rates: traffic is weighed by rates of every neuron, in place of one for all.
    """

    file: str
    overrides: tuple[str, ...] = ()
    prune: Any = None
    spiking: bool = False
    observed: bool = False
    given_rates: bool = False
    absorb: bool = True
    compile: dict[str, Any] = field(default_factory=dict)


def no_pruning():
    """No pass."""
    return []


CASES: dict[str, Case] = {
    "small": Case(
        "small.toml",
        prune=lambda: [PruneLyapunov(0.3, rescale=Rescale("none"))],
    ),
    "percentile, worst case, 5 bits": Case(
        "small.toml",
        (
            "network.size=120",
            "network.connectivity.gain=2.0",
            "quantize.scaling='percentile:99.5'",
            "quantize.headroom='worst_case'",
            "quantize.weight_bits=5",
            "quantize.input_range=2.0",
        ),
        prune=lambda: [PruneMagnitude(0.6, rescale=Rescale("match"))],
        compile={"neurons_per_core": 25},
    ),
    "mse, measured, 6 bits": Case(
        "small.toml",
        (
            "network.size=90",
            "network.connectivity.gain=1.5",
            "quantize.scaling='mse'",
            "quantize.headroom='measured'",
            "quantize.weight_bits=6",
            "quantize.margin=1.5",
        ),
        prune=lambda: [PruneRandom(0.5)],
        observed=True,
        absorb=False,
        compile={"neurons_per_core": 6, "seed": 0},
    ),
    "activity, 7 bits, given rates": Case(
        "small.toml",
        ("network.size=150", "quantize.scaling='activity'", "quantize.weight_bits=7"),
        prune=lambda: [PruneActivity(sop_ratio=2.0)],
        observed=True,
        given_rates=True,
        compile={"neurons_per_core": 40, "seed": 0},
    ),
    "delays, refractory, graded synapses": Case(
        "small.toml",
        (
            "network.size=80",
            "network.connectivity.delay=0.004",
            "network.input.target='synapse'",
            "network.input.share=0.5",
            "network.neurons.excitatory.refractory={distribution='uniform', low=0.0, high=0.006}",
            "network.neurons.inhibitory.refractory=0.002",
            "quantize.headroom='none'",
        ),
        prune=no_pruning,
        compile={"neurons_per_core": 20},
    ),
    "delays, spiking synapses, 3 bits": Case(
        "small.toml",
        (
            "network.size=100",
            "network.connectivity.delay=0.062",
            "network.input.target='synapse'",
            "network.neurons.excitatory.tau_syn=0.0",
            "quantize.weight_bits=3",
        ),
        prune=lambda: [PruneRandom(0.7, sampling="systematic", rescale=Rescale("inverse"))],
        spiking=True,
        compile={"neurons_per_core": 30},
    ),
    "clusters, 4 bits, many cores": Case(
        "lorenz63.toml",
        (
            "network.size=300",
            "network.connectivity.clusters=6",
            "network.connectivity.mean_degree=15.0",
            "network.connectivity.cluster_ratio=20.0",
            "quantize.weight_bits=4",
        ),
        prune=lambda: [PruneLyapunov(0.2, score="weight", sampling="systematic")],
        compile={"neurons_per_core": 15, "seed": 0},
    ),
    "participation, fewer neurons": Case(
        "lorenz63.toml",
        ("network.size=100", "network.connectivity.mean_degree=12.0"),
        prune=lambda: [
            PruneBetweenness(0.1),
            PruneLyapunov(
                0.4,
                score="product",
                exponents="participation",
                # of the whole spectrum the many equal exponents share a basis that rounding turns,
                # so the shares of neurons depend on the BLAS by 1 %; those of the first do not
                participation=ParticipationOptions(n_exponents=10, steps=200),
                sampling="systematic",
                iterations=2,
                rescale=Rescale("match"),
            ),
        ],
        compile={"neurons_per_core": 12},
    ),
    "learning, profiles": Case(
        "learning.toml",
        (
            "network.size=60",
            "stdp.amplitudes='profiles'",
            "stdp.max_profiles=3",
            "stdp.projections=['exc_exc', 'exc_inh']",
            "stdp.a_plus=0.02",
            "stdp.a_minus=0.021",
        ),
        prune=lambda: [PruneLyapunov(0.6, rescale=Rescale("none"))],
        compile={"neurons_per_core": 20},
    ),
    "learning, tags, 2 bits elsewhere": Case(
        "learning.toml",
        (
            "network.size=70",
            "stdp.amplitudes='tags'",
            "stdp.t_epoch=3",
            "stdp.a_plus={distribution='gamma', shape=3.0, mean=0.04}",
            "stdp.a_minus={distribution='gamma', shape=3.0, mean=0.042}",
            "stdp.match='peak'",
        ),
        prune=no_pruning,
        compile={"neurons_per_core": 8, "seed": 0},
    ),
    "1 bit": Case(
        "small.toml",
        ("network.size=40", "quantize.weight_bits=1", "network.connectivity.gain=0.8"),
        prune=lambda: [PruneRandom(0.8, sampling="bernoulli", rescale=Rescale("none"))],
        compile={"neurons_per_core": 8},
    ),
    "2 bits": Case(
        "small.toml",
        ("network.size=50", "quantize.weight_bits=2", "quantize.headroom='worst_case'"),
        prune=lambda: [PruneMagnitude(0.4)],
        spiking=True,
    ),
}


def spec_of(case: Case) -> hl.Spec:
    """The spec of a case."""
    return hl.Spec.load(EXAMPLES / case.file, case.overrides)


@functools.cache
def networks_of(name: str) -> tuple[hl.Network, hl.Network]:
    """The float network of a case as it is built, and pruned."""
    case = CASES[name]
    spec = spec_of(case)
    network = hl.build_hrsnn(spec)
    if case.spiking:
        spikes = replace(network.population("inp"), neuron=hl.Input(graded=False))
        network = network.with_population(spikes)
        if spec.network.input.target == "bias":  # plain spikes go through synapses
            for projection in network.projections:
                if projection.pre == "inp":
                    network = network.with_projection(replace(projection, target="synapse"))
    pruned = network
    context = Context(observed=Observed(rates_of(network.n_neurons)))
    for step in case.prune():
        pruned, _ = step.apply(pruned, context)
    return network, pruned


def rates_of(size: int) -> Any:
    """Made-up rates in spikes per step, (size,): multiples of 1/64, so that sums are exact."""
    return ((np.arange(size) * 37) % 23 + 1) / 64.0


def inputs_of(network: hl.Network, spiking: bool) -> hl.SpikeInput:
    """Made-up input by integer arithmetic alone."""
    channels = network.n_inputs
    if spiking:
        at, channel = np.nonzero((np.arange(STEPS)[:, None] * 7 + np.arange(channels) * 5) % 11 < 4)
        return hl.SpikeInput(at, channel, STEPS, channels)
    sample, channel = np.arange(STEPS // 10)[:, None], np.arange(channels)
    scale = 64 if network.projection("inp_exc").target == "synapse" else 1024
    values = ((sample * 29 + channel * 17) % 41 - 20) * scale // 10
    return hl.SpikeInput.held(values, 10)


def digest(*arrays: Any) -> str:
    """SHA-256 of shapes and values; integers exactly, floats by `DIGITS` significant digits."""
    found = hashlib.sha256()
    for array in arrays:
        values = np.asarray(array)
        found.update(repr(values.shape).encode())
        if values.dtype.kind == "f":
            found.update(",".join(f"{v:.{DIGITS - 1}e}" for v in values.ravel()).encode())
        else:
            found.update(np.ascontiguousarray(values, dtype="<i8").tobytes())
    return found.hexdigest()[:LENGTH]


def pattern(matrix: Any) -> tuple[Any, ...]:
    """Which synapses there are."""
    return matrix.shape, matrix.indptr, matrix.indices


def figures_of_spec(name: str) -> dict[str, Any]:
    """What does not depend on the chip: the network as built, and what pruning keeps."""
    network, pruned = networks_of(name)
    found: dict[str, Any] = {"built/neurons": network.n_neurons}
    fields = ("tau_mem", "tau_syn", "v_threshold", "bias", "refractory")
    found |= {f"built/{key}": digest(network.gather(key)) for key in fields}
    positions = [p.positions for p in network.populations if p.positions is not None]
    found["built/positions"] = digest(*positions)
    for p in network.projections:
        found[f"built/{p.name}/synapses"] = digest(*pattern(p.weights))
        found[f"built/{p.name}/weights"] = digest(p.weights.data)
        if p.delays is not None:
            found[f"built/{p.name}/delays"] = digest(p.delays)
        if p.plasticity is not None:
            rule = p.plasticity
            keys = ("a_plus", "a_minus", "tau_plus", "tau_minus")
            values = [rule.values(key, p.n_synapses) for key in keys]
            found[f"built/{p.name}/stdp"] = digest(*values, np.float64(rule.w_max))
    found["pruned/neurons"] = pruned.n_neurons
    for p in pruned.projections:
        found[f"pruned/{p.name}/synapses"] = digest(*pattern(p.weights))
    return found


def compiled_of(name: str, chip: str) -> hl.CompiledNetwork:
    """The program of a case for a chip."""
    case = CASES[name]
    spec, (_, pruned) = spec_of(case), networks_of(name)
    rates, input_rates = rates_of(pruned.n_neurons), rates_of(pruned.n_inputs)
    quantize = spec.quantize_pass()
    quantize = replace(quantize, stdp=replace(quantize.stdp, seed=0))
    peak = 1.0 + 4.0 * rates
    # what a run shows is for quantization alone, unless traffic is weighed by it too
    seen = Observed(rates, input_rates, peak) if case.observed else Observed()
    if case.given_rates and not case.observed:
        seen = Observed(rates, input_rates)
    profile = hl.HardwareProfile.load(chip)
    integer, _ = run_pass(pruned, quantize, Context(profile, seen))
    traffic = Observed(rates, input_rates) if case.given_rates else Observed()
    options = dict(case.compile)
    context = Context(profile, traffic, seed=options.pop("seed", None))
    passes = [Partition(**options), AbsorbThresholds(case.absorb, quantize.input_range)]
    pipeline = Pipeline.default(profile, passes, quantized=True)
    return pipeline.run(integer, context, History((), pruned.n_synapses))


def integers_of(network: hl.QuantizedNetwork) -> dict[str, Any]:
    """Digests of an integer network, field by field."""
    found = {
        f"integers/{key}": digest(network.gather(key))
        for key in ("du", "dv", "vth", "bias_mant", "bias_exp", "refractory")
    }
    for p in network.projections:
        exponents = [p.weight_exp, p.num_weight_bits, p.num_message_bits, p.sign_mode.value]
        found[f"integers/{p.name}/format"] = exponents
        weights = (*pattern(p.weights), p.weights.data, p.effective_weights().data)
        found[f"integers/{p.name}/weights"] = digest(*weights)
        if p.delays is not None:
            found[f"integers/{p.name}/delays"] = digest(p.delay_steps)
        if p.learning is not None:
            learning = p.learning
            found[f"integers/{p.name}/profiles"] = len(learning.rules)
            assigned = (learning.profile, learning.tag_1, learning.tag_2)
            given = [x for x in assigned if x is not None]
            found[f"integers/{p.name}/profile and tags"] = digest(*given)
    return found


def figures_of_chip(name: str, chip: str) -> dict[str, Any]:
    """The program, its placement, a run, its counts and its energy; or why it was refused."""
    try:
        compiled = compiled_of(name, chip)
    except hl.HrsnnError as error:
        rules = sorted({v.rule for v in getattr(error, "violations", ())})
        return {"refused": [type(error).__name__, *rules, len(getattr(error, "problems", ()))]}
    network, placement = compiled.network, compiled.placement
    found: dict[str, Any] = {"network digest": compiled.network_digest[:LENGTH]}
    found |= integers_of(network)
    found["placement/cores"] = placement.n_cores
    found["placement/core of"] = digest(placement.core_of)
    if placement.coordinates is not None:
        found["placement/coordinates"] = digest(placement.coordinates)
    inputs = inputs_of(networks_of(name)[1], CASES[name].spiking)
    trace = hl.simulate(compiled, inputs, STEPS, probes=("v", "u"))
    found["run/spikes"] = trace.n_spikes
    found["run/raster"] = digest(trace.spike_steps, trace.spike_neurons)
    found |= {f"run/{key}": digest(getattr(trace, key)) for key in ("v", "u")}
    found |= {f"run/weights/{key}": digest(w) for key, w in sorted(trace.weights.items())}
    found |= {f"run/traces/{key}": digest(x) for key, x in sorted(trace.traces.items())}
    found["run/active updates by step"] = digest(trace.active_updates)
    found["run/membrane updates by step"] = digest(trace.membrane_updates)
    return found | _report_figures(compiled, trace)


def _report_figures(compiled: hl.CompiledNetwork, trace: hl.Trace) -> dict[str, Any]:
    data = hl.report(compiled, trace, "sanafe_loihi").to_dict()
    sop, activity, energy = data["sop"], data["activity"], data["energy"]
    keys = ("total", "recurrent", "per_step_max", "dense", "issued", "macs", "host_macs")
    found = {f"sop/{key}": sop[key] for key in (*keys, "bias_writes")}
    found |= {f"sop/{key}": row["operations"] for key, row in sop["per_projection"].items()}
    found["sop/by core"] = digest(sop["per_core"])
    keys = ("neuron_updates", "neuron_updates_active", "membrane_updates", "messages")
    keys += ("input_messages", "hops_x", "hops_y", "max_hops", "learning_updates")
    found |= {f"activity/{key}": activity[key] for key in keys}
    found |= {f"energy/{key}": repr(energy[key]) for key in ("dynamic_j", "static_j", "total_j")}
    found["energy/unpriced"] = [row["name"] for row in energy["unpriced"]]
    fastest = hl.report(compiled, trace, "sanafe_loihi", step_time_s="fastest").to_dict()
    # sums of times over steps: NumPy says neither their order nor their last bits
    found["timing/wall time at the chip's own speed"] = fastest["energy"]["wall_time_s"]
    terms = {term["name"]: [term["count"], repr(term["energy_j"])] for term in energy["terms"]}
    return found | {f"energy/{key}": value for key, value in terms.items()}


def figures_of_run(folder: Path) -> dict[str, Any]:
    """A whole `run` of a tiny spec, seed 0: the rows of its comparison, and what was counted."""
    overrides = (
        "seed=0",
        "network.size=40",
        "network.connectivity.mean_degree=6.0",
        "quantize.headroom='measured'",
        "prune.homeostasis_passes=2",
        "prune.controls=['random', 'magnitude', 'no-recurrence']",
        "verify.steps=100",
    )
    out = folder / "out"
    command = [sys.executable, "-m", "hrsnn_lava", "run", str(EXAMPLES / "small.toml")]
    command += ["--out", str(out), *(word for o in overrides for word in ("--set", o))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    data = json.loads((out / "report.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    for row in data["comparison"]:
        known = {key: value for key, value in row.items() if key != "name" and value is not None}
        found |= {f"comparison/{row['name']}/{key}": value for key, value in known.items()}
    found["sop/total"] = data["sop"]["total"]
    found["activity/spikes"] = data["activity"]["spikes"]
    found["energy/total_j"] = repr(data["energy"]["total_j"])
    return found
