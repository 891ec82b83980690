"""What a feed says about itself, and what had to be mended, gathered while it is read."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN = 3
"""Examples that a note keeps."""


@dataclass(slots=True)
class Facts:
    """currency: of prices that name none. notes: what was mended → how often, the line of the first time, examples."""

    format: str = ""
    encoding: str = "utf-8"
    shop_name: str = ""
    currency: str = ""
    notes: dict[str, tuple[int, int, tuple[str, ...]]] = field(default_factory=dict)

    def note(self, what: str, line: int, example: str = "") -> None:
        """example: what it was about; the first `SHOWN` are kept, so that a million notes take no memory."""
        count, first, examples = self.notes.get(what, (0, line, ()))
        if example and len(examples) < SHOWN and example not in examples:
            examples = (*examples, example)
        self.notes[what] = (count + 1, first, examples)

    def sentences(self) -> list[str]:
        """`line 7: bare & (3 times)` or `line 7: no such file: a.jpg, b.jpg, c.jpg, … (9 times)`, by line."""
        found = sorted(self.notes.items(), key=lambda item: item[1][1])
        return [_sentence(what, *noted) for what, noted in found]


def _sentence(what: str, count: int, first: int, examples: tuple[str, ...]) -> str:
    told = f": {', '.join(examples)}" if examples else ""
    more = ", …" if len(examples) == SHOWN < count else ""
    times = f" ({count:,} times)" if count > 1 else ""
    return f"line {first}: {what}{told}{more}{times}"
