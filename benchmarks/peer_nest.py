"""NEST, in a process of its own.

``python peer_nest.py NETWORK.npz FOLDER STEPS``

Reads plain arrays (`networks.as_arrays`) and answers every line on standard input with `STEPS`
steps and one line of JSON. NEST's `iaf_psc_exp` integrates exactly but in real numbers and with
another order of current and potential, so it is matched in its parameters and not equal spike by
spike: compare its time per synaptic event at the rate it reports. NEST (GPL) is no dependency
of the project; it is installed by hand for the comparison.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import nest
import numpy as np


def build(arrays: dict[str, Any]) -> Any:
    """Neurons, synapses and a recorder; potentials in units of the integer network's."""
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.SetKernelStatus({"resolution": 1.0, "local_num_threads": 1, "print_time": False})
    n = arrays["threshold"].size
    tau_m = -1.0 / np.log(arrays["keep_v"] / 4096)
    tau_syn = -1.0 / np.log(arrays["keep_u"] / 4096)
    charge = tau_m * (1.0 - arrays["keep_v"] / 4096)  # potential per unit of constant current
    # a current that starts at 1 and decays raises the potential by this in its first step
    first = (np.exp(-1 / tau_m) - np.exp(-1 / tau_syn)) * tau_m * tau_syn / (tau_m - tau_syn)
    neurons = nest.Create("iaf_psc_exp", n)
    neurons.set(
        [
            {
                "C_m": 1.0,
                "E_L": 0.0,
                "V_m": 0.0,
                "V_reset": 0.0,
                "t_ref": 0.0,
                "tau_m": float(tau_m[i]),
                "tau_syn_ex": float(tau_syn[i]),
                "tau_syn_in": float(tau_syn[i]),
                "V_th": float(arrays["threshold"][i]),
                "I_e": float(arrays["bias"][i] / charge[i]),
            }
            for i in range(n)
        ]
    )
    ids = np.array(neurons.tolist())
    plastic = arrays["plastic"]
    weight = 64.0 * arrays["weight"] / first[arrays["post"]]
    for mine, model in ((~plastic, "static_synapse"), (plastic, "stdp_synapse")):
        if not mine.any():
            continue
        count = int(mine.sum())
        options = {"synapse_model": model, "weight": weight[mine], "delay": np.ones(count)}
        if model == "stdp_synapse":
            largest = 255 * 64.0 / first[arrays["post"][mine]]
            step = float(arrays["a_plus"] * arrays["impulse"]) / 255
            options |= {
                "Wmax": largest,
                "lambda": np.full(count, step),
                "alpha": np.full(count, float(arrays["a_minus"] / arrays["a_plus"])),
                "mu_plus": np.zeros(count),
                "mu_minus": np.zeros(count),
                "tau_plus": np.full(count, float(arrays["tau_plus"])),
            }
        nest.Connect(
            ids[arrays["pre"][mine]],
            ids[arrays["post"][mine]],
            conn_spec="one_to_one",
            syn_spec=options,
        )
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    return recorder


def main() -> None:
    """Serve runs until standard input ends; the first begins at rest, the others go on from it."""
    source, _, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with np.load(source) as file:
        arrays = dict(file)
    fan_out = np.bincount(arrays["pre"], minlength=arrays["threshold"].size)
    started = time.perf_counter()
    recorder = build(arrays)
    nest.Prepare()
    figures = {"version": f"NEST {nest.__version__}"}
    answers.write(json.dumps({**figures, "start_seconds": time.perf_counter() - started}) + "\n")
    known = 0
    for _ in sys.stdin:
        started = time.process_time()
        nest.Run(float(steps))
        seconds = time.process_time() - started
        senders = np.asarray(recorder.events["senders"])[known:] - 1
        known += senders.size
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answers.write(
            json.dumps(
                {
                    "seconds": seconds,
                    "peak_bytes": peak,
                    "spikes": int(senders.size),
                    "events": int(fan_out[senders].sum()),
                }
            )
            + "\n"
        )


if __name__ == "__main__":
    main()
