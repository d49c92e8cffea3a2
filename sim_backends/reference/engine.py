"""The engine of `reference` for a `Session`: the plain simulator, its state given and taken."""

from __future__ import annotations

from copy import copy

import numpy as np

from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.native.engine import Stretch
from hrsnn_lava.sim_backends.reference.simulator import ReferenceSimulator
from hrsnn_lava.sim_backends.runs.state_form import (
    SYNAPTIC,
    Arrays,
    Int,
    check,
    messages,
    past_steps,
    read_traces,
    rows_of,
)
from hrsnn_lava.trace import Trace


class ReferenceEngine:
    """Plain NumPy; see `Engine`."""

    def __init__(self, network: QuantizedNetwork) -> None:
        self._simulator = ReferenceSimulator(network)

    def reset(self) -> None:
        """See `Engine.reset`."""
        self._simulator.reset()

    def advance(self, stretch: Stretch) -> Trace:
        """See `Engine.advance`."""
        return self._simulator.run(
            stretch.inputs, stretch.starts, stretch.mantissas, stretch.steps, stretch.probes
        )

    def weights(self) -> dict[str, Int]:
        """See `Engine.weights`."""
        return self._simulator.learned()

    def traces(self) -> dict[str, Int]:
        """See `Engine.traces`."""
        return self._simulator.traces()

    def twin(self) -> ReferenceEngine:
        """See `Engine.twin`."""
        twin = copy(self)
        twin._simulator = copy(self._simulator)
        twin.reset()
        return twin

    def close(self) -> None:
        """Nothing to give back."""

    def snapshot(self) -> dict[str, Int]:
        """See `Engine.snapshot`."""
        now = self._simulator
        sent = [(np.flatnonzero(row).astype(np.int32), row[row != 0]) for row in now.sent[::-1]]
        state = {"u": now.u.copy(), "v": now.v.copy(), "waiting": now.waiting.copy()}
        state |= messages(sent)
        if now.learning:
            state["pending"] = now.pending.astype(np.int32)  # wraps, as it does on arrival
        for k, part in enumerate(now.learning):
            profiles = part._profiles
            x_read, y_read = read_traces(part.plastic)
            found = {
                **{name: getattr(part, name) for name in SYNAPTIC},
                "x": np.where(x_read, [p.x for p in profiles], 0),
                "y": np.where(y_read, [p.y for p in profiles], 0),
                "tx": np.array([p.tx for p in profiles]),
                "ty": np.array([p.ty for p in profiles]),
            }
            state |= {f"learning/{k}/{name}": a.astype(np.int32) for name, a in found.items()}
        return state

    def restore(self, step: int, arrays: Arrays) -> None:
        """See `Engine.restore`."""
        now = self._simulator
        check(now.program, step, arrays)
        now.reset()
        now.step = step
        now.u, now.v, now.waiting = (arrays[name].copy() for name in ("u", "v", "waiting"))
        for age, (sources, values) in enumerate(rows_of(arrays, past_steps(now.program))):
            now.sent[-1 - age, sources] = values
        if now.learning:
            now.pending = arrays["pending"].astype(np.int64)
        for k, part in enumerate(now.learning):
            mine = f"learning/{k}/"
            part.weights, part.tag_1, part.tag_2 = (
                arrays[mine + name].astype(np.int64) for name in SYNAPTIC
            )
            traces = zip(*(arrays[mine + name] for name in ("x", "y", "tx", "ty")), strict=True)
            for profile, saved in zip(part._profiles, traces, strict=True):
                profile.x[:], profile.y[:], profile.tx[:], profile.ty[:] = saved
