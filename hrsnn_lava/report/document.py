"""The report of a compiled network: its sections, in the order of its three forms.

`Report.to_dict()` is ``report.json``; the text and the page say the same. What each section holds
is its own affair (`hrsnn_lava.report.sections`); that they stand in this order is said here alone.
"""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from markupsafe import Markup

from hrsnn_lava import registry
from hrsnn_lava.artifacts.container import plain, rounded
from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.budgets.judge import with_budgets
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import CostSet
from hrsnn_lava.hardware_profiles.cost_set import preferred
from hrsnn_lava.notebook import GREEN, RED, brief, card
from hrsnn_lava.report import format as forms
from hrsnn_lava.report.facts import Evidence, Facts
from hrsnn_lava.report.format import Plain
from hrsnn_lava.report.headline import tiles
from hrsnn_lava.report.section import Section, render
from hrsnn_lava.report.sections.verdict import summary
from hrsnn_lava.trace import Trace

SCHEMA_VERSION = 1
#: Digits of a number in ``report.json``; sums of them still agree to 1e-12.
DIGITS = 13
#: What is said in place of a cost set where nothing is to be priced.
NO_PRICES = "none"
#: ``report.json`` and the text: what the program is, what its run did and cost, what was measured
#: beside it.
ORDER = (
    "verdict",
    "constraints",
    "transforms",
    "network",
    "quantization",
    "mapping",
    "sop",
    "activity",
    "energy",
    "timing",
    "parity",
    "accuracy",
    "float_vs_integer",
    "comparison",
    "spread",
    "screening",
    "iterations",
    "confusion",
    "dynamics",
    "neurobench",
    "provenance",
)
#: The page, where the run is seen first; the head is above all, and short sections share a row.
PAGE: tuple[tuple[str, ...], ...] = (
    ("spread",),
    ("activity",),
    ("sop",),
    ("constraints",),
    ("energy",),
    ("comparison",),
    ("screening",),
    ("iterations",),
    ("confusion",),
    ("timing",),
    ("network",),
    ("quantization",),
    ("accuracy", "float_vs_integer"),
    ("dynamics",),
    ("mapping",),
    ("transforms",),
    ("parity", "neurobench"),
    ("provenance",),
)
#: Sections of the page that show their main figure at once, and fold what is beyond it; all others
#: are folded.
OPEN = ("spread", "activity", "sop", "constraints", "energy", "comparison")
#: Sections that nobody placed stand before this one.
LAST = "provenance"
Row: TypeAlias = tuple[Section, ...]


@brief(
    "project=data.project", "profile=data.profile", "verdict=data.verdict", "summary=data.summary"
)
@dataclass(frozen=True, eq=False)
class Report:
    """A report as data, with the facts that its drawings need.

    Attributes:
        data: ``report.json``.
        facts: what it was made from.
        made: when and by what command, at the foot of text and page; never in ``report.json``,
            which is the same for equal runs.
    """

    data: dict[str, Any]
    facts: Facts
    made: str = ""

    def to_dict(self) -> dict[str, Any]:
        """``report.json`` as plain values; a copy."""
        return copy.deepcopy(self.data)

    def to_json(self) -> str:
        """``report.json``; equal input gives equal text: no date, no run time, and measured
        numbers in as many digits as all versions of NumPy agree on."""
        return json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_text(self) -> str:
        """The whole report for a terminal."""
        return forms.parts(render_text(self.data).rstrip(), self.made) + "\n"

    def to_summary(self, hint: str = "") -> str:
        """Verdict, findings and the few figures that answer first, in about twenty lines.

        Args:
            hint: a last line.
        """
        return summary(self.data, hint) + "\n"

    def section(self, name: str) -> str:
        """The text of one section, by its name.

        Raises:
            SpecError: no such section; the message lists them.
        """
        check_section(name)
        found = _text(registry.load("section", name), self.data)
        return (found or f"{name}: this report has nothing to say of it") + "\n"

    def to_html(self) -> str:
        """The report as one page that needs nothing else: inline style and drawings, no script."""
        return render_html(self.data, self.facts, self.made)

    def _repr_html_(self) -> str:
        """The verdict and a few figures, for a notebook."""
        verdict = self.data["verdict"]
        return card(
            self.data["project"],
            self.data["summary"],
            [(tile.name, tile.value, tile.note) for tile in tiles(self.data)],
            (verdict, GREEN if verdict == "PASS" else RED),
            [f"budget not kept: {b['key']}" for b in self.data["budgets"] if not b["ok"]],
        )

    def write(self, path: str | Path) -> None:
        """Write ``.json``, ``.html`` or ``.txt``, by the suffix, whole or not at all.

        Raises:
            SpecError: another suffix.
            OutputError: the file cannot be written.
        """
        renderers = {".json": self.to_json, ".html": self.to_html, ".txt": self.to_text}
        suffix = Path(path).suffix.lower()
        if suffix not in renderers:
            raise SpecError(f"{path}: suffix {suffix!r}; allowed: {', '.join(renderers)}")
        write_text(path, renderers[suffix]())


