"""Parts by name: those of the package, of the user's folders and of other packages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.errors import SpecError

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
        "betweenness",
        "lyapunov",
        "magnitude",
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
    assert problem.allowed == "activity, betweenness, lyapunov, magnitude, random"
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
    step = spec.prune.step("first", "none", 0.25)
    assert (type(step), step.skip, step.density) == (cls, 2, 0.25)
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
    os.environ[registry.PARTS_VARIABLE] += os.pathsep + str(folder.parent / "nowhere")
    registry.forget()
    assert "first" in registry.names("pruning")


def test_two_parts_of_one_name_are_an_error(folder):
    write(folder, "pruning", "random.py", MINE)
    with pytest.raises(SpecError, match="pruning 'random' is there twice") as caught:
        registry.names("pruning")
    (problem,) = caught.value.problems
    assert "prune_random.py" in problem.measured
    assert str(folder / "pruning" / "random.py") in problem.measured
    assert problem.fix == "rename one of them"


def test_files_that_are_no_part_say_why(folder):
    path = write(folder, "pruning", "broken.py", "1 / 0")
    with pytest.raises(SpecError, match=r"broken\.py: ZeroDivisionError: division by zero"):
        registry.load("pruning", "broken")
    assert path.stem in registry.names("pruning")
    write(folder, "pruning", "empty.py", "")
    with pytest.raises(SpecError, match="'empty': its file defines no class with name = 'prune_e"):
        registry.load("pruning", "empty")
    write(folder, "scaling", "empty.py", "")
    with pytest.raises(SpecError, match="scaling 'empty': its file defines no Option"):
        registry.load("scaling", "empty")


def test_an_entry_point_of_another_package_is_a_part(tmp_path, monkeypatch):
    info = tmp_path / "fake_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-parts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hrsnn_lava.pruning]\nfirst = fake_parts_first\n")
    (tmp_path / "fake_parts_first.py").write_text(MINE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    registry.forget()
    try:
        assert "first" in registry.names("pruning")
        assert registry.load("pruning", "first").name == "prune_first"
        assert registry.summary("pruning", "first") == "Keep the first synapses of all."
        with pytest.raises(SpecError, match="has no file"):
            registry.path("pruning", "first")
    finally:
        monkeypatch.undo()
        registry.forget()
        sys.modules.pop("fake_parts_first", None)
    assert "first" not in registry.names("pruning")
