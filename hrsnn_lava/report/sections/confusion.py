"""Which class was taken for which: the matrix of the program on the scored samples.

Of more than `SHOWN` classes the pairs that are mistaken most stand in its place; the whole matrix
is in ``report.json`` in any case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.metrics.classification import ConfusionMatrix
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain, table, titled
from hrsnn_lava.report.section import Section, render

#: Most classes whose matrix is drawn, and pairs that stand for a larger one.
SHOWN, PAIRS = 20, 10
#: Control characters, and those that turn the direction of writing.
_PLAIN = re.compile("[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def data(facts: Facts) -> Plain:
    """``confusion``: empty where nobody said which class was taken for which."""
    said = facts.evidence.confusion
    return {"confusion": {} if said is None else matrix_of(said).to_dict()}


def matrix_of(said: Mapping[str, Any]) -> ConfusionMatrix:
    """The matrix of ``classes`` and ``counts``, checked.

    Raises:
        SpecError: the counts are no square of whole numbers, one row for each class.
    """
    table = said if isinstance(said, Mapping) else {}
    classes = tuple(map(str, table.get("classes") or ()))
    counts = np.asarray(table.get("counts") if table.get("counts") is not None else [])
    square = counts.shape == (len(classes), len(classes)) and counts.dtype.kind in "iu"
    if not square or not counts.sum() or counts.min() < 0:
        problem = Problem(
            "confusion",
            f"{len(classes)} classes, counts {counts.shape}" if table else f"{said!r:.40}",
            "classes, and counts of whole numbers, a row and a column for each class",
            'take hl.metric("confusion")(truth, answers)',
        )
        raise SpecError("a report cannot show it", problems=[problem])
    return ConfusionMatrix(counts.astype(np.int64), classes)


def text(report: Plain) -> str:
    """The matrix, or the pairs that are mistaken most."""
    if not report.get("confusion"):
        return ""
    matrix = matrix_of(report["confusion"])
    harmless = tuple(_PLAIN.sub("\ufffd", name) for name in matrix.classes)
    matrix = ConfusionMatrix(matrix.counts, harmless)
    if len(matrix.classes) <= SHOWN:
        return titled("Confusion", str(matrix))
    rows = [(a, b, str(n)) for a, b, n in matrix.most_confused(PAIRS)]
    pairs = table(("truth", "taken for", "samples"), rows) if rows else "none"
    told = f"accuracy {matrix.value:.4f} of {matrix.counts.sum():,} samples"
    return titled("Mistaken most", f"{pairs}\n{told}")


def html(report: Plain, _: Facts) -> Markup:
    """The same; the darker a cell, the larger its share of the row."""
    if not report.get("confusion"):
        return Markup("")
    matrix = matrix_of(report["confusion"])
    totals = np.maximum(matrix.counts.sum(axis=1, keepdims=True), 1)
    cells = [
        [(int(count), float(share)) for count, share in zip(row, shares, strict=True)]
        for row, shares in zip(matrix.counts, matrix.counts / totals, strict=True)
    ]
    return render(
        "confusion.html.j2",
        report,
        matrix=matrix,
        rows=list(zip(matrix.classes, cells, matrix.recall, strict=True)),
        whole=len(matrix.classes) <= SHOWN,
        pairs=matrix.most_confused(PAIRS),
    )


SECTION = Section("confusion", "Confusion", data, text, html)
