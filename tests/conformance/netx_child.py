"""Runs ``.net`` files with lava-dl's own netx on Lava: ``netx_child.py FOLDER``, in its Python.

For every ``NAME.net`` it reads ``NAME.in.npz`` and writes ``NAME.out.npz``: spikes, u and v of
every layer of neurons, (steps, n), pictures in the order (channel, row, column).
"""

import sys
from pathlib import Path

import numpy as np
from lava.lib.dl import netx
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc import io
from lava.proc.monitor.process import Monitor


def rows(values, shape):
    """(width, height, channel, steps) as (steps, n) in the order channel, row, column."""
    if len(shape) == 1:
        return values.T
    return values.transpose(3, 2, 1, 0).reshape(values.shape[-1], -1)


def placed(values, shape):
    """The other way round: (steps, n) as what a RingBuffer of Lava's takes."""
    if len(shape) == 1:
        return values.T
    width, height, channels = shape
    return values.reshape(len(values), channels, height, width).transpose(3, 2, 1, 0)


def run(path):
    """One file: the arrays of its answer."""
    given = np.load(path.with_suffix(".in.npz"))
    steps = int(given["steps"])
    layers = int(given["layers"])
    shape = tuple(given["shape"][::-1].tolist()) if "shape" in given else None
    net = netx.hdf5.Network(net_config=str(path), num_layers=layers or None, input_shape=shape)
    sinks, monitors = [], []
    for layer in net.layers:
        sinks.append(io.sink.RingBuffer(shape=layer.out.shape, buffer=steps))
        layer.out.connect(sinks[-1].a_in)
        pair = []
        for name in ("u", "v") if bool(given["states"]) else ():
            monitor = Monitor()
            monitor.probe(getattr(layer.neuron, name), steps)
            pair.append(monitor)
        monitors.append(pair)
    first = net.in_layer
    if "mantissas" in given:
        first.neuron.bias_mant.init = placed(given["mantissas"][None], first.shape)[..., 0]
    else:
        source = io.source.RingBuffer(data=placed(given["spikes"], first.inp.shape))
        source.s_out.connect(net.inp)
    answer = {}
    try:
        net.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        for k, (layer, sink, pair) in enumerate(zip(net.layers, sinks, monitors, strict=True)):
            answer[f"{k}/spikes"] = rows(sink.data.get(), layer.shape).astype(np.int8)
            for monitor, name in zip(pair, ("u", "v"), strict=False):
                data = next(iter(next(iter(monitor.get_data().values())).values()))
                states = np.moveaxis(data, 0, -1)
                answer[f"{k}/{name}"] = rows(states, layer.shape).astype(np.int32)
    finally:
        net.stop()
    return answer


if __name__ == "__main__":
    for file in sorted(Path(sys.argv[1]).glob("*.net")):
        if file.with_suffix(".out.npz").exists():
            continue
        np.savez_compressed(file.with_suffix(".out.npz"), **run(file))
        sys.stdout.write(f"{file.stem}\n")
