"""Writes bundles of networks, and runs them where hrsnn-lava cannot be imported."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

import hrsnn_lava as hl
from hrsnn_lava.deploy.bundle.contents import deployed
from hrsnn_lava.deploy.bundle.folder import write
from hrsnn_lava.deploy.bundle.lava_target import lava_bundle
from hrsnn_lava.sim_backends.base import as_quantized
from hrsnn_lava.sim_backends.runs.inputs import random_input

#: What an environment with Lava and NumPy alone does not have.
REFUSED = ["hrsnn_lava", "click", "h5py", "jinja2", "lazy_loader", "markupsafe", "numba"]
REFUSED += ["pydantic", "rich", "tomli", "typing_extensions"]
_GUARD = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {REFUSED!r}:
            raise ModuleNotFoundError(f"{{name}} is refused here", name=name)
sys.meta_path.insert(0, Refuse())
sys.dont_write_bytecode = True
"""
#: Runs the bundles of the arguments behind ``--`` one after the other, with those before it.
_MANY = """
from pathlib import Path
cut = sys.argv.index("--")
options, folders = sys.argv[1:cut], sys.argv[cut + 1:]
sys.path.insert(0, folders[0])
from hrsnn_program.runner import main
codes = [main([*options, "-o", f"{f}.trace.npz"], Path(f)) for f in folders]
print("codes", codes, flush=True)
import os
os._exit(max(codes))
"""
_ONE = """
import runpy
folder = sys.argv.pop(1)
sys.argv[0] = folder
runpy.run_path(folder, run_name="__main__")
"""


def small_network(**how):
    """Two populations, delays, a held input and one of spikes: all but learning."""
    rng = np.random.default_rng(1)

    def matrix(rows, columns, low, high):
        return rng.integers(low, high, (rows, columns)) * (rng.random((rows, columns)) < 0.4)

    neurons = {
        "du": rng.integers(500, 2000, 20),
        "dv": rng.choice([200, 800], 20),
        "vth": rng.integers(200, 600, 20),
        "bias_mant": rng.integers(0, 90, 20),
        "bias_exp": 6,
        "refractory": rng.integers(0, 3, 20),
    }
    exc = hl.QuantizedPopulation("exc", 20, **{**neurons, **how})
    inh = hl.QuantizedPopulation("inh", 5, du=900, dv=400, vth=300)
    return hl.QuantizedNetwork(
        (hl.QuantizedInput("val", 3, 64.0), hl.QuantizedInput("spk", 4), exc, inh),
        (
            hl.QuantizedProjection("ee", "exc", "exc", matrix(20, 20, 0, 60), 0, "excitatory"),
            hl.QuantizedProjection("ei", "exc", "inh", matrix(5, 20, 0, 60), 0, delays=2),
            hl.QuantizedProjection("ie", "inh", "exc", matrix(20, 5, -60, 0), 1, "inhibitory"),
            hl.QuantizedProjection("se", "spk", "exc", matrix(20, 4, 0, 99), -1),
            hl.QuantizedProjection("ve", "val", "exc", matrix(20, 3, -9, 9), -2, target="bias"),
        ),
        "small",
    )


def bundle_of(network, folder, inputs=None, steps=40):
    """A bundle for Lava; random input unless there is one."""
    if inputs is None:
        inputs = random_input(as_quantized(network), steps)
    return write(folder, *lava_bundle(deployed(network, inputs, steps)))


def run_bundle(folder, *options):
    """Run a bundle by itself, in an interpreter of its own."""
    command = [sys.executable, "-I", "-W", "ignore", "-c", _GUARD + _ONE, str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def run_bundles(folders, *options):
    """Run many in one interpreter; each writes ``FOLDER.trace.npz``."""
    names = [str(folder) for folder in folders]
    command = [sys.executable, "-I", "-W", "ignore", "-c", _GUARD + _MANY, *options, "--", *names]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)
