"""Files that no reader may follow, believe or wait for, made here one by one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
from hdf5_children import read_all
from nir_files import chain, ends, lif, node, tree, write

from hrsnn_lava.deploy.interchange import guarded_hdf5
from hrsnn_lava.deploy.interchange.guarded_hdf5 import Limits, read_hdf5
from hrsnn_lava.errors import ArtifactError


def sound(path):
    nodes = ends(2, 3) | {"fc": node("Linear", weight=np.ones((3, 2))), "lif": lif(3)}
    return write(path, tree(nodes, chain("input", "fc", "lif", "output")))


def _filled(file, shape, **options):
    """A data set of which nothing is written."""
    file["node"].create_dataset("big", shape, dtype="f8", fillvalue=1.0, **options)


def _bytes_of(path):
    """The path of a file with a secret."""
    secret = path.with_suffix(".secret")
    secret.write_bytes(b"0123456789abcdef" * 4)
    return secret


def external_link(path):
    other = sound(path.with_suffix(".other"))
    with h5py.File(path, "a") as file:
        file["node/far"] = h5py.ExternalLink(str(other), "/node")


def soft_link(path):
    with h5py.File(path, "a") as file:
        file["node/alias"] = h5py.SoftLink("/node/nodes")


def external_storage(path):
    with h5py.File(path, "a") as file:
        where = [(str(_bytes_of(path)), 0, 64)]
        file["node"].create_dataset("secret", (64,), dtype="u1", external=where)


def virtual(path):
    with h5py.File(path, "a") as file:
        layout = h5py.VirtualLayout(shape=(3,), dtype="f8")
        layout[:] = h5py.VirtualSource(str(path.with_suffix(".other")), "node", shape=(3,))
        file["node"].create_virtual_dataset("virtual", layout)


def loop(path):
    with h5py.File(path, "a") as file:
        file["node/nodes/again"] = file["node"]


def two_names(path):
    with h5py.File(path, "a") as file:
        file["node/copy"] = file["node/nodes/fc/weight"]


def never_written(path):
    with h5py.File(path, "a") as file:
        _filled(file, (10**8,), chunks=(1000,))


def a_little_never_written(path):
    with h5py.File(path, "a") as file:
        _filled(file, (1000,), chunks=(100,))


def partly_written(path):
    with h5py.File(path, "a") as file:
        _filled(file, (10**6,), chunks=(1000,))
        file["node/big"][:1000] = 0.0


def terabytes(path):
    with h5py.File(path, "a") as file:
        _filled(file, (10**12,), chunks=(10**6,))


def more_than_numbers_count(path):
    with h5py.File(path, "a") as file:
        _filled(file, (2**40, 2**20), chunks=(1, 1000))


def large_chunk(path):
    with h5py.File(path, "a") as file:
        options = {"chunks": (40 * 2**20,), "maxshape": (None,), "compression": "gzip"}
        file["node"].create_dataset("one", data=np.zeros(1), **options)


def bomb(path):
    with h5py.File(path, "a") as file:
        data = np.zeros(2**22)
        file["node"].create_dataset("bomb", data=data, compression="gzip", chunks=(2**18,))


def many_small_bombs(path):
    with h5py.File(path, "a") as file:
        for k in range(20):
            file["node"].create_dataset(f"b{k}", data=np.zeros(2**17), compression="gzip")


def other_filter(path):
    with h5py.File(path, "a") as file:
        file["node"].create_dataset("x", data=np.arange(100.0), scaleoffset=2)


def compound(path):
    with h5py.File(path, "a") as file:
        file["node"].create_dataset("x", data=np.zeros(3, dtype=[("a", "f8"), ("b", "i4")]))


def reference(path):
    with h5py.File(path, "a") as file:
        file["node"].create_dataset("x", data=file["node"].ref, dtype=h5py.ref_dtype)


def ragged(path):
    with h5py.File(path, "a") as file:
        file["node"].create_dataset("x", (2,), dtype=h5py.vlen_dtype("f8"))


def complex_numbers(path):
    with h5py.File(path, "a") as file:
        file["node"].create_dataset("x", data=np.array([1j]))


def no_data(path):
    with h5py.File(path, "a") as file:
        file["node"].create_dataset("x", data=h5py.Empty("f8"))


def named_type(path):
    with h5py.File(path, "a") as file:
        file["node/kind"] = np.dtype("f8")


def long_text(path):
    with h5py.File(path, "a") as file:
        file["node"].create_dataset("x", data="x" * 2000, dtype=h5py.string_dtype())


def no_utf8(path):
    with h5py.File(path, "a") as file:
        file["node"].create_dataset("x", data=b"\xff\xfe\xfd")


def too_deep(path):
    with h5py.File(path, "a") as file:
        file.create_group("/".join("x" * 60))


UNSAFE = {
    external_link: "a link to another file",
    soft_link: "a soft link",
    external_storage: "data that lie in another file",
    virtual: "virtual",
    loop: "the same object as /node",
    two_names: "the same object as",
    never_written: "values that were never written",
    a_little_never_written: "1,000 values that were never written",
    partly_written: "fewer than 1,000 blocks written",
    terabytes: "never written",
    more_than_numbers_count: "never written",
    large_chunk: "bytes of data",
    bomb: "compression bomb",
    many_small_bombs: "compression bomb",
    other_filter: "filter 6",
    compound: "neither numbers nor texts",
    reference: "neither numbers nor texts",
    ragged: "neither numbers nor texts",
    complex_numbers: "neither numbers nor texts",
    no_data: "no data at all",
    named_type: "a named type",
    long_text: "a text of 2,000 bytes",
    no_utf8: "not UTF-8",
    too_deep: "groups too deep",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What the child says of every unsafe file, by what made it."""
    folder = tmp_path_factory.mktemp("unsafe")
    paths = {}
    for make in UNSAFE:
        paths[make] = sound(folder / f"{make.__name__}.nir")
        make(paths[make])
    found = read_all(paths.values())
    return {make: found[str(path)] for make, path in paths.items()}


