"""Networks in C: bit for bit what the engines do, and no more memory than is said."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest
from c_programs import (
    SANITIZED,
    built,
    can_sanitize,
    compiler,
    driven_c_networks,
    lines_of,
    run_in_c,
    trace_of,
)
from hypothesis import HealthCheck, Phase, given, settings
from network_strategies import collected, driven_learning_networks
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.deploy.c_target.program import c_program
from hrsnn_lava.deploy.c_target.source import c_source
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.resets import RESETS
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler `cc`"),
]
STEPS = 40
PROBES = ("spikes", "v", "u")


def require_equal(case, flags):
    network, inputs = case
    native = simulate(network, inputs, STEPS, "native", PROBES)
    trace = run_in_c(network, inputs, STEPS, flags)
    assert compare(native, trace, ("native", "c")) == (0, None)
    return native


@pytest.mark.parametrize(("flags", "number"), [(("-O2",), 0), (SANITIZED, 1)])
def test_generated_networks_are_equal_bit_for_bit(flags, number):
    """With undefined behaviour and reads beyond an array refused, too."""
    if flags == SANITIZED and not can_sanitize():
        pytest.skip("the compiler has no sanitizers")
    spikes = [
        require_equal(c, flags).n_spikes for c in collected(driven_c_networks(STEPS), 8, number)
    ]
    assert sum(spikes) > 40, spikes  # what is drawn differs between sessions


@pytest.mark.nightly
@pytest.mark.parametrize("flags", [("-O2",), ("-O0",), (*SANITIZED, "-O1")])
def test_a_hundred_generated_networks_are_equal_bit_for_bit(flags):
    seen = {"wrap": 0, "saturated": 0, "spikes": 0, "held": 0, "floored": 0, "resets": 0}

    @settings(max_examples=100, suppress_health_check=[*HealthCheck], phases=[Phase.generate])
    @given(driven_c_networks(STEPS))
    def check(case):
        native = require_equal(case, flags)
        jump = np.abs(np.diff(native.u.astype(np.int64), axis=0)).max(initial=0)
        seen["wrap"] += int(jump > 2**23)
        seen["saturated"] += int(np.abs(native.v).max(initial=0) == 2**23 - 1)
        seen["spikes"] += native.n_spikes
        program = c_program(case[0])
        seen["held"] += len(program.parts) > 0
        seen["resets"] += bool(program.reset.any())
        seen["floored"] += any(block.down for block in program.blocks)

    check()
    assert min(seen.values()) > 3, seen


def chain(size=300, **how):
    """A population with two inputs, dense enough that blocks of every kind of byte occur."""
    rng = np.random.default_rng(5)

    def weights(shape, low, high, density=0.2):
        return sparse.csr_matrix(rng.integers(low, high, shape) * (rng.random(shape) < density))

    pop = hl.QuantizedPopulation(
        "p",
        size,
        du=rng.integers(-1, 4096, size),
        dv=rng.integers(0, 4097, size),
        vth=rng.integers(50, 2000, size),
        bias_mant=rng.integers(-50, 300, size),
        bias_exp=6,
        **how,
    )
    return hl.QuantizedNetwork(
        (hl.QuantizedInput("val", 5, 64.0), hl.QuantizedInput("spk", 4), pop),
        (
            hl.QuantizedProjection(
                "exc", "p", "p", weights((size, size), 0, 256), -2, "excitatory", delays=3
            ),
            hl.QuantizedProjection(
                "inh", "p", "p", weights((size, size), -255, 1), 1, "inhibitory"
            ),
            hl.QuantizedProjection(
                "mix",
                "p",
                "p",
                weights((size, size), -256, 256),
                -3,
                delays=sparse.csr_matrix((size, size), dtype=int),
            ),
            hl.QuantizedProjection(
                "val_p", "val", "p", weights((size, 5), -99, 99), 2, num_message_bits=24, delays=1
            ),
            hl.QuantizedProjection("spk_p", "spk", "p", weights((size, 4), 0, 99), delays=62),
        ),
    )


def events(network, steps=80, seed=1):
    rng = np.random.default_rng(seed)
    at, who = np.nonzero(rng.random((steps, network.n_inputs)) < 0.3)
    return SpikeInput(at, who, steps, network.n_inputs, rng.integers(-500, 500, at.size))


def test_a_larger_network_with_more_than_256_neurons(tmp_path):
    network = chain(refractory=2)
    inputs = events(network)
    source = c_source(c_program(network)).text
    assert "typedef uint16_t hrsnn_index;" in source
    trace = trace_of(built(source, tmp_path), inputs, 80, 300)
    native = simulate(network, inputs, 80, "native", PROBES)
    assert native.n_spikes > 500
    assert compare(native, trace, ("native", "c")) == (0, None)


def test_plain_spikes_on_channels_with_values_count_as_their_scale(tmp_path):
    """As `in_counts` has it: 1.0 is 64 counts on "val", and 1 on "spk"."""
    network = chain(40)
    given_events = events(network)
    plain = SpikeInput(given_events.steps, given_events.neurons, 80, network.n_inputs)
    trace = trace_of(built(c_source(c_program(network)).text, tmp_path), plain, 80, 40)
    native = simulate(network, plain, 80, "native", PROBES)
    assert compare(native, trace, ("native", "c")) == (0, None)


@pytest.mark.parametrize("reset", RESETS)
def test_every_reset(tmp_path, reset):
    network = chain(60).with_resets({"p": reset})
    inputs = events(network)
    trace = trace_of(built(c_source(c_program(network)).text, tmp_path), inputs, 80, 60)
    native = simulate(network, inputs, 80, "native", PROBES)
    assert native.n_spikes > 300
    assert compare(native, trace, ("native", "c")) == (0, None)


def test_it_starts_anew_after_a_reset(tmp_path):
    """A caller that runs the network twice gets the same spikes, and what it asks for wrongly is
    refused."""
    network = chain(40, refractory=1)
    source = c_source(c_program(network)).text
    caller = """
