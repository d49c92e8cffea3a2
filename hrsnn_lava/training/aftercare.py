"""What every pruned network is given: its rates back, and weaker weights where spikes inflate.

Pruned networks can be compared, and their synaptic operations believed, only at the rates of the
unpruned one. Homeostasis of the biases brings them back (`hrsnn_lava.training.balance`); where the
recurrence that is left is too strong for it, spikes stay too many, and the recurrent weights are
made smaller. The rule is ours, and the same for every way to prune.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.aftercare_options import AftercareOptions
from hrsnn_lava.compiler.pruning.mean_current import scaled_recurrence
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.seeding import generator
from hrsnn_lava.training.balance import RateBalance, rate_balance, rates
from hrsnn_lava.training.course import Lesson

__all__ = ["Aftercare", "AftercareOptions", "aftercare"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Aftercare:
    """A pruned network at the rates of the unpruned one.

    Attributes:
        network: float.
        gain: that its recurrent weights were scaled by.
        rates: (n_neurons,) spikes per step, over the samples that were shown.
        ratio: all spikes over those of the unpruned network; of the whole input where they were
            confirmed.
        error: ``sum |rate - target| / sum target``.
        findings: what a user has to know of the rates.
    """

    network: Network
    gain: float
    rates: Floats
    ratio: float
    error: float
    findings: tuple[Finding, ...]


def aftercare(
    network: Network,
    lesson: Lesson,
    target: Floats,
    options: AftercareOptions | None = None,
    *,
    seed: int = 0,
) -> Aftercare:
    """Bring the rates of a pruned network back to those of the unpruned one.

    Args:
        network: float, pruned.
        lesson: what it is shown, without labels; see `rate_balance`.
        target: (n_neurons,) spikes per step of the unpruned network under it.
        options: gains, cap and balance.
        seed: of the initial potentials.
    """
    o = options or AftercareOptions()
    tried: list[Aftercare] = []
    for gain in o.gains:
        scaled = network if gain == 1.0 else scaled_recurrence(network, gain, target)
        result = rate_balance(scaled, lesson, target, o.balance, seed=seed)
        error = float(result.errors.min())
        ratio = _confirmed(result, lesson, seed) if o.confirm else result.ratio
        entry = Aftercare(result.network, gain, result.rates, ratio, error, result.findings)
        if entry.ratio <= o.cap:
            return entry
        tried.append(entry)
    best = min(tried, key=lambda entry: entry.ratio)
    told = Finding(
        "warning",
        "homeostasis",
        f"spikes x{best.ratio:.3g} of the unpruned network's, at the gains "
        f"{', '.join(f'{gain:g}' for gain in o.gains)}",
        f"above {o.cap:g}, so that it costs more operations than its synapses say",
        "allow smaller gains, or leave more synapses",
        kind="spikes_inflate",
    )
    return Aftercare(
        best.network, best.gain, best.rates, best.ratio, best.error, (*best.findings, told)
    )


def _confirmed(result: RateBalance, lesson: Lesson, seed: int) -> float:
    """All spikes over the target, over the whole lesson and from potentials of their own."""
    total = float(result.target.sum())
    other = int(generator(seed, "aftercare").integers(2**31))
    return float(rates(result.network, lesson, seed=other).sum()) / total if total else 1.0
