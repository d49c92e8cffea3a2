"""Adapters as Lava's extension has them, that pass on what they get; and a run between them.

``python identity_adapters.py PROGRAM.npz OUT.npz`` runs a program in stock Processes on the CPU.
"""

from __future__ import annotations

import sys

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class Identity(AbstractProcess):
    """Passes on."""

    def __init__(self, *, shape, num_message_bits=0):
        super().__init__(shape=shape, num_message_bits=num_message_bits)
        self.inp = InPort(shape=shape)
        self.out = OutPort(shape=shape)


@implements(proc=Identity, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class IdentityModel(PyLoihiProcessModel):
    """On the CPU."""

    inp: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self):
        """One step."""
        self.out.send(self.inp.recv())


if __name__ == "__main__":
    from hrsnn_lava.processes.hardware import run_adapted
    from hrsnn_lava.processes.program import LavaProgram

    program = LavaProgram.load(sys.argv[1])
    spikes = run_adapted(program, (Identity, Identity), Loihi2SimCfg(select_tag="fixed_pt"))
    np.savez(sys.argv[2], **spikes)
