"""How the site is made of the pages: Sphinx, MyST, furo; see "Documentation" in CONTRIBUTING.md.

The pages are plain Markdown that reads well without Sphinx. What the site needs beside it is made
here: navigation from the tables of ``index.md``, and links to names that a docstring puts in
backticks.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import matplotlib as mpl
from sphinx.application import Sphinx

import hrsnn_lava

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

import site_navigation  # noqa: E402

mpl.use("agg")

project = "hrsnn-lava"
author = "The hrsnn-lava developers"
project_copyright = author
version = release = version_of("hrsnn-lava")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "gallery/*", "auto_gallery/index.rst", "**/sg_execution_times.rst"]
exclude_patterns += ["sg_execution_times.rst"]
nitpicky = True

# Markdown: links as on the usual hosts, anchors of headings included
myst_heading_anchors = 4
#: Blocks of commands hold outputs of all kinds, which no lexer can read.
suppress_warnings = ["config.cache", "misc.highlighting_failure"]

# the reference of Python names
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    # members of the package's own bases, and not those of Python's and pydantic's
    "inherited-members": "BaseException,BaseModel,Enum,Generic,ABC",
}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
#: Of a dataclass, which almost all are.
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_rtype = False
python_maximum_signature_line_length = 88
#: What stands in single backticks is a name of Python, or else plain code.
default_role = "py:obj"

# furo
html_theme = "furo"
html_title = f"hrsnn-lava {release}"
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "minigallery_sort_order": site_navigation.place_in_the_gallery,
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "image_scrapers": ("matplotlib",),
    "matplotlib_animations": False,
    "backreferences_dir": "auto_gallery/backreferences",
    "remove_config_comments": True,
}


def _public_names() -> dict[str, str]:
    """Where a name is defined -> what a user writes, such as ``hrsnn_lava.Network``."""
    names = {}
    for name in hrsnn_lava.__all__:
        public = getattr(hrsnn_lava, name)
        defined = f"{public.__module__}.{getattr(public, '__qualname__', name)}"
        names[defined] = f"hrsnn_lava.{name}"
    return names


PUBLIC = _public_names()


def resolve_name(app: Sphinx, env: Any, node: Any, content: Any) -> Any:
    """A name of the package to its place in the reference, however it was written.

    Annotations state the module that defines a name, docstrings its last part, or that of a member
    of the same class. What has no place in the reference is shown as code.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    owner, _, member = target.rpartition(".")
    candidates = [
        PUBLIC.get(target),
        f"{PUBLIC[owner]}.{member}" if owner in PUBLIC else None,
        f"hrsnn_lava.{target}",
        f"{node.get('py:class')}.{target}",
        f"hrsnn_lava.{node.get('py:class')}.{target}",
    ]
    domain = env.domains.python_domain
    for name in candidates:
        if name in domain.objects:
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, content)
    # a name written out in full has to be one; what an annotation names is there anyway
    if node["reftype"] == "obj" and target.startswith("hrsnn_lava.") and not _exists(target):
        return None
    return content


def _exists(name: str) -> bool:
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            named: Any = import_module(".".join(parts[:k]))
        except ImportError:
            continue
        for part in parts[k:]:
            fields = getattr(named, "__dataclass_fields__", {})
            if not hasattr(named, part) and part not in fields:
                return False
            named = getattr(named, part, None)
        return True
    return False


#: A line of a section that describes several names at once, ``pre, post: names of ...``.
_SEVERAL = re.compile(r"( +)(\w+(?:, \w+)+): (.*)")
#: Members that the package calls and its users do not.
INTERNAL = {
    *("problems", "part_problems", "size_problems", "connection_problems", "require_unaltered"),
    *("population_types", "projection_types", "from_artifact", "to_artifact", "current_spelling"),
    *("transform", "settled", "has_step", "renamed"),
}


def prepare_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Bring a docstring into the form that napoleon reads; called before it.

    Of a property napoleon takes what stands before a colon in the first line for its type: an empty
    comment is put there. What describes several names at once is written once for each.
    """
    if what in ("property", "attribute"):
        lines[:0] = ["..", ""]
    out: list[str] = []
    k = 0
    while k < len(lines):
        several = _SEVERAL.fullmatch(lines[k])
        end = k + 1
        if several is None:
            out.append(lines[k])
        else:
            indent = len(several.group(1))
            while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > indent:
                end += 1
            for one in several.group(2).split(", "):
                out += [f"{several.group(1)}{one}: {several.group(3)}", *lines[k + 1 : end]]
        k = end
    lines[:] = out


def shorten_signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """Defaults that are made anew for each object, in a form that Sphinx can break into lines."""
    return (signature.replace("<factory>", "..."), returns) if signature else None


def skip_member(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out what is no concern of a user."""
    return True if name in INTERNAL else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", site_navigation.add_navigation)
    app.connect("autodoc-process-docstring", prepare_docstring, priority=400)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("missing-reference", resolve_name)
