"""Weights before and after quantization, in a unit that both share.

A weight is shown as the share that it is of the constant current that just fires its target (see
`hrsnn_lava.compiler.analysis.dynamics.gain`): so neither the scale of a quantization nor a
threshold that was moved into weights shifts what is compared, and what the palette
changed is in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.gain import AnyNetwork, relative_weights
from hrsnn_lava.report import plots

Float = NDArray[np.float64]
Values = dict[str, Float]
CONVENTION = "weight over the constant current that just fires its target; weights of 0 left out"
#: Projections that are drawn one by one; more are drawn as excitatory and inhibitory weights.
MAX_DRAWN = 6


def weight_values(network: AnyNetwork) -> Values:
    """Relative weights by projection with synapses, (n_synapses,) each, dimensionless."""
    return {
        p.name: relative_weights(network, p).data for p in network.projections if p.target != "bias"
    }


def section(before: Values | None, after: Values) -> dict[str, Any]:
    """Number and moments of the weights, by projection, before and after."""
    rows = {
        name: {"before": _moments((before or {}).get(name)), "after": _moments(values)}
        for name, values in after.items()
    }
    return {"convention": CONVENTION, "unit": "1", "per_projection": rows}


def _moments(values: Float | None) -> dict[str, Any] | None:
    if values is None or not values.size:
        return None
    return {
        "synapses": int(values.size),
        "mean": float(values.mean()),
        "sd": float(values.std()) if np.ptp(values) else 0.0,
        "min": float(values.min()),
        "max": float(values.max()),
        "distinct": int(np.unique(values).size),
    }


def drawings(before: Values | None, after: Values) -> list[plots.Plot]:
    """A histogram for each projection with weights, or one for each sign when there are many."""
    groups = {name: ((before or {}).get(name, np.zeros(0)), v) for name, v in after.items()}
    groups = {name: pair for name, pair in groups.items() if pair[0].size + pair[1].size}
    if len(groups) > MAX_DRAWN:
        old = np.concatenate([pair[0] for pair in groups.values()])
        new = np.concatenate([pair[1] for pair in groups.values()])
        groups = {
            "excitatory weights": (old[old > 0], new[new > 0]),
            "inhibitory weights": (old[old < 0], new[new < 0]),
        }
    drawn = []
    for name, (old, new) in groups.items():
        series = [("a", "on the chip", new)] if new.size else []
        series += [("b", "before", old)] if old.size else []
        if series:
            title = f"Weights of {name}" if name in after else name.capitalize()
            drawn.append(plots.histogram(title, series, "share of the firing current", bins=40))
    return drawn
