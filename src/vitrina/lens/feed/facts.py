"""What a feed says about itself, and what had to be mended, gathered while it is read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Facts:
    """currency: of prices that name none. notes: what was mended → how often, and the line of the first time."""

    format: str = ""
    encoding: str = "utf-8"
    shop_name: str = ""
    currency: str = ""
    notes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def note(self, what: str, line: int) -> None:
        count, first = self.notes.get(what, (0, line))
        self.notes[what] = (count + 1, first)

    def sentences(self) -> list[str]:
        """`line 7: bare & (3 times)`, by line."""
        found = sorted(self.notes.items(), key=lambda item: item[1][1])
        return [
            f"line {first}: {what}" + (f" ({count:,} times)" if count > 1 else "") for what, (count, first) in found
        ]
