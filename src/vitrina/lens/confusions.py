"""A page to look at: photos whose first product is wrong, beside what was found and what is right. Self-contained."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from vitrina.errors import InputError
from vitrina.lens.crop import Rgb, cut, to_pixels
from vitrina.lens.evaluate import Outcome, Query, Score, fractions
from vitrina.lens.photo import read_photo, to_webp, upright_size

SHOWN = 5
PHOTO_PX, PICTURE_PX = 240, 140

STYLE = """
:root { color-scheme: light dark; } body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
article { display: flex; gap: 1rem; border-top: 1px solid #8886; padding: 1rem 0; overflow-x: auto; }
figure { margin: 0; width: 140px; flex: none; } figure.photo { width: 240px; } img { max-width: 100%; border-radius: 4px; }
figcaption { font-size: 13px; overflow-wrap: anywhere; } .right { outline: 3px solid #2a8a4a; } .empty { opacity: .6; }
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
        f"<p>recall@1 {first.value:.1%}, 95 % interval {first.low:.1%} to {first.high:.1%}. "
        "From left to right: the photo, a right answer, the first products that were found.</p>"
    )
    body = "\n".join(_article(one, picture, right) for one in outcomes)
    page = f"<!doctype html><meta charset=utf-8><title>Confusions</title><style>{STYLE}</style>{head}\n{body}\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "index.html"
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from error
    return path


def _article(one: Outcome, picture: Picture, right: Mapping[str, str]) -> str:
    answer = sorted(one.query.answers)[0]
    rank = f"right at {one.rank}" if one.rank else "right one not among those found"
    figures = [
        _figure(_photo(one.query), f"{one.query.photo.name}, line {one.query.line}: {rank}", PHOTO_PX, "photo"),
        _figure(picture(right.get(answer, "")), f"right: {answer}", PICTURE_PX, "right"),
    ]
    for place, product in enumerate(one.products[:SHOWN], start=1):
        told = f"{place}. {product.name} ({product.likeness:.0%} the same, {product.same_kind:.0%} the same kind)"
        figures.append(_figure(picture(product.picture), told, PICTURE_PX, "right" if place == one.rank else "found"))
    return f"<article>{''.join(figures)}</article>"


def _figure(shown: Rgb | None, told: str, longest_px: int, kind: str) -> str:
    if shown is None:
        return f"<figure class='{kind} empty'><figcaption>{escape(told)} (no picture is kept)</figcaption></figure>"
    data = base64.b64encode(to_webp(shown, longest_px=2 * longest_px)).decode()
    image = f"<img alt='{escape(told, quote=True)}' src='data:image/webp;base64,{data}'>"
    return f"<figure class='{kind}'>{image}<figcaption>{escape(told)}</figcaption></figure>"


def _photo(query: Query) -> Rgb:
    """The photo, or what the box of it shows."""
    content = query.photo.read_bytes()
    shown = read_photo(content, name=str(query.photo))
    if query.box_xyxy is None:
        return shown
    box = fractions(query.box_xyxy, upright_size(content))
    return cut(shown, to_pixels(box, (shown.shape[1], shown.shape[0])))
