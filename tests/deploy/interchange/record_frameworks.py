"""Packs real NIR files and the spikes of the frameworks that wrote them into ``golden``.

``python record_frameworks.py FOLDER``; in FOLDER are ``NAME.nir``, ``NAME.npz`` (``inputs`` and any
of ``hidden``, ``output``, (T, n) spikes) and ``NAME.json`` (``versions``). Files without spikes go
into ``golden/nir_paper``; they and their licence are of the NIR paper's repository
(`neuromorphs/NIR`, folders ``paper/01_lif`` and ``paper/03_rnn``). The trees of the files
are kept as our guarded reader gives them, with the types that the exporters wrote, one archive
each: the tests write files of the same content anew. Texts and versions are JSON in ``index``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from hrsnn_lava.deploy.interchange.guarded_hdf5 import read_hdf5
from hrsnn_lava.errors import ArtifactError

HERE = Path(__file__).resolve().parent / "golden"


def flat(tree, prefix=""):
    """Arrays by path, and all else as JSON has it."""
    arrays, texts = {}, {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            inner_arrays, inner_texts = flat(value, f"{path}/")
            arrays |= inner_arrays
            texts |= inner_texts
        elif isinstance(value, np.ndarray):
            arrays[path] = value
        else:
            texts[path] = value
    return arrays, texts


def main(folder: Path) -> None:
    for file in sorted(folder.glob("*.nir")):
        spikes = file.with_suffix(".npz")
        about, spoken = file.with_suffix(".json"), spikes.is_file()
        try:
            arrays, texts = flat(read_hdf5(file))
        except ArtifactError:  # one is a file that its exporter did not finish
            continue
        versions = json.loads(about.read_text())["versions"] if about.is_file() else {}
        text = json.dumps({"texts": texts, "versions": versions}, sort_keys=True)
        packed = {f"file|{path}": array for path, array in arrays.items()}
        if spoken:
            with np.load(spikes, allow_pickle=False) as recorded:
                for key in recorded.files:
                    packed[f"spikes|{key}"] = recorded[key].astype(np.uint8)
        index = np.frombuffer(text.encode(), dtype=np.uint8)
        to = HERE if spoken else HERE / "nir_paper"
        np.savez_compressed(to / file.with_suffix(".npz").name, index=index, **packed)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
