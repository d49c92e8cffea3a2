"""Our figures against NeuroBench's own code, on the network rebuilt as torch layers.

NeuroBench and torch are no dependencies of the project; ``docs/neurobench.md`` says how these
tests are run where they are not installed.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from neurobench_networks import messages, network_and_input

import hrsnn_lava as hl
from hrsnn_lava.artifacts.container import rounded
from hrsnn_lava.cli.main import cli
from hrsnn_lava.compiler.analysis.operations.counting import activity
from hrsnn_lava.compiler.analysis.operations.neurobench import neurobench
from hrsnn_lava.compiler.analysis.operations.synops import synaptic_operations
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.report.document import DIGITS
from hrsnn_lava.sim_backends.runs.session import simulate

try:
    import torch
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
    from neurobench.metrics.utils.layers import single_layer_MACs
    from neurobench.metrics.workload import (
        ActivationSparsity,
        MembraneUpdates,
        SynapticOperations,
    )
    from neurobench.models import TorchModel
    from torch_rebuild import Neurons, Rebuilt
except ImportError as error:
    REASON = f"{error}; .ci/neurobench installs what is needed and runs these tests"
    pytest.skip(REASON, allow_module_level=True)

STATIC = [Footprint, ParameterCount, ConnectionSparsity]
WORKLOAD = [ActivationSparsity, MembraneUpdates, SynapticOperations]
NAMES = [metric.__name__ for metric in STATIC + WORKLOAD]
STEPS = 20
NUMBERS = range(48)


def run(number, steps=STEPS):
    network, inputs = network_and_input(number, steps)
    return network, simulate(network, inputs, steps, "reference", ("spikes", "v", "u"))


def ours(network, trace, samples=None):
    """The block as a report has it."""
    done = activity(network, Placement.of(np.zeros(network.n_neurons, int)), trace)
    ops = synaptic_operations(network, trace)
    return neurobench(network, ops, done, trace=trace, samples=samples)


def driven(network, trace):
    """Payloads of all inputs, (1, n_steps, n_inputs)."""
    values = np.zeros((trace.n_steps, network.n_inputs), dtype=np.float32)
    if network.n_inputs:
        inside = trace.inputs.steps < trace.n_steps
        at, who = trace.inputs.steps[inside], trace.inputs.neurons[inside]
        values[at, who] = trace.inputs.payload_values()[inside]
    return torch.tensor(values)[None]


def theirs(rebuilt, data, capsys):
    """What `Benchmark.run` finds; `data` is (samples, steps, n_inputs)."""
    model = TorchModel(rebuilt)
    model.add_activation_module(Neurons)
    dataset = torch.utils.data.TensorDataset(data, torch.zeros(data.shape[0]))
    loader = torch.utils.data.DataLoader(dataset, batch_size=1)
    found = Benchmark(model, loader, [], [], [STATIC, WORKLOAD]).run()
    assert "Error" not in capsys.readouterr().out  # it goes on after a metric that failed
    return dict(found)


@pytest.mark.parametrize("number", NUMBERS)
def test_every_metric_equals_neurobench_on_a_replayed_run(number, capsys):
    network, trace = run(number)
    rebuilt = Rebuilt(network)
    rebuilt.replay(trace)
    found = theirs(rebuilt, driven(network, trace), capsys)
    own = ours(network, trace)
    assert {name: own[name] for name in NAMES} == found


@pytest.mark.parametrize("number", [n for n in NUMBERS if n % 3])
def test_the_rebuilt_network_spikes_alike_by_itself(number, capsys):
    """The same metrics from torch's own run, where a projection has one delay."""
    network, trace = run(number)
    rebuilt = Rebuilt(network)
    assert rebuilt.runs_by_itself
    found = theirs(rebuilt, driven(network, trace), capsys)
    spikes = np.argwhere(torch.cat(rebuilt.sent).numpy())
    assert spikes.tolist() == np.stack([trace.spike_steps, trace.spike_neurons], 1).tolist()
    own = ours(network, trace)
    assert {name: own[name] for name in NAMES} == found


