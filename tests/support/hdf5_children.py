"""Many files through the guarded reader's child, without a new interpreter for each.

``read_all(paths)`` starts one process, which loads the child's module once and forks for every few
files; what a fork does, and under which limits, is what a child of its own would. One that dies is
followed by another, for the files that it did not come to.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from hrsnn_lava.deploy.interchange import guarded_hdf5

_DRIVER = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import _hdf5_child as child
limits = json.loads(sys.argv[2])
paths = [line.rstrip("\\n") for line in sys.stdin]
first = 0
while first < len(paths):  # a fork reads some files, or as many as it survives
    batch = paths[first : first + 25]
    seen, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for path in batch:
                with open(path + ".answer", "wb") as out:
                    child.answer(path, limits, out)
                os.write(tell, b".")
            code = 0
        finally:
            os._exit(code)
    os.close(tell)
    done = len(os.fdopen(seen, "rb").read())
    _, status = os.waitpid(pid, 0)
    for path in batch[:done]:
        print(json.dumps([path, 0]))
    if done < len(batch):
        print(json.dumps([batch[done], os.waitstatus_to_exitcode(status)]))
    first += min(done + 1, len(batch))
"""


def read_all(paths, limits=None):
    """By path: the tree, the index of a refusal, or the exit code of a child that died."""
    chosen = asdict(limits or guarded_hdf5.Limits())
    folder = Path(guarded_hdf5.__file__).resolve().parent
    words = [sys.executable, "-c", _DRIVER, str(folder), json.dumps(chosen)]
    text = "".join(f"{path}\n" for path in paths)
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=True)
    outcomes = {}
    for line in done.stdout.splitlines():
        path, code = json.loads(line)
        answer = Path(f"{path}.answer")
        outcomes[path] = code if code else _answer(answer)
        answer.unlink()
    return outcomes


def _answer(path):
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as packed:
        arrays = {name: packed[name] for name in packed.files}
    index = json.loads(arrays.pop("index").tobytes())
    return guarded_hdf5._tree(index["entries"], arrays) if "entries" in index else index


def read_here(path, limits=None):
    """A file by the child's code, in this process and without its limits: for files of ours."""
    from hrsnn_lava.deploy.interchange import _hdf5_child

    index, arrays = _hdf5_child.read(str(path), asdict(limits or guarded_hdf5.Limits()))
    return guarded_hdf5._tree(json.loads(json.dumps(index))["entries"], arrays)
