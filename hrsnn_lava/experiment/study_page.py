"""What a study leaves for readers: every trial as CSV, a page in Markdown, and a figure.

The page says in this order what was asked, the table of arms, the paired differences, what was
tuned and how, and what decides: everything on it but the sentences that the experiment gives is
computed from the rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.experiment.study import StudyResult
from hrsnn_lava.metrics.paired import plus_minus

__all__ = ["Column", "StudyPage", "draw_lines", "draw_study", "markdown_table", "write_study"]


@dataclass(frozen=True)
class Column:
    """A figure in the table of arms.

    Attributes:
        figure: its name in the trials.
        title: heading.
        compared: also shown as paired differences.
    """

    figure: str
    title: str
    compared: bool = False


@dataclass(frozen=True)
class StudyPage:
    """What an experiment says of its study.

    Attributes:
        title: of the page.
        question: what was asked, and how; Markdown.
        command: that gives the page again.
        columns: of the table of arms.
        paper: the papers' figures beside ours; Markdown, or empty.
        draw: fills a figure of matplotlib instead of `draw_study`; None: that.
        verdict: the plain sentence for each claim, from the result: reproduced, in part, or not,
            and what decides it.
    """

    title: str
    question: str
    command: str
    columns: Sequence[Column]
    verdict: Callable[[StudyResult], str]
    paper: str = ""
    draw: Callable[[StudyResult, Any], None] | None = None


def write_study(result: StudyResult, page: StudyPage, folder: Path) -> list[Path]:
    """Write ``NAME.csv``, ``NAME.md`` and, where matplotlib is installed, ``NAME.png``.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = result.study.name
    files = [folder / f"{name}.csv", folder / f"{name}.md"]
    write_text(files[0], _table(result))
    picture = folder / f"{name}.png"
    drawn = draw_study(result, page, picture)
    if drawn:
        files.append(picture)
    text = _page(result, page, picture.name if drawn else "")
    write_text(files[1], text)
    return files


def _table(result: StudyResult) -> str:
    """All trials on fresh seeds; numbers as they are, so that all can be worked out again."""
    out = io.StringIO()
    names = ["arm", "seed", *result.figures]
    writer = csv.DictWriter(out, names, lineterminator="\n", restval="")
    writer.writeheader()
    for row in result.rows:
        writer.writerow({key: "" if row.get(key) is None else row[key] for key in names})
    return out.getvalue()


def _page(result: StudyResult, page: StudyPage, picture: str) -> str:
    study = result.study
    parts = [
        f"# {page.title}",
        page.question.strip(),
        f"```console\n$ {page.command}\n```",
        "## What was found",
        page.verdict(result).strip(),
    ]
    if picture:
        parts.append(f"![{page.title}]({picture})")
    parts += [
        f"## Arms\n\n{len(study.seeds)} fresh seeds, mean +- standard error over them.",
        _arms(result, page),
        "## Differences\n\nSeed by seed; the interval is Student's t of the mean.",
        _differences(result, page),
    ]
    if page.paper:
        parts += ["## The papers' figures", page.paper.strip()]
    parts += ["## Tuning", _tuning(result)]
    return "\n\n".join(parts) + "\n"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column on the left, the others on the right."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _arms(result: StudyResult, page: StudyPage) -> str:
    rows = []
    for arm in result.study.all_arms:
        cells = [arm]
        for column in page.columns:
            values = result.values(arm, column.figure)
            cells.append(_mean(values[np.isfinite(values)]))
        rows.append(cells)
    return markdown_table(["arm", *(column.title for column in page.columns)], rows)


def _mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    if not values.size:
        return "-"
    error = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else None
    text, _ = plus_minus(float(values.mean()), error)
    return text.removeprefix("+")


def _differences(result: StudyResult, page: StudyPage) -> str:
    compared = [c for c in page.columns if c.compared or c.figure == result.study.headline]
    rows = [
        [
            f"{arm} - {reference}",
            *(str(result.difference(arm, reference, c.figure)) for c in compared),
        ]
        for arm, reference in result.study.comparisons
    ]
    return markdown_table(["arms", *(c.title for c in compared)], rows)


