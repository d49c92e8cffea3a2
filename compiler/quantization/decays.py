"""Time constants as the chip's decays, what neurons need then, and how far they are off."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.quantization.findings import TIME_ERROR
from hrsnn_lava.integer_format import DECAY_ONE, current_leak, decay_integers, decay_rate
from hrsnn_lava.network import Network, Population
from hrsnn_lava.time_constants import membrane_gain

Float = NDArray[np.float64]
#: Share of a potential or current that is left after a step and counts as nothing (ours).
_GONE = 0.01


def neuron_decays(
    network: Network, population: Population
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """du and dv of a population, (size,) each.

    Both are kept in 0..4095, the 12 bits that chips have: a slower current than 4096 steps, or a
    potential that forgets within a fraction of a step, is as slow or fast as they allow. With
    dv = 0, above 8192 steps, the potential does not decay at all.
    """
    du = decay_integers(population.parameter("tau_syn"), network.dt) - 1
    dv = decay_integers(population.parameter("tau_mem"), network.dt)
    top = DECAY_ONE - 1
    return np.clip(du, 0, top).astype(np.int64), np.clip(dv, 0, top).astype(np.int64)


def threshold_units(network: Network, population: Population, dv: NDArray[np.int64]) -> Float:
    """vth of every neuron per unit of its scale, (size,): ``v_threshold / (1 - beta)``.

    With the decay that the chip has, so that the current that just fires a neuron is kept; one
    that does not decay on the chip has none.
    """
    exact = membrane_gain(population.parameter("tau_mem"), network.dt)
    gain = np.where(dv > 0, dv / DECAY_ONE, exact)
    units: Float = population.parameter("v_threshold") / gain
    return units


def charge_factors(network: Network, population: Population, du: NDArray[np.int64]) -> Float:
    """What a weight counts on the chip, (size,), so that a spike brings the same charge.

    A spike brings ``w / (1 - alpha)`` in all, and rounding du changes 1 - alpha. A tau_syn beyond
    the 12 bits is left alone: a current that should last and does not cannot be made up for.
    """
    tau = population.parameter("tau_syn")
    inside = decay_integers(tau, network.dt) == du + 1
    exact = np.where(inside, membrane_gain(np.maximum(tau, 1e-300), network.dt), 1.0)
    factors: Float = np.where(inside, current_leak(du) / exact, 1.0)
    return factors


def tau_errors(field: str, decay: Any, population: Population, dt: float) -> dict[str, Any]:
    """How far time constants of decays ``decay / 4096`` are off: the largest, where, how many.

    What should decay and does not is off by all of its leak, 1.0.
    """
    tau, rate = population.parameter(field), np.asarray(decay_rate(decay))
    errors = np.zeros(tau.size)
    # what is gone within a step anyway, or has no filter, has nothing to miss
    decays = (np.exp(-dt / np.maximum(tau, 1e-300)) > _GONE) & np.isfinite(tau) & (rate > 0)
    errors[decays] = np.abs(dt / rate[decays] / tau[decays] - 1.0)
    errors[np.isfinite(tau) & (tau > 0) & (rate == 0)] = 1.0
    worst = int(np.argmax(errors))
    return {
        f"{field}_error_max": float(errors[worst]),
        f"{field}_error_neuron": worst,
        f"{field}_error_on_chip": float(dt / rate[worst]) if rate[worst] > 0 else None,
        f"{field}_errors": int(np.count_nonzero(errors > TIME_ERROR)),
    }
