"""The site: what it lists is complete; with Sphinx it is built, and its links are followed."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from urllib.parse import unquote

import pytest

import hrsnn_lava

DOCS = Path(__file__).resolve().parents[2] / "docs"
GROUPS = ["Start", "Guides", "Reference", "Explanation"]
SCRIPTS = sorted((DOCS / "gallery").glob("*.py"))
#: What the site is built with, and what the reason says where it is missing.
BUILDERS = ("sphinx", "myst_parser", "furo", "sphinx_gallery")
HOW = "uv run --isolated --python 3.13 --group docs pytest -n 0 tests/docs/test_site.py"


def load_navigation():
    spec = spec_from_file_location("site_navigation", DOCS / "site_navigation.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


navigation = load_navigation()


def text_of(page):
    return (DOCS / page).read_text(encoding="utf-8")


def reference():
    """Names in the reference, each with its directive."""
    entries = []
    for page in sorted((DOCS / "api").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        entries += re.findall(r"^\.\. auto(\w+):: (\S+)$", text, flags=re.M)
    return {name: kind for kind, name in entries}, [name for _, name in entries]


def resolve(name):
    """The object of a dotted name."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def test_every_page_is_once_in_the_navigation():
    groups = navigation.groups(text_of("index.md"))
    assert list(groups) == GROUPS
    listed = [page for pages in groups.values() for page in pages]
    there = {path.name for path in DOCS.glob("*.md")} - {"index.md"}
    assert sorted(listed) == sorted(there | {"api/index.md"})


def test_every_page_of_the_reference_is_in_its_table():
    listed = navigation.rows(text_of("api/index.md"))
    assert sorted(listed) == sorted({p.name for p in (DOCS / "api").glob("*.md")} - {"index.md"})


def test_every_public_name_is_once_in_the_reference():
    kinds, names = reference()
    assert sorted(names) == sorted(kinds)
    missing = {f"hrsnn_lava.{name}" for name in hrsnn_lava.__all__} - set(names)
    assert not missing, "a line in docs/api"


@pytest.mark.parametrize(("name", "kind"), reference()[0].items())
def test_the_reference_calls_a_name_what_it_is(name, kind):
    thing = resolve(name)
    if inspect.isclass(thing):
        assert kind == ("exception" if issubclass(thing, BaseException) else "class")
    else:
        assert callable(thing)
        assert kind == "function"
    assert thing.__doc__


def test_every_example_is_in_the_gallery():
    listed = navigation.rows(text_of("gallery.md"))
    assert sorted(listed) == [f"gallery/{script.name}" for script in SCRIPTS]
    assert 6 <= len(listed) <= 8


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_examples_use_names_of_the_reference_alone(script):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "hrsnn_lava":
            used |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            ours = [alias for alias in node.names if alias.name.startswith("hrsnn_lava")]
            assert [(alias.name, alias.asname) for alias in ours] in ([], [("hrsnn_lava", "hl")])
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "hl":
            used.add(f"hrsnn_lava.{node.attr}")
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), node.attr
    assert used
    assert used <= set(reference()[0])
    assert "plt.show()" in script.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_examples_of_the_gallery_run(script, tmp_path):
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_navigation_of_the_site_is_that_of_the_tables():
    text = "# A\n\n## One\n\n| p | q |\n|---|---|\n| [b](b.md) | x |\n\n## None\n\nText.\n"
    assert navigation.groups(text) == {"One": ["b.md"]}
    made = navigation.with_navigation("index", text)
    assert made.startswith(text)
    assert made.count("{toctree}") == 1
    assert ":caption: One\n\nb.md\n```" in made
    table = "# G\n\n| e | s |\n|---|---|\n| [a](gallery/a.py) | x |\n\nEnd.\n"
    made = navigation.with_navigation("gallery", table)
    assert "| x |" not in made
    assert "auto_gallery/a\n" in made
    assert "End." in made
    assert navigation.with_navigation("other", table) == table


class Links(HTMLParser):
    """Targets of a built page, and the anchors that it has."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.anchors = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors.update(v for k, v in attributes if k in ("id", "name") and v)
        # one that a script follows, or the head of the page, is the theme's
        target = found.get("href") if tag == "a" else found.get("src") if tag == "img" else None
        if target and not re.match(r"[a-z]+:|//", target):
            self.targets.append(unquote(target))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; the pages are copied, so that nothing is written beside them."""
    missing = [name for name in BUILDERS if find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: {HOW}")
    folder = tmp_path_factory.mktemp("site")
    ignored = shutil.ignore_patterns("_build", "auto_gallery", "__pycache__")
    shutil.copytree(DOCS, folder / "docs", ignore=ignored)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "html"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@pytest.mark.once
def test_the_site_is_built_without_a_warning(site):
    for page in DOCS.glob("*.md"):
        assert (site / page.with_suffix(".html").name).is_file()
    names = reference()[0]
    pages = "".join(p.read_text(encoding="utf-8") for p in (site / "api").glob("*.html"))
    assert not {name for name in names if f'id="{name}"' not in pages}
    for script in SCRIPTS:
        page = (site / "auto_gallery" / f"{script.stem}.html").read_text(encoding="utf-8")
        assert "_images/sphx_glr_" in page


@pytest.mark.once
def test_every_link_of_the_site_leads_to_its_anchor(site):
    pages = {path: Links(path) for path in site.rglob("*.html")}
    broken, followed = [], 0
    for path, links in pages.items():
        for target in links.targets:
            name, _, fragment = target.partition("#")
            where = (path.parent / name).resolve() if name else path
            followed += 1
            known = where in pages or where.is_file()
            if not known or (fragment and where in pages and fragment not in pages[where].anchors):
                broken.append(f"{path.relative_to(site)}: {target}")
    assert not broken
    assert followed > 1000
