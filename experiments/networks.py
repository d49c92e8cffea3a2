"""The networks and data sets that the experiments share; every value is ours unless said.

Heterogeneous parameters are Gamma(3) and normal, with the exact mean in every sample; the arms of
the papers (`hrsnn_lava.arms`) make them the same for all without a change of the means.
"""

from __future__ import annotations

from typing import Any

#: Seconds; the mean of inhibitory neurons is half of it.
TAU_MEM = 0.020


def gamma(mean: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    """A Gamma of shape 3 with this mean."""
    table = {"distribution": "gamma", "shape": 3.0, "mean": mean, "exact_mean": True}
    bounds = {"low": low, "high": high}
    return table | {key: value for key, value in bounds.items() if value is not None}


def neurons(tau_mem: float = TAU_MEM, tau_syn: Any = 0.005) -> dict[str, Any]:
    """Both types, heterogeneous in tau_mem and v_threshold; values by dotted path."""
    threshold = {"distribution": "normal", "mean": 1.0, "std": 0.1, "low": 0.5, "high": 1.5}
    tables = {}
    for kind, mean in (("excitatory", tau_mem), ("inhibitory", tau_mem / 2)):
        tables[f"network.neurons.{kind}"] = {
            "tau_mem": gamma(mean, 0.001, 0.8),
            "tau_syn": tau_syn,
            "v_threshold": threshold,
            "bias": 0.5,
        }
    return tables


def stdp(a_plus: float = 0.002, ratio: float = 1.05, inputs: bool = True) -> dict[str, Any]:
    """Rules of excitatory synapses onto excitatory neurons, drawn for each."""
    projections = ["inp_exc", "exc_exc"] if inputs else ["exc_exc"]
    return {
        "projections": projections,
        "a_plus": gamma(a_plus),
        "a_minus": gamma(a_plus * ratio),
        "tau_plus": gamma(0.020, 0.001),
        "tau_minus": gamma(0.020, 0.001),
        "w_max": 3.0,
    }


#: A network that spikes drive: 300 neurons, fan-in 30 %, positive input weights.
SPIKING: dict[str, Any] = {
    "network": {
        "size": 300,
        "neurons": {"excitatory": {}, "inhibitory": {}},
        "connectivity": {"mean_degree": 30.0, "gain": 0.3},
        "input": {
            "target": "synapse",
            "graded": False,
            "fan_in": 0.3,
            "normalise": True,
            "weight": {"distribution": "gamma", "shape": 2.0, "mean": 2.0},
        },
    },
    "balance": {"rate": 0.03, "spread": 0.5, "passes": 40, "samples": 200},
}

#: Classification tasks by set; those with a path are read from the user's own copy.
TASKS: dict[str, dict[str, Any]] = {
    "digit_rows": {
        "kind": "digit_rows",
        "train": 800,
        "validation": 200,
        "test": 797,
        "steps_per_frame": 10,
        "encoder": {"kind": "rate", "max_rate": 0.2},
    },
    "japanese_vowels": {"kind": "japanese_vowels", "train": 220, "validation": 50, "test": "all"},
    "watch": {"kind": "watch", "train": "all", "validation": 250, "test": 400},
    "osuleaf": {
        "kind": "npz",
        "reader": {"kind": "ts", "average": 5},
        "train": 160,
        "validation": 40,
        "test": "all",
        "encoder": {"kind": "delta", "threshold": 0.1},
    },
    "plaid": {
        "kind": "npz",
        "reader": {"kind": "ts", "average": 10},
        "train": 430,
        "validation": 107,
        "test": "all",
        "encoder": {"kind": "delta", "threshold": 0.1},
    },
}


def task(name: str, path: Any = None, small: bool = False) -> dict[str, Any]:
    """The task of a set, smaller where asked."""
    table = dict(TASKS[name])
    if path is not None:
        table["path"] = str(path)
    if small:
        table |= {"train": 150, "validation": 50, "test": 150}
    return table
