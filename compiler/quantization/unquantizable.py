"""What of a float network has no integers: rules, times of too many steps, unreasonable sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hrsnn_lava.compiler.quantization.synapses import learning_problems
from hrsnn_lava.errors import Problem
from hrsnn_lava.integer_format import DELAY_MAX, NEURON_RANGES
from hrsnn_lava.network import Network

#: Sizes of what is quantized, in the unit of the network: their squares and products are floats.
_MAGNITUDES = (1e-60, 1e60)


def unquantizable(network: Network) -> Iterator[Problem]:
    """Everything of the network itself that keeps it from being quantized."""
    for projection in network.projections:
        yield from learning_problems(projection)
        if projection.delays is not None:
            where = f"projection {projection.name!r}.delays"
            longest = float(np.max(projection.delays, initial=0.0))
            yield from _too_long(where, longest, network.dt, DELAY_MAX)
    most = NEURON_RANGES["refractory"][1]
    for population in network.compute_populations:
        longest = float(population.parameter("refractory").max())
        where = f"population {population.name!r}.refractory"
        yield from _too_long(where, longest, network.dt, most)
    yield from _extremes(network)


def _too_long(where: str, seconds: float, dt: float, most: int) -> Iterator[Problem]:
    """A time of more steps than the chip counts."""
    if np.rint(seconds / dt) > most:
        measured = f"{seconds:g} s, {seconds / dt:.0f} steps of {dt:g} s"
        fix = f"a dt of {seconds / most:.3g} s or more; times are in seconds, not in milliseconds"
        yield Problem(where, measured, f"<= {most} steps", fix)


def _extremes(network: Network) -> Iterator[Problem]:
    """Numbers whose products and squares leave the range of floats."""
    low, high = _MAGNITUDES
    values = {
        f"population {p.name!r}.{field}": p.parameter(field)
        for p in network.compute_populations
        for field in ("v_threshold", "bias")
    }
    values |= {f"projection {p.name!r}.weights": p.weights.data for p in network.projections}
    for where, numbers in values.items():
        sizes = np.abs(np.asarray(numbers, dtype=np.float64))
        wrong = sizes[(sizes > 0) & ((sizes < low) | (sizes > high))]
        if wrong.size:
            allowed = f"0, or sizes of {low:g} to {high:g}"
            yield Problem(where, f"{wrong[0]:g} ({wrong.size:,} in all)", allowed)
