"""Where a figure comes from, drawn: from the camera or the till over what is made of it to the measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

Name = Callable[[str], str]

ROADS: dict[str, tuple[str, ...]] = {
    "crossings": ("camera", "people", "tracks", "lines"),
    "visits": ("camera", "people", "tracks", "zones"),
    "waits": ("camera", "people", "tracks", "queues"),
    "presence": ("camera", "people"),
    "receipts": ("till",),
}
"""Table of the lake to the steps that its rows are made in."""

_WIDTH, _GAP, _HEIGHT, _ROW = 104, 30, 32, 46
_LETTER = 8.0
"""At most so wide is a letter of a measure's name on average, in its bold 12 pixels."""


@dataclass(frozen=True, slots=True)
class _Node:
    kind: str
    key: str
    column: int
    row: int


def lineage_chart(tables: Sequence[str], measure: str, *, name: Name, label: str) -> Markup:
    """tables: those that the measure reads, in the order of its card. name: a step's name in the page's language."""
    nodes, edges = _graph(tables)
    columns, rows = 2 + max(node.column for node in nodes), 1 + max(node.row for node in nodes)
    goal = _Node("measure", measure, columns - 1, 0)
    middle = (rows - 1) / 2
    drawn = [_edge(a, b, a.row, b.row) for a, b in edges]
    drawn += [_edge(node, goal, node.row, middle) for node in nodes if node.kind == "table"]
    drawn += [_box(node, node.row, node.key if node.kind == "table" else name(node.key)) for node in nodes]
    goal_width = max(_WIDTH, round(len(measure) * _LETTER) + 20)
    drawn.append(_box(goal, middle, measure, goal_width))
    width = (columns - 1) * (_WIDTH + _GAP) + goal_width + 2
    height = rows * _ROW - (_ROW - _HEIGHT) + 2
    return Markup('<svg class="lineage" viewBox="-1 -1 {} {}" width="{}" role="img" aria-label="{}">{}</svg>').format(
        width, height, width, label, Markup("").join(drawn)
    )


def steps_text(tables: Sequence[str], measure: str, *, name: Name) -> list[str]:
    """The same in words, for those who cannot see it."""
    return [" → ".join([*(name(step) for step in ROADS[table]), table, measure]) for table in tables if table in ROADS]


def _graph(tables: Sequence[str]) -> tuple[list[_Node], list[tuple[_Node, _Node]]]:
    """Steps that several tables share are drawn once, on the first one's row."""
    placed: dict[str, _Node] = {}
    edges: list[tuple[_Node, _Node]] = []
    widest = max((len(ROADS[table]) for table in tables if table in ROADS), default=1)
    for row, table in enumerate(table for table in tables if table in ROADS):
        before: _Node | None = None
        for column, step in enumerate(ROADS[table]):
            node = placed.setdefault(step, _Node("step", step, column, row))
            if before is not None and (before, node) not in edges:
                edges.append((before, node))
            before = node
        placed[f"table {table}"] = last = _Node("table", table, widest, row)
        if before is not None:
            edges.append((before, last))
    return list(placed.values()), edges


def _edge(a: _Node, b: _Node, from_row: float, to_row: float) -> Markup:
    x0, x1 = a.column * (_WIDTH + _GAP) + _WIDTH, b.column * (_WIDTH + _GAP)
    y0, y1 = from_row * _ROW + _HEIGHT / 2, to_row * _ROW + _HEIGHT / 2
    turn = x1 - _GAP / 2
    path = f"M{x0} {y0:g}H{turn - 8:g}C{turn:g} {y0:g} {turn:g} {y1:g} {turn + 8:g} {y1:g}H{x1}"
    return Markup('<path class="flow" d="{}"/>').format(path)


def _box(node: _Node, row: float, text: str, width: int = _WIDTH) -> Markup:
    x, y = node.column * (_WIDTH + _GAP), row * _ROW
    return Markup(
        '<rect class="node {}" x="{}" y="{:g}" width="{}" height="{}" rx="6"/><text x="{}" y="{:g}">{}</text>'
    ).format(node.kind, x, y, width, _HEIGHT, x + width / 2, y + _HEIGHT / 2 + 4, text)