#include "network.c"
#include <stdio.h>
int main(void)
{
    const int32_t channels[] = {1, 2, 7}, wrong[] = {2, 1}, beyond[] = {9};
    int32_t first[50];
    for (int run = 0; run < 2; ++run) {
        hrsnn_reset();
        for (int step = 0; step < 50; ++step) {
            const int32_t n = hrsnn_step(channels, NULL, step % 3);
            int32_t sum = n;
            for (int32_t k = 0; k < n; ++k)
                sum = sum * 31 % 65521 + hrsnn_spike(k);
            for (int32_t i = 0; i < 40; ++i)
                sum = sum * 31 % 65521 + hrsnn_potential(i) % 1000 + hrsnn_current(i) % 1000;
            if (run == 0)
                first[step] = sum;
            else if (first[step] != sum)
                return 1;
        }
    }
    if (hrsnn_step(wrong, NULL, 2) != -1 || hrsnn_step(beyond, NULL, 1) != -1)
        return 2;
    return hrsnn_spike(-1) == -1 && hrsnn_spike(1000) == -1 && hrsnn_unit(0) == 64 &&
           hrsnn_unit(6) == 1 && hrsnn_unit(9) == 0 ? 0 : 3;
}
"""
    (tmp_path / "network.c").write_text(source)
    (tmp_path / "caller.c").write_text(caller)
    command = [compiler(), "-std=c11", "-Wall", "-Wextra", "-Werror", "caller.c", "-o", "caller"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "caller"]).returncode == 0


def test_the_data_take_what_is_said(tmp_path):
    """Constants and variables, by the linker's own account; only padding comes on top."""
    source = c_source(c_program(chain(refractory=2)))
    (tmp_path / "network.c").write_text(source.text)
    command = [compiler(), "-std=c11", "-O1", "-fno-common", "-c", "network.c", "-o", "network.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["nm", "-S", "network.o"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    sizes = {"r": 0, "b": 0}
    for size, kind in re.findall(r"^\w+ (\w+) (\w) hrsnn_", listed, re.MULTILINE):
        sizes[kind.lower()] = sizes.get(kind.lower(), 0) + int(size, 16)
    assert source.footprint.flash == sizes["r"]
    assert source.footprint.ram == sizes["b"]
    assert f"{source.footprint.flash} bytes of constants" in source.text


def test_events_that_are_none_end_the_program(tmp_path):
    program = built(c_source(c_program(chain(10))).text, tmp_path)
    for text in ("0 99\n", "0 2\n0 1\n", "none\n", "3 1\n1 1\n", "-1 1\n"):
        done = subprocess.run([program, "5"], input=text, capture_output=True, text=True)
        assert done.returncode == 3, text
        assert done.stderr
    for text in (f"0 {2**32 + 1}\n", f"0 1 {2**31}\n"):  # what 32 bits do not hold
        done = subprocess.run([program, "5"], input=text, capture_output=True, text=True)
        assert done.returncode == 3, text
        assert "not an event" in done.stderr


@pytest.mark.parametrize("steps", ["five", "5x", "-1", ""])
def test_a_number_of_steps_is_one(steps, tmp_path):
    program = built(c_source(c_program(chain(10))).text, tmp_path)
    done = subprocess.run([program, steps], input="", capture_output=True, text=True)
    assert done.returncode == 2
    assert "usage" in done.stderr
    assert lines_of(None) == ""


def test_a_network_alone_without_inputs_and_synapses():
    clock = hl.QuantizedPopulation("c", 3, du=4095, dv=0, vth=[10, 20, 30], bias_mant=100)
    network = hl.QuantizedNetwork((clock,))
    require_equal((network, None), ("-O2",))


@pytest.mark.parametrize("case", collected(driven_learning_networks(STEPS), 4, 3))
def test_learning_is_refused_by_name(case):
    network, _ = case
    learning = [p.name for p in network.projections if p.learning is not None]
    if not learning:
        return
    with pytest.raises(CapacityError) as refusal:
        c_program(network)
    where = [violation.where for violation in refusal.value.violations]
    assert where == [f"projection {name!r}" for name in learning]


def test_a_network_without_neurons_is_refused():
    with pytest.raises(SpecError):
        c_program(hl.QuantizedNetwork((hl.QuantizedInput("i", 2),)))


def test_names_cannot_leave_the_comment():
    clock = hl.QuantizedPopulation("c", 1, du=4095, dv=0, vth=10)
    network = hl.QuantizedNetwork((clock,), name="*/ #error /* ??/")
    head = c_source(c_program(network)).text.split("*/", 1)[0]
    assert "__ _error __ ___: a spiking network" in head
    assert "written by hrsnn-lava" in head


def test_equal_networks_give_equal_text():
    assert c_source(c_program(chain(50))).text == c_source(c_program(chain(50))).text
