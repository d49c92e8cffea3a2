"""Does a placed network keep the published limits? Written apart from the compiler, to check it.

Plain loops over the neurons and synapses of the network, and a reader of the profile's TOML of its
own. Nothing of `hrsnn_lava.compiler` and nothing of the profile reader is used, so that a mistake
there is not repeated here. The formulas are nengo-loihi 1.1.0's (`block.py`, `discretize.py`,
`hardware/validate.py`), the meaning of weights is that of Lava 0.10.0 (`utils/weightutils.py`).
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Finding:
    """A limit that is not kept: the rule's name, the core (-1: none), what is used, the limit."""

    rule: str
    core: int
    used: int
    limit: object


def read_toml(path):
    """The plain content of a profile."""
    with open(path, "rb") as file:
        return tomllib.load(file)


def number(profile, path, key="value"):
    """``number(profile, "core.neurons")``; None where the file gives none."""
    table = profile
    for name in path.split("."):
        table = table.get(name) if table is not None else None
    return None if table is None else table.get(key)


def acting_weight(weight, bits, mode, learns):
    """What Lava makes of a stored weight: clipped, and truncated to the grid of its bits."""
    low, high = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}[mode]
    if not learns:
        weight = min(max(weight, low), high)
    step = 2 ** (8 - bits + (1 if mode == "mixed" else 0))
    if mode == "inhibitory":
        return -((-weight // step) * step)
    return (weight // step) * step


def list_words(n_synapses, weight_bits, index_bits, delay_bits, profile):
    """Words of synapse memory of one list: groups of at most `group_size`, each padded."""
    word = number(profile, "synapse_memory.word_bits")
    header = number(profile, "synapse_memory.header_bits")
    group = number(profile, "synapse_memory.group_size") or n_synapses
    words = 0
    while n_synapses > 0:
        n = min(n_synapses, group)
        bits = n * (weight_bits + index_bits + delay_bits) + header
        words += bits // word + (bits % word > 0)
        n_synapses -= n
    return words


def stored(needed, choices):
    """The smallest width among `choices` that holds `needed` bits."""
    return min((c for c in choices if c >= needed), default=max(choices))


class Synapse(NamedTuple):
    """One synapse that acts, with what its format is made of."""

    source: int
    post: int
    weight: float
    delay: int
    shape: tuple
    rule: object


def rule_key(rule):
    """What tells learning rules apart on a chip; the seed of rounding does not."""
    parts = [repr(getattr(rule, name)) for name in ("dw", "dd", "dt", "x1", "x2", "y1", "y2", "y3")]
    return (*parts, rule.t_epoch, rule.decimate_exponent)


def synapses_of(network):
    """Every synapse that acts, one by one; sources of inputs are numbered after the neurons."""
    offsets, n_neurons, n_inputs = {}, 0, 0
    for population in network.populations:
        if population.is_input:
            offsets[population.name] = ("input", n_inputs)
            n_inputs += population.size
        else:
            offsets[population.name] = ("neuron", n_neurons)
            n_neurons += population.size
    found = []
    for projection in network.projections:
        if projection.target != "synapse":
            continue
        kind, pre = offsets[projection.pre]
        pre += n_neurons if kind == "input" else 0
        post = offsets[projection.post][1]
        mode, bits = projection.sign_mode.value, projection.num_weight_bits
        learning = projection.learning
        indptr = projection.weights.indptr.tolist()
        columns = projection.weights.indices.tolist()
        values = projection.weights.data.tolist()
        delays = [0] * len(values)
        if projection.delays is not None:
            given = projection.delays
            delays = [given] * len(values) if isinstance(given, int) else given.tolist()
        # a format states the bits of its delays, once for all synapses of the projection
        delay_bits = len(bin(max(delays))) - 2 if delays and max(delays) else 0
        profiles = [0] * len(values)
        if learning is not None and learning.profile is not None:
            profiles = learning.profile.tolist()
        rules = [None] if learning is None else learning.rules
        keys = [None if rule is None else rule_key(rule) for rule in rules]
        shapes = [(bits, projection.weight_exp, mode, delay_bits, key) for key in keys]
        scale = 2.0**projection.weight_exp
        acting = {w: acting_weight(w, bits, mode, learning is not None) for w in set(values)}
        keeps_zeros = learning is not None and learning.plastic_zeros
        for row in range(len(indptr) - 1):
            for k in range(indptr[row], indptr[row + 1]):
                weight = acting[values[k]]
                if weight == 0 and not keeps_zeros:
                    continue
                shape, rule = shapes[profiles[k]], rules[profiles[k]]
                source = pre + columns[k]
                found.append(Synapse(source, post + row, weight * scale, delays[k], shape, rule))
    return found, n_neurons


def check_placement(network, core_of, profile):
    """Every limit of `profile` (plain TOML data) that the placed network does not keep."""
    core_of = [int(core) for core in core_of]
    synapses, n_neurons = synapses_of(network)
    assert len(core_of) == n_neurons
    found = [*check_network(network, synapses, n_neurons, profile)]

    def limit(path, core, used):
        allowed = number(profile, path)
        if allowed is not None and used > allowed:
            found.append(Finding(path.split(".")[-1], core, used, allowed))

    cores = set(core_of)
    per_chip = number(profile, "chip.cores")
    if per_chip is not None and max(cores, default=-1) + 1 > per_chip * profile["chip"][
        "chips"
    ].get("value", 1):
        found.append(Finding("cores_on_chip", -1, max(cores) + 1, per_chip))

    members = defaultdict(list)
    for neuron, core in enumerate(core_of):
        members[core].append(neuron)
    onto = defaultdict(list)
    for synapse in synapses:
        onto[core_of[synapse.post]].append(synapse)

    parameters = []
    for population in network.populations:
        if not population.is_input:
            columns = [getattr(population, f).tolist() for f in ("du", "dv", "refractory", "vth")]
            parameters += zip(*columns, strict=True)

    out_axons, reached = defaultdict(int), defaultdict(set)
    for core in sorted(cores):
        limit("core.neurons", core, len(members[core]))
        limit("core.compartment_profiles", core, len({parameters[i][:3] for i in members[core]}))
        limit("core.threshold_profiles", core, len({parameters[i][3] for i in members[core]}))
        limit("core.synapses", core, len(onto[core]))
        limit("core.synapse_formats", core, len({s.shape for s in onto[core]}))
        rules = [s.rule for s in onto[core] if s.rule is not None]
        limit("core.trace_profiles", core, len({(r.x1, r.x2) for r in rules}))
        limit("core.learning_epochs", core, len({r.t_epoch for r in rules}))

        settings, lists = defaultdict(set), defaultdict(int)
        for s in onto[core]:
            settings[s.source].add(None if s.rule is None else (s.rule.x1, s.rule.x2))
            lists[s.source, s.shape] += 1
            if s.source < n_neurons:
                reached[s.source].add(core)
        slots = 0
        for source, kinds in settings.items():
            learning = len(kinds - {None})  # each takes two slots, and fixed synapses share one
            slots += 2 * learning if learning else 1
            if source < n_neurons:
                out_axons[core_of[source]] += learning or 1
        limit("core.in_axons", core, slots)

        if "synapse_memory" in profile:
            memory = profile["synapse_memory"]
            last = len(members[core]) - 1
            index = stored(last.bit_length(), memory["index_bits"]["values"])
            words = 0
            for (_, shape), count in lists.items():
                weight = stored(shape[0], memory["weight_bits"]["values"])
                words += list_words(count, weight, index, shape[3], profile)
            if words > memory["words"]["value"]:
                found.append(Finding("synapse_memory", core, words, memory["words"]["value"]))

        types = number(profile, "core.axon_types")
        if types is not None:
            limit("core.axon_types", core, first_fit_types(onto[core], types + 1))
    for core, pairs in out_axons.items():
        limit("core.out_axons", core, pairs)
    for source, destinations in reached.items():
        limit("neuron.destinations", core_of[source], len(destinations))
    return found


def first_fit_types(synapses, most):
    """Types of axons, up to `most`: each source joins the first type that it does not contradict,
    those with most synapses first."""
    heard = defaultdict(dict)
    for s in synapses:
        heard[s.source][s.post] = s.weight
    types = []
    for source in sorted(heard, key=lambda source: (-len(heard[source]), source)):
        mine = heard[source]
        for table in types:
            if all(table.get(post, weight) == weight for post, weight in mine.items()):
                table.update(mine)
                break
        else:
            types.append(dict(mine))
            if len(types) == most:
                break
    return len(types)


def check_network(network, synapses, n_neurons, profile):
    """What no placement can change."""
    fan_in, values, delays = defaultdict(int), defaultdict(set), defaultdict(set)
    pairs, signs = defaultdict(int), defaultdict(set)
    fan_out, from_outside = defaultdict(int), set()
    for s in synapses:
        fan_in[s.post] += 1
        if s.source < n_neurons:
            fan_out[s.source] += 1
        else:
            from_outside.add(s.post)
        values[s.post].add(s.weight)
        delays[s.source].add(s.delay)
        pairs[s.source, s.post] += 1
        signs[s.source].add((s.weight > 0) - (s.weight < 0))
    for path, rule, used in (
        ("neuron.fan_in", "fan_in", max(fan_in.values(), default=0)),
        ("neuron.fan_out", "fan_out", max(fan_out.values(), default=0)),
        ("chip.input_targets", "input_targets", len(from_outside)),
        ("neuron.weight_values", "weight_values", max(map(len, values.values()), default=0)),
        ("neuron.delays", "source_delays", max(map(len, delays.values()), default=0)),
        ("chip.inputs", "input_channels", spiking_channels(network)),
    ):
        allowed = number(profile, path)
        if allowed is not None and used > allowed:
            yield Finding(rule, -1, used, allowed)
    if (
        number(profile, "features.parallel_synapses") is False
        and max(pairs.values(), default=0) > 1
    ):
        yield Finding("parallel_synapses", -1, max(pairs.values()), 1)
    if number(profile, "features.mixed_signs") is False and any(len(s) > 1 for s in signs.values()):
        yield Finding("source_signs", -1, 2, 1)
    if number(profile, "features.recurrence") is False and loops(network):
        yield Finding("recurrence", -1, 1, 0)
    if number(profile, "features.subtractive_reset") is False:
        for population in network.populations:
            if not population.is_input and population.reset != "zero":
                yield Finding("subtractive_reset", -1, 1, 0)
    most = number(profile, "fields.message_bits", "high")
    for population in network.populations:
        if most is None or population.is_input or population.reset != "subtract_all":
            continue
        if all(p.pre != population.name or p.target != "synapse" for p in network.projections):
            held = (2**23 - 1) // (64 * int(population.vth.min()))
            if len(bin(max(held, 1))) - 2 > most:
                yield Finding("graded_spikes", -1, held, most)
    learns = any(p.learning is not None for p in network.projections)
    for feature in ("learning", "programmable_learning"):
        if learns and number(profile, f"features.{feature}") is False:
            yield Finding("learning", -1, 1, 0)
    yield from check_fields(network, profile)


def loops(network):
    """Whether some population reaches itself, walking along the projections."""
    onward = defaultdict(set)
    for p in network.projections:
        if p.target == "synapse" and len(p.weights.data):
            onward[p.pre].add(p.post)
    for start in list(onward):
        seen, waiting = set(), [start]
        while waiting:
            for name in onward.get(waiting.pop(), ()):
                if name == start:
                    return True
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
    return False


def spiking_channels(network):
    """Input channels that spikes come in by."""
    spiking = {p.pre for p in network.projections if p.target == "synapse"}
    return sum(p.size for p in network.populations if p.is_input and p.name in spiking)


def check_fields(network, profile):
    """Single numbers against the ranges of their fields, and weights against their grid."""

    def outside(field, value):
        low, high = (number(profile, f"fields.{field}", end) for end in ("low", "high"))
        return low is not None and not low <= value <= high

    for population in network.populations:
        if population.is_input:
            continue
        for field in ("du", "dv", "vth", "bias_mant", "bias_exp", "refractory"):
            for value in getattr(population, field).tolist():
                if outside(field, value):
                    yield Finding(f"{field}_range", -1, value, None)
                    break
    for p in network.projections:
        if p.target != "synapse":
            continue
        if outside("weight_exp", p.weight_exp):
            yield Finding("weight_exp_range", -1, p.weight_exp, None)
        if outside("weight_bits", p.num_weight_bits):
            yield Finding("weight_bits_range", -1, p.num_weight_bits, None)
        if outside("message_bits", p.num_message_bits):
            yield Finding("graded_spikes", -1, p.num_message_bits, None)
        given = [] if p.delays is None else p.delays if hasattr(p.delays, "tolist") else [p.delays]
        for delay in given:
            if outside("delay", int(delay)):
                yield Finding("delay_range", -1, int(delay), None)
                break
        if p.learning is None:
            for weight in p.weights.data.tolist():
                acting = acting_weight(weight, p.num_weight_bits, p.sign_mode.value, False)
                if acting != weight:
                    yield Finding("weight_grid", -1, weight, acting)
                    break
