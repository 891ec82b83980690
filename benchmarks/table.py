"""What a benchmark answers with."""

from __future__ import annotations

from dataclasses import dataclass, field

BarRow = tuple[str, float, str, bool]
"""A figure that must hold: what it is, its value, its bound in words such as '≥ 0.90', whether it holds."""


@dataclass(frozen=True, slots=True)
class Report:
    """A table, and the bars that its figures must clear. rows: one value for each column."""

    title: str
    columns: list[str]
    rows: list[list[object]]
    bars: list[BarRow] = field(default_factory=list)
