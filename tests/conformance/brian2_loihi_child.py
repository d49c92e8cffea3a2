"""Runs networks on brian2-loihi, in an environment of its own.

    ENV/bin/python brian2_loihi_child.py FOLDER

FOLDER holds ``SEED.json``; ``SEED.out.json`` is written beside each. Nothing of this project is
imported: brian2-loihi and Brian2 are no dependencies of it.
"""

import json
import sys
from pathlib import Path

import brian2
import numpy as np
from brian2_loihi import (
    LoihiNetwork,
    LoihiNeuronGroup,
    LoihiSpikeGeneratorGroup,
    LoihiSpikeMonitor,
    LoihiSynapses,
)

brian2.prefs.codegen.target = "numpy"
MODES = {"mixed": 1, "excitatory": 2, "inhibitory": 3}


def spikes_of(case):
    """Steps and population, neuron of every spike."""
    groups, monitors, synapses = {}, {}, []
    groups["i"] = LoihiSpikeGeneratorGroup(case["n_in"], case["channels"], case["steps"])
    for name, p in case["populations"].items():
        groups[name] = LoihiNeuronGroup(
            p["size"],
            refractory=p["refractory"] + 1,
            threshold_v_mant=p["vth"],
            decay_v=p["dv"],
            decay_I=p["du"] + 1,
        )
        monitors[name] = LoihiSpikeMonitor(groups[name])
    for p in case["projections"]:
        if not p["weights"]:
            continue
        synapse = LoihiSynapses(
            groups[p["pre"]],
            groups[p["post"]],
            delay=p["delay"],
            w_exp=p["weight_exp"],
            sign_mode=MODES[p["mode"]],
        )
        synapse.connect(i=p["cols"], j=p["rows"])
        synapse.w = np.array(p["weights"])
        synapses.append(synapse)
    net = LoihiNetwork(*groups.values(), *monitors.values(), *synapses)
    net.run(case["n_steps"])
    found = []
    for name, monitor in monitors.items():
        times = np.rint(np.asarray(monitor.t_) * 1000).astype(int).tolist()  # its own `t` truncates
        found += [[t, name, int(i)] for t, i in zip(times, np.asarray(monitor.i), strict=True)]
    return sorted(found)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for path in sorted(folder.glob("[0-9]*.json")):
        if path.name.endswith(".out.json"):
            continue
        brian2.start_scope()
        found = spikes_of(json.loads(path.read_text()))
        path.with_suffix(".out.json").write_text(json.dumps(found))
        sys.stderr.write(f"{path.stem}: {len(found)} spikes\n")
