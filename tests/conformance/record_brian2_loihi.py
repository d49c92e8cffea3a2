"""Records what brian2-loihi does with 200 networks: a third oracle beside Lava and `reference`.

    python -m venv ENV && ENV/bin/pip install brian2==2.9.0 brian2-loihi==0.5.2 "numpy<2"
    uv run python tests/conformance/record_brian2_loihi.py --python ENV/bin/python

Writes ``golden/brian2_loihi.npz``: for each seed of `brian2_loihi_networks` the digest of the
network and the spikes. A spike of its time t is one of step t + 1 here: it updates before it sends.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from brian2_loihi_networks import STEPS, peer_network, peer_seeds

HERE = Path(__file__).resolve().parent
TARGET = HERE / "golden" / "brian2_loihi.npz"


def described(seed):
    """A network and its input as plain values."""
    network, inputs = peer_network(seed)
    populations = {
        p.name: {"size": p.size}
        | {f: int(p.parameter(f)[0]) for f in ("du", "dv", "vth", "refractory")}
        for p in network.compute_populations
    }
    projections = []
    for p in network.projections:
        entries = p.weights.tocoo()
        projections.append(
            {
                "pre": p.pre,
                "post": p.post,
                "rows": entries.row.tolist(),
                "cols": entries.col.tolist(),
                "weights": entries.data.tolist(),
                "weight_exp": p.weight_exp,
                "mode": p.sign_mode.value,
                "delay": int(p.delays or 0),
            }
        )
    return {
        "n_in": network.n_inputs,
        "n_steps": STEPS,
        "steps": inputs.steps.tolist(),
        "channels": inputs.neurons.tolist(),
        "populations": populations,
        "projections": projections,
    }


def main():
    """Run them all in the other interpreter, and store what it says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True, help="interpreter that has brian2-loihi")
    arguments = parser.parse_args()
    arrays, seeds = {}, peer_seeds()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for seed in seeds:
            (folder / f"{seed}.json").write_text(json.dumps(described(seed)))
        subprocess.run(
            [arguments.python, str(HERE / "brian2_loihi_child.py"), str(folder)], check=True
        )
        for seed in seeds:
            network, _ = peer_network(seed)
            found = json.loads((folder / f"{seed}.out.json").read_text())
            rows = [[t + 1, network.offset(name) + i] for t, name, i in found if t + 1 < STEPS]
            spikes = np.array(sorted(rows), dtype=np.uint8).reshape(-1, 2)
            arrays[f"{seed}/spikes"] = spikes
            arrays[f"{seed}/network"] = np.frombuffer(bytes.fromhex(network.digest), np.uint8)
    np.savez_compressed(TARGET, **arrays)


if __name__ == "__main__":
    main()
