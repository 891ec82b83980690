"""Reasons in the reader's language: what parsers, servers and decoders really say is told in Russian."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from vitrina.errors import VitrinaError
from vitrina.lens.feed.reading import read_feed
from vitrina.lens.offer import Reject
from vitrina.lens.photo import read_photo
from vitrina.outlet.download import download
from vitrina.web.finding import parse_price
from vitrina.web.refusals import SENTENCES, tell_refusal
from vitrina.web.words import Words

RUSSIAN, ENGLISH = Words("ru"), Words("en")

OFFERS = """
<offer id=""><name>Boot</name><url>https://a.example/1</url><price>5</price></offer>
<offer id="2"><url>https://a.example/2</url><price>5</price></offer>
<offer id="3"><name>Boot</name><price>5</price></offer>
<offer id="4"><name>Boot</name><url>ftp://a.example</url><price>5</price></offer>
<offer id="5"><name>Boot</name><url>https://a.example/5</url></offer>
<offer id="6"><name>Boot</name><url>https://a.example/6</url><price>0</price></offer>
<offer id="7"><name>Boot</name><url>https://a.example/7</url><price>cheap</price></offer>
<offer id="8"><name>Boot</name><url>https://a.example/8</url><price>99999999999999999999</price></offer>
<offer id="9"><name>Boot</name><url>https://a.example/9</url><price>5 QQQ</price></offer>
<offer id="10"><name>Boot</url></name></offer>
<offer id="11"><name>Boot</name><url>https://a.example/11</url><price>5</price>
<offer id="12"><name>Boot</name>
"""


def of_a_feed(text: str) -> list[str]:
    found = read_feed(io.BytesIO(text.encode()), "shop", name="f.xml", currency="EUR")
    return [one.reason for one in found if isinstance(one, Reject)]


def test_every_mistake_of_a_record_is_told_in_russian() -> None:
    said = of_a_feed(f"<yml_catalog><shop><offers>{OFFERS}</offers></shop></yml_catalog>")

    assert len(said) == 12
    for reason in said:
        assert tell_refusal(RUSSIAN, reason) != reason, reason
        assert tell_refusal(ENGLISH, reason) == reason


def picture(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


NO_PHOTOS = {
    "empty": b"",
    "text": b"Dear Sir or Madam",
    "page": b"<!doctype html><title>No",
    "archive": b"PK\x03\x04" + bytes(40),
    "noise": bytes(range(128, 255)),
    "video": b"\0\0\0\x18ftypmp42\0\0\0\0mp42",
    "tiny": picture(3, 3),
    "huge": picture(9000, 9000),
    "cut": picture(400, 400)[:60],
}


@pytest.mark.parametrize("content", NO_PHOTOS.values(), ids=NO_PHOTOS.keys())
def test_every_file_that_is_no_photo_is_told_in_russian(content: bytes) -> None:
    with pytest.raises(VitrinaError) as refused:
        read_photo(content)

    told = tell_refusal(RUSSIAN, str(refused.value))
    assert told.startswith("фото")
    assert not re.search(r"expected|picture|send", told), told


def test_what_a_server_and_a_form_get_wrong_is_told_in_russian(tmp_path: Path) -> None:
    with pytest.raises(VitrinaError) as private:
        download("http://127.0.0.1:9/x.jpg", tmp_path / "x", largest=10)
    with pytest.raises(VitrinaError) as nobody:
        download("http://127.0.0.1:9/x.jpg", tmp_path / "x", largest=10, tries=1, allow_private=True)
    with pytest.raises(VitrinaError) as no_price:
        parse_price("cheap", "EUR")

    assert "не открытый интернет" in tell_refusal(RUSSIAN, str(private.value))
    assert tell_refusal(RUSSIAN, str(nobody.value)) == (
        "127.0.0.1: в соединении отказано: там никто не отвечает; попыток: 1"
    )
    assert tell_refusal(RUSSIAN, str(no_price.value)) == "нужна сумма, например 12.50, пришло 'cheap'"


def test_a_reason_within_a_reason_is_told_too_and_what_nobody_knows_stays() -> None:
    told = tell_refusal(RUSSIAN, "refused by a person; a newer import came; there is no offer in it")

    assert told == "отклонил сотрудник; пришла более новая загрузка; в нём нет ни одного предложения"
    assert tell_refusal(RUSSIAN, "the moon is full") == "the moon is full"
    assert tell_refusal(RUSSIAN, "") == ""


def test_what_was_mended_is_told_in_russian() -> None:
    feed = b"<yml_catalog><shop><offers><offer id='1'><name>A & B &nbsp; \x01 &#1; \xff</name></offer></offers></shop>"
    reading = read_feed(io.BytesIO(feed), "shop", name="f.xml", currency="EUR")
    with contextlib.suppress(VitrinaError):
        list(reading)
    said = reading.facts.sentences()

    assert len(said) == 5
    for one in (*said, "line 2: a picture is no address (--allow-files takes paths), left out: 'a.jpg' (2 times)"):
        told = tell_refusal(RUSSIAN, one)
        assert not re.search(r"line|left|times|read|address", told), told


def test_why_cashback_moved_is_told_in_russian() -> None:
    said = "the network reports it; order 29.90 EUR; commission 1.50 EUR; no click of this network has its sub-id"

    assert tell_refusal(RUSSIAN, said) == (
        "сообщила партнёрская сеть; заказ 29.90 EUR; комиссия 1.50 EUR; нет перехода этой сети с таким sub-id"
    )


def test_each_sentence_is_told_by_itself() -> None:
    """None is hidden by one before it that has wider holes."""
    for sentence in SENTENCES:
        holes = re.findall(r"\{(\w+)\}", sentence)
        filled = sentence.format(**{name: f"<{name}>" for name in holes})
        expected = RUSSIAN.gettext(sentence).format(**{name: f"<{name}>" for name in holes})
        assert tell_refusal(RUSSIAN, filled) == expected
