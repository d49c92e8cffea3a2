"""Arms of a comparison: the same network with some parameters drawn, or the same for all.

A name says of neurons (N), of STDP (S) and of synapses (T) whether they are heterogeneous (He) or
homogeneous (Ho): ``HeNHoS`` has neurons that differ and one rule of STDP. The papers name the four
of N and S. T is ours, for synaptic time constants. A letter that a name leaves out stays as the
spec has it.

| letter | parameters |
|---|---|
| N | tau_mem and v_threshold, as in the papers |
| S | a_plus, a_minus, tau_plus and tau_minus of every synapse that learns |
| T | tau_syn |

In a homogeneous arm every neuron of a population, and every synapse of a projection, has the mean
of what the heterogeneous one drew, so both have the same means; all else is drawn alike. Biases are
the working point of the neurons and no property that is compared: they stay drawn in every arm.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any, NamedTuple

from hrsnn_lava.distributions import sample_mean
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.hrsnn import charge_factors, scaled
from hrsnn_lava.hrsnn_options import NetworkSpec, RuleField, RuleOptions
from hrsnn_lava.network import LIF_FIELDS, Network, Projection
from hrsnn_lava.plasticity import DRAWN_FIELDS

__all__ = ["ARMS", "Arm", "arm_tables", "homogeneous_arm"]

#: The arms of the papers.
ARMS = ("HoNHoS", "HeNHoS", "HoNHeS", "HeNHeS")
#: Parameters of the letters N, S and T.
NEURON_FIELDS = ("tau_mem", "v_threshold")
RULE_FIELDS: tuple[RuleField, ...] = ("a_plus", "a_minus", "tau_plus", "tau_minus")
SYNAPSE_FIELDS = ("tau_syn",)
_NAME = re.compile(r"(?:(Ho|He)N)?(?:(Ho|He)S)?(?:(Ho|He)T)?")


class Arm(NamedTuple):
    """What a name says: True for heterogeneous, None for what stays as it is."""

    neurons: bool | None
    stdp: bool | None
    synapses: bool | None

    @classmethod
    def of(cls, name: str) -> Arm:
        """The arm of a name; a `SpecError` for what is none."""
        match = _NAME.fullmatch(name) if isinstance(name, str) else None
        if match is None or not name:
            allowed = f"{', '.join(ARMS)}, or parts of these, with HoT or HeT at the end"
            raise SpecError("arms", problems=[Problem("arm", repr(name), allowed)])
        return cls(*(None if part is None else part == "He" for part in match.groups()))


def arm_tables(
    name: str, network: NetworkSpec, stdp: RuleOptions | None
) -> tuple[NetworkSpec, RuleOptions | None]:
    """The tables of an arm.

    Raises:
        SpecError: the name is none, a heterogeneous arm is asked of parameters that are numbers,
            or one of STDP where there is none.
    """
    arm, problems = Arm.of(name), []
    fields: set[str] = set(network.homogeneous)
    for part, names in ((arm.neurons, NEURON_FIELDS), (arm.synapses, SYNAPSE_FIELDS)):
        if part is None:
            continue
        fields = fields - set(names) if part else fields | set(names)
        types = (network.neurons.excitatory, network.neurons.inhibitory)
        if part and not any(_drawn(getattr(kind, field)) for kind in types for field in names):
            where = "network.neurons"
            problems.append(_same_for_all(where, names))
    new_rule: Any = stdp
    if arm.stdp is not None and stdp is None:
        allowed = "a table [stdp], whose parameters the arm is about"
        problems.append(Problem("stdp", f"none, in the arm {name}", allowed))
    elif arm.stdp is not None and stdp is not None:
        new_rule = replace(stdp, homogeneous=() if arm.stdp else RULE_FIELDS)
        if arm.stdp and not any(_drawn(getattr(stdp, field)) for field in RULE_FIELDS):
            problems.append(_same_for_all("stdp", RULE_FIELDS))
    raise_if(SpecError, f"the arm {name}", problems)
    ordered = tuple(field for field in LIF_FIELDS if field in fields)
    return network.model_copy(update={"homogeneous": ordered}), new_rule


def _drawn(value: Any) -> bool:
    return not isinstance(value, (int, float))


def _same_for_all(where: str, names: Collection[str]) -> Problem:
    measured = f"{' and '.join(names)}: one number for all"
    fix = "or leave this letter out of the arm's name"
    return Problem(where, measured, "a distribution of at least one of them", fix)


def homogeneous_arm(
    network: Network,
    neuron: Collection[str] = (),
    stdp: Collection[str] = (),
    charge: bool | Collection[str] = False,
) -> Network:
    """A built network with some parameters the same for all, at the means that they have.

    What `hrsnn_lava.build_hrsnn` gives for ``network.homogeneous`` and ``stdp.homogeneous``.

    Args:
        neuron: fields of `hrsnn_lava.LIF`; each becomes its mean over each population.
        stdp: parameters of rules, a_plus, a_minus, tau_plus, tau_minus; each becomes its mean over
            the synapses of each projection that learns.
        charge: projections whose weights are charges (``synapse = "charge"``), by name; True for
            all. Their weights and rules follow where ``tau_syn`` changes, and amplitudes are
            averaged as they were drawn.

    Raises:
        SpecError: no such parameter, or no such projection.
    """
    problems = [
        Problem(where, repr(name), ", ".join(known))
        for where, names, known in (("neuron", neuron, LIF_FIELDS), ("stdp", stdp, DRAWN_FIELDS))
        for name in names
        if name not in known
    ]
    every = tuple(p.name for p in network.projections if p.target == "synapse")
    charged = every if charge is True else tuple(charge or ())
    problems += [
        Problem("charge", repr(name), ", ".join(every)) for name in charged if name not in every
    ]
    raise_if(SpecError, "a homogeneous arm", problems)
    populations = tuple(
        p
        if p.is_input
        else p.with_parameters(**{field: sample_mean(p.parameter(field)) for field in neuron})
        for p in network.populations
    )
    after = replace(network, populations=populations)
    projections = []
    for projection in network.projections:
        plain = projection
        if projection.name in charged:
            plain = scaled(plain, 1.0 / _factors(network, projection))
        if plain.plasticity is not None:
            plain = replace(plain, plasticity=plain.plasticity.homogeneous(stdp))
        if projection.name in charged:
            plain = scaled(plain, _factors(after, projection))
        projections.append(plain)
    return replace(after, projections=tuple(projections)).verify()


def _factors(network: Network, projection: Projection) -> Any:
    return charge_factors(network.population(projection.post).parameter("tau_syn"), network.dt)
