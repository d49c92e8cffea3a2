"""What the network may cost: a fixed budget, and the number of operations of the last commit."""

import pytest
from network import run


@pytest.fixture(scope="module")
def ran():
    return run()


@pytest.mark.sop_budget(max_sops=30_000)
def test_operations(ran, sop_counter):
    sop_counter.record(*ran)


def test_energy(ran, energy_budget):
    report = energy_budget(*ran, max_dynamic_energy_uj=6.5, cost_set="sanafe_loihi")
    assert report["activity"]["spikes"] > 1000
