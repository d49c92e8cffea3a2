"""A program on a Loihi 2 host: Lava's own Processes alone, between the adapters of its extension.

What runs on a chip is `LIF`, `Sparse`, `DelaySparse` and the learning connections; a `RingBuffer`
on either side stays on the host, and an adapter is between::

    RingBuffer -> PyToNxAdapter -> Sparse -> LIF -> NxToPyAdapter -> RingBuffer

The adapters and the models for the chip come with Lava's extension for Loihi, which is not public:
what is here follows its published examples and the interfaces of the public package, and was never
run on a chip. `run_adapted` takes the adapters as arguments, so that a CPU can run the same graph.

Importing this module imports Lava, which needs Python 3.10.
"""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.utils import loihi
from numpy.typing import NDArray

from hrsnn_lava.errors import BackendMissingError
from hrsnn_lava.processes.graph import components
from hrsnn_lava.processes.program import LavaProgram
from hrsnn_lava.processes.stock import stock_graph, stretches

__all__ = ["Adapters", "loihi_obstacle", "run_adapted", "run_on_loihi"]

#: Makes the adapters from the host to the chip and back, of a shape; ports `inp` and `out`.
Adapters = tuple[Callable[..., AbstractProcess], Callable[..., AbstractProcess]]
#: Where the extension has them, in the examples of its users.
_ADAPTERS = ("lava.proc.embedded_io.spike", "PyToNxAdapter", "NxToPyAdapter")


def loihi_obstacle() -> str | None:
    """Why no Loihi 2 can be used here, in one line; None if it can."""
    if loihi.is_installed():
        return None
    return (
        "Lava's extension for Loihi (lava-loihi) is not installed, so there are no models for the "
        "chip: run on a host of the INRC, or without --hardware on the CPU"
    )


def run_on_loihi(program: LavaProgram) -> dict[str, NDArray[np.bool_]]:
    """Spikes of every `LIF`, (n_steps, size), of a program in stock Processes on a Loihi 2.

    Raises:
        BackendMissingError: Lava's extension for Loihi is not there, or has no such adapters.
    """
    if obstacle := loihi_obstacle():
        raise BackendMissingError(obstacle)
    module, *names = _ADAPTERS
    try:
        adapters = tuple(getattr(importlib.import_module(module), name) for name in names)
    except (ImportError, AttributeError) as error:
        raise BackendMissingError(f"this lava-loihi has no adapters as expected: {error}") from None
    return run_adapted(program, (adapters[0], adapters[1]), Loihi2HwCfg())


def run_adapted(
    program: LavaProgram, adapters: Adapters, run_config: Any
) -> dict[str, NDArray[np.bool_]]:
    """Spikes of every `LIF`, (n_steps, size), by name; parts that share nothing run in turn.

    Args:
        program: of a network that is lowered to stock Processes, with its input.
        adapters: see the module.
        run_config: Lava's.
    """
    spikes: dict[str, NDArray[np.bool_]] = {}
    for _, part in components(program):
        spikes |= _run(part, adapters, run_config)
    return spikes


def _run(part: LavaProgram, adapters: Adapters, run_config: Any) -> dict[str, NDArray[np.bool_]]:
    """One connected part."""
    inward, outward = adapters
    neurons = np.arange(sum(group.size for group in part.neurons))
    graph = stock_graph(part, neurons, inward)
    sinks = {}
    for name, lif in graph.neurons.items():
        adapter = outward(shape=lif.s_out.shape)
        sinks[name] = Sink(shape=lif.s_out.shape, buffer=part.n_steps)
        lif.s_out.connect(adapter.inp)
        adapter.out.connect(sinks[name].a_in)
    root = next(iter(graph.neurons.values()))
    root.create_runtime(run_config)
    try:
        for length, writes in stretches(part.n_steps, graph.writes):
            for write in writes:
                write.process.bias_mant.set(write.mantissa)
            root.run(RunSteps(length))
        return {name: sink.data.get().T != 0 for name, sink in sinks.items()}
    finally:
        root.stop()
