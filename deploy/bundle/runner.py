"""Runs the program of a bundle in Lava, and compares it with the spikes that it is shipped with.

It goes into a bundle, beside the modules that it imports; ``python -m run`` there calls it. Lava is
imported when everything else is in order.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.deploy.bundle.host import (
    Drive,
    Events,
    first_difference,
    load_arrays,
    read_answers,
)
from hrsnn_lava.deploy.bundle.manifest import verified
from hrsnn_lava.errors import (
    ArtifactError,
    BackendMissingError,
    HrsnnError,
    OutputError,
    ParityError,
    SpecError,
)

if TYPE_CHECKING:
    from hrsnn_lava.processes.program import LavaProgram

__all__ = ["Run", "main"]

#: Files of a bundle that are read here.
PROGRAM, STOCK, HOST = "program/program.npz", "program/stock.npz", "program/host.npz"
INPUT, EXPECTED = "program/input.npz", "program/expected.npz"
READOUT = "program/readout.npz"
_STATES = ("v", "u")


def main(arguments: Sequence[str], root: Path) -> int:
    """Run the bundle in the folder `root`; return the exit code, a message is on standard error."""
    options = _parser(root).parse_args(arguments)
    try:
        return _main(options, root)
    except HrsnnError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


def _parser(root: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m run",
        description=f"Run the network in {root.resolve().name} on Lava.",
        epilog="Exit codes: 0 ok, 2 usage, 3 a file is altered or invalid, 6 Lava or its extension "
        "for Loihi is missing, 7 other spikes than expected.",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="length; default: the input's")
    parser.add_argument("--input", type=Path, metavar="EVENTS.npz", help="default: the shipped one")
    parser.add_argument("-o", "--output", type=Path, metavar="TRACE.npz", help="write what it did")
    parser.add_argument(
        "--answers", type=Path, metavar="FILE.npz", help="write what the readout says"
    )
    parser.add_argument("--self-test", action="store_true", help="compare with the shipped spikes")
    parser.add_argument("--probe", choices=_STATES, action="append", default=[], help="record it")
    parser.add_argument("--stock", action="store_true", help="Lava's own LIF alone")
    parser.add_argument(
        "--hardware", action="store_true", help="Loihi2HwCfg, on a host that has it"
    )
    parser.add_argument(
        "--runtime",
        choices=("processes", "threads"),
        default="processes",
        help="Lava's own runtime, or its models in threads of this process",
    )
    return parser


def _main(options: argparse.Namespace, root: Path) -> int:
    manifest = verified(root)
    if options.self_test and (options.input or options.steps):
        raise SpecError("--self-test runs the shipped input; leave out --input and --steps")
    if options.steps is not None and not 0 < options.steps < 2**31:
        raise SpecError(f"--steps: {options.steps}; allowed: 1..{2**31 - 1}")
    if (options.stock or options.hardware) and manifest["stock"]["obstacle"]:
        raise SpecError(
            f"no program in Lava's own LIF is in this bundle: {manifest['stock']['obstacle']}"
        )
    if options.hardware and options.probe:
        raise SpecError("--probe: states stay on the chip; leave it out with --hardware")
    if options.answers and manifest["readout"] is None:
        raise SpecError("--answers: the network has no readout")
    _require_lava()
    run = Run.load(root, manifest, stock=options.stock or options.hardware)
    events = Events.load(options.input or root / INPUT)
    steps = events.n_steps if options.steps is None else options.steps
    program = run.program_for(events, steps, options.probe)
    if options.hardware:
        from hrsnn_lava.processes.hardware import run_on_loihi

        trace = run.trace(events, {"spikes": run.in_order(run_on_loihi(program))})
    else:
        trace = run.on_cpu(program, events, options.runtime)
    where = "Loihi 2" if options.hardware else "the CPU"
    count = trace["spike_steps"].size
    sys.stdout.write(f"{manifest['name']} on {where}: {steps:,} steps, {count:,} spikes\n")
    if options.output is not None:
        _write(options.output, trace)
    if options.answers is not None:
        said = read_answers(manifest["readout"], load_arrays(root / READOUT), trace)
        _write(options.answers, {"answers": said})
    if options.self_test:
        compare(load_arrays(root / EXPECTED), trace, manifest)
        sys.stdout.write(f"self-test: passed, as {' and '.join(manifest['expected']['by'])} run\n")
    return 0


def _require_lava() -> None:
    try:
        import hrsnn_lava.processes.graph  # noqa: F401
    except ImportError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        raise BackendMissingError(
            f"Lava cannot be imported ({error}); this is Python {version}. It needs Python 3.10: "
            "pip install -r requirements.txt there"
        ) from None


@dataclass(frozen=True, eq=False)
class Run:
    """The program of a bundle without an input, and what a host has to know beside it.

    Attributes:
        program: see `LavaProgram`.
        header: ``host`` of the manifest: populations with their places, learning projections.
        host: arrays of ``host.npz``.
        neurons: (n_neurons,) global index of every neuron in the order of the program.
    """

    program: LavaProgram
    header: Mapping[str, Any]
    host: Mapping[str, NDArray[Any]]
    neurons: NDArray[np.int64]

    @classmethod
    def load(cls, root: Path, manifest: Mapping[str, Any], *, stock: bool = False) -> Run:
        """Read it; with `stock` the one in Lava's own Processes."""
        from hrsnn_lava.processes.program import LavaProgram

        host = load_arrays(root / HOST)
        program = LavaProgram.load(root / (STOCK if stock else PROGRAM))
        neurons = host["stock_neurons"] if stock else np.arange(host["bias_mant"].size)
        return cls(program, manifest["host"], host, neurons.astype(np.int64))

    @property
    def n_neurons(self) -> int:
        """Neurons in all."""
        return int(self.host["bias_mant"].size)

    def program_for(self, events: Events, steps: int, probes: Sequence[str] = ()) -> LavaProgram:
        """The program with an input; raises `SpecError` where that has other channels."""
        n_inputs = self.host["units"].size
        if events.n_channels != n_inputs:
            raise SpecError(f"the input has {events.n_channels} channels; the network {n_inputs}")
        events = events.in_counts(self.host["units"])
        firsts = {name: first for name, first, _ in self.header["inputs"]}
        sources = []
        for source in self.program.sources:
            channels = events.channels - firsts[source.name]
            inside = (events.steps < steps) & (channels >= 0) & (channels < source.size)
            values = np.ones(channels.size) if events.values is None else events.values
            sources.append(
                replace(
                    source,
                    steps=events.steps[inside].astype(np.int32),
                    channels=channels[inside].astype(np.int32),
                    values=values[inside].astype(np.int32),
                )
            )
        change, rows = Drive.mantissas(self._drives(), self.host["bias_mant"], events, steps)
        rows, groups, first = rows[:, self.neurons], [], 0
        for group in self.program.neurons:
            part = rows[:, first : first + group.size] - group.parameters["bias_mant"]
            groups.append(replace(group, drive_steps=change, drive_values=part))
            first += group.size
        recorded = tuple(name for name in ("spikes", *_STATES) if name in ("spikes", *probes))
        return replace(
            self.program,
            n_steps=steps,
            sources=tuple(sources),
            neurons=tuple(groups),
            probes=recorded,
        )

    def _drives(self) -> list[Drive]:
        names = ("rows", "columns", "weights")
        return [
            Drive(**{name: self.host[f"drive/{k}/{name}"] for name in names}, weight_exp=exponent)
            for k, exponent in enumerate(self.header["drives"])
        ]

    def on_cpu(self, program: LavaProgram, events: Events, runtime: str) -> dict[str, NDArray[Any]]:
        """Run with ``Loihi2SimCfg(select_tag="fixed_pt")``; the arrays of a trace.

        Learned weights are not in that of a program in stock Processes, where they are in parts.
        """
        from hrsnn_lava.processes.graph import learned_path, sink_path
        from hrsnn_lava.processes.runtimes import run

        with tempfile.TemporaryDirectory(prefix="hrsnn-bundle-") as folder:
            run(program, folder, runtime)
            rows = {}
            for probe in program.probes:
                paths = [sink_path(folder, k, probe) for k in range(len(program.neurons))]
                parts = np.concatenate([np.load(path) for path in paths], axis=1)
                rows[probe] = np.empty_like(parts)
                rows[probe][:, self.neurons] = parts
            learned = {
                c.learning.number: load_arrays(learned_path(folder, c.learning.number))["learned"]
                for c in program.connections
                if c.learning is not None
            }
        trace = self.trace(events, rows)
        return trace if program.stock else trace | self._weights(learned)

    def in_order(self, spikes: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Spikes of every group of the program as an array (n_steps, n_neurons), global order."""
        parts = np.concatenate([spikes[group.name] for group in self.program.neurons], axis=1)
        rows = np.empty_like(parts)
        rows[:, self.neurons] = parts
        return rows

    def trace(self, events: Events, rows: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """What a run recorded as the arrays of a trace file."""
        at, who = np.nonzero(rows["spikes"])
        trace: dict[str, NDArray[Any]] = {
            "spike_steps": at.astype(np.int32),
            "spike_neurons": who.astype(np.int32),
            "n_steps": np.array(rows["spikes"].shape[0], dtype=np.int64),
            "n_neurons": np.array(self.n_neurons, dtype=np.int64),
            "network_digest": self.host["network_digest"],
        }
        if any(group.several for group in self.program.neurons):
            trace["payloads"] = rows["spikes"][at, who].astype(np.int32)
        trace |= {name: rows[name].astype(np.int32) for name in _STATES if name in rows}
        if self.host["units"].size:
            trace |= {
                "input/steps": events.steps.astype(np.int32),
                "input/neurons": events.channels.astype(np.int32),
                "input/n_steps": np.array(events.n_steps, dtype=np.int64),
                "input/n_neurons": np.array(events.n_channels, dtype=np.int64),
            }
            if events.values is not None:
                trace["input/payloads"] = events.values.astype(np.int32)
        return trace

    def _weights(self, learned: Mapping[int, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Learned weights and tags of all stored synapses, by projection."""
        result = {}
        for k, entry in enumerate(self.header["learning"]):
            values = self.host[f"learning/{k}/start"].copy()  # weights, tag_1, tag_2 before the run
            live = self.host[f"learning/{k}/live"]
            for number in entry["connections"]:
                place = self.host[f"learning/{k}/place/{number}"]
                inside = live[place]
                values[:, place[inside]] = learned[number][:, inside]
            for row, ending in entry["endings"]:
                result[f"weights/{entry['name']}{ending}"] = values[row].astype(np.int32)
        return result


def compare(
    expected: Mapping[str, NDArray[Any]],
    measured: Mapping[str, NDArray[Any]],
    manifest: Mapping[str, Any],
) -> None:
    """Raise `ParityError` with the first spike or weight that is not as expected."""
    n_neurons = int(expected["n_neurons"])
    spikes = [(trace["spike_steps"], trace["spike_neurons"]) for trace in (expected, measured)]
    if difference := first_difference(spikes[0], spikes[1], n_neurons):
        step, neuron, wanted = difference
        said = "expected, and not there" if wanted else "there, and not expected"
        raise ParityError(f"self-test: step {step}, {_named(neuron, manifest)}: a spike is {said}")
    if "payloads" in expected:  # the same messages, or there would be a difference above
        apart = np.flatnonzero(expected["payloads"] != measured["payloads"])
        if apart.size:
            k = int(apart[0])
            step, neuron = int(expected["spike_steps"][k]), int(expected["spike_neurons"][k])
            raise ParityError(
                f"self-test: step {step}, {_named(neuron, manifest)}: "
                f"{measured['payloads'][k]} spikes, expected {expected['payloads'][k]}"
            )
    for name in sorted(key for key in expected if key.startswith("weights/") and key in measured):
        apart = np.flatnonzero(expected[name] != measured[name])
        if apart.size:
            k = int(apart[0])
            raise ParityError(
                f"self-test: {name.removeprefix('weights/')}, synapse {k}: learned "
                f"{measured[name][k]}, expected {expected[name][k]} ({apart.size} differ)"
            )


def _named(neuron: int, manifest: Mapping[str, Any]) -> str:
    for name, first, size in manifest["host"]["populations"]:
        if first <= neuron < first + size:
            return f"neuron {neuron - first} of {name!r}"
    return f"neuron {neuron}"


def _write(path: Path, trace: Mapping[str, NDArray[Any]]) -> None:
    """Beside its place first, so that what is there is never half a file."""
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"{path}: is a folder, or there is no folder for it")
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as handle:
            np.savez_compressed(handle, **dict(trace))
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        part.unlink(missing_ok=True)
    if not path.is_file():
        raise ArtifactError(f"{path}: was not written")