@pytest.mark.parametrize("make", UNSAFE, ids=lambda make: make.__name__)
def test_an_unsafe_file_is_refused_with_its_place(outcomes, make):
    outcome = outcomes[make]
    assert "refused" in outcome, outcome
    where, measured, allowed = outcome["refused"]
    assert where.startswith("/")
    assert UNSAFE[make] in f"{measured}; {allowed}"


def test_the_files_are_small_and_their_refusal_is_no_matter_of_size(tmp_path):
    path = sound(tmp_path / "a.nir")
    terabytes(path)
    assert path.stat().st_size < 40_000


def test_what_a_sound_file_holds(tmp_path):
    path = sound(tmp_path / "a.nir")
    with h5py.File(path, "a") as file:
        file["node/metadata/secret"] = h5py.SoftLink("/node")
    content = read_hdf5(path)
    assert content["version"] == "1.0.8"
    assert "metadata" not in content["node"]
    nodes = content["node"]["nodes"]
    assert sorted(nodes) == ["fc", "input", "lif", "output"]
    np.testing.assert_array_equal(nodes["fc"]["weight"], np.ones((3, 2)))
    assert nodes["input"]["shape"].dtype == np.int64
    assert content["node"]["edges"][0] == ["input", "fc"]


def test_a_refusal_is_an_error_of_the_file(tmp_path):
    path = sound(tmp_path / "a.nir")
    external_storage(path)
    with pytest.raises(ArtifactError, match="refused") as caught:
        read_hdf5(path)
    (problem,) = caught.value.problems
    assert problem.where == "/node/secret"
    assert caught.value.exit_code == 3
    assert "0123456789" not in str(caught.value)