@pytest.mark.parametrize("number", range(5))
def test_samples_are_means_over_batches(number, capsys):
    """A recording of five samples: operations and sparsity are those of five batches."""
    network, trace = run(number)
    rebuilt = Rebuilt(network)
    rebuilt.replay(trace)
    data = driven(network, trace).reshape(5, STEPS // 5, network.n_inputs)
    found = theirs(rebuilt, data, capsys)
    own = ours(network, trace, samples=5)
    assert own["SynapticOperations"] == found["SynapticOperations"]
    assert own["ActivationSparsity"] == pytest.approx(found["ActivationSparsity"], abs=1e-12)


def test_the_networks_show_what_they_are_for():
    """Spikes, silence, both kinds of operations, delays, zeros of the grid, unit payloads."""
    seen = set()
    for number in NUMBERS:
        network, trace = run(number)
        ops, block = synaptic_operations(network, trace), ours(network, trace)
        found = block["SynapticOperations"]
        seen |= {
            name
            for name, there in {
                "spikes": trace.n_spikes,
                "silent steps": np.unique(trace.spike_steps).size < STEPS,
                "MACs": found["Effective_MACs"],
                "ACs of a graded layer": found["Effective_ACs"] > ops.total,
                "ACs of an input": any(p.operations for p in ops.projections if not p.recurrent),
                "zeros of the grid": ops.issued > ops.total,
                "delays by synapse": not Rebuilt(network).runs_by_itself,
                "no input": not network.n_inputs,
                "two inputs": len(network.input_populations) == 2,
                "neurons at rest in the first step": not trace.v[0].all(),
                "updates that change nothing": block["MembraneUpdates"] < STEPS * network.n_neurons,
            }.items()
            if there
        }
    assert len(seen) == 11, seen


def test_one_layer_counted_by_hand(capsys):
    """The numbers that both sides give, from the matrices themselves."""
    network, trace = run(1)
    rebuilt = Rebuilt(network)
    rebuilt.replay(trace)
    found = theirs(rebuilt, driven(network, trace), capsys)["SynapticOperations"]
    total = 0
    for projection in network.projections:
        weights = projection.effective_weights().toarray() != 0
        total += ((messages(network, trace, projection) != 0) @ weights.T.astype(int)).sum()
    assert found["Effective_ACs"] + found["Effective_MACs"] == total > 0


def test_the_report_of_a_spec_says_what_neurobench_says(tmp_path, monkeypatch, capsys):
    """A forecasting network of the command line, from the spec to the figures in the report."""
    monkeypatch.chdir(tmp_path)
    spec = Path(__file__).resolve().parents[2] / "examples" / "small.toml"
    assert CliRunner().invoke(cli, ["run", str(spec), "--quiet"]).exit_code == 0
    folder = tmp_path / "out" / "small"
    report = json.loads((folder / "report.json").read_text())
    network = hl.CompiledNetwork.load(folder / "compiled.hlx").network
    steps = report["activity"]["steps"]
    inputs = hl.SpikeInput.load(folder / "input.npz")
    trace = simulate(network, inputs, steps, "reference", ("spikes", "v", "u"))
    rebuilt = Rebuilt(network)
    rebuilt.replay(trace)
    found = theirs(rebuilt, driven(network, trace), capsys)
    samples = 10  # of 5 steps, in one recording
    found["MembraneUpdates"] /= samples
    found["SynapticOperations"] = {k: n / samples for k, n in found["SynapticOperations"].items()}
    assert {name: report["neurobench"][name] for name in NAMES} == rounded(found, DIGITS)
    assert report["sop"]["total"] == samples * found["SynapticOperations"]["Effective_ACs"] > 0


def test_beyond_24_bits_neurobench_rounds():
    """It sums a call in float32; ours are integers of any size."""
    layer = torch.nn.Linear(4097, 4097, bias=False)
    layer.weight.data[:] = 1
    operations, _ = single_layer_MACs(torch.ones(1, 4097), layer)
    assert operations == 4097**2 - 1