def _tuning(result: StudyResult) -> str:
    study = result.study
    lines = []
    for arm in study.arms:
        chosen = _settings(result.chosen[arm.name], study.axes)
        if arm.like is not None:
            lines.append(f"- {arm.name}: as {arm.like}, and {_settings(arm.settings[0])}.")
        elif arm.name in result.tuning:
            figures = ", ".join(f"{value:.4g}" for value in result.tuning[arm.name])
            edge = result.at_edge.get(arm.name, ())
            where = f" **{', '.join(edge)}: at the edge of the grid.**" if edge else ""
            lines.append(
                f"- {arm.name}: {chosen}, of {len(arm.settings)} settings (validation: {figures})."
                + where
            )
        else:
            lines.append(f"- {arm.name}: {chosen}; not tuned.")
    if any(result.tuning):
        seeds = ", ".join(map(str, study.tuning_seeds))
        lines.append(
            f"\nTuned on the validation samples of seeds {seeds}, equally many settings an arm."
        )
    regimes = f"Regimes in which the effect was looked for before: {study.searched}."
    return "\n".join([*lines, "", regimes])


def _settings(settings: Any, axes: Sequence[str] = ()) -> str:
    """Settings in words, those of some axes where any are given."""
    told = {k: v for k, v in settings.items() if k in axes} if axes else settings
    return ", ".join(f"{k} = {v}" for k, v in told.items()) or "no other setting"


def draw_study(result: StudyResult, page: StudyPage, path: Path) -> bool:
    """The figure of a study.

    Returns:
        False, and nothing is drawn, where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    rows = max(len(result.study.all_arms), len(result.study.comparisons), 3)
    figure = Figure(figsize=(9, 4 if page.draw is not None else 0.9 + 0.42 * rows))
    (page.draw or _dots(page))(result, figure)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return True


def _dots(page: StudyPage) -> Callable[[StudyResult, Any], None]:
    """The headline of every arm, a dot a seed, and beside it the paired differences."""

    def draw(result: StudyResult, figure: Any) -> None:
        study, compared = result.study, result.compared()
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for row, arm in enumerate(study.all_arms):
            values = result.values(arm, study.headline)
            heights = np.full(values.size, row)
            left.plot(values, heights, "o", color="#999999", markersize=3, alpha=0.7)
            left.plot(np.nanmean(values), row, "D", color="#1f4e79", markersize=6)
        left.set_yticks(range(len(study.all_arms)), study.all_arms)
        left.set_xlabel(_title(page, study.headline))
        right.axvline(0.0, color="#bbbbbb", linewidth=1)
        for row, entry in enumerate(compared):
            difference = entry.difference
            low, high = difference.interval or (difference.mean, difference.mean)
            right.plot([low, high], [row, row], color="#1f4e79", linewidth=2)
            right.plot(difference.mean, row, "o", color="#1f4e79")
        names = [f"{entry.arm} - {entry.reference}" for entry in compared]
        right.set_yticks(range(len(compared)), names)
        right.yaxis.tick_right()
        right.set_xlabel("paired difference, 95 %")
        for axes in (left, right):
            axes.invert_yaxis()
            axes.spines[["top", "left" if axes is right else "right"]].set_visible(False)
            axes.grid(axis="x", color="#eeeeee")

    return draw


def draw_lines(
    result: StudyResult, axes: Any, arms: Sequence[str], values: Sequence[float], figure: str
) -> None:
    """A figure of arms over a quantity, mean and standard error over seeds.

    The arms of the study are called ``ARM VALUE``, for every one of `arms` and `values`.
    """
    for arm in arms:
        each = [result.values(f"{arm} {value:g}", figure) for value in values]
        means = [np.nanmean(v) for v in each]
        errors = [np.nanstd(v, ddof=1) / np.sqrt(v.size) if v.size > 1 else 0.0 for v in each]
        axes.errorbar(values, means, yerr=errors, marker="o", capsize=2, label=arm)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#eeeeee")
    axes.legend(frameon=False)


def _title(page: StudyPage, figure: str) -> str:
    titles = {column.figure: column.title for column in page.columns}
    return titles.get(figure, figure)
