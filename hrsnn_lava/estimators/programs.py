"""A float network as a program, with what its training samples show of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import api
from hrsnn_lava.compiler.compiled import CompiledNetwork, PassRecord
from hrsnn_lava.compiler.context import Context, Observed, Pass
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.compiler.pipeline import AnyPass, run_passes
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.network import Network
from hrsnn_lava.training.simulation import Stimulus, observe

__all__ = ["Shown", "program_of"]

Floats = NDArray[np.float64]
#: What a user says of a run in place of one that is made here.
_SAID = ("observed", "rates", "input_rates")


@dataclass(frozen=True, eq=False)
class Shown:
    """What the compiler may know of the training samples.

    Attributes:
        part: some of them, which a run of the float network is made of.
        rates: (n_neurons,) spikes per step over all of them, for passes that prune.
        input_range: largest magnitude of a held value; None where inputs spike.
        seed: of the passes.
    """

    part: Stimulus
    rates: Floats
    input_range: float | None
    seed: int


def program_of(
    network: Network,
    profile: HardwareProfile | str,
    passes: Sequence[AnyPass] | None,
    shown: Shown,
    options: Mapping[str, Any],
) -> CompiledNetwork:
    """Compile a network by its training samples.

    Passes that work on floats come first, and the run that integers, cores and placement rest on
    is one of what they leave: pruning moves rates, and may drop neurons.

    Args:
        network: float.
        profile: the chip.
        passes: of the compiler.
        shown: what the training samples show.
        options: of `hrsnn_lava.compile`; they override what is known here.
    """
    steps, before = passes, network.n_synapses
    known: dict[str, Any] = {"seed": shown.seed, "input_range": shown.input_range}
    seed = options.get("seed", shown.seed)
    records: tuple[PassRecord, ...] = ()
    if not any(name in options for name in _SAID):
        if isinstance(passes, Sequence) and all(isinstance(step, Pass) for step in passes):
            early = [s for s in passes if s.takes == "float" and s.name != Quantize.name]
            context = Context(observed=Observed(shown.rates), seed=seed)
            network, records = run_passes(network, early, context)
            steps = [step for step in passes if not any(step is other for other in early)]
        known["observed"] = observe(network, shown.part.inputs, shown.part.block)
    program = api.compile(network, profile, steps, **{**known, **options})
    return replace(program, records=(*records, *program.records), synapses_before=before)
