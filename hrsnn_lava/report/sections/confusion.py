"""Which class was taken for which: the matrix of the program on the scored samples.

Of more than `SHOWN` classes the pairs that are mistaken most stand in its place; the whole matrix
is in ``report.json`` in any case.
"""

from __future__ import annotations

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


def data(facts: Facts) -> Plain:
    """``confusion``: empty where nobody said which class was taken for which."""
    said = facts.evidence.confusion
    return {"confusion": {} if said is None else matrix_of(said).to_dict()}


def matrix_of(said: Mapping[str, Any]) -> ConfusionMatrix:
    """The matrix of ``classes`` and ``counts``, checked.

    Raises:
        SpecError: the counts are no square of whole numbers, one row for each class.
    """
    classes = tuple(map(str, said.get("classes") or ()))
    counts = np.asarray(said.get("counts") if said.get("counts") is not None else [])
    square = counts.shape == (len(classes), len(classes)) and counts.dtype.kind in "iu"
    if not square or not counts.sum() or counts.min() < 0:
        problem = Problem(
            "confusion",
            f"{len(classes)} classes, counts {counts.shape}",
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
    if len(matrix.classes) <= SHOWN:
        return titled("Confusion", str(matrix))
    head = ("truth", "taken for", "samples")
    rows = [(a, b, str(n)) for a, b, n in matrix.most_confused(PAIRS)]
    return titled("Mistaken most", table(head, rows))


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
