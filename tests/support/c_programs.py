"""Compiles C programs of networks with the system's compiler, and runs them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from network_strategies import driven_networks
from scipy import sparse

from hrsnn_lava.deploy.c_target.program import c_program
from hrsnn_lava.deploy.c_target.source import c_source
from hrsnn_lava.quantized import QuantizedProjection
from hrsnn_lava.resets import RESETS
from hrsnn_lava.trace import SpikeInput, Trace

STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
SANITIZED = ("-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")


@cache
def compiler():
    """The system's compiler; None without one."""
    return shutil.which("cc")


@cache
def can_sanitize():
    """Whether it has the sanitizers, and their programs run."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "nothing.c")
        source.write_text("int main(void) { return 0; }\n")
        built = subprocess.run([compiler(), *SANITIZED, str(source), "-o", f"{folder}/nothing"])
        return built.returncode == 0 and subprocess.run([f"{folder}/nothing"]).returncode == 0


def built(source, folder, flags=("-O2",), name="network"):
    """The program of a source; every warning is an error."""
    path = Path(folder, f"{name}.c")
    path.write_text(source)
    program = Path(folder, name)
    command = [compiler(), *STRICT, *flags, "-DHRSNN_MAIN", str(path), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def lines_of(inputs: SpikeInput | None) -> str:
    """Events as the program reads them."""
    if inputs is None:
        return ""
    columns = [
        inputs.steps,
        inputs.neurons,
        *([] if inputs.payloads is None else [inputs.payloads]),
    ]
    return "".join(" ".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def trace_of(program, inputs, steps, n_neurons) -> Trace:
    """What a program did, with its states."""
    done = subprocess.run(
        [str(program), str(steps), "states"],
        input=lines_of(inputs),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = {"s": [], "v": [], "u": []}
    for line in done.stdout.splitlines():
        kind, _, rest = line.partition(" ")
        found[kind].append([int(word) for word in rest.split()])
    width = max(map(len, found["s"]), default=2)
    spikes = np.array(found["s"], dtype=np.int64).reshape(-1, width)
    states = {k: np.array(found[k], np.int64).reshape(steps, n_neurons + 1)[:, 1:] for k in "vu"}
    payloads = spikes[:, 2] if width > 2 else None
    v, u = states["v"], states["u"]
    return Trace(spikes[:, 0], spikes[:, 1], steps, n_neurons, v, u, payloads=payloads)


def run_in_c(network, inputs, steps, flags=("-O2",)) -> Trace:
    """A network from rest, in C."""
    with tempfile.TemporaryDirectory() as folder:
        program = built(c_source(c_program(network)).text, folder, flags)
        return trace_of(program, inputs, steps, network.n_neurons)


@st.composite
def driven_c_networks(draw, steps, max_size=12):
    """A network as for other engines, with any reset and held inputs, and its input."""
    network, inputs = draw(driven_networks(steps, max_size, delays=True))
    resets = {}
    for population in network.compute_populations:
        reset = resets[population.name] = draw(st.sampled_from(["zero", *RESETS]))
        how = {} if reset == "zero" else {"refractory": 0}
        if reset == "subtract_all":
            how["vth"] = np.maximum(population.parameter("vth"), 1)
        network = network.with_population(replace(population, **how))
    network = network.with_resets(resets)
    if inputs is None:
        return network, inputs
    for number in range(draw(st.integers(0, 2))):
        post = draw(st.sampled_from(network.compute_populations))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        spread = draw(st.sampled_from([3, 300, 2**31 - 1]))
        dense = rng.integers(-spread, spread, (post.size, network.n_inputs), endpoint=True)
        dense[rng.random(dense.shape) < 0.5] = 0
        held = QuantizedProjection(
            f"held{number}",
            "inp",
            post.name,
            sparse.csr_matrix(dense),
            weight_exp=draw(st.sampled_from([-31, -12, -3, 0, 7])),
            target="bias",
        )
        network = type(network)(network.populations, (*network.projections, held))
    return network.verify(), inputs
