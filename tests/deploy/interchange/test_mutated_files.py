"""Files with bytes changed, lost and repeated: an answer or a refusal, and nothing else."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hdf5_children import read_all
from nir_files import chain, cuba, ends, exported, exported_names, graph, lif, node, tree, write

from hrsnn_lava.deploy.interchange.from_nir import ImportOptions, imported
from hrsnn_lava.deploy.interchange.guarded_hdf5 import Limits
from hrsnn_lava.deploy.interchange.lint import check_tree
from hrsnn_lava.deploy.interchange.nir_file import graph_of
from hrsnn_lava.errors import ArtifactError, SpecError

#: What it says does not depend on the Python: the oldest alone runs it in CI.
pytestmark = pytest.mark.once


def mutated(data, rng):
    """A copy with a few changes of one kind."""
    data, n = bytearray(data), len(data)
    kind = rng.integers(5)
    for _ in range(rng.integers(1, 12)):
        at = int(rng.integers(8, n))
        size = int(rng.integers(1, 16))
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at : at + size] = rng.bytes(size)
        elif kind == 2:
            data[at : at + 8] = b"\xff" * 8
        elif kind == 3:
            other = int(rng.integers(8, n))
            data[at : at + size] = data[other : other + size]
        else:
            del data[at:]
            return bytes(data)
    return bytes(data)


def small():
    """A feed-forward graph, and one within another."""
    nodes = ends(2, 3) | {"fc": node("Linear", weight=np.ones((3, 2))), "lif": lif(3)}
    flat = tree(nodes, chain("input", "fc", "lif", "output"))
    inner = {"a.input": node("Input", shape=np.array([2])), "a.lif": cuba(2)}
    inner |= {"a.output": node("Output", shape=np.array([2]))}
    nested = ends(2, 2) | {"a": graph(inner, chain("a.input", "a.lif", "a.output"))}
    return [flat, tree(nested, chain("input", "a", "output"))]


def check(folder, count, seed, trees):
    """Read `count` mutated files; how many ended how."""
    rng = np.random.default_rng(seed)
    originals = [
        write(folder / f"original{k}.nir", content).read_bytes() for k, content in enumerate(trees)
    ]
    paths = []
    for k in range(count):
        paths.append(folder / f"{k}.nir")
        paths[-1].write_bytes(mutated(originals[k % len(originals)], rng))
    ended = {"read": 0, "refused": 0, "damaged": 0, "died": 0, "imported": 0}
    for outcome in read_all(paths, Limits(seconds=10)).values():
        if isinstance(outcome, int):
            ended["died"] += 1
            assert outcome < 0  # by a signal: a Python error in the child would be a bug of ours
            continue
        if "refused" in outcome or "damaged" in outcome:
            ended["refused" if "refused" in outcome else "damaged"] += 1
            continue
        ended["read"] += 1
        check_tree(outcome)
        with contextlib.suppress(ArtifactError, SpecError):
            imported(graph_of(outcome), ImportOptions("literal", 1e-6, "zero"))
            ended["imported"] += 1
    return ended


def test_two_hundred_mutated_files(tmp_path):
    ended = check(tmp_path, 200, 1, small())
    assert ended["read"] > 20
    assert ended["refused"] + ended["damaged"] > 20


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(2, 12))
def test_twenty_thousand_mutated_files(tmp_path, seed):
    real = [exported(name)[0] for name in exported_names()]
    assert sum(check(tmp_path, 2000, seed, [*small(), *real]).values()) >= 2000