def test_a_file_that_is_cut_off_is_damaged(tmp_path):
    path = sound(tmp_path / "a.nir")
    data = path.read_bytes()
    cuts = [tmp_path / f"{k}.nir" for k in range(8, len(data), 2499)]
    for cut in cuts:
        cut.write_bytes(data[: int(cut.stem)])
    for outcome in read_all(cuts).values():
        assert isinstance(outcome, int) or "damaged" in outcome or "refused" in outcome


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.absolute, "no such file"),
        (lambda path: path.mkdir(), "not a regular file"),
        (lambda path: path.write_bytes(b""), "not an HDF5 file"),
        (lambda path: path.write_bytes(b"PK\x03\x04" * 10), "not an HDF5 file"),
        (lambda path: os.mkfifo(path), "not a regular file"),
    ],
)
def test_what_is_no_hdf5_file_never_reaches_the_library(tmp_path, make, words, monkeypatch):
    monkeypatch.setattr(guarded_hdf5, "_run", None)
    path = tmp_path / "a.nir"
    make(path)
    with pytest.raises(ArtifactError, match=words):
        read_hdf5(path)


def test_memory_has_a_limit(tmp_path):
    path = tmp_path / "a.nir"
    with h5py.File(path, "w") as file:
        file["node/x"] = np.ones(2**20)
    outcome = read_all([path], Limits(memory_bytes=2**22))[str(path)]
    assert isinstance(outcome, int) or set(outcome) & {"refused", "damaged"}
    assert isinstance(read_all([path])[str(path)]["node"]["x"], np.ndarray)


def test_so_have_all_arrays_together(tmp_path):
    path = write(tmp_path / "a.nir", {"x": np.random.default_rng(0).random(2**16)})
    outcome = read_all([path], Limits(total_bytes=2**18))[str(path)]
    assert outcome["refused"][1:] == ["524,288 bytes of data up to here", "262,144"]
    large = tmp_path / "b.nir"
    large.write_bytes(path.read_bytes())
    os.truncate(large, 2**27)
    with pytest.raises(ArtifactError, match="the file"):
        read_hdf5(large, Limits(total_bytes=2**18))


def test_so_have_objects(tmp_path):
    path = write(tmp_path / "a.nir", {f"x{k}": np.zeros(1) for k in range(30)})
    outcome = read_all([path], Limits(objects=20))[str(path)]
    assert outcome["refused"] == ["/", "31 objects", "at most 20"]


SCRIPTS = {
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": "crashes the HDF5 library (SIGSEGV)",
    "while True: pass": "busy without end",
    "raise SystemExit(3)": "exit code 3",
    "1 / 0": "ZeroDivisionError",
    "print('hello')": "gave no answer",
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_child_that_dies_is_an_error_of_the_file(tmp_path, monkeypatch, script):
    path = sound(tmp_path / "a.nir")
    child = tmp_path / "child.py"
    alarm = "import signal; signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
    child.write_text(alarm + script)
    monkeypatch.setattr(guarded_hdf5, "_CHILD", child)
    with pytest.raises(ArtifactError) as caught:
        read_hdf5(path)
    assert SCRIPTS[script] in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_child_that_hears_no_alarm_is_ended(tmp_path, monkeypatch):
    path = sound(tmp_path / "a.nir")
    child = tmp_path / "child.py"
    child.write_text("import signal, time\nsignal.signal(signal.SIGTERM, print)\ntime.sleep(60)")
    monkeypatch.setattr(guarded_hdf5, "_CHILD", child)
    monkeypatch.setattr(guarded_hdf5, "_START_S", 0.0)
    with pytest.raises(ArtifactError, match=r"not read within 0\.3 s"):
        read_hdf5(path, Limits(seconds=0.3))


def test_the_alarm_of_the_child_itself(tmp_path):
    path = sound(tmp_path / "a.nir")
    outcome = read_all([path], Limits(seconds=1e-4))[str(path)]
    assert outcome == -signal.SIGALRM


def test_the_child_imports_nothing_of_this_package():
    text = Path(guarded_hdf5._CHILD).read_text()
    assert "hrsnn_lava" not in text.replace("`hrsnn_lava", "")
