"""Draws the rooms of the package and their imports: docs/img/rooms.svg, from the code itself.

    uv run python docs/draw_rooms.py          write the picture
    uv run python docs/draw_rooms.py --check  fail if it is not what the code says

A room is a folder of the package, or one of its modules that stand alone; an arrow from A to B says
that A imports B. Arrows that follow from others are left out. Rooms stand above all that they
import, so every arrow points down.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "img" / "rooms.svg"
LINKED = ("compiler", "deploy", "hardware_profiles", "sim_backends")
#: Single modules of the root that make two rooms.
TYPES, GROUND = "network types", "ground"
ON_THE_GROUND = (
    *("csr", "errors", "fields", "integer_format", "notebook", "options", "part_files"),
    *("progress", "registry", "seeding", "spelling"),
)
WIDTH, GAP, LINE, PAD = 1180, 26, 17, 10

Edges = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name; links are followed by hand."""
    paths = {}
    for folder in (ROOT / "hrsnn_lava", *(ROOT / name for name in LINKED)):
        for path in sorted(folder.rglob("*.py")):
            if any(part.is_symlink() for part in path.parents):
                continue
            parts = path.relative_to(ROOT).with_suffix("").parts
            parts = parts if parts[0] == "hrsnn_lava" else ("hrsnn_lava", *parts)
            paths[".".join(parts).removesuffix(".__init__")] = path
    return paths


def room_of(module: str) -> str | None:
    """The room of a module; None for the package itself, which only names things."""
    parts = module.split(".")
    if len(parts) == 1 or parts[1] in ("__main__", "api"):
        return None
    folder = ROOT / parts[1] if parts[1] in LINKED else ROOT / "hrsnn_lava" / parts[1]
    if folder.is_dir():
        return parts[1]
    if parts[1] in ON_THE_GROUND:
        return GROUND
    return {"pytest_plugin": "deploy", "spec": "spec"}.get(parts[1], TYPES)


def imports(path: Path, known: set[str]) -> set[str]:
    """Modules of the package that a file imports, wherever in the file."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            imported |= {name if name in known else node.module for name in names}
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    return imported & known


def rooms() -> tuple[dict[str, list[str]], Edges]:
    """Lines of text of every room, and which rooms it imports."""
    paths = modules()
    edges: Edges = defaultdict(set)
    inner: dict[str, set[str]] = defaultdict(set)
    count: dict[str, int] = defaultdict(int)
    for name, path in paths.items():
        room = room_of(name)
        if room is None:
            continue
        parts = name.split(".")
        count[room] += path.name != "__init__.py"
        if len(parts) > 3 or (path.name == "__init__.py" and len(parts) == 3):
            inner[room].add(parts[2])
        elif room in (TYPES, GROUND):
            inner[room].add(parts[1])
        edges[room] |= {r for r in map(room_of, imports(path, set(paths))) if r not in (None, room)}  # type: ignore[misc]
    texts = {}
    for room, n in count.items():
        texts[room] = [room, f"{n} module{'s' * (n != 1)}", *_wrapped(sorted(inner[room]))]
    return texts, edges


def _wrapped(names: list[str], most: int = 30) -> list[str]:
    lines: list[str] = []
    for name in names:
        if lines and len(lines[-1]) + len(name) + 2 <= most:
            lines[-1] += f", {name}"
        else:
            lines.append(name)
    return lines


def ranks(nodes: list[str], edges: Edges) -> dict[str, int]:
    """Height of every room: one more than the highest room it imports."""
    heights: dict[str, int] = {}

    def height(node: str, path: tuple[str, ...] = ()) -> int:
        if node in path:
            raise SystemExit(f"rooms import each other in a circle: {' -> '.join((*path, node))}")
        if node not in heights:
            below = [height(other, (*path, node)) for other in edges[node]]
            heights[node] = max(below, default=-1) + 1
        return heights[node]

    for node in nodes:
        height(node)
    return heights


def reduced(edges: Edges) -> list[tuple[str, str]]:
    """Arrows that do not follow from others."""

    def reach(node: str) -> set[str]:
        return {far for near in edges[node] for far in (near, *reach(near))}

    return sorted(
        (a, b)
        for a in edges
        for b in edges[a]
        if not any(b in reach(other) for other in edges[a] - {b})
    )


def _width(lines: list[str]) -> float:
    """Pixels that the lines take at most; the first is the room's name, in bold letters."""
    return max(len(lines[0]) * 8.6, *(len(line) * 7.0 for line in lines[1:]))


def picture() -> str:
    """The SVG; light or dark as the reader's system is."""
    texts, edges = rooms()
    heights = ranks(sorted(texts), edges)
    rows = [sorted(r for r in texts if heights[r] == h) for h in range(max(heights.values()) + 1)]
    boxes: dict[str, tuple[float, float, float, float]] = {}
    y = float(GAP)
    for row in reversed(rows):
        high = max(len(texts[room]) for room in row) * LINE + 2 * PAD
        wide = {room: _width(texts[room]) + 2 * PAD for room in row}
        x = (WIDTH - sum(wide.values()) - GAP * (len(row) - 1)) / 2
        for room in row:
            boxes[room] = (x, y, wide[room], len(texts[room]) * LINE + 2 * PAD)
            x += wide[room] + GAP
        y += high + 2 * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:.0f}" role="img">',
        "<title>Rooms of hrsnn-lava and what they import</title>",
        "<style>text{font:13px system-ui,sans-serif;fill:#1b2733}.name{font-weight:600}"
        ".small{fill:#5a6b7b}rect{fill:#f3f6f9;stroke:#9fb0c0}line{stroke:#7d8fa0;fill:none}"
        "@media (prefers-color-scheme:dark){text{fill:#dfe7ee}.small{fill:#9fb0c0}"
        "rect{fill:#1d2732;stroke:#52667a}line{stroke:#6f8397}}</style>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto"><path d="M0 0L8 4L0 8z" fill="#7d8fa0"/></marker></defs>',
    ]
    for a, b in reduced(edges):
        ax, ay, aw, ah = boxes[a]
        bx, by, bw, _ = boxes[b]
        parts.append(
            f'<line x1="{ax + aw / 2:.0f}" y1="{ay + ah:.0f}" x2="{bx + bw / 2:.0f}" '
            f'y2="{by:.0f}" marker-end="url(#a)"/>'
        )
    for room, (x, y, w, h) in sorted(boxes.items()):
        parts.append(f'<rect x="{x:.0f}" y="{y:.0f}" width="{w:.0f}" height="{h}" rx="6"/>')
        for k, text in enumerate(texts[room]):
            style = ("name", "small")[k] if k < 2 else ""
            parts.append(
                f'<text class="{style}" x="{x + PAD:.0f}" y="{y + PAD + LINE * (k + 0.75):.0f}">'
                f"{escape(text)}</text>"
            )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Write the picture, or compare it with what is there."""
    drawing = picture()
    if "--check" in sys.argv[1:]:
        on_disk = PICTURE.read_text(encoding="utf-8") if PICTURE.is_file() else ""
        if on_disk != drawing:
            raise SystemExit("docs/img/rooms.svg is out of date: uv run python docs/draw_rooms.py")
        return
    PICTURE.write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()
