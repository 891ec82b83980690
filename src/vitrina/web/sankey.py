"""Flows from stop to stop as ribbons (a Sankey diagram), drawn on the server. The table beside it says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from vitrina.floor.measures.sums import END
from vitrina.floor.measures.walks import OTHER

WIDTH, HEIGHT = 1000, 400
NODE_WIDTH, NODE_GAP = 10, 16
TOP = 28
LABEL_ROOM = 180
"""For the labels of the last column, which stand to the right of it as all others do."""
LABEL_LETTERS = 23
PLACES = 4
"""Steps that are drawn; later ones are in the table."""

Name = Callable[[str], str]
Form = Callable[[int], str]


@dataclass
class _Node:
    """A zone at one place of the path. y, used_in, used_out: px from the top."""

    slug: str
    incoming: int = 0
    outgoing: int = 0
    y: float = 0.0
    used_in: float = 0.0
    used_out: float = 0.0

    @property
    def people(self) -> int:
        return max(self.incoming, self.outgoing)

    @property
    def rank(self) -> tuple[int, int, str]:
        """The largest on top; those who left, and those who are not told apart, below."""
        return ((END, OTHER).index(self.slug) + 1 if self.slug in (END, OTHER) else 0, -self.people, self.slug)


@dataclass
class _Column:
    nodes: dict[str, _Node] = field(default_factory=dict)

    def node(self, slug: str) -> _Node:
        return self.nodes.setdefault(slug, _Node(slug))

    @property
    def ordered(self) -> list[_Node]:
        return sorted(self.nodes.values(), key=lambda node: node.rank)


def sankey(flows: Sequence[Mapping[str, Any]], *, name: Name, form: Form, heads: Sequence[str], label: str) -> Markup:
    """flows: rows {place, from, to, people}. name: slug to what is written; form: a number to text.

    heads: what stands over each column, from the entrance on. Nothing is drawn without flows.
    """
    drawn = [flow for flow in flows if flow["place"] < PLACES]
    if not drawn:
        return Markup("")
    columns = _columns(drawn)
    scale = _place(columns)
    ribbons = Markup("").join(_ribbons(drawn, columns, scale, name, form))
    nodes = Markup("").join(
        _node(node, number, len(columns), scale, name, form)
        for number, column in enumerate(columns)
        for node in column.ordered
    )
    titles = Markup("").join(
        Markup('<text class="head" x="{}" y="14">{}</text>').format(_number(_text_x(number, len(columns))), head)
        for number, head in enumerate(heads[: len(columns)])
    )
    return Markup('<svg class="sankey" role="img" aria-label="{}" viewBox="0 0 {} {}">{}{}{}</svg>').format(
        label, WIDTH, HEIGHT, ribbons, nodes, titles
    )


def _columns(flows: Sequence[Mapping[str, Any]]) -> list[_Column]:
    columns = [_Column() for _ in range(max(flow["place"] for flow in flows) + 2)]
    for flow in flows:
        columns[flow["place"]].node(flow["from"]).outgoing += flow["people"]
        columns[flow["place"] + 1].node(flow["to"]).incoming += flow["people"]
    return columns


def _place(columns: Sequence[_Column]) -> float:
    """Give every node its place; returns pixels per person."""
    room = HEIGHT - TOP - 8
    scale = min(
        (room - NODE_GAP * (len(column.nodes) - 1)) / max(1, sum(node.people for node in column.nodes.values()))
        for column in columns
    )
    for column in columns:
        y = float(TOP)
        for node in column.ordered:
            node.y = node.used_in = node.used_out = y
            y += node.people * scale + NODE_GAP
    return scale


def _ribbons(
    flows: Sequence[Mapping[str, Any]], columns: Sequence[_Column], scale: float, name: Name, form: Form
) -> list[Markup]:
    """Ribbons leave and arrive in the order of their nodes, so that as few as possible cross."""
    found = []
    for place, (left, right) in enumerate(pairwise(columns)):
        here = {(flow["from"], flow["to"]): flow["people"] for flow in flows if flow["place"] == place}
        for origin in left.ordered:
            for goal in right.ordered:
                people = here.get((origin.slug, goal.slug), 0)
                if people:
                    found.append(_ribbon(place, len(columns), origin, goal, people, scale, name, form))
    return found


def _ribbon(
    place: int, columns: int, origin: _Node, goal: _Node, people: int, scale: float, name: Name, form: Form
) -> Markup:
    width = people * scale
    x0, x1 = _x(place, columns) + NODE_WIDTH, _x(place + 1, columns)
    y0, y1 = origin.used_out, goal.used_in
    origin.used_out += width
    goal.used_in += width
    middle = _number((x0 + x1) / 2)
    start, end = _number(x0), _number(x1)
    shape = (
        f"M{start} {_number(y0)}C{middle} {_number(y0)} {middle} {_number(y1)} {end} {_number(y1)}"
        f"V{_number(y1 + width)}"
        f"C{middle} {_number(y1 + width)} {middle} {_number(y0 + width)} {start} {_number(y0 + width)}Z"
    )
    tip = f"{name(origin.slug)} → {name(goal.slug)}\n{form(people)}"
    kind = " out" if goal.slug in (END, OTHER) else ""
    return Markup('<path class="flow{}" d="{}" data-tip="{}"/>').format(kind, shape, tip)


def _node(node: _Node, number: int, columns: int, scale: float, name: Name, form: Form) -> Markup:
    height = max(1.5, node.people * scale)
    kind = " out" if node.slug in (END, OTHER) else ""
    people = form(node.people)
    return Markup(
        '<rect class="node{}" x="{}" y="{}" width="{}" height="{}" data-tip="{}"/><text x="{}" y="{}">{} '
        '<tspan class="count">{}</tspan></text>'
    ).format(
        kind,
        _number(_x(number, columns)),
        _number(node.y),
        NODE_WIDTH,
        _number(height),
        f"{name(node.slug)}\n{people}",
        _number(_text_x(number, columns)),
        _number(node.y + height / 2 + 4),
        _shortened(name(node.slug), LABEL_LETTERS - len(people)),
        people,
    )


def _shortened(name: str, letters: int) -> str:
    """As much of it as has room before the next column; the whole name is in the tip."""
    return name if len(name) <= letters else name[: letters - 1].rstrip() + "…"


def _x(number: int, columns: int) -> float:
    return number * (WIDTH - NODE_WIDTH - LABEL_ROOM) / (columns - 1)


def _text_x(number: int, columns: int) -> float:
    return _x(number, columns) + NODE_WIDTH + 6


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
