"""Records what lava-dl 0.6.0 does with files of its network exchange, on Lava and in SLAYER.

    python3.10 -m venv ENV && ENV/bin/pip install lava-dl==0.6.0
    uv run python tests/conformance/record_netx.py --python ENV/bin/python

Writes ``golden/netx.npz``. Of every case of `netx_cases` it holds the digest of the file, and
spikes, u and v of all layers, (steps, neurons), as lava-dl's own netx gives them on Lava. Of a few
networks that SLAYER wrote it also holds the file, what was sent in, and SLAYER's own spikes.
With ``--folder DIR`` the files stay there, and answers that are there are not asked for again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from netx_cases import STEPS, case, digest, mantissas, names, write_net

HERE = Path(__file__).resolve().parent
TARGET = HERE / "golden" / "netx.npz"


def write_cases(folder):
    """A file and an input of every case."""
    for name in names():
        layers, given = case(name)
        write_net(folder / f"{name}.net", layers)
        sent = {"steps": STEPS, "layers": 0, "states": True}
        key = "mantissas" if given.ndim == 1 else "spikes"
        sent[key] = mantissas(layers, given) if given.ndim == 1 else given
        np.savez(folder / f"{name}.in.npz", **sent)


def joined(path):
    """The layers of an answer side by side, by key."""
    with np.load(path) as archive:
        layers = sorted({int(key.partition("/")[0]) for key in archive.files})
        keys = sorted({key.partition("/")[2] for key in archive.files})
        return {key: np.hstack([archive[f"{k}/{key}"] for k in layers]) for key in keys}


def packed(folder):
    """The arrays of the recording."""
    arrays = {}
    for path in sorted(folder.glob("*.out.npz")):
        name = path.name.removesuffix(".out.npz")
        net = folder / f"{name}.net"
        arrays |= {f"{name}/{key}": values for key, values in joined(path).items()}
        own = folder / f"{name}.slayer.npz"
        if own.is_file():
            arrays[f"{name}/slayer"] = joined(own)["spikes"]
            arrays[f"{name}/net"] = np.frombuffer(net.read_bytes(), np.uint8)
            with np.load(folder / f"{name}.in.npz") as given:
                arrays[f"{name}/sent"] = given["spikes"].astype(np.int8)
        else:
            arrays[f"{name}/digest"] = np.frombuffer(bytes.fromhex(digest(net)), np.uint8)
    return arrays


def main():
    """Run them all in the other interpreter, and store what it says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True, help="interpreter that has lava-dl")
    parser.add_argument("--folder", type=Path, help="where the files are kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        folder = arguments.folder or Path(text)
        write_cases(folder)
        if not list(folder.glob("*.slayer.npz")):
            command = [arguments.python, str(HERE / "slayer_child.py"), str(folder)]
            subprocess.run(command, check=True)
        child = [arguments.python, "-W", "ignore", str(HERE / "netx_child.py"), str(folder)]
        subprocess.run(child, check=True)
        np.savez_compressed(TARGET, **packed(folder))
    sys.stdout.write(f"{TARGET.stat().st_size / 1e3:.0f} kB in {TARGET.name}\n")


if __name__ == "__main__":
    main()
