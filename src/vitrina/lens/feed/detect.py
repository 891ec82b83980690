"""What a feed is, by looking at its beginning."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from vitrina.errors import InputError

HEAD = 1 << 16
"""So much of a feed's beginning is looked at."""

GZIP = b"\x1f\x8b"
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NO_FEEDS = (
    (b"PK\x03\x04", "a ZIP archive (or an Excel sheet); unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel sheet; save it as CSV"),
    (b"%PDF", "a PDF document"),
    (b"BZh", "packed with bzip2; unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "packed with xz; unpack it, or pack it with gzip"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_DECLARED = re.compile(r"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_ROOT = re.compile(r"<(?![?!])(?P<name>[A-Za-z_][\w.:-]*)(?P<attributes>[^<>]*)>?")
_COMMENT = re.compile(r"<!--.*?(?:-->|$)", re.DOTALL)
_NAMESPACE = re.compile(r"""xmlns:([A-Za-z_][\w.-]{0,40})\s*=\s*["']([^"'<>]{1,300})["']""")

YML, GOOGLE, TABLE = "yml", "google", "csv"
_GOOGLE_ROOTS = frozenset({"rss", "feed", "rdf:RDF", "channel"})
_YML_ROOTS = frozenset({"yml_catalog", "torg_price", "shop", "price"})


@dataclass(frozen=True, slots=True)
class Kind:
    """What a feed is. skip: bytes of a byte order mark. text: its beginning, decoded. root: "" for a table.

    doubt: why the encoding is another one than the feed says, "" without.
    """

    format: str
    encoding: str
    skip: int
    text: str
    root: str = ""
    namespaces: tuple[tuple[str, str], ...] = ()
    doubt: str = ""


def detect(head: bytes, *, form: str = "auto", name: str = "feed") -> Kind:
    """head: the first `HEAD` bytes, unpacked. form: `auto`, or what it is said to be.

    Raises InputError for what is no feed, saying what it is.
    """
    what = next((what for mark, what in _NO_FEEDS if head.startswith(mark)), None)
    if what is not None:
        raise InputError(f"{name}: expected a feed (YML, Google Merchant, CSV), got {what}.")
    encoding, skip, doubt = _encoding(head)
    text = head[skip:].decode(encoding, "replace")
    begin = text.lstrip()
    if not begin:
        raise InputError(f"{name}: expected a feed, got an empty file.")
    if form == TABLE or not begin.startswith("<"):
        return _table(begin, Kind(TABLE, encoding, skip, text, doubt=doubt), form, name)
    return _xml(Kind("", encoding, skip, text, doubt=doubt), form, name)


def _table(begin: str, kind: Kind, form: str, name: str) -> Kind:
    if begin.startswith("<") and form != TABLE:
        raise InputError(f"{name}: expected a table, got XML.")
    if form == YML:
        raise InputError(f"{name}: expected XML (YML), got text that begins {begin[:30]!r}.")
    if begin.startswith(("{", "[")):
        raise InputError(f"{name}: expected a feed (YML, Google Merchant, CSV), got JSON.")
    if begin.count("\0") > 4:
        raise InputError(f"{name}: expected a feed (YML, Google Merchant, CSV), got binary data.")
    return kind


def _xml(kind: Kind, form: str, name: str) -> Kind:
    body = _COMMENT.sub("", kind.text)
    found = _ROOT.search(body)
    root = found["name"] if found else ""
    if root.lower() == "html" or "<!doctype html" in body[:1000].lower():
        raise InputError(f"{name}: expected a feed, got a web page: perhaps one that asks to sign in.")
    namespaces = tuple(dict(_NAMESPACE.findall(found["attributes"])).items()) if found else ()
    if form in (YML, GOOGLE):
        format_ = form
    elif root in _GOOGLE_ROOTS:
        format_ = GOOGLE
    elif root in _YML_ROOTS or re.search(r"<offer\s", body):
        format_ = YML
    else:
        raise InputError(
            f"{name}: expected XML whose outermost tag is yml_catalog (YML), rss or feed (Google Merchant), "
            f"got <{root or body.strip()[:30]}>. Say what it is with --format."
        )
    return Kind(format_, kind.encoding, kind.skip, kind.text, root, namespaces, kind.doubt)


def _encoding(head: bytes) -> tuple[str, int, str]:
    """Encoding, bytes of its mark, and what is odd about it."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark), ""
    if head[:2] in (b"<\0", b"\0<"):
        return ("utf-16-le" if head[:1] == b"<" else "utf-16-be"), 0, ""
    declared = _declared(head)
    is_utf8 = _is_utf8(head)
    if declared == "utf-8" and not is_utf8:
        guess = _one_byte(head)
        return guess, 0, f"its letters are {guess}, not UTF-8 as it says"
    if declared != "utf-8" and is_utf8 and not head.isascii():
        return "utf-8", 0, f"its letters are UTF-8, not {declared} as it says"
    return declared, 0, ""


def _declared(head: bytes) -> str:
    found = _DECLARED.match(head[:400].decode("latin-1"))
    if found is None:
        return "utf-8"
    try:
        name = codecs.lookup(found[1]).name
        bytes(range(32, 127)).decode(name)
    except (LookupError, UnicodeDecodeError):
        return "utf-8"
    return "utf-8" if name in ("ascii", "utf-16", "utf-32") else name


def _is_utf8(head: bytes) -> bool:
    """Nearly: a wrong byte here and there is a mistake, not another encoding."""
    wrong = head.decode("utf-8", "replace").count("�")
    high = sum(1 for byte in head if byte >= 0x80)
    return wrong <= 1 + high // 20


def _one_byte(head: bytes) -> str:
    """Cyrillic words are nothing but high bytes, Western ones have some among others."""
    words = re.findall(rb"[A-Za-z\x80-\xff]{3,}", re.sub(rb"<[^<>]*>", b" ", head))
    high = [word for word in words if any(byte >= 0xC0 for byte in word)]
    cyrillic = sum(1 for word in high if all(byte >= 0x80 for byte in word))
    return "cp1251" if cyrillic * 2 > len(high) else "cp1252"
