"""An integer network rebuilt in torch, as NeuroBench measures it. Needs torch and snnTorch."""

from __future__ import annotations

from collections import deque

import numpy as np
import snntorch
import torch

from hrsnn_lava.integer_format import shift_sum

LIMIT = 2**23
CONSTANTS = ("du", "dv", "vth", "bias", "refractory")


class Neurons(snntorch.SpikingNeuron):
    """A population: constants and states are float32 buffers, which hold these integers exactly.

    `mem`, the name that NeuroBench reads, is the potential before the reset until `settle`.
    """

    init_hidden, output = True, False  # one tensor is returned: the spikes

    def __init__(self, population):
        torch.nn.Module.__init__(self)  # none of the buffers of snnTorch's own neurons
        values = {name: population.parameter(name) for name in ("du", "dv", "vth", "refractory")}
        values["bias"] = population.parameter("bias_mant") << population.parameter("bias_exp")
        for name in CONSTANTS:
            self.register_buffer(name, torch.tensor(values[name]).float()[None])
        for name in ("u", "mem", "waiting"):
            self.register_buffer(name, torch.zeros(1, population.size))
        self.script = None  # spikes and potentials that it is to show instead of its own

    def forward(self, arriving):
        """One step: what arrives, int64 (1, size), to spikes."""
        if self.script is not None:
            spikes, self.mem = self.script.popleft()
            return spikes
        u = toward_zero(self.u.long() * (4095 - self.du.long())) + (arriving << 6)
        u = (u + LIMIT - 1) % (2 * LIMIT) - LIMIT + 1  # 24 bits, -2^23 + 1 .. 2^23
        v = toward_zero(self.mem.long() * (4096 - self.dv.long())) + u + self.bias.long()
        v = torch.where(self.waiting > 0, 0, v.clamp(-LIMIT + 1, LIMIT - 1))
        spikes = (v > self.vth.long() << 6).float()
        self.u, self.mem = u.float(), v.float()
        self.waiting = torch.where(spikes > 0, self.refractory, (self.waiting - 1).clamp(min=0))
        return spikes

    def settle(self, spikes):
        """Reset what spiked."""
        self.mem = torch.where(spikes > 0, 0.0, self.mem)


def toward_zero(product):
    """``product / 4096`` rounded toward zero."""
    return torch.div(product, 4096, rounding_mode="trunc")


class Rebuilt(torch.nn.Module):
    """Every projection onto synapses a `torch.nn.Linear`, which meets spikes when they are sent.

    It runs by itself where a projection has one delay; `replay` makes it send what a trace says.

    Attributes:
        sent: spikes of every step, of all neurons, (1, n_neurons) each.
    """

    def __init__(self, network):
        super().__init__()
        self.network, self.sent = network, []
        self.projections = [p for p in network.projections if p.target == "synapse"]
        groups = network.compute_populations
        self.neurons = torch.nn.ModuleDict({p.name: Neurons(p) for p in groups})
        self.layers = torch.nn.ModuleDict({p.name: linear(p) for p in self.projections})
        self._under_way = {
            p.name: deque([None] * (int(p.delays or 0) + 1))
            for p in self.projections
            if not self._by_synapse(p)
        }

    @staticmethod
    def _by_synapse(projection):
        return projection.delays is not None and np.ndim(projection.delays) > 0

    @property
    def runs_by_itself(self):
        """False where one layer has several delays, or the host sets biases."""
        only = len(self.projections) == len(self.network.projections)
        return only and not any(self._by_synapse(p) for p in self.projections)

    def replay(self, trace):
        """Show the spikes of a trace, and its `v`: one above the threshold before a reset."""
        spikes = np.zeros((trace.n_steps, trace.n_neurons), dtype=np.float32)
        spikes[trace.spike_steps, trace.spike_neurons] = 1
        above = (self.network.gather("vth").astype(np.int64) << 6) + 1
        potentials = np.where(spikes > 0, above, trace.v).astype(np.float32)
        for population in self.network.compute_populations:
            part = self._part(population)
            rows = zip(
                torch.tensor(spikes[:, None, part]),
                torch.tensor(potentials[:, None, part]),
                strict=True,
            )
            self.neurons[population.name].script = deque(rows)

    @torch.no_grad()
    def forward(self, data):
        """Payloads of the inputs, (1, steps, n_inputs); returns the spikes of all steps."""
        for step in range(data.shape[1]):
            messages = {
                p.name: data[:, step, self._part(p)] for p in self.network.input_populations
            }
            groups = self.network.compute_populations
            for population in groups:
                arriving = self._arriving(population)
                messages[population.name] = self.neurons[population.name](arriving)
            self.sent.append(torch.cat([messages[p.name] for p in groups], dim=1))
            for projection in self.projections:
                message = messages[projection.pre]
                if not projection.num_message_bits:
                    message = (message != 0).float()
                result = self.layers[projection.name](message)
                self._under_way.get(projection.name, deque()).append(result)
            for name, module in self.neurons.items():
                module.settle(messages[name])
        return torch.stack(self.sent, dim=1)

    def _part(self, population):
        first = self.network.offset(population.name)
        return slice(first, first + population.size)

    def _arriving(self, population):
        total = torch.zeros(1, population.size, dtype=torch.int64)
        for projection in self.projections:
            if projection.post == population.name and projection.name in self._under_way:
                result = self._under_way[projection.name].popleft()
                if result is not None:
                    total += shift_sum(result.long(), projection.weight_exp)
        return total


def linear(projection):
    """The layer of a projection: the weights that act, dense, in float32, no bias."""
    dense = projection.effective_weights().toarray()
    layer = torch.nn.Linear(dense.shape[1], dense.shape[0], bias=False)
    layer.weight.data = torch.tensor(dense, dtype=torch.float32)
    return layer
