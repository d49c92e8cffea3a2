"""A small compiled network, and a run of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.report.document import Report, build_report
from hrsnn_lava.report.sections.dynamics import dynamics
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput

STEPS = 60


@pytest.fixture(scope="session")
def small_network():
    """40 + 10 neurons of many time constants, 2 held inputs."""
    rng = np.random.default_rng(5)

    def lif(size):
        return LIF(rng.gamma(3.0, 5e-3, size) + 2e-3, 5e-3, rng.normal(1.0, 0.1, size), 0.6)

    def draw(post, pre, sign):
        dense = rng.gamma(2.0, 1.0, (post, pre)) * (rng.random((post, pre)) < 0.2)
        return sparse.csr_matrix(sign * dense)

    populations = (
        Population("inp", 2, Input(graded=True)),
        Population("exc", 40, lif(40), "excitatory"),
        Population("inh", 10, lif(10), "inhibitory"),
    )
    projections = (
        Projection("inp_exc", "inp", "exc", draw(40, 2, 1), target="bias"),
        Projection("exc_exc", "exc", "exc", draw(40, 40, 1)),
        Projection("exc_inh", "exc", "inh", draw(10, 40, 1)),
        Projection("inh_exc", "inh", "exc", draw(40, 10, -1)),
    )
    return Network(1e-3, populations, projections, "small").verify()


def compiled_for(network, profile, **options):
    return compile_network(network, HardwareProfile.load(profile), seed=3, **options)


def run_of(compiled):
    inputs = SpikeInput.held(np.arange(12).reshape(6, 2) * 100, STEPS // 6)
    return simulate(compiled, inputs, STEPS, "reference")


@pytest.fixture(scope="session")
def compiled(small_network):
    """On Loihi 1, several cores."""
    return compiled_for(small_network, "loihi1", neurons_per_core=10)


@pytest.fixture(scope="session")
def trace(compiled):
    """A run of it."""
    found = run_of(compiled)
    assert found.n_spikes > 50
    return found


@pytest.fixture(scope="session")
def whole(compiled, trace, small_network):
    """A report with everything in it."""
    return build_report(
        compiled,
        trace,
        cost_set=CostSet.load("sanafe_loihi"),
        accuracy={"float": {"rmse": 0.2}, "integer": {"rmse": 0.21}},
        parity={
            "backends": ["reference", "native"],
            "steps": STEPS,
            "mismatches": 0,
            "first": None,
            "network_digest": compiled.network_digest,
        },
        comparison=[
            {"name": "lyapunov", "density": 0.1, "sops": 10},
            {"name": "random", "density": 0.1, "rmse_mean": 0.3},
        ],
        network_before=small_network,
        samples=6,
        sop_reference={"total": 10**6, "recurrent": 10**6},
        spec_digest="abc",
    )


#: What a check with budgets adds to a report.
BUDGETS = [
    {
        "key": "max_sops_per_inference",
        "value": 1234.5,
        "limit": 2000.0,
        "unit": "SOP",
        "ok": True,
        "reason": "within the limit",
        "margin_percent": 38.275,
        "most": True,
        "proxy": False,
    },
    {
        "key": "max_energy_uj",
        "value": 73.5,
        "limit": 10.0,
        "unit": "uJ",
        "ok": False,
        "reason": "63.5 uJ above the limit",
        "margin_percent": -635.0,
        "most": True,
        "proxy": True,
    },
    {
        "key": "min_accuracy",
        "value": None,
        "limit": 0.9,
        "unit": "",
        "ok": False,
        "reason": "no accuracy in the report",
        "margin_percent": None,
        "most": False,
        "proxy": False,
    },
]


@pytest.fixture(scope="session")
def rich(compiled, trace, small_network):
    """A report with every optional part: budgets, a pruning curve, dynamics."""
    rows = [
        {"name": "unpruned", "method": "none", "density": 1.0, "sops": 5000, "rmse_mean": 0.2},
        {"name": "LNP 10 %", "method": "LNP", "density": 0.1, "sops": 510, "rmse_mean": 0.25},
        {"name": "LNP 2 %", "method": "LNP", "density": 0.02, "sops": 98, "rmse_mean": 0.31},
        {"name": "none left", "method": "no", "density": 0.0, "sops": 0, "rmse_mean": 0.7},
        {"name": "persistence", "rmse_mean": 1.0},
    ]
    rng = np.random.default_rng(2)
    made = build_report(
        compiled,
        trace,
        cost_set=CostSet.load("sanafe_loihi"),
        comparison=rows,
        dynamics=dynamics(small_network, small_network, compiled.network, rng=rng, drive_noise=0.3),
        network_float=small_network,
        samples=6,
    )
    return Report({**made.data, "budgets": BUDGETS}, made.facts)


@pytest.fixture(scope="session")
def proxied(small_network):
    """Loihi 2 with the prices of Loihi 1."""
    other = compiled_for(small_network, "loihi2")
    return build_report(other, run_of(other), cost_set=CostSet.load("davies2018"))


@pytest.fixture(scope="session")
def unpriced(small_network):
    """Loihi 2 has no prices of its own."""
    other = compiled_for(small_network, "loihi2")
    return build_report(other, run_of(other))


@pytest.fixture(scope="session")
def bare(compiled):
    """Compiled, never run."""
    return build_report(compiled)


@pytest.fixture(scope="session")
def hostile(compiled, trace):
    """Names that would do harm in a page, and a chip that the network does not fit."""
    bad = '<script>alert("x")</script>&\'"'
    network = compiled.network
    populations = tuple(replace(p, name=p.name + bad) for p in network.populations)
    projections = tuple(
        replace(p, name=p.name + bad, pre=p.pre + bad, post=p.post + bad)
        for p in network.projections
    )
    network = replace(network, name=bad, populations=populations, projections=projections).verify()
    content = compiled.profile.to_dict()
    content["core"]["in_axons"]["value"] = 4
    profile = HardwareProfile.from_dict(content)
    small = replace(compiled, network=network, profile=profile)
    return build_report(
        small,
        replace(trace, origin=None),  # the same run, by other names
        accuracy={bad: bad},
        comparison=[{bad: bad}],
        provenance={bad: bad},
    )