def build_report(
    compiled: CompiledNetwork,
    trace: Trace | None = None,
    cost_set: CostSet | str | Literal[False] | None = None,
    **evidence: Any,
) -> Report:
    """Put together everything that is known of a compiled network and a run of it.

    Args:
        compiled: the program; it is checked against its profile again.
        trace: a run; without one there are no operations and no energy. Where it holds neither the
            updates of every step nor v and u, all updates count as active, an upper bound.
        cost_set: prices, or the name of a set; None: the one that is preferred of those that
            describe the chip, if there is one; False or ``"none"``: the energy stays unpriced.
        evidence: what else is known, by the names of `hrsnn_lava.report.facts.Evidence`.

    Raises:
        SpecError: the trace is not one of this network, or an argument is unknown or out of range.
        NetworkError: the network contradicts itself, or its placement is of other neurons.
    """
    facts = Facts(compiled, trace, _prices(compiled, cost_set), Evidence.of(evidence))
    facts.check()
    data: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    for section in in_order():
        part = _data(section, facts)
        double = sorted({*data, "budgets"} & part.keys())
        if double:
            text = f"{', '.join(double)}; allowed: keys of its own"
            raise registry.failure("section", section.name, text)
        data |= part
    return Report(with_budgets(data, facts.evidence.budgets), facts)


def _prices(
    compiled: CompiledNetwork, cost_set: CostSet | str | Literal[False] | None
) -> CostSet | None:
    if cost_set is False or (isinstance(cost_set, str) and cost_set == NO_PRICES):
        return None
    if cost_set is None and isinstance(compiled, CompiledNetwork):
        cost_set = preferred(compiled.profile)
    if isinstance(cost_set, str):
        return CostSet.load(cost_set)
    if cost_set is not None and not isinstance(cost_set, CostSet):
        allowed = f"a CostSet, its name, False or {NO_PRICES!r}"
        raise SpecError(f"cost_set: {type(cost_set).__name__}; allowed: {allowed}")
    return cost_set


def _data(section: Section, facts: Facts) -> Plain:
    """A section's part of ``report.json``, as plain values."""
    with registry.guarded("section", section.name):
        part: object = section.data(facts)
        if isinstance(part, Mapping):
            values: dict[str, Any] = rounded(plain(part), DIGITS)
            json.dumps(values)
            return values
    raise registry.failure("section", section.name, f"data gave {_kind(part)}; allowed: a dict")


def _text(section: Section, report: Plain) -> str:
    with registry.guarded("section", section.name):
        part: object = section.text(report)
    if isinstance(part, str):
        return part
    raise registry.failure("section", section.name, f"text gave {_kind(part)}; allowed: a str")


def _html(section: Section, report: Plain, facts: Facts) -> Markup:
    with registry.guarded("section", section.name):
        part: object = section.html(report, facts)
    if isinstance(part, Markup):
        return part
    raise registry.failure("section", section.name, f"html gave {_kind(part)}; allowed: a Markup")


def _kind(value: object) -> str:
    return type(value).__name__


def in_order() -> list[Section]:
    """All sections as report.json and the text have them, those of plugins placed."""
    return [row[0] for row in _placed([(name,) for name in ORDER])]


def _placed(rows: Sequence[tuple[str, ...]]) -> list[Row]:
    """The sections of all rows; each that is in no row behind the one that it names.

    Several behind one stand in the order of their names, each with those behind itself.
    """
    own = [registry.load("section", n) for n in registry.names("section") if n not in ORDER]
    _check_places(own)

    def behind(names: Iterable[str]) -> Iterator[Row]:
        for section in own:
            if section.after in names:
                yield (section,)
                yield from behind((section.name,))

    order: list[Row] = []
    if "verdict" not in rows[0]:  # which is above everything on the page
        order += behind(("verdict",))
    for names in rows:
        if LAST in names:
            order += behind(("",))
        order.append(tuple(registry.load("section", name) for name in names))
        order += behind(names)
    return order


def _check_places(own: Sequence[Section]) -> None:
    """Raise `PartError` where a section stands behind none that there is, or behind itself."""
    after = {section.name: section.after for section in own}
    for name in after:
        chain = [name]
        while (place := after.get(chain[-1])) and place not in ORDER:
            if place in chain:
                text = f"after goes in a circle: {' after '.join([*chain, place])}"
                raise registry.failure("section", name, text)
            if place not in after:
                text = f"after {place!r}; allowed: {', '.join((*ORDER, *after))}"
                raise registry.failure("section", chain[-1], text)
            chain.append(place)


def check_section(name: str) -> None:
    """Raise `SpecError` that lists all sections where `name` is none of them."""
    known = [section.name for section in in_order()]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f". Did you mean {near[0]!r}?" if near else ""
        raise SpecError(f"section {name!r}; allowed: {', '.join(known)}{hint}")


def render_text(report: Plain) -> str:
    """The whole report, 100 columns wide where names allow."""
    return forms.parts(*(_text(section, report) for section in in_order())) + "\n"


def render_html(report: Plain, facts: Facts, made: str = "") -> str:
    """The page; every name that a user chose is escaped."""
    report = copy.deepcopy(dict(report))
    head: Section = registry.load("section", "verdict")
    rows: list[list[tuple[str, str, Markup]]] = []
    for sections in _placed(PAGE):
        pieces = [(s.name.replace("_", "-"), s.title, _html(s, report, facts)) for s in sections]
        rows.append([piece for piece in pieces if piece[2]])
    rows = [row for row in rows if row]
    beside = {name.replace("_", "-") for names in PAGE if len(names) > 1 for name in names}
    return str(
        render(
            "page.html.j2",
            report,
            head=head.html(report, facts),
            rows=rows,
            beside=beside,
            open=OPEN,
            made=made,
        )
    )
