"""Options of the lowering of STDP: how many profiles, what they keep, how traces are scaled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.integer_format import EPOCH_RANGE
from hrsnn_lava.spec import StdpSpec

Amplitudes = Literal["auto", "tags", "profiles"]
#: Profiles when neither the user nor the chip gives a number: more are slow in Lava on a CPU.
DEFAULT_PROFILES = 8


@dataclass(frozen=True)
class LowerSTDP:
    """How float STDP becomes on-chip learning.

    Attributes:
        max_profiles: most profiles per projection; None: 8, or what `core_profiles` leaves.
        tolerance: mean relative error of a time constant below which no profile is added.
        amplitudes: ``profiles``, ``tags`` or ``auto``; see the module.
        match: keep the ``area`` under the kernel, or its ``peak``, where tau is changed.
        headroom: spikes at once that a 7-bit trace can hold: the impulse is 127 over this.
        t_epoch: steps of a learning epoch. The weight changes at its end; of several spikes of a
            neuron in one epoch only the last meets the other side's trace (Lava).
        rng_seed: seeds stochastic rounding on the chip.
        core_profiles: settings of presynaptic traces that a core of the chip holds; None: no limit
            is known. Projections onto the same neurons share them, see `share`.
    """

    max_profiles: int | None = None
    tolerance: float = 0.05
    amplitudes: Amplitudes = "auto"
    match: Literal["area", "peak"] = "area"
    headroom: float = 4.0
    t_epoch: int = 1
    rng_seed: int = 0
    core_profiles: int | None = None

    def __post_init__(self) -> None:
        checks = (
            ("max_profiles", self.max_profiles, ">= 1", self.limit >= 1),
            ("tolerance", self.tolerance, ">= 0", self.tolerance >= 0),
            (
                "amplitudes",
                self.amplitudes,
                "auto, tags or profiles",
                self.amplitudes in ("auto", "tags", "profiles"),
            ),
            ("match", self.match, "area or peak", self.match in ("area", "peak")),
            ("headroom", self.headroom, "1 to 16", 1.0 <= self.headroom <= 16.0),
            ("t_epoch", self.t_epoch, "1 to 63", 1 <= self.t_epoch <= EPOCH_RANGE[1]),
            ("rng_seed", self.rng_seed, ">= 0", self.rng_seed >= 0),
        )
        problems = [
            Problem(f"stdp.{w}", repr(v), allowed) for w, v, allowed, ok in checks if not ok
        ]
        raise_if(SpecError, "options of the on-chip learning", problems)

    @property
    def limit(self) -> int:
        """Most profiles of a projection."""
        if self.max_profiles is not None:
            return self.max_profiles
        return min(DEFAULT_PROFILES, self.core_profiles or DEFAULT_PROFILES)

    def for_chip(self, profile: HardwareProfile) -> LowerSTDP:
        """The same options, with what a core of that chip holds."""
        return replace(self, core_profiles=profile.trace_profiles)

    def share(self, projections: int) -> LowerSTDP:
        """Options for one of several learning projections onto the same neurons.

        Their synapses are on the same cores, so without `max_profiles` each gets an equal part of
        what a core holds (our choice); one profile at least, and the design rules refuse the rest.
        """
        if self.max_profiles is not None or self.core_profiles is None:
            return self
        part = max(1, self.core_profiles // max(1, projections))
        return replace(self, max_profiles=min(DEFAULT_PROFILES, part))

    @property
    def impulse(self) -> int:
        """Rise of a trace at a spike; whole, since Lava rounds fractions wrongly."""
        return int(127 // self.headroom)


def lowering_of(table: StdpSpec | None, seed: int = 0) -> LowerSTDP:
    """The options that a spec's ``[stdp]`` asks for; the default ones without a table."""
    if table is None:
        return LowerSTDP(rng_seed=seed)
    return LowerSTDP(
        max_profiles=table.max_profiles,
        tolerance=table.max_error,
        amplitudes=table.amplitudes,
        match=table.match,
        headroom=table.headroom,
        t_epoch=table.t_epoch,
        rng_seed=seed,
    )
