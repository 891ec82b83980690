"""A page to look at: photos whose first product is wrong, beside what was found and what is right. Self-contained."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from vitrina.errors import InputError
from vitrina.lens.crop import Rgb
from vitrina.lens.evaluate import Outcome, Query, Score
from vitrina.lens.found import BoxFractions
from vitrina.lens.photo import read_photo, to_webp

SHOWN, PAIRS = 5, 12
PHOTO_PX, PICTURE_PX = 240, 140

STYLE = """
:root { color-scheme: light dark; } body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
article { display: flex; align-items: flex-start; gap: 1rem; border-top: 1px solid #8886; padding: 1rem 0; overflow-x: auto; }
figure { margin: 0; width: 140px; flex: none; } figure.photo { width: 240px; } img { display: block; width: 100%; border-radius: 4px; }
.shot { position: relative; } .shot i { position: absolute; box-sizing: border-box; border: 2px solid #fff; outline: 2px solid #0006; }
.shot i.drawn { border-style: dashed; } figcaption { font-size: 13px; overflow-wrap: anywhere; margin-top: .3rem; }
.right img { outline: 3px solid #2a8a4a; } .empty { opacity: .6; } .tables { display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin: 1rem 0 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } caption { text-align: left; white-space: nowrap; font-weight: 600; padding-bottom: .2rem; }
td { padding: .1rem 1.2rem .1rem 0; vertical-align: top; } td.n { text-align: right; padding-right: 0; }
"""  # noqa: E501

Picture = Callable[[str], Rgb | None]
"""sha256 of a catalog picture → the picture, None where it is not kept."""


def write_page(
    folder: Path, outcomes: Sequence[Outcome], total: Score, picture: Picture, right: Mapping[str, str]
) -> Path:
    """Write `folder/index.html`. right: answer → sha256 of its picture, "" where there is none."""
    first = total.recall[1]
    head = (
        f"<h1>{len(outcomes)} of {total.queries} photos whose first product is wrong</h1>"
        f"<p>recall@1 {first.value:.1%}, 95 % interval {first.low:.1%} to {first.high:.1%}. From left to right: the "
        "photo with the part that was looked at (dashed: the box that somebody drew), a right answer, the first "
        "products that were found. A frame beside the thing means a wrong crop, one around it a wrong vector.</p>"
        f"<div class=tables>{_places(outcomes, total)}{_mistaken(outcomes)}</div>"
    )
    body = "\n".join(_article(one, picture, right) for one in outcomes)
    size = "<meta name=viewport content='width=device-width'>"
    page = f"<!doctype html><meta charset=utf-8>{size}<title>Confusions</title><style>{STYLE}</style>{head}\n{body}\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "index.html"
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from error
    return path


def _places(outcomes: Sequence[Outcome], total: Score) -> str:
    """Where the right product stood."""
    rows = [("1", total.queries - len(outcomes))]
    for low, high in ((2, 2), (3, 5), (6, 10)):
        name = str(low) if low == high else f"{low}–{high}"
        rows.append((name, sum(one.rank is not None and low <= one.rank <= high for one in outcomes)))
    rows.append(("not among those found", sum(one.rank is None for one in outcomes)))
    return _table("Place of the right product", rows)


def _mistaken(outcomes: Sequence[Outcome]) -> str:
    """Which categories are taken for which, the most frequent first; nothing where all queries are of one."""
    pairs: Counter[str] = Counter()
    for one in outcomes:
        found = one.products[0].category[-1] if one.products and one.products[0].category else "nothing"
        if one.query.category:
            pairs[f"{one.query.category} → {found}"] += 1
    return _table("Category asked → found first", pairs.most_common(PAIRS)) if len(pairs) > 1 else ""


def _table(caption: str, rows: Sequence[tuple[str, int]]) -> str:
    lines = "".join(f"<tr><td>{escape(name)}</td><td class=n>{count}</td></tr>" for name, count in rows)
    return f"<table><caption>{escape(caption)}</caption>{lines}</table>"


def _article(one: Outcome, picture: Picture, right: Mapping[str, str]) -> str:
    answer = sorted(one.query.answers)[0]
    rank = f"right at {one.rank}" if one.rank else "right one not among those found"
    frame = "" if one.looked is None else _frame(one.looked, "drawn" if one.query.box_xyxy else "looked")
    figures = [
        _figure(_photo(one.query), f"{one.query.photo.name}, line {one.query.line}: {rank}", PHOTO_PX, "photo", frame),
        _figure(picture(right.get(answer, "")), f"right: {answer}", PICTURE_PX, "right"),
    ]
    for place, product in enumerate(one.products[:SHOWN], start=1):
        told = f"{place}. {product.name} ({product.likeness:.0%} the same, {product.same_kind:.0%} the same kind)"
        figures.append(_figure(picture(product.picture), told, PICTURE_PX, "right" if place == one.rank else "found"))
    return f"<article>{''.join(figures)}</article>"


def _figure(shown: Rgb | None, told: str, longest_px: int, kind: str, frame: str = "") -> str:
    if shown is None:
        return f"<figure class='{kind} empty'><figcaption>{escape(told)} (no picture is kept)</figcaption></figure>"
    data = base64.b64encode(to_webp(shown, longest_px=2 * longest_px)).decode()
    image = f"<img alt='{escape(told, quote=True)}' src='data:image/webp;base64,{data}'>"
    return (
        f"<figure class='{kind}'><div class=shot>{image}{frame}</div><figcaption>{escape(told)}</figcaption></figure>"
    )


def _frame(box: BoxFractions, kind: str) -> str:
    left, top, right, bottom = (100 * min(1.0, max(0.0, value)) for value in box)
    place = f"left:{left:.1f}%;top:{top:.1f}%;width:{right - left:.1f}%;height:{bottom - top:.1f}%"
    return f"<i class={kind} style='{place}'></i>"


def _photo(query: Query) -> Rgb:
    return read_photo(query.photo.read_bytes(), name=str(query.photo))
