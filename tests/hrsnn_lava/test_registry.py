"""Parts by name: those of the package, of the user's folders and of other packages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.pruning.budget import Amount
from hrsnn_lava.errors import PartError, SpecError

MINE = '''"""Keep the first synapses of all."""

from typing import ClassVar

import numpy as np

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Pass
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption
from hrsnn_lava.compiler.pruning.surgery import keep_synapses
from hrsnn_lava.network import Network
from hrsnn_lava.options import Share, options


@options
class PruneFirst(Pass[Network, Network]):
    """Keep the first.

    Attributes:
        density: share that stays.
        rescale: not used.
        skip: synapses that are passed over.
    """

    name: ClassVar[str] = "prune_first"
    density: Share
    rescale: RescaleOption = Rescale()
    skip: int = 0

    def transform(self, network, context):
        edges = recurrent_edges(network)
        rank = np.arange(edges.n_edges) - self.skip
        keep = (rank >= 0) & (rank < round(self.density * edges.n_edges))
        return keep_synapses(network, edges, keep), {"kept": int(keep.sum())}
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of the user's parts, known while a test runs."""
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path / "parts"))
    registry.forget()
    yield tmp_path / "parts"
    monkeypatch.undo()
    registry.forget()
    for name in [n for n in sys.modules if n.startswith("hrsnn_lava_parts.")]:
        del sys.modules[name]


def write(folder, kind, name, text):
    path = folder / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    registry.forget()
    return path


def test_the_folder_of_a_kind_is_its_list():
    assert registry.names("pruning") == (
        "activity",
        "balanced",
        "betweenness",
        "erdos_renyi",
        "lyapunov",
        "magnitude",
        "neurons",
        "random",
    )
    assert registry.names("scaling") == ("activity", "max", "mse", "percentile")
    assert "sanafe_loihi" in registry.names("cost_set")
    assert {"loihi1", "loihi2"} <= set(registry.names("chip"))
    assert registry.load("pruning", "random") is PruneRandom
    assert registry.load("pass", "prune_random") is PruneRandom
    assert registry.path("chip", "loihi1").name == "loihi1.toml"


def test_every_listed_part_can_be_loaded_and_says_what_it_is():
    for kind, described in registry.KINDS.items():
        for name in registry.names(kind):
            if described.data:
                assert registry.path(kind, name).is_file()
                continue
            assert registry.load(kind, name) is not None
            assert registry.summary(kind, name), (kind, name)


