"""What keeps a float network from being quantized, all of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hrsnn_lava.compiler.quantization.headroom import MODES
from hrsnn_lava.compiler.quantization.plastic_synapses import learning_problems
from hrsnn_lava.compiler.quantization.scaling import scaling
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.integer_format import DELAY_MAX
from hrsnn_lava.integer_format import NEURON_RANGES as RANGES
from hrsnn_lava.network import Network


def refuse(network: Network, options: Any) -> None:
    """Raise `SpecError` with every reason; `options` are a `Quantize`."""
    problems = [*_of_options(network, options), *_of_network(network)]
    raise_if(SpecError, "the network cannot be quantized", problems)


def _of_options(network: Network, options: Any) -> Iterator[Problem]:
    if not 1 <= options.weight_bits <= 8:
        yield Problem("weight_bits", str(options.weight_bits), "1..8")
    if not options.input_range > 0:
        yield Problem("input_range", str(options.input_range), "> 0")
    if options.headroom not in MODES:
        yield Problem("headroom", repr(options.headroom), ", ".join(MODES))
    if not options.margin >= 1:
        yield Problem("margin", str(options.margin), ">= 1")
    run = options.observed
    if run is not None:
        yield from run.problems(network)
    fix = "give one: `--rates TRACE`, or `observed` of the pass"
    if scaling(options.scaling).needs_rates and (run is None or run.rates is None):
        yield Problem("scaling", repr(options.scaling), "with the rates of a run", fix)
    if options.headroom == "measured" and (run is None or run.current_peak is None):
        yield Problem("headroom", "'measured'", "with the largest currents of a run", fix)


def _of_network(network: Network) -> Iterator[Problem]:
    for projection in network.projections:
        where = f"projection {projection.name!r}"
        yield from learning_problems(projection)
        if projection.delays is not None:
            steps = np.rint(np.asarray(projection.delays) / network.dt)
            if np.any(steps > DELAY_MAX):
                found = f"{steps.max():.0f} steps"
                yield Problem(f"{where}.delays", found, f"<= {DELAY_MAX} steps")
    limit = RANGES["refractory"][1]
    for population in network.compute_populations:
        periods = np.rint(population.parameter("refractory") / network.dt)
        if np.any(periods > limit):
            where = f"population {population.name!r}.refractory"
            yield Problem(where, f"{periods.max():.0f} steps", f"<= {limit} steps")
