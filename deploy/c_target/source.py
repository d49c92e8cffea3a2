"""The C source of a network: its numbers, in front of the step that is the same for all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import __version__
from hrsnn_lava.deploy.bundle.contents import template
from hrsnn_lava.deploy.c_target.program import CProgram

__all__ = ["HEADER", "Footprint", "Source", "c_source"]

#: Integer types by bytes, the narrow ones first, each with its limits.
_UNSIGNED = (("uint8_t", 0, 2**8 - 1), ("uint16_t", 0, 2**16 - 1), ("uint32_t", 0, 2**32 - 1))
_SIGNED = tuple((f"int{b}_t", -(2 ** (b - 1)), 2 ** (b - 1) - 1) for b in (8, 16, 32))
_BYTES = {"8": 1, "16": 2, "32": 4, "64": 8}
#: ``network.h``: what a caller needs.
HEADER = """\
/* See network.c. */
#ifndef HRSNN_NETWORK_H
#define HRSNN_NETWORK_H
#include <stdint.h>

void hrsnn_reset(void);
int32_t hrsnn_step(const int32_t *channels, const int32_t *payloads, int32_t n_events);
int32_t hrsnn_spike(int32_t k);
int32_t hrsnn_number(int32_t k);
int32_t hrsnn_potential(int32_t neuron);
int32_t hrsnn_current(int32_t neuron);
int32_t hrsnn_unit(int32_t channel);

