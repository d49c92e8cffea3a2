"""Brian2 C++ standalone, in a process of its own.

``python peer_brian2.py NETWORK.npz FOLDER STEPS``

Knows nothing of hrsnn-lava: it reads plain arrays (`networks.as_arrays`), builds, and then answers
every line on standard input with one run and one line of JSON. Without plasticity it computes the
same integer map, in float64, which holds every value exactly; with it, pair STDP with Brian2's
own event-driven traces, in floats. Brian2 (CeCILL, GPL-compatible) is no dependency of the
project; it is installed by hand for the comparison.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np

#: Truncation toward zero, as Lava's fixed point decays; 4096 is a power of two, so it is exact.
STEP = """
u = int(u * keep_u / 4096) + 64 * a
a = 0
v = clip(int(v * keep_v / 4096) + u + bias, -8388607, 8388607)
"""


def build(arrays: dict[str, Any], folder: Path, steps: int) -> float:
    """Generate and compile the program; return the seconds that took."""
    started = time.perf_counter()
    b2.set_device("cpp_standalone", directory=str(folder), build_on_run=False)
    b2.defaultclock.dt = 1 * b2.ms
    n = arrays["threshold"].size
    neurons = b2.NeuronGroup(
        n,
        "u : 1\nv : 1\na : 1\nkeep_u : 1 (constant)\nkeep_v : 1 (constant)\n"
        "threshold : 1 (constant)\nbias : 1 (constant)",
        threshold="v > threshold",
        reset="v = 0",
        method="euler",
    )
    for name in ("keep_u", "keep_v", "threshold", "bias"):
        setattr(neurons, name, arrays[name].astype(float))
    neurons.run_regularly(STEP, when="groups")
    plastic = arrays["plastic"]
    everything = [neurons, b2.SpikeMonitor(neurons)]
    if (~plastic).any():
        fixed = b2.Synapses(neurons, neurons, "w : 1 (constant)", on_pre="a_post += w")
        fixed.connect(i=arrays["pre"][~plastic], j=arrays["post"][~plastic])
        fixed.w = arrays["weight"][~plastic].astype(float)
        everything.append(fixed)
    if plastic.any():
        learning = b2.Synapses(
            neurons,
            neurons,
            "w : 1\n"
            "dx/dt = -x / tau_plus : 1 (event-driven)\n"
            "dy/dt = -y / tau_minus : 1 (event-driven)",
            on_pre="a_post += w\nx += impulse\nw = clip(w - a_minus * y, 0, 255)",
            on_post="y += impulse\nw = clip(w + a_plus * x, 0, 255)",
            namespace={
                "tau_plus": float(arrays["tau_plus"]) * b2.ms,
                "tau_minus": float(arrays["tau_minus"]) * b2.ms,
                "a_plus": float(arrays["a_plus"]),
                "a_minus": float(arrays["a_minus"]),
                "impulse": float(arrays["impulse"]),
            },
        )
        learning.connect(i=arrays["pre"][plastic], j=arrays["post"][plastic])
        learning.w = arrays["weight"][plastic].astype(float)
        everything.append(learning)
    b2.Network(everything).run(steps * b2.ms)
    b2.device.build(directory=str(folder), compile=True, run=False)
    return time.perf_counter() - started


def run(folder: Path) -> dict[str, float]:
    """Run the compiled program once; seconds of its time loop, spikes, peak memory."""
    process = os.posix_spawn("./main", ["./main"], os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"the compiled program ended with status {status}")
    seconds = float((folder / "results" / "last_run_info.txt").read_text().split()[0])
    return {"seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024}


def spikes(folder: Path, steps: int) -> dict[str, Any]:
    """Steps and neurons of the last run, in order."""
    found: dict[str, Any] = {}
    for name, kind in (("t", np.float64), ("i", np.int32)):
        (path,) = folder.glob(f"results/_dynamic_array_spikemonitor_{name}_*")
        found[name] = np.fromfile(path, dtype=kind)
    at = np.rint(found["t"] * 1000).astype(np.int32)
    order = np.lexsort((found["i"], at))
    return {"steps": at[order], "neurons": found["i"][order], "n_steps": np.int64(steps)}


def main() -> None:
    """Serve runs until standard input ends."""
    source, folder, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what Brian2, make and the program print goes to standard error
    with np.load(source) as file:
        arrays = dict(file)
    seconds = build(arrays, folder, steps)
    os.chdir(folder)
    version = f"Brian2 {b2.__version__} C++"
    answers.write(json.dumps({"version": version, "start_seconds": seconds}) + "\n")
    for _ in sys.stdin:
        figures = run(folder)
        np.savez(folder / "spikes.npz", **spikes(folder, steps))
        answers.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
