"""NIR files and trees for tests: small graphs, real ones of exporters, and a plain Euler."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np

GOLDEN = Path(__file__).resolve().parents[1] / "deploy" / "interchange" / "golden"


def node(kind, **arrays):
    """A node of a type; arrays keep their types, lists become float64."""
    texts = {k: v for k, v in arrays.items() if isinstance(v, str)}
    values = {k: np.asarray(v) for k, v in arrays.items() if k not in texts}
    return {"type": kind, **texts, **values}


def chain(*names):
    """Edges along names."""
    return [list(pair) for pair in pairwise(names)]


def graph(nodes, edges):
    """A graph of nodes, as it stands in a file."""
    return {"type": "NIRGraph", "nodes": nodes, "edges": [list(edge) for edge in edges]}


def tree(nodes, edges, version="1.0.8"):
    """The tree of a whole file."""
    return {"version": version, "node": graph(nodes, edges)}


def ends(n_in, n_out):
    """An Input and an Output, by name."""
    return {
        "input": node("Input", shape=np.array([n_in])),
        "output": node("Output", shape=np.array([n_out])),
    }


def write(path, content):
    """A tree as a file, gzip and all, as the `nir` package writes."""

    def put(group, values):
        for name, value in values.items():
            if isinstance(value, dict):
                put(group.create_group(name), value)
            elif isinstance(value, np.ndarray):
                options = {"compression": "gzip"} if value.ndim else {}
                group.create_dataset(name, data=value, **options)
            else:
                group.create_dataset(name, data=value, dtype=h5py.string_dtype())

    with h5py.File(path, "w") as file:
        put(file, content)
    return Path(path)


def lif(n, seed=0, **others):
    """A LIF node of n neurons, all different."""
    rng = np.random.default_rng(seed)
    values = {
        "tau": rng.uniform(2e-3, 2e-2, n),
        "r": rng.uniform(0.5, 2.0, n),
        "v_leak": np.zeros(n),
        "v_reset": np.zeros(n),
        "v_threshold": rng.uniform(0.5, 1.5, n),
    }
    return node("LIF", **(values | others))


def cuba(n, seed=0, **others):
    """A CubaLIF node of n neurons, all different."""
    rng = np.random.default_rng(seed)
    values = {
        "tau_mem": rng.uniform(2e-3, 2e-2, n),
        "tau_syn": rng.uniform(1e-3, 1e-2, n),
        "r": rng.uniform(0.5, 2.0, n),
        "v_leak": np.zeros(n),
        "v_reset": np.zeros(n),
        "v_threshold": rng.uniform(0.5, 1.5, n),
        "w_in": rng.uniform(0.5, 2.0, n),
    }
    return node("CubaLIF", **(values | others))


def exported_names():
    """Names of the real files."""
    return sorted(path.stem for path in GOLDEN.glob("*.npz"))


@cache
def _packed(name):
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as packed:
        arrays = {key: packed[key] for key in packed.files}
    return json.loads(arrays.pop("index").tobytes()), arrays


def exported(name):
    """The tree of a real file, and the spikes of the framework that wrote it."""
    index, arrays = _packed(name)
    content: dict = {}

    def put(path, value):
        *groups, last = path.split("/")
        place = content
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value

    for path, text in index["texts"].items():
        put(path, text)
    spikes = {}
    for key, array in arrays.items():
        part, _, path = key.partition("|")
        if part == "file":
            put(path, array)
        else:
            spikes[path] = array.astype(np.int64)
    return content, spikes


def euler(layers, inputs, dt):
    """The equations of NIR by Euler's method in plain loops, float64: potentials and spikes.

    Args:
        layers: one after the other: a dict of parameters with ``weight``, ``bias``, and for
            recurrent ones ``w_rec``, ``b_rec``; ``tau_syn`` makes it a CubaLIF.
        inputs: (T, n) values.
    """
    states = [
        {
            "v": np.zeros(len(p["bias"])),
            "i": np.zeros(len(p["bias"])),
            "z": np.zeros(len(p["bias"])),
        }
        for p in layers
    ]
    out = [{"v": [], "z": []} for _ in layers]
    for x in inputs:
        for p, s, o in zip(layers, states, out, strict=True):
            drive = p["weight"] @ x + p["bias"]
            if "w_rec" in p:
                drive = drive + p["w_rec"] @ s["z"] + p["b_rec"]
            if "tau_syn" in p:
                s["i"] = s["i"] + dt / p["tau_syn"] * (p["w_in"] * drive - s["i"])
                drive = s["i"]
            tau = p["tau_mem"] if "tau_syn" in p else p["tau"]
            s["v"] = s["v"] + dt / tau * (p["v_leak"] - s["v"] + p["r"] * drive)
            s["z"] = (s["v"] > p["v_threshold"]).astype(float)
            s["v"] = np.where(s["z"] > 0, 0.0, s["v"])
            x = s["z"]
            o["v"].append(s["v"])
            o["z"].append(s["z"])
    return [{key: np.array(values) for key, values in o.items()} for o in out]