#endif
"""
_TOP = """\
/* {name}: a spiking network in C11, written by hrsnn-lava {version}. Apache License 2.0.
 *
 * {neurons} neurons, {inputs} channels, {synapses} synapses. SHA-256 of its integers:
 * {digest}
 *
 * Memory of the data, the code apart: {flash} bytes of constants, {ram} bytes of variables. Nothing
 * is allocated; the file needs stdint, stddef and string, and stdio with -DHRSNN_MAIN alone.
 *
 *   void hrsnn_reset(void);
 *       to rest; call it before the first step.
 *   int32_t hrsnn_step(const int32_t *channels, const int32_t *payloads, int32_t n_events);
 *       one step with the events of its channels, which rise; payloads NULL for plain spikes.
 *       Returns the number of spikes; -1, and nothing has changed, for channels that are not there
 *       or do not rise.
 *   int32_t hrsnn_spike(int32_t k);
 *       neuron of spike k of the last step, rising; -1 where there is none.
 *   int32_t hrsnn_number(int32_t k);
 *       how many spikes it is: 1, or more of neurons that may send several in a step.
 *   int32_t hrsnn_potential(int32_t neuron), hrsnn_current(int32_t neuron);
 *       v and u after the last step.
 *   int32_t hrsnn_unit(int32_t channel);
 *       payload of a plain spike.
 *
 * Bit for bit what the engines of hrsnn-lava do, with 24 bits that wrap or saturate.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

void hrsnn_reset(void);
int32_t hrsnn_step(const int32_t *channels, const int32_t *payloads, int32_t n_events);
int32_t hrsnn_spike(int32_t k);
int32_t hrsnn_number(int32_t k);
int32_t hrsnn_potential(int32_t neuron);
int32_t hrsnn_current(int32_t neuron);
int32_t hrsnn_unit(int32_t channel);
"""
_BLOCK_TYPE = """\
typedef struct {
    uint32_t first, sources; /* neurons or channels */
    uint32_t row, rows;      /* targets */
    uint32_t starts;         /* place of its first start */
    uint8_t delay;           /* steps beyond one */
    uint8_t up, down;        /* shifts of the sum of a step */
    int8_t sign;             /* of the magnitudes; 0: two's complement */
    uint8_t graded, input;
} hrsnn_block;"""
_PART_TYPE = """\
typedef struct {
    uint32_t row, rows, starts;
    int8_t shift;
} hrsnn_part;"""
#: Bytes of these in memory, padded as compilers do.
_BLOCK_BYTES, _PART_BYTES = 28, 16


@dataclass(frozen=True)
class Footprint:
    """Bytes of data: constants (flash) and variables (RAM); code comes on top."""

    flash: int
    ram: int


@dataclass(frozen=True)
class Source:
    """A C file, and what its data take."""

    text: str
    footprint: Footprint


@dataclass
class _Writer:
    """Constants as they are written down, and what they take."""

    lines: list[str]
    flash: int = 0

    def array(self, name: str, type_name: str, values: Iterable[int]) -> None:
        """One array of constants."""
        numbers = [int(value) for value in values]
        self.flash += len(numbers) * _width(type_name)
        rows = (numbers[k : k + 16] for k in range(0, len(numbers), 16))
        body = ",\n".join("    " + ", ".join(map(str, row)) for row in rows)
        self.lines.append(
            f"static const {type_name} hrsnn_{name}[{len(numbers)}] = {{\n{body}\n}};"
        )

    def parameter(
        self, name: str, values: NDArray[Any], types: Sequence[tuple[str, int, int]]
    ) -> None:
        """A value for every neuron or channel; a constant where all have the same."""
        macro = f"HRSNN_{name.upper()}"
        if values.size and np.all(values == values[0]):
            self.lines.append(f"#define {macro}(i) ({int(values[0])})")
            return
        self.array(f"{name}_of", _narrowest(values, types), values.tolist())
        self.lines.append(f"#define {macro}(i) hrsnn_{name}_of[i]")


def _narrowest(values: Any, types: Sequence[tuple[str, int, int]]) -> str:
    """The first type that holds all values."""
    array = np.asarray(values, dtype=np.int64)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    return next(name for name, least, most in types if least <= low and high <= most)


def _width(type_name: str) -> int:
    match = re.search(r"\d+", type_name)
    return _BYTES[match[0]] if match else 1


def c_source(program: CProgram) -> Source:
    """The source; equal networks give equal text."""
    writer, network = _Writer([]), program.network
    _sizes(writer, program)
    writer.parameter("keep_u", program.keep_u, _UNSIGNED)
    writer.parameter("keep_v", program.keep_v, _UNSIGNED)
    writer.parameter("threshold", program.threshold, _SIGNED)
    writer.parameter("bias_mant", program.bias_mant, _SIGNED)
    writer.parameter("bias_exp", program.bias_exp, _UNSIGNED)
    writer.parameter("reset", program.reset, _UNSIGNED)
    if np.any(program.wait):
        writer.parameter("wait_steps", program.wait, _UNSIGNED)
    if program.units.size:
        writer.parameter("unit", program.units, _SIGNED)
    if program.blocks:
        _write_blocks(writer, program)
    if program.parts:
        _write_parts(writer, program)
    footprint = Footprint(writer.flash, _ram(program))
    top = _TOP.format(
        name=re.sub(r"[^A-Za-z0-9 ._-]", "_", network.name)[:60],
        version=__version__,
        neurons=network.n_neurons,
        inputs=network.n_inputs,
        synapses=network.n_synapses,
        digest=network.digest,
        flash=footprint.flash,
        ram=footprint.ram,
    )
    numbers = "\n".join(writer.lines)
    return Source(f"{top}\n{numbers}\n\n{template('c', 'network.c')}", footprint)


def _sizes(writer: _Writer, program: CProgram) -> None:
    """Write the sizes and types."""
    network = program.network
    graded = any(block.graded and block.from_input for block in program.blocks)
    sizes = {
        "NEURONS": network.n_neurons,
        "INPUTS": network.n_inputs,
        "BLOCKS": len(program.blocks),
        "PARTS": len(program.parts),
        "PAST": max(program.past(False), 1),
        "INPUT_PAST": program.past(True),
        "GRADED": int(graded),
        "SEVERAL": int(program.several),
        "FLOORED": _floored(program),
        "WAITING": int(np.any(program.wait)),
    }
    writer.lines += [f"#define HRSNN_{name} {value}" for name, value in sizes.items()]
    writer.lines.append(f"typedef {_index_type(network.n_neurons)} hrsnn_index;")
    if sizes["INPUT_PAST"]:
        writer.lines.append(f"typedef {_index_type(network.n_inputs)} hrsnn_channel;")


def _floored(program: CProgram) -> int:
    """Most sums of a block that are shifted down."""
    return max((block.n_rows for block in program.blocks if block.down), default=0)


def _index_type(count: int) -> str:
    return _narrowest([count - 1], _UNSIGNED)


def _write_blocks(writer: _Writer, program: CProgram) -> None:
    starts: list[int] = []
    table, first = [], 0
    for block in program.blocks:
        kind = (int(block.graded), int(block.from_input))
        flags = (block.delay, block.up, block.down, block.sign, *kind)
        places = (block.first, block.sources, block.row, block.n_rows, len(starts))
        table.append(f"    {{{', '.join(map(str, places + flags))}}}")
        starts += (block.starts + first).tolist()
        first += block.weights.size
    offset = _narrowest([first], _UNSIGNED)
    writer.lines.append(f"typedef {offset} hrsnn_offset;")
    writer.array("starts", "hrsnn_offset", starts)
    writer.flash += len(starts) * (_width(offset) - 1)
    rows = np.concatenate([block.rows for block in program.blocks])
    writer.array("rows", _narrowest(rows, _UNSIGNED), rows.tolist())
    weights = np.concatenate([block.weights for block in program.blocks])
    writer.array("weights", "uint8_t", weights.tolist())
    writer.lines.append(_BLOCK_TYPE)
    writer.lines.append(_table("hrsnn_block", "blocks", table))
    writer.flash += _BLOCK_BYTES * len(table)


def _write_parts(writer: _Writer, program: CProgram) -> None:
    starts: list[int] = []
    table, first = [], 0
    for part in program.parts:
        row = (part.row, part.n_rows, len(starts), part.shift)
        table.append(f"    {{{', '.join(map(str, row))}}}")
        starts += (part.starts + first).tolist()
        first += part.weights.size
    writer.array("part_starts", _narrowest([first], _UNSIGNED), starts)
    channels = np.concatenate([part.channels for part in program.parts])
    writer.array("part_channels", _narrowest(channels, _UNSIGNED), channels.tolist())
    weights = np.concatenate([part.weights for part in program.parts])
    writer.array("part_weights", _narrowest(weights, _SIGNED), weights.tolist())
    writer.lines.append(_PART_TYPE)
    writer.lines.append(_table("hrsnn_part", "parts", table))
    writer.flash += _PART_BYTES * len(table)


def _table(type_name: str, name: str, rows: Sequence[str]) -> str:
    body = ",\n".join(rows)
    return f"static const {type_name} hrsnn_{name}[{len(rows)}] = {{\n{body}\n}};"


def _ram(program: CProgram) -> int:
    """Bytes of the variables."""
    return sum(_variables(program))


def _variables(program: CProgram) -> Iterator[int]:
    n, n_inputs = program.network.n_neurons, program.network.n_inputs
    yield 3 * 4 * n + 8  # u, v, arriving; two places in the ring
    past, input_past = max(program.past(False), 1), program.past(True)
    yield past * (n * (_width(_index_type(n)) + (4 if program.several else 0)) + 4)
    if np.any(program.wait):
        yield n
    yield 4 * _floored(program)
    if input_past:
        payload = 4 if any(b.graded and b.from_input for b in program.blocks) else 0
        yield input_past * (n_inputs * (_width(_index_type(n_inputs)) + payload) + 4) + 4
    if program.parts:
        yield 4 * n_inputs + 2 * n
