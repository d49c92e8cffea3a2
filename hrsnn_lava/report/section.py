"""What a section of a report is, and how its piece of the page is made.

A section is a file ``report/sections/NAME.py`` that defines ``SECTION``; a plugin's is
``FOLDER/section/NAME.py``, see `hrsnn_lava.registry`::

    def data(facts):  # keys of report.json
        return {"fan_in": facts.compiled.network.n_synapses / facts.compiled.network.n_neurons}

    def text(report):
        return titled("Fan-in", f"{report['fan_in']:.1f} synapses a neuron")

    SECTION = Section("fan_in", "Fan-in", data, text, after="constraints")

`hrsnn_lava.report.document` puts the sections in order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hrsnn_lava.budgets.quantities import shown
from hrsnn_lava.report import format as forms
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain

_FOLDER = Path(__file__).parent
_FILTERS = ("integer", "si", "percent", "number", "show", "label", "measured", "caption")
#: Control characters and overrides of the direction of writing: a name may hold them.
_UNSAFE = dict.fromkeys(
    (
        *(k for k in range(32) if chr(k) not in "\t\n"),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    ),
    "\ufffd",
)


def _no_data(_: Facts) -> Plain:
    return {}


def _no_text(_: Plain) -> str:
    return ""


def _no_html(_: Plain, __: Facts) -> Markup:
    return Markup("")


@dataclass(frozen=True)
class Section:
    """One section in its three forms; any may be missing.

    Attributes:
        name: of its file.
        title: its heading on the page.
        data: its part of ``report.json``, top-level keys with plain values.
        text: the whole ``report.json`` to its text, headings included; "" for nothing.
        html: the same and the facts to what stands under the title on the page; "" for no section.
        after: section that this one stands behind, where `document` does not list it.
    """

    name: str
    title: str
    data: Callable[[Facts], Plain] = _no_data
    text: Callable[[Plain], str] = _no_text
    html: Callable[[Plain, Facts], Markup] = _no_html
    after: str = ""


def render(template: str, report: Plain, **values: Any) -> Markup:
    """A template of this folder or of ``sections/``, where ``r`` is `report`; names are escaped."""
    return Markup(_environment().get_template(template).render(r=report, **values))


def listed(name: str, title: str, data: Callable[[Facts], Plain], note: str = "") -> Section:
    """A section whose part of ``report.json``, `name`, is shown as names and values.

    On the page they are a list, or a table where every value is a table itself; `note` stands
    below. Without entries there is no section.
    """

    def part(facts: Facts) -> Plain:
        return {name: dict(data(facts))}

    def text(report: Plain) -> str:
        return forms.titled(title, forms.pairs(report[name]))

    def html(report: Plain, _: Facts) -> Markup:
        entries = report[name]
        page = render("pairs.html.j2", report, entries=entries, note=note)
        return page if entries else Markup("")

    return Section(name, title, part, text, html)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([_FOLDER, _FOLDER / "sections"]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(forms, name) for name in _FILTERS}
    environment.filters["budget"] = shown
    environment.filters["unique_in_order"] = lambda items: list(dict.fromkeys(items))
    return environment


def _harmless(value: Any) -> Any:
    """Text without characters that turn or break the text around them; escaping comes after."""
    return value.translate(_UNSAFE) if isinstance(value, str) else value
