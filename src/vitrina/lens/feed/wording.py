"""Texts of a feed as people read them: no markup, no entities, one space between words."""

from __future__ import annotations

import html
import re

_TAG = re.compile(r"<[^<>]*>")
_MARK = re.compile(r"\s*\((pre-?order|предзаказ|back-?order|sold out|out of stock)\)", re.IGNORECASE)


def plain(text: str, longest: int) -> str:
    """At most `longest` letters."""
    if len(text) <= longest and (text.isalnum() or _is_plain(text)):
        return text
    if "<" in text or "&" in text:
        text = html.unescape(_TAG.sub(" ", html.unescape(text[: longest * 8])))
    return " ".join(text[: longest * 8].split())[:longest]


def _is_plain(text: str) -> bool:
    """What nearly every text is, told without making a new one: no markup, and single spaces between the words."""
    if "<" in text or "&" in text or "  " in text or not text.isprintable():
        return False
    return bool(text) and text[0] != " " and text[-1] != " "


def without_mark(text: str) -> tuple[str, str]:
    """`Burgundy (Pre-order)` → `Burgundy`, `pre-order`: shops put into a colour what is no part of it."""
    found = _MARK.search(text)
    return (_MARK.sub("", text).strip(), found[1].lower()) if found else (text, "")