def test_names_and_summaries_import_nothing():
    code = (
        "import sys; from hrsnn_lava import registry\n"
        "registry.names('pruning'); text = registry.summary('pruning', 'random')\n"
        "print(text, [m for m in sys.modules if 'prune_' in m])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text = "Prune synapses at random: the control that every score has to beat."
    assert found.stdout.strip() == f"{text} []"


def test_an_unknown_name_lists_the_known_and_the_nearest():
    with pytest.raises(SpecError, match="there is no pruning 'randon'") as caught:
        registry.load("pruning", "randon")
    (problem,) = caught.value.problems
    assert problem.allowed == (
        "activity, balanced, betweenness, erdos_renyi, lyapunov, magnitude, neurons, random"
    )
    assert problem.fix == "did you mean 'random'?"
    with pytest.raises(SpecError, match="there is no cost set 'x'"):
        registry.path("cost_set", "x")
    with pytest.raises(SpecError, match="there is no chip"):
        registry.summary("chip", "zzz")


def test_a_file_in_a_folder_of_the_users_is_a_part(folder):
    write(folder, "pruning", "first.py", MINE)
    assert "first" in registry.names("pruning")
    assert registry.summary("pruning", "first") == "Keep the first synapses of all."
    cls = registry.load("pruning", "first")
    assert registry.load("pruning", "first") is cls  # loaded once
    spec = hl.Spec.parse(
        {
            "network": {"size": 40, "connectivity": {"mean_degree": 6.0}},
            "prune": {"method": "first", "skip": 2, "controls": ["first"]},
        }
    )
    network = hl.build_hrsnn(spec, seed=1)
    step = spec.prune.step("first", "none", Amount("density", 0.25))
    assert (type(step), step.skip, step.density) == (cls, 2, 0.25)
    with pytest.raises(
        SpecError, match=r"prune\.sops: 3; allowed: density, the only budget of first"
    ):
        spec.prune.step("first", "none", Amount("sops", 3.0))
    compiled = hl.compile(network, "loihi1", [step])
    assert compiled.records[0].name == "prune_first"
    with pytest.raises(SpecError, match=r"prune\.skip: 'a'; allowed: an integer"):
        hl.Spec.parse({"prune": {"method": "first", "skip": "a"}})


def test_data_and_prefixed_names_in_a_folder(folder):
    path = write(folder, "chip", "mine.toml", "name = 'mine'")
    assert registry.path("chip", "mine") == path
    write(folder, "pruning", "prune_first.py", MINE)
    write(folder, "pruning", "_helper.py", "raise RuntimeError")
    assert registry.load("pruning", "first").name == "prune_first"
    assert "_helper" not in registry.names("pruning")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.py").write_text("")
    (folder / ".git").mkdir()
    (folder / ".git" / "a.py").write_text("")
    (folder / "figures").mkdir()
    registry.forget()
    assert "first" in registry.names("pruning")


def test_a_folder_that_is_not_there_is_named(folder, monkeypatch):
    write(folder, "pruning", "first.py", MINE)
    missing = str(folder.parent / "nowhere")
    monkeypatch.setenv(registry.PARTS_VARIABLE, f"{folder}{os.pathsep}{missing}")
    registry.forget()
    with pytest.raises(SpecError, match="HRSNN_LAVA_PARTS: there is no such folder") as caught:
        registry.names("pruning")
    (problem,) = caught.value.problems
    assert (problem.where, problem.measured) == (registry.PARTS_VARIABLE, missing)


def test_a_folder_of_no_kind_is_named_once(folder):
    path = write(folder, "prunning", "first.py", MINE)
    with pytest.warns(UserWarning, match=r"prunning: of no kind, left out") as caught:
        names = registry.names("pruning")
    assert "first" not in names
    assert "native" in registry.names("engine")  # a second warning would be an error
    (warning,) = caught
    text = str(warning.message)
    assert str(path.parent) in text
    assert "; kinds: pruning, score, pass, " in text
    assert text.endswith("Did you mean 'pruning'?")


def test_the_folders_and_what_they_give(folder):
    write(folder, "pruning", "first.py", MINE)
    write(folder, "engine", "a.py", "")
    write(folder, "engine", "b.py", "")
    assert registry.given() == {folder: {"pruning": 1, "engine": 2}}


def test_two_parts_of_one_name_are_an_error(folder):
    write(folder, "pruning", "random.py", MINE)
    with pytest.raises(SpecError, match="pruning 'random' is there twice") as caught:
        registry.names("pruning")
    (problem,) = caught.value.problems
    built_in = registry.path("pass", "prune_random")
    assert problem.measured == f"{built_in} and {folder / 'pruning' / 'random.py'}"
    assert problem.fix == "rename one of them"


def test_files_that_are_no_part_say_why(folder):
    path = write(folder, "pruning", "broken.py", "1 / 0")
    with pytest.raises(SpecError, match=r"broken\.py: ZeroDivisionError: division by zero"):
        registry.load("pruning", "broken")
    assert path.stem in registry.names("pruning")
    write(folder, "pruning", "empty.py", "")
    with pytest.raises(
        SpecError, match=r"empty\.py: its file defines no class with name = 'prune_e"
    ):
        registry.load("pruning", "empty")
    write(folder, "scaling", "empty.py", "")
    with pytest.raises(
        SpecError, match=r"scaling 'empty': .*empty\.py: its file defines no Option"
    ):
        registry.load("scaling", "empty")


BAD = {
    "syntax": ("def (", "SyntaxError: invalid syntax"),
    "nothing": ("import nothing_there", "ModuleNotFoundError: No module named 'nothing_there'"),
    "late": ("raise OSError(5, 'late')", r"OSError: \[Errno 5\] late"),
    "leaves": ("raise SystemExit(0)", "SystemExit: 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_imported_is_named_with_its_kind(folder, name):
    text, words = BAD[name]
    path = write(folder, "engine", f"{name}.py", text)
    with pytest.raises(PartError, match=f"^engine '{name}': {path}: {words}") as caught:
        registry.load("engine", name)
    assert caught.value.exit_code == 2
    assert type(caught.value.__cause__).__name__ == words.partition(":")[0]
    assert f"hrsnn_lava_parts.engine.{name}" not in sys.modules


ENGINES = {
    "a_class": ("ENGINE = Mine", "ENGINE is the class Mine; allowed: an object with name, "),
    "a_text": ("ENGINE = 'native'", "ENGINE is str without name, keeps_state, open, "),
    "a_name": ("ENGINE = Mine()", "ENGINE has the name 'other'; allowed: 'a-name', as of the file"),
}
ENGINE = """from hrsnn_lava.sim_backends.base import Backend


class Mine(Backend):
    name = "other"

    def open(self, network):
        return None


"""


@pytest.mark.parametrize("stem", ENGINES)
def test_an_engine_is_an_object_with_the_name_of_its_file(folder, stem):
    text, words = ENGINES[stem]
    path = write(folder, "engine", f"{stem}.py", ENGINE + text)
    name = stem.replace("_", "-")
    with pytest.raises(PartError, match=f"engine '{name}': {path}: {words}"):
        registry.load("engine", name)
    assert registry.load("engine", "lava-stock").name == "lava-stock"


def test_a_section_has_the_name_of_its_file(folder):
    text = "from hrsnn_lava.report.section import Section\nSECTION = Section('other', 'Other')\n"
    write(folder, "section", "mism.py", text)
    words = r"section 'mism': .*mism\.py: SECTION has the name 'other'; allowed: 'mism'"
    with pytest.raises(PartError, match=words):
        registry.load("section", "mism")


def test_what_other_parts_offer_is_looked_at(folder):
    write(folder, "placer", "three.py", "place = 3")
    with pytest.raises(PartError, match="place is int without __call__"):
        registry.load("placer", "three")
    write(folder, "codec", "rates.py", "from hrsnn_lava.artifacts.container import Codec as CODEC")
    with pytest.raises(PartError, match="CODEC is the class Codec without to_artifact, "):
        registry.load("codec", "rates")


def test_an_error_in_the_code_of_a_part_is_the_parts(folder):
    path = write(folder, "placer", "odd.py", "def place(task, rng):\n    return 1 / task\n")
    place = registry.load("placer", "odd")
    with pytest.raises(ZeroDivisionError) as caught:
        place(0, None)
    found = registry.of_part(caught.value)
    assert str(found) == f"placer 'odd': {path}: ZeroDivisionError: division by zero"
    assert found.__cause__ is caught.value
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    assert registry.of_part(caught.value) is None


def test_an_entry_point_of_another_package_is_a_part(tmp_path, monkeypatch):
    info = tmp_path / "fake_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-parts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[hrsnn_lava.pruning]\nfirst = fake_parts_first\ngone = fake_parts_gone\n"
    )
    (tmp_path / "fake_parts_first.py").write_text(MINE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    registry.forget()
    try:
        assert "first" in registry.names("pruning")
        assert registry.load("pruning", "first").name == "prune_first"
        assert registry.summary("pruning", "first") == "Keep the first synapses of all."
        with pytest.raises(SpecError, match="has no file"):
            registry.path("pruning", "first")
        with pytest.raises(PartError, match="pruning 'gone': module fake_parts_gone: ModuleNot"):
            registry.load("pruning", "gone")
    finally:
        monkeypatch.undo()
        registry.forget()
        sys.modules.pop("fake_parts_first", None)
        sys.modules.pop("fake_parts_gone", None)
    assert "first" not in registry.names("pruning")
